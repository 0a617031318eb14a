//! Is everything there that a claim needs, and does it work?
//!
//! The prerequisites in the order in which they stand on each other: Kubernetes, NATS, KEDA, Crossplane,
//! its packages, the API. Each file holds what was found of one of them, and the checks over it.

pub mod api;
pub mod crossplane;
pub mod keda;
mod kubernetes;
pub mod nats;
pub mod packages;
mod version;
mod workload;

use serde_json::Value;

use super::{Report, composition};

/// What was found in the cluster.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The API server's `gitVersion`.
    pub kubernetes: String,
    /// Nodes.
    pub nodes: Vec<Value>,
    /// Deployments of all namespaces.
    pub deployments: Vec<Value>,
    /// NATS.
    pub nats: nats::Facts,
    /// KEDA.
    pub keda: keda::Facts,
    /// Crossplane's packages.
    pub packages: packages::Facts,
    /// The API: XRD, claim's CRD, admission policy.
    pub api: api::Facts,
    /// XRD, Compositions and functions, and the pods of Crossplane's namespace.
    pub compositions: composition::Facts,
}

/// Judges all of it.
#[must_use]
pub fn report(facts: &Facts) -> Report {
    let mut report = Report::default();
    report.add("Kubernetes", kubernetes::checks(facts));
    report.add("NATS", nats::checks(&facts.nats));
    report.add("KEDA", keda::checks(facts));
    report.add("Crossplane", crossplane::checks(facts));
    report.add("Functions and provider", packages::checks(facts));
    report.add("API", api::checks(facts));
    report
}
