//! Validates a value against a structural schema, reporting every finding, not just the first.
//!
//! Source: `k8s.io/kube-openapi` `pkg/validation/validate`, `apiextensions-apiserver`
//! `schema/listtype` and `schema/objectmeta`. If a type is wrong, whatever else the schema says
//! about that value is skipped, because it would repeat the same thing.

use std::collections::HashSet;

use cel::common::value::Val;
use serde_json::{Number, Value};

use super::cel::{Evaluator, Meter, Verdict, field, is_small, item, view};
use super::problem::Problem;
use super::structural::{Additional, Kind, ListType, Pattern, Schema};
use super::suggest::nearest;
use super::wrong_character::{self, Wrong};
use super::{culprit, formats, metadata};
use crate::characters;
use crate::diagnostics::{ApiRule, Detail, catalog};
use crate::yaml::flow;
use kube_object::crossplane::is_machinery;
use kube_object::path::{At, Path};

/// The largest integer for which Go's JSON library accepts a float (`swag.IsFloat64AJSONInteger`).
const MAX_JSON_INTEGER: f64 = 9_007_199_254_740_991.0;

/// How many problems to look for in one object: nobody reads more, and each has a text and a place.
pub(super) const MAX_PROBLEMS: usize = 1000;
/// How many allowed values a message names and compares with what was written.
const MAX_NAMED: usize = 100;
/// How many regexp steps, or characters of a key, count as one step of the meter.
const STEPS: usize = 100;

/// Finds all problems of a value: types and bounds, list keys, then rules that nothing blocks. Each
/// value costs a step for each schema it meets, including alternatives: 30 of 30 of 30 are 27,000.
pub(super) fn validate(
    value: &Value,
    schema: &Schema,
    evaluator: Option<&Evaluator>,
    meter: &Meter<'_>,
) -> Vec<Problem> {
    let mut out = Vec::new();
    let root = At::default();
    shape(value, schema, &root, &mut out, meter);
    lists(value, schema, &root, &mut out, meter);
    let mut blocked = HashSet::new();
    for problem in out.iter().filter(|p| p.blocks_rules()) {
        problem.path.with_parents_into(&mut blocked);
    }
    if let Some(evaluator) = evaluator {
        let aside = evaluator.aside();
        Rules { evaluator, meter, aside: &aside, blocked: &blocked }
            .run(value, None, schema, &root, &mut out);
    }
    out
}

fn shape(value: &Value, schema: &Schema, at: &At<'_>, out: &mut Vec<Problem>, meter: &Meter<'_>) {
    let names = schema.required.len() + schema.allowed.as_ref().map_or(0, Vec::len);
    let pattern = match (&schema.pattern, value) {
        (Some(pattern), Value::String(text)) if !schema.is_default(text) => {
            pattern.regexp().map_or(0, |regexp| regexp.steps(text) / STEPS)
        }
        _ => 0,
    };
    if out.len() >= MAX_PROBLEMS || !meter.pay(1 + names / 10 + pattern) {
        return;
    }
    let problem = |rule, message: String| Problem::new(rule, at.path(), message);
    if value.is_null() {
        if schema.kind != Kind::Any && !schema.nullable {
            let mut problem = Problem::type_mismatch(at.path(), schema.kind.name(), value);
            problem.help = example(schema, at);
            out.push(problem);
        }
        return;
    }
    if !is_kind(value, schema.kind) {
        let mut problem = Problem::type_mismatch(at.path(), schema.kind.name(), value);
        problem.help = meant(value, schema, at);
        // An integer in everything but size.
        let whole = value.as_f64().filter(|number| number.fract() == 0.0);
        if let (Kind::Integer, Some(number)) = (schema.kind, whole) {
            problem.detail = Detail::Nothing;
            problem.message =
                format!("{value} is too {}", if number > 0.0 { "large" } else { "small" });
            problem.help = schema.maximum.map(|(most, _)| format!("write at most {most}"));
        }
        out.push(problem);
        return;
    }
    if let Some(allowed) = &schema.allowed
        && !allowed.iter().any(|v| is_equal(v, value))
    {
        let texts: Vec<String> = allowed.iter().take(MAX_NAMED).map(written).collect();
        let more = if allowed.len() > MAX_NAMED { ", …" } else { "" };
        let message = format!("{value} is not one of {}{more}", texts.join(", "));
        let mut problem = problem(&catalog::ENUM, message);
        let written = written(value);
        problem.help = nearest(&written, texts.iter().map(String::as_str))
            .map(|near| format!("did you mean {near}?"));
        out.push(problem);
    }
    match value {
        Value::String(text) => string(text, schema, at, out),
        Value::Number(number) => range(number, schema, at, out),
        Value::Array(items) => {
            count(items.len(), "entries", schema.min_items, schema.max_items, at, out);
            if let Some(schema) = schema.items() {
                for (i, item) in items.iter().enumerate() {
                    shape(item, schema, &at.index(i), out, meter);
                }
            }
        }
        Value::Object(object) => {
            count(object.len(), "fields", schema.min_properties, schema.max_properties, at, out);
            for name in schema.required.iter().take(MAX_PROBLEMS) {
                if !object.contains_key(name) {
                    out.push(missing(schema, at, name));
                }
            }
            if schema.embedded {
                embedded(object, at, out);
            }
            for (key, value) in object {
                if let Some(child) = schema.child(key) {
                    shape(value, child, &at.key(key), out, meter);
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    combinations(value, schema, at, out, meter);
}

fn missing(schema: &Schema, at: &At<'_>, name: &str) -> Problem {
    let child = schema.property(name);
    let what = child.and_then(Schema::summary).map(|s| format!(": {s}")).unwrap_or_default();
    let mut problem =
        Problem::new(&catalog::REQUIRED, at.key(name).path(), format!("is required{what}"));
    let example = child.and_then(|child| example(child, &at.key(name)));
    problem.help = example.map(|example| format!("add it, {example}"));
    problem
}

/// Suggests what to write for a value of the wrong type. What YAML read as another type is reported
/// where the text is known.
fn meant(value: &Value, schema: &Schema, at: &At<'_>) -> Option<String> {
    if let Value::String(text) = value {
        let text = text.trim();
        let fits = match schema.kind {
            Kind::Integer => text.parse::<i64>().is_ok(),
            Kind::Number => text.parse::<f64>().is_ok(),
            Kind::Boolean => matches!(text, "true" | "false"),
            _ => false,
        };
        if fits {
            return Some(format!("write {text} without quotes"));
        }
    }
    if schema.kind == Kind::String && !matches!(value, Value::Array(_) | Value::Object(_)) {
        return None;
    }
    if schema.kind == Kind::Array && matches!(value, Value::Object(_)) {
        return Some("begin each entry with a dash (- )".to_owned());
    }
    example(schema, at)
}

/// Suggests what one may write, if the schema has an example.
fn example(schema: &Schema, at: &At<'_>) -> Option<String> {
    let path = at.path();
    let name = match path.0.last() {
        Some(kube_object::path::Step::Key(key)) => format!("{key}: "),
        _ => String::new(),
    };
    let example = schema.example.clone().or_else(|| {
        let required = schema.required.iter();
        let fields: Option<serde_json::Map<String, Value>> = required
            .map(|key| Some((key.clone(), schema.property(key)?.example.clone()?)))
            .collect();
        fields.filter(|fields| !fields.is_empty()).map(Value::Object)
    });
    Some(format!("for example {name}{}", flow(&example?)))
}

fn is_kind(value: &Value, kind: Kind) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Object => value.is_object(),
        Kind::Array => value.is_array(),
        Kind::String => value.is_string(),
        Kind::Boolean => value.is_boolean(),
        Kind::Number => value.is_number(),
        Kind::Integer => is_integer(value),
        Kind::IntOrString => value.is_string() || is_integer(value),
    }
}

fn is_integer(value: &Value) -> bool {
    match value {
        Value::Number(n) if n.is_i64() => true,
        Value::Number(n) => {
            n.as_f64().is_some_and(|f| f.fract() == 0.0 && f.abs() <= MAX_JSON_INTEGER)
        }
        _ => false,
    }
}

/// Compares JSON values, with 1 and 1.0 as the same number.
pub(super) fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

/// Writes a value as a person would in YAML.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn string(text: &str, schema: &Schema, at: &At<'_>, out: &mut Vec<Problem>) {
    let problem = |rule, message: String| Problem::new(rule, at.path(), message);
    // Kubernetes counts code points, not bytes.
    let length = text.chars().count() as u64;
    if let Some(most) = schema.max_length.filter(|most| length > *most) {
        let message = format!("has {length} characters, at most {most} are allowed");
        out.push(
            problem(&catalog::LENGTH, message).help(format!("shorten it by {}", length - most)),
        );
        return;
    }
    if let Some(least) = schema.min_length.filter(|least| length < *least) {
        let message = match (length, least) {
            (0, _) => "must not be empty".to_owned(),
            _ => format!("has {length} characters, at least {least} are needed"),
        };
        let mut problem = problem(&catalog::LENGTH, message);
        problem.help = example(schema, at);
        out.push(problem);
        return;
    }
    if let Some(pattern) = &schema.pattern {
        let matches = || pattern.regexp().is_none_or(|regexp| regexp.is_match(text));
        let fits = match schema.is_default(text) {
            true => *schema.default_fits.get_or_init(matches),
            false => matches(),
        };
        if !fits {
            out.push(malformed(text, pattern, schema, at));
        }
    }
    if let Some(format) = &schema.format
        && schema.kind == Kind::String
        && !formats::holds(format, text)
    {
        out.push(problem(&catalog::FORMAT, format!("{text:?} is not a valid {format}")));
    }
}

/// Reports a text that its field's pattern refuses: which character, and what may have been meant.
fn malformed(text: &str, pattern: &Pattern, schema: &Schema, at: &At<'_>) -> Problem {
    let wrong = wrong_character::find(&pattern.text, text);
    let message = match wrong {
        Some(Wrong::Character(index)) => {
            let character = text.chars().nth(index).map(wrong_character::named).unwrap_or_default();
            format!("{text:?}: {character} is not allowed here (character {})", index + 1)
        }
        Some(Wrong::End) => format!("{text:?} is not complete: more must follow"),
        None if schema.example.is_some() => {
            format!("{text:?} does not have the form of this field")
        }
        None => format!("{text:?} does not match {}", pattern.text),
    };
    let mut problem = Problem::new(&catalog::PATTERN, at.path(), message);
    problem.character = match wrong {
        Some(Wrong::Character(index)) => Some(index),
        _ => None,
    };
    let mended = wrong_character::mended(text, &pattern.text, &|text| {
        pattern.regexp().is_some_and(|regexp| regexp.is_match(text))
    });
    // The first sentence says what it is; the rest is for those who read on.
    let what = schema.description.as_deref().unwrap_or_default();
    let what = what.split_inclusive(". ").next().unwrap_or_default().trim();
    problem.help = match mended {
        Some(_) => return problem.offer(mended),
        None => schema
            .example
            .as_ref()
            .map(|e| format!("{what} For example {}.", written(e)).trim().to_owned()),
    };
    problem
}

fn range(number: &Number, schema: &Schema, at: &At<'_>, out: &mut Vec<Problem>) {
    let Some(value) = number.as_f64() else { return };
    let mut refuse = |message: String, help: Option<String>| {
        let mut problem = Problem::new(&catalog::RANGE, at.path(), message);
        problem.help = help;
        out.push(problem);
    };
    if let Some((least, exclusive)) = schema.minimum
        && (value < least || (exclusive && value <= least))
    {
        let bound = if exclusive { "above" } else { "at least" };
        let fix = (!exclusive).then(|| format!("write {least} or more"));
        refuse(format!("{number} is too small: it must be {bound} {least}"), fix);
    }
    if let Some((most, exclusive)) = schema.maximum
        && (value > most || (exclusive && value >= most))
    {
        let bound = if exclusive { "below" } else { "at most" };
        let fix = (!exclusive).then(|| format!("write {most} or less"));
        refuse(format!("{number} is too large: it must be {bound} {most}"), fix);
    }
    if let Some(step) = schema.multiple_of.filter(|step| *step > 0.0)
        && (value / step).fract() != 0.0
    {
        refuse(format!("{number} is not a multiple of {step}"), None);
    }
    if schema.format.as_deref() == Some("int32")
        && !(f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value)
    {
        refuse(format!("{number} does not fit into 32 bits"), None);
    }
}

fn count(
    count: usize,
    what: &str,
    least: Option<u64>,
    most: Option<u64>,
    at: &At<'_>,
    out: &mut Vec<Problem>,
) {
    let count = count as u64;
    let problem = |message| Problem::new(&catalog::COUNT, at.path(), message);
    if let Some(most) = most.filter(|most| count > *most) {
        out.push(problem(format!("has {count} {what}, at most {most} are allowed")));
    }
    if let Some(least) = least.filter(|least| count < *least) {
        out.push(problem(format!("has {count} {what}, at least {least} are needed")));
    }
}

fn embedded(object: &serde_json::Map<String, Value>, at: &At<'_>, out: &mut Vec<Problem>) {
    for field in ["apiVersion", "kind"] {
        if object.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
            out.push(Problem::new(
                &catalog::REQUIRED,
                at.key(field).path(),
                "is required in an object",
            ));
        }
    }
    if let Some(Value::Object(metadata)) = object.get("metadata") {
        let named = metadata.get("name").is_some_and(|n| !n.is_null());
        let inner = metadata::check(object, true).into_iter();
        for mut problem in inner.filter(|p| named || *p.rule != catalog::REQUIRED) {
            problem.path = Path(at.path().0.into_iter().chain(problem.path.0).collect());
            out.push(problem);
        }
    }
}

/// Checks `allOf`, `anyOf`, `oneOf` and `not`: they refine values, so their own findings are only
/// shown if there is just one way to satisfy them.
fn combinations(
    value: &Value,
    schema: &Schema,
    at: &At<'_>,
    out: &mut Vec<Problem>,
    meter: &Meter<'_>,
) {
    for part in &schema.all_of {
        shape(value, part, at, out, meter);
    }
    let fits = |part: &Schema| {
        let mut inner = Vec::new();
        shape(value, part, at, &mut inner, meter);
        inner.is_empty()
    };
    let mut refuse = |message: &str| {
        out.push(Problem::new(&catalog::COMBINATION, at.path(), message));
    };
    if !schema.any_of.is_empty() && !schema.any_of.iter().any(fits) {
        refuse("fits none of the alternatives that are allowed here");
    }
    if !schema.one_of.is_empty() {
        match schema.one_of.iter().filter(|part| fits(part)).count() {
            0 => refuse("fits none of the alternatives that are allowed here"),
            1 => {}
            _ => refuse("fits more than one alternative; exactly one is allowed"),
        }
    }
    if schema.not.as_deref().is_some_and(fits) {
        refuse("is what must not stand here");
    }
}

fn lists(value: &Value, schema: &Schema, at: &At<'_>, out: &mut Vec<Problem>, meter: &Meter<'_>) {
    match value {
        Value::Array(items) => {
            let key = |item: &Value| match &schema.list {
                ListType::Atomic => None,
                ListType::Set => Some(item.to_string()),
                ListType::Map(keys) => {
                    let parts = keys.iter().map(|key| {
                        let default = || schema.items()?.property(key)?.default.as_ref();
                        item.get(key).or_else(default).map(ToString::to_string)
                    });
                    Some(format!("{:?}", parts.collect::<Vec<_>>()))
                }
            };
            let names = if let ListType::Map(keys) = &schema.list { keys.len() } else { 0 };
            let mut seen = HashSet::new();
            for (i, item) in items.iter().enumerate() {
                if out.len() >= MAX_PROBLEMS || !meter.pay(1 + names) {
                    return;
                }
                let key = key(item);
                if !meter.pay(key.as_ref().map_or(0, String::len) / STEPS) {
                    return;
                }
                if key.is_some_and(|key| !seen.insert(key)) {
                    let message = "has the same key as an entry before it";
                    out.push(Problem::new(&catalog::LIST_KEYS, at.index(i).path(), message));
                }
                if let Some(schema) = schema.items() {
                    lists(item, schema, &at.index(i), out, meter);
                }
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                if let Some(child) = schema.child(key) {
                    lists(value, child, &at.key(key), out, meter);
                }
            }
        }
        _ => {}
    }
}

/// Rules run from the root down. A rule is skipped if its value has a problem that could make it
/// fail: the API server would not run it either.
struct Rules<'a> {
    evaluator: &'a Evaluator,
    meter: &'a Meter<'a>,
    /// For what is at fault where a rule is broken.
    aside: &'a Meter<'a>,
    /// Paths with such a problem at or below them.
    blocked: &'a HashSet<Path>,
}

impl Rules<'_> {
    /// `seen` is the value as rules see it, if a view was already made for a value around it.
    fn run<'v>(
        &self,
        value: &'v Value,
        seen: Option<&(dyn Val + 'v)>,
        schema: &Schema,
        at: &At<'_>,
        out: &mut Vec<Problem>,
    ) {
        if value.is_null() || out.len() >= MAX_PROBLEMS || !self.meter.pay(1) {
            return;
        }
        let made;
        let mut seen = seen;
        if !schema.rules.is_empty() && !self.is_blocked(at) && !self.is_good_default(value, schema)
        {
            // A part of the same value gets another view.
            if seen.is_none() && self.meter.pay(nodes(value)) {
                made = view(value, Some(schema));
                seen = Some(made.as_ref());
            }
            if let Some(seen) = seen {
                self.here(seen, value, schema, at, out);
            }
        }
        // Parts have their own schema, so they may see the value differently.
        for part in &schema.all_of {
            self.run(value, None, part, at, out);
        }
        match value {
            Value::Array(items) => {
                if let Some(schema) = schema.items() {
                    for (i, value) in items.iter().enumerate() {
                        let seen = seen.and_then(|list| item(list, i));
                        self.run(value, seen, schema, &at.index(i), out);
                    }
                }
            }
            Value::Object(object) => {
                for (key, value) in object {
                    if let Some(child) = schema.child(key) {
                        let seen = seen.and_then(|parent| field(parent, key, schema));
                        self.run(value, seen, child, &at.key(key), out);
                    }
                }
            }
            _ => {}
        }
    }

    /// Reports whether this is a default that satisfies its own rules.
    fn is_good_default(&self, value: &Value, schema: &Schema) -> bool {
        let is_default = value.as_str().is_some_and(|text| schema.is_default(text));
        let holds = || {
            let meter = self.evaluator.meter();
            let mut out = Vec::new();
            let seen = view(value, Some(schema));
            let apart = Rules { meter: &meter, ..*self };
            apart.here(seen.as_ref(), value, schema, &At::default(), &mut out);
            out.is_empty()
        };
        is_default && *schema.default_holds.get_or_init(holds)
    }

    fn is_blocked(&self, at: &At<'_>) -> bool {
        !self.blocked.is_empty() && self.blocked.contains(&at.path())
    }

    fn here(
        &self,
        seen: &dyn Val,
        value: &Value,
        schema: &Schema,
        at: &At<'_>,
        out: &mut Vec<Problem>,
    ) {
        let scope = self.evaluator.scope("self", seen.clone_as_boxed(), is_small(value));
        for (index, rule) in schema.rules.iter().enumerate() {
            let path = || match &rule.field_path {
                Some(field) => at.path().with_fields(field),
                None => at.path(),
            };
            match rule.run(&scope, self.meter) {
                Verdict::Holds => {}
                Verdict::Broken(message) => {
                    let mut problem = Problem::new(&catalog::CEL, path(), message);
                    let field = at.path().pattern();
                    problem.detail = Detail::ApiRule(ApiRule { field, index });
                    let parts = culprit::find(rule, value, schema, self.evaluator, self.aside);
                    let below = |part: Path| Path(at.path().0.into_iter().chain(part.0).collect());
                    problem.culprits = parts.into_iter().map(below).collect();
                    out.push(problem);
                }
                Verdict::Unknown(why) => out.push(Problem::new(
                    &catalog::CEL_UNKNOWN,
                    path(),
                    format!("the rule {} was not checked: {why}", rule.name()),
                )),
            }
        }
    }
}

/// Counts the values in a value, including itself.
pub(super) fn nodes(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Value::Object(object) => 1 + object.values().map(nodes).sum::<usize>(),
        _ => 1,
    }
}

/// Reports a field that the schema does not know.
pub(super) fn unknown(path: Path, schema: Option<&Schema>) -> Problem {
    let name = match path.0.last() {
        Some(kube_object::path::Step::Key(key)) => key.clone(),
        _ => String::new(),
    };
    let problem = Problem::new(&catalog::UNKNOWN_FIELD, path, "there is no such field");
    if name.trim().contains(char::is_whitespace) {
        return problem.help(
            "no field has a space in its name: remove this line, or make it a comment with #",
        );
    }
    let Some(schema) = schema else { return problem };
    let in_spec = problem.path.to_string() == format!("spec.{name}");
    let has = |field: &str| in_spec && schema.properties.contains_key(field);
    if is_machinery(&name) && has("crossplane") {
        return problem.help("composites of Crossplane 2 have it below spec.crossplane");
    }
    if name == "crossplane" && has("compositionRef") {
        return problem.help(
            "only composites of Crossplane 2 have it (the namespaced form); in claims its fields \
                are directly in spec",
        );
    }
    // What people write comes before what Crossplane writes, which they only ever misspell
    // slightly.
    let (machinery, own): (Vec<&str>, Vec<&str>) =
        schema.properties.keys().map(String::as_str).partition(|key| is_machinery(key));
    let name = characters::visible(&name);
    let near = nearest(&name, own.iter().copied()).or_else(|| {
        let slightly = |near: &&str| name.len() > 10 && near.len().abs_diff(name.len()) <= 2;
        nearest(&name, machinery.iter().copied()).filter(slightly)
    });
    match near {
        Some(near) => problem.near(near),
        None if schema.properties.is_empty()
            || !matches!(schema.additional, Additional::Absent) =>
        {
            problem
        }
        None => {
            let more = if machinery.is_empty() { "" } else { "; and what is Crossplane's own" };
            problem.help(format!("known here: {}{more}", own.join(", ")))
        }
    }
}
