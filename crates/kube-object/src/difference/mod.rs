//! Compares two manifests leaf by leaf: the one engine behind `eds verify deployment`, `eds
//! doctor`, `eds adopt` and `eds diff`.
//!
//! ```text
//! before, after -> lists (which items belong together)
//!               -> one Row for each leaf of before, and for each leaf that only after has;
//!                  defaults and equivalent spellings are not differences
//! ```
//!
//! A leaf is a scalar, or a mapping or list without entries. Every leaf of `before` gets exactly
//! one row, so the rows miss nothing.

mod defaults;
mod lists;
mod places;
mod shown;

use crate::object::Fields;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use crate::path::{Path, Step};
use golang::quantity;

pub use defaults::default;
pub use places::{place, pointer, recreates, restarts, value_at};
pub use shown::{masked_value, shown};

/// What happened to a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has the same value, or an equivalent one: another spelling, or the API server's default.
    Same,
    /// It has another value.
    Changed,
    /// Only `before` has it.
    Removed,
    /// Only `after` has it.
    Added,
}

/// One leaf of two manifests.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The path in `before` or, for an added leaf, in `after`.
    pub path: Path,
    /// Its value in `before`.
    pub before: Option<&'a Value>,
    /// Its value in `after`; if a mapping or list took its place, all of that.
    pub after: Option<&'a Value>,
    /// What applies on the side that does not set it: the API server's default.
    pub default: Option<Value>,
    /// What happened to it.
    pub state: State,
}

/// What else is known about two manifests.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Containers of `before` that have been renamed.
    pub renamed: BTreeMap<String, String>,
    /// What the names of ports in `before` mean to a Service.
    pub ports: BTreeMap<String, Value>,
}

/// Returns every leaf of `before`, then those that only `after` has.
#[must_use]
pub fn compare<'a>(before: &'a Value, after: &'a Value, options: &'a Options) -> Vec<Row<'a>> {
    let kind = before.get("kind").or_else(|| after.get("kind")).and_then(Value::as_str);
    let mut ports = named_ports(before);
    ports.extend(options.ports.iter().map(|(name, port)| (name.as_str(), port)));
    let mut walk = Walk {
        kind: kind.unwrap_or_default(),
        ports: [ports, named_ports(after)],
        options,
        rows: Vec::new(),
        added: Vec::new(),
    };
    walk.both(before, after, &mut Place::default());
    walk.rows.append(&mut walk.added);
    walk.rows
}

/// Returns where a live object differs from the manifest it was made from: `spec.replicas: rendered
/// 1, live 2`.
///
/// Ignores what only the live object has: the API server's defaults, and what controllers write.
#[must_use]
pub fn differences(rendered: &Value, live: &Value) -> Vec<String> {
    let options = Options::default();
    let rows = compare(rendered, live, &options);
    let lines = rows.iter().filter_map(|row| {
        let value = row.before?;
        match (row.state, row.after) {
            (State::Changed, Some(live)) => {
                Some(format!("{}: rendered {value}, live {live}", row.path))
            }
            (State::Removed, _) => Some(format!("{}: rendered {value}, live has none", row.path)),
            _ => None,
        }
    });
    lines.collect()
}

/// A path on both sides: as it is on each, and as a pattern.
#[derive(Debug, Default, Clone)]
struct Place {
    before: Path,
    after: Path,
    /// `spec.template.spec.containers[].image`.
    pattern: String,
}

impl Place {
    /// Returns the place one step further down.
    fn step(&self, before: Step, after: Step) -> Self {
        let mut next = self.clone();
        after.extend(&mut next.pattern);
        next.before.0.push(before);
        next.after.0.push(after);
        next
    }

    fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()), Step::Key(key.to_owned()))
    }

    fn index(&self, before: usize, after: usize) -> Self {
        self.step(Step::Index(before), Step::Index(after))
    }
}

struct Walk<'a, 'o> {
    kind: &'a str,
    ports: [BTreeMap<&'a str, &'a Value>; 2],
    options: &'o Options,
    rows: Vec<Row<'a>>,
    added: Vec<Row<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn both(&mut self, before: &'a Value, after: &'a Value, place: &mut Place) {
        match (before, after) {
            (Value::Object(b), Value::Object(a)) if !(b.is_empty() && a.is_empty()) => {
                self.objects((before, b), (after, a), place);
            }
            (Value::Array(b), Value::Array(a)) if !(b.is_empty() && a.is_empty()) => {
                self.lists(before, b, a, place);
            }
            _ if is_leaf(before) => {
                let same = self.is_same(before, after, place);
                let state = if same { State::Same } else { State::Changed };
                self.row(place, Some(before), Some(after), None, state);
            }
            _ => self.all(before, Some(after), None, place),
        }
    }

    fn objects(
        &mut self,
        (before, b): (&'a Value, &'a Map<String, Value>),
        (after, a): (&'a Value, &'a Map<String, Value>),
        place: &Place,
    ) {
        if b.is_empty() {
            self.row(place, Some(before), Some(after), None, State::Same);
        }
        for (key, value) in b {
            let other = a.get(key).or_else(|| a.get(defaults::alias(key)?));
            let mut next = place.key(key);
            match other {
                Some(other) => self.both(value, other, &mut next),
                None => self.all(value, None, Some(after), &next),
            }
        }
        for (key, value) in a {
            let aliased = key == "serviceAccountName" && b.contains_key("serviceAccount");
            if !b.contains_key(key) && !aliased {
                self.add(value, before, &place.key(key));
            }
        }
    }

    fn lists(&mut self, whole: &'a Value, b: &'a [Value], a: &'a [Value], place: &Place) {
        if b.is_empty() {
            self.row(place, Some(whole), None, None, State::Same);
        }
        let pairs = lists::pairs(&place.pattern, b, a, &self.options.renamed, &self.ports);
        for (i, item) in b.iter().enumerate() {
            match pairs.get(i).copied().flatten().and_then(|j| Some((j, a.get(j)?))) {
                Some((j, other)) => self.both(item, other, &mut place.index(i, j)),
                None => self.all(item, None, None, &place.index(i, i)),
            }
        }
        let met: HashSet<usize> = pairs.into_iter().flatten().collect();
        for (j, item) in a.iter().enumerate().filter(|(j, _)| !met.contains(j)) {
            self.add(item, &Value::Null, &place.index(j, j));
        }
    }

    /// Adds every leaf of a value that has no counterpart, or one of another kind.
    fn all(
        &mut self,
        value: &'a Value,
        after: Option<&'a Value>,
        parent: Option<&Value>,
        place: &Place,
    ) {
        if is_leaf(value) {
            let default = parent
                .and_then(|parent| default(self.kind, &place.pattern, parent))
                .filter(|_| after.is_none());
            let same = match &default {
                Some(default) => self.is_same(value, default, place),
                None => after.is_none() && is_dropped(value, &place.pattern),
            };
            let state = match (same, after) {
                (true, _) => State::Same,
                (false, Some(_)) => State::Changed,
                (false, None) => State::Removed,
            };
            self.row(place, Some(value), after, default, state);
            return;
        }
        // Below a missing mapping some defaults still apply; below a removed item none do.
        let inner = parent.filter(|_| after.is_none()).map(|_| &Value::Null);
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    self.all(value, after, inner, &place.key(key));
                }
            }
            Value::Array(items) => {
                for (i, value) in items.iter().enumerate() {
                    self.all(value, after, None, &place.index(i, i));
                }
            }
            _ => {}
        }
    }

    /// Adds every leaf that only `after` has, except what applies anyway.
    fn add(&mut self, value: &'a Value, parent: &Value, place: &Place) {
        match value {
            Value::Object(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    self.add(value, &Value::Null, &place.key(key));
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (j, value) in items.iter().enumerate() {
                    self.add(value, &Value::Null, &place.index(j, j));
                }
            }
            leaf => {
                let default = default(self.kind, &place.pattern, parent);
                let same = match &default {
                    Some(default) => self.is_same(default, leaf, place),
                    None => is_dropped(leaf, &place.pattern),
                };
                if !same {
                    let path = place.after.clone();
                    let state = State::Added;
                    self.added.push(Row { path, before: None, after: Some(leaf), default, state });
                }
            }
        }
    }

    fn row(
        &mut self,
        place: &Place,
        before: Option<&'a Value>,
        after: Option<&'a Value>,
        default: Option<Value>,
        state: State,
    ) {
        self.rows.push(Row { path: place.before.clone(), before, after, default, state });
    }

    fn is_same(&self, before: &Value, after: &Value, place: &Place) -> bool {
        if before == after || same_quantity(&place.pattern, before, after) {
            return true;
        }
        if place.pattern.ends_with("volumeMounts[].mountPath")
            && lists::directory(before) == lists::directory(after)
        {
            return true;
        }
        let [old, new] = &self.ports;
        lists::is_port(&place.pattern) && resolved(before, old) == resolved(after, new)
            || is_empty(before) && is_empty(after)
    }
}

/// Resolves a port that the pod names to its number.
fn resolved<'v>(port: &'v Value, names: &BTreeMap<&str, &'v Value>) -> Cow<'v, Value> {
    let number = port.as_str().and_then(|name| names.get(name));
    Cow::Borrowed(number.copied().unwrap_or(port))
}

/// Returns the names that a Deployment's containers give their ports.
pub fn named_ports(object: &Value) -> BTreeMap<&str, &Value> {
    let containers = object.at("/spec/template/spec/containers").and_then(Value::as_array);
    let ports = containers
        .into_iter()
        .flatten()
        .filter_map(|container| container.get("ports")?.as_array())
        .flatten();
    ports
        .filter_map(|port| Some((port.get("name")?.as_str()?, port.get("containerPort")?)))
        .collect()
}

/// Reports whether a value has no values below it.
#[must_use]
pub fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || !matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) && is_leaf(value)
}

/// Reports whether the API server drops a value, or ignores it. An empty selector selects
/// everything, and an empty volume is a volume.
fn is_dropped(value: &Value, pattern: &str) -> bool {
    let last = pattern.rsplit(['.', ']']).next().unwrap_or_default();
    let meant =
        value.is_object() && (last == "emptyDir" || last.ends_with("elector") || last.is_empty());
    is_empty(value) && !meant
}

/// Reports whether both are the same amount of CPU or memory.
pub fn same_quantity(path: &str, one: &Value, other: &Value) -> bool {
    let is_resource = path.contains("resources.limits") || path.contains("resources.requests");
    let amount = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        value => quantity::parse_to_float(value.as_str()?).ok(),
    };
    is_resource && amount(one).is_some_and(|one| amount(other) == Some(one))
}

#[cfg(test)]
mod tests;
