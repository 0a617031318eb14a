//! Messages that succeed.

use std::time::Duration;

use async_nats::jetstream::consumer;
use futures_util::StreamExt;

use crate::support::{
    ACK_WAIT, CONSUMER, STREAM, Worker, broker, drained, eventually, operator, publish, publish_as,
    results, services, wait,
};

#[tokio::test]
async fn each_message_becomes_a_row_and_is_acknowledged() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    publish(&jetstream, 20, r#"{"task": "summarise", "work_ms": 20}"#).await;
    publish(&jetstream, 1, "\u{0}not json").await;
    let worker = Worker::start(&nats.url(), &[("DATABASE_URL", &postgres.url())]);
    drained(&jetstream, 15.0).await;
    assert_eq!(postgres.rows().await, 21);
    let exact = "SELECT count(*) FROM agent_executions WHERE task = 'summarise' AND deliveries = 1 \
                 AND duration_ms >= 20 AND subject = 'work.item' AND published_at <= finished_at";
    assert_eq!(postgres.number(exact).await, 20);
    let other = "SELECT count(*) FROM agent_executions WHERE task IS NULL AND payload = \
        '\\x006e6f74206a736f6e'";
    assert_eq!(postgres.number(other).await, 1);
    let lines = worker.lines();
    assert_eq!(lines.len(), 21);
    let mut sequences: Vec<_> = lines.iter().map(|line| line["sequence"].as_u64()).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=21).map(Some).collect::<Vec<_>>());
    assert_eq!(worker.metric("agent_executor_messages_processed_total"), 21.0);
}

#[tokio::test]
async fn results_says_what_the_database_holds() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    let check = |expect: [i64; 6]| {
        let (code, text) = results(&postgres.url());
        assert_eq!(code, Some(0), "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).expect(&text);
        assert_eq!(line["event"], "results");
        let keys = ["rows", "messages", "sequences", "first_sequence", "last_sequence"];
        let found = keys.iter().chain(&["most_deliveries"]).map(|key| line[key].as_i64());
        assert_eq!(found.collect::<Option<Vec<_>>>(), Some(expect.to_vec()), "{text}");
    };
    check([0, 0, 0, 0, 0, 0]);
    publish(&jetstream, 4, "{}").await;
    publish(&jetstream, 1, r#"{"fail": 1}"#).await;
    let database = postgres.url();
    let quick = ("WORKER_RETRY_BACKOFF_SECONDS", "0.1");
    let _worker = Worker::start(&nats.url(), &[("DATABASE_URL", &database), quick]);
    drained(&jetstream, 15.0).await;
    check([5, 5, 5, 1, 5, 2]);
    // Another consumer's rows are not ours; a second row for one message shows up.
    for (change, expect) in [
        ("'other', stream, message_id, stream_sequence, published_at", [5, 5, 5, 1, 5, 2]),
        ("consumer, stream, message_id, stream_sequence, published_at + '1 s'", [6, 5, 5, 1, 5, 2]),
    ] {
        postgres.number(again(change)).await;
        check(expect);
    }
}

/// Writes the first message's row again, with another key.
fn again(key: &str) -> &'static str {
    let rest = "subject, deliveries, task, payload, worker, duration_ms";
    format!(
        "INSERT INTO agent_executions (consumer, stream, message_id, stream_sequence, \
            published_at, {rest}) SELECT {key}, {rest} FROM agent_executions WHERE consumer = \
            '{CONSUMER}' AND stream_sequence = 1 RETURNING 1::bigint"
    )
    .leak()
}

#[tokio::test]
async fn without_a_database_a_result_is_a_line() {
    let Some((nats, jetstream)) = broker(ACK_WAIT).await else { return };
    publish(&jetstream, 3, r#"{"task": "t"}"#).await;
    let worker = Worker::start(&nats.url(), &[]);
    drained(&jetstream, 15.0).await;
    let lines = worker.lines();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert_eq!(line["event"], "processed");
        assert_eq!((&line["delivery"], &line["task"]), (&1.into(), &"t".into()));
        assert!(line["id"].as_str().expect("id").starts_with("WORK/"), "{line}");
    }
}

#[tokio::test]
async fn each_stored_message_has_one_row_whatever_its_id() {
    let Some((nats, jetstream, postgres)) = services(1.0).await else { return };
    // The same message id, further apart than the stream remembers: two messages.
    for task in ["first", "second"] {
        publish_as(&jetstream, "order-17", &format!(r#"{{"task": "{task}"}}"#)).await;
        wait(0.4).await;
    }
    publish(&jetstream, 1, "{}").await;
    // Somebody else took all of them and never answered: each comes a second time.
    let stream = jetstream.get_stream(STREAM).await.expect("stream");
    let other: consumer::PullConsumer = stream.get_consumer(CONSUMER).await.expect("consumer");
    let mut taken = other.fetch().max_messages(3).messages().await.expect("fetch");
    while taken.next().await.is_some() {}
    let worker = Worker::start(&nats.url(), &[("DATABASE_URL", &postgres.url())]);
    drained(&jetstream, 15.0).await;
    assert_eq!(postgres.rows().await, 3);
    let later =
        "SELECT count(*) FROM agent_executions WHERE message_id = 'order-17' AND task = 'second'";
    assert_eq!(postgres.number(later).await, 1);
    assert_eq!(worker.metric("agent_executor_messages_duplicate_total"), 0.0);
    assert_eq!(worker.metric("agent_executor_messages_redelivered_total"), 3.0);
    // A recreated stream counts from 1 again.
    jetstream.delete_stream(STREAM).await.expect("deleted");
    operator(&jetstream, 1.0).await;
    publish_as(&jetstream, "order-17", r#"{"task": "third"}"#).await;
    eventually("it is done", 15.0, async || (postgres.rows().await == 4).then_some(())).await;
}

#[tokio::test]
async fn a_recorded_message_is_not_worked_on_again() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    publish_as(&jetstream, "slow", r#"{"work_ms": 60000}"#).await;
    // A worker stored the result, and died before it could report that.
    let stream = jetstream.get_stream(STREAM).await.expect("stream");
    let other: consumer::PullConsumer = stream.get_consumer(CONSUMER).await.expect("consumer");
    let mut taken = other.fetch().max_messages(1).messages().await.expect("fetch");
    let message = taken.next().await.expect("one").expect("message");
    let published = message.info().expect("info").published.unix_timestamp_nanos() / 1000;
    let row = format!(
        "INSERT INTO agent_executions (consumer, stream, message_id, stream_sequence, subject, \
            published_at, deliveries, payload, worker, duration_ms) VALUES ('{CONSUMER}', \
            '{STREAM}', 'slow', 1, 'work.item', to_timestamp({published} / 1e6), 1, '', 'other', \
            1)"
    );
    postgres.execute(row.leak()).await;
    message.ack_with(async_nats::jetstream::AckKind::Nak(None)).await.expect("nak");
    let worker = Worker::start(&nats.url(), &[("DATABASE_URL", &postgres.url())]);
    drained(&jetstream, 10.0).await;
    assert_eq!(postgres.rows().await, 1);
    assert_eq!(worker.metric("agent_executor_messages_duplicate_total"), 1.0);
}

#[tokio::test]
async fn work_longer_than_ack_wait_keeps_its_message() {
    let Some((nats, jetstream, postgres)) = services(1.0).await else { return };
    publish(&jetstream, 2, r#"{"work_ms": 4000}"#).await;
    let database = postgres.url();
    let more = [("DATABASE_URL", database.as_str())];
    let workers = [Worker::start(&nats.url(), &more), Worker::start(&nats.url(), &more)];
    eventually("both are done", 15.0, async || (postgres.rows().await == 2).then_some(())).await;
    drained(&jetstream, 5.0).await;
    assert_eq!(postgres.number("SELECT max(deliveries) FROM agent_executions").await, 1);
    for worker in &workers {
        assert_eq!(worker.metric("agent_executor_messages_redelivered_total"), 0.0);
    }
}

#[tokio::test]
async fn no_more_is_fetched_than_is_worked_on() {
    let Some((nats, jetstream)) = broker(ACK_WAIT).await else { return };
    publish(&jetstream, 12, r#"{"work_ms": 700}"#).await;
    let worker = Worker::start(&nats.url(), &[("WORKER_CONCURRENCY", "3")]);
    worker.ready().await;
    let mut most = 0;
    while worker.lines().len() < 12 {
        most = most.max(crate::support::consumer_info(&jetstream).await.num_ack_pending);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(most, 3);
}
