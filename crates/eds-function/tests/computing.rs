//! A request that computes for long holds up nobody, and one whose client has gone is not begun.
//!
//! The function here waits at a gate, so that no test needs a time: what must be answered meanwhile
//! is answered before the gate opens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use eds_core::protocol::{GoOn, RunFunctionRequest, RunFunctionResponse};
use eds_function::computing::Computing;
use eds_function::limits::Limits;
use eds_function::proto::v1;
use eds_function::proto::v1::function_runner_service_client::FunctionRunnerServiceClient as Client;
use eds_function::server::{Options, serve};
use eds_function::service::Service;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Where requests whose tag begins with `slow` wait, and which requests were begun.
struct Gate {
    state: Mutex<(BTreeSet<String>, bool)>,
    changed: Condvar,
}

static GATE: Gate = Gate { state: Mutex::new((BTreeSet::new(), false)), changed: Condvar::new() };

/// Tests share the gate, so they take turns.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Gate {
    fn state(&self) -> MutexGuard<'_, (BTreeSet<String>, bool)> {
        self.state.lock().unwrap()
    }

    fn open(&self) {
        self.state().1 = true;
        self.changed.notify_all();
    }

    fn close(&self) {
        *self.state() = (BTreeSet::new(), false);
    }

    fn begun(&self) -> Vec<String> {
        self.state().0.iter().cloned().collect()
    }
}

fn function(request: RunFunctionRequest, go_on: GoOn<'_>) -> RunFunctionResponse {
    let mut state = GATE.state();
    state.0.insert(request.tag.clone());
    while request.tag.starts_with("slow") && !state.1 && go_on() {
        state = GATE.changed.wait_timeout(state, Duration::from_millis(5)).unwrap().0;
    }
    if !go_on() {
        state.0.insert(format!("{} stopped", request.tag));
    }
    RunFunctionResponse { tag: request.tag, ..Default::default() }
}

/// A server with two places for computing.
struct Server {
    channel: Channel,
    computing: Computing,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let limits = Limits::new(128 << 20, 2);
        let computing = limits.lane(0).computing.clone();
        let service = Service::new(function);
        let options = Options { certificates: None, max_message: 4 << 20, limits };
        let serving = tokio::spawn(async move {
            serve(service, listener, options, stopped).await.unwrap();
        });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.connect().await.unwrap();
        Self { channel, computing, stop, serving }
    }

    /// Ask in the background.
    fn ask(&self, tag: &str) -> JoinHandle<String> {
        let mut client = Client::new(self.channel.clone());
        let meta = Some(v1::RequestMeta { tag: tag.to_owned(), capabilities: Vec::new() });
        tokio::spawn(async move {
            let request = v1::RunFunctionRequest { meta, ..Default::default() };
            let response = client.run_function(request).await.unwrap();
            response.into_inner().meta.unwrap_or_default().tag
        })
    }
}

/// Until `done`, or the test fails.
async fn until(what: &str, done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("{what}"));
}

/// What is computed for a client that has gone ends before it is done.
#[tokio::test]
async fn what_nobody_waits_for_any_more_is_stopped() {
    let _turn = TURN.lock().await;
    GATE.close();
    let server = Server::start().await;
    let slow = server.ask("slow");
    until("it is begun", || GATE.begun() == ["slow"]).await;
    slow.abort();
    until("it is stopped", || GATE.begun() == ["slow", "slow stopped"]).await;
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(Duration::from_secs(30), future).await;
    answer.unwrap_or_else(|_| panic!("{what}"))
}

/// One thread serves all clients: whatever blocks it blocks everything.
#[tokio::test]
async fn a_slow_request_holds_up_nobody() {
    let _turn = TURN.lock().await;
    GATE.close();
    let server = Server::start().await;
    let slow = server.ask("slow");
    until("the slow request is begun", || GATE.begun() == ["slow"]).await;
    let mut health = HealthClient::new(server.channel.clone());
    let check = health.check(HealthCheckRequest::default());
    assert_eq!(soon("health", check).await.unwrap().into_inner().status, 1);
    assert_eq!(soon("a small request", server.ask("small")).await.unwrap(), "small");
    // A stop is noticed too, and waits for what is being answered.
    server.stop.send(true).unwrap();
    GATE.open();
    assert_eq!(soon("the slow answer", slow).await.unwrap(), "slow");
    soon("the end", server.serving).await.unwrap();
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_begun() {
    let _turn = TURN.lock().await;
    GATE.close();
    let server = Server::start().await;
    let slow = [server.ask("slow 1"), server.ask("slow 2")];
    until("both places are taken", || GATE.begun().len() == 2).await;
    let leaves = server.ask("leaves");
    until("it waits", || server.computing.waiting() == 1).await;
    leaves.abort();
    until("it has left", || server.computing.waiting() == 0).await;
    let stays = server.ask("stays");
    until("the next one waits", || server.computing.waiting() == 1).await;
    GATE.open();
    for slow in slow {
        soon("the slow answers", slow).await.unwrap();
    }
    assert_eq!(soon("the one that stays", stays).await.unwrap(), "stays");
    assert_eq!(GATE.begun(), ["slow 1", "slow 2", "stays"]);
}
