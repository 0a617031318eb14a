//! What Crossplane adds to whatever it composes.

pub mod crd;
pub mod lines;

/// Fields of `spec` by which Crossplane links claims, composites and Compositions. People seldom
/// write them.
const MACHINERY: [&str; 11] = [
    "claimRef",
    "compositeDeletePolicy",
    "compositionRef",
    "compositionRevisionRef",
    "compositionRevisionSelector",
    "compositionSelector",
    "compositionUpdatePolicy",
    "crossplane",
    "resourceRef",
    "resourceRefs",
    "writeConnectionSecretToRef",
];

/// Reports whether a field of `spec` is Crossplane's own.
#[must_use]
pub fn is_machinery(field: &str) -> bool {
    MACHINERY.contains(&field)
}
