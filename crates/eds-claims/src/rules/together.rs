//! Claims next to each other: EDS212, two with one name; EDS213, two reading one consumer. What is
//! kept of each is small, so that claims in many files can be compared.

use kube_schema::yaml::Place;
use std::collections::HashMap;

use serde_json::Value;

use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::yaml::{Node, Span};

/// Two claims with one namespace and name.
pub(super) static SAME_NAME: Rule = Rule {
    code: "EDS212",
    name: "same-name",
    severity: Severity::Warning,
    what: "Two claims of one namespace and name.",
    why: "They are one object to Kubernetes: the one that is applied last wins, without a word.",
    bad: "name: a … name: a",
    good: "name: a … name: b",
};

/// Two claims that read one consumer.
pub(super) static SAME_CONSUMER: Rule = Rule {
    code: "EDS213",
    name: "same-consumer",
    severity: Severity::Warning,
    what: "Two claims that read one consumer.",
    why: "They share its messages, and each scales by the whole lag: twice the pods that are \
            needed.",
    bad: "consumer: c … consumer: c",
    good: "consumer: c … consumer: d",
};

/// What identifies one claim, and where.
#[derive(Debug, Clone)]
pub struct Identity {
    name: Option<((String, String), Span)>,
    consumer: Option<([String; 4], Span)>,
}

impl Identity {
    /// Identifies a claim as written, with its defaults filled in.
    #[must_use]
    pub fn of(node: &Node, effective: &Value) -> Self {
        let text = |field: &str| {
            super::field_of(effective, field).and_then(Value::as_str).map(str::to_owned)
        };
        let namespace = || text("metadata.namespace").unwrap_or_default();
        let name = text("metadata.name")
            .map(|name| ((namespace(), name), Path::fields("metadata.name").span(node)));
        let read = text("spec.nats.stream").zip(text("spec.nats.consumer"));
        let consumer = read.map(|(stream, consumer)| {
            let account = text("spec.nats.account").unwrap_or_default();
            let endpoint = text("spec.nats.monitoringEndpoint").unwrap_or_default();
            let server = endpoint.replace(".svc.cluster.local:", ".svc:");
            let span = Path::fields("spec.nats.consumer").span(node);
            ([server, account, stream, consumer], span)
        });
        Self { name, consumer }
    }
}

/// Where a claim was seen before.
#[derive(Debug, Clone)]
struct Seen {
    file: String,
    line: usize,
    claim: String,
}

/// The claims of one run, in order.
#[derive(Debug, Default)]
pub struct Together {
    names: HashMap<(String, String), Seen>,
    consumers: HashMap<[String; 4], Seen>,
}

impl Together {
    /// Adds the claims of one more file, and returns their conflicts with the earlier ones.
    pub fn add(&mut self, file: &str, claims: &[Identity]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for claim in claims {
            findings.extend(self.one(file, claim));
        }
        findings
    }

    fn one(&mut self, file: &str, claim: &Identity) -> Vec<Finding> {
        let mut findings = Vec::new();
        let said = claim.name.as_ref().map_or_else(String::new, |((namespace, name), _)| {
            if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") }
        });
        let place = |seen: &Seen| match seen.file == file {
            true => format!("on line {}", seen.line),
            false => format!("in {}:{}", seen.file, seen.line),
        };
        let here = |span: &Span| Seen {
            file: file.to_owned(),
            line: span.start.line,
            claim: said.clone(),
        };
        let mut again = false;
        if let Some((key, span)) = &claim.name {
            if let Some(before) = self.names.get(key) {
                again = true;
                let message = format!(
                    "a claim {said} stands before, {}: they are one object to Kubernetes, and the \
                        one that is applied last wins",
                    place(before)
                );
                findings.push(Finding::new(&SAME_NAME, message).at(*span, "metadata.name").help(
                    "give one of them another name, or remove it; what is for different \
                            clusters is validated apart",
                ));
            } else {
                self.names.insert(key.clone(), here(span));
            }
        }
        // One object listed twice reads its consumer once.
        if let Some((key, span)) = claim.consumer.as_ref().filter(|_| !again) {
            if let Some(before) = self.consumers.get(key) {
                let [_, account, stream, consumer] = key;
                let message = format!(
                    "consumer {consumer} of stream {stream} (account {account}) is read by the \
                        claim {} too, {}: the two share its messages, and each scales by the whole \
                        lag",
                    before.claim,
                    place(before)
                );
                findings.push(
                    Finding::new(&SAME_CONSUMER, message)
                        .at(*span, "spec.nats.consumer")
                        .help("make a consumer for each in NATS, and name that"),
                );
            } else {
                self.consumers.insert(key.clone(), here(span));
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube_schema::yaml;

    /// Each text is a file with one claim. Expects `file code`, and parts of the message.
    #[track_caller]
    fn check(claims: &[&str], expected: &[(&str, &[&str])]) {
        let mut together = Together::default();
        let mut found = Vec::new();
        for (i, text) in claims.iter().enumerate() {
            let node = yaml::parse(text).documents.remove(0);
            let identity = Identity::of(&node, &node.to_json());
            let file = format!("{i}.yaml");
            let findings = together.add(&file, &[identity]);
            found.extend(findings.into_iter().map(|f| (format!("{i} {}", f.rule.code), f.message)));
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for ((head, message), (expected, parts)) in found.iter().zip(expected) {
            assert_eq!(head, expected);
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }

    #[test]
    fn names_and_consumers() {
        let a = "metadata: {name: a, namespace: shop}\nspec: {nats: {stream: S, consumer: c}}";
        let b = "metadata: {name: b, namespace: shop}\nspec: {nats: {stream: S, consumer: c}}";
        let other = "metadata: {name: a, namespace: mail}\nspec: {nats: {stream: S, consumer: d}}";
        check(&[a, other], &[]);
        check(&[a, a], &[("1 EDS212", &["shop/a", "0.yaml:1"])]);
        check(&[a, b], &[("1 EDS213", &["consumer c of stream S", "shop/a", "0.yaml:2"])]);
        let account = "metadata: {name: b}\nspec: {nats: {stream: S, consumer: c, account: X}}";
        check(&[a, account, "spec: {}", "spec: {}"], &[]);
    }
}
