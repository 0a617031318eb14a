//! From the claim to its composite and the Composition.

use serde_json::Value;

use super::super::Check;
use super::ClaimFacts;
use eds_core::event_driven_service::{CONDITION, NAME_TAKEN};
use kube_object::object::{Fields, named};

/// What to do about a name that is taken.
pub(super) const TAKEN_FIX: &str = "delete it, give the claim another name, or hand it over, by \
    the command in the claim's message";

pub(super) fn checks(facts: &ClaimFacts) -> Vec<Check> {
    let claim = &facts.claim;
    let mut checks = Vec::new();
    let is_other = |composite: &&Value| composite.text("/kind") != claim.text("/kind");
    let composite = facts.composite.as_ref().filter(is_other);
    for (what, object) in [("claim", Some(claim)), ("composite", composite)] {
        checks.extend(object.and_then(|object| held(what, object)));
    }
    let Some(composite) = &facts.composite else {
        let unread = facts.unread.skips("composed", &["xeventdrivenservices"]);
        checks.push(match (synced(claim), unread) {
            // The claim itself knows about it.
            (None, Some(skipped)) => skipped,
            (Some(why), Some(_)) => {
                Check::failed("composed", why, "a platform engineer: eds doctor")
            }
            (_, None) => no_composite(claim),
        });
        return checks;
    };
    checks.push(match synced(claim).or_else(|| synced(composite)) {
        None => Check::passed("composed", composite.name()),
        Some(why) => Check::failed(
            "composed",
            why,
            format!(
                "kubectl describe {} {}; eds verify composition",
                composite.text("/kind").to_lowercase(),
                composite.name()
            ),
        ),
    });
    checks.push(composition(facts, composite));
    checks.extend(taken(claim));
    if let Some(responsive) = composite.condition("Responsive")
        && responsive.status == "False"
    {
        checks.push(Check::warning(
            "events",
            format!("Crossplane drops this composite's events for now: {}", responsive.why()),
            "it catches up by polling; eds doctor says which flag of Crossplane helps",
        ));
    }
    checks
}

/// Reports whether something foreign has one of the claim's names, as the step in the cluster saw
/// it.
fn taken(claim: &Value) -> Option<Check> {
    let own = claim.condition(CONDITION)?;
    (own.status == "False" && own.reason == NAME_TAKEN).then(|| {
        Check::failed(
            "names",
            "an object at one of the claim's names was not made by it, and is left alone: the \
                claim says which",
            TAKEN_FIX,
        )
    })
}

/// Reports what keeps Crossplane from working on it, or that it is being deleted.
fn held(what: &str, object: &Value) -> Option<Check> {
    if let Some(since) = object.at("/metadata/deletionTimestamp").and_then(Value::as_str) {
        let cause = format!("it is being deleted since {since}");
        let fix = "wait; what it made goes first, which takes up to 30 s for a young claim";
        return Some(Check::failed(what, cause, fix));
    }
    let paused = object.annotation("crossplane.io/paused") == Some("true");
    paused.then(|| {
        let kind = object.text("/kind").to_lowercase();
        let namespace = match object.text("/metadata/namespace") {
            "" => String::new(),
            namespace => format!("-n {namespace} "),
        };
        let cause = "it is paused (annotation crossplane.io/paused): Crossplane leaves it as it is";
        let fix =
            format!("kubectl {namespace}annotate {kind} {} crossplane.io/paused-", object.name());
        Check::failed(what, cause, fix)
    })
}

fn no_composite(claim: &Value) -> Check {
    let wanted = claim.text("/spec/resourceRef/name");
    let cause = if wanted.is_empty() {
        "Crossplane has made no composite of the claim".to_owned()
    } else {
        format!("the composite {wanted} is gone")
    };
    let cause = match synced(claim) {
        Some(why) => format!("{cause}: {why}"),
        None => cause,
    };
    let fix = "does Crossplane run? kubectl -n crossplane-system logs deployment/crossplane";
    Check::failed("composed", cause, fix)
}

/// Says why Crossplane cannot reconcile it; `None` if it can, or has not said anything.
fn synced(object: &Value) -> Option<String> {
    let synced = object.condition("Synced")?;
    (synced.status == "False").then(|| synced.why().to_owned())
}

fn composition(facts: &ClaimFacts, composite: &Value) -> Check {
    const NAME: &str = "Composition";
    // Composites of Crossplane 2 keep it below spec.crossplane, those with claims below spec.
    let wanted = match composite.text("/spec/compositionRef/name") {
        "" => composite.text("/spec/crossplane/compositionRef/name"),
        wanted => wanted,
    };
    if wanted.is_empty() {
        let places = ["/spec/compositionSelector", "/spec/crossplane/compositionSelector"];
        let selector = places.iter().find_map(|at| facts.claim.at(at)?.get("matchLabels"));
        let cause = match selector {
            Some(labels) => format!("no Composition has the labels that the claim wants: {labels}"),
            None => "none was chosen for it".to_owned(),
        };
        return Check::failed(NAME, cause, "kubectl get compositions --show-labels");
    }
    let unread = &facts.platform.compositions.unread;
    match named(&facts.platform.compositions.compositions, wanted) {
        Some(_) => Check::passed(NAME, wanted),
        None => unread.or(NAME, &["compositions"], || {
            Check::failed(
                NAME,
                format!("{wanted}, which it was given, is not there"),
                facts.platform.compositions.install(),
            )
        }),
    }
}
