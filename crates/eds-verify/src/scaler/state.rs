//! What KEDA and the autoscaler say about themselves.

use kube_object::object::Fields;
use serde_json::Value;

use super::super::Check;

use super::ScalerFacts;
use eds_core::event_driven_service::Paused;

pub(super) fn checks(facts: &ScalerFacts, scaled_object: &Value) -> Vec<Check> {
    let mut checks = Vec::new();
    let paused = scaled_object.as_object().and_then(Paused::of);
    if let Some(paused) = &paused {
        checks.push(held(facts, scaled_object, paused));
    }
    let is_paused = paused.is_some_and(|paused| paused.stops_scaling());
    // While paused it looks at nothing, so what else it says is old.
    if !is_paused {
        checks.push(ready(facts, scaled_object));
    }
    if scaled_object.condition("Fallback").is_some_and(|c| c.status == "True") {
        let cause = match newest_warning(facts) {
            Some(said) => format!("its scaler fails ({said}), it runs with its fallback replicas"),
            None => "its scaler fails, it runs with its fallback replicas".to_owned(),
        };
        checks.push(Check::warning("Fallback", cause, not_us(facts, scaled_object).1));
    }
    if let Some(active) = scaled_object.condition("Active") {
        let words = match active.status {
            "True" => "messages are waiting",
            "False" => "nothing to do",
            _ => "KEDA has not looked yet",
        };
        checks.push(Check::passed("active", format!("{}: {words}", active.status)));
    }
    let unread = ["horizontalpodautoscalers"];
    checks.push(match is_paused {
        true => Check::skipped("autoscaler", "KEDA takes it away while it is paused"),
        false => facts.unread.or("autoscaler", &unread, || autoscaler(facts)),
    });
    checks
}

/// Reports what somebody has told KEDA to leave alone.
fn held(facts: &ScalerFacts, scaled_object: &Value, paused: &Paused) -> Check {
    const NAME: &str = "Paused";
    let deployment = facts.deployment.as_ref();
    let replicas = deployment.map(|d| d.integer("/spec/replicas").unwrap_or(1));
    let waiting = super::consumer(facts)
        .map(|c| c.number("/num_pending").saturating_add(c.number("/num_ack_pending")));
    let by_claim = facts.claim.is_true("/spec/scaling/paused");
    let says = paused.says(replicas, by_claim);
    let cause = match waiting {
        Some(1) => format!("{says}; 1 message waits"),
        Some(n) => format!("{says}; {n} messages wait"),
        None => says,
    };
    let fix = if by_claim {
        "set spec.scaling.paused to false, or leave it out".to_owned()
    } else {
        format!(
            "kubectl -n {} annotate scaledobject {} {}-",
            scaled_object.text("/metadata/namespace"),
            scaled_object.name(),
            paused.annotation
        )
    };
    if paused.stops_scaling() && replicas == Some(0) {
        return Check::failed(NAME, cause, fix);
    }
    Check::warning(NAME, cause, fix)
}

/// Returns KEDA's newest warning event: its conditions only say that there is trouble.
fn newest_warning(facts: &ScalerFacts) -> Option<&str> {
    let event = facts.events.iter().rev().find(|e| e.text("/reason") == "KEDAScalerFailed");
    let event = event.or_else(|| facts.events.last());
    event.map(|event| event.text("/message").trim()).filter(|message| !message.is_empty())
}

/// Says what to do, by whether NATS answers us what it does not answer KEDA.
fn not_us(facts: &ScalerFacts, scaled_object: &Value) -> (&'static str, String) {
    let namespace = scaled_object.text("/metadata/namespace");
    let see = format!(
        "kubectl -n {namespace} describe scaledobject; kubectl -n keda logs \
            deployment/keda-operator"
    );
    if super::consumer(facts).is_none() {
        return ("", format!("mend what failed above; else {see}"));
    }
    let Some(said) = newest_warning(facts) else { return ("", see) };
    let said = said.to_lowercase();
    let network = [
        "dial tcp",
        "timeout",
        "deadline exceeded",
        "connection refused",
        "no such host",
        "connection reset",
        "no route to host",
        "eof",
    ];
    if !network.iter().any(|word| said.contains(word)) {
        return ("; NATS answers us with the consumer", see);
    }
    let endpoint = super::trigger(scaled_object).text("/natsServerMonitoringEndpoint");
    let fix = format!(
        "does a NetworkPolicy (of NATS's namespace for what comes in, of KEDA's for what goes out) \
            keep keda-operator from {endpoint}? kubectl get networkpolicies -A"
    );
    ("; NATS answers us, not KEDA", fix)
}

fn ready(facts: &ScalerFacts, scaled_object: &Value) -> Check {
    const NAME: &str = "ScaledObject";
    let Some(ready) = scaled_object.condition("Ready") else {
        return Check::failed(NAME, "KEDA has not taken it up", "does KEDA run? eds doctor");
    };
    if ready.status == "True" {
        return Check::passed(NAME, ready.why());
    }
    let (whom, fix) = not_us(facts, scaled_object);
    let cause = match newest_warning(facts) {
        Some(said) => format!("{}; KEDA says: {said}{whom}", ready.why()),
        None => ready.why().to_owned(),
    };
    Check::failed(NAME, cause, fix)
}

fn autoscaler(facts: &ScalerFacts) -> Check {
    const NAME: &str = "autoscaler";
    let Some(hpa) = &facts.hpa else {
        let fix = "KEDA makes it once the ScaledObject is Ready: kubectl -n keda logs \
                   deployment/keda-operator";
        return Check::failed(NAME, "there is no HorizontalPodAutoscaler", fix);
    };
    let current = hpa.number("/status/currentReplicas");
    let desired = hpa.number("/status/desiredReplicas");
    let metric = hpa.list("/spec/metrics").map(|m| m.text("/external/metric/name")).next();
    let counts = format!(
        "{current} replicas, {desired} wanted, {} to {}, metric {}",
        hpa.number("/spec/minReplicas"),
        hpa.number("/spec/maxReplicas"),
        metric.unwrap_or("none"),
    );
    let asleep = facts
        .deployment
        .as_ref()
        .is_some_and(|d| d.at("/spec/replicas") == Some(&Value::from(0)) && current == 0);
    for condition in ["AbleToScale", "ScalingActive"] {
        match hpa.condition(condition) {
            // At zero replicas the autoscaler is inactive, and KEDA wakes the service.
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
