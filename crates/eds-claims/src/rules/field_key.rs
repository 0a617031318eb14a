//! EDS224: `metadata.labels['…']` or `metadata.annotations['…']` with what is no key. Kubernetes
//! checks it when the Deployment is written (`validateObjectFieldSelector`): a label's key as it is,
//! an annotation's in lower case.

use serde_json::Value;

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::schema::is_qualified_name;

/// A fieldPath that names a label or annotation by what is no key.
pub(super) static RULE: Rule = Rule {
    code: "EDS224",
    name: "field-key",
    severity: Severity::Error,
    what: "A fieldPath that names a label or an annotation by a text that is no key.",
    why: "Kubernetes refuses the Deployment, so nothing of the claim runs.",
    bad: "fieldPath: metadata.labels['team/']",
    good: "fieldPath: metadata.labels['example.com/team']",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    for (i, entry) in claim.list("env").iter().enumerate() {
        let path = entry.get("valueFrom").and_then(|from| from.get("fieldRef")?.get("fieldPath"));
        let Some(path) = path.and_then(Value::as_str) else { continue };
        let named = [("metadata.labels['", "label"), ("metadata.annotations['", "annotation")]
            .into_iter()
            .find_map(|(start, what)| {
                let key = path.strip_prefix(start)?.strip_suffix("']")?;
                Some((key, what))
            });
        let Some((key, what)) = named else { continue };
        let valid = match what {
            "label" => is_qualified_name(key),
            _ => is_qualified_name(&key.to_lowercase()),
        };
        if !valid {
            let at = Path::fields("spec.env").index(i).with_fields("valueFrom.fieldRef.fieldPath");
            let message = format!(
                "{key:?} cannot be the key of a{} {what}",
                if what == "label" { "" } else { "n" }
            );
            let fix = "a key has at most 63 letters, digits, dashes, dots and underscores, first \
                and last a letter or digit, alone or after a domain and a slash: write \
                team or example.com/team";
            out.push(claim.finding(&RULE, &at, message).help(fix));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn keys() {
        let check = |path: &str, expected: &[_]| {
            let entry = format!(
                "  env: [{{name: A, valueFrom: {{fieldRef: {{fieldPath: \"{path}\"}}}}}}]\n"
            );
            testing::check(super::check, &entry, expected);
        };
        check("metadata.labels['team']", &[]);
        check("metadata.labels['example.com/team']", &[]);
        check("metadata.annotations['Example.com/team']", &[]);
        check("metadata.name", &[]);
        for bad in ["-team", "team-", "a/b/c", "/team", "team/", "A_b.com/team", ".."] {
            let label = format!("metadata.labels['{bad}']");
            check(&label, &[("EDS224", 2, "cannot be the key of a label")]);
        }
        check("metadata.labels['Example.com/team']", &[("EDS224", 2, "key of a label")]);
        check("metadata.annotations['a/']", &[("EDS224", 2, "key of an annotation")]);
        let long = format!("metadata.labels['{}']", "a".repeat(64));
        check(&long, &[("EDS224", 2, "key of a label")]);
    }
}
