//! Which part of a value a broken rule is about. A rule stands at a mapping or a list, and fails
//! because of one field in it, one key, or one entry: the one without which it holds, or the one
//! that breaks it alone.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::cel::{CelRule, Evaluator, Meter, Verdict, is_small, view};
use super::structural::{Additional, Schema};
use super::validate::nodes;
use kube_object::difference::value_at;
use kube_object::path::{Path, Step};

/// How often a rule is tried for one finding.
const TRIES: usize = 120;

/// Returns the paths, below the value, of the parts that a broken rule may be about: all equally
/// likely, none if that is unknown.
pub(super) fn find(
    rule: &CelRule,
    value: &Value,
    schema: &Schema,
    evaluator: &Evaluator,
    meter: &Meter<'_>,
) -> Vec<Path> {
    if !matches!(value, Value::Object(_) | Value::Array(_)) || meter.is_spent() {
        return Vec::new();
    }
    let search = Search { rule, schema, evaluator, meter, left: Cell::new(TRIES) };
    let mut found = Vec::new();
    search.below(value, &Path::default(), Some(schema), &mut found);
    let deepest = found.iter().map(|path| path.0.len()).max().unwrap_or_default();
    found.retain(|path| path.0.len() == deepest && deepest > 0);
    found
}

struct Search<'a> {
    rule: &'a CelRule,
    schema: &'a Schema,
    evaluator: &'a Evaluator,
    meter: &'a Meter<'a>,
    left: Cell<usize>,
}

impl Search<'_> {
    /// Reports whether the rule holds for a value; `None` once it was tried often enough.
    fn holds(&self, value: &Value) -> Option<bool> {
        self.left.set(self.left.get().checked_sub(1)?);
        // What it takes to copy and see the value.
        if !self.meter.pay(nodes(value)) {
            return None;
        }
        let seen = view(value, Some(self.schema));
        let scope = self.evaluator.scope("self", seen, is_small(value));
        Some(self.rule.run(&scope, self.meter) == Verdict::Holds)
    }

    /// Looks below a path of a value that breaks the rule.
    fn below(&self, root: &Value, at: &Path, schema: Option<&Schema>, found: &mut Vec<Path>) {
        let Some(here) = value_at(root, at) else { return };
        match here {
            Value::Object(fields) if is_map(schema) => {
                let breaks = fields.iter().find(|(key, value)| {
                    let one = Map::from_iter([((*key).clone(), (*value).clone())]);
                    let only = with(root, at, |here| *here = Value::Object(one));
                    only.and_then(|only| self.holds(&only)) == Some(false)
                });
                found.extend([breaks.map_or_else(|| at.clone(), |(key, _)| at.key(key))]);
            }
            Value::Object(fields) => {
                let mut none = true;
                for key in fields.keys().filter(|key| self.names(at, key)) {
                    let without = with(root, at, |here| {
                        here.as_object_mut().map(|fields| fields.remove(key));
                    });
                    if without.and_then(|without| self.holds(&without)) == Some(true) {
                        none = false;
                        let schema = schema.and_then(|schema| schema.child(key));
                        self.below(root, &at.key(key), schema, found);
                    }
                }
                if none {
                    found.push(self.named(fields, at));
                }
            }
            Value::Array(items) => {
                // Fewer entries break it less: the last of the fewest that do is the one.
                let (mut least, mut most) = (1, items.len());
                let start = |count: usize| {
                    with(root, at, |here| {
                        if let Value::Array(items) = here {
                            items.truncate(count);
                        }
                    })
                };
                // As a whole, if no entry of it matters.
                if start(0).and_then(|none| self.holds(&none)) != Some(true) {
                    return found.push(at.clone());
                }
                while least < most {
                    let middle = usize::midpoint(least, most);
                    match start(middle).and_then(|start| self.holds(&start)) {
                        Some(false) => most = middle,
                        Some(true) => least = middle + 1,
                        None => break,
                    }
                }
                let (Some(start), Some(last)) = (start(most), most.checked_sub(1)) else { return };
                if self.holds(&start) != Some(false) {
                    return found.push(at.clone());
                }
                let entries = schema.and_then(|schema| schema.items());
                self.below(&start, &at.index(last), entries, found);
            }
            _ => found.push(at.clone()),
        }
    }

    /// Reports whether the rule's text names a field of `self`, or anything of what is below it.
    fn names(&self, at: &Path, key: &str) -> bool {
        !at.0.is_empty() || self.rule.rule.contains(&format!(".{key}"))
    }

    /// Returns the field that the rule speaks of where none is at fault alone: the first that it
    /// asks for by `has`, or else the first that it reads of an entry or of what is above.
    fn named(&self, fields: &Map<String, Value>, at: &Path) -> Path {
        let text = self.rule.rule.as_str();
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let place = |key: &String, sign: &str| {
            let mut all = text.match_indices(sign);
            all.find(|(at, _)| {
                let before = text.get(..*at).unwrap_or_default();
                let rest = text.get(*at + sign.len()..).unwrap_or_default();
                ends(rest) && !before.is_empty() && !key.is_empty()
            })
            .map(|(at, _)| at)
        };
        let first = |sign: &dyn Fn(&str) -> String| {
            let placed = fields.keys().filter_map(|key| Some((place(key, &sign(key))?, key)));
            placed.min().map(|(_, key)| at.key(key))
        };
        let parent = match at.0.last() {
            Some(Step::Key(key)) => Some(key.clone()),
            _ => None,
        };
        match (at.0.last(), parent) {
            (None, _) => first(&|key| format!("has(self.{key}")),
            (Some(Step::Index(_)), _) => first(&|key| format!(".{key}")),
            (_, Some(parent)) => first(&|key| format!(".{parent}.{key}")),
            _ => None,
        }
        .unwrap_or_else(|| at.clone())
    }
}

fn is_map(schema: Option<&Schema>) -> bool {
    schema.is_some_and(|schema| {
        schema.properties.is_empty() && matches!(schema.additional, Additional::Schema(_))
    })
}

/// Returns the value with something changed at a path.
fn with<T>(root: &Value, at: &Path, change: impl FnOnce(&mut Value) -> T) -> Option<Value> {
    let mut copy = root.clone();
    let here = at.0.iter().try_fold(&mut copy, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })?;
    change(here);
    Some(copy)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_part_that_a_rule_is_about() {
        let check = |rule: &str, schema: Value, value: Value, expected: &[&str]| {
            let schema = Schema::compile(&schema).unwrap();
            let cel = CelRule::of(&json!({"rule": rule})).unwrap();
            let evaluator = Evaluator::default();
            let found = find(&cel, &value, &schema, &evaluator, &evaluator.aside());
            let found: Vec<String> = found.iter().map(Path::to_string).collect();
            assert_eq!(found, expected, "{rule} {value}");
        };
        let int = || json!({"type": "integer"});
        let pair = || json!({"type": "object", "properties": {"a": int(), "b": int()}});
        let either = "has(self.a) != has(self.b)";
        check(either, pair(), json!({"a": 1, "b": 2}), &["a", "b"]);
        check(either, pair(), json!({}), &[]);
        let needs = "!has(self.b) || (has(self.a) && self.a > 0)";
        check(needs, pair(), json!({"b": 2}), &["b"]);
        let only = "has(self.c) || (!has(self.a) && !has(self.b))";
        check(only, pair(), json!({"a": 1, "b": 2}), &["a"]);
        let map = || json!({"type": "object", "additionalProperties": {"type": "string"}});
        check("self.all(k, k != 'x')", map(), json!({"w": "1", "x": "2"}), &["x"]);
        let list = || json!({"type": "array", "items": pair()});
        check(
            "self.all(i, self.exists_one(j, j.a == i.a))",
            list(),
            json!([{"a": 1}, {"a": 2}, {"a": 1}, {"a": 3}]),
            &["[2].a"],
        );
        let texts = json!({"type": "object", "properties":
            {"c": {"type": "array", "items": {"type": "string"}}, "a": int()}});
        check("!has(self.c)", texts, json!({"c": ["x", "y"]}), &["c"]);
        let deep = json!({"type": "object", "properties": {"p": pair(), "l": list(), "n": int()}});
        check(
            "!has(self.p) || !has(self.p.a) || self.p.a < self.n",
            deep.clone(),
            json!({"p": {"a": 5, "b": 1}, "n": 3}),
            &["p.a"],
        );
        check(
            "!has(self.p) || self.p.a < self.n",
            deep.clone(),
            json!({"p": {"a": 5, "b": 1}, "n": 3}),
            &["p.a"],
        );
        check(
            "!has(self.l) || self.l.all(i, i.b <= self.n)",
            deep,
            json!({"l": [{"a": 9, "b": 1}, {"b": 4}], "n": 3}),
            &["l[1].b"],
        );
    }
}
