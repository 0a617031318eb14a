//! Asks a function over gRPC, with protobuf JSON on either side, and restarts it if it dies.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use eds_function::convert::{request_to_wire, response_from_wire};
use eds_function::proto::v1::RunFunctionResponse;
use eds_function::proto::v1::function_runner_service_client::FunctionRunnerServiceClient;
use patch_and_transform::protocol_json::{request_from_json, response_to_json};
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use eds_parity::tools::{Running, start};

/// How many connections a client spreads its requests over.
const CONNECTIONS: usize = 4;

/// A function and a few connections to it.
#[derive(Debug)]
pub(crate) struct Client {
    binary: PathBuf,
    server: RwLock<Server>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Server {
    channels: Vec<Channel>,
    /// The number of starts, so that each death leads to one restart.
    life: usize,
    _process: Running,
}

impl Server {
    async fn start(binary: &Path, life: usize) -> Result<Self, String> {
        let process = start(binary).await?;
        let endpoint = Endpoint::from_shared(format!("http://{}", process.address))
            .map_err(|error| error.to_string())?
            .tcp_nodelay(true);
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            let channel = endpoint.connect().await;
            channels.push(channel.map_err(|error| format!("{}: {error}", process.address))?);
        }
        Ok(Self { channels, life, _process: process })
    }

    async fn run(&self, case: &Value, turn: usize) -> Result<RunFunctionResponse, Status> {
        let request = request_from_json(case).map_err(Status::invalid_argument)?;
        let channel = self.channels.get(turn % CONNECTIONS).cloned();
        let channel = channel.ok_or_else(|| Status::internal("no connection"))?;
        let mut client =
            FunctionRunnerServiceClient::new(channel).max_decoding_message_size(64 << 20);
        client.run_function(request_to_wire(request)).await.map(tonic::Response::into_inner)
    }
}

impl Client {
    pub(crate) async fn start(binary: &Path) -> Result<Self, String> {
        let server = RwLock::new(Server::start(binary, 0).await?);
        Ok(Self { binary: binary.to_owned(), server, next: AtomicUsize::new(0) })
    }

    /// Returns the answer; `{"status": CODE}` for a gRPC error, whose text is the library's own; or
    /// `{"crash": true}` if this request kills the function.
    ///
    /// # Errors
    /// The case is not a request, the answer is not a response, or the server cannot be restarted.
    pub(crate) async fn ask(&self, case: &Value) -> Result<Value, String> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let server = self.server.read().await;
        let life = server.life;
        let result = server.run(case, turn).await;
        drop(server);
        if !died(&result) {
            return answer(result);
        }
        // Some request killed the server. Ask again alone: if it dies again, it was this one.
        let mut server = self.server.write().await;
        if server.life == life {
            *server = Server::start(&self.binary, life + 1).await?;
        }
        let result = server.run(case, turn).await;
        if died(&result) {
            let life = server.life + 1;
            *server = Server::start(&self.binary, life).await?;
            return Ok(json!({ "crash": true }));
        }
        answer(result)
    }
}

fn died(result: &Result<RunFunctionResponse, Status>) -> bool {
    // A connection that breaks in the middle of an answer is reported as unknown or cancelled.
    result.as_ref().is_err_and(|status| {
        matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
    })
}

fn answer(result: Result<RunFunctionResponse, Status>) -> Result<Value, String> {
    let wire = match result {
        Ok(wire) => wire,
        Err(status) if status.code() == Code::InvalidArgument => {
            return Err(status.message().to_owned());
        }
        Err(status) => return Ok(json!({ "status": format!("{:?}", status.code()) })),
    };
    let mut response = response_from_wire(wire)?;
    for result in &mut response.results {
        result.message = settle(&result.message);
    }
    Ok(response_to_json(&response))
}

/// Replaces "unable to" by "cannot". Go's JSON library picks one of them at random at every call,
/// so that nobody relies on its texts (go-json-experiment, `errors.go`).
fn settle(message: &str) -> String {
    message.replace("json: unable to ", "json: cannot ")
}
