//! Templates of composed resources. Mirrors `resources.go` and `resources_common.go`.

use serde_json::Value;

use super::connection::{ConnectionDetail, WriteConnectionSecretToRef};
use super::patches::{ComposedPatch, EnvironmentPatch, PatchSetPatch};

/// The whole input. Its type and object metadata are decoded, checked and discarded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// Named sets of patches that templates may include.
    pub patch_sets: Vec<PatchSet>,
    /// Patches between the composite and the environment.
    pub environment: Option<Environment>,
    /// The templates.
    pub resources: Vec<ComposedTemplate>,
    /// Where a composite without native connection details stores them.
    pub write_connection_secret_to_ref: Option<WriteConnectionSecretToRef>,
}

/// Patches to and from the environment, run before the templates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Environment {
    /// The patches, in order.
    pub patches: Vec<EnvironmentPatch>,
}

/// A set of patches that templates include by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PatchSet {
    /// What a template's `patchSetName` refers to.
    pub name: String,
    /// The patches, in order.
    pub patches: Vec<PatchSetPatch>,
}

/// One composed resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComposedTemplate {
    /// The resource's name in the pipeline.
    pub name: String,
    /// The manifest to start from. If absent, an earlier step must have made the resource. As in
    /// upstream, which keeps it raw, it is only checked to be an object when it is used.
    pub base: Option<Value>,
    /// Patches to and from the resource, in order.
    pub patches: Vec<ComposedPatch>,
    /// What the composite's connection details take from the resource.
    pub connection_details: Vec<ConnectionDetail>,
    /// When the resource is ready; if empty, when its `Ready` condition is true.
    pub readiness_checks: Vec<ReadinessCheck>,
}

/// One readiness check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadinessCheck {
    /// `NonEmpty`, `MatchString`, `MatchInteger`, `MatchTrue`, `MatchFalse`, `MatchCondition` or
    /// `None`.
    pub type_: String,
    /// The field to look at.
    pub field_path: Option<String>,
    /// For `MatchString`.
    pub match_string: Option<String>,
    /// For `MatchInteger`.
    pub match_integer: Option<i64>,
    /// For `MatchCondition`.
    pub match_condition: Option<MatchConditionReadinessCheck>,
}

/// The condition a resource must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatchConditionReadinessCheck {
    /// Condition type.
    pub type_: String,
    /// Its status: `True`, `False`, `Unknown`.
    pub status: String,
}
