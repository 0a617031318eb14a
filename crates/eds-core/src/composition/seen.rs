//! The composite as the functions see it: what Crossplane's reconciler sets before it runs them.
//!
//! Source: Crossplane 2.3.4 `internal/render/composite`, `internal/controller/apiextensions/
//! composite` (`reconciler.go`, `api.go`), crossplane-runtime 2.3.3 `unstructured/composite`.

use kube_object::object::{Fields, Object};
use patch_and_transform::protocol::normalize;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Digest;

use super::conditions::{Conditions, condition};
use super::{Composition, LABEL_COMPOSITE, Machinery, add_strings, put, strings, within};

/// Returns the composite as the render engine keeps it: it came over the wire. `observed` is what
/// exists already.
pub(super) fn started(composite: &Object, machinery: Machinery, observed: &[Object]) -> Object {
    let mut composite = composite.clone();
    composite.values_mut().for_each(normalize);
    let uid = uid(&composite);
    within(&mut composite, "metadata", |metadata| {
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("resourceVersion".to_owned(), json!("999"));
    });
    if !observed.is_empty() {
        let in_cluster = composite.namespace().is_empty();
        let references = observed.iter().map(|object| reference(object, in_cluster)).collect();
        machinery.set(&mut composite, "resourceRefs", references);
    }
    composite
}

/// Returns the composite as the functions see it.
pub(super) fn seen(started: &Object, machinery: Machinery, composition: &Composition) -> Object {
    let mut composite = started.clone();
    within(&mut composite, "metadata", |metadata| {
        let prefix = strings(metadata, "labels").remove(LABEL_COMPOSITE).unwrap_or_default();
        if prefix.is_empty() {
            let name = metadata.text("/name").to_owned();
            add_strings(metadata, "labels", [(LABEL_COMPOSITE, name)]);
        }
    });
    machinery.set(&mut composite, "compositionRef", json!({ "name": composition.name }));
    if machinery == Machinery::InSpec
        && let Some(namespace) = &composition.secrets_namespace
        && !composite.at("/spec/writeConnectionSecretToRef").is_some_and(Value::is_object)
    {
        let secret = json!({ "name": uid(started), "namespace": namespace });
        machinery.set(&mut composite, "writeConnectionSecretToRef", secret);
    }
    let mut conditions = Conditions::of(&composite);
    conditions.set(responsive(&composite));
    conditions.write(&mut composite);
    handled(&mut composite);
    composite
}

/// Notes which request to reconcile was answered.
pub(super) fn handled(composite: &mut Object) {
    let token = composite.annotation("crossplane.io/reconcile-requested-at").map(str::to_owned);
    if let Some(token) = token {
        within(composite, "status", |status| {
            status.insert("lastHandledReconcileAt".to_owned(), json!(token));
        });
    }
}

/// Returns the condition that Crossplane sets first.
pub(super) fn responsive(composite: &Object) -> Value {
    of_generation(condition("Responsive", "True", "WatchCircuitClosed", ""), composite)
}

/// Returns a condition that says of which generation of the composite it is.
pub(super) fn of_generation(mut condition: Value, composite: &Object) -> Value {
    let generation = composite.number("/metadata/generation");
    if generation != 0 {
        put(&mut condition, "observedGeneration", json!(generation));
    }
    condition
}

/// Returns a reference to a composed resource, without what is empty.
pub(super) fn reference(object: &Object, with_namespace: bool) -> Value {
    let mut reference = Object::new();
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            reference.insert(key.to_owned(), json!(value));
        }
    };
    put("apiVersion", object.text("/apiVersion"));
    put("kind", object.text("/kind"));
    put("name", object.name());
    if with_namespace {
        put("namespace", object.namespace());
    }
    Value::Object(reference)
}

/// Returns the composite's own UID, or the render engine's stand-in for the one that a cluster
/// would assign: a version 5 UUID in the nil namespace over kind, namespace and name.
#[must_use]
pub fn uid(composite: &Object) -> String {
    let own = composite.text("/metadata/uid");
    if !own.is_empty() {
        return own.to_owned();
    }
    let (version, kind) = (composite.text("/apiVersion"), composite.text("/kind"));
    // As Go prints a GroupVersionKind: a version without a group has its slash, too.
    let slash = if version.contains('/') { "" } else { "/" };
    let (namespace, name) = (composite.namespace(), composite.name());
    uuid_v5(&format!("{slash}{version}, Kind={kind}\0{namespace}\0{name}"))
}

/// Returns a version 5 UUID in the nil namespace (RFC 9562).
fn uuid_v5(name: &str) -> String {
    let digest = Sha1::new_with_prefix([0_u8; 16]).chain_update(name).finalize();
    let mut bytes = [0_u8; 16];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = from;
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|r| hex.get(r).unwrap_or_default());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uid_is_the_render_engines() {
        let gvk = "platform.bizmatters.io/v1alpha1, Kind=XEventDrivenService";
        assert_eq!(
            uuid_v5(&format!("{gvk}\0\0hello-worker-abcde")),
            "22c89eed-3c8f-5c47-b93e-7f13595ddbec"
        );
    }
}
