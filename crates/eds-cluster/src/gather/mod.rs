//! Gathers facts for `eds_verify` from a cluster.

mod claim;
mod platform;
mod reader;

pub use claim::claim;
pub use platform::{NatsAddress, platform};

use std::borrow::Cow;
use std::time::Duration;

use anyhow::{Result, anyhow};
use eds_core::form::Form;
use eds_verify::{Endpoint, composition, scaler};
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::client::Cluster;
use crate::{kinds, nats};
use reader::Reader;

/// Where Crossplane is installed, according to its chart.
pub const CROSSPLANE: &str = "crossplane-system";

/// The Compositions that `eds render` uses, one for each form of the API.
#[derive(Debug, Clone)]
pub struct BuiltIn {
    /// That of [`Form::Claims`].
    pub claims: Value,
    /// That of [`Form::Namespaced`].
    pub namespaced: Value,
}

/// Gathers all there is to know about the Compositions.
///
/// # Errors
/// If something cannot be read.
pub async fn compositions(
    cluster: &Cluster,
    built_in: BuiltIn,
) -> Result<composition::CompositionFacts> {
    let reader = Reader::new(cluster);
    let [claims, namespaced] = xrds(&reader).await?;
    let form = offered(claims.as_ref(), namespaced.as_ref());
    let all = async |kind| reader.list(kind, None, "").await;
    let mut facts = composition::CompositionFacts {
        compositions: all(&kinds::COMPOSITION).await?,
        revisions: all(&kinds::COMPOSITION_REVISION).await?,
        both_forms: claims.is_some() && namespaced.is_some(),
        xrd: claims.or(namespaced),
        functions: all(&kinds::FUNCTION).await?,
        function_revisions: all(&kinds::FUNCTION_REVISION).await?,
        pods: reader.list(&kinds::POD, Some(CROSSPLANE), "").await?,
        built_in: match form {
            Form::Claims => built_in.claims,
            Form::Namespaced => built_in.namespaced,
        },
        form,
        ..composition::CompositionFacts::default()
    };
    facts.unread = reader.unread();
    Ok(facts)
}

/// Returns the form in which a cluster offers EventDrivenServices.
///
/// # Errors
/// If the API server does not answer.
pub async fn form(cluster: &Cluster) -> Result<Form> {
    let [claims, namespaced] = xrds(&Reader::new(cluster)).await?;
    Ok(offered(claims.as_ref(), namespaced.as_ref()))
}

/// Where both are there, that of claims was there first.
fn offered(claims: Option<&Value>, namespaced: Option<&Value>) -> Form {
    claims.or(namespaced).map(Form::of_xrd).unwrap_or_default()
}

/// Returns the XRDs that may be there: that of claims, and that of the namespaced form.
async fn xrds(reader: &Reader<'_>) -> Result<[Option<Value>; 2]> {
    let of = async |form| reader.get(&kinds::XRD, None, &kinds::composite_in(form).crd()).await;
    Ok([of(Form::Claims).await?, of(Form::Namespaced).await?])
}

/// Gathers what KEDA will see for a claim, from the live NATS. `claim` has its defaults.
///
/// # Errors
/// If something cannot be read. Whatever NATS answers is a fact, even a refusal.
pub async fn scaler(cluster: &Cluster, claim: &Value) -> Result<scaler::ScalerFacts> {
    let text = |value: &Value, pointer: &str| -> String { value.text(pointer).to_owned() };
    let namespace = text(claim, "/metadata/namespace");
    let name = text(claim, "/metadata/name");
    let here = Some(namespace.as_str());
    let reader = Reader::new(cluster);
    let get = async |kind, name: &str| reader.get(kind, here, name).await;
    let scaler = format!("{name}-scaler");
    let scaled_object = get(&kinds::SCALED_OBJECT, &scaler).await?;
    let hpa = match scaled_object.as_ref().map(|s| text(s, "/status/hpaName")) {
        Some(hpa) if !hpa.is_empty() => get(&kinds::HPA, &hpa).await?,
        _ => None,
    };
    let deployment = get(&kinds::DEPLOYMENT, &name).await?;
    // Only a comparison needs these, so nobody misses them.
    let port = claim.integer("/spec/health/port").and_then(|port| u16::try_from(port).ok());
    let metrics = cluster.service_get(&namespace, &name, port.unwrap_or(8080), "/metrics");
    let metrics = within(cluster.share(SHARES), metrics).await.ok();
    let metrics = metrics.filter(|answer| answer.code == 200).map(|answer| answer.body);
    let claims = claims(cluster, &namespace).await?;
    let mut events = reader.events(&namespace).await?;
    events.retain(|event| {
        let is = |pointer: &str, wanted: &str| event.text(pointer) == wanted;
        is("/involvedObject/name", &scaler)
            && is("/involvedObject/kind", "ScaledObject")
            && is("/type", "Warning")
    });
    let claim = claim.clone();
    let mut facts = scaler::ScalerFacts {
        claim,
        hpa,
        deployment,
        metrics,
        claims,
        events,
        ..scaler::ScalerFacts::default()
    };
    if let Some(trigger) = scaled_object.as_ref().map(scaler::trigger)
        && let Some(endpoint) = scaler::endpoint(trigger)
    {
        ask(&reader, &endpoint, trigger, &mut facts).await?;
    }
    facts.scaled_object = scaled_object;
    facts.unread = reader.unread();
    Ok(facts)
}

/// Returns claims of all namespaces or, if these may not be listed, those of `namespace`.
async fn claims(cluster: &Cluster, namespace: &str) -> Result<Vec<Value>> {
    let reader = Reader::new(cluster);
    let all = reader.list(&kinds::CLAIM, None, "").await?;
    if reader.unread().has(kinds::CLAIM.plural) {
        return Reader::new(cluster).list(&kinds::CLAIM, Some(namespace), "").await;
    }
    Ok(all)
}

/// Asks as KEDA does: the endpoint and, if that is a NATS cluster, each of its servers.
async fn ask(
    reader: &Reader<'_>,
    endpoint: &Endpoint,
    trigger: &Value,
    facts: &mut scaler::ScalerFacts,
) -> Result<()> {
    let account = scaler::account(trigger);
    let (service, namespace) = (&endpoint.service, endpoint.namespace.as_str());
    facts.service = reader.get(&kinds::SERVICE, Some(namespace), service).await?;
    let question = nats::jsz(account);
    // Behind a Service is one server or another, and one that hangs keeps the API server waiting.
    let share = reader.cluster.share(SHARES);
    let mut endpoint = Cow::Borrowed(endpoint);
    let asked = match within(share, reader.monitoring(&endpoint, &question)).await {
        Ok(asked) => asked,
        Err(late) => {
            let other = first_of(reader, &endpoint, &question, facts.service.as_ref()).await?;
            let Some((pod, answer)) = other else { return Err(late) };
            endpoint = Cow::Owned(pod);
            Some(answer)
        }
    };
    let Some(asked) = asked else { return Ok(()) };
    let endpoint = endpoint.as_ref();
    let servers = asked.integer("/body/meta_cluster/cluster_size");
    let is_answer = asked.get("code").and_then(Value::as_u64) == Some(200);
    let body = asked.get("body").cloned().unwrap_or_default();
    facts.asked = Some(asked);
    if !is_answer {
        return Ok(());
    }
    let (_, stream, _) = scaler::account_and_consumer(&body, trigger);
    if stream.is_none() {
        // Somebody else's, then: all accounts with their streams, which may be many.
        facts.everything = reader.monitoring(endpoint, "/jsz?accounts=true&streams=true").await?;
    }
    facts.server = reader.monitoring(endpoint, "/varz").await?;
    if servers > Some(1) {
        let server = facts.server.as_ref().and_then(|s| s.get("body")).cloned().unwrap_or_default();
        facts.nodes = nodes(reader, endpoint, &question, &server).await?;
    }
    Ok(())
}

/// Into how many parts the time for an answer is divided, where several servers may give it.
const SHARES: u32 = 6;

/// Waits for an answer no longer than its share of the time.
async fn within<T>(share: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let late = || anyhow!("no answer within {:.0} s", share.as_secs_f64().ceil());
    timeout(share, answer).await.unwrap_or_else(|_| Err(late()))
}

/// Asks the pods behind a Service one by one, and returns the first that answers.
async fn first_of(
    reader: &Reader<'_>,
    endpoint: &Endpoint,
    question: &str,
    service: Option<&Value>,
) -> Result<Option<(Endpoint, Value)>> {
    let selector = service.and_then(|service| service.object("/spec/selector"));
    let Some(selector) = selector.filter(|_| endpoint.pod.is_none()) else { return Ok(None) };
    let pairs: Vec<String> = selector
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    let pods = reader.list(&kinds::POD, Some(&endpoint.namespace), &pairs.join(",")).await?;
    let share = reader.cluster.share(SHARES);
    for pod in pods.iter().take(SHARES as usize) {
        let of_pod = Endpoint { pod: Some(pod.name().to_owned()), ..endpoint.clone() };
        let answer = within(share, reader.monitoring(&of_pod, question)).await;
        if let Ok(Some(answer)) = answer
            && answer.integer("/code") == Some(200)
        {
            return Ok(Some((of_pod, answer)));
        }
    }
    Ok(None)
}

/// Asks each of the servers that one of them names, by its pod.
async fn nodes(
    reader: &Reader<'_>,
    endpoint: &Endpoint,
    question: &str,
    server: &Value,
) -> Result<Vec<Value>> {
    let list = |pointer: &str| -> Vec<String> {
        let items = server.list(pointer);
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let advertised = list("/connect_urls");
    let is_advertised = !advertised.is_empty();
    let hosts = if is_advertised { advertised } else { list("/cluster/urls") };
    let pods = reader.list(&kinds::POD, Some(&endpoint.namespace), "").await?;
    let mut answers = Vec::new();
    for server in hosts {
        // KEDA cuts a host off at its first colon and, by name, at its first dot.
        let host = server.split(':').next().unwrap_or_default().to_owned();
        let label = host.split('.').next().unwrap_or_default();
        // An advertised address is the pod's own; any other is its name under the headless Service.
        let pod = pods.iter().find_map(|pod| {
            let text = |pointer| pod.at(pointer).and_then(Value::as_str);
            let name = text("/metadata/name")?;
            (name == label || text("/status/podIP") == Some(&host)).then(|| name.to_owned())
        });
        let Some(pod) = pod else {
            // What may not be listed is not missing.
            if !reader.has_refused(kinds::POD.plural) {
                answers
                    .push(json!({"node": label, "host": host, "silent": "there is no such pod"}));
            }
            continue;
        };
        let of_pod = Endpoint { pod: Some(pod), ..endpoint.clone() };
        // A server that hangs keeps the API server waiting, too.
        let share = reader.cluster.share(SHARES);
        let asked = within(share, reader.monitoring(&of_pod, question)).await;
        let varz = match is_advertised && asked.is_ok() {
            true => within(share, reader.monitoring(&of_pod, "/varz")).await.ok().flatten(),
            false => None,
        };
        let name = varz.map(|varz| varz.text("/body/server_name").to_owned());
        let named = name.filter(|name| !name.is_empty());
        let pod_name = of_pod.pod.as_deref().unwrap_or(label);
        let node = json!(named.as_deref().unwrap_or(if is_advertised { pod_name } else { label }));
        let mut found = json!({"node": node, "host": host, "advertised": is_advertised});
        let (key, value) = match asked {
            Ok(None) => continue,
            Ok(Some(answer)) => {
                let body = answer.get("body").cloned().unwrap_or_default();
                match answer.integer("/code") {
                    Some(200) => ("body", body),
                    code => ("silent", json!(silence(code, &body))),
                }
            }
            Err(error) => ("silent", json!(format!("{error:#}"))),
        };
        found.as_object_mut().map(|found| found.insert(key.to_owned(), value));
        answers.push(found);
    }
    Ok(answers)
}

/// Says why a server did not answer.
fn silence(code: Option<i64>, body: &Value) -> String {
    let message = body.as_str().map_or_else(|| body.text("/message"), str::trim);
    let message: String = message.chars().take(200).collect();
    match code {
        // The API server's own word for what it cannot reach.
        Some(503) if !message.is_empty() => message,
        code => format!("status {} {message}", code.unwrap_or_default()).trim_end().to_owned(),
    }
}
