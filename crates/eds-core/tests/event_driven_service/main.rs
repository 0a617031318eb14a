//! Our own step, through its only entry point: what is composed, what is refused, and what is
//! reported about a service in every possible state.

#![cfg(test)]

mod composed;
mod diagnosis;
mod fields;
mod ownership;
mod pods;
mod refused;

use std::collections::BTreeMap;

use eds_core::event_driven_service;
use patch_and_transform::protocol::{
    Match, Object, Resource, RunFunctionRequest, RunFunctionResponse, Severity, State,
};
use serde_json::{Value, json};

/// Merges one JSON value over another: objects are joined, anything else is replaced.
fn lay(under: &mut Value, over: &Value) {
    match (under, over) {
        (_, Value::Null) => {}
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

fn object(value: &Value) -> Object {
    value.as_object().unwrap().clone()
}

fn resource(value: &Value) -> Resource {
    Resource { resource: Some(object(value)), ..Resource::default() }
}

fn resources(values: &BTreeMap<&str, Value>) -> BTreeMap<String, Resource> {
    values.iter().map(|(name, value)| ((*name).to_owned(), resource(value))).collect()
}

/// Returns a composite of claim `worker` in namespace `workers`; `spec` is merged over its own.
fn composite(spec: &Value) -> Value {
    let mut composite = json!({
        "apiVersion": "platform.bizmatters.io/v1alpha1",
        "kind": "XEventDrivenService",
        "metadata": {"name": "worker-abcde"},
        "spec": {
            "claimRef": {"name": "worker", "namespace": "workers"},
            "image": "registry.example.com/worker:1",
        },
    });
    lay(&mut composite["spec"], spec);
    composite
}

/// Returns what step 1 hands over, as far as this step looks at it.
fn manifests() -> BTreeMap<&'static str, Value> {
    let labels = json!({"app.kubernetes.io/name": "worker"});
    BTreeMap::from([
        (
            "deployment",
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "worker", "namespace": "workers"},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {"spec": {"containers": [{
                        "name": "main",
                        "image": "registry.example.com/worker:1",
                        "env": [{"name": "NATS_URL", "value": "nats://nats"}],
                        "resources": {"requests": {"cpu": "500m"}},
                        "securityContext": {"allowPrivilegeEscalation": false},
                    }]}},
                },
            }),
        ),
        (
            "scaled-object",
            json!({
                "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
                "metadata": {"name": "worker-scaler", "namespace": "workers"},
                "spec": {"triggers": [{"type": "nats-jetstream", "metadata": {
                    "account": "$G", "stream": "ORDERS", "consumer": "worker",
                    "natsServerMonitoringEndpoint": "nats:8222",
                }}]},
            }),
        ),
        (
            "service",
            json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "worker", "namespace": "workers"},
            }),
        ),
    ])
}

fn input(objects: bool) -> Object {
    let mut input = json!({
        "apiVersion": "eventdrivenservice.fn.platform.bizmatters.io/v1alpha1",
        "kind": "Input",
    });
    if objects {
        input["objects"] = json!({"providerConfigRef": {"name": "kubernetes-provider"}});
    }
    object(&input)
}

/// Returns the first request for a composite: nothing exists yet.
fn request(spec: &Value, objects: bool) -> RunFunctionRequest {
    RunFunctionRequest {
        tag: "t".to_owned(),
        observed: State { composite: Some(resource(&composite(spec))), ..State::default() },
        desired: State { resources: resources(&manifests()), ..State::default() },
        input: Some(input(objects)),
        ..RunFunctionRequest::default()
    }
}

/// Runs the step as Crossplane does: again with what it asks for, until it asks for nothing else.
/// What it asks for by name comes from `cluster`; the pods come with the request.
fn run_beside(request: &RunFunctionRequest, cluster: &[Value]) -> RunFunctionResponse {
    let mut next = request.clone();
    for _ in 0..5 {
        let response = event_driven_service::run(next.clone());
        let fatal = response.results.iter().any(|r| r.severity == Severity::Fatal);
        let asked = response.required_resources.iter();
        let mut answers = request.required_resources.clone();
        answers.extend(asked.filter_map(|(key, selector)| {
            let Match::Name(name) = &selector.match_ else { return None };
            let there = cluster.iter().filter(|o| {
                o["apiVersion"] == selector.api_version
                    && o["kind"] == selector.kind
                    && o["metadata"]["name"] == *name
                    && o["metadata"]["namespace"].as_str() == selector.namespace.as_deref()
            });
            Some((key.clone(), there.map(resource).collect()))
        }));
        if fatal || answers == next.required_resources {
            return response;
        }
        next.required_resources = answers;
    }
    panic!("it does not come to rest");
}

/// Does the same with nothing else in the cluster.
fn run(request: RunFunctionRequest) -> RunFunctionResponse {
    run_beside(&request, &[])
}

/// Checks the one fatal result. What earlier steps desired comes back unchanged.
#[track_caller]
fn fatal(request: &RunFunctionRequest) -> String {
    let response = run(request.clone());
    assert_eq!(response.desired, request.desired);
    assert_eq!(response.conditions, []);
    match &response.results[..] {
        [result] if result.severity == Severity::Fatal => result.message.clone(),
        other => panic!("expected one fatal result, got {other:?}"),
    }
}
