//! Files in the containers: those of `spec.files`, and NATS' credentials and certificates.

use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::fields::{Files, Item, Nats};
use super::spec::Spec;

/// Where NATS' credentials file appears.
const CREDENTIALS: &str = "/run/eds/credentials";
/// Where the certificates for NATS appear.
const TLS: &str = "/run/eds/tls";

/// Read by the owner's group only, which is the pod's `fsGroup`. JSON has no octal numbers.
const MODE: u32 = 0o440;

/// The group that the files belong to: the user that the worker runs as.
pub(super) const GROUP: u32 = 1000;

impl Nats {
    /// Returns the names of the variables that the claim's `spec.nats` sets beside the three that
    /// are always there.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        nats_variables(self).into_iter().map(|(name, _)| name)
    }
}

/// Returns the variables that tell the worker of its domain and of the files for NATS.
pub(super) fn nats_variables(nats: &Nats) -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    if let Some(domain) = &nats.domain {
        variables.push(("NATS_DOMAIN", domain.clone()));
    }
    if let Some(credentials) = &nats.credentials {
        variables.push(("NATS_CREDS", format!("{CREDENTIALS}/{}", credentials.key)));
    }
    if let Some(tls) = &nats.tls {
        for (name, key) in [("NATS_CA", &tls.ca), ("NATS_CERT", &tls.cert), ("NATS_KEY", &tls.key)]
        {
            variables.extend(key.as_ref().map(|key| (name, format!("{TLS}/{key}"))));
        }
    }
    variables
}

/// Returns the pod's volumes and the containers' mounts, in the same order.
pub(super) fn volumes(spec: &Spec) -> (Vec<Value>, Vec<Value>) {
    let mut volumes = Vec::new();
    let mut mounts = Vec::new();
    let mut add = |name: String, source: (&str, Value), path: &str| {
        volumes.push(json!({"name": name, source.0: source.1}));
        mounts.push(json!({"name": name, "mountPath": path, "readOnly": true}));
    };
    if let Some(credentials) = &spec.nats.credentials {
        let key = &credentials.key;
        let source = secret(&credentials.secret, &[(key, key)]);
        add("nats-credentials".to_owned(), source, CREDENTIALS);
    }
    if let Some(tls) = &spec.nats.tls {
        // One file may hold both certificate and key.
        let keys: BTreeSet<&String> =
            [&tls.ca, &tls.cert, &tls.key].into_iter().flatten().collect();
        let keys: Vec<(&String, &String)> = keys.into_iter().map(|key| (key, key)).collect();
        add("nats-tls".to_owned(), secret(&tls.secret, &keys), TLS);
    }
    for (i, files) in spec.files.iter().enumerate() {
        add(format!("files-{i}"), source_of(files), &files.mount_path);
    }
    (volumes, mounts)
}

fn secret(name: &str, keys: &[(&String, &String)]) -> (&'static str, Value) {
    ("secret", source("secretName", name, keys))
}

/// Returns a volume's source; `named` is the field that holds the object's name. Without keys, all
/// of them become files.
fn source(named: &str, name: &str, keys: &[(&String, &String)]) -> Value {
    let item = |(key, path): &(&String, &String)| json!({"key": key, "path": path});
    let items: Vec<Value> = keys.iter().map(item).collect();
    match items.is_empty() {
        true => json!({named: name, "defaultMode": MODE}),
        false => json!({named: name, "defaultMode": MODE, "items": items}),
    }
}

fn source_of(files: &Files) -> (&'static str, Value) {
    let keys: Vec<(&String, &String)> =
        files.items.iter().map(|Item { key, path }| (key, path)).collect();
    match (&files.secret, &files.config_map) {
        (None, Some(map)) => ("configMap", source("name", map, &keys)),
        (name, _) => secret(name.as_deref().unwrap_or_default(), &keys),
    }
}
