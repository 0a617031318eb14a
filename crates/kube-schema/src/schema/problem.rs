//! Something wrong at a path, before it has a place in a file.

use crate::yaml::Place;
use serde_json::Value;

use crate::diagnostics::catalog;
use crate::diagnostics::{Detail, Finding, Rule};
use crate::yaml::{Content, Node};
use kube_object::path::Path;

#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) rule: &'static Rule,
    pub(super) path: Path,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// What callers decide by.
    pub(super) detail: Detail,
    /// Whether a key is wrong, not its value.
    pub(super) on_key: bool,
    /// Which character of a text is wrong, from 0.
    pub(super) character: Option<usize>,
}

impl Problem {
    pub(super) fn new(rule: &'static Rule, path: Path, message: impl Into<String>) -> Self {
        let on_key = *rule == catalog::UNKNOWN_FIELD;
        let detail = Detail::Nothing;
        Self { rule, path, message: message.into(), help: None, detail, on_key, character: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What may be meant, where that is known.
    pub(super) fn offer(mut self, meant: Option<String>) -> Self {
        self.help = meant.map(|meant| format!("write {meant}, if that is meant"));
        self
    }

    pub(super) fn type_mismatch(path: Path, wanted: &str, value: &Value) -> Self {
        let got = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(b) => format!("the boolean {b}"),
            Value::Number(n) => format!("the number {n}"),
            Value::String(_) => "a string".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "a mapping".to_owned(),
        };
        let mut problem =
            Self::new(&catalog::TYPE, path, format!("must be {wanted}, but is {got}"));
        problem.detail = Detail::Wanted(wanted.to_owned());
        problem
    }

    /// Whether CEL rules above this place can still be trusted to run
    /// (`customresource/strategy.go`, `hasBlockingErr`).
    pub(super) fn blocks_rules(&self) -> bool {
        [&catalog::TYPE, &catalog::REQUIRED, &catalog::LENGTH, &catalog::COUNT]
            .iter()
            .any(|rule| **rule == *self.rule)
    }

    /// Gives it its place, and the help that only the file can give: what was written there.
    pub(super) fn into_finding(self, root: &Node) -> Finding {
        let span = if self.on_key { self.path.key_span(root) } else { self.path.span(root) };
        let span = self.character.and_then(|i| self.path.character(root, i)).unwrap_or(span);
        let help = self.help.clone().or_else(|| quoting(&self, root));
        let mut finding = Finding::new(self.rule, self.message).at(span, self.path.to_string());
        finding.detail = self.detail;
        finding.help = help;
        finding
    }
}

/// A plain scalar that YAML takes for something else than the string that belongs there.
fn quoting(problem: &Problem, root: &Node) -> Option<String> {
    if problem.detail != Detail::Wanted("a string".to_owned()) {
        return None;
    }
    match &problem.path.node(root)?.content {
        Content::Scalar(s) if s.plain && s.value.is_null() && !s.text().is_empty() => {
            Some(format!("YAML reads {0} as no value; quote it: \"{0}\"", s.text()))
        }
        Content::Scalar(s) if s.plain && !s.text().is_empty() => {
            let kind = if s.value.is_boolean() { "a boolean" } else { "a number" };
            Some(format!("YAML reads {0} as {kind}; quote it: \"{0}\"", s.text()))
        }
        _ => None,
    }
}
