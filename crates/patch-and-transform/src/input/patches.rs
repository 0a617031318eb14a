//! Patches. Mirrors `resources_patches.go`.

use super::transforms::Transform;

/// From the composite to a composed resource: the default.
pub const FROM_COMPOSITE: &str = "FromCompositeFieldPath";
/// Includes the patches of a set.
pub const PATCH_SET: &str = "PatchSet";
/// From a composed resource (or the environment) to the composite.
pub const TO_COMPOSITE: &str = "ToCompositeFieldPath";
/// From several fields of the composite.
pub const COMBINE_FROM_COMPOSITE: &str = "CombineFromComposite";
/// From several fields to the composite.
pub const COMBINE_TO_COMPOSITE: &str = "CombineToComposite";
/// From the environment.
pub const FROM_ENVIRONMENT: &str = "FromEnvironmentFieldPath";
/// To the environment.
pub const TO_ENVIRONMENT: &str = "ToEnvironmentFieldPath";
/// From several fields of the environment.
pub const COMBINE_FROM_ENVIRONMENT: &str = "CombineFromEnvironment";
/// From several fields to the environment.
pub const COMBINE_TO_ENVIRONMENT: &str = "CombineToEnvironment";

/// What every kind of patch has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch {
    /// The source field.
    pub from_field_path: Option<String>,
    /// Several source fields, for the combine types.
    pub combine: Option<Combine>,
    /// The destination field; if absent, the source field's path.
    pub to_field_path: Option<String>,
    /// What happens to the value along the way, in order.
    pub transforms: Vec<Transform>,
    /// What to do if the source is missing or the destination exists.
    pub policy: Option<PatchPolicy>,
}

impl Patch {
    /// Returns the source path, or an empty one if not given.
    #[must_use]
    pub fn from_path(&self) -> &str {
        self.from_field_path.as_deref().unwrap_or_default()
    }

    /// Returns the destination path.
    #[must_use]
    pub fn to_path(&self) -> &str {
        self.to_field_path.as_deref().unwrap_or_else(|| self.from_path())
    }

    /// Returns `policy.fromFieldPath`, `Optional` by default.
    #[must_use]
    pub fn from_policy(&self) -> &str {
        self.policy.as_ref().and_then(|p| p.from_field_path.as_deref()).unwrap_or("Optional")
    }
}

/// A patch of a template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComposedPatch {
    /// Its type; if empty, the default.
    pub type_: String,
    /// The set to include, for [`PATCH_SET`].
    pub patch_set_name: Option<String>,
    /// The rest.
    pub patch: Patch,
}

/// A patch of a set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PatchSetPatch {
    /// Its type; if empty, the default.
    pub type_: String,
    /// The rest.
    pub patch: Patch,
}

/// A patch between the composite and the environment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EnvironmentPatch {
    /// Its type; if empty, the default.
    pub type_: String,
    /// The rest.
    pub patch: Patch,
}

/// A patch from the composite to the reference of its connection secret.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionSecretPatch {
    /// Its type; empty is the default.
    pub type_: String,
    /// The rest.
    pub patch: Patch,
}

/// A type, or the default for an empty one.
#[must_use]
pub fn type_or_default(type_: &str) -> &str {
    if type_.is_empty() { FROM_COMPOSITE } else { type_ }
}

/// How a patch treats its two ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatchPolicy {
    /// `Optional` or `Required`.
    pub from_field_path: Option<String>,
    /// `Replace` or one of the merges.
    pub to_field_path: Option<String>,
}

impl PatchPolicy {
    /// `toFieldPath`, by default `Replace`.
    #[must_use]
    pub fn to_policy(&self) -> &str {
        self.to_field_path.as_deref().unwrap_or("Replace")
    }
}

/// Several values made into one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Combine {
    /// The source fields, in order.
    pub variables: Vec<CombineVariable>,
    /// Only `string` is known.
    pub strategy: String,
    /// For strategy `string`.
    pub string: Option<StringCombine>,
}

/// One source field of a [`Combine`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CombineVariable {
    /// Its path.
    pub from_field_path: String,
}

/// Values formatted into one string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringCombine {
    /// Go format string, key `fmt`.
    pub format: String,
}
