//! The Secrets that a claim names: do they exist, with the keys it wants?

use kube_object::object::Fields;
use serde_json::Value;

use super::super::Check;

use super::ClaimFacts;

/// What may be known about a Secret: never its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// What was found.
    pub found: Found,
}

/// What was found about a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its type and keys.
    Keys(String, Vec<String>),
    /// There is none with this name.
    Missing,
    /// It could not be read, and why.
    Unreadable(String),
}

pub(super) fn checks(facts: &ClaimFacts) -> Vec<Check> {
    let spec = facts.claim.get("spec").unwrap_or(&Value::Null);
    let namespace = facts.claim.text("/metadata/namespace");
    let found = |name: &str| {
        facts.secrets.iter().find(|s| s.name == name).map_or(&Found::Missing, |s| &s.found)
    };
    let mut checks: Vec<Check> = spec
        .list("/secretRefs")
        .map(|wanted| of_environment(wanted, found(wanted.text("/name")), namespace))
        .collect();
    checks.extend(spec.list("/imagePullSecrets").map(|wanted| {
        let name = wanted.text("/name");
        of_pulling(name, found(name), namespace)
    }));
    for (field, keys) in MOUNTED {
        let Some(wanted) = spec.at(&format!("/nats/{field}")) else { continue };
        let name = wanted.text("/secret");
        let keys: Vec<(&str, &str)> = keys
            .iter()
            .map(|key| (*key, wanted.text(&format!("/{key}"))))
            .filter(|(_, key)| !key.is_empty())
            .collect();
        checks.push(of_files(name, field, &keys, found(name), namespace));
    }
    checks.extend(not_asked(&facts.claim));
    checks
}

/// Says that NATS was not asked what it makes of the claim's login: eds uses no Secret's values.
fn not_asked(claim: &Value) -> Option<Check> {
    let of = |field: &str, what: &str| {
        let secret = claim.text(&format!("/spec/nats/{field}/secret"));
        (!secret.is_empty()).then(|| format!("{what} of Secret {secret}"))
    };
    let ways = [of("credentials", "the credentials file"), of("tls", "the TLS files")];
    let ways: Vec<String> = ways.into_iter().flatten().collect();
    (!ways.is_empty()).then(|| {
        let why = format!(
            "eds does not connect to NATS with {}: it looks at no value of a Secret. Whether NATS \
                takes them is what the worker says, in its log and at its readiness probe (see \
                Pods)",
            ways.join(" and ")
        );
        Check::skipped("login to NATS", why)
    })
}

/// What a claim's spec.nats mounts of Secrets, and the fields that name their keys.
const MOUNTED: [(&str, &[&str]); 2] = [("credentials", &["key"]), ("tls", &["ca", "cert", "key"])];

/// Returns the names of the Secrets that a claim names.
#[must_use]
pub fn names(claim: &Value) -> Vec<&str> {
    let of = |pointer: &str| claim.list(pointer).map(|secret| secret.text("/name"));
    let mounted = MOUNTED.map(|(field, _)| claim.text(&format!("/spec/nats/{field}/secret")));
    let mut names: Vec<&str> =
        of("/spec/secretRefs").chain(of("/spec/imagePullSecrets")).chain(mounted).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names
}

/// Judges a Secret whose keys are mounted as files: no pod starts without it.
fn of_files(
    name: &str,
    field: &str,
    keys: &[(&str, &str)],
    found: &Found,
    namespace: &str,
) -> Check {
    let title = format!("{name}, of spec.nats.{field}");
    match found {
        Found::Missing => {
            let files: String =
                keys.iter().map(|(_, key)| format!(" --from-file={key}=…")).collect();
            let cause = format!("there is no Secret {name} in {namespace}: the pods cannot start");
            let fix = format!("kubectl -n {namespace} create secret generic {name}{files}");
            Check::failed(title, cause, fix)
        }
        Found::Unreadable(why) => Check::skipped(title, format!("it cannot be looked at: {why}")),
        Found::Keys(_, there) => {
            let has = |key: &str| there.iter().any(|t| t == key);
            let missing = keys.iter().filter(|(_, key)| !has(key));
            let missing: Vec<String> =
                missing.map(|(of, key)| format!("{key} (spec.nats.{field}.{of})")).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            if missing.is_empty() {
                return Check::passed(title, format!("keys {there}"));
            }
            let cause = format!(
                "it has no key {}; it has {there}: the pods cannot start",
                missing.join(", ")
            );
            Check::failed(title, cause, "add the key to the Secret, or correct the field")
        }
    }
}

fn of_environment(wanted: &Value, found: &Found, namespace: &str) -> Check {
    let name = wanted.text("/name");
    let mut keys: Vec<&str> = wanted.list("/env").map(|env| env.text("/secretKey")).collect();
    keys.dedup();
    let literals: String = keys.iter().map(|key| format!(" --from-literal={key}=…")).collect();
    match found {
        Found::Missing => {
            let cause = format!("there is no Secret {name} in {namespace}: the pods cannot start");
            let fix = format!("kubectl -n {namespace} create secret generic {name}{literals}");
            Check::failed(name, cause, fix)
        }
        Found::Unreadable(why) => Check::skipped(name, format!("it cannot be looked at: {why}")),
        Found::Keys(_, there) => {
            let missing: Vec<&str> =
                keys.iter().copied().filter(|key| !there.iter().any(|t| t == key)).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            if missing.is_empty() {
                return Check::passed(name, format!("keys {there}"));
            }
            let cause = format!("it has no key {}; it has {there}", missing.join(", "));
            let fix =
                "add the key to the Secret, or correct secretKey in the claim's spec.secretRefs";
            Check::failed(name, cause, fix)
        }
    }
}

/// Judges a pull secret: kubelet pulls without a missing one, so that alone is no failure.
fn of_pulling(name: &str, found: &Found, namespace: &str) -> Check {
    const TYPES: [&str; 2] = ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"];
    let fix = format!(
        "kubectl -n {namespace} create secret docker-registry {name} --docker-server=… \
         --docker-username=… --docker-password=…"
    );
    match found {
        Found::Missing => {
            let cause = format!("there is no pull Secret {name} in {namespace}: pulled without it");
            Check::warning(name, cause, fix)
        }
        Found::Unreadable(why) => Check::skipped(name, format!("it cannot be looked at: {why}")),
        Found::Keys(type_, _) if !TYPES.contains(&type_.as_str()) => {
            Check::warning(name, format!("it is of type {type_}, which is not a pull secret"), fix)
        }
        Found::Keys(type_, _) => Check::passed(name, type_),
    }
}
