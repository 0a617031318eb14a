//! HTTP/2 frames written by hand, because no client library would send them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{requests, tls};

/// What is done with one connection; it ends by itself.
pub(crate) type Flood = fn(SocketAddr);

const LENGTH: Duration = Duration::from_secs(5);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut bytes = length.into_iter().skip(1).collect::<Vec<_>>();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Encodes a RunFunction POST without compression tables: literal fields (RFC 7541, 6.2.2).
fn request_headers() -> Vec<u8> {
    let mut block = vec![0x83, 0x86]; // :method POST, :scheme http
    let mut literal = |name: &str, value: &str| {
        for part in [name, value] {
            if part == name {
                block.push(0);
            }
            block.push(u8::try_from(part.len()).unwrap_or_default());
            block.extend(part.as_bytes());
        }
    };
    literal(":path", "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction");
    literal(":authority", "localhost");
    literal("content-type", "application/grpc");
    literal("te", "trailers");
    block
}

/// Opens a connection whose answers are read and discarded.
fn open(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").ok()?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).ok()?;
    let mut reader = stream.try_clone().ok()?;
    std::thread::spawn(move || {
        let mut sink = [0; 4096];
        while reader.read(&mut sink).is_ok_and(|read| read > 0) {}
    });
    sleep(Duration::from_millis(50));
    stream.write_all(&frame(SETTINGS, 1, 0, &[])).ok()?;
    Some(stream)
}

/// Writes until time is up or the server has had enough, then waits for the remaining time.
fn send(address: SocketAddr, count: u32, make: impl Fn(u32) -> Vec<u8>) {
    let start = Instant::now();
    let Some(mut stream) = open(address) else { return };
    for number in 0..count {
        if start.elapsed() > LENGTH || stream.write_all(&make(number)).is_err() {
            return;
        }
    }
    sleep(LENGTH.saturating_sub(start.elapsed()));
}

pub(crate) fn half_sent(address: SocketAddr) {
    send(address, 60, |number| match number {
        0 => frame(HEADERS, 4, 1, &request_headers()),
        1 => frame(DATA, 0, 1, &[0, 0, 0x1c, 0xfd, 0xe0]),
        _ => frame(DATA, 0, 1, &[0; 1000]),
    });
}

pub(crate) fn streams(address: SocketAddr) {
    send(address, 10_000, |number| frame(HEADERS, 4, 2 * number + 1, &request_headers()));
}

pub(crate) fn resets(address: SocketAddr) {
    send(address, 10_000, |number| {
        let stream = 2 * number + 1;
        let mut both = frame(HEADERS, 4, stream, &request_headers());
        both.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        both
    });
}

pub(crate) fn pings(address: SocketAddr) {
    send(address, 200_000, |_| frame(PING, 0, 0, &[7; 8]));
}

pub(crate) fn settings(address: SocketAddr) {
    send(address, 200_000, |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]));
}

pub(crate) fn continuations(address: SocketAddr) {
    send(address, 50_000, |number| match number {
        0 => frame(HEADERS, 0, 1, &request_headers()),
        _ => frame(CONTINUATION, 0, 1, &[0, 1, b'x', 1, b'y']),
    });
}

pub(crate) fn headers(address: SocketAddr) {
    send(address, 70, |number| {
        let mut block = Vec::new();
        while block.len() < 15_000 {
            block.extend([0, 1, b'x', 100]);
            block.extend([b'y'; 100]);
        }
        match number {
            0 => frame(HEADERS, 0, 1, &request_headers()),
            69 => frame(CONTINUATION, 4, 1, &block),
            _ => frame(CONTINUATION, 0, 1, &block),
        }
    });
}

/// Sends a hundred requests without ever finishing them.
pub(crate) fn half_sent_streams(address: SocketAddr) {
    send(address, 100, |number| {
        let stream = 2 * number + 1;
        let mut bytes = frame(HEADERS, 4, stream, &request_headers());
        bytes.extend(frame(DATA, 0, stream, &[0, 0, 0, 0xea, 0x60]));
        bytes.extend(frame(DATA, 0, stream, &[0; 1000]));
        bytes
    });
}

/// Sends a hundred requests and does not accept the answers: the windows are empty.
pub(crate) fn unread(address: SocketAddr) {
    let Ok(small) = requests::small() else { return };
    let mut message = vec![0];
    message.extend(u32::try_from(small.len()).unwrap_or_default().to_be_bytes());
    message.extend(&small);
    send(address, 101, |number| {
        let stream = (2 * number).wrapping_sub(1);
        if number == 0 {
            return frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
        }
        let mut bytes = frame(HEADERS, 4, stream, &request_headers());
        bytes.extend(frame(DATA, 1, stream, &message));
        bytes
    });
}

/// Opens a hundred connections that send the same few bytes and wait.
fn open_and_wait(address: SocketAddr, bytes: &[u8]) {
    let open = |_| {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.write_all(bytes).ok()?;
        Some(stream)
    };
    let _open: Vec<_> = (0..100).map(open).collect();
    sleep(LENGTH);
}

pub(crate) fn silent(address: SocketAddr) {
    open_and_wait(address, &[]);
}

/// Sends the beginning of a TLS ClientHello.
pub(crate) fn half_open_handshakes(address: SocketAddr) {
    open_and_wait(address, &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
}

/// Runs one handshake after another, each abandoned halfway: the server has done its part by then.
pub(crate) fn handshakes(address: SocketAddr) {
    let start = Instant::now();
    let more = || start.elapsed() < LENGTH;
    (0..500).take_while(|_| more()).for_each(|_| tls::hello(address));
}
