//! NATS: deployed, healthy, with JetStream, and with its monitoring port where KEDA asks.

use serde_json::Value;

use super::super::object::{list, name, number, text};
use super::super::{Check, pods};

/// What was found of the NATS that claims use unless they name another.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The claim's default `spec.nats.url`.
    pub url: String,
    /// The claim's default `spec.nats.monitoringEndpoint`.
    pub monitoring: String,
    /// The port of the Service that `url` names; none where that is outside this cluster.
    pub client_port: Option<u16>,
    /// The same of `monitoring`.
    pub monitoring_port: Option<u16>,
    /// The Service that `url` names; none also where it names no Service of this cluster.
    pub service: Option<Value>,
    /// The Service that `monitoring` names.
    pub headless: Option<Value>,
    /// The pods that `service` selects.
    pub pods: Vec<Value>,
    /// The answer to `/healthz`: `path`, `code`, `body`. None where nobody could be asked.
    pub health: Option<Value>,
    /// The answer to `/varz`.
    pub server: Option<Value>,
    /// The answer to `/jsz`.
    pub jetstream: Option<Value>,
}

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![service(facts)];
    if facts.service.is_some() {
        checks.push(servers(facts));
    }
    checks.push(monitoring(facts));
    let Some(health) = &facts.health else {
        let why = "its monitoring endpoint could not be asked";
        checks.extend(["healthy", "JetStream"].map(|name| Check::skipped(name, why)));
        return checks;
    };
    checks.push(healthy(facts, health));
    checks.push(jetstream(facts));
    checks
}

fn has_port(service: &Value, wanted: u16) -> bool {
    list(service, "/spec/ports").any(|p| number(p, "/port") == i64::from(wanted))
}

fn service(facts: &Facts) -> Check {
    const NAME: &str = "deployed";
    let url = &facts.url;
    let Some(port) = facts.client_port else {
        return Check::skipped(NAME, format!("{url} is outside this cluster"));
    };
    let Some(service) = &facts.service else {
        let fix = "install NATS with JetStream into namespace nats, release nats (its chart makes the \
                   Services nats and nats-headless), or set spec.nats.url in every claim";
        return Check::failed(NAME, format!("no Service answers to {url}"), fix);
    };
    if !has_port(service, port) {
        let cause = format!("Service {} has no port {port}", name(service));
        return Check::failed(NAME, cause, "give the Service its client port, 4222");
    }
    let place = format!("{}/{}", text(service, "/metadata/namespace"), name(service));
    Check::passed(NAME, format!("Service {place}, which is {url}"))
}

fn servers(facts: &Facts) -> Check {
    const NAME: &str = "servers";
    let total = facts.pods.len();
    let namespace = facts.service.as_ref().map_or("", |s| text(s, "/metadata/namespace"));
    if total == 0 {
        let fix =
            format!("kubectl -n {namespace} get statefulsets,deployments; scale NATS up again");
        return Check::failed(NAME, "no pod is behind the Service", fix);
    }
    let trouble: Vec<String> = facts.pods.iter().filter_map(pods::why_not_ready).collect();
    let ready = total - trouble.len();
    if trouble.is_empty() {
        return Check::passed(NAME, format!("{ready} of {total} pods ready"));
    }
    let cause = format!("{ready} of {total} pods ready: {}", trouble.join("; "));
    let fix = format!("kubectl -n {namespace} get pods,events");
    if ready == 0 { Check::failed(NAME, cause, fix) } else { Check::warning(NAME, cause, fix) }
}

/// KEDA asks for the lag over HTTP, in a cluster of servers each by its name under the headless Service.
fn monitoring(facts: &Facts) -> Check {
    const NAME: &str = "monitoring port";
    let endpoint = &facts.monitoring;
    let fix = "offer port 8222 in the headless Service: in NATS's chart config.monitor.enabled and \
               service.ports.monitor.enabled, else http_port: 8222 in its configuration";
    let Some(port) = facts.monitoring_port else {
        return Check::skipped(NAME, format!("{endpoint} is outside this cluster"));
    };
    let Some(service) = &facts.headless else {
        return Check::failed(NAME, format!("no Service answers to {endpoint}"), fix);
    };
    if !has_port(service, port) {
        let ports: Vec<String> =
            list(service, "/spec/ports").map(|p| number(p, "/port").to_string()).collect();
        let cause = format!("Service {} has only {}", name(service), ports.join(", "));
        return Check::failed(NAME, cause, fix);
    }
    Check::passed(NAME, endpoint)
}

/// The body of an answer, where it is one.
fn body(answer: &Value) -> Option<&Value> {
    let is_answer = number(answer, "/code") == 200;
    answer.get("body").filter(|body| is_answer && body.is_object())
}

fn healthy(facts: &Facts, health: &Value) -> Check {
    const NAME: &str = "healthy";
    let fix = "kubectl -n nats logs statefulset/nats; nats server report jetstream";
    let said = health.get("body").unwrap_or(&Value::Null);
    if body(health).is_none_or(|body| text(body, "/status") != "ok") {
        let said = match (text(said, "/error"), said.as_str()) {
            ("", Some(text)) => text.trim().to_owned(),
            ("", None) => said.to_string(),
            (error, _) => error.to_owned(),
        };
        let (path, code) = (text(health, "/path"), number(health, "/code"));
        return Check::failed(NAME, format!("{path} is answered with status {code}: {said}"), fix);
    }
    let server = facts.server.as_ref().and_then(body);
    let version = server.map_or("of unknown version", |body| text(body, "/version"));
    Check::passed(NAME, format!("nats-server {version} says ok"))
}

fn jetstream(facts: &Facts) -> Check {
    const NAME: &str = "JetStream";
    let fix = "switch it on: config.jetstream.enabled in NATS's chart, jetstream {} in its \
               configuration, or --jetstream";
    let Some(found) = facts.jetstream.as_ref().and_then(body) else {
        return Check::failed(NAME, "the server does not answer /jsz", fix);
    };
    if found.get("disabled") == Some(&Value::Bool(true)) {
        return Check::failed(NAME, "it is switched off on this server", fix);
    }
    let used = number(found, "/storage");
    let most = number(found, "/config/max_storage");
    let counts = format!(
        "{} streams, {} consumers, {} messages, {} of {} MB on disk",
        number(found, "/streams"),
        number(found, "/consumers"),
        number(found, "/messages"),
        used / 1_000_000,
        most / 1_000_000,
    );
    // Above this it soon refuses messages.
    if most > 0 && used > most / 10 * 9 {
        let fix = "raise jetstream.max_file_store, or give the streams limits";
        return Check::warning(NAME, format!("nearly full: {counts}"), fix);
    }
    Check::passed(NAME, counts)
}
