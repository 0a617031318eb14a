//! A problem at a path, before it has a position in a file.

use crate::yaml::Place;
use serde_json::Value;

use crate::diagnostics::catalog;
use crate::diagnostics::{Detail, Finding, Rule};
use crate::yaml::{Content, Node};
use kube_object::path::{Path, Step};

#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) rule: &'static Rule,
    pub(super) path: Path,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// What callers need to know.
    pub(super) detail: Detail,
    /// Whether the key is wrong, rather than its value.
    pub(super) on_key: bool,
    /// The index of the wrong character in a text, from 0.
    pub(super) character: Option<usize>,
    /// What within the value is probably at fault.
    pub(super) culprits: Vec<Path>,
}

impl Problem {
    pub(super) fn new(rule: &'static Rule, path: Path, message: impl Into<String>) -> Self {
        let on_key = *rule == catalog::UNKNOWN_FIELD;
        let detail = Detail::Nothing;
        Self {
            rule,
            path,
            message: message.into(),
            help: None,
            detail,
            on_key,
            character: None,
            culprits: Vec::new(),
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Offers a field with a similar name.
    pub(super) fn near(mut self, near: &str) -> Self {
        self.detail = Detail::Near(near.to_owned());
        self.help(format!("did you mean {near}?"))
    }

    /// Adds what may have been meant, if known.
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

    /// Reports whether CEL rules above this place can no longer be trusted to run
    /// (`customresource/strategy.go`, `hasBlockingErr`).
    pub(super) fn blocks_rules(&self) -> bool {
        [&catalog::TYPE, &catalog::REQUIRED, &catalog::LENGTH, &catalog::COUNT]
            .iter()
            .any(|rule| **rule == *self.rule)
    }

    /// Adds its position, and the help that depends on what was written in the file.
    pub(super) fn into_finding(self, root: &Node) -> Finding {
        let span = if self.on_key { self.path.key_span(root) } else { self.path.span(root) };
        let span = self.character.and_then(|i| self.path.character(root, i)).unwrap_or(span);
        let help = self.help.clone().or_else(|| quoting(&self, root));
        // Of several that are as likely, the last one was added to what was fine.
        let places = self.culprits.iter().filter(|path| path.node(root).is_some());
        let places = places.map(|path| {
            let span = match path.node(root).map(|node| &node.content) {
                Some(Content::Scalar(_)) if !is_key(path) => path.span(root),
                _ => path.key_span(root),
            };
            (span, path.to_string())
        });
        let narrow = places.max_by_key(|(span, _)| span.start);
        let mut finding = Finding::new(self.rule, self.message).at(span, self.path.to_string());
        finding.narrow = narrow;
        finding.detail = self.detail;
        finding.help = help;
        finding
    }
}

/// Reports whether the last step of a path is a key of a person's own, as of a label: such a key is
/// at fault, and not its value.
fn is_key(path: &Path) -> bool {
    let maps = ["labels", "annotations", "nodeSelector"];
    let above = path.0.len().checked_sub(2).and_then(|at| path.0.get(at));
    matches!(above, Some(Step::Key(key)) if maps.contains(&key.as_str()))
}

/// Returns help for a plain scalar that YAML reads as something other than the string that belongs
/// there.
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
