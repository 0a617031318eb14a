//! What the claim says too, but in another place.

use kube_object::object::Fields;
use std::collections::HashSet;

use serde_json::{Value, json};

use super::fields::Kind;
use super::variables::overruling;
use super::verdict::{Context, Verdict};
use super::{nats, pods, scaling};
use kube_object::difference::{Row, same_quantity, value_at};
use kube_object::path::{Path, Step};

/// KEDA's annotation that pauses all scaling.
const ALL: &str = "metadata.annotations.autoscaling.keda.sh/paused";
/// The one that says a number of pods, too.
const NUMBER: &str = "autoscaling.keda.sh/paused-replicas";

impl Context<'_> {
    /// Judges whether the rendered objects say in another place what was removed here.
    pub(super) fn elsewhere(&self, path: &Path, pattern: &str, row: &Row<'_>) -> Option<Verdict> {
        let (_, worker) = self.owner?;
        let part = |kind: &str| worker.rendered.iter().find(|object| object.text("/kind") == kind);
        let value = row.before?;
        if let Some(verdict) = self.naming(path, pattern, part(self.manifest.kind())) {
            return Some(verdict);
        }
        match self.manifest.kind() {
            "ServiceAccount" if pattern.starts_with("imagePullSecrets") => {
                let pod = part("Deployment")?.at("/spec/template/spec")?;
                let there =
                    pod.list("/imagePullSecrets").any(|secret| secret.get("name") == Some(value));
                there.then(|| {
                    Verdict::replaced(
                        value.clone(),
                        "said by the pods themselves: spec.imagePullSecrets",
                    )
                })
            }
            "Service" if pattern.starts_with("spec.selector.") => {
                let selector = part("Service")?.at("/spec/selector")?;
                Some(Verdict::replaced(
                    selector.clone(),
                    "the claim's Service finds the pods by the platform's labels",
                ))
            }
            "PodDisruptionBudget" if pattern.starts_with("spec.selector.") => {
                let selector = part("PodDisruptionBudget")?.at("/spec/selector")?;
                Some(Verdict::replaced(
                    selector.clone(),
                    "the claim's PodDisruptionBudget finds the pods by the platform's labels",
                ))
            }
            "ScaledObject" if pattern == ALL => {
                let text = value.as_str().unwrap_or_default();
                let why = match scaling::is_off(text) {
                    true => "it pauses nothing",
                    false => "the annotation with a number of pods counts more, and is there",
                };
                let off = scaling::is_off(text) || self.manifest.value.annotation(NUMBER).is_some();
                off.then(|| Verdict::new(Kind::Kept, why))
            }
            "Deployment" => {
                self.elsewhere_in_deployment(path, pattern, value, part("ScaledObject")?, part)
            }
            _ => None,
        }
    }

    fn elsewhere_in_deployment<'r>(
        &self,
        path: &Path,
        pattern: &str,
        value: &Value,
        scaler: &Value,
        part: impl Fn(&str) -> Option<&'r Value>,
    ) -> Option<Verdict> {
        let deployment = part("Deployment")?;
        let place = self.place(path, pattern);
        let known = self.selected(path, pattern, deployment);
        let known = known.or_else(|| self.moved_file(path, &place, deployment));
        if let Some(verdict) = known.or_else(|| self.of_pods(path, pattern, deployment)) {
            return Some(verdict);
        }
        if pattern == "spec.replicas" {
            let scaler_value =
                |key: &str| scaler.at(&format!("/spec/{key}")).cloned().unwrap_or_default();
            let new = json!({"minReplicaCount": scaler_value("minReplicaCount"),
                "maxReplicaCount": scaler_value("maxReplicaCount")});
            let most = new.integer("/maxReplicaCount");
            if value.as_i64().zip(most).is_some_and(|(was, most)| was > most) {
                return Some(
                    Verdict::new(
                        Kind::Lost,
                        "a claim does not take so many pods; spec.scaling.maxReplicas is its \
                            largest number",
                    )
                    .todo("see whether that many pods, of a larger size, can do the work"),
                );
            }
            let why = "KEDA owns the number of pods, within spec.scaling; written here, each \
                change of the claim would cut a busy service down";
            return Some(Verdict::replaced(new, why));
        }
        if pattern == "spec.template.spec.automountServiceAccountToken" {
            let said = part("ServiceAccount")?.get("automountServiceAccountToken")?;
            return (said == value)
                .then(|| Verdict::replaced(said.clone(), "said by the ServiceAccount"));
        }
        if let Some(verdict) = probed(&place, deployment) {
            return Some(verdict);
        }
        if let Some(rest) = place
            .strip_prefix("main.securityContext.")
            .or(place.strip_prefix("init.securityContext."))
        {
            let pod = deployment.at("/spec/template/spec/securityContext")?;
            let said = pod.at(&format!("/{}", rest.replace('.', "/")))?;
            let why = match said == value {
                true => "said for the whole pod",
                false => "the platform says it for the whole pod",
            };
            return Some(Verdict::replaced(said.clone(), why));
        }
        if let Some(name) = self.variable(path, pattern)
            && (place.starts_with("main.") || place.starts_with("init."))
        {
            let main = deployment.at("/spec/template/spec/containers/0")?;
            let entry = main.list("/env").find(|entry| entry.text("/name") == name)?;
            if nats::OWN.contains(&name) && pattern.contains("secretKeyRef") {
                let why = format!(
                    "{name} no longer comes from the Secret: the platform sets it from spec.nats"
                );
                return Some(Verdict::new(Kind::Lost, why).todo(
                    "write the server under spec.nats.url, without user and \
                    password; let the worker take these from variables of their own",
                ));
            }
            let why = if nats::OWN.contains(&name) {
                "the platform sets this variable from spec.nats"
            } else if pattern.contains("configMapKeyRef") {
                "its value is written into the claim; a change of the ConfigMap no longer reaches \
                    the worker"
            } else if entry.at("/valueFrom/secretKeyRef").is_some() && pattern.ends_with("value") {
                "looks like a secret, so the claim takes it from a Secret"
            } else {
                "another entry of the same name counts"
            };
            let verdict = Verdict::replaced(source(entry), why);
            return Some(match pattern.ends_with("KeyRef.optional") {
                true => Verdict::new(
                    Kind::Lost,
                    "a claim's Secrets and ConfigMaps must be there: without it the pod does not \
                        start",
                )
                .todo("make it before the claim, or take the variable out of the claim"),
                false => verdict,
            });
        }
        if place.starts_with("main.envFrom[]") || place.starts_with("init.envFrom[]") {
            return self.whole_source(path, pattern, deployment);
        }
        None
    }

    /// Judges how pods are placed and replaced.
    fn of_pods(&self, path: &Path, pattern: &str, deployment: &Value) -> Option<Verdict> {
        let strategy = deployment.at("/spec/strategy/rollingUpdate");
        if pattern == "spec.strategy.type" {
            let why = "the old pods are told to stop before new ones start (spec.rollout); they \
                may still be finishing while new ones begin";
            let todo = "the worker must bear that, as at every eviction";
            let new = strategy.filter(|s| s.get("maxUnavailable") == Some(&json!("100%")))?;
            return Some(Verdict::replaced(new.clone(), why).todo(todo));
        }
        let pod = deployment.at("/spec/template/spec")?;
        if pattern.starts_with("spec.template.spec.topologySpreadConstraints[].labelSelector") {
            let constraint = Path(path.0.iter().take(5).cloned().collect());
            let key = value_at(&self.manifest.value, &constraint)?.text("/topologyKey");
            let mut all = pod.list("/topologySpreadConstraints");
            let same = all.find(|constraint| constraint.text("/topologyKey") == key)?;
            let why = "the claim's pods are counted by the platform's labels";
            return Some(Verdict::replaced(same.get("labelSelector").cloned()?, why));
        }
        if pattern.starts_with("spec.template.spec.affinity.nodeAffinity.required") {
            let wanted = pods::required_nodes(self.manifest.value.at("/spec/template/spec")?)?;
            let nodes = pod.get("nodeSelector")?;
            let all = wanted.iter().all(|(key, value)| nodes.get(key) == Some(value));
            let why = "said by the node selector: spec.placement";
            return all.then(|| Verdict::replaced(nodes.clone(), why));
        }
        let Some(Step::Key(key)) = path.0.last() else { return None };
        if pattern.starts_with("spec.template.metadata.annotations.") && pods::is_of_secrets(key) {
            let why = "the pods start again when a Secret that the claim names changes";
            return Some(Verdict::replaced(json!("spec.rollout.restartOnSecretChange"), why));
        }
        None
    }

    /// Judges a label that only names the object: the platform has its own labels for that.
    fn naming(&self, path: &Path, pattern: &str, rendered: Option<&Value>) -> Option<Verdict> {
        let at = ["metadata.labels.", "spec.template.metadata.labels."];
        let at = at.into_iter().find(|at| pattern.starts_with(at))?;
        let Some(Step::Key(key)) = path.0.last() else { return None };
        let naming = pods::is_naming(key);
        let labels = rendered?.at(&format!("/{}", at.trim_end_matches('.').replace('.', "/")))?;
        naming.then(|| {
            let name = labels.get("app.kubernetes.io/name").cloned().unwrap_or_default();
            let why = "the platform's labels say what it is: app.kubernetes.io/name and its like";
            let todo = "who selects by it selects by app.kubernetes.io/name";
            Verdict::replaced(json!({"app.kubernetes.io/name": name}), why).todo(todo)
        })
    }

    /// Judges the labels by which the Deployment selected its pods: the platform has its own for
    /// that.
    fn selected(&self, path: &Path, pattern: &str, deployment: &Value) -> Option<Verdict> {
        let labels = deployment.at("/spec/selector/matchLabels")?;
        if pattern.starts_with("spec.selector.") {
            let why = "the claim's Deployment knows its pods by the platform's labels, and a \
                selector cannot be changed";
            return Some(
                Verdict::replaced(labels.clone(), why)
                    .todo("the Deployment is replaced, as the steps say"),
            );
        }
        let is_label = ["metadata.labels.", "spec.template.metadata.labels."]
            .iter()
            .any(|at| pattern.starts_with(at));
        let key = path.0.last().filter(|_| is_label)?;
        let Step::Key(key) = key else { return None };
        self.manifest.value.at("/spec/selector/matchLabels")?.get(key)?;
        let why = "the platform's labels tell the pods apart";
        let todo = "NetworkPolicies, PodMonitors, dashboards and people that select by it select \
            by app.kubernetes.io/name";
        Some(Verdict::replaced(labels.clone(), why).todo(todo))
    }

    /// Judges a ConfigMap, or a Secret with a prefix, that became individual variables.
    fn whole_source(&self, path: &Path, pattern: &str, deployment: &Value) -> Option<Verdict> {
        if pattern.ends_with("optional") {
            return None;
        }
        let source =
            value_at(&self.manifest.value, &Path(path.0.iter().take(7).cloned().collect()))?;
        let prefix = source.text("/prefix");
        let (kind, name) = match (source.text("/configMapRef/name"), source.text("/secretRef/name"))
        {
            ("", secret) => ("Secret", secret),
            (config, _) => ("ConfigMap", config),
        };
        let namespace = self.index.namespace(self.manifest);
        let object = &self.index.get(self.index.find(namespace, kind, name)?)?.value;
        let main = deployment.at("/spec/template/spec/containers/0")?;
        let variables: HashSet<&str> = main.list("/env").map(|entry| entry.text("/name")).collect();
        let keys = ["data", "stringData"].iter().filter_map(|field| object.get(field)?.as_object());
        let mut keys = keys.flat_map(|entries| entries.keys());
        let container = Path(path.0.iter().take(5).cloned().collect());
        let container = value_at(&self.manifest.value, &container)?;
        let mut whole = main.list("/envFrom");
        let whole = prefix.is_empty()
            && whole.any(|source| source.text("/configMapRef/name") == name && kind != "Secret");
        let all = keys.all(|key| {
            let variable = format!("{prefix}{key}");
            whole
                || variables.contains(variable.as_str())
                || overruling(container, name, &variable, |name| self.secret(name)).is_some()
        });
        all.then(|| {
            let why = "its keys are listed one by one, because a claim has no prefix";
            let list = if kind == "ConfigMap" { "configMapRefs" } else { "secretRefs" };
            Verdict::replaced(json!(format!("spec.{list}[].env of the claim")), why)
        })
    }

    /// Reports whether a request is what Kubernetes took from the limit, because none was given.
    fn is_limit(&self, path: &Path, request: Option<&Value>) -> bool {
        let found = || {
            let (Step::Key(what), above) = path.0.split_last()? else { return None };
            (above.last() == Some(&Step::Key("requests".to_owned()))).then_some(())?;
            let ((_, draft, _), _) = self.owner?;
            let name = draft.as_ref()?.container.as_str();
            let mut containers = self.manifest.value.list("/spec/template/spec/containers");
            let container = containers.find(|container| container.text("/name") == name)?;
            let limit = container.at("/resources/limits")?.get(what)?;
            Some(same_quantity("resources.limits", limit, request?))
        };
        found().unwrap_or_default()
    }

    /// Reports whether a row that only the claim has repeats what another row says.
    pub(super) fn says_nothing_new(&self, row: &Row<'_>, rendered: &Value) -> bool {
        let pattern = row.path.pattern();
        if pattern == "metadata.namespace" && self.manifest.namespace().is_none() {
            return true;
        }
        if self.is_limit(&row.path, row.after) {
            return true;
        }
        // A variable that existed before, from another source.
        let Some(rest) = pattern.strip_prefix("spec.template.spec.") else { return false };
        if !(rest.starts_with("containers[].env[].") || rest.starts_with("initContainers[].env[]."))
        {
            return false;
        }
        let entry = value_at(rendered, &Path(row.path.0.iter().take(7).cloned().collect()));
        let name = entry.map(|entry| entry.text("/name")).unwrap_or_default();
        let list_name =
            if rest.starts_with("containers") { "containers" } else { "initContainers" };
        let containers = self.manifest.value.list(&format!("/spec/template/spec/{list_name}"));
        let mut same = containers.filter(|c| {
            matches!(
                self.options.renamed.get(c.text("/name")).map(String::as_str),
                Some("main" | "init")
            )
        });
        same.any(|container| container.list("/env").any(|entry| entry.text("/name") == name))
    }
}

/// Judges a probe that asks in a way that the claim's does not.
fn probed(place: &str, deployment: &Value) -> Option<Verdict> {
    let main = deployment.at("/spec/template/spec/containers/0")?;
    let rest = place.strip_prefix("main.startupProbe")?;
    let probe = main.get("startupProbe")?;
    let figure = ["periodSeconds", "failureThreshold", "initialDelaySeconds"];
    let why = match figure.iter().any(|figure| rest.ends_with(figure)) {
        true => "it waits as long: spec.health.startupSeconds",
        false => "the liveness check says when the start is over: spec.health.startupSeconds",
    };
    let new = ["httpGet", "exec"].iter().find_map(|key| probe.get(*key)).cloned();
    Some(Verdict::replaced(new.unwrap_or_default(), why))
}

/// Says briefly where a rendered variable's value comes from.
pub(super) fn source(entry: &Value) -> Value {
    let key = |at: &str| entry.at(at).map(|from| (from.text("/name"), from.text("/key")));
    match (key("/valueFrom/secretKeyRef"), key("/valueFrom/configMapKeyRef")) {
        (Some((name, key)), _) => json!(format!("Secret {name}, key {key}")),
        (None, Some((name, key))) => json!(format!("ConfigMap {name}, key {key}")),
        (None, None) => entry.get("value").cloned().unwrap_or_default(),
    }
}
