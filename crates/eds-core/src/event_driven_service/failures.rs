//! Why a service's pod does not work. [`kube_object::pods`] decides which pods count.
//!
//! The sentence on the claim and the line of `eds doctor` both come from here; doctor knows more
//! than the step (events, logs, the time), so its [`Evidence`] is fuller.

use kube_object::object::{Fields, Object};
use serde_json::Value;

use super::causes;
use kube_object::pods::{running_init, seconds};

/// Why pods fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// PascalCase reason of the claim's condition.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
    /// What to do about this cause.
    pub fix: String,
}

impl Failure {
    fn new(reason: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { reason, message: message.into(), fix: fix.into() }
    }
}

/// What is known about a pod beyond its status.
#[derive(Debug, Clone, Default)]
pub struct Evidence<'a> {
    /// Reason and message of its events, oldest first.
    pub events: Vec<(&'a str, &'a str)>,
    /// The end of its failed container's log.
    pub log: &'a str,
    /// The time, in seconds since 1970.
    pub now: Option<i64>,
}

impl<'a> Evidence<'a> {
    fn last(&self, reason: &str) -> Option<&'a str> {
        self.events.iter().rev().find(|(r, _)| *r == reason).map(|(_, message)| *message)
    }
}

/// Returns the first failure among the pods, by kind of failure and then by name, so that the same
/// pods always give the same sentence. `image` is what the claim wants, for a container that does
/// not know its own yet. Returns `None` if the pods run or are starting.
pub(super) fn first_failure(pods: &[&Object], image: &str) -> Option<Failure> {
    let nothing = Evidence::default();
    [init as fn(&dyn Fields, &str, &Evidence<'_>) -> Option<Failure>, main, scheduling]
        .iter()
        .find_map(|kind| pods.iter().find_map(|pod| kind(*pod, image, &nothing)))
}

/// Returns why one pod fails, or `None` if it runs or is starting.
#[must_use]
pub fn failure(pod: &dyn Fields, image: &str, evidence: &Evidence<'_>) -> Option<Failure> {
    init(pod, image, evidence)
        .or_else(|| main(pod, image, evidence))
        .or_else(|| scheduling(pod, image, evidence))
}

/// Returns why a pod of any workload fails.
#[must_use]
pub fn failure_of_any(pod: &dyn Fields) -> Option<Failure> {
    const ROLE: Role = Role { name: "container", crashing: "Crashing" };
    let nothing = Evidence::default();
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|key| pod.list(&format!("/status/{key}")))
        .find_map(|c| container(pod, c, &ROLE, "", &nothing))
}

fn init(pod: &dyn Fields, image: &str, evidence: &Evidence<'_>) -> Option<Failure> {
    pod.list("/status/initContainerStatuses")
        .find_map(|c| container(pod, c, &INIT, image, evidence))
}

fn main(pod: &dyn Fields, image: &str, evidence: &Evidence<'_>) -> Option<Failure> {
    pod.list("/status/containerStatuses").find_map(|c| container(pod, c, &WORKER, image, evidence))
}

fn scheduling(pod: &dyn Fields, _: &str, _: &Evidence<'_>) -> Option<Failure> {
    let scheduled = pod.condition("PodScheduled")?;
    let message = scheduled.message;
    if scheduled.reason != "Unschedulable" {
        return None;
    }
    let what = if causes::is_about_room(message) { "has room for" } else { "takes" };
    let cause = format!("no node {what} a pod: {message}");
    Some(Failure::new("Unschedulable", cause, causes::scheduling(message)))
}

/// A container's role in the service.
struct Role {
    name: &'static str,
    crashing: &'static str,
}

const INIT: Role = Role { name: "init container", crashing: "InitContainerFailed" };
const WORKER: Role = Role { name: "worker", crashing: "WorkerCrashing" };

/// Explains a container, by the kubelet's reasons: `pkg/kubelet/images/types.go` and
/// `pkg/kubelet/container/sync_result.go`.
fn container(
    pod: &dyn Fields,
    container: &Value,
    role: &Role,
    image: &str,
    evidence: &Evidence<'_>,
) -> Option<Failure> {
    let waiting = |key| container.text(&format!("/state/waiting/{key}"));
    let what = role.name;
    let message = waiting("message");
    let detail = || if message.is_empty() { String::new() } else { format!(": {message}") };
    match waiting("reason") {
        reason @ ("ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed") => {
            let image = match container.text("/image") {
                "" => image,
                image => image,
            };
            // An older kubelet that backs off has forgotten the reason; its event has not.
            let before = evidence.last("Failed").filter(|m| m.contains("pull"));
            let known = format!("{reason} {message} {}", before.unwrap_or_default());
            let of = if image.is_empty() { "its image" } else { "image " };
            let cause = format!("{of}{image} cannot be pulled{}", detail());
            Some(Failure::new("ImagePullFailed", cause, causes::pull(&known)))
        }
        "CreateContainerConfigError" => Some(Failure::new(
            "ConfigurationMissing",
            format!("the {what} cannot be configured{}", detail()),
            causes::configuration(message),
        )),
        "CreateContainerError" | "RunContainerError" | "PostStartHookError" => Some(Failure::new(
            "ContainerCannotStart",
            format!("the {what} cannot be started{}", detail()),
            causes::start(message, what),
        )),
        reason => ended(pod, container, role, reason, evidence),
    }
}

/// Explains why a container has ended.
fn ended(
    pod: &dyn Fields,
    container: &Value,
    role: &Role,
    waiting: &str,
    evidence: &Evidence<'_>,
) -> Option<Failure> {
    let Role { name: what, crashing } = *role;
    // Between two attempts the container is terminated, or waits with its last termination kept.
    let state = |state| container.at(&format!("/{state}/terminated")).and_then(Value::as_object);
    let killed = || evidence.last("Killing").filter(|m| m.contains("failed liveness probe"));
    let is_ready = container.at("/ready").and_then(Value::as_bool) == Some(true);
    // One that runs again may well become ready; a closer look knows better.
    let again = || !is_ready && (evidence.now.is_some() && killed().is_some() || is_oom(container));
    let last = state("state").or_else(|| {
        (waiting == "CrashLoopBackOff" || what == "init container" || again())
            .then(|| state("lastState"))
            .flatten()
    })?;
    let code = last.integer("/exitCode").unwrap_or(0);
    let by_probe = killed();
    if code == 0 && waiting != "CrashLoopBackOff" && by_probe.is_none() {
        return None;
    }
    let why = last.text("/reason");
    let said = last.text("/message");
    if matches!(why, "StartError" | "ContainerCannotRun") {
        // The command does not exist or is not executable: nothing ran, so there is no log.
        let cause = format!("the {what} cannot be started: {said}");
        return Some(Failure::new("ContainerCannotStart", cause, causes::start(said, what)));
    }
    if evidence.log.contains("exec format error") {
        let cause = format!("the {what} cannot be started: exec format error");
        let fix = causes::start("exec format error", what);
        return Some(Failure::new("ContainerCannotStart", cause, fix));
    }
    let name = pod.text("/metadata/name");
    let who = match what {
        "container" => "its container".to_owned(),
        _ => format!("the {what} of pod {name}"),
    };
    let restarts = match container.integer("/restartCount").unwrap_or(0) {
        0 => String::new(),
        1 => " and was restarted once".to_owned(),
        n => format!(" and was restarted {n} times"),
    };
    if by_probe.is_some() && why != "OOMKilled" {
        let (cause, fix) = probe(evidence, "Liveness");
        let cause = format!("{who} was killed by its liveness probe{restarts}: {cause}");
        return Some(Failure::new(crashing, cause, fix));
    }
    let hint = match why {
        "OOMKilled" if what == "container" => " (OOMKilled): it needs more memory".to_owned(),
        "OOMKilled" => " (OOMKilled): it needs more memory than spec.size gives".to_owned(),
        "" | "Error" | "Completed" => "; its log says why".to_owned(),
        other => format!(" ({other}); its log says why"),
    };
    let fix = match (what, why) {
        ("init container", "OOMKilled") | ("worker", _) => causes::exit(code, why),
        _ if code == 137 || code == 139 || code == 126 || code == 127 => causes::exit(code, why),
        _ => None,
    };
    // What the log shows is more specific than what a code conventionally means.
    let fix = match why {
        "OOMKilled" => fix,
        _ => causes::log(evidence.log).or(fix),
    };
    let flag = if what == "init container" { " -c init" } else { "" };
    let logs = || {
        let namespace = pod.text("/metadata/namespace");
        format!("kubectl -n {namespace} logs {name}{flag} --previous")
    };
    Some(Failure::new(
        crashing,
        format!("{who} ended with exit code {code}{restarts}{hint}"),
        fix.map_or_else(logs, str::to_owned),
    ))
}

/// Reports whether it was last killed for lack of memory.
fn is_oom(container: &Value) -> bool {
    container.text("/lastState/terminated/reason") == "OOMKilled"
}

/// Explains the latest failed probe of this kind.
fn probe(evidence: &Evidence<'_>, kind: &str) -> (String, String) {
    let mut newest = evidence.events.iter().rev();
    let found = newest.find(|(reason, m)| *reason == "Unhealthy" && m.starts_with(kind));
    match found {
        Some((_, message)) => {
            let (cause, fix) = causes::probe(message);
            (cause, fix.to_owned())
        }
        None => (format!("{} says no", kind.to_lowercase()), causes::NOT_READY.to_owned()),
    }
}

/// Explains why a pod that has not failed is not ready, by its init container, its node, its probes
/// or its latest event. `otherwise` is what is already known.
#[must_use]
pub fn not_ready(pod: &dyn Fields, evidence: &Evidence<'_>, otherwise: &str) -> Failure {
    let name = pod.text("/metadata/name");
    if let Some(since) = running_init(pod) {
        let age =
            evidence.now.zip(seconds(since)).map(|(now, since)| now.saturating_sub(since).max(0));
        let age = age.map_or_else(|| format!("since {since}"), |age| format!("for {age} s"));
        return Failure::new(
            "Progressing",
            format!("the init container has been running {age} and has not ended"),
            "an init container must end before the worker starts: does spec.initContainer.command \
                run something that goes on for ever, or wait for something? its log says",
        );
    }
    let (reason, message) = evidence.events.last().copied().unwrap_or_default();
    let is_running =
        pod.list("/status/containerStatuses").any(|c| c.at("/state/running").is_some());
    if is_running {
        let readiness =
            |(reason, m): &&(&str, &str)| *reason == "Unhealthy" && m.starts_with("Readiness");
        if let Some((_, message)) = evidence.events.iter().rev().find(readiness) {
            let (cause, fix) = causes::probe(message);
            let fix = if fix == causes::NOT_READY {
                causes::log(evidence.log).unwrap_or(fix)
            } else {
                fix
            };
            return Failure::new(
                "Progressing",
                format!("pod {name} is not ready: {cause} ({})", message.trim()),
                fix,
            );
        }
        let fix = causes::log(evidence.log).unwrap_or(causes::NOT_READY);
        return Failure::new("Progressing", otherwise, fix);
    }
    let fix = match reason {
        "FailedCreatePodSandBox" | "FailedPodSandBoxStatus" | "NetworkNotReady" => {
            "the node cannot give the pod its network: a platform engineer looks at the network \
                plugin and its free addresses"
        }
        "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => {
            "a volume cannot be mounted: is the Secret or ConfigMap that the message names there?"
        }
        "" => "look again in some seconds; kubectl describe pod says what it waits for",
        _ => "the event says what it waits for; kubectl describe pod says more",
    };
    let cause = match message.trim() {
        "" => otherwise.to_owned(),
        message => format!("{otherwise}; {message}"),
    };
    Failure::new("Progressing", cause, fix)
}

/// Explains why the pods of a ReplicaSet are not even created, from the API server's refusal.
#[must_use]
pub fn creation_failure(message: &str) -> Failure {
    let reason =
        if message.contains("exceeded quota") { "QuotaExceeded" } else { "PodsNotCreated" };
    Failure::new(reason, format!("pods cannot be created: {message}"), causes::creation(message))
}

/// Explains the same if the reason in the ReplicaSet's status is outdated: its controller writes
/// the first message and keeps it for as long as it fails
/// (`pkg/controller/replicaset/replica_set_utils.go`), so a pod that once came before its
/// ServiceAccount hides what is in its way now.
pub(super) fn stale_failure() -> Failure {
    Failure::new(
        "PodsNotCreated",
        "pods cannot be created, and the reason that the Deployment still shows is over (its \
         ServiceAccount is there now): the newest FailedCreate event of its ReplicaSet says why",
        "kubectl get events --field-selector reason=FailedCreate; eds doctor",
    )
}

/// Reports whether a refusal is due to a missing ServiceAccount.
#[must_use]
pub fn wants_service_account(message: &str) -> bool {
    message.contains("error looking up service account")
}
