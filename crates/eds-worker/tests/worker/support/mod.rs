//! The real services and the real worker, each a child process on loopback with its own directory,
//! ended when its value is dropped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer, stream};

pub mod nats;
pub mod postgres;

/// Returns `found` if it is there. Otherwise the test cannot run and says so;
/// `EDS_REQUIRE_SERVICES=1` makes that a failure.
fn service<T>(name: &str, found: Option<T>, hint: &str) -> Option<T> {
    if found.is_none() {
        let message = format!("NOT TESTED: {name} is not here: {hint}");
        assert!(std::env::var("EDS_REQUIRE_SERVICES").as_deref() != Ok("1"), "{message}");
        // Past the harness, which swallows what a passing test prints.
        let _ = writeln!(std::io::stderr(), "{message}");
    }
    found
}

/// A directory that is removed when dropped.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("eds-worker-{}-{next}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns a port that nobody listens on right now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

pub fn signal(child: &Child, name: &str) {
    let kill = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", child.id())).status();
    assert!(kill.expect("sh").success(), "kill -{name}");
}

/// Tests wait this many times longer than an idle machine would need, so that they fail only if
/// something never happens.
const PATIENCE: f64 = 6.0;

/// An `ack_wait` in seconds that is longer than any test: no redelivery can hide a lost message.
pub const ACK_WAIT: f64 = 600.0;

fn patience(seconds: f64) -> Instant {
    Instant::now() + Duration::from_secs_f64(seconds * PATIENCE)
}

/// Waits until `check` returns something, which takes at most `seconds` on an idle machine.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    seconds: f64,
    check: impl Fn() -> F,
) -> T {
    let until = patience(seconds);
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(Instant::now() < until, "not within {PATIENCE} times {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn wait(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// A worker process. Its output is shown if the test fails.
pub struct Worker {
    child: Child,
    port: u16,
    directory: Directory,
}

impl Worker {
    /// Starts it with the environment that a claim provides, and `more`.
    pub fn start(nats_url: &str, more: &[(&str, &str)]) -> Self {
        let (directory, port) = (Directory::new("worker"), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-executor"));
        command
            .env_clear()
            .env("NATS_URL", nats_url)
            .env("NATS_STREAM_NAME", STREAM)
            .env("NATS_CONSUMER_GROUP", CONSUMER)
            .env("WORKER_HTTP_ADDRESS", format!("127.0.0.1:{port}"))
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(directory.path().join("out")).expect("out"))
            .stderr(File::create(directory.path().join("err")).expect("err"));
        Self { child: command.spawn().expect("agent-executor"), port, directory }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).expect("output")
    }

    /// Returns the lines of processed messages.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let text = self.read("out");
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    pub fn log(&self) -> String {
        self.read("err")
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    pub fn running(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }

    /// Waits for its end, which takes at most `seconds` on an idle machine.
    pub async fn ended(&mut self, seconds: f64) -> ExitStatus {
        let until = patience(seconds);
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status;
            }
            assert!(
                Instant::now() < until,
                "the worker still runs after {PATIENCE} times {seconds} s"
            );
            wait(0.02).await;
        }
    }

    /// Returns status and body; status 0 if it does not answer.
    pub fn get(&self, path: &str) -> (u16, String) {
        let answer = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(3)))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n")?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok(text)
        };
        let Ok(text) = answer() else { return (0, String::new()) };
        let (head, body) = text.split_once("\r\n\r\n").expect("a body");
        (head[9..12].parse().expect("a status"), body.to_owned())
    }

    /// Returns one of its metrics; NaN while it does not answer.
    pub fn metric(&self, name: &str) -> f64 {
        let (status, text) = self.get("/metrics");
        if status == 0 {
            return f64::NAN;
        }
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.expect(name).rsplit(' ').next().expect("a value").parse().expect("a number")
    }

    pub async fn ready(&self) {
        eventually("ready", 15.0, async || (self.get("/ready").0 == 200).then_some(())).await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for name in ["out", "err"] {
                let text = self.read(name);
                let skip = text.lines().count().saturating_sub(25);
                let tail: Vec<_> = text.lines().skip(skip).collect();
                eprintln!("--- the end of the worker's std{name}\n{}", tail.join("\n"));
            }
        }
    }
}

pub const STREAM: &str = "WORK";
pub const CONSUMER: &str = "workers";

/// Starts a NATS with the stream and the consumer that an operator would create.
pub async fn broker(ack_wait: f64) -> Option<(nats::Nats, jetstream::Context)> {
    let nats = nats::Nats::start().await?;
    let jetstream = nats.context().await;
    operator(&jetstream, ack_wait).await;
    Some((nats, jetstream))
}

/// Starts the same, and a migrated PostgreSQL.
pub async fn services(
    ack_wait: f64,
) -> Option<(nats::Nats, jetstream::Context, postgres::Postgres)> {
    let (nats, jetstream) = broker(ack_wait).await?;
    Some((nats, jetstream, postgres::Postgres::migrated().await?))
}

/// Creates the stream and the consumer that an operator would create.
pub async fn operator(jetstream: &jetstream::Context, ack_wait: f64) {
    make_stream(jetstream).await;
    make_consumer(
        jetstream,
        consumer::pull::Config {
            ack_wait: Duration::from_secs_f64(ack_wait),
            ..Default::default()
        },
    )
    .await;
}

pub async fn make_stream(jetstream: &jetstream::Context) {
    let config = stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["work.>".to_owned()],
        retention: stream::RetentionPolicy::WorkQueue,
        duplicate_window: Duration::from_millis(200),
        ..Default::default()
    };
    jetstream.create_stream(config).await.expect("the stream");
}

pub async fn make_consumer(jetstream: &jetstream::Context, config: consumer::pull::Config) {
    let config = consumer::pull::Config { durable_name: Some(CONSUMER.to_owned()), ..config };
    let stream = jetstream.get_stream(STREAM).await.expect("the stream");
    stream.create_consumer(config).await.expect("the consumer");
}

/// Returns the consumer as the server sees it.
pub async fn consumer_info(jetstream: &jetstream::Context) -> consumer::Info {
    let stream = jetstream.get_stream(STREAM).await.expect("the stream");
    stream.consumer_info(CONSUMER).await.expect("the consumer")
}

pub async fn publish(jetstream: &jetstream::Context, count: usize, payload: &str) {
    for _ in 0..count {
        let sent = jetstream.publish("work.item", payload.to_owned().into()).await;
        sent.expect("publish").await.expect("stored");
    }
}

/// Starts a worker whose settings are wrong, and returns what it says before it ends with 2.
pub fn wrong_settings(nats_url: &str, more: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_agent-executor"))
        .env_clear()
        .env("NATS_URL", nats_url)
        .env("NATS_STREAM_NAME", STREAM)
        .env("NATS_CONSUMER_GROUP", CONSUMER)
        .env("WORKER_HTTP_ADDRESS", format!("127.0.0.1:{}", free_port()))
        .envs(more.iter().copied())
        .output()
        .expect("agent-executor");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert_eq!(output.status.code(), Some(2), "{text}");
    text
}

/// Runs `agent-executor results` with a claim's environment and returns what it says.
pub fn results(database: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_agent-executor"))
        .arg("results")
        .env_clear()
        .env("NATS_URL", "nats://127.0.0.1:1")
        .env("NATS_STREAM_NAME", STREAM)
        .env("NATS_CONSUMER_GROUP", CONSUMER)
        .env("DATABASE_URL", database)
        .output()
        .expect("agent-executor");
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.code(), String::from_utf8(text).expect("text"))
}

/// Waits until nothing is waiting and nothing is unanswered.
pub async fn drained(jetstream: &jetstream::Context, seconds: f64) {
    eventually("the consumer is drained", seconds, async || {
        let info = consumer_info(jetstream).await;
        (info.num_pending == 0 && info.num_ack_pending == 0).then_some(())
    })
    .await;
}

/// Creates the stream that accepts dead letters.
pub async fn dead_letters(jetstream: &jetstream::Context) {
    let config = stream::Config {
        name: "DEAD".to_owned(),
        subjects: vec!["dead-letter.>".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(config).await.expect("the stream");
}

/// Returns how many there are.
pub async fn dead(jetstream: &jetstream::Context) -> u64 {
    jetstream.get_stream("DEAD").await.expect("DEAD").cached_info().state.messages
}

/// Returns the dead letter `number`, counted from 1.
pub async fn letter(
    jetstream: &jetstream::Context,
    number: u64,
) -> async_nats::jetstream::message::StreamMessage {
    let stream = jetstream.get_stream("DEAD").await.expect("DEAD");
    stream.get_raw_message(number).await.expect("the letter")
}

/// Publishes one message with its id.
pub async fn publish_as(jetstream: &jetstream::Context, id: &str, payload: &str) {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", id);
    let sent =
        jetstream.publish_with_headers("work.item", headers, payload.to_owned().into()).await;
    sent.expect("publish").await.expect("stored");
}
