//! Finds the position in the file of the value at a path.

use kube_object::path::{Path, Step};

use super::{Content, Node, Position, Span};

/// Looks up a path in a parsed file.
pub trait Place {
    /// Returns the node at this path.
    #[must_use]
    fn node<'a>(&self, root: &'a Node) -> Option<&'a Node>;

    /// Returns where to point: at the value if it is a scalar, at its key if it is larger. For what
    /// is not in the file, such as a default, returns the position of its nearest parent.
    #[must_use]
    fn span(&self, root: &Node) -> Span;

    /// Returns the position of a part of a text that begins at byte `at`. Returns `None` if escapes
    /// or folding shift it.
    #[must_use]
    fn part(&self, root: &Node, text: &str, at: usize, part: &str) -> Option<Span>;

    /// Returns the position of one character of a text, counted from 0.
    #[must_use]
    fn character(&self, root: &Node, index: usize) -> Option<Span>;

    /// Returns the position of the last field's key.
    #[must_use]
    fn key_span(&self, root: &Node) -> Span;
}

impl Place for Path {
    fn node<'a>(&self, root: &'a Node) -> Option<&'a Node> {
        self.0.iter().try_fold(root, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.item(*index),
        })
    }

    fn span(&self, root: &Node) -> Span {
        let (mut node, mut span) = (root, start_of(root));
        for step in &self.0 {
            match step {
                Step::Key(key) => match node.entry(key) {
                    Some(entry) => {
                        node = &entry.value;
                        span = match &node.content {
                            // An empty value has no position of its own.
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

    fn part(&self, root: &Node, text: &str, at: usize, part: &str) -> Option<Span> {
        let index = text.get(..at)?.chars().count();
        let first = self.character(root, index)?;
        let end =
            Position { line: first.start.line, column: first.start.column + part.chars().count() };
        Some(Span { start: first.start, end })
    }

    fn character(&self, root: &Node, index: usize) -> Option<Span> {
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

    fn key_span(&self, root: &Node) -> Span {
        let entry = self.0.split_last().and_then(|(last, parent)| match last {
            Step::Key(key) => Self(parent.to_vec()).node(root)?.entry(key),
            Step::Index(_) => None,
        });
        entry.map_or_else(|| self.span(root), |entry| entry.key_span)
    }
}

/// Returns where a node begins: a mapping with its first key, a list with its first item.
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
