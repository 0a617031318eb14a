//! Whether a composed manifest works, judging by its live state.

use super::failures::{self, Failure};
use super::manifest::Kind;
use super::objects;
use super::spec::Spec;
use kube_object::object::Fields;
use kube_object::rollout::Replicas;
use patch_and_transform::protocol::Object;

/// What is known about one manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Ready,
    /// A condition reason in PascalCase, and a sentence.
    NotReady(&'static str, String),
}

/// Judges one manifest. `observed` is what Crossplane observed under the manifest's name.
pub(super) fn judge(
    kind: Kind,
    desired: &Object,
    observed: Option<&Object>,
    spec: &Spec,
) -> Verdict {
    let what = desired.text("/kind");
    let Some(observed) = observed else {
        return Verdict::NotReady("Creating", format!("the {what} has not been created yet"));
    };
    if let Some(message) = apply_error(observed) {
        return Verdict::NotReady(
            "ApplyFailed",
            format!("the {what} cannot be applied: {message}"),
        );
    }
    let Some(live) = objects::live(observed) else {
        return Verdict::NotReady("Creating", format!("the {what} has not been created yet"));
    };
    match kind {
        Kind::Deployment => deployment(live, spec),
        Kind::ScaledObject => scaled_object(live),
        Kind::JetStream => jetstream(live),
        Kind::Other => Verdict::Ready,
    }
}

/// Returns why provider-kubernetes could not write the manifest, from its Object.
fn apply_error(observed: &Object) -> Option<String> {
    if !objects::is_object(observed) {
        return None;
    }
    let synced = observed.condition("Synced")?;
    (synced.status == "False").then(|| synced.message.to_owned())
}

fn deployment(live: &Object, spec: &Spec) -> Verdict {
    let replicas = Replicas::of(live);
    if replicas.are_stale() {
        return Verdict::NotReady("Progressing", "the Deployment has just been changed".to_owned());
    }
    if replicas.are_settled() {
        return Verdict::Ready;
    }
    let Replicas { desired, total, updated, available, .. } = replicas;
    // After `progressDeadlineSeconds` the controller reports that it makes no progress.
    let (reason, stalled) = match live.condition("Progressing").filter(|c| c.status == "False") {
        Some(progressing) => ("RolloutStalled", format!(": {}", progressing.message)),
        None => ("Progressing", String::new()),
    };
    if !replicas.are_of_one_revision() {
        let message = if updated < desired {
            format!("{updated} of {desired} pods run the current revision{stalled}")
        } else {
            let old = match total.saturating_sub(updated) {
                1 => "1 pod".to_owned(),
                n => format!("{n} pods"),
            };
            format!("{old} of an older revision must still end{stalled}")
        };
        return Verdict::NotReady(reason, message);
    }
    // KEDA owns the number above minReplicas: a service that is scaling up still works, and one
    // that may sleep is fine while it wakes up, unless it has failed to.
    let waking_up = stalled.is_empty();
    if available >= desired.min(spec.min_replicas()) && (available > 0 || waking_up) {
        return Verdict::Ready;
    }
    Verdict::NotReady(reason, format!("{available} of {desired} pods are available{stalled}"))
}

/// Returns why the Deployment's pods are not even created, according to its controller.
/// `has_account` says whether their ServiceAccount exists.
pub(super) fn replica_failure(live: &Object, has_account: bool) -> Option<Failure> {
    let failure = live.condition("ReplicaFailure").filter(|c| c.status == "True")?;
    let message = failure.message;
    if !failures::wants_service_account(message) {
        return Some(failures::creation_failure(message));
    }
    if has_account {
        return Some(failures::stale_failure());
    }
    // It was deleted, and is being recreated.
    Some(Failure {
        reason: "Progressing",
        message: "the ServiceAccount has not been created yet".to_owned(),
        ..failures::creation_failure(message)
    })
}

/// Judges a ScaledObject. KEDA sets `Ready` to False with reason `TriggerError` when a trigger's
/// scaler fails, without details; the trigger tells what it asked for. Each reconcile of its
/// operator sets it back to True until the trigger is next checked, up to a polling interval later:
/// measured on a cluster, a claim with a wrong endpoint was Ready every other half minute. The
/// autoscaler, which asks for the same lag, does not forget.
fn scaled_object(live: &Object) -> Verdict {
    let ready = live.condition("Ready");
    let autoscaler = live.condition("HPAActive");
    let blind = autoscaler
        .is_some_and(|hpa| hpa.status == "False" && hpa.reason == "FailedGetExternalMetric");
    let (status, reason, message) =
        ready.map(|ready| (ready.status, ready.reason, ready.message)).unwrap_or_default();
    match (status, reason) {
        ("True", _) if blind => Verdict::NotReady("ScalerFailed", trigger_error(live)),
        ("True", _) => Verdict::Ready,
        ("False", "TriggerError") => Verdict::NotReady("ScalerFailed", trigger_error(live)),
        ("False", _) if !message.is_empty() => {
            Verdict::NotReady("ScalerFailed", format!("KEDA cannot scale this service: {message}"))
        }
        // KEDA starts with Unknown, and reports False without a reason while it creates the HPA.
        _ => Verdict::NotReady("Scaler", "KEDA has not looked at the ScaledObject yet".to_owned()),
    }
}

/// Judges what NACK was asked to make, by its condition `Ready`.
fn jetstream(live: &Object) -> Verdict {
    let what = live.text("/kind").to_lowercase();
    match live.condition("Ready") {
        Some(ready) if ready.status == "True" => Verdict::Ready,
        Some(ready) if ready.status == "False" && !ready.message.is_empty() => Verdict::NotReady(
            "NatsRefused",
            format!("NATS' controller cannot make the {what}: {}", ready.message),
        ),
        _ => Verdict::NotReady(
            "Creating",
            format!("NATS' controller NACK has not made the {what} yet; does it run?"),
        ),
    }
}

fn trigger_error(live: &Object) -> String {
    let trigger = live
        .list("/spec/triggers")
        .find(|t| t.text("/type") == "nats-jetstream")
        .and_then(|t| t.get("metadata"))
        .and_then(|m| m.as_object());
    let Some(trigger) = trigger else {
        return "KEDA cannot read the ScaledObject's trigger".to_owned();
    };
    let of = |key| trigger.text(&format!("/{key}"));
    if of("account") == "$SYS" {
        return "KEDA finds no consumer in account $SYS: NATS refuses JetStream on its system \
                account; set spec.nats.account to the account that owns the stream, $G by default"
            .to_owned();
    }
    format!(
        "KEDA cannot read the lag of consumer {} on stream {} in account {} at {}: one of them \
         does not exist, or NATS cannot be reached",
        of("consumer"),
        of("stream"),
        of("account"),
        of("natsServerMonitoringEndpoint"),
    )
}
