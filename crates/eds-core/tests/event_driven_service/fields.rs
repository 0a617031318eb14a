//! What the claim's optional fields become, as tables: a part of the composite's spec, and a part of
//! one manifest.

use std::collections::BTreeMap;

use kube_object::object::Fields;
use patch_and_transform::protocol::{Ready, RunFunctionRequest, RunFunctionResponse};
use serde_json::{Value, json};

use super::{object, request, resource, run, run_beside};
use eds_core::event_driven_service;

/// Runs the step, directly and with Objects; both must make the same manifests. Returns them by
/// name.
fn composed(spec: &Value) -> BTreeMap<String, Value> {
    let manifests = |objects: bool| -> BTreeMap<String, Value> {
        let response = run(request(spec, objects));
        assert_eq!(response.results, []);
        let resources = response.desired.resources.into_iter();
        resources
            .map(|(name, resource)| {
                let object = Value::Object(resource.resource.unwrap());
                let manifest = object.at("/spec/forProvider/manifest").cloned();
                (name, if objects { manifest.unwrap() } else { object })
            })
            .collect()
    };
    let direct = manifests(false);
    assert_eq!(direct, manifests(true));
    direct
}

/// Checks parts of one manifest; `Null` is a part that is not there.
#[track_caller]
fn check(spec: &Value, name: &str, expected: &[(&str, Value)]) {
    let all = composed(spec);
    let manifest = all.get(name).unwrap_or_else(|| panic!("no {name} in {all:#?}"));
    for (place, value) in expected {
        assert_eq!(manifest.at(place).cloned().unwrap_or_default(), *value, "{place}");
    }
}

const MAIN: &str = "/spec/template/spec/containers/0";

fn main(place: &str) -> String {
    format!("{MAIN}{place}")
}

#[test]
fn files_are_mounted_read_only_in_both_containers() {
    let spec = json!({
        "nats": {
            "credentials": {"secret": "n", "key": "a.creds"},
            "tls": {"secret": "t", "ca": "pem", "cert": "pem", "key": "pem"},
        },
        "files": [
            {"secret": "s", "mountPath": "/etc/s", "items": [{"key": "k", "path": "a/b"}]},
            {"configMap": "m", "mountPath": "/etc/m"},
        ],
        "initContainer": {"command": ["a"]},
    });
    let mounts = json!([
        {"name": "nats-credentials", "mountPath": "/run/eds/credentials", "readOnly": true},
        {"name": "nats-tls", "mountPath": "/run/eds/tls", "readOnly": true},
        {"name": "files-0", "mountPath": "/etc/s", "readOnly": true},
        {"name": "files-1", "mountPath": "/etc/m", "readOnly": true},
    ]);
    let volumes = json!([
        {"name": "nats-credentials", "secret": {
            "secretName": "n", "defaultMode": 0o440,
            "items": [{"key": "a.creds", "path": "a.creds"}],
        }},
        {"name": "nats-tls", "secret": {
            "secretName": "t", "defaultMode": 0o440, "items": [{"key": "pem", "path": "pem"}],
        }},
        {"name": "files-0", "secret": {
            "secretName": "s", "defaultMode": 0o440, "items": [{"key": "k", "path": "a/b"}],
        }},
        {"name": "files-1", "configMap": {"name": "m", "defaultMode": 0o440}},
    ]);
    check(
        &spec,
        "deployment",
        &[
            ("/spec/template/spec/volumes", volumes),
            (&main("/volumeMounts"), mounts.clone()),
            ("/spec/template/spec/initContainers/0/volumeMounts", mounts),
            ("/spec/template/spec/securityContext/fsGroup", json!(1000)),
        ],
    );
    check(&json!({}), "deployment", &[("/spec/template/spec/securityContext", Value::Null)]);
}

/// Step 1's probes, which the requests of the other tests lack.
fn probed(health: &Value) -> RunFunctionResponse {
    let mut request = request(&json!({"health": health}), false);
    let deployment = request.desired.resources.get_mut("deployment").unwrap();
    let mut manifest = Value::Object(deployment.resource.take().unwrap());
    let main = manifest.pointer_mut(MAIN).unwrap();
    main["ports"] = json!([{"name": "http", "containerPort": 8080}]);
    main["livenessProbe"] = json!({
        "httpGet": {"path": "/health", "port": 8080},
        "initialDelaySeconds": 10, "timeoutSeconds": 5,
    });
    main["readinessProbe"] = json!({"httpGet": {"path": "/ready", "port": 8080}});
    deployment.resource = Some(object(&manifest));
    run(request)
}

#[test]
fn how_a_worker_is_asked() {
    let main = |health: &Value| {
        let response = probed(health);
        assert_eq!(response.results, []);
        let deployment = response.desired.resources["deployment"].resource.clone().unwrap();
        Value::Object(deployment).at(MAIN).cloned().unwrap()
    };
    let http = json!({"path": "/health", "port": 8080});
    for (seconds, threshold) in [(1, 2), (5, 2), (6, 3), (90, 19), (3600, 721)] {
        let startup = json!({
            "httpGet": http, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": threshold,
        });
        assert_eq!(main(&json!({"startupSeconds": seconds}))["startupProbe"], startup, "{seconds}");
    }
    let without = main(&json!({"http": false}));
    for key in ["ports", "livenessProbe", "readinessProbe", "startupProbe"] {
        assert_eq!(without[key], Value::Null, "{key}");
    }
    let commands = main(&json!({
        "http": false, "startupSeconds": 9,
        "livenessCommand": ["live"], "readinessCommand": ["a", "b"],
    }));
    assert_eq!(
        commands["livenessProbe"],
        json!({
            "exec": {"command": ["live"]}, "initialDelaySeconds": 10, "timeoutSeconds": 5,
        })
    );
    assert_eq!(commands["readinessProbe"], json!({"exec": {"command": ["a", "b"]}}));
    assert_eq!(commands["startupProbe"]["exec"], json!({"command": ["live"]}));
    assert_eq!(main(&json!({}))["livenessProbe"]["httpGet"], http);
}

#[test]
fn a_worker_without_a_server_has_no_service() {
    assert!(composed(&json!({})).contains_key("service"));
    assert!(!composed(&json!({"health": {"http": false}})).contains_key("service"));
}

#[test]
fn times_pauses_and_monitoring_over_tls() {
    let cron =
        json!([{"timezone": "UTC", "start": "0 7 * * *", "end": "0 9 * * *", "replicas": 4}]);
    check(
        &json!({"scaling": {"cron": cron}}),
        "scaled-object",
        &[
            ("/spec/triggers/0/type", json!("nats-jetstream")),
            (
                "/spec/triggers/1",
                json!({"type": "cron", "metadata": {
                "timezone": "UTC", "start": "0 7 * * *", "end": "0 9 * * *",
                "desiredReplicas": "4",
                }}),
            ),
        ],
    );
    let annotations = "/metadata/annotations";
    for (scaling, expected) in [
        (json!({}), Value::Null),
        (json!({"paused": false}), Value::Null),
        (json!({"paused": true}), json!({"autoscaling.keda.sh/paused": "true"})),
        (
            json!({"paused": true, "pausedReplicas": 0}),
            json!({"autoscaling.keda.sh/paused-replicas": "0"}),
        ),
    ] {
        check(&json!({"scaling": scaling}), "scaled-object", &[(annotations, expected)]);
    }
    let mut tls = request(&json!({}), false);
    let trigger = "/spec/triggers/0/metadata";
    let scaled_object = tls.desired.resources.get_mut("scaled-object").unwrap();
    let mut manifest = Value::Object(scaled_object.resource.take().unwrap());
    manifest.pointer_mut(trigger).unwrap()["natsServerMonitoringEndpoint"] = json!("https://n:1");
    scaled_object.resource = Some(object(&manifest));
    let made = run(tls).desired.resources["scaled-object"].resource.clone().unwrap();
    let made = Value::Object(made).at(trigger).cloned().unwrap();
    assert_eq!(made["natsServerMonitoringEndpoint"], "n:1");
    assert_eq!(made["useHttps"], "true");
}

#[test]
fn the_claim_says_that_it_is_paused() {
    for (annotation, replicas, reason) in
        [("paused-replicas", 2, "Paused"), ("paused-replicas", 0, "Paused")]
    {
        let mut request = request(&json!({"scaling": {"paused": true}}), false);
        let desired = request.desired.resources.clone();
        for (name, desired) in desired {
            let mut live = Value::Object(desired.resource.unwrap());
            if name == "scaled-object" {
                let key = format!("autoscaling.keda.sh/{annotation}");
                live["metadata"]["annotations"] = json!({key: "0"});
            }
            if name == "deployment" {
                live["spec"]["replicas"] = json!(replicas);
                live["status"] = json!({
                    "replicas": replicas, "updatedReplicas": replicas,
                    "availableReplicas": replicas, "readyReplicas": replicas,
                });
            }
            request.observed.resources.insert(name, resource(&live));
        }
        let condition = run(request).conditions[0].clone();
        assert_eq!(condition.reason, reason);
        let message = condition.message.unwrap();
        let says = "scaling is paused by spec.scaling.paused: KEDA leaves it at ";
        assert!(message.starts_with(&format!("{says}{replicas}")), "{message}");
    }
}

#[test]
fn an_order_of_variables_alone_replaces_no_pod() {
    let key = json!({"secretKey": "k", "envName": "API_KEY"});
    let spec = json!({
        "secretRefs": [{"name": "s", "env": [key]}],
        "env": [{"name": "LEVEL", "value": "info"}, {"name": "TELLS", "value": "$(LEVEL)"}],
    });
    let place = main("/env");
    let env = |deployment: &Value| deployment.at(&place).unwrap().as_array().unwrap().clone();
    let wanted = env(&composed(&spec)["deployment"]);
    // As 0.1 had them, and in an order in which TELLS is something else.
    let (mut former, mut other) = (wanted.clone(), wanted.clone());
    former.rotate_left(1);
    other.reverse();
    for (running, kept) in [(&former, &former), (&other, &wanted), (&wanted, &wanted)] {
        for objects in [false, true] {
            let mut request = request(&spec, objects);
            let mut live = composed(&spec)["deployment"].clone();
            *live.pointer_mut(&place).unwrap() = json!(running);
            if objects {
                live = json!({
                    "apiVersion": "kubernetes.crossplane.io/v1alpha2",
                    "kind": "Object",
                    "status": {"atProvider": {"manifest": live}},
                });
            }
            request.observed.resources.insert("deployment".to_owned(), resource(&live));
            let mut desired = run(request).desired.resources;
            let deployment = Value::Object(desired.remove("deployment").unwrap().resource.unwrap());
            let deployment = deployment.at("/spec/forProvider/manifest").unwrap_or(&deployment);
            assert_eq!(env(deployment), *kept);
        }
    }
}

#[test]
fn pods_spread_evenly() {
    let constraint = |key: &str, when: &str| {
        json!({
            "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": when,
            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "worker"}},
        })
    };
    let zone = constraint("topology.kubernetes.io/zone", "ScheduleAnyway");
    let node = constraint("kubernetes.io/hostname", "DoNotSchedule");
    let place = "/spec/template/spec/topologySpreadConstraints";
    for (spread, expected) in [
        (json!({}), Value::Null),
        (json!({"zone": "soft"}), json!([zone])),
        (json!({"zone": "soft", "node": "hard"}), json!([zone, node])),
    ] {
        let spec = json!({"placement": {"topologySpread": spread}});
        check(&spec, "deployment", &[(place, expected)]);
    }
}

#[test]
fn a_disruption_budget_for_the_deployments_pods() {
    for (field, value) in [("minAvailable", json!(1)), ("maxUnavailable", json!("50%"))] {
        check(
            &json!({"disruptionBudget": {field: value}}),
            "disruption-budget",
            &[
                ("/apiVersion", json!("policy/v1")),
                ("/kind", json!("PodDisruptionBudget")),
                ("/metadata/name", json!("worker")),
                ("/metadata/namespace", json!("workers")),
                (
                    "/spec",
                    json!({
                        field: value,
                        "selector": {"matchLabels": {"app.kubernetes.io/name": "worker"}},
                        "unhealthyPodEvictionPolicy": "AlwaysAllow",
                    }),
                ),
            ],
        );
    }
    assert!(!composed(&json!({})).contains_key("disruption-budget"));
}

const CREATE: &str = r#"{"nats": {
    "stream": "ORDERS", "consumer": "worker", "domain": "hub", "create": {
    "account": "acc", "consumer": {"ackWait": "1m", "maxDeliver": 5, "reclaimPolicy": "Delete"},
    "stream": {"subjects": ["orders.>"], "maxAge": "72h"}
}}}"#;

fn create() -> Value {
    serde_json::from_str(CREATE).unwrap()
}

#[test]
fn nack_makes_the_consumer_and_the_stream() {
    check(
        &create(),
        "consumer",
        &[
            ("/apiVersion", json!("jetstream.nats.io/v1beta2")),
            ("/metadata/name", json!("worker")),
            (
                "/spec",
                json!({
                        "streamName": "ORDERS", "durableName": "worker",
                "ackPolicy": "explicit", "ackWait": "1m",
                        "maxDeliver": 5, "preventDelete": false, "preventUpdate": true,
                        "jsDomain": "hub", "account": "acc",
                    }),
            ),
        ],
    );
    // Whatever is asked for, nothing that NACK did not make is changed or deleted.
    check(
        &create(),
        "stream",
        &[(
            "/spec",
            json!({
                "name": "ORDERS", "subjects": ["orders.>"], "storage": "file", "maxAge": "72h",
                "preventDelete": true, "preventUpdate": true, "jsDomain": "hub", "account": "acc",
            }),
        )],
    );
    check(
        &json!({"nats": {"stream": "S", "consumer": "c", "create": {"consumer": {}}}}),
        "consumer",
        &[(
            "/spec",
            json!({
                "streamName": "S", "durableName": "c", "ackPolicy": "explicit", "ackWait": "30s",
                "preventDelete": true, "preventUpdate": true,
            }),
        )],
    );
}

/// Makes a request one of a real cluster.
fn in_cluster(mut request: RunFunctionRequest) -> RunFunctionRequest {
    let composite = request.observed.composite.as_mut().unwrap().resource.as_mut().unwrap();
    composite["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    composite["metadata"]["uid"] = json!("u");
    request
}

#[test]
fn without_nack_the_claim_says_so() {
    let request = in_cluster(request(&create(), false));
    let crd = |name: &str| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": name},
        })
    };
    let [consumers, streams] =
        ["consumers.jetstream.nats.io", "streams.jetstream.nats.io"].map(crd);
    // Neither composed nor looked for: Crossplane would stop at a kind that nobody knows.
    let known = |response: &RunFunctionResponse| -> Vec<&str> {
        ["consumer", "stream"]
            .into_iter()
            .filter(|name| {
                let asked = response.required_resources.contains_key(&format!("existing-{name}"));
                assert_eq!(response.desired.resources.contains_key(*name), asked, "{name}");
                asked
            })
            .collect()
    };
    assert_eq!(known(&event_driven_service::run(request.clone())), [""; 0], "not answered yet");
    for (cluster, there, missing) in [
        (vec![], vec![], "Consumer and Stream"),
        (vec![consumers.clone()], vec!["consumer"], "whose Stream"),
        (vec![consumers, streams], vec!["consumer", "stream"], ""),
    ] {
        let response = run_beside(&request, &cluster);
        assert_eq!(known(&response), there);
        let condition = &response.conditions[0];
        assert_eq!(condition.reason == "NackMissing", !missing.is_empty(), "{condition:?}");
        assert!(
            condition.message.as_deref().unwrap_or_default().contains(missing),
            "{condition:?}"
        );
        let composite = response.desired.composite.unwrap();
        assert_eq!(composite.ready == Ready::False, !missing.is_empty());
    }
}

#[test]
fn what_nack_could_not_make_is_said() {
    let live = |condition: Value| {
        let mut request = request(&create(), false);
        let consumer = json!({
            "apiVersion": "jetstream.nats.io/v1beta2", "kind": "Consumer",
            "metadata": {"name": "worker", "namespace": "workers"},
            "status": {"conditions": [condition]},
        });
        request.observed.resources.insert("consumer".to_owned(), resource(&consumer));
        run(request).desired.resources["consumer"].ready
    };
    assert_eq!(live(json!({"type": "Ready", "status": "True"})), Ready::True);
    assert_eq!(
        live(json!({"type": "Ready", "status": "False", "message": "no stream"})),
        Ready::False
    );
    assert_eq!(live(json!({"type": "Other", "status": "True"})), Ready::False);
}

#[test]
fn pods_restart_with_their_secrets() {
    let spec = json!({
        "secretRefs": [{"name": "a", "envFrom": true}],
        "files": [{"secret": "b", "mountPath": "/b"}, {"configMap": "m", "mountPath": "/m"}],
        "nats": {"credentials": {"secret": "c", "key": "k"}, "tls": {"secret": "a", "ca": "k"}},
        "rollout": {"restartOnSecretChange": true},
    });
    let mut request = in_cluster(request(&spec, false));
    // Everything exists already, and is the claim's.
    for (name, desired) in &request.desired.resources {
        let mut live = Value::Object(desired.resource.clone().unwrap());
        live["metadata"]["ownerReferences"] = json!([{"uid": "u", "controller": true}]);
        request.observed.resources.insert(name.clone(), resource(&live));
    }
    let secret = |name: &str, version: &str, value: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {
                "name": name, "namespace": "workers", "uid": name, "resourceVersion": version,
            },
            "data": {"password": value},
        })
    };
    let version = |response: &RunFunctionResponse| -> Option<String> {
        let deployment = response.desired.resources["deployment"].resource.clone().unwrap();
        // No value leaves the step, in whatever form.
        let said = format!("{response:?}");
        assert!(!said.contains("aHVudGVyMg") && !said.contains("hunter2"), "{said}");
        let place = "/spec/template/metadata/annotations/platform.bizmatters.io~1secrets-version";
        Value::Object(deployment).at(place).and_then(Value::as_str).map(str::to_owned)
    };
    let first = event_driven_service::run(request.clone());
    let asked = first.required_resources.keys().filter(|key| key.starts_with("secret-"));
    assert_eq!(asked.collect::<Vec<_>>(), ["secret-a", "secret-b", "secret-c"]);
    assert!(first.ttl.unwrap().as_secs() <= 20);
    assert_eq!(version(&first), None, "not answered yet");

    let c = || secret("c", "1", "");
    let beside = |cluster: &[Value]| version(&run_beside(&request, cluster));
    let before = beside(&[secret("a", "1", "aHVudGVyMg=="), secret("b", "1", ""), c()]).unwrap();
    assert_eq!(before.len(), 12);
    // While one is missing, what the Deployment has stays.
    assert_eq!(beside(&[secret("a", "2", ""), c()]), None);
    // The contents do not count, only what the API server calls a change.
    for (cluster, same) in [
        (vec![secret("a", "1", "b3RoZXI="), secret("b", "1", "b3RoZXI="), c()], true),
        (vec![secret("a", "2", "aHVudGVyMg=="), secret("b", "1", ""), c()], false),
        (vec![secret("a", "1", ""), secret("b", "1", ""), secret("c", "2", "")], false),
        (vec![secret("a", "1", ""), secret("b", "1", ""), c(), secret("m", "1", "")], true),
    ] {
        assert_eq!(beside(&cluster).unwrap() == before, same, "{cluster:?}");
    }
}
