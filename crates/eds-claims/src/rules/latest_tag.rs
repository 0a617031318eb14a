//! EDS201: with the tag `latest`, or none, each start may run different code.

use super::Claim;
use kube_object::image::Image;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// An image with the tag latest, or without a tag and digest.
pub(super) static RULE: Rule = Rule {
    code: "EDS201",
    name: "latest-tag",
    severity: Severity::Warning,
    what: "An image with the tag latest, or without a tag and digest.",
    why: "Each pod start may run other code, a rollback does not bring the old code back, and \
        every start pulls.",
    bad: "image: registry.example.com/worker",
    good: "image: registry.example.com/worker:1.4.2",
};

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let Some(image) = claim.text("spec.image").filter(|i| !i.is_empty()) else { return };
    // The pull policy hinges on the same question: may this reference name other code tomorrow?
    if Image::parse(image).is_ok_and(|image| image.pull_policy() != "Always") {
        return;
    }
    let message = "the image has no fixed version, so each pod start may run other code";
    out.push(
        claim
            .finding(&RULE, &Path::fields("spec.image"), message)
            .help("name a version, such as :1.4.2, or a digest"),
    );
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[track_caller]
    fn check(image: &str, found: bool) {
        let expected: &[_] = if found { &[("EDS201", 2, "no fixed version")] } else { &[] };
        testing::check(super::check, &format!("  image: {image}\n"), expected);
    }

    #[test]
    fn images() {
        check("a/b", true);
        check("a/b:latest", true);
        check("reg:5000/a/b", true);
        check("reg:5000/a/b:1", false);
        check("a/b:1.2.3", false);
        check("a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false);
    }
}
