//! EDS216: letters of other alphabets that look like ours, mixed with ours in one name. To NATS,
//! `ORDERS` with a Cyrillic O is another stream. A name entirely in another alphabet is taken as
//! intended. Also typographic quotes around a value, which YAML reads as part of it.

use super::Claim;
use kube_object::path::Path;
use kube_schema::characters::{self, explain, foreign_letter};
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::yaml::Place;

/// A letter that only looks like one of a to z, in a name that has both.
pub(super) static RULE: Rule = Rule {
    code: "EDS216",
    name: "lookalike",
    severity: Severity::Warning,
    what: "A letter that only looks like one of a to z, in a name that has both.",
    why: "NATS compares names byte by byte, so nobody finds the stream that reads the same.",
    bad: "stream: ORDERS, with a Cyrillic O",
    good: "stream: ORDERS",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let fields = ["spec.nats.stream", "spec.nats.consumer", "spec.nats.account", "spec.nats.url"];
    for field in fields {
        let text = claim.text(field).unwrap_or_default();
        let Some((at, letter, _)) = foreign_letter(text) else { continue };
        let Some((message, fix)) = explain(text) else { continue };
        let path = Path::fields(field);
        let mut finding = claim.finding(&RULE, &path, message).help(fix);
        let part = letter.to_string();
        finding.span = path.part(claim.node, text, at, &part).unwrap_or(finding.span);
        out.push(finding);
    }
    for (i, entry) in claim.list("env").iter().enumerate() {
        let value = entry.get("value").and_then(|value| value.as_str()).unwrap_or_default();
        let quoted = [('\u{201c}', '\u{201d}'), ('\u{201e}', '\u{201c}'), ('\u{2018}', '\u{2019}')];
        let is_quoted = |(open, close): &(char, char)| {
            value.strip_prefix(*open).is_some_and(|rest| rest.ends_with([*close, *open]))
        };
        if let Some((open, _)) = quoted.iter().find(|pair| is_quoted(pair)) {
            let path = Path::fields("spec.env").index(i).key("value");
            let message = format!(
                "{} belongs to the value here: it is not a quote in YAML",
                characters::named(*open).unwrap_or_default()
            );
            let fix = "write \" around the value, or nothing";
            out.push(claim.finding(&RULE, &path, message).help(fix));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn letters() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check(
            "  nats: {stream: \u{41e}RDERS}\n",
            &[("EDS216", 2, "Cyrillic letter \u{41e} (U+041E)")],
        );
        check("  nats: {consumer: w\u{3bf}rker}\n", &[("EDS216", 2, "Greek letter")]);
        check(
            "  nats: {stream: ORDERS, consumer: gr\u{f6}\u{df}e, account: \
                \u{417}\u{430}\u{43a}\u{430}\u{437}}\n",
            &[],
        );
        check(
            "  env: [{name: A, value: \u{201c}b\u{201d}}]\n",
            &[("EDS216", 2, "not a quote in YAML")],
        );
        check("  env: [{name: A, value: a \u{201c}b\u{201d} c}]\n", &[]);
    }
}
