//! What is kept of a failed run: objects, events and logs, as files.

use kube_object::object::Fields;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::client::Cluster;
use crate::kinds::{self, Kind};

/// What a claim brings into its namespace, and what follows from it. Secrets are left out.
const KINDS: [&Kind; 11] = [
    &kinds::CLAIM,
    &kinds::SERVICE_ACCOUNT,
    &kinds::DEPLOYMENT,
    &kinds::REPLICA_SET,
    &kinds::SERVICE,
    &kinds::SCALED_OBJECT,
    &kinds::HPA,
    &kinds::JOB,
    &kinds::POD,
    &kinds::RESOURCE_QUOTA,
    &kinds::EVENT,
];

/// Lines of each log.
const LINES: u32 = 500;

/// Writes what there is to know about a namespace into `directory`. What cannot be read is left
/// out: the run has already failed, so the rest is all the more useful.
pub(crate) async fn collect(cluster: &Cluster, namespace: &str, directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let save = |kind: &Kind, items: &[Value]| {
        if items.is_empty() {
            return Ok(());
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        write(&format!("{}.json", kind.plural), &serde_json::to_string_pretty(&list)?)
    };
    for kind in KINDS {
        let mut items = cluster.list(kind, Some(namespace), "").await.unwrap_or_default();
        for metadata in items.iter_mut().filter_map(|i| i.get_mut("metadata")?.as_object_mut()) {
            metadata.remove("managedFields");
        }
        save(kind, &items)?;
        if kind == &kinds::POD {
            logs(cluster, namespace, &items, LINES, &write).await?;
        }
    }
    let of_claims = format!("crossplane.io/claim-namespace={namespace}");
    for kind in [&kinds::COMPOSITE, &kinds::OBJECT] {
        save(kind, &cluster.list(kind, None, &of_claims).await.unwrap_or_default())?;
    }
    // The parts that should have done it.
    for namespace in ["crossplane-system", "keda"] {
        let pods = cluster.list(&kinds::POD, Some(namespace), "").await.unwrap_or_default();
        logs(cluster, namespace, &pods, 100, &write).await?;
    }
    Ok(())
}

async fn logs(
    cluster: &Cluster,
    namespace: &str,
    pods: &[Value],
    lines: u32,
    write: &impl Fn(&str, &str) -> Result<()>,
) -> Result<()> {
    for pod in pods {
        let name = pod.text("/metadata/name");
        let containers = ["/spec/initContainers", "/spec/containers"];
        let containers = containers.iter().filter_map(|path| pod.at(path)?.as_array());
        for container in containers.flatten().filter_map(|c| c.get("name")?.as_str()) {
            for (previous, suffix) in [(false, "log"), (true, "previous.log")] {
                let log = cluster.logs(namespace, name, container, lines, previous).await;
                if let Ok(text) = log
                    && !text.is_empty()
                {
                    write(&format!("{name}.{container}.{suffix}"), &text)?;
                }
            }
        }
    }
    Ok(())
}
