//! EDS202: NATS refuses JetStream on its system account, and its monitoring lists no account for
//! `acc=$SYS` (nats-server 2.15.2), so KEDA reports "consumer not found" and never scales. Account
//! names are exact: with any other spelling there is no such account.

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// One of NATS' own accounts that never holds a stream: $SYS, or $G in another spelling.
pub(super) static RULE: Rule = Rule {
    code: "EDS202",
    name: "system-account",
    severity: Severity::Error,
    what: "An account of NATS' own that never holds a stream: $SYS, or $G in another spelling.",
    why: "NATS refuses JetStream on its system account, so KEDA never finds the consumer there and \
         never scales the service.",
    bad: "account: $SYS",
    good: "account: $G",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let account = claim.text("spec.nats.account").unwrap_or_default();
    let global = account != "$G" && account.trim_start_matches('$').eq_ignore_ascii_case("g");
    if global && account.starts_with('$') {
        let message = format!("NATS has no account {account}; its global account is $G");
        let path = Path::fields("spec.nats.account");
        let finding = claim.finding(&RULE, &path, message);
        out.push(finding.help("write $G, or leave it out: that is the default"));
    } else if account.trim_start_matches('$').eq_ignore_ascii_case("sys")
        && account.starts_with('$')
    {
        let message = match account {
            "$SYS" => "the system account never holds a stream: NATS refuses JetStream there, so \
                KEDA would never scale this service"
                .to_owned(),
            other => format!(
                "NATS has no account {other}; its system account is $SYS, and that never holds a \
                    stream"
            ),
        };
        let path = Path::fields("spec.nats.account");
        out.push(
            claim
                .finding(&RULE, &path, message)
                .help("leave it out for $G, the account of a server without accounts"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn accounts() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check("  nats: {account: $SYS}\n", &[("EDS202", 2, "never holds")]);
        check("  nats: {account: $sys}\n", &[("EDS202", 2, "no account $sys")]);
        check("  nats: {account: $g}\n", &[("EDS202", 2, "no account $g")]);
        check("  nats: {account: $$G}\n", &[("EDS202", 2, "no account $$G")]);
        check("  nats: {account: $$SYS}\n", &[("EDS202", 2, "no account $$SYS")]);
        check("  nats: {account: G}\n", &[]);
        check("  nats: {account: $G}\n", &[]);
        check("  nats: {}\n", &[]);
    }
}
