//! Asks a function over gRPC, with protobuf JSON on either side.

use std::sync::atomic::{AtomicUsize, Ordering};

use eds_core::protocol_json::{request_from_json, response_to_json};
use eds_function::convert::{request_to_wire, response_from_wire};
use eds_function::proto::v1::function_runner_service_client::FunctionRunnerServiceClient;
use serde_json::{Value, json};
use tonic::transport::{Channel, Endpoint};

/// Connections a client spreads its requests over.
const CONNECTIONS: usize = 4;

/// A few connections to one server.
#[derive(Debug)]
pub(crate) struct Client {
    channels: Vec<Channel>,
    next: AtomicUsize,
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Result<Self, String> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| error.to_string())?
            .tcp_nodelay(true);
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            let channel =
                endpoint.connect().await.map_err(|error| format!("{address}: {error}"))?;
            channels.push(channel);
        }
        Ok(Self { channels, next: AtomicUsize::new(0) })
    }

    /// The answer, or `{"status": CODE}` for a gRPC error: its text is the library's own.
    ///
    /// # Errors
    /// The case is no request, the answer is no response, or the server is gone.
    pub(crate) async fn ask(&self, case: &Value) -> Result<Value, String> {
        let wire = request_to_wire(request_from_json(case)?);
        let index = self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
        let channel = self.channels.get(index).ok_or("no connection")?.clone();
        let mut client =
            FunctionRunnerServiceClient::new(channel).max_decoding_message_size(64 << 20);
        match client.run_function(wire).await {
            Ok(response) => Ok(response_to_json(&response_from_wire(response.into_inner())?)),
            Err(status) if status.code() == tonic::Code::Unavailable => {
                Err(format!("the server is gone: {}", status.message()))
            }
            Err(status) => Ok(json!({ "status": format!("{:?}", status.code()) })),
        }
    }
}
