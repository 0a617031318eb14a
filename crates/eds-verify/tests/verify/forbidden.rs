//! For an application developer: whatever may not be read becomes a `-` line that says who could
//! look; the rest is judged, and the claim's own word counts.

use eds_verify::claim::{ClaimFacts, report};
use eds_verify::{Status, Unread, scaler};
use serde_json::json;

use super::claim::{condition, not_ready, well};

/// Leaves what a refused read leaves: nothing, and a note.
fn forbid(facts: &mut ClaimFacts, what: &str) {
    let note =
        |unread: &mut Unread| unread.add(what, format!("{what} is forbidden: User \"dev\" cannot"));
    let ClaimFacts { platform, keda, .. } = facts;
    let all = [
        &mut facts.unread,
        &mut keda.unread,
        &mut platform.unread,
        &mut platform.nats.unread,
        &mut platform.compositions.unread,
    ];
    all.into_iter().for_each(note);
    let kind = |kind: &'static str| move |o: &serde_json::Value| o["kind"] != kind;
    match what {
        "nodes" => platform.nodes.clear(),
        "deployments" => {
            platform.deployments.clear();
            (keda.deployment, facts.live) =
                (None, facts.live.iter().filter(|o| kind("Deployment")(o)).cloned().collect());
        }
        "pods" => {
            facts.pods.clear();
            platform.nats.pods.clear();
            platform.keda.pods.clear();
            platform.compositions.pods.clear();
        }
        "services" => {
            platform.nats.clients[0].1 = None;
            (platform.nats.headless, keda.service) = (None, None);
            (platform.nats.health, platform.nats.server, platform.nats.jetstream) =
                (None, None, None);
        }
        "services/proxy" => {
            (platform.nats.health, platform.nats.server, platform.nats.jetstream) =
                (None, None, None);
            (keda.asked, keda.server) = (None, None);
        }
        "customresourcedefinitions" => (platform.keda.crd, platform.api.crd) = (None, None),
        "apiservices" => platform.keda.metrics = None,
        "providers" => platform.packages.providers.clear(),
        "providerrevisions" => platform.packages.revisions.clear(),
        "providerconfigs" => platform.packages.configs.clear(),
        "validatingadmissionpolicies" => platform.api.policies.clear(),
        "validatingadmissionpolicybindings" => platform.api.bindings.clear(),
        "compositeresourcedefinitions" => platform.compositions.xrd = None,
        "compositions" => platform.compositions.compositions.clear(),
        "compositionrevisions" => platform.compositions.revisions.clear(),
        "functions" => platform.compositions.functions.clear(),
        "functionrevisions" => platform.compositions.function_revisions.clear(),
        "xeventdrivenservices" => facts.composite = None,
        "objects" => facts.objects.clear(),
        "scaledobjects" => {
            (keda.scaled_object, keda.hpa) = (None, None);
            facts.live.retain(kind("ScaledObject"));
        }
        "horizontalpodautoscalers" => keda.hpa = None,
        "replicasets" => facts.replica_sets.clear(),
        "events" => facts.events.clear(),
        "eventdrivenservices" => keda.claims.clear(),
        other => panic!("{other} is read by nobody"),
    }
}

const ALL: [&str; 24] = [
    "nodes",
    "deployments",
    "pods",
    "services",
    "services/proxy",
    "customresourcedefinitions",
    "apiservices",
    "providers",
    "providerrevisions",
    "providerconfigs",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "compositeresourcedefinitions",
    "compositions",
    "compositionrevisions",
    "functions",
    "functionrevisions",
    "xeventdrivenservices",
    "objects",
    "scaledobjects",
    "horizontalpodautoscalers",
    "replicasets",
    "events",
    "eventdrivenservices",
];

#[test]
fn each_in_turn() {
    for what in ALL {
        let mut facts = well();
        forbid(&mut facts, what);
        let report = report(&facts);
        let failed: Vec<_> = report.checks().filter(|c| c.status == Status::Failed).collect();
        assert!(failed.is_empty(), "{what}: {failed:#?}");
        // It says so, and who could look, except for what only refines an answer.
        let finer = ["objects", "replicasets", "events", "eventdrivenservices"].contains(&what);
        let skipped = report.checks().any(|c| {
            c.status == Status::Skipped && c.detail.contains(what) && c.detail.contains("engineer")
        });
        assert!(skipped || finer, "{what}: nothing says so: {report:#?}");
        let keda = scaler::report(&facts.keda);
        let failed: Vec<_> = keda.checks().filter(|c| c.status == Status::Failed).collect();
        assert!(failed.is_empty(), "{what}, verify keda: {failed:#?}");
    }
}

/// `edit` in one's own namespace, and get on claims: nothing of KEDA's, Crossplane's or the
/// cluster's.
fn developer(facts: &mut ClaimFacts) {
    for what in ALL {
        if !["deployments", "pods", "replicasets", "events", "horizontalpodautoscalers"]
            .contains(&what)
        {
            forbid(facts, what);
        }
    }
    facts.platform.deployments.clear();
    facts.platform.unread.add("deployments", "forbidden");
    facts.platform.unread.add("pods", "forbidden");
}

#[test]
fn a_developer() {
    let check = |reason: &str, message: &str, diagnosis: &str, fix: &str| {
        let mut facts = well();
        developer(&mut facts);
        if !reason.is_empty() {
            not_ready(&mut facts, message);
            let mut available = condition("WorkerAvailable", "False", message);
            available["reason"] = json!(reason);
            facts.claim["status"]["conditions"].as_array_mut().unwrap().push(available);
        }
        let report = report(&facts);
        let first = &report.sections[0].checks[0];
        assert!(first.detail.starts_with(diagnosis), "{first:#?}");
        assert!(first.fix.as_deref().unwrap_or_default().contains(fix), "{first:#?}");
        // One line for the whole platform, not one for each of its parts.
        let platform = report.sections.iter().find(|s| s.title == "Platform").unwrap();
        let skipped = platform.checks.iter().filter(|c| c.status == Status::Skipped).count();
        assert_eq!(skipped, 1, "{platform:#?}");
    };
    check("", "", "it runs", "");
    let lag = "KEDA cannot read the lag of consumer workers";
    check("ScalerFailed", lag, &format!("the claim says: {lag}"), "spelled right in spec.nats");
    check(
        "ApplyFailed",
        "the Service cannot be applied: no",
        "the claim says: the Service",
        "engineer",
    );
}

#[test]
fn verify_keda_by_a_developer() {
    let mut facts = well();
    developer(&mut facts);
    let message = "KEDA cannot read the lag of consumer workers";
    let mut available = condition("WorkerAvailable", "False", message);
    available["reason"] = json!("ScalerFailed");
    facts.keda.claim["status"] = json!({"message": message, "conditions": [available]});
    let report = scaler::report(&facts.keda);
    let found: Vec<(&str, &str)> =
        report.checks().map(|c| (c.status.name(), c.detail.as_str())).collect();
    assert_eq!(found[0].0, "skipped");
    assert_eq!(found[1], ("failed", message));
}
