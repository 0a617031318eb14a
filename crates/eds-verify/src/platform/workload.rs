//! Deployments: are their pods there, and if not, why not?

use serde_json::Value;

use super::super::{Check, Unread, pod};
use kube_object::object::{Fields, count};

/// Checks one Deployment of the platform. `all_pods` are those of its namespace, or more.
pub(super) fn check(title: &str, deployment: &Value, all_pods: &[Value], unread: &Unread) -> Check {
    let namespace = deployment.text("/metadata/namespace");
    let of = format!("{namespace}/{}", deployment.name());
    let see = format!("kubectl -n {namespace} describe deployment {}", deployment.name());
    let wanted = deployment.integer("/spec/replicas").unwrap_or(1);
    if wanted == 0 {
        let fix =
            format!("kubectl -n {namespace} scale deployment {} --replicas=1", deployment.name());
        return Check::failed(title, format!("{of} is scaled to 0 replicas"), fix);
    }
    let available = deployment.number("/status/availableReplicas");
    if available >= wanted {
        return Check::passed(title, format!("{of}, {}", count(available, "replica")));
    }
    let why = all_pods.iter().filter(|pod| selects(deployment, pod)).find_map(pod::why_not_ready);
    let why = why.unwrap_or_else(|| {
        let nothing =
            if unread.has("pods") { "you may not read its pods" } else { "it has no pods" };
        nothing.to_owned()
    });
    let cause = format!("{available} of {wanted} replicas of {of} are available: {why}");
    if available == 0 {
        Check::failed(title, cause, see)
    } else {
        Check::warning(title, cause, see)
    }
}

/// Returns whether a workload's or Service's selector matches a pod. Expressions are not read.
fn selects(workload: &Value, pod: &Value) -> bool {
    let selector = workload.object("/spec/selector/matchLabels");
    pod.text("/metadata/namespace") == workload.text("/metadata/namespace")
        && selector.is_some_and(|labels| {
            let live = pod.at("/metadata/labels");
            labels.iter().all(|(key, value)| live.and_then(|l| l.get(key)) == Some(value))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn deployments() {
        let check_ = |deployment: Value, pod: Value, expected: &str| {
            let mut whole = json!({
                "metadata": {"name": "d", "namespace": "n"},
                "spec": {"selector": {"matchLabels": {"app": "d"}}},
            });
            for key in ["spec", "status"] {
                let over = deployment.get(key).and_then(Value::as_object).cloned();
                let into = whole.as_object_mut().unwrap().entry(key).or_insert_with(|| json!({}));
                into.as_object_mut().unwrap().extend(over.unwrap_or_default());
            }
            let check = check("it", &whole, &[pod], &Unread::default());
            assert_eq!(format!("{}: {}", check.status.name(), check.detail), expected);
        };
        let pod = |labels: Value, namespace: &str| {
            json!({
                "metadata": {"name": "p", "namespace": namespace, "labels": labels},
                "status": {"containerStatuses": [
                    {"name": "c", "image": "i:1",
                        "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}},
                ]},
            })
        };
        let ours = || pod(json!({"app": "d", "more": "x"}), "n");
        check_(json!({"status": {"availableReplicas": 1}}), ours(), "passed: n/d, 1 replica");
        check_(json!({"spec": {"replicas": 0}}), ours(), "failed: n/d is scaled to 0 replicas");
        check_(
            json!({"spec": {"replicas": 2}, "status": {"availableReplicas": 1}}),
            ours(),
            "warning: 1 of 2 replicas of n/d are available: pod p: image i:1 cannot be pulled: not \
                found",
        );
        check_(
            json!({}),
            ours(),
            "failed: 0 of 1 replicas of n/d are available: pod p: image i:1 cannot be pulled: not \
                found",
        );
        for other in [pod(json!({"app": "d"}), "m"), pod(json!({"app": "e"}), "n")] {
            check_(
                json!({}),
                other,
                "failed: 0 of 1 replicas of n/d are available: it has no pods",
            );
        }
    }
}
