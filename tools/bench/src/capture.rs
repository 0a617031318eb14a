//! The request that Crossplane sends for the composition's first step, captured in transit.
//!
//! A recorder sits between `crossplane composition render` and the Go function, passes every
//! request on, and keeps the first. So both functions are measured with what Crossplane really
//! sends.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use eds_function::proto::v1::function_runner_service_client::FunctionRunnerServiceClient;
use eds_function::proto::v1::function_runner_service_server::{
    FunctionRunnerService, FunctionRunnerServiceServer,
};
use eds_function::proto::v1::{RunFunctionRequest, RunFunctionResponse};
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};

use crate::Failure;
use crate::render::Rendering;

struct Recorder {
    onward: FunctionRunnerServiceClient<Channel>,
    first: Arc<Mutex<Option<Bytes>>>,
}

#[tonic::async_trait]
impl FunctionRunnerService for Recorder {
    async fn run_function(
        &self,
        request: Request<RunFunctionRequest>,
    ) -> Result<Response<RunFunctionResponse>, Status> {
        let encoded = Bytes::from(request.get_ref().encode_to_vec());
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(encoded);
        self.onward.clone().run_function(request.into_inner()).await
    }
}

/// Returns the encoded RunFunctionRequest of step 1.
pub(crate) fn step_one(
    runtime: &Runtime,
    rendering: &Rendering,
    go_function: SocketAddr,
) -> Result<Bytes, Failure> {
    let first = Arc::new(Mutex::new(None));
    let (listener, onward) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let channel = Channel::from_shared(format!("http://{go_function}"))?.connect().await?;
        let onward = FunctionRunnerServiceClient::new(channel);
        Ok::<_, Failure>((listener, onward))
    })?;
    let address = listener.local_addr()?;
    let recorder = FunctionRunnerServiceServer::new(Recorder { onward, first: Arc::clone(&first) });
    let serving = runtime.spawn(
        Server::builder()
            .add_service(recorder)
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let rendered = rendering.by_crossplane(address);
    serving.abort();
    rendered?;
    let request = first.lock().unwrap_or_else(PoisonError::into_inner).take();
    request.ok_or_else(|| "crossplane composition render sent no request to step 1".into())
}
