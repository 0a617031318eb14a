//! provider-kubernetes `Object`s around manifests.

use serde_json::{Value, json};

use super::manifest::{get, text};
use crate::protocol::{Object, Resource};

/// API version of the Object (provider-kubernetes 0.17, cluster-scoped).
const API_VERSION: &str = "kubernetes.crossplane.io/v1alpha2";
const KIND: &str = "Object";

/// Whether a manifest is an Object already, of whichever version.
pub(super) fn is_object(manifest: &Object) -> bool {
    text(manifest, &["kind"]) == KIND
        && text(manifest, &["apiVersion"]).starts_with("kubernetes.crossplane.io/")
}

/// Wraps the manifest of a desired resource. Crossplane names the Object.
///
/// `watch` makes the provider report changes within seconds, where it would look every ten minutes.
/// `SuccessfulCreate` is the provider's own readiness: `DeriveFromObject` waits for a `Ready`
/// condition, which a Deployment never has. The readiness that counts is this step's.
pub(super) fn wrap(resource: &mut Resource, provider_config: &str) {
    let Some(manifest) = resource.resource.take() else { return };
    if is_object(&manifest) {
        resource.resource = Some(manifest);
        return;
    }
    let object = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "spec": {
            "forProvider": {"manifest": manifest},
            "providerConfigRef": {"name": provider_config},
            "readiness": {"policy": "SuccessfulCreate"},
            "watch": true,
        },
    });
    if let Value::Object(object) = object {
        resource.resource = Some(object);
    }
}

/// The manifest as it lives in the cluster: that of an observed Object, or the observed resource
/// itself. None where it does not exist yet.
pub(super) fn live(observed: &Object) -> Option<&Object> {
    if !is_object(observed) {
        return Some(observed);
    }
    let manifest = get(observed, &["status", "atProvider", "manifest"])?.as_object()?;
    (!manifest.is_empty()).then_some(manifest)
}
