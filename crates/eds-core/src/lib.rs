//! The pure core: no file, network, clock, environment variable or async runtime is named here.
//!
//! ```text
//! claim.yaml -> yaml -> schema, rules -> composition -> manifests
//!                                            |  step 1: patch_and_transform
//!                                            |  step 2: event_driven_service
//! manifests -> adopt -> claim
//! claim, manifests -> difference -> diff
//! gathered facts -> verify -> checks
//! ```
//!
//! The three doors (`eds render`, the gRPC function, `eds verify`) call the same functions with
//! the same [`protocol`] types.

pub mod adopt;
mod characters;
pub mod claims;
pub mod composition;
pub mod diagnostics;
pub mod diff;
pub mod difference;
pub mod event_driven_service;
pub mod fieldpath;
pub mod functions;
pub mod golang;
pub mod kustomize;
mod object;
pub mod patch_and_transform;
mod placeholder;
pub mod printable;
pub mod protocol;
pub mod protocol_json;
pub mod rules;
pub mod schema;
mod secrets;
pub mod verify;
mod words;
pub mod yaml;
