//! A container's environment, as a claim can express it.
//!
//! In Kubernetes, the last of two variables with one name wins, and `env` wins over `envFrom`. A
//! claim has plain values, single keys of Secrets and whole Secrets; so a value in a ConfigMap
//! among the manifests becomes a plain value, and what looks like a secret must come from a Secret.

use kube_object::object::Fields;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Namespace;
use kube_object::secrets::looks_secret;

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is written there.
    Plain(String),
    /// A key of a Secret.
    Secret { name: String, key: String },
    /// A claim cannot express it: what it is.
    Unsaid(String),
}

/// One variable.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) origin: Origin,
    /// What a person should know about its line in the claim.
    pub(super) comment: Option<String>,
}

impl Variable {
    /// Returns its value, if the manifests contain it.
    pub(super) fn value(&self) -> Option<&str> {
        match &self.origin {
            Origin::Plain(value) => Some(value),
            _ => None,
        }
    }

    /// Reports whether its value is written there, and should not be.
    pub(super) fn is_plain_secret(&self) -> bool {
        self.value().is_some_and(|value| looks_secret(&self.name, value))
    }
}

/// An environment.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// In order, each name once.
    pub(super) variables: Vec<Variable>,
    /// Secrets that are taken whole.
    pub(super) whole: Vec<String>,
    /// Variables with values that are not read, and where those are.
    pub(super) hidden: Vec<(String, String)>,
    /// What a claim cannot express, one per line.
    pub(super) unsaid: Vec<String>,
}

impl Environment {
    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// Returns what a container is given.
    pub(super) fn of(container: &Value, pod: &Value, namespace: &Namespace<'_>) -> Self {
        let mut all = Self::default();
        let mut found: Vec<Variable> = Vec::new();
        for source in container.list("/envFrom") {
            all.source(source, namespace, &mut found);
        }
        for entry in container.list("/env") {
            let name = entry.text("/name");
            if name.is_empty() {
                continue;
            }
            let (origin, comment) = origin(entry, pod, namespace);
            let config = entry.text("/valueFrom/configMapKeyRef/name");
            match &origin {
                Origin::Secret { name: secret, .. } => {
                    all.hidden.push((name.to_owned(), format!("Secret {secret}")));
                }
                Origin::Unsaid(_) if !config.is_empty() => {
                    all.hidden.push((name.to_owned(), format!("ConfigMap {config}")));
                }
                _ => {}
            }
            found.push(Variable { name: name.to_owned(), origin, comment });
        }
        // The last of a name counts, at the position of the first.
        let mut places: HashMap<String, usize> = HashMap::new();
        for variable in found {
            match places.get(&variable.name).and_then(|at| all.variables.get_mut(*at)) {
                Some(earlier) => *earlier = variable,
                None => {
                    places.insert(variable.name.clone(), all.variables.len());
                    all.variables.push(variable);
                }
            }
        }
        all
    }

    fn source(&mut self, source: &Value, namespace: &Namespace<'_>, found: &mut Vec<Variable>) {
        let prefix = source.text("/prefix");
        let (secret, config) = (source.text("/secretRef/name"), source.text("/configMapRef/name"));
        if !secret.is_empty() && prefix.is_empty() {
            if !self.whole.iter().any(|known| known == secret) {
                self.whole.push(secret.to_owned());
            }
            // A later source wins, but in a claim a variable in spec.env would win over a Secret's
            // key.
            match namespace.secret(secret) {
                Some(object) => {
                    let keys: HashSet<&str> =
                        keys(object, &["data", "stringData"]).into_iter().collect();
                    found.retain(|variable| !keys.contains(variable.name.as_str()));
                }
                None => found.iter_mut().for_each(|variable| {
                    let may =
                        format!("leave it out where Secret {secret} holds it too: that counted");
                    variable.comment = Some(match variable.comment.take() {
                        Some(comment) => format!("{comment}; {may}"),
                        None => may,
                    });
                }),
            }
            let object = namespace.secret(secret).into_iter();
            let keys = object.flat_map(|object| keys(object, &["data", "stringData"]));
            self.hidden.extend(keys.map(|key| (key.to_owned(), format!("Secret {secret}"))));
        } else if !secret.is_empty() {
            let Some(object) = namespace.secret(secret) else {
                self.unsaid.push(format!(
                    "every key of Secret {secret}, with {prefix} before its name: list them here, \
                        a claim has no prefix, and the Secret is not among the manifests"
                ));
                return;
            };
            for key in keys(object, &["data", "stringData"]) {
                let origin = Origin::Secret { name: secret.to_owned(), key: key.to_owned() };
                found.push(Variable { name: format!("{prefix}{key}"), origin, comment: None });
            }
        } else if !config.is_empty() {
            let Some(object) = namespace.config(config) else {
                self.unsaid.push(format!(
                    "every key of ConfigMap {config}{}: write them here, the ConfigMap is not \
                        among the manifests",
                    if prefix.is_empty() {
                        String::new()
                    } else {
                        format!(", with {prefix} before its name")
                    }
                ));
                return;
            };
            for key in keys(object, &["data"]) {
                let value = literal(config_value(object, key).unwrap_or_default());
                let comment = Some(format!("as ConfigMap {config} had it"));
                let (name, origin) = (format!("{prefix}{key}"), Origin::Plain(value));
                found.push(Variable { name, origin, comment });
            }
        }
    }
}

/// Escapes a value so that it stays the same where Kubernetes resolves variables: it resolves
/// nothing in a ConfigMap, but in a container's `env` it does `$(NAME)`, and `$$` for a `$`.
pub(super) fn literal(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        let after = from.trim_start_matches('$');
        let dollars = from.len() - after.len();
        let twice = dollars > 1 || after.starts_with('(');
        out.push_str(before);
        out.push_str(&"$".repeat(if twice { 2 * dollars } else { dollars }));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Returns the Secret taken whole that has the variable's key too, and wins because it follows the
/// ConfigMap.
pub(super) fn overruling<'a>(
    container: &'a Value,
    config: &str,
    variable: &str,
    secret: impl Fn(&str) -> Option<&'a Value>,
) -> Option<&'a str> {
    let sources = container.list("/envFrom");
    let mut later =
        sources.skip_while(|source| source.text("/configMapRef/name") != config).skip(1);
    later.find_map(|source| {
        let name = source.text("/secretRef/name");
        let key = variable.strip_prefix(source.text("/prefix"))?;
        let has = keys(secret(name)?, &["data", "stringData"]).contains(&key);
        has.then_some(name)
    })
}

/// Returns the value of a ConfigMap's key.
pub(super) fn config_value<'a>(config: &'a Value, key: &str) -> Option<&'a str> {
    config.get("data")?.get(key)?.as_str()
}

/// Returns the keys of a ConfigMap or a Secret.
pub(super) fn keys<'a>(object: &'a Value, fields: &[&str]) -> Vec<&'a str> {
    let mut keys: Vec<&str> = fields
        .iter()
        .filter_map(|field| object.get(field)?.as_object())
        .flat_map(|entries| entries.keys().map(String::as_str))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn origin(entry: &Value, pod: &Value, namespace: &Namespace<'_>) -> (Origin, Option<String>) {
    let Some(from) = entry.get("valueFrom").filter(|from| from.is_object()) else {
        let value = match entry.get("value") {
            Some(Value::String(value)) => value.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        return (Origin::Plain(value), None);
    };
    let (secret, key) = (from.text("/secretKeyRef/name"), from.text("/secretKeyRef/key"));
    if !secret.is_empty() {
        return (Origin::Secret { name: secret.to_owned(), key: key.to_owned() }, None);
    }
    let (config, key) = (from.text("/configMapKeyRef/name"), from.text("/configMapKeyRef/key"));
    if !config.is_empty() {
        return match namespace.config(config).and_then(|object| config_value(object, key)) {
            Some(value) => {
                (Origin::Plain(literal(value)), Some(format!("as ConfigMap {config} had it")))
            }
            None => (
                Origin::Unsaid(format!(
                    "key {key} of ConfigMap {config}: write its value here, the ConfigMap is not \
                        among the manifests"
                )),
                None,
            ),
        };
    }
    match from.text("/fieldRef/fieldPath") {
        "metadata.namespace" => {
            let comment = Some("was a fieldRef to the pod's namespace".to_owned());
            (Origin::Plain(namespace.name.to_owned()), comment)
        }
        "spec.serviceAccountName" if !pod.text("/serviceAccountName").is_empty() => {
            let comment =
                Some("was a fieldRef; the claim's ServiceAccount has the claim's name".to_owned());
            (Origin::Plain(namespace.claim.to_owned()), comment)
        }
        "" => match from.text("/resourceFieldRef/resource") {
            "" => (Origin::Unsaid("a source that is unknown here".to_owned()), None),
            resource => (
                Origin::Unsaid(format!(
                    "the container's {resource}: write the figure here, as spec.size makes it, a \
                        claim has no resourceFieldRef"
                )),
                None,
            ),
        },
        field => (
            Origin::Unsaid(format!(
                "the pod's {field}: a claim has no fieldRef; the worker does without it"
            )),
            None,
        ),
    }
}
