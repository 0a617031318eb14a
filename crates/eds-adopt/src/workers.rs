//! Finds which objects are workers, and what belongs to each.

use kube_object::object::Fields;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::input::Manifest;
use super::{Namespace, nats};

/// How many workloads one run handles.
pub(super) const MAX_WORKLOADS: usize = 500;

/// A workload and the objects that belong to it, by their index among the manifests.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) workload: usize,
    /// Which of its containers is the worker.
    pub(super) container: usize,
    pub(super) scaler: Option<usize>,
    pub(super) autoscaler: Option<usize>,
    pub(super) service: Option<usize>,
    pub(super) account: Option<usize>,
    /// The PodDisruptionBudget of its pods alone.
    pub(super) budget: Option<usize>,
    /// Everything else that refers to it, or that it refers to.
    pub(super) beside: Vec<usize>,
    /// Why no claim can express it.
    pub(super) refused: Option<String>,
    /// Whether it may still be a worker, so that refusing it loses something.
    pub(super) may_work: bool,
}

/// Finds objects by namespace, kind and name.
#[derive(Debug)]
pub(super) struct Index<'a> {
    pub(super) manifests: &'a [Manifest],
    default: &'a str,
    by_name: HashMap<(&'a str, &'a str, &'a str), usize>,
}

impl<'a> Index<'a> {
    pub(super) fn new(manifests: &'a [Manifest], default: &'a str) -> Self {
        let mut by_name = HashMap::new();
        for (i, manifest) in manifests.iter().enumerate().filter(|(_, m)| !m.is_list) {
            let namespace = manifest.namespace().unwrap_or(default);
            by_name.insert((namespace, manifest.kind(), manifest.name()), i);
        }
        Self { manifests, default, by_name }
    }

    pub(super) fn namespace(&self, manifest: &'a Manifest) -> &'a str {
        manifest.namespace().unwrap_or(self.default)
    }

    pub(super) fn find(&self, namespace: &str, kind: &str, name: &str) -> Option<usize> {
        self.by_name.get(&(namespace, kind, name)).copied()
    }

    /// Returns a namespace's objects of a kind, in the order of the manifests.
    pub(super) fn of_kind<'s>(
        &'s self,
        namespace: &'s str,
        kind: &'s str,
    ) -> impl Iterator<Item = (usize, &'a Manifest)> + 's {
        let all = self.manifests.iter().enumerate().filter(|(_, manifest)| !manifest.is_list);
        all.filter(move |(_, m)| m.kind() == kind && self.namespace(m) == namespace)
    }

    pub(super) fn get(&self, at: usize) -> Option<&'a Manifest> {
        self.manifests.get(at)
    }
}

/// Says why a claim cannot replace a workload, if it cannot. `None` if it is not a workload.
fn workload(manifest: &Manifest) -> Option<Option<&'static str>> {
    Some(match (manifest.group(), manifest.kind()) {
        ("apps" | "extensions", "Deployment") => None,
        ("apps", "StatefulSet") => Some(
            "a claim becomes a Deployment: its pods are alike, and have no names and no volumes of \
                their own. Keep the StatefulSet, or make the worker one that needs neither",
        ),
        ("apps", "DaemonSet") => Some(
            "it runs once on each node; a claim's pods are counted by the messages that wait. Keep \
                the DaemonSet",
        ),
        ("batch", "CronJob") => Some(
            "it runs by the clock and ends; a claim's worker runs for as long as messages come. \
                Keep the CronJob",
        ),
        ("batch", "Job") => Some(
            "it runs to an end; a claim's worker runs for as long as messages come. Keep the Job; \
                what has to run before the worker starts, such as a migration, is a claim's \
                spec.initContainer",
        ),
        ("keda.sh", "ScaledJob") => Some(
            "it starts a Job for messages; a claim's worker takes one message after another. Let \
                the worker do that, or keep the ScaledJob",
        ),
        ("argoproj.io", "Rollout") => Some(
            "it is another controller's; a claim becomes a Deployment. Make it a Deployment first, \
                or keep it",
        ),
        ("", "Pod") => {
            Some("a single pod is nobody's to scale. Keep it, or make a Deployment of it first")
        }
        ("apps", "ReplicaSet") | ("", "ReplicationController") => {
            Some("it is what a Deployment makes. Adopt the Deployment, or make one of it first")
        }
        ("apps.openshift.io", "DeploymentConfig") => {
            Some("it is OpenShift's own; a claim becomes a Deployment. Make it a Deployment first")
        }
        _ => return None,
    })
}

/// Returns every workload, in the order of the manifests, with what belongs to it.
pub(super) fn find(index: &Index<'_>) -> Result<Vec<Group>, String> {
    let mut groups = Vec::new();
    for (i, manifest) in index.manifests.iter().enumerate().filter(|(_, m)| !m.is_list) {
        let Some(reason) = workload(manifest) else { continue };
        // What a controller made is covered by what it was made from.
        let controller = manifest.controller();
        if controller.is_some() && manifest.kind() != "Deployment" {
            continue;
        }
        let owned = controller.map(|(kind, name)| {
            format!(
                "it belongs to {kind} {name}, which would change it back. Adopt what that was made \
                    of"
            )
        });
        let reason = owned.or(reason.map(str::to_owned));
        if groups.len() == MAX_WORKLOADS {
            return Err(format!(
                "more than {MAX_WORKLOADS} workloads: name fewer manifests at once"
            ));
        }
        groups.push(Group {
            workload: i,
            container: 0,
            scaler: None,
            autoscaler: None,
            service: None,
            account: None,
            budget: None,
            beside: Vec::new(),
            refused: reason
                .map(|reason| format!("{} {}: {reason}", manifest.kind(), manifest.name())),
            may_work: may_work(index, manifest),
        });
    }
    twice(index, &mut groups);
    scalers(index, &mut groups);
    selectors(index, &mut groups);
    bindings(index, &mut groups);
    for group in &mut groups {
        references(index, group);
        if group.refused.is_none() {
            judge(index, group);
        }
    }
    Ok(groups)
}

/// Reports whether something that runs pods reads from NATS, as far as its manifest says. What runs
/// to completion is not a worker.
fn may_work(index: &Index<'_>, manifest: &Manifest) -> bool {
    let found = |kind: &str, name: &str| {
        let at = index.find(index.namespace(manifest), kind, name)?;
        index.get(at).map(|found| &found.value)
    };
    let (config, secret) =
        (|name: &str| found("ConfigMap", name), |name: &str| found("Secret", name));
    let mut containers = pod(manifest).list("/containers");
    match manifest.kind() {
        "Job" | "CronJob" => false,
        "ScaledJob" => true,
        _ => containers.any(|container| nats::signs(container, &config, &secret) > 0),
    }
}

/// Refuses all but the last of several objects with one kind and name: kubectl apply would apply
/// each over the one before.
fn twice(index: &Index<'_>, groups: &mut [Group]) {
    for group in groups {
        let Some(manifest) = index.get(group.workload) else { continue };
        let last = index.find(index.namespace(manifest), manifest.kind(), manifest.name());
        let Some(last) = last.filter(|last| *last != group.workload && !manifest.name().is_empty())
        else {
            continue;
        };
        let Some(last) = index.get(last) else { continue };
        group.refused = Some(format!(
            "{} {} stands in the manifests again ({}:{}): that one counts, and has the claim. Give \
                each manifest once",
            manifest.kind(),
            manifest.name(),
            last.file,
            last.line(),
        ));
    }
}

/// Assigns objects that name what they scale.
fn scalers(index: &Index<'_>, groups: &mut [Group]) {
    let workloads: HashMap<(&str, &str, &str), usize> = groups
        .iter()
        .enumerate()
        .filter_map(|(i, group)| {
            let workload = index.get(group.workload)?;
            Some(((index.namespace(workload), workload.kind(), workload.name()), i))
        })
        .collect();
    for (i, manifest) in index.manifests.iter().enumerate().filter(|(_, m)| !m.is_list) {
        if manifest.controller().is_some() {
            // KEDA's own.
            continue;
        }
        let target = match manifest.kind() {
            "ScaledObject" | "HorizontalPodAutoscaler" => "/spec/scaleTargetRef",
            "VerticalPodAutoscaler" => "/spec/targetRef",
            _ => continue,
        };
        let kind = manifest.text(&format!("{target}/kind"));
        let kind = if kind.is_empty() { "Deployment" } else { kind };
        let name = manifest.text(&format!("{target}/name"));
        let key = (index.namespace(manifest), kind, name);
        let Some(group) = workloads.get(&key).and_then(|at| groups.get_mut(*at)) else { continue };
        let slot = match manifest.kind() {
            "ScaledObject" => &mut group.scaler,
            "HorizontalPodAutoscaler" => &mut group.autoscaler,
            _ => {
                group.beside.push(i);
                continue;
            }
        };
        match slot {
            None => *slot = Some(i),
            Some(_) => group.beside.push(i),
        }
        if manifest.kind() == "ScaledObject" {
            for trigger in manifest.value.list("/spec/triggers") {
                let name = trigger.text("/authenticationRef/name");
                group.beside.extend(index.find(key.0, "TriggerAuthentication", name));
            }
        }
    }
}

/// Assigns objects that select pods by their labels.
fn selectors(index: &Index<'_>, groups: &mut [Group]) {
    // One label of each selector leads to the few workloads that it may select.
    let mut by_label: HashMap<(&str, &str, &str), Vec<usize>> = HashMap::new();
    for (i, group) in groups.iter().enumerate() {
        let Some(workload) = index.get(group.workload) else { continue };
        for (key, value) in labels(workload) {
            let value = value.as_str().unwrap_or_default();
            by_label.entry((index.namespace(workload), key, value)).or_default().push(i);
        }
    }
    for (i, manifest) in index.manifests.iter().enumerate().filter(|(_, m)| !m.is_list) {
        let Some((_, selector)) = selector(manifest) else { continue };
        let Some((key, value)) = selector.iter().next() else { continue };
        let value = value.as_str().unwrap_or_default();
        let Some(found) = by_label.get(&(index.namespace(manifest), key, value)) else { continue };
        // Prefer one that becomes a claim.
        let meant = found.iter().copied().filter(|at| {
            let workload = groups.get(*at).and_then(|group| index.get(group.workload));
            workload.is_some_and(|workload| selects(selector, &labels(workload).collect()))
        });
        let refused = |at: &usize| groups.get(*at).is_some_and(|group| group.refused.is_some());
        let meant: Vec<usize> = meant.collect();
        let alone = meant.len() == 1;
        let meant = meant.into_iter().min_by_key(refused);
        let Some(group) = meant.and_then(|at| groups.get_mut(at)) else { continue };
        let named = |at: usize| index.get(at).map(Manifest::name);
        let whole = manifest.value.at("/spec/selector/matchExpressions").is_none();
        let budget = manifest.kind() == "PodDisruptionBudget" && manifest.group() == "policy";
        if budget && alone && whole && group.budget.is_none() && group.refused.is_none() {
            group.budget = Some(i);
        } else if manifest.kind() != "Service" {
            group.beside.push(i);
        } else if let Some(first) = group.service {
            // The one with the worker's own name is the worker's.
            if Some(manifest.name()) == named(group.workload)
                && named(first) != named(group.workload)
            {
                group.service = Some(i);
                group.beside.push(first);
            } else {
                group.beside.push(i);
            }
        } else {
            group.service = Some(i);
        }
    }
}

/// Assigns objects that give a worker's ServiceAccount permissions.
fn bindings(index: &Index<'_>, groups: &mut [Group]) {
    let mut accounts: HashMap<(&str, &str), usize> = HashMap::new();
    for (i, group) in groups.iter().enumerate() {
        let Some(workload) = index.get(group.workload) else { continue };
        let pod = pod(workload);
        let names = [pod.text("/serviceAccountName"), pod.text("/serviceAccount")];
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            accounts.entry((index.namespace(workload), name)).or_insert(i);
        }
    }
    for (i, manifest) in index.manifests.iter().enumerate() {
        if !matches!(manifest.kind(), "RoleBinding" | "ClusterRoleBinding") {
            continue;
        }
        let mut named = manifest.value.list("/subjects").filter_map(|subject| {
            let namespace = subject.text("/namespace");
            let namespace =
                if namespace.is_empty() { index.namespace(manifest) } else { namespace };
            accounts.get(&(namespace, subject.text("/name"))).copied()
        });
        if let Some(group) = named.next().and_then(|at| groups.get_mut(at)) {
            group.beside.push(i);
        }
    }
}

/// Returns the labels of a workload's pods.
pub(super) fn labels(workload: &Manifest) -> impl Iterator<Item = (&str, &Value)> {
    let labels = match workload.kind() {
        "Pod" => "/metadata/labels",
        "CronJob" => "/spec/jobTemplate/spec/template/metadata/labels",
        _ => "/spec/template/metadata/labels",
    };
    let labels = workload.value.object(labels);
    labels.into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// Returns the labels by which an object selects pods, and where they are.
pub(super) fn selector(
    manifest: &Manifest,
) -> Option<(&'static str, &serde_json::Map<String, Value>)> {
    let at = match manifest.kind() {
        "Service" => "/spec/selector",
        "PodDisruptionBudget" | "PodMonitor" => "/spec/selector/matchLabels",
        "NetworkPolicy" => "/spec/podSelector/matchLabels",
        _ => return None,
    };
    Some((at, manifest.value.object(at)?))
}

/// Reports whether a selector matches pods with these labels.
pub(super) fn selects(
    selector: &serde_json::Map<String, Value>,
    labels: &BTreeMap<&str, &Value>,
) -> bool {
    !selector.is_empty()
        && selector.iter().all(|(key, value)| labels.get(key.as_str()) == Some(&value))
}

/// Returns a workload's pod template.
fn pod(workload: &Manifest) -> &Value {
    let at = match workload.kind() {
        "Pod" => "/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        "ScaledJob" => "/spec/jobTargetRef/template/spec",
        _ => "/spec/template/spec",
    };
    workload.value.at(at).unwrap_or(&Value::Null)
}

/// Assigns what the pods refer to.
fn references(index: &Index<'_>, group: &mut Group) {
    let Some(workload) = index.get(group.workload) else { return };
    let namespace = index.namespace(workload);
    let pod = pod(workload);
    let account = [pod.text("/serviceAccountName"), pod.text("/serviceAccount")];
    let account = account.into_iter().find(|name| !name.is_empty());
    group.account = account.and_then(|name| index.find(namespace, "ServiceAccount", name));
    let containers = || pod.list("/containers").chain(pod.list("/initContainers"));
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    for container in containers() {
        for entry in container.list("/env") {
            wanted.push(("Secret", entry.text("/valueFrom/secretKeyRef/name")));
            wanted.push(("ConfigMap", entry.text("/valueFrom/configMapKeyRef/name")));
        }
        for source in container.list("/envFrom") {
            wanted.push(("Secret", source.text("/secretRef/name")));
            wanted.push(("ConfigMap", source.text("/configMapRef/name")));
        }
    }
    for volume in pod.list("/volumes") {
        wanted.push(("Secret", volume.text("/secret/secretName")));
        wanted.push(("ConfigMap", volume.text("/configMap/name")));
        wanted.push(("PersistentVolumeClaim", volume.text("/persistentVolumeClaim/claimName")));
        for source in volume.list("/projected/sources") {
            wanted.push(("Secret", source.text("/secret/name")));
            wanted.push(("ConfigMap", source.text("/configMap/name")));
        }
    }
    let account = group.account.and_then(|at| index.get(at)).map(|account| &account.value);
    let pulls = pod
        .list("/imagePullSecrets")
        .chain(account.into_iter().flat_map(|account| account.list("/imagePullSecrets")));
    wanted.extend(pulls.map(|secret| ("Secret", secret.text("/name"))));
    for (kind, name) in wanted {
        let found = index.find(namespace, kind, name).filter(|_| !name.is_empty());
        group.beside.extend(found);
    }
    group.beside.sort_unstable();
    group.beside.dedup();
}

/// Chooses the container that is the worker, and refuses a workload that has none.
fn judge(index: &Index<'_>, group: &mut Group) {
    let Some(workload) = index.get(group.workload) else { return };
    let name = workload.name();
    let refuse = |why: &str| Some(format!("Deployment {name}: {why}"));
    if name.is_empty() {
        group.refused = Some(
            "a Deployment without a name (generateName) cannot become a claim: name it".to_owned(),
        );
        return;
    }
    let containers: Vec<&Value> = pod(workload).list("/containers").collect();
    if containers.is_empty() {
        group.refused = refuse("it has no container");
        return;
    }
    let trigger = group.scaler.and_then(|at| index.get(at)).is_some_and(|scaler| {
        scaler.value.list("/spec/triggers").any(|trigger| trigger.text("/type") == nats::TRIGGER)
    });
    let config = |name: &str| {
        let at = index.find(index.namespace(workload), "ConfigMap", name)?;
        index.get(at).map(|found| &found.value)
    };
    let secret = |name: &str| {
        let at = index.find(index.namespace(workload), "Secret", name)?;
        index.get(at).map(|found| &found.value)
    };
    let signs: Vec<usize> = containers.iter().map(|c| nats::signs(c, &config, &secret)).collect();
    let score = |i: usize| {
        let container = containers.get(i).copied().unwrap_or(&Value::Null);
        let named = ["main", "worker", "app", "consumer", name].contains(&container.text("/name"));
        signs.get(i).copied().unwrap_or_default() * 2 + usize::from(named)
    };
    // Of several that look alike, the first.
    group.container = (0..containers.len()).rev().max_by_key(|i| score(*i)).unwrap_or_default();
    if containers.get(group.container).is_none_or(|c| c.text("/image").is_empty()) {
        group.refused = refuse("its container has no image");
    } else if !trigger && signs.iter().all(|signs| *signs == 0) {
        group.refused = refuse(
            "nothing in it speaks of NATS: no nats-jetstream trigger, no variable or argument with \
                a NATS server, stream or consumer. A claim is for a worker that reads from NATS \
                JetStream. If it is one, give it the variables NATS_STREAM_NAME and \
                NATS_CONSUMER_GROUP first; else keep the Deployment",
        );
    }
}

impl Namespace<'_> {
    /// Returns the ConfigMap of this name, if it is among the manifests.
    pub(super) fn config(&self, name: &str) -> Option<&Value> {
        let at = self.index.find(self.name, "ConfigMap", name)?;
        self.index.get(at).map(|found| &found.value)
    }

    /// Returns the Secret of this name, if it is among the manifests.
    pub(super) fn secret(&self, name: &str) -> Option<&Value> {
        let at = self.index.find(self.name, "Secret", name)?;
        self.index.get(at).map(|found| &found.value)
    }
}
