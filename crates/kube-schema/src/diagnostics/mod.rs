//! What is wrong with a file, and where: the values, and four ways to write them.
//!
//! A [`Finding`] has a stable code. Codes are listed in [`catalog`]; a code never changes its
//! meaning and is never reused.

use std::borrow::Cow;

pub mod catalog;
mod github;
mod json;
mod sarif;
mod secrets;
mod text;

pub use github::github;
pub use json::{json, write_json};
pub use sarif::sarif;
pub use text::text;

use crate::yaml::Span;
pub use catalog::Rule;
use kube_object::printable::printable;
use kube_object::secrets::{Mask, masked};

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, but probably not as intended. The file passes.
    Warning,
    /// Kubernetes, NATS or KEDA would refuse it, or it could not work. The file fails.
    Error,
}

impl Severity {
    /// Returns `error` or `warning`, which is also how SARIF and GitHub spell them.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What callers need to know about a finding beyond its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    #[default]
    Nothing,
    /// The value should have this type instead, such as `a list`.
    Wanted(String),
    /// There is no such field, but one with this similar name.
    Near(String),
    /// Something required is missing.
    Missing,
    /// A rule of the API itself is broken.
    ApiRule(ApiRule),
    /// A list entry has keys in place of its values.
    KeysForValues,
}

/// A rule of an API, by its place in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiRule<P = String> {
    /// The field with the rule, with `[]` for any item: `spec.secretRefs[].env`.
    pub field: P,
    /// The rule's index in the field's `x-kubernetes-validations`, from 0.
    pub index: usize,
}

impl ApiRule<&str> {
    /// Reports whether a finding is about this rule.
    #[must_use]
    pub fn is_broken_in(&self, finding: &Finding) -> bool {
        match &finding.detail {
            Detail::ApiRule(rule) => rule.field == self.field && rule.index == self.index,
            _ => false,
        }
    }
}

/// One problem.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The kind of problem.
    pub rule: &'static Rule,
    /// How serious it is. Usually the rule's own severity.
    pub severity: Severity,
    /// Where it is.
    pub span: Span,
    /// The field, such as `spec.nats.stream`; empty for the whole file.
    pub path: String,
    /// What is wrong, and what is allowed.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// What callers need to know.
    pub detail: Detail,
    /// Whether the text at its place is a secret, which is never shown.
    pub conceals: bool,
    /// A place within its own that is probably at fault: see [`Finding::narrowed`].
    pub narrow: Option<(Span, String)>,
}

impl Finding {
    /// Creates a finding with the rule's own severity and no place yet.
    #[must_use]
    pub fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity,
            span: Span::default(),
            path: String::new(),
            message: message.into(),
            help: None,
            detail: Detail::Nothing,
            conceals: false,
            narrow: None,
        }
    }

    /// Points at what is probably at fault within its place, if that is known. Whoever relates
    /// findings by their paths does so before.
    pub fn narrowed(&mut self) {
        if let Some((span, path)) = self.narrow.take()
            && path.starts_with(&self.path)
        {
            (self.span, self.path) = (span, path);
        }
    }

    /// Sets its place.
    #[must_use]
    pub fn at(mut self, span: Span, path: impl Into<String>) -> Self {
        self.span = span;
        self.path = path.into();
        self
    }

    /// Sets what callers need to know.
    #[must_use]
    pub fn with(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Sets what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Returns the field and what is wrong, safe to print.
    fn headline(&self) -> String {
        let path = if self.path.is_empty() { "" } else { ": " };
        printable(&format!("{}{path}{}", self.path, self.message)).into_owned()
    }

    /// Returns what to do, safe to print.
    fn advice(&self) -> Option<Cow<'_, str>> {
        self.help.as_deref().map(printable)
    }

    /// Keeps the text at its place out of all output.
    #[must_use]
    pub fn concealed(mut self) -> Self {
        self.conceals = true;
        self
    }
}

/// The findings of one file, in file order.
#[derive(Debug, Clone, Default)]
pub struct FileFindings {
    /// The file as the user named it, or `<stdin>`.
    pub file: String,
    /// The text, for the lines that are shown; empty if it could not be read.
    pub source: String,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

impl FileFindings {
    /// Sorts findings by place, and drops duplicates at the same place.
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

/// Masks secrets in the source with asterisks, and in what findings quote from it. It happens only
/// here, before any format prints.
fn conceal(source: String, findings: &mut [Finding]) -> String {
    if findings.is_empty() {
        return source;
    }
    let mut mask = Mask::of(&source);
    // What a rule knows to be a secret is one wherever it is quoted.
    let known = mask.texts.len();
    let told = secrets::Secrets::of(&source);
    let concealed = findings.iter().filter(|f| f.conceals).map(|f| (f.span, true));
    let concealed: Vec<(Span, bool)> =
        told.spans.iter().map(|span| (*span, false)).chain(concealed).collect();
    let lines: Vec<&str> = source.split_inclusive('\n').collect();
    for (span, everywhere) in concealed {
        for line in span.start.line..=span.end.line {
            let Some(text) = line.checked_sub(1).and_then(|i| lines.get(i)) else { continue };
            let from = if line == span.start.line { span.start.column - 1 } else { 0 };
            let to = if line == span.end.line { span.end.column - 1 } else { usize::MAX };
            mask.spans.push((line - 1, from, to));
            if !everywhere {
                continue;
            }
            let quoted: String = text.chars().skip(from).take(to.saturating_sub(from)).collect();
            let quoted = quoted.trim_matches(['"', '\'', '\n', '\r', ' ']);
            if quoted.len() > 2 {
                mask.texts.push((line - 1, quoted.to_owned()));
            }
        }
    }
    mask.spans.sort_unstable();
    let (local, everywhere) = mask.texts.split_at(known);
    for finding in &mut *findings {
        let (first, last) = (finding.span.start.line, finding.span.end.line);
        let from = local.partition_point(|(line, _)| line + 1 < first);
        let here = local.iter().skip(from).take_while(|(line, _)| *line < last).take(50);
        let texts: Vec<&str> = here.chain(everywhere).map(|(_, text)| text.as_str()).collect();
        let from = mask.spans.partition_point(|(line, ..)| line + 1 < first);
        let at = (first.saturating_sub(1), finding.span.start.column.saturating_sub(1));
        let quotes = mask
            .spans
            .iter()
            .skip(from)
            .take_while(|(line, ..)| *line == at.0)
            .any(|(_, from, to)| (*from..*to).contains(&at.1) && !finding.conceals);
        let parts = [Some(&mut finding.message), finding.help.as_mut(), Some(&mut finding.path)];
        let mut looked = true;
        for text in parts.into_iter().flatten() {
            looked &= told.clear(first, text);
            clear(text, &texts, quotes || !looked);
        }
        if !looked {
            finding.help = None;
        }
    }
    let mut out = String::with_capacity(source.len());
    let mut spans = mask.spans.iter().peekable();
    for (i, line) in lines.iter().enumerate() {
        let mut columns: Vec<(usize, usize)> = Vec::new();
        while let Some((_, from, to)) = spans.next_if(|(at, ..)| *at <= i) {
            match columns.last_mut() {
                Some(last) if *from <= last.1 => last.1 = last.1.max(*to),
                _ => columns.push((*from, *to)),
            }
        }
        if columns.is_empty() {
            out.push_str(line);
            continue;
        }
        let mut columns = columns.into_iter().peekable();
        for (j, c) in line.chars().enumerate() {
            while columns.next_if(|(_, to)| *to <= j).is_some() {}
            let secret = columns.peek().is_some_and(|(from, _)| *from <= j);
            out.push(if secret && !c.is_whitespace() { '*' } else { c });
        }
    }
    out
}

/// Removes secrets from a text: those at its finding's place, and whatever looks like one by
/// itself. A finding about a secret may quote it differently (escaped, or as a number).
fn clear(text: &mut String, secrets: &[&str], quotes: bool) {
    for secret in secrets {
        if text.contains(secret) {
            *text = text.replace(secret, "***");
        }
    }
    if quotes {
        if let (Some(from), Some(to)) = (text.find('"'), text.rfind('"')) {
            text.replace_range(from..=to, "\"***\"");
        }
        if let Some((before, number)) = text.split_once("the number ") {
            let after = number.find(|c: char| c.is_whitespace()).and_then(|at| number.get(at..));
            *text = format!("{before}a number{}", after.unwrap_or_default());
        }
    }
    if let Some(masked) = masked(text) {
        *text = masked;
    }
}

/// Shortens a message, which may quote megabytes of input.
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
    /// Objects of other kinds, skipped.
    pub skipped: usize,
    /// Files without any Kubernetes object, skipped.
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
