//! What the commands that talk to a cluster share.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use eds_cluster::{Cluster, Run, run};
use eds_verify::Report;

use crate::{Outcome, output};

/// Which cluster, and how to print what was found.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClusterArgs {
    /// Context of the kubeconfig, instead of the current one. KUBECONFIG names the file.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Seconds that each wait may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// How to print what was found.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line per check, for a person.
    Text,
    /// One JSON document.
    Json,
}

/// Connects to the cluster of a context, and runs `work` to completion. The runtime exists only
/// here: other commands start without one.
pub(crate) fn connected<T>(
    context: Option<&str>,
    work: impl AsyncFnOnce(Cluster) -> Result<T>,
) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    runtime.block_on(async { work(Cluster::connect(context).await?).await })
}

impl ClusterArgs {
    /// Returns the limit of each wait.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// Connects, and runs `work` to completion.
    pub(crate) fn with_cluster<T>(
        &self,
        work: impl AsyncFnOnce(Cluster) -> Result<T>,
    ) -> Result<T> {
        connected(self.context.as_deref(), work)
    }

    /// Runs `body` in a namespace of its own, prints its report, and returns the exit status.
    /// `what` becomes part of the namespace's name.
    pub(crate) fn in_namespace(
        &self,
        args: &RunArgs,
        what: &str,
        body: impl AsyncFnOnce(&Run) -> Result<Report>,
    ) -> Result<Outcome> {
        let report = self.with_cluster(async |cluster| {
            Run::within(&cluster, &args.options(what), Report::failed, body).await
        })?;
        self.print(&report)
    }

    /// Prints a report, and returns the exit status.
    pub(crate) fn print(&self, report: &Report) -> Result<Outcome> {
        let mut out = std::io::stdout().lock();
        match self.output {
            Format::Text => {
                let color = output::is_coloured(&out);
                out.write_all(report.text(color).as_bytes())?;
            }
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &report.json())?;
                writeln!(out)?;
            }
        }
        out.flush()?;
        Ok(if report.failed() { Outcome::Findings } else { Outcome::Fine })
    }
}

/// How a command creates things in a cluster.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RunArgs {
    /// Keep the namespace and what was created in it.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Directory for objects, events and logs if the run fails; by default one with the namespace's
    /// name in the temporary directory.
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
}

impl RunArgs {
    fn options(&self, what: &str) -> run::Options {
        run::Options {
            prefix: format!("eds-{what}"),
            keep: self.keep,
            evidence: self.evidence.clone(),
            namespace: None,
            note: output::note,
        }
    }
}
