//! What an object would be if a claim's manifest were applied: asked of the API server, so that its
//! defaults, and what others have written, are real.

use anyhow::{Result, anyhow};
use kube_object::object::Fields;
use serde_json::{Map, Value, json};

use crate::client::{Cluster, Refused};
use crate::kinds::Kind;

/// One manifest of a claim, and what already has its name.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What exists.
    pub live: Option<Value>,
    /// What would exist; the manifest itself, if nothing does or if the API server refuses.
    pub after: Value,
    /// Whether a claim made what exists, according to the API server's records.
    pub is_claims: bool,
    /// What the API server says against it.
    pub refused: Option<String>,
}

/// Who applies what is composed: provider-kubernetes for an Object, Crossplane for a composite.
const APPLIERS: [&str; 2] = ["provider-kubernetes/", "apiextensions.crossplane.io/composed/"];
/// Who asks if no claim has applied anything yet. Nothing is written, so no trace is left.
const ASKER: &str = "eds-diff";

/// Asks what applying this manifest would do.
///
/// # Errors
/// If the object cannot be read, or the API server does not answer.
pub async fn plan(cluster: &Cluster, manifest: &Value) -> Result<Plan> {
    let kind = Kind::of(manifest).ok_or_else(|| anyhow!("this kind is not known here"))?;
    let live = cluster.get(kind, Some(manifest.namespace()), manifest.name()).await?;
    let Some(live) = live else {
        return Ok(Plan { live: None, after: manifest.clone(), is_claims: false, refused: None });
    };
    let applier = applier(&live);
    let asked = match applier {
        Some(name) if name.starts_with(APPLIERS[1]) => as_composed(manifest, &live),
        _ => manifest.clone(),
    };
    let (after, refused) = match cluster.would_be(&asked, applier.unwrap_or(ASKER)).await {
        Ok(after) => (after, None),
        Err(error) => match Refused::of(&error) {
            Some(refused) => (manifest.clone(), Some(refused.message.clone())),
            None => return Err(error),
        },
    };
    Ok(Plan { is_claims: applier.is_some(), live: Some(live), after, refused })
}

/// Returns who applied an object for a claim.
pub(crate) fn applier(live: &Value) -> Option<&str> {
    let records = live.at("/metadata/managedFields").and_then(Value::as_array);
    let applied =
        records.into_iter().flatten().filter(|r| r.get("operation") == Some(&json!("Apply")));
    let mut managers = applied.filter_map(|record| record.get("manager")?.as_str());
    managers.find(|manager| APPLIERS.iter().any(|applier| manager.starts_with(applier)))
}

/// Adds what Crossplane itself writes on what it composes directly, as on the live object.
fn as_composed(manifest: &Value, live: &Value) -> Value {
    let mut composed = manifest.clone();
    let Some(metadata) = composed.get_mut("metadata").and_then(Value::as_object_mut) else {
        return composed;
    };
    for field in ["generateName", "ownerReferences"] {
        if let Some(value) = live.at(&format!("/metadata/{field}")) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    for field in ["labels", "annotations"] {
        let there = live.object(&format!("/metadata/{field}"));
        let own = there.into_iter().flatten().filter(|(key, _)| key.starts_with("crossplane.io/"));
        let own: Map<String, Value> =
            own.map(|(key, value)| (key.clone(), value.clone())).collect();
        if own.is_empty() {
            continue;
        }
        let entries = metadata.entry(field.to_owned()).or_insert_with(|| json!({}));
        if let Some(entries) = entries.as_object_mut() {
            entries.extend(own);
        }
    }
    composed
}
