//! `eds verify composition`: the committed Composition, live, as Crossplane accepts it.

use eds_verify::composition::{CompositionFacts, report};
use kube_schema::yaml;
use serde_json::{Value, json};

use super::{at, conditions, package, remove, revision, says};

const COMPOSITION: &str =
    include_str!("../../../../platform/04-apis/compositions/event-driven-service-composition.yaml");
const XRD: &str =
    include_str!("../../../../platform/04-apis/definitions/xeventdrivenservices.yaml");
const FUNCTIONS: [&str; 2] = ["function-patch-and-transform", "function-event-driven-service"];

fn read(text: &str) -> Value {
    yaml::parse(text).documents[0].to_json()
}

/// The Composition, its functions and their pods, all well.
fn well() -> CompositionFacts {
    let composition = read(COMPOSITION);
    let pod = |name: &str| {
        let labels = json!({"pkg.crossplane.io/revision": format!("{name}-1")});
        json!({
            "metadata": {"name": format!("{name}-pod"), "labels": labels},
            "status": {"conditions": conditions(&["Ready"])},
        })
    };
    let revision_of = |name: &str| {
        json!({
            "metadata": {"name": format!("{name}-1")},
            "status": {"conditions": conditions(&["RevisionHealthy", "RuntimeHealthy"])},
        })
    };
    CompositionFacts {
        compositions: vec![composition.clone()],
        revisions: vec![revision(&composition)],
        xrd: Some(read(XRD)),
        functions: FUNCTIONS.map(package).to_vec(),
        function_revisions: FUNCTIONS.map(revision_of).to_vec(),
        pods: FUNCTIONS.map(pod).to_vec(),
        built_in: composition,
        ..CompositionFacts::default()
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut CompositionFacts), expected: &[&str]) {
    let mut facts = well();
    change(&mut facts);
    says(&report(&facts, None), expected);
}

/// Changes the live Composition and its revision alike, as Crossplane would.
fn both(facts: &mut CompositionFacts, change: impl Fn(&mut Value)) {
    change(&mut facts.compositions[0]);
    facts.revisions[0]["spec"]["pipeline"] = facts.compositions[0]["spec"]["pipeline"].clone();
}

#[test]
fn the_committed_one_is_well() {
    check(|_| {}, &[]);
    let names: Vec<String> = report(&well(), None)
        .sections
        .iter()
        .find(|s| s.title == "Resource templates")
        .unwrap()
        .checks
        .iter()
        .map(|c| c.detail.split(',').next().unwrap().to_owned())
        .collect();
    let kinds = [
        "ServiceAccount (v1)",
        "Deployment (apps/v1)",
        "Service (v1)",
        "ScaledObject (keda.sh/v1alpha1)",
    ];
    assert_eq!(names, kinds);
}

#[test]
fn by_name() {
    let mut facts = well();
    let mut direct = facts.compositions[0].clone();
    direct["metadata"]["name"] = json!("event-driven-service-direct");
    remove(&mut direct, "/spec/pipeline/1/input/objects");
    let mut revision = facts.revisions[0].clone();
    revision["metadata"]["labels"]["crossplane.io/composition-name"] =
        json!("event-driven-service-direct");
    revision["spec"]["pipeline"] = direct["spec"]["pipeline"].clone();
    facts.compositions.push(direct);
    facts.revisions.push(revision);
    let detail = |name: &str| {
        let report = report(&facts, Some(name));
        says(&report, &[]);
        report.sections[0].checks[0].detail.clone()
    };
    let objects = "as provider-kubernetes Objects, by ProviderConfig kubernetes-provider";
    assert_eq!(detail("event-driven-service"), objects);
    assert_eq!(detail("event-driven-service-direct"), "composed by Crossplane directly");
    assert_eq!(report(&facts, None).sections.len(), 4);
    says(
        &report(&facts, Some("other")),
        &["Composition: exists: failed: there is no Composition other; there are event-driven"],
    );
    check(
        |f| f.compositions.clear(),
        &["Composition: exists: failed: no Composition is for XEventDrivenService; there is no"],
    );
}

#[test]
fn what_is_wrong_with_it() {
    const IT: &str = "Composition event-driven-service: ";
    let check = |change: fn(&mut CompositionFacts), expected: &[&str]| {
        let expected: Vec<String> = expected
            .iter()
            .map(|e| if e.starts_with("Resource") { (*e).to_owned() } else { format!("{IT}{e}") })
            .collect();
        check(change, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    };
    check(|f| f.xrd = None, &["composite type: failed: there is no XRD that defines XEvent"]);
    check(
        |f| *at(f.xrd.as_mut().unwrap(), "/spec/versions/0/served") = json!(false),
        &["composite type: failed: spec.compositeTypeRef is XEventDrivenService"],
    );
    check(
        |f| f.compositions[0]["spec"]["mode"] = json!("Resources"),
        &["mode: failed: spec.mode is \"Resources\""],
    );
    check(
        |f| f.revisions.clear(),
        &["accepted by Crossplane: failed: Crossplane has made no CompositionRevision"],
    );
    check(
        |f| f.revisions[0]["spec"]["pipeline"][0]["step"] = json!("older"),
        &["accepted by Crossplane: failed: its newest revision event-driven-service-1 is of an"],
    );
    check(
        |f| f.revisions[0]["status"]["conditions"][0]["status"] = json!("False"),
        &["accepted by Crossplane: failed: revision event-driven-service-1: ValidPipeline"],
    );
    check(
        |f| both(f, |c| c["spec"]["pipeline"][1]["step"] = json!("renamed")),
        &["as in eds render: warning: the pipeline differs"],
    );
    check(
        |f| {
            both(f, |c| {
                let input = at(c, "/spec/pipeline/0/input");
                input["apiVersion"] = json!("other.example.com/v1");
            });
        },
        &["patch-and-transform: failed: no step has an input", "as in eds render: warning"],
    );
    check(
        |f| {
            both(f, |c| {
                at(c, "/spec/pipeline/0/input/resources").as_array_mut().unwrap().remove(2);
            });
        },
        &["as in eds render: warning", "Resource templates: Service: failed: no template makes a"],
    );
}

#[test]
fn what_is_wrong_with_its_functions() {
    const STEP: &str = "Composition event-driven-service: step event-driven-service: failed: \
                        function-event-driven-service";
    let check = |change: fn(&mut CompositionFacts), expected: &str| {
        check(change, &[&[STEP, expected].concat()])
    };
    check(
        |f| f.functions[1]["status"]["conditions"][0]["status"] = json!("False"),
        " is not installed: Installed is False",
    );
    check(
        |f| {
            f.functions[1]["status"]["conditions"][1]["status"] = json!("False");
            f.function_revisions[1]["status"]["conditions"][1] =
                json!({"type": "RuntimeHealthy", "status": "False", "message": "no pods"});
        },
        " is not healthy: Healthy is False: ; RuntimeHealthy is False: no pods",
    );
    check(|f| drop(f.pods.remove(1)), ": it has no pod");
    check(
        |f| f.pods[1]["metadata"]["deletionTimestamp"] = json!("now"),
        ": pod function-event-driven-service-pod is being deleted",
    );
    let waiting = |reason: &str, message: &str| {
        let waiting = json!({"reason": reason, "message": message});
        json!({"containerStatuses": [{"name": "package-runtime", "state": {"waiting": waiting}}]})
    };
    let ended = json!({"containerStatuses": [{
        "name": "package-runtime",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
    }]});
    let unscheduled = json!({"conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no CPU"},
    ]});
    let starting = json!({"phase": "Pending"});
    for (status, expected) in [
        (waiting("ErrImagePull", "not found"), ": its image cannot be pulled: not found"),
        (waiting("ContainerCreating", ""), " is"),
        (unscheduled, " finds no node: no CPU"),
        (starting, " is Pending"),
    ] {
        let mut facts = well();
        facts.pods[1]["status"] = status;
        let pod = ": pod function-event-driven-service-pod";
        says(&report(&facts, None), &[&[STEP, pod, expected].concat()]);
    }
    let mut facts = well();
    facts.pods[1]["status"] = ended;
    let container = ": pod function-event-driven-service-pod: its container ended with exit code 2";
    says(&report(&facts, None), &[&[STEP, container].concat()]);
}
