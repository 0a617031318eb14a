//! `eds render` gives what Crossplane gives: the same claim, the same Composition, the real engine
//! (`crossplane composition render`), the real function-patch-and-transform in step 1 and our
//! function in step 2, compared object for object.
//!
//! Without the real programs there is nothing to compare with; the test says so and passes, or
//! fails if `EDS_REQUIRE_ORACLE` is set to 1. `scripts/tools.sh` says where they are looked for.
//! The files of a failing case stay in the target directory, under `tmp/crossplane_render`.

#![cfg(test)]

mod both;
mod observed;
mod others;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube_schema::yaml;
use serde_json::{Value, json};

use both::{Both, Outcome, Variant};

/// Returns the API's directory.
fn platform() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platform/04-apis").canonicalize().unwrap()
}

/// Reads the documents of a YAML file as JSON.
fn documents(text: &str) -> Vec<Value> {
    let stream = yaml::parse(text);
    assert!(stream.problems.is_empty(), "{:?}\n{text}", stream.problems);
    stream.documents.iter().map(yaml::Node::to_json).collect()
}

fn read(path: &Path) -> Vec<Value> {
    documents(&fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// Returns the examples and the trap claims that have golden manifests; then the claims that are
/// refused.
fn claims() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let list = |folder: &str, ending: &str| -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = fs::read_dir(platform().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(ending))
            .collect();
        paths.sort();
        paths
    };
    let mut good = list("examples", ".yaml");
    let (composed, refused): (Vec<_>, Vec<_>) =
        list("tests/golden", ".claim.yaml").into_iter().partition(|path| {
            let name = path.to_string_lossy().replace(".claim.yaml", ".manifests.yaml");
            Path::new(&name).exists()
        });
    good.extend(composed);
    assert!(good.len() >= 12 && refused.len() >= 3, "claims are missing: {good:?} {refused:?}");
    (good, refused)
}

fn composition() -> Value {
    read(&platform().join("compositions/event-driven-service-composition.yaml")).remove(0)
}

/// Returns what `overlays/direct` makes of the Composition.
fn direct() -> Value {
    let mut direct = composition();
    direct["metadata"]["name"] = json!("event-driven-service-direct");
    direct["metadata"]["labels"]["platform.bizmatters.io/composes"] = json!("manifests");
    let input = direct["spec"]["pipeline"][1]["input"].as_object_mut().unwrap();
    assert!(input.remove("objects").is_some());
    direct
}

/// Returns what `overlays/namespaced` makes of the Composition.
fn namespaced() -> Value {
    let text = direct().to_string().replace("spec.claimRef.", "metadata.");
    let mut namespaced: Value = serde_json::from_str(&text).unwrap();
    namespaced["metadata"]["name"] = json!("event-driven-service-namespaced");
    namespaced["spec"]["compositeTypeRef"]["kind"] = json!("EventDrivenService");
    namespaced
}

fn xrd() -> Value {
    read(&platform().join("definitions/xeventdrivenservices.yaml")).remove(0)
}

/// Returns what `overlays/namespaced` makes of the XRD.
fn namespaced_xrd() -> Value {
    let mut xrd = xrd();
    xrd["apiVersion"] = json!("apiextensions.crossplane.io/v2");
    xrd["metadata"]["name"] = json!("eventdrivenservices.platform.bizmatters.io");
    let spec = xrd["spec"].as_object_mut().unwrap();
    let names = spec.remove("claimNames").unwrap();
    spec.insert("names".to_owned(), names);
    spec.insert("scope".to_owned(), json!("Namespaced"));
    spec.remove("defaultCompositeDeletePolicy").unwrap();
    spec["defaultCompositionRef"]["name"] = json!("event-driven-service-namespaced");
    xrd
}

#[test]
fn what_is_compared_is_what_the_overlays_make() {
    let check = |overlay: &str, expected: &[Value]| {
        let overlay = platform().join("overlays").join(overlay);
        let built = Command::new("kubectl").arg("kustomize").arg(&overlay).output();
        let Ok(built) = built else {
            let overlay = overlay.display();
            say(&format!("crossplane_render: no kubectl on the PATH, {overlay} is NOT CHECKED"));
            return;
        };
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let built = documents(&String::from_utf8(built.stdout).unwrap());
        for expected in expected {
            let of_kind = built.iter().filter(|found| found["kind"] == expected["kind"]);
            assert_eq!(of_kind.collect::<Vec<_>>(), [expected]);
        }
    };
    check("direct", &[direct()]);
    check("namespaced", &[namespaced(), namespaced_xrd()]);
}

/// Writes to standard error past the capturing of test output: a skipped test must be seen.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn eds_render_gives_what_crossplane_gives() {
    let both = match Both::start() {
        Ok(both) => both,
        Err(why) if std::env::var_os("EDS_REQUIRE_ORACLE").is_some_and(|v| v == "1") => {
            panic!("EDS_REQUIRE_ORACLE is set, but the real Crossplane is not here: {why}")
        }
        Err(why) => {
            say(&format!("crossplane_render: SKIPPED, NOTHING WAS COMPARED: {why}"));
            return;
        }
    };
    let (good, refused) = claims();
    let mut cases: Vec<Case> = Vec::new();
    for claim in &good {
        for variant in Variant::ALL {
            cases.push(Case { claim, variant, scene: None, refused: false });
        }
    }
    for claim in &refused {
        for variant in [Variant::Objects, Variant::Namespaced] {
            cases.push(Case { claim, variant, scene: None, refused: true });
        }
    }
    let scenes = observed::scenes();
    let minimal = good.iter().find(|path| path.ends_with("minimal-claim.yaml")).unwrap();
    for scene in &scenes {
        for variant in [Variant::Objects, Variant::Direct, Variant::Namespaced] {
            cases.push(Case { claim: minimal, variant, scene: Some(scene), refused: false });
        }
    }

    // Two at a time: each case starts processes that mostly wait for each other.
    let next = AtomicUsize::new(0);
    let failures: Vec<String> = std::thread::scope(|threads| {
        let worker = || {
            let mut failures = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(why) = case.run(&both) {
                    failures.push(format!("{}: {why}", case.name()));
                }
            }
            failures
        };
        let both = [threads.spawn(worker), threads.spawn(worker)];
        both.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (failed, all) = (failures.len(), cases.len());
    assert!(failures.is_empty(), "{failed} of {all} cases differ\n{}", failures.join("\n"));
    let others = others::compare(&both).unwrap();
    assert!(others >= 9, "only {others} Compositions of others");
    let all = all + others;
    say(&format!("crossplane_render: {all} renderings equal to Crossplane's"));
}

struct Case<'a> {
    claim: &'a Path,
    variant: Variant,
    scene: Option<&'a observed::Scene>,
    /// Whether both must refuse the claim, with the same sentence.
    refused: bool,
}

impl Case<'_> {
    fn name(&self) -> String {
        let claim = self.claim.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let claim = claim.trim_end_matches(".yaml").replace(['.', '-'], "_");
        let scene = self.scene.map_or("new", |scene| scene.name);
        format!("{claim}.{:?}.{scene}", self.variant).to_lowercase()
    }

    fn run(&self, both: &Both) -> Result<(), String> {
        let mut work = both.case(&self.name(), self.claim, self.variant);
        if self.refused {
            return work.both_refuse();
        }
        if let Some(scene) = self.scene {
            // What already exists is what was composed at first, with a status.
            let first = work.eds("objects")?;
            work.observe(&scene.observed(&first), &scene.pods);
        }
        let outcome = work.both_render()?;
        if let Some(scene) = self.scene {
            check_scene(scene, self.variant, &outcome)?;
        }
        Ok(())
    }
}

/// Checks that the scene means what its name says: our condition on the composite has the expected
/// reason.
fn check_scene(scene: &observed::Scene, variant: Variant, outcome: &Outcome) -> Result<(), String> {
    let conditions = outcome.composite["status"]["conditions"].as_array();
    let ours = conditions.into_iter().flatten().find(|c| c["type"] == "WorkerAvailable");
    let reason = ours.map_or(&Value::Null, |c| &c["reason"]);
    let expected = if variant.is_direct() { scene.reason_direct } else { scene.reason };
    if reason == expected {
        return Ok(());
    }
    Err(format!("the reason is {reason}, not {expected:?}"))
}
