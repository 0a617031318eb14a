//! KEDA: its operator, the metrics that the autoscaler reads, and its version.

use kube_object::object::Fields;
use serde_json::Value;

use super::super::Check;

use super::{PlatformFacts, version, workload};

/// The oldest KEDA that this platform supports.
const OLDEST: version::Version = [2, 20, 2];

/// What was found of KEDA besides its Deployments.
#[derive(Debug, Clone, Default)]
pub struct KedaFacts {
    /// CustomResourceDefinition of ScaledObject.
    pub crd: Option<Value>,
    /// The APIService `v1beta1.external.metrics.k8s.io`.
    pub metrics: Option<Value>,
    /// Pods of KEDA's namespace.
    pub pods: Vec<Value>,
}

const INSTALL: &str = "install KEDA 2.20.2 or newer (its release's YAML or its chart)";

/// Returns KEDA's operator, wherever it is installed: its release and its chart both use this name.
#[must_use]
pub fn operator(deployments: &[Value]) -> Option<&Value> {
    super::super::object::named(deployments, "keda-operator")
}

pub(super) fn checks(all: &PlatformFacts) -> Vec<Check> {
    let facts = &all.keda;
    let unread = &all.unread;
    let mut checks = vec![unread.or("ScaledObject", &["customresourcedefinitions"], || crd(facts))];
    if let Some(skipped) = unread.skips("operator", &["deployments"]) {
        checks.push(skipped);
        return checks;
    }
    let Some(operator) = operator(&all.deployments) else {
        checks.push(Check::failed("operator", "there is no Deployment keda-operator", INSTALL));
        return checks;
    };
    checks.push(workload::check("operator", operator, &facts.pods, unread));
    checks.push(oldest(operator));
    let namespace = operator.text("/metadata/namespace");
    let part = |ending: &str| {
        all.deployments.iter().find(|d| {
            d.text("/metadata/namespace") == namespace
                && d.name().starts_with("keda-")
                && d.name().contains(ending)
        })
    };
    checks.push(match part("metrics-apiserver") {
        Some(found) => workload::check("metrics server", found, &facts.pods, unread),
        None => {
            let cause = format!("no Deployment of KEDA's metrics server is in {namespace}");
            Check::failed("metrics server", cause, INSTALL)
        }
    });
    checks.push(unread.or("external metrics", &["apiservices"], || metrics(facts, namespace)));
    // Without it a wrong ScaledObject is accepted, and fails later.
    if let Some(found) = part("admission") {
        let check = workload::check("admission webhook", found, &facts.pods, unread);
        checks.push(match check.fix {
            Some(fix) => Check::warning(check.name, check.detail, fix),
            None => check,
        });
    }
    checks
}

fn crd(facts: &KedaFacts) -> Check {
    const NAME: &str = "ScaledObject";
    let Some(crd) = &facts.crd else {
        let cause = "the API server does not know ScaledObject (keda.sh)";
        return Check::failed(NAME, cause, INSTALL);
    };
    if let Some(why) = crd.why_not("Established") {
        return Check::failed(NAME, why, format!("kubectl describe crd {}", crd.name()));
    }
    let served = crd
        .list("/spec/versions")
        .any(|v| v.text("/name") == "v1alpha1" && v.get("served") == Some(&Value::Bool(true)));
    if served {
        Check::passed(NAME, "keda.sh/v1alpha1 is served")
    } else {
        Check::failed(NAME, "keda.sh/v1alpha1 is not served", INSTALL)
    }
}

fn oldest(operator: &Value) -> Check {
    const NAME: &str = "version";
    let [major, minor, patch] = OLDEST;
    match version::of_workload(operator) {
        None => Check::warning(
            NAME,
            "neither image tag nor label says which version it is",
            format!("make sure that it is {major}.{minor}.{patch} or newer"),
        ),
        Some((found, text)) if found < OLDEST => Check::failed(
            NAME,
            format!("{text} is older than {major}.{minor}.{patch}"),
            "update KEDA; before 2.20 it does not escape account and stream in its question to \
                NATS",
        ),
        Some((_, text)) => Check::passed(NAME, text),
    }
}

/// Checks the metrics API, where the autoscaler reads the lag.
fn metrics(facts: &KedaFacts, namespace: &str) -> Check {
    const NAME: &str = "external metrics";
    let Some(found) = &facts.metrics else {
        let cause = "there is no APIService v1beta1.external.metrics.k8s.io: the autoscaler has \
                     nobody to ask for the lag";
        return Check::failed(NAME, cause, INSTALL);
    };
    let of = found.text("/spec/service/namespace");
    if of != namespace {
        let cause = format!(
            "APIService {} belongs to {of}/{}, not to KEDA: only one server can answer for \
             external metrics",
            found.name(),
            found.text("/spec/service/name")
        );
        return Check::failed(
            NAME,
            cause,
            "uninstall the other metrics adapter, then apply KEDA again",
        );
    }
    match found.why_not("Available") {
        None => Check::passed(NAME, format!("{} is available", found.name())),
        Some(why) => {
            Check::failed(NAME, why, format!("kubectl describe apiservice {}", found.name()))
        }
    }
}
