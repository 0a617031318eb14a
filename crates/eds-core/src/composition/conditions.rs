//! Status conditions, as Crossplane's Go code reads and writes them.
//!
//! Source: Crossplane 2.3.4 `apis/core/v2/condition.go`, and the CLI's `render/output.go`.

use kube_object::object::{Fields, Object};
use serde_json::{Value, json};

use super::{put, within};

/// The time of every condition that is made here: rendering has no clock, and `crossplane
/// composition render` prints the same one.
pub(super) const TIME: &str = "2024-01-01T00:00:00Z";

/// Returns a condition.
pub(super) fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    let mut condition = json!({
        "lastTransitionTime": TIME,
        "reason": reason,
        "status": status,
        "type": type_,
    });
    if !message.is_empty() {
        put(&mut condition, "message", json!(message));
    }
    condition
}

/// The conditions of an object.
pub(super) struct Conditions(Vec<Value>);

impl Conditions {
    /// Reads `status.conditions`. What Go could not read counts as none.
    pub(super) fn of(object: &Object) -> Self {
        Self(object.get("status").and_then(typed).unwrap_or_default())
    }

    /// Replaces the condition of the same type, unless it says the same, or adds it.
    pub(super) fn set(&mut self, new: Value) {
        let is_same = |old: &Value| old.text("/type") == new.text("/type");
        match self.0.iter_mut().find(|old| is_same(old)) {
            Some(old) if says_the_same(old, &new) => {}
            Some(old) => *old = new,
            None => self.0.push(new),
        }
    }

    /// Writes them to `status.conditions`.
    pub(super) fn write(&self, object: &mut Object) {
        within(object, "status", |status| {
            status.insert("conditions".to_owned(), Value::Array(self.0.clone()));
        });
    }

    /// Returns the conditions.
    pub(super) fn into_iter(self) -> impl Iterator<Item = Value> {
        self.0.into_iter()
    }
}

fn says_the_same(a: &Value, b: &Value) -> bool {
    let generation = |condition: &Value| condition.number("/observedGeneration");
    ["/status", "/reason", "/message"].iter().all(|field| a.text(field) == b.text(field))
        && (generation(a) == 0 || generation(b) == 0 || generation(a) == generation(b))
}

/// Gives the conditions of an object the one time that every rendering prints, and their typed
/// form: fields that conditions do not have are dropped, and a status without any has a null.
pub(super) fn at_one_time(object: &mut Object) {
    let Some(status) = object.get("status") else { return };
    let Some(conditions) = typed(status) else { return };
    let has_any = status.get("conditions").is_some_and(|found| !found.is_null());
    let conditions = conditions.into_iter().map(|mut condition| {
        put(&mut condition, "lastTransitionTime", json!(TIME));
        condition
    });
    let conditions = if has_any { conditions.collect() } else { Value::Null };
    within(object, "status", |status| {
        status.insert("conditions".to_owned(), conditions);
    });
}

/// Reads the conditions of a status; `None` if it has another shape.
pub(crate) fn typed(status: &Value) -> Option<Vec<Value>> {
    if status.is_null() {
        return Some(Vec::new());
    }
    let list = match status.as_object()?.get("conditions") {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return None,
    };
    list.iter().map(one).collect()
}

fn one(condition: &Value) -> Option<Value> {
    let empty = Object::new();
    let fields = match condition {
        Value::Null => &empty,
        Value::Object(fields) => fields,
        _ => return None,
    };
    let text = |key: &str| match fields.get(key) {
        None | Some(Value::Null) => Some(""),
        Some(Value::String(text)) => Some(text.as_str()),
        Some(_) => None,
    };
    let time = text("lastTransitionTime")?;
    if !time.is_empty() {
        patch_and_transform::time::check_rfc3339(time).ok()?;
    }
    let generation = match fields.get("observedGeneration") {
        None | Some(Value::Null) => 0,
        Some(number) => number.as_i64()?,
    };
    let mut typed = json!({
        "lastTransitionTime": if time.is_empty() { Value::Null } else { json!(time) },
        "reason": text("reason")?,
        "status": text("status")?,
        "type": text("type")?,
    });
    let message = text("message")?;
    if !message.is_empty() {
        put(&mut typed, "message", json!(message));
    }
    if generation != 0 {
        put(&mut typed, "observedGeneration", json!(generation));
    }
    Some(typed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: Value, expect: Value) {
        let mut object = json!({ "status": status }).as_object().cloned().unwrap();
        at_one_time(&mut object);
        assert_eq!(object["status"], expect);
    }

    #[test]
    fn conditions_are_printed_as_the_command_of_crossplane_prints_them() {
        check(json!({"x": 1}), json!({"x": 1, "conditions": null}));
        check(json!({"conditions": []}), json!({"conditions": []}));
        check(json!("text"), json!("text"));
        check(json!({"conditions": "text"}), json!({"conditions": "text"}));
        check(
            json!({"conditions": [{"type": "Ready", "status": "True", "more": 1,
                "lastTransitionTime": "2020-01-02T03:04:05Z"}]}),
            json!({"conditions": [{"type": "Ready", "status": "True", "reason": "",
                "lastTransitionTime": TIME}]}),
        );
        let no_time = json!({"conditions": [{"type": "Ready", "lastTransitionTime": "yesterday"}]});
        check(no_time.clone(), no_time);
    }
}
