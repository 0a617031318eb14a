//! `/health`, `/ready` and `/metrics`, for the kubelet, the Service and Prometheus.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;

use crate::state::State;

/// How long a client may take to send a complete request head before it is dropped.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves forever.
pub(crate) async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most likely no file descriptors are left; they return as connections close.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &state);
                async { Ok::<_, Infallible>(response) }
            });
            // A client that disconnects is not worth a log line.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(request: &Request<Incoming>, state: &State) -> Response<Full<Bytes>> {
    const JSON: &str = "application/json";
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let body = json!({"error": "only GET and HEAD"}).to_string();
        return response(StatusCode::METHOD_NOT_ALLOWED, JSON, body);
    }
    let verdict = |name: &str, cause: Option<String>| match cause {
        None => response(StatusCode::OK, JSON, json!({name: true}).to_string()),
        Some(cause) => {
            let body = json!({name: false, "cause": cause}).to_string();
            response(StatusCode::SERVICE_UNAVAILABLE, JSON, body)
        }
    };
    match request.uri().path() {
        "/health" => verdict("healthy", state.stuck()),
        "/ready" => verdict("ready", state.unready()),
        "/metrics" => response(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            state.metrics.render(state.in_flight(), state.unready().is_none()),
        ),
        _ => {
            let body = json!({"error": "there are /health, /ready and /metrics"}).to_string();
            response(StatusCode::NOT_FOUND, JSON, body)
        }
    }
}

fn response(status: StatusCode, kind: &'static str, mut body: String) -> Response<Full<Bytes>> {
    if !body.ends_with('\n') {
        body.push('\n');
    }
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
