//! Pipeline step 1: what function-patch-and-transform does.
//!
//! Mirrors upstream's files (crossplane-contrib/function-patch-and-transform, main at v0.10.0 and
//! 98 commits): [`function`] is `fn.go`, the others have its names. Messages, severities and state
//! are upstream's; where it would crash, the result is a fatal one.
//!
//! ```text
//! request -> input::decode -> validate -> function -> patches -> transforms
//!                                           |           `-> fieldpath
//!                                           |-> connection
//!                                           `-> ready
//! ```

mod connection;
mod function;
pub mod input;
mod patches;
pub mod ready;
mod text;
mod time;
pub mod transforms;
mod unstructured;
pub mod validate;
mod validate_transforms;

pub use function::{ENVIRONMENT, run, run_while};
