//! Merges a value into what is at a path. Mirrors `merge.go` and the parts of mergo v1.0.2 that it
//! uses.
//!
//! mergo's rules on JSON values, as read and measured:
//! - only objects merge; a destination that is empty (`""`, `0`, `false`, `[]`, `{}`, null) counts
//!   as absent;
//! - a null source is skipped, or stored when values are overwritten;
//! - arrays replace, append, or stay, by the options; they never merge element by element.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::paved::{get_segments, set_segments};
use super::{Error, parse};

/// How to merge. With both false, as in mergo's override, source values win.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeOptions {
    /// Whether values that exist in the destination stay.
    pub keep_map_values: bool,
    /// Whether source arrays are appended to the destination's, without what is already there.
    pub append_slice: bool,
}

/// Merges `value` into what is at `path`, then sets it. Without options it replaces.
///
/// # Errors
/// A malformed path, a path through something that is not a container, arrays appended to something
/// else, an index over [`MAX_INDEX`](super::MAX_INDEX), or nesting over
/// [`MAX_DEPTH`](super::MAX_DEPTH).
pub fn merge_value(
    object: &mut Map<String, Value>,
    path: &str,
    value: Value,
    options: Option<MergeOptions>,
) -> Result<(), Error> {
    let segments = parse(path)?;
    let Some(options) = options else {
        return set_segments(object, &segments, value);
    };
    let existing = match get_segments(object, &segments) {
        Ok(existing) => existing.cloned().unwrap_or_default(),
        Err(error) if error.is_not_found() => Value::Null,
        Err(error) => return Err(error),
    };
    let merged = merge(existing, value, options).map_err(|e| e.wrap("failed to merge values"))?;
    set_segments(object, &segments, merged)
}

fn merge(dst: Value, src: Value, options: MergeOptions) -> Result<Value, Error> {
    const ARG: &str = "arg";
    if dst.is_null() || src.is_null() {
        return Ok(src);
    }
    let src = match (&dst, src) {
        (Value::Array(old), Value::Array(new)) if options.append_slice => {
            let known: HashSet<&Value> = old.iter().collect();
            let fresh: Vec<_> = new.into_iter().filter(|item| !known.contains(item)).collect();
            // In Go this leaves a nil slice, and storing that over an empty array makes it null.
            if fresh.is_empty() {
                return Ok(if old.is_empty() { Value::Null } else { dst });
            }
            Value::Array(fresh)
        }
        (_, src) => src,
    };
    let mut wrapped = Map::from_iter([(ARG.to_owned(), dst)]);
    merge_objects(&mut wrapped, Map::from_iter([(ARG.to_owned(), src)]), options)?;
    Ok(wrapped.remove(ARG).unwrap_or_default())
}

fn merge_objects(
    dst: &mut Map<String, Value>,
    src: Map<String, Value>,
    options: MergeOptions,
) -> Result<(), Error> {
    let overwrite = !options.keep_map_values;
    for (key, new) in src {
        let old = dst.get_mut(&key);
        match (new, old) {
            (Value::Null, _) => {
                if overwrite {
                    dst.insert(key, Value::Null);
                }
            }
            (new, None) => {
                dst.insert(key, new);
            }
            (Value::Array(new), Some(old)) => {
                if options.append_slice {
                    append(old, new)?;
                } else if overwrite || is_empty(old) {
                    *old = Value::Array(new);
                }
            }
            (Value::Object(new), Some(Value::Object(old))) => {
                // Nulls alone leave an empty object empty, and an empty destination is then
                // replaced.
                if old.is_empty() && new.values().all(Value::is_null) {
                    *old = new;
                } else {
                    merge_objects(old, new, options)?;
                }
            }
            (new, Some(old)) => {
                if overwrite || is_empty(old) {
                    *old = new;
                }
            }
        }
    }
    Ok(())
}

fn append(old: &mut Value, new: Vec<Value>) -> Result<(), Error> {
    match old {
        Value::Array(items) => items.extend(new),
        Value::Null => *old = Value::Array(new),
        other => {
            return Err(Error::new(format!(
                "cannot append two slices with different type ([]interface {{}}, {})",
                go_type(other)
            )));
        }
    }
    Ok(())
}

/// mergo's `isEmptyValue` on JSON values.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// Returns what Go's reflection calls the type of a decoded JSON value.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OVERRIDE: MergeOptions = MergeOptions { keep_map_values: false, append_slice: false };
    const KEEP: MergeOptions = MergeOptions { keep_map_values: true, append_slice: false };
    const APPEND: MergeOptions = MergeOptions { keep_map_values: false, append_slice: true };
    const BOTH: MergeOptions = MergeOptions { keep_map_values: true, append_slice: true };

    fn check(dst: Value, src: Value, options: MergeOptions, expect: Result<Value, &str>) {
        let mut object = Map::from_iter([("v".to_owned(), dst.clone())]);
        let got = merge_value(&mut object, "v", src.clone(), Some(options));
        let got = got.map(|()| object["v"].clone()).map_err(|e| e.to_string());
        assert_eq!(got, expect.map_err(str::to_owned), "{dst} <- {src} {options:?}");
    }

    #[test]
    fn objects() {
        let (dst, src) = (json!({"a": 1, "n": {"x": 1}}), json!({"a": 2, "b": 3, "n": {"y": 2}}));
        let merged = |a| json!({"a": a, "b": 3, "n": {"x": 1, "y": 2}});
        check(dst.clone(), src.clone(), OVERRIDE, Ok(merged(2)));
        check(dst.clone(), src.clone(), APPEND, Ok(merged(2)));
        check(dst.clone(), src.clone(), KEEP, Ok(merged(1)));
        check(dst, src, BOTH, Ok(merged(1)));
    }

    #[test]
    fn arrays() {
        let (dst, src) = (json!([1, 2]), json!([2, 3]));
        check(dst.clone(), src.clone(), OVERRIDE, Ok(json!([2, 3])));
        check(dst.clone(), src.clone(), KEEP, Ok(json!([1, 2])));
        check(dst.clone(), src.clone(), APPEND, Ok(json!([1, 2, 3])));
        check(dst, src, BOTH, Ok(json!([1, 2, 3])));
        // Duplicates are only removed at the path itself.
        check(json!({"a": [1]}), json!({"a": [1, 2]}), APPEND, Ok(json!({"a": [1, 1, 2]})));
        // An integer and a float are different elements.
        check(json!([1.0]), json!([1]), APPEND, Ok(json!([1, 1])));
        // Both zeros of a float are equal; a new element stays as often as it occurs.
        check(
            json!([0.5]),
            json!([0.5, 1, 1, {"a": 0.5}]),
            APPEND,
            Ok(json!([0.5, 1, 1, {"a": 0.5}])),
        );
        check(json!([]), json!([]), APPEND, Ok(Value::Null));
        check(json!([1]), json!([]), APPEND, Ok(json!([1])));
        let text = "failed to merge values: cannot append two slices with different type \
                    ([]interface {}, string)";
        check(json!("s"), json!([1]), APPEND, Err(text));
    }

    /// Comparing every pair would take most of a minute here, and once did.
    #[test]
    fn long_arrays_are_appended_at_once() {
        let item = |n: usize| json!({"name": format!("n{n}"), "value": n});
        let list = |from: usize, to: usize| (from..to).map(item).collect::<Value>();
        check(list(0, 60_000), list(59_990, 120_000), APPEND, Ok(list(0, 120_000)));
    }

    #[test]
    fn empty_counts_as_absent() {
        for empty in [json!(0), json!(0.0), json!(""), json!(false), json!([]), json!({})] {
            check(
                json!({"a": empty, "b": 1}),
                json!({"a": "x"}),
                KEEP,
                Ok(json!({"a": "x", "b": 1})),
            );
        }
        check(json!({"a": 1}), json!({"a": null}), KEEP, Ok(json!({"a": 1})));
        check(json!({"a": 1}), json!({"a": null}), OVERRIDE, Ok(json!({"a": null})));
        check(json!({}), json!({"a": null}), KEEP, Ok(json!({"a": null})));
        check(json!({}), json!({"a": null, "b": 1}), KEEP, Ok(json!({"b": 1})));
        check(json!({}), json!({"a": null, "b": 1}), OVERRIDE, Ok(json!({"a": null, "b": 1})));
        check(Value::Null, json!(1), KEEP, Ok(json!(1)));
        check(json!(1), Value::Null, KEEP, Ok(Value::Null));
    }

    #[test]
    fn kinds_that_differ() {
        check(json!({"a": 1}), json!("s"), OVERRIDE, Ok(json!("s")));
        check(json!({"a": 1}), json!("s"), KEEP, Ok(json!({"a": 1})));
        check(json!("s"), json!({"a": 1}), KEEP, Ok(json!("s")));
        check(json!("s"), json!([1]), KEEP, Ok(json!("s")));
        check(json!("s"), json!([1]), OVERRIDE, Ok(json!([1])));
    }
}
