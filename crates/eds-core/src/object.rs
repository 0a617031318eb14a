//! Reading objects of Kubernetes that are plain JSON: what the API server answered, what a file says.

use serde_json::Value;

/// The string at a JSON pointer; empty where there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a JSON pointer; 0 where there is none.
pub(crate) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The items of the list at a JSON pointer.
pub(crate) fn list<'a>(
    object: &'a Value,
    pointer: &str,
) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// The object of this name.
pub(crate) fn named<'a>(objects: &'a [Value], wanted: &str) -> Option<&'a Value> {
    objects.iter().find(|object| name(object) == wanted)
}

/// One entry of `status.conditions`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Condition<'a> {
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    message: &'a str,
}

impl<'a> Condition<'a> {
    pub(crate) fn of(object: &'a Value, type_: &str) -> Option<Self> {
        let found = list(object, "/status/conditions").find(|c| text(c, "/type") == type_)?;
        let (status, reason) = (text(found, "/status"), text(found, "/reason"));
        Some(Self { status, reason, message: text(found, "/message") })
    }

    /// Its message, or its reason where it has none.
    pub(crate) fn why(self) -> &'a str {
        if self.message.is_empty() { self.reason } else { self.message }
    }
}

/// None where the condition is True; else why not.
pub(crate) fn unless_true(object: &Value, type_: &str) -> Option<String> {
    match Condition::of(object, type_) {
        Some(c) if c.status == "True" => None,
        Some(c) => Some(format!("{type_} is {}: {}", c.status, c.why())),
        None => Some(format!("it has no condition {type_} yet")),
    }
}

/// `3 pods`, `1 pod`.
pub(crate) fn count(number: i64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
