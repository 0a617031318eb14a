//! `agent-executor` against the real nats-server and the real PostgreSQL, on loopback. A service that
//! is not on this machine is named, and its tests are skipped; `EDS_REQUIRE_SERVICES=1` forbids that.

#![cfg(test)]
#![allow(
    clippy::string_slice,
    unreachable_pub,
    reason = "helpers panic as the tests do, and are public to all of them"
)]

mod failures;
mod messages;
mod migrate;
mod outages;
mod poison;
mod probes;
mod secrets;
mod settings;
mod shutdown;
mod support;
