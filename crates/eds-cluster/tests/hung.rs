//! One server of several that hangs: the others are asked, and the one is named.

#![cfg(test)]

mod loopback;

use std::time::Duration;

use anyhow::Result;
use eds_cluster::gather;
use serde_json::{Value, json};

/// What a claim's `monitoringEndpoint` answers, if each of its pods is asked.
fn answer(path: &str, hung: &str) -> (u16, String) {
    let pod = |name: &str| json!({"metadata": {"name": name, "namespace": "nats"}});
    let trigger = json!({
        "natsServerMonitoringEndpoint": "nats-headless.nats.svc:8222", "account": "$G",
        "stream": "S", "consumer": "c", "lagThreshold": "5",
    });
    let stream = json!({"name": "S", "consumer_detail": [{"name": "c", "stream_name": "S"}]});
    let found = match path.split('?').next().unwrap_or_default() {
        p if p.contains("/services/") && p.contains("/proxy/") => return (0, String::new()),
        p if p.contains(hung) => return (0, String::new()),
        p if p.ends_with("/proxy/jsz") => json!({
            "meta_cluster": {"cluster_size": 2},
            "account_details": [{"name": "$G", "stream_detail": [stream]}],
        }),
        p if p.ends_with("/proxy/varz") => {
            json!({"server_name": "a", "cluster": {"urls": ["nats-0.h:6222", "nats-1.h:6222"]}})
        }
        p if p.ends_with("/pods") => json!({"items": [pod("nats-0"), pod("nats-1")]}),
        p if p.ends_with("/services/nats-headless") => json!({
            "metadata": {"name": "nats-headless", "namespace": "nats"},
            "spec": {"selector": {"app": "nats"}, "ports": [{"port": 8222}]},
        }),
        p if p.ends_with("/scaledobjects/worker-scaler") => json!({
            "metadata": {"name": "worker-scaler", "namespace": "shop"},
            "spec": {"triggers": [{"type": "nats-jetstream", "metadata": trigger}]},
        }),
        p if p.ends_with('s') => json!({"items": []}),
        _ => return (404, json!({"kind": "Status", "code": 404}).to_string()),
    };
    (200, found.to_string())
}

#[tokio::test]
async fn the_others_answer() -> Result<()> {
    for hung in ["/nats-0:8222/", "/nats-1:8222/", ":nats-0:8222/", ":nats-1:8222/"] {
        let cluster = loopback::cluster(move |path| answer(path, hung)).await?;
        let cluster = cluster.with_limit(Duration::from_millis(900));
        let claim = json!({"metadata": {"name": "worker", "namespace": "shop"}, "spec": {}});
        let facts = gather::scaler(&cluster, &claim).await?;
        let code = facts.asked.as_ref().and_then(|asked| asked.get("code")).cloned();
        assert_eq!(code, Some(Value::from(200)), "{hung}: {facts:?}");
        if hung.starts_with(':') {
            let silent: Vec<&Value> =
                facts.nodes.iter().filter(|node| node.get("silent").is_some()).collect();
            let hung = hung.trim_matches([':', '/']).split(':').next();
            assert_eq!(silent.len(), 1, "{hung:?}: {:?}", facts.nodes);
            assert_eq!(silent[0]["node"].as_str(), hung);
        }
    }
    Ok(())
}

#[tokio::test]
async fn all_of_them_hang() -> Result<()> {
    let cluster = loopback::cluster(|path| answer(path, "/proxy/")).await?;
    let cluster = cluster.with_limit(Duration::from_millis(300));
    let claim = json!({"metadata": {"name": "worker", "namespace": "shop"}, "spec": {}});
    let error = gather::scaler(&cluster, &claim).await.err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("no answer within 1 s"));
    Ok(())
}
