//! Composites and inputs from which nothing is composed. The sentence names the field.

use serde_json::{Value, json};

use super::{fatal, manifests, object, request, resources};

#[track_caller]
fn check(spec: &Value, expect: &str) {
    for objects in [false, true] {
        assert_eq!(fatal(&request(spec, objects)), format!("invalid composite: {expect}"));
    }
}

#[test]
fn what_cannot_be_read() {
    check(&json!({"image": 7}), "spec.image: invalid type: integer `7`, expected a string");
    check(&json!({"image": ""}), "spec.image: \"\" is not an image reference");
    check(&json!({"image": "a:"}), "spec.image: \"a:\" is not an image reference");
    check(
        &json!({"claimRef": 1}),
        "spec.claimRef: invalid type: integer `1`, expected struct ClaimRef",
    );
    check(
        &json!({"secretRefs": [{"name": "a", "envFrom": true}, {"envFrom": true}]}),
        "spec.secretRefs[1]: missing field `name`",
    );
    check(
        &json!({"secretRefs": [{"name": "a", "env": [{"envName": "A"}]}]}),
        "spec.secretRefs[0].env[0]: missing field `secretKey`",
    );
    check(
        &json!({"env": [{"name": "A"}]}),
        "spec.env[0]: A has either a value or valueFrom; write value: \"\" for an empty one",
    );
    check(
        &json!({"scaling": {"minReplicas": "1"}}),
        "spec.scaling.minReplicas: invalid type: string \"1\", expected i64",
    );
}

/// In the namespaced form a composite has a name of its own, and its place is another.
#[test]
fn of_a_composite_without_a_claim() {
    let check = |change: &Value, expect: &str| {
        let mut request = request(&json!({}), false);
        let composite = request.observed.composite.as_mut().unwrap().resource.as_mut().unwrap();
        composite["spec"].as_object_mut().unwrap().remove("claimRef");
        for (key, value) in change.as_object().unwrap() {
            composite["metadata"][key] = value.clone();
        }
        assert_eq!(fatal(&request), format!("invalid composite: {expect}"));
    };
    check(
        &json!({}),
        "spec.claimRef: is missing, and the composite has no namespace; write an \
            EventDrivenService in the namespace of the service",
    );
    check(
        &json!({"name": "default", "namespace": "workers"}),
        "metadata.name: \"default\" is a name of Kubernetes' own: every namespace has a \
            ServiceAccount default, and the API server a Service kubernetes; give the claim \
            another name",
    );
    check(
        &json!({"name": "a.b", "namespace": "workers"}),
        "metadata.name: \"a.b\" must also be a Service's name: lower-case letters, digits and \
            dashes, starting with a letter",
    );
    check(
        &json!({"name": "worker", "namespace": "keda"}),
        "metadata.namespace: \"keda\" is one of the system's; claims live beside the applications \
            they serve",
    );
    let long = "n".repeat(57);
    check(
        &json!({"name": long, "namespace": "workers"}),
        &format!(
            "metadata.name: {long:?} has 57 characters, at most 56 are allowed, because KEDA uses \
                {long}-scaler as a label value, which ends at 63; give the claim a shorter name"
        ),
    );
}

#[test]
fn what_would_compose_a_wrong_manifest() {
    let unused = "spec.secretRefs[1]: secret \"b\" is used neither by env nor by envFrom; list \
        keys under env, or set envFrom to true";
    for b in [json!({"name": "b"}), json!({"name": "b", "env": [], "envFrom": false})] {
        check(&json!({"secretRefs": [{"name": "a", "envFrom": true}, b]}), unused);
    }
    check(
        &json!({"secretRefs": [{"name": "a", "envFrom": true}, {"name": "a", "envFrom": true}]}),
        "spec.secretRefs[1].name: secret \"a\" is named twice; merge its entries",
    );
    let key = |variable: &str| json!({"secretKey": "k", "envName": variable});
    check(
        &json!({"secretRefs": [{"name": "a", "env": [key("A"), key("A")]}]}),
        "spec.secretRefs[0].env[1].envName: A is set from two places; keep one of them",
    );
    check(
        &json!({"secretRefs": [{"name": "a", "env": [key("A")]},
            {"name": "b", "env": [key("A")]}]}),
        "spec.secretRefs[1].env[0].envName: A is set from two places; keep one of them",
    );
    check(
        &json!({
            "secretRefs": [{"name": "a", "env": [key("A")]}],
            "env": [{"name": "B", "value": ""}, {"name": "A", "value": ""}],
        }),
        "spec.env[1].name: A is set from two places; keep one of them",
    );
    for name in ["NATS_URL", "NATS_STREAM_NAME", "NATS_CONSUMER_GROUP"] {
        check(
            &json!({"env": [{"name": name, "value": "x"}]}),
            &format!("spec.env[0].name: {name} is set from spec.nats; choose another name"),
        );
    }
    for init in [json!({}), json!({"command": [], "args": []})] {
        check(
            &json!({"initContainer": init}),
            "spec.initContainer: without command and args it would run the worker itself and never \
             end; give a command, args, or both",
        );
    }
    for namespace in ["kube-system", "kube-public", "crossplane-system", "keda"] {
        check(
            &json!({"claimRef": {"namespace": namespace}}),
            &format!(
                "spec.claimRef.namespace: {namespace:?} is one of the system's; claims live beside \
                    the applications they serve"
            ),
        );
    }
    // Counts characters, not bytes.
    let name = "ä".repeat(57);
    check(
        &json!({"claimRef": {"name": name}}),
        &format!(
            "spec.claimRef.name: {name:?} has 57 characters, at most 56 are allowed, because KEDA \
             uses {name}-scaler as a label value, which ends at 63; give the claim a shorter name"
        ),
    );
}

#[test]
fn a_request_without_a_composite() {
    let mut none = request(&json!({}), true);
    none.observed.composite = None;
    assert_eq!(fatal(&none), "the request has no observed composite");
    let mut empty = request(&json!({}), true);
    empty.observed.composite = Some(super::resource(&json!({})));
    assert_eq!(fatal(&empty), "invalid composite: missing field `spec`");
}

#[test]
fn an_input_that_says_something_else() {
    let check = |input: &Value, expect: &str| {
        let mut request = request(&json!({}), false);
        request.input = Some(object(input));
        assert_eq!(fatal(&request), format!("invalid input of this step: {expect}"));
    };
    check(
        &json!({"object": {}}),
        "object: unknown field `object`, expected one of `apiVersion`, `kind`, `metadata`, \
            `objects`",
    );
    check(&json!({"objects": {}}), "objects: missing field `providerConfigRef`");
    check(
        &json!({"objects": {"providerConfigRef": {}}}),
        "objects.providerConfigRef: missing field `name`",
    );
    check(
        &json!({"objects": {"providerConfigRef": {"name": ""}}}),
        "objects.providerConfigRef.name: must not be empty",
    );
    check(
        &json!({"objects": {"providerConfigRef": {"name": "a", "kind": "ProviderConfig"}}}),
        "objects.providerConfigRef.kind: unknown field `kind`, expected `name`",
    );
}

#[test]
fn a_deployment_that_cannot_be_completed() {
    let check = |pointer: &str, value: Value, expect: &str| {
        let mut broken = manifests();
        *broken.get_mut("deployment").unwrap().pointer_mut(pointer).unwrap() = value;
        let mut request = request(&json!({"env": [{"name": "A", "value": "a"}]}), true);
        request.desired.resources = resources(&broken);
        let expect = format!("cannot complete composed resource \"deployment\": {expect}");
        assert_eq!(fatal(&request), expect);
    };
    let containers = "spec.template.spec.containers: has no container named main";
    check("/spec/template/spec/containers", json!([]), containers);
    check("/spec/template/spec/containers", json!({}), containers);
    check("/spec/template/spec/containers/0/name", json!("other"), containers);
    check("/spec/template/spec/containers/0/env", json!({}), "env: must be a list");
    check("/spec/template/spec", json!("x"), "spec.template.spec: must be an object");
    check("/metadata", json!([]), "metadata: must be an object");
}
