//! EDS219: a disruption budget under which no pod may ever go, so that a node with one cannot be
//! drained (`kubectl drain`, a cluster's upgrade). The number of pods at rest is `minReplicas`.

use kube_object::object::Fields;
use serde_json::Value;

use super::{Claim, field_of};
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// A disruption budget that never lets a pod go.
pub(super) static RULE: Rule = Rule {
    code: "EDS219",
    name: "blocks-drains",
    severity: Severity::Warning,
    what: "A disruption budget under which no pod may go while the service runs minReplicas pods.",
    why: "Nodes with such a pod cannot be drained: upgrades of the cluster wait for it for ever.",
    bad: "{disruptionBudget: {minAvailable: 1}, scaling: {minReplicas: 1}}",
    good: "{disruptionBudget: {maxUnavailable: 1}}",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let Some(budget) = field_of(claim.effective, "spec.disruptionBudget") else { return };
    if budget.get("minAvailable").is_some() && budget.get("maxUnavailable").is_some() {
        return; // the API refuses it
    }
    let pods = claim.effective.integer("/spec/scaling/minReplicas").unwrap_or(1);
    let percent = |value: &Value| value.as_str()?.strip_suffix('%')?.parse::<i64>().ok();
    let fix = "write maxUnavailable: 1, which lets one pod go at a time";
    let path = |field| Path::fields("spec.disruptionBudget").key(field);
    if let Some(value) = budget.get("maxUnavailable")
        && value.as_i64().or_else(|| percent(value)) == Some(0)
    {
        let message = "no pod may ever go, so nodes with one cannot be drained";
        out.push(claim.finding(&RULE, &path("maxUnavailable"), message).help(fix));
    }
    let Some(value) = budget.get("minAvailable") else { return };
    // A share of pods is rounded up.
    let needed = value
        .as_i64()
        .or_else(|| Some(percent(value)?.saturating_mul(pods).saturating_add(99).div_euclid(100)));
    if let Some(needed) = needed
        && pods > 0
        && needed >= pods
    {
        let these = if pods == 1 { "its one pod".to_owned() } else { format!("all {pods} pods") };
        let message =
            format!("at minReplicas the budget needs {these}, so nodes with one cannot be drained");
        out.push(claim.finding(&RULE, &path("minAvailable"), message).help(fix));
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn budgets() {
        let check = |budget: &str, min: i64, expected: &[_]| {
            let spec =
                format!("  disruptionBudget: {{{budget}}}\n  scaling: {{minReplicas: {min}}}\n");
            testing::check(super::check, &spec, expected);
        };
        check("maxUnavailable: 0", 3, &[("EDS219", 2, "no pod may ever go")]);
        check("maxUnavailable: 0%", 3, &[("EDS219", 2, "no pod may ever go")]);
        check("maxUnavailable: 1", 1, &[]);
        check("maxUnavailable: 1%", 1, &[]);
        check("minAvailable: 1", 1, &[("EDS219", 2, "its one pod")]);
        check("minAvailable: 50%", 1, &[("EDS219", 2, "its one pod")]);
        check("minAvailable: 100%", 4, &[("EDS219", 2, "all 4 pods")]);
        check("minAvailable: 50%", 2, &[]);
        check("minAvailable: 2", 3, &[]);
        check("minAvailable: 1", 0, &[]);
    }
}
