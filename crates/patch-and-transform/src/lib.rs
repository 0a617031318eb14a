//! What Crossplane's function-patch-and-transform does, in Rust, and nothing of anybody's platform.
//!
//! In: a function request as plain values ([`protocol`]), or as protobuf JSON ([`protocol_json`]). Out: the
//! desired state, results and conditions. It must not know a schema, a cluster, or how requests arrive.
//!
//! Mirrors upstream's files (crossplane-contrib/function-patch-and-transform, main at v0.10.0 and
//! 98 commits): `function` is `fn.go`, the others have its names. Messages, severities and state
//! are upstream's; where it would crash, the result is a fatal one.
//!
//! ```text
//! request -> input::decode -> validate -> function -> patches -> transforms
//!                                           |           `-> fieldpath
//!                                           |-> connection
//!                                           `-> ready
//! ```

mod connection;
pub mod fieldpath;
mod function;
pub mod input;
mod patches;
pub mod protocol;
pub mod protocol_json;
pub mod ready;
mod text;
mod time;
pub mod transforms;
mod unstructured;
pub mod validate;
mod validate_transforms;

pub use function::{ENVIRONMENT, run, run_while};
