//! The Deployment: secrets, plain environment, init container, pull secrets, pull policy.

use serde_json::{Value, json};

use super::manifest::object_mut;
use super::spec::Spec;
use patch_and_transform::protocol::Object;

/// Name of the worker's container in the template.
const MAIN: &str = "main";
/// Name of the container that `spec.initContainer` becomes.
const INIT: &str = "init";

/// Completes step 1's Deployment. Fields that the composite does not ask for stay absent.
pub(super) fn complete(deployment: &mut Object, spec: &Spec) -> Result<(), String> {
    let pod = object_mut(deployment, &["spec", "template", "spec"])?;

    let main = main_container(pod)?;
    main.insert("imagePullPolicy".to_owned(), json!(spec.image.pull_policy()));
    extend(main, "env", environment(spec))?;
    extend(main, "envFrom", environment_sources(spec))?;

    if let Some(init) = &spec.init_container {
        let mut container = Object::new();
        container.insert("name".to_owned(), json!(INIT));
        // The same image, environment, size and restrictions as the worker. Its size costs nothing:
        // a pod requests the maximum of its init containers and its containers.
        for key in ["image", "imagePullPolicy", "env", "envFrom", "resources", "securityContext"] {
            if let Some(value) = main.get(key) {
                container.insert(key.to_owned(), value.clone());
            }
        }
        if !init.command.is_empty() {
            container.insert("command".to_owned(), json!(init.command));
        }
        if !init.args.is_empty() {
            container.insert("args".to_owned(), json!(init.args));
        }
        extend(pod, "initContainers", vec![Value::Object(container)])?;
    }

    let pull_secrets = spec.image_pull_secrets.iter().map(|s| json!({"name": s.name})).collect();
    extend(pod, "imagePullSecrets", pull_secrets)
}

fn main_container(pod: &mut Object) -> Result<&mut Object, String> {
    pod.get_mut("containers")
        .and_then(Value::as_array_mut)
        .and_then(|containers| {
            containers
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .find(|c| c.get("name").and_then(Value::as_str) == Some(MAIN))
        })
        .ok_or_else(|| format!("spec.template.spec.containers: has no container named {MAIN}"))
}

/// Returns single keys of secrets, then plain variables. In this order a plain variable can refer
/// to a key with `$(NAME)`: Kubernetes expands variables defined earlier.
fn environment(spec: &Spec) -> Vec<Value> {
    let secrets = spec.secret_refs.iter().flat_map(|secret| {
        secret.env.iter().map(|env| {
            let key = json!({"name": secret.name, "key": env.secret_key});
            json!({"name": env.env_name, "valueFrom": {"secretKeyRef": key}})
        })
    });
    let plain = spec.env.iter().map(|env| json!({"name": env.name, "value": env.value}));
    secrets.chain(plain).collect()
}

/// Returns whole secrets in the claim's order: a later one wins if two share a key.
fn environment_sources(spec: &Spec) -> Vec<Value> {
    spec.secret_refs
        .iter()
        .filter(|secret| secret.env_from)
        .map(|secret| json!({"secretRef": {"name": secret.name}}))
        .collect()
}

/// Appends to a list, which is only created if there is something to append.
fn extend(object: &mut Object, key: &str, items: Vec<Value>) -> Result<(), String> {
    if items.is_empty() {
        return Ok(());
    }
    let list = object.entry(key.to_owned()).or_insert_with(|| json!([]));
    list.as_array_mut().ok_or_else(|| format!("{key}: must be a list"))?.extend(items);
    Ok(())
}
