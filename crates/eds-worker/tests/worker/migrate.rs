//! `agent-executor migrate`.

use std::process::{Command, Output};

use crate::support::free_port;
use crate::support::postgres::Postgres;

fn check(command: &mut Command, code: i32, expect: &str) {
    let Output { status, stderr, stdout } = command.output().expect("agent-executor");
    let stderr = String::from_utf8(stderr).expect("text");
    assert_eq!((status.code(), stderr.as_str()), (Some(code), expect));
    assert!(stdout.is_empty());
}

#[tokio::test]
async fn several_at_once_and_again() {
    let Some(postgres) = Postgres::start().await else { return };
    let url = postgres.url();
    let started: Vec<_> =
        (0..8).map(|_| postgres.migrate(&url).spawn().expect("migrate")).collect();
    for mut one in started {
        assert!(one.wait().expect("wait").success());
    }
    check(&mut postgres.migrate(&url), 0, "");
    assert_eq!(postgres.number("SELECT count(*) FROM agent_executor_migrations").await, 2);
    assert_eq!(postgres.rows().await, 0);
}

#[tokio::test]
async fn the_server_says_no() {
    // Neither message says how often it tried: once, because waiting would not help.
    let Some(postgres) = Postgres::start().await else { return };
    check(
        &mut postgres.migrate(&postgres.url_of("worker:wrong", "worker")),
        1,
        "agent-executor: error: the database refuses the login: password authentication failed for \
            user \"worker\": correct DATABASE_URL in its Secret\n",
    );
    check(
        &mut postgres.migrate(&postgres.url_of("worker:right", "nowhere")),
        1,
        "agent-executor: error: the database does not exist: database \"nowhere\" does not exist: \
            create it, or correct DATABASE_URL\n",
    );
}

#[tokio::test]
async fn it_waits_for_the_database() {
    let Some(mut postgres) = Postgres::start().await else { return };
    postgres.stop();
    let mut waiting = postgres.migrate(&postgres.url()).spawn().expect("migrate");
    crate::support::wait(1.5).await;
    assert!(waiting.try_wait().expect("wait").is_none(), "it waits");
    postgres.start_again().await;
    assert!(waiting.wait().expect("wait").success());
    assert_eq!(postgres.rows().await, 0);
}

#[test]
fn it_does_not_wait_for_ever() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-executor"));
    command
        .arg("migrate")
        .env_clear()
        .env("WORKER_LOG_LEVEL", "error")
        .env("WORKER_MIGRATE_TIMEOUT_SECONDS", "0.5")
        .env("DATABASE_URL", format!("postgres://worker:right@127.0.0.1:{}/worker", free_port()));
    check(
        &mut command,
        1,
        "agent-executor: error: the database cannot be reached: Connection refused (os error 111) \
            (tried 2 times in 0.5 s)\n",
    );
}
