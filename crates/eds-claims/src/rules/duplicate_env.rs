//! EDS204: an environment variable set twice: in two places, twice in one, or one that comes from
//! `spec.nats`. Whole secrets (`envFrom`) are not considered: their keys are not in the claim.

use std::collections::HashMap;

use serde_json::Value;

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// An environment variable that is set twice.
pub(super) static RULE: Rule = Rule {
    code: "EDS204",
    name: "duplicate-env",
    severity: Severity::Error,
    what: "An environment variable that is set twice.",
    why: "One of the values would be lost; the API server refuses it.",
    bad: "[{name: A, value: x}, {name: A, value: y}]",
    good: "[{name: A, value: y}]",
};

/// Variables that the Composition sets from `spec.nats`.
const RESERVED: [&str; 3] = ["NATS_URL", "NATS_STREAM_NAME", "NATS_CONSUMER_GROUP"];

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let mut names: Vec<(&str, Path)> = Vec::new();
    for (i, secret) in claim.list("secretRefs").iter().enumerate() {
        let env = secret.get("env").and_then(Value::as_array).into_iter().flatten();
        for (j, entry) in env.enumerate() {
            let path = Path::fields("spec.secretRefs").index(i).key("env").index(j);
            names.extend(
                entry.get("envName").and_then(Value::as_str).map(|n| (n, path.key("envName"))),
            );
        }
    }
    for (i, entry) in claim.list("env").iter().enumerate() {
        let path = Path::fields("spec.env").index(i).key("name");
        names.extend(entry.get("name").and_then(Value::as_str).map(|n| (n, path)));
    }
    let mut first: HashMap<&str, &Path> = HashMap::new();
    for (name, path) in &names {
        let duplicate = |message: String| claim.finding(&RULE, path, message);
        if RESERVED.contains(name) {
            let message = format!("{name} is set from spec.nats");
            out.push(duplicate(message).help("choose another name"));
        } else if let Some(before) = first.get(name) {
            let message =
                format!("{name} is set before, by {before} on line {}", claim.line(before));
            out.push(duplicate(message).help("keep one of them"));
        } else {
            first.insert(name, path);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn variables() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check(
            "  secretRefs:\n  - name: a\n    env:\n    - {envName: X}\n    - {envName: X}\n  - \
             name: b\n    env: [{envName: X}]\n  env:\n  - {name: X}\n  - {name: NATS_URL}\n",
            &[
                ("EDS204", 6, "spec.secretRefs[0].env[0].envName on line 5"),
                ("EDS204", 8, "on line 5"),
                ("EDS204", 10, "on line 5"),
                ("EDS204", 11, "is set from spec.nats"),
            ],
        );
        check("  secretRefs: [{env: [{envName: X}]}]\n  env: [{name: Y}, {name: 1}]\n", &[]);
    }
}
