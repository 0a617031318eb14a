//! Reads Kubernetes objects as plain JSON, from the API server or from files.
//!
//! Places are JSON pointers (RFC 6901), such as `/spec/template/spec/containers/0/image`. Missing
//! values read as empty: an empty text, 0, no items.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A JSON object; its keys are sorted.
pub type Object = Map<String, Value>;

/// Access to an object's fields.
pub trait Fields {
    /// Returns the value at a JSON pointer.
    fn at(&self, pointer: &str) -> Option<&Value>;

    /// Returns the text at a JSON pointer, or an empty text if there is none.
    fn text(&self, pointer: &str) -> &str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the integer at a JSON pointer.
    fn integer(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).and_then(Value::as_i64)
    }

    /// Returns the integer at a JSON pointer, or 0 if there is none, since Kubernetes omits zeros.
    fn number(&self, pointer: &str) -> i64 {
        self.integer(pointer).unwrap_or_default()
    }

    /// Reports whether the value at a JSON pointer is `true`.
    fn is_true(&self, pointer: &str) -> bool {
        self.at(pointer) == Some(&Value::Bool(true))
    }

    /// Returns the items of the list at a JSON pointer.
    fn list(&self, pointer: &str) -> std::slice::Iter<'_, Value> {
        self.at(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default().iter()
    }

    /// Returns the fields at a JSON pointer, if there is an object.
    fn object(&self, pointer: &str) -> Option<&Object> {
        self.at(pointer).and_then(Value::as_object)
    }

    /// Returns `metadata.name`.
    fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Returns `metadata.namespace`.
    fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    /// Returns the annotation with this key.
    fn annotation(&self, key: &str) -> Option<&str> {
        self.object("/metadata/annotations")?.get(key)?.as_str()
    }

    /// Returns the label with this key.
    fn label(&self, key: &str) -> Option<&str> {
        self.object("/metadata/labels")?.get(key)?.as_str()
    }

    /// Returns the reference to the owner that controls the object.
    fn controller(&self) -> Option<&Value> {
        self.list("/metadata/ownerReferences").find(|owner| owner.is_true("/controller"))
    }

    /// Returns the condition of this type in `status.conditions`.
    fn condition(&self, type_: &str) -> Option<Condition<'_>> {
        let found = self.list("/status/conditions").find(|c| c.text("/type") == type_)?;
        let (status, reason) = (found.text("/status"), found.text("/reason"));
        Some(Condition { status, reason, message: found.text("/message") })
    }

    /// Reports whether the condition of this type is True.
    fn is(&self, type_: &str) -> bool {
        self.condition(type_).is_some_and(|condition| condition.status == "True")
    }

    /// Returns why the condition of this type is not True, or `None` if it is.
    fn why_not(&self, type_: &str) -> Option<String> {
        match self.condition(type_) {
            Some(c) if c.status == "True" => None,
            Some(c) => Some(format!("{type_} is {}: {}", c.status, c.why())),
            None => Some(format!("it has no condition {type_} yet")),
        }
    }
}

impl Fields for Value {
    fn at(&self, pointer: &str) -> Option<&Value> {
        walk(self, tokens(pointer)?)
    }
}

impl Fields for Object {
    fn at(&self, pointer: &str) -> Option<&Value> {
        let mut tokens = tokens(pointer)?;
        walk(self.get(unescaped(tokens.next()?).as_ref())?, tokens)
    }
}

fn tokens(pointer: &str) -> Option<std::str::Split<'_, char>> {
    let mut tokens = pointer.split('/');
    // There must be nothing before the first slash.
    tokens.next().filter(|first| first.is_empty()).map(|_| tokens)
}

fn walk<'v, 'p>(value: &'v Value, mut tokens: impl Iterator<Item = &'p str>) -> Option<&'v Value> {
    tokens.try_fold(value, |value, token| match value {
        Value::Object(fields) => fields.get(unescaped(token).as_ref()),
        Value::Array(items) => items.get(token.parse::<usize>().ok()?),
        _ => None,
    })
}

fn unescaped(token: &str) -> Cow<'_, str> {
    match token.contains('~') {
        true => token.replace("~1", "/").replace("~0", "~").into(),
        false => token.into(),
    }
}

/// Escapes a key for a JSON pointer: `app.kubernetes.io~1name`.
#[must_use]
pub fn escaped(key: &str) -> Cow<'_, str> {
    match key.contains(['~', '/']) {
        true => key.replace('~', "~0").replace('/', "~1").into(),
        false => key.into(),
    }
}

/// Returns the object with this name.
#[must_use]
pub fn named<'a>(objects: &'a [Value], wanted: &str) -> Option<&'a Value> {
    objects.iter().find(|object| object.name() == wanted)
}

/// One entry of `status.conditions`.
#[derive(Debug, Clone, Copy)]
pub struct Condition<'a> {
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// One word, such as `MinimumReplicasUnavailable`.
    pub reason: &'a str,
    /// A sentence; may be empty.
    pub message: &'a str,
}

impl<'a> Condition<'a> {
    /// Returns its message, or its reason if it has no message.
    #[must_use]
    pub fn why(self) -> &'a str {
        if self.message.is_empty() { self.reason } else { self.message }
    }
}

/// Returns the group of an `apiVersion`; empty for the core group.
#[must_use]
pub fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Formats a count: `3 pods`, `1 pod`.
#[must_use]
pub fn count(number: i64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_are_read_as_json_pointers() {
        let object = json!({"a": {"b/c": [1, {"d~": "x"}], "": 2}, "01": 3});
        for pointer in [
            "",
            "/a",
            "/a/b~1c/0",
            "/a/b~1c/1/d~0",
            "/a/b~1c/2",
            "/a/",
            "/a/b",
            "a",
            "/01",
            "/a/b~1c/x",
        ] {
            assert_eq!(object.at(pointer), object.pointer(pointer), "{pointer:?}");
            let fields = object.as_object().unwrap();
            let of_fields = object.pointer(pointer).filter(|_| !pointer.is_empty());
            assert_eq!(fields.at(pointer), of_fields, "{pointer:?}");
        }
        assert_eq!(escaped("a/b~c"), "a~1b~0c");
    }

    #[test]
    fn conditions() {
        let check = |conditions: Value, expected: Option<&str>| {
            let object = json!({"status": {"conditions": conditions}});
            assert_eq!(object.why_not("Ready").as_deref(), expected);
            assert_eq!(object.is("Ready"), expected.is_none());
        };
        check(json!([{"type": "Ready", "status": "True"}]), None);
        check(json!([]), Some("it has no condition Ready yet"));
        check(json!("none"), Some("it has no condition Ready yet"));
        check(
            json!([{"type": "Ready", "status": "False", "reason": "R"}]),
            Some("Ready is False: R"),
        );
        check(
            json!([{"type": "Ready", "status": "False", "reason": "R", "message": "m"}]),
            Some("Ready is False: m"),
        );
    }
}
