//! Builds nodes from the events of a document, without recursion (`decode.go`).

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::parser::Event;
use super::resolve::{Meaning, literal, resolve};
use super::slips;
use super::{
    CORE_TAG, Content, Entry, MAX_ALIASED_BYTES, MAX_DEPTH, MAX_NODES, MAX_WORK, Node, Position,
    Problem, ProblemKind, Scalar, Span,
};

/// The most problems to show for one document.
const MAX_SHOWN: usize = 100;

/// What a file may hold, counted across its documents.
#[derive(Default)]
pub(super) struct Counts {
    nodes: usize,
    /// Nodes, including those of discarded documents.
    work: usize,
    /// Bytes of text that aliases repeat.
    aliased_bytes: usize,
}

/// The result of a document.
pub(super) struct Built {
    /// `None` if the document is empty, or refused as a whole.
    pub(super) root: Option<Node>,
    pub(super) problems: Vec<Problem>,
    /// Whether too much was created to continue with the file.
    pub(super) stopped: bool,
}

/// Builds nodes from events. `anchors` are those of earlier documents, for messages about an alias
/// to one of them.
pub(super) fn build<'a>(
    events: &[(Event<'a>, Span)],
    json: bool,
    counts: &mut Counts,
    anchors: &mut HashMap<&'a str, Position>,
) -> Built {
    let (before, work) = ((counts.nodes, counts.aliased_bytes), counts.work);
    let mut builder = Builder {
        events,
        json,
        targets: targets(events),
        counts,
        open: Vec::new(),
        frames: vec![Frame { next: 0, end: events.len(), alias: None, at: Span::default() }],
        decoded: 1,
        repeated: 0,
        built: Built { root: None, problems: Vec::new(), stopped: false },
        refused: false,
        more: 0,
        again: Vec::new(),
    };
    let whole = builder.run(anchors);
    slips::unseparated(&mut builder.built.problems, &builder.again);
    builder.built.stopped = !whole && builder.counts.work > MAX_WORK;
    if builder.more > 0 {
        let message = format!("{} more problems like these are not shown", builder.more);
        let last = builder.built.problems.last();
        let (kind, span) =
            last.map_or((ProblemKind::Structure, Span::default()), |p| (p.kind, p.span));
        builder.built.problems.push(Problem { kind, span, message, help: None });
    }
    let Builder { mut built, refused, counts, .. } = builder;
    if refused || !whole {
        built.root = None;
    }
    // A discarded document, even an empty one, uses up nothing of the others' limits.
    if built.root.is_none() {
        (counts.nodes, counts.aliased_bytes) = before;
        if whole && !refused {
            counts.work = work;
        }
    }
    for (event, span) in events {
        if let Event::Scalar { anchor: Some(name), .. }
        | Event::SequenceStart(Some(name))
        | Event::MappingStart(Some(name)) = event
        {
            anchors.insert(name, span.start);
        }
    }
    built
}

/// What an alias stands for: a range of events.
#[derive(Clone, Copy)]
enum Target {
    Range(usize, usize),
    ContainsItself,
    Unknown,
}

/// Finds the target of each alias: the nearest preceding anchor with its name.
fn targets(events: &[(Event<'_>, Span)]) -> HashMap<usize, Target> {
    let mut targets = HashMap::new();
    if !events.iter().any(|(event, _)| matches!(event, Event::Alias(_))) {
        return targets;
    }
    let mut anchors: HashMap<&str, usize> = HashMap::new();
    let mut ends: HashMap<usize, usize> = HashMap::new();
    let mut open = Vec::new();
    for (index, (event, _)) in events.iter().enumerate() {
        match event {
            Event::Scalar { anchor, .. } => {
                if let Some(name) = anchor {
                    anchors.insert(name, index);
                    ends.insert(index, index + 1);
                }
            }
            Event::SequenceStart(anchor) | Event::MappingStart(anchor) => {
                if let Some(name) = anchor {
                    anchors.insert(name, index);
                }
                open.push(index);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(start) = open.pop() {
                    ends.insert(start, index + 1);
                }
            }
            Event::Alias(name) => {
                let target = match anchors.get(name) {
                    None => Target::Unknown,
                    Some(start) => match ends.get(start) {
                        None => Target::ContainsItself,
                        Some(end) => Target::Range(*start, *end),
                    },
                };
                targets.insert(index, target);
            }
        }
    }
    targets
}

/// Events being read: the document's, and those that aliases repeat.
struct Frame {
    next: usize,
    end: usize,
    /// The alias's position, which replaces that of its target's first event.
    alias: Option<Span>,
    /// The alias's position; the document's for its own events.
    at: Span,
}

struct Builder<'e, 'a, 'c> {
    events: &'e [(Event<'a>, Span)],
    json: bool,
    targets: HashMap<usize, Target>,
    counts: &'c mut Counts,
    open: Vec<Open>,
    frames: Vec<Frame>,
    /// Nodes of this document including those that aliases repeat, and the latter alone.
    decoded: usize,
    repeated: usize,
    built: Built,
    refused: bool,
    /// Problems beyond those that are shown.
    more: usize,
    /// Duplicate keys at the top level.
    again: Vec<(String, Span)>,
}

/// A list or mapping that has not ended yet.
struct Open {
    start: Position,
    alias: Option<Span>,
    kind: OpenKind,
}

enum OpenKind {
    Sequence(Vec<Node>),
    Mapping(OpenMapping),
}

#[derive(Default)]
struct OpenMapping {
    entries: Vec<Entry>,
    /// The entries' own keys, once there are too many for a linear search.
    seen: HashSet<String>,
    /// A key that is waiting for its value.
    key: Option<Key>,
    merged: bool,
}

struct Key {
    /// `None` if it cannot be a key.
    text: Option<String>,
    span: Span,
    merge: bool,
}

impl Builder<'_, '_, '_> {
    fn problem(&mut self, kind: ProblemKind, span: Span, message: impl Into<String>) {
        if self.built.problems.len() >= MAX_SHOWN {
            self.more += 1;
            return;
        }
        self.built.problems.push(Problem { kind, span, message: message.into(), help: None });
    }

    /// Reads all events. Returns false if there are too many.
    fn run(&mut self, anchors: &HashMap<&str, Position>) -> bool {
        while let Some(frame) = self.frames.last_mut() {
            if frame.next >= frame.end {
                self.frames.pop();
                continue;
            }
            let index = frame.next;
            frame.next += 1;
            let alias = frame.alias.take();
            let Some((event, span)) = self.events.get(index) else { continue };
            let span = alias.unwrap_or(*span);
            if !matches!(event, Event::SequenceEnd | Event::MappingEnd) && !self.count(event, span)
            {
                return false;
            }
            match event {
                Event::Scalar { text, tag, plain, .. } => {
                    self.scalar(text, tag.as_deref(), *plain, span, alias.is_some());
                }
                Event::SequenceStart(_) => {
                    self.start(span, alias, OpenKind::Sequence(Vec::new()));
                }
                Event::MappingStart(_) => {
                    self.start(span, alias, OpenKind::Mapping(OpenMapping::default()));
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(span),
                Event::Alias(name) => match self.targets.get(&index) {
                    Some(Target::Range(next, end)) => {
                        let (next, end) = (*next, *end);
                        self.frames.push(Frame { next, end, alias: Some(span), at: span });
                    }
                    Some(Target::ContainsItself) => {
                        let message = "this alias stands for a value that contains it";
                        self.refuse(span, message.to_owned(), None);
                    }
                    Some(Target::Unknown) | None => {
                        let message =
                            format!("no anchor &{name} stands before this alias in its document");
                        let help = match anchors.get(name) {
                            Some(at) => format!(
                                "the one in line {} ends at ---, with its document; write the \
                                    value here",
                                at.line
                            ),
                            None => "write the value, or quote it where a text that starts with * \
                                is meant"
                                .to_owned(),
                        };
                        self.refuse(span, message, Some(help));
                    }
                },
            }
        }
        true
    }

    /// Refuses the whole document: nothing else is reported about it.
    fn refuse(&mut self, span: Span, message: String, help: Option<String>) {
        let kind = ProblemKind::Structure;
        self.built.problems.push(Problem { kind, span, message, help });
        self.refused = true;
        let value = Value::Null;
        let scalar = Scalar { text: String::new(), value, plain: true };
        self.add(Node { content: Content::Scalar(scalar), span }, true);
    }

    /// Counts a node against the limits of a file.
    fn count(&mut self, event: &Event<'_>, span: Span) -> bool {
        self.decoded += 1;
        self.counts.nodes += 1;
        self.counts.work += 1;
        if self.frames.len() > 1 {
            self.repeated += 1;
            if let Event::Scalar { text, .. } = event {
                self.counts.aliased_bytes += text.len();
            }
        }
        let too_much = if self.open.len() >= MAX_DEPTH {
            format!("nested deeper than {MAX_DEPTH} levels")
        } else if self.counts.work > MAX_WORK {
            format!("more than {MAX_WORK} values: the file is not read from here on")
        } else if self.counts.nodes > MAX_NODES {
            format!("more than {MAX_NODES} values once aliases are expanded")
        } else if self.counts.aliased_bytes > MAX_ALIASED_BYTES {
            let mebibytes = MAX_ALIASED_BYTES >> 20;
            format!("aliases repeat more than {mebibytes} MiB of text")
        } else if self.repeated > 100
            && self.decoded > 1000
            && self.repeated * 100 > self.decoded * 99
        {
            // go-yaml's own limit.
            "more than 99% of this document comes of aliases".to_owned()
        } else {
            return true;
        };
        // Of nested aliases, the one in the document itself.
        let at = self.frames.get(1).map_or(span, |frame| frame.at);
        self.problem(ProblemKind::Limit, at, too_much);
        false
    }

    /// Returns the mapping that is waiting for a key, if any.
    fn waits_for_key(&mut self) -> Option<&mut OpenMapping> {
        match self.open.last_mut() {
            Some(Open { kind: OpenKind::Mapping(mapping), .. }) if mapping.key.is_none() => {
                Some(mapping)
            }
            _ => None,
        }
    }

    fn scalar(&mut self, text: &str, tag: Option<&str>, plain: bool, span: Span, aliased: bool) {
        let meaning = match resolve(text, plain, tag) {
            Ok(meaning) => meaning,
            Err(message) => {
                self.problem(ProblemKind::Structure, span, message);
                Meaning::Text
            }
        };
        if let Some(mapping) = self.waits_for_key() {
            let merge_tag = tag.and_then(|tag| tag.strip_prefix(CORE_TAG)) == Some("merge");
            let merge = !aliased && text == "<<" && (plain || merge_tag);
            let (text, wrong) = match meaning.key() {
                Ok(key) => (Some(key.unwrap_or_else(|| text.to_owned())), None),
                Err(message) => (None, Some(message)),
            };
            mapping.key = Some(Key { text, span, merge });
            if let Some(message) = wrong {
                self.problem(ProblemKind::Structure, span, message);
            }
            return;
        }
        let value = match self.json && plain {
            true => literal(text).map(Some),
            false => meaning.value(text),
        };
        let value = match value {
            Ok(value) => value,
            Err(message) => {
                self.problem(ProblemKind::Structure, span, message);
                None
            }
        };
        // Most scalars are strings: their text is their value, and is stored once.
        let scalar = match value {
            Some(value) => Scalar { text: text.to_owned(), value, plain },
            None => Scalar { text: String::new(), value: text.into(), plain },
        };
        self.add(Node { content: Content::Scalar(scalar), span }, aliased);
    }

    fn start(&mut self, span: Span, alias: Option<Span>, kind: OpenKind) {
        self.open.push(Open { start: span.start, alias, kind });
    }

    fn end(&mut self, span: Span) {
        let Some(open) = self.open.pop() else { return };
        let content = match open.kind {
            OpenKind::Sequence(items) => Content::Sequence(items),
            OpenKind::Mapping(mapping) => Content::Mapping(mapping.entries()),
        };
        let span = open.alias.unwrap_or(Span { start: open.start, end: span.end });
        if let Some(mapping) = self.waits_for_key() {
            mapping.key = Some(Key { text: None, span, merge: false });
            let message = "a key must be a scalar, not a list or mapping";
            self.problem(ProblemKind::Structure, span, message);
            return;
        }
        self.add(Node { content, span }, open.alias.is_some());
    }

    /// Adds a finished value to the innermost open collection.
    fn add(&mut self, node: Node, aliased: bool) {
        let at_top = self.open.len() == 1;
        let Some(open) = self.open.last_mut() else {
            let empty = matches!(&node.content, Content::Scalar(s) if s.value.is_null());
            if !empty {
                self.built.root = Some(node);
            }
            return;
        };
        let span = node.span;
        let mut help = None;
        let problem = match &mut open.kind {
            OpenKind::Sequence(items) => {
                items.push(node);
                None
            }
            OpenKind::Mapping(mapping) => match mapping.key.take() {
                // An alias that stands for nothing, as a key.
                None => {
                    mapping.key = Some(Key { text: None, span, merge: false });
                    None
                }
                Some(key) if key.merge => {
                    let fits = mapping.merge(node, aliased);
                    let message = "a merge key (<<) takes a mapping or a list of mappings";
                    (!fits).then(|| (ProblemKind::Structure, span, message.to_owned()))
                }
                Some(Key { text: None, .. }) => None,
                Some(Key { text: Some(key), span, .. }) => {
                    let twice = (!mapping.is_fresh(&key)).then(|| {
                        let message = format!("key {key:?} stands twice in this mapping");
                        if self.built.problems.len() < MAX_SHOWN {
                            let other = mapping.entries.iter().rev().find(|e| e.key == key);
                            help = other.and_then(|other| slips::joined_by(&key, other, &node));
                            if at_top {
                                self.again.push((key.clone(), span));
                            }
                        }
                        (ProblemKind::DuplicateKey, span, message)
                    });
                    mapping.entries.push(Entry { key, key_span: span, value: node, merged: false });
                    twice
                }
            },
        };
        if let Some((kind, span, message)) = problem {
            self.problem(kind, span, message);
            if let Some(last) = self.built.problems.last_mut().filter(|last| last.span == span) {
                last.help = help;
            }
        }
    }
}

impl OpenMapping {
    /// Adds the entries of a merge key's mapping, or of each mapping in its list, where the first
    /// wins. As for any two equal keys, the later one in the file wins. Returns false if it is
    /// something else.
    fn merge(&mut self, source: Node, aliased: bool) -> bool {
        self.merged = true;
        let sources = match source.content {
            Content::Sequence(items) if !aliased => items,
            _ => vec![source],
        };
        let mut fits = true;
        for source in sources.into_iter().rev() {
            match source.content {
                Content::Mapping(entries) => self
                    .entries
                    .extend(entries.into_iter().map(|entry| Entry { merged: true, ..entry })),
                _ => fits = false,
            }
        }
        fits
    }

    /// Reports whether a key about to be added is new.
    fn is_fresh(&mut self, key: &str) -> bool {
        const FEW: usize = 16;
        let mut own = self.entries.iter().filter(|entry| !entry.merged);
        if self.entries.len() < FEW {
            return own.all(|entry| entry.key != key);
        }
        if self.seen.is_empty() {
            self.seen.extend(own.map(|entry| entry.key.clone()));
        }
        self.seen.insert(key.to_owned())
    }

    /// Returns the entries that count, in file order.
    fn entries(self) -> Vec<Entry> {
        let mut entries = self.entries;
        if self.merged {
            let mut later = HashSet::new();
            let mut kept: Vec<bool> =
                entries.iter().rev().map(|entry| later.insert(entry.key.clone())).collect();
            entries.retain(|_| kept.pop().unwrap_or(true));
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
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
        check("---\n---\na: 1\n...\n---\n", json!([{"a": 1}]));
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
        // go-yaml 2 lets the later one win, whichever it is.
        check("k: {b: 2, <<: {b: 1}}\n", json!([{"k": {"b": 1}}]));
    }

    #[test]
    fn problems_have_places() {
        check_problem("a: 1\nb:\n  c: 1\n  c: 2\n", ProblemKind::DuplicateKey, 4, 3);
        check_problem("a: 1\n\tb: 2\n", ProblemKind::Syntax, 2, 1);
        check_problem("? [a]\n: 1\n", ProblemKind::Structure, 1, 3);
        check_problem("a: .inf\n", ProblemKind::Structure, 1, 4);
        check_problem(&"[".repeat(10_000), ProblemKind::Limit, 1, MAX_DEPTH + 1);
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
    fn aliases_of_much_text_end_early() {
        let text = "x".repeat(20_000);
        let aliases = "*a, ".repeat(1_000);
        let bomb = format!("a: &a {text}\nb: [{aliases}]\n");
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
