//! `eds verify`: does the cluster do what the API promises? One file per question.

mod autoscaling;
mod composition;
mod deployment;
mod functional;
pub(crate) mod keda;
mod worker;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;

/// Verify on a real cluster that the API works as promised.
///
/// Exit status: 0 all checks passed, 1 something is not as it should be, 2 it could not be checked,
/// for example because there is no cluster.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Composition(composition::Args),
    Deployment(deployment::Args),
    Keda(keda::Args),
    Functional(functional::Args),
    Autoscaling(autoscaling::Args),
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    match &args.what {
        What::Composition(args) => composition::run(args),
        What::Deployment(args) => deployment::run(args),
        What::Keda(args) => keda::run(args),
        What::Functional(args) => functional::run(args),
        What::Autoscaling(args) => autoscaling::run(args),
    }
}
