//! Reading objects of Kubernetes that are plain JSON: what the API server answered, what a file says.

use serde_json::{Map, Value};

/// A JSON object; its keys are sorted.
pub type Object = Map<String, Value>;

/// The string at a JSON pointer; empty where there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a JSON pointer; 0 where there is none.
pub fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The items of the list at a JSON pointer.
pub fn list<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// The object of this name.
pub fn named<'a>(objects: &'a [Value], wanted: &str) -> Option<&'a Value> {
    objects.iter().find(|object| name(object) == wanted)
}

/// One entry of `status.conditions`.
#[derive(Debug, Clone, Copy)]
pub struct Condition<'a> {
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// One word, such as `MinimumReplicasUnavailable`.
    pub reason: &'a str,
    message: &'a str,
}

impl<'a> Condition<'a> {
    /// The condition of this type, if the object has one.
    #[must_use]
    pub fn of(object: &'a Value, type_: &str) -> Option<Self> {
        let found = list(object, "/status/conditions").find(|c| text(c, "/type") == type_)?;
        let (status, reason) = (text(found, "/status"), text(found, "/reason"));
        Some(Self { status, reason, message: text(found, "/message") })
    }

    /// Its message, or its reason where it has none.
    pub fn why(self) -> &'a str {
        if self.message.is_empty() { self.reason } else { self.message }
    }
}

/// None where the condition is True; else why not.
pub fn unless_true(object: &Value, type_: &str) -> Option<String> {
    match Condition::of(object, type_) {
        Some(c) if c.status == "True" => None,
        Some(c) => Some(format!("{type_} is {}: {}", c.status, c.why())),
        None => Some(format!("it has no condition {type_} yet")),
    }
}

/// `3 pods`, `1 pod`.
pub fn count(number: i64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
