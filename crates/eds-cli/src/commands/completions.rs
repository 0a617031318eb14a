//! `eds completions`: what a shell needs to complete `eds`.

use std::io::Write;

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::{Cli, Outcome};

/// Print a completion script for a shell.
///
/// For bash: source <(eds completions bash). For zsh, fish, elvish and PowerShell, put the script
/// where the shell looks for completions.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "eds", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Outcome::Fine)
}
