//! NATS: is it deployed, healthy, with JetStream, and with its monitoring port where KEDA asks?

use kube_object::object::Fields;
use serde_json::Value;

use super::super::{Check, Endpoint, Unread, pod, scaler};

/// What was found about the NATS that claims use unless they name another.
#[derive(Debug, Clone, Default)]
pub struct NatsFacts {
    /// The claim's default `spec.nats.url`.
    pub url: String,
    /// The claim's default `spec.nats.monitoringEndpoint`.
    pub monitoring: String,
    /// The servers in `url` that are inside this cluster, each with its Service.
    pub clients: Vec<(Endpoint, Option<Value>)>,
    /// What `monitoring` names; `None` if that is outside this cluster.
    pub monitor: Option<Endpoint>,
    /// The Service that `monitoring` names.
    pub headless: Option<Value>,
    /// The pods that these Services select, or only those named by `url`, if it names pods.
    pub pods: Vec<Value>,
    /// The answer to `/healthz`: `path`, `code`, `body`. `None` if nobody could be asked.
    pub health: Option<Value>,
    /// The answer to `/varz`.
    pub server: Option<Value>,
    /// The answer to `/jsz`.
    pub jetstream: Option<Value>,
    /// What may not be read of this.
    pub unread: Unread,
}

pub(super) fn checks(facts: &NatsFacts) -> Vec<Check> {
    let unread = &facts.unread;
    let mut checks = vec![unread.or("deployed", &["services"], || deployed(facts))];
    if facts.clients.iter().any(|(_, service)| service.is_some()) {
        checks.push(unread.or("servers", &["pods"], || servers(facts)));
    }
    checks.push(unread.or("monitoring port", &["services"], || monitoring(facts)));
    let Some(health) = &facts.health else {
        let why = "its monitoring endpoint could not be asked";
        checks.extend(["healthy", "JetStream"].map(|name| {
            unread.or(name, &["services/proxy", "pods/proxy", "services"], || {
                Check::skipped(name, why)
            })
        }));
        return checks;
    };
    checks.push(healthy(facts, health));
    checks.push(jetstream(facts));
    checks
}

fn is_headless(service: &Value) -> bool {
    service.text("/spec/clusterIP") == "None"
}

fn has_port(service: &Value, wanted: u16) -> bool {
    service.list("/spec/ports").any(|p| p.number("/port") == i64::from(wanted))
}

/// Checks that there is a way to each of the servers.
fn deployed(facts: &NatsFacts) -> Check {
    const NAME: &str = "deployed";
    let url = &facts.url;
    if facts.clients.is_empty() {
        return Check::skipped(NAME, format!("{url} is outside this cluster"));
    }
    let trouble: Vec<(String, &str)> = facts.clients.iter().filter_map(no_way).collect();
    if trouble.is_empty() {
        let places: Vec<String> = facts.clients.iter().map(|(e, _)| e.host()).collect();
        return Check::passed(NAME, format!("Service {}, which is {url}", places.join(", ")));
    }
    let causes: Vec<&str> = trouble.iter().map(|(cause, _)| cause.as_str()).collect();
    let cause = match facts.clients.len() {
        1 => causes.join("; "),
        all => format!("{} of {all} servers of {url}: {}", trouble.len(), causes.join("; ")),
    };
    let fix = trouble.first().map_or("", |(_, fix)| fix);
    // A client takes any server that answers.
    if trouble.len() < facts.clients.len() {
        return Check::warning(NAME, cause, fix);
    }
    Check::failed(NAME, cause, fix)
}

fn no_way((endpoint, service): &(Endpoint, Option<Value>)) -> Option<(String, &'static str)> {
    let Endpoint { port, .. } = endpoint;
    let host = endpoint.host();
    let Some(service) = service else {
        return Some((
            format!("no Service answers to {host}:{port}"),
            "install NATS with JetStream into namespace nats, release nats (its chart makes the \
             Services nats and nats-headless), or set spec.nats.url in every claim",
        ));
    };
    // Names under a headless Service lead to the pods themselves, whatever ports it lists.
    if has_port(service, *port) || is_headless(service) {
        return None;
    }
    let cause = format!("Service {} has no port {port}", service.name());
    Some((cause, "give the Service its client port, 4222"))
}

fn servers(facts: &NatsFacts) -> Check {
    const NAME: &str = "servers";
    let namespace = facts.clients.first().map_or("", |(endpoint, _)| endpoint.namespace.as_str());
    let named: Vec<&str> = facts.clients.iter().filter_map(|(e, _)| e.pod.as_deref()).collect();
    let missing = named.iter().filter(|pod| !facts.pods.iter().any(|p| p.name() == **pod));
    let mut trouble: Vec<String> = missing.map(|pod| format!("there is no pod {pod}")).collect();
    let total = facts.pods.len() + trouble.len();
    if facts.pods.is_empty() {
        let fix =
            format!("kubectl -n {namespace} get statefulsets,deployments; scale NATS up again");
        let cause = match trouble.as_slice() {
            [] => "no pod is behind the Service".to_owned(),
            trouble => trouble.join("; "),
        };
        return Check::failed(NAME, cause, fix);
    }
    trouble.extend(facts.pods.iter().filter_map(pod::why_not_ready));
    let ready = total.saturating_sub(trouble.len());
    if trouble.is_empty() {
        return Check::passed(NAME, format!("{ready} of {total} pods ready"));
    }
    let cause = format!("{ready} of {total} pods ready: {}", trouble.join("; "));
    let fix = format!("kubectl -n {namespace} get pods,events");
    if ready == 0 { Check::failed(NAME, cause, fix) } else { Check::warning(NAME, cause, fix) }
}

/// Checks the monitoring port: KEDA requests the lag over HTTP, in a NATS cluster from each server
/// by its name under the headless Service.
fn monitoring(facts: &NatsFacts) -> Check {
    const NAME: &str = "monitoring port";
    let endpoint = &facts.monitoring;
    let fix = "offer port 8222 in the headless Service: in NATS's chart config.monitor.enabled and \
               service.ports.monitor.enabled, else http_port: 8222 in its configuration";
    let Some(Endpoint { port, .. }) = facts.monitor else {
        return Check::skipped(NAME, format!("{endpoint} is outside this cluster"));
    };
    let Some(service) = &facts.headless else {
        return Check::failed(NAME, format!("no Service answers to {endpoint}"), fix);
    };
    if !has_port(service, port) {
        // The ordinary Service is for clients; its name is written where the headless one belongs.
        let fix = match is_headless(service) {
            true => fix,
            false => {
                "name the headless Service and its monitoring port, as in \
                    nats-headless.nats.svc.cluster.local:8222; or leave \
                    spec.nats.monitoringEndpoint out"
            }
        };
        let ports: Vec<String> =
            service.list("/spec/ports").map(|p| p.number("/port").to_string()).collect();
        let cause = format!("Service {} has only {}", service.name(), ports.join(", "));
        return Check::failed(NAME, cause, fix);
    }
    Check::passed(NAME, endpoint)
}

/// Returns the body of a successful answer.
fn body(answer: &Value) -> Option<&Value> {
    let is_answer = answer.number("/code") == 200;
    answer.get("body").filter(|body| is_answer && body.is_object())
}

/// Returns the message of the API server's Status.
fn said_by_proxy(answer: &Value) -> &str {
    answer.text("/body/message")
}

fn healthy(facts: &NatsFacts, health: &Value) -> Check {
    const NAME: &str = "healthy";
    let fix = "kubectl -n nats logs statefulset/nats; nats server report jetstream";
    let said = health.get("body").unwrap_or(&Value::Null);
    if body(health).is_none_or(|body| body.text("/status") != "ok") {
        let said = match (said.text("/error"), said.as_str()) {
            ("", Some(text)) => text.trim().to_owned(),
            ("", None) => said.to_string(),
            (error, _) => error.to_owned(),
        };
        let (path, code) = (health.text("/path"), health.number("/code"));
        let https = facts.monitor.as_ref().is_some_and(|monitor| monitor.https);
        let words = if said.starts_with('{') { said_by_proxy(health) } else { said.as_str() };
        let fix = scaler::other_scheme(https, words).unwrap_or(fix);
        return Check::failed(NAME, format!("{path} is answered with status {code}: {said}"), fix);
    }
    let server = facts.server.as_ref().and_then(body);
    let version = server.map_or("of unknown version", |body| body.text("/version"));
    Check::passed(NAME, format!("nats-server {version} says ok"))
}

fn jetstream(facts: &NatsFacts) -> Check {
    const NAME: &str = "JetStream";
    let fix = "switch it on: config.jetstream.enabled in NATS's chart, jetstream {} in its \
               configuration, or --jetstream";
    let Some(found) = facts.jetstream.as_ref().and_then(body) else {
        return Check::failed(NAME, "the server does not answer /jsz", fix);
    };
    if found.get("disabled") == Some(&Value::Bool(true)) {
        return Check::failed(NAME, "it is switched off on this server", fix);
    }
    let used = found.number("/storage");
    let most = found.number("/config/max_storage");
    let counts = format!(
        "{} streams, {} consumers, {} messages, {} of {} MB on disk",
        found.number("/streams"),
        found.number("/consumers"),
        found.number("/messages"),
        used / 1_000_000,
        most / 1_000_000,
    );
    // Above this it will soon refuse messages.
    if most > 0 && used > most / 10 * 9 {
        let fix = "raise jetstream.max_file_store, or give the streams limits";
        return Check::warning(NAME, format!("nearly full: {counts}"), fix);
    }
    Check::passed(NAME, counts)
}
