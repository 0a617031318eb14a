//! Anything that `eds doctor` reads may be refused, and no refusal ends the command: an API server
//! on loopback answers 403 to each kind in turn.

#![cfg(test)]

mod loopback;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use eds_cluster::{Cluster, claims, gather};
use eds_verify::{Status, claim, scaler};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// What the server refuses, and the paths it was asked for.
#[derive(Default)]
struct Server {
    refused: Option<String>,
    asked: BTreeSet<String>,
}

/// Returns the resource that a path names, as in `kubectl auth can-i`: `pods`, `services/proxy`.
fn resource(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut parts = path.trim_matches('/').split('/').peekable();
    let skip = if parts.peek() == Some(&"apis") { 3 } else { 2 };
    let mut parts: Vec<&str> = parts.skip(skip).collect();
    if parts.first() == Some(&"namespaces") && parts.len() > 2 {
        parts.drain(..2);
    }
    match parts.as_slice() {
        [kind, _, "proxy", ..] => format!("{kind}/proxy"),
        [kind, _, "log"] => format!("{kind}/log"),
        [kind, ..] => (*kind).to_owned(),
        [] => String::new(),
    }
}

fn claim_() -> Value {
    json!({
        "apiVersion": "platform.bizmatters.io/v1alpha1", "kind": "EventDrivenService",
        "metadata": {"name": "worker", "namespace": "shop"},
        "spec": {
            "image": "i:1", "resourceRef": {"name": "worker-abc"},
            "secretRefs": [{"name": "db", "envFrom": true}],
            "nats": {
                "url": "nats://nats.nats.svc:4222", "account": "$G", "stream": "S", "consumer": "c",
                "monitoringEndpoint": "nats-headless.nats.svc:8222",
            },
        },
    })
}

fn service(name: &str, port: u16) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "nats"},
        "spec": {"clusterIP": "None", "ports": [{"port": port}], "selector": {"app": "nats"}},
    })
}

/// Returns an answer and its status: a cluster with one claim in it, of which this is only a part.
fn answer(path: &str) -> (u16, Value) {
    let trigger = json!({
        "natsServerMonitoringEndpoint": "nats-headless.nats.svc:8222", "account": "$G",
        "stream": "S", "consumer": "c", "lagThreshold": "5",
    });
    let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    let deployment = |namespace: &str, name: &str| {
        json!({"metadata": {"name": name, "namespace": namespace, "uid": "u"},
            "spec": {"template": {"spec": {}}}})
    };
    let found = match path.split('?').next().unwrap_or_default() {
        "/version" => json!({"gitVersion": "v1.34.4"}),
        p if p.ends_with("/eventdrivenservices/worker") => claim_(),
        p if p.ends_with("/deployments") => {
            json!({"items": [
                deployment("keda", "keda-operator"), deployment("crossplane-system", "crossplane"),
            ]})
        }
        p if p.ends_with("/deployments/worker") => deployment("shop", "worker"),
        p if p.ends_with("/services/nats") => service("nats", 4222),
        p if p.ends_with("/services/nats-headless") => service("nats-headless", 8222),
        p if p.ends_with("/namespaces/nats/pods") => {
            json!({"items": [{"metadata": {"name": "nats-0", "namespace": "nats"},
                "status": ready}]})
        }
        p if p.ends_with("/namespaces/shop/pods") => json!({"items": [{
            "metadata": {"name": "worker-b-1", "namespace": "shop"},
            "status": {"containerStatuses": [{"name": "main",
                "state": {"terminated": {"exitCode": 1}}}]},
        }]}),
        p if p.ends_with("/scaledobjects/worker-scaler") => json!({
            "metadata": {"name": "worker-scaler", "namespace": "shop"},
            "spec": {"triggers": [{"type": "nats-jetstream", "metadata": trigger}]},
            "status": {"hpaName": "worker", "conditions": ready["conditions"]},
        }),
        p if p.contains("/proxy/jsz") => {
            json!({"meta_cluster": {"cluster_size": 1}, "account_details": []})
        }
        p if p.contains("/proxy/") => json!({"status": "ok", "version": "2.15.2"}),
        p if p.ends_with("/subjectaccessreviews") => json!({"status": {"allowed": true}}),
        p if p.split('/').count() > 3
            && resource(p).ends_with('s')
            && p.ends_with(&resource(p)) =>
        {
            json!({"items": []})
        }
        _ => {
            return (
                404,
                json!({"kind": "Status", "code": 404, "reason": "NotFound",
                    "message": "not there"}),
            );
        }
    };
    (200, found)
}

/// The same, unless it is refused.
fn judged(server: &Mutex<Server>, path: &str) -> (u16, String) {
    let what = resource(path);
    let mut server = server.lock().unwrap();
    server.asked.insert(what.clone());
    let (code, body) = if server.refused.as_deref() == Some(what.as_str()) {
        let message = format!("{what} is forbidden: User \"dev\" cannot read it");
        (
            403,
            json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
                "message": message}),
        )
    } else {
        answer(path)
    };
    (code, body.to_string())
}

#[tokio::test]
async fn each_kind_in_turn() -> Result<()> {
    let server = Arc::new(Mutex::new(Server::default()));
    let shared = Arc::clone(&server);
    let cluster = loopback::cluster(move |path| judged(&shared, path)).await?;
    let look = async || -> Result<claim::ClaimFacts> {
        let claim = claims::claim(&cluster, "shop", "worker").await?;
        let rendered = vec![json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "worker", "namespace": "shop"},
        })];
        let composition = json!({"spec": {"pipeline": [{"functionRef": {"name": "f"}}]}});
        let built_in =
            gather::BuiltIn { claims: composition.clone(), namespaced: composition.clone() };
        gather::claim(&cluster, claim, rendered, built_in).await
    };
    look().await?;
    let asked: Vec<String> = server.lock().unwrap().asked.iter().cloned().collect();
    // It was asked what a doctor asks.
    for needed in
        ["nodes", "objects", "secrets", "services/proxy", "pods/log", "scaledobjects", "events"]
    {
        assert!(asked.iter().any(|a| a == needed), "{needed} is not among {asked:?}");
    }
    let mut told = BTreeSet::new();
    // Without the claim itself there is nothing to look at, and anyone may ask for the version.
    for what in asked.iter().filter(|w| !["eventdrivenservices", ""].contains(&w.as_str())) {
        server.lock().unwrap().refused = Some(what.clone());
        let facts = match look().await {
            Ok(facts) => facts,
            Err(error) => panic!("{what} is refused, and that ends the command: {error:#}"),
        };
        let reports = [claim::report(&facts), scaler::report(&facts.keda)];
        let says = |check: &eds_verify::Check| {
            check.status == Status::Skipped && check.detail.contains(what.as_str())
        };
        if reports.iter().any(|report| report.checks().any(says)) {
            told.insert(what.as_str());
        }
    }
    // What only refines an answer, or stands in for another, is not missed.
    let finer = [
        "events",
        "hpas",
        "objects",
        "pods/log",
        "replicasets",
        "subjectaccessreviews",
        "horizontalpodautoscalers",
    ];
    let silent: Vec<&String> = asked
        .iter()
        .filter(|w| !told.contains(w.as_str()) && !finer.contains(&w.as_str()))
        .filter(|w| !["eventdrivenservices", ""].contains(&w.as_str()))
        .collect();
    assert!(silent.is_empty(), "refused, and nothing says so: {silent:?}");
    Ok(())
}

/// Whoever is behind NATS' name may answer endlessly; that is reported, not stored.
#[tokio::test]
async fn an_endless_answer() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let accept = tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await?.0);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).await?;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n").await?;
        while stream.write_all(&[b'['; 1 << 16]).await.is_ok() {}
        anyhow::Ok(())
    });
    let cluster = Cluster::at(&format!("http://{address}"))?;
    let answer = cluster.service_get("nats", "nats-headless", 8222, "/varz").await?;
    assert_eq!((answer.code, answer.body.as_str()), (200, "more than 32 MiB, which are not read"));
    // It hung up on it.
    accept.await?
}
