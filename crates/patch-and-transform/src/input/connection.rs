//! Connection details. Mirrors `resources_common.go` and `resources_connection.go`.

use super::patches::ConnectionSecretPatch;

/// One key of the composite's connection details.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionDetail {
    /// The key to store it under.
    pub name: String,
    /// `FromConnectionSecretKey`, `FromFieldPath` or `FromValue`.
    pub type_: String,
    /// The key in the composed resource's connection details.
    pub from_connection_secret_key: Option<String>,
    /// The field of the composed resource.
    pub from_field_path: Option<String>,
    /// A fixed value.
    pub value: Option<String>,
}

/// The Secret that holds the connection details of a Crossplane v2 composite.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WriteConnectionSecretToRef {
    /// The Secret's name; without either name or namespace, `{composite}-connection`.
    pub name: String,
    /// The Secret's namespace.
    pub namespace: String,
    /// Patches from the composite to name and namespace.
    pub patches: Vec<ConnectionSecretPatch>,
}
