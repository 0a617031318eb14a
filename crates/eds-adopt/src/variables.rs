//! A container's environment, as a claim can express it.
//!
//! In Kubernetes, the last of two variables with one name wins, and `env` wins over `envFrom`. A
//! claim has plain values, fields of the pod, single keys of Secrets and ConfigMaps, and whole ones,
//! ConfigMaps first; what looks like a secret must come from a Secret.

use kube_object::object::Fields;
use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::Namespace;
use kube_object::secrets::looks_secret;

/// Whether a claim takes a `valueFrom`.
pub(super) type Takes<'f> = &'f dyn Fn(&Value) -> bool;

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is written there.
    Plain(String),
    /// A key of a Secret.
    Secret { name: String, key: String },
    /// A key of a ConfigMap, and its value, if that is among the manifests.
    Config { name: String, key: String, value: Option<String> },
    /// A key of a ConfigMap that is taken whole, and its value.
    Whole { config: String, value: String },
    /// A field of the pod, as `valueFrom`.
    Field(Value),
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
            Origin::Plain(value)
            | Origin::Config { value: Some(value), .. }
            | Origin::Whole { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Reports whether the claim names it, and not just what it is a key of.
    fn is_single(&self) -> bool {
        !matches!(self.origin, Origin::Whole { .. })
    }

    /// Reports whether its value is written there, and should not be.
    pub(super) fn is_plain_secret(&self) -> bool {
        matches!(&self.origin, Origin::Plain(value) if looks_secret(&self.name, value))
    }

    /// Reports whether the claim sets it before `spec.nats`: from a Secret or a ConfigMap.
    pub(super) fn is_early(&self) -> bool {
        self.is_plain_secret()
            || matches!(
                self.origin,
                Origin::Secret { .. } | Origin::Config { .. } | Origin::Whole { .. }
            )
    }
}

/// An environment.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// In order, each name once.
    pub(super) variables: Vec<Variable>,
    /// Secrets that are taken whole.
    pub(super) whole: Vec<String>,
    /// ConfigMaps that are taken whole.
    pub(super) configs: Vec<String>,
    /// Variables with values that are not read, and where those are.
    pub(super) hidden: Vec<(String, String)>,
    /// What a claim cannot express, one per line.
    pub(super) unsaid: Vec<String>,
    /// What to know about the order of what is taken whole.
    pub(super) order: Vec<String>,
}

/// Puts a name at the end: the last counts.
fn last(names: &mut Vec<String>, name: &str) {
    names.retain(|known| known != name);
    names.push(name.to_owned());
}

impl Environment {
    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// Returns what a container is given.
    pub(super) fn of(container: &Value, namespace: &Namespace<'_>, takes: Takes<'_>) -> Self {
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
            let origin = origin(entry, container.text("/name"), namespace, takes);
            match &origin {
                Origin::Secret { name: secret, .. } => {
                    all.hidden.push((name.to_owned(), format!("Secret {secret}")));
                }
                Origin::Config { name: config, value: None, .. } => {
                    all.hidden.push((name.to_owned(), format!("ConfigMap {config}")));
                }
                _ => {}
            }
            found.push(Variable { name: name.to_owned(), origin, comment: None });
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
            last(&mut self.whole, secret);
            // A later source wins, but in a claim a single key would win over a whole Secret's.
            match namespace.secret(secret) {
                Some(object) => {
                    let keys: HashSet<&str> =
                        keys(object, &["data", "stringData"]).into_iter().collect();
                    found.retain(|variable| !keys.contains(variable.name.as_str()));
                }
                None => found.iter_mut().filter(|v| v.is_single()).for_each(|variable| {
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
        } else if !config.is_empty() && prefix.is_empty() {
            self.whole_config(config, namespace, found);
        } else if !config.is_empty() {
            let Some(object) = namespace.config(config) else {
                self.unsaid.push(format!(
                    "every key of ConfigMap {config}, with {prefix} before its name: list them \
                        under configMapRefs, a claim has no prefix, and the ConfigMap is not among \
                        the manifests"
                ));
                return;
            };
            for key in keys(object, &["data"]) {
                let origin = single(config, key, config_value(object, key));
                found.push(Variable { name: format!("{prefix}{key}"), origin, comment: None });
            }
        }
    }

    /// Takes a ConfigMap whole. In a claim whole Secrets come after it, so what it overruled until
    /// now is listed key by key.
    fn whole_config(&mut self, config: &str, namespace: &Namespace<'_>, found: &mut Vec<Variable>) {
        last(&mut self.configs, config);
        let object = namespace.config(config);
        let entries = object.map(|object| keys(object, &["data"])).unwrap_or_default();
        for key in &entries {
            // A key listed before is overruled, and would not be in a claim.
            found.retain(|variable| variable.name != *key);
            let value = object.and_then(|object| config_value(object, key)).unwrap_or_default();
            let secrets = self.whole.iter().filter_map(|secret| namespace.secret(secret));
            let overrules =
                secrets.into_iter().any(|s| keys(s, &["data", "stringData"]).contains(key));
            let origin = match overrules {
                true => single(config, key, Some(value)),
                false => Origin::Whole { config: config.to_owned(), value: value.to_owned() },
            };
            let comment = overrules.then(|| "it stands after the Secret, so it counted".to_owned());
            found.push(Variable { name: (*key).to_owned(), origin, comment });
        }
        let unknown =
            self.whole.iter().filter(|s| object.is_none() || namespace.secret(s).is_none());
        let order = unknown.map(|secret| {
            format!(
                "ConfigMap {config} stood after Secret {secret}, so of a key that both have its \
                    value counted; the Secret's does now, unless spec.configMapRefs lists the key \
                    under env"
            )
        });
        self.order.extend(order);
    }
}

/// Returns a single key of a ConfigMap.
fn single(config: &str, key: &str, value: Option<&str>) -> Origin {
    let value = value.map(str::to_owned);
    Origin::Config { name: config.to_owned(), key: key.to_owned(), value }
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

fn origin(entry: &Value, container: &str, namespace: &Namespace<'_>, takes: Takes<'_>) -> Origin {
    let Some(from) = entry.get("valueFrom").filter(|from| from.is_object()) else {
        return Origin::Plain(match entry.get("value") {
            Some(Value::String(value)) => value.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        });
    };
    let (secret, key) = (from.text("/secretKeyRef/name"), from.text("/secretKeyRef/key"));
    if !secret.is_empty() {
        return Origin::Secret { name: secret.to_owned(), key: key.to_owned() };
    }
    let (config, key) = (from.text("/configMapKeyRef/name"), from.text("/configMapKeyRef/key"));
    if !config.is_empty() {
        let value = namespace.config(config).and_then(|object| config_value(object, key));
        return single(config, key, value);
    }
    if let Some(path) = from.at("/fieldRef/fieldPath") {
        let value = json!({"fieldRef": {"fieldPath": path}});
        return match takes(&value) {
            true => Origin::Field(value),
            false => Origin::Unsaid(format!(
                "the pod's {}: a claim does not give this field",
                path.as_str().unwrap_or_default()
            )),
        };
    }
    let Some(resource) = from.at("/resourceFieldRef/resource") else {
        return Origin::Unsaid("a source that is unknown here".to_owned());
    };
    let of = from.text("/resourceFieldRef/containerName");
    let mut field = json!({"resource": resource});
    let divisor = from.at("/resourceFieldRef/divisor").map(|divisor| match divisor {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    if let (Some(divisor), Some(field)) =
        (divisor.filter(|divisor| divisor != "0"), field.as_object_mut())
    {
        field.insert("divisor".to_owned(), json!(divisor));
    }
    let value = json!({"resourceFieldRef": field});
    match (of.is_empty() || of == container) && takes(&value) {
        true => Origin::Field(value),
        false => Origin::Unsaid(format!(
            "the {} of container {}: a claim gives CPU and memory of the worker's own, write the \
                figure here",
            resource.as_str().unwrap_or_default(),
            if of.is_empty() { container } else { of },
        )),
    }
}
