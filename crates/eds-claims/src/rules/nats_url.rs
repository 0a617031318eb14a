//! EDS210: a NATS URL that does not lead to NATS' client port.

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// A NATS URL that names NATS' monitoring or cluster port.
pub(super) static RULE: Rule = Rule {
    code: "EDS210",
    name: "client-port",
    severity: Severity::Warning,
    what: "A NATS URL that names NATS' monitoring or cluster port.",
    why: "Clients connect to the client port (4222); elsewhere nobody speaks their protocol.",
    bad: "url: nats://nats.nats.svc:8222",
    good: "url: nats://nats.nats.svc:4222",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let url = claim.text("spec.nats.url").unwrap_or_default();
    for server in url.split(',') {
        let Some((scheme, rest)) = server.split_once("://") else { continue };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port),
            _ => (host, ""),
        };
        let message = match port {
            "8222" => format!("{host} is NATS' monitoring port (HTTP); clients connect to 4222"),
            "6222" => format!("{host} is the port of NATS' own cluster; clients connect to 4222"),
            "7422" => format!("{host} is the port of NATS' leaf nodes; clients connect to 4222"),
            _ => continue,
        };
        out.push(
            claim
                .finding(&RULE, &Path::fields("spec.nats.url"), message)
                .help(format!("write {scheme}://{name}:4222")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn ports() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check("  nats: {url: 'nats://n:8222'}\n", &[("EDS210", 2, "monitoring port")]);
        check("  nats: {url: 'nats://n:4222,tls://u:8222@m:6222/'}\n", &[("EDS210", 2, "m:6222")]);
        check("  nats: {url: 'nats://n:4222,nats://n,ws://[::1]:80,nats://u:8222@n'}\n", &[]);
    }
}
