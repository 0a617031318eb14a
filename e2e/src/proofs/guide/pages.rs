//! The pages' own blocks, and commands as a person types them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::proof::failed;
use crate::testbed::{both, output};

/// The block of a page whose first line is `# FILE`, without that line.
pub(super) fn block(page: &str, file: &str) -> Option<String> {
    let (_, after) = page.split_once(&format!("\n# {file}\n"))?;
    let (inside, _) = after.split_once("\n```")?;
    Some(format!("{inside}\n"))
}

/// What a person types, and what it prints.
pub(super) struct Transcript {
    work: PathBuf,
    file: PathBuf,
    text: String,
}

impl Transcript {
    /// A new one of a name, among what is recorded.
    pub(super) fn new(evidence: &Path, name: &str) -> Self {
        let file = evidence.join("recorded").join(format!("{name}.txt"));
        Self { work: evidence.join("work"), file, text: String::new() }
    }

    /// Types a command. A diagnosis ends with 1, and `head` may have seen enough.
    pub(super) async fn typed(&mut self, line: &str) -> Result<()> {
        let mut shell = Command::new("bash");
        // Both into one pipe: as they come.
        shell
            .args(["-c", &format!("exec 2>&1\n{line}")])
            .current_dir(&self.work)
            .env("PATH", path()?);
        let ended = output(&mut shell).await?;
        self.text.push_str(&format!("$ {line}\n{}", both(&ended)));
        std::fs::write(&self.file, &self.text)?;
        match ended.status.code() {
            Some(0 | 1 | 141) => Ok(()),
            _ => {
                eprint!("{}", self.text);
                failed(format!("{line} ended with {}", ended.status))
            }
        }
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What was printed last.
    pub(super) fn last_line(&self) -> &str {
        self.text.lines().last().unwrap_or_default()
    }
}

/// With `eds` as people have it.
pub(super) fn path() -> Result<OsString> {
    let eds = std::env::var_os("EDS").context("EDS is not set: start testbed/proofs/guide")?;
    let directory =
        std::fs::canonicalize(eds)?.parent().map(Path::to_owned).context("EDS has no directory")?;
    let mut path = directory.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        let page = "text\n\n```yaml\n# a.yaml\na: 1\nb: 2\n```\n\n```yaml\n# b.yaml\nc: 3\n```\n";
        let check = |file: &str, expected: Option<&str>| {
            assert_eq!(block(page, file).as_deref(), expected, "{file}");
        };
        check("a.yaml", Some("a: 1\nb: 2\n"));
        check("b.yaml", Some("c: 3\n"));
        check("c.yaml", None);
    }
}
