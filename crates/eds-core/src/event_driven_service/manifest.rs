//! Reading and changing Kubernetes manifests that are plain JSON.

use serde_json::{Map, Value};

use patch_and_transform::protocol::Object;

/// The kinds this step treats in their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deployment,
    ScaledObject,
    /// Anything else: ready as soon as it exists.
    Other,
}

impl Kind {
    pub(super) fn of(manifest: &Object) -> Self {
        let group = text(manifest, &["apiVersion"]).split('/').next().unwrap_or_default();
        match (group, text(manifest, &["kind"])) {
            ("apps", "Deployment") => Self::Deployment,
            ("keda.sh", "ScaledObject") => Self::ScaledObject,
            _ => Self::Other,
        }
    }
}

/// The value at a path of object keys.
pub(super) fn get<'a>(object: &'a Object, path: &[&str]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    let mut at = object;
    for key in parents {
        at = at.get(*key)?.as_object()?;
    }
    at.get(*last)
}

/// The string at a path; empty where there is none.
pub(super) fn text<'a>(object: &'a Object, path: &[&str]) -> &'a str {
    get(object, path).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a path.
pub(super) fn integer(object: &Object, path: &[&str]) -> Option<i64> {
    get(object, path).and_then(Value::as_i64)
}

/// The objects in the list at a path; nothing where there is no list.
pub(super) fn list<'a>(
    object: &'a Object,
    path: &[&str],
) -> impl Iterator<Item = &'a Object> + use<'a> {
    get(object, path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// The condition of a type in `status.conditions`.
pub(super) fn condition<'a>(object: &'a Object, type_: &str) -> Option<&'a Object> {
    list(object, &["status", "conditions"]).find(|c| text(c, &["type"]) == type_)
}

/// The object at a path, made where it is absent. An error where something else is in the way.
pub(super) fn object_mut<'a>(
    object: &'a mut Object,
    path: &[&str],
) -> Result<&'a mut Object, String> {
    let mut at = object;
    let mut walked = String::new();
    for key in path {
        if !walked.is_empty() {
            walked.push('.');
        }
        walked.push_str(key);
        let next = at.entry((*key).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        at = next.as_object_mut().ok_or_else(|| format!("{walked}: must be an object"))?;
    }
    Ok(at)
}

/// Sets a label on the metadata at a path.
pub(super) fn label(
    object: &mut Object,
    metadata: &[&str],
    key: &str,
    value: &str,
) -> Result<(), String> {
    let labels = object_mut(object_mut(object, metadata)?, &["labels"])?;
    labels.insert(key.to_owned(), Value::String(value.to_owned()));
    Ok(())
}
