//! What a kustomization says of the files beside it.

use std::path::Path;

use eds_core::yaml::{self, Node};
use serde_json::Value;

/// The names that Kustomize looks for.
pub(crate) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const RESOURCES: [&str; 3] = ["resources", "bases", "components"];

/// Whether a kustomization names a file beside it as a patch, and as nothing else: what is named as a
/// resource too is one.
pub(crate) fn is_patch(kustomization: &str, file: &Path) -> bool {
    names(kustomization, &["patches", "patchesStrategicMerge"], file)
        && !is_resource(kustomization, file)
}

/// Whether a kustomization names a file beside it as what it is made of.
pub(crate) fn is_resource(kustomization: &str, file: &Path) -> bool {
    names(kustomization, &RESOURCES, file)
}

/// Whether one of these lists names a file.
fn names(kustomization: &str, fields: &[&str], file: &Path) -> bool {
    let stream = yaml::parse(kustomization);
    let Some(says) = stream.documents.first().map(Node::to_json) else { return false };
    let named = |entry: &Value| {
        let name = entry.as_str().or_else(|| entry.get("path")?.as_str());
        name.is_some_and(|name| Path::new(name.trim_start_matches("./")) == file)
    };
    let all = |field: &&str| says.get(*field).and_then(Value::as_array);
    fields.iter().filter_map(all).any(|all| all.iter().any(named))
}
