//! `eds diff` as a person runs it: a claim compared with manifests and with its past.

#![cfg(test)]

mod scratch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scratch::Repository;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn eds(directory: &Path, args: &[&str]) -> Output {
    let mut eds = Command::new(env!("CARGO_BIN_EXE_eds"));
    eds.args(args).current_dir(directory).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const CLAIM: &str = "platform/04-apis/examples/full-claim.yaml";
const MANIFESTS: &str = "platform/04-apis/tests/golden/full.manifests.yaml";

/// Replaces one text in the example's own manifests, and checks what is said about them.
#[track_caller]
fn check(name: &str, replace: [&str; 2], says: &[&str], code: i32) {
    let scratch = Repository::new(&format!("diff-{name}"));
    let manifests = fs::read_to_string(root().join(MANIFESTS)).unwrap();
    assert!(manifests.contains(replace[0]), "{}", replace[0]);
    let file = scratch.outside("manifests.yaml");
    fs::write(&file, manifests.replacen(replace[0], replace[1], 1)).unwrap();
    let output = eds(&root(), &["diff", CLAIM, "--against", file.to_str().unwrap()]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{said}{}", text(&output.stderr));
    let mut rest = said;
    for part in says {
        let (_, after) =
            rest.split_once(part).unwrap_or_else(|| panic!("{part:?} is not in {said}"));
        rest = after;
    }
    assert_eq!(said.is_empty(), says.is_empty(), "{said}");
}

#[test]
fn beside_manifests() {
    check("same", ["cpu: 500m", "cpu: 0.5"], &[], 0);
    check("default", ["\n    protocol: TCP\n", "\n"], &[], 0);
    check(
        "server",
        [
            "  name: order-processor\n",
            "  name: order-processor\n  uid: x\n  managedFields: [{manager: y}]\n",
        ],
        &[],
        0,
    );
    check(
        "image",
        ["order-processor:v2.3.1", "order-processor:v2.3.0"],
        &[
            "Deployment workers/order-processor changes, and its pods start again\n",
            "containers[0].image  [restarts pods]\n  - \
                \"registry.example.com:5000/orders/order-processor:v2.3.0\"\n  + \"registry",
        ],
        1,
    );
    check(
        "selector",
        ["    matchLabels:\n", "    matchLabels:\n      app: x\n"],
        &[
            "has to be made again",
            "spec.selector.matchLabels.app  [cannot be changed]\n  - \"x\"\n",
        ],
        1,
    );
    check(
        "rename",
        ["name: order-processor-scaler", "name: orders"],
        &["ScaledObject workers/orders is replaced by order-processor-scaler; whoever made the \
                old one deletes it"],
        1,
    );
    check(
        "scaling",
        ["maxReplicaCount: 20", "maxReplicaCount: 5"],
        &["ScaledObject", "  - 5\n  + 20\n"],
        1,
    );
    check(
        "password",
        ["value: info", "value: \"postgres://u:hunter2@h/x\""],
        &["  - \"***\"\n  + \"info\"\n"],
        1,
    );
    check(
        "other",
        ["kind: Service\n", "kind: Ingress\n"],
        &["Service workers/order-processor is made"],
        1,
    );
}

/// What the claim makes no longer is deleted, and what is left beside it is said.
#[test]
fn what_the_claim_makes_none_of() {
    let scratch = Repository::new("diff-left");
    let claim = |more: &str| {
        format!(
            "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: \
                {{name: w, namespace: shop}}\nspec:\n  image: r/w:1\n  nats: {{stream: S, \
                consumer: c}}\n{more}"
        )
    };
    let old = scratch.outside("old.yaml");
    let whole =
        "  disruptionBudget: {maxUnavailable: 1}\n  secretRefs: [{name: s, envFrom: true}]\n";
    fs::write(&old, claim(whole)).unwrap();
    let rendered = eds(&root(), &["render", old.to_str().unwrap()]);
    let manifests = scratch.outside("manifests.yaml");
    let others = "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: other, \
        namespace: shop}\nspec: {selector: {matchLabels: {app.kubernetes.io/name: w}}}\n";
    fs::write(&manifests, text(&rendered.stdout).to_owned() + others).unwrap();
    let diff = |more: &str| {
        let new = scratch.outside("new.yaml");
        fs::write(&new, claim(more)).unwrap();
        let args = ["diff", new.to_str().unwrap(), "--against", manifests.to_str().unwrap()];
        let output = eds(&root(), &args);
        (text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
    };
    let (said, summary) = diff(whole);
    assert_eq!(
        said,
        "note: PodDisruptionBudget shop/other selects the worker's pods, and the claim makes none: \
            it stays as it is until somebody deletes it\n"
    );
    assert!(summary.ends_with("the same\n"), "{summary}");
    let (said, summary) = diff("  secretRefs: [{name: s, envFrom: true}]\n");
    assert!(said.contains("\nPodDisruptionBudget shop/w is deleted\n"), "{said}");
    assert!(summary.ends_with("eds: 1 object is deleted\n"), "{summary}");
    let (said, summary) = diff(&format!("{whole}  health: {{http: false}}\n"));
    assert!(said.contains("Service shop/w is deleted\n"), "{said}");
    assert!(summary.contains("fields differ; 1 object is deleted"), "{summary}");
    // The annotation that only the cluster can fill in.
    let (said, summary) = diff(&format!("{whole}  rollout: {{restartOnSecretChange: true}}\n"));
    assert!(said.contains("note: spec.rollout.restartOnSecretChange is on: the pods"), "{said}");
    assert!(said.contains("secrets-version]  [restarts pods]\n"), "{said}");
    assert!(summary.contains("1 field differs, each for a reason"), "{summary}");
}

#[test]
fn beside_what_it_was() {
    let scratch = Repository::new("diff-revision");
    scratch.init();
    let claim = fs::read_to_string(root().join(CLAIM)).unwrap();
    scratch.write("claim.yaml", &claim).commit();
    let here = scratch.path("");
    let diff = |expected: i32| {
        let output = eds(&here, &["diff", "claim.yaml", "--against", "HEAD", "--output", "json"]);
        assert_eq!(output.status.code(), Some(expected), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(diff(0)["summary"]["same"], true);
    scratch.write("claim.yaml", claim.replace("maxReplicas: 20", "maxReplicas: 4"));
    let lower = diff(1);
    assert_eq!(lower["objects"][3]["changes"][0]["path"], "spec.maxReplicaCount");
    assert_eq!(lower["summary"]["restartsPods"], false);
    // What `eds validate --against` knows.
    assert!(lower["notes"][0].as_str().unwrap().contains("pods above it are stopped"), "{lower}");
    scratch.write("claim.yaml", claim.replacen("name: order-processor", "name: orders", 1));
    let renamed = diff(1);
    assert_eq!(renamed["summary"]["renames"], 4, "{renamed}");
    scratch.write("claim.yaml", claim.replace("size: medium", "size: enormous"));
    let output = eds(&here, &["diff", "claim.yaml", "--against", "HEAD"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("claim.yaml:10:9"), "{}", text(&output.stderr));
    scratch.write("claim.yaml", &claim);
    let output = eds(&here, &["diff", "claim.yaml", "--against", "no-such-thing"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("neither a file nor a revision"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn what_is_in_no_repository_was_nothing() {
    let scratch = Repository::new("diff-outside");
    scratch.init();
    scratch.write("other.yaml", "a: b\n").commit();
    let outside = scratch.outside("claim.yaml");
    fs::copy(root().join(CLAIM), &outside).unwrap();
    let diff = |claim: &str| eds(&scratch.path(""), &["diff", claim, "--against", "HEAD"]);
    let output = diff(outside.to_str().unwrap());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is in no git repository"), "{}", text(&output.stderr));
    // A new claim is created.
    scratch.write("claim.yaml", fs::read(root().join(CLAIM)).unwrap());
    let output = diff("claim.yaml");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("Deployment workers/order-processor is made"));
}

/// Checks out the example and its manifests, and a small claim with a variable that refers to
/// another; `HEAD` has the example in `claim.yaml` and the small one in `small.yaml`.
fn checkout(name: &str) -> Repository {
    const SMALL: &str = "apiVersion: platform.bizmatters.io/v1alpha1\nkind: \
        EventDrivenService\nmetadata: {name: ref, namespace: shop}\nspec:\n  image: a/b:1\n  nats: \
        {stream: S, consumer: c}\n  env: [{name: HOST, value: db}, {name: DSN, value: \
        \"pg://$(HOST)/x\"}]\n";
    let scratch = Repository::new(name);
    scratch.init();
    scratch.write("claim.yaml", fs::read(root().join(CLAIM)).unwrap());
    scratch.write("small.yaml", SMALL).commit();
    scratch.git(&["tag", "v1"]);
    let rendered = eds(&scratch.path(""), &["render", "small.yaml"]);
    let rendered = text(&rendered.stdout);
    scratch.write("small.out", rendered);
    let (host, dsn) = (
        "        - name: HOST\n          value: db\n",
        "        - name: DSN\n          value: pg://$(HOST)/x\n",
    );
    let swapped = rendered.replace(&[host, dsn].concat(), &[dsn, host].concat());
    assert_ne!(rendered, swapped);
    scratch.write("swapped.out", swapped);
    scratch.write("escaped.out", rendered.replace("$(HOST)", "$$(HOST)"));
    let more = |field: &str| {
        rendered.replace("        image: a/b:1\n", &format!("        image: a/b:1\n{field}"))
    };
    scratch.write("mount.out", more("        volumeMounts: [{name: a, mountPath: /b}]\n"));
    scratch.write("args.out", more("        args: [--quick]\n"));
    scratch.write(
        "variable.out",
        rendered.replace(host, &format!("{host}        - name: GONE\n          value: x\n")),
    );
    scratch.write("label.out", rendered.replace("\n  labels:\n", "\n  labels:\n    team: a\n"));
    let service = rendered.split("---\n").find(|part| part.contains("kind: Deployment")).unwrap();
    let elsewhere = service.replace("namespace: shop", "namespace: other");
    scratch.write("elsewhere.out", rendered.replace(service, &elsewhere));
    scratch.write("empty.out", "").write("other.yaml", "not: an object\n");
    scratch
}

/// What is compared with what, as a person names it.
#[test]
fn what_is_compared() {
    let scratch = checkout("diff-compared");
    let here = scratch.path("");
    let check = |args: &str, code: i32, says: &[&str], not: &[&str]| {
        let all: Vec<&str> = ["diff"].into_iter().chain(args.split(' ')).collect();
        let output = eds(&here, &all);
        let said = [text(&output.stdout), text(&output.stderr)].concat();
        assert_eq!(output.status.code(), Some(code), "{args}: {said}");
        says.iter()
            .for_each(|part| assert!(said.contains(part), "{args}: {part:?} is not in {said}"));
        not.iter().for_each(|part| assert!(!said.contains(part), "{args}: {part:?} is in {said}"));
    };
    check("small.yaml --against small.out", 0, &["the same"], &[]);
    // The order of variables, if a value refers to another.
    check(
        "small.yaml --against swapped.out",
        1,
        &[
            "containers[0].env  [restarts pods]\n  - [\"DSN\",\"HOST\"]\n  + [\"HOST\",\"DSN\"]",
            "fills in $(NAME) only",
        ],
        &[],
    );
    check("small.yaml --against escaped.out", 1, &["$$(HOST)"], &["fills in"]);
    // An object in another namespace is another object.
    check(
        "small.yaml --against elsewhere.out",
        1,
        &[
            "Deployment shop/ref is made",
            "Deployment other/ref stands in another namespace",
            "and stays",
        ],
        &["ref changes", "Service shop/ref is made"],
    );
    // Nothing to compare with.
    check(
        "small.yaml --against small.yaml",
        2,
        &["holds EventDrivenService alone", "eds render"],
        &["is made"],
    );
    check(
        "small.yaml --against empty.out",
        2,
        &["holds no object of Kubernetes", "--live"],
        &["is made"],
    );
    check("small.yaml --against /dev/null", 2, &["holds no object of Kubernetes"], &["is made"]);
    check("small.yaml --against other.yaml", 2, &["eds diff CLAIM --against -"], &["eds adopt"]);
    check("other.yaml --against small.out", 2, &["other.yaml: "], &["eds adopt"]);
    check("small.yaml --against small.yaml --against small.out", 0, &["passed over 1 claim"], &[]);
    // The same claim twice, and directories.
    check("small.yaml ./small.yaml --against small.out", 0, &["the same"], &[]);
    scratch.write("again/small.yaml", fs::read(scratch.path("small.yaml")).unwrap());
    check(
        "small.yaml again --against small.out",
        2,
        &["claim shop/ref stands in small.yaml and in again/small.yaml: name it once"],
        &[],
    );
    check("again --against small.out", 0, &["the same"], &[]);
    fs::remove_dir_all(scratch.path("again")).unwrap();
    check(". --against HEAD", 0, &["compared with HEAD", "the same"], &[]);
    // What the worker loses is not explained by its reason.
    check(
        "small.yaml --explained --against label.out",
        0,
        &["each for a reason that is known"],
        &["not explained"],
    );
    for lost in ["mount", "args", "variable", "swapped"] {
        let args = format!("small.yaml --explained --against {lost}.out");
        check(
            &args,
            1,
            &["eds: not explained: Deployment shop/ref: spec.template.spec.containers[0]"],
            &[],
        );
    }
    // Objects are told apart if there are several of a kind.
    check(
        "small.yaml claim.yaml -o markdown --against small.out",
        1,
        &[
            "- ServiceAccount shop/ref, 9 fields: `apiVersion`",
            "| ServiceAccount workers/order-processor |",
        ],
        &[", 1 fields", "``"],
    );
    check("small.yaml -o markdown --against swapped.out", 1, &["- Service, "], &["Service shop"]);
    // A file with a revision's name comes first, and the output says so.
    scratch.write("v1", fs::read(scratch.path("small.out")).unwrap());
    check("small.yaml --against v1", 0, &["v1 is a file here and a revision of git"], &[]);
    check("small.yaml --against v1^0", 0, &["compared with v1^0 ("], &["a file here"]);
    check("small.yaml --against small.out", 0, &[], &["a file here"]);
    // The claim's own repository counts, not the working directory's.
    let path = scratch.path("small.yaml");
    let output = eds(&scratch.outside(""), &["diff", path.to_str().unwrap(), "--against", "HEAD"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // A claim is the same by its namespace and name, whatever file it was and is in.
    scratch.git(&["mv", "claim.yaml", "moved.yaml"]);
    check(
        "moved.yaml --against HEAD",
        0,
        &["claim workers/order-processor stood in claim.yaml then"],
        &["is made"],
    );
    check(". --against HEAD", 0, &["the same"], &["is made", "is deleted"]);
    let both = [
        fs::read(scratch.path("small.yaml")).unwrap(),
        b"---\n".to_vec(),
        fs::read(scratch.path("moved.yaml")).unwrap(),
    ];
    scratch.write("moved.yaml", both.concat()).write("small.yaml", "a: b\n");
    check(
        "moved.yaml --against HEAD",
        0,
        &["claim shop/ref stood in small.yaml then", "the same"],
        &[],
    );
    scratch.write("small.yaml", &both[0]).write("moved.yaml", &both[0]);
    fs::remove_file(scratch.path("moved.yaml")).unwrap();
    check(". --against HEAD", 1, &["Deployment workers/order-processor is deleted"], &["is made"]);
    check(
        ". --explained --against HEAD",
        1,
        &["not explained: Deployment workers/order-processor is deleted"],
        &[],
    );
}

/// What `eds adopt` writes becomes what it was made from, except for what its report says.
#[test]
fn adopt_and_diff_agree() {
    let fixtures = root().join("platform/04-apis/tests/fixtures/adopt");
    for file in ["keda-nats.yaml", "ours-already.yaml", "no-autoscaling.yaml", "live.yaml"] {
        let adopted = eds(&fixtures, &["adopt", "--report", "json", file]);
        let report: Value = serde_json::from_slice(&adopted.stderr).unwrap();
        let scratch = Repository::new("diff-adopted");
        scratch.write("claim.yaml", &adopted.stdout);
        let claim = scratch.path("claim.yaml");
        let diff = eds(
            &fixtures,
            &["diff", claim.to_str().unwrap(), "--against", file, "--output", "json"],
        );
        let diff: Value = serde_json::from_slice(&diff.stdout).unwrap();
        let mut changed: Vec<(String, String)> = Vec::new();
        for object in diff["objects"].as_array().unwrap() {
            let changes =
                object["changes"].as_array().unwrap().iter().filter(|c| !c["before"].is_null());
            let kind = object["kind"].as_str().unwrap().to_owned();
            changed
                .extend(changes.map(|c| (kind.clone(), c["pointer"].as_str().unwrap().to_owned())));
        }
        let told = report["fields"].as_array().unwrap().iter();
        let told = told.filter(|f| matches!(f["kind"].as_str(), Some("lost" | "replaced")));
        let mut told: Vec<(String, String)> = told
            .map(|f| {
                [&f["object"]["kind"], &f["pointer"]].map(|v| v.as_str().unwrap().to_owned()).into()
            })
            // KEDA owns the number of pods; nobody else changes it.
            .filter(|(_, pointer): &(String, String)| pointer != "/spec/replicas")
            .collect();
        changed.sort();
        told.sort();
        assert_eq!(changed, told, "{file}");
    }
}

fn migration(direct: &Path, args: &[&str]) -> Output {
    let script = root().join("platform/04-apis/tests/test-agent-executor-migration.sh");
    let mut bash = Command::new(script);
    bash.args(args).current_dir("/").env("DIRECT", direct).env("EDS", env!("CARGO_BIN_EXE_eds"));
    bash.output().unwrap()
}

#[test]
fn each_difference_of_agent_executor_has_its_reason() {
    let direct = root().join("platform/04-apis/tests/fixtures/direct");
    let output = migration(&direct, &[]);
    let table = text(&output.stdout);
    assert!(output.status.success(), "{table}{}", text(&output.stderr));
    for same in [
        "containers[].image",
        "containers[].resources",
        "containers[].env",
        "containers[].envFrom",
        "containers[].livenessProbe",
        "containers[].readinessProbe",
        "initContainers[].command",
        "initContainers[].args",
        "imagePullSecrets",
        "spec.triggers",
    ] {
        assert!(table.contains(&format!("`{same}`")), "{same} differs: {table}");
    }
    // The page has the same table.
    let page = root().join("platform/04-apis/docs/differences.md");
    let shown = fs::read_to_string(&page).unwrap();
    let (begin, end) = ("<!-- differences -->\n", "<!-- /differences -->");
    let (before, rest) = shown.split_once(begin).unwrap();
    let (between, after) = rest.split_once(end).unwrap();
    let wanted = format!("\n{table}\n");
    if std::env::var_os("EDS_UPDATE_GOLDEN").is_some() {
        fs::write(page, [before, begin, &wanted, end, after].concat()).unwrap();
        return;
    }
    assert_eq!(between, wanted, "EDS_UPDATE_GOLDEN=1 cargo test -p eds-cli --test diff writes it");
}

#[test]
fn a_difference_without_a_reason_fails() {
    let direct = root().join("platform/04-apis/tests/fixtures/direct");
    let scratch = Repository::new("diff-direct");
    for file in fs::read_dir(direct).unwrap() {
        let file = file.unwrap();
        let mut manifest = fs::read_to_string(file.path()).unwrap();
        if file.file_name() == "deployment.yaml" {
            manifest = manifest.replace("  replicas: 1\n", "  replicas: 1\n  somethingNew: 5\n");
        }
        scratch.write(file.file_name().to_str().unwrap(), manifest);
    }
    let output = migration(&scratch.path(""), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(
        text(&output.stdout).contains("`spec.somethingNew`: 5 → - | **no reason is known**"),
        "{}",
        text(&output.stdout)
    );
}

/// What a claim becomes, adopted, gives a claim that becomes the same.
#[test]
fn there_and_back_again() {
    let golden = root().join("platform/04-apis/tests/golden");
    let entries = fs::read_dir(&golden).unwrap().map(|entry| entry.unwrap().path());
    let sets: Vec<PathBuf> =
        entries.filter(|path| path.to_str().unwrap().ends_with(".manifests.yaml")).collect();
    assert!(sets.len() > 10, "{sets:?}");
    for set in sets {
        let adopted = eds(&golden, &["adopt", set.to_str().unwrap()]);
        let report = text(&adopted.stderr);
        assert_eq!(adopted.status.code(), Some(0), "{}: {report}", set.display());
        assert!(
            !report.contains("\nReplaced") && !report.contains("\nAdded"),
            "{}: {report}",
            set.display()
        );
        let scratch = Repository::new("diff-back");
        scratch.write("claim.yaml", &adopted.stdout);
        let claim = scratch.path("claim.yaml");
        let same =
            eds(&golden, &["diff", claim.to_str().unwrap(), "--against", set.to_str().unwrap()]);
        assert_eq!(same.status.code(), Some(0), "{}: {}", set.display(), text(&same.stdout));
    }
}
