//! `eds doctor`: is everything there, and why does a claim not run?

use anyhow::{Context, Result, anyhow};
use eds_cluster::gather::BuiltIn;
use eds_cluster::{claims, gather};
use eds_core::form::Form;
use eds_verify::{Report, claim, platform};

use super::verify::keda::address;
use crate::api::Api;
use crate::claim::Claim;
use crate::cluster::ClusterArgs;
use crate::given::Given;
use crate::{Outcome, api};

/// Check everything that claims depend on; or say why one claim does not run.
///
/// Without a claim: NATS with JetStream, KEDA, Crossplane, its functions and provider, XRD and
/// Compositions, one line each, with cause and fix.
///
/// With a claim: all that, and the claim's own path: composite, manifests, Secrets, pods and their
/// logs, stream and consumer as KEDA queries them from NATS, and the autoscaler. The first line is
/// the diagnosis. Values of Secrets are never printed.
///
/// Exit status: 0 all is well, 1 something is not, 2 it could not be checked.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A claim in the cluster as NAMESPACE/NAME or NAME, or a file with a claim that is in the cluster.
    #[arg(value_name = "NAMESPACE/NAME|CLAIM.yaml")]
    claim: Option<String>,
    /// Namespace of the claim, if its name comes without one; by default the context's.
    #[arg(short, long, requires = "claim")]
    namespace: Option<String>,
    /// NATS, if it is not the one that claims use by default.
    #[arg(long, value_name = "URL", conflicts_with = "claim")]
    nats_url: Option<String>,
    /// Its monitoring endpoint.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "claim")]
    monitoring_endpoint: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let built_in = api::built_in_compositions()?;
    let report = match &args.claim {
        Some(claim) => one(args, claim, built_in),
        None => all(args, built_in),
    }?;
    args.cluster.print(&report)
}

/// Checks the prerequisites.
fn all(args: &Args, built_in: BuiltIn) -> Result<Report> {
    // The schema's defaults, as the API server would fill them in.
    let minimal = Given::minimal()?;
    let or = |given: &Option<String>, pointer| {
        given.clone().unwrap_or_else(|| minimal.text(pointer).to_owned())
    };
    let nats = gather::NatsAddress {
        url: or(&args.nats_url, "/spec/nats/url"),
        monitoring: or(&args.monitoring_endpoint, "/spec/nats/monitoringEndpoint"),
        home: "default".to_owned(),
    };
    let facts = args
        .cluster
        .with_cluster(async |cluster| gather::platform(&cluster, built_in, &nats).await)?;
    Ok(platform::report(&facts))
}

/// Diagnoses one claim.
fn one(args: &Args, wanted: &str, built_in: BuiltIn) -> Result<Report> {
    let (namespace, name) = address(wanted)?;
    if let (Some(written), Some(given)) = (&namespace, &args.namespace)
        && written != given
    {
        return Err(anyhow!("{wanted} is in namespace {written}, --namespace says {given}"));
    }
    let facts = args.cluster.with_cluster(async |cluster| {
        let namespace = namespace.or_else(|| args.namespace.clone());
        let namespace = namespace.unwrap_or_else(|| cluster.default_namespace.clone());
        let live = claims::claim(&cluster, &namespace, &name).await?;
        let rendered = Api::built_in(Form::Claims)?
            .manifests(&Claim::live(&live))
            .context("eds render refuses the live claim")?;
        gather::claim(&cluster, live, rendered, built_in).await
    })?;
    Ok(claim::report(&facts))
}
