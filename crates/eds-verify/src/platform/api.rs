//! The API: XRD, claim, Compositions, admission policies.

use eds_core::form::Form;
use serde_json::Value;

use super::super::{Check, composition};
use super::PlatformFacts;
use kube_object::object::{Fields, named};
use kube_object::words;

/// What was found besides XRD and Compositions, which [`composition::CompositionFacts`] holds.
#[derive(Debug, Clone, Default)]
pub struct ApiFacts {
    /// CustomResourceDefinition of the claim.
    pub crd: Option<Value>,
    /// ValidatingAdmissionPolicies.
    pub policies: Vec<Value>,
    /// ValidatingAdmissionPolicyBindings.
    pub bindings: Vec<Value>,
}

/// The API's admission policies: the check, the policies' names, and what happens without them.
const POLICIES: [(&str, &[&str], &str); 2] = [
    (
        "claim names",
        &["eventdrivenservice-claim-names"],
        "a claim with a name of more than 56 characters is taken, and KEDA never scales it",
    ),
    (
        "ownership",
        &[
            "eventdrivenservice-ownership",
            "eventdrivenservice-contents",
            "eventdrivenservice-authors",
        ],
        "whoever may write Objects or composites acts with Crossplane's rights in every namespace",
    ),
];

pub(super) fn checks(all: &PlatformFacts) -> Vec<Check> {
    let found = &all.compositions;
    if let Some(skipped) = found.unread.skips("XRD", &["compositeresourcedefinitions"]) {
        return vec![skipped];
    }
    let Some(xrd) = &found.xrd else {
        let cause = "there is no XRD for EventDrivenService";
        return vec![Check::failed("XRD", cause, found.install())];
    };
    let see = format!("kubectl describe xrd {}", xrd.name());
    let condition = |title: &str, type_: &str, passed: &str| match xrd.why_not(type_) {
        None => Check::passed(title, passed),
        Some(why) => Check::failed(title, why, see.clone()),
    };
    let mut checks = vec![
        condition("XRD established", "Established", xrd.name()),
        all.unread.or("claim served", &["customresourcedefinitions"], || served(all, xrd)),
    ];
    if found.form == Form::Claims {
        checks.insert(1, condition("claim offered", "Offered", xrd.text("/spec/claimNames/kind")));
    }
    if found.both_forms {
        let cause = "the XRDs of both forms are there, and only one of them can serve \
            EventDrivenServices";
        let fix = "delete the XRD that is not established; eds migrate leads from claims to the \
            namespaced form";
        checks.push(Check::failed("one form", cause, fix));
    }
    if let Some(skipped) = found.unread.skips("Composition", &["compositions"]) {
        checks.push(skipped);
        return checks;
    }
    let ours: Vec<&Value> = found.ours().collect();
    if ours.is_empty() {
        let missing = composition::missing(found, None);
        checks.push(Check { name: "Composition".to_owned(), ..missing });
    }
    checks.extend(ours.iter().map(|c| composition::summary(found, c)));
    checks.extend(default(found, xrd, &ours));
    let needs = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"];
    for (title, names, without) in POLICIES {
        checks.push(all.unread.or(title, &needs, || policies(all, title, names, without)));
    }
    checks
}

/// Checks that the API server accepts the CRD that Crossplane makes of the XRD.
fn served(all: &PlatformFacts, xrd: &Value) -> Check {
    const NAME: &str = "claim served";
    let Some(crd) = &all.api.crd else {
        let fix = "does Crossplane run? kubectl -n crossplane-system logs deployment/crossplane";
        return Check::failed(NAME, "the API server has no CustomResourceDefinition of it", fix);
    };
    if !crd.list("/metadata/ownerReferences").any(|owner| owner.text("/name") == xrd.name()) {
        let cause =
            format!("the CustomResourceDefinition {} does not belong to the XRD", crd.name());
        let fix = "who made it? Crossplane makes its own once it is deleted; that deletes its \
            objects too";
        return Check::failed(NAME, cause, fix);
    }
    match ["NamesAccepted", "Established"].into_iter().find_map(|c| crd.why_not(c)) {
        None => Check::passed(NAME, crd.name()),
        Some(why) => Check::failed(NAME, why, format!("kubectl describe crd {}", crd.name())),
    }
}

/// Checks that a claim that chooses no Composition gets one.
fn default(found: &composition::CompositionFacts, xrd: &Value, ours: &[&Value]) -> Option<Check> {
    const NAME: &str = "default Composition";
    let wanted = xrd.text("/spec/defaultCompositionRef/name");
    if wanted.is_empty() {
        return (ours.len() > 1).then(|| {
            let cause =
                "the XRD names none, and there are several: a claim that chooses none gets any";
            Check::warning(NAME, cause, "set spec.defaultCompositionRef in the XRD")
        });
    }
    Some(match named(&found.compositions, wanted) {
        Some(_) => Check::passed(NAME, wanted),
        None => {
            let cause = format!("the XRD names {wanted}, which is not there");
            Check::failed(NAME, cause, found.install())
        }
    })
}

/// Checks for policies with these names, each with a binding that denies.
fn policies(all: &PlatformFacts, title: &str, names: &[&str], without: &str) -> Check {
    let facts = &all.api;
    let denies = |binding: &&Value, policy: &str| {
        binding.text("/spec/policyName") == policy
            && binding.list("/spec/validationActions").any(|action| action == "Deny")
    };
    let missing = names.iter().find_map(|policy| match named(&facts.policies, policy) {
        None => Some(format!("the admission policy {policy} is missing")),
        Some(_) if facts.bindings.iter().any(|binding| denies(&binding, policy)) => None,
        Some(_) => Some(format!("no binding lets the admission policy {policy} deny anything")),
    });
    match missing {
        None => Check::passed(title, format!("admission {}", counted(names))),
        Some(cause) => {
            Check::warning(title, format!("{cause}: {without}"), all.compositions.install())
        }
    }
}

fn counted(names: &[&str]) -> String {
    match names {
        [one] => format!("policy {one}"),
        _ => format!("policies {}", words::all(names)),
    }
}
