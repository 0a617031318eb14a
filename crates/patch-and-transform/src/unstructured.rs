//! What upstream does with Kubernetes' `unstructured.Unstructured`, on plain JSON objects.

use serde_json::{Map, Value};

use super::text;
use crate::fieldpath;
use crate::protocol::Object;
use golang::json;

/// Returns a nested string: empty if it is missing, not a string, or inside something that is not
/// an object.
pub(super) fn nested_string<'o>(object: &'o Object, parent: Option<&str>, name: &str) -> &'o str {
    let fields = match parent {
        None => Some(object),
        Some(parent) => object.get(parent).and_then(Value::as_object),
    };
    fields.and_then(|fields| fields.get(name)).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn api_version(object: &Object) -> &str {
    nested_string(object, None, "apiVersion")
}

pub(super) fn kind(object: &Object) -> &str {
    nested_string(object, None, "kind")
}

pub(super) fn name(object: &Object) -> &str {
    nested_string(object, Some(METADATA), "name")
}

pub(super) fn namespace(object: &Object) -> &str {
    nested_string(object, Some(METADATA), "namespace")
}

const METADATA: &str = "metadata";

/// Sets `metadata.{name}`, or removes it if the value is empty. Leaves metadata that is not an
/// object alone.
pub(super) fn set_metadata(object: &mut Object, name: &str, value: &str) {
    if value.is_empty() {
        if let Some(Value::Object(metadata)) = object.get_mut(METADATA) {
            metadata.remove(name);
        }
        return;
    }
    let metadata = object.entry(METADATA).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(metadata) = metadata {
        metadata.insert(name.to_owned(), Value::from(value));
    }
}

/// Reports whether group, version and kind are all empty. An API version with two slashes has
/// neither group nor version.
pub(super) fn gvk_is_empty(object: &Object) -> bool {
    match api_version(object) {
        "" | "/" => kind(object).is_empty(),
        version => version.matches('/').count() > 1,
    }
}

/// Reports whether Kubernetes' codec accepts the object: it has a kind, and an API version that
/// parses.
fn has_kind(object: &Object) -> bool {
    !kind(object).is_empty() && api_version(object).matches('/').count() < 2
}

fn missing_kind(text: &str) -> fieldpath::Error {
    fieldpath::Error::new(format!("Object 'Kind' is missing in '{text}'"))
}

/// Does what `FromUnstructured` does to an object after a patch: a round trip through JSON, which
/// turns whole numbers into integers and requires a kind.
///
/// # Errors
/// `Object 'Kind' is missing in '…'`, or the object is nested too deeply.
pub(super) fn round_trip(
    object: &mut Object,
    normalized: &mut bool,
) -> Result<(), fieldpath::Error> {
    if !has_kind(object) {
        // Take it and put it back: only here is the text of the whole object needed.
        let whole = Value::Object(std::mem::take(object));
        let error = missing_kind(&json::marshal(&whole));
        if let Value::Object(fields) = whole {
            *object = fields;
        }
        return Err(error);
    }
    if !*normalized {
        fieldpath::normalize_object(object)?;
        *normalized = true;
    }
    Ok(())
}

/// Turns a template's base into a resource.
///
/// # Errors
/// The base is not an object, has no kind, or is nested too deeply.
pub(super) fn from_base(base: Value) -> Result<Object, fieldpath::Error> {
    let kind = match &base {
        Value::Object(fields) if has_kind(fields) => None,
        Value::Object(_) => return Err(missing_kind(&text::protojson(&base))),
        Value::Bool(_) => Some("bool"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
        Value::Null => Some("null"),
    };
    match (kind, base) {
        (None, Value::Object(mut fields)) => {
            fieldpath::normalize_object(&mut fields)?;
            Ok(fields)
        }
        (kind, _) => Err(fieldpath::Error::new(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            kind.unwrap_or_default()
        ))),
    }
}
