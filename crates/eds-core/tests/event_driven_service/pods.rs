//! What pods say about a Deployment that is not ready, and when they are considered.

use serde_json::{Value, json};

use super::diagnosis::{World, check, counts, with};
use super::lay;

/// Returns a pod with one worker container, or one init container.
fn pod(name: &str, statuses: &str, container: &Value) -> Value {
    of_revision("b", json!({"metadata": {"name": name}, "status": {statuses: [container]}}))
}

/// Returns a pod created by a ReplicaSet of the Deployment; the template's hash names it.
fn of_revision(hash: &str, mut pod: Value) -> Value {
    let owner = json!({"kind": "ReplicaSet", "name": format!("worker-{hash}"), "uid": "u",
        "controller": true});
    lay(
        &mut pod["metadata"],
        &json!({"labels": {"pod-template-hash": hash}, "ownerReferences": [owner]}),
    );
    pod
}

pub(super) fn worker(container: &Value) -> Value {
    pod("p", "containerStatuses", container)
}

fn init(container: &Value) -> Value {
    pod("p", "initContainerStatuses", container)
}

pub(super) fn waiting(reason: &str, message: &str) -> Value {
    json!({"state": {"waiting": {"reason": reason, "message": message}}})
}

/// Checks the cause that these pods give for a service whose only pod is unavailable.
#[track_caller]
fn check_pods(pods: &[Value], expect: &str) {
    let world = World { pods: pods.to_vec(), ..with([1, 1, 1, 0], &json!([])) };
    let expect = match expect {
        "" => "Progressing: 0 of 1 pods are available",
        expect => expect,
    };
    check(&world, &format!("False {expect} (deployment)"));
    // Nor is it fine because it may sleep, if there is a cause.
    if !expect.starts_with("Progressing") {
        let spec = json!({"scaling": {"minReplicas": 0}});
        check(&World { spec, ..world }, &format!("False {expect} (deployment)"));
    }
}

#[test]
fn images_that_cannot_be_pulled() {
    for reason in [
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    ] {
        let expect = "ImagePullFailed: image registry.example.com/worker:1 cannot be pulled: m";
        check_pods(&[worker(&waiting(reason, "m"))], expect);
        check_pods(&[init(&waiting(reason, "m"))], expect);
    }
    check_pods(
        &[worker(&waiting("ErrImagePull", ""))],
        "ImagePullFailed: image registry.example.com/worker:1 cannot be pulled",
    );
    // The image that the pod asks for, if the Deployment is behind the claim.
    let mut other = waiting("ErrImagePull", "m");
    other["image"] = json!("worker:typo");
    check_pods(&[worker(&other)], "ImagePullFailed: image worker:typo cannot be pulled: m");
}

#[test]
fn containers_that_cannot_be_started() {
    let config = waiting("CreateContainerConfigError", "secret \"db\" not found");
    check_pods(
        &[worker(&config)],
        "ConfigurationMissing: the worker cannot be configured: secret \"db\" not found",
    );
    check_pods(
        &[init(&config)],
        "ConfigurationMissing: the init container cannot be configured: secret \"db\" not found",
    );
    for reason in ["CreateContainerError", "RunContainerError", "PostStartHookError"] {
        check_pods(
            &[worker(&waiting(reason, "m"))],
            "ContainerCannotStart: the worker cannot be started: m",
        );
    }
    // A command that does not exist never ran: there is no log to look at.
    for reason in ["StartError", "ContainerCannotRun"] {
        let ended = json!({"exitCode": 128, "reason": reason, "message": "exec: no such file"});
        let expect =
            "ContainerCannotStart: the init container cannot be started: exec: no such file";
        check_pods(&[init(&json!({"state": {"terminated": ended}}))], expect);
        let mut again = waiting("CrashLoopBackOff", "back-off");
        again["lastState"] = json!({"terminated": ended});
        check_pods(&[init(&again)], expect);
    }
}

#[test]
fn containers_that_end() {
    let ended =
        |code: i64, reason: &str| json!({"terminated": {"exitCode": code, "reason": reason}});
    let backing_off = |last: Value, restarts: i64| {
        let mut container = waiting("CrashLoopBackOff", "back-off 5m0s");
        lay(&mut container, &json!({"lastState": last, "restartCount": restarts}));
        container
    };
    check_pods(
        &[worker(&json!({"state": ended(1, "Error"), "restartCount": 0}))],
        "WorkerCrashing: the worker of pod p ended with exit code 1; its log says why",
    );
    check_pods(
        &[worker(&backing_off(ended(2, "Error"), 1))],
        "WorkerCrashing: the worker of pod p ended with exit code 2 and was restarted once; its \
            log says why",
    );
    check_pods(
        &[worker(&backing_off(ended(137, "OOMKilled"), 6))],
        "WorkerCrashing: the worker of pod p ended with exit code 137 and was restarted 6 times \
         (OOMKilled): it needs more memory than spec.size gives",
    );
    check_pods(
        &[worker(&json!({"state": ended(137, "ContainerStatusUnknown")}))],
        "WorkerCrashing: the worker of pod p ended with exit code 137 (ContainerStatusUnknown); \
            its log says why",
    );
    // A worker must not end, not even successfully.
    check_pods(
        &[worker(&backing_off(ended(0, "Completed"), 3))],
        "WorkerCrashing: the worker of pod p ended with exit code 0 and was restarted 3 times; its \
         log says why",
    );
    let running = json!({"running": {}});
    // An init container that is retried; a worker that runs again may well become ready.
    let again = json!({"state": running, "lastState": ended(3, "Error"), "restartCount": 2});
    check_pods(
        &[init(&again)],
        "InitContainerFailed: the init container of pod p ended with exit code 3 and was restarted \
         2 times; its log says why",
    );
    check_pods(&[worker(&again)], "");
    // An init container that succeeded, at the first attempt or the second.
    check_pods(&[init(&json!({"state": ended(0, "Completed")}))], "");
    check_pods(
        &[init(&json!({"state": ended(0, "Completed"), "lastState": ended(1, "Error")}))],
        "",
    );
    check_pods(&[init(&backing_off(json!({}), 1))], "");
    check_pods(&[worker(&waiting("ContainerCreating", ""))], "");
    check_pods(&[worker(&json!({"state": running}))], "");
}

#[test]
fn pods_without_a_node() {
    let unschedulable = |reason: &str| {
        let scheduled = json!([{
            "type": "PodScheduled", "status": "False", "reason": reason,
            "message": "0/1 nodes are available: 1 Insufficient cpu.",
        }]);
        of_revision("b", json!({"metadata": {"name": "p"}, "status": {"conditions": scheduled}}))
    };
    check_pods(
        &[unschedulable("Unschedulable")],
        "Unschedulable: no node has room for a pod: 0/1 nodes are available: 1 Insufficient cpu.",
    );
    check_pods(&[unschedulable("SchedulingGated")], "");
}

#[test]
fn of_many_failures_the_nearest_to_the_cause() {
    let failed = |name: &str| pod(name, "containerStatuses", &waiting("ErrImagePull", name));
    let crashed = json!({"state": {"terminated": {"exitCode": 1}}});
    let expect = |name: &str| {
        format!("ImagePullFailed: image registry.example.com/worker:1 cannot be pulled: {name}")
    };
    // By name, in whatever order they come.
    check_pods(&[failed("b"), failed("a"), failed("c")], &expect("a"));
    check_pods(&[failed("c"), failed("a"), failed("b")], &expect("a"));
    // An init container comes before the worker that waits for it.
    check_pods(
        &[failed("a"), pod("b", "initContainerStatuses", &crashed)],
        "InitContainerFailed: the init container of pod b ended with exit code 1; its log says why",
    );
    // A pod that is being deleted does not count.
    let mut gone = failed("a");
    gone["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    check_pods(&[gone.clone()], "");
    check_pods(&[gone, failed("b")], &expect("b"));
    // Nor is one of an older revision.
    let mut old = of_revision("1", failed("a"));
    let mut new = of_revision("2", worker(&json!({"state": {"running": {}}})));
    old["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    new["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:01Z");
    check_pods(&[old.clone(), new.clone()], "");
    check_pods(&[new, old.clone()], "");
    check_pods(&[old], &expect("a"));
    // What cannot be read is skipped.
    check_pods(&[json!({}), json!({"status": []}), json!({"metadata": 1})], "");
}

#[test]
fn one_pod_of_many_that_fails_is_a_hint() {
    let pods = vec![worker(&waiting("ErrImagePull", "m"))];
    let scaling_up = World { pods, ..with([9, 9, 9, 3], &json!([])) };
    let message = "image registry.example.com/worker:1 cannot be pulled: m";
    check(&scaling_up, &format!("True Available: {message}"));
    let spec = json!({"scaling": {"minReplicas": 4}});
    check(
        &World { spec, ..scaling_up.clone() },
        &format!("False ImagePullFailed: {message} (deployment)"),
    );
    // During a rollout it is the reason, although the old revision works.
    check(
        &World { deployment: counts([1, 2, 1, 1]), ..scaling_up.clone() },
        &format!("False ImagePullFailed: {message} (deployment)"),
    );
    // Pods are not considered once all is well: they were requested for an earlier question.
    check(&World { deployment: counts([1, 1, 1, 1]), ..scaling_up }, "True Available");
}

/// Anybody can write the labels; only pods of the Deployment's newest ReplicaSet count, and only
/// those that are not over.
#[test]
fn pods_that_do_not_count() {
    let failing = || worker(&waiting("ErrImagePull", "m"));
    let expect = "ImagePullFailed: image registry.example.com/worker:1 cannot be pulled: m";
    let check = |change: fn(&mut Value), expect: &str| {
        let mut pod = failing();
        change(&mut pod);
        check_pods(&[pod], expect);
    };
    check(|_| {}, expect);
    check(|p| p["status"]["phase"] = json!("Pending"), expect);
    check(|p| p["status"]["phase"] = json!("Failed"), "");
    check(|p| p["status"]["phase"] = json!("Succeeded"), "");
    check(|p| p["metadata"]["ownerReferences"] = json!([]), "");
    check(|p| p["metadata"]["ownerReferences"][0]["kind"] = json!("Job"), "");
    check(|p| p["metadata"]["ownerReferences"][0]["name"] = json!("worker-canary-b"), "");
    check(|p| p["metadata"]["ownerReferences"][0]["name"] = json!("other-b"), "");
    check(|p| p["metadata"]["labels"] = json!({}), "");
    // An older revision's pod may be the youngest: one that was evicted while a rollout was stuck.
    let progressing = |name: &str| {
        json!([{"type": "Progressing", "status": "True",
                "message": format!("ReplicaSet \"{name}\" is progressing.")}])
    };
    let world =
        |name: &str| World { pods: vec![failing()], ..with([1, 1, 1, 0], &progressing(name)) };
    super::diagnosis::check(&world("worker-b"), &format!("False {expect} (deployment)"));
    super::diagnosis::check(
        &world("worker-c"),
        "False Progressing: 0 of 1 pods are available (deployment)",
    );
}

#[test]
fn memory_and_init_containers() {
    // It runs again, until the next time.
    let again = json!({
        "state": {"running": {}}, "ready": false, "restartCount": 2,
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    });
    check_pods(
        &[worker(&again)],
        "WorkerCrashing: the worker of pod p ended with exit code 137 and was restarted 2 times \
         (OOMKilled): it needs more memory than spec.size gives",
    );
    let running = json!({"state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}});
    check_pods(
        &[init(&running)],
        "Progressing: 0 of 1 pods are available; the init container has been running since \
         2026-01-02T03:04:05Z and has not ended",
    );
    let full = |message: &str| {
        of_revision(
            "b",
            json!({"metadata": {"name": "p"}, "status": {"conditions": [
                {"type": "PodScheduled", "reason": "Unschedulable", "message": message},
            ]}}),
        )
    };
    let taint = "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}.";
    check_pods(&[full(taint)], &format!("Unschedulable: no node takes a pod: {taint}"));
}
