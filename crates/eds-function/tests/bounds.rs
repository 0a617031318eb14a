//! The real binary against malicious clients: what is bounded, and what keeps working meanwhile.
#![cfg(test)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use eds_function::convert::request_to_wire;
use eds_function::proto::v1::function_runner_service_client::FunctionRunnerServiceClient;
use serde_json::{Value, json};
use support::{Function, HUNG, request};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const NO_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const SETTINGS: u8 = 4;
const PING: u8 = 6;

fn open(function: &Function) -> TcpStream {
    let mut stream = TcpStream::connect(&function.address).expect("the function listens");
    stream.set_read_timeout(Some(HUNG)).unwrap();
    stream.write_all(PREFACE).unwrap();
    stream.write_all(NO_SETTINGS).unwrap();
    stream
}

async fn connect(function: &Function) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", function.address)).unwrap();
    endpoint.connect().await.unwrap()
}

/// Reads the next frame: kind, flags, payload; returns `None` if the connection is closed.
fn frame(stream: &mut TcpStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut header = [0; 9];
    match stream.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("still open"),
        Err(_) => return None,
    }
    let length = usize::from(header[1]) << 8 | usize::from(header[2]);
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).ok()?;
    Some((header[3], header[4], payload))
}

#[test]
fn streams_are_limited() {
    let function = Function::start(&["--insecure"]);
    let mut stream = open(&function);
    let (kind, _, payload) = frame(&mut stream).expect("settings");
    assert_eq!(kind, SETTINGS);
    let settings: Vec<(u8, u32)> = payload
        .chunks(6)
        .map(|it| (it[1], u32::from_be_bytes([it[2], it[3], it[4], it[5]])))
        .collect();
    // 3 is MAX_CONCURRENT_STREAMS, 6 MAX_HEADER_LIST_SIZE.
    assert!(settings.contains(&(3, 100)), "{settings:?}");
    assert!(settings.contains(&(6, 16 << 10)), "{settings:?}");
}

/// Unsolicited frames end their connection, and no other.
#[test]
fn floods_are_cut_off() {
    let function = Function::start(&["--insecure"]);
    let mut other = open(&function);
    for (name, flood) in [
        ("PING", &[0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8][..]),
        ("SETTINGS", NO_SETTINGS),
    ] {
        let mut stream = open(&function);
        let mut answered = 0;
        // The connection may be closed during this write.
        let _ = stream.write_all(&flood.repeat(2000));
        while let Some((kind, flags, _)) = frame(&mut stream) {
            answered += u32::from(flags & 1 == 1 && (kind == PING || kind == SETTINGS));
            assert!(answered < 1000, "{name}: answered on and on");
        }
    }
    other.write_all(&[0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    while frame(&mut other).expect("open").0 != PING {}
}

/// A stop waits for requests, not for idle connections.
#[test]
fn idle_connections_do_not_hold_up_a_stop() {
    let mut function = Function::start(&["--insecure"]);
    let silent = TcpStream::connect(&function.address).unwrap();
    let mut spoken = open(&function);
    frame(&mut spoken).expect("settings");
    assert_eq!(function.stop("TERM").code(), Some(0));
    let rest = function.rest();
    assert!(rest.iter().any(|line| line.contains("\"stopped\"")), "{rest:#?}");
    assert!(!rest.iter().any(|line| line.contains("time to drain was over")), "{rest:#?}");
    drop((silent, spoken));
}

/// Objects that would use more memory than there is are refused, and the next request is answered.
#[tokio::test]
async fn what_can_never_fit_is_refused() {
    let function = Function::start(&["--insecure", "--memory-limit", "128"]);
    let mut client = FunctionRunnerServiceClient::new(connect(&function).await);
    let mut dense = request("dense");
    let list: Value = (0..250_000).map(|_| json!({ "a": null })).collect();
    dense.context = Some([("list".to_owned(), list)].into_iter().collect());
    let status = client.run_function(request_to_wire(dense)).await.expect_err("too much");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    let next = client.run_function(request_to_wire(request("next"))).await.expect("answered");
    assert_eq!(next.into_inner().meta.unwrap_or_default().tag, "next");
}

#[tokio::test]
async fn a_long_message_is_not_logged_whole() {
    let function = Function::start(&["--insecure"]);
    let channel = connect(&function).await;
    let mut client = FunctionRunnerServiceClient::new(channel).max_decoding_message_size(16 << 20);
    let mut long = request("long");
    let name = "x".repeat(3 << 20);
    long.input = json!({ "apiVersion": format!("{name}/v1"), "kind": "K" }).as_object().cloned();
    let answer = client.run_function(request_to_wire(long)).await.expect("answered").into_inner();
    assert!(answer.results[0].message.len() > 3 << 20, "the answer itself is whole");
    let line = function.log("xxxx");
    assert!(line.len() < 5000, "{} bytes", line.len());
}
