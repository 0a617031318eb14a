//! The address of a Service inside the cluster, as claims and triggers write it.

/// `service.namespace.svc:port` in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the Service.
    pub service: String,
    /// Its namespace.
    pub namespace: String,
    /// Port of the Service.
    pub port: u16,
}

impl Endpoint {
    /// Reads `host:port`, with or without a scheme, user and path before and after it. The host is
    /// a Service's name as the cluster's DNS knows it: `service.namespace`, with `.svc` or
    /// `.svc.cluster.local` or nothing after it, or `service` alone, which is in `home`.
    ///
    /// None where it is none of these: an IP address, or a host outside the cluster.
    #[must_use]
    pub fn parse(text: &str, home: &str, default_port: u16) -> Option<Self> {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let text = text.split(['/', '?']).next()?;
        let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, default_port),
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let mut parts = host.split('.');
        let service = parts.next()?;
        let namespace = parts.next().unwrap_or(home);
        if parts.next().is_some_and(|svc| svc != "svc") {
            return None;
        }
        // A Service's name begins with a letter; an address does not.
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        (is_name(service) && is_name(namespace)).then(|| Self {
            service: service.to_owned(),
            namespace: namespace.to_owned(),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let check = |text: &str, expected: Option<(&str, &str, u16)>| {
            let found = Endpoint::parse(text, "home", 4222);
            let found = found.as_ref().map(|e| (e.service.as_str(), e.namespace.as_str(), e.port));
            assert_eq!(found, expected, "{text}");
        };
        let headless = Some(("nats-headless", "nats", 8222));
        check("nats-headless.nats.svc.cluster.local:8222", headless);
        check("nats-headless.nats.svc:8222", headless);
        check("http://nats-headless.nats:8222/jsz?acc=$G", headless);
        check("nats://nats.nats.svc", Some(("nats", "nats", 4222)));
        check("nats://user:p@ss@nats.nats.svc:4223", Some(("nats", "nats", 4223)));
        check("nats:1", Some(("nats", "home", 1)));
        check("nats.nats.svc.cluster.local.:4222", Some(("nats", "nats", 4222)));
        check("10.0.0.1:8222", None);
        check("nats.example.com:4222", None);
        check("nats:port", None);
        check("", None);
    }
}
