//! Against a real cluster with NATS, such as the testbed:
//!
//! ```text
//! testbed/exec cargo test -p eds-cluster -- --ignored
//! ```

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::Result;
use eds_cluster::{Cluster, Refused, Run, kinds, nats, run};
use eds_verify::Endpoint;
use futures_util::FutureExt;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);

fn options() -> run::Options {
    run::Options {
        prefix: "eds-cluster-test".to_owned(),
        keep: false,
        evidence: None,
        namespace: None,
        note: |_| {},
    }
}

fn config_map(namespace: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "it", "namespace": namespace},
        "data": {"key": value},
    })
}

/// Returns whether the namespace is gone, or going.
async fn is_going(cluster: &Cluster, namespace: &str) -> Result<bool> {
    let found = cluster.get(&kinds::NAMESPACE, None, namespace).await?;
    Ok(found.is_none_or(|n| n.pointer("/metadata/deletionTimestamp").is_some()))
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn objects_are_written_watched_and_deleted() -> Result<()> {
    let cluster = Cluster::connect(None).await?;
    let options = options();
    let namespace = Run::within(
        &cluster,
        &options,
        |_| false,
        async |run| {
            let namespace = Some(run.namespace.as_str());
            let value =
                |o: &Value| o.pointer("/data/key").and_then(Value::as_str).map(str::to_owned);
            assert_eq!(cluster.get(&kinds::CONFIG_MAP, namespace, "it").await?, None);
            // It is created and changed while somebody watches.
            let mut seen = Vec::new();
            let watch = cluster.watch_until(&kinds::CONFIG_MAP, namespace, "it", LIMIT, |object| {
                let found = object.and_then(value);
                seen.push(found.clone());
                (found.as_deref() == Some("two")).then_some(())
            });
            let write = async {
                for text in ["one", "two"] {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    cluster.apply(&config_map(&run.namespace, text)).await?;
                }
                Ok::<_, anyhow::Error>(())
            };
            let (watched, written) = tokio::join!(watch, write);
            written?;
            assert_eq!(watched?, Some(()));
            assert_eq!(seen, [None, Some("one".to_owned()), Some("two".to_owned())]);

            let listed = cluster.list(&kinds::CONFIG_MAP, namespace, "").await?;
            assert!(listed.iter().any(|o| value(o).as_deref() == Some("two")), "{listed:?}");
            assert!(cluster.delete(&kinds::CONFIG_MAP, namespace, "it").await?);
            assert!(!cluster.delete(&kinds::CONFIG_MAP, namespace, "it").await?);
            let short = Duration::from_millis(500);
            let never = |_: Option<&Value>| None::<()>;
            let none =
                cluster.watch_until(&kinds::CONFIG_MAP, namespace, "it", short, never).await?;
            assert_eq!(none, None);
            let refused = cluster.apply(&config_map("no-such-namespace", "x")).await.unwrap_err();
            assert_eq!(Refused::of(&refused).map(|r| r.code), Some(404), "{refused:#}");
            Ok(run.namespace.clone())
        },
    );
    let namespace = namespace.await?;
    assert!(is_going(&cluster, &namespace).await?);
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn a_panic_leaves_evidence_and_nothing_else() -> Result<()> {
    let cluster = Cluster::connect(None).await?;
    let options = options();
    let namespace = std::cell::RefCell::new(String::new());
    let run = Run::within(
        &cluster,
        &options,
        |()| false,
        async |run| {
            namespace.borrow_mut().clone_from(&run.namespace);
            let lost = config_map(&run.namespace, "undone");
            let cluster = run.cluster.clone();
            run.at_end("a config map", async move { cluster.apply(&lost).await.map(drop) });
            panic!("on purpose");
        },
    );
    let panic = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    let namespace = namespace.take();
    assert!(is_going(&cluster, &namespace).await?);
    let evidence = std::env::temp_dir().join(&namespace);
    assert!(evidence.join("serviceaccounts.json").is_file(), "{}", evidence.display());
    std::fs::remove_dir_all(evidence)?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster with NATS"]
async fn nats_is_asked_from_outside() -> Result<()> {
    let cluster = Cluster::connect(None).await?;
    let endpoint = "nats-headless.nats.svc.cluster.local:8222";
    let endpoint = Endpoint::parse(endpoint, "default", 8222).unwrap();
    let health = nats::monitoring(&cluster, &endpoint, "/healthz").await?;
    assert_eq!((health.code, &health.body["status"]), (200, &json!("ok")));
    let without_port = Endpoint { service: "nats".to_owned(), ..endpoint.clone() };
    let refused = nats::monitoring(&cluster, &without_port, "/healthz").await?;
    assert_eq!(refused.code, 503, "{refused:?}");

    let connection =
        nats::connect(&cluster, &"nats://nats.nats.svc:4222".into(), "default").await?;
    let stream = format!("EDS-CLUSTER-TEST-{}", std::process::id());
    let made = connection.ensure(&stream, "worker").await?;
    assert!(made.made_stream && made.made_consumer);
    let again = connection.ensure(&stream, "worker").await?;
    assert!(!again.made_stream && !again.made_consumer);
    let subject = nats::Connection::subject(&stream);
    connection.jetstream.publish(subject, "hello".into()).await?.await?;
    let info = connection.consumer(&stream, "worker").await?.unwrap();
    assert_eq!(info.num_pending, 1);
    assert!(connection.consumer(&stream, "another").await?.is_none());

    let asked = nats::monitoring(&cluster, &endpoint, &nats::jsz("$G")).await?;
    let text = asked.body.to_string();
    assert!(text.contains(&stream), "{text}");
    connection.undo(&made).await?;
    assert!(connection.consumer(&stream, "worker").await?.is_none());
    Ok(())
}
