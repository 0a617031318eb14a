use eds_verify::claim::secrets::{Found, Secret};
use eds_verify::claim::{ClaimFacts, Log, report};
use eds_verify::{Status, Unread, scaler};
use serde_json::{Value, json};

use super::{at, platform, remove, says};

pub(super) fn metadata(name: &str) -> Value {
    json!({"name": name, "namespace": "shop"})
}

pub(super) fn condition(type_: &str, status: &str, message: &str) -> Value {
    json!({"type": type_, "status": status, "message": message})
}

/// Builds the ReplicaSet of one of the Deployment's revisions, named by a template's hash.
pub(super) fn replica_set(hash: &str, revision: &str) -> Value {
    let mut metadata = metadata(&format!("worker-{hash}"));
    metadata["uid"] = json!(format!("uid-{hash}"));
    metadata["annotations"] = json!({"deployment.kubernetes.io/revision": revision});
    metadata["ownerReferences"] = json!([{"kind": "Deployment",
        "name": "worker", "uid": "uid-deployment", "controller": true}]);
    json!({"kind": "ReplicaSet", "metadata": metadata})
}

pub(super) fn pod(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "shop", "creationTimestamp": "2026-01-02T00:00:00Z",
            "labels": {"pod-template-hash": "b", "app.kubernetes.io/name": "worker"},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": "worker-b", "uid": "uid-b", "controller": true},
            ],
        },
        "spec": {"nodeName": "a"},
        "status": {"conditions": [condition("Ready", "True", "")], "containerStatuses": [
            {"name": "main", "ready": true, "state": {"running": {}}},
        ]},
    })
}

/// Builds NATS' answer to KEDA.
pub(super) fn jsz(consumer: &Value) -> Value {
    let mut whole = json!({
        "name": "workers", "num_pending": 0, "num_ack_pending": 0, "num_waiting": 1,
        "num_redelivered": 0,
        "config": {"ack_policy": "explicit", "ack_wait": 30_000_000_000_u64},
    });
    whole.as_object_mut().unwrap().extend(consumer.as_object().unwrap().clone());
    json!({"path": "/jsz", "code": 200, "body": {"account_details": [{
        "id": "$G", "name": "$G", "stream_detail": [{
            "name": "ORDERS", "state": {"messages": 3}, "consumer_detail": [whole],
        }],
    }]}})
}

/// A claim whose service runs.
pub(super) fn well() -> ClaimFacts {
    let claim = json!({
        "kind": "EventDrivenService",
        "metadata": metadata("worker"),
        "spec": {
            "image": "registry.example.com/worker:1",
            "nats": {
                "url": "nats://nats.nats.svc:4222", "stream": "ORDERS", "consumer": "workers",
                "account": "$G", "monitoringEndpoint": "nats-headless.nats.svc:8222",
            },
            "scaling": {
                "minReplicas": 1, "maxReplicas": 10, "lagThreshold": 5, "activationLagThreshold": 0,
            },
            "secretRefs": [
                {"name": "db", "env": [{"secretKey": "url", "envName": "DATABASE_URL"}]},
                {"name": "keys", "envFrom": true},
            ],
            "imagePullSecrets": [{"name": "pull"}],
            "resourceRef": {"name": "worker-abc"},
        },
        "status": {
            "replicas": 1, "readyReplicas": 1,
            "conditions": [condition("Ready", "True", ""), condition("Synced", "True", "")],
        },
    });
    let composite = json!({
        "kind": "XEventDrivenService",
        "metadata": {"name": "worker-abc"},
        "spec": {"compositionRef": {"name": "event-driven-service"}},
        "status": {"conditions": [condition("Ready", "True", ""), condition("Synced", "True", "")]},
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("worker"),
        "spec": {"template": {"spec": {"terminationGracePeriodSeconds": 30}}},
    });
    let scaled_object = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": metadata("worker-scaler"),
        "spec": {"minReplicaCount": 1, "maxReplicaCount": 10, "triggers": [
            {"type": "nats-jetstream", "metadata": {
                "natsServerMonitoringEndpoint": "nats-headless.nats.svc:8222", "account": "$G",
                "stream": "ORDERS", "consumer": "workers", "lagThreshold": "5",
                "activationLagThreshold": "0",
            }},
        ]},
    });
    let rendered = vec![deployment.clone(), scaled_object.clone()];
    let mut live = rendered.clone();
    live[0]["metadata"]["uid"] = json!("uid-deployment");
    live[0]["spec"]["replicas"] = json!(1);
    live[0]["status"] = json!({"replicas": 1, "updatedReplicas": 1});
    live[1]["status"] = json!({"conditions": [condition("Ready", "True", "fine")]});
    let object = |kind: &str| {
        json!({
            "kind": "Object", "metadata": {"name": format!("worker-abc-{kind}")},
            "spec": {"forProvider": {"manifest": {"kind": kind}}},
            "status": {"conditions": [condition("Synced", "True", "")]},
        })
    };
    let secret = |name: &str, type_: &str, keys: &[&str]| Secret {
        name: name.to_owned(),
        found: Found::Keys(type_.to_owned(), keys.iter().map(|k| (*k).to_owned()).collect()),
    };
    ClaimFacts {
        composite: Some(composite),
        objects: vec![object("Deployment"), object("ScaledObject")],
        rendered,
        secrets: vec![
            secret("db", "Opaque", &["url"]),
            secret("keys", "Opaque", &["A", "B"]),
            secret("pull", "kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
        ],
        pods: vec![pod("worker-b-1")],
        replica_sets: vec![replica_set("a", "1"), replica_set("b", "2")],
        now: 1_795_747_876,
        unread: Unread::default(),
        logs: Vec::new(),
        events: Vec::new(),
        keda: scaler::ScalerFacts {
            metrics: None,
            claim: claim.clone(),
            scaled_object: Some(live[1].clone()),
            hpa: Some(json!({
                "spec": {"minReplicas": 1, "maxReplicas": 10},
                "status": {"currentReplicas": 1, "desiredReplicas": 1, "conditions": [
                    condition("AbleToScale", "True", ""), condition("ScalingActive", "True", ""),
                ]},
            })),
            deployment: Some(live[0].clone()),
            service: Some(json!({
                "metadata": {"name": "nats-headless", "namespace": "nats"},
                "spec": {"clusterIP": "None", "ports": [{"port": 8222}]},
            })),
            asked: Some(jsz(&json!({}))),
            server: Some(json!({"body": {"version": "2.15.2"}})),
            everything: None,
            nodes: Vec::new(),
            events: Vec::new(),
            claims: vec![claim.clone()],
            unread: Unread::default(),
        },
        live,
        claim,
        platform: platform::well(),
    }
}

/// Breaks one thing. `diagnosis` is how the diagnosis begins; empty for a running service. `others`
/// are the other lines that must say something.
#[track_caller]
pub(super) fn check(change: impl FnOnce(&mut ClaimFacts), diagnosis: &str, others: &[&str]) {
    let mut facts = well();
    change(&mut facts);
    let report = report(&facts);
    let first = &report.sections[0].checks[0];
    let mut expected = others.to_vec();
    let line = format!("shop/worker: diagnosis: failed: {diagnosis}");
    if diagnosis.is_empty() {
        assert_eq!(first.status, Status::Passed, "{first:?}");
    } else {
        expected.push(&line);
    }
    says(&report, &expected);
}

pub(super) fn not_ready(facts: &mut ClaimFacts, message: &str) {
    *at(&mut facts.claim, "/status/conditions/0") = condition("Ready", "False", "Creating");
    facts.claim["status"]["message"] = json!(message);
}

/// In the namespaced form it is its own composite, and says so once.
#[test]
fn without_a_claim() {
    let namespaced = |facts: &mut ClaimFacts| {
        facts.claim["metadata"]["uid"] = json!("one");
        remove(&mut facts.claim, "/spec/resourceRef");
        let name = facts.composite.as_ref().unwrap().clone();
        facts.claim["spec"]["crossplane"] =
            json!({"compositionRef": name["spec"]["compositionRef"]});
        facts.composite = Some(facts.claim.clone());
        facts.objects.clear();
    };
    check(namespaced, "", &[]);
    let mut facts = well();
    facts.claim["metadata"]["annotations"] = json!({"crossplane.io/paused": "true"});
    namespaced(&mut facts);
    let report = report(&facts);
    let paused = report.checks().filter(|check| check.detail.contains("it is paused")).count();
    assert_eq!(paused, 2, "the diagnosis, and the line that it is about: {report:#?}");
    let cause = "Composition: failed: no Composition has the labels that the claim wants";
    check(
        |facts| {
            namespaced(facts);
            facts.claim["spec"]["crossplane"] =
                json!({"compositionSelector": {"matchLabels": {"a": "b"}}});
            facts.composite = Some(facts.claim.clone());
        },
        "Composite, Composition: no Composition has the labels",
        &[&format!("Composite: {cause}")],
    );
}

/// What is missing was not composed for a reason, which is the closest to the cause.
#[test]
fn a_name_that_is_taken() {
    check(
        |f| {
            not_ready(
                f,
                "nothing is composed: Deployment worker in namespace shop was not made by this \
                    claim",
            );
            let list = at(&mut f.claim, "/status/conditions").as_array_mut().unwrap();
            list.push(json!({"type": "WorkerAvailable", "status": "False", "reason": "NameTaken"}));
            f.live.retain(|object| object["kind"] != "Service");
            f.objects.retain(|object| !object["metadata"]["name"].to_string().contains("Service"));
        },
        "Composite, names: an object at one of the claim's names was not made by it",
        &[
            "Composite: names: failed: an object at one of the claim's names",
            "shop/worker: the claim says: failed: not Ready: nothing is composed",
        ],
    );
}

#[test]
fn it_runs() {
    check(|_| {}, "", &[]);
    check(
        |f| not_ready(f, "the Deployment has just been changed"),
        "nothing stands in its way; it is not Ready yet",
        &["shop/worker: the claim says: failed: not Ready: the Deployment has just been changed"],
    );
    check(
        |f| remove(&mut f.claim, "/status/conditions"),
        "nothing stands in its way",
        &["shop/worker: the claim says: failed: nothing yet"],
    );
}

#[test]
fn the_platform_comes_first() {
    check(
        |f| {
            f.platform.deployments.retain(|d| d["metadata"]["name"] != "crossplane");
            f.composite = None;
        },
        "Platform, Crossplane: installed: there is no Deployment crossplane",
        &[
            "Platform: Crossplane: installed: failed",
            "Composite: composed: failed: the composite worker-abc is gone",
        ],
    );
    // A warning is reported, but is not a cause.
    check(
        |f| {
            f.platform
                .api
                .bindings
                .retain(|b| b["spec"]["policyName"] != "eventdrivenservice-claim-names")
        },
        "",
        &["Platform: API: claim names: warning"],
    );
}

#[test]
fn composite() {
    check(
        |f| f.claim["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"),
        "Composite, claim: it is being deleted since 2026-01-01T00:00:00Z",
        &["Composite: claim: failed"],
    );
    check(
        |f| {
            let metadata = at(f.composite.as_mut().unwrap(), "/metadata");
            metadata["annotations"] = json!({"crossplane.io/paused": "true"});
        },
        "Composite, composite: it is paused",
        &["Composite: composite: failed"],
    );
    let synced = "/status/conditions/1";
    check(
        |f| {
            *at(f.composite.as_mut().unwrap(), synced) =
                condition("Synced", "False", "step two: fatal")
        },
        "Composite, composed: step two: fatal",
        &["Composite: composed: failed"],
    );
    check(
        |f| *at(&mut f.claim, synced) = condition("Synced", "False", "no Composition selected"),
        "Composite, composed: no Composition selected",
        &["Composite: composed: failed"],
    );
    check(
        |f| remove(f.composite.as_mut().unwrap(), "/spec/compositionRef"),
        "Composite, Composition: none was chosen for it",
        &["Composite: Composition: failed"],
    );
    check(
        |f| {
            remove(f.composite.as_mut().unwrap(), "/spec/compositionRef");
            f.claim["spec"]["compositionSelector"] = json!({"matchLabels": {"a": "b"}});
        },
        "Composite, Composition: no Composition has the labels that the claim wants: {\"a\":\"b\"}",
        &["Composite: Composition: failed"],
    );
    check(
        |f| *at(f.composite.as_mut().unwrap(), "/spec/compositionRef/name") = json!("other"),
        "Composite, Composition: other, which it was given, is not there",
        &["Composite: Composition: failed"],
    );
    check(
        |f| {
            at(f.composite.as_mut().unwrap(), "/status/conditions")
                .as_array_mut()
                .unwrap()
                .push(condition("Responsive", "False", "circuit open"));
        },
        "",
        &["Composite: events: warning: Crossplane drops this composite's events for now: circuit \
            open"],
    );
}

#[test]
fn manifests() {
    check(
        |f| {
            f.live.remove(0);
            *at(&mut f.objects[0], "/status/conditions/0") =
                condition("Synced", "False", "forbidden: no");
        },
        "Manifests, Deployment worker: provider-kubernetes cannot apply it: forbidden: no",
        &["Manifests: Deployment worker: failed"],
    );
    check(
        |f| {
            *at(&mut f.objects[0], "/status/conditions/0") =
                condition("Synced", "False", "immutable")
        },
        "Manifests, Deployment worker: provider-kubernetes cannot apply its last change: immutable",
        &["Manifests: Deployment worker: failed"],
    );
    check(
        |f| drop(f.live.remove(0)),
        "Manifests, Deployment worker: it is not there; provider-kubernetes has not applied Object",
        &["Manifests: Deployment worker: failed"],
    );
    check(
        |f| {
            f.live.remove(0);
            f.objects.clear();
        },
        "Manifests, Deployment worker: it is not there, and was not composed",
        &["Manifests: Deployment worker: failed"],
    );
    check(
        |f| *at(&mut f.live[0], "/spec/template/spec/terminationGracePeriodSeconds") = json!(5),
        "",
        &["Manifests: Deployment worker: warning: not as eds render shows it:"],
    );
}

#[test]
fn secrets() {
    let found = |f: &mut ClaimFacts, index: usize, found: Found| f.secrets[index].found = found;
    check(
        |f| found(f, 0, Found::Missing),
        "Secrets, db: there is no Secret db in shop",
        &["Secrets: db: failed"],
    );
    check(
        |f| found(f, 0, Found::Keys("Opaque".to_owned(), vec!["uri".to_owned()])),
        "Secrets, db: it has no key url; it has uri",
        &["Secrets: db: failed"],
    );
    check(
        |f| found(f, 1, Found::Missing),
        "Secrets, keys: there is no Secret keys in shop",
        &["Secrets: keys: failed"],
    );
    check(
        |f| found(f, 0, Found::Unreadable("forbidden".to_owned())),
        "",
        &["Secrets: db: skipped: it cannot be looked at: forbidden"],
    );
    check(
        |f| found(f, 2, Found::Missing),
        "",
        &["Secrets: pull: warning: there is no pull Secret"],
    );
    check(
        |f| found(f, 2, Found::Keys("Opaque".to_owned(), Vec::new())),
        "",
        &["Secrets: pull: warning: it is of type Opaque"],
    );
}

#[test]
fn pods() {
    let waiting = |f: &mut ClaimFacts, reason: &str, message: &str| {
        f.pods[0]["status"] = json!({"containerStatuses": [
            {"name": "main", "image": "",
                "state": {"waiting": {"reason": reason, "message": message}}},
        ]});
    };
    check(
        |f| waiting(f, "ImagePullBackOff", "not found"),
        "Pods, worker-b-1: image registry.example.com/worker:1 cannot be pulled: not found",
        &["Pods: worker-b-1: failed"],
    );
    check(
        |f| {
            f.pods[0]["status"] = json!({"containerStatuses": [{
                "name": "main", "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
            }]});
            let log = |pod: &str, text: &str| Log {
                pod: pod.to_owned(),
                container: "main".to_owned(),
                text: text.to_owned(),
            };
            f.logs = vec![log("worker-b-1", "no route to NATS\n"), log("other", "not this")];
        },
        "Pods, worker-b-1: the worker of pod worker-b-1 ended with exit code 3 and was restarted 2 \
         times; its log says why\nlog of main:\n  | no route to NATS",
        &["Pods: worker-b-1: failed"],
    );
    check(
        |f| {
            *at(&mut f.pods[0], "/status/conditions/0") =
                condition("Ready", "False", "not ready: [main]");
            f.events = vec![json!({
                "involvedObject": {"name": "worker-b-1"}, "reason": "Unhealthy",
                "message": "Readiness probe failed: HTTP probe failed with statuscode: 503\n",
            })];
        },
        "Pods, worker-b-1: pod worker-b-1 is not ready: /ready answers with status 503",
        &["Pods: worker-b-1: failed"],
    );
    check(
        |f| {
            f.pods.clear();
            f.live[0]["status"] = json!({"conditions": [
                condition("ReplicaFailure", "True", "exceeded quota: small"),
            ]});
        },
        "Pods, creation: pods cannot be created: exceeded quota: small",
        &["Pods: creation: failed"],
    );
    check(
        |f| f.pods.clear(),
        "Pods, replicas: none of 1 pod is there yet",
        &["Pods: replicas: failed"],
    );
    check(
        |f| {
            f.pods.clear();
            *at(&mut f.live[0], "/spec/replicas") = json!(0);
        },
        "",
        &[],
    );
    // A pod of the previous revision, which the rollout ends.
    check(
        |f| {
            let mut old = pod("worker-a-1");
            old["metadata"]["labels"]["pod-template-hash"] = json!("a");
            old["metadata"]["ownerReferences"][0]["uid"] = json!("uid-a");
            old["metadata"]["ownerReferences"][0]["name"] = json!("worker-a");
            old["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
            *at(&mut old, "/status/conditions/0") = condition("Ready", "False", "failing");
            f.pods.push(old);
            *at(&mut f.live[0], "/status/replicas") = json!(2);
        },
        "",
        &[],
    );
}

#[test]
fn nats_and_scaling() {
    check(
        |f| {
            let details =
                at(f.keda.asked.as_mut().unwrap(), "/body/account_details/0/stream_detail/0");
            details["consumer_detail"] = json!([]);
        },
        "What KEDA sees, consumer: stream ORDERS has no consumer workers; it has none",
        &["What KEDA sees: consumer: failed"],
    );
    check(
        |f| {
            *at(f.keda.hpa.as_mut().unwrap(), "/status/conditions/1") =
                condition("ScalingActive", "False", "no metric")
        },
        "State, autoscaler: ScalingActive is False: no metric",
        &["State: autoscaler: failed"],
    );
    check(
        |f| f.keda.asked = Some(jsz(&json!({"num_pending": 7, "num_waiting": 0}))),
        "Consumption, messages: 7 waiting, 0 in work, 1 pod ready, 0 asking for more: no pod asks",
        &["Consumption: messages: failed"],
    );
    // A worker that is not ready because its consumer is missing: the consumer comes first.
    check(
        |f| {
            *at(&mut f.pods[0], "/status/conditions/0") = condition("Ready", "False", "not ready");
            let details =
                at(f.keda.asked.as_mut().unwrap(), "/body/account_details/0/stream_detail/0");
            details["consumer_detail"] = json!([]);
        },
        "What KEDA sees, consumer: stream ORDERS has no consumer workers",
        &["What KEDA sees: consumer: failed", "Pods: worker-b-1: failed"],
    );
    // All pods at work: nobody asks for more, and that is fine.
    let busy = json!({"num_pending": 7, "num_waiting": 0, "num_ack_pending": 1});
    check(|f| f.keda.asked = Some(jsz(&busy)), "", &[]);
    check(
        |f| f.keda.asked = Some(jsz(&json!({"num_redelivered": 2}))),
        "",
        &["Consumption: messages: warning: 0 waiting, 0 in work, 1 pod ready, 1 asking for more; \
            2"],
    );
}
