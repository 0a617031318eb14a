//! What a claim says about its pods: placement, labels and annotations, how they are replaced and
//! evicted, what runs before they stop, and what their ServiceAccount is.

use kube_object::object::Fields;
use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::workers::{self, Group, Index};
use super::{Platform, reasons};
use kube_object::secrets::{arguments, looks_secret};

/// Keys of tools that put their own there: copied, they would take what the claim makes for theirs.
const TOOLS: [&str; 9] = [
    "helm.sh/",
    "meta.helm.sh/",
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "config.kubernetes.io/",
    "internal.config.kubernetes.io/",
    "kapp.k14s.io/",
    "checksum/",
];

/// What was taken from the manifests, and what a claim does not take: what, and why.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) value: Map<String, Value>,
    pub(super) refused: Vec<(String, String)>,
}

impl Taken {
    fn of((value, refused): (Map<String, Value>, Vec<(String, String)>), what: &str) -> Self {
        let refused = refused.into_iter().map(|(key, why)| (format!("{what} {key}"), why));
        Self { value, refused: refused.collect() }
    }

    fn put(&mut self, key: &str, value: Value) {
        self.value.insert(key.to_owned(), value);
    }

    /// Takes a value if a claim does.
    fn ask(&mut self, platform: &Platform<'_>, field: &str, key: &str, value: Value, what: &str) {
        match platform.refuses(field, &json!({key: value.clone()})) {
            None => self.put(key, value),
            Some(why) => self.refused.push((what.to_owned(), why)),
        }
    }

    fn nest(&mut self, key: &str, inner: Self) {
        if !inner.value.is_empty() {
            self.put(key, Value::Object(inner.value));
        }
        self.refused.extend(inner.refused);
    }
}

/// Returns the entries of a mapping of texts that are a person's own, and no secret.
fn own(map: Option<&Map<String, Value>>, kind: &str, at: &str) -> Vec<(String, Value)> {
    let entries = map.into_iter().flatten().filter(|(key, value)| {
        let tool = TOOLS.iter().any(|tool| key.starts_with(tool));
        let server = reasons::server(kind, &format!("{at}.{key}"), Some(*value)).is_some();
        // Vault's keys speak of secrets, and hold paths.
        let name = if key.starts_with("vault.hashicorp.com/") { "" } else { key.as_str() };
        let text = value.as_str().filter(|text| !looks_secret(name, text));
        text.is_some() && !tool && !server
    });
    entries.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Reports whether a command holds a secret as plain text.
pub(super) fn holds_secret(command: &Value) -> bool {
    let words: Vec<&str> = command.list("").map(|word| word.as_str().unwrap_or_default()).collect();
    arguments(&words).iter().any(Option::is_some)
}

/// Reports whether a label only names what it is on: the platform has its own for that.
pub(super) fn is_naming(key: &str) -> bool {
    ["app", "name", "component", "k8s-app", "helm.sh/chart"].contains(&key)
        || key.starts_with("app.kubernetes.io/") && key != "app.kubernetes.io/part-of"
}

/// Returns `spec.podMetadata`. `stays` are the worker's own objects that the claim makes none of.
pub(super) fn metadata(
    workload: &Value,
    group: &Group,
    index: &Index<'_>,
    platform: &Platform<'_>,
    stays: &[Option<usize>],
) -> Taken {
    const AT: &str = "spec.template.metadata.labels";
    let used = used_labels(workload, group, index, stays);
    let mut labels = own(workload.object("/spec/template/metadata/labels"), "Deployment", AT);
    labels.retain(|(key, _)| !is_naming(key) || used.contains(key.as_str()));
    let labels = platform.entries("podMetadata.labels", labels);
    const ANNOTATIONS: &str = "spec.template.metadata.annotations";
    let map = workload.object("/spec/template/metadata/annotations");
    let annotations = own(map, "Deployment", ANNOTATIONS);
    let annotations = platform.entries("podMetadata.annotations", annotations);
    let mut taken = Taken::default();
    taken.nest("labels", Taken::of(labels, "the pods' label"));
    taken.nest("annotations", Taken::of(annotations, "the pods' annotation"));
    taken
}

/// Returns the labels by which what stays beside the claim finds the pods, and those that a
/// variable shows.
fn used_labels<'a>(
    workload: &'a Value,
    group: &Group,
    index: &Index<'a>,
    stays: &[Option<usize>],
) -> HashSet<&'a str> {
    let stays = stays.iter().copied().flatten();
    let beside = group.beside.iter().copied().chain(stays).filter_map(|at| index.get(at));
    let selectors = beside.filter_map(workers::selector);
    let mut used: HashSet<&str> =
        selectors.flat_map(|(_, selector)| selector.keys().map(String::as_str)).collect();
    let containers = workload.list("/spec/template/spec/containers");
    for entry in containers.flat_map(|container| container.list("/env")) {
        let field = entry.text("/valueFrom/fieldRef/fieldPath");
        let label = field.strip_prefix("metadata.labels['").and_then(|l| l.strip_suffix("']"));
        used.extend(label);
    }
    used
}

/// Returns the annotations of the ServiceAccount.
pub(super) fn account(account: Option<&Value>, platform: &Platform<'_>) -> Taken {
    let map = account.and_then(|account| account.object("/metadata/annotations"));
    let entries = own(map, "ServiceAccount", "metadata.annotations");
    let taken = platform.entries("serviceAccount.annotations", entries);
    Taken::of(taken, "the ServiceAccount's annotation")
}

/// Returns `spec.placement`.
pub(super) fn placement(workload: &Value, platform: &Platform<'_>) -> Taken {
    let mut taken = Taken::default();
    let Some(pod) = workload.at("/spec/template/spec") else { return taken };
    let mut nodes = own(pod.object("/nodeSelector"), "Deployment", "nodeSelector");
    nodes.extend(required_nodes(pod).into_iter().flatten());
    let architecture = nodes.iter().position(|(key, value)| {
        key == "kubernetes.io/arch" && platform.takes("placement.architecture", value)
    });
    if let Some(at) = architecture {
        let (_, value) = nodes.remove(at);
        nodes.retain(|(key, _)| key != "kubernetes.io/arch");
        taken.put("architecture", value);
    }
    let nodes = platform.entries("placement.nodeSelector", nodes);
    taken.nest("nodeSelector", Taken::of(nodes, "the nodes' label"));
    let mut tolerations = Vec::new();
    for (i, toleration) in pod.list("/tolerations").enumerate() {
        match platform.refuses("placement.tolerations", &json!([toleration])) {
            None if tolerations.len() < MOST => tolerations.push(toleration.clone()),
            None => {}
            Some(why) => taken.refused.push((format!("tolerations[{i}]"), why)),
        }
    }
    if !tolerations.is_empty() {
        taken.put("tolerations", Value::Array(tolerations));
    }
    let spread = spread(workload, pod);
    if !spread.is_empty() {
        taken.put("topologySpread", Value::Object(spread));
    }
    if let Some(class) = pod.get("priorityClassName").filter(|class| **class != json!("")) {
        const FIELD: &str = "priorityClassName";
        taken.ask(platform, "placement", FIELD, class.clone(), FIELD);
    }
    taken
}

/// How many tolerations a claim takes.
const MOST: usize = 16;

/// Returns what a required node affinity asks for, if a node selector says the same.
pub(super) fn required_nodes(pod: &Value) -> Option<Vec<(String, Value)>> {
    let required = pod.at(
        "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
    )?;
    let [term] = required.as_array()?.as_slice() else { return None };
    if term.get("matchFields").is_some() {
        return None;
    }
    let expressions = term.list("/matchExpressions").map(|expression| {
        let values = expression.get("values")?.as_array()?;
        let [value] = values.as_slice() else { return None };
        let key = expression.text("/key");
        (expression.text("/operator") == "In").then(|| (key.to_owned(), value.clone()))
    });
    expressions.collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
}

/// Returns how pods are spread, as far as a claim says it: evenly, over zones and nodes.
fn spread(workload: &Value, pod: &Value) -> Map<String, Value> {
    let mut spread = Map::new();
    for constraint in pod.list("/topologySpreadConstraints") {
        let Some((over, how)) = spread_of(workload, constraint) else { continue };
        spread.entry(over).or_insert_with(|| json!(how));
    }
    spread
}

/// Returns what a constraint becomes: what it spreads over, and whether pods wait for it.
pub(super) fn spread_of(
    workload: &Value,
    constraint: &Value,
) -> Option<(&'static str, &'static str)> {
    let over = match constraint.text("/topologyKey") {
        "topology.kubernetes.io/zone" => "zone",
        "kubernetes.io/hostname" => "node",
        _ => return None,
    };
    let how = match constraint.text("/whenUnsatisfiable") {
        "ScheduleAnyway" => "soft",
        "DoNotSchedule" if constraint.integer("/maxSkew").unwrap_or(1) == 1 => "hard",
        _ => return None,
    };
    let plain = ["minDomains", "nodeAffinityPolicy", "nodeTaintsPolicy"];
    let plain = plain.iter().all(|key| constraint.get(*key).is_none());
    let labels = workload.at("/spec/template/metadata/labels")?;
    let own = constraint.object("/labelSelector/matchLabels")?;
    let own = own.iter().all(|(key, value)| labels.get(key) == Some(value));
    let expressions = constraint.at("/labelSelector/matchExpressions").is_some();
    (plain && own && !expressions).then_some((over, how))
}

/// Returns `spec.rollout`.
pub(super) fn rollout(workload: &Value, platform: &Platform<'_>) -> Taken {
    let mut taken = Taken::default();
    if workload.text("/spec/strategy/type") == "Recreate" {
        taken.put("maxSurge", json!(0));
        taken.put("maxUnavailable", json!("100%"));
    }
    for key in ["maxSurge", "maxUnavailable"] {
        // What applies anyway says nothing.
        let value = workload.at(&format!("/spec/strategy/rollingUpdate/{key}"));
        if let Some(value) = value.filter(|value| **value != json!("25%") && !value.is_null()) {
            let what = format!("strategy.rollingUpdate.{key}");
            taken.ask(platform, "rollout", key, value.clone(), &what);
        }
    }
    let annotations = workload.object("/spec/template/metadata/annotations");
    if annotations.into_iter().flatten().any(|(key, _)| is_of_secrets(key)) {
        taken.put("restartOnSecretChange", json!(true));
    }
    taken
}

/// Reports whether an annotation is there so that pods start again when a Secret changes.
pub(super) fn is_of_secrets(key: &str) -> bool {
    key.starts_with("checksum/") && key.contains("secret")
}

/// Returns `spec.lifecycle`.
pub(super) fn lifecycle(container: &Value, grace: i64, platform: &Platform<'_>) -> Taken {
    let mut taken = Taken::default();
    let Some(stop) = container.at("/lifecycle/preStop").and_then(Value::as_object) else {
        return taken;
    };
    let kept: Map<String, Value> = stop
        .iter()
        .filter(|(key, _)| matches!(key.as_str(), "exec" | "sleep"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let sleep = kept.get("sleep").and_then(|sleep| sleep.integer("/seconds"));
    if sleep.is_some_and(|sleep| sleep > grace) {
        let why = "it sleeps longer than terminationGracePeriodSeconds allows".to_owned();
        taken.refused.push(("lifecycle.preStop".to_owned(), why));
        return taken;
    }
    if kept.get("exec").and_then(|exec| exec.get("command")).is_some_and(holds_secret) {
        let why = "a secret stands in the command as plain text; let the worker read it from a \
            variable"
            .to_owned();
        taken.refused.push(("lifecycle.preStop".to_owned(), why));
    } else if !kept.is_empty() {
        taken.ask(platform, "lifecycle", "preStop", Value::Object(kept), "lifecycle.preStop");
    }
    taken
}

/// Returns `spec.disruptionBudget`.
pub(super) fn budget(budget: Option<&Value>, platform: &Platform<'_>) -> Taken {
    let mut taken = Taken::default();
    for key in ["minAvailable", "maxUnavailable"] {
        let value = budget.and_then(|budget| budget.at(&format!("/spec/{key}")));
        if let Some(value) = value.filter(|value| !value.is_null()) {
            let what = format!("the PodDisruptionBudget's {key}");
            taken.ask(platform, "disruptionBudget", key, value.clone(), &what);
        }
    }
    taken
}
