//! `GET /metrics` over HTTP, for Prometheus: on a thread of its own, so that no client there,
//! however busy, takes a thread from gRPC's clients.
//!
//! A client that holds a connection without a request loses it, after [`PATIENCE`] or when the
//! places are full.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::metrics::Metrics;

/// How many connections may be open at once; for the next one the oldest is closed.
const MAX: usize = 16;

/// How long a connection may take, from its first byte to its last. It serves one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request's headers are a few hundred bytes; hyper accepts no smaller buffer than this.
const BUFFER: usize = 8 << 10;

/// Serves until the process ends.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn spawn(listener: TcpListener, metrics: Metrics) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let serve = move || runtime.block_on(accept(&listener, &metrics));
    thread::Builder::new().name("metrics".to_owned()).spawn(serve).map(drop)
}

async fn accept(listener: &tokio::net::TcpListener, metrics: &Metrics) {
    let mut open = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most likely no file descriptors are left; they return as connections close.
                tracing::warn!(%error, "cannot accept a connection for metrics");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        open.retain(|task: &tokio::task::AbortHandle| !task.is_finished());
        if open.len() >= MAX
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        open.push_back(tokio::spawn(answer(stream, metrics.clone())).abort_handle());
    }
}

async fn answer(stream: TcpStream, metrics: Metrics) {
    let service = service_fn(|request| {
        let response = respond(&request, &metrics);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(BUFFER)
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // A client that disconnects is not worth a log line.
    let _ = timeout(PATIENCE, connection).await;
}

fn respond(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => match metrics.text() {
            Ok(text) => (StatusCode::OK, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "there is /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
