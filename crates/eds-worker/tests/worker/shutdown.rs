//! SIGTERM and SIGKILL in the middle of work.

use std::time::{Duration, Instant};

use crate::support::{
    ACK_WAIT, Worker, broker, consumer_info, drained, eventually, publish, services,
};

async fn in_flight(worker: &Worker, count: f64) {
    eventually("messages are in flight", 10.0, async || {
        (worker.metric("agent_executor_messages_in_flight") >= count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight_and_leaves_the_rest() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    publish(&jetstream, 20, r#"{"work_ms": 1500}"#).await;
    let database = postgres.url();
    let mut first = Worker::start(&nats.url(), &[("DATABASE_URL", &database)]);
    in_flight(&first, 5.0).await;
    first.signal("TERM");
    eventually("not ready at once", 0.5, async || {
        (first.get("/ready") == (503, "{\"cause\":\"shutting down\",\"ready\":false}\n".to_owned()))
            .then_some(())
    })
    .await;
    assert_eq!(first.get("/health").0, 200, "it is not stuck");
    assert_eq!(first.ended(6.0).await.code(), Some(0));
    // On a machine so busy that the database lets nobody in for two seconds, results are handed back.
    let log = first.log();
    let back = match log.contains("no connection within") {
        true => log.matches("handed back").count(),
        false => 0,
    };
    assert_eq!(postgres.rows().await, 5 - i64::try_from(back).expect("few"));
    assert_eq!(consumer_info(&jetstream).await.num_ack_pending, 0);
    let second = Worker::start(&nats.url(), &[("DATABASE_URL", &database)]);
    drained(&jetstream, 20.0).await;
    assert_eq!(postgres.rows().await, 20);
    assert_eq!(second.metric("agent_executor_messages_redelivered_total"), back as f64);
}

#[tokio::test]
async fn what_the_grace_does_not_suffice_for_goes_to_another_at_once() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    publish(&jetstream, 5, r#"{"work_ms": 4000}"#).await;
    let database = postgres.url();
    let more = [("DATABASE_URL", database.as_str()), ("WORKER_SHUTDOWN_GRACE_SECONDS", "1")];
    let mut first = Worker::start(&nats.url(), &more);
    in_flight(&first, 5.0).await;
    let second = Worker::start(&nats.url(), &more);
    second.ready().await;
    first.signal("TERM");
    let told = Instant::now();
    assert_eq!(first.ended(5.0).await.code(), Some(0));
    assert!(
        told.elapsed() >= Duration::from_secs(1),
        "the grace was not used: {:?}",
        told.elapsed()
    );
    in_flight(&second, 5.0).await;
    drained(&jetstream, 10.0).await;
    assert_eq!(postgres.rows().await, 5);
    assert_eq!(postgres.number("SELECT max(deliveries) FROM agent_executions").await, 2);
}

#[tokio::test]
async fn a_second_sigterm_hands_back_at_once() {
    let Some((nats, jetstream)) = broker(ACK_WAIT).await else { return };
    publish(&jetstream, 1, r#"{"work_ms": 60000}"#).await;
    let mut worker = Worker::start(&nats.url(), &[]);
    in_flight(&worker, 1.0).await;
    worker.signal("TERM");
    crate::support::wait(0.3).await;
    worker.signal("INT");
    assert_eq!(worker.ended(4.0).await.code(), Some(0));
    let info = consumer_info(&jetstream).await;
    assert_eq!(info.num_pending + info.num_ack_pending as u64, 1, "{info:?}");
}

/// Messages keep arriving, so each stop meets waiting pull requests and messages in transit.
#[tokio::test]
async fn stops_under_load_leave_no_message_in_limbo() {
    let Some((nats, jetstream, postgres)) = services(ACK_WAIT).await else { return };
    let database = postgres.url();
    let more = [("DATABASE_URL", database.as_str()), ("WORKER_CONCURRENCY", "20")];
    let publisher = tokio::spawn({
        let jetstream = jetstream.clone();
        async move {
            for _ in 0..600 {
                publish(&jetstream, 1, r#"{"work_ms": 10}"#).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    let mut current = Worker::start(&nats.url(), &more);
    for _ in 0..4 {
        current.ready().await;
        crate::support::wait(0.7).await;
        let next = Worker::start(&nats.url(), &more);
        next.ready().await;
        current.signal("TERM");
        assert_eq!(current.ended(6.0).await.code(), Some(0));
        current = next;
    }
    publisher.await.expect("published");
    drained(&jetstream, 15.0).await;
    assert_eq!(postgres.rows().await, 600);
}

#[tokio::test]
async fn sigkill_loses_nothing() {
    let Some((nats, jetstream, postgres)) = services(2.0).await else { return };
    publish(&jetstream, 40, r#"{"work_ms": 300}"#).await;
    let database = postgres.url();
    let more = [("DATABASE_URL", database.as_str())];
    for _ in 0..3 {
        let mut worker = Worker::start(&nats.url(), &more);
        in_flight(&worker, 5.0).await;
        crate::support::wait(0.25).await;
        worker.signal("KILL");
        worker.ended(5.0).await;
    }
    let worker = Worker::start(&nats.url(), &more);
    drained(&jetstream, 30.0).await;
    assert_eq!(postgres.rows().await, 40);
    assert!(worker.metric("agent_executor_messages_redelivered_total") >= 5.0);
}
