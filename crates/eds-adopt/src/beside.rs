//! Objects that the claim does not make: those that go, those that stay, and those that no longer
//! refer to the worker.

use kube_object::object::Fields;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::elsewhere::source;
use super::fields::Kind;
use super::variables::{config_value, literal, overruling};
use super::verdict::{Context, Verdict};
use super::{nats, workers};
use kube_object::path::{Path, Step};

impl Context<'_> {
    /// Judges the worker's HorizontalPodAutoscaler.
    pub(super) fn autoscaler(&self, pattern: &str, value: Option<&Value>) -> Verdict {
        let scaler = self.owner.and_then(|(_, worker)| {
            worker.rendered.iter().find(|object| object.text("/kind") == "ScaledObject")
        });
        let bound = match pattern {
            "spec.minReplicas" => Some("minReplicaCount"),
            "spec.maxReplicas" => Some("maxReplicaCount"),
            _ => None,
        };
        if let Some(new) = bound.and_then(|key| scaler?.at(&format!("/spec/{key}"))) {
            if Some(new) == value {
                return Verdict::new(
                    Kind::Kept,
                    "KEDA's own HorizontalPodAutoscaler has it too, from spec.scaling",
                );
            }
            return Verdict::replaced(
                new.clone(),
                "KEDA's own HorizontalPodAutoscaler takes it from spec.scaling",
            );
        }
        if let Some(rest) = pattern.strip_prefix("spec.behavior") {
            const OURS: &str = "/spec/advanced/horizontalPodAutoscalerConfig/behavior";
            let behavior = scaler.and_then(|scaler| scaler.at(OURS));
            let rules = rest.replace('.', "/");
            let rules = rules.split("[]").next().unwrap_or_default();
            let kept = behavior.and_then(|b| b.at(rules))
                == self.manifest.value.at(&format!("/spec/behavior{rules}"));
            return match kept {
                true => Verdict::new(Kind::Kept, "KEDA's own autoscaler has it, from spec.scaling"),
                false => Verdict::new(Kind::Lost, "a claim does not take it")
                    .todo("see spec.scaling.behavior"),
            };
        }
        if pattern.starts_with("spec.metrics") {
            return Verdict::new(
                Kind::Lost,
                "a claim scales by the consumer's lag and by times of day: not by CPU or memory",
            )
            .todo(
                "choose spec.scaling.lagThreshold so that a pod has that many messages to do, and \
                    a size that bears it",
            );
        }
        Verdict::replaced(
            json!("KEDA's own, of the claim's name"),
            "two autoscalers of one Deployment fight: KEDA makes its own, and this one has to go",
        )
        .todo("delete this HorizontalPodAutoscaler before the claim is applied")
    }

    /// Judges an object that the claim does not make.
    pub(super) fn beside(&self, path: &Path, pattern: &str, value: Option<&Value>) -> Verdict {
        let kind = self.manifest.kind();
        let Some(((group, ..), worker)) = self.owner else {
            return Verdict::new(Kind::Kept, "it stays as it is");
        };
        if worker.refused.is_some() {
            return Verdict::new(
                Kind::Kept,
                "it stays as it is, beside the workload that no claim is written for",
            );
        }
        let deployment = worker.rendered.iter().find(|object| object.text("/kind") == "Deployment");
        if let Some((at, selector)) = workers::selector(self.manifest) {
            let inside = format!("/{}", pattern.replace('.', "/")).starts_with(at);
            let labels =
                deployment.and_then(|d| d.at("/spec/template/metadata/labels")?.as_object());
            let labels: BTreeMap<&str, &Value> =
                labels.into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
            if inside && !workers::selects(selector, &labels) {
                let key = path.0.last().map(|step| match step {
                    Step::Key(key) => key.as_str(),
                    Step::Index(_) => "",
                });
                let new = key.and_then(|key| labels.get(key)).map(|value| (*value).clone());
                let verdict = Verdict {
                    kind: if new.as_ref() == value { Kind::Kept } else { Kind::Lost },
                    new: None,
                    why: format!(
                        "the claim's pods do not carry this label, so this {kind} no longer means \
                            them"
                    ),
                    todo: None,
                };
                return verdict.todo(
                    "select by app.kubernetes.io/name (the claim's name) and \
                        app.kubernetes.io/component: event-driven-worker, and keep this manifest \
                        beside the claim",
                );
            }
            if pattern == "spec.podMetricsEndpoints[].port"
                && value.and_then(Value::as_str) != Some("http")
            {
                return Verdict::new(
                    Kind::Lost,
                    "the claim's pods have one port, that of spec.health, named http: this one is \
                        not asked",
                )
                .todo("write http here, and answer there; keep this manifest beside the claim");
            }
            return Verdict::new(
                Kind::Kept,
                "the claim does not make it: keep this manifest beside the claim",
            );
        }
        match kind {
            "RoleBinding" | "ClusterRoleBinding" if pattern.starts_with("subjects[]") => {
                Verdict::new(
                    Kind::Lost,
                    "the claim's pods mount no token of the Kubernetes API: these rights no longer \
                        reach the worker",
                )
                .todo(
                    "a worker that asks the Kubernetes API cannot become a claim yet: keep its \
                        manifests",
                )
            }
            "ConfigMap" if pattern.starts_with("data.") || pattern.starts_with("binaryData.") => {
                self.config_key(path, group.workload, deployment)
            }
            "ConfigMap" => {
                Verdict::new(Kind::Kept, "the object stays; the claim does not make ConfigMaps")
            }
            "Secret" if self.is_overruled(path, deployment) => Verdict::new(
                Kind::Lost,
                "the platform sets this variable from spec.nats, before the Secret's keys: this \
                    value no longer reaches the worker",
            )
            .todo(
                "write the server under spec.nats.url; let the worker take user and password from \
                    other keys",
            ),
            "Secret" => Verdict::new(
                Kind::Kept,
                "the claim makes no Secrets: this one stays, and the claim names it",
            ),
            "PersistentVolumeClaim" => {
                Verdict::new(Kind::Lost, "a claim keeps nothing on disks: nothing uses it any more")
                    .todo("keep what the worker must remember in a database or an object store")
            }
            "ScaledObject" => {
                Verdict::new(Kind::Lost, "a second scaler of one Deployment, which KEDA refuses")
                    .todo("delete it before the claim is applied")
            }
            "VerticalPodAutoscaler"
                if self.manifest.text("/spec/updatePolicy/updateMode") == "Off" =>
            {
                Verdict::new(Kind::Kept, "it only recommends: keep this manifest beside the claim")
            }
            "VerticalPodAutoscaler" => {
                Verdict::new(Kind::Lost, "it would change figures that the claim sets back")
                    .todo("delete it, or let it only recommend (updateMode: \"Off\")")
            }
            _ => Verdict::new(Kind::Kept, "the claim does not make it: it stays as it is"),
        }
    }

    /// Reports whether a key of a Secret taken whole is named like a variable that the platform
    /// sets.
    fn is_overruled(&self, path: &Path, deployment: Option<&Value>) -> bool {
        let [Step::Key(field), Step::Key(key)] = path.0.as_slice() else { return false };
        let main = deployment.and_then(|d| d.at("/spec/template/spec/containers/0"));
        let mut whole = main.into_iter().flat_map(|main| main.list("/envFrom"));
        matches!(field.as_str(), "data" | "stringData")
            && nats::OWN.contains(&key.as_str())
            && whole.any(|source| source.text("/secretRef/name") == self.manifest.name())
    }

    /// Judges one key of a ConfigMap that the worker uses.
    fn config_key(&self, path: &Path, workload: usize, deployment: Option<&Value>) -> Verdict {
        let key = match path.0.get(1) {
            Some(Step::Key(key)) => key.as_str(),
            _ => "",
        };
        let name = self.manifest.name();
        let was = config_value(&self.manifest.value, key).map(literal);
        let pod = self.index.get(workload).and_then(|w| w.value.at("/spec/template/spec"));
        let containers = pod
            .into_iter()
            .flat_map(|pod| pod.list("/containers").chain(pod.list("/initContainers")));
        let mut names: Vec<String> = Vec::new();
        for container in containers {
            for source in
                container.list("/envFrom").filter(|s| s.text("/configMapRef/name") == name)
            {
                names.push(format!("{}{key}", source.text("/prefix")));
            }
            for entry in container.list("/env") {
                let from = |what: &str| entry.text(&format!("/valueFrom/configMapKeyRef/{what}"));
                if from("name") == name && from("key") == key {
                    names.push(entry.text("/name").to_owned());
                }
            }
        }
        let rendered = deployment.and_then(|d| d.at("/spec/template/spec"));
        if self.mounts(pod, name, key) && !self.mounts(rendered, name, key) {
            return Verdict::new(Kind::Lost, "as a file it no longer reaches the worker")
                .todo("give it under spec.files, in a directory of its own");
        }
        let main = deployment.and_then(|d| d.at("/spec/template/spec/containers/0"));
        for variable in &names {
            let entry =
                main.and_then(|main| main.list("/env").find(|e| e.text("/name") == variable));
            let Some(entry) = entry else { continue };
            if nats::OWN.contains(&variable.as_str()) {
                let why = format!("{variable} of the worker: the platform sets it from spec.nats");
                return Verdict::replaced(source(entry), why);
            }
            if entry.get("value").and_then(Value::as_str) == was.as_deref() {
                let why = format!(
                    "{variable} of the worker: written into the claim; a change of the ConfigMap \
                        no longer reaches the worker"
                );
                return Verdict::replaced(source(entry), why);
            }
            if entry.get("valueFrom").is_some() {
                return Verdict::new(Kind::Kept, "the worker takes it from there, as before");
            }
        }
        let overruled =
            pod.into_iter().flat_map(|pod| pod.list("/containers")).find_map(|container| {
                let secret = |name: &str| self.secret(name);
                names.iter().find_map(|variable| overruling(container, name, variable, secret))
            });
        if let Some(secret) = overruled {
            let why = format!(
                "Secret {secret} stands after it and has this key too: that counted, and counts"
            );
            return Verdict::new(Kind::Kept, why);
        }
        let mut whole = main.into_iter().flat_map(|main| main.list("/envFrom"));
        if whole.any(|source| source.text("/configMapRef/name") == name) {
            return Verdict::new(Kind::Kept, "the worker takes it from there, as before");
        }
        if names.is_empty() {
            return Verdict::new(Kind::Kept, "the worker takes it as before, or never did");
        }
        Verdict::new(Kind::Lost, "the worker does not get this variable")
            .todo("list its key under spec.configMapRefs")
    }

    /// Returns the Secret of this name, if it is among the manifests.
    pub(super) fn secret(&self, name: &str) -> Option<&Value> {
        let at = self.index.find(self.index.namespace(self.manifest), "Secret", name)?;
        self.index.get(at).map(|found| &found.value)
    }

    /// Reports whether a pod shows a key of this ConfigMap as a file.
    fn mounts(&self, pod: Option<&Value>, name: &str, key: &str) -> bool {
        let Some(pod) = pod else { return false };
        // What a mount shows of a volume.
        let shows = |volume: &str, path: &str| {
            let containers = pod.list("/containers").chain(pod.list("/initContainers"));
            let mut mounts = containers.flat_map(|container| container.list("/volumeMounts"));
            mounts.any(|mount| {
                let sub = mount.text("/subPath");
                let below = path
                    .strip_prefix(sub)
                    .is_some_and(|rest| sub.is_empty() || rest.is_empty() || rest.starts_with('/'));
                mount.text("/name") == volume && below
            })
        };
        pod.list("/volumes").any(|volume| {
            let projected = volume.list("/projected/sources").filter_map(|s| s.get("configMap"));
            let maps = volume.get("configMap").into_iter().chain(projected);
            let mut maps = maps.filter(|map| map.text("/name") == name);
            maps.any(|map| {
                let mut items = map.list("/items").filter(|item| item.text("/key") == key);
                let path = match map.list("/items").next() {
                    None => Some(key),
                    Some(_) => items.next().map(|item| item.text("/path")),
                };
                path.is_some_and(|path| shows(volume.text("/name"), path))
            })
        })
    }
}
