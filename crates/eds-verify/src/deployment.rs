//! Did a claim become its manifests, as it says?
//!
//! Checks twice, independently: each live manifest against the rendered one, field by field; and
//! single facts of the live manifests against the claim itself, named so that a person sees what
//! was checked.

use kube_object::object::Fields;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::{Check, Report};
use kube_object::difference::{differences, same_quantity};

/// What was found.
#[derive(Debug, Clone)]
pub struct DeploymentFacts {
    /// The claim with its defaults.
    pub claim: Value,
    /// What `eds render` makes of it.
    pub rendered: Vec<Value>,
    /// The live manifests that exist.
    pub live: Vec<Value>,
}

impl DeploymentFacts {
    fn live(&self, kind: &str) -> Option<&Value> {
        self.live.iter().find(|object| object.text("/kind") == kind)
    }

    fn claim_name(&self) -> &str {
        self.claim.name()
    }
}

/// Judges the live manifests.
#[must_use]
pub fn report(facts: &DeploymentFacts) -> Report {
    let mut report = Report::default();
    report.add("Manifests, as eds render shows them", manifests(facts));
    let missing = Value::Null;
    let live_or_empty = |kind: &str| facts.live(kind).unwrap_or(&missing);
    if facts.live("Deployment").is_some() {
        report.add("Deployment", deployment(facts, live_or_empty("Deployment")));
    }
    if facts.live("Service").is_some() {
        report.add("Service", service(facts, live_or_empty("Service")));
    }
    if facts.live("ScaledObject").is_some() {
        report.add("ScaledObject", scaled_object(facts, live_or_empty("ScaledObject")));
    }
    report
}

fn manifests(facts: &DeploymentFacts) -> Vec<Check> {
    let mut checks: Vec<Check> = facts
        .rendered
        .iter()
        .map(|rendered| {
            let kind = rendered.text("/kind");
            let title = format!("{kind} {}", rendered.name());
            match facts.live(kind) {
                None => Check::failed(
                    title,
                    "it is not there",
                    format!(
                        "eds doctor {}/{}",
                        facts.claim.text("/metadata/namespace"),
                        facts.claim_name()
                    ),
                ),
                Some(live) => match differences(rendered, live).as_slice() {
                    [] => Check::passed(title, "equal, field for field"),
                    [first, rest @ ..] => Check::failed(
                        title,
                        first,
                        "somebody else writes this object, or the Composition in the cluster is \
                     another: eds verify composition",
                    )
                    .with(rest.iter().cloned()),
                },
            }
        })
        .collect();
    let made: BTreeSet<&str> = facts.rendered.iter().map(|made| made.text("/kind")).collect();
    let expected = kinds(&facts.claim);
    if made != expected {
        let cause = format!("eds render makes {made:?} of this claim, not {expected:?}");
        checks.push(Check::failed("all of them", cause, "look at what eds render says"));
    }
    let unlabelled: Vec<String> = facts
        .live
        .iter()
        .filter_map(|live| {
            let label =
                |key: &str| live.text(&format!("/metadata/labels/app.kubernetes.io~1{key}"));
            let right = label("name") == facts.claim_name()
                && label("component") == "event-driven-worker"
                && label("managed-by") == "crossplane"
                && !label("version").is_empty();
            (!right).then(|| {
                format!(
                    "{}: {}",
                    live.text("/kind"),
                    live.at("/metadata/labels").unwrap_or(&Value::Null)
                )
            })
        })
        .collect();
    checks.push(check_equal(
        "labels",
        &json!(unlabelled),
        &json!([]),
        "name, component, managed-by and version on every manifest",
    ));
    checks
}

/// Returns the kinds that a claim becomes, by what it says.
fn kinds(claim: &Value) -> BTreeSet<&'static str> {
    let has = |place: &str| claim.at(place).is_some();
    let kinds = [
        ("ServiceAccount", true),
        ("Deployment", true),
        ("ScaledObject", true),
        ("Service", serves_http(claim)),
        ("PodDisruptionBudget", has("/spec/disruptionBudget")),
        ("Consumer", has("/spec/nats/create/consumer")),
        ("Stream", has("/spec/nats/create/stream")),
    ];
    kinds.into_iter().filter(|(_, is_made)| *is_made).map(|(kind, _)| kind).collect()
}

fn serves_http(claim: &Value) -> bool {
    claim.at("/spec/health/http") != Some(&Value::Bool(false))
}

/// Returns the port of the worker's server.
fn port(claim: &Value) -> i64 {
    claim.integer("/spec/health/port").unwrap_or(8080)
}

/// Checks one fact. `shown` describes it if it is right.
fn check_equal(title: &str, live: &Value, expected: &Value, shown: &str) -> Check {
    if live == expected {
        return Check::passed(title, shown);
    }
    let cause = format!("expected {expected}, live {live}");
    Check::failed(title, cause, "compare with: eds render, and eds verify composition")
}

const MAIN: &str = "/spec/template/spec/containers/0";

fn deployment(facts: &DeploymentFacts, live: &Value) -> Vec<Check> {
    let spec = facts.claim.get("spec").unwrap_or(&Value::Null);
    let value_at = |pointer: &str| live.at(pointer).cloned().unwrap_or_default();
    let main = |pointer: &str| value_at(&format!("{MAIN}{pointer}"));
    let image = spec.text("/image");
    let mut checks = vec![
        check_equal("image", &main("/image"), &json!(image), image),
        match (serves_http(&facts.claim), port(&facts.claim)) {
            (true, port) => check_equal(
                "port",
                &main("/ports/0/containerPort"),
                &json!(port),
                &format!("{port}, named http"),
            ),
            (false, _) => check_equal("port", &main("/ports"), &Value::Null, "none: no server"),
        },
        size(spec, &main("/resources")),
        environment("NATS variables", &nats(spec), &main("/env")),
    ];
    checks.extend(secrets(spec, live, MAIN, "secrets"));
    // Those from a field of the pod are compared above, with the API server's defaults.
    let plain: Vec<Value> =
        spec.list("/env").filter(|entry| entry.get("value").is_some()).cloned().collect();
    if !plain.is_empty() {
        checks.push(environment("plain variables", &plain, &main("/env")));
    }
    match spec.get("initContainer") {
        None => {
            let found = value_at("/spec/template/spec/initContainers");
            checks.push(check_equal(
                "init container",
                &found,
                &Value::Null,
                "none, as the claim has none",
            ));
        }
        Some(init) => checks.extend(init_container(spec, init, live)),
    }
    let pull = spec.get("imagePullSecrets").filter(|s| s.as_array().is_some_and(|s| !s.is_empty()));
    let names: Vec<&str> = spec.list("/imagePullSecrets").map(|s| s.text("/name")).collect();
    checks.push(check_equal(
        "imagePullSecrets",
        &value_at("/spec/template/spec/imagePullSecrets"),
        pull.unwrap_or(&Value::Null),
        &if names.is_empty() { "none, as the claim has none".to_owned() } else { names.join(", ") },
    ));
    checks.push(check_equal(
        "service account",
        &value_at("/spec/template/spec/serviceAccountName"),
        &json!(facts.claim_name()),
        facts.claim_name(),
    ));
    checks.push(probes(&facts.claim, &main("")));
    let security = json!([
        value_at("/spec/template/spec/securityContext/runAsNonRoot"),
        value_at("/spec/template/spec/securityContext/seccompProfile/type"),
        main("/securityContext/allowPrivilegeEscalation"),
        main("/securityContext/capabilities/drop"),
    ]);
    checks.push(check_equal(
        "security context",
        &security,
        &json!([true, "RuntimeDefault", false, ["ALL"]]),
        "fits Pod Security restricted",
    ));
    checks
}

/// Checks how Kubernetes asks the worker: over HTTP, by commands, or not at all.
fn probes(claim: &Value, main: &Value) -> Check {
    let said = |field: &str, default: &str| match claim.text(&format!("/spec/health/{field}")) {
        "" => default.to_owned(),
        path => path.to_owned(),
    };
    let live = |part: &str| {
        let probe = |kind: &str| main.at(&format!("/{kind}Probe/{part}")).cloned();
        json!([probe("liveness"), probe("readiness")])
    };
    if serves_http(claim) {
        let (liveness, readiness) =
            (said("livenessPath", "/health"), said("readinessPath", "/ready"));
        let shown = format!("{liveness} and {readiness} on {}", port(claim));
        return check_equal("probes", &live("httpGet/path"), &json!([liveness, readiness]), &shown);
    }
    let command = |field: &str| claim.at(&format!("/spec/health/{field}")).cloned();
    let commands = json!([command("livenessCommand"), command("readinessCommand")]);
    let shown = "by the claim's commands, or none";
    check_equal("probes", &live("exec/command"), &commands, shown)
}

/// Checks the plan's table of sizes: requests and limits of CPU and memory, unless the claim has
/// figures of its own.
fn size(spec: &Value, live: &Value) -> Check {
    let size = spec.text("/size");
    let [request_cpu, request_memory, limit_cpu, limit_memory] = match size {
        "small" => ["250m", "512Mi", "1000m", "2Gi"],
        "large" => ["1000m", "2Gi", "4000m", "8Gi"],
        _ => ["500m", "1Gi", "2000m", "4Gi"],
    };
    let figure = |part: &str, what: &str, of_size: &str| {
        spec.at(&format!("/resources/{part}/{what}")).cloned().unwrap_or_else(|| json!(of_size))
    };
    let (request_cpu, request_memory) =
        (figure("requests", "cpu", request_cpu), figure("requests", "memory", request_memory));
    let (limit_cpu, limit_memory) =
        (figure("limits", "cpu", limit_cpu), figure("limits", "memory", limit_memory));
    let expected = json!({
        "requests": {"cpu": request_cpu, "memory": request_memory},
        "limits": {"cpu": limit_cpu, "memory": limit_memory},
    });
    let [request_cpu, request_memory, limit_cpu, limit_memory] =
        [&request_cpu, &request_memory, &limit_cpu, &limit_memory].map(|figure| match figure {
            Value::String(text) => text.clone(),
            number => number.to_string(),
        });
    let right = ["requests", "limits"].iter().all(|part| {
        ["cpu", "memory"].iter().all(|what| {
            let quantity =
                |v: &Value| v.at(&format!("/{part}/{what}")).cloned().unwrap_or_default();
            same_quantity(&format!("resources.{part}"), &quantity(&expected), &quantity(live))
        })
    });
    let shown = format!(
        "{size}: CPU {request_cpu} to {limit_cpu}, memory {request_memory} to {limit_memory}"
    );
    let title = "size";
    if right { Check::passed(title, shown) } else { check_equal(title, live, &expected, "") }
}

fn nats(spec: &Value) -> Vec<Value> {
    [
        ("NATS_URL", "/nats/url"),
        ("NATS_STREAM_NAME", "/nats/stream"),
        ("NATS_CONSUMER_GROUP", "/nats/consumer"),
    ]
    .iter()
    .map(|(name, pointer)| json!({"name": name, "value": spec.text(pointer)}))
    .collect()
}

/// Checks that each of these variables is in a container's `env`, as is.
fn environment(title: &str, expected: &[Value], env: &Value) -> Check {
    let there: Vec<&Value> = env.list("").collect();
    let missing: Vec<&Value> = expected.iter().filter(|v| !there.contains(v)).collect();
    let shown: Vec<String> = expected
        .iter()
        .map(|v| match v.get("value").and_then(Value::as_str) {
            Some(value) => format!("{}={value}", v.text("/name")),
            None => v.text("/name").to_owned(),
        })
        .collect();
    if missing.is_empty() {
        return Check::passed(title, shown.join(", "));
    }
    let cause = format!("not in the container: {}", json!(missing));
    Check::failed(title, cause, "compare with: eds render, and eds verify composition")
}

/// Checks both ways in which a container gets Secrets and ConfigMaps.
fn secrets(spec: &Value, live: &Value, container: &str, title: &str) -> Vec<Check> {
    let mut single = Vec::new();
    let mut whole = Vec::new();
    for map in spec.list("/configMapRefs") {
        for env in map.list("/env") {
            single.push(json!({
                "name": env.text("/envName"),
                "valueFrom": {"configMapKeyRef": {"key": env.text("/configMapKey"),
                    "name": map.text("/name")}},
            }));
        }
        if map.is_true("/envFrom") {
            whole.push(json!({"configMapRef": {"name": map.text("/name")}}));
        }
    }
    for secret in spec.list("/secretRefs") {
        for env in secret.list("/env") {
            single.push(json!({
                "name": env.text("/envName"),
                "valueFrom": {"secretKeyRef": {"key": env.text("/secretKey"),
                    "name": secret.text("/name")}},
            }));
        }
        if secret.get("envFrom") == Some(&Value::Bool(true)) {
            whole.push(json!({"secretRef": {"name": secret.text("/name")}}));
        }
    }
    let at = |key: &str| live.at(&format!("{container}/{key}")).cloned().unwrap_or_default();
    let mut checks = Vec::new();
    if single.is_empty() && whole.is_empty() {
        checks.push(check_equal(
            title,
            &at("envFrom"),
            &Value::Null,
            "none, as the claim has none",
        ));
    }
    if !single.is_empty() {
        checks.push(environment(&format!("{title} by key"), &single, &at("env")));
    }
    if !whole.is_empty() {
        let name = |from: &Value| match from.text("/secretRef/name") {
            "" => from.text("/configMapRef/name").to_owned(),
            name => name.to_owned(),
        };
        let names: Vec<String> = whole.iter().map(name).collect();
        let title = format!("{title} as a whole");
        checks.push(check_equal(&title, &at("envFrom"), &json!(whole), &names.join(", ")));
    }
    checks
}

fn init_container(spec: &Value, init: &Value, live: &Value) -> Vec<Check> {
    const INIT: &str = "/spec/template/spec/initContainers/0";
    let value_at =
        |pointer: &str| live.at(&format!("{INIT}{pointer}")).cloned().unwrap_or_default();
    let command = |key: &str| {
        let list = init.get(key).filter(|l| l.as_array().is_some_and(|l| !l.is_empty()));
        list.cloned().unwrap_or_default()
    };
    let words = init.list("/command").chain(init.list("/args")).filter_map(Value::as_str);
    let words: Vec<&str> = words.collect();
    let mut checks = vec![
        check_equal(
            "init container",
            &json!([value_at("/command"), value_at("/args")]),
            &json!([command("command"), command("args")]),
            &words.join(" "),
        ),
        check_equal(
            "init container's image",
            &value_at("/image"),
            &json!(spec.text("/image")),
            "the worker's",
        ),
    ];
    let main = |key: &str| live.at(&format!("{MAIN}{key}")).cloned().unwrap_or_default();
    checks.push(check_equal(
        "init container's environment",
        &json!([value_at("/env"), value_at("/envFrom")]),
        &json!([main("/env"), main("/envFrom")]),
        "the worker's, secrets included",
    ));
    checks
}

fn service(facts: &DeploymentFacts, live: &Value) -> Vec<Check> {
    let value_at = |pointer: &str| live.at(pointer).cloned().unwrap_or_default();
    let selects = live.text("/spec/selector/app.kubernetes.io~1name");
    let port = port(&facts.claim);
    vec![
        check_equal("type", &value_at("/spec/type"), &json!("ClusterIP"), "ClusterIP"),
        check_equal(
            "port",
            &json!([value_at("/spec/ports/0/port"), value_at("/spec/ports/0/targetPort")]),
            &json!([port, port]),
            &format!("{port} to the container's {port}"),
        ),
        check_equal("selector", &json!(selects), &json!(facts.claim_name()), "the worker's pods"),
    ]
}

fn scaled_object(facts: &DeploymentFacts, live: &Value) -> Vec<Check> {
    let value_at = |pointer: &str| live.at(pointer).cloned().unwrap_or_default();
    let mut checks = vec![check_equal(
        "scaleTargetRef",
        &json!([value_at("/spec/scaleTargetRef/kind"), value_at("/spec/scaleTargetRef/name")]),
        &json!(["Deployment", facts.claim_name()]),
        &format!("Deployment {}", facts.claim_name()),
    )];
    checks.extend(super::scaler::configuration(&facts.claim, live));
    checks
}
