//! An OCI image reference, and what follows from its tag and digest.

/// The parts of an image reference that determine the pull policy and the version label.
///
/// The grammar is that of `distribution/reference`: `[domain[:port]/]path[:tag][@digest]`. Only
/// what follows the last `/` matters: a colon before it belongs to the registry's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The whole reference, as written.
    pub reference: String,
    /// Tag, without the colon.
    pub tag: Option<String>,
    /// Digest, with its algorithm: `sha256:...`.
    pub digest: Option<String>,
}

impl Image {
    /// Splits a reference. Does not validate the repository's name (the API's schema does), but
    /// refuses a reference without one.
    pub fn parse(reference: &str) -> Result<Self, String> {
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (reference, None),
        };
        let path_start = name.rfind('/').map_or(0, |slash| slash + 1);
        let last = name.get(path_start..).unwrap_or_default();
        let (last, tag) = match last.split_once(':') {
            Some((last, tag)) => (last, Some(tag.to_owned())),
            None => (last, None),
        };
        if last.is_empty() || tag.as_deref() == Some("") || digest.as_deref() == Some("") {
            return Err(format!("{reference:?} is not an image reference"));
        }
        Ok(Self { reference: reference.to_owned(), tag, digest })
    }

    /// Returns `Always` if the tag is `latest`, or absent without a digest; `IfNotPresent`
    /// otherwise. The API server defaults to the same (`SetDefaults_Container` in
    /// `pkg/apis/core/v1/defaults.go`); the manifest spells it out for people.
    pub fn pull_policy(&self) -> &'static str {
        match (&self.tag, &self.digest) {
            (Some(tag), _) if tag == "latest" => "Always",
            (None, None) => "Always",
            _ => "IfNotPresent",
        }
    }

    /// Returns the value of `app.kubernetes.io/version`: the tag as a valid label value, `latest`
    /// if there is neither tag nor digest, or the first 12 hex digits of a digest. Returns `None`
    /// if no part of the tag is allowed in a label.
    pub fn version_label(&self) -> Option<String> {
        if let Some(label) = self.tag.as_deref().and_then(label_value) {
            return Some(label);
        }
        if let Some(digest) = &self.digest {
            let hex = digest.rsplit(':').next().unwrap_or_default();
            return label_value(&hex.chars().take(12).collect::<String>());
        }
        self.tag.is_none().then(|| "latest".to_owned())
    }
}

/// Returns the longest part of a tag that is a label value: at most 63 characters of
/// `[-_.A-Za-z0-9]`, with a letter or digit at both ends
/// (`k8s.io/apimachinery/pkg/util/validation`).
fn label_value(tag: &str) -> Option<String> {
    let kept: String = tag
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(63)
        .collect();
    let kept = kept.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reference: &str, policy: &str, label: Option<&str>) {
        let image = Image::parse(reference).unwrap();
        assert_eq!(image.pull_policy(), policy, "{reference}");
        assert_eq!(image.version_label().as_deref(), label, "{reference}");
    }

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn tag_and_digest_decide() {
        check("worker", "Always", Some("latest"));
        check("worker:latest", "Always", Some("latest"));
        check("worker:1.0", "IfNotPresent", Some("1.0"));
        check("registry:5000/worker", "Always", Some("latest"));
        check("registry:5000/team/worker:v2", "IfNotPresent", Some("v2"));
        check("[fd00::1]:5000/worker:v2", "IfNotPresent", Some("v2"));
        check(&format!("registry:5000/worker@{DIGEST}"), "IfNotPresent", Some("0123456789ab"));
        check(&format!("registry:5000/worker:v2@{DIGEST}"), "IfNotPresent", Some("v2"));
        check(&format!("worker:latest@{DIGEST}"), "Always", Some("latest"));
    }

    #[test]
    fn a_tag_becomes_a_label_value() {
        check("worker:_rc.", "IfNotPresent", Some("rc"));
        check("worker:___", "IfNotPresent", None);
        check(&format!("worker:___@{DIGEST}"), "IfNotPresent", Some("0123456789ab"));
        check(&format!("worker:{}", "a".repeat(128)), "IfNotPresent", Some(&"a".repeat(63)));
        let cut = format!("{}.{}", "a".repeat(62), "b".repeat(10));
        check(&format!("worker:{cut}"), "IfNotPresent", Some(&"a".repeat(62)));
    }

    #[test]
    fn nothing_is_not_an_image() {
        for bad in ["", "registry/", "worker:", "worker@", ":tag", "@sha256:00"] {
            assert!(Image::parse(bad).is_err(), "{bad:?}");
        }
    }
}
