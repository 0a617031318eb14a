//! What a claim takes: the API itself is asked, with a claim that has nothing else in it.

use serde_json::{Map, Value, json};

use super::Platform;
use eds_claims as claims;
use kube_schema::diagnostics::{Severity, catalog};

/// How many entries of a mapping are looked at: many more than a claim takes.
const MOST: usize = 100;

impl Platform<'_> {
    /// Returns whether a claim may have this in a field of its spec (`nats.tls`).
    pub(super) fn takes(&self, field: &str, value: &Value) -> bool {
        self.refuses(field, value).is_none()
    }

    /// Returns why a claim may not have this in a field of its spec.
    pub(super) fn refuses(&self, field: &str, value: &Value) -> Option<String> {
        let mut inner = value.clone();
        let mut keys = field.rsplit('.');
        let first = loop {
            let key = keys.next()?;
            if keys.clone().next().is_none() {
                break key;
            }
            inner = json!({key: inner});
        };
        // Long enough for whatever runs before the stop.
        let mut spec = json!({"image": "a:1", "nats": {"stream": "a", "consumer": "a"},
            "terminationGracePeriodSeconds": 86_400});
        match (spec.get_mut(first).and_then(Value::as_object_mut), inner) {
            (Some(there), Value::Object(more)) => there.extend(more),
            (_, inner) => drop(spec.as_object_mut()?.insert(first.to_owned(), inner)),
        }
        let claim = json!({
            "apiVersion": self.api.api_version(),
            "kind": self.api.definition.kind,
            "metadata": {"name": "a", "namespace": "a"},
            "spec": spec,
        });
        // JSON is YAML.
        let checked = claims::check(&claim.to_string(), self.api, claims::Options::default());
        let mut errors = checked.findings.into_iter().filter(|f| f.severity == Severity::Error);
        let error = errors.next()?;
        if error.rule.code == catalog::CEL.code {
            return Some(error.message);
        }
        // Others say something of the field at their path.
        let last = error.path.rsplit(['.', ']']).next().filter(|last| !last.is_empty());
        Some(format!("{} {}", last.unwrap_or("it"), error.message))
    }

    /// Returns the entries of a mapping that a claim may have, and why it may not have the others.
    pub(super) fn entries(
        &self,
        field: &str,
        mut entries: Vec<(String, Value)>,
    ) -> (Map<String, Value>, Vec<(String, String)>) {
        let mut refused = Vec::new();
        for (key, _) in entries.iter().skip(MOST) {
            refused.push((key.clone(), "a claim does not take so many".to_owned()));
        }
        entries.truncate(MOST);
        let whole: Map<String, Value> = entries.iter().cloned().collect();
        if whole.is_empty() || self.takes(field, &Value::Object(whole.clone())) {
            return (whole, refused);
        }
        let mut taken = Map::new();
        for (key, value) in entries {
            match self.refuses(field, &json!({key.clone(): value.clone()})) {
                Some(why) => refused.push((key, why)),
                None => drop(taken.insert(key, value)),
            }
        }
        // Each alone is fine, so there are too many.
        while !taken.is_empty() && !self.takes(field, &Value::Object(taken.clone())) {
            let Some(last) = taken.keys().next_back().cloned() else { break };
            taken.remove(&last);
            refused.push((last, "a claim does not take so many".to_owned()));
        }
        (taken, refused)
    }
}
