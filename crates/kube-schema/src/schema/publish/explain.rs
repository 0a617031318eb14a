//! Explains one field of the claim, or the fields in it, in a terminal.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::super::{Definition, suggest};
use super::descriptions;
use super::reference::{bounds, innermost, kind, refusals, requires, words};
use crate::yaml::flow;

/// The width of a line of prose, in columns.
const WIDTH: usize = 96;

/// Why a path cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchField {
    /// The object that was reached; empty for the whole claim.
    pub at: String,
    /// The field that it does not have.
    pub name: String,
    /// The field that was probably meant, if one is near.
    pub nearest: Option<String>,
    /// The fields that it has; none if it is not an object.
    pub fields: Vec<String>,
}

/// Explains the field at a path such as `spec.nats.account`: its type, default, bounds, description
/// and own fields. Paths lead through lists with or without `[]`, and with the number of an entry as
/// findings have it (`spec.env[2].name`). What one of `policies` refuses is said at each field in
/// `metadata` that its message begins with.
///
/// # Errors
/// There is no such field.
pub fn field(
    definition: &Definition,
    policies: &[Value],
    path: &str,
) -> Result<String, NoSuchField> {
    let mut root = definition.schema().clone();
    descriptions::fill(&mut root);
    let mut here = (String::new(), &root);
    let mut needed = false;
    for name in steps(path) {
        let name = name.as_str();
        let (at, schema) = innermost(here.1, &here.0);
        let fields = properties(schema);
        // A key of one's own, as of a label: what is said is said of all of them.
        if fields.is_none_or(Map::is_empty)
            && let Some(any) = schema.get("additionalProperties").filter(|any| any.is_object())
        {
            needed = false;
            here = (format!("{at}[{name}]"), any);
            continue;
        }
        let Some(next) = fields.and_then(|fields| fields.get(name)) else {
            let names = || fields.into_iter().flat_map(Map::keys);
            return Err(NoSuchField {
                nearest: suggest::nearest(name, names().map(String::as_str)).map(ToOwned::to_owned),
                fields: names().cloned().collect(),
                at,
                name: name.to_owned(),
            });
        };
        needed = requires(schema, name);
        here = (if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }, next);
    }
    let (path, schema) = here;
    let about = |message: &&str| {
        let field = message.split(' ').next().unwrap_or_default();
        path == "metadata" && field.starts_with("metadata.") || path == field
    };
    let refused: Vec<&str> = refusals(definition, policies).into_iter().filter(about).collect();
    let title = if path.is_empty() { definition.kind.clone() } else { path };
    Ok(text(&title, schema, needed, &refused))
}

/// Splits a path into the names of fields. Numbers of entries lead nowhere else; a key in brackets
/// (`labels[example.com/team]`, with or without quotes) is a name.
fn steps(path: &str) -> Vec<String> {
    let (mut steps, mut step, mut inside) = (Vec::new(), String::new(), false);
    let mut end = |step: &mut String, bracketed: bool| {
        let name = std::mem::take(step);
        let name = name.trim_matches(['\'', '"']);
        let is_number = name.chars().all(|c| c.is_ascii_digit()) || name == "*";
        if !(name.is_empty() || bracketed && is_number) {
            steps.push(name.to_owned());
        }
    };
    for c in path.trim().chars() {
        match c {
            '.' | '[' if !inside => {
                end(&mut step, false);
                inside = c == '[';
            }
            ']' if inside => {
                end(&mut step, true);
                inside = false;
            }
            c => step.push(c),
        }
    }
    end(&mut step, inside);
    steps
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// `more` is what is refused of it besides what the schema says.
fn text(title: &str, schema: &Value, needed: bool, more: &[&str]) -> String {
    let mut text = format!("{title}: {}\n", summary(schema, needed));
    let inner = innermost(schema, "").1;
    for about in [words(schema, "description"), words(inner, "description")] {
        if !about.is_empty() && !text.contains(&wrapped(about, "")) {
            let _ = write!(text, "\n{}", wrapped(about, ""));
        }
    }
    let bounds: Vec<String> = bounds(schema).iter().map(|bound| plain(bound)).collect();
    if !bounds.is_empty() {
        let _ = write!(text, "\nmust be\n{}", wrapped(&bounds.join("; "), "  "));
    }
    if let Some(example) = schema.get("example") {
        let _ = write!(text, "\nexample\n  {}\n", flow(example));
    }
    let both = if std::ptr::eq(schema, inner) { vec![schema] } else { vec![schema, inner] };
    let rules = both
        .iter()
        .filter_map(|schema| schema.get("x-kubernetes-validations")?.as_array())
        .flatten()
        .map(|rule| match words(rule, "message") {
            "" => words(rule, "rule"),
            message => message,
        });
    let refused: String =
        rules.chain(more.iter().copied()).map(|rule| wrapped(rule, "  ")).collect();
    if !refused.is_empty() {
        let _ = write!(text, "\nrefused\n{refused}");
    }
    if let Some(fields) = properties(inner).filter(|fields| !fields.is_empty()) {
        let _ = writeln!(text, "\nfields");
        let width = fields.keys().map(String::len).max().unwrap_or_default();
        let (first, rest): (Vec<_>, Vec<_>) = fields.iter().partition(|(n, _)| requires(inner, n));
        for (name, field) in first.into_iter().chain(rest) {
            let _ = writeln!(text, "  {name:width$}  {}", summary(field, requires(inner, name)));
        }
    }
    text
}

/// Summarizes the type in a word, and whether the field may be omitted.
fn summary(schema: &Value, needed: bool) -> String {
    let kind = kind(schema, None);
    match schema.get("default") {
        _ if needed => format!("{kind}, required"),
        Some(default) if default.as_object().is_none_or(|fields| !fields.is_empty()) => {
            format!("{kind}, {} by default", flow(default))
        }
        _ => kind,
    }
}

/// Strips the Markdown from a table cell.
fn plain(cell: &str) -> String {
    cell.replace('`', "").replace(r"\|", "|")
}

/// Wraps prose to at most [`WIDTH`] columns.
fn wrapped(prose: &str, indent: &str) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in prose.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            column = 0;
        }
        let before = if column == 0 { indent } else { " " };
        column += before.len() + length;
        text.push_str(before);
        text.push_str(word);
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition() -> Definition {
        super::super::thing(&json!({
                "type": "object", "required": ["size"], "description": "What it is.",
                "properties": {
                    "size": {"type": "string", "enum": ["small", "large"], "example": "small"},
                    "labels": {"type": "object",
                        "additionalProperties": {"type": "string", "maxLength": 9}},
                    "count": {"type": "integer", "minimum": 1, "default": 3},
                    "parts": {"type": "array", "maxItems": 2, "description": "What it has.",
                        "x-kubernetes-validations": [{"rule": "true", "message": "two alike"}],
                        "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
                },
        }))
    }

    #[test]
    fn a_field_and_what_it_holds() {
        let check = |path: &str, expected: &str| {
            assert_eq!(field(&definition(), &[], path).as_deref(), Ok(expected), "{path}");
        };
        check(
            "spec",
            "spec: object\n\nWhat it is.\n\nfields\n  size    text, required\n  count   whole \
                number, 3 by default\n  labels  map of texts\n  parts   list of objects\n",
        );
        check(
            "spec.size",
            "spec.size: text, required\n\nmust be\n  small, large\n\nexample\n  small\n",
        );
        check("spec.count", "spec.count: whole number, 3 by default\n\nmust be\n  at least 1\n");
        check(
            "spec.parts",
            "spec.parts: list of objects\n\nWhat it has.\n\nmust be\n  at most 2 \
                entries\n\nrefused\n  two alike\n\nfields\n  name  text\n",
        );
        check("spec.parts.name", "spec.parts[].name: text\n");
        check("spec.parts[].name", "spec.parts[].name: text\n");
        check("spec.parts[0].name", "spec.parts[].name: text\n");
        check(" .spec.parts[12].name ", "spec.parts[].name: text\n");
        check("spec.parts[*].name", "spec.parts[].name: text\n");
        check("spec['parts'].name", "spec.parts[].name: text\n");
        check("spec.labels.team", "spec.labels[team]: text\n\nmust be\n  at most 9 characters\n");
        check(
            "spec.labels[example.com/team]",
            "spec.labels[example.com/team]: text\n\nmust be\n  at most 9 characters\n",
        );
        check("", "Thing: object\n\nfields\n  spec  object\n");
    }

    #[test]
    fn what_is_not_there() {
        let error = field(&definition(), &[], "spec.sise").unwrap_err();
        assert_eq!((error.at.as_str(), error.nearest.as_deref()), ("spec", Some("size")));
        assert_eq!(error.fields, ["count", "labels", "parts", "size"]);
        let error = field(&definition(), &[], "spec.count.more").unwrap_err();
        assert_eq!((error.at.as_str(), error.fields.len()), ("spec.count", 0));
    }

    #[test]
    fn long_prose_is_broken() {
        assert_eq!(wrapped(&"word ".repeat(40), "  ").lines().count(), 3);
        assert!(wrapped(&"word ".repeat(40), "  ").lines().all(|line| line.len() <= WIDTH));
    }
}
