//! What KEDA and the autoscaler say of themselves.

use serde_json::Value;

use super::super::Check;
use super::super::object::{Condition, list, number, text};
use super::Facts;

pub(super) fn checks(facts: &Facts, scaled_object: &Value) -> Vec<Check> {
    let namespace = text(scaled_object, "/metadata/namespace");
    let see = format!(
        "kubectl -n {namespace} describe scaledobject; kubectl -n keda logs deployment/keda-operator"
    );
    let mut checks = Vec::new();
    checks.push(match Condition::of(scaled_object, "Ready") {
        Some(ready) if ready.status == "True" => Check::passed("ScaledObject", ready.why()),
        Some(ready) => Check::failed("ScaledObject", ready.why(), see),
        None => {
            Check::failed("ScaledObject", "KEDA has not taken it up", "does KEDA run? eds doctor")
        }
    });
    for (condition, cause, fix) in [
        (
            "Paused",
            "it is paused: it does not scale",
            "remove its annotations autoscaling.keda.sh/paused*",
        ),
        (
            "Fallback",
            "its scaler fails, it runs with its fallback replicas",
            "eds verify keda names the cause above",
        ),
    ] {
        if Condition::of(scaled_object, condition).is_some_and(|c| c.status == "True") {
            checks.push(Check::warning(condition, cause, fix));
        }
    }
    if let Some(active) = Condition::of(scaled_object, "Active") {
        let words = match active.status {
            "True" => "messages are waiting",
            "False" => "nothing to do",
            _ => "KEDA has not looked yet",
        };
        checks.push(Check::passed("active", format!("{}: {words}", active.status)));
    }
    checks.push(autoscaler(facts));
    checks
}

fn autoscaler(facts: &Facts) -> Check {
    const NAME: &str = "autoscaler";
    let Some(hpa) = &facts.hpa else {
        let fix = "the ScaledObject above says why KEDA has not made it";
        return Check::failed(NAME, "there is no HorizontalPodAutoscaler", fix);
    };
    let current = number(hpa, "/status/currentReplicas");
    let desired = number(hpa, "/status/desiredReplicas");
    let metric = list(hpa, "/spec/metrics").map(|m| text(m, "/external/metric/name")).next();
    let counts = format!(
        "{current} replicas, {desired} wanted, {} to {}, metric {}",
        number(hpa, "/spec/minReplicas"),
        number(hpa, "/spec/maxReplicas"),
        metric.unwrap_or("none"),
    );
    let asleep = facts
        .deployment
        .as_ref()
        .is_some_and(|d| d.pointer("/spec/replicas") == Some(&Value::from(0)) && current == 0);
    for condition in ["AbleToScale", "ScalingActive"] {
        match Condition::of(hpa, condition) {
            // At zero replicas the autoscaler stands aside and KEDA wakes the service.
            Some(c) if c.status != "True" && !asleep => {
                let fix = "kubectl get --raw /apis/external.metrics.k8s.io/v1beta1; eds doctor";
                return Check::failed(
                    NAME,
                    format!("{condition} is {}: {}", c.status, c.why()),
                    fix,
                );
            }
            None => {
                let detail = format!("{counts}; it has not said {condition} yet");
                return Check::warning(NAME, detail, "look again in a minute");
            }
            Some(_) => {}
        }
    }
    Check::passed(NAME, counts)
}
