//! NATS in the cluster, from outside it.
//!
//! Its monitoring port is queried through the API server's proxy, its client port through a
//! port-forward: neither needs a route into the cluster.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use async_nats::jetstream::consumer::{self, AckPolicy, pull};
use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions};
use bytes::Bytes;
use eds_verify::Endpoint;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::Cluster;
use crate::forward::Forward;
pub use crate::nats_tls::Tls;

/// A pull consumer's settings.
pub type Settings = pull::Config;

/// A monitoring endpoint's answer to one query.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitored {
    /// What was asked: the path and its query.
    pub path: String,
    /// HTTP status.
    pub code: u16,
    /// The answer; a string if it is not JSON.
    pub body: Value,
}

impl Monitored {
    /// Returns it as facts for `eds_verify`: `path`, `code`, `body`.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({"path": self.path, "code": self.code, "body": self.body})
    }
}

/// Queries a monitoring endpoint for a path such as `/varz`.
///
/// # Errors
/// If the API server does not answer. Whatever comes from the endpoint is an answer.
pub async fn monitoring(cluster: &Cluster, endpoint: &Endpoint, path: &str) -> Result<Monitored> {
    let answer = cluster.endpoint_get(endpoint, path).await?;
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::String(answer.body));
    Ok(Monitored { path: path.to_owned(), code: answer.code, body })
}

/// Returns the query of KEDA's `nats-jetstream` scaler (KEDA 2.21
/// `pkg/scalers/nats_jetstream_scaler.go`, `getNATSJetStreamMonitoringURL`).
#[must_use]
pub fn jsz(account: &str) -> String {
    format!("/jsz?acc={}&config=true&consumers=true", escaped(account))
}

/// Percent-encodes a query value (RFC 3986, everything but the unreserved characters).
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// A NATS client whose connection goes through a port-forward.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// JetStream on it.
    pub jetstream: jetstream::Context,
    /// How the subjects of its API begin.
    api: String,
    /// The connection's route, which ends with it.
    _forward: Forward,
}

/// How to log in.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A user and its password.
    User(String, String),
    /// A token.
    Token(String),
    /// The text of a credentials file.
    Credentials(String),
}

/// Never shows the secret.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::User(..) => "User",
            Self::Token(_) => "Token",
            Self::Credentials(_) => "Credentials",
        })
    }
}

/// How to reach a NATS: what a claim's `spec.nats` says, with what is in its Secrets.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// As `spec.nats.url`, without a login.
    pub url: String,
    /// How to log in.
    pub login: Option<Login>,
    /// TLS with an authority of one's own.
    pub tls: Option<Tls>,
    /// The JetStream domain.
    pub domain: Option<String>,
}

/// What a URL says: a [`login`] is taken from it.
impl From<&str> for Access {
    fn from(url: &str) -> Self {
        let (url, login) = login(url);
        Self { url, login, ..Self::default() }
    }
}

/// Splits a URL into one without a login, which is no secret, and the login, if it has one:
/// `nats://USER:PASSWORD@HOST` or `nats://TOKEN@HOST`.
#[must_use]
pub fn login(url: &str) -> (String, Option<Login>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
    let Some((login, host)) = rest.rsplit_once('@') else { return (url.to_owned(), None) };
    let login = match login.split_once(':') {
        Some((user, password)) => Login::User(user.to_owned(), password.to_owned()),
        None => Login::Token(login.to_owned()),
    };
    (format!("{scheme}://{host}"), Some(login))
}

/// Connects to what a claim's `spec.nats.url` names; `home` is the claim's namespace.
///
/// # Errors
/// If the URL names no Service of this cluster, there is no ready pod behind it, or NATS refuses.
pub async fn connect(cluster: &Cluster, access: &Access, home: &str) -> Result<Connection> {
    let Access { url, login, tls, domain } = access;
    let Some(Endpoint { service, namespace, port, .. }) = Endpoint::parse(url, home, 4222) else {
        bail!("{url} names no Service of this cluster, so it cannot be reached through it");
    };
    let forward = cluster.forward_service(&namespace, &service, port).await?;
    let mut options = ConnectOptions::new()
        .name("eds")
        // They are addresses inside the cluster.
        .ignore_discovered_servers()
        .connection_timeout(Duration::from_secs(10))
        .max_reconnects(20);
    options = match login.clone() {
        Some(Login::User(user, password)) => options.user_and_password(user, password),
        Some(Login::Token(token)) => options.token(token),
        Some(Login::Credentials(text)) => {
            options.credentials(&text).context("the credentials file for NATS is none")?
        }
        None => options,
    };
    if let Some(tls) = tls {
        let config = tls.config(host(url)).context("the files for TLS with NATS")?;
        options = options.require_tls(true).tls_client_config(config);
    }
    let address = format!("nats://{}", forward.address);
    let client = options.connect(address).await;
    let client = client.with_context(|| format!("no connection to NATS ({url})"))?;
    let (jetstream, api) = match domain {
        Some(domain) => {
            (jetstream::with_domain(client.clone(), domain), format!("$JS.{domain}.API"))
        }
        None => (jetstream::new(client.clone()), "$JS.API".to_owned()),
    };
    Ok(Connection { client, jetstream, api, _forward: forward })
}

/// Returns the host of the first server in a URL without a login.
fn host(url: &str) -> &str {
    let first = url.split(',').next().unwrap_or_default().trim();
    let rest = first.split_once("://").map_or(first, |(_, rest)| rest);
    rest.split([':', '/']).next().unwrap_or_default()
}

/// What [`Connection::ensure`] had to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Name of the stream.
    pub stream: String,
    /// Name of the consumer.
    pub consumer: String,
    /// Whether the stream was missing.
    pub made_stream: bool,
    /// Whether the consumer was missing.
    pub made_consumer: bool,
}

impl Connection {
    /// Returns the subject of a stream that [`Connection::ensure`] creates: `{stream}.test`,
    /// lower-case.
    #[must_use]
    pub fn subject(stream: &str) -> String {
        format!("{}.test", stream.to_lowercase())
    }

    /// Creates the stream and its durable pull consumer, if missing. What exists is left as it is.
    ///
    /// # Errors
    /// If NATS refuses, or does not answer.
    pub async fn ensure(&self, stream: &str, consumer: &str) -> Result<Made> {
        self.ensure_with(stream, consumer, pull::Config::default(), 1).await
    }

    /// Does the same with the consumer's settings: `ack_wait`, `max_ack_pending` and the like. Name
    /// and acknowledgement are set here; `replicas` is how many copies the stream has.
    ///
    /// # Errors
    /// If NATS refuses, or does not answer.
    pub async fn ensure_with(
        &self,
        stream: &str,
        consumer: &str,
        settings: pull::Config,
        replicas: usize,
    ) -> Result<Made> {
        let made_stream = !self.has_stream(stream).await?;
        if made_stream {
            let config = stream::Config {
                name: stream.to_owned(),
                subjects: vec![format!("{}.>", stream.to_lowercase())],
                num_replicas: replicas,
                ..stream::Config::default()
            };
            let made = self.jetstream.create_stream(config).await;
            made.with_context(|| format!("cannot make the stream {stream}"))?;
        }
        let made_consumer = self.consumer(stream, consumer).await?.is_none();
        if made_consumer {
            let config = pull::Config {
                durable_name: Some(consumer.to_owned()),
                ack_policy: AckPolicy::Explicit,
                ..settings
            };
            let made = self.jetstream.create_consumer_on_stream(config, stream).await;
            made.with_context(|| format!("cannot make the consumer {consumer} of {stream}"))?;
        }
        let (stream, consumer) = (stream.to_owned(), consumer.to_owned());
        Ok(Made { stream, consumer, made_stream, made_consumer })
    }

    /// Publishes to the subject of [`Connection::subject`], each message with its id, and waits
    /// until the stream has all of them.
    ///
    /// # Errors
    /// If NATS refuses, or does not answer.
    pub async fn publish(&self, stream: &str, messages: &[(String, Bytes)]) -> Result<()> {
        // How many wait for their answers at once.
        for some in messages.chunks(100) {
            let sent = some.iter().map(|(id, payload)| async move {
                let message = jetstream::message::PublishMessage::build()
                    .message_id(id)
                    .payload(payload.clone());
                let ack = self.jetstream.send_publish(Self::subject(stream), message).await?;
                ack.await
            });
            let sent = futures_util::future::try_join_all(sent).await;
            sent.with_context(|| format!("cannot publish to the stream {stream}"))?;
        }
        Ok(())
    }

    /// Deletes what [`Connection::ensure`] created.
    ///
    /// # Errors
    /// If NATS refuses, or does not answer.
    pub async fn undo(&self, made: &Made) -> Result<()> {
        if made.made_stream {
            self.jetstream.delete_stream(&made.stream).await?;
        } else if made.made_consumer {
            let Made { stream, consumer, .. } = made;
            self.jetstream.delete_consumer_from_stream(consumer, stream).await?;
        }
        Ok(())
    }

    /// Returns a consumer's settings and progress, if it exists.
    ///
    /// # Errors
    /// If NATS refuses, or does not answer.
    pub async fn consumer(&self, stream: &str, consumer: &str) -> Result<Option<consumer::Info>> {
        let subject = format!("CONSUMER.INFO.{stream}.{consumer}");
        // Stream or consumer not found (nats-server `server/errors.json`).
        let info = self.ask(subject, &[10059, 10014]).await?;
        info.map(serde_json::from_value).transpose().context("an answer of NATS is not understood")
    }

    async fn has_stream(&self, stream: &str) -> Result<bool> {
        Ok(self.ask(format!("STREAM.INFO.{stream}"), &[10059]).await?.is_some())
    }

    /// Queries JetStream's API, such as `STREAM.INFO.ORDERS`. Returns `None` for these error codes.
    /// While a cluster has no leader, the question is asked again, some times.
    ///
    /// # Errors
    /// NATS refusing, or no answer.
    pub async fn ask(&self, subject: String, absent: &[u64]) -> Result<Option<Value>> {
        let subject = format!("{}.{subject}", self.api);
        for _ in 0..LEADERLESS {
            match self.asked(&subject).await? {
                answer if code(&answer) == Some(NO_LEADER) => sleep(ELECTION).await,
                answer => return understood(&subject, answer, absent),
            }
        }
        understood(&subject, self.asked(&subject).await?, absent)
    }

    async fn asked(&self, subject: &str) -> Result<Value> {
        let answer = self.client.request(subject.to_owned(), Bytes::new()).await;
        let answer = answer.with_context(|| format!("JetStream does not answer {subject}"))?;
        serde_json::from_slice(&answer.payload)
            .with_context(|| format!("JetStream's answer to {subject} is not JSON"))
    }
}

/// What JetStream says while its cluster, or a stream's group, elects a leader
/// (`JSClusterNotAvailErr` of nats-server's `server/errors.json`).
const NO_LEADER: u64 = 10008;
/// How often, and after which time, such a question is asked again: an election takes seconds.
const LEADERLESS: u32 = 20;
const ELECTION: Duration = Duration::from_millis(500);

/// Returns the code of JetStream's error.
fn code(answer: &Value) -> Option<u64> {
    answer.get("error")?.get("err_code")?.as_u64()
}

/// Turns JetStream's error into ours; `None` for the codes that say that something is absent.
fn understood(subject: &str, answer: Value, absent: &[u64]) -> Result<Option<Value>> {
    let Some(error) = answer.get("error") else { return Ok(Some(answer)) };
    if code(&answer).is_some_and(|code| absent.contains(&code)) {
        return Ok(None);
    }
    let text = error.get("description").and_then(Value::as_str).unwrap_or("no description");
    Err(anyhow!("JetStream refuses {subject}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_stands_in_a_query_as_it_is() {
        let check = |account: &str, expected: &str| {
            assert_eq!(jsz(account), format!("/jsz?acc={expected}&config=true&consumers=true"));
        };
        check("$G", "%24G");
        check("a-b_c.d~1", "a-b_c.d~1");
        check("ä&x=1 y", "%C3%A4%26x%3D1%20y");
    }

    #[test]
    fn what_jetstream_says() {
        let check = |answer: Value, expected: Result<Option<Value>, &str>| {
            let found = understood("x", answer, &[10014]).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(|error| format!("JetStream refuses x: {error}")));
        };
        let error =
            |code: u64| json!({"error": {"code": 500, "err_code": code, "description": "why"}});
        check(json!({"name": "S"}), Ok(Some(json!({"name": "S"}))));
        check(error(10014), Ok(None));
        check(error(10008), Err("why"));
        check(json!({"error": {}}), Err("no description"));
    }

    #[test]
    fn a_login_is_taken_out_of_a_url() {
        let check = |url: &str, plain: &str, expected: Option<Login>| {
            assert!(login(url) == (plain.to_owned(), expected), "{url}: {:?}", login(url));
        };
        let user = |password: &str| Some(Login::User("orders".to_owned(), password.to_owned()));
        check("nats://nats.nats.svc:4222", "nats://nats.nats.svc:4222", None);
        check("nats://orders:pw@nats:4222", "nats://nats:4222", user("pw"));
        check("tls://orders:p:@w@nats", "tls://nats", user("p:@w"));
        check("orders:@nats", "nats://nats", user(""));
        check("nats://t0ken@nats", "nats://nats", Some(Login::Token("t0ken".to_owned())));
        assert_eq!(format!("{:?}", user("pw")), "Some(User)");
        let credentials = Login::Credentials("s3cret".to_owned());
        assert_eq!(format!("{credentials:?}"), "Credentials");
    }

    #[test]
    fn the_host_that_a_certificate_must_name() {
        for (url, expect) in [
            ("nats://nats.nats.svc:4222", "nats.nats.svc"),
            ("tls://nats-0.h.n.svc", "nats-0.h.n.svc"),
            ("nats.nats:4222, nats://other:4222", "nats.nats"),
        ] {
            assert_eq!(host(url), expect);
        }
    }
}
