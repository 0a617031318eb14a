//! The gRPC method: one request in, one response out, never a panic, and computed off the threads
//! that talk to clients.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use eds_core::functions::{self, Function};
use eds_core::protocol::{RunFunctionRequest, RunFunctionResponse, Severity};
use tonic::{Request, Response, Status};

use crate::computing::Computing;
use crate::convert::{request_from_wire, response_to_wire};
use crate::proto::{v1, v1beta1};

/// Serves both versions of the service with one function.
#[derive(Debug, Clone)]
pub struct Service {
    function: Function,
    computing: Computing,
}

impl Default for Service {
    fn default() -> Self {
        Self::new(functions::run)
    }
}

impl Service {
    /// A service that answers with another function than [`functions::run`].
    #[must_use]
    pub fn new(function: Function) -> Self {
        Self { function, computing: Computing::default() }
    }

    /// The same, computed in the given places.
    #[must_use]
    pub fn computed_in(self, computing: Computing) -> Self {
        Self { computing, ..self }
    }

    /// Answer on a thread of its own.
    async fn compute(
        &self,
        request: Request<v1::RunFunctionRequest>,
    ) -> Result<Response<v1::RunFunctionResponse>, Status> {
        let service = self.clone();
        let wire = request.into_inner();
        self.computing.run(move || service.answer(wire)).await.map(Response::new)
    }

    /// Answer one request. What goes wrong is a fatal result, as upstream answers, not a status:
    /// Crossplane shows results to people.
    #[must_use]
    pub fn answer(&self, wire: v1::RunFunctionRequest) -> v1::RunFunctionResponse {
        let request = request_from_wire(wire);
        let tag = request.tag.clone();
        tracing::debug!(tag, "running function");
        // The engine has no panic in it; should one slip in, it must cost this request only.
        let response =
            catch_unwind(AssertUnwindSafe(|| (self.function)(request))).unwrap_or_else(|panic| {
                let why = panic_text(panic.as_ref());
                tracing::error!(tag, panic = why, "the function panicked");
                let request = RunFunctionRequest { tag: tag.clone(), ..Default::default() };
                RunFunctionResponse::fatal(request, format!("internal error: {why}"))
            });
        for result in response.results.iter().filter(|it| it.severity != Severity::Normal) {
            tracing::warn!(tag, severity = ?result.severity, "{}", result.message);
        }
        tracing::debug!(tag, resources = response.desired.resources.len(), "function ran");
        response_to_wire(response)
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic")
}

#[tonic::async_trait]
impl v1::function_runner_service_server::FunctionRunnerService for Service {
    async fn run_function(
        &self,
        request: Request<v1::RunFunctionRequest>,
    ) -> Result<Response<v1::RunFunctionResponse>, Status> {
        self.compute(request).await
    }
}

#[tonic::async_trait]
impl v1beta1::function_runner_service_server::FunctionRunnerService for Service {
    async fn run_function(
        &self,
        request: Request<v1::RunFunctionRequest>,
    ) -> Result<Response<v1::RunFunctionResponse>, Status> {
        self.compute(request).await
    }
}
