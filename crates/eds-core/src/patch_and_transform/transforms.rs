//! Applies one transform to one value. Mirrors upstream's `transforms.go`.

use serde_json::Value;

use crate::patch_and_transform::input::transforms::Transform;

/// Why a transform did not resolve: the text upstream's error prints, wrapped prefixes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformError(pub String);

impl std::fmt::Display for TransformError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TransformError {}

/// Resolves `transform` with `input`.
///
/// # Errors
/// The message of upstream's `Resolve`, without the `transform at index N` its caller adds.
pub fn resolve(transform: &Transform, input: Value) -> Result<Value, TransformError> {
    let _ = input;
    Err(TransformError(format!("transform type {} is not supported", transform.type_)))
}
