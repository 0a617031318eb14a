//! NATS and PostgreSQL go away and come back.

use crate::support::{ACK_WAIT, Worker, broker, drained, eventually, publish, services, wait};

#[tokio::test]
async fn nats_restarts() {
    let Some((mut nats, jetstream, postgres)) = services(3.0).await else { return };
    publish(&jetstream, 60, r#"{"work_ms": 200}"#).await;
    let worker = Worker::start(&nats.url(), &[("DATABASE_URL", &postgres.url())]);
    eventually("some are done", 10.0, async || (postgres.rows().await >= 10).then_some(())).await;
    nats.stop();
    eventually("not ready", 3.0, async || (worker.get("/ready").0 == 503).then_some(())).await;
    wait(1.5).await;
    let (status, body) = worker.get("/ready");
    assert!(status == 503 && body.contains("not connected to NATS"), "{status} {body}");
    assert_eq!(worker.get("/health").0, 200);
    nats.start_again().await;
    worker.ready().await;
    let jetstream = nats.context().await;
    drained(&jetstream, 20.0).await;
    assert_eq!(postgres.rows().await, 60);
    assert_eq!(worker.metric("agent_executor_nats_connects_total"), 2.0);
}

#[tokio::test]
async fn nats_forgets_what_it_delivered() {
    let Some((mut nats, jetstream, postgres)) = services(3.0).await else { return };
    let database = postgres.url();
    let worker = Worker::start(&nats.url(), &[("DATABASE_URL", &database)]);
    worker.ready().await;
    // As many as there are places, and more that wait for one.
    publish(&jetstream, 8, r#"{"work_ms": 1500}"#).await;
    eventually("in flight", 5.0, async || {
        (worker.metric("agent_executor_messages_in_flight") == 5.0).then_some(())
    })
    .await;
    nats.stop();
    nats.forget_deliveries();
    wait(0.5).await;
    nats.start_again().await;
    drained(&nats.context().await, 20.0).await;
    assert_eq!(postgres.rows().await, 8);
    // The first gives up, and what takes its place may be the delivery that the others are waiting
    // for.
    assert!(worker.metric("agent_executor_acks_unconfirmed_total") >= 1.0, "{}", worker.log());
    assert!(worker.log().contains("it does not know of this delivery"), "{}", worker.log());
}

#[tokio::test]
async fn postgresql_restarts_and_no_message_pays_for_it() {
    let Some((nats, jetstream, mut postgres)) = services(2.0).await else { return };
    publish(&jetstream, 60, r#"{"work_ms": 200}"#).await;
    let worker = Worker::start(
        &nats.url(),
        &[("DATABASE_URL", &postgres.url()), ("WORKER_MAX_DELIVERIES", "1")],
    );
    eventually("some are done", 10.0, async || (postgres.rows().await >= 10).then_some(())).await;
    postgres.stop();
    eventually("the cause is named", 8.0, async || {
        let (status, body) = worker.get("/ready");
        (status == 503 && body.contains("the database cannot be reached")).then_some(())
    })
    .await;
    // Longer than ack_wait: the messages in flight are kept all the while.
    wait(4.0).await;
    assert_eq!(worker.get("/health").0, 200);
    postgres.start_again().await;
    worker.ready().await;
    drained(&jetstream, 20.0).await;
    assert_eq!(postgres.rows().await, 60);
    assert_eq!(postgres.number("SELECT max(deliveries) FROM agent_executions").await, 1);
    assert_eq!(worker.metric("agent_executor_messages_failed_total"), 0.0);
    assert_eq!(worker.metric("agent_executor_messages_redelivered_total"), 0.0);
}

#[tokio::test]
async fn a_stop_while_the_database_is_away_hands_the_results_back() {
    let Some((nats, jetstream, mut postgres)) = services(ACK_WAIT).await else { return };
    let database = postgres.url();
    let mut worker = Worker::start(&nats.url(), &[("DATABASE_URL", &database)]);
    worker.ready().await;
    publish(&jetstream, 3, r#"{"work_ms": 500}"#).await;
    eventually("in flight", 5.0, async || {
        (worker.metric("agent_executor_messages_in_flight") == 3.0).then_some(())
    })
    .await;
    postgres.stop();
    wait(1.0).await;
    worker.signal("TERM");
    assert_eq!(worker.ended(8.0).await.code(), Some(0));
    postgres.start_again().await;
    let _next = Worker::start(&nats.url(), &[("DATABASE_URL", &database)]);
    drained(&jetstream, 10.0).await;
    assert_eq!(postgres.rows().await, 3);
}

#[tokio::test]
async fn it_waits_for_nats_from_the_start() {
    let Some((mut nats, jetstream)) = broker(ACK_WAIT).await else { return };
    publish(&jetstream, 1, "{}").await;
    nats.stop();
    let mut worker = Worker::start(&nats.url(), &[]);
    let refused =
        format!("not connected to NATS: 127.0.0.1:{}: IO error: Connection refused", nats.port());
    eventually("the cause is named", 5.0, async || {
        worker.get("/ready").1.contains(&refused).then_some(())
    })
    .await;
    assert!(worker.log().contains(&refused), "{}", worker.log());
    assert_eq!(worker.get("/health").0, 200);
    assert!(worker.running());
    nats.start_again().await;
    worker.ready().await;
    drained(&nats.context().await, 10.0).await;
}

#[tokio::test]
async fn a_worker_that_never_reached_nats_still_stops() {
    let mut worker = Worker::start("nats://127.0.0.1:1", &[]);
    eventually("it serves", 5.0, async || (worker.get("/health").0 == 200).then_some(())).await;
    worker.signal("TERM");
    assert_eq!(worker.ended(6.0).await.code(), Some(0));
}
