//! Why pods do not run, in a real cluster's words: each cause must be named, with its own fix.

use eds_verify::claim::{ClaimFacts, Log, report};
use serde_json::{Value, json};

use super::claim::{check, condition, pod, well};
use super::{at, says};

fn event(object: &str, reason: &str, message: &str) -> Value {
    json!({"involvedObject": {"name": object}, "reason": reason, "message": message})
}

/// Breaks one thing about the pods; `fix` must be in what doctor says to do.
#[track_caller]
fn cause(change: impl FnOnce(&mut ClaimFacts), expected: &str, fix: &str) {
    let mut facts = well();
    change(&mut facts);
    let report = report(&facts);
    let first = &report.sections[0].checks[0];
    assert!(first.detail.starts_with(&format!("Pods, {expected}")), "{first:#?}");
    assert!(first.fix.as_ref().unwrap().contains(fix), "{first:#?} does not say: {fix}");
}

#[test]
fn images() {
    let check = |message: &str, fix: &str| {
        let change = |f: &mut ClaimFacts| {
            f.pods[0]["status"] = json!({"containerStatuses": [{
                "name": "main", "image": "i:1",
                "state": {"waiting": {"reason": "ImagePullBackOff", "message": message}},
            }]});
        };
        cause(change, "worker-b-1: image i:1 cannot be pulled", fix);
    };
    let pull = |why: &str| format!("Back-off pulling image \"i:1\": ErrImagePull: {why}");
    check(
        &pull("no match for platform in manifest: not found"),
        "not built for the nodes' platform",
    );
    check(
        &pull("failed to resolve reference: r.example.com/i:1: not found"),
        "no such image or tag",
    );
    check(&pull("manifest unknown"), "no such image or tag");
    check(
        &pull("pull access denied, repository does not exist or may require authorization"),
        "or it is private",
    );
    check(&pull("failed to authorize: 401 Unauthorized"), "wants a login");
    check(&pull("unexpected status: 403 Forbidden"), "wants a login");
    check(
        &pull("dial tcp: lookup r.example.com on 10.0.0.10:53: no such host"),
        "do not reach the registry",
    );
    check(&pull("dial tcp 10.0.0.1:443: i/o timeout"), "do not reach the registry");
    check(
        &pull("tls: failed to verify certificate: x509: certificate signed by unknown authority"),
        "certificate",
    );
    check(&pull("http: server gave HTTP response to HTTPS client"), "plain HTTP");
    check(&pull("toomanyrequests: You have reached your pull rate limit"), "limits how often");
    check(&pull("write /var/lib/containerd: no space left on device"), "disk is full");
    check("", "is spec.image spelled right, and pushed?");
    // An older kubelet that backs off has forgotten why.
    cause(
        |f| {
            f.pods[0]["status"] = json!({"containerStatuses": [
                {"name": "main", "image": "i:1",
                    "state": {"waiting": {"reason": "ImagePullBackOff"}}},
            ]});
            f.events = vec![event(
                "worker-b-1",
                "Failed",
                "Failed to pull image \"i:1\": 401 Unauthorized",
            )];
        },
        "worker-b-1: image i:1 cannot be pulled",
        "wants a login",
    );
}

#[test]
fn nodes() {
    let check = |message: &str, expected: &str, fixes: &[&str]| {
        for fix in fixes {
            let change = |f: &mut ClaimFacts| {
                let mut scheduled = condition("PodScheduled", "False", message);
                scheduled["reason"] = json!("Unschedulable");
                f.pods[0]["status"] = json!({"conditions": [scheduled]});
            };
            cause(change, &format!("worker-b-1: {expected}: {message}"), fix);
        }
    };
    let room = "no node has room for a pod";
    let takes = "no node takes a pod";
    check("0/3 nodes are available: 3 Insufficient cpu.", room, &["smaller spec.size"]);
    check("0/1 nodes are available: 1 Insufficient memory.", room, &["smaller spec.size"]);
    check("0/1 nodes are available: 1 Too many pods.", room, &["all the pods that it may"]);
    check(
        "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}.",
        takes,
        &["kubectl taint nodes NODE dedicated-", "taint dedicated: gpu"],
    );
    check(
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {a: b}.",
        takes,
        &["smaller spec.size", "kubectl taint nodes NODE a-"],
    );
    check(
        "0/1 nodes are available: 1 node(s) had untolerated taint \
            {node.kubernetes.io/disk-pressure: }.",
        takes,
        &["short of disk"],
    );
    check(
        "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: \
            }.",
        takes,
        &["not Ready"],
    );
    check("0/1 nodes are available: 1 node(s) were unschedulable.", takes, &["uncordon"]);
    check(
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
        takes,
        &["labels"],
    );
    check("no nodes available to schedule pods", takes, &["adds one"]);
}

#[test]
fn creation() {
    let check = |message: &str, fix: &str| {
        let message = format!("pods \"worker-b-x\" is forbidden: {message}");
        let change = |f: &mut ClaimFacts| {
            f.pods.clear();
            f.live[0]["status"] =
                json!({"conditions": [condition("ReplicaFailure", "True", &message)]});
        };
        cause(change, &format!("creation: pods cannot be created: {message}"), fix);
    };
    check(
        "exceeded quota: q, requested: cpu=1, used: cpu=0, limited: cpu=0",
        "raise the namespace's ResourceQuota",
    );
    check(
        "failed quota: q: must specify limits.ephemeral-storage for: main",
        "take that resource out",
    );
    check(
        "maximum cpu usage per Container is 500m, but limit is 1",
        "LimitRange allows no container of this size",
    );
    check(
        "minimum memory usage per Container is 3Gi, but request is 512Mi",
        "LimitRange wants larger",
    );
    check(
        "cpu max limit to request ratio per Container is 1, but provided ratio is 4.000000",
        "maxLimitRequestRatio",
    );
    check(
        "violates PodSecurity \"restricted:latest\": runAsNonRoot != true",
        "something changes them",
    );
    check(
        "admission webhook \"policy.example.com\" denied the request: no",
        "admission policy or webhook",
    );
    check(
        "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
        "admission policy or webhook",
    );
    check(
        "failed calling webhook \"a.b\": no endpoints available for service \"w\"",
        "does not answer",
    );
    check(
        "unable to create new content in namespace shop because it is being terminated",
        "being deleted",
    );
    check("something new", "kubectl describe replicasets");
}

/// The Deployment's condition keeps the first message; the newest ReplicaSet's newest event knows.
#[test]
fn creation_as_the_newest_event_has_it() {
    const OLD: &str = "pods \"worker-b-x\" is forbidden: error looking up service account \
        shop/worker: serviceaccount \"worker\" not found";
    const QUOTA: &str = "pods \"worker-b-y\" is forbidden: exceeded quota: six, requested: pods=1";
    let with = |account: bool, events: &[(&str, &str)], expected: &str, fix: &str| {
        let events: Vec<Value> =
            events.iter().map(|(set, message)| event(set, "FailedCreate", message)).collect();
        let change = |f: &mut ClaimFacts| {
            f.pods.clear();
            f.live[0]["status"] = json!({"conditions": [condition("ReplicaFailure", "True", OLD)]});
            if account {
                f.live.push(json!({"kind": "ServiceAccount", "metadata": {"name": "worker"}}));
            }
            f.events = events;
        };
        cause(change, &format!("creation: {expected}"), fix);
    };
    let said = format!("pods cannot be created: {QUOTA}");
    let error = format!("Error creating: {QUOTA}");
    with(true, &[("worker-b", OLD), ("worker-b", &error)], &said, "ResourceQuota");
    let combined = format!("(combined from similar events): {error}");
    with(true, &[("worker-b", &combined)], &said, "ResourceQuota");
    // From another revision, or somebody else's.
    let over = "pods cannot be created, and the only reason that is known is over";
    with(true, &[("worker-a", &error), ("other-b", &error)], over, "tries again");
    with(true, &[], over, "tries again");
    with(false, &[], &format!("pods cannot be created: {OLD}"), "who deleted it?");
}

/// Makes a running worker unready; probes and events say why.
fn unready(facts: &mut ClaimFacts) {
    *at(&mut facts.pods[0], "/status/conditions/0") =
        condition("Ready", "False", "containers with unready status: [main]");
    facts.pods[0]["status"]["containerStatuses"][0]["ready"] = json!(false);
}

#[test]
fn probes() {
    let check = |message: &str, expected: &str, fix: &str| {
        let change = |f: &mut ClaimFacts| {
            unready(f);
            f.events = vec![event("worker-b-1", "Unhealthy", message)];
        };
        cause(change, &format!("worker-b-1: pod worker-b-1 is not ready: {expected}"), fix);
    };
    let get =
        |why: &str| format!("Readiness probe failed: Get \"http://10.78.0.5:8080/ready\": {why}");
    check(
        &get("dial tcp 10.78.0.5:8080: connect: connection refused"),
        "nothing listens on the pod's address at 8080",
        "listen on 0.0.0.0:8080",
    );
    check(
        &get("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"),
        "/ready does not answer in time",
        "beside the work",
    );
    check(
        &get("net/http: HTTP/1.x transport connection broken: malformed HTTP response"),
        "what listens at 8080 does not speak HTTP",
        "plain HTTP",
    );
    check(
        &get("dial tcp 10.78.0.5:8080: i/o timeout"),
        "the node does not reach the pod",
        "NetworkPolicy",
    );
    check(
        "Readiness probe failed: HTTP probe failed with statuscode: 404",
        "/ready answers with status 404",
        "GET /health and GET /ready",
    );
    check(
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "/ready answers with status 503",
        "connected to NATS",
    );

    // Killed by its liveness probe: between two attempts, and running again.
    let killed = |state: Value| {
        move |f: &mut ClaimFacts| {
            unready(f);
            f.pods[0]["status"]["containerStatuses"][0] = json!({
                "name": "main", "ready": false, "restartCount": 3, "state": state,
                "lastState": {"terminated": {"exitCode": 137, "reason": "Error"}},
            });
            let refused =
                "probe failed: Get \"http://10.78.0.5:8080/health\": dial tcp: connection refused";
            f.events = vec![
                event("worker-b-1", "Unhealthy", &format!("Liveness {refused}")),
                event(
                    "worker-b-1",
                    "Killing",
                    "Container main failed liveness probe, will be restarted",
                ),
                event("worker-b-1", "Unhealthy", &format!("Readiness {refused}")),
            ];
        }
    };
    let expected = "worker-b-1: the worker of pod worker-b-1 was killed by its liveness probe and \
        was restarted 3 times: nothing listens on the pod's address at 8080";
    cause(killed(json!({"running": {}})), expected, "listen on 0.0.0.0:8080");
    cause(
        killed(json!({"waiting": {"reason": "CrashLoopBackOff"}})),
        expected,
        "listen on 0.0.0.0:8080",
    );
}

#[test]
fn init_containers() {
    cause(
        |f| {
            *at(&mut f.pods[0], "/status/conditions/0") =
                condition("Ready", "False", "containers with unready status: [main]");
            f.pods[0]["status"]["initContainerStatuses"] = json!([
                {"name": "init", "state": {"running": {"startedAt": "2026-11-27T02:50:16Z"}}},
            ]);
            f.pods[0]["status"]["containerStatuses"] =
                json!([{"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}]);
        },
        "worker-b-1: the init container has been running for 60 s and has not ended",
        "must end before the worker starts",
    );
}

#[test]
fn ends() {
    let check = |code: i64, reason: &str, message: &str, log: &str, expected: &str, fix: &str| {
        let change = |f: &mut ClaimFacts| {
            f.pods[0]["status"] = json!({"containerStatuses": [{
                "name": "main", "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": code, "reason": reason,
                    "message": message}},
            }]});
            let (pod, container, text) =
                ("worker-b-1".to_owned(), "main".to_owned(), log.to_owned());
            f.logs = vec![Log { pod, container, text }];
        };
        cause(change, &format!("worker-b-1: the worker {expected}"), fix);
    };
    let ended = |code: i64| format!("of pod worker-b-1 ended with exit code {code}");
    check(137, "OOMKilled", "", "", &ended(137), "choose a larger spec.size");
    check(137, "Error", "", "", &ended(137), "killed from outside");
    check(139, "Error", "", "", &ended(139), "SIGSEGV");
    check(132, "Error", "", "", &ended(132), "CPU");
    check(134, "Error", "", "", &ended(134), "SIGABRT");
    check(126, "Error", "", "", &ended(126), "may not be executed");
    check(127, "Error", "", "sh: foo: not found", &ended(127), "did not find a program");
    check(0, "Completed", "", "", &ended(0), "must not end");
    check(1, "Error", "", "panic", &ended(1), "kubectl -n shop logs worker-b-1 --previous");
    check(1, "Error", "", "open /data/x: read-only file system", &ended(1), "write to a directory");
    check(1, "Error", "", "bind: permission denied", &ended(1), "user 1000");
    check(1, "Error", "", "lookup nats.nats.svc: no such host", &ended(1), "name is not found");
    check(1, "Error", "", "nats: Authorization Violation", &ended(1), "NATS refuses its login");
    check(
        255,
        "Error",
        "",
        "exec /worker: exec format error",
        "cannot be started: exec format error",
        "another platform",
    );
    let start = |why: &str| {
        format!("failed to create containerd task: runc create failed: exec: \"/w\": {why}")
    };
    check(
        128,
        "StartError",
        &start("stat /w: no such file or directory"),
        "",
        "cannot be started",
        "not in the image",
    );
    check(128, "StartError", &start("permission denied"), "", "cannot be started", "chmod 755");
    check(
        128,
        "StartError",
        &start("exec format error"),
        "",
        "cannot be started",
        "another platform",
    );
}

#[test]
fn configuration_and_start() {
    let check = |reason: &str, message: &str, fix: &str| {
        let change = |f: &mut ClaimFacts| {
            f.pods[0]["status"] = json!({"containerStatuses": [
                {"name": "main", "state": {"waiting": {"reason": reason, "message": message}}},
            ]});
        };
        cause(change, "worker-b-1: the worker cannot be", fix);
    };
    check("CreateContainerConfigError", "secret \"db\" not found", "make the Secret");
    check("CreateContainerConfigError", "couldn't find key url in Secret shop/db", "add the key");
    check(
        "CreateContainerConfigError",
        "container has runAsNonRoot and image will run as root",
        "numeric USER",
    );
    check(
        "CreateContainerConfigError",
        "failed to sync secret cache: timed out waiting for the condition",
        "look again",
    );
    check("CreateContainerError", "no command specified", "has no entrypoint");
    check("RunContainerError", "context deadline exceeded", "too busy");
}

/// What comes before the containers: the pod's network, its volumes, its node.
#[test]
fn before_the_containers() {
    let check = |reason: &str, message: &str, fix: &str| {
        let change = |f: &mut ClaimFacts| {
            *at(&mut f.pods[0], "/status/conditions/0") = condition("Ready", "False", "not ready");
            f.pods[0]["status"]["containerStatuses"] =
                json!([{"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]);
            f.events = vec![event("worker-b-1", reason, message)];
        };
        cause(
            change,
            &format!("worker-b-1: pod worker-b-1 is not ready: not ready; {message}"),
            fix,
        );
    };
    check("FailedCreatePodSandBox", "plugin failed: no IP addresses available", "network plugin");
    check("FailedMount", "MountVolume.SetUp failed", "cannot be mounted");
    let mut facts = well();
    unready(&mut facts);
    facts.platform.nodes.push(json!({
        "metadata": {"name": "b"},
        "status": {"conditions": [condition("Ready", "Unknown", "kubelet stopped posting node \
            status")]},
    }));
    facts.pods[0]["spec"]["nodeName"] = json!("b");
    let report = report(&facts);
    says(
        &report,
        &[
            "shop/worker: diagnosis: failed: Pods, worker-b-1: pod worker-b-1 is not ready",
            "Platform: Kubernetes: nodes: warning: b: Ready is Unknown",
            "Pods: worker-b-1: failed: pod worker-b-1 is not ready: containers with unready \
                status: [main]; its node b is not Ready: kubelet stopped posting node status",
        ],
    );
}

/// Other services' pods, and those that have ended, do not concern the service.
#[test]
fn pods_that_do_not_count() {
    let beside = |change: fn(&mut Value)| {
        let mut other = pod("other");
        *at(&mut other, "/status/conditions/0") = condition("Ready", "False", "failing");
        other["status"]["containerStatuses"] = json!([
            {"name": "main", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}},
        ]);
        other["metadata"]["creationTimestamp"] = json!("2026-01-03T00:00:00Z");
        change(&mut other);
        check(|f| f.pods.push(other), "", &[]);
    };
    beside(|p| {
        p["status"]["phase"] = json!("Failed");
        p["status"]["reason"] = json!("Evicted");
    });
    beside(|p| {
        p["status"]["phase"] = json!("Failed");
        p["status"]["reason"] = json!("Terminated");
    });
    beside(|p| {
        p["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": "nightly-1", "uid": "j"}])
    });
    beside(|p| p["metadata"]["ownerReferences"] = json!([]));
    beside(|p| p["metadata"]["ownerReferences"][0]["uid"] = json!("uid-of-another"));
    beside(|p| p["metadata"]["ownerReferences"][0]["uid"] = json!("uid-a"));
    // Only leftovers: then there is no pod, which is a different matter.
    check(
        |f| f.pods[0]["status"]["phase"] = json!("Failed"),
        "Pods, replicas: none of 1 pod is there yet",
        &["Pods: replicas: failed"],
    );
    // Ready, and killed for lack of memory a while ago.
    check(
        |f| {
            f.pods[0]["status"]["containerStatuses"][0]["restartCount"] = json!(4);
            f.pods[0]["status"]["containerStatuses"][0]["lastState"] =
                json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        },
        "",
        &["Pods: worker-b-1: warning: ready, on a; killed for want of memory before (4 restarts)"],
    );
}
