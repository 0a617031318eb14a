//! `convert`: from one type to another.

use serde_json::Value;

use super::{Result, TransformError, fail, float};
use crate::input::transforms::ConvertTransform;
use golang::{float_to_int, json, quantity, strconv, type_name};

pub(super) fn resolve(t: &ConvertTransform, input: Value) -> Result<Value> {
    let format = t.format.as_deref().unwrap_or("none");
    if !matches!(format, "none" | "quantity" | "json") {
        let format = strconv::quote(format);
        return fail(format!("format: Invalid value: {format}: invalid format"));
    }
    let to = match t.to_type.as_str() {
        // Two names for one type.
        "int" | "int64" => "int64",
        to @ ("string" | "bool" | "float64" | "object" | "array") => to,
        to => {
            let to = strconv::quote(to);
            return fail(format!("toType: Invalid value: {to}: invalid type"));
        }
    };
    let from = type_name(&input);
    if matches!(input, Value::Null | Value::Array(_) | Value::Object(_)) {
        return fail(format!("invalid input type {from}"));
    }
    if from == to {
        return Ok(input);
    }
    let text = |t: String| Ok(Value::String(t));
    match (&input, to, format) {
        (Value::String(s), _, _) => from_string(s, to, format),
        (Value::Bool(b), "string", "none") => text(b.to_string()),
        (Value::Bool(b), "int64", "none") => Ok(Value::from(i64::from(*b))),
        (Value::Bool(b), "float64", "none") => float(f64::from(u8::from(*b))),
        (Value::Number(n), _, "none") => match (n.as_i64(), to) {
            (Some(int), "string") => text(int.to_string()),
            (Some(int), "bool") => Ok(Value::Bool(int == 1)),
            (Some(int), "float64") => float(int as f64),
            (None, "string") => text(strconv::format_float(as_float(n), 'f', None)),
            (None, "bool") => Ok(Value::Bool(as_float(n) == 1.0)),
            (None, "int64") => Ok(Value::from(float_to_int(as_float(n)))),
            _ => unsupported(from, to, format),
        },
        _ => unsupported(from, to, format),
    }
}

fn as_float(n: &serde_json::Number) -> f64 {
    n.as_f64().unwrap_or(f64::NAN)
}

fn unsupported(from: &str, to: &str, format: &str) -> Result<Value> {
    fail(format!("conversion from {from} to {to} is not supported with format {format}"))
}

fn from_string(s: &str, to: &str, format: &str) -> Result<Value> {
    let error = |e: strconv::NumError| TransformError::new(e.to_string());
    match (to, format) {
        ("int64", "none") => strconv::parse_int(s).map(Value::from).map_err(error),
        ("bool", "none") => strconv::parse_bool(s).map(Value::from).map_err(error),
        ("float64", "none") => strconv::parse_float(s).map_err(error).and_then(float),
        ("float64", "quantity") => match quantity::parse_to_float(s) {
            Ok(value) => float(value),
            Err(text) => fail(text),
        },
        ("object", "json") => {
            json::unmarshal(s, Some("map[string]interface {}")).map_err(TransformError::new)
        }
        ("array", "json") => {
            json::unmarshal(s, Some("[]interface {}")).map_err(TransformError::new)
        }
        _ => unsupported("string", to, format),
    }
}
