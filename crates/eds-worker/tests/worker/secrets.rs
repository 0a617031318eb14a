//! No line that the worker writes contains passwords, tokens or keys, at any level, whatever is
//! wrong.

use std::process::{Command, Stdio};

use crate::support::nats::Nats;
use crate::support::postgres::Postgres;
use crate::support::{Worker, drained, free_port, operator, publish};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// In every secret, in two halves that an unencoded character may separate.
const SECRET: [&str; 2] = ["s3cretA", "s3cretB"];

#[track_caller]
fn clean(text: &str, what: &str) {
    for secret in SECRET {
        assert!(!text.contains(secret), "{what}: {secret} is in\n{text}");
    }
}

/// Starts NATS with logins of each kind.
async fn nats() -> Option<Nats> {
    Nats::start_with(
        "authorization { users: [ {user: worker, password: \"s3cretAs3cretB\"} ] }\nno_auth_user: \
            worker",
    )
    .await
}

#[tokio::test]
async fn not_while_all_is_well() {
    for level in LEVELS {
        let (Some(nats), Some(postgres)) = (nats().await, Postgres::migrated().await) else {
            return;
        };
        let jetstream = nats.context().await;
        operator(&jetstream, 30.0).await;
        postgres.execute("ALTER ROLE worker PASSWORD 's3cretAs3cretB'").await;
        let database = postgres.url_of("worker:s3cretAs3cretB", "worker");
        let in_url = format!("nats://worker:s3cretAs3cretB@127.0.0.1:{}", nats.port());
        for (url, more) in [
            (nats.url(), &[("NATS_USER", "worker"), ("NATS_PASSWORD", "s3cretAs3cretB")][..]),
            (in_url, &[]),
        ] {
            let mut settings =
                vec![("DATABASE_URL", database.as_str()), ("WORKER_LOG_LEVEL", level)];
            settings.extend(more);
            publish(&jetstream, 3, "{}").await;
            let mut worker = Worker::start(&url, &settings);
            worker.ready().await;
            drained(&jetstream, 10.0).await;
            clean(&worker.get("/metrics").1, level);
            worker.signal("TERM");
            worker.ended(8.0).await;
            clean(&worker.log(), level);
        }
        let (_, text) = crate::support::results(&database);
        clean(&text, level);
        let migrated = postgres.migrate(&database).env("WORKER_LOG_LEVEL", level).output();
        clean(&String::from_utf8_lossy(&migrated.expect("migrate").stderr), level);
    }
}

/// Each setting, wrong in each way, with the others right: what the process writes until it ends,
/// or for two seconds.
#[tokio::test]
async fn not_while_a_setting_is_wrong() {
    let (Some(nats), Some(postgres)) = (nats().await, Postgres::migrated().await) else { return };
    let (nats_port, postgres_port) = (nats.port(), postgres.port());
    let mut wrong: Vec<(&str, String)> = Vec::new();
    for password in [
        "s3cretA/s3cretB",
        "s3cretA#s3cretB",
        "s3cretA?s3cretB",
        "s3cretA@s3cretB",
        "s3cretA%zzs3cretB",
        "s3cretA s3cretB",
        "s3cretA,s3cretB",
        "12,s3cretA/s3cretB",
        "12/s3cretA",
        "s3cretA:s3cretB",
        "[s3cretA",
    ] {
        for host in ["127.0.0.1", "localhost:port", "no.such.host.invalid", "[::1"] {
            wrong.push(("NATS_URL", format!("nats://worker:{password}@{host}:{nats_port}")));
            wrong.push(("NATS_URL", format!("worker:{password}@{host}")));
            wrong.push((
                "DATABASE_URL",
                format!("postgres://worker:{password}@{host}:{postgres_port}/worker"),
            ));
        }
    }
    for url in [
        "nats://s3cretA@127.0.0.1:1",
        "http://worker:s3cretA@h",
        "s3cretA://h",
        "nats://worker:s3cretA",
    ] {
        wrong.push(("NATS_URL", url.to_owned()));
    }
    for url in [
        "mysql://worker:s3cretA@h/d",
        "s3cretA",
        "postgres://worker@127.0.0.1/worker?password=s3cretA&sslmode=s3cretB",
        "postgres://worker@127.0.0.1/worker?password=s3cretA&s3cretB=s3cretA",
        "postgres://worker:s3cretA@127.0.0.1:99999/worker",
        "postgres:worker:s3cretA@127.0.0.1/worker",
        "postgres://127.0.0.1/worker?user=worker&password=s3cretA&port=s3cretB",
        "postgres://worker:s3cretA@127.0.0.1/worker?statement-cache-capacity=s3cretB",
    ] {
        wrong.push(("DATABASE_URL", url.to_owned()));
    }
    let creds = "-----BEGIN NATS USER JWT-----\ns3cretA\n------END NATS USER JWT------\n\
                 -----BEGIN USER NKEY SEED-----\ns3cretB\n------END USER NKEY SEED------\n";
    for text in ["s3cretA", creds, "-----BEGIN NATS USER JWT-----\ns3cretA"] {
        wrong.push(("NATS_CREDS", text.to_owned()));
    }
    // Whatever somebody takes for the path of a file.
    for name in ["NATS_CA", "NATS_CERT", "NATS_KEY"] {
        wrong.push((name, "-----BEGIN PRIVATE KEY-----\ns3cretA".to_owned()));
    }
    wrong.push(("NATS_TOKEN", "s3cretA".to_owned()));
    wrong.push(("NATS_PASSWORD", "s3cretA".to_owned()));
    let right = format!("nats://127.0.0.1:{nats_port}");
    let ways = wrong.iter().flat_map(|one| ["info", "trace"].map(|level| (one, level)));
    let mut running = Vec::new();
    for ((name, value), level) in ways {
        for argument in
            [None, Some("migrate")].into_iter().take(1 + usize::from(*name == "DATABASE_URL"))
        {
            let mut command = Command::new(env!("CARGO_BIN_EXE_agent-executor"));
            command
                .args(argument)
                .env_clear()
                .env("NATS_URL", &right)
                .env("NATS_STREAM_NAME", "S")
                .env("NATS_CONSUMER_GROUP", "c")
                .env("WORKER_MIGRATE_TIMEOUT_SECONDS", "1")
                .env("WORKER_HTTP_ADDRESS", format!("127.0.0.1:{}", free_port()))
                .env("WORKER_LOG_LEVEL", level)
                .env(name, value)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let child = command.spawn().expect("agent-executor");
            running.push((format!("{name}={value} {argument:?} {level}"), child));
            if running.len() == 16 {
                settle(&mut running).await;
            }
        }
    }
    settle(&mut running).await;
}

async fn settle(running: &mut Vec<(String, std::process::Child)>) {
    crate::support::wait(2.0).await;
    for (what, mut child) in running.drain(..) {
        let _ = child.kill();
        let output = child.wait_with_output().expect("output");
        clean(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat()), &what);
    }
}
