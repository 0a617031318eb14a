//! What KEDA will see of a claim's stream, and what follows from it.
//!
//! The query, and how its answer is read, are those of KEDA 2.21's `nats-jetstream` scaler
//! (`pkg/scalers/nats_jetstream_scaler.go`): it asks the monitoring endpoint for one account's
//! streams, then, in a NATS cluster, each server until it finds the consumer's leader.

mod cluster;
mod https;
mod limits;
mod seen;
mod state;

use serde_json::{Value, json};

use super::{Check, Endpoint, Report, Section, Unread, shared};
use kube_object::object::Fields;

pub(super) use https::other_scheme;
pub use seen::account_and_consumer;

use eds_core::event_driven_service::CONDITION;

/// What was found in the cluster, and what NATS answered.
#[derive(Debug, Clone, Default)]
pub struct ScalerFacts {
    /// The claim with its defaults.
    pub claim: Value,
    /// Its ScaledObject.
    pub scaled_object: Option<Value>,
    /// The autoscaler that KEDA makes from it.
    pub hpa: Option<Value>,
    /// Its Deployment.
    pub deployment: Option<Value>,
    /// The answer to `/metrics` through its Service, if there is one.
    pub metrics: Option<String>,
    /// The Service that the trigger's endpoint names, if it is in this cluster.
    pub service: Option<Value>,
    /// The answer to KEDA's query: `path`, `code`, `body`.
    pub asked: Option<Value>,
    /// The answer to `/varz`.
    pub server: Option<Value>,
    /// The answer to `/jsz?accounts=true&streams=true`: everything there is.
    pub everything: Option<Value>,
    /// In a NATS cluster, each server in the order in which KEDA asks them: `node` is what KEDA takes
    /// for its name, `host` what it asks, `advertised` whether that is an address, and `body` its
    /// answer to KEDA's query or `silent` why there is none.
    pub nodes: Vec<Value>,
    /// KEDA's warnings about the ScaledObject, oldest first.
    pub events: Vec<Value>,
    /// Claims that may read the same consumer.
    pub claims: Vec<Value>,
    /// What may not be read of all this.
    pub unread: Unread,
}

/// The trigger's type.
const TYPE: &str = "nats-jetstream";

/// Returns the metadata of the trigger for the claim's consumer: the first of its type, for there
/// may be others.
#[must_use]
pub fn trigger(scaled_object: &Value) -> &Value {
    let mut triggers = scaled_object.list("/spec/triggers");
    let found = triggers.find(|trigger| trigger.text("/type") == TYPE);
    let found = found.or_else(|| scaled_object.at("/spec/triggers/0"));
    found.and_then(|trigger| trigger.get("metadata")).unwrap_or(&Value::Null)
}

/// Returns the endpoint that a trigger has KEDA ask, if it is inside this cluster. Names without a
/// namespace are in KEDA's.
#[must_use]
pub fn endpoint(trigger: &Value) -> Option<Endpoint> {
    let text = trigger.text("/natsServerMonitoringEndpoint");
    let found = Endpoint::parse(text, "keda", 80)?;
    Some(Endpoint { https: is_https(trigger), ..found })
}

/// Returns the account that a trigger has KEDA ask for: a name or, in operator mode, an id.
#[must_use]
pub fn account(trigger: &Value) -> &str {
    match trigger.text("/accountID") {
        "" => trigger.text("/account"),
        id => id,
    }
}

/// Reports whether KEDA reads the lag, as far as it and the autoscaler say. KEDA calls a ScaledObject
/// Ready again after each failure, as soon as it has built its scaler anew; the autoscaler does not
/// take that for a metric.
fn reads_the_lag(facts: &ScalerFacts, scaled_object: &Value) -> bool {
    let ready = scaled_object.condition("Ready").is_some_and(|c| c.status == "True");
    let active = facts.hpa.as_ref().and_then(|hpa| hpa.condition("ScalingActive"));
    let fails =
        active.is_some_and(|c| c.status == "False" && c.reason == "FailedGetExternalMetric");
    ready && !fails
}

/// Reports whether a trigger has KEDA ask over https.
fn is_https(trigger: &Value) -> bool {
    trigger.text("/useHttps").eq_ignore_ascii_case("true")
}

/// Returns the consumer as its leader reports it, if it is found.
pub(super) fn consumer(facts: &ScalerFacts) -> Option<&Value> {
    let trigger = trigger(facts.scaled_object.as_ref()?);
    account_and_consumer(seen::authority(facts, trigger)?, trigger).2
}

/// Returns the whole report.
#[must_use]
pub fn report(facts: &ScalerFacts) -> Report {
    let mut report = Report::default();
    let Some(scaled_object) = &facts.scaled_object else {
        let claim = format!(
            "{}/{}",
            facts.claim.text("/metadata/namespace"),
            facts.claim.text("/metadata/name")
        );
        let cause = format!("the claim {claim} has no ScaledObject");
        let fix = format!("eds doctor {claim}");
        let check = || Check::failed("exists", cause, fix);
        let mut checks = vec![facts.unread.or("exists", &["scaledobjects"], check)];
        if facts.unread.has("scaledobjects") {
            checks.push(own_word(&facts.claim));
        }
        checks.extend(shared::check(&facts.claim, &facts.claims));
        report.add("ScaledObject", checks);
        return report;
    };
    report.sections = source(facts, scaled_object);
    report.sections.extend(state(facts, scaled_object));
    report
}

/// Reports what the step in the cluster saw of KEDA, for a caller who may only read the claim.
fn own_word(claim: &Value) -> Check {
    const NAME: &str = "the claim says";
    let message = claim.text("/status/message");
    match claim.condition(CONDITION) {
        Some(c) if c.status == "True" => {
            Check::passed(NAME, "KEDA can read the consumer's lag (it is Ready)")
        }
        Some(c) if c.reason == "ScalerFailed" => Check::failed(
            NAME,
            message,
            "are stream, consumer and account spelled right in spec.nats, and do they exist? If \
                so, a platform engineer looks whether KEDA reaches NATS: eds verify keda",
        ),
        Some(c) => Check::skipped(NAME, format!("nothing of KEDA yet; {}: {message}", c.reason)),
        None => Check::skipped(NAME, "nothing yet"),
    }
}

/// Checks what pods depend on as well: the trigger, what NATS holds, the consumer's limits.
pub(super) fn source(facts: &ScalerFacts, scaled_object: &Value) -> Vec<Section> {
    let mut report = Report::default();
    report.add("Trigger, against the claim", configuration(&facts.claim, scaled_object));
    report.add("What KEDA sees", seen::checks(facts, scaled_object));
    let mut consumer = limits::checks(facts, scaled_object);
    consumer.extend(shared::check(&facts.claim, &facts.claims));
    report.add("Consumer, against the scaling", consumer);
    report.sections
}

/// Checks the outcome: ScaledObject and autoscaler.
pub(super) fn state(facts: &ScalerFacts, scaled_object: &Value) -> Vec<Section> {
    let mut report = Report::default();
    report.add("State", state::checks(facts, scaled_object));
    report.sections
}

/// Compares the trigger's configuration with the claim.
pub(super) fn configuration(claim: &Value, scaled_object: &Value) -> Vec<Check> {
    let of_claim = |pointer: &str| claim.at(pointer).cloned().unwrap_or_default();
    let live = trigger(scaled_object);
    let of_trigger = |key: &str| live.get(key).cloned().unwrap_or_default();
    let number = |pointer: &str| json!(of_claim(pointer).to_string());
    let is_there = scaled_object.list("/spec/triggers").any(|t| t.text("/type") == TYPE);
    let kind = scaled_object.at("/spec/triggers/0/type").filter(|_| !is_there).cloned();
    let kind = kind.unwrap_or_else(|| json!(TYPE));
    let replicas = |key: &str| scaled_object.at(&format!("/spec/{key}")).cloned();
    let mut checks = vec![equal("trigger", &kind, &json!(TYPE))];
    checks.push(same_endpoint(claim, live));
    // In operator mode NATS knows the account by its id alone.
    let wanted = match claim.text("/spec/nats/accountID") {
        "" => claim.text("/spec/nats/account"),
        id => id,
    };
    if wanted == SYSTEM || account(live) == SYSTEM {
        checks.push(Check::failed("account", SYSTEM_CAUSE, SYSTEM_FIX));
    } else {
        checks.push(equal("account", &json!(account(live)), &json!(wanted)));
    }
    for (name, pointer) in [("stream", "/spec/nats/stream"), ("consumer", "/spec/nats/consumer")] {
        checks.push(equal(name, &of_trigger(name), &of_claim(pointer)));
    }
    for name in ["lagThreshold", "activationLagThreshold"] {
        let wanted = number(&format!("/spec/scaling/{name}"));
        checks.push(equal(name, &of_trigger(name), &wanted));
    }
    for (name, key) in [("minReplicas", "minReplicaCount"), ("maxReplicas", "maxReplicaCount")] {
        let wanted = of_claim(&format!("/spec/scaling/{name}"));
        checks.push(equal(key, &replicas(key).unwrap_or_default(), &wanted));
    }
    checks
}

/// NATS's system account.
const SYSTEM: &str = "$SYS";
/// Measured on nats-server 2.15.2 and KEDA 2.21.0.
pub(super) const SYSTEM_CAUSE: &str = "$SYS is NATS's system account: NATS refuses JetStream \
    there, so it never holds a stream. KEDA's query for it finds no account, KEDA reports the \
    consumer as not found, and never scales";
/// What to do about it.
pub(super) const SYSTEM_FIX: &str = "leave spec.nats.account out (its default is $G, the account \
    of a server without accounts), or name the account that holds the stream";

fn same_endpoint(claim: &Value, live: &Value) -> Check {
    const NAME: &str = "monitoring endpoint";
    let wanted = claim.text("/spec/nats/monitoringEndpoint");
    let found = live.text("/natsServerMonitoringEndpoint");
    let found = if is_https(live) { format!("https://{found}") } else { found.to_owned() };
    if found != wanted.trim_start_matches("http://") {
        return equal(NAME, &json!(found), &json!(wanted));
    }
    // Whether its Service is a good one is judged by the Service, below.
    Check::passed(NAME, found)
}

/// Checks that the trigger says what the claim says.
fn equal(name: &str, live: &Value, claim: &Value) -> Check {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if live == claim {
        return Check::passed(name, plain(live));
    }
    Check::failed(
        name,
        format!("the claim says {}, the ScaledObject {}", plain(claim), plain(live)),
        "somebody else writes the ScaledObject, or the claim's change has not arrived yet: eds \
         doctor, and eds verify composition",
    )
}
