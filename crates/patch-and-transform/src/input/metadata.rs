//! The input's object metadata: nothing uses it, but upstream's decoder rejects mistakes in it.
//! Mirrors `metav1.ObjectMeta` of apimachinery v0.35.3.

use serde_json::Value;

use super::decode::{Decoded, fields, integer, kind, list, mismatch, option, string, with_cause};
use crate::time;

pub(super) fn object_meta(value: Value) -> Decoded<()> {
    fields(value, "v1.ObjectMeta", |name, value| {
        match name {
            "name" | "generateName" | "namespace" | "selfLink" | "resourceVersion" => text(value)?,
            "uid" => uid(value)?,
            "generation" | "deletionGracePeriodSeconds" => drop(integer(value, "int64")?),
            "creationTimestamp" | "deletionTimestamp" => timestamp(value)?,
            "labels" | "annotations" => strings(value)?,
            "ownerReferences" => drop(list(value, "v1.OwnerReference", owner_reference)?),
            "finalizers" => drop(list(value, "string", text)?),
            "managedFields" => drop(list(value, "v1.ManagedFieldsEntry", managed_fields)?),
            _ => return Ok(false),
        }
        Ok(true)
    })
}

fn owner_reference(value: Value) -> Decoded<()> {
    fields(value, "v1.OwnerReference", |name, value| {
        match name {
            "apiVersion" | "kind" | "name" => text(value)?,
            "uid" => uid(value)?,
            "controller" | "blockOwnerDeletion" => drop(option(value, boolean)?),
            _ => return Ok(false),
        }
        Ok(true)
    })
}

fn managed_fields(value: Value) -> Decoded<()> {
    fields(value, "v1.ManagedFieldsEntry", |name, value| {
        match name {
            "manager" | "apiVersion" | "fieldsType" | "subresource" => text(value)?,
            "operation" => drop(string(value, "v1.ManagedFieldsOperationType")?),
            "time" => timestamp(value)?,
            "fieldsV1" => {}
            _ => return Ok(false),
        }
        Ok(true)
    })
}

fn text(value: Value) -> Decoded<()> {
    string(value, "string").map(drop)
}

fn uid(value: Value) -> Decoded<()> {
    string(value, "types.UID").map(drop)
}

fn boolean(value: Value) -> Decoded<()> {
    if value.is_boolean() { Ok(()) } else { Err(mismatch(&value, "bool")) }
}

fn strings(value: Value) -> Decoded<()> {
    match value {
        Value::Null => Ok(()),
        Value::Object(members) => members.into_iter().try_for_each(|(_, member)| text(member)),
        other => Err(mismatch(&other, "map[string]string")),
    }
}

fn timestamp(value: Value) -> Decoded<()> {
    match &value {
        Value::Null => Ok(()),
        Value::String(text) => {
            time::check_rfc3339(text).map_err(|cause| with_cause(&value, "v1.Time", &cause))
        }
        other => {
            let cause =
                format!("json: cannot unmarshal {} into Go value of type string", kind(other));
            Err(with_cause(other, "v1.Time", &cause))
        }
    }
}
