//! Whether an observed composed resource is ready. Mirrors `ready.go`.

use serde_json::Value;

use super::input::resources::ReadinessCheck;
use super::time;
use crate::fieldpath::{self, Error, normalize_number};
use crate::protocol::Object;

/// Why readiness is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotChecked {
    /// Upstream reports a warning, and the resource is not ready.
    Warning(Error),
    /// Upstream crashes on such input; the function fails with this message.
    Fatal(Error),
}

/// Reports whether all checks pass or, if there are none, whether the condition `Ready` is `True`.
///
/// # Errors
/// A field exists but has another type.
pub fn is_ready(object: &Object, checks: &[ReadinessCheck]) -> Result<bool, NotChecked> {
    if checks.is_empty() {
        return Ok(condition_status(object, "Ready") == "True");
    }
    for (i, check) in checks.iter().enumerate() {
        let context = format!("cannot run readiness check at index {i}");
        let Some(ready) = run(check, object) else {
            let text = "matchCondition: Required value: cannot be nil for type MatchCondition";
            return Err(NotChecked::Fatal(Error::new(text).wrap(context)));
        };
        if !ready.map_err(|error| NotChecked::Warning(error.wrap(context)))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs one check. Returns `None` for a `MatchCondition` without a condition.
fn run(check: &ReadinessCheck, object: &Object) -> Option<Result<bool, Error>> {
    let path = check.field_path.as_deref().unwrap_or_default();
    let wrong = |kind: &str| Err(Error::new(format!("{path}: not a {kind}")));
    let found = match check.type_.as_str() {
        "None" => return Some(Ok(true)),
        "MatchCondition" => {
            let condition = check.match_condition.as_ref()?;
            return Some(Ok(condition_status(object, &condition.type_) == condition.status));
        }
        _ => fieldpath::get_value(object, path),
    };
    let value = match found {
        Ok(value) => value.unwrap_or(&Value::Null),
        Err(error) if error.is_not_found() => return Some(Ok(false)),
        Err(error) => return Some(Err(error)),
    };
    Some(match (check.type_.as_str(), value) {
        ("NonEmpty", _) => Ok(true),
        ("MatchString", Value::String(text)) => Ok(check.match_string.as_ref() == Some(text)),
        ("MatchString", _) => wrong("string"),
        // Upstream reads numbers from the wire as float64, so none ever matches.
        ("MatchInteger", _) => wrong("(int64) number"),
        ("MatchTrue", Value::Bool(value)) => Ok(*value),
        ("MatchFalse", Value::Bool(value)) => Ok(!*value),
        ("MatchTrue" | "MatchFalse", _) => wrong("bool"),
        _ => Ok(false),
    })
}

/// Returns the status of a condition: `Unknown` if there is none of that type, and an empty string
/// if Kubernetes' decoder would not read the conditions at all.
fn condition_status<'o>(object: &'o Object, type_: &str) -> &'o str {
    match object.get("status") {
        Some(Value::Object(status)) => match status.get("conditions") {
            None | Some(Value::Null) => "Unknown",
            Some(Value::Array(conditions)) if conditions.iter().all(is_condition) => conditions
                .iter()
                .find(|condition| field(condition, "type") == type_)
                .map_or("Unknown", |condition| field(condition, "status")),
            Some(_) => "",
        },
        Some(Value::Null) => "Unknown",
        _ => "",
    }
}

fn field<'v>(condition: &'v Value, name: &str) -> &'v str {
    condition.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Reports whether the value decodes as a condition: null is an empty one, and unknown fields do
/// not matter.
fn is_condition(value: &Value) -> bool {
    let Value::Object(fields) = value else { return value.is_null() };
    fields.iter().all(|(name, value)| match (name.as_str(), value) {
        (_, Value::Null) => true,
        ("type" | "status" | "reason" | "message", value) => value.is_string(),
        ("lastTransitionTime", Value::String(text)) => time::check_rfc3339(text).is_ok(),
        ("lastTransitionTime", _) => false,
        ("observedGeneration", Value::Number(number)) => {
            number.is_i64() || normalize_number(number).is_some()
        }
        ("observedGeneration", _) => false,
        _ => true,
    })
}
