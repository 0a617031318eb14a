//! Every kind of finding: its code, what it is, why it matters, an example of each.
//!
//! EDS0xx: the file cannot be read as claims. EDS1xx: the API server would refuse the claim.
//! EDS2xx: the API server takes it, and it would not work, or not as meant. EDS3xx: what a change does.

use super::Severity;

/// A kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable, such as `EDS104`.
    pub code: &'static str,
    /// The same for a person, such as `enum`.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it finds.
    pub what: &'static str,
    /// Why that is bad.
    pub why: &'static str,
    /// What it finds, as YAML.
    pub bad: &'static str,
    /// What it does not find.
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
        /// All of them, by code.
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
        "YAML that has no JSON form: keys that are no scalars, infinities, aliases that lead \
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
        "A document that is no Kubernetes object: no mapping, or without apiVersion or kind.",
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
        "rule: quantity(self) …" => "rule: size(self) > 0";
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
    LATEST_TAG = "EDS201" "latest-tag" Warning:
        "An image with the tag latest, or without a tag and digest.",
        "Each pod start may run other code, a rollback does not bring the old code back, and every \
         start pulls.",
        "image: registry.example.com/worker" => "image: registry.example.com/worker:1.4.2";
    SYSTEM_ACCOUNT = "EDS202" "system-account" Error:
        "An account of NATS' own that never holds a stream: $SYS, or $G in another spelling.",
        "NATS refuses JetStream on its system account, so KEDA never finds the consumer there and \
         never scales the service.",
        "account: $SYS" => "account: $G";
    DUPLICATE_SECRET = "EDS203" "duplicate-secret" Error:
        "A secret that is named twice under secretRefs.",
        "The API server refuses it: one entry says all there is to say about a secret.",
        "[{name: db, envFrom: true}, {name: db, envFrom: true}]" => "[{name: db, envFrom: true}]";
    DUPLICATE_ENV = "EDS204" "duplicate-env" Error:
        "An environment variable that is set twice.",
        "One of the values would be lost; the API server refuses it.",
        "[{name: A, value: x}, {name: A, value: y}]" => "[{name: A, value: y}]";
    ANCHOR = "EDS205" "merge-key" Warning:
        "A YAML merge key (<<).",
        "YAML 1.2 dropped merge keys, so editors and other tools read another claim than kubectl.",
        "nats: {<<: *common, stream: S}" => "nats: {consumer: c, stream: S}";
    NULL_FIELD = "EDS206" "null-field" Warning:
        "A field without a value.",
        "Kubernetes drops it, so its default holds; if that is meant, leave the field out.",
        "scaling:" => "scaling: {minReplicas: 2}";
    PLAIN_SECRET = "EDS207" "plain-secret" Warning:
        "A password, token or key in spec.env, in the init container's command, or in the NATS \
            URL.",
        "Claims are readable by everyone who may see them, and live on in git.",
        "env: [{name: DB_PASSWORD, value: hunter2}]" =>
        "secretRefs: [{name: db, env: [{secretKey: password, envName: DB_PASSWORD}]}]";
    MONITORING_PORT = "EDS208" "monitoring-endpoint" Warning:
        "A monitoring endpoint that names NATS' client port.",
        "KEDA asks over HTTP, which NATS serves on its monitoring port (8222); on 4222 it gets no \
         answer and never scales.",
        "monitoringEndpoint: nats.nats.svc:4222" =>
        "monitoringEndpoint: nats-headless.nats.svc.cluster.local:8222";
    IDLE_COOLDOWN = "EDS209" "unused-cooldown" Warning:
        "A cooldownPeriod or activationLagThreshold without minReplicas 0.",
        "KEDA only uses them on the way between one replica and none.",
        "{minReplicas: 1, cooldownPeriod: 60}" => "{minReplicas: 0, cooldownPeriod: 60}";
    CLIENT_PORT = "EDS210" "client-port" Warning:
        "A NATS URL that names NATS' monitoring or cluster port.",
        "Clients connect to the client port (4222); elsewhere nobody speaks their protocol.",
        "url: nats://nats.nats.svc:8222" => "url: nats://nats.nats.svc:4222";
    UNRESOLVED = "EDS211" "unresolved-variable" Warning:
        "A reference $(NAME) that Kubernetes will not resolve.",
        "Kubernetes leaves it in the value as it is, so the worker gets the text $(NAME).",
        "env: [{name: A, value: $(B)}, {name: B, value: x}]" =>
        "env: [{name: B, value: x}, {name: A, value: $(B)}]";
    SAME_NAME = "EDS212" "same-name" Warning:
        "Two claims of one namespace and name.",
        "They are one object to Kubernetes: the one that is applied last wins, without a word.",
        "name: a … name: a" => "name: a … name: b";
    SAME_CONSUMER = "EDS213" "same-consumer" Warning:
        "Two claims that read one consumer.",
        "They share its messages, and each scales by the whole lag: twice the pods that are \
            needed.",
        "consumer: c … consumer: c" => "consumer: c … consumer: d";
    PLACEHOLDER = "EDS214" "placeholder" Error:
        "A placeholder that nothing replaced, in a name, a URL, an account or an image.",
        "Nothing replaces it later: the service would look for a stream or server of that name.",
        "stream: ${STREAM}" => "stream: ORDERS";
    IMAGE = "EDS215" "unusable-image" Error:
        "An image that the API takes and no node does: a digest of the wrong length or algorithm, \
            a name of more than 255 characters, a registry alone.",
        "The pods never start (InvalidImageName).",
        "image: registry.example.com/worker@md5:…" => "image: registry.example.com/worker@sha256:…";
    LOOKALIKE = "EDS216" "lookalike" Warning:
        "A letter that only looks like one of a to z, in a name that has both.",
        "NATS compares names byte by byte, so nobody finds the stream that reads the same.",
        "stream: ORDERS, with a Cyrillic O" => "stream: ORDERS";
    SERVER = "EDS217" "unreachable-server" Warning:
        "A NATS URL that leads to the pod itself, or holds two servers without a comma between \
            them.",
        "The worker would never reach NATS.",
        "url: nats://localhost:4222" => "url: nats://nats.nats.svc:4222";
    NOT_DECLARED = "EDS218" "not-declarative" Warning:
        "A field that a file cannot decide: generateName, resourceVersion, uid, status.",
        "kubectl apply refuses it, or Kubernetes drops it.",
        "metadata: {generateName: worker-}" => "metadata: {name: worker}";
    RESTART = "EDS301" "restarts-pods" Warning:
        "A change that restarts the service's pods.",
        "Changed pod templates roll out: every pod is replaced.",
        "image: …:1.0 -> …:1.1" => "scaling.maxReplicas: 10 -> 20";
    RENAMED = "EDS302" "renamed" Error:
        "A claim whose name or namespace changed.",
        "Kubernetes has no renaming: the old service is deleted and another one is made.",
        "name: a -> name: b" => "name: a -> name: a";
    LOWERED_MAX = "EDS303" "lowered-maximum" Warning:
        "A maxReplicas that became smaller.",
        "Pods above the new maximum are stopped at once, also under load.",
        "maxReplicas: 20 -> 5" => "maxReplicas: 5 -> 20";
    DROPPED_SECRET = "EDS304" "dropped-secret" Warning:
        "A secret, or one of its variables, that the claim no longer uses.",
        "The service loses the variables at its next start.",
        "secretRefs: [{name: db, …}] -> []" => "secretRefs unchanged";
    REMOVED = "EDS305" "removed" Warning:
        "A claim that is gone from its file.",
        "Where files are applied with pruning, its service is deleted. An error where its text \
            still stands, under a name that nobody applies, or a link stands in its place: that is \
            no plain deletion.",
        "(claim removed)" => "(claim kept)";
    OTHER_COMPOSITION = "EDS306" "other-composition" Warning:
        "A claim that chooses another Composition, or another revision of it.",
        "What runs is made anew by it: what the other one does not make is deleted.",
        "compositionRef: {name: a} -> {name: b}" => "compositionRef unchanged";
    HANDLING = "EDS307" "handling" Warning:
        "A change to how Crossplane treats the claim: which composite is its own, its external \
            name, a pause.",
        "The claim may take over what another one made, leave its own behind, or stop being \
            reconciled.",
        "crossplane.io/paused: \"true\"" => "(no such annotation)";
    BACKLOG = "EDS308" "abandoned-consumer" Warning:
        "A claim that reads another consumer than before.",
        "What waits in the old consumer is read by nobody, and no longer makes the service scale.",
        "consumer: a -> consumer: b" => "consumer unchanged";
    MAY_SLEEP = "EDS309" "may-sleep" Warning:
        "A minReplicas that became 0.",
        "The service sleeps while no message waits: nothing of it answers, and the first message \
            waits until a pod has started.",
        "minReplicas: 1 -> 0" => "minReplicas: 2 -> 1";
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
