//! Claims that may be composed.

use eds_cluster::claims::LiveClaim;
use kube_object::object::Fields;
use kube_schema::schema::ValidClaim;
use patch_and_transform::protocol::Object;
use serde_json::{Value, json};

/// A claim with its defaults, which the API server would accept, or has accepted. Manifests are
/// made from nothing else: a function's answer to a claim that no API server accepts means nothing.
#[derive(Debug, Clone)]
pub(crate) struct Claim(Value);

impl Claim {
    /// Wraps a claim that was found valid.
    pub(crate) fn valid(claim: ValidClaim<'_>) -> Self {
        Self(Value::Object(claim.object().clone()))
    }

    /// Wraps a claim that the API server keeps.
    pub(crate) fn live(claim: &LiveClaim) -> Self {
        Self(claim.value().clone())
    }

    /// Moves the claim to another namespace.
    pub(crate) fn in_namespace(mut self, namespace: &str) -> Self {
        if let Some(metadata) = self.0.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        self
    }

    /// Moves the claim to this namespace if it names none.
    pub(crate) fn or_in_namespace(self, namespace: &str) -> Self {
        if self.0.at("/metadata/namespace").is_some() {
            return self;
        }
        self.in_namespace(namespace)
    }

    /// Returns the object.
    pub(crate) const fn value(&self) -> &Value {
        &self.0
    }

    /// Returns a string of the claim; empty if there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.0.text(pointer)
    }

    /// Returns the object's fields.
    pub(crate) fn into_object(self) -> Object {
        match self.0 {
            Value::Object(claim) => claim,
            _ => Object::new(),
        }
    }
}
