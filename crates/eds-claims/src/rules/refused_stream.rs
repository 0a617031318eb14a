//! EDS225: a stream that NATS refuses to make (nats-server 2.15.2, `checkStreamCfg`): subjects that
//! overlap, where a message would be kept twice (error 10052), or a maxAge below 100ms.

use serde_json::Value;

use super::{Claim, field_of};
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// A stream to be made that NATS refuses.
pub(super) static RULE: Rule = Rule {
    code: "EDS225",
    name: "refused-stream",
    severity: Severity::Error,
    what: "A stream to be made whose subjects overlap, or whose messages live less than 100ms.",
    why: "NATS refuses such a stream, so nothing is made, and the service has nothing to read.",
    bad: "create: {stream: {subjects: [\"orders.>\", orders.created]}}",
    good: "create: {stream: {subjects: [\"orders.>\"]}}",
};

/// The shortest that NATS keeps a message.
const SHORTEST: u64 = 100;

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    const STREAM: &str = "spec.nats.create.stream";
    let Some(stream) = field_of(claim.effective, STREAM) else { return };
    let subjects = stream.get("subjects").and_then(Value::as_array).into_iter().flatten();
    let subjects: Vec<&str> = subjects.map(|s| s.as_str().unwrap_or_default()).collect();
    for (i, subject) in subjects.iter().enumerate() {
        let earlier = subjects.iter().take(i).find(|earlier| overlap(earlier, subject));
        let Some(earlier) = earlier.filter(|_| !subject.is_empty()) else { continue };
        let path = Path::fields(STREAM).key("subjects").index(i);
        let (message, fix) = if earlier == subject {
            (format!("{subject} stands there twice"), "leave one of them out".to_owned())
        } else {
            let message = format!(
                "{earlier} and {subject} overlap, and NATS makes no stream that keeps a message \
                    twice"
            );
            let fix = match (within(subject, earlier), within(earlier, subject)) {
                (true, _) => format!("leave {subject} out: {earlier} has its messages"),
                (_, true) => format!("leave {earlier} out: {subject} has its messages"),
                _ => "name subjects of which none has messages of another".to_owned(),
            };
            (message, fix)
        };
        out.push(claim.finding(&RULE, &path, message).help(fix));
    }
    let age = stream.get("maxAge").and_then(Value::as_str).unwrap_or_default();
    if milliseconds(age).is_some_and(|age| age < SHORTEST) {
        let message = format!("{age} is less than NATS takes: at least 100ms");
        let path = Path::fields(STREAM).key("maxAge");
        let fix = "write 100ms or more, or leave it out: then messages may be of any age";
        out.push(claim.finding(&RULE, &path, message).help(fix));
    }
}

/// Reports whether a message can have a subject that both stand for.
fn overlap(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        match (a.next(), b.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

/// Reports whether every message of one subject is one of another.
fn within(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(_), Some(">")) => return true,
            (Some(one), Some(other)) if one != ">" && (one == other || other == "*") => {}
            _ => return false,
        }
    }
}

/// Returns a duration such as `1m30s`, if it is one.
fn milliseconds(text: &str) -> Option<u64> {
    let (mut sum, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at(end);
        let next = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at(next);
        let unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            _ => return None,
        };
        sum = sum.saturating_add(number.parse::<u64>().ok()?.saturating_mul(unit));
        rest = after;
    }
    (sum > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn subjects() {
        let check = |subjects: &str, expected: &[_]| {
            let spec = format!("  nats: {{create: {{stream: {{subjects: {subjects}}}}}}}\n");
            testing::check(super::check, &spec, expected);
        };
        check("['orders.>', orders.created]", &[("EDS225", 2, "orders.> and orders.created")]);
        check("[orders.created, 'orders.>']", &[("EDS225", 2, "overlap")]);
        check("[a.b, 'a.*']", &[("EDS225", 2, "a.b and a.*")]);
        check("['a.*.c', 'a.b.*']", &[("EDS225", 2, "overlap")]);
        check("['orders.>', 'orders.>']", &[("EDS225", 2, "twice")]);
        check("[a, b, a]", &[("EDS225", 2, "a stands there twice")]);
        check("[orders, 'orders.>']", &[]);
        check("['a.*', a.b.c, 'b.>', a]", &[]);
        check("['a.*', 'a.*.b']", &[]);
        check("[5, '']", &[]);
    }

    #[test]
    fn ages() {
        let check = |age: &str, expected: &[_]| {
            let spec = format!("  nats: {{create: {{stream: {{maxAge: {age}}}}}}}\n");
            testing::check(super::check, &spec, expected);
        };
        check("99ms", &[("EDS225", 2, "99ms is less than NATS takes")]);
        check("1ms98ms", &[("EDS225", 2, "less")]);
        check("100ms", &[]);
        check("1s5ms", &[]);
        check("999999h", &[]);
        check("'0'", &[]);
        check("soon", &[]);
    }
}
