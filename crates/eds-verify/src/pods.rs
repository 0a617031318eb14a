//! Pods of any workload: ready or not, and why not.

use serde_json::Value;

use super::object::{Condition, name, text};
use eds_core::event_driven_service::pods::failure_of_any;

/// None where the pod is ready; else the nearest to a cause that its status knows.
pub(super) fn why_not_ready(pod: &Value) -> Option<String> {
    let pod_name = name(pod);
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return Some(format!("pod {pod_name} is being deleted"));
    }
    match pod.as_object().and_then(failure_of_any) {
        Some(failure) => Some(format!("pod {pod_name}: {}", failure.message)),
        None => otherwise(pod),
    }
}

/// Why a pod that has not failed is not ready, in its own words.
pub(super) fn otherwise(pod: &Value) -> Option<String> {
    let pod_name = name(pod);
    if let Some(scheduled) = Condition::of(pod, "PodScheduled")
        && scheduled.status == "False"
    {
        return Some(format!("pod {pod_name} finds no node: {}", scheduled.why()));
    }
    match Condition::of(pod, "Ready") {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(format!("pod {pod_name} is not ready: {}", ready.why())),
        None => Some(format!("pod {pod_name} is {}", text(pod, "/status/phase"))),
    }
}
