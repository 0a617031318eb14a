//! Crossplane's field paths: `spec.containers[0].name`, `metadata.annotations[crossplane.io/name]`.
//!
//! Mirrors crossplane-runtime's `pkg/fieldpath` (v2.3.3), including its error messages: parsing in
//! `parse`; get, set, delete and wildcard expansion in `paved`; merging in `merge`.
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

/// The largest array index that a path may set. Upstream's `DefaultMaxFieldPathIndex`.
pub const MAX_INDEX: u32 = 1024;

/// The deepest nesting of a value, counted in objects and arrays.
///
/// Go stops at 10,000 with `exceeded max depth`; ours is lower because it must fit on an ordinary
/// thread's stack. Kubernetes' own objects stay below 50.
pub const MAX_DEPTH: usize = 500;

/// Why a path could not be read, expanded or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
    kind: Kind,
}

/// What callers need to distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The path leads to nothing.
    NotFound,
    /// JSON cannot represent the value.
    NoJson,
    Other,
}

impl Error {
    /// Creates an error that is not about something missing.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: Kind::Other }
    }

    /// Creates an error for a well-formed path that leads to nothing.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: Kind::NotFound }
    }

    /// Creates an error for an infinity or NaN, which JSON does not have.
    pub(crate) fn no_json(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: Kind::NoJson }
    }

    /// Reports whether JSON cannot represent the value.
    pub(crate) fn is_no_json(&self) -> bool {
        self.kind == Kind::NoJson
    }

    /// Creates an error for a value nested deeper than [`MAX_DEPTH`], in Go's words.
    pub(crate) fn too_deep() -> Self {
        Self::new("exceeded max depth")
    }

    /// Prefixes the message with context, as Go's `errors.Wrap` does. A not-found error stays one.
    #[must_use]
    pub fn wrap(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Reports whether the path led to nothing: a missing field or element, or a null along the
    /// way.
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
