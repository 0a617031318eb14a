//! Decodes the input from the wire's JSON, with the errors of upstream's decoder.
//!
//! Upstream prints the input with `protojson` (sorted keys) and reads it with
//! `go-json-experiment/json`, rejecting unknown names. So names are matched exactly, null is the
//! zero value of everything, and only the first error by key order is reported. Its messages begin
//! with `cannot` or `unable to` at random; ours always with `cannot`.

use std::fmt;

use serde_json::{Map, Value};

use super::connection::{ConnectionDetail, WriteConnectionSecretToRef};
use super::decode_transforms::transform;
use super::metadata;
use super::patches::{
    Combine, CombineVariable, ComposedPatch, ConnectionSecretPatch, EnvironmentPatch, Patch,
    PatchPolicy, PatchSetPatch, StringCombine,
};
use super::resources::{
    ComposedTemplate, Environment, MatchConditionReadinessCheck, PatchSet, ReadinessCheck,
    Resources,
};
use crate::fieldpath;
use crate::text::{number, protojson_string};

/// Why the input is not `Resources`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(String);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}

pub(super) type Decoded<T> = Result<T, DecodeError>;

/// Decodes the input of one step. A missing input is an empty one.
///
/// # Errors
/// `json: cannot unmarshal JSON string into Go value of type int64`, and the like.
pub fn resources(input: Map<String, Value>) -> Decoded<Resources> {
    let mut out = Resources::default();
    fields(Value::Object(input), "v1beta1.Resources", |name, value| {
        match name {
            "apiVersion" | "kind" => drop(string(value, "string")?),
            "metadata" => metadata::object_meta(value)?,
            "patchSets" => out.patch_sets = list(value, "v1beta1.PatchSet", patch_set)?,
            "environment" => out.environment = option(value, environment)?,
            "resources" => {
                out.resources = list(value, "v1beta1.ComposedTemplate", composed_template)?;
            }
            "writeConnectionSecretToRef" => {
                out.write_connection_secret_to_ref = option(value, write_connection_secret_to_ref)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn composed_template(value: Value) -> Decoded<ComposedTemplate> {
    let mut out = ComposedTemplate::default();
    fields(value, "v1beta1.ComposedTemplate", |name, value| {
        match name {
            "name" => out.name = string(value, "string")?,
            "base" => out.base = option(value, Ok)?,
            "patches" => out.patches = list(value, "v1beta1.ComposedPatch", composed_patch)?,
            "connectionDetails" => {
                out.connection_details =
                    list(value, "v1beta1.ConnectionDetail", connection_detail)?;
            }
            "readinessChecks" => {
                out.readiness_checks = list(value, "v1beta1.ReadinessCheck", readiness_check)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn connection_detail(value: Value) -> Decoded<ConnectionDetail> {
    let mut out = ConnectionDetail::default();
    fields(value, "v1beta1.ConnectionDetail", |name, value| {
        match name {
            "name" => out.name = string(value, "string")?,
            "type" => out.type_ = string(value, "v1beta1.ConnectionDetailType")?,
            "fromConnectionSecretKey" => out.from_connection_secret_key = text(value)?,
            "fromFieldPath" => out.from_field_path = text(value)?,
            "value" => out.value = text(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn readiness_check(value: Value) -> Decoded<ReadinessCheck> {
    let mut out = ReadinessCheck::default();
    fields(value, "v1beta1.ReadinessCheck", |name, value| {
        match name {
            "type" => out.type_ = string(value, "v1beta1.ReadinessCheckType")?,
            "fieldPath" => out.field_path = text(value)?,
            "matchString" => out.match_string = text(value)?,
            "matchInteger" => out.match_integer = option(value, |v| integer(v, "int64"))?,
            "matchCondition" => out.match_condition = option(value, match_condition)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn match_condition(value: Value) -> Decoded<MatchConditionReadinessCheck> {
    let mut out = MatchConditionReadinessCheck::default();
    fields(value, "v1beta1.MatchConditionReadinessCheck", |name, value| {
        match name {
            "type" => out.type_ = string(value, "v2.ConditionType")?,
            "status" => out.status = string(value, "v1.ConditionStatus")?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn patch_set(value: Value) -> Decoded<PatchSet> {
    let mut out = PatchSet::default();
    fields(value, "v1beta1.PatchSet", |name, value| {
        match name {
            "name" => out.name = string(value, "string")?,
            "patches" => out.patches = list(value, "v1beta1.PatchSetPatch", patch_set_patch)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn environment(value: Value) -> Decoded<Environment> {
    let mut out = Environment::default();
    fields(value, "v1beta1.Environment", |name, value| {
        match name {
            "patches" => out.patches = list(value, "v1beta1.EnvironmentPatch", environment_patch)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn write_connection_secret_to_ref(value: Value) -> Decoded<WriteConnectionSecretToRef> {
    let mut out = WriteConnectionSecretToRef::default();
    fields(value, "v1beta1.WriteConnectionSecretToRef", |name, value| {
        match name {
            "name" => out.name = string(value, "string")?,
            "namespace" => out.namespace = string(value, "string")?,
            "patches" => {
                out.patches =
                    list(value, "v1beta1.ConnectionSecretPatch", connection_secret_patch)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn composed_patch(value: Value) -> Decoded<ComposedPatch> {
    let mut out = ComposedPatch::default();
    fields(value, "v1beta1.ComposedPatch", |name, value| {
        match name {
            "type" => out.type_ = string(value, PATCH_TYPE)?,
            "patchSetName" => out.patch_set_name = text(value)?,
            _ => return patch(&mut out.patch, name, value),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn patch_set_patch(value: Value) -> Decoded<PatchSetPatch> {
    let (type_, patch) = typed_patch(value, "v1beta1.PatchSetPatch")?;
    Ok(PatchSetPatch { type_, patch })
}

fn environment_patch(value: Value) -> Decoded<EnvironmentPatch> {
    let (type_, patch) = typed_patch(value, "v1beta1.EnvironmentPatch")?;
    Ok(EnvironmentPatch { type_, patch })
}

fn connection_secret_patch(value: Value) -> Decoded<ConnectionSecretPatch> {
    let (type_, patch) = typed_patch(value, "v1beta1.ConnectionSecretPatch")?;
    Ok(ConnectionSecretPatch { type_, patch })
}

const PATCH_TYPE: &str = "v1beta1.PatchType";

fn typed_patch(value: Value, go_type: &str) -> Decoded<(String, Patch)> {
    let (mut type_, mut out) = (String::new(), Patch::default());
    fields(value, go_type, |name, value| {
        if name == "type" {
            type_ = string(value, PATCH_TYPE)?;
            return Ok(true);
        }
        patch(&mut out, name, value)
    })?;
    Ok((type_, out))
}

/// Decodes one field of the struct that every kind of patch embeds.
fn patch(out: &mut Patch, name: &str, value: Value) -> Decoded<bool> {
    match name {
        "fromFieldPath" => out.from_field_path = text(value)?,
        "combine" => out.combine = option(value, combine)?,
        "toFieldPath" => out.to_field_path = text(value)?,
        "transforms" => out.transforms = list(value, "v1beta1.Transform", transform)?,
        "policy" => out.policy = option(value, policy)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn policy(value: Value) -> Decoded<PatchPolicy> {
    let mut out = PatchPolicy::default();
    fields(value, "v1beta1.PatchPolicy", |name, value| {
        match name {
            "fromFieldPath" => out.from_field_path = named(value, "v1beta1.FromFieldPathPolicy")?,
            "toFieldPath" => out.to_field_path = named(value, "v1beta1.ToFieldPathPolicy")?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn combine(value: Value) -> Decoded<Combine> {
    let mut out = Combine::default();
    fields(value, "v1beta1.Combine", |name, value| {
        match name {
            "variables" => {
                out.variables = list(value, "v1beta1.CombineVariable", combine_variable)?;
            }
            "strategy" => out.strategy = string(value, "v1beta1.CombineStrategy")?,
            "string" => out.string = option(value, string_combine)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn combine_variable(value: Value) -> Decoded<CombineVariable> {
    let mut out = CombineVariable::default();
    only(value, "v1beta1.CombineVariable", "fromFieldPath", &mut out.from_field_path)?;
    Ok(out)
}

fn string_combine(value: Value) -> Decoded<StringCombine> {
    let mut out = StringCombine::default();
    only(value, "v1beta1.StringCombine", "fmt", &mut out.format)?;
    Ok(out)
}

/// Passes the members of an object to `set`, sorted by name; `set` reports whether it knows the
/// name.
pub(super) fn fields(
    value: Value,
    go_type: &str,
    mut set: impl FnMut(&str, Value) -> Decoded<bool>,
) -> Decoded<()> {
    match value {
        Value::Null => Ok(()),
        Value::Object(members) => members.into_iter().try_for_each(|(name, member)| {
            if set(&name, member)? {
                return Ok(());
            }
            let name = protojson_string(&name);
            Err(error(format!("Go value of type {go_type}: unknown name {name}")))
        }),
        other => Err(mismatch(&other, go_type)),
    }
}

/// Decodes a struct with a single string field.
pub(super) fn only(value: Value, go_type: &str, field: &str, out: &mut String) -> Decoded<()> {
    fields(value, go_type, |name, value| {
        if name == field {
            *out = string(value, "string")?;
        }
        Ok(name == field)
    })
}

/// Decodes a slice of `element`; null is an empty one.
pub(super) fn list<T>(
    value: Value,
    element: &str,
    decode: fn(Value) -> Decoded<T>,
) -> Decoded<Vec<T>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.into_iter().map(decode).collect(),
        other => Err(mismatch(&other, &format!("[]{element}"))),
    }
}

/// Decodes a pointer: null is nil.
pub(super) fn option<T>(
    value: Value,
    decode: impl FnOnce(Value) -> Decoded<T>,
) -> Decoded<Option<T>> {
    if value.is_null() { Ok(None) } else { decode(value).map(Some) }
}

/// Decodes a string type; null is empty.
pub(super) fn string(value: Value, go_type: &str) -> Decoded<String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        other => Err(mismatch(&other, go_type)),
    }
}

pub(super) fn text(value: Value) -> Decoded<Option<String>> {
    named(value, "string")
}

pub(super) fn named(value: Value, go_type: &str) -> Decoded<Option<String>> {
    option(value, |value| string(value, go_type))
}

/// Decodes a signed 64-bit integer; null is zero. The text must be an integer's digits, not `1e3`.
pub(super) fn integer(value: Value, go_type: &str) -> Decoded<i64> {
    let Value::Number(n) = &value else {
        return if value.is_null() { Ok(0) } else { Err(mismatch(&value, go_type)) };
    };
    let digits = number(n);
    digits.parse().map_err(|_| {
        let why = if digits.contains(['.', 'e']) { "invalid syntax" } else { "value out of range" };
        with_cause(&value, go_type, &format!("cannot parse \"{digits}\" as signed integer: {why}"))
    })
}

/// Decodes what Kubernetes calls `apiextensions.JSON`: read later by `encoding/json`, which makes
/// all numbers floats.
pub(super) fn raw(value: Value) -> Decoded<Value> {
    fieldpath::floats(&value).map_err(|e| DecodeError(format!("json: {e}")))
}

/// Reports a value of a kind that the Go type cannot hold.
pub(super) fn mismatch(value: &Value, go_type: &str) -> DecodeError {
    error(format!("JSON {} into Go value of type {go_type}", json_kind(value)))
}

/// [`mismatch`], with the error of the type's own decoder.
pub(super) fn with_cause(value: &Value, go_type: &str, cause: &str) -> DecodeError {
    error(format!("JSON {} into Go value of type {go_type}: {cause}", json_kind(value)))
}

fn error(what: String) -> DecodeError {
    DecodeError(format!("json: cannot unmarshal {what}"))
}

fn json_kind(value: &Value) -> &'static str {
    if value.is_boolean() { "boolean" } else { kind(value) }
}

/// Names a value's kind as `encoding/json` does.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
