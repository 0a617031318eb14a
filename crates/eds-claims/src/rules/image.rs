//! EDS215: what the API's pattern cannot say about an image. Nodes parse references with
//! `distribution/reference` 2.8: the name has at most 255 characters, and a digest uses one of
//! `go-digest`'s algorithms, in lower-case hex of the right length. A name with neither a tag nor a
//! slash may be just a registry.

use super::Claim;
use kube_object::image::Image;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::yaml::Place;

/// An image that the API takes and no node does: a bad digest, a name of more than 255 characters,
/// or just a registry.
pub(super) static RULE: Rule = Rule {
    code: "EDS215",
    name: "unusable-image",
    severity: Severity::Error,
    what: "An image that the API takes and no node does: a digest of the wrong length or \
            algorithm, a name of more than 255 characters, a registry alone.",
    why: "The pods never start (InvalidImageName).",
    bad: "image: registry.example.com/worker@md5:…",
    good: "image: registry.example.com/worker@sha256:…",
};

/// What to do about an invalid digest.
pub(super) const DIGEST_FIX: &str =
    "copy the digest anew from the registry: sha256: and 64 characters of 0-9 and a-f";

const DIGESTS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let Some(Ok(image)) = claim.text("spec.image").map(Image::parse) else { return };
    let text = image.reference.as_str();
    let path = Path::fields("spec.image");
    let mut refuse = |part: &str, message: String, fix: String| {
        let mut finding = claim.finding(&RULE, &path, message).help(fix);
        let at = text.rfind(part).unwrap_or_default();
        finding.span = path.part(claim.node, text, at, part).unwrap_or(finding.span);
        out.push(finding);
    };
    if let Some(digest) = image.digest.as_deref() {
        let (algorithm, hex) = digest.split_once(':').unwrap_or((digest, ""));
        let length = DIGESTS.iter().find(|(name, _)| *name == algorithm).map(|(_, length)| *length);
        match length {
            None => {
                let message = format!("no node knows digests of {algorithm}");
                refuse(digest, message, DIGEST_FIX.to_owned());
            }
            Some(length) if hex.len() != length => {
                let message = format!(
                    "a digest of {algorithm} has {length} characters after the colon, and this one \
                        {}",
                    hex.len()
                );
                refuse(digest, message, DIGEST_FIX.to_owned());
            }
            Some(_) if hex.chars().any(|c| c.is_ascii_uppercase()) => {
                let message = "a digest is written in lower case".to_owned();
                refuse(digest, message, format!("write {algorithm}:{}", hex.to_lowercase()));
            }
            Some(_) => {}
        }
    }
    let without_digest = text.split('@').next().unwrap_or_default();
    let tag = image.tag.as_deref().map_or(0, |tag| tag.len() + 1);
    let name = without_digest.get(..without_digest.len() - tag).unwrap_or_default();
    if name.len() > 255 {
        let message = format!("the name has {} characters; nodes take at most 255", name.len());
        refuse(name, message, "shorten the path in the registry".to_owned());
    }
    let port = image
        .tag
        .as_deref()
        .is_some_and(|tag| (2..=5).contains(&tag.len()) && tag.chars().all(|c| c.is_ascii_digit()));
    if !text.contains('/') && image.digest.is_none() && port && name.contains('.') {
        let message = "this is a registry and its port, without an image".to_owned();
        refuse(text, message, format!("write {text}/NAME:TAG"));
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[track_caller]
    fn check(image: &str, part: &str) {
        let expected: &[_] = if part.is_empty() { &[] } else { &[("EDS215", 2, part)] };
        testing::check(super::check, &format!("  image: '{image}'\n"), expected);
    }

    #[test]
    fn images() {
        let hex = "0123456789abcdef".repeat(4);
        check(&format!("r.example.com/a@sha256:{hex}"), "");
        check(&format!("r.example.com/a:1@sha256:{hex}"), "");
        check(&format!("r.example.com/a@sha512:{hex}{hex}"), "");
        check(&format!("r.example.com/a@sha256:{}", "0".repeat(63)), "and this one 63");
        check(&format!("r.example.com/a@sha512:{hex}"), "128 characters");
        check(&format!("r.example.com/a@sha256:{}", hex.to_uppercase()), "lower case");
        check(&format!("r.example.com/a@md5:{}", "0".repeat(32)), "digests of md5");
        check(&format!("r.example.com/a@SHA256:{hex}"), "digests of SHA256");
        check(&format!("r.example.com/{}:1", "a".repeat(241)), "");
        check(&format!("r.example.com/{}:1", "a".repeat(242)), "has 256 characters");
        check("registry.example.com:5000", "without an image");
        check("registry.example.com:5000/a", "");
        check("redis:7", "");
        check("postgres:16", "");
        check("orders:1.0", "");
    }
}
