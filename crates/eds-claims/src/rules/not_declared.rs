//! EDS218: fields that a file cannot decide. `kubectl apply` refuses `generateName`;
//! `resourceVersion` and `uid` of an exported object make it fail once the object has changed or
//! been recreated; `status` is dropped.

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::yaml::Place;

/// A field that a file cannot decide: generateName, resourceVersion, uid, status.
pub(super) static RULE: Rule = Rule {
    code: "EDS218",
    name: "not-declarative",
    severity: Severity::Warning,
    what: "A field that a file cannot decide: generateName, resourceVersion, uid, status.",
    why: "kubectl apply refuses it, or Kubernetes drops it.",
    bad: "metadata: {generateName: worker-}",
    good: "metadata: {name: worker}",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let mut warn = |path: Path, message: &str, fix: &str| {
        if path.node(claim.node).is_some() {
            let mut finding = claim.finding(&RULE, &path, message).help(fix);
            finding.span = path.key_span(claim.node);
            out.push(finding);
        }
    };
    let metadata = Path::fields("metadata");
    if metadata.key("name").node(claim.node).is_none() {
        warn(
            metadata.key("generateName"),
            "kubectl apply refuses generateName: what is applied needs a name by which it is found \
                again",
            "write name: and the service's name",
        );
    }
    let exported = ["resourceVersion", "uid", "selfLink", "managedFields"];
    if let Some(first) =
        exported.iter().find(|field| metadata.key(field).node(claim.node).is_some())
    {
        warn(
            metadata.key(first),
            "this comes from the cluster: applied later, or elsewhere, it makes Kubernetes refuse \
                the claim",
            "remove resourceVersion, uid, generation, creationTimestamp, managedFields and \
                finalizers from the file",
        );
    }
    warn(
        Path::fields("status"),
        "Kubernetes drops the status of what is applied: the platform writes it",
        "leave it out",
    );
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn fields() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check(
            "  image: a\nmetadata: {generateName: a-}\n",
            &[("EDS218", 3, "kubectl apply refuses")],
        );
        check(
            "  image: a\nmetadata: {name: a, uid: x, resourceVersion: y}\n",
            &[("EDS218", 3, "from the cluster")],
        );
        check("  image: a\nstatus: {}\n", &[("EDS218", 3, "drops the status")]);
        check("  image: a\nmetadata: {name: a, labels: {}, annotations: {}}\n", &[]);
    }
}
