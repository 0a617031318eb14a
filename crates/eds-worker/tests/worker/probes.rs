//! What `/health`, `/ready` and `/metrics` say.

use async_nats::jetstream::{Context, consumer};

use crate::support::nats::Nats;
use crate::support::postgres::Postgres;
use crate::support::{
    ACK_WAIT, CONSUMER, STREAM, Worker, broker, drained, eventually, make_consumer, make_stream,
    operator, publish, results,
};

async fn cause(worker: &Worker, expect: &str) {
    let body = || serde_json::from_str::<serde_json::Value>(&worker.get("/ready").1).ok();
    let wanted = serde_json::json!({"ready": false, "cause": expect});
    eventually(&format!("{expect}; last: {:?}", body()), 15.0, async || {
        (body() == Some(wanted.clone()) && worker.get("/ready").0 == 503).then_some(())
    })
    .await;
    assert_eq!(worker.get("/health").0, 200, "a restart would not help");
}

async fn delete(jetstream: &Context) {
    let stream = jetstream.get_stream(STREAM).await.expect("the stream");
    stream.delete_consumer(CONSUMER).await.expect("deleted");
}

#[tokio::test]
async fn it_waits_for_stream_and_consumer_and_finds_them_again() {
    let Some(nats) = Nats::start().await else { return };
    let jetstream = nats.context().await;
    let worker = Worker::start(&nats.url(), &[]);
    cause(
        &worker,
        "stream WORK is missing in this NATS account: create it, or correct the claim's \
            spec.nats.stream",
    )
    .await;
    make_stream(&jetstream).await;
    let missing = "consumer workers is missing on stream WORK: create a durable pull consumer of \
        that name, or correct the claim's spec.nats.consumer";
    cause(&worker, missing).await;
    assert!(worker.log().contains(missing), "{}", worker.log());
    make_consumer(&jetstream, consumer::pull::Config::default()).await;
    worker.ready().await;
    publish(&jetstream, 2, "{}").await;
    drained(&jetstream, 5.0).await;
    delete(&jetstream).await;
    cause(&worker, missing).await;
    publish(&jetstream, 2, "{}").await;
    make_consumer(&jetstream, consumer::pull::Config::default()).await;
    worker.ready().await;
    drained(&jetstream, 5.0).await;
    assert_eq!(worker.lines().len(), 4);
}

#[tokio::test]
async fn a_consumer_that_would_lose_messages_is_refused() {
    let Some(nats) = Nats::start().await else { return };
    let jetstream = nats.context().await;
    let config = async_nats::jetstream::stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["work.>".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(config).await.expect("the stream");
    make_consumer(
        &jetstream,
        consumer::pull::Config { ack_policy: consumer::AckPolicy::None, ..Default::default() },
    )
    .await;
    let worker = Worker::start(&nats.url(), &[]);
    cause(
        &worker,
        "consumer workers on stream WORK does not ask for explicit acknowledgements, so messages \
            would be lost: make it again",
    )
    .await;
    delete(&jetstream).await;
    let push = consumer::push::Config {
        durable_name: Some(CONSUMER.to_owned()),
        deliver_subject: "pushed".to_owned(),
        ..Default::default()
    };
    let stream = jetstream.get_stream(STREAM).await.expect("the stream");
    stream.create_consumer(push).await.expect("a push consumer");
    cause(
        &worker,
        "consumer workers on stream WORK is a push consumer, and this worker pulls: make it again",
    )
    .await;
}

#[tokio::test]
async fn the_database_must_be_migrated() {
    let Some((nats, jetstream)) = broker(ACK_WAIT).await else { return };
    let Some(postgres) = Postgres::start().await else { return };
    publish(&jetstream, 1, "{}").await;
    let worker = Worker::start(&nats.url(), &[("DATABASE_URL", &postgres.url())]);
    cause(
        &worker,
        "the database is not migrated: relation \"agent_executions\" does not exist: run \
            `agent-executor migrate`, the claim's spec.initContainer",
    )
    .await;
    let (code, said) = results(&postgres.url());
    assert_eq!(code, Some(1));
    assert!(said.contains("the database is not migrated"), "{said}");
    assert!(postgres.migrate(&postgres.url()).status().expect("migrate").success());
    worker.ready().await;
    drained(&jetstream, 5.0).await;
    assert_eq!(postgres.rows().await, 1);
}

#[tokio::test]
async fn users_and_their_permissions() {
    let config = r#"accounts {
        ORDERS { jetstream: enabled, users: [
            {user: operator, password: secret},
            {user: worker, password: secret, permissions: {
                publish: ["$JS.API.CONSUMER.INFO.WORK.workers",
                          "$JS.API.CONSUMER.MSG.NEXT.WORK.workers",
                          "$JS.ACK.WORK.workers.>", "dead-letter.>"],
                subscribe: "_INBOX.>"}}]}
        OTHER { jetstream: enabled, users: [{user: other, password: secret}] }
    }"#;
    let Some(nats) = Nats::start_with(config).await else { return };
    let options =
        async_nats::ConnectOptions::with_user_and_password("operator".into(), "secret".into());
    let client = options.connect(nats.url()).await.expect("a connection");
    let jetstream = async_nats::jetstream::new(client);
    operator(&jetstream, 30.0).await;
    publish(&jetstream, 3, "{}").await;
    let refused =
        Worker::start(&nats.url(), &[("NATS_USER", "worker"), ("NATS_PASSWORD", "wrong")]);
    eventually("the login is refused", 10.0, async || {
        refused.get("/ready").1.contains("authorization violation").then_some(())
    })
    .await;
    let other = Worker::start(&nats.url(), &[("NATS_USER", "other"), ("NATS_PASSWORD", "secret")]);
    cause(
        &other,
        "stream WORK is missing in this NATS account: create it, or correct the claim's \
            spec.nats.stream",
    )
    .await;
    let worker =
        Worker::start(&nats.url(), &[("NATS_USER", "worker"), ("NATS_PASSWORD", "secret")]);
    drained(&jetstream, 10.0).await;
    assert_eq!(worker.lines().len(), 3);
}

#[tokio::test]
async fn probes_and_metrics_answer() {
    let Some((nats, jetstream)) = broker(ACK_WAIT).await else { return };
    publish(&jetstream, 1, r#"{"work_ms": 30}"#).await;
    let worker = Worker::start(&nats.url(), &[("WORKER_SHUTDOWN_GRACE_SECONDS", "7.5")]);
    worker.ready().await;
    drained(&jetstream, 5.0).await;
    assert_eq!(worker.get("/ready"), (200, "{\"ready\":true}\n".to_owned()));
    assert_eq!(worker.get("/health"), (200, "{\"healthy\":true}\n".to_owned()));
    assert_eq!(worker.get("/").0, 404);
    for (name, expect) in [
        ("agent_executor_messages_processed_total", 1.0),
        ("agent_executor_messages_failed_total", 0.0),
        ("agent_executor_messages_in_flight", 0.0),
        ("agent_executor_ready", 1.0),
        ("agent_executor_shutdown_grace_seconds", 7.5),
        ("agent_executor_handler_duration_seconds_count", 1.0),
        ("agent_executor_handler_duration_seconds_bucket{le=\"0.025\"}", 0.0),
        ("agent_executor_handler_duration_seconds_bucket{le=\"+Inf\"}", 1.0),
    ] {
        assert_eq!(worker.metric(name), expect, "{name}");
    }
    assert!(worker.metric("agent_executor_last_success_timestamp_seconds") > 1.7e9);
}
