//! `metadata`, which every Kubernetes object has.
//!
//! Source: `k8s.io/apimachinery` 0.34 `pkg/apis/meta/v1/types.go` (fields and their types),
//! `pkg/api/validation/objectmeta.go`, `pkg/util/validation/validation.go` (forms of names).

use serde_json::{Map, Value};

use super::problem::Problem;
use super::suggest::nearest;
use crate::characters;
use crate::diagnostics::{Detail, catalog};
use kube_object::path::Path;

/// What a field of metadata may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Integer,
    Time,
    Texts,
    TextMap,
    Objects,
}

const FIELDS: [(&str, Form); 15] = [
    ("name", Form::Text),
    ("generateName", Form::Text),
    ("namespace", Form::Text),
    ("selfLink", Form::Text),
    ("uid", Form::Text),
    ("resourceVersion", Form::Text),
    ("generation", Form::Integer),
    ("creationTimestamp", Form::Time),
    ("deletionTimestamp", Form::Time),
    ("deletionGracePeriodSeconds", Form::Integer),
    ("labels", Form::TextMap),
    ("annotations", Form::TextMap),
    ("ownerReferences", Form::Objects),
    ("finalizers", Form::Texts),
    ("managedFields", Form::Objects),
];

/// The limit for all annotations of an object, keys and values (`TotalAnnotationSizeLimitB`).
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// Checks the `metadata` of a whole object.
pub(super) fn check(object: &Map<String, Value>, namespaced: bool) -> Vec<Problem> {
    let at = Path::fields("metadata");
    let metadata = match object.get("metadata") {
        Some(Value::Object(metadata)) => metadata,
        Some(Value::Null) | None => &Map::new(),
        Some(_) => {
            let mut problem = Problem::new(&catalog::TYPE, at, "must be a mapping");
            problem.detail = Detail::Wanted("a mapping".to_owned());
            return vec![problem];
        }
    };
    let mut problems = Vec::new();
    for (key, value) in metadata {
        shape(&at.key(key), key, value, &mut problems);
    }
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    problems.extend(text("name").and_then(|name| subdomain_problem(at.key("name"), name)));
    // The API server adds five characters, so a dash at the end is fine (`maskTrailingDash`).
    let prefix = text("generateName").map(|prefix| match prefix.strip_suffix('-') {
        Some(before) if !before.is_empty() => {
            let kept = before.char_indices().next_back().map_or(0, |(i, _)| i);
            format!("{}a", before.get(..kept).unwrap_or_default())
        }
        _ => prefix.to_owned(),
    });
    let prefix = prefix.as_deref();
    problems.extend(prefix.and_then(|name| subdomain_problem(at.key("generateName"), name)));
    let mistyped = metadata.get("name").is_some_and(|n| !n.is_string() && !n.is_null());
    if text("name").is_none() && text("generateName").is_none() && !mistyped {
        problems.push(
            Problem::new(&catalog::REQUIRED, at.key("name"), "is required")
                .help("name the object: lower-case letters, digits and dashes"),
        );
    }
    match text("namespace") {
        // Cleared for a kind that has none (apiserver `EnsureObjectNamespaceMatchesRequestNamespace`).
        Some(_) if !namespaced => {}
        Some(namespace) if !dns_label(namespace) => {
            let message = format!("{namespace:?} is not a namespace's name: {LABEL_FORM}");
            let near =
                near(&namespace.to_lowercase(), |c| c.is_ascii_lowercase() || c.is_ascii_digit());
            let problem = Problem::new(&catalog::METADATA, at.key("namespace"), message);
            problems.push(problem.offer(Some(near).filter(|near| dns_label(near))));
        }
        _ => {}
    }
    let mut refuse = |path: Path, message: String, help: Option<String>| {
        let mut problem = Problem::new(&catalog::METADATA, path, message);
        problem.help = help;
        problems.push(problem);
    };
    let entries = |key: &str| metadata.get(key).and_then(Value::as_object).into_iter().flatten();
    for (key, value) in entries("labels") {
        if let Some(message) = qualified_problem(key) {
            refuse(at.key("labels").key(key), message, None);
        }
        let fits = |v: &str| v.len() <= 63 && (v.is_empty() || name_part(v));
        if let Some(value) = value.as_str().filter(|v| !fits(v)) {
            let (message, help) = match value.len() {
                0..=63 => {
                    let near = near(value, |c| c.is_ascii_alphanumeric() || "_.".contains(c));
                    let message = format!(
                        "{value:?} is not a label value: letters, digits, '-', '_' and '.', \
                            beginning and ending with a letter or digit"
                    );
                    (
                        message,
                        format!("write {near}, or make it an annotation: these hold any text"),
                    )
                }
                long => (
                    format!("has {long} bytes; a label value has at most 63"),
                    "shorten it, or make it an annotation: these hold any text".to_owned(),
                ),
            };
            refuse(at.key("labels").key(key), message, Some(help));
        }
    }
    let mut bytes = 0;
    for (key, value) in entries("annotations") {
        bytes += key.len() + value.as_str().map_or(0, str::len);
        if let Some(message) = qualified_problem(&key.to_lowercase()) {
            refuse(at.key("annotations").key(key), message, None);
        }
    }
    if bytes > MAX_ANNOTATION_BYTES {
        let message =
            format!("holds {bytes} bytes; at most {MAX_ANNOTATION_BYTES} are allowed together");
        let help = "keep it elsewhere, for example in a ConfigMap, and name that here".to_owned();
        refuse(at.key("annotations"), message, Some(help));
    }
    let list = |key: &str| metadata.get(key).and_then(Value::as_array).into_iter().flatten();
    for (i, finalizer) in list("finalizers").enumerate() {
        let problem = finalizer.as_str().and_then(qualified_problem);
        if let Some(message) = problem {
            refuse(at.key("finalizers").index(i), message, None);
        }
    }
    for (i, owner) in list("ownerReferences").enumerate() {
        let at = at.key("ownerReferences").index(i);
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
                let help = "leave ownerReferences out: Kubernetes and Crossplane write them";
                let message = "is required in an owner reference".to_owned();
                refuse(at.key(field), message, Some(help.to_owned()));
            }
        }
    }
    problems
}

/// Checks that a value has the type that its field has in Go. Nulls count as absent.
fn shape(at: &Path, key: &str, value: &Value, problems: &mut Vec<Problem>) {
    let Some((_, form)) = FIELDS.iter().find(|(name, _)| *name == key) else {
        let near = nearest(key, FIELDS.iter().map(|(name, _)| *name));
        let problem =
            Problem::new(&catalog::UNKNOWN_FIELD, at.clone(), "metadata has no such field");
        problems.push(match near {
            Some(near) => problem.near(near),
            None if value.is_string() && dns_label(key) => {
                problem.help(format!("write it below metadata.labels: {key}: ..."))
            }
            None => problem,
        });
        return;
    };
    let mut wrong = |at: &Path, wanted: &str, value: &Value| {
        problems.push(Problem::type_mismatch(at.clone(), wanted, value));
    };
    let integer = |v: &Value| v.as_i64().is_some();
    match (form, value) {
        (_, Value::Null) | (Form::Text, Value::String(_)) => {}
        (Form::Text, other) => wrong(at, "a string", other),
        (Form::Integer, other) if integer(other) => {}
        (Form::Integer, other) => wrong(at, "an integer", other),
        (Form::Time, Value::String(text)) if super::formats::holds("date-time", text) => {}
        (Form::Time, other) => wrong(at, "a time such as 2024-01-31T12:00:00Z", other),
        (Form::TextMap, Value::Object(map)) => {
            for (key, value) in map {
                if !value.is_string() && !value.is_null() {
                    wrong(&at.key(key), "a string", value);
                }
            }
        }
        (Form::TextMap, other) => wrong(at, "a mapping", other),
        (Form::Texts | Form::Objects, Value::Array(items)) => {
            for (i, item) in items.iter().enumerate() {
                match form {
                    _ if item.is_null() => {}
                    Form::Texts if !item.is_string() => wrong(&at.index(i), "a string", item),
                    Form::Objects if !item.is_object() => wrong(&at.index(i), "a mapping", item),
                    _ => {}
                }
            }
        }
        (Form::Texts | Form::Objects, other) => wrong(at, "a list", other),
    }
}

const LABEL_FORM: &str = "at most 63 lower-case letters, digits and dashes, beginning and ending \
                          with a letter or digit";

/// Reports whether a text is an RFC 1123 label.
pub(super) fn dns_label(text: &str) -> bool {
    text.len() <= 63 && label_characters(text)
}

fn label_characters(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Reports whether a text is an RFC 1123 subdomain: labels separated by dots. Kubernetes only
/// limits its total length.
pub(super) fn dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(label_characters)
}

fn subdomain_problem(at: Path, name: &str) -> Option<Problem> {
    if dns_subdomain(name) {
        return None;
    }
    if name.len() > 253 {
        let message = format!("has {} bytes; at most 253 are allowed", name.len());
        return Some(Problem::new(&catalog::METADATA, at, message));
    }
    let near =
        near(&name.to_lowercase(), |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.');
    let message = format!(
        "{name:?} is not a Kubernetes name: lower-case letters, digits, '-' and '.', beginning and \
            ending with a letter or digit"
    );
    let problem = Problem::new(&catalog::METADATA, at, message);
    Some(problem.offer(Some(near).filter(|near| dns_subdomain(near))))
}

/// Replaces each run of disallowed characters by a dash, with none at the ends.
fn near(text: &str, allowed: impl Fn(char) -> bool) -> String {
    let text = characters::visible(text);
    let parts: Vec<&str> = text.split(|c| !allowed(c)).filter(|part| !part.is_empty()).collect();
    parts.join("-").trim_matches(['-', '.', '_']).to_owned()
}

/// Reports whether a text is letters, digits, `-`, `_`, `.`, with a letter or digit at both ends.
fn name_part(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(ends)
        && text.ends_with(ends)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Reports whether a text is the key of a label, as Kubernetes' `IsQualifiedName` sees it.
#[must_use]
pub fn is_qualified_name(key: &str) -> bool {
    qualified_problem(key).is_none()
}

/// Checks as `IsQualifiedName` does: an optional prefix, which is a subdomain, and a name.
fn qualified_problem(key: &str) -> Option<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if prefix.is_none_or(dns_subdomain) && name.len() <= 63 && name_part(name) {
        return None;
    }
    Some(format!(
        "{key:?} is not a qualified name: an optional domain with a slash, then at most 63 \
         letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
    ))
}
