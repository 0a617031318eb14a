//! From parser events to nodes, without recursion.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::Value;

use super::resolve::resolve;
use super::{
    Content, Entry, MAX_DEPTH, MAX_NODES, Node, Position, Problem, ProblemKind, Scalar, Span,
    Stream,
};

/// Reads all documents of a file. What can be read is, also beside problems.
#[must_use]
pub fn parse(source: &str) -> Stream {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(source.strip_prefix('\u{feff}').unwrap_or(source));
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                let span = Span { start: position(&span.start), end: position(&span.end) };
                if !builder.take(event, span) {
                    break;
                }
            }
            Err(error) => {
                let start = position(error.marker());
                let span = Span { start, end: start };
                // The scanner gives up on flow collections before the depth here is reached.
                let kind = match error.info() {
                    "recursion limit exceeded" => ProblemKind::Limit,
                    _ => ProblemKind::Syntax,
                };
                builder.problem(kind, span, error.info().to_owned());
                break;
            }
        }
    }
    builder.stream
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

#[derive(Default)]
struct Builder {
    stream: Stream,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

/// A list or mapping that has not ended yet.
struct Open {
    anchor: usize,
    start: Position,
    /// Nodes before it, to know its size when it ends.
    before: usize,
    kind: OpenKind,
}

#[derive(Default)]
struct OpenMapping {
    entries: Vec<Entry>,
    /// The entries' keys, once there are too many to look through one by one.
    seen: HashSet<String>,
    /// A key that waits for its value.
    key: Option<Node>,
    /// Values of merge keys, applied when the mapping ends.
    merges: Vec<Node>,
}

enum OpenKind {
    Sequence(Vec<Node>),
    Mapping(OpenMapping),
}

impl Builder {
    fn problem(&mut self, kind: ProblemKind, span: Span, message: impl Into<String>) {
        self.stream.problems.push(Problem { kind, span, message: message.into() });
    }

    /// Takes one event. False: nothing more can be read.
    fn take(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(_) => {
                self.open.clear();
                self.anchors.clear();
                true
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let value = match resolve(&text, plain, core_tag(tag.as_deref())) {
                    Ok(value) => value,
                    Err(message) => {
                        self.problem(ProblemKind::Structure, span, message);
                        None
                    }
                };
                // Most scalars are strings: their text is their value, and is kept once.
                let scalar = match value {
                    Some(value) => Scalar { text: text.into_owned(), value, plain },
                    None => {
                        let value = Value::String(text.into_owned());
                        Scalar { text: String::new(), value, plain }
                    }
                };
                self.add(Node { content: Content::Scalar(scalar), span }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => {
                self.start(anchor, span, OpenKind::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, _) => {
                self.start(anchor, span, OpenKind::Mapping(OpenMapping::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(id) => match self.anchors.get(&id) {
                Some((node, size)) => {
                    let (node, size) = (Node { span, ..node.clone() }, *size);
                    self.add(node, 0, size)
                }
                None => {
                    self.problem(
                        ProblemKind::Structure,
                        span,
                        "this alias refers to a value that contains it",
                    );
                    let scalar = Scalar { text: String::new(), value: Value::Null, plain: true };
                    self.add(Node { content: Content::Scalar(scalar), span }, 0, 1)
                }
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => true,
        }
    }

    fn start(&mut self, anchor: usize, span: Span, kind: OpenKind) -> bool {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            self.problem(ProblemKind::Limit, span, message);
            return false;
        }
        self.open.push(Open { anchor, start: span.start, before: self.nodes, kind });
        true
    }

    fn end(&mut self, span: Span) -> bool {
        let Some(open) = self.open.pop() else { return true };
        let content = match open.kind {
            OpenKind::Sequence(items) => Content::Sequence(items),
            OpenKind::Mapping(mut mapping) => {
                for source in std::mem::take(&mut mapping.merges) {
                    self.merge(&mut mapping, source);
                }
                Content::Mapping(mapping.entries)
            }
        };
        let size = self.nodes - open.before + 1;
        // Its parts were counted when they came; only the container itself is new.
        self.nodes = open.before;
        let span = Span { start: open.start, end: span.end };
        self.add(Node { content, span }, open.anchor, size)
    }

    /// Adds a finished node, of `size` nodes with all below it, to what is open.
    fn add(&mut self, node: Node, anchor: usize, size: usize) -> bool {
        self.nodes += size;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values once aliases are expanded");
            self.problem(ProblemKind::Limit, node.span, message);
            return false;
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            let empty = matches!(&node.content, Content::Scalar(s) if s.value.is_null());
            if !empty {
                self.stream.documents.push(node);
            }
            return true;
        };
        match &mut open.kind {
            OpenKind::Sequence(items) => items.push(node),
            OpenKind::Mapping(mapping) => match mapping.key.take() {
                None => mapping.key = Some(node),
                Some(key) if is_merge(&key) => mapping.merges.push(node),
                Some(key) => {
                    let span = key.span;
                    if let Err((kind, message)) = mapping.insert(key, node) {
                        self.problem(kind, span, message);
                    }
                }
            },
        }
        true
    }

    /// Adds the entries of a merge key's mapping, or of each in its list. What stands in the
    /// mapping itself wins, then what came first.
    fn merge(&mut self, mapping: &mut OpenMapping, source: Node) {
        let span = source.span;
        let sources = match source.content {
            Content::Sequence(items) => items,
            _ => vec![source],
        };
        for source in sources {
            let Content::Mapping(inherited) = source.content else {
                self.problem(
                    ProblemKind::Structure,
                    span,
                    "a merge key (<<) takes a mapping or a list of mappings",
                );
                continue;
            };
            for entry in inherited {
                if mapping.is_fresh(&entry.key) {
                    mapping.entries.push(Entry { merged: true, ..entry });
                }
            }
        }
    }
}

impl OpenMapping {
    fn insert(&mut self, key: Node, value: Node) -> Result<(), (ProblemKind, String)> {
        let key_span = key.span;
        let key = key_text(key).map_err(|m| (ProblemKind::Structure, m.to_owned()))?;
        let result = match self.is_fresh(&key) {
            true => Ok(()),
            false => {
                let twice = format!("key {key:?} stands twice in this mapping");
                Err((ProblemKind::DuplicateKey, twice))
            }
        };
        self.entries.push(Entry { key, key_span, value, merged: false });
        result
    }

    /// Whether a key that is about to be added is new.
    fn is_fresh(&mut self, key: &str) -> bool {
        const FEW: usize = 16;
        if self.entries.len() < FEW {
            return self.entries.iter().all(|entry| entry.key != key);
        }
        if self.seen.is_empty() {
            self.seen.extend(self.entries.iter().map(|entry| entry.key.clone()));
        }
        self.seen.insert(key.to_owned())
    }
}

fn core_tag(tag: Option<&Tag>) -> Option<&str> {
    tag.filter(|t| t.is_yaml_core_schema()).map(|t| t.suffix.as_str())
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.content, Content::Scalar(s) if s.plain && s.text() == "<<")
}

/// Keys become strings as `sigs.k8s.io/yaml` makes them: `1`, `1.5`, `true`.
fn key_text(key: Node) -> Result<String, &'static str> {
    match key.content {
        Content::Scalar(scalar) => match scalar.value {
            Value::String(text) => Ok(text),
            Value::Null => Err("a key must not be null"),
            other => Ok(other.to_string()),
        },
        _ => Err("a key must be a scalar"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(source: &str, expected: Value) {
        let stream = parse(source);
        assert_eq!(stream.problems, [], "{source}");
        let documents: Vec<Value> = stream.documents.iter().map(Node::to_json).collect();
        assert_eq!(Value::Array(documents), expected, "{source}");
    }

    #[track_caller]
    fn check_problem(source: &str, kind: ProblemKind, line: usize, column: usize) {
        let problems = parse(source).problems;
        let first = problems.first().unwrap();
        assert_eq!((first.kind, first.span.start), (kind, Position { line, column }), "{first:?}");
    }

    #[test]
    fn documents() {
        check("", json!([]));
        check("# only a comment\n", json!([]));
        check("---\n---\na: 1\n---\n...\n", json!([{"a": 1}]));
        check("\u{feff}a: 1\r\nb: 2\r\n", json!([{"a": 1, "b": 2}]));
        check(
            "a: |\n  x\n  y\nb: >\n  x\n  y\n---\nc: 1\n",
            json!([{"a": "x\ny\n", "b": "x y\n"}, {"c": 1}]),
        );
        check(
            "1: x\ntrue: y\n1.5: z\nn: q\n",
            json!([{"1": "x", "true": true, "1.5": "z", "false": "q"}]),
        );
        check("a: !!str 5\nb: !!int \"5\"\nc: !foo x\n", json!([{"a": "5", "b": 5, "c": "x"}]));
    }

    #[test]
    fn anchors_and_merge_keys() {
        check("m: &a {b: 1}\nk: {<<: *a, c: 2}\n", json!([{"m": {"b": 1}, "k": {"b": 1, "c": 2}}]));
        check("k: {c: 2, <<: [{b: 1}, {b: 2, d: 3}]}\n", json!([{"k": {"b": 1, "c": 2, "d": 3}}]));
        check("k: {<<: {b: 1}, b: 2}\n", json!([{"k": {"b": 2}}]));
    }

    #[test]
    fn problems_have_places() {
        check_problem("a: 1\nb:\n  c: 1\n  c: 2\n", ProblemKind::DuplicateKey, 4, 3);
        check_problem("a: 1\n\tb: 2\n", ProblemKind::Syntax, 1, 4);
        check_problem("? [a]\n: 1\n", ProblemKind::Structure, 1, 3);
        check_problem("a: .inf\n", ProblemKind::Structure, 1, 4);
        check_problem(&"[".repeat(10_000), ProblemKind::Limit, 1, 256);
        check_problem(&"- ".repeat(10_000), ProblemKind::Limit, 1, 2 * MAX_DEPTH + 1);
    }

    #[test]
    fn an_alias_bomb_ends_early() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let list = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{list}]\n"));
        }
        assert_eq!(parse(&bomb).problems.first().unwrap().kind, ProblemKind::Limit);
    }

    #[test]
    fn positions_count_characters() {
        let stream = parse("é: [1, ü: x]\n");
        let list = stream.documents[0].get("é").unwrap();
        assert_eq!(list.span.start, Position { line: 1, column: 4 });
        let entry = list.item(1).unwrap().entry("ü").unwrap();
        assert_eq!(entry.key_span.start, Position { line: 1, column: 8 });
    }
}
