//! `eds`: one command for everything around an EventDrivenService claim.
//!
//! ```text
//! main -> commands::X   one file a command: reads files, calls the pure crates, writes text
//! ```
//!
//! Exit codes: 0 all is well, 1 findings in what was given, 2 the tool could not do its work.

mod api;
mod claim;
mod cluster;
mod commands;
mod compare;
mod embedded;
mod form;
mod git;
mod given;
mod inputs;
mod kustomize;
mod manifests;
mod output;
mod select;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// What a command found. Failures of the tool itself are errors instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Fine,
    Findings,
}

/// Validate, render and diagnose EventDrivenService claims.
#[derive(Parser)]
#[command(name = "eds", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Adopt(commands::adopt::Args),
    Completions(commands::completions::Args),
    Diff(commands::diff::Args),
    Doctor(commands::doctor::Args),
    Explain(commands::explain::Args),
    #[command(hide = true)]
    Man(commands::man::Args),
    Migrate(commands::migrate::Args),
    PublishSchema(commands::publish_schema::Args),
    Render(commands::render::Args),
    Validate(commands::validate::Args),
    Verify(Box<commands::verify::Args>),
}

/// The stack size that commands run with. A rule of an API may have 250 levels, and parsing and
/// evaluating it is recursive: that takes two thirds of this in a debug build, an eighth as
/// shipped.
const STACK: usize = 64 << 20;

/// The command line as it was called: kubectl starts a program `kubectl-eds` for `kubectl eds`.
fn parse() -> Cli {
    let called = std::env::args_os().next().map(std::path::PathBuf::from).unwrap_or_default();
    let mut command = Cli::command();
    if called.file_stem().is_some_and(|name| name == "kubectl-eds") {
        command = command.bin_name("kubectl eds");
    }
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

fn main() -> ExitCode {
    let cli = parse();
    let command = std::thread::Builder::new().stack_size(STACK).spawn(move || run(&cli));
    // A panic has been printed by its thread.
    command.map_or(ExitCode::from(2), |command| command.join().unwrap_or(ExitCode::from(101)))
}

fn run(cli: &Cli) -> ExitCode {
    let result = match &cli.command {
        Command::Adopt(args) => commands::adopt::run(args),
        Command::Completions(args) => commands::completions::run(args),
        Command::Diff(args) => commands::diff::run(args),
        Command::Doctor(args) => commands::doctor::run(args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Man(args) => commands::man::run(args),
        Command::Migrate(args) => commands::migrate::run(args),
        Command::PublishSchema(args) => commands::publish_schema::run(args),
        Command::Render(args) => commands::render::run(args),
        Command::Validate(args) => commands::validate::run(args),
        Command::Verify(args) => commands::verify::run(args),
    };
    match result {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        // A reader that has seen enough, such as `head`, is not a failure.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
