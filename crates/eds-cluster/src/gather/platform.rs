//! Gathers what claims depend on.

use anyhow::Result;
use eds_verify::{Endpoint, platform};
use kube_object::object::Fields;
use platform::packages::Right;
use serde_json::{Value, json};

use super::reader::Reader;
use super::{BuiltIn, compositions};
use crate::client::{Cluster, Refused};
use crate::kinds;

/// Where the NATS to check is.
#[derive(Debug, Clone)]
pub struct NatsAddress {
    /// As a claim's `spec.nats.url`.
    pub url: String,
    /// As a claim's `spec.nats.monitoringEndpoint`.
    pub monitoring: String,
    /// Namespace of names without one.
    pub home: String,
}

/// Gathers everything that claims depend on. `built_in` are the Compositions that `eds render` uses.
///
/// # Errors
/// If the API server does not answer. What may not be read is noted.
pub async fn platform(
    cluster: &Cluster,
    built_in: BuiltIn,
    nats: &NatsAddress,
) -> Result<platform::PlatformFacts> {
    let reader = Reader::new(cluster);
    let all = async |kind| reader.list(kind, None, "").await;
    let one = async |kind, name: &str| reader.get(kind, None, name).await;
    let deployments = all(&kinds::DEPLOYMENT).await?;
    let pods = match platform::keda::operator(&deployments) {
        Some(operator) => {
            let namespace = operator.namespace();
            reader.list(&kinds::POD, Some(namespace), "").await?
        }
        None => Vec::new(),
    };
    let keda = platform::keda::KedaFacts {
        crd: one(&kinds::CRD, &kinds::SCALED_OBJECT.crd()).await?,
        metrics: one(&kinds::API_SERVICE, "v1beta1.external.metrics.k8s.io").await?,
        pods,
    };
    let api = platform::api::ApiFacts {
        crd: one(&kinds::CRD, &kinds::CLAIM.crd()).await?,
        policies: all(&kinds::ADMISSION_POLICY).await?,
        bindings: all(&kinds::ADMISSION_BINDING).await?,
    };
    let compositions = compositions(cluster, built_in).await?;
    let mut packages = platform::packages::PackageFacts {
        providers: all(&kinds::PROVIDER).await?,
        revisions: all(&kinds::PROVIDER_REVISION).await?,
        configs: all(&kinds::PROVIDER_CONFIG).await?,
        rights: Vec::new(),
    };
    packages.rights = rights(cluster, &packages, &compositions, &deployments).await?;
    let mut facts = platform::PlatformFacts {
        kubernetes: cluster.version().await?,
        nodes: all(&kinds::NODE).await?,
        deployments,
        nats: nats_facts(cluster, nats).await?,
        keda,
        packages,
        api,
        compositions,
        claims: all(&kinds::CLAIM).await?,
        ..platform::PlatformFacts::default()
    };
    facts.unread = reader.unread();
    Ok(facts)
}

async fn nats_facts(cluster: &Cluster, address: &NatsAddress) -> Result<platform::nats::NatsFacts> {
    let NatsAddress { url, monitoring, home } = address;
    let reader = Reader::new(cluster);
    let service = async |endpoint: &Endpoint| {
        reader.get(&kinds::SERVICE, Some(&endpoint.namespace), &endpoint.service).await
    };
    let mut facts = platform::nats::NatsFacts {
        url: url.clone(),
        monitoring: monitoring.clone(),
        monitor: Endpoint::parse(monitoring, home, 80),
        ..platform::nats::NatsFacts::default()
    };
    for (_, endpoint) in Endpoint::all(url, home, 4222) {
        if let Some(endpoint) = endpoint {
            let found = service(&endpoint).await?;
            facts.clients.push((endpoint, found));
        }
    }
    if let Some(monitor) = &facts.monitor {
        facts.headless = service(monitor).await?;
    }
    facts.pods = pods(&reader, &facts).await?;
    // Without a ready pod nobody answers, and the proxy would take long to say so.
    let is_up = facts.pods.iter().any(|pod| pod.is("Ready"));
    let is_known = !reader.has_refused(kinds::POD.plural);
    if let (Some(_), Some(endpoint), true) = (&facts.headless, &facts.monitor, is_up || !is_known) {
        facts.health = reader.monitoring(endpoint, "/healthz").await?;
        facts.server = reader.monitoring(endpoint, "/varz").await?;
        facts.jetstream = reader.monitoring(endpoint, "/jsz?config=true").await?;
    }
    facts.unread = reader.unread();
    Ok(facts)
}

/// Returns the pods behind the Services in the URL, or just the pod if one is named. If the URL is
/// outside this cluster, returns those behind the monitoring endpoint.
async fn pods(reader: &Reader<'_>, facts: &platform::nats::NatsFacts) -> Result<Vec<Value>> {
    let mut wanted: Vec<(&Endpoint, &Value)> =
        facts.clients.iter().filter_map(|(e, service)| Some((e, service.as_ref()?))).collect();
    if facts.clients.is_empty() {
        wanted.extend(facts.monitor.as_ref().zip(facts.headless.as_ref()));
    }
    let mut pods: Vec<Value> = Vec::new();
    for (endpoint, service) in wanted {
        let labels = service.object("/spec/selector");
        let pair = |(key, value): (&String, &Value)| Some(format!("{key}={}", value.as_str()?));
        let selector: Vec<String> = labels.into_iter().flatten().filter_map(pair).collect();
        if selector.is_empty() {
            continue;
        }
        let found =
            reader.list(&kinds::POD, Some(&endpoint.namespace), &selector.join(",")).await?;
        let is_named = |pod: &Value| endpoint.pod.as_ref().is_none_or(|name| pod.name() == name);
        for pod in found.into_iter().filter(is_named) {
            if !pods.contains(&pod) {
                pods.push(pod);
            }
        }
    }
    Ok(pods)
}

/// What the composed manifests need: group and plural of their kinds.
const MANIFESTS: [(&str, &str); 5] = [
    ("", "serviceaccounts"),
    ("", "services"),
    ("apps", "deployments"),
    ("keda.sh", "scaledobjects"),
    ("policy", "poddisruptionbudgets"),
];
/// What step 2 of the Composition also asks Crossplane for.
const READ_BESIDE: [(&str, &str); 2] = [("", "pods"), ("autoscaling", "horizontalpodautoscalers")];
const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];

/// Asks whether the provider may write the manifests, and whether Crossplane may read them and
/// the objects beside them and, for the direct Composition, write them. Returns nothing if this
/// user may not ask.
async fn rights(
    cluster: &Cluster,
    packages: &platform::packages::PackageFacts,
    compositions: &eds_verify::composition::CompositionFacts,
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
    let revision = provider.map_or("", |p| p.text("/status/currentRevision"));
    let pod = compositions.pods.iter().find(|pod| {
        !revision.is_empty() && pod.text("/metadata/labels/pkg.crossplane.io~1revision") == revision
    });
    if let (Some(pod), Some(provider), true) = (pod, provider, compositions.ours().any(by_provider))
    {
        all(provider.name(), &account(pod, pod));
    }
    let crossplane = platform::crossplane::core(deployments);
    let crossplane = crossplane.map(|d| account(d, d.at("/spec/template").unwrap_or(d)));
    if let Some(who) = &crossplane {
        let is_direct = compositions.ours().any(|c| !by_provider(c));
        if is_direct {
            all("crossplane", who);
        }
        let manifests = MANIFESTS.iter().filter(|_| !is_direct);
        for (group, plural) in manifests.chain(&READ_BESIDE) {
            wanted.push(("crossplane".to_owned(), who.clone(), group, plural, &READ));
        }
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

/// Returns `namespace/name` of the ServiceAccount of a pod, or of a Deployment's template.
fn account(object: &Value, pod: &Value) -> String {
    let name = match pod.text("/spec/serviceAccountName") {
        "" => "default",
        name => name,
    };
    format!("{}/{name}", object.namespace())
}
