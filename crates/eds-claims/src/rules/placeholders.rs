//! EDS214: a placeholder left unreplaced, in a text that the API server accepts.
//!
//! In names, URLs, accounts and images, any placeholder is an error. Values of variables belong to
//! the worker, which may use templates of its own, and `$(NAME)` in them belongs to Kubernetes
//! (EDS211): there, only `{{ }}` and values that are just `<…>` or CHANGEME deserve a warning.

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::placeholder::{self, Placeholder};
use kube_schema::yaml::Place;

/// A placeholder left unreplaced in a name, a URL, an account or an image.
pub(super) static RULE: Rule = Rule {
    code: "EDS214",
    name: "placeholder",
    severity: Severity::Error,
    what: "A placeholder that nothing replaced, in a name, a URL, an account or an image.",
    why: "Nothing replaces it later: the service would look for a stream or server of that name.",
    bad: "stream: ${STREAM}",
    good: "stream: ORDERS",
};

/// Texts that name something.
const NAMES: [&str; 7] = [
    "metadata.name",
    "metadata.namespace",
    "spec.image",
    "spec.nats.url",
    "spec.nats.stream",
    "spec.nats.consumer",
    "spec.nats.account",
];

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    for field in NAMES {
        let text = claim.text(field).unwrap_or_default();
        let of_kubernetes =
            |found: &Placeholder<'_>| field == "spec.nats.url" && found.text.starts_with("$(");
        if let Some(found) = placeholder::find(text).filter(|found| !of_kubernetes(found)) {
            let path = Path::fields(field);
            let mut finding = claim.finding(&RULE, &path, found.cause()).help(placeholder::FIX);
            finding.span =
                path.part(claim.node, text, found.at, found.text).unwrap_or(finding.span);
            if !found.certain {
                finding.severity = Severity::Warning;
            }
            out.push(finding);
        }
    }
    for (i, entry) in claim.list("env").iter().enumerate() {
        let value = entry.get("value").and_then(|v| v.as_str()).unwrap_or_default();
        let Some(found) = placeholder::find(value) else { continue };
        let whole = found.text.len() == value.len() && found.certain;
        let word = found.text.starts_with(|c: char| c == '<' || c.is_ascii_alphabetic());
        if found.text.starts_with("{{") || whole && word {
            let path = Path::fields("spec.env").index(i).key("value");
            let mut finding = claim.finding(&RULE, &path, found.cause()).help(placeholder::FIX);
            finding.severity = Severity::Warning;
            out.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn texts() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        let found: &[(&str, usize, &str)] = &[("EDS214", 2, "placeholder")];
        for text in [
            "nats: {account: '${ACCOUNT}'}",
            "nats: {stream: $STREAM}",
            "nats: {consumer: 'a-__ENV__'}",
            "nats: {url: 'nats://<host>:4222'}",
            "nats: {stream: TODO}",
            "env: [{name: A, value: '{{ .Values.b }}'}]",
            "env: [{name: A, value: <your-token>}]",
            "env: [{name: A, value: changeme}]",
        ] {
            check(&format!("  {text}\n"), found);
        }
        for text in [
            "nats: {account: $G}",
            "nats: {url: 'nats://$(U)@h:4222'}",
            "env: [{name: A, value: '${X}'}]",
            "env: [{name: A, value: '$(X)'}]",
            "env: [{name: A, value: 'a <b> c'}]",
            "nats: {stream: todo}",
        ] {
            check(&format!("  {text}\n"), &[]);
        }
    }
}
