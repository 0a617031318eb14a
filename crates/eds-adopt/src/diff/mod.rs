//! What applying claims would change, field by field, in kubectl's direction: `-` as it is, `+` as
//! the claim has it.
//!
//! ```text
//! objects before, objects after -> pairs (same kind, namespace and name; or renamed) -> difference -> report
//! ```

mod left;
mod order;
mod report;
mod secret_changes;

use kube_object::object::Fields;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::reasons;
use crate::references::variable_at;
use kube_object::difference::{self, Options, State, pointer, recreates, restarts, shown};
use kube_object::path::Path;

pub use report::{json, markdown, summary, text};
pub use secret_changes::promise;

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Same,
    /// Some of its fields change.
    Changed,
    /// It is created.
    Made,
    /// An object with another name replaces it; whoever made it has to delete it.
    Renamed,
    /// It is deleted.
    Deleted,
}

impl Fate {
    /// Returns `same`, `changed`, `made`, `renamed` or `deleted`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Made => "made",
            Self::Renamed => "renamed",
            Self::Deleted => "deleted",
        }
    }
}

/// One field that changes.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where.
    pub path: String,
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// The present value, safe to show.
    pub before: Option<Value>,
    /// The claim's value, safe to show.
    pub after: Option<Value>,
    /// Whether this restarts every pod.
    pub restarts_pods: bool,
    /// Whether it is immutable, so that the object has to be recreated.
    pub recreates: bool,
    /// Why the platform differs here, if that is known.
    pub why: Option<&'static str>,
    /// What somebody has to take care of, because the worker loses this or gets it differently.
    pub todo: Option<&'static str>,
}

/// One object.
#[derive(Debug, Clone)]
pub struct ObjectDiff {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Its present name or, for an object to be created, its future name.
    pub name: String,
    /// The name that replaces it.
    pub new_name: Option<String>,
    /// What happens to it.
    pub fate: Fate,
    /// Its fields that change.
    pub changes: Vec<Change>,
    /// Patterns of the fields that stay the same: `spec.template.spec.containers[].image`.
    pub same: Vec<String>,
}

/// Everything that would change.
#[derive(Debug, Clone, Default)]
pub struct Diff {
    /// Objects, in the order of the claims.
    pub objects: Vec<ObjectDiff>,
    /// What else to know.
    pub notes: Vec<String>,
}

/// What the objects before are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Everything that the claims were composed to: what is no longer there is deleted with them.
    Claims,
    /// Manifests, some of which belong to others: those stay.
    Manifests,
    /// What the API server has, and what it would have: everything counts, nothing is filled in.
    Live,
}

impl Diff {
    /// Returns whether nothing would change.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.objects.iter().all(|object| object.fate == Fate::Same)
    }

    /// Returns whether every difference is explained and harmless to the worker, and nothing is
    /// deleted.
    #[must_use]
    pub fn is_explained(&self) -> bool {
        let explained = |change: &Change| change.why.is_some() && change.todo.is_none();
        self.objects
            .iter()
            .all(|object| object.fate != Fate::Deleted && object.changes.iter().all(explained))
    }

    /// Compares the present objects with what claims become.
    #[must_use]
    pub fn of(before: &[Value], after: &[Value], base: Base) -> Self {
        let mut diff = Self::default();
        let mut open: Vec<&Value> = before.iter().collect();
        let mut unmatched = Vec::new();
        let mut pairs: Vec<(Option<&Value>, &Value)> = Vec::new();
        for new in after {
            let exact = open.iter().position(|old| same_object(old, new) && !is_placeless(old));
            let at = exact.or_else(|| open.iter().position(|old| same_object(old, new)));
            match at {
                Some(at) => pairs.push((Some(open.remove(at)), new)),
                None => {
                    unmatched.push(pairs.len());
                    pairs.push((None, new));
                }
            }
        }
        // If one object of a kind is left on either side, it is the same thing under another name.
        for at in unmatched {
            let Some((slot, new)) = pairs.get_mut(at) else { continue };
            let of_kind = |object: &&Value| object.text("/kind") == new.text("/kind");
            let here = |object: &&&Value| of_kind(object) && same_namespace(object, new);
            let alone = after.iter().filter(of_kind).count() == 1;
            let mut left = open.iter().filter(here);
            if let (true, Some(old), None) = (alone, left.next().copied(), left.next()) {
                *slot = Some(old);
                open.retain(|other| !std::ptr::eq(*other, old));
            }
        }
        // Only the Deployment can say what a Service means by the name of a port.
        let ports = pairs.iter().filter_map(|(old, new)| {
            let old = old.filter(|_| new.text("/kind") == "Deployment")?;
            let ports = difference::named_ports(old).into_iter();
            let ports = ports.map(|(name, port)| (name.to_owned(), port.clone())).collect();
            Some((service(new), ports))
        });
        let ports: HashMap<(&str, &str), BTreeMap<String, Value>> = ports.collect();
        for (old, new) in &pairs {
            let ports = ports.get(&service(new)).cloned().unwrap_or_default();
            let settled = secret_changes::settled(*old, new);
            diff.objects.push(object(*old, settled.as_ref().unwrap_or(new), ports, base));
        }
        for change in diff.objects.iter().flat_map(|object| &object.changes) {
            if change.why == Some(order::WHY) {
                diff.notes.push(format!("{}: {}", change.path, order::WHY));
            }
            if change.path.contains(secret_changes::SECRETS_VERSION) && change.restarts_pods {
                diff.notes.extend(change.why.map(str::to_owned));
            }
        }
        // The same name in another namespace is another object.
        for old in open.iter().filter(|_| base == Base::Manifests) {
            let is_same_text = |new: &&Value, pointer| old.text(pointer) == new.text(pointer);
            if after
                .iter()
                .any(|new| is_same_text(&new, "/kind") && is_same_text(&new, "/metadata/name"))
            {
                let ObjectDiff { kind, namespace, name, .. } = named(old);
                diff.notes.push(format!(
                    "{kind} {namespace}/{name} stands in another namespace than the claim: it is \
                        another object, and stays"
                ));
            }
        }
        let deleted = |old: &&Value| base == Base::Claims || left::is_claims(old, after);
        let (gone, stays): (Vec<&Value>, Vec<&Value>) = match base {
            Base::Live => (Vec::new(), Vec::new()),
            _ => open.into_iter().partition(deleted),
        };
        diff.notes.extend(left::notes(&stays, &pairs));
        diff.objects
            .extend(gone.into_iter().map(|old| ObjectDiff { fate: Fate::Deleted, ..named(old) }));
        diff
    }
}

fn same_object(old: &Value, new: &Value) -> bool {
    let is_same_text = |pointer| old.text(pointer) == new.text(pointer);
    is_same_text("/kind") && is_same_text("/metadata/name") && same_namespace(old, new)
}

/// Reports whether an object has no namespace: it goes where it is applied.
fn is_placeless(object: &Value) -> bool {
    object.namespace().is_empty()
}

fn same_namespace(old: &Value, new: &Value) -> bool {
    is_placeless(old) || old.namespace() == new.namespace()
}

/// Returns the service that an object belongs to: namespace and name.
fn service(object: &Value) -> (&str, &str) {
    let text_at = |pointer| object.text(pointer);
    (text_at("/metadata/namespace"), text_at("/metadata/labels/app.kubernetes.io~1name"))
}

fn named(object: &Value) -> ObjectDiff {
    let owned = |pointer| object.text(pointer).to_owned();
    ObjectDiff {
        kind: owned("/kind"),
        namespace: owned("/metadata/namespace"),
        name: owned("/metadata/name"),
        new_name: None,
        fate: Fate::Same,
        changes: Vec::new(),
        same: Vec::new(),
    }
}

fn object(
    old: Option<&Value>,
    new: &Value,
    ports: BTreeMap<String, Value>,
    base: Base,
) -> ObjectDiff {
    let nothing = Value::Object(serde_json::Map::new());
    let before = old.unwrap_or(&nothing);
    let mut diff = named(old.unwrap_or(new));
    let options = Options { renamed: renamed(before, new), ports };
    for row in difference::compare(before, new, &options) {
        let place = row.path.pattern();
        let is_server = reasons::server(&diff.kind, &place, row.before.or(row.after)).is_some();
        let unsaid = place == "metadata.namespace" && row.before.is_none() && old.is_some();
        // KEDA owns the number of pods; nobody else changes it.
        let scaled = place == "spec.replicas" && diff.kind == "Deployment" && row.after.is_none();
        if row.state == State::Same {
            diff.same.extend(old.is_some().then_some(place));
            continue;
        }
        if is_server || unsaid || scaled {
            continue;
        }
        let role = difference::place(before, &row.path, &place, &options.renamed);
        let reason = match row.state {
            State::Changed => reasons::replaced(&diff.kind, &role),
            State::Removed if comes_from_elsewhere(before, new, &row.path, &role) => {
                Some(reasons::OTHER_SOURCE)
            }
            State::Removed => reasons::lost(&diff.kind, &role),
            _ => reasons::added(&diff.kind, &place),
        };
        let own = if row.before.is_some() { before } else { new };
        let after = row
            .after
            .or(row.default.as_ref().filter(|_| row.before.is_some() && base != Base::Live));
        diff.changes.push(Change {
            path: row.path.to_string(),
            pointer: pointer(&row.path),
            before: row.before.map(|value| shown(own, &row.path, value)),
            after: after.map(|value| shown(own, &row.path, value)),
            restarts_pods: old.is_some() && restarts(&diff.kind, &place),
            recreates: old.is_some() && recreates(&diff.kind, &place, row.before),
            why: reason.map(|(why, _)| why),
            todo: reason
                .and_then(|(_, todo)| todo)
                .filter(|_| row.state != State::Added && is_workers(&diff.kind, &role)),
        });
    }
    diff.changes.extend(order::changes(before, new, &options.renamed));
    diff.fate = match old {
        None => Fate::Made,
        Some(old) if old.text("/metadata/name") != new.text("/metadata/name") => {
            diff.new_name = Some(new.text("/metadata/name").to_owned());
            Fate::Renamed
        }
        Some(_) if diff.changes.is_empty() => Fate::Same,
        Some(_) => Fate::Changed,
    };
    diff
}

/// Reports whether the worker gets a variable's value from elsewhere: from a Secret, and not as
/// plain text.
fn comes_from_elsewhere(before: &Value, new: &Value, path: &Path, role: &str) -> bool {
    if !role.starts_with("main.env[].") && !role.starts_with("init.env[].") {
        return false;
    }
    let name = variable_at(before, path).unwrap_or_default();
    let main = new.at("/spec/template/spec/containers/0").unwrap_or(&Value::Null);
    main.list("/env").any(|entry| entry.text("/name") == name)
}

/// Reports whether what is lost or replaced here is the worker's own, not just a name others know
/// it by. `role` is a place of [`difference::place`].
fn is_workers(kind: &str, role: &str) -> bool {
    let named = matches!(role, "metadata.name" | "main.name" | "init.name")
        || role.contains("metadata.labels")
        || role.starts_with("spec.selector")
        || role.contains("metadata.annotations") && kind != "ServiceAccount";
    matches!(kind, "Deployment" | "ServiceAccount" | "ScaledObject") && !named
}

/// Returns the containers that became the claim's: the only one, or the first if none has its name.
fn renamed(before: &Value, new: &Value) -> BTreeMap<String, String> {
    let names = |object: &Value, list: &str| -> Vec<String> {
        let list = object.at(&format!("/spec/template/spec/{list}")).and_then(Value::as_array);
        let names = list.into_iter().flatten().map(|container| container.text("/name").to_owned());
        names.collect()
    };
    let mut renamed = BTreeMap::new();
    for list in ["containers", "initContainers"] {
        let (old, new) = (names(before, list), names(new, list));
        if let (Some(first), Some(wanted)) = (old.first(), new.first())
            && !old.contains(wanted)
        {
            renamed.insert(first.clone(), wanted.clone());
        }
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::{Base, Diff};
    use crate::reasons::OTHER_SOURCE;
    use serde_json::{Value, json};

    #[test]
    fn a_variable_from_another_source() {
        let with = |entry: Value| {
            json!({"kind": "Deployment", "metadata": {"name": "w"}, "spec": {"template": {"spec":
                {"containers": [{"name": "main", "env": [entry]}]}}}})
        };
        let plain = with(json!({"name": "DSN", "value": "x"}));
        let secret =
            json!({"name": "DSN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
        let why = |after: Value| {
            let diff = Diff::of(std::slice::from_ref(&plain), &[after], Base::Manifests);
            let changes = diff.objects.iter().flat_map(|object| &object.changes);
            let value = changes.into_iter().find(|change| change.path.ends_with("value")).cloned();
            value.and_then(|change| change.why)
        };
        assert_eq!(why(with(secret)), Some(OTHER_SOURCE.0));
        let other = json!({"name": "OTHER", "value": "x"});
        assert_eq!(why(with(other)), Some("the worker does not get this variable"));
    }
}
