//! Malformed messages, by mistake or in bad faith: each is dead-lettered, and no other message
//! waits for it.

use async_nats::jetstream::Context;

use crate::support::nats::Nats;
use crate::support::postgres::Postgres;
use crate::support::{
    ACK_WAIT, Worker, dead, dead_letters, drained, eventually, letter, publish, publish_as,
    services,
};

/// More than WORKER_CONCURRENCY of each, so that every place would be taken if they occupied them.
const MANY: usize = 7;

/// Checks that twenty good messages behind the bad ones become rows, and that each bad one becomes
/// a dead letter on its first delivery, with `reason`.
async fn check(nats: &Nats, jetstream: &Context, postgres: &Postgres, reason: &str) {
    dead_letters(jetstream).await;
    publish(jetstream, 20, r#"{"task": "good"}"#).await;
    let login = postgres.url_of("app:right", "worker");
    let worker = Worker::start(&nats.url(), &[("DATABASE_URL", &login)]);
    drained(jetstream, 40.0).await;
    assert_eq!(postgres.rows().await, 20, "{reason}");
    assert_eq!(dead(jetstream).await, MANY as u64, "{reason}");
    let letter = letter(jetstream, 1).await;
    let header = |name| letter.headers.get(name).map_or("", |value| value.as_str());
    assert!(header("Dead-Letter-Reason").contains(reason), "{}", header("Dead-Letter-Reason"));
    assert_eq!(header("Dead-Letter-Deliveries"), "1", "{reason}");
    worker.ready().await;
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
        // Incompressible, so that the index entry is too large, as happened with a long id.
        (
            "CREATE INDEX ON agent_executions ((task || md5(task) || md5(task || '1') || md5(task \
                || '2')))",
            "index",
            format!(r#"{{"task": "{}"}}"#, noise(9000)),
            "index row",
            "SQLSTATE 54000",
        ),
        (
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.task = \
                ''poison'' THEN RAISE EXCEPTION ''not this one''; END IF; RETURN NEW; END'; CREATE \
                TRIGGER no BEFORE INSERT ON agent_executions FOR EACH ROW EXECUTE FUNCTION no()",
            "trigger",
            r#"{"task": "poison"}"#.to_owned(),
            "not this one",
            "SQLSTATE P0001",
        ),
    ];
    for (schema, id, payload, reason, name) in cases {
        let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
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

/// Returns text that no compression shortens.
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

/// Creates a user that owns nothing: row-level security and revoked permissions apply to it.
async fn app(postgres: &Postgres) {
    postgres
        .execute(
            "CREATE ROLE app LOGIN PASSWORD 'right'; GRANT SELECT, INSERT ON agent_executions TO \
                app",
        )
        .await;
}

#[tokio::test]
async fn a_row_that_a_policy_refuses_is_the_messages_fault() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    app(&postgres).await;
    postgres
        .execute(
            "ALTER TABLE agent_executions ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON \
                agent_executions TO app USING (true) WITH CHECK (task IS DISTINCT FROM 'poison')",
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

/// Publishes `headers` and `subject` as they are on the wire, as a publisher that checks nothing
/// would.
async fn publish_raw(nats: &Nats, messages: &[(Vec<u8>, Vec<u8>)]) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream =
        tokio::net::TcpStream::connect(("127.0.0.1", nats.port())).await.expect("nats");
    let mut text = b"CONNECT {\"verbose\":false,\"headers\":true}\r\n".to_vec();
    for (subject, headers) in messages {
        let payload = b"{}";
        text.extend(b"HPUB ");
        text.extend(subject);
        text.extend(format!(" {} {}\r\n", headers.len(), headers.len() + payload.len()).bytes());
        text.extend(headers);
        text.extend(payload);
        text.extend(b"\r\n");
    }
    text.extend(b"PING\r\n");
    stream.write_all(&text).await.expect("write");
    let mut answer = Vec::new();
    while !answer.windows(4).any(|four| four == b"PONG") {
        assert_ne!(stream.read_buf(&mut answer).await.expect("read"), 0, "nats closed");
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("-ERR"), "{answer}");
}

fn wrong_headers() -> Vec<(&'static [u8], &'static [u8], &'static str)> {
    vec![
        (b"work.item", b"NATS/1.0\r\nno colon\r\n\r\n", "no colon in the line"),
        (b"work.item", b"NATS/1.0\r\nA: \xff\xfe\r\n\r\n", "no UTF-8"),
        (b"work.item", b"NATS/1.0\r\nA B: c\r\n\r\n", "the name \"A B\""),
        // The library's task panics on this one.
        (b"work.item", b"NATS/1.0\r\nA: b\rc\r\n\r\n", "a carriage return in the value of \"A\""),
        (b"work.item", b"HTTP/1.1\r\nA: b\r\n\r\n", "does not begin with NATS/1.0"),
        (b"work.it\xc2\xa0em", b"NATS/1.0\r\nA: b\r\n\r\n", "its subject holds white space"),
        (b"work.\xff", b"NATS/1.0\r\nA: b\r\n\r\n", "its subject is not UTF-8"),
    ]
}

#[tokio::test]
async fn each_kind_of_message_that_the_library_cannot_read_is_a_dead_letter() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    dead_letters(&jetstream).await;
    let worker = Worker::start(&nats.url(), &[("DATABASE_URL", &postgres.url())]);
    worker.ready().await;
    for (number, (subject, headers, reason)) in (1..).zip(wrong_headers()) {
        publish_raw(&nats, &[(subject.to_vec(), headers.to_vec())]).await;
        publish(&jetstream, 1, "{}").await;
        eventually(reason, 40.0, async || {
            (dead(&jetstream).await == number && postgres.rows().await == number as i64)
                .then_some(())
        })
        .await;
        let letter = letter(&jetstream, number).await;
        let header = |name| letter.headers.get(name).map_or("", |value| value.as_str());
        assert!(header("Dead-Letter-Reason").contains(reason), "{}", header("Dead-Letter-Reason"));
        let block = data_encoding::BASE64.decode(header("Dead-Letter-Headers").as_bytes());
        assert_eq!(block.expect("base64"), headers);
        assert_eq!(letter.payload, "{}");
    }
    drained(&jetstream, 5.0).await;
    assert_eq!(worker.metric("agent_executor_nats_connects_total"), 1.0);
}

#[tokio::test]
async fn three_hundred_malformed_messages_hold_up_nobody() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    dead_letters(&jetstream).await;
    let wrong = wrong_headers();
    for number in 0..320 {
        publish(&jetstream, 1, "{}").await;
        if number < 300 {
            let (subject, headers, _) = wrong[number % wrong.len()];
            publish_raw(&nats, &[(subject.to_vec(), headers.to_vec())]).await;
        }
    }
    let begun = std::time::Instant::now();
    let _worker = Worker::start(&nats.url(), &[("DATABASE_URL", &postgres.url())]);
    eventually("all good ones are done", 60.0, async || {
        (postgres.rows().await == 320).then_some(())
    })
    .await;
    let good = begun.elapsed();
    drained(&jetstream, 30.0).await;
    assert_eq!(dead(&jetstream).await, 300);
    eprintln!(
        "320 good messages among 300 malformed ones took {good:?}, all {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_dead_letter_that_is_too_large_goes_in_parts() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    dead_letters(&jetstream).await;
    // As large as the server accepts, with headers as large as it accepts: ours do not fit next to
    // them.
    let payload = format!(r#"{{"task": "a\u0000{}"}}"#, "x".repeat(1024 * 1024 - 65_100));
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Tenant", "y".repeat(65_000));
    let sent = jetstream.publish_with_headers("work.item", headers, payload.clone().into()).await;
    sent.expect("publish").await.expect("stored");
    publish(&jetstream, 5, "{}").await;
    let _worker = Worker::start(&nats.url(), &[("DATABASE_URL", &postgres.url())]);
    drained(&jetstream, 20.0).await;
    assert_eq!(postgres.rows().await, 5);
    let (mut block, mut whole) = (String::new(), String::new());
    for number in 1..=dead(&jetstream).await {
        let letter = letter(&jetstream, number).await;
        let part = letter.headers.get("Dead-Letter-Part").expect("a part").as_str().to_owned();
        let text = std::str::from_utf8(&letter.payload).expect("text");
        if part.starts_with("headers") { block += text } else { whole += text }
    }
    assert_eq!(block, format!("NATS/1.0\r\nTenant: {}\r\n\r\n", "y".repeat(65_000)));
    assert!(whole == payload, "{} bytes of {}", whole.len(), payload.len());
}

#[tokio::test]
async fn dead_letters_that_nobody_takes_hold_up_nobody() {
    let Some(nats) = Nats::start().await else { return };
    let jetstream = nats.context().await;
    crate::support::make_stream(&jetstream).await;
    // The server delivers each only once, so they cannot be handed back.
    let config =
        async_nats::jetstream::consumer::pull::Config { max_deliver: 1, ..Default::default() };
    crate::support::make_consumer(&jetstream, config).await;
    publish(&jetstream, 100, r#"{"fail": true}"#).await;
    publish(&jetstream, 20, "{}").await;
    let worker = Worker::start(&nats.url(), &[]);
    eventually("the good ones are done", 30.0, async || (worker.lines().len() == 20).then_some(()))
        .await;
}
