//! EDS301-305: what a change to a claim does to the service that runs already.

use serde_json::Value;

use super::Claim;
use crate::diagnostics::{Finding, catalog};
use crate::schema::path::Path;
use crate::yaml::Node;

/// Fields that end up in the pod template, so that a change to them replaces every pod.
const POD_FIELDS: [&str; 10] = [
    "image",
    "size",
    "nats.url",
    "nats.stream",
    "nats.consumer",
    "secretRefs",
    "env",
    "imagePullSecrets",
    "initContainer",
    "terminationGracePeriodSeconds",
];

/// Compares a claim with its state before. Both effective values have their defaults.
#[must_use]
pub fn transitions(before: &Value, node: &Node, effective: &Value) -> Vec<Finding> {
    let claim = Claim { node, effective };
    let mut out = Vec::new();
    for field in ["name", "namespace"] {
        let pointer = format!("/metadata/{field}");
        let (old, new) = (before.pointer(&pointer), effective.pointer(&pointer));
        if old != new {
            let said = |v: Option<&Value>| v.map_or("none".to_owned(), ToString::to_string);
            let message = format!(
                "was {} and is {}: the old service would be deleted and another one made",
                said(old),
                said(new),
            );
            out.push(
                claim
                    .finding(&catalog::RENAMED, &Path::fields("metadata").key(field), message)
                    .help("keep the name, or move in two steps: add the new claim, then remove the old"),
            );
        }
    }
    for field in POD_FIELDS {
        let path = Path::fields("spec").with_fields(field);
        let pointer = format!("/spec/{}", field.replace('.', "/"));
        if before.pointer(&pointer) != effective.pointer(&pointer) {
            out.push(claim.finding(&catalog::RESTART, &path, "changed, which restarts the pods"));
        }
    }
    let maximum = |v: &Value| v.pointer("/spec/scaling/maxReplicas").and_then(Value::as_i64);
    if let (Some(old), Some(new)) = (maximum(before), maximum(effective))
        && new < old
    {
        let message = format!("was {old} and is {new}: pods above it are stopped, also under load");
        out.push(claim.finding(
            &catalog::LOWERED_MAX,
            &Path::fields("spec.scaling.maxReplicas"),
            message,
        ));
    }
    dropped_secrets(before, &claim, &mut out);
    out
}

fn dropped_secrets(before: &Value, claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let list = |v: &Value| -> Vec<Value> {
        v.pointer("/spec/secretRefs").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let name = |secret: &Value| secret.get("name").and_then(Value::as_str).map(str::to_owned);
    let variables = |secret: &Value| -> Vec<String> {
        let env = secret.get("env").and_then(Value::as_array).into_iter().flatten();
        env.filter_map(|e| e.get("envName")?.as_str().map(str::to_owned)).collect()
    };
    let now = list(claim.effective);
    let kept: Vec<String> = now.iter().flat_map(variables).collect();
    for old in list(before) {
        let Some(old_name) = name(&old) else { continue };
        let path = Path::fields("spec.secretRefs");
        match now.iter().position(|secret| name(secret).as_deref() == Some(&old_name)) {
            None => {
                let message = format!("secret {old_name:?} is no longer used");
                out.push(claim.finding(&catalog::DROPPED_SECRET, &path, message));
            }
            Some(i) => {
                let lost: Vec<String> =
                    variables(&old).into_iter().filter(|v| !kept.contains(v)).collect();
                if !lost.is_empty() {
                    let message = format!("{} no longer set from it", lost.join(", "));
                    out.push(claim.finding(
                        &catalog::DROPPED_SECRET,
                        &path.index(i).key("name"),
                        message,
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[track_caller]
    fn check(before: &str, after: &str, expected: &[(&str, usize)]) {
        let (before, after) = (yaml::parse(before), yaml::parse(after));
        let node = after.documents.first().unwrap();
        let findings =
            transitions(&before.documents.first().unwrap().to_json(), node, &node.to_json());
        let found: Vec<(&str, usize)> =
            findings.iter().map(|f| (f.rule.code, f.span.start.line)).collect();
        assert_eq!(found, expected, "{findings:#?}");
    }

    #[test]
    fn changes() {
        check("metadata: {name: a}", "metadata:\n  name: b", &[("EDS302", 2)]);
        check("spec: {image: a:1}", "spec:\n  image: a:2", &[("EDS301", 2)]);
        check(
            "spec: {scaling: {maxReplicas: 9}}",
            "spec:\n  scaling:\n    maxReplicas: 5",
            &[("EDS303", 3)],
        );
        check("spec: {scaling: {maxReplicas: 5}}", "spec: {scaling: {maxReplicas: 9}}", &[]);
        check(
            "spec: {secretRefs: [{name: a}, {name: b, env: [{envName: X}]}]}",
            "spec:\n  secretRefs:\n  - name: b\n",
            &[("EDS301", 2), ("EDS304", 2), ("EDS304", 3)],
        );
        check("spec: {image: a:1}", "spec: {image: a:1}", &[]);
    }
}
