//! The address of a Service in the cluster, as written in claims and triggers.

/// The parts of `service.namespace.svc:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the Service.
    pub service: String,
    /// Its namespace.
    pub namespace: String,
    /// Port of the Service.
    pub port: u16,
    /// One of its pods, if the host is that pod's name under its headless Service.
    pub pod: Option<String>,
    /// Whether it is asked over https.
    pub https: bool,
}

impl Endpoint {
    /// Reads `host:port`, with or without a scheme, user and path around it. The host is a
    /// Service's name in the cluster's DNS: `service.namespace`, followed by `.svc`,
    /// `.svc.cluster.local` or nothing, or just `service`, which is in `home`; or a pod's name
    /// before that, and then `.svc`. Of several servers separated by commas, takes the first that
    /// is one of these.
    ///
    /// Returns `None` for anything else: an IP address, or a host outside the cluster.
    #[must_use]
    pub fn parse(text: &str, home: &str, default_port: u16) -> Option<Self> {
        Self::all(text, home, default_port).into_iter().find_map(|(_, endpoint)| endpoint)
    }

    /// Returns each server of a list, as written, with its address if it is inside the cluster.
    #[must_use]
    pub fn all<'a>(text: &'a str, home: &str, port: u16) -> Vec<(&'a str, Option<Self>)> {
        let servers = text.split(',').map(str::trim).filter(|server| !server.is_empty());
        servers.map(|server| (server, Self::one(server, home, port))).collect()
    }

    fn one(text: &str, home: &str, default_port: u16) -> Option<Self> {
        let (scheme, text) = text.split_once("://").unwrap_or(("", text));
        let text = text.split(['/', '?']).next()?;
        let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, default_port),
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let parts: Vec<&str> = host.split('.').collect();
        let (pod, service, namespace) = match parts.as_slice() {
            [service] => (None, *service, home),
            [service, namespace] | [service, namespace, "svc", ..] => (None, *service, *namespace),
            [pod, service, namespace, "svc", ..] => (Some(*pod), *service, *namespace),
            _ => return None,
        };
        // A Service's name begins with a letter; an address does not.
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        (is_name(service) && is_name(namespace)).then(|| Self {
            service: service.to_owned(),
            namespace: namespace.to_owned(),
            port,
            pod: pod.map(str::to_owned),
            https: scheme == "https",
        })
    }

    /// Returns `pod.service.namespace`, as in the cluster's DNS.
    #[must_use]
    pub fn host(&self) -> String {
        let pod = self.pod.as_ref().map(|pod| format!("{pod}.")).unwrap_or_default();
        format!("{pod}{}.{}", self.service, self.namespace)
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
        check("nats-0.nats-headless.nats.svc.cluster.local:8222", headless);
        check(
            "nats://nats-0.nats-headless.nats.svc:8222,nats://nats-1.nats-headless.nats.svc:4222",
            headless,
        );
        check("nats://nats.example.com:4222, nats://nats.nats:4222", Some(("nats", "nats", 4222)));
        check("https://nats-headless.nats.svc:8222", headless);
        check("nats://$(NATS_USER):$(NATS_PASSWORD)@nats.nats:4222", Some(("nats", "nats", 4222)));
        check("10.0.0.1:8222", None);
        check("nats.example.com:4222", None);
        check("nats:port", None);
        check("", None);
    }

    #[test]
    fn https_is_what_the_scheme_says() {
        for (text, expect) in [
            ("https://a.b.svc:8222", true),
            ("http://a.b.svc:8222", false),
            ("a.b.svc:8222", false),
            ("tls://a.b.svc:4222", false),
        ] {
            let found = Endpoint::parse(text, "home", 80).map(|endpoint| endpoint.https);
            assert_eq!(found, Some(expect), "{text}");
        }
    }

    #[test]
    fn several_servers() {
        let found = Endpoint::all("nats://a.b.svc.c:1,x.example.com, nats-0.h.n.svc", "home", 4222);
        let found: Vec<(&str, Option<String>)> =
            found.into_iter().map(|(text, e)| (text, e.map(|e| e.host()))).collect();
        assert_eq!(
            found,
            [
                ("nats://a.b.svc.c:1", Some("a.b".to_owned())),
                ("x.example.com", None),
                ("nats-0.h.n.svc", Some("nats-0.h.n".to_owned())),
            ]
        );
    }
}
