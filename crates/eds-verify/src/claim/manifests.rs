//! The manifests: do they exist, and are they as they should be?

use kube_object::object::Fields;
use serde_json::Value;

use super::super::Check;

use super::ClaimFacts;
use kube_object::difference::differences;

pub(super) fn checks(facts: &ClaimFacts) -> Vec<Check> {
    facts.rendered.iter().map(|rendered| check(facts, rendered)).collect()
}

fn check(facts: &ClaimFacts, rendered: &Value) -> Check {
    let kind = rendered.text("/kind");
    let title = format!("{kind} {}", rendered.name());
    let object =
        facts.objects.iter().find(|object| object.text("/spec/forProvider/manifest/kind") == kind);
    let refused = object.and_then(|object| {
        let synced = object.condition("Synced")?;
        (synced.status == "False").then(|| synced.why())
    });
    let live = facts.live(kind);
    if let Some(why) = refused {
        let what = if live.is_some() { "its last change" } else { "it" };
        let cause = format!("provider-kubernetes cannot apply {what}: {why}");
        return Check::failed(title, cause, fix(why));
    }
    let plural = format!("{}s", kind.to_lowercase());
    if let (None, Some(skipped)) = (live, facts.unread.skips(&title, &[&plural])) {
        return skipped;
    }
    let Some(live) = live else {
        let cause = match object {
            Some(object) => format!(
                "it is not there; provider-kubernetes has not applied Object {} yet",
                object.name()
            ),
            None if facts.unread.has("objects") => "it is not there".to_owned(),
            None => "it is not there, and was not composed".to_owned(),
        };
        return Check::failed(title, cause, "see Composite above, and eds doctor for the platform");
    };
    match differences(rendered, live).as_slice() {
        [] => Check::passed(title, "as eds render shows it"),
        found => Check::warning(
            title,
            "not as eds render shows it:",
            "somebody else writes it, the Composition is another, or the claim's last change is on \
                its way",
        )
        .with(found.iter().cloned()),
    }
}

/// Says what helps against the API server's refusals.
fn fix(why: &str) -> &'static str {
    if why.contains("forbidden") {
        "may the provider do it? kubectl apply -k platform/04-apis/functions; or a policy or quota \
            of the namespace refuses it"
    } else if why.contains("already exists") || why.contains("conflict") {
        "something else owns an object of this name: rename the claim, or delete that object"
    } else if why.contains("admission webhook") {
        "the named webhook says what it refuses"
    } else {
        "kubectl describe objects.kubernetes.crossplane.io"
    }
}
