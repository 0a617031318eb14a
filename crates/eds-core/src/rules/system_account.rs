//! EDS202: NATS refuses JetStream on its system account, and its monitoring lists no account for
//! `acc=$SYS` (nats-server 2.15.2), so KEDA reports "consumer not found" and never scales.

use super::Claim;
use crate::diagnostics::{Finding, catalog};
use crate::schema::path::Path;

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    if claim.text("/spec/nats/account") == Some("$SYS") {
        let message = "the system account never holds a stream: NATS refuses JetStream there, so \
                       KEDA would never scale this service";
        let path = Path::fields("spec.nats.account");
        out.push(
            claim
                .finding(&catalog::SYSTEM_ACCOUNT, &path, message)
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
        check("  nats: {account: $G}\n", &[]);
        check("  nats: {}\n", &[]);
    }
}
