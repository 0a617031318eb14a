//! Did anything change that has nothing to do with the claim?

use kube_object::object::{Fields, escaped};
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Check;

/// Label of the namespaces that runs of `eds verify` and of the testbed's proofs create. What is in
/// them comes and goes with another run.
pub const RUN_LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "eds");

/// Everything that existed at one moment: `kind namespace/name` to its UID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, String>);

impl Snapshot {
    /// Takes those of `namespaces`, and of the `objects` of all kinds examined, that count.
    ///
    /// Not counted: what is already being deleted; what is in a run's namespace ([`RUN_LABEL`]), or
    /// was composed for a claim in one; pods of Jobs, which end by themselves.
    #[must_use]
    pub fn of(namespaces: &[Value], objects: &[Value]) -> Self {
        let (key, value) = RUN_LABEL;
        let key = format!("/metadata/labels/{}", escaped(key));
        let runs: BTreeSet<&str> =
            namespaces.iter().filter(|n| n.text(&key) == value).map(Fields::name).collect();
        let counts = |object: &&Value| {
            let claim = "/metadata/labels/crossplane.io~1claim-namespace";
            let of_run = runs.contains(object.text("/metadata/namespace"))
                || runs.contains(object.text(claim));
            let of_job = object.list("/metadata/ownerReferences").any(|o| o.text("/kind") == "Job");
            !of_run && !of_job && object.at("/metadata/deletionTimestamp").is_none()
        };
        let entry = |object: &Value| {
            let place = match object.text("/metadata/namespace") {
                "" => object.name().to_owned(),
                namespace => format!("{namespace}/{}", object.name()),
            };
            let key = format!("{} {place}", object.text("/kind"));
            (key, object.text("/metadata/uid").to_owned())
        };
        Self(objects.iter().filter(counts).map(entry).collect())
    }
}

/// Returns what is gone, what was replaced under the same name, and what is new.
#[must_use]
pub fn check(before: &Snapshot, after: &Snapshot) -> Check {
    const NAME: &str = "nothing else changed";
    let (Snapshot(before), Snapshot(after)) = (before, after);
    let mut found = Vec::new();
    for (what, uid) in before {
        match after.get(what) {
            None => found.push(format!("gone: {what}")),
            Some(now) if now != uid => found.push(format!("another of the same name: {what}")),
            Some(_) => {}
        }
    }
    found.extend(after.keys().filter(|k| !before.contains_key(*k)).map(|k| format!("new: {k}")));
    if found.is_empty() {
        let detail = format!("{} objects outside of this run, each the same", before.len());
        return Check::passed(NAME, detail);
    }
    let fix = "was something else at work in the cluster meanwhile? Run it again; else somebody \
               selects more than the claim's own objects";
    let mut found = found.into_iter();
    Check::failed(NAME, found.next().unwrap_or_default(), fix).with(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Status;

    fn object(kind: &str, place: &str, uid: &str) -> Value {
        let (namespace, name) = place.split_once('/').unwrap_or(("", place));
        json!({"kind": kind, "metadata": {"namespace": namespace, "name": name, "uid": uid}})
    }

    #[test]
    fn what_counts() {
        let namespaces = [
            json!({"metadata": {"name": "run", "labels": {"app.kubernetes.io/managed-by": "eds"}}}),
            json!({"metadata": {"name": "eds-mine"}}),
        ];
        let check = |object: Value, expected: &[&str]| {
            let found = Snapshot::of(&namespaces, &[object]);
            assert_eq!(found.0.keys().collect::<Vec<_>>(), expected);
        };
        let with = |mut object: Value, key: &str, value: Value| {
            object["metadata"][key] = value;
            object
        };
        check(object("Pod", "a/p", "1"), &["Pod a/p"]);
        check(object("Object", "o", "1"), &["Object o"]);
        // By its label, not by its name.
        check(object("Secret", "eds-mine/s", "1"), &["Secret eds-mine/s"]);
        check(object("Secret", "run/s", "1"), &[]);
        let composed = json!({"crossplane.io/claim-namespace": "run"});
        check(with(object("Object", "o", "1"), "labels", composed), &[]);
        let composed = json!({"crossplane.io/claim-namespace": "a"});
        check(with(object("Object", "o", "1"), "labels", composed), &["Object o"]);
        check(with(object("Pod", "a/p", "1"), "deletionTimestamp", json!("now")), &[]);
        check(with(object("Pod", "a/p", "1"), "ownerReferences", json!([{"kind": "Job"}])), &[]);
    }

    #[test]
    fn what_changed() {
        let check = |before: &[(&str, &str)], after: &[(&str, &str)], expected: &[&str]| {
            let snapshot = |objects: &[(&str, &str)]| {
                let objects: Vec<Value> =
                    objects.iter().map(|(place, uid)| object("Secret", place, uid)).collect();
                Snapshot::of(&[], &objects)
            };
            let found = super::check(&snapshot(before), &snapshot(after));
            let failed = found.status == Status::Failed;
            let whole = found.whole();
            let lines: Vec<&str> = if failed { whole.lines().collect() } else { Vec::new() };
            assert_eq!(lines, expected);
        };
        check(&[("a/s", "1")], &[("a/s", "1")], &[]);
        check(&[("a/s", "1")], &[], &["gone: Secret a/s"]);
        check(&[("a/s", "1")], &[("a/s", "2")], &["another of the same name: Secret a/s"]);
        check(&[], &[("a/s", "1")], &["new: Secret a/s"]);
        check(
            &[("a/s", "1"), ("b/s", "1")],
            &[("a/t", "1"), ("b/s", "1")],
            &["gone: Secret a/s", "new: Secret a/t"],
        );
    }
}
