//! `eds verify functional`: does a deployed service process messages?

use std::time::Duration;

use anyhow::Result;
use eds_cluster::{Cluster, Run};
use eds_verify::{Check, Report};
use serde_json::json;

use super::worker::{CLAIM, Scaling, Worker, WorkerArgs};
use crate::Outcome;
use crate::cluster::{ClusterArgs, RunArgs};

/// Deploy the reference worker by a claim, publish messages, and verify that each is processed.
///
/// In a namespace of its own, with a stream and a consumer of its own: waits until the claim is
/// Ready, queries /health and /ready through the Service, publishes, follows the pods' logs, and
/// verifies that each message, even one that fails at first, has one result and is acknowledged;
/// with --database, that PostgreSQL holds exactly one row for each. Everything is deleted at the
/// end, even after an interruption. The rows stay.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many messages.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    messages: u32,
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    run: RunArgs,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    args.cluster.in_namespace(&args.run, "functional", async |run| verify(run, args).await)
}

async fn verify(run: &Run, args: &Args) -> Result<Report> {
    let mut report = Report::default();
    let limit = args.cluster.limit();
    let scaling = Scaling { min: 1, max: 2, concurrency: 5, work_ms: 50 };
    let mut worker = Worker::apply(run, &args.worker, &scaling).await?;
    if !worker.is_ready(limit, &mut report).await? {
        return Ok(report);
    }
    let mut probes = Vec::new();
    for path in ["/health", "/ready", "/metrics"] {
        probes.push(probe(run, path).await?);
    }
    report.add("Through the Service", probes);
    let count = usize::try_from(args.messages)?;
    // The last one fails once, and is redelivered.
    worker
        .publish(count, |i, work_ms| match i + 1 {
            last if last == count => {
                json!({"task": "verify functional", "work_ms": work_ms, "fail": 1})
            }
            _ => json!({"task": "verify functional", "work_ms": work_ms}),
        })
        .await?;
    let drained = Cluster::until(limit, Duration::from_millis(500), async || {
        Ok((worker.sample().await?.lag == 0).then(|| worker.seconds()))
    });
    worker.facts.drained = drained.await?;
    worker.last_lines().await?;
    worker.rows(limit).await?;
    worker.facts.messages(&mut report);
    let retried = worker.facts.published.last().and_then(|last| {
        worker.facts.lines.iter().find(|line| &line.id == last).map(|line| line.delivery)
    });
    report.add(
        "A message that fails once",
        vec![match retried {
            Some(2) => Check::passed("comes again", "processed at its second delivery"),
            other => Check::failed(
                "comes again",
                format!("processed at delivery {other:?}"),
                "the pods' logs say why",
            ),
        }],
    );
    Ok(report)
}

async fn probe(run: &Run, path: &str) -> Result<Check> {
    let answer = run.cluster.service_get(&run.namespace, CLAIM, 8080, path).await?;
    let body = answer.body.lines().next().unwrap_or_default();
    Ok(match answer.code {
        200 => Check::passed(path, format!("200 {body}")),
        code => Check::failed(path, format!("{code} {body}"), "the pods' logs say why"),
    })
}
