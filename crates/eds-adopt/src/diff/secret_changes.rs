//! `spec.rollout.restartOnSecretChange`: in the cluster, the pods get an annotation made of the
//! versions of the claim's Secrets. Nothing here knows those, only that the annotation comes or goes,
//! either of which starts the pods again.

use serde_json::{Value, json};

pub(super) use eds_core::event_driven_service::SECRETS_VERSION;
use kube_object::object::{Fields, escaped};

/// What stands for the annotation's value.
const PROMISED: &str = "(of the versions of the claim's Secrets)";

/// Puts the annotation into what a claim becomes, if the claim asks for it and names a Secret.
pub fn promise(claim: &Value, manifests: &mut [Value]) {
    let on = claim.at("/spec/rollout/restartOnSecretChange").and_then(Value::as_bool);
    let named = !claim.text("/spec/nats/credentials/secret").is_empty()
        || !claim.text("/spec/nats/tls/secret").is_empty()
        || claim.list("/spec/secretRefs").next().is_some()
        || claim.list("/spec/files").any(|file| !file.text("/secret").is_empty());
    if on != Some(true) || !named {
        return;
    }
    let pods = |manifest: &&mut Value| manifest.text("/kind") == "Deployment";
    for deployment in manifests.iter_mut().filter(pods) {
        let metadata = deployment.pointer_mut("/spec/template/metadata");
        let Some(metadata) = metadata.and_then(Value::as_object_mut) else { continue };
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(SECRETS_VERSION.to_owned(), json!(PROMISED));
        }
    }
}

/// Returns the new object with the annotation's present value: as long as no Secret changes, that
/// is what it stays.
pub(super) fn settled(old: Option<&Value>, new: &Value) -> Option<Value> {
    let place = format!("/spec/template/metadata/annotations/{}", escaped(SECRETS_VERSION));
    let present = old?.at(&place)?;
    let mut settled = new.clone();
    *settled.pointer_mut(&place).filter(|value| **value == json!(PROMISED))? = present.clone();
    Some(settled)
}
