//! `eds render` as a person runs it: the real command on real files.
//!
//! A claim's golden file is next to it: `X.manifests.yaml` is its output, or `X.error.txt` its
//! error, with exit code 1. `EDS_UPDATE_GOLDEN=1 cargo test -p eds-cli` rewrites them.

#![cfg(test)]

mod golden;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kube_schema::diagnostics::{Finding, Severity};
use kube_schema::schema::ClaimApi;
use kube_schema::yaml::{self, Node};
use serde_json::Value;

fn platform() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platform/04-apis").canonicalize().unwrap()
}

fn eds(args: &[&str], stdin: &str) -> Output {
    golden::eds(&platform(), args, stdin)
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn claims(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut names: Vec<String> = fs::read_dir(platform().join(folder))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let stem = name.trim_end_matches(ending).to_owned();
            (stem, format!("{folder}/{name}"))
        })
        .collect()
}

/// Returns how many manifests a claim becomes: four, unless a comment in its file says otherwise.
fn manifests(path: &str) -> usize {
    let text = fs::read_to_string(platform().join(path)).unwrap();
    let said = text.lines().find_map(|line| line.strip_prefix("# manifests: "));
    said.map_or(4, |number| number.parse().unwrap())
}

#[test]
fn every_claim_has_its_golden_manifests() {
    let mut all = claims("examples", "-claim.yaml");
    let traps = claims("tests/golden", ".claim.yaml");
    assert!(all.len() >= 3 && traps.len() >= 12, "claims are missing: {all:?} {traps:?}");
    all.extend(traps);
    for (name, path) in all {
        let output = eds(&["render", &path], "");
        // Whichever form a cluster has: between the two no pod is replaced.
        let namespaced = eds(&["render", "--form", "namespaced", &path], "");
        assert_eq!(namespaced.status, output.status, "{name}: {}", stderr(&namespaced));
        assert_eq!(stdout(&namespaced), stdout(&output), "{name}, in the namespaced form");
        let golden = |ending: &str| platform().join(format!("tests/golden/{name}.{ending}"));
        match output.status.code() {
            Some(0) => {
                assert_eq!(stderr(&output), "", "{name}");
                assert_eq!(stdout(&output).matches("---\n").count(), manifests(&path), "{name}");
                assert!(!golden("error.txt").exists(), "{name} should have failed");
                golden::check(&golden("manifests.yaml"), stdout(&output));
            }
            Some(1) => {
                assert_eq!(stdout(&output), "", "{name}");
                assert!(!golden("manifests.yaml").exists(), "{name}: {}", stderr(&output));
                golden::check(&golden("error.txt"), stderr(&output));
            }
            code => panic!("{name}: exit code {code:?}: {}", stderr(&output)),
        }
    }
}

#[test]
fn the_other_outputs_have_golden_files_too() {
    for output in ["objects", "xr"] {
        let shown = eds(&["render", "examples/full-claim.yaml", "--output", output], "");
        assert_eq!(stderr(&shown), "");
        let golden = platform().join(format!("tests/golden/full.{output}.yaml"));
        golden::check(&golden, stdout(&shown));
    }
    let args = ["render", "examples/full-claim.yaml", "--form", "namespaced", "--output"];
    for output in ["objects", "xr"] {
        let shown = eds(&[&args[..], &[output]].concat(), "");
        assert_eq!(stderr(&shown), "");
        let golden = platform().join(format!("tests/golden/full.namespaced.{output}.yaml"));
        golden::check(&golden, stdout(&shown));
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for output in ["manifests", "objects", "xr"] {
        let args = ["render", "examples/full-claim.yaml", "-o", output];
        assert_eq!(eds(&args, "").stdout, eds(&args, "").stdout);
    }
}

#[test]
fn standard_input_and_many_documents() {
    let read = |file: &str| fs::read_to_string(platform().join(file)).unwrap();
    let (minimal, full) = (read("examples/minimal-claim.yaml"), read("examples/full-claim.yaml"));
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let stream = format!("{minimal}---\n{other}---\n{full}");
    for args in [&["render"][..], &["render", "-"]] {
        let output = eds(args, &stream);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(stderr(&output), "eds: skipped 1 objects that are no EventDrivenService\n");
        let golden =
            read("tests/golden/minimal.manifests.yaml") + &read("tests/golden/full.manifests.yaml");
        assert!(stdout(&output) == golden);
    }
}

#[test]
fn one_bad_claim_does_not_stop_the_others() {
    let output =
        eds(&["render", "tests/golden/name-57.claim.yaml", "examples/minimal-claim.yaml"], "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output).matches("---\n").count(), 4);
    assert!(stderr(&output).contains("name-57.claim.yaml"), "{}", stderr(&output));
}

#[test]
fn many_claims_are_printed_in_order_and_each_mistake_has_its_line() {
    const CLAIMS: usize = 300;
    let claim = |i: usize| {
        let size = if i == 250 { "tiny" } else { "small" };
        let head = "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService";
        let nats = format!("  nats:\n    stream: S\n    consumer: c-{i}");
        let spec = format!("  image: registry.example.com/w:1.0.0\n  size: {size}\n{nats}");
        format!("---\n{head}\nmetadata:\n  name: w-{i}\nspec:\n{spec}\n")
    };
    let lines = claim(0).lines().count();
    let output = eds(&["render", "-"], &(0..CLAIMS).map(claim).collect::<String>());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let names = stdout(&output).split("---\n").filter_map(|document| {
        let is_service = document.contains("\nkind: Service\n");
        is_service.then(|| document.lines().find_map(|line| line.strip_prefix("  name: w-")))?
    });
    let expected: Vec<String> = (0..CLAIMS).filter(|i| *i != 250).map(|i| i.to_string()).collect();
    assert_eq!(names.collect::<Vec<_>>(), expected);
    let place = format!("<stdin>:{}:9", 250 * lines + 8);
    assert!(stderr(&output).contains(&place), "{place} is not in: {}", stderr(&output));
}

#[track_caller]
fn check_failure(args: &[&str], stdin: &str, says: &[&str]) {
    let output = eds(args, stdin);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    for part in says {
        assert!(stderr(&output).contains(part), "{part:?} is missing in: {}", stderr(&output));
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    check_failure(&["render", "nowhere.yaml"], "", &["nowhere.yaml", "No such file"]);
    check_failure(&["render", "-"], "", &["found no EventDrivenService"]);
    let not_yaml = eds(&["render", "-"], "a: [1\nb: 2");
    assert_eq!(not_yaml.status.code(), Some(1));
    // Where the list begins, which nothing ends.
    assert!(stderr(&not_yaml).contains("<stdin>:1:4"), "{}", stderr(&not_yaml));
    let minimal = "examples/minimal-claim.yaml";
    check_failure(
        &["render", minimal, "--xrd", minimal],
        "",
        &["minimal-claim.yaml", "holds no XRD or CRD"],
    );
    check_failure(
        &["render", minimal, "--composition", minimal],
        "",
        &["minimal-claim.yaml", "not a Composition"],
    );
}

#[test]
fn a_function_that_is_not_here_is_named() {
    let text =
        fs::read_to_string(platform().join("compositions/event-driven-service-composition.yaml"))
            .unwrap();
    let file = std::env::temp_dir().join(format!("eds-render-{}.yaml", std::process::id()));
    let other = text
        .replace("name: function-event-driven-service", "name: function-go-templating")
        .replace(
            "eventdrivenservice.fn.platform.bizmatters.io/v1alpha1",
            "gotemplating.fn.crossplane.io/v1beta1",
        );
    fs::write(&file, other).unwrap();
    check_failure(
        &["render", "examples/minimal-claim.yaml", "--composition", file.to_str().unwrap()],
        "",
        &["function-go-templating", "\"event-driven-service\"", "not built in"],
    );
    fs::remove_file(file).unwrap();
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let status = Command::new("bash")
        .args(["-o", "pipefail", "-c", "\"$0\" render examples/full-claim.yaml | true"])
        .arg(env!("CARGO_BIN_EXE_eds"))
        .current_dir(platform())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn what_validate_refuses_is_refused_with_the_same_words() {
    let errors = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("error[")).map(str::to_owned).collect()
    };
    let mut seen = 0;
    for (name, path) in claims("tests/fixtures/invalid", ".yaml") {
        let rendered = eds(&["render", &path], "");
        if fs::read_to_string(platform().join(&path)).is_err() {
            assert_eq!(rendered.status.code(), Some(2), "{name} is no text");
            continue;
        }
        let validated = eds(&["validate", &path], "");
        let expected = errors(stdout(&validated));
        assert!(!expected.is_empty(), "{name}: {}", stdout(&validated));
        assert_eq!(errors(stderr(&rendered)), expected, "{name}");
        assert_eq!(rendered.status.code(), Some(1), "{name}: {}", stderr(&rendered));
        seen += 1;
    }
    assert!(seen >= 50, "only {seen} fixtures");
}

/// Collects what each rule of an XRD or of an admission policy says, wherever it is.
fn messages(value: &Value, found: &mut Vec<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        if key == "x-kubernetes-validations" || key == "validations" {
            let rules = value.as_array().into_iter().flatten();
            found.extend(rules.map(|rule| {
                let said = rule.get("messageExpression").unwrap_or(&rule["message"]);
                said.as_str().unwrap().to_owned()
            }));
        }
        messages(value, found);
    }
    value.as_array().into_iter().flatten().for_each(|value| messages(value, found));
}

/// What stands in `spec.nats` and in `spec` to break one rule of the API, and a part of its message.
const BROKEN: &[(&str, &str, &str)] = &[
    (
        "",
        "env: [{name: A, value: b}], secretRefs: [{name: s, env: [{secretKey: k, envName: A}]}]",
        "an environment variable is set both",
    ),
    (
        "",
        "secretRefs: [{name: s, envFrom: true}, {name: s, env: [{secretKey: k, envName: A}]}]",
        "a secret is named twice",
    ),
    (
        "",
        "secretRefs: [{name: s, env: [{secretKey: k, envName: A}]}, {name: t, env: [{secretKey: k, \
            envName: A}]}]",
        "an environment variable is set from two secrets",
    ),
    ("", "secretRefs: [{name: s}]", "a secret that is used neither"),
    (
        "",
        "secretRefs: [{name: s, env: [{secretKey: k, envName: A}, {secretKey: l, envName: A}]}]",
        "an environment variable is listed twice",
    ),
    (
        "",
        "secretRefs: [{name: s, env: [{secretKey: k, envName: NATS_URL}]}]",
        "this variable is set from spec.nats",
    ),
    (
        "",
        "env: [{name: A, value: b}, {name: A, value: c}]",
        "an environment variable is listed twice",
    ),
    ("", "env: [{name: NATS_STREAM_NAME, value: b}]", "this variable is set from spec.nats"),
    ("", "imagePullSecrets: [{name: s}, {name: s}]", "an image pull secret is named twice"),
    ("", "initContainer: {command: []}", "an init container without command"),
    ("", "scaling: {minReplicas: 3, maxReplicas: 2}", "minReplicas is above maxReplicas"),
    ("url: \"nats://u@:4222\"", "", "a server has no host"),
    ("url: \"nats://nats:70000\"", "", "a server's port"),
    ("monitoringEndpoint: \"nats.other.svc:8222\"", "", "KEDA asks this endpoint"),
    ("monitoringEndpoint: \"nats.nats.svc:70000\"", "", "the port must be"),
    ("", "configMapRefs: [{name: m}]", "a ConfigMap that is used neither"),
    (
        "",
        "configMapRefs: [{name: m, envFrom: true}, {name: m, envFrom: true}]",
        "a ConfigMap is named twice",
    ),
    (
        "",
        "configMapRefs: [{name: m, env: [{configMapKey: k, envName: A}]}, {name: o, env: \
         [{configMapKey: k, envName: A}]}]",
        "set from two ConfigMaps",
    ),
    (
        "",
        "configMapRefs: [{name: m, env: [{configMapKey: k, envName: A}, {configMapKey: l, envName: \
         A}]}]",
        "is listed twice",
    ),
    (
        "",
        "configMapRefs: [{name: m, env: [{configMapKey: k, envName: NATS_URL}]}]",
        "is set from spec.nats; choose another name",
    ),
    (
        "",
        "configMapRefs: [{name: m, env: [{configMapKey: k, envName: A}]}], env: [{name: A, value: \
         b}]",
        "is set by spec.configMapRefs[].env, and also",
    ),
    ("domain: d", "env: [{name: NATS_DOMAIN, value: b}]", "NATS_CREDS, NATS_CA"),
    ("", "disruptionBudget: {}", "either minAvailable or maxUnavailable"),
    (
        "",
        "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1Mi}}}]",
        "CPU is divided by 1 or 1m",
    ),
    ("", "env: [{name: A, valueFrom: {}}]", "either fieldRef or resourceFieldRef"),
    ("", "env: [{name: A}]", "a variable has either a value or valueFrom"),
    (
        "",
        "files: [{secret: s, mountPath: /a, items: [{key: k, path: ../b}]}]",
        "a path stays below mountPath",
    ),
    (
        "",
        "files: [{secret: s, mountPath: /a, items: [{key: k, path: b}, {key: l, path: b}]}]",
        "two keys become the same file",
    ),
    ("", "files: [{secret: s, mountPath: /a/./b}]", "a path is written without"),
    ("", "files: [{secret: s, mountPath: /proc/x}]", "are the system's, and /run/eds"),
    ("", "files: [{mountPath: /a}]", "either a secret or a configMap"),
    (
        "",
        "files: [{secret: s, mountPath: /a}, {secret: t, mountPath: /a/b}]",
        "a mountPath is used twice",
    ),
    ("", "health: {http: false, port: 3000}", "has no port and no paths"),
    ("", "health: {livenessCommand: [a]}", "commands are for a worker"),
    ("", "health: {http: false, startupSeconds: 9}", "startupSeconds waits"),
    ("", "lifecycle: {preStop: {}}", "either exec or sleep"),
    ("", "lifecycle: {preStop: {sleep: {seconds: 31}}}", "lifecycle.preStop sleeps longer"),
    ("create: {consumer: {maxDeliver: 0}}", "", "0 is not a number of deliveries"),
    ("create: {}", "", "nothing is to be made"),
    ("create: {consumer: {deliverPolicy: lastPerSubject}}", "", "needs a filterSubject"),
    (
        "create: {consumer: {deliverPolicy: new}, stream: {subjects: [a], retention: workqueue}}",
        "",
        "has consumers of deliverPolicy all only",
    ),
    ("tls: {secret: s, ca: a, cert: b}", "", "a certificate and its key go together"),
    ("tls: {secret: s}", "", "this Secret is used for nothing"),
    ("", "placement: {nodeSelector: {\"-\": b}}", "a key is a name of at most 63"),
    ("", "placement: {priorityClassName: system-a}", "this PriorityClass is the system's"),
    (
        "",
        "placement: {tolerations: [{key: node-role.kubernetes.io/etcd}]}",
        "no service runs beside",
    ),
    (
        "",
        "placement: {tolerations: [{key: a, operator: Exists, value: b}]}",
        "the operator Exists takes no value",
    ),
    (
        "",
        "placement: {tolerations: [{key: a, tolerationSeconds: 1}]}",
        "tolerationSeconds goes with",
    ),
    (
        "",
        "placement: {architecture: arm64, nodeSelector: {kubernetes.io/arch: arm64}}",
        "the architecture is chosen twice",
    ),
    ("", "podMetadata: {annotations: {\"-\": b}}", "a key is a name of at most 63"),
    ("", "podMetadata: {annotations: {keda.sh/a: b}}", "is one of Kubernetes'"),
    ("", "podMetadata: {labels: {\"-\": b}}", "a key is a name of at most 63"),
    ("", "podMetadata: {labels: {app.kubernetes.io/name: b}}", "is one of Kubernetes'"),
    ("", "podMetadata: {labels: {pod-template-hash: b}}", "this label is the Deployment's own"),
    ("", "serviceAccount: {annotations: {\"-\": b}}", "a key is a name of at most 63"),
    ("", "serviceAccount: {annotations: {kubernetes.io/a: b}}", "is one of Kubernetes'"),
    ("", "resources: {requests: {memory: 1Mi}}", "no container starts with less"),
    (
        "",
        "resources: {requests: {memory: 5Mi}, limits: {memory: 5Mi, cpu: 100m}}",
        "the CPU request is above",
    ),
    ("", "resources: {requests: {memory: 5Gi}}", "the memory request is above"),
    ("", "rollout: {maxSurge: 0, maxUnavailable: 0%}", "with maxSurge and maxUnavailable both 0"),
    (
        "",
        "scaling: {cron: [{timezone: UTC, start: 0 7 * * *, end: 0 7 * * *, replicas: 1}]}",
        "start and end are the same",
    ),
    (
        "",
        "scaling: {cron: [{timezone: UTC, start: 0 7 * * *, end: 0 8 * * *, replicas: 11}]}",
        "the replicas of a cron entry",
    ),
    ("", "scaling: {pausedReplicas: 1}", "pausedReplicas counts only"),
];

/// `eds render` checks the API's own rules only if something else is wrong, because the
/// Composition's second step refuses what they refuse. So for each rule there is a claim here that
/// breaks just that rule.
#[test]
fn what_a_rule_of_the_api_alone_refuses_is_not_rendered() {
    let read = |file: &str| {
        let text = fs::read_to_string(platform().join("definitions").join(file)).unwrap();
        yaml::parse(&text).documents.iter().map(Node::to_json).collect::<Vec<_>>()
    };
    let (xrds, policies) = (read("xeventdrivenservices.yaml"), read("claim-names.yaml"));
    let mut rules = Vec::new();
    xrds.iter().chain(&policies).for_each(|document| messages(document, &mut rules));
    let api = ClaimApi::from_xrd(&xrds[0]).unwrap();
    let api = policies.iter().fold(api, |api, policy| api.with_policy(policy));
    let mut check = |metadata: &str, nats: &str, spec: &str, expected: &str| {
        let claim = format!(
            "{{apiVersion: platform.bizmatters.io/v1alpha1, kind: EventDrivenService, metadata: \
                {{{metadata}}}, spec: {{image: \"r.example.com/w:1\", nats: {{stream: S, consumer: \
                c, {nats}}}, {spec}}}}}\n"
        );
        let documents = yaml::parse(&claim).documents;
        let errors = |findings: Vec<Finding>| -> Vec<String> {
            let errors = findings.into_iter().filter(|f| f.severity == Severity::Error);
            errors.map(|finding| finding.message).collect()
        };
        assert_eq!(errors(api.check_without_rules(&documents[0]).findings), [""; 0], "{claim}");
        let found = errors(api.check(&documents[0]).findings);
        assert_eq!(found.len(), 1, "{claim}: {found:?}");
        assert!(found[0].contains(expected), "{claim}: {found:?}");
        let rendered = eds(&["render", "-"], &claim);
        assert_eq!(rendered.status.code(), Some(1), "{claim}: {}", stdout(&rendered));
        assert_eq!(stdout(&rendered), "", "{claim}");
        // A rule with the same words may be in two places.
        let rule = rules.iter().position(|rule| rule.contains(expected));
        rules.remove(rule.unwrap_or_else(|| panic!("{expected} is said by no other rule")));
    };
    let plain = "name: w, namespace: shop";
    let long = format!("name: {}, namespace: shop", "a".repeat(57));
    check(&long, "", "", "characters, at most 56 are");
    check("name: w.x, namespace: shop", "", "", "must also be a Service's name");
    check("name: kubernetes, namespace: shop", "", "", "is a name of Kubernetes' own");
    check("name: w, namespace: kube-system", "", "", "is one of the system's");
    for (nats, spec, expected) in BROKEN {
        check(plain, nats, spec, expected);
    }
    assert!(rules.is_empty(), "no claim here breaks this rule: {rules:#?}");
}

/// Renders a claim given what `--required-resources` says is in the cluster: standard error holds
/// every text, and with any text nothing is composed.
#[track_caller]
fn check_beside(existing: &str, expect: &[&str]) {
    let file = std::env::temp_dir().join(format!("eds-beside-{}.yaml", std::process::id()));
    fs::write(&file, existing).unwrap();
    let output = eds(
        &["render", "examples/minimal-claim.yaml", "--required-resources", file.to_str().unwrap()],
        "",
    );
    fs::remove_file(file).unwrap();
    for text in expect {
        assert!(stderr(&output).contains(text), "{}", stderr(&output));
    }
    let refused = !expect.is_empty();
    assert_eq!(output.status.code(), Some(i32::from(refused)), "{}", stderr(&output));
    assert_eq!(stdout(&output).contains("kind: Deployment"), !refused, "{}", stdout(&output));
}

#[test]
fn what_the_claim_did_not_make_is_not_touched() {
    let service = |more: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: hello-worker\n  namespace: \
                workers\n{more}"
        )
    };
    check_beside(
        &service("  labels: {crossplane.io/claim-name: hello-worker}\n"),
        &[
            "nothing is composed: Service hello-worker in namespace workers",
            "platform.bizmatters.io/adopt=hello-worker",
        ],
    );
    check_beside(&service("  annotations: {platform.bizmatters.io/adopt: hello-worker}\n"), &[]);
    check_beside(
        &service(
            "  annotations: {platform.bizmatters.io/adopt: hello-worker}\nspec: {selector: {app: \
                hello}}\n",
        ),
        &["selects by app, which the claim's pods do not carry"],
    );
    check_beside(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: hello-worker, \
            namespace: workers}\n",
        &["HorizontalPodAutoscaler hello-worker in namespace workers"],
    );
}
