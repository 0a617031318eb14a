//! How numbers change as upstream passes them through JSON text.
//!
//! The wire carries doubles, and upstream keeps what it reads from it as `float64`. A round trip
//! through Kubernetes' JSON codec turns each number whose text is an integer that fits into an
//! `int64`. The difference shows when `%d` prints it or an appended array is compared with it.

use serde_json::{Map, Number, Value};

use super::{Error, MAX_DEPTH};

/// Copies `value` with every number a float, as the wire's `Struct.AsMap` gives it.
///
/// # Errors
/// The value is nested deeper than [`MAX_DEPTH`].
pub fn floats(value: &Value) -> Result<Value, Error> {
    copy(value, MAX_DEPTH)
}

fn copy(value: &Value, depth: usize) -> Result<Value, Error> {
    Ok(match value {
        Value::Number(number) => float(number).map_or(Value::Null, Value::Number),
        Value::Array(items) => {
            let depth = depth.checked_sub(1).ok_or_else(Error::too_deep)?;
            Value::Array(items.iter().map(|item| copy(item, depth)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let depth = depth.checked_sub(1).ok_or_else(Error::too_deep)?;
            let fields = fields.iter().map(|(key, field)| Ok((key.clone(), copy(field, depth)?)));
            Value::Object(fields.collect::<Result<_, Error>>()?)
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    })
}

/// Turns every number in `object` into a float, in place.
///
/// # Errors
/// A value is nested deeper than [`MAX_DEPTH`].
pub fn to_floats(object: &mut Map<String, Value>) -> Result<(), Error> {
    walk_object(object, MAX_DEPTH, float)
}

/// Turns every number whose Go JSON text is an integer that fits an `i64` into one, in place.
///
/// # Errors
/// The value is nested deeper than [`MAX_DEPTH`].
pub fn normalize(value: &mut Value) -> Result<(), Error> {
    walk(value, MAX_DEPTH, normalize_number)
}

/// Applies [`normalize`] to all fields of an object.
///
/// # Errors
/// A value is nested deeper than [`MAX_DEPTH`].
pub fn normalize_object(object: &mut Map<String, Value>) -> Result<(), Error> {
    walk_object(object, MAX_DEPTH, normalize_number)
}

/// Applies [`normalize`] within the depth that is left below a path of `segments` segments.
pub(crate) fn normalize_below(value: &mut Value, segments: usize) -> Result<(), Error> {
    let depth = MAX_DEPTH.checked_sub(segments).ok_or_else(Error::too_deep)?;
    walk(value, depth, normalize_number)
}

/// Returns a changed number, or `None` if it stays.
type Change = fn(&Number) -> Option<Number>;

fn walk(value: &mut Value, depth: usize, change: Change) -> Result<(), Error> {
    match value {
        Value::Number(number) => {
            if let Some(changed) = change(number) {
                *number = changed;
            }
        }
        Value::Array(items) => {
            let depth = depth.checked_sub(1).ok_or_else(Error::too_deep)?;
            for item in items {
                walk(item, depth, change)?;
            }
        }
        Value::Object(fields) => walk_object(fields, depth, change)?,
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    Ok(())
}

fn walk_object(fields: &mut Map<String, Value>, depth: usize, change: Change) -> Result<(), Error> {
    let depth = depth.checked_sub(1).ok_or_else(Error::too_deep)?;
    fields.values_mut().try_for_each(|field| walk(field, depth, change))
}

fn float(number: &Number) -> Option<Number> {
    number.as_f64().and_then(Number::from_f64)
}

/// Returns the integer that `number`'s Go JSON text reads as, or `None` if it stays as it is.
#[must_use]
pub fn normalize_number(number: &Number) -> Option<Number> {
    /// Below this, a whole double is its own shortest text.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.is_i64() {
        return None;
    }
    let float = number.as_f64()?;
    if float.fract() != 0.0 {
        return None;
    }
    if float.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Some(Number::from(float as i64));
    }
    // Like Rust, Go writes the shortest digits and pads with zeros, up to 1e21.
    if float.abs() < 1e21 { float.to_string().parse::<i64>().ok().map(Number::from) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(value: Value, expect: Value) {
        let mut got = value.clone();
        normalize(&mut got).unwrap();
        assert_eq!(got, expect, "{value}");
    }

    #[test]
    fn whole_numbers_become_integers() {
        check(json!(3.0), json!(3));
        check(json!(-0.0), json!(0));
        check(json!(3.5), json!(3.5));
        check(json!(1e20), json!(1e20));
        // The shortest text of -2^63 is padded to more than an i64 holds.
        check(json!(-9_223_372_036_854_775_808.0), json!(-9_223_372_036_854_775_808.0));
        check(json!(9_223_372_036_854_775_808.0), json!(9_223_372_036_854_775_808.0));
        // The shortest text that reads back as 2^62 ends in zeros.
        check(json!(4_611_686_018_427_387_904.0), json!(4_611_686_018_427_388_000_i64));
        check(json!({"a": [1.0, {"b": 2.0}]}), json!({"a": [1, {"b": 2}]}));
    }

    #[test]
    fn integers_become_floats() {
        let got = floats(&json!({"a": [1, {"b": 2}], "c": "3"})).unwrap();
        assert_eq!(got, json!({"a": [1.0, {"b": 2.0}], "c": "3"}));
    }

    #[test]
    fn depth_is_bounded() {
        let nest = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(normalize(&mut nest(MAX_DEPTH)).is_ok());
        let error = normalize(&mut nest(MAX_DEPTH + 1)).unwrap_err();
        assert_eq!(error.to_string(), "exceeded max depth");
        assert!(floats(&nest(MAX_DEPTH)).is_ok());
        assert!(floats(&nest(MAX_DEPTH + 1)).is_err());
    }
}
