//! Which of what exists is a composite's.

use eds_core::composition::{LABEL_CLAIM_NAME, LABEL_CLAIM_NAMESPACE, LABEL_COMPOSITE, uid};
use kube_object::object::{Fields, group};
use patch_and_transform::protocol::Object;
use serde_json::{Value, json};

/// Gives a composite that is made of what a developer wrote the name and UID of the one that
/// controls what exists, if that is one.
pub(super) fn adopt(composite: &mut Object, observed: &[Object]) {
    if !composite.text("/metadata/uid").is_empty() {
        return;
    }
    let is_of_claim = composite.at("/spec/claimRef").is_some();
    let is_its = |object: &&Object| match is_of_claim {
        true => [(LABEL_CLAIM_NAME, "name"), (LABEL_CLAIM_NAMESPACE, "namespace")].iter().all(
            |(key, field)| {
                let own = object.label(key).unwrap_or_default();
                own.is_empty() || own == composite.text(&format!("/spec/claimRef/{field}"))
            },
        ),
        false => object.namespace() == composite.namespace(),
    };
    let is_kind = |owner: &&Value| {
        owner.text("/kind") == composite.text("/kind")
            && group(owner.text("/apiVersion")) == group(composite.text("/apiVersion"))
            && (is_of_claim || owner.text("/name") == composite.name())
            && !owner.text("/uid").is_empty()
    };
    let mut owners =
        observed.iter().filter(is_its).filter_map(|object| object.controller()).filter(is_kind);
    let Some(first) = owners.next() else { return };
    if owners.any(|other| other.text("/uid") != first.text("/uid")) {
        return;
    }
    let (name, uid) = (json!(first.text("/name")), json!(first.text("/uid")));
    if let Some(Value::Object(metadata)) = composite.get_mut("metadata") {
        metadata.insert("name".to_owned(), name);
        metadata.insert("uid".to_owned(), uid);
    }
}

/// Returns what is a composite's if there are several: what it controls, and what nobody controls
/// where it is.
pub(super) fn of(composite: &Object, observed: &[Object]) -> Vec<Object> {
    let (own, namespace) = (uid(composite), composite.namespace());
    let is_its = |object: &&Object| match object.controller() {
        Some(owner) => owner.text("/uid") == own,
        None => {
            let of = object.label(LABEL_COMPOSITE).unwrap_or_default();
            let is_named = of == composite.name() || composite.label(LABEL_COMPOSITE) == Some(of);
            (of.is_empty() || is_named) && (namespace.is_empty() || object.namespace() == namespace)
        }
    };
    observed.iter().filter(is_its).cloned().collect()
}
