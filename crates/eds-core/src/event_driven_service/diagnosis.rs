//! Why a service is not ready, in one sentence, from everything that was observed together.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{Kind, condition, get, integer, list, text};
use super::objects;
use super::readiness::{self, Replicas, Verdict};
use super::spec::Spec;
use crate::protocol::{Match, Object, Resource, ResourceSelector};

/// Key under which the service's pods are asked for.
pub(super) const PODS: &str = "pods";

/// The service as a whole.
#[derive(Debug)]
pub(super) struct Diagnosis {
    pub(super) is_ready: bool,
    /// PascalCase reason of the condition.
    pub(super) reason: &'static str,
    /// One sentence; absent when all is well.
    pub(super) message: Option<String>,
    /// Pods, once the Deployment exists.
    pub(super) replicas: Option<Replicas>,
    /// The pods to look at in the next run, while something is not settled.
    pub(super) wants_pods: Option<ResourceSelector>,
    not_ready: BTreeSet<String>,
}

impl Diagnosis {
    /// Whether the composed resource of this name does its work.
    pub(super) fn ready(&self, name: &str) -> bool {
        !self.not_ready.contains(name)
    }

    /// Judges every desired manifest, and lets the pods say why the Deployment is not ready.
    pub(super) fn of(
        spec: &Spec,
        desired: &BTreeMap<String, Resource>,
        observed: &BTreeMap<String, Resource>,
        required: &BTreeMap<String, Vec<Resource>>,
    ) -> Self {
        let mut diagnosis = Self {
            is_ready: true,
            reason: "Available",
            message: None,
            replicas: None,
            wants_pods: None,
            not_ready: BTreeSet::new(),
        };
        // The worst that was found: the smaller, the nearer to the cause.
        let mut worst: Option<(u8, &'static str, String)> = None;
        let mut blame = |rank: u8, reason: &'static str, message: String| {
            if worst.as_ref().is_none_or(|(r, ..)| rank < *r) {
                worst = Some((rank, reason, message));
            }
        };
        let mut hint = None;

        for (name, resource) in desired {
            let Some(manifest) = resource.resource.as_ref() else { continue };
            let kind = Kind::of(manifest);
            let seen = observed.get(name).and_then(|r| r.resource.as_ref());
            let mut verdict = readiness::of(kind, manifest, seen, spec);
            if kind == Kind::Deployment
                && let Some(live) = seen.and_then(objects::live)
            {
                let replicas = Replicas::of(live);
                diagnosis.replicas = Some(replicas);
                if !replicas.settled() {
                    diagnosis.wants_pods = Some(pods_of(manifest, spec));
                    let pods = required.get(PODS).map(Vec::as_slice).unwrap_or_default();
                    let trouble = cause(pods, &spec.image.reference)
                        .or_else(|| readiness::replica_failure(live));
                    if let Some((reason, message)) = trouble {
                        // A service with enough pods does its work although one more fails.
                        let idle =
                            replicas.available < replicas.desired.min(spec.min_replicas).max(1);
                        if verdict != Verdict::Ready || idle {
                            verdict = Verdict::NotReady(reason, message);
                        } else {
                            hint = Some(message);
                        }
                    }
                }
            }
            if let Verdict::NotReady(reason, message) = verdict {
                diagnosis.not_ready.insert(name.clone());
                blame(rank(reason, kind), reason, message);
            }
        }

        if let Some((_, reason, message)) = worst {
            diagnosis.is_ready = false;
            diagnosis.reason = reason;
            diagnosis.message = Some(message);
        } else {
            diagnosis.message = hint;
            if diagnosis.replicas.is_some_and(|r| r.desired == 0) {
                diagnosis.reason = "ScaledToZero";
            }
        }
        diagnosis
    }
}

/// A cause outranks a symptom: what cannot be applied, then pods that fail, then the scaler, then
/// what merely takes its time.
fn rank(reason: &str, kind: Kind) -> u8 {
    match (reason, kind) {
        ("ApplyFailed", _) => 0,
        ("Progressing" | "Creating" | "Scaler", Kind::Deployment) => 3,
        ("Progressing" | "Creating" | "Scaler", _) => 4,
        (_, Kind::Deployment) => 1,
        _ => 2,
    }
}

fn pods_of(deployment: &Object, spec: &Spec) -> ResourceSelector {
    let labels = get(deployment, &["spec", "selector", "matchLabels"])
        .and_then(|l| l.as_object())
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
        .collect();
    ResourceSelector {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        match_: Match::Labels(labels),
        namespace: Some(spec.claim.namespace.clone()),
    }
}

/// The pods of the newest revision, by name. What ails an older one is over with the rollout, and
/// may be the very thing that the claim's last change has mended.
fn current(pods: &[Resource]) -> Vec<&Object> {
    let revision = |p: &Object| text(p, &["metadata", "labels", "pod-template-hash"]).to_owned();
    let mut pods: Vec<&Object> = pods
        .iter()
        .filter_map(|p| p.resource.as_ref())
        .filter(|p| get(p, &["metadata", "deletionTimestamp"]).is_none())
        .collect();
    pods.sort_by_key(|p| text(p, &["metadata", "name"]));
    // Times of this form sort as text.
    let newest = pods.iter().max_by_key(|p| text(p, &["metadata", "creationTimestamp"]));
    if let Some(newest) = newest.map(|p| revision(p)) {
        pods.retain(|p| revision(p) == newest);
    }
    pods
}

/// The first failure among the pods, by kind of failure and then by name, so that the same pods
/// always give the same sentence.
fn cause(pods: &[Resource], image: &str) -> Option<(&'static str, String)> {
    pods_cause(&current(pods), image)
}

/// A pod's failure: a condition reason in PascalCase, and a sentence. `image` is what the claim
/// wants, for a container that does not know its own yet. None where it runs, or is on its way.
#[must_use]
pub fn pod_failure(pod: &Object, image: &str) -> Option<(&'static str, String)> {
    pods_cause(&[pod], image)
}

fn pods_cause(pods: &[&Object], image: &str) -> Option<(&'static str, String)> {
    let containers = |key: &'static str| {
        pods.iter().flat_map(move |p| list(p, &["status", key]).map(move |c| (*p, c)))
    };
    let init = containers("initContainerStatuses")
        .find_map(|(p, c)| container_cause(p, c, "init container", "InitContainerFailed", image));
    let main = || {
        containers("containerStatuses")
            .find_map(|(p, c)| container_cause(p, c, "worker", "WorkerCrashing", image))
    };
    let scheduling = || {
        pods.iter().find_map(|p| {
            let scheduled = condition(p, "PodScheduled")?;
            (text(scheduled, &["reason"]) == "Unschedulable").then(|| {
                let message = text(scheduled, &["message"]);
                ("Unschedulable", format!("no node has room for a pod: {message}"))
            })
        })
    };
    init.or_else(main).or_else(scheduling)
}

/// Reasons as kubelet gives them: `pkg/kubelet/images/types.go` and
/// `pkg/kubelet/container/sync_result.go`.
fn container_cause(
    pod: &Object,
    container: &Object,
    what: &str,
    crashing: &'static str,
    image: &str,
) -> Option<(&'static str, String)> {
    let waiting = |key| text(container, &["state", "waiting", key]);
    let detail = || match waiting("message") {
        "" => String::new(),
        message => format!(": {message}"),
    };
    match waiting("reason") {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => {
            let image = match text(container, &["image"]) {
                "" => image,
                image => image,
            };
            Some(("ImagePullFailed", format!("image {image} cannot be pulled{}", detail())))
        }
        "CreateContainerConfigError" => {
            Some(("ConfigurationMissing", format!("the {what} cannot be configured{}", detail())))
        }
        "CreateContainerError" | "RunContainerError" | "PostStartHookError" => {
            Some(("ContainerCannotStart", format!("the {what} cannot be started{}", detail())))
        }
        reason => {
            // Between two tries the container is terminated, or waits with its last end kept.
            let ended = |state| get(container, &[state, "terminated"]).and_then(|t| t.as_object());
            let last = ended("state").or_else(|| {
                (reason == "CrashLoopBackOff" || what == "init container")
                    .then(|| ended("lastState"))
                    .flatten()
            })?;
            let code = integer(last, &["exitCode"]).unwrap_or(0);
            if code == 0 && reason != "CrashLoopBackOff" {
                return None;
            }
            let why = text(last, &["reason"]);
            if matches!(why, "StartError" | "ContainerCannotRun") {
                // The command is not there, or not executable: nothing ran, so there is no log.
                let message = text(last, &["message"]);
                return Some((
                    "ContainerCannotStart",
                    format!("the {what} cannot be started: {message}"),
                ));
            }
            let pod = text(pod, &["metadata", "name"]);
            let restarts = match integer(container, &["restartCount"]).unwrap_or(0) {
                0 => String::new(),
                1 => " and was restarted once".to_owned(),
                n => format!(" and was restarted {n} times"),
            };
            let hint = match why {
                "OOMKilled" => " (OOMKilled): it needs more memory than spec.size gives".to_owned(),
                "" | "Error" | "Completed" => "; its log says why".to_owned(),
                other => format!(" ({other}); its log says why"),
            };
            Some((
                crashing,
                format!("the {what} of pod {pod} ended with exit code {code}{restarts}{hint}"),
            ))
        }
    }
}
