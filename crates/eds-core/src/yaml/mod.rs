//! YAML with positions, read as kubectl reads it.
//!
//! kubectl turns YAML into JSON with `sigs.k8s.io/yaml`, which stands on go-yaml 2: YAML 1.1
//! scalars (`yes` is a boolean, `0777` is octal), merge keys, keys turned into strings. The tests
//! hold what that library answered.
//!
//! `saphyr-parser` reads the syntax: it is kept, passes the YAML test suite, pulls events instead
//! of recursing, and gives every event its position. What a scalar means is decided here, because
//! the kept Rust libraries follow YAML 1.2, where `yes` is a string.

mod build;
mod resolve;

use serde_json::{Map, Value};

pub use build::parse;

/// Nesting deeper than this is refused. Kubernetes objects end near 20 levels.
pub const MAX_DEPTH: usize = 200;
/// Nodes in a file after aliases are expanded; more is an alias bomb.
pub const MAX_NODES: usize = 250_000;

/// What a file holds: its documents, and what is wrong with its syntax.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// Documents that could be read, without empty ones. A syntax error ends the list.
    pub documents: Vec<Node>,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Something wrong with the syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of thing.
    pub kind: ProblemKind,
    /// Where.
    pub span: Span,
    /// What, for a person.
    pub message: String,
}

/// Kinds of syntax problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// Not YAML. Nothing after it is read.
    Syntax,
    /// A key stands twice in a mapping; the later value counts.
    DuplicateKey,
    /// Too deep, or too large once aliases are expanded. Nothing after it is read.
    Limit,
    /// A key that is no scalar, or an alias or merge that leads nowhere.
    Structure,
}

/// A range in the source. Lines and columns start at 1, columns count characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// First character.
    pub start: Position,
    /// One past the last character.
    pub end: Position,
}

/// A place in the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value.
    pub content: Content,
    /// Where it stands; for an alias, where the alias stands.
    pub span: Span,
}

/// The kinds of nodes.
#[derive(Debug, Clone)]
pub enum Content {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the file, merge keys resolved.
    Mapping(Vec<Entry>),
}

/// A scalar as written, and as kubectl understands it.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// The text of what is no string.
    text: String,
    /// Null, boolean, number or string.
    pub value: Value,
    /// Whether it stands without quotes, which is when its type is guessed.
    pub plain: bool,
}

impl Scalar {
    /// The text, without quotes and with escapes resolved.
    #[must_use]
    pub fn text(&self) -> &str {
        self.value.as_str().unwrap_or(&self.text)
    }
}

/// One key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key as JSON has it: always a string.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
    /// Whether a merge key (`<<`) brought it.
    pub merged: bool,
}

impl Node {
    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(scalar) => scalar.value.clone(),
            Content::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Content::Mapping(entries) => {
                let map: Map<String, Value> =
                    entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect();
                Value::Object(map)
            }
        }
    }

    /// The entry under a key, where this is a mapping. Of a duplicate key, the last.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().rev().find(|e| e.key == key),
            _ => None,
        }
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|e| &e.value)
    }

    /// The item at an index, where this is a list.
    #[must_use]
    pub fn item(&self, index: usize) -> Option<&Self> {
        match &self.content {
            Content::Sequence(items) => items.get(index),
            _ => None,
        }
    }

    /// The text, where this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) => scalar.value.as_str(),
            _ => None,
        }
    }
}
