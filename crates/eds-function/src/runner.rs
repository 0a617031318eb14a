//! RunFunction below the generated code: messages stay bytes until a computing thread decodes them,
//! because decoding is work too, and uses the most memory.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use patch_and_transform::protocol::GoOn;
use prost::Message;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service as TowerService, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

use crate::arrivals::Arrivals;
use crate::body::{Gated, Ticket};
use crate::bounded::Held;
use crate::computing::{Computed, Computing, Onward};
use crate::connections::{self, Activity, Connections};
use crate::limits::{Lane, Limits};
use crate::outline::outline;
use crate::proto::v1::RunFunctionRequest;
use crate::raw::Raw;
use crate::service::Service;
use crate::structs::measured;

/// How much memory an encoded byte usually uses once decoded.
const USUAL: usize = 12;

/// How much the smallest request uses, including its thread's stack.
const LEAST: usize = 16 << 10;

/// What all requests share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) arrivals: Arrivals,
    pub(crate) connections: Connections,
}

/// One version of FunctionRunnerService; `N` provides its name.
#[derive(Debug)]
pub(crate) struct Runner<N> {
    service: Service,
    shared: Shared,
    max_message: usize,
    name: PhantomData<fn() -> N>,
}

impl<N> Clone for Runner<N> {
    fn clone(&self) -> Self {
        Self {
            service: self.service,
            shared: self.shared.clone(),
            max_message: self.max_message,
            name: PhantomData,
        }
    }
}

impl<N> Runner<N> {
    pub(crate) fn new(service: Service, shared: Shared, max_message: usize) -> Self {
        Self { service, shared, max_message, name: PhantomData }
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
        let (shared, max_message) = (self.shared.clone(), self.max_message);
        let request =
            request.map(|body| Body::new(Gated::new(body, shared, max_message, ticket.clone())));
        let unary = Unary { service: self.service, limits: self.shared.limits.clone() };
        Box::pin(async move {
            let mut grpc = Grpc::new(Raw).max_decoding_message_size(max_message);
            let response = grpc.unary(unary, request).await;
            // The answer uses about as much as the message did, until the client has it.
            let held = (under_way.map(connections::Request::answered), ticket.take());
            Ok(response.map(|body| Held::body(body, held)))
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

/// Computes in the message's lane, or restarts where there is room for long requests.
async fn compute(service: &Service, lane: &Lane, message: Bytes) -> Result<Bytes, Status> {
    if let Some(answer) = compute_in(service, lane, message.clone()).await? {
        return Ok(answer);
    }
    let busy = || Status::unavailable("too many requests take long; try again later");
    let lane = lane.long.as_ref().ok_or_else(busy)?;
    let _waits = lane.messages.try_take(message.len()).ok_or_else(busy)?;
    compute_in(service, lane, message).await?.ok_or_else(busy)
}

/// Decodes, runs and encodes. Objects that turn out to use more than usual are decoded again once
/// as much as is available to one request is free. Returns `None` if it takes long.
async fn compute_in(
    service: &Service,
    lane: &Lane,
    message: Bytes,
) -> Result<Option<Bytes>, Status> {
    let stopping = |_| Status::unavailable("the server is stopping");
    let mut budget = message.len().saturating_mul(USUAL).max(LEAST);
    loop {
        let budget_now = budget.min(lane.objects.all());
        let taken = lane.objects.take(budget_now).await.map_err(stopping)?;
        let (service, message) = (*service, message.clone());
        let work = move |go_on: GoOn<'_>| -> Result<Option<Vec<u8>>, Status> {
            // Half of what was taken is for what the function makes from the objects.
            let Some(budget) = (budget_now / 2).checked_sub(outline(&message)) else {
                return Ok(None);
            };
            let decode = || RunFunctionRequest::decode(message.as_ref());
            let Some(decoded) = measured(budget, decode) else { return Ok(None) };
            let request = decoded.map_err(|error| {
                Status::internal(format!("grpc: failed to unmarshal the received message: {error}"))
            })?;
            drop(message);
            Ok(Some(service.answer(request, go_on).encode_to_vec()))
        };
        let at_once = lane.is_idle().then(|| Computing::at_once(work.clone())).flatten();
        let computed = match at_once {
            Some(computed) => computed?,
            None => {
                let onward = lane.long.as_ref().map(|long| Onward {
                    computing: long.computing.clone(),
                    objects: long.objects.clone(),
                    bytes: budget_now,
                });
                match lane.computing.run(taken, onward, work).await? {
                    Computed::Done(computed) => computed?,
                    Computed::NoRoom => return Ok(None),
                }
            }
        };
        match computed {
            Some(bytes) => return Ok(Some(bytes.into())),
            None if budget_now == lane.objects.all() => {
                return Err(Status::resource_exhausted(
                    "the request's objects would take more memory than the function has",
                ));
            }
            None => budget = lane.objects.all(),
        }
    }
}
