//! Starts the real binary, reads its logs, stops it with signals.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use patch_and_transform::protocol::RunFunctionRequest;
use serde_json::{Value, json};

/// After this, nothing more is waited for. It only ends tests that would never end.
pub const HUNG: Duration = Duration::from_secs(120);

/// A running `eds-function`; killed when dropped.
pub struct Function {
    child: Child,
    pub address: String,
    /// Where to read its metrics, if it has any.
    pub metrics: Option<String>,
    logs: Receiver<String>,
}

impl Function {
    /// Starts with these flags at a free loopback port and waits until it serves; without metrics,
    /// unless the flags say where.
    pub fn start(flags: &[&str]) -> Self {
        if flags.contains(&"--metrics-address") {
            return Self::start_as_it_is(flags);
        }
        Self::start_as_it_is(&[flags, &["--metrics-address", ""]].concat())
    }

    /// Does the same, with no flag added but the address.
    pub fn start_as_it_is(flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_eds-function"))
            .args(["--address", "127.0.0.1:0"])
            .args(flags)
            .env_remove("TLS_SERVER_CERTS_DIR")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().expect("standard error is piped");
        let (sender, logs) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut function = Self { child, address: String::new(), metrics: None, logs };
        let address = |line: &str| {
            let line: Value = serde_json::from_str(line).expect("JSON log");
            line["address"].as_str().expect("address is logged").to_owned()
        };
        loop {
            let line = function.log("\"address\"");
            if line.contains("\"serving\"") {
                function.address = address(&line);
                return function;
            }
            if line.contains("\"serving metrics\"") {
                function.metrics = Some(address(&line));
            }
        }
    }

    /// Returns the next log line that contains `text`.
    pub fn log(&self, text: &str) -> String {
        let deadline = Instant::now() + HUNG;
        let mut seen = Vec::new();
        while let Some(rest) = deadline.checked_duration_since(Instant::now()) {
            match self.logs.recv_timeout(rest) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => break,
            }
        }
        panic!("no log line with {text}; seen: {seen:#?}");
    }

    /// Returns the remaining log lines of a function that has ended.
    pub fn rest(&self) -> Vec<String> {
        self.logs.iter().collect()
    }

    /// Sends a signal by name and waits for the end.
    pub fn stop(&mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        self.wait()
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &pid]).status().expect("kill runs");
        assert!(status.success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + HUNG;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("the process can be waited for") {
                return status;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the function did not stop");
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a test with objects too deep for a test thread's stack.
pub fn on_large_stack<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(test());
    };
    let thread = thread::Builder::new().stack_size(512 << 20).spawn(run).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Sends a request's head to where metrics are served, as it is; returns the whole answer.
pub fn ask_metrics(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("metrics are served");
    stream.set_read_timeout(Some(HUNG)).unwrap();
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// Returns all samples of the metrics, by name and labels.
pub fn scrape(address: &str) -> BTreeMap<String, f64> {
    let answer = ask_metrics(address, "GET /metrics HTTP/1.1\r\nHost: function:8080\r\n\r\n");
    let (head, text) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        (name.to_owned(), value.parse().expect("a number"))
    };
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// Returns the sum of a counter's samples, whatever their labels.
pub fn count(address: &str, counter: &str) -> f64 {
    let samples = scrape(address).into_iter();
    let of_it = samples.filter(|(name, _)| name.split('{').next() == Some(counter));
    of_it.map(|(_, count)| count).sum()
}

/// Waits until a counter has this sum.
pub async fn counted(address: &str, counter: &str, sum: f64) {
    while count(address, counter) < sum {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Returns a small request for patch-and-transform: one template, one patch.
pub fn request(tag: &str) -> RunFunctionRequest {
    let json = json!({
        "meta": { "tag": tag },
        "observed": { "composite": { "resource": {
            "apiVersion": "example.org/v1", "kind": "XR", "metadata": { "name": "x" },
            "spec": { "size": 3 },
        } } },
        "input": {
            "apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources",
            "resources": [{
                "name": "a",
                "base": { "apiVersion": "v1", "kind": "ConfigMap" },
                "patches": [{ "fromFieldPath": "spec.size", "toFieldPath": "data.size" }],
            }],
        },
    });
    patch_and_transform::protocol_json::request_from_json(&json).expect("the request is right")
}
