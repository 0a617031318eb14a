//! The service's pods: running, and if not, what their containers say.

use serde_json::Value;

use super::super::object::{Condition, count, name, named, number, text};
use super::super::{Check, pods as any};
use super::Facts;
use eds_core::event_driven_service::Paused;
use eds_core::event_driven_service::pods::{self, Evidence, Failure};
use kube_object::object::Object;

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    if let Some(skipped) = facts.unread.skips("pods", &["deployments", "pods"]) {
        return vec![skipped];
    }
    let Some(deployment) = facts.live("Deployment") else { return Vec::new() };
    let current = current(facts);
    let mut checks: Vec<Check> = creation(facts, deployment).into_iter().collect();
    let wanted = deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    if current.is_empty() && checks.is_empty() {
        checks.push(none(facts, wanted));
    }
    checks.extend(current.into_iter().map(|pod| check(facts, pod)));
    checks
}

/// The service's own pods of its current revision, by name.
pub(super) fn current(facts: &Facts) -> Vec<&Value> {
    let deployment = facts.live("Deployment").and_then(Value::as_object);
    let Some(deployment) = deployment else { return Vec::new() };
    let of_pods = facts.pods.iter().filter_map(Value::as_object);
    let current = pods::current(deployment, &replica_sets(facts), of_pods);
    let is_current = |pod: &&Value| {
        pod.as_object().is_some_and(|pod| current.iter().any(|c| std::ptr::eq(*c, pod)))
    };
    let mut pods: Vec<&Value> = facts.pods.iter().filter(is_current).collect();
    pods.sort_by_key(|pod| name(pod));
    pods
}

fn replica_sets(facts: &Facts) -> Vec<&Object> {
    facts.replica_sets.iter().filter_map(Value::as_object).collect()
}

/// Why pods are not even created. The newest event knows better than the Deployment's condition, which
/// keeps the first message for as long as it fails.
fn creation(facts: &Facts, deployment: &Value) -> Option<Check> {
    let condition =
        Condition::of(deployment, "ReplicaFailure").filter(|c| c.status == "True")?.why();
    let set = pods::newest_name(deployment.as_object()?, &replica_sets(facts));
    let is_of_set = |event: &&Value| {
        let involved = text(event, "/involvedObject/name");
        text(event, "/reason") == "FailedCreate"
            && set.as_deref().map_or_else(
                || involved.starts_with(&format!("{}-", name(deployment))),
                |set| set == involved,
            )
    };
    let event = facts.events.iter().rev().find(is_of_set).map(|event| {
        let message = text(event, "/message");
        let message = message.trim_start_matches("(combined from similar events): ");
        message.trim_start_matches("Error creating: ")
    });
    let account = facts.live("ServiceAccount").is_some();
    let message = event.unwrap_or(condition);
    if pods::wants_service_account(message) && account {
        let cause = format!(
            "pods cannot be created, and the only reason that is known is over (the ServiceAccount \
                is there now): {message}"
        );
        let fix = "the ReplicaSet tries again by itself, within minutes; kubectl get events shows \
            the next reason";
        return Some(Check::failed("creation", cause, fix));
    }
    let Failure { message, fix, .. } = pods::creation_failure(message);
    Some(Check::failed("creation", message, fix))
}

/// There is no pod that counts.
fn none(facts: &Facts, wanted: i64) -> Check {
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
    let namespace = text(&facts.claim, "/metadata/namespace");
    let fix = format!(
        "look again in some seconds; kubectl -n {namespace} describe deployment {}",
        name(&facts.claim)
    );
    Check::failed(NAME, cause, fix)
}

fn check(facts: &Facts, pod: &Value) -> Check {
    let title = name(pod);
    let image = text(&facts.claim, "/spec/image");
    let of_pod = |event: &&Value| text(event, "/involvedObject/name") == title;
    let events = facts.events.iter().filter(of_pod);
    let logs = || facts.logs.iter().filter(|log| log.pod == title);
    let log: String = logs().map(|log| log.text.as_str()).collect();
    let evidence = Evidence {
        events: events.map(|e| (text(e, "/reason"), text(e, "/message"))).collect(),
        log: &log,
        now: Some(facts.now),
    };
    let nothing = Object::new();
    let object = pod.as_object().unwrap_or(&nothing);
    if let Some(Failure { message, fix, .. }) = pods::failure(object, image, &evidence) {
        return Check::failed(title, message, fix).with(log_lines(facts, pod));
    }
    let Some(why) = any::otherwise(pod) else {
        return running(pod);
    };
    if let Some(node) = node_trouble(facts, pod) {
        let fix =
            "kubectl describe node says why; its pods are made again elsewhere after five minutes";
        return Check::failed(title, format!("{why}; {node}"), fix);
    }
    let found = pods::not_ready(object, &evidence, &why);
    Check::failed(title, found.message, found.fix).with(log_lines(facts, pod))
}

/// Ready; and if it was killed for want of memory before, it will be again.
fn running(pod: &Value) -> Check {
    let title = name(pod);
    let place = format!("ready, on {}", text(pod, "/spec/nodeName"));
    let main = pod.pointer("/status/containerStatuses/0").unwrap_or(&Value::Null);
    let restarts = number(main, "/restartCount");
    if text(main, "/lastState/terminated/reason") != "OOMKilled" {
        return Check::passed(title, place);
    }
    let detail =
        format!("{place}; killed for want of memory before ({})", count(restarts, "restart"));
    Check::warning(title, detail, "choose a larger spec.size, or let the worker hold less at once")
}

/// A node that does not answer says nothing of its pods.
fn node_trouble(facts: &Facts, pod: &Value) -> Option<String> {
    let node = named(&facts.platform.nodes, text(pod, "/spec/nodeName"))?;
    let ready = Condition::of(node, "Ready").filter(|ready| ready.status != "True")?;
    Some(format!("its node {} is not Ready: {}", name(node), ready.why()))
}

fn log_lines(facts: &Facts, pod: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for log in facts.logs.iter().filter(|log| log.pod == name(pod) && !log.text.trim().is_empty()) {
        lines.push(format!("log of {}:", log.container));
        lines.extend(log.text.trim_end().lines().map(|line| format!("  | {line}")));
    }
    lines
}
