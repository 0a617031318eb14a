//! EDS220: a time that KEDA cannot read. It parses `start` and `end` with robfig/cron's standard
//! parser (minute, hour, day of month, month, day of week), when it reconciles the ScaledObject;
//! the API server takes any five words.

use super::{Claim, field_of};
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use serde_json::Value;

/// A time in spec.scaling.cron that KEDA cannot read.
pub(super) static RULE: Rule = Rule {
    code: "EDS220",
    name: "cron",
    severity: Severity::Error,
    what: "A time in spec.scaling.cron that KEDA cannot read.",
    why: "KEDA refuses the whole ScaledObject, and the service is not scaled at all.",
    bad: "start: 0 25 * * *",
    good: "start: 0 7 * * 1-5",
};

/// The five fields: name, least and greatest number, and the names that stand for numbers, from the
/// least on.
const FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    ),
    ("day of week", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let cron = field_of(claim.effective, "spec.scaling.cron").and_then(Value::as_array);
    for (i, entry) in cron.into_iter().flatten().enumerate() {
        for end in ["start", "end"] {
            let Some(text) = entry.get(end).and_then(Value::as_str) else { continue };
            let words: Vec<&str> = text.split(' ').collect();
            if words.len() != FIELDS.len() {
                continue; // the schema says so
            }
            for (word, (name, least, greatest, names)) in words.into_iter().zip(FIELDS) {
                if !word.split(',').all(|part| is_fine(part, least, greatest, names)) {
                    let path = Path::fields("spec.scaling.cron").index(i).key(end);
                    let message = format!("{word} is no {name}");
                    let fix = format!(
                        "write numbers from {least} to {greatest}, ranges (1-5), lists (1,2) or *"
                    );
                    out.push(claim.finding(&RULE, &path, message).help(fix));
                }
            }
        }
    }
}

/// Reports whether robfig/cron reads a part: `*`, `?`, `N`, `N-M`, each perhaps with `/STEP`.
fn is_fine(part: &str, least: u32, greatest: u32, names: &[&str]) -> bool {
    let number = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let named = names.iter().zip(least..).find(|(name, _)| **name == lower);
        named.map(|(_, n)| n).or_else(|| text.parse().ok())
    };
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    let step_is_fine = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|n| n > 0));
    let within = |n: u32| (least..=greatest).contains(&n);
    let range_is_fine = match range.split_once('-') {
        _ if matches!(range, "*" | "?") => true,
        None => number(range).is_some_and(within),
        Some((from, to)) => match (number(from), number(to)) {
            (Some(from), Some(to)) => within(from) && within(to) && from <= to,
            _ => false,
        },
    };
    step_is_fine && range_is_fine
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn times() {
        let check = |start: &str, expected: &[_]| {
            let entry = format!("  scaling: {{cron: [{{start: '{start}', end: 0 19 * * *}}]}}\n");
            testing::check(super::check, &entry, expected);
        };
        for fine in [
            "0 7 * * 1-5",
            "*/15 0-23/2 1,15 JAN-mar ?",
            "59 23 31 12 6",
            "0 0 * * sun",
            "5/10 * * * *",
        ] {
            check(fine, &[]);
        }
        check("60 7 * * *", &[("EDS220", 2, "60 is no minute")]);
        check("0 25 * * *", &[("EDS220", 2, "25 is no hour")]);
        check("0 7 0 * *", &[("EDS220", 2, "0 is no day of month")]);
        check("0 7 * 13 *", &[("EDS220", 2, "13 is no month")]);
        check("0 7 * * 7", &[("EDS220", 2, "7 is no day of week")]);
        check("0 9-7 * * *", &[("EDS220", 2, "9-7 is no hour")]);
        check("*/0 7 * * *", &[("EDS220", 2, "*/0 is no minute")]);
        check("0 7 L * MO", &[("EDS220", 2, "L is no day"), ("EDS220", 2, "MO is no day of week")]);
        check("0 7 * *", &[]);
    }
}
