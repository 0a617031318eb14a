//! `agent-executor` against a real nats-server and a real PostgreSQL, on loopback. If a service is
//! missing on this machine, that is reported and its tests are skipped; `EDS_REQUIRE_SERVICES=1`
//! forbids that.

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
mod production;
mod secrets;
mod settings;
mod shutdown;
mod support;
