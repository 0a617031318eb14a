//! provider-kubernetes `Object`s around manifests.

use kube_object::object::Fields;
use serde_json::{Value, json};

use patch_and_transform::protocol::{Object, Resource};

/// API version of the Object (provider-kubernetes 0.17, cluster-scoped).
const API_VERSION: &str = "kubernetes.crossplane.io/v1alpha2";
const KIND: &str = "Object";

/// Reports whether a manifest is already an Object, of any version.
pub(super) fn is_object(manifest: &Object) -> bool {
    manifest.text("/kind") == KIND
        && manifest.text("/apiVersion").starts_with("kubernetes.crossplane.io/")
}

/// What the provider may do with an Object's manifest (crossplane-runtime's management policies).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Management {
    /// Everything: the provider's default.
    Full,
    /// Everything except deleting it. The Object is removed without touching it.
    Keep,
    /// Only observing it. The Object is removed without touching it.
    Observe,
}

impl Management {
    fn policies(self) -> Option<Value> {
        match self {
            Self::Full => None,
            Self::Keep => Some(json!(["Observe", "Create", "Update"])),
            Self::Observe => Some(json!(["Observe"])),
        }
    }
}

/// Wraps the manifest of a desired resource. Crossplane names the Object.
///
/// `watch` makes the provider report changes within seconds, instead of polling every ten minutes.
/// `SuccessfulCreate` is the provider's own readiness: `DeriveFromObject` waits for a `Ready`
/// condition, which a Deployment never has. The readiness that counts is this step's.
pub(super) fn wrap(resource: &mut Resource, provider_config: &str, management: Management) {
    let Some(manifest) = resource.resource.take() else { return };
    if is_object(&manifest) {
        resource.resource = Some(manifest);
        return;
    }
    let mut object = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "spec": {
            "forProvider": {"manifest": manifest},
            "providerConfigRef": {"name": provider_config},
            "readiness": {"policy": "SuccessfulCreate"},
            "watch": true,
        },
    });
    if let (Some(policies), Some(spec)) =
        (management.policies(), object.get_mut("spec").and_then(Value::as_object_mut))
    {
        spec.insert("managementPolicies".to_owned(), policies);
    }
    if let Value::Object(object) = object {
        resource.resource = Some(object);
    }
}

/// Returns the manifest as it is in the cluster: that of an observed Object, or the observed
/// resource itself. Returns `None` if it does not exist yet.
pub(super) fn live(observed: &Object) -> Option<&Object> {
    if !is_object(observed) {
        return Some(observed);
    }
    let manifest = observed.at("/status/atProvider/manifest")?.as_object()?;
    (!manifest.is_empty()).then_some(manifest)
}
