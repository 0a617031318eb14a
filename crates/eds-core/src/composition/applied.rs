//! What Crossplane adds to the functions' desired state before it applies it.
//!
//! The rules are those of Crossplane 2.3.4's composite reconciler (`composition_functions.go`,
//! `composition_render.go`, `reconciler.go`), as seen in the output of `crossplane composition
//! render`.

use std::collections::BTreeMap;

use kube_object::object::{Fields, Object};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::conditions::{Conditions, at_one_time, condition};
use super::pipeline::Event;
use super::seen::{handled, of_generation, reference, responsive, uid};
use super::{
    ANNOTATION_RESOURCE_NAME, LABEL_CLAIM_NAME, LABEL_CLAIM_NAMESPACE, LABEL_COMPOSITE, Machinery,
    add_strings, put, strings, within,
};
use patch_and_transform::protocol::{Condition, ConditionStatus, Ready, Resource, State, Target};

/// The longest name of a composed resource that Crossplane generates, and its hash's length.
const MAX_NAME: usize = 63;
const HASH: usize = 12;

/// Conditions that only Crossplane sets.
const SYSTEM_CONDITIONS: [&str; 5] = ["Ready", "Synced", "Healthy", "UpToDate", "Responsive"];

/// Returns the plain manifest of a composed resource.
pub(super) fn manifest(resource: &Object) -> &Object {
    let is_object = resource.get("kind").and_then(Value::as_str) == Some("Object");
    let wrapped = resource.get("spec").and_then(|s| s.get("forProvider")?.get("manifest"));
    match wrapped.and_then(Value::as_object) {
        Some(manifest) if is_object => manifest,
        _ => resource,
    }
}

/// Returns every desired resource with the metadata that ties it to the composite, and warns of
/// namespaces that are not used.
///
/// # Errors
/// Why Crossplane composes nothing.
pub(super) fn composed(
    composite: &Object,
    observed: &BTreeMap<String, Resource>,
    desired: &BTreeMap<String, Resource>,
    events: &mut Vec<Event>,
) -> Result<BTreeMap<String, Object>, String> {
    let owner = Owner::of(composite);
    let mut composed = BTreeMap::new();
    for (name, resource) in desired {
        let mut object = resource.resource.clone().unwrap_or_default();
        let seen = observed.get(name).and_then(|r| r.resource.as_ref());
        owner.mark(&mut object, name, seen, events)?;
        if object.get("status").is_some_and(Value::is_string) {
            return Err(format!("composed resource {name:?}: its status is not an object"));
        }
        at_one_time(&mut object);
        // Crossplane's type has the field, whether or not it is set.
        object.entry("apiVersion").or_insert_with(|| json!(""));
        composed.insert(name.clone(), object);
    }
    Ok(composed)
}

struct Owner<'a> {
    composite: &'a Object,
    labels: BTreeMap<String, String>,
    namespace: &'a str,
    uid: String,
}

impl<'a> Owner<'a> {
    fn of(composite: &'a Object) -> Self {
        let metadata = composite.object("/metadata");
        let labels = metadata.map(|metadata| strings(metadata, "labels")).unwrap_or_default();
        Self { composite, labels, namespace: composite.namespace(), uid: uid(composite) }
    }

    fn label(&self, key: &str) -> &str {
        self.labels.get(key).map_or("", String::as_str)
    }

    fn mark(
        &self,
        object: &mut Object,
        resource_name: &str,
        observed: Option<&Object>,
        events: &mut Vec<Event>,
    ) -> Result<(), String> {
        let prefix = self.label(LABEL_COMPOSITE);
        if prefix.is_empty() {
            return Err(format!("the composite has no name and no label {LABEL_COMPOSITE}"));
        }
        let (version, kind) = (object.text("/apiVersion"), object.text("/kind"));
        let is_rbac = version.starts_with("rbac.authorization.k8s.io/")
            && ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"].contains(&kind);
        let mut result = Ok(());
        within(object, "metadata", |metadata| {
            if let Some(seen) = observed {
                for key in ["name", "namespace", "generateName"] {
                    set_text(metadata, key, seen.text(&format!("/metadata/{key}")));
                }
            }
            let namespace = metadata.text("/namespace");
            let (own, named) = (self.namespace, !namespace.is_empty());
            if !own.is_empty() && named && namespace != own {
                let message = format!(
                    "cannot create composed resource {resource_name:?} in namespace \
                     {namespace:?}, using XR namespace {own:?} instead"
                );
                events.push(Event::warning("NamespaceOverridden", message));
            }
            if metadata.text("/name").is_empty() && metadata.text("/generateName").is_empty() {
                set_text(metadata, "generateName", &format!("{prefix}-"));
            }
            if !own.is_empty() {
                set_text(metadata, "namespace", own);
            }
            let annotation = (ANNOTATION_RESOURCE_NAME, resource_name.to_owned());
            add_strings(metadata, "annotations", [annotation]);
            let mut labels = vec![LABEL_COMPOSITE];
            let of_claim = [LABEL_CLAIM_NAME, LABEL_CLAIM_NAMESPACE];
            if of_claim.iter().all(|key| !self.label(key).is_empty()) {
                labels.extend(of_claim);
            }
            let labels = labels.into_iter().map(|key| (key, self.label(key).to_owned()));
            add_strings(metadata, "labels", labels);
            result = self.own(metadata);
            if metadata.text("/name").is_empty() {
                let name = child_name(metadata.text("/generateName"), &self.uid, resource_name);
                set_text(metadata, "name", &name);
            }
        });
        result.map_err(|e| format!("composed resource {resource_name:?}: {e}"))?;
        let name = object.name();
        match is_name(&if is_rbac { name.replace(':', "") } else { name.to_owned() }) {
            true => Ok(()),
            false => Err(format!(
                "cannot apply composed resource {resource_name:?} because it has an invalid name \
                 {name:?}. Must be a valid RFC 1123 subdomain name."
            )),
        }
    }

    /// Makes the composite the resource's controller, beside its other owners.
    fn own(&self, metadata: &mut Object) -> Result<(), String> {
        let mut owners: Vec<Value> = metadata
            .get("ownerReferences")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|owner| owner.is_object())
            .map(owner_reference)
            .collect();
        if let Some(other) = owners.iter().find(|owner| owner.is_true("/controller"))
            && other.text("/uid") != self.uid
        {
            let (kind, name, uid) = (other.text("/kind"), other.text("/name"), other.text("/uid"));
            let own = metadata.text("/name");
            return Err(format!(
                "cannot set controller reference: {own} is already controlled by {kind} {name} \
                 (UID {uid})"
            ));
        }
        let us = json!({
            "apiVersion": self.composite.text("/apiVersion"),
            "blockOwnerDeletion": true,
            "controller": true,
            "kind": self.composite.text("/kind"),
            "name": self.composite.name(),
            "uid": self.uid,
        });
        match owners.iter_mut().find(|owner| owner.text("/uid") == self.uid) {
            Some(owner) => *owner = us,
            None => owners.push(us),
        }
        metadata.insert("ownerReferences".to_owned(), Value::Array(owners));
        Ok(())
    }
}

/// Returns an owner reference as its Go type writes it.
fn owner_reference(from: &Value) -> Value {
    let mut owner = json!({
        "apiVersion": from.text("/apiVersion"),
        "kind": from.text("/kind"),
        "name": from.text("/name"),
        "uid": from.text("/uid"),
    });
    for flag in ["controller", "blockOwnerDeletion"] {
        if let Some(Value::Bool(set)) = from.get(flag) {
            put(&mut owner, flag, json!(set));
        }
    }
    owner
}

/// Sets a text, or removes it if it is empty.
fn set_text(metadata: &mut Object, key: &str, text: &str) {
    match text.is_empty() {
        true => drop(metadata.remove(key)),
        false => drop(metadata.insert(key.to_owned(), json!(text))),
    }
}

/// Returns a generated name: its beginning, cut so that the whole fits, and a hash over the
/// composite's UID and the name in the pipeline (Crossplane `internal/names`).
fn child_name(beginning: &str, uid: &str, resource_name: &str) -> String {
    let digest = Sha256::digest(format!("{uid}{resource_name}"));
    let hash: String = digest.iter().take(HASH / 2).map(|byte| format!("{byte:02x}")).collect();
    let dash = if beginning.is_empty() || beginning.ends_with('-') { "" } else { "-" };
    let parent = format!("{beginning}{dash}");
    let room = MAX_NAME - HASH;
    if parent.len() <= room {
        return format!("{parent}{hash}");
    }
    let head = |bytes: usize| {
        String::from_utf8_lossy(parent.as_bytes().get(..bytes).unwrap_or_default()).into_owned()
    };
    match head(room) {
        cut if cut.ends_with('-') => format!("{cut}{hash}"),
        _ => format!("{}-{hash}", head(room - 1)),
    }
}

/// Reports whether a name is a DNS subdomain (RFC 1123).
fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(is_letter)
            && label.ends_with(is_letter)
            && label.chars().all(|c| is_letter(c) || c == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Returns the composite as Crossplane leaves it: its name, its references to what it composes, the
/// functions' status, and conditions. `seen` is what the functions saw.
pub(super) fn composite(
    seen: &Object,
    machinery: Machinery,
    composed: &BTreeMap<String, Object>,
    desired: &State,
    conditions: &[Condition],
) -> Object {
    let mut composite = named(seen);
    machinery.set(&mut composite, "resourceRefs", references(composed, seen.namespace()));
    let wanted = desired.composite.as_ref().and_then(|c| c.resource.as_ref()?.get("status"));
    if let Some(status) = wanted.filter(|status| status.is_object()) {
        composite.insert("status".to_owned(), status.clone());
    }
    let mut list = Conditions::of(&composite);
    Conditions::of(seen).into_iter().for_each(|condition| list.set(condition));
    let mut for_claim: Vec<Value> =
        composite.list("/status/claimConditionTypes").cloned().collect();
    for c in conditions.iter().filter(|c| !SYSTEM_CONDITIONS.contains(&c.type_.as_str())) {
        let state = match c.status {
            ConditionStatus::True => "True",
            ConditionStatus::False => "False",
            ConditionStatus::Unknown => "Unknown",
        };
        list.set(condition(&c.type_, state, &c.reason, c.message.as_deref().unwrap_or_default()));
        let type_ = json!(c.type_);
        if c.target == Some(Target::CompositeAndClaim) && !for_claim.contains(&type_) {
            for_claim.push(type_);
        }
    }
    list.set(condition("Synced", "True", "ReconcileSuccess", ""));
    list.set(ready(desired));
    list.write(&mut composite);
    if machinery == Machinery::InSpec && !for_claim.is_empty() {
        within(&mut composite, "status", |status| {
            status.insert("claimConditionTypes".to_owned(), Value::Array(for_claim));
        });
    }
    at_one_time(&mut composite);
    composite
}

/// Returns a composite whose reconciliation is paused: nothing is composed.
pub(super) fn paused(started: &Object) -> Object {
    let message = "Reconciliation (including deletion) is paused via the pause annotation";
    ended(started.clone(), [condition("Synced", "False", "ReconcilePaused", message)])
}

/// Returns a composite that is being deleted: nothing is composed.
pub(super) fn deleting(started: &Object) -> Object {
    let mut composite = started.clone();
    handled(&mut composite);
    let ready = condition("Ready", "False", "Deleting", "");
    ended(composite, [ready, condition("Synced", "True", "ReconcileSuccess", "")])
}

/// Returns a composite that is all that comes of its reconciliation, with conditions of its
/// generation.
fn ended<const N: usize>(mut composite: Object, conditions: [Value; N]) -> Object {
    let mut list = Conditions::of(&composite);
    list.set(responsive(&composite));
    conditions.into_iter().for_each(|c| list.set(of_generation(c, &composite)));
    list.write(&mut composite);
    at_one_time(&mut composite);
    composite
}

/// Returns the composite's identity alone.
fn named(composite: &Object) -> Object {
    let mut metadata = Object::new();
    set_text(&mut metadata, "name", composite.name());
    set_text(&mut metadata, "namespace", composite.namespace());
    let mut out = Object::new();
    for key in ["apiVersion", "kind"] {
        set_text(&mut out, key, composite.text(&format!("/{key}")));
    }
    out.insert("metadata".to_owned(), Value::Object(metadata));
    out
}

/// Overlays an object with another: fields that only one of them has stay, lists are replaced.
pub(super) fn overlay(below: &mut Object, above: &Object) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => overlay(below, above),
            _ => drop(below.insert(key.clone(), value.clone())),
        }
    }
}

/// Sorts by API version, kind, name and namespace run together, as Crossplane does.
fn references(composed: &BTreeMap<String, Object>, namespace: &str) -> Value {
    let mut references: Vec<(String, Value)> = composed
        .values()
        .map(|object| {
            // All that a namespaced composite composes is in its own namespace.
            let mut reference = reference(object, namespace.is_empty());
            let uid = object.text("/metadata/uid");
            if let (false, Some(fields)) = (uid.is_empty(), reference.as_object_mut()) {
                fields.insert("uid".to_owned(), json!(uid));
            }
            let parts = ["/apiVersion", "/kind", "/name", "/namespace"];
            (parts.map(|part| reference.text(part)).concat(), reference)
        })
        .collect();
    references.sort_by(|a, b| a.0.cmp(&b.0));
    references.into_iter().map(|(_, reference)| reference).collect()
}

/// Returns Crossplane's own condition: what the functions say about the composite, or else all
/// composed resources together.
fn ready(desired: &State) -> Value {
    let said = desired.composite.as_ref().map(|c| c.ready).unwrap_or_default();
    let unready: Vec<&str> = unready(desired).collect();
    let creating = |message: &str| condition("Ready", "False", "Creating", message);
    match said {
        Ready::True => condition("Ready", "True", "Available", ""),
        Ready::False => creating(""),
        Ready::Unspecified if unready.is_empty() => condition("Ready", "True", "Available", ""),
        Ready::Unspecified => creating(&format!("Unready resources: {}", some_of(&unready))),
    }
}

/// Returns the names of the resources that no function called ready.
pub(super) fn unready(desired: &State) -> impl Iterator<Item = &str> {
    desired.resources.iter().filter(|(_, r)| r.ready != Ready::True).map(|(name, _)| name.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_as_crossplane_counts_them() {
        assert_eq!(some_of(&["a"]), "a");
        assert_eq!(some_of(&["a", "b"]), "a, b");
        assert_eq!(some_of(&["a", "b", "c"]), "a, b, and c");
        assert_eq!(some_of(&["a", "b", "c", "d"]), "a, b, c, and 1 more");
    }

    #[test]
    fn generated_names_fit_and_keep_one_dash() {
        let check = |beginning: &str, expect: &str| {
            let name = child_name(beginning, "uid", "a");
            let (head, hash) = name.split_at(name.len() - HASH);
            assert_eq!(head, expect);
            assert!(
                name.len() <= MAX_NAME && hash.chars().all(|c| c.is_ascii_hexdigit()),
                "{name}"
            );
        };
        check("one-", "one-");
        check("one", "one-");
        check("", "");
        check(&"a".repeat(51), &format!("{}-", "a".repeat(50)));
        check(&format!("{}-bc-", "a".repeat(50)), &format!("{}-", "a".repeat(50)));
        check(&format!("{}-", "a".repeat(50)), &format!("{}-", "a".repeat(50)));
    }

    #[test]
    fn names_are_subdomains() {
        for (name, fine) in
            [("a.b-c", true), ("-a", false), ("a.", false), ("A", false), ("", false)]
        {
            assert_eq!(is_name(name), fine, "{name}");
        }
    }
}
