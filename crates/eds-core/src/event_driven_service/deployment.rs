//! The Deployment: environment, files, health, init container, pull secrets, pull policy, spread.

use kube_object::object::Fields;
use serde_json::{Value, json};

use super::fields::{Spread, TopologySpread};
use super::manifest::object_mut;
use super::spec::Spec;
use super::{environment, files, health, secret_changes};
use patch_and_transform::protocol::Object;

/// Name of the worker's container in the template.
const MAIN: &str = "main";
/// Name of the container that `spec.initContainer` becomes.
const INIT: &str = "init";

/// Completes step 1's Deployment. Fields that the composite does not ask for stay absent.
/// `secrets_version` is what tells pods apart whose Secrets have changed, `running` the Deployment as
/// it is in the cluster.
pub(super) fn complete(
    deployment: &mut Object,
    spec: &Spec,
    secrets_version: Option<&str>,
    running: Option<&Object>,
) -> Result<(), String> {
    let selector = deployment.at("/spec/selector").cloned();
    if let Some(version) = secrets_version {
        let template = object_mut(deployment, &["spec", "template", "metadata", "annotations"])?;
        template.insert(secret_changes::ANNOTATION.to_owned(), json!(version));
    }
    let pod = object_mut(deployment, &["spec", "template", "spec"])?;
    let (volumes, mounts) = files::volumes(spec);
    if !volumes.is_empty() {
        object_mut(pod, &["securityContext"])?.insert("fsGroup".to_owned(), json!(files::GROUP));
    }
    extend(pod, "volumes", volumes)?;
    extend(pod, "topologySpreadConstraints", spread(&spec.placement.topology_spread, selector))?;

    let main = main_container(pod)?;
    main.insert("imagePullPolicy".to_owned(), json!(spec.image.pull_policy()));
    let nats = match main.remove("env") {
        None => Vec::new(),
        Some(Value::Array(nats)) => nats,
        Some(_) => return Err("env: must be a list".to_owned()),
    };
    let running: Vec<&Value> = running
        .into_iter()
        .flat_map(|deployment| deployment.list("/spec/template/spec/containers"))
        .find(|container| container.text("/name") == MAIN)
        .map(|container| container.list("/env").collect())
        .unwrap_or_default();
    let variables = environment::variables(spec, nats);
    extend(main, "env", environment::in_running_order(variables, &running))?;
    extend(main, "envFrom", environment::sources(spec))?;
    extend(main, "volumeMounts", mounts)?;
    health::complete(main, &spec.health);

    if let Some(init) = &spec.init_container {
        let mut container = Object::new();
        container.insert("name".to_owned(), json!(INIT));
        for key in SHARED {
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

/// What the init container has in common with the worker: the same image, environment, files, size
/// and restrictions. Its size costs nothing: a pod requests the maximum of its init containers and
/// its containers.
const SHARED: [&str; 7] =
    ["image", "imagePullPolicy", "env", "envFrom", "volumeMounts", "resources", "securityContext"];

/// Returns the constraints that spread the selected pods evenly.
fn spread(wanted: &TopologySpread, selector: Option<Value>) -> Vec<Value> {
    let over =
        [("topology.kubernetes.io/zone", wanted.zone), ("kubernetes.io/hostname", wanted.node)];
    let constraints = over.into_iter().filter_map(|(key, spread)| {
        let uneven = match spread? {
            Spread::Soft => "ScheduleAnyway",
            Spread::Hard => "DoNotSchedule",
        };
        Some(json!({
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": uneven,
            "labelSelector": selector,
        }))
    });
    constraints.collect()
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

/// Appends to a list, which is only created if there is something to append.
fn extend(object: &mut Object, key: &str, items: Vec<Value>) -> Result<(), String> {
    if items.is_empty() {
        return Ok(());
    }
    let list = object.entry(key.to_owned()).or_insert_with(|| json!([]));
    list.as_array_mut().ok_or_else(|| format!("{key}: must be a list"))?.extend(items);
    Ok(())
}
