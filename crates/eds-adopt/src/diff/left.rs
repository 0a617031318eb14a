//! What stands in the manifests, and the claims make none of: deleted with what the claim made
//! before, or left beside it.

use serde_json::Value;

use kube_object::object::Fields;

/// Kinds that a claim may make, which go when it no longer does.
const KINDS: [&str; 6] =
    ["ServiceAccount", "Deployment", "Service", "ScaledObject", "PodDisruptionBudget", "Consumer"];
const NAME: &str = "/metadata/labels/app.kubernetes.io~1name";
const MANAGER: &str = "/metadata/labels/app.kubernetes.io~1managed-by";

/// Reports whether one of these claims made an object before: the platform's labels say so.
pub(super) fn is_claims(old: &Value, after: &[Value]) -> bool {
    KINDS.contains(&old.text("/kind"))
        && old.text(MANAGER) == "crossplane"
        && after.iter().any(|new| {
            !new.text(NAME).is_empty()
                && new.text(NAME) == old.text(NAME)
                && (old.namespace().is_empty() || old.namespace() == new.namespace())
        })
}

/// Says which objects are about a worker, and stay as they are: the claim makes none of the kind.
pub(super) fn notes(left: &[&Value], pairs: &[(Option<&Value>, &Value)]) -> Vec<String> {
    let workers = pairs.iter().filter_map(|(old, _)| *old);
    let workers: Vec<&Value> = workers.filter(|old| old.text("/kind") == "Deployment").collect();
    let about = |object: &Value| workers.iter().find_map(|worker| how(object, worker));
    let told =
        left.iter().filter(|object| KINDS.contains(&object.text("/kind")) || is_stream(object));
    told.filter_map(|object| {
        let (kind, name) = (object.text("/kind"), object.name());
        if is_stream(object) {
            let made = pairs.iter().any(|(_, new)| new.text(NAME) == object.text(NAME));
            return made.then(|| {
                format!(
                    "the claim makes no Stream {name} any more: the object is deleted, and NATS \
                        keeps the stream"
                )
            });
        }
        let how = about(object)?;
        let namespace = object.namespace();
        let slash = if namespace.is_empty() { "" } else { "/" };
        Some(format!(
            "{kind} {namespace}{slash}{name} {how}, and the claim makes none: it stays as it is \
                until somebody deletes it"
        ))
    })
    .collect()
}

/// Reports whether an object is NACK's Stream of a claim, whose messages outlive it.
fn is_stream(object: &Value) -> bool {
    object.text("/kind") == "Stream" && object.text(MANAGER) == "crossplane"
}

/// Says how an object is about a worker.
fn how(object: &Value, worker: &Value) -> Option<&'static str> {
    let same = object.namespace() == worker.namespace() || object.namespace().is_empty();
    let selector = match object.text("/kind") {
        "Service" => object.at("/spec/selector"),
        "PodDisruptionBudget" => object.at("/spec/selector/matchLabels"),
        _ => None,
    };
    let labels = worker.at("/spec/template/metadata/labels");
    let selects = selector.and_then(Value::as_object).is_some_and(|selector| {
        !selector.is_empty()
            && selector.iter().all(|(key, value)| labels.and_then(|l| l.get(key)) == Some(value))
    });
    let account = worker.text("/spec/template/spec/serviceAccountName");
    match object.text("/kind") {
        _ if !same => None,
        _ if selects => Some("selects the worker's pods"),
        "ScaledObject" if object.text("/spec/scaleTargetRef/name") == worker.name() => {
            Some("scales the worker")
        }
        "ServiceAccount" if object.name() == account => Some("is the worker's until now"),
        _ if object.name() == worker.name() => Some("has the worker's name"),
        _ => None,
    }
}
