//! `math`: multiply and clamp.

use serde_json::Value;

use super::{Result, fail, float};
use crate::input::transforms::MathTransform;
use golang::{float_to_int, strconv, type_name};

pub(super) fn resolve(t: &MathTransform, input: Value) -> Result<Value> {
    let (field, operand) = match t.type_.as_str() {
        "Multiply" => ("multiply", t.multiply),
        "ClampMin" => ("clampMin", t.clamp_min),
        "ClampMax" => ("clampMax", t.clamp_max),
        "" => return fail("type: Required value: math transform type is required"),
        other => {
            let other = strconv::quote(other);
            return fail(format!("type: Invalid value: {other}: unknown math transform type"));
        }
    };
    let Some(operand) = operand else {
        let name = match field {
            "multiply" => "multiply",
            "clampMin" => "clamp min",
            _ => "clamp max",
        };
        let what = format!("must specify a value if a {name} math transform is specified");
        return fail(format!("{field}: Required value: {what}"));
    };
    let Value::Number(number) = &input else {
        let found = type_name(&input);
        return fail(format!("input is required to be a number for math transformer, got {found}"));
    };
    let as_float = number.as_f64().unwrap_or(f64::NAN);
    // A float is clamped by its integer part.
    let as_int = number.as_i64().unwrap_or_else(|| float_to_int(as_float));
    match field {
        "multiply" if number.is_i64() => Ok(Value::from(as_int.wrapping_mul(operand))),
        "multiply" => float(as_float * operand as f64),
        "clampMin" if as_int < operand => Ok(Value::from(operand)),
        "clampMax" if as_int > operand => Ok(Value::from(operand)),
        _ => Ok(input),
    }
}
