//! What the step adds to step 1's manifests.

use serde_json::{Value, json};

use super::{manifests, object, request, resource, run};

/// Returns the pod for a spec, directly and inside an Object; both must be the same.
#[track_caller]
fn pod(spec: &Value) -> Value {
    let deployment = |objects: bool| {
        let response = run(request(spec, objects));
        assert_eq!(response.results, []);
        Value::Object(response.desired.resources["deployment"].resource.clone().unwrap())
    };
    let direct = deployment(false);
    assert_eq!(direct, deployment(true)["spec"]["forProvider"]["manifest"]);
    direct["spec"]["template"]["spec"].clone()
}

/// Checks every variable of the main container as `NAME=value` or `NAME=secret/key`, then whole
/// secrets.
#[track_caller]
fn check_environment(spec: &Value, expect: &[&str]) {
    let main = &pod(spec)["containers"][0];
    let list = |key: &str| main[key].as_array().cloned().unwrap_or_default();
    let mut found: Vec<String> = Vec::new();
    for env in list("env") {
        let name = env["name"].as_str().unwrap();
        let from = &env["valueFrom"];
        let of = |kind: &str| {
            let (name, key) = (from[kind]["name"].as_str()?, from[kind]["key"].as_str()?);
            Some(format!("{name}/{key}"))
        };
        let path = || from["fieldRef"]["fieldPath"].as_str().map(str::to_owned);
        let value = env["value"].as_str().map(str::to_owned);
        let value = value.or_else(|| of("secretKeyRef")).or_else(|| of("configMapKeyRef"));
        found.push(format!("{name}={}", value.or_else(path).unwrap()));
    }
    for from in list("envFrom") {
        let name = |kind: &str| from[kind]["name"].as_str().map(str::to_owned);
        found.push(format!("*={}", name("secretRef").or_else(|| name("configMapRef")).unwrap()));
    }
    assert_eq!(found, expect);
}

#[test]
fn the_environment_in_the_claims_order() {
    const NATS: &str = "NATS_URL=nats://nats";
    check_environment(&json!({}), &[NATS]);
    check_environment(&json!({"secretRefs": [], "env": []}), &[NATS]);
    // Secrets before NATS, whose URL may refer to them, and plain variables last; none are sorted.
    check_environment(
        &json!({
            "env": [{"name": "Z", "value": "$(B)"}, {"name": "A", "value": ""}],
            "secretRefs": [
                {"name": "z", "env": [
                    {"secretKey": "k2", "envName": "C"}, {"secretKey": "k1", "envName": "B"},
                ]},
                {"name": "a", "env": [{"secretKey": "k", "envName": "D"}]},
            ],
        }),
        &["C=z/k2", "B=z/k1", "D=a/k", NATS, "Z=$(B)", "A="],
    );
    // Whole secrets, and one in both forms.
    check_environment(
        &json!({"secretRefs": [
            {"name": "z", "envFrom": true},
            {"name": "both", "envFrom": true, "env": [{"secretKey": "k", "envName": "B"}]},
            {"name": "a", "env": [{"secretKey": "k", "envName": "A"}], "envFrom": false},
        ]}),
        &["B=both/k", "A=a/k", NATS, "*=z", "*=both"],
    );
    // ConfigMaps stand behind Secrets; of whole ones the last wins, so there they stand before.
    check_environment(
        &json!({
            "configMapRefs": [
                {"name": "m", "envFrom": true, "env": [{"configMapKey": "k", "envName": "M"}]},
            ],
            "secretRefs": [
                {"name": "s", "envFrom": true, "env": [{"secretKey": "k", "envName": "S"}]},
            ],
            "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        }),
        &["S=s/k", "M=m/k", NATS, "POD=metadata.name", "*=m", "*=s"],
    );
    // What names NATS' files stands beside NATS.
    check_environment(
        &json!({
            "nats": {
                "domain": "hub",
                "credentials": {"secret": "s", "key": "user.creds"},
                "tls": {"secret": "t", "ca": "ca.crt", "cert": "tls.crt", "key": "tls.key"},
            },
            "env": [{"name": "A", "value": "a"}],
        }),
        &[
            NATS,
            "NATS_DOMAIN=hub",
            "NATS_CREDS=/run/eds/credentials/user.creds",
            "NATS_CA=/run/eds/tls/ca.crt",
            "NATS_CERT=/run/eds/tls/tls.crt",
            "NATS_KEY=/run/eds/tls/tls.key",
            "A=a",
        ],
    );
    // One key can become two variables.
    check_environment(
        &json!({"secretRefs": [{"name": "s", "env": [
            {"secretKey": "k", "envName": "A"}, {"secretKey": "k", "envName": "B"},
        ]}]}),
        &["A=s/k", "B=s/k", NATS],
    );
}

#[test]
fn nothing_appears_that_was_not_asked_for() {
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let bare = pod(&json!({"secretRefs": [], "env": [], "imagePullSecrets": []}));
    assert_eq!(keys(&bare), ["containers"]);
    assert_eq!(
        keys(&bare["containers"][0]),
        ["env", "image", "imagePullPolicy", "name", "resources", "securityContext"]
    );
}

#[test]
fn the_init_container_is_the_worker_with_another_command() {
    let check = |init: Value, expect: &[&str]| {
        let pod = pod(&json!({
            "initContainer": init,
            "secretRefs": [{"name": "s", "envFrom": true}],
            "env": [{"name": "A", "value": "a"}],
        }));
        let [container] = &pod["initContainers"].as_array().unwrap()[..] else { panic!("{pod}") };
        let mut own = container.as_object().unwrap().clone();
        let main = pod["containers"][0].as_object().unwrap();
        for key in ["image", "imagePullPolicy", "env", "envFrom", "resources", "securityContext"] {
            assert_eq!(own.remove(key).as_ref(), main.get(key), "{key}");
            assert!(main.contains_key(key), "{key}");
        }
        assert_eq!(own.remove("name"), Some(json!("init")));
        assert_eq!(own.keys().collect::<Vec<_>>(), expect);
        for key in expect {
            assert_eq!(container[key], init[key]);
        }
    };
    check(json!({"command": ["/migrate"]}), &["command"]);
    check(json!({"args": ["migrate"]}), &["args"]);
    check(json!({"command": ["sh", "-c"], "args": ["a; b"]}), &["args", "command"]);
}

#[test]
fn pull_secrets_and_pull_policy() {
    let pod = pod(&json!({
        "image": "registry:5000/worker",
        "imagePullSecrets": [{"name": "b"}, {"name": "a"}],
    }));
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "b"}, {"name": "a"}]));
    assert_eq!(pod["containers"][0]["imagePullPolicy"], "Always");
}

#[test]
fn the_version_is_on_every_manifest_and_on_pods() {
    let response = run(request(&json!({"image": "worker:1.4"}), false));
    for (name, resource) in &response.desired.resources {
        let manifest = Value::Object(resource.resource.clone().unwrap());
        let version = json!({"app.kubernetes.io/version": "1.4"});
        assert_eq!(manifest["metadata"]["labels"], version, "{name}");
        let pod = &manifest["spec"]["template"]["metadata"]["labels"];
        assert_eq!(*pod, if name == "deployment" { version } else { Value::Null });
        // The selector must stay as it is: it cannot be changed, and the version will change.
        if name == "deployment" {
            assert_eq!(manifest["spec"]["selector"], manifests()["deployment"]["spec"]["selector"]);
        }
    }
    // A tag with nothing that is allowed in a label gives none.
    let response = run(request(&json!({"image": "worker:___"}), false));
    let service = response.desired.resources["service"].resource.clone().unwrap();
    assert_eq!(Value::Object(service), manifests()["service"]);
}

#[test]
fn an_object_around_every_manifest() {
    let plain = run(request(&json!({}), false)).desired.resources;
    let wrapped = run(request(&json!({}), true)).desired.resources;
    assert!(plain.keys().eq(wrapped.keys()));
    for (name, resource) in wrapped {
        let expect = json!({
            "apiVersion": "kubernetes.crossplane.io/v1alpha2",
            "kind": "Object",
            "spec": {
                "forProvider": {"manifest": plain[&name].resource},
                "providerConfigRef": {"name": "kubernetes-provider"},
                "readiness": {"policy": "SuccessfulCreate"},
                "watch": true,
            },
        });
        assert_eq!(resource.resource, Some(object(&expect)));
    }
}

#[test]
fn an_object_of_an_earlier_step_is_left_alone() {
    let object = json!({
        "apiVersion": "kubernetes.crossplane.io/v1alpha1", "kind": "Object",
        "spec": {"forProvider": {"manifest": {"apiVersion": "apps/v1", "kind": "Deployment"}}},
    });
    let mut request = request(&json!({}), true);
    request.desired.resources.insert("own".to_owned(), resource(&object));
    let response = run(request);
    let own = &response.desired.resources["own"];
    assert_eq!(own.resource, resource(&object).resource);
}

#[test]
fn what_earlier_steps_said_is_kept() {
    let mut request = request(&json!({}), false);
    request.context = Some(object(&json!({"k": 1})));
    request.desired.composite = Some(resource(&json!({"status": {"theirs": 1}})));
    let response = run(request.clone());
    assert_eq!(response.tag, "t");
    assert_eq!(response.context, request.context);
    let composite = response.desired.composite.unwrap().resource.unwrap();
    assert_eq!(composite["status"]["theirs"], 1);
    assert_eq!(composite["status"]["message"], "the Deployment has not been created yet");
}

#[test]
fn an_absent_input_composes_manifests() {
    let mut request = request(&json!({}), false);
    let expect = run(request.clone());
    request.input = None;
    assert_eq!(run(request), expect);
}
