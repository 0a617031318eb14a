//! The place of a leaf, in several notations, and what follows from it.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::object::escaped;
use crate::path::{Path, Step};

/// Returns the path as a JSON pointer (RFC 6901).
pub fn pointer(path: &Path) -> String {
    let mut out = String::new();
    for step in &path.0 {
        let _ = match step {
            Step::Key(key) => write!(out, "/{}", escaped(key)),
            Step::Index(index) => write!(out, "/{index}"),
        };
    }
    out
}

/// Returns the value at a path.
pub fn value_at<'a>(root: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// Reports whether a change there restarts every pod.
pub fn restarts(kind: &str, pattern: &str) -> bool {
    kind == "Deployment" && pattern.starts_with("spec.template.")
}

/// Reports whether the API server forbids changing it. `value` is the current value.
pub fn recreates(kind: &str, pattern: &str, value: Option<&Value>) -> bool {
    match kind {
        "Deployment" => pattern.starts_with("spec.selector"),
        "Service" => {
            pattern.starts_with("spec.clusterIP") && value.and_then(Value::as_str) == Some("None")
        }
        _ => false,
    }
}

/// Returns the pattern with a container's role instead of its list:
/// `main.livenessProbe.periodSeconds`, and likewise `sidecar`, `init`, `otherinit`, `pod`.
/// `renamed` says which containers become `main` and `init`.
pub fn place(
    object: &Value,
    path: &Path,
    pattern: &str,
    renamed: &BTreeMap<String, String>,
) -> String {
    if object.get("kind").and_then(Value::as_str) != Some("Deployment") {
        return pattern.to_owned();
    }
    for (list, own, other) in
        [("containers", "main", "sidecar"), ("initContainers", "init", "otherinit")]
    {
        let Some(rest) = pattern.strip_prefix(&format!("spec.template.spec.{list}[]")) else {
            continue;
        };
        let at = Path(path.0.iter().take(5).cloned().collect());
        let name = value_at(object, &at).and_then(|c| c.get("name")?.as_str()).unwrap_or_default();
        let role = renamed.get(name).map_or(name, String::as_str);
        return format!("{}{rest}", if role == own { own } else { other });
    }
    match pattern.strip_prefix("spec.template.spec.") {
        Some(rest) => format!("pod.{rest}"),
        None => pattern.to_owned(),
    }
}
