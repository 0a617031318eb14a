//! The real binary's metrics, read over loopback as Prometheus reads them.
#![cfg(test)]

mod support;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eds_function::convert::request_to_wire;
use eds_function::proto::v1::function_runner_service_client::FunctionRunnerServiceClient as V1;
use eds_function::proto::v1beta1::function_runner_service_client as v1beta1;
use eds_function::raw::Raw;
use http_body::Frame;
use http_body_util::StreamBody;
use patch_and_transform::protocol::RunFunctionRequest;
use serde_json::{Value, json};
use support::{Function, HUNG, ask_metrics as ask, count, counted, request, scrape};
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::{Service, http};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use v1beta1::FunctionRunnerServiceClient as V1Beta1;

const STARTED: &str = "grpc_server_started_total";
const RECEIVED: &str = "grpc_server_msg_received_total";

const V1_PATH: &str = "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction";

fn start() -> (Function, String) {
    let flags = ["--insecure", "--metrics-address", "127.0.0.1:0", "--max-recv-message-size", "1"];
    let function = Function::start(&flags);
    let address = function.metrics.clone().expect("the metrics' address is logged");
    (function, address)
}

async fn connect(function: &Function) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", function.address)).unwrap();
    endpoint.connect().await.unwrap()
}

/// Sends these bytes as the beginning of a body, and leaves once the server knows of the request.
async fn leave(mut channel: Channel, address: &str, bytes: &'static [u8]) {
    let started = count(address, STARTED);
    let beginning = tokio_stream::once(Ok::<_, Status>(Frame::data(Bytes::from_static(bytes))));
    let body = Body::new(StreamBody::new(beginning.chain(tokio_stream::pending())));
    let request = http::Request::post(V1_PATH).header("content-type", "application/grpc");
    std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let asked = channel.call(request.body(body).unwrap());
    tokio::select! {
        _ = asked => panic!("it was answered"),
        () = counted(address, STARTED, started + 1.0) => {}
    }
}

/// Returns a request that takes seconds: a pattern of a thousand letters, searched for at each of
/// many.
fn slow() -> RunFunctionRequest {
    let mut slow = request("slow");
    let composite = slow.observed.composite.as_mut().unwrap().resource.as_mut().unwrap();
    composite.insert("spec".to_owned(), json!({ "size": "x".repeat(100_000) }));
    let regexp = json!({ "match": "\\pL{1000}!", "group": 0 });
    let transform = json!({ "type": "string", "string": { "type": "Regexp", "regexp": regexp } });
    let input = slow.input.as_mut().unwrap();
    input["resources"][0]["patches"][0]["transforms"] = json!([transform]);
    slow
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_however_they_end() {
    let (function, address) = start();
    let before = scrape(&address);
    // For each of three methods: 17 codes, three more counters, 12 buckets, sum and count.
    assert_eq!(before.len(), 3 * (17 + 3 + 12 + 2), "every method is there from the beginning");
    assert_eq!(before.values().sum::<f64>(), 0.0, "at zero");

    let channel = connect(&function).await;
    let mut v1 = V1::new(channel.clone());
    for _ in 0..3 {
        v1.run_function(request_to_wire(request("t"))).await.expect("answered");
    }
    V1Beta1::new(channel.clone()).run_function(request_to_wire(request("t"))).await.unwrap();
    let mut large = request("large");
    let text = Value::String("x".repeat(2 << 20));
    large.context = Some([("text".to_owned(), text)].into_iter().collect());
    v1.run_function(request_to_wire(large)).await.expect_err("2 MB are over 1 MB");

    // What is not a RunFunctionRequest, and what does not exist.
    let mut raw = Grpc::new(channel.clone());
    let mut send = async |path: String, message: &'static [u8]| {
        raw.ready().await.unwrap();
        let message = Request::new(Bytes::from_static(message));
        let answer = raw.unary(message, path.parse().unwrap(), Raw).await;
        answer.expect_err("refused").code()
    };
    assert_eq!(send(V1_PATH.to_owned(), &[0xff; 9]).await, tonic::Code::Internal);
    for number in 0..50 {
        let code = send(format!("{V1_PATH}{number}"), &[]).await;
        assert_eq!(code, tonic::Code::Unimplemented);
        let code = send(format!("/made.up.{number}/RunFunction"), &[]).await;
        assert_eq!(code, tonic::Code::Unimplemented);
    }

    let mut health = HealthClient::new(channel.clone());
    for service in ["", "other"] {
        let _ = health.check(HealthCheckRequest { service: service.to_owned() }).await;
    }

    // Clients that leave: before their message, in the middle of it, and before their answer.
    leave(channel.clone(), &address, &[]).await;
    leave(channel.clone(), &address, &[0, 0, 0, 0, 100, 1, 2, 3]).await;
    let asked = v1.run_function(request_to_wire(slow()));
    let computing = count(&address, RECEIVED) + 1.0;
    tokio::select! {
        _ = asked => panic!("it was answered at once"),
        () = counted(&address, RECEIVED, computing) => {}
    }

    let sample = |metric: &str, code: &str, service: &str, method: &str| {
        let code = if code.is_empty() { String::new() } else { format!("grpc_code=\"{code}\",") };
        format!(
            "{metric}{{{code}grpc_method=\"{method}\",grpc_service=\"{service}\",\
             grpc_type=\"unary\"}}"
        )
    };
    let run = |metric: &str, code: &str, version: &str| {
        let service = format!("apiextensions.fn.proto.{version}.FunctionRunnerService");
        sample(metric, code, &service, "RunFunction")
    };
    let check = |metric: &str, code: &str| sample(metric, code, "grpc.health.v1.Health", "Check");
    let expect = [
        (run("grpc_server_started_total", "", "v1"), 8.0),
        (run("grpc_server_handled_total", "OK", "v1"), 3.0),
        (run("grpc_server_handled_total", "ResourceExhausted", "v1"), 1.0),
        (run("grpc_server_handled_total", "Internal", "v1"), 1.0),
        (run("grpc_server_handled_total", "Canceled", "v1"), 3.0),
        (run("grpc_server_msg_received_total", "", "v1"), 5.0),
        (run("grpc_server_msg_sent_total", "", "v1"), 3.0),
        (run("grpc_server_handling_seconds_count", "", "v1"), 8.0),
        (run("grpc_server_started_total", "", "v1beta1"), 1.0),
        (run("grpc_server_handled_total", "OK", "v1beta1"), 1.0),
        (run("grpc_server_msg_received_total", "", "v1beta1"), 1.0),
        (run("grpc_server_msg_sent_total", "", "v1beta1"), 1.0),
        (run("grpc_server_handling_seconds_count", "", "v1beta1"), 1.0),
        (check("grpc_server_started_total", ""), 2.0),
        (check("grpc_server_handled_total", "OK"), 1.0),
        (check("grpc_server_handled_total", "NotFound"), 1.0),
        (check("grpc_server_msg_received_total", ""), 2.0),
        (check("grpc_server_msg_sent_total", ""), 1.0),
        (check("grpc_server_handling_seconds_count", ""), 2.0),
    ];
    let expect: BTreeMap<String, f64> = expect.into_iter().collect();
    // The client does not wait until the server knows that it has left.
    let deadline = Instant::now() + HUNG;
    let after = loop {
        let mut after = scrape(&address);
        assert!(after.keys().eq(before.keys()), "a client made new series");
        after.retain(|name, value| {
            *value != 0.0 && !name.contains("_bucket{") && !name.contains("_sum{")
        });
        if after == expect || Instant::now() > deadline {
            break after;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(after, expect);
}

#[test]
fn only_metrics_are_served() {
    let (_function, address) = start();
    let check = |head: &str, expect: &str| {
        let answer = ask(&address, head);
        assert!(answer.starts_with(expect), "{head:?}: {answer:?}");
    };
    check("GET / HTTP/1.1\r\nHost: f\r\n\r\n", "HTTP/1.1 404 ");
    check("GET /metrics/../ HTTP/1.1\r\nHost: f\r\n\r\n", "HTTP/1.1 404 ");
    check("POST /metrics HTTP/1.1\r\nHost: f\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 ");
    check("HEAD /metrics HTTP/1.1\r\nHost: f\r\n\r\n", "HTTP/1.1 200 ");
    check("nonsense\r\n\r\n", "HTTP/1.1 400 ");
    let long = format!("GET /metrics HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(1 << 20));
    check(&long, "");
    assert!(!scrape(&address).is_empty(), "and the next one is answered");
}

/// Silent connections are limited, and hold up neither Prometheus nor Crossplane.
#[tokio::test]
async fn idle_connections_are_bounded() {
    let (function, address) = start();
    let idle: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(&address).expect("accepted")).collect();
    assert!(!scrape(&address).is_empty());
    let wire = request_to_wire(request("t"));
    V1::new(connect(&function).await).run_function(wire).await.expect("answered");
    let open = |mut stream: &TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    };
    let open = idle.iter().filter(|stream| open(stream)).count();
    assert_eq!(open, 15, "of 16 places one was the scrape's");
}

/// If no address was requested and the default is taken, the function serves anyway.
#[tokio::test]
async fn a_taken_default_is_a_warning() {
    // If this fails, somebody else has it, which will also do.
    let _taken = std::net::TcpListener::bind("0.0.0.0:8080");
    let function = Function::start_as_it_is(&["--insecure"]);
    assert!(function.metrics.is_none());
    let wire = request_to_wire(request("t"));
    V1::new(connect(&function).await).run_function(wire).await.expect("answered");
}
