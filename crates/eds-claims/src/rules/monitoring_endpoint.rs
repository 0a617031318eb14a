//! EDS208: the client port in place of the monitoring port. KEDA requests
//! `http://{monitoringEndpoint}/jsz`; a client port answers in NATS' own protocol.

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// A monitoring endpoint that names NATS' client port.
pub(super) static RULE: Rule = Rule {
    code: "EDS208",
    name: "monitoring-endpoint",
    severity: Severity::Warning,
    what: "A monitoring endpoint that names NATS' client port.",
    why: "KEDA asks over HTTP, which NATS serves on its monitoring port (8222); on 4222 it gets no \
         answer and never scales.",
    bad: "monitoringEndpoint: nats.nats.svc:4222",
    good: "monitoringEndpoint: nats-headless.nats.svc.cluster.local:8222",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let endpoint = claim.text("spec.nats.monitoringEndpoint").unwrap_or_default();
    if endpoint.ends_with(":4222") {
        let message = "4222 is NATS' client port; KEDA asks for the lag over HTTP";
        out.push(
            claim
                .finding(&RULE, &Path::fields("spec.nats.monitoringEndpoint"), message)
                .help("name the monitoring port of the headless Service, usually 8222"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn endpoints() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check("  nats: {monitoringEndpoint: 'n:4222'}\n", &[("EDS208", 2, "client port")]);
        check("  nats: {monitoringEndpoint: 'n:8222'}\n", &[]);
    }
}
