//! What a live cluster's answers mean: facts in, checks out.
//!
//! The facts are gathered elsewhere (`eds-cluster`), as the plain JSON that the API server and NATS
//! returned. Nothing here asks anyone, so every judgement is tested with recorded answers. This
//! crate must not know about schemas, or how facts are gathered and checks are printed.

pub mod bystanders;
pub mod claim;
pub mod composition;
pub mod deployment;
pub mod endpoint;
pub mod load;
mod package;
pub mod platform;
pub mod plot;
mod pod;
mod report;
mod rows;
pub mod scaler;
mod shared;
mod unread;

pub use endpoint::Endpoint;
pub use kube_object::difference::differences;
pub use report::{Report, Section};
pub use rows::Rows;
pub use unread::Unread;

use serde_json::{Value, json};

use kube_object::object;
use kube_object::printable::printable;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All is as it should be.
    Passed,
    /// It works, but there is something to know.
    Warning,
    /// Something is not as it should be.
    Failed,
    /// It could not be checked, because of something that another check names.
    Skipped,
}

impl Status {
    /// Returns the word used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked, in a few words. The same words in every run.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// What was found, in one line: the cause if it failed, the evidence if it passed.
    pub detail: String,
    /// Further lines: a log, differences, the other causes.
    pub more: Vec<String>,
    /// What to do, if anything.
    pub fix: Option<String>,
}

impl Check {
    /// Returns a passed check, with what was found.
    #[must_use]
    pub fn passed(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            status: Status::Passed,
            detail: detail.into(),
            more: Vec::new(),
            fix: None,
        }
    }

    /// Returns a failed check, with its cause and its fix.
    #[must_use]
    pub fn failed(
        name: impl Into<String>,
        cause: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let status = Status::Failed;
        let (name, detail, fix) = (name.into(), cause.into(), Some(fix.into()));
        Self { name, status, detail, more: Vec::new(), fix }
    }

    /// Returns a warning: something to know, and what could be done.
    #[must_use]
    pub fn warning(
        name: impl Into<String>,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status: Status::Warning, ..Self::failed(name, detail, fix) }
    }

    /// Returns a check that could not be made.
    #[must_use]
    pub fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { status: Status::Skipped, ..Self::passed(name, why) }
    }

    /// Adds further lines.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = String>) -> Self {
        self.more.extend(more);
        self
    }

    /// Returns what was found, safe to print: the first line, with the others below it. Text from
    /// the cluster (logs, messages, names) cannot end a line, and no terminal obeys it.
    #[must_use]
    pub fn whole(&self) -> String {
        let lines = std::iter::once(&self.detail).chain(&self.more);
        let lines: Vec<_> = lines.map(|line| printable(line.trim_end())).collect();
        lines.join("\n")
    }

    /// Returns the check as JSON: `check`, `status`, `detail`, and `fix` if there is one.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut object = json!({
            "check": printable(&self.name),
            "status": self.status.name(),
            "detail": self.whole(),
        });
        if let (Some(fix), Some(map)) = (&self.fix, object.as_object_mut()) {
            map.insert("fix".to_owned(), json!(printable(fix)));
        }
        object
    }
}
