//! A path into an object, and where it stands in the file.

use std::collections::HashSet;
use std::fmt;

use crate::yaml::{Content, Node, Position, Span};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// A field.
    Key(String),
    /// A list's item.
    Index(usize),
}

impl Step {
    /// Adds itself to a pattern of the path: `.image`, or `[]` for whichever item.
    pub(crate) fn extend(&self, pattern: &mut String) {
        match self {
            Self::Key(key) => {
                if !pattern.is_empty() {
                    pattern.push('.');
                }
                pattern.push_str(key);
            }
            Self::Index(_) => pattern.push_str("[]"),
        }
    }
}

/// Steps from the object's root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Path(pub Vec<Step>);

/// A path on the way down, which costs nothing until it is wanted as a [`Path`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct At<'a>(Option<(&'a Self, Part<'a>)>);

#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    pub(super) const fn key(&'a self, key: &'a str) -> Self {
        Self(Some((self, Part::Key(key))))
    }

    pub(super) const fn index(&'a self, index: usize) -> Self {
        Self(Some((self, Part::Index(index))))
    }

    pub(super) fn path(&self) -> Path {
        let mut steps = Vec::new();
        let mut here = self;
        while let Some((parent, part)) = here.0 {
            steps.push(match part {
                Part::Key(key) => Step::Key(key.to_owned()),
                Part::Index(index) => Step::Index(index),
            });
            here = parent;
        }
        steps.reverse();
        Path(steps)
    }
}

impl Path {
    /// The path of a field below this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// The path of an item below this one.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// A path of fields such as `spec.nats.stream`.
    #[must_use]
    pub fn fields(path: &str) -> Self {
        let keys = path.split('.').filter(|key| !key.is_empty());
        Self(keys.map(|key| Step::Key(key.to_owned())).collect())
    }

    /// The path of a field some levels below this one, such as `nats.stream`.
    #[must_use]
    pub fn with_fields(&self, path: &str) -> Self {
        Self(self.0.iter().cloned().chain(Self::fields(path).0).collect())
    }

    /// The path with any item for each one: `spec.secretRefs[].env[]` of `spec.secretRefs[0].env[1]`.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::new();
        self.0.iter().for_each(|step| step.extend(&mut pattern));
        pattern
    }

    /// Whether the other path is this one or below it.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// Adds this path and all above it.
    pub(super) fn with_parents_into(&self, paths: &mut HashSet<Self>) {
        let mut path = self.clone();
        while paths.insert(path.clone()) && path.0.pop().is_some() {}
    }

    /// Whether this path or one above it is among them.
    pub(super) fn is_below(&self, paths: &HashSet<Self>) -> bool {
        if paths.is_empty() {
            return false;
        }
        let mut path = self.clone();
        while !paths.contains(&path) {
            if path.0.pop().is_none() {
                return false;
            }
        }
        true
    }

    /// The node at this path.
    #[must_use]
    pub fn node<'a>(&self, root: &'a Node) -> Option<&'a Node> {
        self.0.iter().try_fold(root, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.item(*index),
        })
    }

    /// Where to point: at the value if it is a scalar, at its key if it is larger. What is not in
    /// the file, such as a default, is where its nearest parent is.
    #[must_use]
    pub fn span(&self, root: &Node) -> Span {
        let (mut node, mut span) = (root, start_of(root));
        for step in &self.0 {
            match step {
                Step::Key(key) => match node.entry(key) {
                    Some(entry) => {
                        node = &entry.value;
                        span = match &node.content {
                            // An empty value has no place of its own.
                            Content::Scalar(s) if !(s.plain && s.text().is_empty()) => node.span,
                            _ => entry.key_span,
                        };
                    }
                    None => return span,
                },
                Step::Index(index) => match node.item(*index) {
                    Some(item) => {
                        node = item;
                        span = start_of(item);
                    }
                    None => return span,
                },
            }
        }
        span
    }

    /// Where a part of a text stands, which begins at byte `at`. None where escapes or folding move it.
    #[must_use]
    pub(crate) fn part(&self, root: &Node, text: &str, at: usize, part: &str) -> Option<Span> {
        let index = text.get(..at)?.chars().count();
        let first = self.character(root, index)?;
        let end =
            Position { line: first.start.line, column: first.start.column + part.chars().count() };
        Some(Span { start: first.start, end })
    }

    /// Where one character of a text stands, counted from 0.
    pub(super) fn character(&self, root: &Node, index: usize) -> Option<Span> {
        let node = self.node(root)?;
        let Content::Scalar(scalar) = &node.content else { return None };
        let (start, end) = (node.span.start, node.span.end);
        let length = scalar.text().chars().count();
        let width = end.column.checked_sub(start.column).filter(|_| start.line == end.line)?;
        let quotes = width.checked_sub(length)?;
        if !(scalar.plain && quotes == 0 || !scalar.plain && quotes == 2) {
            return None;
        }
        let column = start.column + quotes / 2 + index;
        Some(Span {
            start: Position { line: start.line, column },
            end: Position { line: start.line, column: column + 1 },
        })
    }

    /// Where the last field's key stands.
    #[must_use]
    pub fn key_span(&self, root: &Node) -> Span {
        let entry = self.0.split_last().and_then(|(last, parent)| match last {
            Step::Key(key) => Self(parent.to_vec()).node(root)?.entry(key),
            Step::Index(_) => None,
        });
        entry.map_or_else(|| self.span(root), |entry| entry.key_span)
    }
}

/// A mapping begins with its first key; a list with its first item.
fn start_of(node: &Node) -> Span {
    match &node.content {
        Content::Scalar(_) => node.span,
        Content::Mapping(entries) => match entries.first() {
            Some(entry) if !entry.merged => entry.key_span,
            _ => first_character(node.span),
        },
        Content::Sequence(_) => first_character(node.span),
    }
}

fn first_character(span: Span) -> Span {
    let end = Position { line: span.start.line, column: span.start.column + 1 };
    Span { start: span.start, end }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if key.contains(['.', '/', '[', ' ']) || key.is_empty() => {
                    write!(f, "[{key}]")?;
                }
                Step::Key(key) if i == 0 => write!(f, "{key}")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
