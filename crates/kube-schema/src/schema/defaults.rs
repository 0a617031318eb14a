//! What the API server fills in and removes before it validates.
//!
//! Source: `k8s.io/apiextensions-apiserver` 0.34 `pkg/apiserver/schema/defaulting` (`Default`,
//! `PruneNonNullableNullsWithoutDefaults`) and `pruning` (`prune`, `skipPrune`), in the order of
//! `customresource_handler.go`: defaults, then unknown fields, then nulls.

use serde_json::Value;

use super::structural::{Additional, Schema};
use kube_object::path::{At, Path};

const TYPE_AND_METADATA: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// How many bytes of defaults one object may take. The API server reads no object over 3 MiB, and
/// etcd accepts none over 1.5.
pub(super) const MAX_DEFAULTED: usize = 4 << 20;

/// Fills in defaults, including those below other defaults. A null where none is allowed counts as
/// absent. Returns `false` if the defaults exceed [`MAX_DEFAULTED`]; some are missing then.
pub(super) fn apply_defaults(value: &mut Value, schema: &Schema) -> bool {
    let mut left = MAX_DEFAULTED;
    fill(value, schema, &mut left);
    left > 0
}

fn fill(value: &mut Value, schema: &Schema, left: &mut usize) {
    let null = |value: &Value, schema: &Schema| value.is_null() && !schema.nullable;
    match value {
        Value::Object(object) => {
            for key in &schema.defaulted {
                let Some(property) = schema.property(key) else { continue };
                let Some(default) = &property.default else { continue };
                if object.get(key).is_none_or(|v| null(v, property))
                    && take(default, key.len(), left)
                {
                    object.insert(key.clone(), default.clone());
                }
            }
            for (key, value) in object {
                let Some(child) = schema.child(key) else { continue };
                if !schema.properties.contains_key(key)
                    && null(value, child)
                    && let Some(default) = &child.default
                    && take(default, 0, left)
                {
                    *value = default.clone();
                }
                fill(value, child, left);
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.items() else { return };
            for item in items {
                if null(item, schema)
                    && let Some(default) = &schema.default
                    && take(default, 0, left)
                {
                    *item = default.clone();
                }
                fill(item, schema, left);
            }
        }
        _ => {}
    }
}

/// Subtracts the size of a default and its key from what is left; returns whether it was enough.
fn take(default: &Value, key: usize, left: &mut usize) -> bool {
    if *left > 0 {
        *left = left.saturating_sub(key + size(default));
    }
    *left > 0
}

fn size(value: &Value) -> usize {
    const NODE: usize = 16;
    match value {
        Value::String(text) => NODE + text.len(),
        Value::Array(items) => NODE + items.iter().map(size).sum::<usize>(),
        Value::Object(object) => {
            NODE + object.iter().map(|(key, value)| key.len() + size(value)).sum::<usize>()
        }
        _ => NODE,
    }
}

/// Removes nulls where none is allowed and there is no default. Calls `found` for each null that is
/// not kept, with whether a default replaces it.
pub(super) fn drop_nulls(
    value: &mut Value,
    schema: Option<&Schema>,
    at: &At<'_>,
    found: &mut dyn FnMut(Path, bool),
) {
    match value {
        Value::Object(object) => object.retain(|key, value| {
            let child = schema.and_then(|s| s.child(key));
            let default = child.is_some_and(|c| c.default.is_some());
            let refused = value.is_null() && child.is_some_and(|c| !c.nullable);
            let at = at.key(key);
            if refused {
                found(at.path(), default);
            } else if !value.is_null() {
                drop_nulls(value, child, &at, found);
            }
            !refused || default
        }),
        Value::Array(items) => {
            let schema = schema.and_then(|s| s.items());
            for (i, item) in items.iter_mut().enumerate() {
                drop_nulls(item, schema, &at.index(i), found);
            }
        }
        _ => {}
    }
}

/// Removes fields that the schema does not know. Calls `unknown` with each, and with the schema
/// that does not know it.
pub(super) fn prune(
    value: &mut Value,
    schema: Option<&Schema>,
    root: bool,
    at: &At<'_>,
    unknown: &mut dyn FnMut(Path, Option<&Schema>),
) {
    match value {
        Value::Object(object) => object.retain(|key, value| {
            let embedded = root || schema.is_some_and(|s| s.embedded);
            if embedded && TYPE_AND_METADATA.contains(&key.as_str()) {
                return true;
            }
            let at = at.key(key);
            if let Some(child) = schema.and_then(|s| s.child(key)) {
                prune(value, Some(child), false, &at, unknown);
                return true;
            }
            if schema.is_some_and(|s| s.preserve_unknown) {
                return true;
            }
            if schema.is_some_and(|s| matches!(s.additional, Additional::Allowed)) {
                prune(value, None, false, &at, unknown);
                return true;
            }
            unknown(at.path(), schema);
            false
        }),
        Value::Array(items) => {
            let (preserve, schema) = match schema {
                Some(s) => (s.preserve_unknown, s.items()),
                None => (false, None),
            };
            if preserve && schema.is_none() {
                return;
            }
            for (i, item) in items.iter_mut().enumerate() {
                prune(item, schema, false, &at.index(i), unknown);
            }
        }
        _ => {}
    }
}
