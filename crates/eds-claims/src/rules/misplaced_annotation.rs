//! EDS221: an annotation of the claim that is meant for its pods, its ServiceAccount or its
//! ScaledObject. The claim's own annotations reach none of them.

use serde_json::Value;

use super::{Claim, field_of};
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// An annotation that does nothing on a claim.
pub(super) static RULE: Rule = Rule {
    code: "EDS221",
    name: "misplaced-annotation",
    severity: Severity::Warning,
    what: "An annotation of the claim that is meant for its pods, its ServiceAccount or its \
            scaling.",
    why: "Nobody reads it there: a claim's own annotations do not reach what it becomes.",
    bad: "metadata: {annotations: {prometheus.io/scrape: \"true\"}}",
    good: "spec: {podMetadata: {annotations: {prometheus.io/scrape: \"true\"}}}",
};

/// How a key begins, and where it belongs.
const PLACES: [(&str, &str); 13] = [
    ("autoscaling.keda.sh/paused-replicas", PAUSED_AT),
    ("autoscaling.keda.sh/paused", PAUSED),
    ("eks.amazonaws.com/", ACCOUNT),
    ("iam.gke.io/", ACCOUNT),
    ("azure.workload.identity/client-id", ACCOUNT),
    ("azure.workload.identity/tenant-id", ACCOUNT),
    ("prometheus.io/", POD),
    ("sidecar.istio.io/", POD),
    ("traffic.sidecar.istio.io/", POD),
    ("linkerd.io/", POD),
    ("vault.hashicorp.com/", POD),
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", POD),
    ("reloader.stakater.com/", RELOADED),
];
const POD: &str = "write it below spec.podMetadata.annotations";
const ACCOUNT: &str = "write it below spec.serviceAccount.annotations";
const PAUSED: &str = "write paused: true below spec.scaling";
const PAUSED_AT: &str = "write paused: true and pausedReplicas below spec.scaling";
const RELOADED: &str = "write restartOnSecretChange: true below spec.rollout, which does the same";

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let annotations = field_of(claim.effective, "metadata.annotations").and_then(Value::as_object);
    for key in annotations.into_iter().flatten().map(|(key, _)| key) {
        let Some((_, fix)) = PLACES.into_iter().find(|(start, _)| key.starts_with(start)) else {
            continue;
        };
        let path = Path::fields("metadata.annotations").key(key);
        let message = "nobody reads this annotation on a claim, and it does not reach the pods";
        out.push(claim.finding(&RULE, &path, message).help(fix));
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn annotations() {
        let check = |annotation: &str, expected: &[_]| {
            let text = format!("  x: 1\nmetadata:\n  annotations:\n    {annotation}\n");
            testing::check(super::check, &text, expected);
        };
        let found = |part: &'static str| [("EDS221", 5, part)];
        check("prometheus.io/scrape: 'true'", &found("nobody reads"));
        check("autoscaling.keda.sh/paused: 'true'", &found("nobody reads"));
        check("autoscaling.keda.sh/paused-replicas: '0'", &found("nobody reads"));
        check("eks.amazonaws.com/role-arn: x", &found("nobody reads"));
        check("crossplane.io/paused: 'true'", &[]);
        check("example.com/note: x", &[]);
    }
}
