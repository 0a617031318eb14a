//! The service's pods: do they run, and if not, what do their containers say?

use serde_json::Value;

use super::super::{Check, pod};
use super::ClaimFacts;
use eds_core::event_driven_service::Paused;
use eds_core::event_driven_service::failures::{self, Evidence, Failure};
use kube_object::object::{Fields, count, named};
use kube_object::pods;

pub(super) fn checks(facts: &ClaimFacts) -> Vec<Check> {
    if let Some(skipped) = facts.unread.skips("pods", &["deployments", "pods"]) {
        return vec![skipped];
    }
    let Some(deployment) = facts.live("Deployment") else { return Vec::new() };
    let current = current(facts);
    let mut checks: Vec<Check> = creation(facts, deployment).into_iter().collect();
    let wanted = deployment.integer("/spec/replicas").unwrap_or(1);
    if current.is_empty() && checks.is_empty() {
        checks.push(none(facts, wanted));
    }
    checks.extend(current.into_iter().map(|pod| check(facts, pod)));
    checks
}

/// Returns the service's own pods of its current revision, by name.
pub(super) fn current(facts: &ClaimFacts) -> Vec<&Value> {
    let Some(deployment) = facts.live("Deployment") else { return Vec::new() };
    pods::current(deployment, &replica_sets(facts), &facts.pods)
}

fn replica_sets(facts: &ClaimFacts) -> Vec<&dyn Fields> {
    facts.replica_sets.iter().map(|set| set as &dyn Fields).collect()
}

/// Says why pods are not even created. The newest event knows better than the Deployment's
/// condition, which keeps the first message for as long as it fails.
fn creation(facts: &ClaimFacts, deployment: &Value) -> Option<Check> {
    let condition = deployment.condition("ReplicaFailure").filter(|c| c.status == "True")?.why();
    let set = pods::newest_name(deployment, &replica_sets(facts));
    let is_of_set = |event: &&Value| {
        let involved = event.text("/involvedObject/name");
        event.text("/reason") == "FailedCreate"
            && set.as_deref().map_or_else(
                || involved.starts_with(&format!("{}-", deployment.name())),
                |set| set == involved,
            )
    };
    let event = facts.events.iter().rev().find(is_of_set).map(|event| {
        let message = event.text("/message");
        let message = message.trim_start_matches("(combined from similar events): ");
        message.trim_start_matches("Error creating: ")
    });
    let account = facts.live("ServiceAccount").is_some();
    let message = event.unwrap_or(condition);
    if failures::wants_service_account(message) && account {
        let cause = format!(
            "pods cannot be created, and the only reason that is known is over (the ServiceAccount \
                is there now): {message}"
        );
        let fix = "the ReplicaSet tries again by itself, within minutes; kubectl get events shows \
            the next reason";
        return Some(Check::failed("creation", cause, fix));
    }
    let Failure { message, fix, .. } = failures::creation_failure(message);
    Some(Check::failed("creation", message, fix))
}

/// Reports that no pod counts.
fn none(facts: &ClaimFacts, wanted: i64) -> Check {
    const NAME: &str = "replicas";
    let scaled_object = facts.keda.scaled_object.as_ref().and_then(Value::as_object);
    let paused = scaled_object.and_then(Paused::of).is_some_and(|paused| paused.stops_scaling());
    if wanted == 0 && paused {
        return Check::passed(NAME, "0, and KEDA is paused: see State below");
    }
    if wanted == 0 {
        return Check::passed(NAME, "0: nothing to do, KEDA wakes it when messages come");
    }
    let cause = format!("none of {} is there yet", count(wanted, "pod"));
    let namespace = facts.claim.text("/metadata/namespace");
    let fix = format!(
        "look again in some seconds; kubectl -n {namespace} describe deployment {}",
        facts.claim.name()
    );
    Check::failed(NAME, cause, fix)
}

fn check(facts: &ClaimFacts, pod: &Value) -> Check {
    let title = pod.name();
    let image = facts.claim.text("/spec/image");
    let of_pod = |event: &&Value| event.text("/involvedObject/name") == title;
    let events = facts.events.iter().filter(of_pod);
    let logs = || facts.logs.iter().filter(|log| log.pod == title);
    let log: String = logs().map(|log| log.text.as_str()).collect();
    let evidence = Evidence {
        events: events.map(|e| (e.text("/reason"), e.text("/message"))).collect(),
        log: &log,
        now: Some(facts.now),
    };
    if let Some(Failure { message, fix, .. }) = failures::failure(pod, image, &evidence) {
        return Check::failed(title, message, fix).with(log_lines(facts, pod));
    }
    let Some(why) = pod::otherwise(pod) else {
        return running(pod);
    };
    if let Some(node) = node_trouble(facts, pod) {
        let fix =
            "kubectl describe node says why; its pods are made again elsewhere after five minutes";
        return Check::failed(title, format!("{why}; {node}"), fix);
    }
    let found = failures::not_ready(pod, &evidence, &why);
    let (message, fix) = match own_words(&log) {
        Some(cause) => {
            let message = format!("{}; its log says: {cause}", found.message);
            (message, nats_fix(facts, &cause).unwrap_or_else(|| found.fix.clone()))
        }
        None => (found.message, found.fix),
    };
    Check::failed(title, message, fix).with(log_lines(facts, pod))
}

/// Returns the last cause in a log of JSON lines, such as the reference worker's, of those that keep
/// it from working.
fn own_words(log: &str) -> Option<String> {
    log.lines().rev().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let is_trouble = matches!(line.text("/level"), "WARN" | "ERROR");
        let cause = line.text("/cause");
        (is_trouble && !cause.is_empty()).then(|| cause.to_owned())
    })
}

/// Says where the claim has the login that NATS does not take, if it is about that.
fn nats_fix(facts: &ClaimFacts, cause: &str) -> Option<String> {
    let namespace = facts.claim.text("/metadata/namespace");
    let refused = cause.contains("authorization violation") || cause.contains("NATS_CREDS");
    let untrusted =
        ["certificate", "TLS", "NATS_CA", "NATS_CERT"].iter().any(|w| cause.contains(w));
    let field = if refused && !untrusted {
        "credentials"
    } else if untrusted {
        "tls"
    } else {
        return None;
    };
    let secret = facts.claim.text(&format!("/spec/nats/{field}/secret"));
    (!secret.is_empty()).then(|| {
        format!(
            "correct the Secret {secret} in {namespace}, which spec.nats.{field} names: kubelet \
                updates the file within about a minute, and the worker reads it at its next attempt"
        )
    })
}

/// Reports a ready pod; if it ran out of memory before, it will do so again.
fn running(pod: &Value) -> Check {
    let title = pod.name();
    let place = format!("ready, on {}", pod.text("/spec/nodeName"));
    let main = pod.at("/status/containerStatuses/0").unwrap_or(&Value::Null);
    let restarts = main.number("/restartCount");
    if main.text("/lastState/terminated/reason") != "OOMKilled" {
        return Check::passed(title, place);
    }
    let detail =
        format!("{place}; killed for want of memory before ({})", count(restarts, "restart"));
    Check::warning(title, detail, "choose a larger spec.size, or let the worker hold less at once")
}

/// Reports a node that does not answer, which says nothing about its pods.
fn node_trouble(facts: &ClaimFacts, pod: &Value) -> Option<String> {
    let node = named(&facts.platform.nodes, pod.text("/spec/nodeName"))?;
    let ready = node.condition("Ready").filter(|ready| ready.status != "True")?;
    Some(format!("its node {} is not Ready: {}", node.name(), ready.why()))
}

fn log_lines(facts: &ClaimFacts, pod: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for log in facts.logs.iter().filter(|log| log.pod == pod.name() && !log.text.trim().is_empty())
    {
        lines.push(format!("log of {}:", log.container));
        lines.extend(log.text.trim_end().lines().map(|line| format!("  | {line}")));
    }
    lines
}
