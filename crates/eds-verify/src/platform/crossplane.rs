//! Crossplane itself.

use serde_json::Value;

use super::super::Check;
use super::{PlatformFacts, version, workload};
use kube_object::object::{Fields, named};

/// From this version on, only functions compose composite resources.
const OLDEST: version::Version = [2, 0, 0];
/// One claim's Objects make 265 events, measured on Crossplane 2.3.4, which allows 100 by default.
const EVENTS_OF_A_CLAIM: i64 = 265;

/// Returns Crossplane's Deployment, wherever it is installed.
#[must_use]
pub fn core(deployments: &[Value]) -> Option<&Value> {
    named(deployments, "crossplane")
}

pub(super) fn checks(facts: &PlatformFacts) -> Vec<Check> {
    if let Some(skipped) = facts.unread.skips("installed", &["deployments"]) {
        return vec![skipped];
    }
    let Some(core) = core(&facts.deployments) else {
        let fix = "install Crossplane 2: helm install crossplane -n crossplane-system \
            --create-namespace crossplane-stable/crossplane";
        return vec![Check::failed("installed", "there is no Deployment crossplane", fix)];
    };
    let pods = &facts.compositions.pods;
    let mut checks = vec![workload::check("installed", core, pods, &facts.unread)];
    checks.push(match version::of_workload(core) {
        Some((found, text)) if found < OLDEST => {
            Check::failed("version", format!("{text} is older than 2.0"), "update Crossplane to 2")
        }
        Some((_, text)) => Check::passed("version", text),
        None => Check::warning(
            "version",
            "neither image tag nor label says which version it is",
            "make sure that it is 2.0 or newer",
        ),
    });
    if let Some(found) = named(&facts.deployments, "crossplane-rbac-manager") {
        checks.push(workload::check("RBAC manager", found, pods, &facts.unread));
    }
    checks.push(circuit_breaker(facts, core));
    checks
}

/// Checks the circuit breaker, since each update of a provider-kubernetes Object counts eight
/// times.
fn circuit_breaker(facts: &PlatformFacts, core: &Value) -> Check {
    const NAME: &str = "circuit breaker";
    let flag = "--circuit-breaker-burst=";
    let burst = core
        .list("/spec/template/spec/containers/0/args")
        .filter_map(Value::as_str)
        .find_map(|arg| arg.strip_prefix(flag)?.parse::<i64>().ok());
    let variable = || {
        core.list("/spec/template/spec/containers/0/env")
            .find(|e| e.text("/name") == "CIRCUIT_BREAKER_BURST")
            .and_then(|e| e.text("/value").parse().ok())
    };
    let burst = burst.or_else(variable).unwrap_or(100);
    let wraps = facts.compositions.ours().any(|c| super::packages::provider_config(c).is_some());
    if !wraps || burst > EVENTS_OF_A_CLAIM {
        return Check::passed(NAME, format!("{burst} events at once"));
    }
    Check::warning(
        NAME,
        format!(
            "{burst} events at once, and one claim's Objects make {EVENTS_OF_A_CLAIM}: Crossplane \
                then drops a claim's events for five minutes, and finds out by polling"
        ),
        "start Crossplane with --circuit-breaker-burst=500 --circuit-breaker-refill-rate=5",
    )
}
