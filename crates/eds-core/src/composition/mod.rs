//! What Crossplane does between a claim or a composite and what it applies, without a cluster.
//!
//! ```text
//! claim -> composite   the composite that Crossplane would make from it
//!       -> seen        the composite as the functions see it
//!       -> pipeline    every step of the Composition, each fed by the one before
//!       -> applied     names, labels, owner; the composite's references, status, conditions
//! ```
//!
//! The reference is Crossplane's own reconciler, as run by `crossplane composition render`
//! (Crossplane 2.3.4): the results are equal, object for object.

mod applied;
mod claim;
pub(crate) mod conditions;
mod definition;
mod pipeline;
mod seen;
mod store;

use std::collections::BTreeMap;

use kube_object::object::Object;
use patch_and_transform::protocol::normalize;
use serde_json::{Value, json};

pub use claim::composite_of;
pub use definition::{Composition, Step};
pub use pipeline::{
    BuiltIn, Error, Event, Functions, Inputs, Rendered, StepResult, render, render_with,
};
pub use seen::uid;

/// Annotation that ties a composed resource to its name in the pipeline.
pub const ANNOTATION_RESOURCE_NAME: &str = "crossplane.io/composition-resource-name";
/// Label with the composite's name.
pub const LABEL_COMPOSITE: &str = "crossplane.io/composite";
/// Label with the claim's name.
pub const LABEL_CLAIM_NAME: &str = "crossplane.io/claim-name";
/// Label with the claim's namespace.
pub const LABEL_CLAIM_NAMESPACE: &str = "crossplane.io/claim-namespace";

/// Where a composite has the fields that are Crossplane's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Machinery {
    /// In `spec`: an XRD of scope LegacyCluster, whose composites have claims.
    #[default]
    InSpec,
    /// In `spec.crossplane`: an XRD of scope Namespaced or Cluster, and what the render engine
    /// takes for granted if it is not given an XRD.
    InCrossplane,
}

impl Machinery {
    /// Returns a field of Crossplane's own.
    #[must_use]
    pub fn get<'a>(self, composite: &'a Object, field: &str) -> Option<&'a Value> {
        let spec = composite.get("spec")?;
        match self {
            Self::InSpec => spec.get(field),
            Self::InCrossplane => spec.get("crossplane")?.get(field),
        }
    }

    /// Sets a field of Crossplane's own, unless something other than an object is in its way.
    fn set(self, composite: &mut Object, field: &str, value: Value) {
        let is_open = |parent: Option<&Value>| parent.is_none_or(Value::is_object);
        let spec = composite.get("spec");
        let inner = spec.and_then(|spec| spec.get("crossplane"));
        if !is_open(spec) || (self == Self::InCrossplane && !is_open(inner)) {
            return;
        }
        let insert = |fields: &mut Object| {
            fields.insert(field.to_owned(), value);
        };
        within(composite, "spec", |spec| match self {
            Self::InSpec => insert(spec),
            Self::InCrossplane => within(spec, "crossplane", insert),
        });
    }
}

/// Gives every number the form in which Kubernetes' JSON reader keeps it: an integer that fits stays
/// as it is, anything else becomes a double.
fn as_read(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_i64() => {}
        Value::Number(_) => normalize(value),
        Value::Array(items) => items.iter_mut().for_each(as_read),
        Value::Object(fields) => fields.values_mut().for_each(as_read),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
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

/// Sets a field of an object.
fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

/// Returns labels or annotations as Kubernetes' `unstructured` reads them: a null is empty, and
/// there are none if any value is something else.
fn strings(metadata: &Object, field: &str) -> BTreeMap<String, String> {
    let entries = metadata.get(field).and_then(Value::as_object).into_iter().flatten();
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => Some(String::new()),
        _ => None,
    };
    let read = entries.map(|(key, value)| Some((key.clone(), text(value)?)));
    read.collect::<Option<_>>().unwrap_or_default()
}

/// Adds labels or annotations.
fn add_strings<'a>(
    metadata: &mut Object,
    field: &str,
    more: impl IntoIterator<Item = (&'a str, String)>,
) {
    let mut all = strings(metadata, field);
    all.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    metadata.insert(field.to_owned(), json!(all));
}
