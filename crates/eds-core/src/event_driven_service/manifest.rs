//! The kinds of manifests that this step knows, and helpers to change them.

use kube_object::object::Fields;
use serde_json::{Map, Value};

use patch_and_transform::protocol::Object;

/// The kinds that this step treats specially.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deployment,
    ScaledObject,
    /// NACK's Consumer or Stream.
    JetStream,
    /// Anything else: ready as soon as it exists.
    Other,
}

impl Kind {
    pub(super) fn of(manifest: &Object) -> Self {
        let group = manifest.text("/apiVersion").split('/').next().unwrap_or_default();
        match (group, manifest.text("/kind")) {
            ("apps", "Deployment") => Self::Deployment,
            ("keda.sh", "ScaledObject") => Self::ScaledObject,
            ("jetstream.nats.io", _) => Self::JetStream,
            _ => Self::Other,
        }
    }
}

/// Returns the object at a path, creating it if absent. Fails if something else is in the way.
pub(super) fn object_mut<'a>(
    object: &'a mut Object,
    path: &[&str],
) -> Result<&'a mut Object, String> {
    let mut at = object;
    let mut walked = String::new();
    for key in path {
        if !walked.is_empty() {
            walked.push('.');
        }
        walked.push_str(key);
        let next = at.entry((*key).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        at = next.as_object_mut().ok_or_else(|| format!("{walked}: must be an object"))?;
    }
    Ok(at)
}

/// Sets a label on the metadata at a path.
pub(super) fn label(
    object: &mut Object,
    metadata: &[&str],
    key: &str,
    value: &str,
) -> Result<(), String> {
    let labels = object_mut(object_mut(object, metadata)?, &["labels"])?;
    labels.insert(key.to_owned(), Value::String(value.to_owned()));
    Ok(())
}
