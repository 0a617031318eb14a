//! Connection details, and the Secret that holds them for Crossplane v2 composites. Mirrors
//! `connection.go`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::input::connection::{ConnectionDetail, WriteConnectionSecretToRef};
use super::input::patches::{COMBINE_FROM_COMPOSITE, FROM_COMPOSITE, type_or_default};
use super::patches::{Source, Target, apply_combine, apply_from_field_path};
use super::unstructured::{name, namespace, set_metadata};
use crate::fieldpath::{self, Error};
use crate::protocol::{GoOn, Object, Resource};
use golang::{base64, json};

/// Connection details: raw bytes by key.
pub(super) type Details = BTreeMap<String, Vec<u8>>;

/// Adds to `details` what the templates' configuration takes from an observed resource. Skips what
/// does not exist yet.
pub(super) fn extract(observed: &Resource, configs: &[ConnectionDetail], details: &mut Details) {
    for config in configs {
        let value = match config.type_.as_str() {
            "FromValue" => config.value.as_ref().map(|value| value.clone().into_bytes()),
            "FromConnectionSecretKey" => {
                let key = config.from_connection_secret_key.as_ref();
                key.and_then(|key| observed.connection_details.get(key)).cloned()
            }
            "FromFieldPath" => {
                let path = config.from_field_path.as_deref();
                path.and_then(|path| from_field_path(observed.resource.as_ref(), path))
            }
            _ => None,
        };
        if let Some(value) = value {
            details.insert(config.name.clone(), value);
        }
    }
}

/// Returns a string field as it is, and any other value as JSON.
fn from_field_path(object: Option<&Object>, path: &str) -> Option<Vec<u8>> {
    let empty = Object::new();
    match fieldpath::get_value(object.unwrap_or(&empty), path).ok()? {
        Some(Value::String(text)) => Some(text.clone().into_bytes()),
        Some(value) => Some(json::marshal(&fieldpath::floats(value).ok()?).into_bytes()),
        None => Some(b"null".to_vec()),
    }
}

/// Reports whether Crossplane itself keeps the composite's connection details. Crossplane v2 does
/// not; its composites have a `spec.crossplane`.
pub(super) fn are_supported(composite: &Object) -> bool {
    fieldpath::get_value(composite, "spec.crossplane").is_err()
}

/// Composes the Secret with the composite's connection details.
///
/// # Errors
/// A patch of its reference cannot be applied.
pub(super) fn compose_secret(
    composite: &Object,
    details: &Details,
    input: Option<&WriteConnectionSecretToRef>,
    go_on: GoOn<'_>,
) -> Result<Object, Error> {
    let reference = secret_ref(composite, input, go_on)
        .map_err(|e| e.wrap("cannot generate connection secret reference"))?;
    let data: Map<_, _> =
        details.iter().map(|(key, value)| (key.clone(), json!(base64::encode(value)))).collect();
    let mut secret = Object::new();
    secret.insert("apiVersion".to_owned(), json!("v1"));
    secret.insert("kind".to_owned(), json!("Secret"));
    set_metadata(&mut secret, "name", &reference.name);
    set_metadata(&mut secret, "namespace", &reference.namespace);
    secret.insert("data".to_owned(), Value::Object(data));
    secret.insert("type".to_owned(), json!("connection.crossplane.io/v1alpha1"));
    Ok(secret)
}

/// The Secret's name and namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct SecretRef {
    name: String,
    namespace: String,
}

/// Returns the composite's own reference, the input's, or one made from the composite's name;
/// patched.
fn secret_ref(
    composite: &Object,
    input: Option<&WriteConnectionSecretToRef>,
    go_on: GoOn<'_>,
) -> Result<SecretRef, Error> {
    let mut reference = match (own_ref(composite), input) {
        (Some(own), _) => own,
        (None, Some(input)) if !input.name.is_empty() || !input.namespace.is_empty() => {
            SecretRef { name: input.name.clone(), namespace: input.namespace.clone() }
        }
        _ => SecretRef {
            name: format!("{}-connection", name(composite)),
            namespace: namespace(composite).to_owned(),
        },
    };
    if let Some(input) = input
        && !input.patches.is_empty()
    {
        apply_patches(composite, &mut reference, input, go_on)
            .map_err(|e| e.wrap("cannot apply connection secret patches"))?;
    }
    Ok(reference)
}

/// Returns the composite's `spec.writeConnectionSecretToRef`, if it decodes as a reference.
fn own_ref(composite: &Object) -> Option<SecretRef> {
    let value = fieldpath::get_value(composite, "spec.writeConnectionSecretToRef").ok()??;
    let text = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => None,
    };
    match value {
        Value::Null => Some(SecretRef::default()),
        Value::Object(_) => Some(SecretRef { name: text("name")?, namespace: text("namespace")? }),
        _ => None,
    }
}

fn apply_patches(
    composite: &Object,
    reference: &mut SecretRef,
    input: &WriteConnectionSecretToRef,
    go_on: GoOn<'_>,
) -> Result<(), Error> {
    // The type and kind are made up: upstream's converter requires them.
    let mut target = Target { object: Object::new(), normalized: true, grown: 0 };
    for (key, value) in [
        ("apiVersion", "v1"),
        ("kind", "SecretReference"),
        ("name", &reference.name),
        ("namespace", &reference.namespace),
    ] {
        target.object.insert(key.to_owned(), json!(value));
    }
    for (i, p) in input.patches.iter().enumerate() {
        let type_ = type_or_default(&p.type_);
        let context = || format!("cannot apply patch type {type_} at index {i}");
        if !go_on() {
            return Err(Error::new("stopped"));
        }
        let from = Source::Wire(composite);
        match type_ {
            FROM_COMPOSITE => {
                // Any error is skipped here, not just a missing field.
                if let Err(error) = apply_from_field_path(&p.patch, from, &mut target, go_on)
                    && p.patch.from_policy() != "Optional"
                {
                    return Err(error.wrap(context()));
                }
            }
            COMBINE_FROM_COMPOSITE => apply_combine(&p.patch, type_, from, &mut target, go_on)
                .map_err(|error| error.wrap(context()))?,
            _ => {
                let text = format!("unsupported patch type {type_} at index {i}");
                return Err(Error::new(text));
            }
        }
    }
    for (key, field) in [("name", &mut reference.name), ("namespace", &mut reference.namespace)] {
        if let Some(Value::String(text)) = target.object.get(key) {
            field.clone_from(text);
        }
    }
    Ok(())
}
