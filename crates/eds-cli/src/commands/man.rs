//! `eds man`: the man pages, for those who pack `eds`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::{Cli, Outcome};

/// Write the man pages of eds and of each of its commands into a directory.
///
/// man reads one page from there: man DIRECTORY/eds.1. An installation puts them into
/// share/man/man1.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The directory, which is made if need be.
    directory: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let place = || format!("writing man pages into {}", args.directory.display());
    std::fs::create_dir_all(&args.directory).with_context(place)?;
    clap_mangen::generate_to(Cli::command(), &args.directory).with_context(place)?;
    Ok(Outcome::Fine)
}
