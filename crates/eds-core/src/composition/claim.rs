//! The composite that Crossplane makes from a claim.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{LABEL_CLAIM_NAME, LABEL_CLAIM_NAMESPACE};
use patch_and_transform::protocol::Object;

/// Fields of a claim's spec that are not copied to the composite (Crossplane
/// `internal/controller/apiextensions/claim`, `internal/xcrd` `PropagateSpecProps`). The revision
/// is the composite's to choose: a composite that does not exist yet has no policy that says
/// otherwise.
const CLAIM_ONLY: [&str; 5] = [
    "compositeDeletePolicy",
    "compositionRevisionRef",
    "publishConnectionDetailsTo",
    "resourceRef",
    "writeConnectionSecretToRef",
];

/// The alphabet of Kubernetes' generated names (`k8s.io/apimachinery/pkg/util/rand`).
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Returns the composite of a claim: its spec, its labels and annotations other than Kubernetes'
/// own, and the reference back. `kind` is the composite's kind; the API version is the claim's.
/// Crossplane ends the composite's name with five random characters. Here they are derived from the
/// claim's namespace and name, so that rendering is deterministic.
#[must_use]
pub fn composite_of(claim: &Object, kind: &str) -> Object {
    let text = |path: [&str; 2]| {
        claim.get(path[0]).and_then(|m| m.get(path[1])).and_then(Value::as_str).unwrap_or_default()
    };
    let api_version = claim.get("apiVersion").cloned().unwrap_or_default();
    let (name, namespace) = (text(["metadata", "name"]), text(["metadata", "namespace"]));
    let composite_name = format!("{name}-{}", suffix(namespace, name));

    let mut labels = propagated(claim, "labels");
    labels.insert(LABEL_CLAIM_NAME.to_owned(), json!(name));
    labels.insert(LABEL_CLAIM_NAMESPACE.to_owned(), json!(namespace));
    let annotations = propagated(claim, "annotations");

    let mut metadata = Object::new();
    metadata.insert("name".to_owned(), json!(composite_name));
    metadata.insert("labels".to_owned(), Value::Object(labels));
    if !annotations.is_empty() {
        metadata.insert("annotations".to_owned(), Value::Object(annotations));
    }

    let mut spec = claim.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
    for field in CLAIM_ONLY {
        spec.remove(field);
    }
    spec.insert(
        "claimRef".to_owned(),
        json!({
            "apiVersion": api_version,
            "kind": claim.get("kind").cloned().unwrap_or_default(),
            "name": name,
            "namespace": namespace,
        }),
    );

    let mut composite = Object::new();
    composite.insert("apiVersion".to_owned(), api_version);
    composite.insert("kind".to_owned(), json!(kind));
    composite.insert("metadata".to_owned(), Value::Object(metadata));
    composite.insert("spec".to_owned(), Value::Object(spec));
    composite
}

/// Returns the labels or annotations that a claim passes on to its composite: all except those with
/// a domain that ends in `kubernetes.io` or `k8s.io`.
fn propagated(claim: &Object, field: &str) -> Object {
    let entries = claim.get("metadata").and_then(|m| m.get(field)).and_then(Value::as_object);
    entries
        .into_iter()
        .flatten()
        .filter(|(key, _)| {
            let domain = key.split('/').next().unwrap_or_default();
            !domain.ends_with("kubernetes.io") && !domain.ends_with("k8s.io")
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn suffix(namespace: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{namespace}/{name}"));
    digest
        .iter()
        .take(5)
        .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
        .map(|byte| char::from(*byte))
        .collect()
}
