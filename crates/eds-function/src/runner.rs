//! RunFunction below the generated code: messages stay bytes until a thread for computing decodes
//! them, because decoding is work too, and takes the most memory.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service as TowerService, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

use crate::body::{Gated, Ticket};
use crate::connections::{self, Activity};
use crate::limits::{Lane, Limits, Taken};
use crate::outline::outline;
use crate::proto::v1::RunFunctionRequest;
use crate::service::Service;
use crate::structs::measured;

/// What an encoded byte usually takes decoded.
const USUAL: usize = 12;

/// One version of FunctionRunnerService; `N` has its name.
#[derive(Debug)]
pub(crate) struct Runner<N> {
    service: Service,
    limits: Limits,
    max_message: usize,
    name: PhantomData<fn() -> N>,
}

impl<N> Clone for Runner<N> {
    fn clone(&self) -> Self {
        Self {
            service: self.service,
            limits: self.limits.clone(),
            max_message: self.max_message,
            name: PhantomData,
        }
    }
}

impl<N> Runner<N> {
    pub(crate) fn new(service: Service, limits: Limits, max_message: usize) -> Self {
        Self { service, limits, max_message, name: PhantomData }
    }
}

impl<N: NamedService> NamedService for Runner<N> {
    const NAME: &'static str = N::NAME;
}

impl<N: NamedService> TowerService<http::Request<Body>> for Runner<N> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().strip_prefix('/').and_then(|path| path.split_once('/'));
        if method != Some((N::NAME, "RunFunction")) {
            return Box::pin(async { Ok(Status::unimplemented("").into_http()) });
        }
        let ticket = Ticket::default();
        let under_way = request.extensions().get::<Arc<Activity>>().map(connections::Request::new);
        let (limits, max_message) = (self.limits.clone(), self.max_message);
        let request =
            request.map(|body| Body::new(Gated::new(body, limits, max_message, ticket.clone())));
        let unary = Unary { service: self.service, limits: self.limits.clone() };
        Box::pin(async move {
            let mut grpc = Grpc::new(Raw).max_decoding_message_size(max_message);
            let response = grpc.unary(unary, request).await;
            // The answer takes about as much as the message did, until the client has it.
            let taken = ticket.take();
            Ok(response.map(|inner| Body::new(Answer { inner, _held: (under_way, taken) })))
        })
    }
}

struct Unary {
    service: Service,
    limits: Limits,
}

impl UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = BoxFuture<Response<Bytes>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let message = request.into_inner();
        let lane = self.limits.lane(message.len()).clone();
        let service = self.service;
        Box::pin(async move { compute(&service, &lane, message).await.map(Response::new) })
    }
}

/// Decode, run, encode. Objects that turn out to take more than usual are decoded again once as much
/// as there is for one request is free.
async fn compute(service: &Service, lane: &Lane, message: Bytes) -> Result<Bytes, Status> {
    let stopping = |_| Status::unavailable("the server is stopping");
    let mut budget = message.len().saturating_mul(USUAL).max(16 << 10);
    loop {
        let budget_now = budget.min(lane.objects.all());
        let taken = lane.objects.take(budget_now).await.map_err(stopping)?;
        let (service, message) = (*service, message.clone());
        let computed: Result<Option<Vec<u8>>, Status> = lane
            .computing
            .run(move |go_on| {
                let _taken = taken;
                // Half of what was taken is for what the function makes of the objects.
                let Some(budget) = (budget_now / 2).checked_sub(outline(&message)) else {
                    return Ok(None);
                };
                let decode = || RunFunctionRequest::decode(message.as_ref());
                let Some(decoded) = measured(budget, decode) else { return Ok(None) };
                let request = decoded.map_err(|error| {
                    Status::internal(format!(
                        "grpc: failed to unmarshal the received message: {error}"
                    ))
                })?;
                drop(message);
                Ok(Some(service.answer(request, go_on).encode_to_vec()))
            })
            .await?;
        match computed? {
            Some(bytes) => return Ok(bytes.into()),
            None if budget_now == lane.objects.all() => {
                return Err(Status::resource_exhausted(
                    "the request's objects would take more memory than the function has",
                ));
            }
            None => budget = lane.objects.all(),
        }
    }
}

/// The answer's body; the request is under way until it is sent or given up.
struct Answer {
    inner: Body,
    _held: (Option<connections::Request>, Option<Taken>),
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Status>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

/// Messages as bytes.
#[derive(Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
