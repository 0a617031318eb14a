//! The settings, all from the environment: what the claim provides, and optional ones.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What `agent-executor --help` says about the environment.
pub(crate) const HELP: &str = "\
Environment that the claim gives:
  NATS_URL                           spec.nats.url
  NATS_STREAM_NAME                   spec.nats.stream
  NATS_CONSUMER_GROUP                spec.nats.consumer: the durable pull consumer's name
  NATS_CREDS                         spec.nats.credentials: the path of a .creds file, or of an nkey
                                     seed; read again at each connection
  NATS_CA, NATS_CERT, NATS_KEY       spec.nats.tls: paths of PEM files; with any of them, TLS is
                                     required. Without NATS_CA, Mozilla's authorities are trusted
  NATS_DOMAIN                        spec.nats.domain: the JetStream domain

Secrets, through spec.secretRefs:
  DATABASE_URL                       postgres://USER:PASSWORD@HOST:PORT/DATABASE; each result is a \
  row.
                                     Without it, a result is a line on standard output only
  NATS_USER, NATS_PASSWORD           or NATS_TOKEN; or NATS_CREDS, with the text of a .creds file

Optional, through spec.env; seconds may have a fraction:
  WORKER_CONCURRENCY                 messages worked on at once, 1 to 256 (5)
  WORKER_HANDLER_TIMEOUT_SECONDS     longest work on one message (300)
  WORKER_SHUTDOWN_GRACE_SECONDS      time to finish after SIGTERM; keep it 5 s below
                                     spec.terminationGracePeriodSeconds (20)
  WORKER_MAX_DELIVERIES              deliveries of a failing message before it is dead-lettered; the
                                     consumer's own max_deliver counts if it is set (5)
  WORKER_RETRY_BACKOFF_SECONDS       wait after the first failure, doubled by each further one (1)
  WORKER_RETRY_BACKOFF_MAX_SECONDS   and at most this long (60)
  WORKER_DEAD_LETTER_SUBJECT         (dead-letter.STREAM.CONSUMER)
  WORKER_DEAD_LETTER_RETRY_SECONDS   how long a message waits in the consumer while no stream takes
                                     its dead letter (600)
  WORKER_MIGRATE_TIMEOUT_SECONDS     how long `migrate` and `results` wait for the database (60)
  WORKER_HTTP_ADDRESS                where /health, /ready and /metrics are served (0.0.0.0:8080)
  WORKER_LOG_LEVEL                   error, warn, info, debug or trace (info)

Exit codes: 0 fine (also after SIGTERM), 1 the database refused, 2 wrong settings.";

/// How to log in to NATS.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Whatever the URL contains, if anything.
    Url,
    UserPassword(String, String),
    Token(String),
    /// The text of a .creds file.
    Creds(String),
    /// The path of one.
    CredsFile(PathBuf),
}

/// Shows only the kind: secrets do not belong in logs. The path of a file is none.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("NATS_URL"),
            Self::UserPassword(..) => f.write_str("NATS_USER and NATS_PASSWORD"),
            Self::Token(_) => f.write_str("NATS_TOKEN"),
            Self::Creds(_) => f.write_str("NATS_CREDS"),
            Self::CredsFile(path) => write!(f, "NATS_CREDS={}", path.display()),
        }
    }
}

/// The files for TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Whose certificates are trusted.
    pub(crate) ca: Option<PathBuf>,
    /// The worker's own certificate, and its key.
    pub(crate) own: Option<(PathBuf, PathBuf)>,
}

/// The worker's settings.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) nats_url: Secret,
    pub(crate) stream: String,
    pub(crate) consumer: String,
    pub(crate) credentials: Credentials,
    pub(crate) tls: TlsFiles,
    /// The JetStream domain.
    pub(crate) domain: Option<String>,
    pub(crate) database_url: Option<Secret>,
    pub(crate) concurrency: usize,
    pub(crate) handler_timeout: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) max_deliveries: i64,
    pub(crate) backoff: Duration,
    pub(crate) backoff_max: Duration,
    pub(crate) dead_letter_subject: String,
    pub(crate) dead_letter_retry: Duration,
    pub(crate) http_address: SocketAddr,
}

/// A value that is never printed.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

/// Reads variables and collects every problem, so that one start reports them all.
pub(crate) struct Reader<F> {
    variable: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(crate) fn new(variable: F) -> Self {
        Self { variable, problems: Vec::new() }
    }

    /// Reads a variable. An empty one counts as absent: that is what an empty secret key gives.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&mut self, name: &str, fix: &str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set: {fix}"));
            String::new()
        })
    }

    fn parsed<T: FromStr>(&mut self, name: &str, default: T, wanted: &str) -> T {
        let Some(text) = self.text(name) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name}={text:?} is not {wanted}"));
            default
        })
    }

    /// Reads `name` in seconds, fractions allowed.
    pub(crate) fn seconds(&mut self, name: &str, default: f64) -> Duration {
        let seconds = self.parsed(name, default, "a number of seconds");
        // Limiting it to a day catches typing errors, and keeps sums of durations small.
        if (0.0..=86400.0).contains(&seconds) {
            return Duration::from_secs_f64(seconds);
        }
        self.problems.push(format!("{name}={seconds} is not between 0 and 86400 seconds"));
        Duration::from_secs_f64(default)
    }

    /// # Errors
    /// Every problem found so far, one per line.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, String> {
        if self.problems.is_empty() { Ok(value) } else { Err(self.problems.join("\n")) }
    }
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// Everything that is missing or wrong, one per line, with its fix.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut from = Reader::new(variable);
        let nats_url = from.required("NATS_URL", "the claim's spec.nats.url gives it");
        let stream = from.required("NATS_STREAM_NAME", "the claim's spec.nats.stream gives it");
        let consumer =
            from.required("NATS_CONSUMER_GROUP", "the claim's spec.nats.consumer gives it");
        for (name, value) in [("NATS_STREAM_NAME", &stream), ("NATS_CONSUMER_GROUP", &consumer)] {
            if value.contains(|c: char| c.is_whitespace() || ".*>/\\".contains(c)) {
                from.problems.push(format!(
                    "{name}={value:?} is not a JetStream name: no spaces, dots, wildcards or \
                        slashes"
                ));
            }
        }
        let credentials = credentials(&mut from);
        let tls = tls_files(&mut from);
        let domain = from.text("NATS_DOMAIN");
        if let Some(name) = domain.as_ref().filter(|name| !is_token(name)) {
            from.problems.push(format!(
                "NATS_DOMAIN={name:?} is no JetStream domain: no spaces, dots or wildcards; \
                    correct the claim's spec.nats.domain"
            ));
        }
        let concurrency = from.parsed("WORKER_CONCURRENCY", 5, "a number");
        if !(1..=256).contains(&concurrency) {
            from.problems.push(format!("WORKER_CONCURRENCY={concurrency} is not 1 to 256"));
        }
        let max_deliveries = from.parsed("WORKER_MAX_DELIVERIES", 5, "a number");
        if max_deliveries < 1 {
            from.problems.push(format!("WORKER_MAX_DELIVERIES={max_deliveries} is below 1"));
        }
        let config = Self {
            credentials,
            tls,
            domain,
            database_url: from.text("DATABASE_URL").map(Secret),
            concurrency,
            handler_timeout: from.seconds("WORKER_HANDLER_TIMEOUT_SECONDS", 300.0),
            shutdown_grace: from.seconds("WORKER_SHUTDOWN_GRACE_SECONDS", 20.0),
            max_deliveries,
            backoff: from.seconds("WORKER_RETRY_BACKOFF_SECONDS", 1.0),
            backoff_max: from.seconds("WORKER_RETRY_BACKOFF_MAX_SECONDS", 60.0),
            dead_letter_subject: from
                .text("WORKER_DEAD_LETTER_SUBJECT")
                .unwrap_or_else(|| format!("dead-letter.{stream}.{consumer}")),
            dead_letter_retry: from.seconds("WORKER_DEAD_LETTER_RETRY_SECONDS", 600.0),
            http_address: from.parsed(
                "WORKER_HTTP_ADDRESS",
                SocketAddr::from(([0, 0, 0, 0], 8080)),
                "an address such as 0.0.0.0:8080",
            ),
            nats_url: Secret(nats_url),
            stream,
            consumer,
        };
        from.finish(config)
    }

    /// Returns the subject of a question to JetStream, such as `STREAM.INFO.ORDERS`.
    pub(crate) fn api(&self, question: &str) -> String {
        match &self.domain {
            Some(domain) => format!("$JS.{domain}.API.{question}"),
            None => format!("$JS.API.{question}"),
        }
    }
}

/// Reports whether `name` is one token of a subject.
fn is_token(name: &str) -> bool {
    !name.contains(|c: char| c.is_whitespace() || ".*>".contains(c))
}

/// Reads where the files for TLS are. What is in them is looked at in `nats`.
fn tls_files<F: Fn(&str) -> Option<String>>(from: &mut Reader<F>) -> TlsFiles {
    let mut path = |name: &str| {
        let path = from.text(name)?;
        if is_path(&path) {
            return Some(PathBuf::from(path));
        }
        // Somebody may have put the key itself there.
        from.problems.push(format!(
            "{name} is not the path of a file, which begins with /: mount it by the claim's \
                spec.nats.tls"
        ));
        None
    };
    let (ca, cert, key) = (path("NATS_CA"), path("NATS_CERT"), path("NATS_KEY"));
    let missing = match (from.text("NATS_CERT"), from.text("NATS_KEY")) {
        (Some(_), None) => Some(("NATS_CERT", "NATS_KEY", "key")),
        (None, Some(_)) => Some(("NATS_KEY", "NATS_CERT", "cert")),
        _ => None,
    };
    if let Some((set, missing, field)) = missing {
        from.problems.push(format!(
            "{set} is set, {missing} is not: name its key of the Secret in the claim's \
                spec.nats.tls.{field}"
        ));
    }
    TlsFiles { ca, own: cert.zip(key) }
}

/// Reports whether a value is the path of a file. No secret of NATS begins like one.
fn is_path(value: &str) -> bool {
    value.starts_with('/') && !value.contains(['\n', '\0'])
}

fn credentials<F: Fn(&str) -> Option<String>>(from: &mut Reader<F>) -> Credentials {
    let user = from.text("NATS_USER");
    let password = from.text("NATS_PASSWORD");
    let mut found = Vec::new();
    match (user, password) {
        (Some(user), Some(password)) => found.push(Credentials::UserPassword(user, password)),
        (None, None) => {}
        (Some(_), None) => from.problems.push("NATS_USER is set, NATS_PASSWORD is not".to_owned()),
        (None, Some(_)) => from.problems.push("NATS_PASSWORD is set, NATS_USER is not".to_owned()),
    }
    found.extend(from.text("NATS_TOKEN").map(Credentials::Token));
    if let Some(value) = from.text("NATS_CREDS") {
        if is_path(&value) {
            found.push(Credentials::CredsFile(value.into()));
        } else if value.contains('\n') {
            found.push(Credentials::Creds(value));
        } else {
            from.problems.push(
                "NATS_CREDS is neither the path of a file, which begins with /, nor the text of a \
                    .creds file: mount one by the claim's spec.nats.credentials"
                    .to_owned(),
            );
        }
    }
    if let [first, second, ..] = found.as_slice() {
        from.problems.push(format!("{first:?} and {second:?} are both set: give one"));
    }
    found.into_iter().next().unwrap_or(Credentials::Url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: &[(&str, &str)] = &[
        ("NATS_URL", "nats://nats.nats.svc:4222"),
        ("NATS_STREAM_NAME", "ORDERS"),
        ("NATS_CONSUMER_GROUP", "orders"),
    ];

    fn read(base: &[(&str, &str)], more: &[(&str, &str)]) -> Result<Config, String> {
        Config::read(|name| {
            let found = more.iter().chain(base).find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[track_caller]
    fn check(more: &[(&str, &str)], expect: &str) {
        assert_eq!(read(CLAIM, more).expect_err("settings"), expect);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_fix() {
        assert_eq!(
            read(&[], &[]).expect_err("settings"),
            "NATS_URL is not set: the claim's spec.nats.url gives it\n\
             NATS_STREAM_NAME is not set: the claim's spec.nats.stream gives it\n\
             NATS_CONSUMER_GROUP is not set: the claim's spec.nats.consumer gives it"
        );
        check(&[("NATS_URL", "")], "NATS_URL is not set: the claim's spec.nats.url gives it");
        check(
            &[("NATS_STREAM_NAME", "A.B")],
            "NATS_STREAM_NAME=\"A.B\" is not a JetStream name: no spaces, dots, wildcards or \
                slashes",
        );
        check(&[("NATS_USER", "u")], "NATS_USER is set, NATS_PASSWORD is not");
        check(
            &[("NATS_TOKEN", "t"), ("NATS_CREDS", "/c")],
            "NATS_TOKEN and NATS_CREDS=/c are both set: give one",
        );
        check(
            &[("NATS_CREDS", "SUAseed")],
            "NATS_CREDS is neither the path of a file, which begins with /, nor the text of a \
             .creds file: mount one by the claim's spec.nats.credentials",
        );
        check(
            &[("NATS_CERT", "/c")],
            "NATS_CERT is set, NATS_KEY is not: name its key of the Secret in the claim's \
             spec.nats.tls.key",
        );
        check(
            &[("NATS_KEY", "/c")],
            "NATS_KEY is set, NATS_CERT is not: name its key of the Secret in the claim's \
             spec.nats.tls.cert",
        );
        check(
            &[("NATS_CA", "-----BEGIN CERTIFICATE-----")],
            "NATS_CA is not the path of a file, which begins with /: mount it by the claim's \
             spec.nats.tls",
        );
        check(
            &[("NATS_DOMAIN", "a.b")],
            "NATS_DOMAIN=\"a.b\" is no JetStream domain: no spaces, dots or wildcards; correct \
             the claim's spec.nats.domain",
        );
        check(&[("WORKER_CONCURRENCY", "0")], "WORKER_CONCURRENCY=0 is not 1 to 256");
        check(&[("WORKER_CONCURRENCY", "five")], "WORKER_CONCURRENCY=\"five\" is not a number");
        check(
            &[("WORKER_SHUTDOWN_GRACE_SECONDS", "-1")],
            "WORKER_SHUTDOWN_GRACE_SECONDS=-1 is not between 0 and 86400 seconds",
        );
        check(
            &[("WORKER_HANDLER_TIMEOUT_SECONDS", "nan")],
            "WORKER_HANDLER_TIMEOUT_SECONDS=NaN is not between 0 and 86400 seconds",
        );
        check(
            &[("WORKER_HTTP_ADDRESS", "8080")],
            "WORKER_HTTP_ADDRESS=\"8080\" is not an address such as 0.0.0.0:8080",
        );
    }

    #[test]
    fn a_domain_is_in_every_question() {
        let plain = read(CLAIM, &[]).expect("settings");
        assert_eq!(plain.api("STREAM.INFO.S"), "$JS.API.STREAM.INFO.S");
        let leaf = read(CLAIM, &[("NATS_DOMAIN", "leaf")]).expect("settings");
        assert_eq!(leaf.api("STREAM.INFO.S"), "$JS.leaf.API.STREAM.INFO.S");
    }

    #[test]
    fn defaults_and_secrets() {
        let config = read(
            &[("NATS_URL", "nats://u:s3cret@nats:4222"), CLAIM[1], CLAIM[2]],
            &[("NATS_TOKEN", "s3cret"), ("DATABASE_URL", "postgres://s3cret")],
        )
        .expect("settings");
        assert_eq!(config.dead_letter_subject, "dead-letter.ORDERS.orders");
        assert_eq!(config.concurrency, 5);
        assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
    }
}
