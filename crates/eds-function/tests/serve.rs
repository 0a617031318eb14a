//! The real binary without TLS: both versions of the service, health, limits, signals, flags.
#![cfg(test)]

mod support;

use std::collections::BTreeMap;
use std::process::Command;

use eds_function::convert::{request_to_wire, response_from_wire};
use eds_function::proto::v1::function_runner_service_client::FunctionRunnerServiceClient as V1;
use eds_function::proto::v1beta1::function_runner_service_client as v1beta1;
use patch_and_transform::protocol::{Object, RunFunctionRequest};
use patch_and_transform::protocol_json::response_to_json;
use prost::Message;
use prost_types::FileDescriptorProto;
use serde_json::{Value, json};
use support::{Function, counted, on_large_stack, request};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use v1beta1::FunctionRunnerServiceClient as V1Beta1;

async fn connect(function: &Function) -> Channel {
    Endpoint::from_shared(format!("http://{}", function.address))
        .expect("an address")
        .connect()
        .await
        .expect("the function listens")
}

async fn ask(channel: Channel, request: RunFunctionRequest) -> Value {
    let response = V1::new(channel).run_function(request_to_wire(request)).await;
    let response = response.expect("an answer").into_inner();
    response_to_json(&response_from_wire(response).expect("a readable answer"))
}

#[tokio::test]
async fn both_versions_answer_alike() {
    let function = Function::start(&["--insecure", "--debug"]);
    let channel = connect(&function).await;
    let v1 = ask(channel.clone(), request("tag-1")).await;
    assert_eq!(
        v1,
        json!({
            "meta": { "tag": "tag-1", "ttl": "60s" },
            "context": { "apiextensions.crossplane.io/environment":
                { "apiVersion": "internal.crossplane.io/v1alpha1", "kind": "Environment" } },
            "desired": {
                "composite": { "resource": { "apiVersion": "example.org/v1", "kind": "XR" } },
                "resources": { "a": { "resource": {
                    "apiVersion": "v1", "kind": "ConfigMap", "data": { "size": 3 } } } },
            },
        })
    );
    let older = V1Beta1::new(channel).run_function(request_to_wire(request("tag-1"))).await;
    let older = response_from_wire(older.expect("an answer").into_inner()).expect("readable");
    assert_eq!(response_to_json(&older), v1);
    assert!(function.log("running function").contains("tag-1"));
}

#[tokio::test]
async fn health_is_served() {
    let function = Function::start(&["--insecure"]);
    let mut client = HealthClient::new(connect(&function).await);
    for service in [
        "",
        "apiextensions.fn.proto.v1.FunctionRunnerService",
        "apiextensions.fn.proto.v1beta1.FunctionRunnerService",
    ] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = client.check(request).await.expect("health answers").into_inner().status;
        assert_eq!(status, 1, "{service} is SERVING");
    }
    let request = HealthCheckRequest { service: "other".to_owned() };
    let status = client.check(request).await.expect_err("no such service");
    assert_eq!(status.code(), tonic::Code::NotFound);
}

/// gRPC reflection describes what is served, down to the messages, without any .proto file.
#[tokio::test]
async fn reflection_describes_the_services() {
    let function = Function::start(&["--insecure"]);
    let mut client = ServerReflectionClient::new(connect(&function).await);
    let mut ask = async |question: MessageRequest| {
        let request =
            ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let answers = client.server_reflection_info(tokio_stream::once(request)).await;
        let mut answers = answers.expect("an answer").into_inner();
        let answer = answers.message().await.expect("readable").expect("one");
        answer.message_response.expect("not empty")
    };
    let MessageResponse::ListServicesResponse(list) =
        ask(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list of services");
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    for service in [
        "apiextensions.fn.proto.v1.FunctionRunnerService",
        "apiextensions.fn.proto.v1beta1.FunctionRunnerService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ] {
        assert!(names.contains(&service), "{service} is not in {names:?}");
        let file = ask(MessageRequest::FileContainingSymbol(service.to_owned())).await;
        assert!(matches!(file, MessageResponse::FileDescriptorResponse(_)), "{service}: {file:?}");
    }
    let message = "apiextensions.fn.proto.v1.RunFunctionRequest".to_owned();
    let file = ask(MessageRequest::FileContainingSymbol(message)).await;
    let MessageResponse::FileDescriptorResponse(file) = file else { panic!("{file:?}") };
    let file = FileDescriptorProto::decode(file.file_descriptor_proto[0].as_slice()).unwrap();
    let request = file.message_type.iter().find(|it| it.name() == "RunFunctionRequest").unwrap();
    let fields: Vec<_> = request.field.iter().map(|it| (it.name(), it.number())).collect();
    assert!(fields.contains(&("required_schemas", 9)), "{fields:?}");
    // A request longer than any name is refused.
    let long = ServerReflectionRequest {
        host: "x".repeat(5 << 10),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers =
        client.server_reflection_info(tokio_stream::once(long)).await.expect("begun").into_inner();
    let answer = answers.message().await;
    assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
}

/// What cannot be processed is a fatal result that says what and where.
#[test]
fn refusals_name_the_place() {
    on_large_stack(refusals);
}

async fn refusals() {
    let function = Function::start(&["--insecure", "--max-recv-message-size", "8"]);
    let channel = connect(&function).await;
    let check = async |change: &dyn Fn(&mut RunFunctionRequest), expect: &[&str]| {
        let mut request = request("t");
        change(&mut request);
        let answer = ask(channel.clone(), request).await;
        assert_eq!(answer["results"][0]["severity"], "SEVERITY_FATAL", "{answer:#}");
        let message = answer["results"][0]["message"].as_str().expect("a message");
        for part in expect {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
        assert_eq!(answer["meta"]["tag"], "t");
    };
    let other = json!({ "apiVersion": "kcl.fn/v1", "kind": "KCLInput" });
    check(&|it| it.input = other.as_object().cloned(), &["kcl.fn/v1", "KCLInput"]).await;
    check(
        &|it| {
            let deep = deep(5000);
            it.input.as_mut().expect("an input").insert("deep".to_owned(), deep);
        },
        &["input.deep.k.k", "deeper than 500 levels"],
    )
    .await;
    check(
        &|it| {
            let resource = it.observed.composite.as_mut().expect("a composite");
            resource.resource.get_or_insert_default().insert("spec".to_owned(), deep(501));
        },
        &["observed.composite.resource.spec.k", "deeper than 500 levels"],
    )
    .await;
}

/// 490 levels pass through the engine and come back.
#[test]
fn deep_objects_are_answered() {
    on_large_stack(deep_objects);
}

async fn deep_objects() {
    let function = Function::start(&["--insecure"]);
    let mut request = request("deep");
    let composite = request.observed.composite.as_mut().expect("a composite");
    let spec = composite.resource.get_or_insert_default();
    spec.insert("spec".to_owned(), json!({ "size": deep(490) }));
    let answer = ask(connect(&function).await, request).await;
    assert_eq!(answer.get("results"), None, "no complaint");
    let mut place = &answer["desired"]["resources"]["a"]["resource"]["data"]["size"];
    let mut levels = 0;
    while let Some(inner) = place.get("k") {
        place = inner;
        levels += 1;
    }
    assert_eq!(levels, 490);
}

/// Returns an object with this many levels under the key `k`.
fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| {
        let mut object = Object::new();
        object.insert("k".to_owned(), inner);
        Value::Object(object)
    })
}

#[tokio::test]
async fn a_request_over_the_limit_is_refused_and_the_next_one_served() {
    let function = Function::start(&["--insecure", "--max-recv-message-size", "1"]);
    let channel = connect(&function).await;
    let mut large = request("large");
    let text = Value::String("x".repeat(2 << 20));
    large.context = Some([("text".to_owned(), text)].into_iter().collect());
    let status = V1::new(channel.clone()).run_function(request_to_wire(large)).await;
    let status = status.expect_err("2 MB are over 1 MB");
    assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status}");
    assert!(status.message().contains("1048576"), "{status}");
    assert_eq!(ask(channel, request("next")).await["meta"]["tag"], "next");
}

#[tokio::test]
async fn many_requests_at_once_are_told_apart() {
    let function = Function::start(&["--insecure"]);
    let channel = connect(&function).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let channel = channel.clone();
        tasks.spawn(async move {
            let tag = format!("tag-{number}");
            assert_eq!(ask(channel, request(&tag)).await["meta"]["tag"], json!(tag));
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("every answer has its request's tag");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_end_it_with_zero() {
    for signal in ["TERM", "INT"] {
        let mut function = Function::start(&["--insecure"]);
        let channel = connect(&function).await;
        assert_eq!(ask(channel.clone(), request("t")).await["meta"]["tag"], "t");
        // The idle connection stays open: it must not delay the end.
        let status = function.stop(signal);
        assert_eq!(status.code(), Some(0), "SIG{signal}");
        drop(channel);
    }
}

/// Requests in progress when SIGTERM comes are answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_is_being_answered() {
    let flags = ["--insecure", "--max-recv-message-size", "64", "--metrics-address", "127.0.0.1:0"];
    let mut function = Function::start(&flags);
    let metrics = function.metrics.clone().expect("the metrics' address is logged");
    let channel = connect(&function).await;
    let mut large = request("large");
    let list: Value = (0..400_000).map(|number| json!({ "n": number })).collect();
    large.context = Some([("list".to_owned(), list)].into_iter().collect());
    let wire = request_to_wire(large);
    let asking = tokio::spawn(async move {
        let mut client = V1::new(channel).max_decoding_message_size(64 << 20);
        client.run_function(wire).await.map(|it| it.into_inner().meta.unwrap_or_default().tag)
    });
    counted(&metrics, "grpc_server_msg_received_total", 1.0).await;
    function.signal("TERM");
    let tag = asking.await.expect("the task ends").expect("the request is answered");
    assert_eq!(tag, "large");
    assert_eq!(function.wait().code(), Some(0));
}

#[test]
fn wrong_flags_are_one_clear_line_and_exit_2() {
    let check = |arguments: &[&str], environment: &BTreeMap<&str, &str>, expect: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_eds-function"))
            .args(arguments)
            .env_remove("TLS_SERVER_CERTS_DIR")
            .envs(environment)
            .output()
            .expect("the binary runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(expect), "{arguments:?}: {text}");
    };
    let none = BTreeMap::new();
    check(&[], &none, "no certificates: set --tls-server-certs-dir");
    check(&["--tls-server-certs-dir", "/nowhere"], &none, "cannot read /nowhere/tls.crt");
    check(&["--tls-certs-dir", "/nowhere"], &none, "cannot read /nowhere/tls.crt");
    let set = BTreeMap::from([("TLS_SERVER_CERTS_DIR", "/nowhere")]);
    check(&[], &set, "cannot read /nowhere/tls.crt");
    check(&["--insecure", "--address", "nonsense"], &none, "cannot listen at \"nonsense\"");
    check(&["--insecure", "--max-recv-message-size", "0"], &none, "0 is not in 1..=2047");
    check(&["--bogus"], &none, "--bogus");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    check(&["--insecure", "--address", &address], &none, "cannot listen at");
    let metrics = ["--insecure", "--address", "127.0.0.1:0", "--metrics-address", &address];
    check(&metrics, &none, "cannot listen for metrics at");
}
