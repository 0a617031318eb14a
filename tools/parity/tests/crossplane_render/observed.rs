//! What already exists in the cluster: composed resources at various stages of life, and pods.

use serde_json::{Value, json};

/// A moment in the life of a service.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// The reason of our condition for Objects; `reason_direct` is that for manifests.
    pub(crate) reason: &'static str,
    pub(crate) reason_direct: &'static str,
    /// Merged over the Deployment.
    deployment: Value,
    /// Merged over the ScaledObject.
    scaled_object: Value,
    /// Merged over every Object; ignored if there are none.
    object: Value,
    /// Composed resources that do not exist yet, by name.
    absent: &'static [&'static str],
    pub(crate) pods: Vec<Value>,
}

impl Scene {
    /// Returns the resources as Crossplane would observe them, made from those it composed.
    pub(crate) fn observed(&self, composed: &[Value]) -> Vec<Value> {
        let mut observed = Vec::new();
        for resource in composed {
            let name =
                &resource["metadata"]["annotations"]["crossplane.io/composition-resource-name"];
            let name = name.as_str().unwrap();
            if self.absent.contains(&name) {
                continue;
            }
            let mut resource = resource.clone();
            let over = match name {
                "deployment" => &self.deployment,
                "scaled-object" => &self.scaled_object,
                _ => &Value::Null,
            };
            if resource["kind"] == "Object" {
                let mut live = resource["spec"]["forProvider"]["manifest"].clone();
                lay(&mut live, over);
                // A name of its own: an existing Object keeps it.
                resource["metadata"]["name"] = json!(format!("kept-{name}"));
                resource["status"] = json!({"atProvider": {"manifest": live}});
                lay(&mut resource, &self.object);
            } else {
                lay(&mut resource, over);
            }
            observed.push(resource);
        }
        observed
    }
}

/// Merges one JSON value over another: objects are joined, anything else is replaced.
fn lay(under: &mut Value, over: &Value) {
    match (under, over) {
        (_, Value::Null) => {}
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// Returns a Deployment with these counts (desired, existing, updated, available) and conditions.
fn deployment(counts: [i64; 4], conditions: &Value) -> Value {
    let [desired, total, updated, available] = counts;
    json!({
        "metadata": {"generation": 2, "resourceVersion": "7", "uid": "u"},
        "spec": {"replicas": desired},
        "status": {
            "observedGeneration": 2, "replicas": total, "updatedReplicas": updated,
            "readyReplicas": available, "availableReplicas": available, "conditions": conditions,
        },
    })
}

fn scaled_object(status: &str, reason: &str) -> Value {
    json!({"status": {"conditions": [
        {"type": "Ready", "status": status, "reason": reason, "message": "m"},
    ]}})
}

/// Returns a pod of the service in examples/minimal-claim.yaml, with a container's status.
fn pod(name: &str, status: &Value) -> Value {
    let labels = json!({
        "app.kubernetes.io/name": "hello-worker",
        "app.kubernetes.io/component": "event-driven-worker",
        "pod-template-hash": "5d4f",
    });
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
        "name": "hello-worker-5d4f", "uid": "a2c4",
    });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "workers", "labels": labels, "ownerReferences": [owner],
        },
        "status": status,
    })
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"containerStatuses": [
        {"name": "main", "state": {"waiting": {"reason": reason, "message": message}}},
    ]})
}

pub(crate) fn scenes() -> Vec<Scene> {
    let base = || Scene {
        name: "ready",
        reason: "Available",
        reason_direct: "Available",
        deployment: deployment([1, 1, 1, 1], &json!([])),
        scaled_object: scaled_object("True", "ScaledObjectReady"),
        object: json!({"status": {"conditions": [
            {"type": "Synced", "status": "True", "reason": "ReconcileSuccess",
             "lastTransitionTime": "2024-01-01T00:00:00Z"},
            {"type": "Ready", "status": "True", "reason": "Available",
             "lastTransitionTime": "2024-01-01T00:00:00Z"},
        ]}}),
        absent: &[],
        pods: Vec::new(),
    };
    let scene = |name, reason| Scene { name, reason, reason_direct: reason, ..base() };
    let pods = |name, reason, pods| Scene {
        deployment: deployment([1, 1, 1, 0], &json!([])),
        pods,
        ..scene(name, reason)
    };
    let quota = json!([{
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "pods \"x\" is forbidden: exceeded quota: compute",
    }]);
    vec![
        base(),
        Scene { absent: &["deployment", "scaled-object"], ..scene("half-there", "Creating") },
        Scene {
            // Objects that the provider has not looked at; as manifests, everything exists.
            name: "not-looked-at",
            reason: "Creating",
            object: json!({"status": {"atProvider": {"manifest": 0}}}),
            ..base()
        },
        Scene {
            name: "not-applied",
            reason: "ApplyFailed",
            object: json!({"status": {"conditions": [
                {"type": "Synced", "status": "False", "reason": "ReconcileError",
                 "message": "namespaces \"workers\" not found",
                 "lastTransitionTime": "2024-01-01T00:00:00Z"},
            ]}}),
            ..base()
        },
        Scene {
            deployment: deployment([1, 1, 1, 0], &json!([])),
            ..scene("progressing", "Progressing")
        },
        Scene {
            deployment: deployment([2, 3, 1, 2], &json!([])),
            ..scene("rolling-out", "Progressing")
        },
        Scene {
            deployment: deployment([9, 9, 9, 3], &json!([])),
            ..scene("scaling-up", "Available")
        },
        Scene {
            deployment: deployment([0, 0, 0, 0], &json!([])),
            ..scene("scaled-to-zero", "ScaledToZero")
        },
        Scene { deployment: deployment([1, 0, 0, 0], &quota), ..scene("quota", "QuotaExceeded") },
        Scene {
            scaled_object: scaled_object("False", "TriggerError"),
            ..scene("trigger-error", "ScalerFailed")
        },
        Scene { scaled_object: json!({}), ..scene("keda-has-not-looked", "Scaler") },
        pods("no-pods", "Progressing", Vec::new()),
        pods(
            "image-pull",
            "ImagePullFailed",
            vec![
                pod("hello-worker-2", &waiting("ErrImagePull", "not found")),
                pod("hello-worker-1", &waiting("ImagePullBackOff", "Back-off pulling image")),
            ],
        ),
        pods(
            "secret-missing",
            "ConfigurationMissing",
            vec![pod("p", &waiting("CreateContainerConfigError", "secret \"db\" not found"))],
        ),
        pods(
            "pod-of-another",
            "Progressing",
            vec![json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "p", "namespace": "workers", "labels": {"app": "other"}},
                "status": waiting("ErrImagePull", "not ours"),
            })],
        ),
        pods(
            "crash-loop",
            "WorkerCrashing",
            vec![pod(
                "p",
                &json!({"containerStatuses": [{
                    "name": "main", "restartCount": 4,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                }]}),
            )],
        ),
        pods(
            "unschedulable",
            "Unschedulable",
            vec![pod(
                "p",
                &json!({"conditions": [{
                    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/1 nodes are available: 1 Insufficient cpu.",
                }]}),
            )],
        ),
    ]
}
