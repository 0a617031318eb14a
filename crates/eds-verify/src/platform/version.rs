//! Versions like `v1.34.4`, as in image tags and from the API server.

use kube_object::object::Fields;
use serde_json::Value;

/// Major, minor, patch.
pub(super) type Version = [u64; 3];

/// Reads `v2.21.0`, `2.21` or `v1.34.4+k3s1`. Returns `None` if it does not begin with a number.
pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts = text.split(['-', '+']).next()?.split('.');
    let first = parts.next()?.parse().ok()?;
    let mut next = || match parts.next() {
        Some(part) => part.parse().ok(),
        None => Some(0),
    };
    Some([first, next()?, next()?])
}

/// Returns the version of a workload: its first container's tag, or if that is not a version
/// (`latest`, a digest), its label `app.kubernetes.io/version`. The text is as written.
pub(super) fn of_workload(workload: &Value) -> Option<(Version, String)> {
    let image = workload.list("/spec/template/spec/containers").next();
    let image = image.map_or("", |container| container.text("/image"));
    let name = image.split('@').next().unwrap_or_default();
    let tag = name.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
    let label = workload.text("/metadata/labels/app.kubernetes.io~1version");
    [tag.unwrap_or_default(), label].into_iter().find_map(|t| Some((parse(t)?, t.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn versions() {
        let check =
            |text: &str, expected: Option<Version>| assert_eq!(parse(text), expected, "{text}");
        check("v1.34.4", Some([1, 34, 4]));
        check("v1.34.4+k3s1", Some([1, 34, 4]));
        check("2.21.0-rc.1", Some([2, 21, 0]));
        check("2.21", Some([2, 21, 0]));
        check("v2", Some([2, 0, 0]));
        check("latest", None);
        check("2.x", None);
        check("", None);
    }

    #[test]
    fn of_a_workload() {
        let check = |image: &str, label: &str, expected: Option<&str>| {
            let found = of_workload(&json!({
                "metadata": {"labels": {"app.kubernetes.io/version": label}},
                "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
            }));
            assert_eq!(found.map(|(_, text)| text).as_deref(), expected, "{image}");
        };
        check("ghcr.io/kedacore/keda:2.21.0", "2.0.0", Some("2.21.0"));
        check("localhost:5000/keda:v2.21.0@sha256:abc", "", Some("v2.21.0"));
        check("localhost:5000/keda", "2.21.0", Some("2.21.0"));
        check("keda:latest", "2.21.0", Some("2.21.0"));
        check("keda@sha256:abc", "", None);
    }
}
