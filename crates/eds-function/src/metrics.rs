//! The server's Prometheus metrics: requests started, how they ended, and how long they took.
//!
//! Names, labels and buckets are those of Go functions (go-grpc-middleware, which function-sdk-go
//! uses), so that one dashboard shows all functions. All labels are known when the server starts:
//! nothing a client sends becomes one. However a request ends, it is counted once: by the status of
//! its answer, or as `Canceled` if the client leaves first.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::{Code, Status};

/// gRPC's statuses in Go's spelling, by number.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// Everything that is counted. Clones share their counts.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    started: IntCounterVec,
    handled: IntCounterVec,
    received: IntCounterVec,
    sent: IntCounterVec,
    seconds: HistogramVec,
}

impl Metrics {
    /// Creates metrics with nothing counted yet.
    ///
    /// # Errors
    /// Never: the names below are right.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let method = ["grpc_method", "grpc_service", "grpc_type"];
        let outcome = ["grpc_code", "grpc_method", "grpc_service", "grpc_type"];
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(format!("grpc_server_{name}_total"), help), labels)
        };
        let seconds = HistogramOpts::new(
            "grpc_server_handling_seconds",
            "Seconds from a request's first byte to the end of its answer.",
        );
        let metrics = Self {
            registry: Registry::new(),
            started: counter("started", "Requests begun.", &method)?,
            handled: counter("handled", "Requests ended, by their status.", &outcome)?,
            received: counter("msg_received", "Messages that arrived whole.", &method)?,
            sent: counter("msg_sent", "Messages sent as answers.", &method)?,
            seconds: HistogramVec::new(seconds, &method)?,
        };
        for counter in [&metrics.started, &metrics.handled, &metrics.received, &metrics.sent] {
            metrics.registry.register(Box::new(counter.clone()))?;
        }
        metrics.registry.register(Box::new(metrics.seconds.clone()))?;
        Ok(metrics)
    }

    /// Returns the text that Prometheus scrapes, format 0.0.4.
    ///
    /// # Errors
    /// Never: registered metrics can always be written.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Returns the counters of a method with one message in each direction, all at zero.
    fn unary(&self, service: &str, name: &str) -> Result<Method, prometheus::Error> {
        let labels = [name, service, "unary"];
        let mut handled = Vec::with_capacity(CODES.len());
        for code in CODES {
            let labels = [code, name, service, "unary"];
            handled.push(self.handled.get_metric_with_label_values(&labels)?);
        }
        Ok(Method {
            path: format!("/{service}/{name}"),
            started: self.started.get_metric_with_label_values(&labels)?,
            handled,
            received: self.received.get_metric_with_label_values(&labels)?,
            sent: self.sent.get_metric_with_label_values(&labels)?,
            seconds: self.seconds.get_metric_with_label_values(&labels)?,
        })
    }
}

#[derive(Debug)]
struct Method {
    path: String,
    started: IntCounter,
    /// In the order of [`CODES`].
    handled: Vec<IntCounter>,
    received: IntCounter,
    sent: IntCounter,
    seconds: Histogram,
}

/// What both halves of a request know.
struct Shared {
    method: Arc<Method>,
    /// Whether the message was cut off.
    left: AtomicBool,
}

/// One request, from its beginning to its end.
struct Call {
    shared: Arc<Shared>,
    begun: Instant,
    code: Code,
}

impl Call {
    fn begin(method: Arc<Method>) -> Self {
        method.started.inc();
        let shared = Arc::new(Shared { method, left: AtomicBool::new(false) });
        // Until there is an answer: a client that does not wait for it has cancelled.
        Self { shared, begun: Instant::now(), code: Code::Cancelled }
    }

    /// Reads the status from headers or trailers, if it is there.
    fn look(&mut self, headers: &http::HeaderMap) {
        if let Some(status) = headers.get(Status::GRPC_STATUS) {
            self.code = Code::from_bytes(status.as_bytes());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Shared { method, left } = self.shared.as_ref();
        // Nobody receives an answer to a message that was cut off.
        let code = if left.load(Ordering::Relaxed) { Code::Cancelled } else { self.code };
        let number = usize::try_from(i32::from(code)).unwrap_or_default();
        if let Some(handled) = method.handled.get(number) {
            handled.inc();
        }
        if code == Code::Ok {
            method.sent.inc();
        }
        method.seconds.observe(self.begun.elapsed().as_secs_f64());
    }
}

/// A service whose requests are counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted<S> {
    inner: S,
    methods: Arc<[Arc<Method>]>,
}

impl<S: NamedService> Counted<S> {
    /// Counts these unary methods of the service; without metrics, none.
    pub(crate) fn new(
        inner: S,
        metrics: Option<&Metrics>,
        methods: &[&str],
    ) -> Result<Self, prometheus::Error> {
        let counters = |metrics: &Metrics| {
            let unary = |name: &&str| metrics.unary(S::NAME, name).map(Arc::new);
            methods.iter().map(unary).collect::<Result<Arc<[_]>, _>>()
        };
        Ok(Self { inner, methods: metrics.map(counters).transpose()?.unwrap_or_default() })
    }
}

impl<S: NamedService> NamedService for Counted<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Counted<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Some(method) = self.methods.iter().find(|it| it.path == request.uri().path()) else {
            return Box::pin(self.inner.call(request));
        };
        let mut call = Call::begin(Arc::clone(method));
        let shared = Arc::clone(&call.shared);
        let request = request.map(|inner| match inner.is_end_stream() {
            true => inner,
            false => Body::new(Question { inner, shared, prefix: Vec::new(), missing: PREFIX }),
        });
        let answered = self.inner.call(request);
        Box::pin(async move {
            let response = answered.await?;
            call.look(response.headers());
            Ok(response.map(|inner| Body::new(Answer { inner, call })))
        })
    }
}

/// A compression flag and four bytes of length precede a message.
const PREFIX: usize = 5;

/// The body of a request: one message. A client that cancels ends it early, without an error.
struct Question {
    inner: Body,
    shared: Arc<Shared>,
    prefix: Vec<u8>,
    /// How many bytes of the prefix are missing or, once that is complete, of the message.
    missing: usize,
}

impl Question {
    fn look(&mut self, mut data: &[u8]) {
        if self.prefix.len() < PREFIX {
            let (prefix, rest) = data.split_at(self.missing.min(data.len()));
            self.prefix.extend(prefix);
            self.missing -= prefix.len();
            data = rest;
            if let [_, length @ ..] = self.prefix.as_slice()
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                self.missing = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if self.missing == 0 {
                    self.shared.method.received.inc();
                }
            }
        }
        if !data.is_empty() && self.missing > 0 {
            self.missing = self.missing.saturating_sub(data.len());
            if self.missing == 0 {
                self.shared.method.received.inc();
            }
        }
    }
}

impl http_body::Body for Question {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.look(frame.data_ref().map_or(&[], |data| data)),
            Some(Err(_)) | None => {
                self.shared.left.fetch_or(self.missing > 0, Ordering::Relaxed);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body; its status is in its trailers.
struct Answer {
    inner: Body,
    call: Call,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.call.look(trailers);
                }
            }
            Some(Err(status)) => self.call.code = status.code(),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_at_their_numbers() {
        for (number, name) in (0..).zip(CODES) {
            let expect = match Code::from_i32(number) {
                Code::Ok => "OK".to_owned(),
                Code::Cancelled => "Canceled".to_owned(),
                code => format!("{code:?}"),
            };
            assert_eq!(name, expect);
        }
    }
}
