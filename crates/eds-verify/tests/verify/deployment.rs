//! `eds verify deployment`: the full example, live as rendered, with one thing changed.

use eds_claims as claims;
use eds_verify::deployment::{DeploymentFacts, report};
use kube_schema::schema::ClaimApi;
use kube_schema::yaml;
use serde_json::{Value, json};

use super::{at, remove, says};

const CLAIM: &str = include_str!("../../../../platform/04-apis/examples/full-claim.yaml");
const RENDERED: &str =
    include_str!("../../../../platform/04-apis/tests/golden/full.manifests.yaml");
const XRD: &str =
    include_str!("../../../../platform/04-apis/definitions/xeventdrivenservices.yaml");

/// The full example with its defaults.
pub(super) fn full_claim() -> Value {
    let xrd = yaml::parse(XRD).documents[0].to_json();
    let api = ClaimApi::from_xrd(&xrd).unwrap();
    let checked = claims::check(CLAIM, &api, claims::Options::default());
    Value::Object(checked.claims[0].0.claim().unwrap().object().clone())
}

/// The manifests it becomes.
pub(super) fn rendered() -> Vec<Value> {
    yaml::parse(RENDERED).documents.iter().map(yaml::Node::to_json).collect()
}

#[track_caller]
fn check(change: impl FnOnce(&mut DeploymentFacts), expected: &[&str]) {
    let mut facts = DeploymentFacts { claim: full_claim(), rendered: rendered(), live: rendered() };
    change(&mut facts);
    says(&report(&facts), expected);
}

/// Changes one live manifest: it must differ from the rendered one, and fail these checks as well.
#[track_caller]
fn live(kind: &str, change: impl FnOnce(&mut Value), expected: &[&str]) {
    let name = if kind == "ScaledObject" { "order-processor-scaler" } else { "order-processor" };
    let different = format!("Manifests, as eds render shows them: {kind} {name}: failed: ");
    let mut all = vec![different.as_str()];
    all.extend(expected);
    check(|facts| change(facts.live.iter_mut().find(|o| o["kind"] == kind).unwrap()), &all);
}

#[test]
fn as_rendered() {
    check(|_| {}, &[]);
    // What the API server adds, and how it writes quantities, is no difference.
    check(
        |f| {
            f.live[1]["status"] = json!({"replicas": 3});
            f.live[1]["spec"]["replicas"] = json!(3);
            *at(&mut f.live[1], "/spec/template/spec/containers/0/resources/limits/cpu") =
                json!("2");
        },
        &[],
    );
}

#[test]
fn what_is_missing() {
    check(
        |f| drop(f.live.remove(2)),
        &["Manifests, as eds render shows them: Service order-processor: failed: it is not there"],
    );
    check(
        |f| {
            f.rendered.pop();
            f.live.pop();
        },
        &["Manifests, as eds render shows them: all of them: failed: eds render makes"],
    );
    live(
        "Service",
        |o| *at(o, "/metadata/labels/app.kubernetes.io~1version") = json!(""),
        &["Manifests, as eds render shows them: labels: failed: expected [], live [\"Service: "],
    );
}

#[test]
fn what_differs_in_the_deployment() {
    const MAIN: &str = "/spec/template/spec/containers/0";
    let check = |pointer: &str, value: Value, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|e| format!("Deployment: {e}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        live("Deployment", |o| *at(o, pointer) = value, &expected);
    };
    let main = |pointer: &str| format!("{MAIN}{pointer}");
    check(&main("/image"), json!("x:1"), &["image: failed: expected \"registry.example.com:5000"]);
    check(&main("/ports/0/containerPort"), json!(80), &["port: failed: expected 8080, live 80"]);
    check(&main("/resources/requests/cpu"), json!("1"), &["size: failed"]);
    check(&main("/livenessProbe/httpGet/path"), json!("/"), &["probes: failed"]);
    check(
        &main("/securityContext/allowPrivilegeEscalation"),
        json!(true),
        &["security context: failed"],
    );
    // Both containers have the same environment: what only the worker has is also reported for the
    // other.
    let init = "init container's environment: failed";
    check(&main("/env/5/value"), json!("nats://x:1"), &["NATS variables: failed", init]);
    check(&main("/envFrom"), json!([]), &["secrets as a whole: failed", init]);
    check(
        "/spec/template/spec/initContainers/0/command",
        json!(["x"]),
        &["init container: failed"],
    );
    check(
        "/spec/template/spec/initContainers/0/image",
        json!("x:1"),
        &["init container's image: failed"],
    );
    check("/spec/template/spec/imagePullSecrets", json!([]), &["imagePullSecrets: failed"]);
    check("/spec/template/spec/serviceAccountName", json!("x"), &["service account: failed"]);
    let without = |name: &str, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|e| format!("Deployment: {e}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let change = |o: &mut Value| {
            let env = at(o, &main("/env")).as_array_mut().unwrap();
            let before = env.len();
            env.retain(|e| e["name"] != name);
            assert_eq!(env.len() + 1, before);
        };
        live("Deployment", change, &expected);
    };
    without("DATABASE_PASSWORD", &["secrets by key: failed", init]);
    without("LOG_LEVEL", &["plain variables: failed", init]);
}

#[test]
fn what_a_claim_does_not_ask_for() {
    // Claim and rendering without them, the live Deployment still with them, as after a merge.
    check(
        |f| {
            let deployment = |f: &mut Vec<Value>, pointer: &str| remove(&mut f[1], pointer);
            for key in ["initContainer", "imagePullSecrets"] {
                remove(&mut f.claim, &format!("/spec/{key}"));
            }
            deployment(&mut f.rendered, "/spec/template/spec/initContainers");
            deployment(&mut f.rendered, "/spec/template/spec/imagePullSecrets");
        },
        &["Deployment: init container: failed", "Deployment: imagePullSecrets: failed"],
    );
    check(
        |f| {
            remove(&mut f.claim, "/spec/secretRefs");
            remove(&mut f.rendered[1], "/spec/template/spec/containers/0/envFrom");
        },
        &["Deployment: secrets: failed: expected null"],
    );
}

#[test]
fn what_differs_in_the_others() {
    live("Service", |o| o["spec"]["type"] = json!("NodePort"), &["Service: type: failed"]);
    live("Service", |o| *at(o, "/spec/ports/0/port") = json!(80), &["Service: port: failed"]);
    live(
        "Service",
        |o| *at(o, "/spec/selector/app.kubernetes.io~1name") = json!("other"),
        &["Service: selector: failed: expected \"order-processor\", live \"other\""],
    );
    live(
        "ScaledObject",
        |o| *at(o, "/spec/scaleTargetRef/name") = json!("other"),
        &["ScaledObject: scaleTargetRef: failed"],
    );
    live(
        "ScaledObject",
        |o| o["spec"]["maxReplicaCount"] = json!(3),
        &["ScaledObject: maxReplicaCount: failed: the claim says 20, the ScaledObject 3"],
    );
}
