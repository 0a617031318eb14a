//! The worker's environment: what each variable is, and in which order they stand.
//!
//! Kubernetes expands `$(NAME)` in a value if NAME was defined before, or comes from a whole Secret
//! or ConfigMap. So single keys of Secrets and ConfigMaps stand first: `spec.nats.url` may name them,
//! and plain variables may name everything.

use serde_json::{Value, json};

use super::files;
use super::spec::Spec;

/// Returns the variables in their order: Secrets, ConfigMaps, `nats` (those of step 1, then those
/// that name files), plain ones.
pub(super) fn variables(spec: &Spec, nats: Vec<Value>) -> Vec<Value> {
    let secrets = spec.secret_refs.iter().flat_map(|secret| {
        secret.env.iter().map(|env| {
            let key = json!({"name": secret.name, "key": env.secret_key});
            json!({"name": env.env_name, "valueFrom": {"secretKeyRef": key}})
        })
    });
    let config_maps = spec.config_map_refs.iter().flat_map(|map| {
        map.env.iter().map(|env| {
            let key = json!({"name": map.name, "key": env.config_map_key});
            json!({"name": env.env_name, "valueFrom": {"configMapKeyRef": key}})
        })
    });
    let nats_files = files::nats_variables(&spec.nats).into_iter();
    let nats_files = nats_files.map(|(name, value)| json!({"name": name, "value": value}));
    let plain = spec.env.iter().map(|env| match (&env.value, &env.value_from) {
        (None, Some(from)) => json!({"name": env.name, "valueFrom": from}),
        (value, _) => json!({"name": env.name, "value": value}),
    });
    secrets.chain(config_maps).chain(nats).chain(nats_files).chain(plain).collect()
}

/// Returns whole ConfigMaps, then whole Secrets, each in the claim's order: a later one wins if two
/// share a key.
pub(super) fn sources(spec: &Spec) -> Vec<Value> {
    let whole = spec.config_map_refs.iter().filter(|map| map.env_from);
    let config_maps = whole.map(|map| json!({"configMapRef": {"name": map.name}}));
    let whole = spec.secret_refs.iter().filter(|secret| secret.env_from);
    let secrets = whole.map(|secret| json!({"secretRef": {"name": secret.name}}));
    config_maps.chain(secrets).collect()
}
