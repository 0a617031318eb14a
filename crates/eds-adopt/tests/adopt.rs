//! Whatever the manifests say, the report has each of their leaves once, and the claim's text can
//! be parsed.

#![cfg(test)]

use std::sync::OnceLock;

use eds_adopt::{self as adopt, Kind, Manifest, Platform};
use eds_core::composition::Composition;
use kube_object::printable::is_printable;
use kube_schema::diagnostics::Severity;
use kube_schema::schema::ClaimApi;
use kube_schema::yaml;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const XRD: &str = include_str!("../../../platform/04-apis/definitions/xeventdrivenservices.yaml");
const COMPOSITION: &str =
    include_str!("../../../platform/04-apis/compositions/event-driven-service-composition.yaml");
const WORKERS: [&str; 8] = [
    include_str!("../../../platform/04-apis/tests/fixtures/adopt/keda-nats.yaml"),
    include_str!("../../../platform/04-apis/tests/fixtures/adopt/several-triggers.yaml"),
    include_str!("../../../platform/04-apis/tests/fixtures/adopt/config-map.yaml"),
    include_str!("../../../platform/04-apis/tests/fixtures/adopt/migrations.yaml"),
    include_str!("../../../platform/04-apis/tests/fixtures/adopt/everything.yaml"),
    include_str!("../../../platform/04-apis/tests/fixtures/adopt/nats-files.yaml"),
    include_str!("../../../platform/04-apis/tests/fixtures/adopt/mounted-files.yaml"),
    include_str!("../../../platform/04-apis/tests/fixtures/adopt/recreate.yaml"),
];

fn platform() -> Platform<'static> {
    static BUILT: OnceLock<(ClaimApi, Composition)> = OnceLock::new();
    let (api, composition) = BUILT.get_or_init(|| {
        let document = |text| yaml::parse(text).documents[0].to_json();
        let api = ClaimApi::from_xrd(&document(XRD)).unwrap();
        (api, Composition::parse(&document(COMPOSITION)).unwrap())
    });
    Platform { api, composition, composite_kind: "XEventDrivenService", namespace: "default" }
}

/// Collects every leaf of a value, as JSON pointers.
fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            entries
                .iter()
                .for_each(|(key, value)| leaves(value, format!("{at}/{}", escaped(key)), found));
        }
        Value::Array(items) if !items.is_empty() => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, value)| leaves(value, format!("{at}/{i}"), found));
        }
        _ => found.push(at),
    }
}

fn check(objects: &[Value]) {
    let manifests: Vec<Manifest> = objects
        .iter()
        .enumerate()
        .map(|(i, object)| Manifest::of(&i.to_string(), object).unwrap())
        .collect();
    let Ok(adoption) = adopt::adopt(&manifests, &platform()) else { return };
    let report = adopt::json(&adoption);
    let mut reported: Vec<(String, String)> = report["fields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|field| field["kind"] != "added")
        .map(|field| ["file", "pointer"].map(|key| field[key].as_str().unwrap().to_owned()).into())
        .collect();
    let mut given: Vec<(String, String)> = Vec::new();
    for (i, object) in objects.iter().enumerate() {
        let mut found = Vec::new();
        leaves(object, String::new(), &mut found);
        given.extend(found.into_iter().map(|pointer| (i.to_string(), pointer)));
    }
    reported.sort();
    given.sort();
    assert_eq!(reported, given);
    let claims = adoption.claims();
    assert_eq!(yaml::parse(&claims).problems, [], "{claims}");
    let text = adopt::text(&adoption, false);
    for printed in [&claims, &text] {
        assert!(printed.chars().all(|c| c == '\n' || is_printable(c)), "{printed:?}");
    }
    // What the platform refuses is left out, except for what no claim can be without.
    for worker in adoption.workers.iter().filter(|worker| worker.claim.is_some()) {
        let errors = worker.findings.findings.iter();
        let errors = errors.filter(|finding| finding.severity == Severity::Error);
        for error in errors {
            let needed = ["spec.image", "spec.nats.stream", "spec.nats.consumer"];
            let known =
                needed.contains(&error.path.as_str()) || error.path.starts_with("metadata.");
            assert!(known, "{}: {}\n{claims}", error.path, error.message);
        }
    }
    // What is kept is in the rendered objects, or is not for the claim to say.
    for field in adoption.fields.iter().filter(|field| field.kind == Kind::Replaced) {
        assert!(!field.why.is_empty(), "{field:?}");
    }
}

/// Names that mean something, and some that do not.
const KEYS: [&str; 44] = [
    "name",
    "value",
    "valueFrom",
    "env",
    "envFrom",
    "image",
    "resources",
    "limits",
    "cpu",
    "labels",
    "annotations",
    "ports",
    "containerPort",
    "metadata",
    "spec",
    "template",
    "selector",
    "replicas",
    "triggers",
    "command",
    "type",
    "items",
    "livenessProbe",
    "httpGet",
    "exec",
    "port",
    "path",
    "initialDelaySeconds",
    "volumes",
    "volumeMounts",
    "mountPath",
    "subPath",
    "secret",
    "configMap",
    "secretName",
    "nodeSelector",
    "tolerations",
    "strategy",
    "behavior",
    "fieldRef",
    "fieldPath",
    "lifecycle",
    "a/b~c",
    "\u{202e}x\n",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..70_000_i64).prop_map(Value::from),
        prop_oneof![
            Just("nats://u:p@h:4222"),
            Just("main"),
            Just("500m"),
            Just("/etc/nats"),
            Just("../x"),
            Just("$(X)"),
            Just("\u{1b}[31m\n::error::"),
            Just("yes"),
            Just("a, b # c"),
            Just("")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(&KEYS[..]), inner), 0..3).prop_map(
                |entries| {
                    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
                    Value::Object(entries.collect::<Map<_, _>>())
                }
            ),
        ]
    })
}

/// Puts a value somewhere inside another.
fn put(root: &mut Value, steps: &[usize], key: &str, value: Value) {
    let mut at = root;
    for step in steps {
        let next = match &*at {
            Value::Object(entries) if !entries.is_empty() => {
                entries.keys().nth(step % entries.len()).map(|key| json!(key))
            }
            Value::Array(items) if !items.is_empty() => Some(json!(step % items.len())),
            _ => None,
        };
        at = match next {
            Some(Value::String(key)) => &mut at[key],
            Some(index) => &mut at[usize::try_from(index.as_u64().unwrap()).unwrap()],
            None => break,
        };
    }
    match at {
        Value::Object(entries) => drop(entries.insert(key.to_owned(), value)),
        Value::Array(items) => items.push(value),
        other => *other = value,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_leaf_is_reported_once(
        worker in 0..WORKERS.len(),
        changes in prop::collection::vec(
            (0..8_usize, prop::collection::vec(0..9_usize, 0..9), prop::sample::select(&KEYS[..]),
                value()),
            0..5,
        ),
    ) {
        let mut objects: Vec<Value> =
            yaml::parse(WORKERS[worker]).documents.iter().map(yaml::Node::to_json).collect();
        for (object, steps, key, value) in changes {
            let object = object % objects.len();
            put(&mut objects[object], &steps, key, value);
        }
        // A list around objects, or something other than an object, is a different matter.
        objects.retain(|object| object.is_object());
        check(&objects);
    }
}

/// What the fields say about one change to a worker, which a claim either can express or cannot.
#[test]
fn one_change_at_a_time() {
    let base: Vec<Value> =
        yaml::parse(WORKERS[0]).documents.iter().map(yaml::Node::to_json).collect();
    let check = |at: &str, value: Value, expected: Kind| {
        let mut objects = base.clone();
        let deployment = objects.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
        let (parent, key) = at.rsplit_once('/').unwrap();
        let parent = deployment.pointer_mut(parent).unwrap();
        match parent {
            Value::Array(items) => items.push(value),
            parent => parent[key] = value,
        }
        let manifests: Vec<Manifest> =
            objects.iter().map(|object| Manifest::of("f", object).unwrap()).collect();
        let adoption = adopt::adopt(&manifests, &platform()).unwrap();
        let path = at.trim_start_matches('/').replace("/0", "[0]").replace('/', ".");
        let field = adoption.fields.iter().find(|field| field.path.to_string().starts_with(&path));
        let field = field.unwrap_or_else(|| panic!("{path}"));
        assert_eq!(field.kind, expected, "{field:?}");
    };
    const MAIN: &str = "/spec/template/spec/containers/0";
    check("/spec/strategy", json!({"type": "Recreate"}), Kind::Replaced);
    check("/spec/strategy", json!({"rollingUpdate": {"maxSurge": 2}}), Kind::Kept);
    check("/spec/strategy", json!({"rollingUpdate": {"maxSurge": "200%"}}), Kind::Lost);
    check("/spec/strategy", json!({"type": "RollingUpdate"}), Kind::Kept);
    check("/spec/replicas", json!(3), Kind::Replaced);
    check("/spec/template/spec/restartPolicy", json!("Always"), Kind::Kept);
    check("/spec/template/spec/priorityClassName", json!("high"), Kind::Kept);
    let system = json!("system-node-critical");
    check("/spec/template/spec/priorityClassName", system, Kind::Lost);
    check("/spec/template/spec/nodeSelector", json!({"pool": "a"}), Kind::Kept);
    check("/spec/template/spec/nodeSelector", json!({"kubernetes.io/arch": "s390x"}), Kind::Kept);
    check("/spec/template/spec/tolerations", json!([{"key": "a"}]), Kind::Kept);
    let control = json!([{"key": "node-role.kubernetes.io/control-plane"}]);
    check("/spec/template/spec/tolerations", control, Kind::Lost);
    check("/spec/template/spec/hostAliases", json!([{"ip": "10.0.0.1"}]), Kind::Lost);
    check("/spec/template/spec/terminationGracePeriodSeconds", json!(86_400), Kind::Kept);
    check("/spec/template/metadata/annotations", json!({"a.io/b": "c"}), Kind::Kept);
    check("/spec/template/metadata/annotations", json!({"keda.sh/b": "c"}), Kind::Lost);
    check("/spec/template/spec/volumes", json!([{"name": "x", "emptyDir": {}}]), Kind::Lost);
    // Nothing mounts it.
    let secret = json!([{"name": "x", "secret": {"secretName": "s"}}]);
    check("/spec/template/spec/volumes", secret, Kind::Lost);
    check("/spec/template/spec/securityContext", json!({"runAsUser": 5}), Kind::Replaced);
    check("/spec/template/spec/securityContext", json!({"runAsNonRoot": true}), Kind::Kept);
    check(&format!("{MAIN}/args"), json!(["x"]), Kind::Kept);
    check(&format!("{MAIN}/command"), json!(["x"]), Kind::Kept);
    check(&format!("{MAIN}/args"), json!(["--token=hunter2"]), Kind::Replaced);
    check(&format!("{MAIN}/resources"), json!({"requests": {"cpu": "0.25"}}), Kind::Kept);
    check(&format!("{MAIN}/resources"), json!({"requests": {"cpu": "0.2"}}), Kind::Kept);
    check(&format!("{MAIN}/resources"), json!({"requests": {"cpu": "0"}}), Kind::Replaced);
    check(&format!("{MAIN}/resources"), json!({"limits": {"cpu": "64"}}), Kind::Kept);
    check(&format!("{MAIN}/terminationMessagePolicy"), json!("File"), Kind::Kept);
    check(&format!("{MAIN}/terminationMessagePolicy"), json!("FallbackToLogsOnError"), Kind::Lost);
    check(&format!("{MAIN}/imagePullPolicy"), json!("Always"), Kind::Replaced);
    check(&format!("{MAIN}/securityContext"), json!({"readOnlyRootFilesystem": true}), Kind::Lost);
    check(&format!("{MAIN}/securityContext"), json!({"runAsNonRoot": true}), Kind::Replaced);
    check(&format!("{MAIN}/lifecycle"), json!({"preStop": {"sleep": {"seconds": 5}}}), Kind::Kept);
    let long = json!({"preStop": {"sleep": {"seconds": 500}}});
    check(&format!("{MAIN}/lifecycle"), long, Kind::Lost);
    let start = json!({"postStart": {"exec": {"command": ["x"]}}});
    check(&format!("{MAIN}/lifecycle"), start, Kind::Lost);
    check(&format!("{MAIN}/livenessProbe"), json!({"grpc": {"port": 1}}), Kind::Lost);
    check(&format!("{MAIN}/livenessProbe"), json!({"exec": {"command": ["x"]}}), Kind::Lost);
    let slow = json!({"httpGet": {"path": "/health", "port": 8080}, "failureThreshold": 9});
    check(&format!("{MAIN}/startupProbe"), slow, Kind::Replaced);
    check("/metadata/uid", json!("u"), Kind::Server);
    check("/status", json!({"replicas": 1}), Kind::Server);
}
