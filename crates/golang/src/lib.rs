//! Go's standard library, and Kubernetes' quantities, where their behaviour reaches users.
//!
//! In and out: plain values and texts. It must not know Kubernetes' objects or Crossplane.
//!
//! Upstream formats, parses and hashes with Go's packages, and their texts reach users. Each
//! module here names the package whose behaviour it has; `tests/golang` holds what Go 1.26 said.

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

/// The name `%T` prints for a value as Go's `encoding/json` and `unstructured` hold it.
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

/// How deep a value may nest before Go's behaviour is given up for safety.
pub const MAX_DEPTH: usize = 1000;

/// Object entries in the order Go prints them.
pub fn sorted(object: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_unstable_by_key(|&(key, _)| key);
    entries
}

/// `int64(f)` as Go compiles it for amd64: what does not fit is the smallest integer.
pub fn float_to_int(f: f64) -> i64 {
    // 2^63 itself does not fit; a double has no value between it and i64::MAX.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f) {
        f as i64
    } else {
        i64::MIN
    }
}
