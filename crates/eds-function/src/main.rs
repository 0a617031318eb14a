//! `eds-function`: the flags of Crossplane's function SDKs, then [`eds_function::server`].
//!
//! Exit codes: 0 after SIGTERM or SIGINT, 2 if the server could not work.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use eds_core::functions::STACK_SIZE;
use eds_function::limits::Limits;
use eds_function::listen::{Network, listen};
use eds_function::server::{Options, serve};
use eds_function::service::Service;
use eds_function::tls::Certificates;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::level_filters::LevelFilter;

/// A Crossplane composition function for EventDrivenService.
///
/// Answers its own input (eventdrivenservice.fn.platform.bizmatters.io/v1alpha1 Input) and, as a
/// drop-in for function-patch-and-transform, pt.fn.crossplane.io/v1beta1 Resources.
/// Logs are JSON lines on standard error.
#[derive(Debug, Parser)]
#[command(name = "eds-function", version)]
struct Flags {
    /// Log every request and its tag too.
    #[arg(short, long)]
    debug: bool,

    /// Network to listen on.
    #[arg(long, value_enum, default_value = "tcp")]
    network: Network,

    /// Address to listen at; without a host, every interface.
    #[arg(long, default_value = ":9443")]
    address: String,

    /// Directory with tls.crt and tls.key, our certificate, and ca.crt, which verifies clients.
    #[arg(long, alias = "tls-certs-dir", env = "TLS_SERVER_CERTS_DIR", value_name = "DIR")]
    tls_server_certs_dir: Option<PathBuf>,

    /// Serve without mutual TLS; certificates are ignored.
    #[arg(long)]
    insecure: bool,

    /// Largest request accepted, in MB.
    #[arg(long, default_value_t = 4, value_name = "MB",
          value_parser = clap::value_parser!(u32).range(1..=2047))]
    max_recv_message_size: u32,

    /// Address at which Prometheus reads metrics (GET /metrics); an empty one switches them off. By default
    /// :8080, and if that is taken, none.
    #[arg(long, value_name = "ADDRESS")]
    metrics_address: Option<String>,

    /// Memory that requests are fitted into, in MB; by default the limit of the container, or 2048.
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(32..))]
    memory_limit: Option<u32>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(if flags.debug { LevelFilter::DEBUG } else { LevelFilter::INFO })
        .with_writer(std::io::stderr)
        .init();
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("eds-function: error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(flags: Flags) -> Result<(), String> {
    let certificates = match flags.tls_server_certs_dir {
        _ if flags.insecure => None,
        Some(directory) if !directory.as_os_str().is_empty() => {
            Some(Certificates::load(&directory)?)
        }
        _ => {
            return Err("no certificates: set --tls-server-certs-dir (TLS_SERVER_CERTS_DIR), \
                        or --insecure to serve without mutual TLS"
                .to_owned());
        }
    };
    let max_message = usize::try_from(flags.max_recv_message_size).unwrap_or(4) << 20;
    let memory =
        flags.memory_limit.and_then(|limit| usize::try_from(limit).ok()).map(|it| it << 20);
    let limits = Limits::of_this_process(memory);
    let metrics = listen_for_metrics(flags.network, flags.metrics_address.as_deref())?;
    let options = Options { certificates, max_message, limits, metrics };
    // These threads also compute short requests: one per processor would wait for each other's
    // memory and wake each other. Longer requests have threads of their own.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.div_ceil(2))
        .enable_all()
        .thread_stack_size(STACK_SIZE)
        .build()
        .map_err(|error| format!("cannot start threads: {error}"))?;
    let served = runtime.block_on(async {
        let listener = listen(flags.network, &flags.address)
            .and_then(TcpListener::from_std)
            .map_err(|error| format!("cannot listen at {:?}: {error}", flags.address))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (stop, stopped) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: finishing what is being answered"),
                _ = interrupt.recv() => tracing::info!("SIGINT: finishing what is being answered"),
            }
            let _ = stop.send(true);
            // Kept, because a receiver takes a dropped sender for a stop.
            std::future::pending::<()>().await;
        });
        let mtls = options.certificates.is_some();
        tracing::info!(%address, mtls, version = env!("CARGO_PKG_VERSION"), "serving");
        // On a worker thread, because those have the stack that deep objects need.
        tokio::spawn(serve(Service::default(), listener, options, stopped))
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("cannot serve: {error}"))?;
        tracing::info!("stopped");
        Ok(())
    });
    // The time to drain is over: nobody is waiting for what is still being computed.
    runtime.shutdown_background();
    served
}

/// Listens for Prometheus, unless told not to. The default address may be taken: without a cluster,
/// several functions run on one machine.
fn listen_for_metrics(
    network: Network,
    address: Option<&str>,
) -> Result<Option<std::net::TcpListener>, String> {
    const DEFAULT: &str = ":8080";
    if address == Some("") {
        return Ok(None);
    }
    match (listen(network, address.unwrap_or(DEFAULT)), address) {
        (Ok(listener), _) => {
            let address = listener.local_addr().map_err(|error| error.to_string())?;
            tracing::info!(%address, "serving metrics");
            Ok(Some(listener))
        }
        (Err(error), Some(address)) => {
            Err(format!("cannot listen for metrics at {address:?}: {error}"))
        }
        (Err(error), None) => {
            tracing::warn!(%error, address = DEFAULT, "metrics are not served; see \
                --metrics-address");
            Ok(None)
        }
    }
}
