//! Starts the real binary, reads its logs, stops it with signals.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use patch_and_transform::protocol::RunFunctionRequest;
use serde_json::{Value, json};

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
        let deadline = Instant::now() + Duration::from_secs(20);
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
        let deadline = Instant::now() + Duration::from_secs(30);
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
