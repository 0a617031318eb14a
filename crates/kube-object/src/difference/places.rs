//! Where a leaf stands, in several notations, and what follows from its place.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::path::{Path, Step};

/// RFC 6901.
pub fn pointer(path: &Path) -> String {
    let mut out = String::new();
    for step in &path.0 {
        let _ = match step {
            Step::Key(key) => write!(out, "/{}", key.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => write!(out, "/{index}"),
        };
    }
    out
}

/// The value at a path.
pub fn value_at<'a>(root: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// Whether a change there makes every pod start again.
pub fn restarts(kind: &str, pattern: &str) -> bool {
    kind == "Deployment" && pattern.starts_with("spec.template.")
}

/// Whether the API server lets nobody change it. `value` is what is there.
pub fn recreates(kind: &str, pattern: &str, value: Option<&Value>) -> bool {
    match kind {
        "Deployment" => pattern.starts_with("spec.selector"),
        "Service" => {
            pattern.starts_with("spec.clusterIP") && value.and_then(Value::as_str) == Some("None")
        }
        _ => false,
    }
}

/// The pattern with a container's role in the place of its list: `main.livenessProbe.periodSeconds`, and `sidecar`,
/// `init`, `otherinit`, `pod`. `renamed` says which containers become `main` and `init`.
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
