//! `spec.rollout.restartOnSecretChange`: pods are replaced when a Secret that they read changes.
//!
//! The Secrets are requested as required resources. Of each, only its uid and resource version are
//! looked at, and only a hash of them leaves this step, as an annotation of the pod template. The
//! contents are not read.

use kube_object::object::{Fields, escaped};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

use super::spec::Spec;
use patch_and_transform::protocol::{Match, Object, Resource, ResourceSelector};

/// The annotation of the pod template.
pub const ANNOTATION: &str = "platform.bizmatters.io/secrets-version";

/// The prefix of the keys under which Secrets are requested.
const ASKED: &str = "secret-";

/// Returns the requests for a service's Secrets.
pub(super) fn asked(spec: &Spec) -> BTreeMap<String, ResourceSelector> {
    if !spec.rollout.restart_on_secret_change {
        return BTreeMap::new();
    }
    let requests = spec.secrets().into_iter().map(|name| {
        let selector = ResourceSelector {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            match_: Match::Name(name.to_owned()),
            namespace: Some(spec.claim.namespace.clone()),
        };
        (format!("{ASKED}{name}"), selector)
    });
    requests.collect()
}

/// Returns the annotation's value, once every Secret has been looked up. While one does not exist,
/// that of the Deployment as it is stays: whoever makes a Secret anew deletes it first, and pods
/// started meanwhile would not come up.
pub(super) fn version(
    spec: &Spec,
    answers: &BTreeMap<String, Vec<Resource>>,
    running: Option<&Object>,
) -> Option<String> {
    let asked = asked(spec);
    if asked.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    for key in asked.keys() {
        let found = answers.get(key)?.iter().find_map(|secret| secret.resource.as_ref());
        let Some(secret) = found else { return current(running?) };
        for part in
            [key.as_str(), secret.text("/metadata/uid"), secret.text("/metadata/resourceVersion")]
        {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
    }
    let mut text = String::new();
    for byte in hash.finalize().iter().take(6) {
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

/// Returns the annotation's value in the Deployment as it is.
fn current(running: &Object) -> Option<String> {
    let place = format!("/spec/template/metadata/annotations/{}", escaped(ANNOTATION));
    running.at(&place)?.as_str().map(str::to_owned)
}
