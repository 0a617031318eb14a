//! The command line and wrong settings.

use std::process::Command;

#[track_caller]
fn check(arguments: &[&str], environment: &[(&str, &str)], code: i32, expect: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_agent-executor"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("agent-executor");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(expect), "{expect:?} is not in\n{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

const CLAIM: [(&str, &str); 3] =
    [("NATS_URL", "nats://127.0.0.1:1"), ("NATS_STREAM_NAME", "S"), ("NATS_CONSUMER_GROUP", "c")];

fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut environment = CLAIM.to_vec();
    environment.retain(|(known, _)| *known != name);
    environment.push((name, value));
    environment
}

#[test]
fn help_and_version() {
    check(&["--help"], &[], 0, "NATS_CONSUMER_GROUP                spec.nats.consumer");
    check(&["--version"], &[], 0, "agent-executor 0.");
    check(&["migrat"], &[], 2, "migrate");
}

#[test]
fn wrong_settings_are_named_with_their_fix() {
    check(
        &[],
        &[],
        2,
        "agent-executor: error: NATS_URL is not set: the claim's spec.nats.url gives it\n",
    );
    check(
        &[],
        &[],
        2,
        "agent-executor: error: NATS_STREAM_NAME is not set: the claim's spec.nats.stream gives \
            it\n",
    );
    check(
        &["migrate"],
        &[],
        2,
        "DATABASE_URL is not set: give it through the claim's spec.secretRefs",
    );
    check(
        &[],
        &with("DATABASE_URL", "mysql://u:s3cret@h/d"),
        2,
        "DATABASE_URL does not begin with postgres://",
    );
    check(
        &[],
        &with("DATABASE_URL", "postgres://u:s3cret@h:port/d"),
        2,
        "DATABASE_URL is not a PostgreSQL URL",
    );
    check(&[], &with("NATS_URL", "nats://u:s3cret@[h"), 2, "NATS_URL is no NATS address");
    check(&[], &with("NATS_CREDS", "s3cret"), 2, "NATS_CREDS is neither the path");
    check(
        &[],
        &with("NATS_CREDS", "-----BEGIN NATS USER JWT-----\ns3cret\n"),
        2,
        "NATS_CREDS is no credentials file: it holds one block: a JWT without its key; is that key",
    );
    check(
        &[],
        &with("NATS_CREDS", "/nowhere/user.creds"),
        2,
        "NATS_CREDS: /nowhere/user.creds cannot be read: entity not found; is that key of the \
         Secret in the claim's spec.nats.credentials the right one?",
    );
    check(
        &[],
        &with("NATS_URL", "nats://$(NATS_USER):s3cret@h"),
        2,
        "NATS_URL holds a $(VARIABLE) that Kubernetes did not replace",
    );
    check(&[], &with("WORKER_LOG_LEVEL", "loud"), 2, "none of error, warn, info, debug, trace");
    check(&[], &with("WORKER_HTTP_ADDRESS", "192.0.2.1:80"), 2, "cannot listen at 192.0.2.1:80");
}
