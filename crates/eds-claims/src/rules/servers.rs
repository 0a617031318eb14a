//! EDS217: a NATS URL that the API accepts and that leads nowhere: to the pod itself, or to several
//! servers not separated by commas.

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::yaml::Place;

/// A NATS URL that leads to the pod itself, or holds two servers without a comma between them.
pub(super) static RULE: Rule = Rule {
    code: "EDS217",
    name: "unreachable-server",
    severity: Severity::Warning,
    what: "A NATS URL that leads to the pod itself, or holds two servers without a comma between \
            them.",
    why: "The worker would never reach NATS.",
    bad: "url: nats://localhost:4222",
    good: "url: nats://nats.nats.svc:4222",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let url = claim.text("spec.nats.url").unwrap_or_default();
    let path = Path::fields("spec.nats.url");
    let mut warn = |part: &str, message: String, fix: String| {
        let mut finding = claim.finding(&RULE, &path, message).help(fix);
        let at = url.find(part).unwrap_or_default();
        finding.span = path.part(claim.node, url, at, part).unwrap_or(finding.span);
        out.push(finding);
    };
    if let Some(sign) = [";", "|"].into_iter().find(|sign| url.contains(sign)) {
        let message =
            format!("'{sign}' divides no servers; NATS' URLs are divided by a comma alone");
        let fixed: Vec<&str> = url.split(sign).filter(|part| !part.is_empty()).collect();
        warn(sign, message, format!("write {}", fixed.join(",")));
        return;
    }
    for server in url.split(',') {
        let Some((_, rest)) = server.split_once("://") else { continue };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => host.split(':').next().unwrap_or_default(),
        };
        let lower = name.to_ascii_lowercase();
        let itself = lower == "localhost"
            || lower.ends_with(".localhost")
            || name.starts_with("127.")
            || matches!(name, "::1" | "0.0.0.0" | "::" | "host.docker.internal");
        if itself {
            let what = if name == "host.docker.internal" {
                "a developer's machine"
            } else {
                "the pod itself"
            };
            let message = format!("{name} is {what}, where no NATS runs");
            let fix = "write nats://nats.nats.svc:4222, or leave it out for the platform's NATS";
            warn(name, message, fix.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn servers() {
        let check = |text: &str, expected: &[_]| {
            testing::check(super::check, &format!("  nats: {{url: '{text}'}}\n"), expected);
        };
        check("nats://localhost:4222", &[("EDS217", 2, "localhost is the pod itself")]);
        check("nats://n:4222,tls://u@127.0.0.1", &[("EDS217", 2, "127.0.0.1")]);
        check("nats://[::1]:4222", &[("EDS217", 2, "::1 is the pod")]);
        check("nats://a:4222;nats://b:4222", &[("EDS217", 2, "comma alone")]);
        check("nats://localhost.example.com:4222,nats://10.0.0.1", &[]);
    }
}
