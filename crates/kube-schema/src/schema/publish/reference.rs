//! The claim's fields as a page for people: a table for each object, followed by what is refused.

use kube_object::crossplane::is_machinery;
use kube_object::object::Fields;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::super::{AdmissionPolicy, Definition};
use super::{descriptions, patterns};
use crate::yaml::flow;

/// Renders the page for GitHub. Uses those of `policies` that apply to this kind: their messages
/// appear with the metadata, which is what admission policies are for here.
#[must_use]
pub fn markdown(definition: &Definition, policies: &[Value]) -> String {
    let Definition { group, version, kind, .. } = definition;
    let mut schema = definition.schema().clone();
    descriptions::fill(&mut schema);
    let mut page = Page::default();
    for part in ["spec", "status"] {
        if let Some(part_schema) = schema.at(&format!("/properties/{part}")) {
            page.object(part, part_schema, false);
        }
    }
    let mut text = format!(
        "<!-- Made by `eds publish-schema --format markdown`, of the definition. Do not edit it. \
            -->\n\n# Fields of {kind}\n\n"
    );
    let about = words(&schema, "description");
    if !about.is_empty() {
        let _ = writeln!(text, "{}\n", prose(about));
    }
    let _ = writeln!(
        text,
        "API version `{group}/{version}`. **Bold** fields are required. Below each table stands \
            what is refused beyond it, in the words in which the API server and `eds validate` say \
            it.\n"
    );
    let links: Vec<String> = page.sections.iter().map(|s| link(&s.title, &s.title)).collect();
    let _ = writeln!(text, "{}\n", links.join(" · "));
    text.push_str(&metadata(definition, policies));
    for section in &page.sections {
        let _ = write!(text, "\n## {}\n\n{}", section.title, section.body);
    }
    if !page.machinery.is_empty() {
        let _ = write!(
            text,
            "\n## Crossplane's own fields\n\nEvery claim has them; hardly anybody writes them.\n\n\
             | field | what it is |\n|---|---|\n{}",
            page.machinery
        );
    }
    text
}

/// Returns what those of `policies` that apply to this kind say when they refuse an object.
pub(super) fn refusals<'a>(definition: &Definition, policies: &'a [Value]) -> Vec<&'a str> {
    policies
        .iter()
        .filter(|policy| AdmissionPolicy::of(policy, definition).is_some())
        .filter_map(|policy| policy.at("/spec/validations")?.as_array())
        .flatten()
        .map(|validation| words(validation, "message"))
        .filter(|message| !message.is_empty())
        .collect()
}

fn metadata(definition: &Definition, policies: &[Value]) -> String {
    let messages = refusals(definition, policies);
    let what = match definition.namespaced {
        true => "`name` and `namespace`, as of any object; labels and annotations are your own.",
        false => "`name`, as of any object; labels and annotations are your own.",
    };
    let mut text = format!("## metadata\n\n{what}\n");
    refused(&mut text, messages.iter().map(|message| prose(message)));
    text
}

struct Section {
    title: String,
    body: String,
}

#[derive(Default)]
struct Page {
    sections: Vec<Section>,
    machinery: String,
}

impl Page {
    /// Renders an object: a table of its fields, what is refused, then the objects below it.
    fn object(&mut self, path: &str, schema: &Value, required: bool) {
        let empty = Map::new();
        let fields = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let needed = |name: &str| requires(schema, name);
        let (mut rows, mut rules, mut below) =
            (String::new(), rule_messages(schema, None), Vec::new());
        let (first, rest): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| needed(name));
        for (name, field) in first.into_iter().chain(rest) {
            let at = format!("{path}.{name}");
            if path == "spec" && is_machinery(name) {
                let _ = writeln!(self.machinery, "| `{at}` | {} |", cell(field, None));
                continue;
            }
            let inner = innermost(field, &at);
            let has_section = inner.1.get("properties").is_some();
            if has_section {
                below.push((inner, needed(name)));
            }
            // An object without a table says here what is refused; a list says so for the whole
            // list.
            if !has_section || field.get("type").and_then(Value::as_str) == Some("array") {
                rules.extend(rule_messages(field, Some(name)));
            }
            let (name, default) = match (needed(name), field.get("default")) {
                (true, _) => (format!("**`{name}`**"), "required".to_owned()),
                (false, Some(default)) if default.as_object().is_none_or(|d| !d.is_empty()) => {
                    (format!("`{name}`"), code(default))
                }
                (false, _) => (format!("`{name}`"), String::new()),
            };
            let target = has_section.then(|| innermost(field, &at).0);
            let _ = writeln!(
                rows,
                "| {name} | {} | {default} | {} | {} |",
                kind(field, target.as_deref()),
                bounds(field).join("; "),
                cell(field, field.get("example")),
            );
        }
        let mut body = String::new();
        let about = words(schema, "description");
        if !about.is_empty() {
            let must = if required { " Required." } else { "" };
            let _ = writeln!(body, "{}{must}\n", prose(about));
        }
        let _ = write!(
            body,
            "| field | type | default | must be | what it is |\n|---|---|---|---|---|\n{rows}"
        );
        refused(&mut body, rules.into_iter());
        self.sections.push(Section { title: path.to_owned(), body });
        for ((path, schema), required) in below {
            self.object(&path, schema, required);
        }
    }
}

/// Reports whether an object requires a field.
pub(super) fn requires(schema: &Value, name: &str) -> bool {
    let list = schema.get("required").and_then(Value::as_array);
    list.is_some_and(|list| list.iter().any(|needed| needed == name))
}

/// Returns what a list ultimately holds, and its path; the schema itself if it is not a list.
pub(super) fn innermost<'a>(schema: &'a Value, path: &str) -> (String, &'a Value) {
    match schema.get("items") {
        Some(items) => innermost(items, &format!("{path}[]")),
        None => (path.to_owned(), schema),
    }
}

/// Returns the messages of a schema's rules.
fn rule_messages(schema: &Value, of: Option<&str>) -> Vec<String> {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    let message = |rule: &Value| match words(rule, "message") {
        "" => format!("`{}`", words(rule, "rule")),
        message => prose(message),
    };
    let of = of.map(|name| format!("`{name}`: ")).unwrap_or_default();
    rules.into_iter().flatten().map(|rule| format!("{of}{}", message(rule))).collect()
}

fn refused(text: &mut String, messages: impl ExactSizeIterator<Item = String>) {
    if messages.len() > 0 {
        text.push_str("\nRefused:\n\n");
    }
    for message in messages {
        let _ = writeln!(text, "- {message}");
    }
}

/// Returns the type in a word; `target` is the section that says more.
pub(super) fn kind(schema: &Value, target: Option<&str>) -> String {
    let linked = |word: &str| target.map_or(word.to_owned(), |target| link(word, target));
    let plural = |schema: &Value| match words(schema, "type") {
        "string" => "texts".to_owned(),
        "integer" | "number" => "numbers".to_owned(),
        "object" => linked("objects"),
        other => other.to_owned(),
    };
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return "number or text".to_owned();
    }
    match words(schema, "type") {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => format!("list of {}", schema.get("items").map(plural).unwrap_or_default()),
        "object" => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => format!("map of {}", plural(values)),
            _ => linked("object"),
        },
        "" => "anything".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns the bounds of a value in words; for a list, also those of its texts.
pub(super) fn bounds(schema: &Value) -> Vec<String> {
    let number = |key: &str| schema.get(key).and_then(Value::as_i64);
    let mut all = Vec::new();
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        all.push(values.iter().map(code).collect::<Vec<_>>().join(", "));
    }
    all.extend(match words(schema, "pattern") {
        "" => None,
        pattern => Some(patterns::in_words(pattern).map_or_else(|| raw(pattern), str::to_owned)),
    });
    all.extend(between(number("minimum"), number("maximum"), ""));
    all.extend(between(number("minLength"), number("maxLength"), " characters"));
    all.extend(between(number("minItems"), number("maxItems"), " entries"));
    if let Some(items) = schema.get("items").filter(|items| items.get("properties").is_none()) {
        all.extend(bounds(items).into_iter().map(|bound| format!("each {bound}")));
    }
    all
}

fn between(least: Option<i64>, most: Option<i64>, what: &str) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{what}")),
        (Some(least), None) => Some(format!("at least {least}{what}")),
        (None, Some(most)) => Some(format!("at most {most}{what}")),
        (None, None) => None,
    }
}

pub(super) fn words<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns a field's description with its example.
fn cell(schema: &Value, example: Option<&Value>) -> String {
    let mut text = prose(words(schema, "description"));
    if let Some(example) = example {
        let _ = write!(text, " Example: {}", code(example));
    }
    text.trim().to_owned()
}

/// Writes a value in YAML's flow style, as code.
fn code(value: &Value) -> String {
    raw(&flow(value))
}

/// Writes text as code in a table: its bars are not borders, and its backticks do not end the code.
fn raw(text: &str) -> String {
    let text = text.replace('|', r"\|").replace(['\n', '\r'], " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    match longest {
        0 => format!("`{text}`"),
        _ => format!("{0} {text} {0}", "`".repeat(longest + 1)),
    }
}

/// Escapes a sentence for Markdown, in a table or not.
fn prose(text: &str) -> String {
    let mut out = String::new();
    // What the author marked as code is code already.
    for (i, part) in text.split('`').enumerate() {
        if i % 2 == 1 {
            out.push_str(&raw(part));
            continue;
        }
        for c in part.chars() {
            if matches!(c, '\n' | '\r') {
                out.push(' ');
                continue;
            }
            if matches!(c, '|' | '<' | '>' | '*' | '_' | '[' | ']' | '$' | '~') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// Links to a section by the anchor that GitHub gives its title.
fn link(word: &str, title: &str) -> String {
    let anchor: String = title
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect();
    format!("[{}](#{anchor})", word.replace('[', r"\[").replace(']', r"\]"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Checks the row of a field in a definition's spec.
    #[track_caller]
    fn check(field: &Value, expected: &str) {
        let spec = json!({"type": "object", "properties": {"field": field}});
        let definition = super::super::thing(&spec);
        let page = markdown(&definition, &[]);
        let row = page.lines().find(|line| line.starts_with("| `field` |"));
        assert_eq!(row, Some(expected), "{page}");
    }

    #[test]
    fn a_row_for_each_kind_of_field() {
        check(
            &json!({"type": "string", "pattern": "^a|b$", "description": "One\n| two *three* \
                <four>."}),
            r"| `field` | text |  | `^a\|b$` | One \| two \*three\* \<four\>. |",
        );
        check(
            &json!({"type": "integer", "minimum": 1, "maximum": 9, "default": 3, "example": 4}),
            "| `field` | whole number | `3` | 1 to 9 | Example: `4` |",
        );
        check(
            &json!({"type": "string", "enum": ["a", "b`c"], "default": ""}),
            r#"| `field` | text | `""` | `a`, `` b`c `` |  |"#,
        );
        check(
            &json!({"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 2}),
            "| `field` | list of texts |  | at most 2 entries; each at most 4 characters |  |",
        );
        check(
            &json!({"type": "array",
                "items": {"type": "object", "properties": {"x": {"type": "boolean"}}}}),
            "| `field` | list of [objects](#specfield) |  |  |  |",
        );
        check(
            &json!({"type": "object", "additionalProperties": {"type": "string"}}),
            "| `field` | map of texts |  |  |  |",
        );
        check(
            &json!({"x-kubernetes-int-or-string": true}),
            "| `field` | number or text |  |  |  |",
        );
    }
}
