//! Crossplane's function-patch-and-transform in Rust, with nothing specific to any platform.
//!
//! Takes a function request as plain values ([`protocol`]) or as protobuf JSON ([`protocol_json`]).
//! Returns the desired state, results and conditions. It must not know about schemas, clusters, or
//! how requests arrive.
//!
//! Mirrors upstream's files (crossplane-contrib/function-patch-and-transform, main at v0.10.0 plus
//! 98 commits): `function` is `fn.go`, the others keep their names. Messages, severities and state
//! are upstream's; where it would crash, the result is fatal.
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
pub mod time;
pub mod transforms;
mod unstructured;
pub mod validate;
mod validate_transforms;

pub use function::{ENVIRONMENT, run, run_while};
