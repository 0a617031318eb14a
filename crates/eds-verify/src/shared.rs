//! Claims that share a consumer: each scales by the whole lag, so together they run that many times
//! the pods needed.

use kube_object::object::Fields;
use std::collections::BTreeSet;

use serde_json::Value;

use super::{Check, Endpoint};

const FIX: &str = "give each service a consumer of its own (nats consumer add), with the subjects \
    that it works on; or make one claim of them";

/// Warns about the claims that read the same consumer as this one.
pub(super) fn check(claim: &Value, claims: &[Value]) -> Option<Check> {
    let own = Consumer::of(claim)?;
    let others: BTreeSet<String> = claims
        .iter()
        .filter(|other| title(other) != title(claim))
        .filter(|other| Consumer::of(other).is_some_and(|c| c == own))
        .map(title)
        .collect();
    if others.is_empty() {
        return None;
    }
    let others: Vec<String> = others.into_iter().collect();
    Some(Check::warning(
        "consumer of its own",
        format!(
            "{} and {} scale by the same consumer, {}: each adds pods for the whole lag",
            title(claim),
            others.join(", "),
            own.says()
        ),
        FIX,
    ))
}

/// Returns one warning for each consumer that several claims read.
pub(super) fn all(claims: &[Value]) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    let mut told: Vec<Consumer<'_>> = Vec::new();
    for claim in claims {
        let Some(consumer) = Consumer::of(claim) else { continue };
        if told.contains(&consumer) {
            continue;
        }
        checks.extend(check(claim, claims));
        told.push(consumer);
    }
    checks
}

fn title(claim: &Value) -> String {
    format!("{}/{}", claim.text("/metadata/namespace"), claim.text("/metadata/name"))
}

/// A consumer as KEDA finds it: where it asks, and for what.
#[derive(PartialEq, Eq)]
struct Consumer<'a> {
    server: String,
    account: &'a str,
    stream: &'a str,
    name: &'a str,
}

impl<'a> Consumer<'a> {
    fn of(claim: &'a Value) -> Option<Self> {
        let nats_field = |key: &str| claim.text(&format!("/spec/nats/{key}"));
        let endpoint = nats_field("monitoringEndpoint");
        // `nats-headless.nats.svc` is the same with `.cluster.local` after it.
        let server = Endpoint::parse(endpoint, "keda", 80).map_or_else(
            || endpoint.to_owned(),
            |e| format!("{}.{}:{}", e.service, e.namespace, e.port),
        );
        let (account, stream, name) =
            (nats_field("account"), nats_field("stream"), nats_field("consumer"));
        (!stream.is_empty() && !name.is_empty()).then_some(Self { server, account, stream, name })
    }

    fn says(&self) -> String {
        let Self { account, stream, name, .. } = self;
        format!("{name} on stream {stream} in account {account}")
    }
}
