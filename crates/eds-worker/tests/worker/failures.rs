//! Messages that fail.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer;

use crate::support::nats::Nats;
use crate::support::{
    ACK_WAIT, Worker, broker, consumer_info, dead, dead_letters, drained, eventually,
    make_consumer, make_stream, publish, services, wait,
};

#[tokio::test]
async fn a_failure_is_tried_again_later_and_later() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    dead_letters(&jetstream).await;
    let database = postgres.url();
    let worker = Worker::start(
        &nats.url(),
        &[("DATABASE_URL", &database), ("WORKER_RETRY_BACKOFF_SECONDS", "0.5")],
    );
    worker.ready().await;
    let begun = Instant::now();
    publish(&jetstream, 1, r#"{"fail": 2}"#).await;
    eventually("it succeeds", 10.0, async || (postgres.rows().await == 1).then_some(())).await;
    // 0.5 s after the first failure, 1 s after the second.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1500), "{took:?}");
    drained(&jetstream, 5.0).await;
    assert_eq!(postgres.number("SELECT max(deliveries) FROM agent_executions").await, 3);
    assert_eq!(worker.metric("agent_executor_messages_failed_total"), 2.0);
    assert_eq!(dead(&jetstream).await, 0);
}

#[tokio::test]
async fn after_the_last_delivery_it_is_a_dead_letter() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    dead_letters(&jetstream).await;
    let database = postgres.url();
    let worker = Worker::start(
        &nats.url(),
        &[
            ("DATABASE_URL", &database),
            ("WORKER_RETRY_BACKOFF_SECONDS", "0.1"),
            ("WORKER_MAX_DELIVERIES", "3"),
        ],
    );
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", "order-17");
    headers.insert("Tenant", "seven");
    let payload = r#"{"fail": true}"#;
    let sent = jetstream.publish_with_headers("work.item", headers, payload.into()).await;
    sent.expect("publish").await.expect("stored");
    eventually("it is dead", 15.0, async || (dead(&jetstream).await == 1).then_some(())).await;
    drained(&jetstream, 5.0).await;
    let stream = jetstream.get_stream("DEAD").await.expect("DEAD");
    let letter = stream.get_raw_message(1).await.expect("the letter");
    assert_eq!(letter.subject.as_str(), "dead-letter.WORK.workers");
    assert_eq!(letter.payload, payload);
    for (name, value) in [
        ("Dead-Letter-Reason", "the payload asks delivery 3 to fail"),
        ("Dead-Letter-Subject", "work.item"),
        ("Dead-Letter-Stream", "WORK"),
        ("Dead-Letter-Consumer", "workers"),
        ("Dead-Letter-Sequence", "1"),
        ("Dead-Letter-Deliveries", "3"),
        ("Dead-Letter-Message-Id", "order-17"),
        ("Tenant", "seven"),
    ] {
        assert_eq!(letter.headers.get(name).map(|value| value.as_str()), Some(value), "{name}");
    }
    assert_eq!(postgres.rows().await, 0);
    assert_eq!(worker.metric("agent_executor_messages_dead_lettered_total"), 1.0);
    assert_eq!(worker.metric("agent_executor_messages_failed_total"), 3.0);
}

#[tokio::test]
async fn while_no_stream_takes_dead_letters_they_stay_in_the_consumer() {
    let Some((nats, jetstream)) = broker(ACK_WAIT).await else { return };
    let worker = Worker::start(
        &nats.url(),
        &[("WORKER_MAX_DELIVERIES", "1"), ("WORKER_DEAD_LETTER_RETRY_SECONDS", "1")],
    );
    publish(&jetstream, 1, r#"{"fail": true}"#).await;
    eventually("it says so", 10.0, async || {
        worker.log().contains("no stream takes the dead-letter subject").then_some(())
    })
    .await;
    assert_eq!(consumer_info(&jetstream).await.num_ack_pending, 1);
    dead_letters(&jetstream).await;
    eventually("it is dead", 10.0, async || (dead(&jetstream).await == 1).then_some(())).await;
    drained(&jetstream, 5.0).await;
}

#[tokio::test]
async fn the_servers_own_limit_counts_and_loses_nothing() {
    let Some(nats) = Nats::start().await else { return };
    let jetstream = nats.context().await;
    make_stream(&jetstream).await;
    let config = consumer::pull::Config { max_deliver: 2, ..Default::default() };
    make_consumer(&jetstream, config).await;
    let worker = Worker::start(
        &nats.url(),
        &[("WORKER_RETRY_BACKOFF_SECONDS", "0.1"), ("WORKER_DEAD_LETTER_RETRY_SECONDS", "1")],
    );
    publish(&jetstream, 1, r#"{"fail": true}"#).await;
    // Nobody accepts the dead letter, and the server would not redeliver the message: it is held.
    eventually("it is held", 10.0, async || {
        worker.log().contains("holding a message after its last delivery").then_some(())
    })
    .await;
    dead_letters(&jetstream).await;
    eventually("it is dead", 10.0, async || (dead(&jetstream).await == 1).then_some(())).await;
    assert_eq!(worker.metric("agent_executor_messages_failed_total"), 2.0);
}

#[tokio::test]
async fn a_dead_letter_never_comes_back_as_a_message() {
    let Some((nats, jetstream)) = broker(ACK_WAIT).await else { return };
    let worker = Worker::start(
        &nats.url(),
        &[("WORKER_MAX_DELIVERIES", "1"), ("WORKER_DEAD_LETTER_SUBJECT", "work.dead")],
    );
    publish(&jetstream, 1, r#"{"fail": true}"#).await;
    eventually("it says so", 10.0, async || {
        worker.log().contains("belongs to stream WORK, which this consumer reads").then_some(())
    })
    .await;
    let stream = jetstream.get_stream("WORK").await.expect("WORK");
    assert_eq!(stream.cached_info().state.messages, 1);
}

#[tokio::test]
async fn a_handler_beyond_its_limit_fails() {
    let Some((nats, jetstream)) = broker(ACK_WAIT).await else { return };
    dead_letters(&jetstream).await;
    let _worker = Worker::start(
        &nats.url(),
        &[("WORKER_MAX_DELIVERIES", "1"), ("WORKER_HANDLER_TIMEOUT_SECONDS", "0.5")],
    );
    publish(&jetstream, 1, r#"{"work_ms": 60000}"#).await;
    eventually("it is dead", 10.0, async || (dead(&jetstream).await == 1).then_some(())).await;
    let stream = jetstream.get_stream("DEAD").await.expect("DEAD");
    let letter = stream.get_raw_message(1).await.expect("the letter");
    let reason = letter.headers.get("Dead-Letter-Reason").map(|value| value.as_str());
    assert_eq!(reason, Some("the handler took longer than 0.5 s"));
}

#[tokio::test]
async fn a_message_that_kills_its_worker_is_given_up_too() {
    let Some((nats, jetstream)) = broker(0.5).await else { return };
    dead_letters(&jetstream).await;
    publish(&jetstream, 1, r#"{"work_ms": 60000}"#).await;
    for delivery in 1..=2 {
        let mut worker = Worker::start(&nats.url(), &[("WORKER_MAX_DELIVERIES", "1")]);
        eventually("it has the message", 10.0, async || {
            (worker.metric("agent_executor_messages_in_flight") == 1.0).then_some(())
        })
        .await;
        assert_eq!(dead(&jetstream).await, 0, "given up at delivery {delivery}");
        worker.signal("KILL");
        worker.ended(5.0).await;
        wait(0.6).await;
    }
    let _worker = Worker::start(&nats.url(), &[("WORKER_MAX_DELIVERIES", "1")]);
    eventually("it is dead", 10.0, async || (dead(&jetstream).await == 1).then_some(())).await;
}
