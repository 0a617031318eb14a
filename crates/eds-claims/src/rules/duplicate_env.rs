//! EDS204: an environment variable set twice: in two places, twice in one, or one that comes from
//! `spec.nats`. Whole Secrets and ConfigMaps (`envFrom`) are not considered: their keys are not in
//! the claim.

use std::collections::HashMap;

use serde_json::Value;

use super::{Claim, variables};
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

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let mut names: Vec<(&str, Path)> = Vec::new();
    for list in ["secretRefs", "configMapRefs"] {
        for (i, source) in claim.list(list).iter().enumerate() {
            let env = source.get("env").and_then(Value::as_array).into_iter().flatten();
            for (j, entry) in env.enumerate() {
                let path = Path::fields("spec").key(list).index(i).key("env").index(j);
                names.extend(
                    entry.get("envName").and_then(Value::as_str).map(|n| (n, path.key("envName"))),
                );
            }
        }
    }
    for (i, entry) in claim.list("env").iter().enumerate() {
        let path = Path::fields("spec.env").index(i).key("name");
        names.extend(entry.get("name").and_then(Value::as_str).map(|n| (n, path)));
    }
    let mut first: HashMap<&str, &Path> = HashMap::new();
    for (name, path) in &names {
        let duplicate = |message: String| claim.finding(&RULE, path, message);
        if variables::from_nats(claim).any(|reserved| reserved == *name) {
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
        check(
            "  secretRefs: [{env: [{envName: X}]}]\n  configMapRefs: [{env: [{envName: X}]}]\n",
            &[("EDS204", 3, "spec.secretRefs[0].env[0].envName on line 2")],
        );
        // The names of files for NATS are taken only where there are such files.
        let env = "  env: [{name: NATS_CA}, {name: NATS_CREDS}]\n";
        check(env, &[]);
        check(
            &format!("{env}  nats: {{tls: {{ca: a}}}}\n"),
            &[("EDS204", 2, "NATS_CA is set from spec.nats")],
        );
    }
}
