//! The claim's schema as JSON Schema 2020-12, for editors and other validators.
//!
//! Kubernetes' own keywords are translated into what 2020-12 can express:
//!
//! | Kubernetes | JSON Schema |
//! |---|---|
//! | unknown fields are refused | `additionalProperties: false` |
//! | `x-kubernetes-preserve-unknown-fields` | `additionalProperties: true` |
//! | `x-kubernetes-int-or-string` | `type: [integer, string]` |
//! | `x-kubernetes-embedded-resource` | `apiVersion`, `kind` and `metadata` as properties |
//! | `nullable` | `null` in addition to the type |
//! | `example` | `examples` |
//! | `x-kubernetes-list-type: set` | `uniqueItems` |
//! | CEL rules about single values | `not`, `enum`, `anyOf`, `minItems` ([`rules`]) |
//! | other CEL rules, maps by key | a `$comment`; `eds validate` and the API server check them |
//!
//! One difference: a null for an optional field, which the API server drops, is refused here,
//! because otherwise an editor would offer `null` everywhere.

mod descriptions;
mod explain;
mod patterns;
mod reference;
mod rules;

use kube_object::object::Fields;
use serde_json::{Map, Value, json};

use super::Definition;
pub use explain::{NoSuchField, field as explain};
#[cfg(test)]
use kube_object::crossplane::crd::{Side, definition};
pub use reference::markdown;

/// Returns the schema of whole objects of this kind.
#[must_use]
pub fn json_schema(definition: &Definition) -> Value {
    let Definition { group, version, kind, namespaced, .. } = definition;
    let schema = definition.schema();
    let mut out = part(schema, true);
    let title = format!("{kind} ({group}/{version})");
    if let Some(out) = out.as_object_mut() {
        out.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        let id = format!("https://{group}/{version}/{}.schema.json", kind.to_lowercase());
        out.insert("$id".to_owned(), json!(id));
        out.insert("title".to_owned(), json!(title));
        let mut required = vec![json!("apiVersion"), json!("kind"), json!("metadata")];
        if let Some(Value::Array(own)) = out.get("required") {
            required
                .extend(own.iter().filter(|r| !required.contains(r)).cloned().collect::<Vec<_>>());
        }
        out.insert("required".to_owned(), Value::Array(required));
        if let Some(properties) = out.get_mut("properties").and_then(Value::as_object_mut) {
            let own_name = schema.at("/properties/metadata/properties/name");
            properties.insert(
                "apiVersion".to_owned(),
                json!({
                    "description": "The API's group and version.",
                    "const": format!("{group}/{version}"),
                    "type": "string",
                }),
            );
            properties.insert(
                "kind".to_owned(),
                json!({"description": "The kind of object.", "const": kind, "type": "string"}),
            );
            properties.insert("metadata".to_owned(), metadata(own_name, *namespaced));
        }
    }
    descriptions::fill(&mut out);
    out
}

const COPIED: [&str; 13] = [
    "description",
    "title",
    "default",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
];

/// Leaves out of `required` what has a default: the API server fills it in before it looks.
fn without_defaulted(to: &mut Map<String, Value>, from: &Map<String, Value>) {
    let Some(Value::Array(required)) = to.get_mut("required") else { return };
    let properties = from.get("properties").and_then(Value::as_object);
    let default = |name: &str| properties?.get(name)?.get("default");
    required.retain(|name| name.as_str().and_then(default).is_none());
    if required.is_empty() {
        to.remove("required");
    }
}

/// Translates one schema. `closed` refuses unknown fields, which applies everywhere except within
/// the alternatives of `anyOf` and the like, which only refine.
fn part(schema: &Value, closed: bool) -> Value {
    let Value::Object(from) = schema else { return schema.clone() };
    let mut to = Map::new();
    for key in COPIED {
        if let Some(value) = from.get(key) {
            to.insert(key.to_owned(), value.clone());
        }
    }
    without_defaulted(&mut to, from);
    let flag = |key: &str| from.get(key) == Some(&Value::Bool(true));
    let nullable = flag("nullable");
    let kind = from.get("type").filter(|t| t.as_str().is_some_and(|t| !t.is_empty()));
    let mut types: Vec<Value> = match kind {
        _ if flag("x-kubernetes-int-or-string") => vec![json!("integer"), json!("string")],
        Some(kind) => vec![kind.clone()],
        None => Vec::new(),
    };
    if nullable && !types.is_empty() {
        types.push(json!("null"));
    }
    match types.as_slice() {
        [] => {}
        [one] => drop(to.insert("type".to_owned(), one.clone())),
        _ => drop(to.insert("type".to_owned(), Value::Array(types))),
    }
    if let Some(Value::Array(values)) = from.get("enum") {
        to.insert("enum".to_owned(), Value::Array(values.clone()));
    }
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        if flag(exclusive)
            && let Some(value) = to.remove(bound)
        {
            to.insert(exclusive.to_owned(), value);
        }
    }
    if let Some(example) = from.get("example") {
        to.insert("examples".to_owned(), json!([example]));
    }
    let mut comments = Vec::new();
    match from.get("pattern").and_then(Value::as_str) {
        Some(pattern) if is_ecma(pattern) => {
            to.insert("pattern".to_owned(), json!(pattern));
        }
        Some(pattern) => comments.push(format!("pattern (RE2): {pattern}")),
        None => {}
    }
    match from.get("format").and_then(Value::as_str) {
        // Format assertions are optional in 2020-12, so a pattern states the format.
        Some("date-time") => {
            let time = r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$";
            to.insert("pattern".to_owned(), json!(time));
        }
        Some("int32") => {
            to.entry("minimum").or_insert(json!(i32::MIN));
            to.entry("maximum").or_insert(json!(i32::MAX));
        }
        _ => {}
    }
    structure(from, &mut to, closed);
    for rule in from.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten()
    {
        let text = rule.text("/rule");
        match rules::translate(text, schema) {
            Some(schema) => {
                let all = to.entry("allOf").or_insert(json!([]));
                if let Some(all) = all.as_array_mut() {
                    all.push(schema);
                }
            }
            None => {
                let message = rule.get("message").and_then(Value::as_str).unwrap_or(text);
                comments.push(format!("rule: {message}"));
            }
        }
    }
    if !comments.is_empty() {
        to.insert("$comment".to_owned(), json!(comments.join("; ")));
    }
    Value::Object(to)
}

fn structure(from: &Map<String, Value>, to: &mut Map<String, Value>, closed: bool) {
    let flag = |key: &str| from.get(key) == Some(&Value::Bool(true));
    let mut properties: Map<String, Value> = from
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), part(value, closed)))
        .collect();
    if flag("x-kubernetes-embedded-resource") {
        properties.insert("apiVersion".to_owned(), json!({"type": "string", "minLength": 1}));
        properties.insert("kind".to_owned(), json!({"type": "string", "minLength": 1}));
        let own = from.get("properties").and_then(|p| p.at("/metadata/properties/name"));
        properties.insert("metadata".to_owned(), metadata(own, true));
        let required = to.entry("required").or_insert(json!([]));
        if let Some(required) = required.as_array_mut() {
            required.extend([json!("apiVersion"), json!("kind")]);
        }
    }
    let is_object = from.get("type").and_then(Value::as_str) == Some("object");
    let additional = match from.get("additionalProperties") {
        Some(Value::Object(schema)) => Some(part(&Value::Object(schema.clone()), closed)),
        Some(Value::Bool(allowed)) => Some(json!(allowed)),
        _ if flag("x-kubernetes-preserve-unknown-fields") => Some(json!(true)),
        _ if closed && is_object => Some(json!(false)),
        _ => None,
    };
    if !properties.is_empty() {
        to.insert("properties".to_owned(), Value::Object(properties));
    }
    if let Some(additional) = additional {
        to.insert("additionalProperties".to_owned(), additional);
    }
    if let Some(items) = from.get("items") {
        to.insert("items".to_owned(), part(items, closed));
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        if let Some(Value::Array(parts)) = from.get(key).filter(|p| p != &&json!([])) {
            let parts = parts.iter().map(|p| part(p, false)).collect();
            to.insert(key.to_owned(), Value::Array(parts));
        }
    }
    if let Some(not) = from.get("not") {
        to.insert("not".to_owned(), part(not, false));
    }
    if from.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("set") {
        to.insert("uniqueItems".to_owned(), json!(true));
    }
}

/// Reports whether an RE2 pattern means the same in ECMA 262, which JSON Schema requires.
fn is_ecma(pattern: &str) -> bool {
    let foreign = [
        "(?i", "(?s", "(?m", "(?U", "(?P", "(?-", "[[:", r"\z", r"\A", r"\Q", r"\a", r"\C", r"\pL",
        r"\pN",
    ];
    !foreign.iter().any(|part| pattern.contains(part))
}

/// Returns the schema of `metadata` as Kubernetes allows it.
fn metadata(own_name: Option<&Value>, namespaced: bool) -> Value {
    let label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    let name_part = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)";
    let qualified = format!(r"^({label}(\.{label})*/)?{name_part}$");
    let longest =
        own_name.and_then(|n| n.get("maxLength")).and_then(Value::as_u64).unwrap_or(253).min(253);
    let mut properties = json!({
        "name": {
            "description": "Name of the object, unique in its namespace.",
            "type": "string",
            "minLength": 1,
            "maxLength": longest,
            "pattern": format!(r"^{label}(\.{label})*$"),
        },
        "generateName": {
            "description": "A prefix; the API server adds five characters.",
            "type": "string",
        },
        "labels": {
            "description": "Keys and values to select objects by.",
            "type": "object",
            "propertyNames": {"pattern": qualified},
            "additionalProperties": {
                "type": "string",
                "maxLength": 63,
                "pattern": format!("^{name_part}?$"),
            },
        },
        "annotations": {
            "description": "Notes for people and tools.",
            "type": "object",
            "additionalProperties": {"type": "string"},
        },
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {
            "type": "array",
            "items": {"type": "object", "required": ["apiVersion", "kind", "name", "uid"]},
        },
        "uid": {"type": "string"},
        "resourceVersion": {"type": "string"},
        "selfLink": {"type": "string"},
        "generation": {"type": "integer"},
        "creationTimestamp": {"type": ["string", "null"]},
        "deletionTimestamp": {"type": ["string", "null"]},
        "deletionGracePeriodSeconds": {"type": "integer"},
        "managedFields": {"type": "array", "items": {"type": "object"}},
    });
    if namespaced && let Some(properties) = properties.as_object_mut() {
        properties.insert(
            "namespace".to_owned(),
            json!({
                "description": "Namespace that the object and all it becomes live in.",
                "type": "string",
                "maxLength": 63,
                "pattern": format!("^{label}$"),
            }),
        );
    }
    json!({
        "description": "Name, namespace, labels and annotations.",
        "type": "object",
        "anyOf": [{"required": ["name"]}, {"required": ["generateName"]}],
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Creates a definition with this spec.
#[cfg(test)]
fn thing(spec: &Value) -> Definition {
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{
                "name": "v1",
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
            }],
        },
    });
    definition(&crd, Side::Claim).unwrap()
}
