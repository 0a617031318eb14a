//! `map` and `match`: values chosen by the input.

use serde_json::{Number, Value};

use super::{GoOn, Result, TransformError, fail, stopped};
use crate::input::transforms::{MapTransform, MatchTransform, MatchTransformPattern};
use golang::{regexp, type_name};

/// Decodes a value from the input's JSON. Go reads it without a type, so every number is a float.
fn decoded(value: &Value) -> Value {
    match value {
        Value::Number(n) => n.as_f64().and_then(Number::from_f64).map_or(Value::Null, Value::from),
        Value::Array(items) => items.iter().map(decoded).collect(),
        Value::Object(object) => object.iter().map(|(k, v)| (k.clone(), decoded(v))).collect(),
        _ => value.clone(),
    }
}

pub(super) fn map(t: &MapTransform, input: &Value) -> Result<Value> {
    let Value::String(key) = input else {
        return fail(format!("type {} is not supported for map transform", type_name(input)));
    };
    match t.pairs.get(key) {
        // Null leaves Go with no bytes to read.
        Some(Value::Null) => Err(TransformError::wrap(
            format!("value for key {key} is not valid JSON"),
            "unexpected end of JSON input",
        )),
        Some(value) => Ok(decoded(value)),
        None => fail(format!("key {key} is not found in map")),
    }
}

pub(super) fn match_(t: &MatchTransform, input: Value, go_on: GoOn<'_>) -> Result<Value> {
    for (i, pattern) in t.patterns.iter().enumerate() {
        let matched = matches(pattern, &input, go_on).map_err(|cause| {
            TransformError::wrap(format!("cannot match pattern at index {i}"), cause)
        })?;
        if matched {
            return Ok(decoded(&pattern.result));
        }
    }
    if t.fallback_to == "Input" {
        if !t.fallback_value.is_null() {
            return fail("cannot set both a fallback value and the fallback to input flag");
        }
        return Ok(input);
    }
    Ok(decoded(&t.fallback_value))
}

fn matches(pattern: &MatchTransformPattern, input: &Value, go_on: GoOn<'_>) -> Result<bool> {
    let unsupported = |found: &str| fail(format!("unsupported input type '{found}'"));
    match pattern.type_.as_str() {
        "literal" => {
            let Some(literal) = &pattern.literal else {
                return fail("literal is required by type literal");
            };
            match input {
                Value::String(text) => Ok(text == literal),
                _ => unsupported(type_name(input)),
            }
        }
        "regexp" => {
            let Some(source) = &pattern.regexp else {
                return fail("regexp is required by type regexp");
            };
            let regexp = regexp::compile(source)
                .map_err(|cause| TransformError::wrap("cannot compile regexp", cause))?;
            match input {
                Value::String(text) => regexp.matches(text, go_on).map_err(stopped),
                Value::Null => unsupported("null"),
                _ => unsupported(type_name(input)),
            }
        }
        other => fail(format!("unsupported pattern type '{other}'")),
    }
}
