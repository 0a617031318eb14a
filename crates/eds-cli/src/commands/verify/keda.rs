//! `eds verify keda`: what will KEDA see, and does it scale?

use std::path::Path;

use anyhow::Result;
use eds_cluster::{Cluster, Run, claims, gather, kinds};
use eds_verify::{Check, Report, scaler};
use kube_object::object::Fields;

use crate::Outcome;
use crate::cluster::{ClusterArgs, RunArgs};
use crate::given::Given;

/// Check a claim's ScaledObject, and ask NATS what KEDA asks.
///
/// Compares the trigger with the claim; sends KEDA's own query to the live NATS, and reads its
/// answer as KEDA does: account, stream, consumer, leader, lag. Compares the consumer's limits with
/// the claim's scaling. Without a claim, applies the minimal example in a namespace of its own, and
/// deletes it again.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A claim in the cluster as NAMESPACE/NAME or NAME, or a file with a claim that is in the cluster.
    #[arg(value_name = "NAMESPACE/NAME|CLAIM.yaml")]
    claim: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    run: RunArgs,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let Some(claim) = &args.claim else {
        let given = Given::minimal()?;
        let what = async |run: &Run| example(run, given, args).await;
        return args.cluster.in_namespace(&args.run, "keda", what);
    };
    let (namespace, name) = address(claim)?;
    let report = args.cluster.with_cluster(async |cluster| {
        let namespace = namespace.unwrap_or_else(|| cluster.default_namespace.clone());
        let claim = claims::claim(&cluster, &namespace, &name).await?;
        Ok(scaler::report(&gather::scaler(&cluster, claim.value()).await?))
    })?;
    args.cluster.print(&report)
}

/// Applies the minimal example, and checks it once KEDA has picked it up.
async fn example(run: &Run, given: Given, args: &Args) -> Result<Report> {
    let cluster = &run.cluster;
    let given = given.in_namespace(&run.namespace);
    run.prepare(given.claim.value(), Default::default()).await?;
    cluster.apply(&given.written).await?;
    let name = given.text("/metadata/name");
    let (scaler, limit) = (format!("{name}-scaler"), args.cluster.limit());
    if !claims::is_ready(cluster, &kinds::SCALED_OBJECT, &run.namespace, &scaler, limit).await? {
        let mut report = scaler::report(&gather::scaler(cluster, given.claim.value()).await?);
        let cause = format!("KEDA has not taken it up within {} s", limit.as_secs());
        report.add("Time", vec![Check::failed("in time", cause, "eds doctor")]);
        return Ok(report);
    }
    let claim = claims::claim(cluster, &run.namespace, name).await?;
    // The autoscaler reads the metric some seconds after KEDA has created it.
    let settled = Cluster::until(limit, std::time::Duration::from_secs(1), async || {
        let facts = gather::scaler(cluster, claim.value()).await?;
        let has_spoken = facts.hpa.as_ref().is_some_and(|hpa| hpa.is("ScalingActive"));
        Ok(has_spoken.then_some(facts))
    });
    let facts = match settled.await? {
        Some(facts) => facts,
        None => gather::scaler(cluster, claim.value()).await?,
    };
    Ok(scaler::report(&facts))
}

/// Returns the namespace and name of a claim that the user names.
pub(crate) fn address(claim: &str) -> Result<(Option<String>, String)> {
    let is_file = claim == "-" || claim.ends_with(".yaml") || claim.ends_with(".yml");
    if is_file || Path::new(claim).is_file() {
        let given = Given::read(Path::new(claim))?;
        let namespace = given.text("/metadata/namespace");
        let namespace = (!namespace.is_empty()).then(|| namespace.to_owned());
        return Ok((namespace, given.text("/metadata/name").to_owned()));
    }
    Ok(match claim.split_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
        None => (None, claim.to_owned()),
    })
}
