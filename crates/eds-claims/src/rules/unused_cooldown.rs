//! EDS209: KEDA's cooldownPeriod and activationLagThreshold only matter between one replica and
//! none.

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::yaml::Place;

/// A cooldownPeriod or activationLagThreshold without minReplicas 0.
pub(super) static RULE: Rule = Rule {
    code: "EDS209",
    name: "unused-cooldown",
    severity: Severity::Warning,
    what: "A cooldownPeriod or activationLagThreshold without minReplicas 0.",
    why: "KEDA only uses them on the way between one replica and none.",
    bad: "{minReplicas: 1, cooldownPeriod: 60}",
    good: "{minReplicas: 0, cooldownPeriod: 60}",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let scaling = Path::fields("spec.scaling");
    let least =
        super::field_of(claim.effective, "spec.scaling.minReplicas").and_then(|min| min.as_i64());
    if least.is_some_and(|min| min <= 0) {
        return;
    }
    for field in ["cooldownPeriod", "activationLagThreshold"] {
        let path = scaling.key(field);
        let value =
            path.node(claim.node).map(kube_schema::yaml::Node::to_json).and_then(|v| v.as_i64());
        // The threshold's default changes nothing.
        if value.is_some_and(|value| field == "cooldownPeriod" || value > 0) {
            let message = "is only used when minReplicas is 0";
            let finding = claim.finding(&RULE, &path, message);
            out.push(finding.help("leave it out, or set minReplicas: 0"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn cooldowns() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check("  scaling: {cooldownPeriod: 5}\n", &[("EDS209", 2, "minReplicas is 0")]);
        check("  scaling: {cooldownPeriod: 5, minReplicas: 0}\n", &[]);
        check(
            "  scaling: {activationLagThreshold: 5, minReplicas: 1}\n",
            &[("EDS209", 2, "only used")],
        );
        check("  scaling: {activationLagThreshold: 5, minReplicas: 0}\n", &[]);
        check("  scaling: {minReplicas: 1}\n", &[]);
    }
}
