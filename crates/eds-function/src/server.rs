//! The server: accepts connections, serves the function and gRPC's health and reflection services,
//! drains.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use crate::arrivals::Arrivals;
use crate::bounded::Bounded;
use crate::connection::Connection;
use crate::connections::{Connections, Place, STALLED};
use crate::limits::Limits;
use crate::metrics::{Counted, Metrics};
use crate::proto::{self, v1, v1beta1};
use crate::runner::{Runner, Shared};
use crate::scrape;
use crate::service::Service;
use crate::tls::{Certificates, handshake_timeout};

/// How long a client may take to finish its handshake before it is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long to drain. Requests take milliseconds; Kubernetes kills the process 30 s after its
/// SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);

/// How many requests one connection may have in progress; Crossplane has fewer reconcilers.
const STREAMS: u32 = 100;

/// How many health requests are answered or watched at once.
const HEALTH: usize = 256;

/// How many reflection streams are answered at once.
const REFLECTION: usize = 16;

/// The most bytes of a health or reflection request, which is a name.
const NAME: usize = 4 << 10;

/// How many requests of one connection may be reset before being handled.
const RESET: usize = 20;

/// How much a stream and a connection may send before somebody reads it. A message of 4 MiB takes
/// 32 round trips, which within a cluster is milliseconds.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;

/// The most bytes of a request's headers; gRPC's have a few hundred.
const HEADERS: u32 = 16 << 10;

/// A request is given up after this, or when its client says so (`grpc-timeout`, which Crossplane
/// sends): Crossplane allows the same for a whole reconcile.
const DEADLINE: Duration = Duration::from_secs(120);

/// A silent connection is pinged after this, and closed if it does not answer.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// If nothing is in progress and no byte has moved for this long, whatever is still open is idle.
const QUIET: Duration = Duration::from_millis(40);

type NameV1 = v1::function_runner_service_server::FunctionRunnerServiceServer<()>;
type NameV1Beta1 = v1beta1::function_runner_service_server::FunctionRunnerServiceServer<()>;

/// How to serve.
#[derive(Debug)]
pub struct Options {
    /// Certificates for mutual TLS; `None` serves plain text.
    pub certificates: Option<Certificates>,
    /// The most bytes in an accepted request.
    pub max_message: usize,
    /// What requests may use together.
    pub limits: Limits,
    /// Where Prometheus scrapes; without it nothing is counted. It must not block.
    pub metrics: Option<std::net::TcpListener>,
}

/// Serves until `stop` says so, then finishes what is being answered.
///
/// # Errors
/// The transport failed for good, or there is no thread for the metrics.
pub async fn serve(
    service: Service,
    listener: TcpListener,
    options: Options,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let health_service = Bounded::new(health_service.max_decoding_message_size(NAME), HEALTH);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let reflection = Bounded::new(reflection.max_decoding_message_size(NAME), REFLECTION);
    let metrics = options.metrics.is_some().then(Metrics::new).transpose()?;
    let metrics = metrics.as_ref();
    let connections = Connections::default();
    let (limits, arrivals) = (options.limits, Arrivals::default());
    let shared = Shared { limits, arrivals, connections: connections.clone() };
    let v1 = Runner::<NameV1>::new(service, shared.clone(), options.max_message);
    let v1beta1 = Runner::<NameV1Beta1>::new(service, shared, options.max_message);
    let v1 = Counted::new(v1, metrics, &["RunFunction"])?;
    let v1beta1 = Counted::new(v1beta1, metrics, &["RunFunction"])?;
    let health_service = Counted::new(health_service, metrics, &["Check"])?;
    if let Some((listener, metrics)) = options.metrics.zip(metrics) {
        scrape::spawn(listener, metrics.clone())?;
    }
    health.set_serving::<NameV1>().await;
    health.set_serving::<NameV1Beta1>().await;

    let (sender, incoming) = mpsc::channel(16);
    let certificates = options.certificates.map(Arc::new);
    let accepting = tokio::spawn(accept(listener, certificates, connections.clone(), sender));

    let mut stopped = stop.clone();
    let serving = Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_max_pending_accept_reset_streams(Some(RESET))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADERS)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .timeout(DEADLINE)
        .add_service(health_service)
        .add_service(reflection)
        .add_service(v1)
        .add_service(v1beta1)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), async move {
            let _ = stopped.wait_for(|stop| *stop).await;
            accepting.abort();
            health.set_service_status("", ServingStatus::NotServing).await;
        });
    let overdue = async {
        // An error means that the sender is gone, which also means stop.
        let _ = stop.wait_for(|stop| *stop).await;
        let idle = async {
            let mut last = u64::MAX;
            loop {
                let (requests, bytes) = connections.under_way();
                if requests == 0 && bytes == last {
                    break;
                }
                last = bytes;
                tokio::time::sleep(QUIET).await;
            }
        };
        timeout(DRAIN, idle).await.is_ok()
    };
    let stalled = async {
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            connections.close_stalled(STALLED);
        }
    };
    tokio::select! {
        served = serving => Ok(served?),
        idle = overdue => {
            if !idle {
                tracing::warn!("requests were still under way when the time to drain was over");
            }
            Ok(())
        }
        () = stalled => Ok(()),
    }
}

/// Accepts forever. Handshakes run concurrently, so a slow client holds up nobody.
async fn accept(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    connections: Connections,
    sender: mpsc::Sender<io::Result<Connection>>,
) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most likely no file descriptors are left; they return as connections close.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Answers are single small frames; waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let place = connections.enter();
        let Some(certificates) = &certificates else {
            let _ = sender.send(Ok(Connection::plain(stream, place))).await;
            continue;
        };
        let acceptor = TlsAcceptor::from(certificates.config());
        let sender = sender.clone();
        tokio::spawn(async move {
            match shake_hands(acceptor, stream, place).await {
                Ok(connection) => {
                    let _ = sender.send(Ok(connection)).await;
                }
                Err(error) => refused(peer, &error),
            }
        });
    }
}

/// Ends the handshake in time, or when its place is given to another.
async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    mut place: Place,
) -> io::Result<Connection> {
    let handshake = timeout(HANDSHAKE, acceptor.accept(stream));
    tokio::select! {
        shaken = handshake => {
            let stream = shaken.unwrap_or_else(|_| Err(handshake_timeout()))?;
            Ok(Connection::tls(stream, place))
        }
        _ = &mut place.closed => {
            let full = "too many connections: the oldest handshake is given up";
            Err(io::Error::new(io::ErrorKind::ConnectionAborted, full))
        }
    }
}

fn refused(peer: SocketAddr, error: &io::Error) {
    tracing::warn!(%peer, %error, "connection refused");
}
