//! What all proofs share: a namespace of their own with a stream and a consumer, a line for each promise that was
//! kept, waiting, and evidence when one was not.
//!
//! ```text
//! begin -> steps, each `ok   SENTENCE` -> (broken: evidence) -> put back -> claims, stream, namespace gone
//! ```
//!
//! The run itself (namespace, interruption, cleaning up, objects and logs as evidence) is that of `eds verify`.

use std::cell::{Cell, OnceCell};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use eds_cluster::nats::{self, Connection};
use eds_cluster::{Cluster, Run, gather, run};
use eds_core::form::Form;
use serde_json::json;

use crate::api::Api;
use crate::testbed::Testbed;

/// The testbed's NATS, as claims name it.
pub(crate) const NATS: &str = "nats://nats.nats.svc:4222";
/// The consumer of a proof's own stream.
pub(crate) const CONSUMER: &str = "worker";
/// Lines of evidence that are shown; all of it is kept.
const SHOWN: usize = 60;

/// A promise was not kept, which has been said.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a promise was not kept")
    }
}

impl std::error::Error for Broken {}

/// A promise was not kept: what is promised, and what is there instead.
#[derive(Debug)]
struct NotKept(String);

impl std::fmt::Display for NotKept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotKept {}

/// The end of a proof: a promise was not kept.
pub(crate) fn failed<T>(what: impl Into<String>) -> Result<T> {
    Err(NotKept(what.into()).into())
}

/// `failed` unless it is so.
pub(crate) fn ensure(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if is_so { Ok(()) } else { failed(otherwise()) }
}

/// A proof that runs.
pub(crate) struct Proof<'a> {
    /// Its run: namespace, and what is undone at the end.
    pub(crate) run: &'a Run,
    /// The API server.
    pub(crate) api: Api,
    /// The node.
    pub(crate) bed: Testbed,
    /// The form in which the API is installed.
    pub(crate) form: Form,
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its stream, with the consumer [`CONSUMER`].
    pub(crate) stream: String,
    /// The image that its claims name.
    pub(crate) image: String,
    /// Files of its own; gone at the end when all was as promised.
    pub(crate) evidence: PathBuf,
    passed: Cell<usize>,
    patience: u64,
}

/// The worker image of every proof; [`Testbed::worker`] puts a binary there.
pub(crate) const WORKER_IMAGE: &str = "registry.example.com/proofs/worker:1.0.0";

/// Where a proof takes place.
#[derive(Default)]
pub(crate) struct Place {
    /// Instead of a namespace, stream and image of the proof's own.
    pub(crate) fixed: Option<(&'static str, &'static str, &'static str)>,
}

/// Carries a proof out in a namespace of its own, and says how it ended.
pub(crate) async fn carry_out(
    name: &str,
    steps: impl AsyncFnOnce(&Proof<'_>) -> Result<()>,
) -> Result<()> {
    carry_out_at(name, Place::default(), steps).await
}

/// The same at a certain place.
pub(crate) async fn carry_out_at(
    name: &str,
    place: Place,
    steps: impl AsyncFnOnce(&Proof<'_>) -> Result<()>,
) -> Result<()> {
    let bed = Testbed::of_environment()?;
    let cluster = Cluster::connect(None).await?;
    let api = Api::connect().await?;
    let form = gather::form(&cluster).await?;
    started();
    let options = run::Options {
        prefix: format!("eds-{name}"),
        keep: false,
        evidence: None,
        note: say,
        namespace: place.fixed.map(|(namespace, ..)| namespace.to_owned()),
    };
    Run::within(
        &cluster,
        &options,
        |()| false,
        async |run| {
            let patience =
                std::env::var("EDS_PROOF_PATIENCE").ok().and_then(|times| times.parse().ok());
            let own = || run.namespace.to_uppercase().replace('-', "_");
            let proof = Proof {
                run,
                api,
                bed,
                form,
                namespace: run.namespace.clone(),
                stream: place.fixed.map_or_else(own, |(_, stream, _)| stream.to_owned()),
                image: place.fixed.map_or(WORKER_IMAGE, |(.., image)| image).to_owned(),
                evidence: std::env::temp_dir().join(&run.namespace),
                passed: Cell::new(0),
                patience: patience.unwrap_or(1),
            };
            std::fs::create_dir_all(&proof.evidence).context("no directory for evidence")?;
            if place.fixed.is_none() {
                run.ensure(&NATS.into(), &proof.stream, CONSUMER, nats::Settings::default())
                    .await?;
            }
            match steps(&proof).await {
                Ok(()) => {
                    let _ = std::fs::remove_dir_all(&proof.evidence);
                    say(&format!("{} steps, all as promised", proof.passed.get()));
                    Ok(())
                }
                Err(error) => {
                    let (red, plain) = colours(std::io::stderr().is_terminal(), "31");
                    let broken = error.is::<NotKept>();
                    let word = if broken { "failed" } else { "error" };
                    eprintln!("{red}{word}:{plain} {error:#}");
                    proof.tell();
                    if broken { Err(Broken.into()) } else { Err(error) }
                }
            }
        },
    )
    .await
}

impl Proof<'_> {
    /// One promise was kept.
    pub(crate) fn passed(&self, sentence: impl AsRef<str>) {
        self.passed.set(self.passed.get() + 1);
        let (green, plain) = colours(std::io::stdout().is_terminal(), "32");
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{green}ok{plain}   {}", sentence.as_ref());
        let _ = out.flush();
    }

    /// Looks until it is so; the proof ends where it is not within so many seconds. What cannot be looked at is not
    /// so yet.
    pub(crate) async fn must(
        &self,
        seconds: u64,
        what: impl AsRef<str>,
        mut look: impl AsyncFnMut() -> Result<bool>,
    ) -> Result<()> {
        self.must_find(seconds, what, async || Ok(look().await?.then_some(()))).await
    }

    /// The same, for what is found.
    pub(crate) async fn must_find<T>(
        &self,
        seconds: u64,
        what: impl AsRef<str>,
        mut look: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let (what, seconds) = (what.as_ref(), seconds * self.patience);
        let (begun, told, last) = (Instant::now(), OnceCell::new(), Cell::new(None));
        let found =
            Cluster::until(Duration::from_secs(seconds), Duration::from_millis(300), async || {
                if begun.elapsed() >= Duration::from_secs(10) {
                    told.get_or_init(|| {
                        say(&format!("still waiting for {what} (up to {seconds} s)"))
                    });
                }
                match look().await {
                    Ok(found) => {
                        last.set(None);
                        Ok(found)
                    }
                    Err(error) => {
                        last.set(Some(error));
                        Ok(None)
                    }
                }
            });
        match (found.await?, last.take()) {
            (Some(found), _) => Ok(found),
            (None, None) => failed(format!("not within {seconds} s: {what}")),
            (None, Some(error)) => failed(format!("not within {seconds} s: {what}; {error:#}")),
        }
    }

    /// Looks every so often while the steps are carried out; what was seen. A look that fails is none.
    pub(crate) async fn all_along<T>(
        &self,
        every: Duration,
        mut look: impl AsyncFnMut() -> Result<T>,
        steps: impl Future<Output = Result<()>>,
    ) -> Result<Vec<T>> {
        let mut seen = Vec::new();
        let looks = async {
            loop {
                seen.extend(look().await);
                tokio::time::sleep(every).await;
            }
        };
        tokio::select! {
            done = steps => done?,
            () = looks => {}
        }
        Ok(seen)
    }

    /// A connection to the testbed's NATS. A new one each time: a proof may restart it.
    pub(crate) async fn nats(&self) -> Result<Connection> {
        nats::connect(&self.run.cluster, &NATS.into(), &self.namespace).await
    }

    /// Publishes so many messages, each of which the reference worker works on for ten minutes: longer than a proof
    /// needs the lag, also on a busy machine.
    pub(crate) async fn publish(&self, count: usize) -> Result<()> {
        let nonce = stamp();
        let message = |i: usize| {
            let task = json!({"task": format!("message {i}"), "work_ms": 600_000}).to_string();
            (format!("{nonce}-{i}"), task.into())
        };
        let messages: Vec<_> = (1..=count).map(message).collect();
        self.nats().await?.publish(&self.stream, &messages).await
    }

    /// Empties the stream.
    pub(crate) async fn purge(&self) -> Result<()> {
        self.nats().await?.ask(format!("STREAM.PURGE.{}", self.stream), &[]).await?;
        Ok(())
    }

    /// Writes a file among the evidence.
    pub(crate) fn keep(&self, name: &str, text: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.evidence.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// What a person would look at first, in `evidence.txt`; its beginning is shown.
    fn tell(&self) {
        let here = ["-n", self.namespace.as_str()];
        let ours = format!("crossplane.io/claim-namespace={}", self.namespace);
        let lists = "serviceaccounts,deployments,services,scaledobjects.keda.sh,hpa,pods";
        let conditions =
            "jsonpath={range .items[*]}{.metadata.name}: {.status.conditions}{\"\\n\"}{end}";
        let claims = "eventdrivenservices.platform.bizmatters.io";
        let composites = "xeventdrivenservices.platform.bizmatters.io";
        let kubectl = |args: &[&str]| {
            let mut command = Command::new("kubectl");
            command.args(args);
            command
        };
        let logs = |part: &str, lines: &str| {
            let mut command = Command::new(self.bed.script("logs"));
            command.arg(part).env("EDS_LOG_LINES", lines);
            command
        };
        let looks = [
            ("claims", kubectl(&[&here[..], &["get", claims, "-o", "yaml"]].concat())),
            ("composites", kubectl(&["get", composites, "-l", &ours, "-o", "yaml"])),
            ("in the namespace", kubectl(&[&here[..], &["get", lists, "-o", "wide"]].concat())),
            (
                "scalers",
                kubectl(&[&here[..], &["get", "scaledobjects.keda.sh", "-o", conditions]].concat()),
            ),
            (
                "events",
                kubectl(&[&here[..], &["get", "events", "--sort-by=.lastTimestamp"]].concat()),
            ),
            ("Crossplane", logs("crossplane", "15")),
            ("the function", logs("function-event", "8")),
            ("the provider", logs("provider-kubernetes", "8")),
            ("KEDA", logs("keda-operator", "15")),
        ];
        let mut all = String::new();
        for (what, mut command) in looks {
            let _ = writeln!(all, "--- {what}");
            if let Ok(output) = command.output() {
                all.push_str(&String::from_utf8_lossy(&output.stdout));
                all.push_str(&String::from_utf8_lossy(&output.stderr));
            }
        }
        for line in all.lines().take(SHOWN) {
            eprintln!("{line}");
        }
        match self.keep("evidence.txt", &all) {
            Ok(_) => eprintln!("all of the evidence is kept in {}", self.evidence.display()),
            Err(cause) => error(&format!("{cause:#}")),
        }
    }
}

/// Something that is nowhere else yet.
pub(crate) fn stamp() -> String {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", now.as_micros(), std::process::id())
}

/// The instant that the lines of [`say`] count from.
fn started() -> Instant {
    static STARTED: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *STARTED.get_or_init(Instant::now)
}

/// Says what happens, with the seconds since the beginning.
pub(crate) fn say(line: &str) {
    let (dim, plain) = colours(std::io::stderr().is_terminal(), "2");
    eprintln!("{dim}{:4}s{plain} {line}", started().elapsed().as_secs());
}

/// Says what keeps a proof from being tried.
pub(crate) fn error(line: &str) {
    let (red, plain) = colours(std::io::stderr().is_terminal(), "31");
    eprintln!("{red}error:{plain} {line}");
}

/// Colour only for a person at a terminal.
fn colours(terminal: bool, code: &str) -> (String, &'static str) {
    if terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
        (format!("\x1b[{code}m"), "\x1b[0m")
    } else {
        (String::new(), "")
    }
}

/// A variable of the environment as a number.
pub(crate) fn setting(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Err(_) => Ok(default),
        Ok(value) => value.parse().map_err(|_| anyhow!("{name}={value} is not a number")),
    }
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The manifests of a YAML text, as JSON values.
pub(crate) fn manifests(text: &str) -> Result<Vec<serde_json::Value>> {
    serde_saphyr::from_multiple(text).context("not YAML")
}

/// The one manifest of a YAML text.
pub(crate) fn manifest(text: &str) -> Result<serde_json::Value> {
    let mut all = manifests(text)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => bail!("not one manifest"),
    }
}
