//! The service's pods: running, and if not, what their containers say.

use serde_json::Value;

use super::super::Check;
use super::super::object::{Condition, name, number, text};
use super::super::pods::why_not_ready;
use super::Facts;
use crate::event_driven_service::pod_failure;

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let Some(deployment) = facts.live("Deployment") else { return Vec::new() };
    let mut checks = Vec::new();
    let failure = Condition::of(deployment, "ReplicaFailure").filter(|c| c.status == "True");
    if let Some(failure) = failure {
        let quota = failure.why().contains("exceeded quota");
        let fix = if quota {
            "raise the namespace's ResourceQuota, or choose a smaller spec.size"
        } else {
            "kubectl describe replicasets; the message names who refuses the pods"
        };
        let cause = format!("pods cannot be created: {}", failure.why());
        checks.push(Check::failed("creation", cause, fix));
    }
    let wanted = deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let pods = newest(deployment, &facts.pods);
    if pods.is_empty() && checks.is_empty() {
        checks.push(if wanted == 0 {
            Check::passed("replicas", "0: nothing to do, KEDA wakes it when messages come")
        } else {
            let cause = format!("none of {wanted} pods is there yet");
            Check::failed(
                "replicas",
                cause,
                "kubectl describe deployment; look again in some seconds",
            )
        });
    }
    checks.extend(pods.into_iter().map(|pod| check(facts, pod)));
    checks
}

/// Pods of the newest revision, by name: what ails an older one ends with the rollout.
fn newest<'a>(deployment: &Value, pods: &'a [Value]) -> Vec<&'a Value> {
    let is_going = |pod: &&Value| pod.pointer("/metadata/deletionTimestamp").is_some();
    let hash = |pod: &'a Value| text(pod, "/metadata/labels/pod-template-hash");
    let alive = || pods.iter().filter(|pod| !is_going(pod));
    // Times of this form sort as text.
    let newest = alive().max_by_key(|pod| text(pod, "/metadata/creationTimestamp")).map(hash);
    let settled =
        number(deployment, "/status/replicas") == number(deployment, "/status/updatedReplicas");
    let mut found: Vec<&Value> =
        alive().filter(|pod| settled || Some(hash(pod)) == newest).collect();
    found.sort_by_key(|pod| name(pod));
    found
}

fn check(facts: &Facts, pod: &Value) -> Check {
    let title = name(pod);
    let image = text(&facts.claim, "/spec/image");
    let failure = pod.as_object().and_then(|pod| pod_failure(pod, image));
    let Some((reason, message)) = failure else {
        return match why_not_ready(pod) {
            None => Check::passed(title, format!("ready, on {}", text(pod, "/spec/nodeName"))),
            Some(why) => not_ready(facts, pod, why),
        };
    };
    Check::failed(title, with_log(facts, pod, message), fix(reason, facts, pod))
}

/// It runs, and its probe says no; or it is on its way.
fn not_ready(facts: &Facts, pod: &Value, why: String) -> Check {
    let of_pod = |event: &&Value| text(event, "/involvedObject/name") == name(pod);
    let event = facts.events.iter().rev().find(of_pod).map(|event| text(event, "/message"));
    let why = match event {
        Some(event) => format!("{why}; {}", event.trim()),
        None => why,
    };
    let fix = "the worker answers /ready once it is connected to NATS and its consumer exists: its log \
               says what it waits for";
    Check::failed(name(pod), with_log(facts, pod, why), fix)
}

fn with_log(facts: &Facts, pod: &Value, mut cause: String) -> String {
    for log in facts.logs.iter().filter(|log| log.pod == name(pod) && !log.text.trim().is_empty()) {
        cause.push_str(&format!("\nlog of {}:", log.container));
        for line in log.text.trim_end().lines() {
            cause.push_str(&format!("\n  {line}"));
        }
    }
    cause
}

/// What to do, by the reason that [`pod_failure`] gives.
fn fix(reason: &str, facts: &Facts, pod: &Value) -> String {
    let namespace = text(&facts.claim, "/metadata/namespace");
    match reason {
        "ImagePullFailed" => "is spec.image spelled right, and pushed? A private registry needs \
                              spec.imagePullSecrets"
            .to_owned(),
        "ConfigurationMissing" => "see Secrets above".to_owned(),
        "ContainerCannotStart" => "the command is not in the image: correct \
                                   spec.initContainer.command, or the image's entrypoint"
            .to_owned(),
        "Unschedulable" => "choose a smaller spec.size, or add a node".to_owned(),
        "InitContainerFailed" => {
            format!("kubectl -n {namespace} logs {} -c init --previous", name(pod))
        }
        _ => format!("kubectl -n {namespace} logs {} --previous", name(pod)),
    }
}
