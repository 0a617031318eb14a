//! A live cluster, seen through the API server: the only crate that names `kube`.
//!
//! ```text
//! client   connect; get, list, apply, delete, watch; logs; proxy and port-forward
//! nats     NATS's monitoring port through the API server's proxy, its client port through a forward
//! claims   what a claim needs beforehand, what it made, what is left of it
//! lines    what the pods of a claim print, kept beyond the pods
//! once     a command in a pod like those of a Deployment
//! plan     what an object would be if a claim's manifest were applied, by a dry run
//! workers  the manifests of workers that run in a namespace
//! gather   facts for `eds_core::verify`
//! run      a namespace of one's own for a test, gone again on every exit
//! ```
//!
//! Nothing here judges. What was found is handed on as plain `serde_json::Value`s, and
//! `eds_core::verify` says what they mean.

pub mod claims;
pub mod client;
mod evidence;
pub mod forward;
pub mod gather;
pub mod kinds;
pub mod lines;
pub mod nats;
pub mod once;
pub mod plan;
pub mod run;
pub mod workers;

pub use client::{Cluster, Refused};
pub use kinds::Kind;
pub use lines::Lines;
pub use run::Run;
