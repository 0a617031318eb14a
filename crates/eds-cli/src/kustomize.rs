//! What a kustomization says of the files beside it.

use std::path::Path;

use eds_core::yaml::{self, Node};
use serde_json::Value;

/// The names that Kustomize looks for.
pub(crate) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Whether a kustomization names a file beside it as a patch, and as nothing else: what is named as a
/// resource too is one.
pub(crate) fn is_patch(kustomization: &str, file: &Path) -> bool {
    let stream = yaml::parse(kustomization);
    let Some(says) = stream.documents.first().map(Node::to_json) else { return false };
    let named = |entry: &Value| {
        let name = entry.as_str().or_else(|| entry.get("path")?.as_str());
        name.is_some_and(|name| Path::new(name.trim_start_matches("./")) == file)
    };
    let names = |field: &str| {
        says.get(field).and_then(Value::as_array).is_some_and(|all| all.iter().any(named))
    };
    (names("patches") || names("patchesStrategicMerge"))
        && !["resources", "bases", "components"].into_iter().any(names)
}
