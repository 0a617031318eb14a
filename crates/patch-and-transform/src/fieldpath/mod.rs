//! Crossplane's field paths: `spec.containers[0].name`, `metadata.annotations[crossplane.io/name]`.
//!
//! Mirrors crossplane-runtime's `pkg/fieldpath` (v2.3.3), its error messages included: parsing in
//! `parse`, get, set, delete and wildcard expansion in `paved`, merging in `merge`.
//!
//! Invariant: nothing here panics, and no walk goes deeper than [`MAX_DEPTH`].

mod merge;
mod numbers;
mod parse;
mod paved;

use std::fmt;

pub use merge::{MergeOptions, merge_value};
pub use numbers::{floats, normalize, normalize_number, normalize_object, to_floats};
pub use parse::{Path, Segment, parse};
pub use paved::{delete_field, expand_wildcards, get_segments, get_value, set_value};

/// Largest array index a path may set. Upstream's `DefaultMaxFieldPathIndex`.
pub const MAX_INDEX: u32 = 1024;

/// Deepest nesting of a value, counted in objects and arrays.
///
/// Go stops at 10,000 with `exceeded max depth`; ours is lower because it must hold on a thread's
/// ordinary stack. Kubernetes' own objects stay below 50.
pub const MAX_DEPTH: usize = 500;

/// Why a path could not be read, expanded or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
    kind: Kind,
}

/// What a caller decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The path leads to nothing.
    NotFound,
    /// The value is none that JSON has.
    NoJson,
    Other,
}

impl Error {
    /// An error that is not about something missing.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: Kind::Other }
    }

    /// The path is well-formed but leads to nothing.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: Kind::NotFound }
    }

    /// The value is an infinity, or not a number: JSON has neither.
    pub(crate) fn no_json(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: Kind::NoJson }
    }

    /// Whether the value is none that JSON has.
    pub(crate) fn is_no_json(&self) -> bool {
        self.kind == Kind::NoJson
    }

    /// A value is nested deeper than [`MAX_DEPTH`]. The words are Go's.
    pub(crate) fn too_deep() -> Self {
        Self::new("exceeded max depth")
    }

    /// Puts context before the message, as Go's `errors.Wrap` does. It stays a not-found error.
    #[must_use]
    pub fn wrap(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Whether the path led to nothing: a missing field or element, or a null on the way.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
