//! EDS203: a Secret or ConfigMap named twice. The API's own rule points at the list; this one at the entry.

use std::collections::HashMap;

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// A Secret or ConfigMap that is named twice in one list.
pub(super) static RULE: Rule = Rule {
    code: "EDS203",
    name: "duplicate-secret",
    severity: Severity::Error,
    what: "A Secret or ConfigMap that is named twice in one list.",
    why: "The API server refuses it: one entry says all there is to say about it.",
    bad: "[{name: db, envFrom: true}, {name: db, envFrom: true}]",
    good: "[{name: db, envFrom: true}]",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let merge = "merge the two entries: env and envFrom may stand together";
    for (field, what, help) in [
        ("secretRefs", "secret", merge),
        ("configMapRefs", "ConfigMap", merge),
        ("imagePullSecrets", "secret", "keep one of them"),
    ] {
        let mut first = HashMap::new();
        for (i, entry) in claim.list(field).iter().enumerate() {
            let Some(name) = entry.get("name").and_then(|n| n.as_str()) else { continue };
            let path = Path::fields("spec").key(field).index(i).key("name");
            if let Some(before) = first.get(name) {
                let message =
                    format!("{what} {name:?} is named before, on line {}", claim.line(before));
                out.push(claim.finding(&RULE, &path, message).help(help));
            } else {
                first.insert(name, path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn secrets() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check(
            "  secretRefs:\n  - name: a\n  - name: b\n  - name: a\n  - name: a\n",
            &[("EDS203", 5, "on line 3"), ("EDS203", 6, "on line 3")],
        );
        check("  secretRefs: [{name: a}]\n  imagePullSecrets: [{name: a}]\n", &[]);
        check("  imagePullSecrets:\n  - name: a\n  - name: a\n", &[("EDS203", 4, "on line 3")]);
        check(
            "  configMapRefs:\n  - name: a\n  - name: a\n",
            &[("EDS203", 4, "ConfigMap \"a\" is named before, on line 3")],
        );
        check("  secretRefs: [{name: 1}, x, null]\n", &[]);
    }
}
