//! How `eds doctor` and `eds verify` judge. Each case takes a healthy cluster, breaks one thing,
//! and names the one line that must say so; every other line must stay as it was, or be named too.

#![cfg(test)]

mod causes;
mod claim;
mod composition;
mod deployment;
mod forbidden;
mod platform;
mod production;
mod scaler;

use eds_verify::{Report, Status};
use serde_json::{Value, json};

/// Returns `section: name: status: detail` for every check that has not passed.
fn ailing(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for section in &report.sections {
        for check in section.checks.iter().filter(|c| c.status != Status::Passed) {
            let status = check.status.name();
            let whole = check.whole();
            lines.push(format!("{}: {}: {status}: {whole}", section.title, check.name));
            let needs_fix = matches!(check.status, Status::Failed | Status::Warning);
            assert_eq!(needs_fix, check.fix.as_ref().is_some_and(|f| !f.is_empty()), "{check:?}");
        }
    }
    lines
}

/// Checks that every line begins with one of `expected`, and that each of these is used.
#[track_caller]
fn says(report: &Report, expected: &[&str]) {
    let found = ailing(report);
    for line in &found {
        assert!(expected.iter().any(|e| line.starts_with(e)), "not expected: {line}");
    }
    for e in expected {
        assert!(found.iter().any(|line| line.starts_with(e)), "nothing says {e:?}: {found:#?}");
    }
}

/// Returns the value at a pointer, to change it.
#[track_caller]
fn at<'a>(object: &'a mut Value, pointer: &str) -> &'a mut Value {
    object.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"))
}

/// Removes the key at the end of a pointer.
fn remove(object: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    at(object, parent).as_object_mut().unwrap().remove(key).unwrap();
}

/// Conditions of these types, all True.
fn conditions(types: &[&str]) -> Value {
    types.iter().map(|type_| json!({"type": type_, "status": "True"})).collect()
}

/// A Function or Provider that is installed and healthy; its current revision is `NAME-1`.
fn package(name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"package": format!("xpkg.example.com/{name}:v1")},
        "status": {
            "currentRevision": format!("{name}-1"),
            "conditions": conditions(&["Installed", "Healthy"]),
        },
    })
}

/// The CompositionRevision that Crossplane made from the Composition event-driven-service.
fn revision(composition: &Value) -> Value {
    json!({
        "metadata": {
            "name": "event-driven-service-1",
            "labels": {"crossplane.io/composition-name": "event-driven-service"},
        },
        "spec": {"revision": 1, "pipeline": composition["spec"]["pipeline"]},
        "status": {"conditions": conditions(&["ValidPipeline"])},
    })
}
