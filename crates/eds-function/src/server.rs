//! The server: accepts connections, serves the function and gRPC's health service, drains.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use crate::connection::Connection;
use crate::proto::v1::function_runner_service_server::FunctionRunnerServiceServer as V1;
use crate::proto::v1beta1::function_runner_service_server::FunctionRunnerServiceServer as V1Beta1;
use crate::service::Service;
use crate::tls::{Certificates, handshake_timeout};

/// A client that does not finish its handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Requests take milliseconds; a connection that is still open after this time is an idle stream,
/// such as a health watch. Kubernetes kills the process 30 s after its SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);

/// How to serve.
#[derive(Debug)]
pub struct Options {
    /// Certificates for mutual TLS; `None` serves plain text.
    pub certificates: Option<Certificates>,
    /// Bytes of the largest request accepted.
    pub max_message: usize,
}

/// Serve until `stop` says so, then finish what is being answered.
///
/// # Errors
/// The transport failed for good.
pub async fn serve(
    service: Service,
    listener: TcpListener,
    options: Options,
    mut stop: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let v1 = V1::new(service.clone()).max_decoding_message_size(options.max_message);
    let v1beta1 = V1Beta1::new(service).max_decoding_message_size(options.max_message);
    health.set_serving::<V1<Service>>().await;
    health.set_serving::<V1Beta1<Service>>().await;

    let (sender, connections) = mpsc::channel(16);
    let accepting = tokio::spawn(accept(listener, options.certificates.map(Arc::new), sender));

    let mut stopped = stop.clone();
    let serving = Server::builder()
        .add_service(health_service)
        .add_service(v1)
        .add_service(v1beta1)
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), async move {
            let _ = stopped.wait_for(|stop| *stop).await;
            accepting.abort();
            health.set_service_status("", ServingStatus::NotServing).await;
        });
    let overdue = async {
        // An error means that the sender is gone, which is a stop too.
        let _ = stop.wait_for(|stop| *stop).await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving => served,
        () = overdue => {
            tracing::warn!("connections were still open when the time to drain was over");
            Ok(())
        }
    }
}

/// Accept for ever. Handshakes run beside each other, so a slow client holds up nobody.
async fn accept(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    sender: mpsc::Sender<io::Result<Connection>>,
) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most likely no file descriptors are left; they come back as connections close.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Answers are single small frames; waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let Some(certificates) = &certificates else {
            let _ = sender.send(Ok(Connection::plain(stream))).await;
            continue;
        };
        let acceptor = TlsAcceptor::from(certificates.config());
        let sender = sender.clone();
        tokio::spawn(async move {
            let handshake = timeout(HANDSHAKE, acceptor.accept(stream)).await;
            match handshake.unwrap_or_else(|_| Err(handshake_timeout())) {
                Ok(stream) => {
                    let _ = sender.send(Ok(Connection::tls(stream))).await;
                }
                Err(error) => refused(peer, &error),
            }
        });
    }
}

fn refused(peer: SocketAddr, error: &io::Error) {
    tracing::warn!(%peer, %error, "connection refused");
}
