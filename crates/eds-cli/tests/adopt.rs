//! `eds adopt` as a person runs it: manifests as found in repositories, each with the claim and the
//! report that it must give.
//!
//! `platform/04-apis/tests/fixtures/adopt/X.yaml` (or a directory `X`) has its claim in
//! `X.claim.txt` and its report in `X.report.txt`. Rewrite them with
//! `EDS_UPDATE_GOLDEN=1 cargo test -p eds-cli --test adopt`.

#![cfg(test)]

mod golden;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use golden::eds;
use kube_schema::yaml;
use serde_json::Value;

fn fixtures() -> PathBuf {
    let path = "../../platform/04-apis/tests/fixtures/adopt";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).canonicalize().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Returns the manifests of every set, and their names.
fn sets() -> Vec<(String, String)> {
    let entries = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap());
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".txt")).collect();
    names.sort();
    names.into_iter().map(|name| (name.split('.').next().unwrap().to_owned(), name)).collect()
}

#[test]
fn every_set_gives_its_claim_and_report() {
    let sets = sets();
    assert!(sets.len() >= 20, "only {} sets", sets.len());
    for (name, file) in sets {
        let output = eds(&fixtures(), &["adopt", &file], "");
        golden::check(&fixtures().join(format!("{name}.claim.txt")), text(&output.stdout));
        golden::check(&fixtures().join(format!("{name}.report.txt")), text(&output.stderr));
        let lost =
            text(&output.stderr).contains("\nLost") || text(&output.stderr).contains("no claim:");
        let invalid = text(&output.stderr).contains("the claim is not valid");
        assert_eq!(output.status.code(), Some(i32::from(lost || invalid)), "{name}");
    }
}

#[test]
fn what_is_written_passes_validation_or_the_report_says_why_not() {
    for (name, file) in sets() {
        let output = eds(&fixtures(), &["adopt", "--report", "json", &file], "");
        let report: Value = serde_json::from_slice(&output.stderr).unwrap();
        let workers = report["workers"].as_array().unwrap();
        let wrong = workers.iter().any(|w| w["valid"] == false && w["refused"].is_null());
        let judged = eds(&fixtures(), &["validate", "-"], text(&output.stdout));
        assert_eq!(
            judged.status.code(),
            Some(i32::from(wrong)),
            "{name}: {}",
            text(&judged.stdout)
        );
        for worker in workers.iter().filter(|w| w["valid"] == false && w["refused"].is_null()) {
            assert!(!worker["findings"].as_array().unwrap().is_empty(), "{name}");
        }
    }
}

/// Collects every leaf of a value, as JSON pointers.
fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                leaves(value, format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (i, value) in items.iter().enumerate() {
                leaves(value, format!("{at}/{i}"), found);
            }
        }
        _ => found.push(at),
    }
}

#[test]
fn the_reports_fields_are_the_manifests_leaves() {
    for (name, file) in sets() {
        let output = eds(&fixtures(), &["adopt", "--report", "json", &file], "");
        let report: Value = serde_json::from_slice(&output.stderr).unwrap();
        let fields = report["fields"].as_array().unwrap();
        let key = |kind: &str, name: &str, pointer: &str| format!("{kind} {name} {pointer}");
        let mut reported: Vec<String> = fields
            .iter()
            .filter(|field| field["kind"] != "added")
            .map(|field| {
                let part = |part: &str| field["object"][part].as_str().unwrap();
                key(part("kind"), part("name"), field["pointer"].as_str().unwrap())
            })
            .collect();
        let path = fixtures().join(&file);
        let files = match path.is_dir() {
            true => fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()).collect(),
            false => vec![path],
        };
        let mut given = Vec::new();
        for file in files {
            for document in yaml::parse(&fs::read_to_string(file).unwrap()).documents {
                let mut value = document.to_json();
                let items =
                    value.as_object_mut().and_then(|o| o.remove("items")).unwrap_or_default();
                let items = items.as_array().cloned().unwrap_or_default();
                for object in std::iter::once(value).chain(items) {
                    let Some(kind) = object["kind"].as_str() else { continue };
                    let mut found = Vec::new();
                    leaves(&object, String::new(), &mut found);
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    given.extend(found.iter().map(|pointer| key(kind, name, pointer)));
                }
            }
        }
        reported.sort();
        given.sort();
        assert_eq!(reported, given, "{name}");
    }
}

#[test]
fn no_secret_is_printed() {
    for (name, file) in sets() {
        for format in ["text", "json"] {
            let output = eds(&fixtures(), &["adopt", "--report", format, &file], "");
            for secret in ["hunter2", "aHVudGVyMg", "swordfish", "s3cr3t", "not-for-anybody"] {
                let printed =
                    [&output.stdout, &output.stderr].map(|bytes| text(bytes).contains(secret));
                assert_eq!(printed, [false, false], "{name}: {secret}");
            }
        }
    }
}

#[test]
fn a_field_names_its_line_and_what_to_do() {
    const WORKING_DIR: &str = "spec.template.spec.containers[1].workingDir";
    let output = eds(&fixtures(), &["adopt", "--report", "json", "sidecar-volumes.yaml"], "");
    let report: Value = serde_json::from_slice(&output.stderr).unwrap();
    let source = fs::read_to_string(fixtures().join("sidecar-volumes.yaml")).unwrap();
    let fields = report["fields"].as_array().unwrap();
    let lost = fields.iter().find(|field| field["path"] == WORKING_DIR).unwrap();
    assert_eq!(lost["kind"], "lost");
    let line = usize::try_from(lost["line"].as_u64().unwrap()).unwrap();
    assert!(source.lines().nth(line - 1).unwrap().contains("/srv"), "{lost}");
    assert!(lost["why"].as_str().unwrap().contains("working directory"), "{lost}");
    let kinds: BTreeSet<&str> =
        fields.iter().map(|field| field["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["added", "kept", "lost", "replaced"].into());
    for field in fields {
        let has = |key: &str| field[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(has("why") || field["kind"] == "kept", "{field}");
    }
}

#[track_caller]
fn check_refused(args: &[&str], stdin: &str, says: &[&str]) {
    let output = eds(&std::env::temp_dir(), args, stdin);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
    for part in says {
        assert!(text(&output.stderr).contains(part), "{part}: {}", text(&output.stderr));
    }
}

#[test]
fn bad_input_has_a_place_and_a_fix() {
    let worker = fs::read_to_string(fixtures().join("keda-nats.yaml")).unwrap();
    check_refused(&["adopt", "-"], "a: [", &["<stdin>:", "cannot be read"]);
    check_refused(
        &["adopt", "-"],
        "{{ if .Values.x }}\nkind: Deployment\n{{ end }}\n",
        &["<stdin>:", "helm template"],
    );
    check_refused(
        &["adopt", "-"],
        &format!("{worker}---\nreplicas: 3\n"),
        &["is not a Kubernetes object"],
    );
    check_refused(
        &["adopt", "-"],
        "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n",
        &["no worker among 1"],
    );
    check_refused(
        &["adopt", "-"],
        "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: {name: \
            x}\n",
        &["x (<stdin>) is a claim already", "eds validate"],
    );
    check_refused(
        &["adopt", "-"],
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [x.yaml]\n",
        &["among 1 object:", "kubectl kustomize"],
    );
    check_refused(&["adopt", "nowhere.yaml"], "", &["nowhere.yaml"]);
    check_refused(&["adopt", "-"], "", &["no worker among 0"]);
}

#[test]
fn nothing_of_the_manifests_is_obeyed() {
    let hostile = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: x\n  annotations: \
        {\"a\\e[31m\\nb\": \"\\e]0;t\\a\\u202e\"}\nspec:\n  template:\n    spec:\n      \
        containers:\n      - name: main\n        image: \"i\\n::error::x\"\n        env: [{name: \
        NATS_URL, value: \"nats://h\\e[2J:4222\"}, {name: \"A\\nB\", value: \"\\e[1m\"}]\n";
    for format in ["text", "json"] {
        let output = eds(&fixtures(), &["adopt", "--report", format, "-"], hostile);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        for bytes in [&output.stdout, &output.stderr] {
            let bad =
                text(bytes).chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
            assert_eq!(bad, None, "{}", text(bytes));
            assert!(!text(bytes).lines().any(|line| line.starts_with("::")), "{}", text(bytes));
        }
    }
}

/// Enough to be slow if anything is quadratic.
#[test]
fn large_and_hostile_manifests_end_soon() {
    let many = |n: usize, item: &dyn Fn(usize) -> String| (0..n).map(item).collect::<String>();
    let deployment = |env: &str, labels: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x, labels: {{a: \
                b{labels}}}}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: \
                main\n        image: i\n        env: [{{name: NATS_URL, value: nats://h}}{env}]\n"
        )
    };
    let env = many(4_000, &|i| format!(", {{name: V{i}, value: x}}"));
    let labels = many(6_000, &|i| format!(", l{i}: x"));
    let others = many(3_000, &|i| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{i}}}\nspec: {{selector: {{a: \
                b}}}}\n"
        )
    });
    let workloads =
        many(600, &|i| deployment("", "").replace("name: x", &format!("name: w{i}")) + "---\n");
    // Paths of 180 steps: for 150 leaves, and for more than are reported.
    let deep = |n: usize| {
        let chain: String = (0..180).map(|_| "{a: ").collect();
        let leaves = many(n, &|i| format!("k{i}: x, "));
        let end: String = (0..180).map(|_| "}").collect();
        deployment("", "") + &format!("x: {chain}{{{leaves}}}{end}\n")
    };
    for (input, code) in [
        (deep(150), 1),
        (deep(20_000), 2),
        (deployment(&env, ""), 1),
        (deployment("", &labels), 1),
        (deployment("", "") + &others, 1),
        (workloads, 2),
    ] {
        let output = eds(&fixtures(), &["adopt", "-"], &input);
        let said: String = text(&output.stderr).chars().take(300).collect();
        assert_eq!(output.status.code(), Some(code), "{said}");
    }
}
