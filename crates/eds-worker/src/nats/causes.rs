//! What to do about an attempt to connect that failed.

use crate::config::{Config, Credentials};

/// Returns the fix for a failure as the client library describes it; `who` is the user that the
/// credentials file names. The words are those of async-nats 0.51, rustls 0.23 and nats-server 2.15.
pub(crate) fn fix(cause: &str, config: &Config, who: Option<&str>) -> Option<String> {
    let has = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    let ca = config.tls.ca.as_ref().map(|path| path.display().to_string());
    if has(&["authorization violation", "Authorization Violation"]) {
        return Some(refused(config, who));
    }
    if has(&["User Authentication Expired", "User Authentication Revoked"]) {
        return Some(format!("renew {:?}: its user is no longer allowed", config.credentials));
    }
    if has(&["UnknownIssuer", "BadSignature"]) {
        return Some(match ca {
            Some(ca) => format!(
                "the CA in NATS_CA, {ca}, did not sign the server's certificate: correct \
                    spec.nats.tls.ca"
            ),
            None => "NATS has a certificate of a CA of its own: name it in spec.nats.tls.ca \
                (NATS_CA)"
                .to_owned(),
        });
    }
    if has(&["NotValidForName", "not valid for name"]) {
        return Some(
            "name the server in spec.nats.url as its certificate does, or have its certificate \
                name that host"
                .to_owned(),
        );
    }
    if has(&["certificate expired", "invalid peer certificate: Expired"]) {
        return Some("the server's certificate is over: renew it".to_owned());
    }
    if has(&["CaUsedAsEndEntity"]) {
        return Some(
            "the server shows a CA's certificate as its own: give it one of its own".into(),
        );
    }
    if has(&["CertificateRequired", "HandshakeFailure", "BadCertificate"])
        && config.tls.own.is_none()
    {
        return Some(
            "the server asks for a client certificate: name it in spec.nats.tls.cert and key \
                (NATS_CERT, NATS_KEY)"
                .to_owned(),
        );
    }
    if has(&[
        "UnknownCA",
        "BadCertificate",
        "CertificateUnknown",
        "CertificateExpired",
        "DecryptError",
    ]) {
        return Some(
            "the server does not take the certificate in NATS_CERT: did its CA sign it, and is it \
                not over? correct spec.nats.tls.cert"
                .to_owned(),
        );
    }
    if has(&["InvalidContentType", "InvalidMessage", "corrupt message"]) {
        return Some(
            "the server does not speak TLS at this port: correct spec.nats.url, or leave \
                spec.nats.tls out"
                .to_owned(),
        );
    }
    None
}

/// Says what to do about a login that the server does not take.
fn refused(config: &Config, who: Option<&str>) -> String {
    let credentials = &config.credentials;
    match credentials {
        Credentials::Url if config.nats_url.0.contains('@') => {
            "it does not take user and password in NATS_URL: correct them where spec.nats.url has \
                them from"
                .to_owned()
        }
        Credentials::Url => "it wants a login: give a credentials file by spec.nats.credentials, \
            or NATS_USER and NATS_PASSWORD by spec.secretRefs"
            .to_owned(),
        Credentials::CredsFile(_) | Credentials::Creds(_) => {
            let who = who.map_or_else(String::new, |who| format!(" ({who})"));
            format!(
                "it does not take the user of {credentials:?}{who}: does the server know its \
                    account, and is the user neither revoked nor over?"
            )
        }
        other => format!("it does not take {other:?}: correct the Secret in spec.secretRefs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_fix() {
        let config = |more: &[(&str, &str)]| {
            let claim =
                [("NATS_URL", "n"), ("NATS_STREAM_NAME", "S"), ("NATS_CONSUMER_GROUP", "c")];
            Config::read(|name| {
                let mut all = more.iter().chain(&claim);
                all.find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
            .expect("settings")
        };
        let plain = config(&[]);
        let login = config(&[("NATS_USER", "u"), ("NATS_PASSWORD", "s3cret")]);
        let creds = config(&[("NATS_CREDS", "/c")]);
        let ca = config(&[("NATS_CA", "/ca")]);
        let own = config(&[("NATS_CERT", "/t"), ("NATS_KEY", "/k")]);
        let refused = "nats: authorization violation";
        for (cause, config, expect) in [
            (refused, &plain, "it wants a login: give a credentials file"),
            (refused, &login, "it does not take NATS_USER and NATS_PASSWORD"),
            (refused, &creds, "it does not take the user of NATS_CREDS=/c (user U)"),
            ("invalid peer certificate: UnknownIssuer", &plain, "name it in spec.nats.tls.ca"),
            ("invalid peer certificate: UnknownIssuer", &ca, "the CA in NATS_CA, /ca, did not"),
            ("received fatal alert: CertificateRequired", &ca, "asks for a client certificate"),
            ("received fatal alert: UnknownCA", &own, "does not take the certificate in NATS_CERT"),
            ("received corrupt message of type InvalidContentType", &ca, "does not speak TLS"),
            ("Connection refused (os error 111)", &plain, ""),
        ] {
            let found = fix(cause, config, Some("user U")).unwrap_or_default();
            assert!(found.starts_with(expect) || found.contains(expect), "{cause}: {found}");
            assert_eq!(found.is_empty(), expect.is_empty(), "{cause}: {found}");
            assert!(!found.contains("s3cret"), "{found}");
        }
    }
}
