//! Asks KEDA's query as KEDA does, and reads the answer as KEDA does.

use kube_object::object::Fields;
use serde_json::Value;

use super::super::Check;

use super::{SYSTEM, SYSTEM_CAUSE, SYSTEM_FIX, ScalerFacts, cluster, https, is_https, trigger};

/// Returns the trigger's account in an answer, its stream, and the stream's consumer, if they are
/// there (`setNATSJetStreamMonitoringData`).
#[must_use]
pub fn account_and_consumer<'a>(
    body: &'a Value,
    trigger: &Value,
) -> (Option<&'a Value>, Option<&'a Value>, Option<&'a Value>) {
    let account_name = trigger.text("/account");
    let id = super::account(trigger);
    let account = body
        .list("/account_details")
        .find(|a| a.text("/id") == id || a.text("/name") == account_name);
    let stream = account.and_then(|account| {
        account.list("/stream_detail").find(|s| s.text("/name") == trigger.text("/stream"))
    });
    let consumer = stream.and_then(|stream| {
        stream.list("/consumer_detail").find(|c| c.text("/name") == trigger.text("/consumer"))
    });
    (account, stream, consumer)
}

/// Returns the answer from which KEDA takes its numbers: that of a lone server, or in a NATS
/// cluster that of the consumer's leader.
pub(super) fn authority<'a>(facts: &'a ScalerFacts, trigger: &Value) -> Option<&'a Value> {
    let asked = facts.asked.as_ref()?.get("body")?;
    if asked.number("/meta_cluster/cluster_size") <= 1 {
        return Some(asked);
    }
    facts.nodes.iter().find_map(|node| {
        let body = node.get("body")?;
        let (.., consumer) = account_and_consumer(body, trigger);
        let leader = consumer?.text("/cluster/leader");
        (!leader.is_empty() && leader == node.text("/node")).then_some(body)
    })
}

pub(super) fn checks(facts: &ScalerFacts, scaled_object: &Value) -> Vec<Check> {
    let trigger = trigger(scaled_object);
    let unread = &facts.unread;
    let mut checks =
        vec![unread.or("endpoint's Service", &["services"], || service(facts, trigger))];
    let Some(asked) = &facts.asked else {
        if let Some(skipped) = unread.skips("KEDA's query", &["services/proxy", "pods/proxy"]) {
            checks.push(skipped);
            return checks;
        }
        let cause = "the endpoint is not a Service of this cluster, and eds reaches only those, \
            through the API server";
        checks.push(Check::skipped("KEDA's query", cause));
        return checks;
    };
    let code = asked.number("/code");
    let path = asked.text("/path");
    let body = asked.get("body").unwrap_or(&Value::Null);
    if code != 200 || !body.is_object() {
        let said = brief(body);
        let fix = https::other_scheme(is_https(trigger), &said).unwrap_or(
            "is NATS up, and is its monitoring port (http_port, --http_port 8222) switched on and \
             in the headless Service? eds doctor",
        );
        let cause = format!("{path} is answered with status {code}: {said}");
        checks.push(Check::failed("KEDA's query", cause, fix));
        return checks;
    }
    let version = facts.server.as_ref().map_or("", |s| s.text("/body/version"));
    checks
        .push(Check::passed("KEDA's query", format!("{path}, answered by nats-server {version}")));
    checks.extend(https::certificate(facts, scaled_object, trigger));
    checks.extend(cluster::domain(facts, body));
    let disabled = body.get("disabled") == Some(&Value::Bool(true));
    if disabled {
        checks.push(Check::failed(
            "account",
            "JetStream is switched off on this server",
            "switch it on: jetstream {} in its configuration, or --jetstream",
        ));
        return checks;
    }

    let (account, stream, consumer) = account_and_consumer(body, trigger);
    let wanted = super::account(trigger);
    let Some(account) = account else {
        checks.push(if wanted == SYSTEM {
            Check::failed("account", SYSTEM_CAUSE, SYSTEM_FIX)
        } else {
            no_account(facts, wanted, trigger.text("/stream"))
        });
        return checks;
    };
    let id = account.text("/id");
    let account_name = account.text("/name");
    let id = if id == account_name { String::new() } else { format!(", id {id}") };
    checks.push(Check::passed("account", format!("{account_name}{id}")));

    let wanted = trigger.text("/stream");
    let Some(stream) = stream else {
        let streams = names(account, "/stream_detail");
        checks.push(match holders(facts, wanted).as_slice() {
            [] => {
                let cause =
                    format!("account {account_name} has no stream {wanted}; it has {streams}");
                let fix = format!(
                    "make the stream: nats stream add {wanted}, or correct spec.nats.stream"
                );
                Check::failed("stream", cause, fix)
            }
            held => {
                let cause =
                    format!("account {account_name} has no stream {wanted}; {}", have_it(held));
                Check::failed("stream", cause, set_account(held))
            }
        });
        return checks;
    };
    let messages = stream.number("/state/messages");
    checks.push(Check::passed("stream", format!("{wanted}, {messages} messages")));

    let stream_name = wanted;
    let wanted = trigger.text("/consumer");
    if consumer.is_none() {
        let consumers = names(stream, "/consumer_detail");
        let cause = format!("stream {stream_name} has no consumer {wanted}; it has {consumers}");
        let fix = format!(
            "make the consumer: nats consumer add {stream_name} {wanted} --pull, or correct \
             spec.nats.consumer"
        );
        checks.push(Check::failed("consumer", cause, fix));
        return checks;
    }
    let servers = body.number("/meta_cluster/cluster_size");
    let Some(authority) = authority(facts, trigger) else {
        checks.push(cluster::no_leader(facts, consumer.unwrap_or(&Value::Null), servers));
        return checks;
    };
    let (.., consumer) = account_and_consumer(authority, trigger);
    let consumer = consumer.unwrap_or(&Value::Null);
    let waiting = consumer.number("/num_waiting");
    checks.push(Check::passed("consumer", format!("{wanted}, {waiting} pull requests waiting")));
    checks.push(match consumer.text("/cluster/leader") {
        _ if servers <= 1 => Check::passed("leader", "one server, no cluster"),
        leader => Check::passed("leader", format!("{leader}, one of {servers} servers")),
    });
    checks.extend(cluster::silent(facts, scaled_object, consumer.text("/cluster/leader")));
    checks.push(lag(scaled_object, trigger, consumer));
    checks
}

/// Reports the number that KEDA gives the autoscaler, and what follows from it.
fn lag(scaled_object: &Value, trigger: &Value, consumer: &Value) -> Check {
    let pending = consumer.number("/num_pending");
    let unacknowledged = consumer.number("/num_ack_pending");
    let lag = pending.saturating_add(unacknowledged);
    // The scaler's own default is 10.
    let threshold = trigger.text("/lagThreshold").parse().unwrap_or(10_i64).max(1);
    let activation = trigger.text("/activationLagThreshold").parse().unwrap_or(0_i64);
    let least = scaled_object.number("/spec/minReplicaCount");
    let most = scaled_object.number("/spec/maxReplicaCount").max(1);
    // At least one pod while it is active, as with the autoscaler.
    let wanted = lag.saturating_add(threshold - 1) / threshold;
    let pods = if lag > activation { wanted.clamp(least.max(1).min(most), most) } else { least };
    let active = if lag > activation { "active" } else { "idle" };
    Check::passed(
        "lag",
        format!(
            "{lag} = {pending} waiting + {unacknowledged} delivered and not acknowledged; at \
             lagThreshold {threshold} that is {} of {least} to {most} ({active})",
            super::super::object::count(pods, "pod"),
        ),
    )
}

/// Checks the endpoint's Service.
fn service(facts: &ScalerFacts, trigger: &Value) -> Check {
    const NAME: &str = "endpoint's Service";
    let endpoint = trigger.text("/natsServerMonitoringEndpoint");
    let fix = "name the headless Service and its monitoring port, as in \
               nats-headless.nats.svc.cluster.local:8222";
    let Some(service) = &facts.service else {
        return Check::warning(NAME, format!("{endpoint} names no Service of this cluster"), fix);
    };
    let title = format!("{}/{}", service.text("/metadata/namespace"), service.name());
    let port = endpoint.rsplit_once(':').map_or("", |(_, port)| port);
    let ports: Vec<String> =
        service.list("/spec/ports").map(|p| p.number("/port").to_string()).collect();
    if !ports.iter().any(|p| p == port) {
        let cause = format!("{title} has no port {port}; it has {}", ports.join(", "));
        return Check::failed(NAME, cause, fix);
    }
    if service.text("/spec/clusterIP") != "None" {
        let cause = format!(
            "{title} is not headless: KEDA finds the consumer's leader by the servers' names under \
             it, which only a headless Service has"
        );
        return Check::warning(NAME, cause, fix);
    }
    Check::passed(NAME, format!("{title}, headless, port {port}"))
}

/// Returns all accounts with JetStream, with their streams.
fn accounts(facts: &ScalerFacts) -> impl Iterator<Item = &Value> {
    let all = facts.everything.as_ref().map_or(&Value::Null, |e| e.get("body").unwrap_or(e));
    all.list("/account_details")
}

/// Returns the accounts that have a stream of this name.
fn holders<'a>(facts: &'a ScalerFacts, stream: &str) -> Vec<&'a Value> {
    let has = |account: &&Value| account.list("/stream_detail").any(|s| s.text("/name") == stream);
    accounts(facts).filter(has).collect()
}

/// Says `account SHOP has it`.
fn have_it(accounts: &[&Value]) -> String {
    let names: Vec<&str> = accounts.iter().map(|account| name_of(account)).collect();
    match names.as_slice() {
        [one] => format!("account {one} has it"),
        several => format!("accounts {} have one", several.join(", ")),
    }
}

fn set_account(accounts: &[&Value]) -> String {
    let ids: Vec<String> = accounts.iter().map(|account| known_as(account)).collect();
    let has_id = |account: &&Value| {
        let id = account.text("/id");
        !id.is_empty() && id != name_of(account)
    };
    let field = if accounts.iter().any(has_id) { "accountID" } else { "account" };
    format!("set spec.nats.{field} to {}", ids.join(" or "))
}

fn name_of(account: &Value) -> &str {
    match account.text("/name") {
        "" => account.text("/id"),
        name => name,
    }
}

/// Returns what NATS looks an account up by: in operator mode its id, a public key that begins with
/// A, else its name.
fn known_as(account: &Value) -> String {
    let (id, name) = (account.text("/id"), name_of(account));
    if id.is_empty() || id == name { name.to_owned() } else { format!("{id} (the id of {name})") }
}

fn no_account(facts: &ScalerFacts, wanted: &str, stream: &str) -> Check {
    const NAME: &str = "account";
    let all: Vec<&Value> = accounts(facts).collect();
    let by_id =
        all.iter().find(|a| a.text("/name") == wanted && !["", wanted].contains(&a.text("/id")));
    if let Some(account) = by_id {
        let id = account.text("/id");
        let cause = format!(
            "NATS runs in operator mode, where it knows account {wanted} by its id, {id}, and not \
                by its name: KEDA asks for the name and finds nothing"
        );
        return Check::failed(NAME, cause, format!("set spec.nats.accountID to {id}"));
    }
    let held = holders(facts, stream);
    let hint = match held.as_slice() {
        [] => {
            let names: Vec<&str> = all.iter().map(|account| name_of(account)).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            format!("its accounts are {names}")
        }
        held => format!("stream {stream}: {}", have_it(held)),
    };
    let cause = format!("NATS has no account {wanted} with JetStream; {hint}");
    let fix = match held.as_slice() {
        [] => "set spec.nats.account to the one that holds the stream".to_owned(),
        held => set_account(held),
    };
    Check::failed(NAME, cause, fix)
}

fn names(object: &Value, pointer: &str) -> String {
    let names: Vec<&str> = object.list(pointer).map(|o| o.text("/name")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Returns the beginning of an answer that was not understood.
fn brief(body: &Value) -> String {
    let message = body.text("/message");
    let whole = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    let text = if message.is_empty() { whole.as_str() } else { message };
    text.trim().chars().take(200).collect()
}
