//! A live cluster, seen through the API server: the only crate that ships which names `kube`.
//!
//! ```text
//! client   the connection, and what answers and refusals come to
//! objects  get, list, apply, create, patch, delete
//! watch    waits for one object, or polls for anything else
//! logs     what containers print
//! proxy    Services and pods through the API server; forward: their ports, on the loopback interface
//! nats     NATS' monitoring port through the API server's proxy, its client port through a forward
//! nats_tls TLS with a NATS behind a forward
//! claims   what a claim needs beforehand, what it made, what is left of it
//! lines    what the pods of a claim print, kept beyond the pods
//! once     a command in a pod like those of a Deployment
//! plan     what an object would be if a claim's manifest were applied, by a dry run
//! migrate  from one form of the API to the other, in place
//! workers  the manifests of workers that run in a namespace
//! gather   facts for `eds_verify`
//! run      a namespace of one's own for a test, deleted on every exit
//! ```
//!
//! Nothing here judges. Findings are passed on as plain `serde_json::Value`s, and `eds_verify` says
//! what they mean.

pub mod claims;
pub mod client;
mod evidence;
pub mod forward;
pub mod gather;
pub mod kinds;
pub mod lines;
mod logs;
pub mod migrate;
pub mod nats;
mod nats_tls;
mod objects;
pub mod once;
pub mod plan;
pub mod proxy;
pub mod run;
mod watch;
pub mod workers;

pub use client::{Cluster, Refused};
pub use kinds::Kind;
pub use lines::Lines;
pub use run::Run;
