//! Pods: ready or not, and why not.

use serde_json::Value;

use super::object::{Condition, list, name, number, text};

/// None where the pod is ready; else the nearest to a cause that its status knows.
pub(super) fn why_not_ready(pod: &Value) -> Option<String> {
    let pod_name = name(pod);
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return Some(format!("pod {pod_name} is being deleted"));
    }
    if let Some(scheduled) = Condition::of(pod, "PodScheduled")
        && scheduled.status == "False"
    {
        return Some(format!("pod {pod_name} finds no node: {}", scheduled.why()));
    }
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
    for container in statuses.iter().flat_map(|path| list(pod, path)) {
        let waiting = text(container, "/state/waiting/reason");
        let container_name = text(container, "/name");
        let last = ["/state/terminated", "/lastState/terminated"];
        let ended = last.iter().find_map(|path| container.pointer(path));
        let ended = ended.map(|e| (number(e, "/exitCode"), text(e, "/reason")));
        match (waiting, ended) {
            (
                "" | "PodInitializing" | "ContainerCreating" | "CrashLoopBackOff",
                Some((code, why)),
            ) if code != 0 => {
                return Some(format!(
                    "container {container_name} of pod {pod_name} ended with exit code {code} \
                     ({why})"
                ));
            }
            ("" | "PodInitializing" | "ContainerCreating", _) => {}
            (reason, _) => {
                let message = text(container, "/state/waiting/message");
                return Some(format!("pod {pod_name}: {reason} {message}").trim_end().to_owned());
            }
        }
    }
    match Condition::of(pod, "Ready") {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(format!("pod {pod_name} is not ready: {}", ready.why())),
        None => Some(format!("pod {pod_name} is {}", text(pod, "/status/phase"))),
    }
}
