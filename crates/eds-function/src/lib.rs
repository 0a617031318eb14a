//! Crossplane's FunctionRunnerService over the pure engine. The only shipped crate that depends on
//! tonic.
//!
//! ```text
//! bytes -> structs (JSON values) -> convert (plain protocol) -> eds_core::functions::run -> back
//! ```

mod arrivals;
mod body;
mod bounded;
pub mod computing;
mod connection;
mod connections;
pub mod convert;
mod frames;
pub mod limits;
pub mod listen;
mod metrics;
mod outline;
pub mod raw;
mod runner;
mod scrape;
pub mod server;
pub mod service;
pub mod structs;
pub mod tls;

/// The generated protocol, see `tests/generated.rs`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub mod proto {
    /// The messages and services as protobuf describes them, for gRPC reflection.
    pub(crate) const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");
    /// `apiextensions.fn.proto.v1`: messages, server and client.
    pub mod v1 {
        include!("generated/v1.rs");
    }
    /// `apiextensions.fn.proto.v1beta1`: the same messages under the older service's name.
    pub mod v1beta1 {
        include!("generated/v1beta1.rs");
    }
}
