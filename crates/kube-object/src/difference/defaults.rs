//! What applies if a manifest does not set a field: the API server's defaults, and KEDA's.
//!
//! Sources: Kubernetes `pkg/apis/core/v1/defaults.go` and `pkg/apis/apps/v1/defaults.go`; KEDA
//! `apis/keda/v1alpha1/scaledobject_types.go` and `pkg/scalers/nats_jetstream_scaler.go`.

use serde_json::{Value, json};

use crate::image::Image;

/// Returns a field with another name and the same meaning.
pub(super) fn alias(key: &str) -> Option<&'static str> {
    (key == "serviceAccount").then_some("serviceAccountName")
}

/// Returns the default of a field that its `parent` does not set, if any; `parent` is null if it is
/// missing itself.
pub fn default(kind: &str, pattern: &str, parent: &Value) -> Option<Value> {
    let pod = pattern.strip_prefix("spec.template.spec.");
    match (kind, pod) {
        (_, Some(pod)) => of_pod(pod, parent),
        ("Deployment", None) => of_deployment(pattern),
        ("Service", None) => of_service(pattern, parent),
        ("ServiceAccount", None) => {
            (pattern == "automountServiceAccountToken").then_some(json!(true))
        }
        ("ScaledObject", None) => of_scaled_object(pattern),
        ("PodDisruptionBudget", None) => {
            (pattern == "spec.unhealthyPodEvictionPolicy").then_some(json!("IfHealthyBudget"))
        }
        _ => None,
    }
}

fn of_deployment(pattern: &str) -> Option<Value> {
    Some(match pattern {
        "spec.replicas" => json!(1),
        "spec.revisionHistoryLimit" => json!(10),
        "spec.progressDeadlineSeconds" => json!(600),
        "spec.minReadySeconds" => json!(0),
        "spec.paused" => json!(false),
        "spec.strategy.type" => json!("RollingUpdate"),
        "spec.strategy.rollingUpdate.maxSurge" | "spec.strategy.rollingUpdate.maxUnavailable" => {
            json!("25%")
        }
        _ => return None,
    })
}

fn of_pod(field: &str, parent: &Value) -> Option<Value> {
    let container = field.strip_prefix("containers[].").or(field.strip_prefix("initContainers[]."));
    if let Some(field) = container {
        return of_container(field, parent);
    }
    Some(match field {
        "restartPolicy" => json!("Always"),
        "dnsPolicy" => json!("ClusterFirst"),
        "schedulerName" => json!("default-scheduler"),
        "terminationGracePeriodSeconds" => json!(30),
        "enableServiceLinks" => json!(true),
        "volumes[].secret.defaultMode"
        | "volumes[].configMap.defaultMode"
        | "volumes[].projected.defaultMode"
            if !parent.is_null() =>
        {
            json!(0o644)
        }
        "volumes[].secret.optional"
        | "volumes[].configMap.optional"
        | "volumes[].projected.sources[].secret.optional"
        | "volumes[].projected.sources[].configMap.optional" => json!(false),
        "hostNetwork" | "hostPID" | "hostIPC" | "shareProcessNamespace" => json!(false),
        _ => return None,
    })
}

fn of_container(field: &str, parent: &Value) -> Option<Value> {
    if let Some((probe, field)) = field.split_once('.')
        && probe.ends_with("Probe")
    {
        // Without a probe, nothing is probed.
        return Some(match field {
            _ if parent.is_null() => return None,
            "initialDelaySeconds" => json!(0),
            "timeoutSeconds" | "successThreshold" => json!(1),
            "periodSeconds" => json!(10),
            "failureThreshold" => json!(3),
            "httpGet.scheme" => json!("HTTP"),
            "httpGet.path" => json!("/"),
            "grpc.service" => json!(""),
            _ => return None,
        });
    }
    let is_variable = field.starts_with("env[].") || field.starts_with("envFrom[].");
    if is_variable && parent.is_null() {
        return None;
    }
    Some(match field {
        "terminationMessagePath" => json!("/dev/termination-log"),
        "terminationMessagePolicy" => json!("File"),
        "imagePullPolicy" => {
            let image = parent.get("image").and_then(Value::as_str)?;
            json!(Image::parse(image).ok()?.pull_policy())
        }
        "ports[].protocol" => json!("TCP"),
        "ports[].hostPort" => json!(0),
        "stdin" | "stdinOnce" | "tty" => json!(false),
        "securityContext.privileged" | "securityContext.readOnlyRootFilesystem" => json!(false),
        "securityContext.procMount" => json!("Default"),
        "env[].value" if parent.get("valueFrom").is_none() => json!(""),
        "env[].valueFrom.secretKeyRef.optional" | "envFrom[].secretRef.optional" => json!(false),
        "env[].valueFrom.configMapKeyRef.optional" | "envFrom[].configMapRef.optional" => {
            json!(false)
        }
        "env[].valueFrom.resourceFieldRef.divisor" => json!("0"),
        "volumeMounts[].readOnly" => json!(false),
        "env[].valueFrom.fieldRef.apiVersion" => json!("v1"),
        "envFrom[].prefix" => json!(""),
        _ => return None,
    })
}

fn of_service(pattern: &str, parent: &Value) -> Option<Value> {
    Some(match pattern {
        "spec.type" => json!("ClusterIP"),
        "spec.sessionAffinity" => json!("None"),
        "spec.internalTrafficPolicy" => json!("Cluster"),
        "spec.ipFamilyPolicy" => json!("SingleStack"),
        "spec.publishNotReadyAddresses" => json!(false),
        "spec.ports[].protocol" => json!("TCP"),
        "spec.ports[].targetPort" => parent.get("port")?.clone(),
        _ => return None,
    })
}

fn of_scaled_object(pattern: &str) -> Option<Value> {
    Some(match pattern {
        "spec.minReplicaCount" => json!(0),
        "spec.maxReplicaCount" => json!(100),
        "spec.pollingInterval" => json!(30),
        "spec.cooldownPeriod" => json!(300),
        "spec.initialCooldownPeriod" => json!(0),
        "spec.scaleTargetRef.apiVersion" => json!("apps/v1"),
        "spec.scaleTargetRef.kind" => json!("Deployment"),
        "spec.advanced.restoreToOriginalReplicaCount" => json!(false),
        "spec.fallback.behavior" => json!("static"),
        "spec.triggers[].metricType" => json!("AverageValue"),
        "spec.triggers[].useCachedMetrics" => json!(false),
        "spec.triggers[].metadata.lagThreshold" => json!("10"),
        "spec.triggers[].metadata.activationLagThreshold" => json!("0"),
        "spec.triggers[].metadata.useHttps" => json!("false"),
        _ => return None,
    })
}
