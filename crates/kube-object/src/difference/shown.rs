//! Values of manifests, made safe to show.

use crate::object::Fields;
use serde_json::{Value, json};

use super::value_at;
use crate::path::{Path, Step};
use crate::secrets::{arguments, looks_secret, masked};

/// Returns a value as it may be shown: without secrets, and cut to a readable length.
pub fn shown(object: &Value, path: &Path, value: &Value) -> Value {
    const CONCEALED: &str = "***";
    let kind = object.text("/kind");
    let Value::String(text) = value else { return masked_value(value) };
    let key = path.0.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    let key = key.unwrap_or_default();
    let top = path.0.first();
    let is = |name: &str| top == Some(&Step::Key(name.to_owned()));
    let secret = kind == "Secret" && !is("apiVersion") && !is("kind") && !is("type");
    let secret = secret && !(is("metadata") && matches!(key, "name" | "namespace"));
    if secret || key == "kubectl.kubernetes.io/last-applied-configuration" {
        return json!(CONCEALED);
    }
    let name = match key {
        // A variable's name is next to its value.
        "value" => {
            let parent = Path(path.0.iter().take(path.0.len() - 1).cloned().collect());
            value_at(object, &parent).map(|entry| entry.text("/name")).unwrap_or_default()
        }
        // These keys hold names of Secrets.
        "secret" | "secrets" => "",
        key => key,
    };
    if looks_secret(name, text) || is_argument(object, path, key, text) {
        json!(CONCEALED)
    } else {
        masked_value(value)
    }
}

/// Reports whether a text is an argument of a command that holds a secret, by what stands before it.
fn is_argument(object: &Value, path: &Path, key: &str, text: &str) -> bool {
    let Some((Step::Index(at), list)) = path.0.split_last() else { return false };
    if !matches!(key, "args" | "command") {
        return false;
    }
    let list = value_at(object, &Path(list.to_vec()));
    let words = list.into_iter().flat_map(|list| list.list(""));
    let mut words: Vec<&str> = words.map(|word| word.as_str().unwrap_or_default()).collect();
    // The text may be what stands in the word's place from now on.
    if let Some(word) = words.get_mut(*at) {
        *word = text;
    }
    arguments(&words).get(*at).is_some_and(Option::is_some)
}

/// Masks whatever looks like a secret in the value itself.
pub fn masked_value(value: &Value) -> Value {
    const LONGEST: usize = 300;
    match value {
        Value::String(text) => {
            let text = masked(text).unwrap_or_else(|| text.clone());
            let text = if looks_secret("", &text) { "***".to_owned() } else { text };
            match text.char_indices().nth(LONGEST) {
                Some((at, _)) => json!(format!("{}…", text.get(..at).unwrap_or_default())),
                None => json!(text),
            }
        }
        Value::Array(items) => items.iter().map(masked_value).collect(),
        Value::Object(entries) => Value::Object(
            entries.iter().map(|(key, value)| (key.clone(), masked_value(value))).collect(),
        ),
        other => other.clone(),
    }
}
