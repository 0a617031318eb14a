//! `spec.nats.create`, from a Consumer of NATS' controller NACK that stands beside the worker.
//!
//! What the claim makes must be what NATS has already: a Consumer that says more, or otherwise, than
//! a claim can is left as it is.

use kube_object::object::Fields;
use serde_json::{Map, Value, json};

use super::{Manifest, Namespace};

/// The group of NACK's kinds.
pub(super) const GROUP: &str = "jetstream.nats.io";

/// Finds the Consumer of this stream and name, and what `spec.nats.create` says of it.
pub(super) fn consumer(
    namespace: &Namespace<'_>,
    stream: &str,
    durable: &str,
    domain: Option<&str>,
) -> Option<(usize, Value)> {
    let mut found = namespace.index.of_kind(namespace.name, "Consumer").filter(|(_, manifest)| {
        manifest.group() == GROUP
            && manifest.value.text("/spec/streamName") == stream
            && manifest.value.text("/spec/durableName") == durable
    });
    let (at, manifest) = found.next()?;
    // Two would be two opinions.
    found.next().is_none().then_some(())?;
    Some((at, create(manifest.value.object("/spec")?, domain)?))
}

/// Reports whether an object names a Consumer's stream and durable, wherever it does.
pub(super) fn is_named(object: &Manifest, consumer: &Manifest) -> bool {
    fn holds(value: &Value, text: &str) -> bool {
        match value {
            Value::String(own) => own == text,
            Value::Array(items) => items.iter().any(|item| holds(item, text)),
            Value::Object(fields) => fields.values().any(|field| holds(field, text)),
            _ => false,
        }
    }
    ["/spec/streamName", "/spec/durableName"].iter().all(|pointer| {
        let name = consumer.value.text(pointer);
        !name.is_empty() && holds(&object.value, name)
    })
}

/// Returns what a claim says of a Consumer; `None` if the one that it makes would differ.
fn create(spec: &Map<String, Value>, domain: Option<&str>) -> Option<Value> {
    let mut create = Map::new();
    let mut consumer = Map::new();
    // Without these, NACK chooses what loses messages, and a claim chooses otherwise.
    let explicit = spec.get("ackPolicy").and_then(Value::as_str) == Some("explicit");
    if !explicit || !spec.contains_key("ackWait") {
        return None;
    }
    for (key, value) in spec {
        match key.as_str() {
            "streamName" | "durableName" | "ackPolicy" | "preventDelete" | "preventUpdate" => {}
            "ackWait" | "maxDeliver" | "maxAckPending" | "filterSubject" | "deliverPolicy" => {
                consumer.insert(key.clone(), value.clone());
            }
            "jsDomain" if value.as_str() == domain => {}
            "account" => drop(create.insert(key.clone(), value.clone())),
            _ => return None,
        }
    }
    if domain.is_some() && !spec.contains_key("jsDomain") {
        return None;
    }
    if spec.get("preventDelete") != Some(&Value::Bool(true)) {
        consumer.insert("reclaimPolicy".to_owned(), json!("Delete"));
    }
    create.insert("consumer".to_owned(), Value::Object(consumer));
    Some(Value::Object(create))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_claim_says_alike() {
        let check = |more: Value, domain: Option<&str>, expected: Option<Value>| {
            let mut spec = json!({"streamName": "S", "durableName": "c", "ackPolicy": "explicit",
                "ackWait": "30s", "preventDelete": true});
            let spec = spec.as_object_mut().unwrap();
            for (key, value) in more.as_object().unwrap() {
                match value {
                    Value::Null => drop(spec.remove(key)),
                    value => drop(spec.insert(key.clone(), value.clone())),
                }
            }
            assert_eq!(create(spec, domain), expected, "{more}");
        };
        let plain = json!({"consumer": {"ackWait": "30s"}});
        check(json!({}), None, Some(plain.clone()));
        check(json!({"jsDomain": "hub"}), Some("hub"), Some(plain.clone()));
        let deleted = json!({"consumer": {"ackWait": "30s", "reclaimPolicy": "Delete"}});
        check(json!({"preventDelete": null}), None, Some(deleted));
        let account = json!({"account": "a", "consumer": {"ackWait": "30s", "maxDeliver": 3}});
        check(json!({"account": "a", "maxDeliver": 3}), None, Some(account));
        // What would change in NATS.
        check(json!({"ackPolicy": "none"}), None, None);
        check(json!({"ackPolicy": null}), None, None);
        check(json!({"ackWait": null}), None, None);
        check(json!({"deliverSubject": "x"}), None, None);
        check(json!({"maxWaiting": 5}), None, None);
        check(json!({"jsDomain": "hub"}), None, None);
        check(json!({}), Some("hub"), None);
    }
}
