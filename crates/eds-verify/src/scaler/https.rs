//! Monitoring over https: what KEDA makes of NATS's certificate.
//!
//! KEDA 2.21 takes the certificate if one of the operator image's authorities signed it, or one in a
//! file of its `--ca-dir`, which is `/custom/ca` (`pkg/util/certificates.go`). It sends none of its
//! own, and nats-server wants none at this port (`getMonitoringTLSConfig` in `server/server.go`).

use kube_object::object::Fields;
use serde_json::Value;

use super::super::Check;
use super::{ScalerFacts, is_https, reads_the_lag};

/// Judges the certificate by what became of KEDA's own question: the API server, through which eds
/// asks, checks no certificate.
pub(super) fn certificate(
    facts: &ScalerFacts,
    scaled_object: &Value,
    trigger: &Value,
) -> Option<Check> {
    const NAME: &str = "certificate";
    if !is_https(trigger) {
        return None;
    }
    let host = trigger.text("/natsServerMonitoringEndpoint");
    let host = host.split(':').next().unwrap_or_default();
    let ready = reads_the_lag(facts, scaled_object);
    let said = facts.events.iter().rev().map(|event| event.text("/message").trim());
    let said =
        said.into_iter().find(|message| message.contains("x509") || message.contains("tls:"));
    Some(match said {
        Some(said) if !ready => {
            Check::failed(NAME, format!("KEDA refuses it: {said}"), fix(said, host))
        }
        _ if ready => Check::passed(NAME, "KEDA takes it: it reads the lag"),
        _ => Check::skipped(
            NAME,
            "eds asks through the API server, which checks none; KEDA has said nothing about it",
        ),
    })
}

/// Says what to do about what KEDA (Go's `crypto/x509`) says of a certificate.
fn fix(said: &str, host: &str) -> String {
    if said.contains("unknown authority") {
        return "a platform engineer mounts the CA of NATS into keda-operator below /custom/ca \
            (KEDA's --ca-dir), and starts it again: KEDA looks there only at its start"
            .to_owned();
    }
    if said.contains("valid for") || said.contains("IP SANs") || said.contains("not valid for any")
    {
        return format!(
            "the certificate must name {host} and, in a NATS cluster, what KEDA asks each server \
                by: *.{host}, or its address if the servers advertise theirs (no_advertise: true \
                stops that)"
        );
    }
    if said.contains("expired") {
        return "renew the certificate of NATS".to_owned();
    }
    format!("does https://{host} show a certificate that KEDA trusts?")
}

/// Says what to do if the endpoint was asked by the wrong scheme.
pub(crate) fn other_scheme(https: bool, said: &str) -> Option<&'static str> {
    if !https && said.contains("HTTP request to an HTTPS server") {
        return Some(
            "the port speaks https: write https:// before the host in spec.nats.monitoringEndpoint",
        );
    }
    let plain =
        ["HTTP response to HTTPS client", "first record does not look like a TLS handshake"];
    if https && plain.iter().any(|words| said.contains(words)) {
        return Some(
            "the port speaks plain http: leave https:// out of spec.nats.monitoringEndpoint, or \
                give NATS https_port instead of http_port",
        );
    }
    None
}
