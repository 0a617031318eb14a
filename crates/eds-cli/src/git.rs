//! Files as they were at a git revision.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The text of a file at a revision; `None` where it did not exist there, or is no file.
pub(crate) fn show(reference: &str, path: &Path) -> Result<Option<String>> {
    if path == Path::new("-") {
        return Ok(None);
    }
    if reference.starts_with('-') {
        bail!("{reference:?} is no git revision");
    }
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    let name = path.file_name().context("no file name")?.to_string_lossy();
    let git = |args: &[&str]| {
        Command::new("git").arg("-C").arg(directory).args(args).output().context("cannot run git")
    };
    let commit = format!("{reference}^{{commit}}");
    let known = git(&["rev-parse", "--verify", "--quiet", &commit])?;
    if !known.status.success() {
        let said = String::from_utf8_lossy(&known.stderr).trim().to_owned();
        bail!("git does not know the revision {reference}: {said}");
    }
    let output = git(&["show", &format!("{reference}:./{name}")])?;
    if !output.status.success() {
        return Ok(None);
    }
    Ok(String::from_utf8(output.stdout).ok())
}
