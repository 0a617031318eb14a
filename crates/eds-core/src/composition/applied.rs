//! What Crossplane adds to the functions' desired state before it applies it.
//!
//! The rules are those of Crossplane 2.3.4's composite reconciler, as seen in the output of
//! `crossplane composition render`.

use kube_object::object::Fields;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{ANNOTATION_RESOURCE_NAME, LABEL_CLAIM_NAME, LABEL_CLAIM_NAMESPACE, LABEL_COMPOSITE};
use patch_and_transform::protocol::{
    Condition, ConditionStatus, Object, Ready, Resource, State, Target,
};

/// The time of every condition: rendering has no clock, and `crossplane composition render` prints
/// the same one.
const TIME: &str = "2024-01-01T00:00:00Z";

/// How many characters of the composite's name go into a generated name: 63 without `-` and the
/// hash.
const MAX_NAME_HEAD: usize = 50;

/// Returns the plain manifest of a composed resource.
pub(super) fn manifest(resource: &Object) -> Object {
    let is_object = resource.get("kind").and_then(Value::as_str) == Some("Object");
    let wrapped = resource.get("spec").and_then(|s| s.get("forProvider")?.get("manifest"));
    match wrapped.and_then(Value::as_object) {
        Some(manifest) if is_object => manifest.clone(),
        _ => resource.clone(),
    }
}

/// Returns every desired resource with the metadata that ties it to the composite.
pub(super) fn composed(
    composite: &Object,
    observed: &BTreeMap<String, Resource>,
    desired: &BTreeMap<String, Resource>,
) -> BTreeMap<String, Object> {
    let owner = Owner::of(composite);
    desired
        .iter()
        .filter_map(|(name, resource)| {
            let mut object = resource.resource.clone()?;
            let seen = observed.get(name).and_then(|r| r.resource.as_ref());
            owner.mark(&mut object, name, seen);
            Some((name.clone(), object))
        })
        .collect()
}

struct Owner<'a> {
    composite: &'a Object,
    name: &'a str,
    uid: String,
}

impl<'a> Owner<'a> {
    fn of(composite: &'a Object) -> Self {
        let text = |key: &str| composite.get(key).and_then(Value::as_str).unwrap_or_default();
        let meta = |key: &str| {
            composite
                .get("metadata")
                .and_then(|m| m.get(key))
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let name = meta("name");
        // The render engine's stand-in for the UID that a cluster would assign: a version 5 UUID in
        // the nil namespace over kind, namespace and name.
        let gvk = format!("{}, Kind={}", text("apiVersion"), text("kind"));
        let uid = uuid_v5(&format!("{gvk}\0{}\0{name}", meta("namespace")));
        Self { composite, name, uid }
    }

    fn mark(&self, object: &mut Object, resource_name: &str, observed: Option<&Object>) {
        let field = |key: &str| self.composite.get(key).cloned().unwrap_or_default();
        let labels = self.composite.get("metadata").and_then(|m| m.get("labels"));
        within(object, "metadata", |metadata| {
            let unnamed = metadata.text("/name").is_empty();
            if unnamed {
                self.name_it(metadata, resource_name, observed);
            }
            within(metadata, "annotations", |annotations| {
                annotations.insert(ANNOTATION_RESOURCE_NAME.to_owned(), json!(resource_name));
            });
            within(metadata, "labels", |own| {
                own.insert(LABEL_COMPOSITE.to_owned(), json!(self.name));
                for key in [LABEL_CLAIM_NAME, LABEL_CLAIM_NAMESPACE] {
                    if let Some(value) = labels.and_then(|l| l.get(key)) {
                        own.insert(key.to_owned(), value.clone());
                    }
                }
            });
            metadata.insert(
                "ownerReferences".to_owned(),
                json!([{
                    "apiVersion": field("apiVersion"),
                    "blockOwnerDeletion": true,
                    "controller": true,
                    "kind": field("kind"),
                    "name": self.name,
                    "uid": self.uid,
                }]),
            );
        });
    }

    /// Keeps the name of an existing resource; gives a new one the composite's name and twelve hex
    /// digits of a hash over the composite's UID and the name in the pipeline. The composite's part
    /// is cut, wherever that falls, so that the whole has at most 63 characters.
    fn name_it(&self, metadata: &mut Object, resource_name: &str, observed: Option<&Object>) {
        if let Some(seen) = observed.and_then(|o| o.get("metadata")) {
            for key in ["name", "namespace", "generateName"] {
                if let Some(value) = seen.get(key) {
                    metadata.insert(key.to_owned(), value.clone());
                }
            }
            return;
        }
        let generate = format!("{}-", self.name);
        let digest = Sha256::digest(format!("{}{resource_name}", self.uid));
        let suffix: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let head: String = self.name.chars().take(MAX_NAME_HEAD).collect();
        metadata.insert("name".to_owned(), json!(format!("{head}-{suffix}")));
        metadata.insert("generateName".to_owned(), json!(generate));
    }
}

/// Returns the composite with references to what it composes, the functions' status, and
/// conditions.
pub(super) fn composite(
    before: &Object,
    composed: &BTreeMap<String, Object>,
    desired: &State,
    conditions: &[Condition],
) -> Object {
    let mut composite = before.clone();
    within(&mut composite, "spec", |spec| {
        spec.insert("resourceRefs".to_owned(), references(composed));
    });

    let mut list = vec![condition("Responsive", "True", "WatchCircuitClosed", None)];
    let mut for_claim = Vec::new();
    for c in conditions {
        let state = match c.status {
            ConditionStatus::True => "True",
            ConditionStatus::False => "False",
            ConditionStatus::Unknown => "Unknown",
        };
        list.push(condition(&c.type_, state, &c.reason, c.message.as_deref()));
        if c.target == Some(Target::CompositeAndClaim) {
            for_claim.push(json!(c.type_));
        }
    }
    list.push(condition("Synced", "True", "ReconcileSuccess", None));
    list.push(ready(desired));
    let wanted = desired.composite.as_ref().and_then(|c| c.resource.as_ref()?.get("status"));
    within(&mut composite, "status", |status| {
        for (key, value) in wanted.and_then(Value::as_object).into_iter().flatten() {
            status.insert(key.clone(), value.clone());
        }
        if !for_claim.is_empty() {
            status.insert("claimConditionTypes".to_owned(), Value::Array(for_claim));
        }
        status.insert("conditions".to_owned(), Value::Array(list));
    });
    composite
}

/// Sorts by API version, kind and name run together, as Crossplane does.
fn references(composed: &BTreeMap<String, Object>) -> Value {
    let mut references: Vec<(String, Value)> = composed
        .values()
        .map(|object| {
            let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
            let meta = |key: &str| object.get("metadata").and_then(|m| m.get(key)?.as_str());
            let (api_version, kind) = (text("apiVersion"), text("kind"));
            let name = meta("name").unwrap_or_default();
            let mut reference = json!({"apiVersion": api_version, "kind": kind, "name": name});
            if let (Some(namespace), Some(map)) = (meta("namespace"), reference.as_object_mut()) {
                map.insert("namespace".to_owned(), json!(namespace));
            }
            (format!("{api_version}{kind}{name}"), reference)
        })
        .collect();
    references.sort_by(|a, b| a.0.cmp(&b.0));
    references.into_iter().map(|(_, reference)| reference).collect()
}

/// Returns Crossplane's own condition: what the functions say about the composite, or else all
/// composed resources together.
fn ready(desired: &State) -> Value {
    let said = desired.composite.as_ref().map(|c| c.ready).unwrap_or_default();
    let unready: Vec<&str> = desired
        .resources
        .iter()
        .filter(|(_, r)| r.ready != Ready::True)
        .map(|(name, _)| name.as_str())
        .collect();
    match said {
        Ready::True => condition("Ready", "True", "Available", None),
        Ready::Unspecified if unready.is_empty() => condition("Ready", "True", "Available", None),
        Ready::False if unready.is_empty() => condition(
            "Ready",
            "False",
            "Creating",
            Some("Composite resource was explicitly marked as unready by a function"),
        ),
        _ => {
            let message = format!("Unready resources: {}", some_of(&unready));
            condition("Ready", "False", "Creating", Some(&message))
        }
    }
}

/// Lists the first three names, and how many more there are.
fn some_of(names: &[&str]) -> String {
    match names {
        [a, b, c] => format!("{a}, {b}, and {c}"),
        [a, b, c, more @ ..] if !more.is_empty() => {
            format!("{a}, {b}, {c}, and {} more", more.len())
        }
        few => few.join(", "),
    }
}

fn condition(type_: &str, status: &str, reason: &str, message: Option<&str>) -> Value {
    let mut condition = json!({
        "lastTransitionTime": TIME,
        "reason": reason,
        "status": status,
        "type": type_,
    });
    if let (Some(message), Some(map)) = (message, condition.as_object_mut()) {
        map.insert("message".to_owned(), json!(message));
    }
    condition
}

/// Changes the object under a key, creating it if it is absent or something else.
fn within(object: &mut Object, key: &str, change: impl FnOnce(&mut Object)) {
    let mut child = match object.remove(key) {
        Some(Value::Object(child)) => child,
        _ => Object::new(),
    };
    change(&mut child);
    object.insert(key.to_owned(), Value::Object(child));
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

    #[test]
    fn names_are_counted_as_crossplane_counts_them() {
        assert_eq!(some_of(&["a"]), "a");
        assert_eq!(some_of(&["a", "b"]), "a, b");
        assert_eq!(some_of(&["a", "b", "c"]), "a, b, and c");
        assert_eq!(some_of(&["a", "b", "c", "d"]), "a, b, c, and 1 more");
    }
}
