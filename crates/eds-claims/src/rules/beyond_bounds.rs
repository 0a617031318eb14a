//! EDS222: a number of pods that does not fit between `minReplicas` and `maxReplicas`. KEDA 2.21
//! accepts each of them. A fallback becomes a metric, which the autoscaler holds between the bounds
//! (`pkg/fallback`); a cron trigger does too (`pkg/scalers/cron_scaler.go`); while a ScaledObject is
//! paused, KEDA sets the number itself and knows no bounds (`scaledobject_controller.go`). Fewer
//! pods than `minReplicas` while paused are what pausing is for.

use kube_object::object::Fields;
use serde_json::Value;

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// A number of pods that minReplicas or maxReplicas makes another one.
pub(super) static RULE: Rule = Rule {
    code: "EDS222",
    name: "beyond-bounds",
    severity: Severity::Warning,
    what: "A number of pods in spec.scaling that lies outside minReplicas and maxReplicas.",
    why: "Another number of pods runs than the claim says.",
    bad: "{maxReplicas: 10, fallback: {failureThreshold: 3, replicas: 20}}",
    good: "{maxReplicas: 10, fallback: {failureThreshold: 3, replicas: 10}}",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let number = |field: &str| claim.effective.integer(&format!("/spec/scaling/{field}"));
    let (least, most) =
        (number("minReplicas").unwrap_or(1), number("maxReplicas").unwrap_or(i64::MAX));
    if least > most {
        return; // the API refuses it
    }
    let scaling = Path::fields("spec.scaling");
    let mut warn = |path: Path, message: String, fix: String| {
        out.push(claim.finding(&RULE, &path, message).help(fix));
    };
    if let Some(pods) = number("fallback/replicas") {
        let path = scaling.with_fields("fallback.replicas");
        if pods > most {
            warn(
                path,
                format!("{pods} is above maxReplicas, so {most} pods run in that case"),
                format!("write {most} or less, or raise maxReplicas to {pods}"),
            );
        } else if pods < least {
            warn(
                path,
                format!("{pods} is below minReplicas, so {least} pods run in that case"),
                format!("write {least} or more"),
            );
        }
    }
    let paused = claim.effective.at("/spec/scaling/paused").and_then(Value::as_bool);
    if let Some(pods) = number("pausedReplicas").filter(|pods| *pods > most)
        && paused == Some(true)
    {
        warn(
            scaling.key("pausedReplicas"),
            format!(
                "{pods} pods run while paused, though maxReplicas is {most}: KEDA sets the \
                number without looking at maxReplicas"
            ),
            format!("write {most} or less, unless so many are meant"),
        );
    }
    let cron = claim.effective.list("/spec/scaling/cron");
    for (i, entry) in cron.enumerate() {
        if let Some(pods) = entry.integer("/replicas").filter(|pods| *pods < least) {
            warn(
                scaling.key("cron").index(i).key("replicas"),
                format!("{pods} is below minReplicas, {least}: this entry changes nothing"),
                format!("write more than {least}, or leave the entry out"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn numbers_of_pods() {
        let check = |scaling: &str, expected: &[_]| {
            testing::check(super::check, &format!("  scaling: {{{scaling}}}\n"), expected);
        };
        let bounds = |more: &str| format!("minReplicas: 2, maxReplicas: 10, {more}");
        let one = |message| [("EDS222", 2, message)];
        let fallback =
            |pods: u32| bounds(&format!("fallback: {{failureThreshold: 3, replicas: {pods}}}"));
        check(&fallback(20), &one("above maxReplicas, so 10 pods run"));
        check(&fallback(1), &one("below minReplicas, so 2 pods run"));
        check(&fallback(0), &one("below minReplicas, so 2 pods run"));
        check(&fallback(2), &[]);
        check(&fallback(10), &[]);
        check(&bounds("paused: true, pausedReplicas: 11"), &one("11 pods run while paused"));
        check(&bounds("paused: true, pausedReplicas: 10"), &[]);
        check(&bounds("paused: true, pausedReplicas: 0"), &[]);
        check(&bounds("paused: false, pausedReplicas: 11"), &[]);
        check(&bounds("cron: [{replicas: 1}, {replicas: 2}]"), &one("changes nothing"));
        check("minReplicas: 5, maxReplicas: 2, fallback: {replicas: 9}", &[]);
    }
}
