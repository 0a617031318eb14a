//! Runs a command once, in a pod like those of a Deployment: same image, environment and rights, so
//! it sees what they see.

use kube_object::object::Fields;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::client::Cluster;
use crate::kinds;

/// How many lines of the log are read.
const LINES: u32 = 200;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Whether it exited with status 0.
    pub succeeded: bool,
    /// How it ended, to follow its name: `ended with status 1`.
    pub how: String,
    /// The end of what it printed, both standard output and standard error.
    pub log: String,
}

/// Runs the image of a Deployment's first container with these arguments, and waits until it exits.
/// The pod is deleted afterwards.
///
/// # Errors
/// If there is no such Deployment, no pod can be created, or it has not ended within `limit`.
pub async fn run(
    cluster: &Cluster,
    namespace: &str,
    deployment: &str,
    args: &[&str],
    limit: Duration,
) -> Result<Ended> {
    let here = Some(namespace);
    let found = cluster.get(&kinds::DEPLOYMENT, here, deployment).await?;
    let found = found.with_context(|| format!("there is no Deployment {deployment}"))?;
    let name = format!("{deployment}-{}", args.first().unwrap_or(&"once"));
    let pod = pod(&found, &name, args)
        .with_context(|| format!("the Deployment {deployment} has no container"))?;
    cluster.create(&pod).await?;
    let ended = cluster.watch_until(&kinds::POD, here, &name, limit, |pod| how(pod?)).await;
    let log = cluster.logs(namespace, &name, "once", LINES, false).await;
    cluster.delete(&kinds::POD, here, &name).await?;
    let Some((succeeded, how)) = ended? else {
        bail!("the pod {name} has not ended within {} s", limit.as_secs());
    };
    Ok(Ended { succeeded, how, log: log? })
}

/// Builds the pod: without what keeps a service running, and without the labels that would make it
/// part of it.
fn pod(deployment: &Value, name: &str, args: &[&str]) -> Option<Value> {
    let mut spec = deployment.object("/spec/template/spec")?.clone();
    let mut container = spec.get("containers")?.get(0)?.as_object()?.clone();
    for key in ["command", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports"]
    {
        container.remove(key);
    }
    container.insert("name".to_owned(), json!("once"));
    container.insert("args".to_owned(), json!(args));
    spec.insert("containers".to_owned(), json!([container]));
    spec.insert("restartPolicy".to_owned(), json!("Never"));
    spec.remove("initContainers");
    let namespace = deployment.at("/metadata/namespace")?;
    let labels = json!({"app.kubernetes.io/managed-by": "eds"});
    Some(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": spec,
    }))
}

/// Returns whether a pod's one container ended well, and how; `None` if it still runs.
fn how(pod: &Value) -> Option<(bool, String)> {
    let succeeded = match pod.at("/status/phase")?.as_str()? {
        "Succeeded" => true,
        "Failed" => false,
        _ => return None,
    };
    let code = pod.at("/status/containerStatuses/0/state/terminated/exitCode");
    let reason = pod.at("/status/reason").and_then(Value::as_str).unwrap_or("was ended");
    let how = code.map_or_else(|| reason.to_owned(), |code| format!("ended with status {code}"));
    Some((succeeded, how))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_is_like_the_deployments() {
        let deployment = json!({
            "metadata": {"name": "worker", "namespace": "here"},
            "spec": {"template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "worker"}},
                "spec": {
                    "serviceAccountName": "worker",
                    "initContainers": [{"name": "migrate"}],
                    "containers": [{"name": "main", "image": "i",
                        "env": [{"name": "A", "value": "1"}],
                        "livenessProbe": {}, "ports": []}],
                    "restartPolicy": "Always",
                },
            }},
        });
        let expect = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "worker-results", "namespace": "here",
                "labels": {"app.kubernetes.io/managed-by": "eds"}},
            "spec": {
                "serviceAccountName": "worker",
                "containers": [{"name": "once", "image": "i", "env": [{"name": "A", "value": "1"}],
                    "args": ["results"]}],
                "restartPolicy": "Never",
            },
        });
        assert_eq!(pod(&deployment, "worker-results", &["results"]), Some(expect));
        assert_eq!(pod(&json!({}), "x", &[]), None);
    }

    #[test]
    fn how_a_pod_ended() {
        let status = |phase: &str, code: Value| {
            json!({"status": {"phase": phase,
                "containerStatuses": [{"state": {"terminated": {"exitCode": code}}}]}})
        };
        let text = |ok: bool, how: &str| Some((ok, how.to_owned()));
        assert_eq!(how(&status("Running", json!(0))), None);
        assert_eq!(how(&status("Succeeded", json!(0))), text(true, "ended with status 0"));
        assert_eq!(how(&status("Failed", json!(2))), text(false, "ended with status 2"));
        let evicted = json!({"status": {"phase": "Failed", "reason": "Evicted"}});
        assert_eq!(how(&evicted), text(false, "Evicted"));
    }
}
