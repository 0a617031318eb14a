//! What Kubernetes' API server makes of a text: YAML with positions, a definition's schema,
//! findings.
//!
//! Takes texts, XRDs and CRDs. Returns values with their positions, defaults, and findings with
//! line and column. It is the only crate that uses CEL, and must not know what an
//! EventDrivenService is.
//!
//! ```text
//! yaml         as kubectl reads it, every value with its line and column
//! schema       what the API server serves for an XRD or CRD, compiled once
//! diagnostics  findings with stable codes; text, JSON, SARIF, GitHub annotations
//! characters   characters that are mistaken for others, or invisible
//! placeholder  texts that were meant to be replaced
//! ```

pub mod characters;
pub mod diagnostics;
pub mod placeholder;
pub mod schema;
pub mod yaml;
