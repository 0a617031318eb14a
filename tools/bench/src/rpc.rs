//! RunFunction under load: closed-loop clients, one per connection, each waiting for its answer
//! before the next request.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eds_function::proto::v1::{Ready, RunFunctionResponse};
use eds_function::raw::Raw;
use prost::Message;
use tokio::runtime::Runtime;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;

use crate::process::Server;
use crate::{Failure, Run};

const METHOD: &str = "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction";

/// How many requests each connection sends before anything is counted.
const WARM_UP: usize = 200;

/// How one function performed under one load.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Seconds from request to answer, for every request.
    pub(crate) latencies_s: Vec<f64>,
    /// Seconds that the rounds lasted.
    pub(crate) wall_s: f64,
    /// CPU seconds of the server process during the rounds.
    pub(crate) cpu_s: f64,
    /// Resident set after the last round, in KiB.
    pub(crate) after_kib: f64,
}

/// Both functions under the same load.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) connections: usize,
    pub(crate) eds: Load,
    pub(crate) go: Load,
}

/// Refuses to compare functions that do different work: both must compose the same resources.
pub(crate) fn same_answer(
    runtime: &Runtime,
    request: &Bytes,
    ours: &Server,
    go: &Server,
) -> Result<(), Failure> {
    let [ours, theirs] = [ours, go].map(|server| -> Result<_, Failure> {
        let answer = runtime.block_on(async {
            let mut client = connect(server.address()).await?;
            call(&mut client, request).await
        })?;
        let response = RunFunctionResponse::decode(answer)?;
        if let Some(result) = response.results.first() {
            return Err(format!("{} answered: {}", server.name(), result.message).into());
        }
        let resources = response.desired.unwrap_or_default().resources;
        let described = resources.into_iter().map(|(name, resource)| {
            let ready = Ready::try_from(resource.ready);
            let object = resource.resource.unwrap_or_default().into_object();
            (name, ready, object)
        });
        Ok(described.collect::<Vec<_>>())
    });
    let (ours, theirs) = (ours?, theirs?);
    if ours.is_empty() || ours != theirs {
        return Err(format!("the functions differ:\nours {ours:?}\ntheirs {theirs:?}").into());
    }
    Ok(())
}

/// Sends rounds of requests to both functions, alternating.
pub(crate) fn compare(
    runtime: &Runtime,
    request: &Bytes,
    ours: &Server,
    go: &Server,
    connections: usize,
    run: &Run,
) -> Result<Compared, Failure> {
    let mut compared = Compared { connections, eds: Load::default(), go: Load::default() };
    let length = Duration::from_secs_f64(run.seconds);
    runtime.block_on(async {
        let mut our_clients = clients(ours.address(), connections, request).await?;
        let mut go_clients = clients(go.address(), connections, request).await?;
        for _ in 0..run.rounds {
            our_clients = round(our_clients, ours, request, length, &mut compared.eds).await?;
            go_clients = round(go_clients, go, request, length, &mut compared.go).await?;
        }
        Ok::<_, Failure>(())
    })?;
    compared.eds.after_kib = ours.memory("VmRSS")?;
    compared.go.after_kib = go.memory("VmRSS")?;
    Ok(compared)
}

async fn clients(
    address: SocketAddr,
    connections: usize,
    request: &Bytes,
) -> Result<Vec<Grpc<Channel>>, Failure> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = connect(address).await?;
        for _ in 0..WARM_UP {
            call(&mut client, request).await?;
        }
        clients.push(client);
    }
    Ok(clients)
}

/// Runs one round: every client sends until the time is up. Returns the clients.
async fn round(
    clients: Vec<Grpc<Channel>>,
    server: &Server,
    request: &Bytes,
    length: Duration,
    load: &mut Load,
) -> Result<Vec<Grpc<Channel>>, Failure> {
    let cpu = server.cpu_s()?;
    let start = Instant::now();
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let request = request.clone();
            tokio::spawn(async move {
                let mut latencies_s = Vec::new();
                while start.elapsed() < length {
                    let sent = Instant::now();
                    call(&mut client, &request).await?;
                    latencies_s.push(sent.elapsed().as_secs_f64());
                }
                Ok::<_, Failure>((client, latencies_s))
            })
        })
        .collect();
    let mut back = Vec::new();
    for task in tasks {
        let (client, latencies_s) = task.await??;
        load.latencies_s.extend(latencies_s);
        back.push(client);
    }
    load.wall_s += start.elapsed().as_secs_f64();
    load.cpu_s += server.cpu_s()? - cpu;
    Ok(back)
}

pub(crate) async fn connect(address: SocketAddr) -> Result<Grpc<Channel>, Failure> {
    let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
    Ok(Grpc::new(channel))
}

pub(crate) async fn call(client: &mut Grpc<Channel>, request: &Bytes) -> Result<Bytes, Failure> {
    client.ready().await?;
    let path = PathAndQuery::from_static(METHOD);
    Ok(client.unary(Request::new(request.clone()), path, Raw).await?.into_inner())
}
