//! The schemas that the API server serves for an XRD (Crossplane's two CRDs) or for a CRD.
//!
//! Source: Crossplane 2.3.4 `internal/xcrd` (`crd.go`, `schemas.go`). From an XRD's schema,
//! Crossplane takes `spec` and `status` and adds its own fields; the rest is Crossplane's own.

use super::lines::Lines;
use crate::object::Fields;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

type Object = Map<String, Value>;

/// Which of an XRD's two kinds to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What an application developer writes.
    Claim,
    /// What Crossplane makes from it.
    Composite,
}

/// One served version of a kind.
#[derive(Debug, Clone)]
pub struct Definition {
    /// API group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural resource name.
    pub plural: String,
    /// Whether its objects are namespaced.
    pub namespaced: bool,
    /// Whether `status` is a subresource, so that a file's `status` is dropped.
    pub status_is_subresource: bool,
    schema: OnceLock<Value>,
    /// What `schema` is read from, if a program brings it.
    lines: Option<Lines>,
}

impl Definition {
    /// Returns the OpenAPI v3 schema, as in the CRD.
    pub fn schema(&self) -> &Value {
        let read = || self.lines.as_ref().map(|lines| lines.join(0)).unwrap_or_default();
        self.schema.get_or_init(read)
    }

    /// Returns the lines of the schema, if a program brings it.
    #[must_use]
    pub const fn lines(&self) -> Option<&Lines> {
        self.lines.as_ref()
    }

    /// Returns everything but the schema, for [`prepared`](Self::prepared).
    #[must_use]
    pub fn names(&self) -> Value {
        json!({
            "group": self.group,
            "version": self.version,
            "kind": self.kind,
            "plural": self.plural,
            "namespaced": self.namespaced,
            "statusIsSubresource": self.status_is_subresource,
        })
    }

    /// Returns the definition that a program was built with: its [`names`](Self::names), and its
    /// schema, which is read as far as it is needed.
    #[must_use]
    pub fn prepared(names: &Value, schema: Lines) -> Self {
        let text = |name: &str| names.text(name).to_owned();
        Self {
            group: text("/group"),
            version: text("/version"),
            kind: text("/kind"),
            plural: text("/plural"),
            namespaced: names.is_true("/namespaced"),
            status_is_subresource: names.is_true("/statusIsSubresource"),
            schema: OnceLock::new(),
            lines: Some(schema),
        }
    }
}

/// Returns the kind that an XRD or a CRD defines, at its storage version. `side` does not matter
/// for a CRD.
///
/// # Errors
/// Which field is missing, or that the object is of another kind.
pub fn definition(object: &Value, side: Side) -> Result<Definition, String> {
    definition_at(object, side, None)
}

/// Returns the names of the versions that the API server serves.
pub fn served(object: &Value) -> impl Iterator<Item = &str> {
    let versions = object.list("/spec/versions");
    let served = versions.filter(|v| v.get("served") != Some(&Value::Bool(false)));
    served.filter_map(|version| version.get("name")?.as_str())
}

/// Reports whether an XRD's composites have Crossplane's own fields directly in `spec`: those of
/// scope LegacyCluster, which is that of a v1 XRD without a scope.
#[must_use]
pub fn is_legacy(xrd: &Value) -> bool {
    xrd.text("/kind") == "CompositeResourceDefinition" && scope(xrd) == "LegacyCluster"
}

/// Returns which of an XRD's kinds application developers write: its claims or, where it can offer
/// none, its composites.
#[must_use]
pub fn written(xrd: &Value) -> Side {
    let is_xrd = xrd.text("/kind") == "CompositeResourceDefinition";
    if is_xrd && !is_legacy(xrd) { Side::Composite } else { Side::Claim }
}

/// v1 XRDs are cluster-scoped unless they say otherwise; v2 XRDs are namespaced.
fn scope(object: &Value) -> &str {
    let default = match object.text("/apiVersion").ends_with("/v2") {
        true => "Namespaced",
        false => "LegacyCluster",
    };
    object.at("/spec/scope").and_then(Value::as_str).unwrap_or(default)
}

/// Returns the kind that an XRD or a CRD defines, at this version or else at its storage version.
///
/// # Errors
/// As [`definition`]; or there is no such version.
pub fn definition_at(
    object: &Value,
    side: Side,
    wanted: Option<&str>,
) -> Result<Definition, String> {
    let text = |pointer: &str| {
        object.at(pointer).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
            format!("{} is missing", pointer.trim_start_matches('/').replace('/', "."))
        })
    };
    let kind = text("/kind")?;
    let is_crd = match kind.as_str() {
        "CustomResourceDefinition" => true,
        "CompositeResourceDefinition" => false,
        _ => return Err(format!("this is a {kind}, not an XRD or CRD")),
    };
    text("/apiVersion")?;
    let scope = scope(object);
    let legacy = !is_crd && scope == "LegacyCluster";
    let names = match side {
        Side::Claim if legacy => "/spec/claimNames",
        Side::Claim if !is_crd => return Err(format!("a {scope} XRD offers no claims")),
        _ => "/spec/names",
    };
    if object.at(names).is_none() && side == Side::Claim {
        return Err("spec.claimNames is missing: this XRD offers no claims".to_owned());
    }
    let flag = if is_crd { "storage" } else { "referenceable" };
    let versions = object.at("/spec/versions").and_then(Value::as_array);
    let version = match (versions, wanted) {
        (None, _) => None,
        (Some(versions), Some(name)) => {
            let found = versions.iter().find(|version| version.text("/name") == name);
            Some(found.ok_or_else(|| format!("spec.versions has no {name}"))?)
        }
        (Some(versions), None) => {
            let stored = versions.iter().find(|v| v.get(flag) == Some(&Value::Bool(true)));
            stored.or_else(|| versions.first())
        }
    };
    let version = version.ok_or("spec.versions is missing")?;
    let own = version.at("/schema/openAPIV3Schema").cloned().unwrap_or_else(|| json!({}));
    let defaults = |field: &str| object.at(&format!("/spec/{field}")).cloned();
    let schema = match (is_crd, side) {
        (true, _) => own,
        (false, Side::Claim) => derived(&own, claim_spec(&defaults), status(true)),
        (false, Side::Composite) => {
            derived(&own, composite_spec(&defaults, legacy, scope), status(legacy))
        }
    };
    Ok(Definition {
        group: text("/spec/group")?,
        version: version
            .get("name")
            .and_then(Value::as_str)
            .ok_or("spec.versions[].name is missing")?
            .to_owned(),
        kind: text(&format!("{names}/kind"))?,
        plural: text(&format!("{names}/plural"))?,
        status_is_subresource: !is_crd || version.at("/subresources/status").is_some(),
        namespaced: scope == "Namespaced" || (legacy && side == Side::Claim),
        schema: OnceLock::from(schema),
        lines: None,
    })
}

/// Kubernetes' limit for a name that becomes a label value.
const MAX_NAME: u64 = 63;

fn derived(own: &Value, spec: Object, status: Object) -> Value {
    let name_bound = own
        .at("/properties/metadata/properties/name/maxLength")
        .and_then(Value::as_u64)
        .map_or(MAX_NAME, |bound| bound.min(MAX_NAME));
    let mut schema = json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": name_bound}},
            },
            "spec": part(own.at("/properties/spec"), spec, true),
            "status": part(own.at("/properties/status"), status, false),
        },
    });
    if let Some(schema) = schema.as_object_mut() {
        for key in ["description", "x-kubernetes-validations"] {
            if let Some(value) = own.get(key) {
                schema.insert(key.to_owned(), value.clone());
            }
        }
    }
    schema
}

/// Returns `spec` or `status`: what Crossplane keeps of the author's, overlaid with its own
/// properties.
fn part(own: Option<&Value>, crossplane: Object, is_spec: bool) -> Value {
    let mut out = Object::new();
    out.insert("type".to_owned(), json!("object"));
    let mut kept = vec!["required", "x-kubernetes-validations", "description", "oneOf"];
    if is_spec {
        kept.push("x-kubernetes-preserve-unknown-fields");
    }
    for key in kept {
        if let Some(value) = own.and_then(|own| own.get(key)) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    let mut properties =
        own.and_then(|own| own.get("properties")?.as_object().cloned()).unwrap_or_default();
    properties.extend(crossplane);
    out.insert("properties".to_owned(), Value::Object(properties));
    Value::Object(out)
}

/// Returns an object of strings. Required fields are marked with a `!`.
fn strings(fields: &[&str]) -> Value {
    let name = |field: &&str| field.trim_end_matches('!').to_owned();
    let properties: Object = fields.iter().map(|f| (name(f), json!({"type": "string"}))).collect();
    let required: Vec<String> = fields.iter().filter(|f| f.ends_with('!')).map(name).collect();
    if required.is_empty() {
        return json!({"type": "object", "properties": properties});
    }
    json!({"type": "object", "required": required, "properties": properties})
}

fn selector() -> Value {
    json!({
        "type": "object",
        "required": ["matchLabels"],
        "properties": {
            "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    })
}

type Defaults<'a> = dyn Fn(&str) -> Option<Value> + 'a;

fn chosen(defaults: &Defaults<'_>, field: &str, values: Value) -> Value {
    let mut schema = json!({"type": "string", "enum": values});
    if let (Some(default), Some(schema)) = (defaults(field), schema.as_object_mut()) {
        schema.insert("default".to_owned(), default);
    }
    schema
}

fn object(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Object {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn composition(defaults: &Defaults<'_>) -> [(&'static str, Value); 5] {
    [
        ("compositionRef", strings(&["name!"])),
        ("compositionSelector", selector()),
        ("compositionRevisionRef", strings(&["name!"])),
        ("compositionRevisionSelector", selector()),
        (
            "compositionUpdatePolicy",
            chosen(defaults, "defaultCompositionUpdatePolicy", json!(["Automatic", "Manual"])),
        ),
    ]
}

fn claim_spec(defaults: &Defaults<'_>) -> Object {
    // The default update policy is the composite's; a claim without one follows it.
    let mut spec = object(composition(&|_| None));
    spec.extend(object([
        (
            "compositeDeletePolicy",
            chosen(defaults, "defaultCompositeDeletePolicy", json!(["Background", "Foreground"])),
        ),
        ("resourceRef", strings(&["apiVersion!", "kind!", "name!"])),
        ("writeConnectionSecretToRef", strings(&["name!"])),
    ]));
    spec
}

fn composite_spec(defaults: &Defaults<'_>, legacy: bool, scope: &str) -> Object {
    let mut references = json!({
        "type": "array",
        "x-kubernetes-list-type": "atomic",
        "items": strings(&["apiVersion!", "kind!", "name", "namespace"]),
    });
    // Composed resources of a namespaced composite are in its namespace.
    if scope == "Namespaced"
        && let Some(properties) =
            references.pointer_mut("/items/properties").and_then(Value::as_object_mut)
    {
        properties.remove("namespace");
    }
    let mut fields = object(composition(defaults));
    fields.insert("resourceRefs".to_owned(), references);
    if !legacy {
        return object([(
            "crossplane",
            json!({
                "type": "object",
                "description": "Configures how Crossplane will reconcile this composite resource",
                "properties": fields,
            }),
        )]);
    }
    fields.extend(object([
        ("claimRef", strings(&["apiVersion!", "kind!", "namespace!", "name!"])),
        ("writeConnectionSecretToRef", strings(&["name!", "namespace!"])),
    ]));
    fields
}

fn status(legacy: bool) -> Object {
    let time = json!({"type": "string", "format": "date-time"});
    let mut status = object([(
        "conditions",
        json!({
            "type": "array",
            "description": "Conditions of the resource.",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {
                "type": "object",
                "required": ["lastTransitionTime", "reason", "status", "type"],
                "properties": {
                    "lastTransitionTime": time,
                    "message": {"type": "string"},
                    "reason": {"type": "string"},
                    "status": {"type": "string"},
                    "type": {"type": "string"},
                    "observedGeneration": {"type": "integer", "format": "int64"},
                },
            },
        }),
    )]);
    if legacy {
        status.extend(object([
            (
                "connectionDetails",
                json!({"type": "object", "properties": {"lastPublishedTime": time}}),
            ),
            (
                "claimConditionTypes",
                json!({
                    "type": "array",
                    "items": {"type": "string"},
                    "x-kubernetes-list-type": "set",
                }),
            ),
        ]));
    }
    status
}
