//! What is reported about a service in every state. Each state is checked twice, with manifests
//! that Crossplane composes itself and with provider-kubernetes Objects: the verdict must be the
//! same.

use std::collections::BTreeMap;
use std::time::Duration;

use patch_and_transform::protocol::{
    ConditionStatus, Match, Ready, Resource, ResourceSelector, RunFunctionRequest,
    RunFunctionResponse, Target,
};
use serde_json::{Value, json};

use super::pods::{waiting, worker};
use super::{lay, manifests, request, resource, run};

/// What exists of a service. Manifests are merged over those that step 1 desires.
#[derive(Clone)]
pub(super) struct World {
    pub(super) spec: Value,
    pub(super) deployment: Option<Value>,
    pub(super) scaled_object: Option<Value>,
    pub(super) service: Option<Value>,
    pub(super) pods: Vec<Value>,
}

impl World {
    fn request(&self, objects: bool) -> RunFunctionRequest {
        let mut request = request(&self.spec, objects);
        let parts = [
            ("deployment", &self.deployment),
            ("scaled-object", &self.scaled_object),
            ("service", &self.service),
        ];
        for (name, over) in parts {
            let Some(over) = over else { continue };
            let mut live = manifests()[name].clone();
            lay(&mut live, over);
            if objects {
                live = json!({
                    "apiVersion": "kubernetes.crossplane.io/v1alpha2", "kind": "Object",
                    "metadata": {"name": "o"},
                    "status": {"atProvider": {"manifest": live}},
                });
            }
            request.observed.resources.insert(name.to_owned(), resource(&live));
        }
        let pods: Vec<Resource> = self.pods.iter().map(resource).collect();
        request.required_resources.insert("pods".to_owned(), pods);
        request
    }
}

/// Returns a Deployment with these counts: desired, existing, of the current revision, available.
pub(super) fn counts([desired, total, updated, available]: [i64; 4]) -> Option<Value> {
    Some(json!({
        "metadata": {"generation": 3},
        "spec": {"replicas": desired},
        "status": {
            "observedGeneration": 3, "replicas": total, "updatedReplicas": updated,
            "readyReplicas": available, "availableReplicas": available,
        },
    }))
}

fn conditions(conditions: &Value) -> Value {
    json!({"status": {"conditions": conditions}})
}

/// Returns a service with one pod that works.
fn well() -> World {
    World {
        spec: json!({}),
        deployment: counts([1, 1, 1, 1]),
        scaled_object: Some(conditions(&json!([{"type": "Ready", "status": "True"}]))),
        service: Some(json!({})),
        pods: Vec::new(),
    }
}

pub(super) fn with(replicas: [i64; 4], conditions_: &Value) -> World {
    let mut deployment = counts(replicas).unwrap();
    lay(&mut deployment, &conditions(conditions_));
    World { deployment: Some(deployment), ..well() }
}

/// Returns `True Reason` or `False Reason: message (names of what is not ready)`.
fn verdict(response: &RunFunctionResponse) -> String {
    assert_eq!(response.results, []);
    let [condition] = &response.conditions[..] else { panic!("{:?}", response.conditions) };
    assert_eq!(condition.type_, "WorkerAvailable");
    assert_eq!(condition.target, Some(Target::CompositeAndClaim));
    let unready: Vec<&str> = response
        .desired
        .resources
        .iter()
        .inspect(|(name, it)| assert_ne!(it.ready, Ready::Unspecified, "{name}"))
        .filter(|(_, it)| it.ready == Ready::False)
        .map(|(name, _)| name.as_str())
        .collect();
    let ready = condition.status == ConditionStatus::True;
    assert_eq!(ready, unready.is_empty(), "{unready:?}");
    let seconds = if ready { 60 } else { 5 };
    assert_eq!(response.ttl, Some(Duration::from_secs(seconds)));

    let status = &response.desired.composite.as_ref().unwrap().resource.as_ref().unwrap()["status"];
    assert_eq!(status.get("message").and_then(Value::as_str), condition.message.as_deref());
    let mut verdict =
        format!("{} {}", if ready { "True" } else { "False" }, condition.reason.as_str());
    if let Some(message) = &condition.message {
        verdict += &format!(": {message}");
    }
    if !ready {
        verdict += &format!(" ({})", unready.join(", "));
    }
    verdict
}

#[track_caller]
pub(super) fn check(world: &World, expect: &str) {
    let answers = [false, true].map(|objects| {
        let request = world.request(objects);
        let response = run(request.clone());
        assert_eq!(response, run(request), "the same question, another answer");
        response
    });
    let [direct, wrapped] = &answers;
    assert_eq!(verdict(direct), expect);
    assert_eq!(verdict(wrapped), expect, "as Objects");
    assert_eq!(direct.required_resources, wrapped.required_resources);
}

#[test]
fn before_it_exists() {
    let nothing = World { deployment: None, scaled_object: None, service: None, ..well() };
    check(
        &nothing,
        "False Creating: the Deployment has not been created yet (deployment, scaled-object, \
            service)",
    );
    check(
        &World { service: None, ..well() },
        "False Creating: the Service has not been created yet (service)",
    );
    // The Deployment comes first, whatever else is missing.
    check(
        &World { deployment: None, service: None, ..well() },
        "False Creating: the Deployment has not been created yet (deployment, service)",
    );
    // Just created: the controllers have written no status.
    check(
        &World { deployment: Some(json!({})), scaled_object: Some(json!({})), ..well() },
        "False Progressing: 0 of 1 pods are available (deployment, scaled-object)",
    );
}

#[test]
fn deployments() {
    let check = |replicas, expect| check(&with(replicas, &json!([])), expect);
    check([1, 1, 1, 1], "True Available");
    check([3, 3, 3, 3], "True Available");
    check([1, 1, 1, 0], "False Progressing: 0 of 1 pods are available (deployment)");
    check([1, 0, 0, 0], "False Progressing: 0 of 1 pods are available (deployment)");
    // A new revision next to the old one, and alone.
    check(
        [1, 2, 1, 1],
        "False Progressing: 1 pod of an older revision must still end (deployment)",
    );
    check([2, 3, 1, 2], "False Progressing: 1 of 2 pods run the current revision (deployment)");
    check([1, 1, 0, 1], "False Progressing: 0 of 1 pods run the current revision (deployment)");
    // KEDA scales up, and down.
    check([9, 9, 9, 3], "True Available");
    check([9, 1, 1, 1], "True Available");
    check([9, 9, 9, 0], "False Progressing: 0 of 9 pods are available (deployment)");
    check([1, 4, 4, 4], "True Available");
    // By hand, or by a paused autoscaler: nothing is asked for, so nothing is missing.
    check([0, 0, 0, 0], "True ScaledToZero");
}

#[test]
fn a_deployment_that_its_controller_has_not_seen() {
    let mut world = well();
    lay(world.deployment.as_mut().unwrap(), &json!({"metadata": {"generation": 4}}));
    check(&world, "False Progressing: the Deployment has just been changed (deployment)");

    // A step of scaling does not change the pods: Ready throughout, up, down, to none and back.
    let check = |min, replicas, expect| {
        let mut world =
            World { spec: json!({"scaling": {"minReplicas": min}}), ..with(replicas, &json!([])) };
        lay(world.deployment.as_mut().unwrap(), &json!({"metadata": {"generation": 4}}));
        check(&world, expect);
    };
    check(1, [4, 1, 1, 1], "True Available");
    check(1, [1, 4, 4, 4], "True Available");
    check(0, [1, 0, 0, 0], "True Available");
    check(0, [0, 4, 4, 4], "True ScaledToZero");
    check(1, [4, 2, 1, 2], "False Progressing: 1 of 4 pods run the current revision (deployment)");

    // Created, but not yet looked at.
    let mut world = well();
    world.deployment = Some(json!({"metadata": {"generation": 1}, "spec": {"replicas": 1}}));
    super::diagnosis::check(
        &world,
        "False Progressing: the Deployment has just been changed (deployment)",
    );
}

#[test]
fn a_deployment_without_the_counts_that_are_zero() {
    // At zero replicas the controller omits all counts.
    let mut world = well();
    world.deployment = Some(json!({"spec": {"replicas": 0}, "status": {"observedGeneration": 1}}));
    check(&world, "True ScaledToZero");
}

#[test]
fn minimum_replicas() {
    let check = |min, replicas, expect| {
        let spec = json!({"scaling": {"minReplicas": min}});
        check(&World { spec, ..with(replicas, &json!([])) }, expect);
    };
    // A service that may sleep is fine asleep, and while it wakes up.
    check(0, [0, 0, 0, 0], "True ScaledToZero");
    check(0, [1, 1, 1, 0], "True Available");
    check(
        0,
        [1, 2, 1, 1],
        "False Progressing: 1 pod of an older revision must still end (deployment)",
    );
    check(3, [9, 9, 9, 2], "False Progressing: 2 of 9 pods are available (deployment)");
    check(3, [9, 9, 9, 3], "True Available");
    // KEDA has not yet raised it to the minimum.
    check(3, [1, 1, 1, 1], "True Available");
}

#[test]
fn a_rollout_that_does_not_get_on() {
    let late = json!([{
        "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
        "message": "ReplicaSet \"w-1\" has timed out progressing.",
    }]);
    let why = ": ReplicaSet \"w-1\" has timed out progressing. (deployment)";
    check(
        &with([1, 2, 1, 1], &late),
        &format!("False RolloutStalled: 1 pod of an older revision must still end{why}"),
    );
    check(
        &with([2, 3, 1, 2], &late),
        &format!("False RolloutStalled: 1 of 2 pods run the current revision{why}"),
    );
    let never = with([1, 1, 1, 0], &late);
    let expect = format!("False RolloutStalled: 0 of 1 pods are available{why}");
    check(&never, &expect);
    // Not even a service that may sleep: this one has failed to wake up.
    check(&World { spec: json!({"scaling": {"minReplicas": 0}}), ..never }, &expect);
    // A deadline that was missed but made up for.
    check(&with([1, 1, 1, 1], &late), "True Available");
    check(&with([9, 9, 9, 3], &late), "True Available");
    let fine = json!([{"type": "Progressing", "status": "True", "message": "is progressing"}]);
    check(&with([1, 1, 1, 0], &fine), "False Progressing: 0 of 1 pods are available (deployment)");
}

#[test]
fn pods_that_cannot_be_created() {
    let failure =
        |message: &str| json!([{"type": "ReplicaFailure", "status": "True", "message": message}]);
    let quota = failure("pods \"w\" is forbidden: exceeded quota: q, requested: cpu=1");
    let said =
        "pods cannot be created: pods \"w\" is forbidden: exceeded quota: q, requested: cpu=1";
    check(&with([1, 0, 0, 0], &quota), &format!("False QuotaExceeded: {said} (deployment)"));
    check(&with([1, 1, 0, 1], &quota), &format!("False QuotaExceeded: {said} (deployment)"));
    // A service that merely cannot grow works, and says what is in the way.
    check(&with([9, 3, 3, 3], &quota), &format!("True Available: {said}"));
    check(
        &World { spec: json!({"scaling": {"minReplicas": 4}}), ..with([9, 3, 3, 3], &quota) },
        &format!("False QuotaExceeded: {said} (deployment)"),
    );
    // One that may sleep cannot wake up.
    check(
        &World { spec: json!({"scaling": {"minReplicas": 0}}), ..with([1, 0, 0, 0], &quota) },
        &format!("False QuotaExceeded: {said} (deployment)"),
    );
    check(
        &with([1, 0, 0, 0], &failure("serviceaccount \"w\" not found")),
        "False PodsNotCreated: pods cannot be created: serviceaccount \"w\" not found (deployment)",
    );
    let over = json!([{"type": "ReplicaFailure", "status": "False", "message": "m"}]);
    check(&with([1, 1, 1, 0], &over), "False Progressing: 0 of 1 pods are available (deployment)");
}

#[test]
fn scaled_objects() {
    let check = |ready: Value, expect: &str| {
        let scaled_object = Some(conditions(&ready));
        check(&World { scaled_object, ..well() }, expect);
    };
    let unseen = "False Scaler: KEDA has not looked at the ScaledObject yet (scaled-object)";
    check(json!([]), unseen);
    check(json!([{"type": "Active", "status": "True"}]), unseen);
    check(json!([{"type": "Ready", "status": "Unknown"}]), unseen);
    check(
        json!([{"type": "Ready", "status": "False", "reason": "ScaledObjectCheckFailed",
                "message": "the scale target does not exist"}]),
        "False ScalerFailed: KEDA cannot scale this service: the scale target does not exist \
         (scaled-object)",
    );
    check(
        json!([{"type": "Ready", "status": "False", "reason": "TriggerError", "message": "m"}]),
        "False ScalerFailed: KEDA cannot read the lag of consumer worker on stream ORDERS in \
         account $G at nats:8222: one of them does not exist, or NATS cannot be reached \
         (scaled-object)",
    );
    // KEDA's operator has set it back; the autoscaler still cannot read the lag.
    let hpa = |status: &str, reason: &str| {
        json!([{"type": "Ready", "status": "True", "reason": "ScaledObjectReady"},
               {"type": "HPAActive", "status": status, "reason": reason}])
    };
    check(
        hpa("False", "FailedGetExternalMetric"),
        "False ScalerFailed: KEDA cannot read the lag of consumer worker on stream ORDERS in \
         account $G at nats:8222: one of them does not exist, or NATS cannot be reached \
         (scaled-object)",
    );
    for (status, reason) in [("True", "HPAActive"), ("False", "ScalingDisabled"), ("Unknown", "")] {
        check(hpa(status, reason), "True Available");
    }
}

#[test]
fn a_trigger_that_cannot_work() {
    let check = |triggers: Value, expect: &str| {
        let mut scaled_object =
            conditions(&json!([{"type": "Ready", "status": "False", "reason": "TriggerError"}]));
        scaled_object["spec"] = json!({"triggers": triggers});
        check(&World { scaled_object: Some(scaled_object), ..well() }, expect);
    };
    check(
        json!([{"type": "cron"}, {"type": "nats-jetstream", "metadata": {"account": "$SYS"}}]),
        "False ScalerFailed: KEDA finds no consumer in account $SYS: NATS refuses JetStream on its \
         system account; set spec.nats.account to the account that owns the stream, $G by default \
         (scaled-object)",
    );
    for nothing in [json!([]), json!([{"type": "nats-jetstream"}]), json!("x")] {
        check(
            nothing,
            "False ScalerFailed: KEDA cannot read the ScaledObject's trigger (scaled-object)",
        );
    }
}

#[test]
fn a_cause_outranks_a_symptom() {
    let keda = |ready: Value| Some(conditions(&json!([ready])));
    let unseen = keda(json!({"type": "Ready", "status": "Unknown"}));
    let failed = keda(json!({"type": "Ready", "status": "False", "reason": "x", "message": "m"}));
    let starting = with([1, 1, 1, 0], &json!([]));
    check(
        &World { scaled_object: unseen, ..starting.clone() },
        "False Progressing: 0 of 1 pods are available (deployment, scaled-object)",
    );
    let scaler = World { scaled_object: failed, ..starting };
    check(
        &scaler,
        "False ScalerFailed: KEDA cannot scale this service: m (deployment, scaled-object)",
    );
    check(
        &World { pods: vec![worker(&waiting("ErrImagePull", "m"))], ..scaler },
        "False ImagePullFailed: image registry.example.com/worker:1 cannot be pulled: m \
         (deployment, scaled-object)",
    );
}

#[test]
fn pods_are_asked_for_while_something_is_not_settled() {
    let check = |world: &World, expect: bool| {
        let mut asked = run(world.request(true)).required_resources;
        // The other requests are about ownership.
        asked.retain(|key, _| !key.starts_with("existing-"));
        let labels = BTreeMap::from([("app.kubernetes.io/name".to_owned(), "worker".to_owned())]);
        let pods = ResourceSelector {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            match_: Match::Labels(labels),
            namespace: Some("workers".to_owned()),
        };
        let wanted =
            if expect { BTreeMap::from([("pods".to_owned(), pods)]) } else { BTreeMap::new() };
        assert_eq!(asked, wanted);
    };
    check(&World { deployment: None, ..well() }, false);
    check(&well(), false);
    check(&with([0, 0, 0, 0], &json!([])), false);
    check(&with([1, 1, 1, 0], &json!([])), true);
    check(&with([9, 9, 9, 3], &json!([])), true);
    check(&with([1, 2, 2, 1], &json!([])), true);
}

#[test]
fn counts_on_the_composite() {
    let check = |deployment: Option<Value>, expect: Value| {
        let response = run(World { deployment, ..well() }.request(true));
        let composite = response.desired.composite.unwrap().resource.unwrap();
        let status = &composite["status"];
        assert_eq!(json!([status.get("replicas"), status.get("readyReplicas")]), expect);
    };
    check(counts([9, 7, 7, 3]), json!([7, 3]));
    check(counts([0, 0, 0, 0]), json!([0, 0]));
    check(None, json!([null, null]));
}

/// Returns an observed Object as provider-kubernetes leaves it.
fn observed_object(status: &Value) -> RunFunctionRequest {
    let mut request = well().request(true);
    let object = request.observed.resources["deployment"].resource.clone().unwrap();
    let mut object = Value::Object(object);
    lay(&mut object, &json!({"status": status}));
    request.observed.resources.insert("deployment".to_owned(), resource(&object));
    request
}

#[test]
fn objects_that_the_provider_could_not_apply() {
    let check = |status: Value, expect: &str| {
        assert_eq!(verdict(&run(observed_object(&status))), expect);
    };
    let synced = |status: &str| {
        json!([{"type": "Synced", "status": status,
        "message": "namespaces \"x\" not found"}])
    };
    let failed = "False ApplyFailed: the Deployment cannot be applied: namespaces \"x\" not found \
        (deployment)";
    check(json!({"conditions": synced("False")}), failed);
    check(json!({"conditions": synced("False"), "atProvider": {"manifest": 0}}), failed);
    check(json!({"conditions": synced("True")}), "True Available");
    check(json!({"conditions": synced("Unknown")}), "True Available");
    // The provider's own readiness does not count.
    check(json!({"conditions": [{"type": "Ready", "status": "False"}]}), "True Available");
    let unseen = "False Creating: the Deployment has not been created yet (deployment)";
    check(json!({"atProvider": {"manifest": 0}}), unseen);
    check(json!({"atProvider": 0}), unseen);

    // It outranks everything else.
    let mut request = observed_object(&json!({"conditions": synced("False")}));
    request.observed.resources.remove("service");
    assert_eq!(verdict(&run(request)), failed.replace("(deployment)", "(deployment, service)"));
}

/// A ReplicaSet's status keeps the first message of its failure for as long as it fails: one from
/// before its ServiceAccount existed hides a quota.
#[test]
fn a_reason_that_is_over() {
    let message = "pods \"worker-b-\" is forbidden: error looking up service account \
        workers/worker: serviceaccount \"worker\" not found";
    let failure = json!([{"type": "ReplicaFailure", "status": "True", "message": message}]);
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "worker"}});
    let check = |there: bool, expect: &str| {
        let mut request = with([1, 0, 0, 0], &failure).request(false);
        request.desired.resources.insert("service-account".to_owned(), resource(&account));
        if there {
            request.observed.resources.insert("service-account".to_owned(), resource(&account));
        }
        assert!(verdict(&run(request)).starts_with(expect), "{expect}");
    };
    check(false, "False Progressing: the ServiceAccount has not been created yet");
    check(
        true,
        "False PodsNotCreated: pods cannot be created, and the reason that the Deployment still \
            shows is over",
    );
}

/// KEDA leaves a paused service alone: with no pods it does nothing, otherwise what it did before.
#[test]
fn a_scaler_that_is_paused() {
    let check = |annotation: &str, value: &str, min: i64, replicas, expect: &str| {
        let mut world =
            World { spec: json!({"scaling": {"minReplicas": min}}), ..with(replicas, &json!([])) };
        let key = format!("autoscaling.keda.sh/{annotation}");
        let scaled_object = world.scaled_object.as_mut().unwrap();
        scaled_object["metadata"]["annotations"] = json!({key.as_str(): value});
        scaled_object["metadata"]["managedFields"] = json!([
            {"manager": "provider-kubernetes/o", "operation": "Apply"},
            {
                "manager": "kubectl-annotate", "time": "2026-01-02T03:04:05Z",
                "fieldsV1": {"f:metadata": {"f:annotations": {(format!("f:{key}")): {}}}},
            },
        ]);
        // If it was paused from the start, KEDA never says more.
        scaled_object["status"]["conditions"] = json!([{"type": "Ready", "status": "Unknown"}]);
        let by = format!(
            "KEDA is paused by the ScaledObject's annotation {key}={value}, written by \
                          kubectl-annotate at 2026-01-02T03:04:05Z: it "
        );
        self::check(&world, &expect.replace("BY", &by));
    };
    let none =
        "False Paused: BYleaves it at 0 pods, so nothing works on what waits (scaled-object)";
    check("paused-replicas", "0", 1, [0, 0, 0, 0], none);
    check("paused-replicas", "0", 0, [0, 0, 0, 0], none);
    check("paused", "true", 0, [0, 0, 0, 0], none);
    check("paused", "", 0, [0, 0, 0, 0], none);
    check(
        "paused-replicas",
        "2",
        1,
        [2, 2, 2, 2],
        "True Paused: BYleaves it at 2 pods, however many messages wait",
    );
    check(
        "paused",
        "true",
        1,
        [1, 1, 1, 1],
        "True Paused: BYleaves it at 1 pod, however many messages wait",
    );
    let unseen = "False Scaler: KEDA has not looked at the ScaledObject yet (scaled-object)";
    check("paused", "false", 1, [1, 1, 1, 1], unseen);
    check("other", "true", 1, [1, 1, 1, 1], unseen);
}
