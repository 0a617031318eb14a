//! Why does a claim's service not run?
//!
//! Follows the claim's path, so that the first failure is the closest to the cause: the platform it
//! depends on, the composite and its Composition, the manifests, the Secrets, NATS, the pods, the
//! scaling.

mod consumption;
mod manifests;
mod path;
mod pods;
pub mod secrets;

use serde_json::Value;

use super::unread::may_not;
use super::{Check, Report, Status, Unread, platform, scaler};
use eds_core::event_driven_service::{CONDITION as WORKER_AVAILABLE, NAME_TAKEN};
use kube_object::object::Fields;

/// What was found in the cluster.
#[derive(Debug, Clone, Default)]
pub struct ClaimFacts {
    /// The claim, with the defaults filled in by the API server.
    pub claim: Value,
    /// Its composite.
    pub composite: Option<Value>,
    /// provider-kubernetes Objects of the composite.
    pub objects: Vec<Value>,
    /// What `eds render` makes of the claim.
    pub rendered: Vec<Value>,
    /// The live manifests that exist.
    pub live: Vec<Value>,
    /// The Secrets that the claim names.
    pub secrets: Vec<secrets::Secret>,
    /// Pods labelled with the service's name.
    pub pods: Vec<Value>,
    /// ReplicaSets of the namespace.
    pub replica_sets: Vec<Value>,
    /// The last lines of failed containers.
    pub logs: Vec<Log>,
    /// Events of the namespace that report trouble, oldest first.
    pub events: Vec<Value>,
    /// The current time, in seconds since 1970.
    pub now: i64,
    /// What may not be read in the claim's namespace, and about its composite.
    pub unread: Unread,
    /// ScaledObject, autoscaler, and NATS' answer to KEDA.
    pub keda: scaler::ScalerFacts,
    /// The platform, with the claim's own NATS.
    pub platform: platform::PlatformFacts,
}

/// The end of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Name of the pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// The lines.
    pub text: String,
}

impl ClaimFacts {
    fn live(&self, kind: &str) -> Option<&Value> {
        self.live.iter().find(|object| object.text("/kind") == kind)
    }

    /// Returns `namespace/name`.
    fn title(&self) -> String {
        format!("{}/{}", self.claim.text("/metadata/namespace"), self.claim.text("/metadata/name"))
    }
}

/// Returns the whole report. Its first section holds the diagnosis.
#[must_use]
pub fn report(facts: &ClaimFacts) -> Report {
    let mut found = Report::default();
    found.add("Platform", platform_checks(&facts.platform));
    found.add("Composite", path::checks(facts));
    found.add("Manifests", manifests::checks(facts));
    found.add("Secrets", secrets::checks(facts));
    // A worker may be unready, or crash, because its consumer is missing.
    let scaled_object = facts.keda.scaled_object.as_ref();
    if let (None, Some(skipped)) =
        (scaled_object, facts.keda.unread.skips("scaling", &["scaledobjects"]))
    {
        found.add("What KEDA sees", vec![skipped]);
    }
    found.sections.extend(scaled_object.into_iter().flat_map(|s| scaler::source(&facts.keda, s)));
    found.add("Pods", pods::checks(facts));
    found.sections.extend(scaled_object.into_iter().flat_map(|s| scaler::state(&facts.keda, s)));
    found.add("Consumption", consumption::checks(facts));
    let mut report = Report::default();
    report.add(facts.title(), vec![diagnosis(&facts.claim, &found), says(&facts.claim)]);
    report.sections.append(&mut found.sections);
    report
}

/// Reports what is wrong with the platform, or one line if nothing is.
fn platform_checks(facts: &platform::PlatformFacts) -> Vec<Check> {
    let report = platform::report(facts);
    let mut checks: Vec<Check> = Vec::new();
    let whole = report.checks().count();
    let skipped = report.count(Status::Skipped);
    for section in &report.sections {
        let ails = |check: &&Check| matches!(check.status, Status::Failed | Status::Warning);
        checks.extend(section.checks.iter().filter(ails).map(|check| {
            let name = format!("{}: {}", section.title, check.name);
            Check { name, ..check.clone() }
        }));
    }
    if checks.is_empty() {
        let looked = whole - skipped;
        checks.push(Check::passed("prerequisites", format!("{looked} checks, nothing found")));
    }
    let unread = facts.unread();
    if !unread.is_empty() {
        let what: Vec<&str> = unread.iter().map(String::as_str).collect();
        let detail = format!("{skipped} of {whole} could not be looked at: {}", may_not(&what));
        checks.push(Check::skipped("the rest of it", detail));
    }
    checks
}

/// Returns the first failure along the path.
fn diagnosis(claim: &Value, found: &Report) -> Check {
    const NAME: &str = "diagnosis";
    let ready = claim.condition("Ready").is_some_and(|c| c.status == "True");
    let first = found.sections.iter().find_map(|section| {
        let failed = section.checks.iter().find(|check| check.status == Status::Failed)?;
        Some((section, failed))
    });
    let fix_of = |check: &Check| check.fix.clone().unwrap_or_default();
    let is_own_word = found.count(Status::Skipped) > 0 && !ready && has_cause(claim);
    if let Some((section, check)) = first {
        let more = match found.count(Status::Failed) {
            1 => None,
            n => Some(format!("({} more below, of which some may come of it)", n - 1)),
        };
        let cause = format!("{}, {}: {}", section.title, check.name, check.detail);
        let log = check.more.iter().cloned();
        return Check::failed(NAME, cause, fix_of(check)).with(log).with(more);
    }
    // What this caller may not read, the step in the cluster has seen.
    if is_own_word {
        let cause = format!("the claim says: {}", claim.text("/status/message"));
        return Check::failed(NAME, cause, fix_by_reason(claim));
    }
    if ready {
        let warnings = found.count(Status::Warning);
        let warnings = match warnings {
            0 => String::new(),
            1 => ", with one warning below".to_owned(),
            n => format!(", with {n} warnings below"),
        };
        return Check::passed(NAME, format!("it runs{warnings}"));
    }
    // Everything is as it should be, so it is on its way, or an older answer still shows.
    let cause = "nothing stands in its way; it is not Ready yet";
    Check::failed(NAME, cause, "look again in some seconds")
}

/// Returns whether the claim's own status names a cause.
fn has_cause(claim: &Value) -> bool {
    let reason = claim.condition(WORKER_AVAILABLE).map_or("", |c| c.reason);
    let late = ["", "Available", "ScaledToZero", "Progressing", "Creating", "Scaler"];
    !late.contains(&reason) && !claim.text("/status/message").is_empty()
}

/// Says what to do, by the reason given by the step in the cluster, if no more may be read.
fn fix_by_reason(claim: &Value) -> &'static str {
    match claim.condition(WORKER_AVAILABLE).map_or("", |c| c.reason) {
        "ScalerFailed" => {
            "are stream, consumer and account spelled right in spec.nats, and do they exist (nats \
             consumer info)? If so, a platform engineer looks whether KEDA reaches NATS: eds doctor"
        }
        "ApplyFailed" => "the message says who refuses it; a platform engineer: eds doctor",
        NAME_TAKEN => path::TAKEN_FIX,
        "Paused" => "kubectl annotate scaledobject with the annotation's name and a - after it",
        "QuotaExceeded" | "PodsNotCreated" => {
            "kubectl describe replicasets; kubectl get events: the message names who refuses the \
                pods"
        }
        "ImagePullFailed" => {
            "is spec.image spelled right, and pushed, and may the cluster pull it?"
        }
        _ => "kubectl get pods, and kubectl logs of the one that the message names",
    }
}

/// Reports what the claim says about itself: the message from the Composition's second step.
fn says(claim: &Value) -> Check {
    const NAME: &str = "the claim says";
    let message = claim.text("/status/message");
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    match claim.condition("Ready") {
        None => {
            Check::failed(NAME, "nothing yet: it has no condition Ready", "does Crossplane run?")
        }
        Some(ready) if ready.status == "True" => Check::passed(
            NAME,
            format!(
                "Ready, {} of {} pods{message}",
                claim.number("/status/readyReplicas"),
                claim.number("/status/replicas")
            ),
        ),
        Some(ready) => {
            let message = if message.is_empty() { format!(": {}", ready.why()) } else { message };
            Check::failed(NAME, format!("not Ready{message}"), "see the diagnosis above")
        }
    }
}
