//! Pods of any workload: ready or not, and why not.

use kube_object::object::Fields;
use serde_json::Value;

use eds_core::event_driven_service::failures::failure_of_any;

/// Returns `None` if the pod is ready, else the closest thing to a cause in its status.
pub(super) fn why_not_ready(pod: &Value) -> Option<String> {
    let pod_name = pod.name();
    if pod.at("/metadata/deletionTimestamp").is_some() {
        return Some(format!("pod {pod_name} is being deleted"));
    }
    match failure_of_any(pod) {
        Some(failure) => Some(format!("pod {pod_name}: {}", failure.message)),
        None => otherwise(pod),
    }
}

/// Says in the pod's own words why it is not ready, if it has not failed.
pub(super) fn otherwise(pod: &Value) -> Option<String> {
    let pod_name = pod.name();
    if let Some(scheduled) = pod.condition("PodScheduled")
        && scheduled.status == "False"
    {
        return Some(format!("pod {pod_name} finds no node: {}", scheduled.why()));
    }
    match pod.condition("Ready") {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(format!("pod {pod_name} is not ready: {}", ready.why())),
        None => Some(format!("pod {pod_name} is {}", pod.text("/status/phase"))),
    }
}
