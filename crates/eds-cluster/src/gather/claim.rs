//! One claim, with everything that follows from it.

use anyhow::Result;
use eds_core::form::Form;
use eds_verify::claim::secrets::{Found, Secret};
use eds_verify::claim::{ClaimFacts, Log};
use kube_object::object::Fields;
use serde_json::Value;

use super::reader::Reader;
use super::{BuiltIn, NatsAddress, platform, scaler};
use crate::claims::LiveClaim;
use crate::client::{Cluster, Refused};
use crate::kinds;

/// Lines of a failed container's log.
const LINES: u32 = 5;

/// Gathers everything there is to know about why a claim's service does not run. `rendered` is what
/// `eds render` makes of it, `built_in` the Compositions that it uses.
///
/// # Errors
/// If the API server does not answer. What may not be read is noted.
pub async fn claim(
    cluster: &Cluster,
    claim: LiveClaim,
    rendered: Vec<Value>,
    built_in: BuiltIn,
) -> Result<ClaimFacts> {
    let claim = claim.value();
    let namespace = claim.namespace().to_owned();
    let name = claim.name().to_owned();
    let here = Some(namespace.as_str());
    let nats = NatsAddress {
        url: claim.text("/spec/nats/url").to_owned(),
        monitoring: claim.text("/spec/nats/monitoringEndpoint").to_owned(),
        home: namespace.clone(),
    };
    let reader = Reader::new(cluster);
    let platform = platform(cluster, built_in, &nats).await?;
    // Who may not read definitions sees it at what Crossplane writes into it.
    let form = Form::of(claim).unwrap_or(platform.compositions.form);
    let composite = match claim.text("/spec/resourceRef/name") {
        "" if form == Form::Namespaced => Some(claim.clone()),
        "" => None,
        composite => reader.get(&kinds::COMPOSITE, None, composite).await?,
    };
    let owner =
        format!("crossplane.io/claim-name={name},crossplane.io/claim-namespace={namespace}");
    let pods = format!("app.kubernetes.io/name={name}");
    let pods = reader.list(&kinds::POD, here, &pods).await?;
    let mut events = reader.events(&namespace).await?;
    // Kills by kubelet, and their reasons, are no warnings.
    events.retain(|event| event.text("/type") == "Warning" || event.text("/reason") == "Killing");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let mut live = Vec::new();
    for manifest in &rendered {
        let Some(kind) = kinds::Kind::of(manifest) else { continue };
        live.extend(reader.get(kind, here, manifest.name()).await?);
    }
    let objects = reader.list(&kinds::OBJECT, None, &owner).await?;
    let replica_sets = reader.list(&kinds::REPLICA_SET, here, "").await?;
    Ok(ClaimFacts {
        composite,
        objects,
        replica_sets,
        live,
        now,
        unread: reader.unread(),
        rendered,
        secrets: secrets(cluster, claim, &namespace).await?,
        logs: logs(cluster, &namespace, &pods).await,
        pods,
        events,
        keda: scaler(cluster, claim).await?,
        platform,
        claim: claim.clone(),
    })
}

/// Reads the Secrets that a claim names. Only types and keys are kept.
async fn secrets(cluster: &Cluster, claim: &Value, namespace: &str) -> Result<Vec<Secret>> {
    let mut secrets = Vec::new();
    for name in eds_verify::claim::secrets::names(claim) {
        let found = match cluster.get(&kinds::SECRET, Some(namespace), name).await {
            Ok(None) => Found::Missing,
            Ok(Some(secret)) => {
                let data = secret.get("data").and_then(Value::as_object);
                let keys = data.into_iter().flatten().map(|(key, _)| key.clone());
                Found::Keys(secret.text("/type").to_owned(), keys.collect())
            }
            Err(error) => match Refused::of(&error) {
                Some(refused) if refused.code == 403 => Found::Unreadable(refused.message.clone()),
                _ => return Err(error),
            },
        };
        secrets.push(Secret { name: name.to_owned(), found });
    }
    Ok(secrets)
}

/// Returns the last lines of containers that ended badly, or that run and are not ready.
async fn logs(cluster: &Cluster, namespace: &str, pods: &[Value]) -> Vec<Log> {
    let mut logs = Vec::new();
    for pod in pods {
        let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
        let statuses = statuses.iter().filter_map(|pointer| pod.at(pointer)?.as_array());
        for status in statuses.flatten() {
            let number = |pointer| status.integer(pointer);
            let ended = number("/state/terminated/exitCode");
            let before = number("/lastState/terminated/exitCode");
            let waits = status.at("/state/waiting").is_some();
            let runs = status.at("/state/running").is_some();
            let is_ready = status.get("ready") == Some(&Value::Bool(true));
            let previous = ended.is_none() && waits && before.is_some();
            let failed = ended.is_some_and(|code| code != 0) || previous || (runs && !is_ready);
            if !failed {
                continue;
            }
            let (pod, container) = (pod.name(), status.text("/name"));
            // If one log is already gone, the others still count.
            if let Ok(text) = cluster.logs(namespace, pod, container, LINES, previous).await {
                logs.push(Log { pod: pod.to_owned(), container: container.to_owned(), text });
            }
        }
    }
    logs
}
