//! `eds verify composition`: is the Composition there, complete, and accepted?

use anyhow::Result;
use eds_cluster::gather;
use eds_verify::composition;

use crate::cluster::ClusterArgs;
use crate::{Outcome, api};

/// Check that the Composition exists, is for the XRD, is in Pipeline mode, has its four resource
/// templates, and that its functions exist and are healthy.
///
/// Without a name, checks every Composition for the XRD's composite: the one with
/// provider-kubernetes Objects and, if installed, the direct one.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name of one Composition.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let built_in = api::built_in_compositions()?;
    let facts = args
        .cluster
        .with_cluster(async |cluster| gather::compositions(&cluster, built_in).await)?;
    args.cluster.print(&composition::report(&facts, args.name.as_deref()))
}
