//! Messages that somebody made wrong, by mistake or in bad faith: each is dead-lettered, and no other
//! message waits for it.

use async_nats::jetstream::Context;

use crate::support::nats::Nats;
use crate::support::postgres::Postgres;
use crate::support::{
    Worker, dead, dead_letters, drained, eventually, letter, publish, publish_as, services,
};

/// More than WORKER_CONCURRENCY of each, so that every place is taken if they hold it.
const MANY: usize = 7;

/// Twenty good messages behind the bad ones are rows, and each bad one is a dead letter of its first
/// delivery, with `reason`.
async fn check(nats: &Nats, jetstream: &Context, postgres: &Postgres, reason: &str) {
    dead_letters(jetstream).await;
    publish(jetstream, 20, r#"{"task": "good"}"#).await;
    let login = postgres.url_of("app:right", "worker");
    let worker = Worker::start(&nats.url(), &[("DATABASE_URL", &login)]);
    drained(jetstream, 20.0).await;
    assert_eq!(postgres.rows().await, 20, "{reason}");
    assert_eq!(dead(jetstream).await, MANY as u64, "{reason}");
    let letter = letter(jetstream, 1).await;
    let header = |name| letter.headers.get(name).map_or("", |value| value.as_str());
    assert!(header("Dead-Letter-Reason").contains(reason), "{}", header("Dead-Letter-Reason"));
    assert_eq!(header("Dead-Letter-Deliveries"), "1", "{reason}");
    assert_eq!(worker.get("/ready").0, 200, "{reason}");
}

#[tokio::test]
async fn what_a_message_holds_never_stops_the_worker() {
    let nul = r#"{"task": "a\u0000b"}"#.to_owned();
    let cases: [(&str, &str, String, &str, &str); 7] = [
        (
            "",
            &"x".repeat(9 * 1024),
            "{}".to_owned(),
            "its Nats-Msg-Id has 9217 bytes",
            "longest id",
        ),
        ("", "nul \0 ", "{}".to_owned(), "control character '\\0'", "NUL in the id"),
        ("", "esc \u{1b} ", "{}".to_owned(), "control character '\\u{1b}'", "escape in the id"),
        ("", "nul-task", nul, "invalid byte sequence", "SQLSTATE 22021"),
        (
            "ALTER TABLE agent_executions ADD CHECK (task <> 'poison')",
            "check",
            r#"{"task": "poison"}"#.to_owned(),
            "violates check constraint",
            "SQLSTATE 23514",
        ),
        // Incompressible, so that the index entry is too large: what a long id did.
        (
            "CREATE INDEX ON agent_executions ((task || md5(task) || md5(task || '1') || md5(task || '2')))",
            "index",
            format!(r#"{{"task": "{}"}}"#, noise(9000)),
            "index row",
            "SQLSTATE 54000",
        ),
        (
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.task = ''poison'' THEN \
             RAISE EXCEPTION ''not this one''; END IF; RETURN NEW; END'; \
             CREATE TRIGGER no BEFORE INSERT ON agent_executions FOR EACH ROW EXECUTE FUNCTION no()",
            "trigger",
            r#"{"task": "poison"}"#.to_owned(),
            "not this one",
            "SQLSTATE P0001",
        ),
    ];
    for (schema, id, payload, reason, name) in cases {
        let Some((nats, jetstream, postgres)) = services(30.0).await else { return };
        eprintln!("{name}");
        app(&postgres).await;
        if !schema.is_empty() {
            postgres.execute(schema.to_owned().leak()).await;
        }
        for number in 0..MANY {
            publish_as(&jetstream, &format!("{id}{number}"), &payload).await;
        }
        check(&nats, &jetstream, &postgres, reason).await;
    }
}

/// Text that no compression makes short.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let mut letters = std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
                [(state >> 58) as usize],
        )
    });
    letters.by_ref().take(length).collect()
}

/// A user that owns nothing: row-level security and revoked rights concern it.
async fn app(postgres: &Postgres) {
    postgres
        .execute(
            "CREATE ROLE app LOGIN PASSWORD 'right'; GRANT SELECT, INSERT ON agent_executions TO app",
        )
        .await;
}

#[tokio::test]
async fn a_row_that_a_policy_refuses_is_the_messages_fault() {
    let Some((nats, jetstream, postgres)) = services(30.0).await else { return };
    app(&postgres).await;
    postgres
        .execute(
            "ALTER TABLE agent_executions ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY p ON agent_executions TO app USING (true) WITH CHECK (task IS DISTINCT FROM 'poison')",
        )
        .await;
    publish(&jetstream, MANY, r#"{"task": "poison"}"#).await;
    check(&nats, &jetstream, &postgres, "row-level security").await;
}

#[tokio::test]
async fn rights_that_are_missing_for_every_row_are_not_the_messages_fault() {
    let Some((nats, jetstream, postgres)) = services(2.0).await else { return };
    dead_letters(&jetstream).await;
    app(&postgres).await;
    postgres.execute("REVOKE INSERT ON agent_executions FROM app").await;
    publish(&jetstream, MANY, "{}").await;
    let login = postgres.url_of("app:right", "worker");
    let worker =
        Worker::start(&nats.url(), &[("DATABASE_URL", &login), ("WORKER_MAX_DELIVERIES", "1")]);
    eventually("it says so", 10.0, async || {
        worker.log().contains("permission denied for table agent_executions").then_some(())
    })
    .await;
    crate::support::wait(3.0).await;
    assert_eq!(dead(&jetstream).await, 0);
    postgres.execute("GRANT INSERT ON agent_executions TO app").await;
    drained(&jetstream, 20.0).await;
    assert_eq!(postgres.rows().await, MANY as i64);
    assert_eq!(postgres.number("SELECT max(deliveries) FROM agent_executions").await, 1);
    assert_eq!(dead(&jetstream).await, 0);
}
