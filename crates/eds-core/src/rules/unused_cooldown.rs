//! EDS209: KEDA's cooldownPeriod only counts on the way from one replica to none.

use super::Claim;
use crate::diagnostics::{Finding, catalog};
use crate::schema::path::Path;

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let scaling = claim.effective.pointer("/spec/scaling");
    let number = |key: &str| scaling.and_then(|s| s.get(key)?.as_i64());
    if number("cooldownPeriod").is_some() && number("minReplicas").is_none_or(|min| min > 0) {
        let message = "is only used when minReplicas is 0";
        out.push(
            claim
                .finding(
                    &catalog::IDLE_COOLDOWN,
                    &Path::fields("spec.scaling.cooldownPeriod"),
                    message,
                )
                .help("leave it out, or set minReplicas: 0"),
        );
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
        check("  scaling: {minReplicas: 1}\n", &[]);
    }
}
