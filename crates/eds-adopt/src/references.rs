//! The values of a container's variables: Kubernetes resolves `$(NAME)` in `env` from the variables
//! before it.

use kube_object::difference::value_at;
use kube_object::object::Fields;
use kube_object::path::Path;
use std::collections::HashMap;

use serde_json::Value;

use super::variables::{config_value, keys};

/// Finds an object by kind and name.
pub(super) type Find<'f, 'a> = &'f dyn Fn(&str, &str) -> Option<&'a Value>;

/// Returns the variable that a leaf of a workload belongs to, whose path leads through a container's
/// `env`.
pub(super) fn variable_at<'v>(workload: &'v Value, path: &Path) -> Option<&'v str> {
    let entry = Path(path.0.iter().take(7).cloned().collect());
    Some(value_at(workload, &entry)?.text("/name"))
}

/// Longer values are not resolved: each variable can double the one before it.
const LONGEST: usize = 4 * 1024;

/// Returns the values of a container's variables. Values kept elsewhere are only named.
pub(super) fn values<'a>(container: &Value, find: Find<'_, 'a>) -> HashMap<String, String> {
    let mut known: HashMap<String, String> = HashMap::new();
    for source in container.list("/envFrom") {
        let prefix = source.text("/prefix");
        let (secret, config) = (source.text("/secretRef/name"), source.text("/configMapRef/name"));
        if let Some(object) = find("Secret", secret).filter(|_| !secret.is_empty()) {
            for key in keys(object, &["data", "stringData"]) {
                known.insert(format!("{prefix}{key}"), named("Secret", secret, key));
            }
        } else if let Some(object) = find("ConfigMap", config).filter(|_| !config.is_empty()) {
            for key in keys(object, &["data"]) {
                let value = config_value(object, key).unwrap_or_default().to_owned();
                known.insert(format!("{prefix}{key}"), value);
            }
        }
    }
    for entry in container.list("/env") {
        let from = |at: &str| entry.text(&format!("/valueFrom/{at}"));
        let (secret, config) = (from("secretKeyRef/name"), from("configMapKeyRef/name"));
        let value = if !secret.is_empty() {
            named("Secret", secret, from("secretKeyRef/key"))
        } else if !config.is_empty() {
            let key = from("configMapKeyRef/key");
            let value = find("ConfigMap", config).and_then(|object| config_value(object, key));
            value.map_or_else(|| named("ConfigMap", config, key), str::to_owned)
        } else if let Some(field) = entry.at("/valueFrom/fieldRef/fieldPath") {
            named("field", field.as_str().unwrap_or_default(), "")
        } else if let Some(resource) = entry.at("/valueFrom/resourceFieldRef/resource") {
            named("figure", resource.as_str().unwrap_or_default(), "")
        } else if entry.get("valueFrom").is_some_and(Value::is_object) {
            continue;
        } else {
            resolved(entry.text("/value"), &known)
        };
        known.insert(entry.text("/name").to_owned(), value);
    }
    known
}

fn named(kind: &str, name: &str, key: &str) -> String {
    format!("\u{0}{kind} {name} {key}\u{0}")
}

/// Resolves the references in a value; one that refers to nothing stays as it is.
fn resolved(value: &str, known: &HashMap<String, String>) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let after = from.get(1..).unwrap_or_default();
        let reference = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        if let Some(escaped) = after.strip_prefix('$') {
            out.push('$');
            rest = escaped;
        } else if let Some((name, beyond)) = reference {
            match known.get(name).filter(|known| out.len() + known.len() <= LONGEST) {
                Some(known) => out.push_str(known),
                None => out.extend(["$(", name, ")"]),
            }
            rest = beyond;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::variables::literal;
    use super::*;

    #[test]
    fn as_kubernetes_resolves_them() {
        let check = |value: &str, expected: &str| {
            let env = json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": value},
                {"name": "C", "value": "3"}]});
            let found = values(&env, &|_, _| None);
            assert_eq!(found.get("B").map(String::as_str), Some(expected), "{value}");
        };
        check("$(A)", "1");
        check("$(C)", "$(C)");
        check("$$(A)", "$(A)");
        check("$$$(A)", "$1");
        check("$A ${A} $", "$A ${A} $");
        check("$(A", "$(A");
        // What a ConfigMap says is not resolved.
        for text in ["$(A)", "$$(A)", "a$$b", "$$$b", "$", "${A}", "$$", "x$(A)$$$(C)$"] {
            check(&literal(text), text);
        }
    }
}
