//! Whether one composed manifest does its work, from its live state.

use super::manifest::{self, Kind, condition, integer, text};
use super::objects;
use super::pods::{self, Failure};
use super::spec::Spec;
use patch_and_transform::protocol::Object;

/// What is known of one manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Ready,
    /// A condition reason in PascalCase, and a sentence.
    NotReady(&'static str, String),
}

/// Pods of a Deployment, as counted by its controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replicas {
    /// Asked for: `spec.replicas`, 1 by default.
    pub(super) desired: i64,
    /// Existing, of the current and of older revisions.
    pub(super) total: i64,
    /// Existing, of the current revision.
    pub(super) updated: i64,
    pub(super) ready: i64,
    pub(super) available: i64,
}

impl Replicas {
    /// Counts that the controller leaves out are 0: at zero replicas a Deployment has no
    /// `updatedReplicas`.
    pub(super) fn of(deployment: &Object) -> Self {
        let status = |key| integer(deployment, &["status", key]).unwrap_or(0);
        Self {
            desired: integer(deployment, &["spec", "replicas"]).unwrap_or(1),
            total: status("replicas"),
            updated: status("updatedReplicas"),
            ready: status("readyReplicas"),
            available: status("availableReplicas"),
        }
    }

    /// No pod is starting, stopping or failing.
    pub(super) fn settled(&self) -> bool {
        self.updated == self.desired && self.total == self.desired && self.available == self.desired
    }

    /// All pods are of the current revision.
    pub(super) fn rolled_out(&self) -> bool {
        self.updated == self.total
    }
}

/// Judges one manifest. `observed` is what Crossplane observed under the manifest's name.
pub(super) fn of(kind: Kind, desired: &Object, observed: Option<&Object>, spec: &Spec) -> Verdict {
    let what = text(desired, &["kind"]);
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
        Kind::Other => Verdict::Ready,
    }
}

/// Why provider-kubernetes could not write the manifest, from its Object.
fn apply_error(observed: &Object) -> Option<String> {
    if !objects::is_object(observed) {
        return None;
    }
    let synced = condition(observed, "Synced")?;
    (text(synced, &["status"]) == "False").then(|| text(synced, &["message"]).to_owned())
}

fn deployment(live: &Object, spec: &Spec) -> Verdict {
    let replicas = Replicas::of(live);
    if just_changed(live, &replicas) {
        return Verdict::NotReady("Progressing", "the Deployment has just been changed".to_owned());
    }
    if replicas.settled() {
        return Verdict::Ready;
    }
    let Replicas { desired, total, updated, available, .. } = replicas;
    // Past `progressDeadlineSeconds` the controller says that it does not get on.
    let (reason, stalled) = match condition(live, "Progressing")
        .filter(|c| text(c, &["status"]) == "False")
    {
        Some(progressing) => ("RolloutStalled", format!(": {}", text(progressing, &["message"]))),
        None => ("Progressing", String::new()),
    };
    if !replicas.rolled_out() {
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
    // KEDA owns the number above minReplicas: a service that is scaling up still does its work, and
    // one that may sleep is well while it wakes up, unless it has failed to.
    let waking_up = stalled.is_empty();
    if available >= desired.min(spec.min_replicas) && (available > 0 || waking_up) {
        return Verdict::Ready;
    }
    Verdict::NotReady(reason, format!("{available} of {desired} pods are available{stalled}"))
}

/// Whether a change that its controller has not seen yet may have made the counts meaningless. A new
/// number of replicas does not: KEDA writes one at every step of scaling, and a service that scales
/// does its work. Measured on a cluster: without this a claim was not Ready for a second at each step.
fn just_changed(live: &Object, replicas: &Replicas) -> bool {
    let generation = integer(live, &["metadata", "generation"]).unwrap_or(0);
    let observed = integer(live, &["status", "observedGeneration"]).unwrap_or(0);
    let scaled = observed > 0 && replicas.desired != replicas.total;
    observed < generation && !scaled
}

/// Why the Deployment's pods are not even created, as its controller says it. `has_account`: their
/// ServiceAccount is there.
pub(super) fn replica_failure(live: &Object, has_account: bool) -> Option<Failure> {
    let failure = condition(live, "ReplicaFailure").filter(|c| text(c, &["status"]) == "True")?;
    let message = text(failure, &["message"]);
    if !pods::wants_service_account(message) {
        return Some(pods::creation_failure(message));
    }
    if has_account {
        return Some(pods::stale_failure());
    }
    // It has been deleted, and comes again.
    Some(Failure {
        reason: "Progressing",
        message: "the ServiceAccount has not been created yet".to_owned(),
        ..pods::creation_failure(message)
    })
}

/// An annotation by which somebody has told KEDA to leave a service alone
/// (KEDA 2.21 `apis/keda/v1alpha1/scaledobject_types.go`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Its key.
    pub annotation: &'static str,
    /// Its value.
    pub value: String,
    /// Who wrote it and when, as `metadata.managedFields` knows.
    pub by: Option<String>,
}

/// All of scaling; its own number of replicas comes first.
const PAUSE: [&str; 2] = ["autoscaling.keda.sh/paused-replicas", "autoscaling.keda.sh/paused"];
/// One direction only.
const PAUSE_ONE_WAY: [&str; 2] =
    ["autoscaling.keda.sh/paused-scale-out", "autoscaling.keda.sh/paused-scale-in"];

impl Paused {
    /// The annotation of a live ScaledObject that counts; none where KEDA is free.
    #[must_use]
    pub fn of(scaled_object: &Object) -> Option<Self> {
        let annotations = &["metadata", "annotations"];
        let annotations = manifest::get(scaled_object, annotations)?.as_object()?;
        PAUSE.into_iter().chain(PAUSE_ONE_WAY).find_map(|annotation| {
            let value = annotations.get(annotation)?.as_str()?.to_owned();
            // As Go's strconv.ParseBool; what is neither counts as true.
            let is_off = ["0", "f", "F", "false", "False", "FALSE"].contains(&value.as_str());
            let counts = annotation == PAUSE[0] || !is_off;
            let by = writer(scaled_object, annotation);
            counts.then_some(Self { annotation, value, by })
        })
    }

    /// KEDA does not scale at all: there is no autoscaler meanwhile, and nothing wakes the service.
    #[must_use]
    pub fn stops_scaling(&self) -> bool {
        PAUSE.contains(&self.annotation)
    }

    /// One sentence. `replicas` are those that the Deployment has.
    #[must_use]
    pub fn says(&self, replicas: Option<i64>) -> String {
        let by = self.by.as_ref().map(|by| format!(", written by {by}")).unwrap_or_default();
        let what = match self.annotation {
            "autoscaling.keda.sh/paused-scale-out" => "adds no pods".to_owned(),
            "autoscaling.keda.sh/paused-scale-in" => "takes no pods away".to_owned(),
            _ => match replicas {
                Some(0) => "leaves it at 0 pods, so nothing works on what waits".to_owned(),
                Some(1) => "leaves it at 1 pod, however many messages wait".to_owned(),
                Some(n) => format!("leaves it at {n} pods, however many messages wait"),
                None => "does not scale it".to_owned(),
            },
        };
        let Self { annotation, value, .. } = self;
        format!(
            "KEDA is paused by the ScaledObject's annotation {annotation}={value}{by}: it {what}"
        )
    }
}

/// The manager that owns an annotation, and when it wrote last.
fn writer(object: &Object, annotation: &str) -> Option<String> {
    let key = format!("f:{annotation}");
    let path = ["fieldsV1", "f:metadata", "f:annotations", &key];
    let field = manifest::list(object, &["metadata", "managedFields"])
        .find(|field| manifest::get(field, &path).is_some())?;
    let time = match text(field, &["time"]) {
        "" => String::new(),
        time => format!(" at {time}"),
    };
    Some(format!("{}{time}", text(field, &["manager"])))
}

/// KEDA sets `Ready` to False with reason `TriggerError` when a trigger's scaler fails, and says no
/// more; the trigger tells what it asked for. Each reconcile of its operator sets it back to True until the
/// next look at the trigger, up to a polling interval later: measured on a cluster, a claim on a wrong endpoint
/// was Ready every other half minute. The autoscaler, which asks for the same lag, has not forgotten.
fn scaled_object(live: &Object) -> Verdict {
    let ready = condition(live, "Ready");
    let autoscaler = condition(live, "HPAActive");
    let blind = autoscaler.is_some_and(|hpa| {
        text(hpa, &["status"]) == "False" && text(hpa, &["reason"]) == "FailedGetExternalMetric"
    });
    let of = |key| ready.map(|r| text(r, &[key])).unwrap_or_default();
    match (of("status"), of("reason")) {
        ("True", _) if blind => Verdict::NotReady("ScalerFailed", trigger_error(live)),
        ("True", _) => Verdict::Ready,
        ("False", "TriggerError") => Verdict::NotReady("ScalerFailed", trigger_error(live)),
        ("False", _) if !of("message").is_empty() => Verdict::NotReady(
            "ScalerFailed",
            format!("KEDA cannot scale this service: {}", of("message")),
        ),
        // KEDA begins with Unknown, and says False without a reason while it makes the HPA.
        _ => Verdict::NotReady("Scaler", "KEDA has not looked at the ScaledObject yet".to_owned()),
    }
}

fn trigger_error(live: &Object) -> String {
    let trigger = manifest::list(live, &["spec", "triggers"])
        .find(|t| text(t, &["type"]) == "nats-jetstream")
        .and_then(|t| t.get("metadata"))
        .and_then(|m| m.as_object());
    let Some(trigger) = trigger else {
        return "KEDA cannot read the ScaledObject's trigger".to_owned();
    };
    let of = |key| text(trigger, &[key]);
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
