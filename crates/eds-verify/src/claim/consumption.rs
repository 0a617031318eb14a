//! Do the messages move? Only NATS and Kubernetes together can tell.

use serde_json::Value;

use super::super::{Check, scaler};
use super::{ClaimFacts, pods};
use kube_object::object::{Fields, count};

pub(super) fn checks(facts: &ClaimFacts) -> Vec<Check> {
    const NAME: &str = "messages";
    let Some(consumer) = scaler::consumer(&facts.keda) else { return Vec::new() };
    let pending = consumer.number("/num_pending");
    let delivered = consumer.number("/num_ack_pending");
    let asking = consumer.number("/num_waiting");
    let again = consumer.number("/num_redelivered");
    let is_ready = |pod: &&Value| pod.condition("Ready").is_some_and(|c| c.status == "True");
    let ready = i64::try_from(pods::current(facts).iter().filter(|pod| is_ready(pod)).count())
        .unwrap_or(i64::MAX);
    let name = facts.claim.text("/spec/nats/consumer");
    let unread = facts.unread.has("pods");
    let pods = if unread { "an unknown number of pods".to_owned() } else { count(ready, "pod") };
    let counts =
        format!("{pending} waiting, {delivered} in work, {pods} ready, {asking} asking for more");
    // A pod that is ready and does not ask reads something else, or does not read at all.
    if pending > 0 && delivered == 0 && asking == 0 && ready > 0 {
        let cause = format!("{counts}: no pod asks the consumer {name} for its messages");
        let fix = "does the worker read NATS_STREAM_NAME and NATS_CONSUMER_GROUP from its \
            environment, and is it the consumer's only kind (pull)? its log says";
        return vec![Check::failed(NAME, cause, fix)];
    }
    if again > 0 {
        let cause = format!("{counts}; {again} of them delivered more than once");
        let fix =
            "the worker fails on them, or takes longer than the consumer's ack_wait: its log says";
        return vec![Check::warning(NAME, cause, fix)];
    }
    vec![Check::passed(NAME, counts)]
}
