//! Crossplane's function-auto-ready: calls a composed resource ready once it exists and is.
//!
//! Mirrors crossplane-contrib/function-auto-ready, main at v0.7.0. Its health checks written in CEL
//! are not here: upstream has them behind a feature gate that is off.

use std::collections::BTreeMap;
use std::time::Duration;

use golang::strconv::quote;
use kube_object::object::{Fields, Object};
use serde_json::Value;

use crate::composition::conditions::typed;
use patch_and_transform::protocol::{DEFAULT_TTL, Ready, RunFunctionRequest, RunFunctionResponse};

/// Answers a request.
#[must_use]
pub fn run(request: RunFunctionRequest) -> RunFunctionResponse {
    let ttl = match request.input.as_ref().map_or("", |input| input.text("/ttl")) {
        "" => DEFAULT_TTL,
        text => match duration(text) {
            Some(ttl) => ttl,
            None => {
                let message = format!("cannot set ttl: time: invalid duration {}", quote(text));
                return RunFunctionResponse::fatal(request, message);
            }
        },
    };
    let mut desired = request.desired;
    for (name, resource) in &mut desired.resources {
        // Upstream writes the resources anew, without these.
        resource.connection_details = BTreeMap::new();
        let observed = request.observed.resources.get(name).and_then(|r| r.resource.as_ref());
        if resource.ready == Ready::Unspecified && observed.is_some_and(is_ready) {
            resource.ready = Ready::True;
        }
    }
    RunFunctionResponse {
        tag: request.tag,
        ttl: Some(ttl),
        desired,
        context: request.context,
        ..RunFunctionResponse::default()
    }
}

fn is_ready(object: &Object) -> bool {
    is_healthy(object) == Some(true) || has_ready_condition(object)
}

/// Reads the condition as its Go type does: not at all if anything in the list has another type.
fn has_ready_condition(object: &Object) -> bool {
    let conditions = object.get("status").and_then(typed).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition.text("/type") == "Ready");
    ready.is_some_and(|condition| condition.text("/status") == "True")
}

/// Judges one of Kubernetes' own kinds; `None` for any other.
fn is_healthy(object: &Object) -> Option<bool> {
    let condition = |type_: &str| object.is(type_);
    Some(match (object.text("/apiVersion"), object.text("/kind")) {
        ("v1", "ConfigMap" | "Secret" | "ServiceAccount" | "Namespace") => true,
        ("v1", "Service") => object.text("/spec/type") != "LoadBalancer" || has_ingress(object),
        ("v1", "PersistentVolumeClaim") => object.text("/status/phase") == "Bound",
        ("v1", "Pod") => match object.text("/status/phase") {
            "Succeeded" => true,
            "Running" => object.text("/spec/restartPolicy") == "Always" && condition("Ready"),
            _ => false,
        },
        ("apps/v1", "Deployment") => {
            let wanted = Some(replicas(object));
            whole(object, "/status/updatedReplicas") == wanted
                && whole(object, "/status/availableReplicas") == wanted
                && condition("Available")
        }
        ("apps/v1", "StatefulSet") => {
            let wanted = Some(replicas(object));
            let revision = |which: &str| object.at(which).and_then(Value::as_str);
            let current = revision("/status/currentRevision");
            whole(object, "/status/readyReplicas") == wanted
                && whole(object, "/status/currentReplicas") == wanted
                && current.is_some()
                && current == revision("/status/updateRevision")
        }
        ("apps/v1", "DaemonSet") => {
            let wanted = whole(object, "/status/desiredNumberScheduled");
            let counts = ["numberReady", "updatedNumberScheduled", "numberAvailable"];
            let is_wanted = |count| whole(object, &format!("/status/{count}")) == wanted;
            wanted.is_some() && counts.into_iter().all(is_wanted)
        }
        ("apps/v1", "ReplicaSet") => {
            object.number("/status/observedGeneration") >= object.number("/metadata/generation")
                && !condition("ReplicaFailure")
                && object.number("/status/availableReplicas") >= replicas(object)
        }
        ("batch/v1", "Job") => {
            let decided = object.list("/status/conditions").find_map(|c| {
                let is_true = c.text("/status") == "True";
                match c.text("/type") {
                    "Failed" | "Suspended" if is_true => Some(false),
                    "Complete" if is_true => Some(true),
                    _ => None,
                }
            });
            decided.unwrap_or_default()
        }
        ("batch/v1", "CronJob") => is_cron_job_healthy(object),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => {
            let decided = object.list("/status/conditions").find_map(|c| {
                let is_true = c.text("/status") == "True";
                match c.text("/type") {
                    "FailedGetScale"
                    | "FailedUpdateScale"
                    | "FailedGetResourceMetric"
                    | "InvalidSelector"
                        if is_true =>
                    {
                        Some(false)
                    }
                    "ScalingActive" | "ScalingLimited" if is_true => Some(true),
                    _ => None,
                }
            });
            decided.unwrap_or_default()
        }
        ("networking.k8s.io/v1", "Ingress") => has_ingress(object),
        _ => return None,
    })
}

fn has_ingress(object: &Object) -> bool {
    object.list("/status/loadBalancer/ingress").len() > 0
}

/// A suspended one is fine, and so is one that runs, or whose last run succeeded.
fn is_cron_job_healthy(object: &Object) -> bool {
    if object.is_true("/spec/suspend") {
        return true;
    }
    let scheduled = object.text("/status/lastScheduleTime");
    let succeeded = object.text("/status/lastSuccessfulTime");
    let is_active = object.list("/status/active").len() > 0;
    // The API server writes these times in one form, in UTC, so they compare as texts.
    !scheduled.is_empty() && (is_active || (!succeeded.is_empty() && succeeded >= scheduled))
}

fn replicas(object: &Object) -> i64 {
    whole(object, "/spec/replicas").unwrap_or(1)
}

/// Returns a number without its fraction.
fn whole(object: &Object, pointer: &str) -> Option<i64> {
    let number = object.at(pointer)?;
    number.as_i64().or_else(|| number.as_f64().map(golang::float_to_int))
}

/// Reads a duration as Go's `time.ParseDuration` does.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let next = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(next)?;
        let unit = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use patch_and_transform::protocol::Resource;
    use serde_json::json;

    #[track_caller]
    fn check(observed: Value, expect: bool) {
        let resource = |object: &Value, ready| Resource {
            resource: object.as_object().cloned(),
            ready,
            ..Resource::default()
        };
        let mut request = RunFunctionRequest::default();
        for (name, ready) in
            [("a", Ready::Unspecified), ("said", Ready::False), ("new", Ready::Unspecified)]
        {
            request.desired.resources.insert(name.to_owned(), resource(&json!({}), ready));
        }
        for name in ["a", "said"] {
            let observed = resource(&observed, Ready::Unspecified);
            request.observed.resources.insert(name.to_owned(), observed);
        }
        let answer = run(request).desired.resources;
        let wanted = if expect { Ready::True } else { Ready::Unspecified };
        assert_eq!(answer["a"].ready, wanted, "{observed}");
        assert_eq!(answer["said"].ready, Ready::False, "another function has said so");
        assert_eq!(answer["new"].ready, Ready::Unspecified, "it does not exist yet");
    }

    #[test]
    fn what_has_a_ready_condition_is_ready() {
        let of = |status: &str| {
            json!({"kind": "Bucket", "status": {"conditions": [
                {"type": "Synced", "status": "True"}, {"type": "Ready", "status": status},
            ]}})
        };
        check(of("True"), true);
        check(of("False"), false);
        check(json!({"kind": "Bucket"}), false);
        check(
            json!({"status": {"conditions": [{"type": "Ready", "status": "True",
                "lastTransitionTime": "now"}]}}),
            false,
        );
    }

    fn of(version: &str, kind: &str, spec: Value, status: Value) -> Value {
        json!({"apiVersion": version, "kind": kind, "spec": spec, "status": status})
    }

    #[test]
    fn kubernetes_kinds_have_their_own_checks() {
        let available = json!([{"type": "Available", "status": "True"}]);
        let deployment = |n: i64| {
            let status = json!({"updatedReplicas": n, "availableReplicas": n,
                "conditions": available});
            of("apps/v1", "Deployment", json!({"replicas": 2}), status)
        };
        check(deployment(2), true);
        check(deployment(1), false);
        check(of("v1", "ConfigMap", json!({}), json!({})), true);
        check(of("v1", "Service", json!({}), json!({})), true);
        check(of("v1", "Service", json!({"type": "LoadBalancer"}), json!({})), false);
        let ingress = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
        check(of("v1", "Service", json!({"type": "LoadBalancer"}), ingress.clone()), true);
        check(of("networking.k8s.io/v1", "Ingress", json!({}), ingress), true);
        check(of("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Bound"})), true);
        check(of("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Lost"})), false);
        let ready =
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        check(of("v1", "Pod", json!({"restartPolicy": "Always"}), ready), true);
        check(of("v1", "Pod", json!({}), json!({"phase": "Succeeded"})), true);
        check(of("v1", "Pod", json!({}), json!({"phase": "Running"})), false);
        let done = |type_: &str| json!({"conditions": [{"type": type_, "status": "True"}]});
        check(of("batch/v1", "Job", json!({}), done("Complete")), true);
        check(of("batch/v1", "Job", json!({}), done("Failed")), false);
        let hpa = "HorizontalPodAutoscaler";
        check(of("autoscaling/v2", hpa, json!({}), done("ScalingActive")), true);
        check(of("autoscaling/v2", hpa, json!({}), done("InvalidSelector")), false);
        let set = json!({"readyReplicas": 1, "currentReplicas": 1, "currentRevision": "a",
            "updateRevision": "a"});
        check(of("apps/v1", "StatefulSet", json!({}), set), true);
        check(of("apps/v1", "ReplicaSet", json!({}), json!({"availableReplicas": 1})), true);
        check(of("apps/v1", "ReplicaSet", json!({}), json!({})), false);
        let daemons = json!({"desiredNumberScheduled": 1, "numberReady": 1,
            "updatedNumberScheduled": 1, "numberAvailable": 1});
        check(of("apps/v1", "DaemonSet", json!({}), daemons), true);
        let times = |succeeded: &str| {
            json!({"lastScheduleTime": "2026-01-02T00:00:00Z",
            "lastSuccessfulTime": succeeded})
        };
        check(of("batch/v1", "CronJob", json!({}), times("2026-01-02T00:00:05Z")), true);
        check(of("batch/v1", "CronJob", json!({}), times("2026-01-01T00:00:05Z")), false);
        check(of("batch/v1", "CronJob", json!({"suspend": true}), json!({})), true);
    }

    #[test]
    fn the_input_sets_how_long_the_answer_lives() {
        let ttl = |text: &str| {
            let input = json!({ "ttl": text }).as_object().cloned();
            run(RunFunctionRequest { input, ..RunFunctionRequest::default() })
        };
        assert_eq!(ttl("1h5m0.5s").ttl, Some(Duration::from_millis(3_900_500)));
        assert_eq!(ttl("").ttl, Some(DEFAULT_TTL));
        assert_eq!(ttl("5").results[0].message, "cannot set ttl: time: invalid duration \"5\"");
    }
}
