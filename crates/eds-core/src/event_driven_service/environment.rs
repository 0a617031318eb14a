//! The worker's environment: what each variable is, and in which order they stand.
//!
//! Kubernetes expands `$(NAME)` in a value if NAME was defined before, or comes from a whole Secret
//! or ConfigMap. So single keys of Secrets and ConfigMaps stand first: `spec.nats.url` may name them,
//! and plain variables may name everything.

use std::collections::HashMap;

use kube_object::object::Fields;
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

/// Returns the variables in the order in which the running Deployment has them, if that changes the
/// meaning of none. An order alone is no reason to replace pods: not when somebody sorts a claim,
/// and not when a new version of the platform puts them in another one.
pub(super) fn in_running_order(variables: Vec<Value>, running: &[&Value]) -> Vec<Value> {
    fn places<'a>(list: impl IntoIterator<Item = &'a Value>) -> HashMap<&'a str, usize> {
        list.into_iter().map(|variable| variable.text("/name")).zip(0..).collect()
    }
    let (wanted, now) = (places(&variables), places(running.iter().copied()));
    let same = variables.len() == running.len()
        && wanted.len() == variables.len()
        && variables.iter().all(|variable| {
            let place = now.get(variable.text("/name"));
            place.and_then(|place| running.get(*place).copied()) == Some(variable)
        });
    // What `$(NAME)` stands for depends on which variables were defined before.
    let means_the_same = |variable: &Value| {
        let own = variable.text("/name");
        let named = variable.text("/value").split("$(").skip(1);
        let mut names = named.filter_map(|rest| rest.split_once(')').map(|(name, _)| name));
        let before = |places: &HashMap<&str, usize>, name: &str| {
            places.get(name).is_some_and(|place| Some(place) < places.get(own))
        };
        names.all(|name| before(&wanted, name) == before(&now, name))
    };
    match same && variables.iter().all(means_the_same) {
        true => running.iter().copied().cloned().collect(),
        false => variables,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Variables as `NAME=value`.
    fn list(variables: &[&str]) -> Vec<Value> {
        let pairs = variables.iter().map(|text| text.split_once('=').unwrap());
        pairs.map(|(name, value)| json!({"name": name, "value": value})).collect()
    }

    #[test]
    fn an_order_without_a_meaning_is_kept() {
        let check = |wanted: &[&str], running: &[&str], keeps: bool| {
            let expected = list(if keeps { running } else { wanted });
            let running = list(running);
            let got = in_running_order(list(wanted), &running.iter().collect::<Vec<_>>());
            assert_eq!(got, expected, "{wanted:?} {running:?}");
        };
        check(&["A=1", "B=2", "C=3"], &["C=3", "A=1", "B=2"], true);
        check(&["A=1", "B=2"], &["B=2", "A=3"], false);
        check(&["A=1", "B=2"], &["B=2"], false);
        check(&["A=1", "B=2"], &["B=2", "A=1", "A=1"], false);
        check(&["A=1", "B=2"], &["B=2", "B=2"], false);
        check(&["A=1", "A=1"], &["A=1", "B=2"], false);
        check(&["A=1", "B=2"], &[], false);
        // B names A, and would no longer find it.
        check(&["A=1", "B=x$(A)"], &["B=x$(A)", "A=1"], false);
        check(&["B=x$(A)", "A=1"], &["A=1", "B=x$(A)"], false);
        check(&["A=1", "B=x$(A)", "C=3"], &["C=3", "A=1", "B=x$(A)"], true);
        check(&["A=$(NOWHERE)", "B=2"], &["B=2", "A=$(NOWHERE)"], true);
        check(&["A=1", "B=$(C$(A)"], &["B=$(C$(A)", "A=1"], false);
    }
}
