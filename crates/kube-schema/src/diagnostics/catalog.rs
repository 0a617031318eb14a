//! Every kind of finding: its code, what it is, why it matters, and an example of each.
//!
//! EDS0xx: the file cannot be read as claims. EDS1xx: the API server would refuse the claim.
//! EDS2xx: the API server accepts it, but it would not work, or not as intended. EDS3xx: what a
//! change does.

use super::Severity;

/// A kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable, such as `EDS104`.
    pub code: &'static str,
    /// The name for people, such as `enum`.
    pub name: &'static str,
    /// How serious it is.
    pub severity: Severity,
    /// What it finds.
    pub what: &'static str,
    /// Why that is bad.
    pub why: &'static str,
    /// An example that it finds, as YAML.
    pub bad: &'static str,
    /// An example that it does not find.
    pub good: &'static str,
}

macro_rules! rules {
    ($($id:ident = $code:literal $name:literal $severity:ident:
        $what:literal, $why:literal, $bad:literal => $good:literal;)*) => {
        $(
            #[doc = $what]
            pub static $id: Rule = Rule {
                code: $code, name: $name, severity: Severity::$severity,
                what: $what, why: $why, bad: $bad, good: $good,
            };
        )*
        /// All rules, by code.
        pub static ALL: &[&Rule] = &[$(&$id),*];
    };
}

rules! {
    SYNTAX = "EDS001" "yaml-syntax" Error:
        "Text that is not YAML.",
        "kubectl refuses the file. Nothing after the place is read, so there may be more to find.",
        "a: [1, 2" => "a: [1, 2]";
    DUPLICATE_KEY = "EDS002" "duplicate-key" Error:
        "A key that stands twice in a mapping.",
        "One of the values is lost without a word, and parsers differ in which.",
        "{size: small, size: large}" => "{size: large}";
    LIMIT = "EDS003" "too-large" Error:
        "A file that is too large, too deep, or grows without bounds when aliases are expanded.",
        "No claim is like that; reading on would cost memory without end.",
        "[[[[[…" => "[[]]";
    STRUCTURE = "EDS004" "yaml-structure" Error:
        "YAML that has no JSON form: keys that are not scalars, infinities, aliases that lead \
            nowhere.",
        "Kubernetes objects are JSON.",
        "? [a, b]\n: 1" => "ab: 1";
    ENCODING = "EDS005" "encoding" Error:
        "Bytes that are not UTF-8 text.",
        "Kubernetes takes UTF-8 only. Such a file is binary, or was saved in another encoding.",
        "\\xff\\xfe" => "text";
    UNSEEN = "EDS006" "not-checked" Error:
        "Something that changed and is not checked: a symbolic link, a submodule, a text that is \
            not the commit's.",
        "kubectl, Argo CD and Kustomize may read a claim there that nobody has looked at. A \
            warning where it is known to hold none, or where the commit's own text was checked.",
        "claims/a.yaml -> ../elsewhere.yaml" => "claims/a.yaml";
    NOT_AN_OBJECT = "EDS010" "not-an-object" Error:
        "A document that is not a Kubernetes object: not a mapping, or without apiVersion or kind.",
        "kubectl cannot tell what it is.",
        "- a list" => "{apiVersion: platform.bizmatters.io/v1alpha1, kind: EventDrivenService}";
    WRONG_KIND = "EDS011" "wrong-kind" Error:
        "An apiVersion or kind that is nearly that of a claim.",
        "Kubernetes would take it for another kind, and most likely know none of that name.",
        "kind: EventDrivenServices" => "kind: EventDrivenService";
    OTHER_KIND = "EDS012" "other-kind" Error:
        "An object of another kind, with --strict.",
        "Where a file must hold claims only, another kind is a mistake.",
        "kind: ConfigMap" => "kind: EventDrivenService";
    NO_CLAIM = "EDS013" "no-claim" Error:
        "A file without a claim, with --strict.",
        "A check that checked nothing looks like a check that passed.",
        "# empty" => "kind: EventDrivenService";
    TYPE = "EDS101" "type" Error:
        "A value of the wrong type.",
        "The API server refuses it. Often a string that YAML reads as a number or boolean: quote \
            it.",
        "value: 8080" => "value: \"8080\"";
    REQUIRED = "EDS102" "required" Error:
        "A required field that is missing.",
        "The API server refuses the claim.",
        "nats: {consumer: c}" => "nats: {stream: S, consumer: c}";
    UNKNOWN_FIELD = "EDS103" "unknown-field" Error:
        "A field that the API does not have.",
        "kubectl refuses it; other clients drop it without a word, and the default is used \
            instead.",
        "sise: large" => "size: large";
    ENUM = "EDS104" "enum" Error:
        "A value that is not one of those allowed.",
        "The API server refuses it.",
        "size: huge" => "size: large";
    PATTERN = "EDS105" "pattern" Error:
        "A text that does not have the form its field asks for.",
        "The API server refuses it; what reads the field (NATS, a registry, Kubernetes) would too.",
        "stream: my.stream" => "stream: my-stream";
    LENGTH = "EDS106" "length" Error:
        "A text that is too long or too short, counted in characters.",
        "The API server refuses it.",
        "stream: \"\"" => "stream: ORDERS";
    RANGE = "EDS107" "range" Error:
        "A number outside its bounds.",
        "The API server refuses it.",
        "maxReplicas: 0" => "maxReplicas: 1";
    COUNT = "EDS108" "count" Error:
        "Too many or too few entries.",
        "The API server refuses it; the bounds keep its rules within their cost.",
        "command: [65 entries]" => "command: [64 entries]";
    FORMAT = "EDS109" "format" Error:
        "A text that is not of its field's format, such as a date.",
        "The API server refuses it.",
        "lastTransitionTime: yesterday" => "lastTransitionTime: \"2024-01-01T00:00:00Z\"";
    CEL = "EDS110" "api-rule" Error:
        "A claim that breaks one of the API's own rules (CEL), which join several fields.",
        "The API server refuses it with the same message.",
        "{minReplicas: 5, maxReplicas: 2}" => "{minReplicas: 2, maxReplicas: 5}";
    CEL_UNKNOWN = "EDS111" "api-rule-not-checked" Warning:
        "A rule of the API that could not be evaluated here.",
        "The API server may still refuse the claim.",
        "rule: url(self) …" => "rule: size(self) > 0";
    COMBINATION = "EDS112" "combination" Error:
        "A value that fits none, or not exactly one, of several alternatives.",
        "The API server refuses it.",
        "{a: 1, b: 1} under oneOf" => "{a: 1}";
    METADATA = "EDS113" "metadata" Error:
        "A name, label or annotation that Kubernetes would refuse.",
        "These rules hold for every Kubernetes object.",
        "name: My_Service" => "name: my-service";
    ADMISSION = "EDS114" "claim-name" Error:
        "A claim name that the API's admission policy refuses.",
        "The Service and the ScaledObject take their names from the claim, with tighter rules.",
        "name: 2nd.service" => "name: second-service";
    LIST_KEYS = "EDS115" "list-keys" Error:
        "Two entries with the same key in a list that is a set or a map.",
        "The API server refuses it.",
        "[a, a]" => "[a, b]";
    ANCHOR = "EDS205" "merge-key" Warning:
        "A YAML merge key (<<).",
        "YAML 1.2 dropped merge keys, so editors and other tools read another claim than kubectl.",
        "nats: {<<: *common, stream: S}" => "nats: {consumer: c, stream: S}";
    NULL_FIELD = "EDS206" "null-field" Warning:
        "A field without a value.",
        "Kubernetes drops it, so its default holds; if that is meant, leave the field out.",
        "scaling:" => "scaling: {minReplicas: 2}";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_in_order() {
        let codes: Vec<&str> = ALL.iter().map(|r| r.code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b));
        let names: std::collections::HashSet<&str> = ALL.iter().map(|r| r.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
