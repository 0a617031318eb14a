//! `agent-executor`: the reference worker of an `EventDrivenService`.
//!
//! `worker` fetches messages and starts a `task` for each; `consumer` and `nats` say whether there
//! is anything to fetch from; `results` is the effect; `http` tells the kubelet what `state` knows.
//! `handler` is the work itself, which your own service replaces.

mod backoff;
mod config;
mod consumer;
mod dead_letter;
mod delivery;
mod handler;
mod http;
mod metrics;
mod migrate;
mod nats;
mod pull;
mod quarantine;
mod results;
mod sqlstate;
mod state;
mod tally;
mod task;
mod unreadable;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use config::{Config, Reader, Secret};
use results::Results;
use state::State;
use task::{Phase, Shared};

/// The reference worker: executes a task for each message of a NATS JetStream consumer.
///
/// Without a command, it works until SIGTERM. Standard output carries one JSON line for each
/// processed message, standard error what the worker has to say.
#[derive(Debug, Parser)]
#[command(name = "agent-executor", version, after_help = config::HELP)]
struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Wait for the database, bring it up to date, and exit: the init container's command.
    Migrate,
    /// Print how many results the database holds of this stream and consumer, as one JSON line.
    Results,
}

/// Why the process ends other than as asked.
enum Failure {
    /// Exit code 1.
    Refused(String),
    /// Exit code 2.
    Settings(String),
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let ended = log_level().and_then(|level| {
        // Only our own messages: the libraries log what they send and read, including passwords.
        let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr);
        tracing_subscriber::registry().with(lines.with_filter(ours)).init();
        // One thread: the work waits far more than it computes, and a pod's cost is its memory.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Settings(format!("cannot start: {error}")))?;
        runtime.block_on(async {
            match flags.command {
                None => work().await,
                Some(Command::Migrate) => migrate_command().await,
                Some(Command::Results) => results_command().await,
            }
        })
    });
    let (code, message) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Refused(message)) => (1, message),
        Err(Failure::Settings(message)) => (2, message),
    };
    for line in message.lines() {
        eprintln!("agent-executor: error: {line}");
    }
    // Kubernetes shows this as the container's termination message; elsewhere the file does not
    // exist.
    if let Ok(mut file) = std::fs::OpenOptions::new().write(true).open("/dev/termination-log") {
        let _ = std::io::Write::write_all(&mut file, message.as_bytes());
    }
    ExitCode::from(code)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn log_level() -> Result<LevelFilter, Failure> {
    let Some(text) = variable("WORKER_LOG_LEVEL").filter(|text| !text.is_empty()) else {
        return Ok(LevelFilter::INFO);
    };
    text.parse().map_err(|_| {
        Failure::Settings(format!(
            "WORKER_LOG_LEVEL={text:?} is none of error, warn, info, debug, trace"
        ))
    })
}

/// Returns the database for the commands that only need it, and how long to wait for it.
fn database() -> Result<(Secret, Duration), Failure> {
    let mut from = Reader::new(variable);
    let url = from.required(
        "DATABASE_URL",
        "give it through the claim's spec.secretRefs, for example {name: my-db, env: [{secretKey: \
            url, envName: DATABASE_URL}]}",
    );
    let limit = from.seconds("WORKER_MIGRATE_TIMEOUT_SECONDS", 60.0);
    let (url, limit) = from.finish((Secret(url), limit)).map_err(Failure::Settings)?;
    results::options(&url).map_err(Failure::Settings)?;
    Ok((url, limit))
}

async fn migrate_command() -> Result<(), Failure> {
    let (url, limit) = database()?;
    migrate::migrate(&url, limit).await.map_err(Failure::Refused)
}

async fn results_command() -> Result<(), Failure> {
    let (url, limit) = database()?;
    let config = Config::read(variable).map_err(Failure::Settings)?;
    tally::print(&url, &config.stream, &config.consumer, limit).await.map_err(Failure::Refused)
}

async fn work() -> Result<(), Failure> {
    let config = Config::read(variable).map_err(Failure::Settings)?;
    let settings = |message: String| Failure::Settings(message);
    // Kubernetes sets the pod's host name to the pod's name.
    let worker = variable("HOSTNAME").unwrap_or_else(|| format!("pid-{}", std::process::id()));
    let results = Arc::new(Results::new(&config, &worker).map_err(settings)?);
    let stop =
        signals().map_err(|error| settings(format!("cannot listen for signals: {error}")))?;
    let listener = TcpListener::bind(config.http_address)
        .await
        .map_err(|error| settings(format!("cannot listen at {}: {error}", config.http_address)))?;
    let state = Arc::new(State::new(config.handler_timeout, config.database_url.is_some()));
    let grace = u64::try_from(config.shutdown_grace.as_millis()).unwrap_or(u64::MAX);
    state.metrics.shutdown_grace_ms.store(grace, Ordering::Relaxed);
    tokio::spawn(http::serve(listener, Arc::clone(&state)));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), stream = config.stream, consumer = config.consumer,
        concurrency = config.concurrency, credentials = ?config.credentials, tls = ?config.tls,
        domain = config.domain,
        database = config.database_url.is_some(), address = %config.http_address,
            worker = worker.as_str(), "starting"
    );
    let poke = Arc::new(Notify::new());
    let client = nats::connect(&config, &worker, &state, &poke).await.map_err(settings)?;
    let (found, consumer) = watch::channel(None);
    tokio::spawn(consumer::watch(
        client.clone(),
        config.clone(),
        Arc::clone(&state),
        Arc::clone(&poke),
        found,
    ));
    tokio::spawn(Arc::clone(&results).watch(Arc::clone(&state)));
    let (phase, phases) = watch::channel(Phase::Running);
    let mut jetstream = nats::jetstream(&config, client.clone());
    jetstream.set_timeout(Duration::from_secs(3));
    let shared = Arc::new(Shared {
        config,
        worker,
        state,
        results,
        client,
        jetstream,
        phase: phases,
        seen: quarantine::Seen::default(),
        closed: dead_letter::Closed::default(),
    });
    worker::run(shared, consumer, poke, phase, stop).await;
    Ok(())
}

/// Counts SIGTERM and SIGINT.
fn signals() -> std::io::Result<worker::Stop> {
    let (tell, told) = watch::channel(0);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM"),
                _ = interrupt.recv() => tracing::info!("SIGINT"),
            }
            tell.send_modify(|times| *times += 1);
        }
    });
    Ok(worker::Stop { told })
}
