//! `eds verify autoscaling`: do the replicas follow the depth of the queue?

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use eds_cluster::Run;
use eds_verify::load::{LoadFacts, Sample};
use eds_verify::{Check, Report, plot};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::worker::{Scaling, Worker, WorkerArgs};
use crate::cluster::{ClusterArgs, RunArgs};
use crate::{Outcome, output};

/// Deploy the reference worker by a claim, publish many messages at once, and verify that the
/// replicas follow: up from the minimum, and down again once the queue is empty, with every message
/// processed once; with --database, that PostgreSQL holds exactly one row for each.
///
/// Lag, replicas and ready replicas are recorded every second, and written as JSON and as a plot.
/// The namespace, the stream and the consumer belong to the run, and are deleted at the end, even
/// after an interruption.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many messages.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// The claim's spec.scaling.minReplicas; 0 scales from nothing, and back.
    #[arg(long, default_value_t = 1, value_name = "N")]
    min_replicas: u64,
    /// The claim's spec.scaling.maxReplicas.
    #[arg(long, default_value_t = 10, value_name = "N")]
    max_replicas: u64,
    /// Messages that one pod works on at once.
    #[arg(long, default_value_t = 1, value_name = "N")]
    concurrency: u64,
    /// Seconds to wait for the replicas to return to the minimum. The autoscaler itself waits 300 s
    /// unless the cluster says otherwise.
    #[arg(long, default_value_t = 480, value_name = "SECONDS")]
    settle: u64,
    /// Directory for report.json and plot.svg; by default one in the temporary directory.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    run: RunArgs,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    args.cluster.in_namespace(&args.run, "autoscaling", async |run| verify(run, args).await)
}

async fn verify(run: &Run, args: &Args) -> Result<Report> {
    let mut report = Report::default();
    let scaling = Scaling {
        min: args.min_replicas,
        max: args.max_replicas,
        concurrency: args.concurrency,
        work_ms: 3000,
    };
    let mut worker = Worker::apply(run, &args.worker, &scaling).await?;
    let mut progress = Progress::new(args.messages);
    progress.note("waiting for the claim to be Ready");
    if !worker.is_ready(args.cluster.limit(), &mut report).await? {
        return Ok(report);
    }
    // Before the first message the replicas are at the minimum.
    let fewest = args.min_replicas;
    if !watch(&mut worker, &mut progress, args.cluster.limit(), |s| {
        s.replicas == fewest && s.ready >= fewest
    })
    .await?
    {
        let cause = format!("not {fewest} replicas before the first message");
        report.add(
            "Start",
            vec![Check::failed("at rest", cause, "eds verify keda says what KEDA sees")],
        );
        return Ok(report);
    }
    worker.facts.samples.clear();
    let count = usize::try_from(args.messages)?;
    worker
        .publish(count, |_, work_ms| json!({"task": "verify autoscaling", "work_ms": work_ms}))
        .await?;
    // Even a single replica finishes in this time; each message twice, in case pods are killed.
    let work_ms = args.worker.work_ms(scaling.work_ms);
    let alone = u64::from(args.messages) * (work_ms + 100) * 2 / args.concurrency.max(1);
    let limit = args.cluster.limit() + Duration::from_millis(alone);
    if watch(&mut worker, &mut progress, limit, |sample| sample.lag == 0).await? {
        worker.facts.drained = Some(worker.seconds());
        let limit = Duration::from_secs(args.settle);
        if watch(&mut worker, &mut progress, limit, |s| s.replicas == fewest && s.lag == 0).await? {
            worker.facts.settled = Some(worker.seconds());
        }
    }
    worker.last_lines().await?;
    progress.finish();
    worker.rows(args.cluster.limit()).await?;
    worker.facts.scaling(&mut report);
    worker.facts.messages(&mut report);
    write(args, &run.namespace, &worker.facts, &report)?;
    Ok(report)
}

/// Samples every second until `enough`; `false` if `limit` runs out first.
async fn watch(
    worker: &mut Worker<'_>,
    progress: &mut Progress,
    limit: Duration,
    enough: impl Fn(&Sample) -> bool,
) -> Result<bool> {
    let end = Instant::now() + limit;
    let mut misses = 0_u32;
    while Instant::now() < end {
        let next = Instant::now() + Duration::from_secs(1);
        match worker.sample().await {
            Ok(sample) => {
                misses = 0;
                progress.show(&sample, worker.read());
                if enough(&sample) {
                    return Ok(true);
                }
            }
            // NATS or the API server may be restarting.
            Err(error) if misses >= 60 => return Err(error),
            Err(error) => {
                misses += 1;
                if misses == 5 {
                    progress.note(&format!("no sample: {error:#}"));
                }
            }
        }
        sleep_until(next).await;
    }
    Ok(false)
}

fn write(args: &Args, namespace: &str, facts: &LoadFacts, report: &Report) -> Result<()> {
    let directory = args.report.clone();
    let directory =
        directory.unwrap_or_else(|| std::env::temp_dir().join(format!("{namespace}-report")));
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let save = |name: &str, text: String| {
        let path: &Path = &directory.join(name);
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let all = json!({"run": facts.json(), "report": report.json()});
    save("report.json", serde_json::to_string_pretty(&all)? + "\n")?;
    let title =
        format!("{} messages, {} to {} replicas", args.messages, args.min_replicas, facts.peak());
    let ms = args.worker.work_ms(3000);
    let subtitle = format!(
        "{ms} ms of work each, {} at once in a pod; lagThreshold {}, maxReplicas {}",
        args.concurrency, facts.lag_threshold, args.max_replicas
    );
    save("plot.svg", plot::svg(facts, &title, &subtitle))?;
    output::note(&format!("report.json and plot.svg are in {}", directory.display()));
    Ok(())
}

/// One changing line on a terminal; elsewhere a line every ten seconds.
struct Progress {
    messages: u32,
    terminal: bool,
    told: Option<Instant>,
}

impl Progress {
    fn new(messages: u32) -> Self {
        Self { messages, terminal: std::io::stderr().is_terminal(), told: None }
    }

    fn show(&mut self, sample: &Sample, done: usize) {
        let line = format!(
            "{:>4.0} s  lag {:>5}  replicas {:>2}  ready {:>2}  done {done}/{}",
            sample.seconds, sample.lag, sample.replicas, sample.ready, self.messages
        );
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[Keds: {line}");
            self.told = Some(Instant::now());
        } else if self.told.is_none_or(|told| told.elapsed() >= Duration::from_secs(10)) {
            output::note(&line);
            self.told = Some(Instant::now());
        }
    }

    fn note(&mut self, line: &str) {
        self.finish();
        output::note(line);
    }

    fn finish(&mut self) {
        if self.terminal && self.told.take().is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}
