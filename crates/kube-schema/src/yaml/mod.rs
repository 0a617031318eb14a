//! YAML with positions, read exactly as kubectl reads it.
//!
//! kubectl cuts a file into documents by lines, and turns each into JSON with `sigs.k8s.io/yaml`,
//! which builds on go-yaml 2: libyaml's syntax of YAML 1.1, scalars of YAML 1.1 (`yes` is a
//! boolean, `0777` is octal), merge keys, keys turned into strings. This module follows that code
//! part by part: [documents], [scanner] and [scalars], [parser], [build], [resolve]; [slips] words
//! the messages. `make yaml` compares it with kubectl's own code.
//!
//! Maintained libraries come close, but not close enough: `saphyr-parser` reads YAML 1.2, and
//! `libyaml-safer` 0.3 a newer libyaml, which accepted 15 of 1,170 recorded texts that kubectl
//! refuses and refused one that it accepts. Neither makes those rules configurable or reports
//! errors in words other than its own, and JSON needs rules of its own. So we have our own scanner.

mod build;
mod cursor;
mod documents;
mod fault;
mod foreign;
mod json;
mod parser;
mod place;
mod resolve;
mod scalars;
mod scanner;
mod slips;
mod written;

use std::collections::HashMap;

use serde_json::{Map, Value};

use build::{Built, Counts};
use documents::Piece;
use fault::{Fault, SyntaxError};
pub use place::Place;
pub use written::{flow, flow_text, is_plain, quoted};

/// The prefix of the tags that YAML defines; `!!` is short for it.
const CORE_TAG: &str = "tag:yaml.org,2002:";

/// The most problems to report for a file; one with more is something else.
const MAX_PROBLEMS: usize = 1000;

/// How much text aliases may repeat. The API server accepts no larger request.
pub const MAX_ALIASED_BYTES: usize = 3 << 20;
/// The deepest nesting allowed. Kubernetes objects have at most about 20 levels.
pub const MAX_DEPTH: usize = 200;
/// The most nodes in a file with aliases expanded; more is an alias bomb. The nodes of a refused
/// document do not count against later ones.
pub const MAX_NODES: usize = 250_000;
/// The most nodes created for a file, including those of refused documents.
const MAX_WORK: usize = 4 * MAX_NODES;

/// What a file contains: its documents, and what is wrong with its syntax.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// The documents that could be read, without empty ones.
    pub documents: Vec<Node>,
    /// What is wrong, in file order.
    pub problems: Vec<Problem>,
}

/// A problem with the syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The kind of problem.
    pub kind: ProblemKind,
    /// Where it is.
    pub span: Span,
    /// What is wrong, for people.
    pub message: String,
    /// What to do, if known.
    pub help: Option<String>,
}

/// Kinds of syntax problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// It is not YAML. Nothing in its document is read.
    Syntax,
    /// Kubernetes silently ignores the document from here on.
    Ignored,
    /// A key occurs twice in a mapping; the later value counts.
    DuplicateKey,
    /// It is too deep, or too large once aliases are expanded. Nothing in its document is read.
    Limit,
    /// A key that is not a scalar, or an alias or merge that leads nowhere.
    Structure,
}

/// Reads all documents of a file. Problems do not stop it from reading the rest.
#[must_use]
pub fn parse(source: &str) -> Stream {
    // kubectl's line reader ends each line.
    let ended = (!source.ends_with('\n')).then(|| format!("{source}\n"));
    let source = ended.as_deref().unwrap_or(source);
    let mut stream = Stream::default();
    let mut counts = Counts::default();
    let mut anchors = HashMap::new();
    for piece in documents::split(source, ended.is_some()) {
        let document = match &piece.error {
            Some(error) => Err(error.clone()),
            None => characters(&piece)
                .and_then(|()| parser::document(piece.text, piece.start, piece.json)),
        };
        match document {
            Err(error) => {
                let problem = slips::explain(source, &error);
                // What the file is as a whole is reported once.
                if !stream.problems.contains(&problem) {
                    stream.problems.push(problem);
                }
            }
            Ok(document) => {
                let Built { root, problems, stopped } =
                    build::build(&document.events, piece.json, &mut counts, &mut anchors);
                stream.documents.extend(root);
                stream.problems.extend(problems);
                if stopped {
                    break;
                }
                let ignored = document.ignored.map(|at| slips::ignored(source, at));
                stream.problems.extend(ignored);
            }
        }
        if stream.problems.len() > MAX_PROBLEMS {
            break;
        }
    }
    stream
}

/// Returns what a text without any Kubernetes object is, if known.
#[must_use]
pub fn foreign(source: &str) -> Option<Problem> {
    foreign::find(source).map(|slip| slip.into_problem(ProblemKind::Syntax))
}

/// Checks YAML's character set, which does not apply to JSON.
fn characters(piece: &Piece<'_>) -> Result<(), SyntaxError> {
    let suspicious = |byte: u8| {
        byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || matches!(byte, 0x7f | 0xc2 | 0xef)
    };
    if piece.json || !piece.text.bytes().any(suspicious) {
        return Ok(());
    }
    let forbidden = |c: char| {
        c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    match piece.text.char_indices().find(|(_, c)| forbidden(*c)) {
        None => Ok(()),
        Some((at, character)) => {
            let at = documents::advance(piece.start, piece.text.get(..at).unwrap_or_default());
            Err(SyntaxError { fault: Fault::Character(character), at, context: at })
        }
    }
}

/// A range in the source. Lines and columns start at 1; columns count characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// First character.
    pub start: Position,
    /// One past the last character.
    pub end: Position,
}

/// A position in the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A value and its position.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value.
    pub content: Content,
    /// Its position; for an alias, that of the alias.
    pub span: Span,
}

/// The kinds of nodes.
#[derive(Debug, Clone)]
pub enum Content {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in file order, with merge keys resolved.
    Mapping(Vec<Entry>),
}

/// A scalar as written, and as kubectl understands it.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// The text, unless it is a string.
    text: String,
    /// Null, boolean, number or string.
    pub value: Value,
    /// Whether it is unquoted, in which case its type is guessed.
    pub plain: bool,
}

impl Scalar {
    /// Returns the text, without quotes and with escapes resolved.
    #[must_use]
    pub fn text(&self) -> &str {
        self.value.as_str().unwrap_or(&self.text)
    }
}

/// One key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key as in JSON: always a string.
    pub key: String,
    /// The key's position.
    pub key_span: Span,
    /// The value.
    pub value: Node,
    /// Whether a merge key (`<<`) brought it.
    pub merged: bool,
}

impl Node {
    /// Returns the value as JSON.
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

    /// Returns the entry with a key, if this is a mapping. Of duplicate keys, returns the last.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().rev().find(|e| e.key == key),
            _ => None,
        }
    }

    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|e| &e.value)
    }

    /// Returns the item at an index, if this is a list.
    #[must_use]
    pub fn item(&self, index: usize) -> Option<&Self> {
        match &self.content {
            Content::Sequence(items) => items.get(index),
            _ => None,
        }
    }

    /// Returns the text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) => scalar.value.as_str(),
            _ => None,
        }
    }
}
