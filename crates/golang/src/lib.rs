//! Go's standard library and Kubernetes' quantities, where their behaviour is visible to users.
//!
//! Takes and returns plain values and text. It must not know about Kubernetes objects or
//! Crossplane.
//!
//! Upstream formats, parses and hashes with Go's packages, and users see the results. Each module
//! names the package whose behaviour it reproduces; `tests/golang` holds what Go 1.26 returned.

pub mod base64;
pub mod fmt;
pub mod json;
pub mod quantity;
pub mod raw_bytes;
pub mod regexp;
pub mod strconv;
pub mod strings;
mod tables;

use serde_json::Value;

/// Returns the name that `%T` prints for a value held as Go's `encoding/json` and `unstructured`
/// hold it.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// The depth to which a value may nest before we stop following Go, for safety.
pub const MAX_DEPTH: usize = 1000;

/// Returns an object's entries in the order Go prints them.
pub fn sorted(object: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_unstable_by_key(|&(key, _)| key);
    entries
}

/// Converts as `int64(f)` does on amd64: a value that does not fit becomes the smallest integer.
pub fn float_to_int(f: f64) -> i64 {
    // 2^63 itself does not fit; a double has no value between it and i64::MAX.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f) {
        f as i64
    } else {
        i64::MIN
    }
}
