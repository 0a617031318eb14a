//! The consumer's own limits, against what the claim wants to scale to.

use serde_json::Value;

use super::super::Check;
use super::{ScalerFacts, account_and_consumer, seen, trigger};
use kube_object::object::{Fields, count};

/// JetStream's default, in `server/consumer.go` (`JsDefaultMaxAckPending`).
const DEFAULT_MAX_ACK_PENDING: i64 = 1000;

pub(super) fn checks(facts: &ScalerFacts, scaled_object: &Value) -> Vec<Check> {
    let trigger = trigger(scaled_object);
    let Some(authority) = seen::authority(facts, trigger) else { return Vec::new() };
    let (.., Some(consumer)) = account_and_consumer(authority, trigger) else { return Vec::new() };
    let Some(config) = consumer.get("config") else { return Vec::new() };
    let mut checks = vec![
        acknowledgement(config),
        in_flight(config, scaled_object, trigger),
        grace(facts, config),
    ];
    checks.extend(shutdown(facts));
    if consumer.get("paused") == Some(&Value::Bool(true)) {
        checks.push(Check::warning(
            "paused",
            "the consumer is paused: pods are added for the lag, and get no message",
            "nats consumer resume",
        ));
    }
    let inactive = config.number("/inactive_threshold") / 1_000_000_000;
    if inactive > 0 && scaled_object.number("/spec/minReplicaCount") == 0 {
        checks.push(Check::warning(
            "inactive_threshold",
            format!(
                "with minReplicas 0 nobody asks the consumer while the service sleeps, and NATS \
                 deletes it after {inactive} s; KEDA then finds no consumer and never wakes it"
            ),
            "remove inactive_threshold from the consumer, or set minReplicas to 1",
        ));
    }
    checks
}

fn acknowledgement(config: &Value) -> Check {
    match config.text("/ack_policy") {
        "explicit" => Check::passed("ack_policy", "explicit"),
        other => Check::warning(
            "ack_policy",
            format!(
                "{other}: a message counts as done before the worker has done it, so it is lost \
                 with a pod that ends, and it is no lag"
            ),
            "make the consumer with ack_policy explicit",
        ),
    }
}

/// Checks how many messages may be delivered and unacknowledged, over all pods.
fn in_flight(config: &Value, scaled_object: &Value, trigger: &Value) -> Check {
    const NAME: &str = "max_ack_pending";
    let limit = match config.number("/max_ack_pending") {
        0 => DEFAULT_MAX_ACK_PENDING,
        limit => limit,
    };
    let threshold = trigger.text("/lagThreshold").parse().unwrap_or(10_i64).max(1);
    let most = scaled_object.number("/spec/maxReplicaCount").max(1);
    let needed = threshold.saturating_mul(most);
    if limit < 0 {
        return Check::passed(NAME, "without limit");
    }
    if limit >= needed {
        return Check::passed(
            NAME,
            format!("{limit}: enough for lagThreshold {threshold} x maxReplicas {most} = {needed}"),
        );
    }
    let busy = limit.saturating_add(threshold - 1) / threshold;
    let cause = if limit < most {
        format!(
            "{limit} messages in work over all pods: of {most} pods at most {limit} get one at all"
        )
    } else {
        format!(
            "{limit} messages in work over all pods, below lagThreshold {threshold} x maxReplicas \
             {most} = {needed}: with {threshold} in work each, {} of {most} are busy and the rest \
             wait",
            count(busy, "pod"),
        )
    };
    let fix = format!("raise the consumer's max_ack_pending to {needed} or more");
    Check::warning(NAME, cause, fix)
}

/// Checks the shutdown grace, as a worker cannot see its pod's grace period. The reference worker's
/// metrics say how long it takes after SIGTERM; it needs 5 s more to return unfinished work.
fn shutdown(facts: &ScalerFacts) -> Option<Check> {
    const NAME: &str = "shutdown grace";
    const HAND_BACK: f64 = 5.0;
    let line =
        |line: &str| line.strip_prefix("agent_executor_shutdown_grace_seconds ")?.parse().ok();
    let own: f64 = facts.metrics.as_deref()?.lines().find_map(line)?;
    #[allow(clippy::cast_precision_loss, reason = "seconds of a pod's life are exact in a double")]
    let pods = grace_seconds(facts) as f64;
    let wanted = pods - HAND_BACK;
    Some(if own > wanted {
        Check::warning(
            NAME,
            format!(
                "the worker takes up to {own} s to end, its pods are killed after {pods} s: what \
                    is in work then comes again only after ack_wait"
            ),
            format!("set WORKER_SHUTDOWN_GRACE_SECONDS to {} in spec.env", wanted.max(0.0)),
        )
    } else {
        Check::passed(NAME, format!("the worker takes up to {own} s of its pods' {pods} s"))
    })
}

/// Returns the seconds that Kubernetes gives the pods between SIGTERM and SIGKILL.
fn grace_seconds(facts: &ScalerFacts) -> i64 {
    let pointer = "/spec/template/spec/terminationGracePeriodSeconds";
    facts.deployment.as_ref().map_or(30, |d| d.number(pointer))
}

/// Checks that a message is not redelivered while a pod that is ending still works on it.
fn grace(facts: &ScalerFacts, config: &Value) -> Check {
    const NAME: &str = "ack_wait";
    let wait = config.number("/ack_wait") / 1_000_000_000;
    let grace = grace_seconds(facts);
    if wait >= grace {
        return Check::passed(
            NAME,
            format!("{wait} s, not below the pods' grace period of {grace} s"),
        );
    }
    Check::warning(
        NAME,
        format!(
            "{wait} s, below the pods' grace period of {grace} s: a message that a pod takes its \
             time to finish while it ends is delivered to another one as well"
        ),
        format!(
            "set the consumer's ack_wait to {grace} s or more, or let the worker say that it is in \
             progress (the reference worker does)"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;
    use serde_json::json;

    #[test]
    fn a_worker_ends_before_its_pod_is_killed() {
        let check = |own: &str, pods: Option<i64>, expected: Option<Status>| {
            let deployment = pods.map(
                |s| json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": s}}}}),
            );
            let metrics = Some(format!("# HELP it\nagent_executor_ready 1\n{own}\n"));
            let found = shutdown(&ScalerFacts { deployment, metrics, ..ScalerFacts::default() });
            assert_eq!(found.as_ref().map(|c| c.status), expected, "{own} {pods:?} {found:?}");
        };
        let own = "agent_executor_shutdown_grace_seconds 20";
        check(own, None, Some(Status::Passed));
        check(own, Some(25), Some(Status::Passed));
        check(own, Some(24), Some(Status::Warning));
        check("agent_executor_shutdown_grace_seconds 2.5", Some(7), Some(Status::Warning));
        // Another worker says nothing about it.
        check("process_open_fds 3", Some(1), None);
        assert_eq!(shutdown(&ScalerFacts::default()), None);
    }
}
