//! `eds-bench`: a single run, side by side, with ratios. See `bench/README.md` for what each figure
//! means.
//!
//! ```text
//! start both functions -> capture the request that Crossplane sends for step 1
//!   -> render:  eds render | crossplane composition render, alternated
//!   -> rpc:     eds-function | function-patch-and-transform, alternated, 1 and 8 connections
//!   -> validate: eds validate | kubeconform | ajv-cli | check-jsonschema, alternated
//!   -> report:  table on stdout, JSON in --out
//! ```
//!
//! Exit codes: 0 measured, whether or not the targets were met; 1 could not measure.

mod attack;
mod capture;
mod command;
mod process;
mod render;
mod report;
mod rpc;
mod validate;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::process::Server;

/// Whatever prevented a figure from being measured.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures eds and eds-function side by side with their peers.
#[derive(Debug, Parser)]
#[command(name = "eds-bench", version)]
struct Flags {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Everything; `make bench` passes the paths.
    Run(Box<Run>),
    /// Attack both functions under the pod's limits; `make attack` passes the paths.
    Attack(attack::Attack),
    /// Run one command, discard its output, print its wall time, peak memory and exit code.
    #[command(hide = true)]
    Command {
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        argv: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Our command.
    #[arg(long)]
    eds: PathBuf,
    /// Our function.
    #[arg(long)]
    eds_function: PathBuf,
    /// The Go function-patch-and-transform.
    #[arg(long)]
    go_function: PathBuf,
    /// The Crossplane CLI, 2.5 or newer.
    #[arg(long)]
    crossplane_cli: PathBuf,
    /// Crossplane core, the engine behind the CLI's `composition render`.
    #[arg(long)]
    crossplane: PathBuf,
    /// The claim to render.
    #[arg(long)]
    claim: PathBuf,
    /// Its Composition.
    #[arg(long)]
    composition: PathBuf,
    /// Its XRD.
    #[arg(long)]
    xrd: PathBuf,
    /// The published JSON Schema, which the other validators read.
    #[arg(long)]
    schema: PathBuf,
    /// kubeconform.
    #[arg(long)]
    kubeconform: PathBuf,
    /// ajv-cli's command; without it, it is not measured.
    #[arg(long)]
    ajv: Option<PathBuf>,
    /// check-jsonschema; without it, it is not measured.
    #[arg(long)]
    check_jsonschema: Option<PathBuf>,
    /// Render runs of each side; a quarter as many of validation.
    #[arg(long, default_value_t = 21)]
    runs: usize,
    /// Rounds of requests to each function, for each number of connections.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that a round lasts.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Directory of the JSON summary; it is created.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    let result = match Flags::parse().mode {
        Mode::Attack(attack) => match attack::run(&attack) {
            Ok(true) => Ok(()),
            Ok(false) => {
                eprintln!("attack: ours died or was worse than the Go function, see the table");
                return ExitCode::from(1);
            }
            Err(error) => {
                eprintln!("attack: could not attack: {error}");
                return ExitCode::from(2);
            }
        },
        Mode::Command { argv } => command::measure(&argv),
        Mode::Run(run) => measure(&run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("eds-bench: could not measure: {error}");
            ExitCode::from(1)
        }
    }
}

fn measure(run: &Run) -> Result<(), Failure> {
    let runtime = Runtime::new()?;
    let work = tempfile::tempdir()?;
    eprintln!("bench: starting both functions");
    let go = Server::start("function-patch-and-transform", &run.go_function)?;
    let ours = Server::start("eds-function", &run.eds_function)?;

    eprintln!("bench: capturing the request of the composition's step 1");
    let rendering = render::Rendering::prepare(run, work.path(), ours.address())?;
    let request = capture::step_one(&runtime, &rendering, go.address())?;
    rpc::same_answer(&runtime, &request, &ours, &go)?;

    eprintln!("bench: rendering, {} runs of each side", run.runs);
    let rendered = rendering.compare(run.runs, go.address())?;

    let mut loads = Vec::new();
    for connections in [1, 8] {
        eprintln!(
            "bench: connections: {connections}; {} rounds of {} s to each function",
            run.rounds, run.seconds
        );
        loads.push(rpc::compare(&runtime, &request, &ours, &go, connections, run)?);
    }
    eprintln!("bench: validating claims, {} runs of each side", run.runs.div_ceil(4));
    let validated = validate::compare(run, work.path())?;
    let summary = report::summary(&rendered, &loads, &validated, &request, (&ours, &go))?;
    print!("{}", report::table(&summary));
    std::fs::create_dir_all(&run.out)?;
    let path = run.out.join("summary.json");
    std::fs::write(&path, format!("{:#}\n", summary.json()))?;
    eprintln!("bench: wrote {}", path.display());
    Ok(())
}
