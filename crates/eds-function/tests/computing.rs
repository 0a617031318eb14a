//! A long computation holds up nobody, and a request whose client has gone is not started.
//!
//! The function here waits at a gate, so that no test depends on timing: what must be answered
//! meanwhile is answered before the gate opens.
#![cfg(test)]

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use eds_function::computing::Computing;
use eds_function::limits::Limits;
use eds_function::proto::v1;
use eds_function::proto::v1::function_runner_service_client::FunctionRunnerServiceClient as Client;
use eds_function::server::{Options, serve};
use eds_function::service::Service;
use patch_and_transform::protocol::{GoOn, RunFunctionRequest, RunFunctionResponse};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Where requests whose tag begins with `slow` or `stuck` wait, and which requests were started.
/// The stuck ones do not ask whether to go on.
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

    /// Returns those of one test; what the others left may still end.
    fn begun(&self, test: &str) -> Vec<String> {
        self.state().0.iter().filter(|tag| tag.contains(test)).cloned().collect()
    }
}

fn function(request: RunFunctionRequest, go_on: GoOn<'_>) -> RunFunctionResponse {
    // Here the threads that talk to clients are the tests' own, which have names.
    if std::thread::current().name() != Some("tokio-rt-worker") {
        // It would wait at the gate: what takes long is stopped here, and restarted elsewhere.
        while request.tag.contains(", ") && go_on() {}
        return RunFunctionResponse { tag: request.tag, ..Default::default() };
    }
    let mut state = GATE.state();
    state.0.insert(request.tag.clone());
    while request.tag.starts_with("stuck") && !state.1 {
        state = GATE.changed.wait(state).unwrap();
    }
    while request.tag.starts_with("slow") && !state.1 {
        state = GATE.changed.wait_timeout(state, Duration::from_millis(5)).unwrap().0;
        // Others may pass the gate meanwhile.
        drop(state);
        let goes_on = go_on();
        state = GATE.state();
        if !goes_on {
            state.0.insert(format!("{} stopped", request.tag));
            break;
        }
    }
    RunFunctionResponse { tag: request.tag, ..Default::default() }
}

/// After this, nothing more is waited for. It only ends tests that would never end.
const HUNG: Duration = Duration::from_secs(120);

/// A server with two computing places.
struct Server {
    uri: String,
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
        let options = Options { certificates: None, max_message: 4 << 20, limits, metrics: None };
        let serving = tokio::spawn(async move {
            serve(service, listener, options, stopped).await.unwrap();
        });
        let uri = format!("http://{address}");
        let channel = Endpoint::from_shared(uri.clone()).unwrap().connect().await.unwrap();
        Self { uri, channel, computing, stop, serving }
    }

    async fn connect(&self) -> Channel {
        Endpoint::from_shared(self.uri.clone()).unwrap().connect().await.unwrap()
    }

    fn ask(&self, tag: &str) -> JoinHandle<String> {
        ask(&self.channel, tag)
    }
}

/// Asks in the background.
fn ask(channel: &Channel, tag: &str) -> JoinHandle<String> {
    let mut client = Client::new(channel.clone());
    let meta = Some(v1::RequestMeta { tag: tag.to_owned(), capabilities: Vec::new() });
    tokio::spawn(async move {
        let request = v1::RunFunctionRequest { meta, ..Default::default() };
        let response = client.run_function(request).await.unwrap();
        response.into_inner().meta.unwrap_or_default().tag
    })
}

/// Waits until `done`, or fails the test.
async fn until(what: &str, done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(HUNG, wait).await.unwrap_or_else(|_| panic!("{what}"));
}

/// A computation for a client that has gone ends before it is done.
#[tokio::test]
async fn what_nobody_waits_for_any_more_is_stopped() {
    let _turn = TURN.lock().await;
    GATE.close();
    let server = Server::start().await;
    let slow = server.ask("slow, left");
    until("it is begun", || GATE.begun("left") == ["slow, left"]).await;
    slow.abort();
    until("it is stopped", || GATE.begun("left") == ["slow, left", "slow, left stopped"]).await;
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(HUNG, future).await;
    answer.unwrap_or_else(|_| panic!("{what}"))
}

/// One thread serves all clients: whatever blocks it blocks everything.
#[tokio::test]
async fn a_slow_request_holds_up_nobody() {
    let _turn = TURN.lock().await;
    GATE.close();
    let server = Server::start().await;
    let slow = server.ask("slow, alone");
    until("the slow request is begun", || GATE.begun("alone") == ["slow, alone"]).await;
    let mut health = HealthClient::new(server.channel.clone());
    let check = health.check(HealthCheckRequest::default());
    assert_eq!(soon("health", check).await.unwrap().into_inner().status, 1);
    assert_eq!(soon("a small request", server.ask("small")).await.unwrap(), "small");
    // A stop is noticed too, and waits for what is being answered.
    server.stop.send(true).unwrap();
    GATE.open();
    assert_eq!(soon("the slow answer", slow).await.unwrap(), "slow, alone");
    soon("the end", server.serving).await.unwrap();
}

/// However many requests take long, they give way to those that do not, and all are answered.
#[tokio::test]
async fn many_slow_requests_hold_up_nobody() {
    let _turn = TURN.lock().await;
    GATE.close();
    let server = Server::start().await;
    // More than there are places here, and than can take turns.
    let tags: Vec<String> = (0..180).map(|number| format!("slow, many {number}")).collect();
    let mut slow = Vec::new();
    for tags in tags.chunks(90) {
        let channel = server.connect().await;
        slow.extend(tags.iter().map(|tag| ask(&channel, tag)));
    }
    until("slow requests are begun", || GATE.begun("many").len() > 2).await;
    for number in 0..50 {
        let tag = format!("small {number}");
        assert_eq!(soon(&tag, server.ask(&tag)).await.unwrap(), tag);
    }
    let mut health = HealthClient::new(server.channel.clone());
    let check = health.check(HealthCheckRequest::default());
    assert_eq!(soon("health", check).await.unwrap().into_inner().status, 1);
    GATE.open();
    for (slow, tag) in slow.into_iter().zip(tags) {
        assert_eq!(soon("a slow answer", slow).await.unwrap(), tag);
    }
}

/// A request is computed for no longer than its client says it will wait.
#[tokio::test]
async fn a_deadline_stops_what_is_computed() {
    let _turn = TURN.lock().await;
    GATE.close();
    let server = Server::start().await;
    let meta = Some(v1::RequestMeta { tag: "slow, late".to_owned(), capabilities: Vec::new() });
    let mut request = tonic::Request::new(v1::RunFunctionRequest { meta, ..Default::default() });
    // Sent by hand: a client's own timeout would reset the stream.
    request.metadata_mut().insert("grpc-timeout", "200m".parse().unwrap());
    let mut client = Client::new(server.channel.clone());
    let answer = client.run_function(request);
    soon("the deadline", answer).await.expect_err("too late");
    until("it is stopped", || GATE.begun("late") == ["slow, late", "slow, late stopped"]).await;
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_begun() {
    let _turn = TURN.lock().await;
    GATE.close();
    let server = Server::start().await;
    let slow = [server.ask("stuck, not 1"), server.ask("stuck, not 2")];
    until("both places are taken", || GATE.begun("not").len() == 2).await;
    let leaves = server.ask("leaves, not");
    until("it waits", || server.computing.waiting() == 1).await;
    leaves.abort();
    until("it has left", || server.computing.waiting() == 0).await;
    let stays = server.ask("stays, not");
    until("the next one waits", || server.computing.waiting() == 1).await;
    GATE.open();
    for slow in slow {
        soon("the slow answers", slow).await.unwrap();
    }
    assert_eq!(soon("the one that stays", stays).await.unwrap(), "stays, not");
    assert_eq!(GATE.begun("not"), ["stays, not", "stuck, not 1", "stuck, not 2"]);
}
