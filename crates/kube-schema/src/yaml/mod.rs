//! YAML with positions, read exactly as kubectl reads it.
//!
//! kubectl cuts a file into documents by lines, and turns each into JSON with `sigs.k8s.io/yaml`,
//! which stands on go-yaml 2: libyaml's syntax of YAML 1.1, scalars of YAML 1.1 (`yes` is a boolean,
//! `0777` is octal), merge keys, keys turned into strings. So what is here follows that code, room by
//! room: [documents], [scanner] and [scalars], [parser], [build], [resolve]; [slips] finds the words
//! for what is wrong. `make yaml` asks kubectl's own code the same questions.
//!
//! Kept libraries come near and no further: `saphyr-parser` reads YAML 1.2, and `libyaml-safer` 0.3 a
//! newer libyaml, which took 15 of 1,170 recorded texts that kubectl refuses and refused one that it
//! takes. Neither lets those rules be chosen, nor says what is wrong other than in its words, and JSON
//! needs rules of its own. So the scanner is ours.

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

use std::collections::HashMap;

use serde_json::{Map, Value};

use build::{Built, Counts};
use documents::Piece;
use fault::{Fault, SyntaxError};
pub use place::Place;

/// What the tags that YAML defines start with; `!!` is short for it.
const CORE_TAG: &str = "tag:yaml.org,2002:";

/// Problems of a file; a file that has more is something else.
const MAX_PROBLEMS: usize = 1000;

/// Text that aliases may repeat. The API server takes no larger request.
pub const MAX_ALIASED_BYTES: usize = 3 << 20;
/// Nesting deeper than this is refused. Kubernetes objects end near 20 levels.
pub const MAX_DEPTH: usize = 200;
/// Nodes in a file after aliases are expanded; more is an alias bomb. What a document that is refused
/// had does not count against those after it.
pub const MAX_NODES: usize = 250_000;
/// Nodes that are made of a file, with those of documents that are refused.
const MAX_WORK: usize = 4 * MAX_NODES;

/// What a file holds: its documents, and what is wrong with its syntax.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// Documents that could be read, without empty ones.
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
    /// What to do, where that is known.
    pub help: Option<String>,
}

/// Kinds of syntax problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// Not YAML. Nothing of its document is read.
    Syntax,
    /// Kubernetes reads nothing of the document from here on, and says no word.
    Ignored,
    /// A key stands twice in a mapping; the later value counts.
    DuplicateKey,
    /// Too deep, or too large once aliases are expanded. Nothing of its document is read.
    Limit,
    /// A key that is no scalar, or an alias or merge that leads nowhere.
    Structure,
}

/// Reads all documents of a file. What can be read is, also beside problems.
#[must_use]
pub fn parse(source: &str) -> Stream {
    // kubectl's reader of lines ends each.
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
                // What the file is as a whole is said once.
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

/// What a text is that has no object of Kubernetes in it, where that is known.
#[must_use]
pub fn foreign(source: &str) -> Option<Problem> {
    foreign::find(source).map(|slip| slip.into_problem(ProblemKind::Syntax))
}

/// YAML's set of characters, which JSON does not have.
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
