//! Reads the manifests of workers that run in a namespace. Secrets are read by name only.

use anyhow::Result;
use kube_object::object::Fields;
use serde_json::Value;

use crate::client::{Cluster, Refused};
use crate::kinds::{self, Kind};
use crate::plan::applier;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The objects.
    pub objects: Vec<Value>,
    /// What may not be read, and what is left out.
    pub notes: Vec<String>,
}

/// What runs pods.
const WORKLOADS: [&Kind; 4] =
    [&kinds::DEPLOYMENT, &kinds::STATEFUL_SET, &kinds::DAEMON_SET, &kinds::CRON_JOB];
/// What may belong to it.
const BESIDE: [&Kind; 10] = [
    &kinds::SERVICE_ACCOUNT,
    &kinds::SERVICE,
    &kinds::SCALED_OBJECT,
    &kinds::TRIGGER_AUTHENTICATION,
    &kinds::HPA,
    &kinds::CONFIG_MAP,
    &kinds::DISRUPTION_BUDGET,
    &kinds::NETWORK_POLICY,
    &kinds::ROLE_BINDING,
    &kinds::NACK_CONSUMER,
];

/// Reads the workloads of a namespace, or the one of this name, and all that may belong to them;
/// but not what claims made.
///
/// # Errors
/// If the API server does not answer. What it refuses to show is a note.
pub async fn workers(cluster: &Cluster, namespace: &str, name: Option<&str>) -> Result<Found> {
    let mut found = Found::default();
    let mut made = 0;
    for kind in WORKLOADS {
        for object in found.read(kind, cluster.list(kind, Some(namespace), "").await)? {
            let own = object.at("/metadata/name").and_then(Value::as_str);
            if name.is_some_and(|name| own != Some(name)) {
                continue;
            }
            if applier(&object).is_some() {
                made += 1;
            } else {
                found.objects.push(object);
            }
        }
    }
    if made > 0 {
        let s = if made == 1 { " is" } else { "s are" };
        found.notes.push(format!("{made} workload{s} a claim's already"));
    }
    for kind in BESIDE {
        let read = found.read(kind, cluster.list(kind, Some(namespace), "").await)?;
        found.objects.extend(read.into_iter().filter(|object| applier(object).is_none()));
    }
    let secrets = cluster.list_metadata(&kinds::SECRET, Some(namespace)).await;
    let secrets = found.read(&kinds::SECRET, secrets)?;
    found.objects.extend(secrets);
    // As kubectl shows them.
    for metadata in found.objects.iter_mut().filter_map(|o| o.get_mut("metadata")?.as_object_mut())
    {
        metadata.remove("managedFields");
    }
    Ok(found)
}

impl Found {
    fn read(&mut self, kind: &Kind, answer: Result<Vec<Value>>) -> Result<Vec<Value>> {
        match answer {
            Err(error) if Refused::is(&error, 403) => {
                self.notes.push(format!(
                    "{} may not be read, so what they say is not in the claim: ask somebody who \
                        may",
                    kind.plural
                ));
                Ok(Vec::new())
            }
            // Nobody has one where the kind is not installed.
            Err(error) if Refused::is(&error, 404) => Ok(Vec::new()),
            answer => answer,
        }
    }
}
