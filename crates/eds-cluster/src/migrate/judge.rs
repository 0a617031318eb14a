//! What stands in the way of a migration. While anything does, nothing is touched.

use anyhow::Result;
use eds_core::event_driven_service::ON_DELETE;
use eds_core::form::Form;
use kube_object::object::Fields;
use serde_json::Value;

use super::saved::{Manifest, Saved};
use super::{Migration, PAUSED, is_ending};
use crate::kinds::{self, Kind};

/// Something that must be settled first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What is concerned: a service as `namespace/name`, or a part of the platform.
    pub what: String,
    /// Why it cannot be migrated.
    pub cause: String,
    /// What to do.
    pub fix: String,
}

/// The Compositions of the API, which both forms have in their own way.
const OURS: [&str; 3] =
    ["event-driven-service", "event-driven-service-direct", "event-driven-service-namespaced"];
/// The policies that know composites of both forms, by a word of theirs.
const POLICIES: [(&str, &str); 2] = [
    ("eventdrivenservice-contents", "\"EventDrivenService\""),
    ("eventdrivenservice-authors", "resourceRefs"),
];
const APPLY_FUNCTIONS: &str = "kubectl apply -k platform/04-apis/functions of this version first";

impl Obstacle {
    fn new(what: impl Into<String>, cause: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), cause: cause.into(), fix: fix.into() }
    }

    pub(super) fn of_another_way(saved: &Saved) -> Self {
        Self::new(
            format!("{}/{}", saved.namespace, saved.name),
            "is half-way to the other form",
            format!("first end that: eds migrate --to {} --apply", saved.to.name()),
        )
    }
}

impl Migration<'_> {
    /// Judges the platform.
    pub(super) async fn platform_obstacles(&self, old: Option<&Value>) -> Result<Vec<Obstacle>> {
        let mut found = Vec::new();
        let mut owners = old.into_iter().flat_map(|xrd| xrd.list("/metadata/ownerReferences"));
        if let (Some(xrd), Some(owner)) =
            (old, owners.find(|owner| owner.text("/kind") == "ConfigurationRevision"))
        {
            found.push(Obstacle::new(
                format!("XRD {}", xrd.name()),
                format!(
                    "belongs to the package {}, which would make it again",
                    owner.text("/name")
                ),
                "install the API by Kustomize first: the package lets go of what it does not make \
                 once it is deleted with --cascade=orphan",
            ));
        }
        if self.to == Form::Namespaced {
            for (name, word) in POLICIES {
                let policy = self.cluster.get(&kinds::ADMISSION_POLICY, None, name).await?;
                if policy.is_some_and(|policy| !says(&policy, word)) {
                    let cause = "is of an older version, which does not know the namespaced form";
                    found.push(Obstacle::new(format!("policy {name}"), cause, APPLY_FUNCTIONS));
                }
            }
        } else if self.cluster.list(&kinds::PROVIDER_CONFIG, None, "").await?.is_empty() {
            found.push(Obstacle::new(
                "provider-kubernetes",
                "is not installed, and claims are composed through its Objects",
                APPLY_FUNCTIONS,
            ));
        }
        Ok(found)
    }

    /// Returns what is kept of a service, or why it cannot be migrated.
    pub(super) async fn look(
        &self,
        from: Form,
        service: &Value,
    ) -> Result<Result<Saved, Vec<Obstacle>>> {
        let (namespace, name) = (service.namespace(), service.name());
        let mut found: Vec<Obstacle> = Vec::new();
        let mut say = |cause: String, fix: &str| {
            found.push(Obstacle::new(format!("{namespace}/{name}"), cause, fix));
        };
        for (cause, fix) in of_service(from, service) {
            say(cause, fix);
        }
        let mut manifests = Vec::new();
        for (api_version, kind, manifest) in self.made(from, service).await? {
            let named = serde_json::json!({"apiVersion": api_version, "kind": kind});
            let Some(known) = Kind::of(&named) else {
                let cause = format!("has made {kind} {manifest}, which is not handed over");
                say(cause, "take it out of the service (spec.nats.create), and put it back after");
                continue;
            };
            let Some(live) = self.cluster.get(known, Some(namespace), &manifest).await? else {
                say(format!("{kind} {manifest} is not there"), "eds doctor says why");
                continue;
            };
            if self.to == Form::Namespaced && live.annotation(ON_DELETE) == Some("keep") {
                let cause = format!("{kind} {manifest} is to be kept, which only Objects can do");
                say(cause, "remove its annotation platform.bizmatters.io/on-delete");
            }
            manifests.push(Manifest::of(known, &live));
        }
        Ok(if found.is_empty() { Ok(Saved::of(service, self.to, manifests)) } else { Err(found) })
    }

    /// Returns API version, kind and name of what a service has made.
    async fn made(&self, from: Form, service: &Value) -> Result<Vec<(String, String, String)>> {
        let (namespace, name) = (service.namespace(), service.name());
        let entry = |from: &Value, name: &str| {
            (from.text("/apiVersion").to_owned(), from.text("/kind").to_owned(), name.to_owned())
        };
        let composite = match from {
            Form::Namespaced => Some(service.clone()),
            Form::Claims => {
                let name = service.text("/spec/resourceRef/name");
                self.cluster.get(&kinds::COMPOSITE, None, name).await?
            }
        };
        let objects = self.objects(namespace, name).await?;
        let wrapped = objects.iter().filter_map(|object| object.at("/spec/forProvider/manifest"));
        let direct = composite.as_ref().and_then(|composite| own(from, composite, "resourceRefs"));
        let direct = direct.and_then(Value::as_array).into_iter().flatten();
        let direct = direct.filter(|reference| reference.text("/kind") != kinds::OBJECT.kind);
        Ok(wrapped
            .map(|manifest| entry(manifest, manifest.name()))
            .chain(direct.map(|reference| entry(reference, reference.text("/name"))))
            .collect())
    }
}

/// Returns a field of Crossplane's own.
fn own<'a>(form: Form, object: &'a Value, field: &str) -> Option<&'a Value> {
    form.machinery().get(object.as_object()?, field)
}

fn says(policy: &Value, word: &str) -> bool {
    // As text a quotation mark has its backslash.
    policy.get("spec").is_some_and(|spec| spec.to_string().replace("\\\"", "\"").contains(word))
}

/// Judges a service by itself.
fn of_service(from: Form, service: &Value) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    if is_ending(service) {
        found.push(("is being deleted".to_owned(), "wait until it is gone"));
    }
    if service.annotation(PAUSED) == Some("true") {
        let fix = "take the annotation away, or delete the service";
        found.push((format!("is paused ({PAUSED})"), fix));
    }
    if !service.is("Ready") {
        let fix = "eds doctor says why; mend it, or delete it";
        found.push(("is not Ready".to_owned(), fix));
    }
    let chosen = own(from, service, "compositionRef").map_or("", |chosen| chosen.text("/name"));
    if !chosen.is_empty() && !OURS.contains(&chosen) {
        let fix = "let it have the API's own first";
        found.push((format!("is composed by {chosen}, which the other form does not have"), fix));
    }
    let policy = own(from, service, "compositionUpdatePolicy").and_then(Value::as_str);
    if policy == Some("Manual") {
        let cause = "stays at one revision of its Composition (compositionUpdatePolicy: Manual)";
        found.push((cause.to_owned(), "let it follow first: Automatic"));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_by_itself() {
        let check = |from: Form, change: &Value, expected: &[&str]| {
            let mut service = json!({
                "metadata": {"name": "w"}, "spec": {},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            });
            for (pointer, value) in change.as_object().unwrap() {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                service.pointer_mut(parent).unwrap()[key] = value.clone();
            }
            let found = of_service(from, &service);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for ((cause, _), expected) in found.iter().zip(expected) {
                assert!(cause.starts_with(expected), "{cause}");
            }
        };
        let paused = json!({"/metadata/annotations": {"crossplane.io/paused": "true"}});
        let composed_by = |name: &str| json!({"compositionRef": {"name": name}});
        for from in [Form::Claims, Form::Namespaced] {
            check(from, &json!({}), &[]);
            check(from, &json!({"/metadata/deletionTimestamp": "now"}), &["is being deleted"]);
            check(from, &paused, &["is paused"]);
            check(from, &json!({"/status/conditions": []}), &["is not Ready"]);
        }
        check(Form::Claims, &json!({"/spec": composed_by("event-driven-service")}), &[]);
        check(Form::Claims, &json!({"/spec": composed_by("own")}), &["is composed by own"]);
        let own = json!({"/spec/crossplane": composed_by("own")});
        check(Form::Namespaced, &own, &["is composed by own"]);
        let manual = json!({"compositionUpdatePolicy": "Manual"});
        check(Form::Claims, &json!({ "/spec": manual }), &["stays at one revision"]);
        check(Form::Namespaced, &json!({"/spec/crossplane": manual}), &["stays at one revision"]);
    }

    /// The policies as they are installed know the namespaced form; those before it did not.
    #[test]
    fn policies_that_know_both_forms() {
        let old = json!({"spec": {"expression": "o.kind == \"XEventDrivenService\""}});
        let new = json!({"spec": {"expression": "o.kind in [\"X\", \"EventDrivenService\"]"}});
        let (_, word) = POLICIES[0];
        assert!(!says(&old, word) && says(&new, word));
        let installed = include_str!("../../../../platform/04-apis/functions/ownership.yaml");
        for (name, word) in POLICIES {
            assert!(installed.contains(name) && installed.contains(word), "{name}: {word}");
        }
    }
}
