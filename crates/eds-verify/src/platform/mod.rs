//! Is everything there that a claim needs, and does it work?
//!
//! The prerequisites, in the order in which they depend on each other: Kubernetes, NATS, KEDA,
//! Crossplane, its packages, the API. Each file holds what was found about one of them, and the
//! checks for it.

pub mod api;
pub mod crossplane;
pub mod keda;
mod kubernetes;
pub mod nats;
pub mod packages;
mod version;
mod workload;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Report, Unread, composition, shared};

/// What was found in the cluster.
#[derive(Debug, Clone, Default)]
pub struct PlatformFacts {
    /// The API server's `gitVersion`.
    pub kubernetes: String,
    /// Nodes.
    pub nodes: Vec<Value>,
    /// Deployments of all namespaces.
    pub deployments: Vec<Value>,
    /// NATS.
    pub nats: nats::NatsFacts,
    /// KEDA.
    pub keda: keda::KedaFacts,
    /// Crossplane's packages.
    pub packages: packages::PackageFacts,
    /// The API: XRD, claim's CRD, admission policy.
    pub api: api::ApiFacts,
    /// XRD, Compositions and functions, and the pods of Crossplane's namespace.
    pub compositions: composition::CompositionFacts,
    /// Claims of all namespaces.
    pub claims: Vec<Value>,
    /// What may not be read of all this; NATS and Compositions have their own.
    pub unread: Unread,
}

impl PlatformFacts {
    /// Returns the names of what may not be read, each once.
    pub(super) fn unread(&self) -> BTreeSet<String> {
        let all = [&self.unread, &self.nats.unread, &self.compositions.unread];
        all.into_iter().flat_map(Unread::names).map(str::to_owned).collect()
    }
}

/// Judges all of it.
#[must_use]
pub fn report(facts: &PlatformFacts) -> Report {
    let mut report = Report::default();
    report.add("Kubernetes", kubernetes::checks(facts));
    report.add("NATS", nats::checks(&facts.nats));
    report.add("KEDA", keda::checks(facts));
    report.add("Crossplane", crossplane::checks(facts));
    report.add("Functions and provider", packages::checks(facts));
    report.add("API", api::checks(facts));
    report.add("Claims", shared::all(&facts.claims));
    report
}
