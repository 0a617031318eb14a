//! What `eds diff --live` and `eds adopt --from-cluster` ask, and what they make of the answers: an
//! API server on loopback.

#![cfg(test)]

mod loopback;

use std::sync::{Arc, Mutex};

use eds_cluster::{plan, workers};
use serde_json::{Value, json};

fn service(manager: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "orders", "namespace": "shop",
            "labels": {"crossplane.io/composite": "orders-x", "app": "o"},
            "ownerReferences": [{"kind": "XEventDrivenService", "name": "orders-x", "uid": "u",
                "controller": true}],
            "managedFields": [
                {"manager": "kubectl", "operation": "Update"},
                {"manager": manager, "operation": "Apply"},
            ],
        },
    })
}

fn manifest() -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "orders", "namespace": "shop"}})
}

const REFUSAL: &str = r#"{"kind": "Status", "status": "Failure", "code": 422, "reason": "Invalid",
    "message": "field is immutable"}"#;

/// Checks who is asked to apply, and what comes of it, if this is in the cluster.
#[track_caller]
fn check(live: Option<Value>, refuses: bool, asker: Option<&str>, is_claims: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let there = live.clone();
    let plan = runtime.block_on(async move {
        let cluster = loopback::cluster(move |path| {
            seen.lock().unwrap().push(path.to_owned());
            match (&there, path.contains("dryRun=All")) {
                (None, _) => (
                    404,
                    r#"{"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"}"#
                        .to_owned(),
                ),
                (Some(_), true) if refuses => (422, REFUSAL.to_owned()),
                (Some(_), true) => (200, json!({"asked": true}).to_string()),
                (Some(live), false) => (200, live.to_string()),
            }
        });
        plan::plan(&cluster.await.unwrap(), &manifest()).await.unwrap()
    });
    assert_eq!(plan.live, live);
    assert_eq!(plan.is_claims, is_claims);
    let after = if live.is_some() && !refuses { json!({"asked": true}) } else { manifest() };
    assert_eq!(plan.after, after);
    assert_eq!(plan.refused.as_deref(), refuses.then_some("field is immutable"));
    let asked = asked.lock().unwrap();
    let question = asked.iter().find(|path| path.contains('?'));
    assert_eq!(question.is_some(), asker.is_some(), "{asked:?}");
    if let (Some(question), Some(asker)) = (question, asker) {
        let asker = asker.replace('/', "%2F");
        for parameter in [&format!("fieldManager={asker}"), "force=true", "dryRun=All"] {
            assert!(question.contains(parameter), "{parameter} is not in {question}");
        }
    }
}

#[test]
fn a_dry_run_is_asked_in_the_name_of_who_applied_it() {
    check(None, false, None, false);
    check(
        Some(service("provider-kubernetes/orders-1")),
        false,
        Some("provider-kubernetes/orders-1"),
        true,
    );
    let composed = "apiextensions.crossplane.io/composed/abc";
    check(Some(service(composed)), false, Some(composed), true);
    check(Some(service("argocd-controller")), false, Some("eds-diff"), false);
    check(Some(service("argocd-controller")), true, Some("eds-diff"), false);
}

#[test]
fn workers_of_a_namespace() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let found = runtime.block_on(async move {
        let cluster = loopback::cluster(move |path| {
            seen.lock().unwrap().push(path.to_owned());
            let named = |name: &str, manager: &str| {
                json!({"metadata": {"name": name, "namespace": "shop",
                    "managedFields": [{"manager": manager, "operation": "Apply"}]}})
            };
            if path.contains("/configmaps") {
                let body = json!({"kind": "Status", "status": "Failure", "code": 403,
                    "reason": "Forbidden"});
                (403, body.to_string())
            } else if path.contains("/deployments") {
                let items = [
                    named("orders", "helm"),
                    named("mails", "helm"),
                    named("x", "provider-kubernetes/x-1"),
                ];
                (200, json!({"items": items}).to_string())
            } else if path.contains("/secrets") {
                let secret = json!({"metadata": {"name": "db", "namespace": "shop"}});
                (200, json!({"items": [secret]}).to_string())
            } else if path.contains("/consumers") {
                assert!(path.starts_with("/apis/jetstream.nats.io/v1beta2/"), "{path}");
                (200, json!({"items": [named("orders", "helm")]}).to_string())
            } else if path.contains("/scaledobjects") {
                // KEDA is not installed.
                let body = json!({"kind": "Status", "status": "Failure", "code": 404,
                    "reason": "NotFound"});
                (404, body.to_string())
            } else if path.contains("/services") {
                (200, json!({"items": [named("orders", "helm")]}).to_string())
            } else {
                (200, json!({"items": []}).to_string())
            }
        });
        workers::workers(&cluster.await.unwrap(), "shop", Some("orders")).await.unwrap()
    });
    let said: Vec<String> = found
        .objects
        .iter()
        .map(|o| {
            format!("{} {}", o["kind"].as_str().unwrap(), o["metadata"]["name"].as_str().unwrap())
        })
        .collect();
    assert_eq!(said, ["Deployment orders", "Service orders", "Consumer orders", "Secret db"]);
    assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
    assert!(found.notes[0].contains("configmaps may not be read"));
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|path| path.contains("/namespaces/shop/")), "{asked:?}");
}
