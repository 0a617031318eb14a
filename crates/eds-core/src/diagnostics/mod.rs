//! What is wrong with a file, and where: values, and four ways to write them.
//!
//! A [`Finding`] has a stable code. Codes are listed in [`catalog`]; a code never changes its
//! meaning and is never used again for another.

use std::borrow::Cow;

pub mod catalog;
mod github;
mod json;
mod sarif;
mod text;

pub use github::github;
pub use json::{json, write_json};
pub use sarif::sarif;
pub use text::text;

use crate::printable::printable;
use crate::yaml::Span;
use catalog::Rule;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but likely not as meant. The file passes.
    Warning,
    /// Kubernetes, NATS or KEDA would refuse it, or it could not work. The file fails.
    Error,
}

impl Severity {
    /// `error` or `warning`, as SARIF and GitHub spell them too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which kind of thing.
    pub rule: &'static Rule,
    /// How bad. Usually the rule's own severity.
    pub severity: Severity,
    /// Where.
    pub span: Span,
    /// The field, such as `spec.nats.stream`; empty for the file as a whole.
    pub path: String,
    /// What is wrong and what is allowed.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Whether the text at its place is a secret, which is shown nowhere.
    pub conceals: bool,
}

impl Finding {
    /// A finding of the rule's own severity, without a place yet.
    #[must_use]
    pub fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity,
            span: Span::default(),
            path: String::new(),
            message: message.into(),
            help: None,
            conceals: false,
        }
    }

    /// Places it.
    #[must_use]
    pub fn at(mut self, span: Span, path: impl Into<String>) -> Self {
        self.span = span;
        self.path = path.into();
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The field and what is wrong, fit to be printed.
    fn said(&self) -> String {
        let path = if self.path.is_empty() { "" } else { ": " };
        printable(&format!("{}{path}{}", self.path, self.message)).into_owned()
    }

    /// What to do, fit to be printed.
    fn advice(&self) -> Option<Cow<'_, str>> {
        self.help.as_deref().map(printable)
    }

    /// Keeps the text at its place out of everything that is printed.
    #[must_use]
    pub fn concealed(mut self) -> Self {
        self.conceals = true;
        self
    }
}

/// The findings of one file, in the order of the file.
#[derive(Debug, Clone)]
pub struct FileFindings {
    /// The file as the user named it, or `<stdin>`.
    pub file: String,
    /// Its text, for the lines that are shown; empty where it could not be read.
    pub source: String,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

impl FileFindings {
    /// Sorts findings by place, and drops those that say the same at the same place.
    #[must_use]
    pub fn new(file: String, source: String, mut findings: Vec<Finding>) -> Self {
        let source = conceal(source, &mut findings);
        for finding in &mut findings {
            shorten(&mut finding.message);
            shorten(&mut finding.path);
        }
        findings.sort_by(|a, b| {
            (a.span.start, a.rule.code, &a.message).cmp(&(b.span.start, b.rule.code, &b.message))
        });
        findings.dedup_by(|a, b| {
            a.span.start == b.span.start && a.rule.code == b.rule.code && a.message == b.message
        });
        Self { file, source, findings }
    }
}

/// Replaces secrets in the source by asterisks, and in what other findings quote of it.
fn conceal(source: String, findings: &mut [Finding]) -> String {
    let spans: Vec<Span> = findings.iter().filter(|f| f.conceals).map(|f| f.span).collect();
    if spans.is_empty() {
        return source;
    }
    let mut secrets: Vec<String> = Vec::new();
    let mut out = String::with_capacity(source.len());
    for (i, line) in source.split_inclusive('\n').enumerate() {
        let here = spans.iter().filter(|s| (s.start.line..=s.end.line).contains(&(i + 1)));
        let columns: Vec<(usize, usize)> = here
            .map(|s| {
                let from = if s.start.line == i + 1 { s.start.column } else { 1 };
                let to = if s.end.line == i + 1 { s.end.column } else { usize::MAX };
                (from, to)
            })
            .collect();
        let secret =
            |column: usize| columns.iter().any(|(from, to)| (*from..*to).contains(&column));
        for (from, to) in &columns {
            let text: String = line.chars().skip(from - 1).take(to.saturating_sub(*from)).collect();
            let text = text.trim_matches(['"', '\'', '\n', '\r', ' ']);
            if text.len() > 2 {
                secrets.push(text.to_owned());
            }
        }
        let blank = |(j, c): (usize, char)| match c {
            c if c.is_whitespace() || !secret(j + 1) => c,
            _ => '*',
        };
        out.extend(line.chars().enumerate().map(blank));
    }
    for finding in findings {
        for secret in &secrets {
            let texts = [Some(&mut finding.message), finding.help.as_mut()];
            for text in texts.into_iter().flatten().filter(|text| text.contains(secret)) {
                *text = text.replace(secret, "***");
            }
        }
    }
    out
}

/// Messages quote what was written, which may be megabytes.
fn shorten(text: &mut String) {
    const LONGEST: usize = 600;
    if text.len() > LONGEST {
        let kept: String = text.chars().take(LONGEST / 2).collect();
        let end: Vec<char> = text.chars().rev().take(LONGEST / 4).collect();
        *text = format!("{kept} … {}", end.into_iter().rev().collect::<String>());
    }
}

/// Counts over a whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files read.
    pub files: usize,
    /// Claims checked.
    pub claims: usize,
    /// Objects of other kinds, passed over.
    pub skipped: usize,
    /// Files that hold no Kubernetes object, passed over.
    pub foreign: usize,
    /// Errors found.
    pub errors: usize,
    /// Warnings found.
    pub warnings: usize,
}

impl Summary {
    /// Adds the counts of another part of the run.
    pub fn add(&mut self, other: Self) {
        self.files += other.files;
        self.claims += other.claims;
        self.skipped += other.skipped;
        self.foreign += other.foreign;
        self.errors += other.errors;
        self.warnings += other.warnings;
    }

    /// Adds findings to the counts.
    pub fn count(&mut self, findings: &[Finding]) {
        for finding in findings {
            match finding.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
            }
        }
    }
}
