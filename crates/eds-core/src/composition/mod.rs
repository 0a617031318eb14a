//! What Crossplane does between a claim and the manifests it applies, without a cluster.
//!
//! ```text
//! claim -> composite   the composite that Crossplane would make from it
//!       -> pipeline    every step of the Composition, each fed by the one before
//!       -> applied     names, labels, owner; the composite's references, status, conditions
//! ```
//!
//! The reference is Crossplane's own reconciler, as run by `crossplane composition render`
//! (Crossplane 2.3.4): the results are equal, object for object.

mod applied;
mod claim;
mod definition;
mod pipeline;

pub use claim::composite_of;
pub use definition::{Composition, Step};
pub use pipeline::{Error, Inputs, Rendered, render};

/// Annotation that ties a composed resource to its name in the pipeline.
pub const ANNOTATION_RESOURCE_NAME: &str = "crossplane.io/composition-resource-name";
/// Label with the composite's name.
pub const LABEL_COMPOSITE: &str = "crossplane.io/composite";
/// Label with the claim's name.
pub const LABEL_CLAIM_NAME: &str = "crossplane.io/claim-name";
/// Label with the claim's namespace.
pub const LABEL_CLAIM_NAMESPACE: &str = "crossplane.io/claim-namespace";
