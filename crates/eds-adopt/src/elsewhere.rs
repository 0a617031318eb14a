//! What the claim says too, but in another place.

use kube_object::object::Fields;
use std::collections::HashSet;

use serde_json::{Value, json};

use super::fields::Kind;
use super::nats;
use super::variables::overruling;
use super::verdict::{Context, Verdict};
use kube_object::difference::{Row, value_at};
use kube_object::path::{Path, Step};

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
        if let Some(verdict) = self.selected(path, pattern, deployment) {
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
        let place = self.place(path, pattern);
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
            } else if pattern.contains("fieldRef") {
                "its value is written into the claim"
            } else if entry.at("/valueFrom/secretKeyRef").is_some() && pattern.ends_with("value") {
                "looks like a secret, so the claim takes it from a Secret"
            } else {
                "another entry of the same name counts"
            };
            let verdict = Verdict::replaced(source(entry), why);
            return Some(match pattern.ends_with("secretKeyRef.optional") {
                true => Verdict::new(
                    Kind::Lost,
                    "a claim's Secrets must be there: without it the pod does not start",
                )
                .todo("make the Secret before the claim, or take the variable out of it"),
                false => verdict,
            });
        }
        if place.starts_with("main.envFrom[]") || place.starts_with("init.envFrom[]") {
            return self.whole_source(path, pattern, deployment);
        }
        None
    }

    /// Judges a label that only names the object: the platform has its own labels for that.
    fn naming(&self, path: &Path, pattern: &str, rendered: Option<&Value>) -> Option<Verdict> {
        let at = ["metadata.labels.", "spec.template.metadata.labels."];
        let at = at.into_iter().find(|at| pattern.starts_with(at))?;
        let Some(Step::Key(key)) = path.0.last() else { return None };
        let naming = ["app", "name", "component", "k8s-app", "helm.sh/chart"]
            .contains(&key.as_str())
            || key.starts_with("app.kubernetes.io/");
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
        let all = keys.all(|key| {
            let variable = format!("{prefix}{key}");
            variables.contains(variable.as_str())
                || overruling(container, name, &variable, |name| self.secret(name)).is_some()
        });
        all.then(|| {
            let why = match kind {
                "ConfigMap" => {
                    "its values are written into the claim; a change of the ConfigMap no longer \
                        reaches the worker"
                }
                _ => "its keys are listed one by one, because a claim has no prefix",
            };
            Verdict::replaced(json!("spec.env and spec.secretRefs of the claim"), why)
        })
    }

    /// Reports whether a row that only the claim has repeats what another row says.
    pub(super) fn says_nothing_new(&self, row: &Row<'_>, rendered: &Value) -> bool {
        let pattern = row.path.pattern();
        if pattern == "metadata.namespace" && self.manifest.namespace().is_none() {
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

/// Says briefly where a rendered variable's value comes from.
pub(super) fn source(entry: &Value) -> Value {
    match entry.at("/valueFrom/secretKeyRef") {
        Some(secret) => {
            json!(format!("Secret {}, key {}", secret.text("/name"), secret.text("/key")))
        }
        None => entry.get("value").cloned().unwrap_or_default(),
    }
}
