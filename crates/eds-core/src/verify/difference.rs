//! Where a live object says other than the manifest it was made of.

use serde_json::Value;

use crate::golang::quantity;

/// The places, each with both values: `spec.replicas: rendered 1, live 2`.
///
/// What only the live object has is no difference: the API server's defaults, and what controllers
/// write. Quantities are compared as such, because the API server writes `2000m` as `2`.
#[must_use]
pub fn differences(rendered: &Value, live: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(rendered, live, "", &mut found);
    found
}

fn compare(rendered: &Value, live: &Value, path: &str, found: &mut Vec<String>) {
    match (rendered, live) {
        (Value::Object(rendered), Value::Object(live)) => {
            for (key, value) in rendered {
                let quoted = key.contains(['.', '/']);
                let path = match (path, quoted) {
                    (_, true) => format!("{path}[{key:?}]"),
                    ("", false) => key.clone(),
                    (_, false) => format!("{path}.{key}"),
                };
                match live.get(key) {
                    Some(live) => compare(value, live, &path, found),
                    // The API server drops what is empty.
                    None if is_empty(value) => {}
                    None => found.push(format!("{path}: rendered {value}, live has none")),
                }
            }
        }
        (Value::Array(rendered), Value::Array(live)) if rendered.len() == live.len() => {
            for (i, (rendered, live)) in rendered.iter().zip(live).enumerate() {
                compare(rendered, live, &format!("{path}[{i}]"), found);
            }
        }
        (rendered, live) if rendered == live || same_quantity(path, rendered, live) => {}
        (rendered, live) => found.push(format!("{path}: rendered {rendered}, live {live}")),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Null => true,
        _ => false,
    }
}

/// Whether both are the same amount of CPU or memory.
pub(super) fn same_quantity(path: &str, one: &Value, other: &Value) -> bool {
    let is_resource = path.contains("resources.limits") || path.contains("resources.requests");
    let amount = |value: &Value| quantity::parse_to_float(value.as_str()?).ok();
    is_resource && amount(one).is_some_and(|one| amount(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_that_differ() {
        let check = |rendered: Value, live: Value, expected: &[&str]| {
            assert_eq!(differences(&rendered, &live), expected);
        };
        check(json!({"a": 1}), json!({"a": 1, "status": {}}), &[]);
        check(json!({"a": 1}), json!({"a": 2}), &["a: rendered 1, live 2"]);
        check(json!({"a": {"b": 1}}), json!({}), &[r#"a: rendered {"b":1}, live has none"#]);
        check(json!({"a": [], "b": null}), json!({}), &[]);
        check(json!({"a": [1, 2]}), json!({"a": [1]}), &["a: rendered [1,2], live [1]"]);
        check(json!({"a": [{"b": 1}]}), json!({"a": [{"b": 2}]}), &["a[0].b: rendered 1, live 2"]);
        check(
            json!({"l": {"x.io/y": "a"}}),
            json!({"l": {"x.io/y": "b"}}),
            &[r#"l["x.io/y"]: rendered "a", live "b""#],
        );
        let cpu = |text: &str| json!({"resources": {"limits": {"cpu": text}}});
        check(cpu("2000m"), cpu("2"), &[]);
        check(cpu("2000m"), cpu("3"), &[r#"resources.limits.cpu: rendered "2000m", live "3""#]);
        check(
            json!({"cpu": "2000m"}),
            json!({"cpu": "2"}),
            &[r#"cpu: rendered "2000m", live "2""#],
        );
    }
}
