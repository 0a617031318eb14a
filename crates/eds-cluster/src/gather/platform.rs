//! What a claim stands on.

use anyhow::Result;
use eds_core::verify::{Endpoint, platform};
use platform::packages::Right;
use serde_json::{Value, json};

use super::{at, compositions};
use crate::client::{Cluster, Refused};
use crate::{kinds, nats};

/// Where the NATS is that is looked at.
#[derive(Debug, Clone)]
pub struct NatsAddress {
    /// As a claim's `spec.nats.url`.
    pub url: String,
    /// As a claim's `spec.nats.monitoringEndpoint`.
    pub monitoring: String,
    /// Namespace of names that have none.
    pub home: String,
}

/// Everything that a claim stands on. `built_in` is the Composition that `eds render` uses.
///
/// # Errors
/// When something cannot be read.
pub async fn platform(
    cluster: &Cluster,
    built_in: Value,
    nats: &NatsAddress,
) -> Result<platform::Facts> {
    let all = async |kind| cluster.list(kind, None, "").await;
    let one = async |kind, name: &str| cluster.get(kind, None, name).await;
    let deployments = all(&kinds::DEPLOYMENT).await?;
    let pods = match platform::keda::operator(&deployments) {
        Some(operator) => {
            let namespace = at(operator, "/metadata/namespace");
            cluster.list(&kinds::POD, Some(namespace), "").await?
        }
        None => Vec::new(),
    };
    let keda = platform::keda::Facts {
        crd: one(&kinds::CRD, &kinds::SCALED_OBJECT.crd()).await?,
        metrics: one(&kinds::API_SERVICE, "v1beta1.external.metrics.k8s.io").await?,
        pods,
    };
    let api = platform::api::Facts {
        crd: one(&kinds::CRD, &kinds::CLAIM.crd()).await?,
        policy: one(&kinds::ADMISSION_POLICY, CLAIM_NAMES).await?,
        binding: one(&kinds::ADMISSION_BINDING, CLAIM_NAMES).await?,
    };
    let compositions = compositions(cluster, built_in).await?;
    let mut packages = platform::packages::Facts {
        providers: all(&kinds::PROVIDER).await?,
        revisions: all(&kinds::PROVIDER_REVISION).await?,
        configs: all(&kinds::PROVIDER_CONFIG).await?,
        rights: Vec::new(),
    };
    packages.rights = rights(cluster, &packages, &compositions, &deployments).await?;
    Ok(platform::Facts {
        kubernetes: cluster.version().await?,
        nodes: all(&kinds::NODE).await?,
        deployments,
        nats: nats_facts(cluster, nats).await?,
        keda,
        packages,
        api,
        compositions,
    })
}

/// Policy and binding for the names of claims.
const CLAIM_NAMES: &str = "eventdrivenservice-claim-names";

async fn nats_facts(cluster: &Cluster, address: &NatsAddress) -> Result<platform::nats::Facts> {
    let NatsAddress { url, monitoring, home } = address;
    let service = async |endpoint: &Option<Endpoint>| match endpoint {
        Some(Endpoint { service, namespace, .. }) => {
            cluster.get(&kinds::SERVICE, Some(namespace), service).await
        }
        None => Ok(None),
    };
    let client = Endpoint::parse(url, home, 4222);
    let monitor = Endpoint::parse(monitoring, home, 80);
    let mut facts = platform::nats::Facts {
        url: url.clone(),
        monitoring: monitoring.clone(),
        client_port: client.as_ref().map(|endpoint| endpoint.port),
        monitoring_port: monitor.as_ref().map(|endpoint| endpoint.port),
        service: service(&client).await?,
        headless: service(&monitor).await?,
        ..platform::nats::Facts::default()
    };
    if let (Some(service), Some(endpoint)) = (&facts.service, &client) {
        let labels = service.pointer("/spec/selector").and_then(Value::as_object);
        let pair = |(key, value): (&String, &Value)| Some(format!("{key}={}", value.as_str()?));
        let selector: Vec<String> = labels.into_iter().flatten().filter_map(pair).collect();
        if !selector.is_empty() {
            let namespace = Some(endpoint.namespace.as_str());
            facts.pods = cluster.list(&kinds::POD, namespace, &selector.join(",")).await?;
        }
    }
    // Without a ready pod nobody answers, and the proxy would only say so late.
    let is_up = facts.pods.iter().any(|pod| crate::claims::condition_is(pod, "Ready", "True"));
    if let (Some(_), Some(endpoint), true) = (&facts.headless, &monitor, is_up) {
        let ask = async |path: &str| -> Result<Option<Value>> {
            Ok(Some(nats::monitoring(cluster, endpoint, path).await?.json()))
        };
        facts.health = ask("/healthz").await?;
        facts.server = ask("/varz").await?;
        facts.jetstream = ask("/jsz?config=true").await?;
    }
    Ok(facts)
}

/// What the four manifests need: group and plural of their kinds.
const MANIFESTS: [(&str, &str); 4] = [
    ("", "serviceaccounts"),
    ("", "services"),
    ("apps", "deployments"),
    ("keda.sh", "scaledobjects"),
];
const WRITE: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];

/// May the provider write the four manifests, and Crossplane read pods, and with the direct
/// Composition write the manifests itself? Nothing where this user may not ask.
async fn rights(
    cluster: &Cluster,
    packages: &platform::packages::Facts,
    compositions: &eds_core::verify::composition::Facts,
    deployments: &[Value],
) -> Result<Vec<Right>> {
    let mut wanted: Vec<(String, String, &str, &str, &[&str])> = Vec::new();
    let mut all = |of: &str, who: &str| {
        for (group, plural) in MANIFESTS {
            wanted.push((of.to_owned(), who.to_owned(), group, plural, &WRITE));
        }
    };
    let by_provider = |c: &Value| platform::packages::provider_config(c).is_some();
    let provider = platform::packages::provider(&packages.providers);
    let revision = provider.map_or("", |p| at(p, "/status/currentRevision"));
    let pod = compositions.pods.iter().find(|pod| {
        !revision.is_empty() && at(pod, "/metadata/labels/pkg.crossplane.io~1revision") == revision
    });
    if let (Some(pod), Some(provider), true) = (pod, provider, compositions.ours().any(by_provider))
    {
        all(at(provider, "/metadata/name"), &account(pod, pod));
    }
    let crossplane = platform::crossplane::core(deployments);
    let crossplane = crossplane.map(|d| account(d, d.pointer("/spec/template").unwrap_or(d)));
    if let Some(who) = &crossplane {
        if compositions.ours().any(|c| !by_provider(c)) {
            all("crossplane", who);
        }
        wanted.push(("crossplane".to_owned(), who.clone(), "", "pods", &["get", "list", "watch"]));
    }
    let mut rights = Vec::new();
    for (of, who, group, plural, verbs) in wanted {
        let (namespace, name) = who.split_once('/').unwrap_or_default();
        let user = format!("system:serviceaccount:{namespace}:{name}");
        let groups = [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ];
        for verb in verbs {
            let attributes = json!({"group": group, "resource": plural, "verb": verb});
            let allowed = match cluster.may(&user, &groups, &attributes).await {
                Err(error) if Refused::of(&error).is_some_and(|r| r.code == 403) => {
                    return Ok(Vec::new());
                }
                answer => answer?,
            };
            let dot = if group.is_empty() { "" } else { "." };
            let what = format!("{verb} {plural}{dot}{group}");
            rights.push(Right { who: who.clone(), of: of.clone(), what, allowed });
        }
    }
    Ok(rights)
}

/// `namespace/name` of the ServiceAccount of a pod, or of a Deployment's template.
fn account(object: &Value, pod: &Value) -> String {
    let name = match at(pod, "/spec/serviceAccountName") {
        "" => "default",
        name => name,
    };
    format!("{}/{name}", at(object, "/metadata/namespace"))
}
