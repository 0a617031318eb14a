//! Facts for `eds_core::verify`, read from a cluster.

mod claim;
mod platform;

pub use claim::claim;
pub use platform::{NatsAddress, platform};

use anyhow::Result;
use eds_core::verify::{Endpoint, composition, keda};
use serde_json::{Value, json};

use crate::client::Cluster;
use crate::kinds;
use crate::nats;

/// Where Crossplane is installed, as its chart has it.
pub const CROSSPLANE: &str = "crossplane-system";

/// Everything there is to know about the Compositions. `built_in` is the one `eds render` uses.
///
/// # Errors
/// When something cannot be read.
pub async fn compositions(cluster: &Cluster, built_in: Value) -> Result<composition::Facts> {
    let all = async |kind| cluster.list(kind, None, "").await;
    Ok(composition::Facts {
        compositions: all(&kinds::COMPOSITION).await?,
        revisions: all(&kinds::COMPOSITION_REVISION).await?,
        xrd: cluster.get(&kinds::XRD, None, &kinds::COMPOSITE.crd()).await?,
        functions: all(&kinds::FUNCTION).await?,
        function_revisions: all(&kinds::FUNCTION_REVISION).await?,
        pods: cluster.list(&kinds::POD, Some(CROSSPLANE), "").await?,
        built_in,
    })
}

/// The string at a JSON pointer; empty where there is none.
fn at<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What KEDA will see for a claim, asked of the live NATS. `claim` has its defaults.
///
/// # Errors
/// When something cannot be read. What NATS answers is a fact, also where it is a refusal.
pub async fn keda(cluster: &Cluster, claim: Value) -> Result<keda::Facts> {
    let text = |value: &Value, pointer: &str| -> String {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let namespace = text(&claim, "/metadata/namespace");
    let name = text(&claim, "/metadata/name");
    let here = Some(namespace.as_str());
    let get = async |kind, name: &str| cluster.get(kind, here, name).await;
    let scaled_object = get(&kinds::SCALED_OBJECT, &format!("{name}-scaler")).await?;
    let hpa = match scaled_object.as_ref().map(|s| text(s, "/status/hpaName")) {
        Some(hpa) if !hpa.is_empty() => get(&kinds::HPA, &hpa).await?,
        _ => None,
    };
    let deployment = get(&kinds::DEPLOYMENT, &name).await?;
    let metrics = cluster.service_get(&namespace, &name, 8080, "/metrics").await?;
    let metrics = (metrics.code == 200).then_some(metrics.body);
    let mut facts = keda::Facts { claim, hpa, deployment, metrics, ..keda::Facts::default() };
    if let Some(trigger) =
        scaled_object.as_ref().and_then(|s| s.pointer("/spec/triggers/0/metadata"))
    {
        let endpoint = text(trigger, "/natsServerMonitoringEndpoint");
        if let Some(endpoint) = Endpoint::parse(&endpoint, "keda", 80) {
            ask(cluster, &endpoint, trigger, &mut facts).await?;
        }
    }
    facts.scaled_object = scaled_object;
    Ok(facts)
}

/// Asks as KEDA asks: the endpoint, and where that is a cluster of servers, each of them.
async fn ask(
    cluster: &Cluster,
    endpoint: &Endpoint,
    trigger: &Value,
    facts: &mut keda::Facts,
) -> Result<()> {
    let text = |key: &str| trigger.get(key).and_then(Value::as_str).unwrap_or_default();
    let account = if text("accountID").is_empty() { text("account") } else { text("accountID") };
    let (service, namespace) = (&endpoint.service, endpoint.namespace.as_str());
    facts.service = cluster.get(&kinds::SERVICE, Some(namespace), service).await?;
    let question = nats::jsz(account);
    let asked = nats::monitoring(cluster, endpoint, &question).await?;
    let servers = asked.body.pointer("/meta_cluster/cluster_size").and_then(Value::as_i64);
    facts.asked = Some(asked.json());
    if asked.code != 200 {
        return Ok(());
    }
    let server = nats::monitoring(cluster, endpoint, "/varz").await?;
    facts.everything =
        Some(nats::monitoring(cluster, endpoint, "/jsz?accounts=true").await?.json());
    if servers > Some(1) {
        facts.nodes = nodes(cluster, endpoint, &question, &server.body).await?;
    }
    facts.server = Some(server.json());
    Ok(())
}

/// The servers that one of them names, each asked by its pod.
async fn nodes(
    cluster: &Cluster,
    endpoint: &Endpoint,
    question: &str,
    server: &Value,
) -> Result<Vec<Value>> {
    let list = |pointer: &str| -> Vec<String> {
        let items = server.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let advertised = list("/connect_urls");
    let is_advertised = !advertised.is_empty();
    let hosts = if is_advertised { advertised } else { list("/cluster/urls") };
    let pods = cluster.list(&kinds::POD, Some(&endpoint.namespace), "").await?;
    let mut answers = Vec::new();
    for host in hosts {
        let host = host.split(':').next().unwrap_or_default().to_owned();
        let label = host.split('.').next().unwrap_or_default();
        // An advertised address is a pod's own; any other is its name under the headless Service.
        let pod = pods.iter().find_map(|pod| {
            let text = |pointer| pod.pointer(pointer).and_then(Value::as_str);
            let name = text("/metadata/name")?;
            (name == label || text("/status/podIP") == Some(&host)).then(|| name.to_owned())
        });
        let Some(pod) = pod else { continue };
        let ask = async |path: &str| -> Result<Value> {
            let answer = cluster.pod_get(&endpoint.namespace, &pod, endpoint.port, path).await?;
            Ok(serde_json::from_str(&answer.body).unwrap_or_default())
        };
        let node = match is_advertised {
            true => ask("/varz").await?.get("server_name").cloned().unwrap_or_default(),
            false => json!(label),
        };
        answers.push(json!({"node": node, "body": ask(question).await?}));
    }
    Ok(answers)
}
