//! A structural schema, compiled once, with regular expressions and rules ready to run.
//!
//! A schema from outside is compiled as a whole, and refused if a part of it cannot be. The one
//! that the program brings is known to be right, and has hundreds of fields of which a claim names
//! a few: it is read from its text, each field when it is first asked for.
//!
//! Source: `k8s.io/apiextensions-apiserver` 0.34 `pkg/apiserver/schema/structural.go`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::cel::CelRule;
use golang::regexp::{self, Regexp};
use kube_object::crossplane::is_machinery;
use kube_object::crossplane::lines::{Lines, line_of};

/// How deep a schema may nest. Kubernetes' own limit on a CRD's size is reached long before.
const MAX_DEPTH: usize = 100;

/// How many bytes the schema's compiled patterns may use together. The API server has no such
/// limit: it compiles each pattern at each use and discards it.
const MAX_PATTERN_BYTES: usize = 64 << 20;
/// How many characters a schema's rules may have together: what can be parsed within seconds. The
/// API server instead has a cost budget, which this many exceed.
const MAX_RULE_CHARACTERS: usize = 300_000;
/// How many characters a field's name may have. This limit is ours: a name is part of the path of
/// each problem below it.
const MAX_NAME: usize = 1024;
/// How many bytes of a description or an example help may quote.
const MAX_QUOTED: usize = 4096;

/// What the parts of a schema use together.
#[derive(Debug, Default)]
struct Totals {
    /// Whether the schema is the program's own, whose sizes and patterns a test has checked.
    built_in: bool,
    pattern_bytes: Cell<usize>,
    rule_characters: Cell<usize>,
}

/// A compiled schema.
#[derive(Debug, Default)]
pub struct Schema {
    pub(super) kind: Kind,
    pub(super) nullable: bool,
    pub(super) preserve_unknown: bool,
    pub(super) embedded: bool,
    pub(super) description: Option<String>,
    pub(super) example: Option<Value>,
    pub(super) default: Option<Value>,
    /// Whether a default that is a text matches the pattern, and whether the rules accept it:
    /// decided once, rather than for each object that omits the field.
    pub(super) default_fits: OnceLock<bool>,
    pub(super) default_holds: OnceLock<bool>,
    pub(super) format: Option<String>,
    pub(super) allowed: Option<Vec<Value>>,
    pub(super) pattern: Option<Pattern>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) minimum: Option<(f64, bool)>,
    pub(super) maximum: Option<(f64, bool)>,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
    pub(super) required: Vec<String>,
    pub(super) properties: BTreeMap<String, Part>,
    /// The properties that have a default.
    pub(super) defaulted: Vec<String>,
    pub(super) additional: Additional,
    items: Option<Part>,
    pub(super) all_of: Vec<Self>,
    pub(super) any_of: Vec<Self>,
    pub(super) one_of: Vec<Self>,
    pub(super) not: Option<Box<Self>>,
    pub(super) list: ListType,
    pub(super) rules: Vec<CelRule>,
}

/// `type`, including `x-kubernetes-int-or-string`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Object => "a mapping",
            Self::Array => "a list",
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::IntOrString => "an integer or a string",
        }
    }
}

/// `additionalProperties`.
#[derive(Debug, Default)]
pub(super) enum Additional {
    #[default]
    Absent,
    Allowed,
    Schema(Part),
}

/// The schema of a field or of entries.
#[derive(Default)]
pub(super) struct Part {
    /// What it is read from when it is first asked for.
    at: Option<(Lines, usize)>,
    schema: OnceLock<Box<Schema>>,
}

impl Deref for Part {
    type Target = Schema;

    fn deref(&self) -> &Schema {
        self.schema.get_or_init(|| {
            let read = self.at.as_ref().map(|(lines, line)| Schema::built_in(lines, *line));
            Box::new(read.unwrap_or_default())
        })
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Schema::fmt(self, f)
    }
}

/// `pattern`.
pub(super) struct Pattern {
    pub(super) text: String,
    regexp: OnceLock<Option<Regexp>>,
}

impl Pattern {
    /// Returns the pattern compiled. `None` if Go would refuse it, which no schema's is.
    pub(super) fn regexp(&self) -> Option<&Regexp> {
        self.regexp.get_or_init(|| regexp::compile(&self.text).ok()).as_ref()
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

/// `x-kubernetes-list-type`.
#[derive(Debug, Default)]
pub(super) enum ListType {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

impl Schema {
    /// Reports whether a text is the default.
    pub(super) fn is_default(&self, text: &str) -> bool {
        self.default.as_ref().and_then(Value::as_str) == Some(text)
    }

    /// Compiles an OpenAPI v3 schema as found in a CRD.
    ///
    /// # Errors
    /// Names the place and the problem: not a mapping, an unknown type, a pattern that Go would
    /// refuse, or endless nesting.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        compile(schema, "", 0, &Totals::default())
    }

    /// Returns the schema of a line, whose parts are read as they are asked for. It must be one
    /// that [`compile`](Self::compile) takes: where it is not, it allows everything.
    #[must_use]
    pub fn built_in(lines: &Lines, line: usize) -> Self {
        let part = |line: &Value| -> Option<Part> {
            Some(Part { at: Some((lines.clone(), line_of(line)?)), schema: OnceLock::new() })
        };
        let object = lines.read(line);
        let mut parts = Parts {
            items: object.get("items").and_then(part),
            additional: object.get("additionalProperties").and_then(part),
            ..Parts::default()
        };
        for (key, line) in object.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let Some(property) = part(line) else { continue };
            // Most have none, which is seen sooner.
            let may = line_of(line).is_some_and(|line| lines.text(line).contains("\"default\""));
            if may && property.default.is_some() {
                parts.defaulted.push(key.clone());
            }
            parts.properties.insert(key.clone(), property);
        }
        let totals = Totals { built_in: true, ..Totals::default() };
        let schema = level(&object, parts, "", 0, &totals).unwrap_or_default();
        // A test checks the defaults of what is built in.
        let (_, _) = (schema.default_fits.set(true), schema.default_holds.set(true));
        schema
    }

    /// Returns the schema of a list's entries.
    pub(super) fn items(&self) -> Option<&Self> {
        self.items.as_deref()
    }

    /// Returns the schema of a field that is named.
    pub(super) fn property(&self, key: &str) -> Option<&Self> {
        self.properties.get(key).map(Deref::deref)
    }

    /// Returns the schema of a field or of a map's entries.
    pub(super) fn child(&self, key: &str) -> Option<&Self> {
        self.property(key).or(match &self.additional {
            Additional::Schema(schema) => Some(schema),
            _ => None,
        })
    }

    /// Returns the default of a field, whose path has names only.
    pub(super) fn default_at(&self, path: &str) -> Option<&Value> {
        let field = path.split('.').try_fold(self, |schema, name| schema.property(name))?;
        field.default.as_ref()
    }

    /// Collects the paths below `at` of fields with this name; see [`super::ClaimApi::places`].
    pub(super) fn places(&self, name: &str, at: &str, found: &mut Vec<String>) {
        for (key, child) in &self.properties {
            if at == "spec" && is_machinery(key) {
                continue;
            }
            let path = format!("{at}.{key}");
            child.places(name, &path, found);
            if super::suggest::same_name(key, name) {
                found.push(path);
            }
        }
        if let Some(items) = &self.items {
            items.places(name, &format!("{at}[]"), found);
        }
    }

    /// Returns the description's first sentence, as part of another.
    pub(super) fn summary(&self) -> Option<String> {
        let text = self.description.as_deref()?;
        let first = text.split_inclusive(". ").next().unwrap_or(text);
        let first = first.trim().trim_end_matches('.');
        let mut chars = first.chars();
        let initial = chars.next()?;
        // An abbreviation keeps its capitals.
        if chars.clone().next().is_some_and(char::is_uppercase) {
            return Some(first.to_owned());
        }
        Some(initial.to_lowercase().chain(chars).collect())
    }
}

/// The parts of a schema that are schemas of fields and of entries.
#[derive(Default)]
struct Parts {
    properties: BTreeMap<String, Part>,
    /// The properties that have a default.
    defaulted: Vec<String>,
    items: Option<Part>,
    additional: Option<Part>,
}

fn compile(value: &Value, at: &str, depth: usize, totals: &Totals) -> Result<Schema, String> {
    if depth > MAX_DEPTH {
        return Err(format!("{at}: schema nested deeper than {MAX_DEPTH} levels"));
    }
    let Value::Object(object) = value else {
        return Err(format!("{at}: a schema must be a mapping"));
    };
    let compiled = |value: &Value, at: &str| -> Result<Part, String> {
        let schema = OnceLock::from(Box::new(compile(value, at, depth + 1, totals)?));
        Ok(Part { at: None, schema })
    };
    let part = |key: &str| -> Result<Option<Part>, String> {
        let part = object.get(key).filter(|v| v.is_object());
        part.map(|value| compiled(value, &format!("{at}.{key}"))).transpose()
    };
    let mut parts = Parts::default();
    for (key, value) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if key.len() > MAX_NAME {
            return Err(format!("{at}: a field's name has more than {MAX_NAME} characters"));
        }
        let property = compiled(value, &format!("{at}.{key}"))?;
        if property.default.is_some() {
            parts.defaulted.push(key.clone());
        }
        parts.properties.insert(key.clone(), property);
    }
    parts.items = part("items")?;
    parts.additional = part("additionalProperties")?;
    level(object, parts, at, depth, totals)
}

/// Compiles what is said of a value itself.
fn level(
    object: &Map<String, Value>,
    parts: Parts,
    at: &str,
    depth: usize,
    totals: &Totals,
) -> Result<Schema, String> {
    let flag = |key: &str| object.get(key).and_then(Value::as_bool).unwrap_or_default();
    let count = |key: &str| object.get(key).and_then(Value::as_u64);
    let number = |key: &str| object.get(key).and_then(Value::as_f64);
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let list = |key: &str| -> Result<Vec<Schema>, String> {
        let items = object.get(key).and_then(Value::as_array).into_iter().flatten().enumerate();
        items.map(|(i, v)| compile(v, &format!("{at}.{key}[{i}]"), depth + 1, totals)).collect()
    };
    let not = object.get("not").filter(|v| v.is_object());
    let not = not.map(|v| compile(v, &format!("{at}.not"), depth + 1, totals).map(Box::new));
    let kind = if flag("x-kubernetes-int-or-string") {
        Kind::IntOrString
    } else {
        match text("type") {
            None | Some("") => Kind::Any,
            Some("object") => Kind::Object,
            Some("array") => Kind::Array,
            Some("string") => Kind::String,
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            Some(other) => return Err(format!("{at}.type: {other} is not a type")),
        }
    };
    let required = names(object, "required");
    if required.iter().any(|name| name.len() > MAX_NAME) {
        return Err(format!("{at}.required: a field's name has more than {MAX_NAME} characters"));
    }
    Ok(Schema {
        kind,
        nullable: flag("nullable"),
        preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
        embedded: flag("x-kubernetes-embedded-resource"),
        description: text("description").map(|text| {
            text.get(..text.floor_char_boundary(MAX_QUOTED)).unwrap_or_default().to_owned()
        }),
        example: object.get("example").filter(|e| e.to_string().len() <= MAX_QUOTED).cloned(),
        default_fits: OnceLock::new(),
        default_holds: OnceLock::new(),
        default: object.get("default").filter(|v| !v.is_null()).cloned(),
        format: text("format").map(str::to_owned),
        allowed: object.get("enum").and_then(Value::as_array).cloned(),
        pattern: pattern(text("pattern"), at, totals)?,
        min_length: count("minLength"),
        max_length: count("maxLength"),
        minimum: number("minimum").map(|n| (n, flag("exclusiveMinimum"))),
        maximum: number("maximum").map(|n| (n, flag("exclusiveMaximum"))),
        multiple_of: number("multipleOf"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        required,
        additional: match (object.get("additionalProperties"), parts.additional) {
            (Some(Value::Bool(true)), _) => Additional::Allowed,
            (_, Some(schema)) => Additional::Schema(schema),
            _ => Additional::Absent,
        },
        items: parts.items,
        all_of: list("allOf")?,
        any_of: list("anyOf")?,
        one_of: list("oneOf")?,
        not: not.transpose()?,
        list: match text("x-kubernetes-list-type") {
            Some("set") => ListType::Set,
            Some("map") => ListType::Map(names(object, "x-kubernetes-list-map-keys")),
            _ => ListType::Atomic,
        },
        defaulted: parts.defaulted,
        properties: parts.properties,
        rules: rules(object, at, totals)?,
    })
}

/// Compiles a pattern, if there is one; a built-in one when it is first used.
fn pattern(text: Option<&str>, at: &str, totals: &Totals) -> Result<Option<Pattern>, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let pattern = Pattern { text: text.to_owned(), regexp: OnceLock::new() };
    if !totals.built_in {
        let regexp = regexp::compile(text).map_err(|e| format!("{at}.pattern: {e}"))?;
        let bytes = totals.pattern_bytes.get() + regexp.bytes();
        totals.pattern_bytes.set(bytes);
        if bytes > MAX_PATTERN_BYTES {
            let most = MAX_PATTERN_BYTES >> 20;
            return Err(format!(
                "{at}.pattern: the patterns so far take more than {most} MiB compiled: use fewer \
                    or shorter ones, with smaller repetitions"
            ));
        }
        let _ = pattern.regexp.set(Some(regexp));
    }
    Ok(Some(pattern))
}

fn rules(object: &Map<String, Value>, at: &str, totals: &Totals) -> Result<Vec<CelRule>, String> {
    let rules = object.get("x-kubernetes-validations").and_then(Value::as_array);
    let rules: Vec<CelRule> = rules.into_iter().flatten().filter_map(CelRule::of).collect();
    if totals.built_in {
        return Ok(rules);
    }
    for (i, rule) in rules.iter().enumerate() {
        let at = format!("{at}.x-kubernetes-validations[{i}]");
        rule.check_size().map_err(|e| format!("{at}: {e}"))?;
        let characters = totals.rule_characters.get() + rule.len();
        totals.rule_characters.set(characters);
        if characters > MAX_RULE_CHARACTERS {
            return Err(format!(
                "{at}: the rules so far have more than {MAX_RULE_CHARACTERS} characters: say it \
                    with less"
            ));
        }
    }
    Ok(rules)
}

fn names(object: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = object.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
