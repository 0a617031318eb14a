//! Reads Go's syntax. Source: Go 1.26 `regexp/syntax/parse.go`.

use std::collections::HashSet;
use std::sync::Arc;

use super::node::{
    Expr, Look, MAX_CLASS_BYTES, MAX_HEIGHT, MAX_NODES, MAX_REPEAT, MAX_SIZE, MOST_SIZE, Node,
    Repeat,
};
use super::{class, escape, set};

/// Formats Go's message for a bad pattern.
pub(super) fn error(code: &str, expression: &str) -> String {
    format!("error parsing regexp: {code}: `{expression}`")
}

/// A pattern and how far it has been read.
pub(super) struct Input<'a> {
    pub(super) pattern: &'a str,
    pub(super) at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn rest(&self) -> &'a str {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    pub(super) fn since(&self, start: usize) -> &'a str {
        self.pattern.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn byte(&self) -> Option<u8> {
        self.pattern.as_bytes().get(self.at).copied()
    }

    pub(super) fn next_char(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Reads a decimal number without leading zeros; returns -1 if it is far too large.
    fn int(&mut self) -> Option<i64> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let text = self.rest().get(..digits)?;
        if digits == 0 || digits > 1 && text.starts_with('0') {
            return None;
        }
        self.at += digits;
        Some(if digits > 9 { -1 } else { text.parse().unwrap_or(-1) })
    }
}

/// The flags set by `(?ims)`; all are off by default, as in Go.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_newline: bool,
    swap_greed: bool,
}

/// An open group.
struct Group {
    /// Its number, if it captures.
    capture: Option<usize>,
    /// Restored after the group.
    flags: Flags,
    /// Branches before the last `|`.
    branches: Vec<Node>,
    /// What has been read since then.
    sequence: Vec<Node>,
}

impl Group {
    fn new(capture: Option<usize>, flags: Flags) -> Self {
        Self { capture, flags, branches: Vec::new(), sequence: Vec::new() }
    }

    fn close(mut self) -> Node {
        self.branches.push(Node::concat(self.sequence));
        Node::alternate(self.branches)
    }
}

struct Parser<'a> {
    input: Input<'a>,
    flags: Flags,
    /// The open groups around the current one.
    outer: Vec<Group>,
    group: Group,
    /// How many capturing groups there are so far.
    captures: usize,
    /// How many expressions there are so far; a literal text counts once.
    nodes: usize,
    /// The larger classes so far, by address, and their bytes.
    classes: HashSet<usize>,
    class_bytes: usize,
    /// Where the most recent repetition began.
    last_repeat: Option<usize>,
}

/// Parses a Go pattern and counts its capturing groups.
pub(super) fn parse(pattern: &str) -> Result<(Node, usize), String> {
    let mut parser = Parser {
        input: Input { pattern, at: 0 },
        flags: Flags::default(),
        outer: Vec::new(),
        group: Group::new(None, Flags::default()),
        captures: 0,
        nodes: 0,
        classes: HashSet::new(),
        class_bytes: 0,
        last_repeat: None,
    };
    while let Some(b) = parser.input.byte() {
        if parser.nodes > MAX_NODES || parser.class_bytes > MAX_CLASS_BYTES {
            return Err(error("expression too large", pattern));
        }
        let before = parser.last_repeat.take();
        parser.step(b, before)?;
    }
    if !parser.outer.is_empty() {
        return Err(error("missing closing )", pattern));
    }
    let whole = parser.group.close();
    limits(&whole, pattern)?;
    Ok((whole, parser.captures))
}

fn limits(node: &Node, pattern: &str) -> Result<(), String> {
    if node.size > MAX_SIZE.min(MOST_SIZE) {
        return Err(error("expression too large", pattern));
    }
    if node.height > MAX_HEIGHT {
        return Err(error("expression nests too deeply", pattern));
    }
    Ok(())
}

impl Parser<'_> {
    fn push(&mut self, expr: Expr) {
        self.nodes += 1;
        self.group.sequence.push(Node::atom(expr));
    }

    fn push_class(&mut self, class: &str) {
        self.push_set(set::class(class, self.flags.fold));
    }

    fn push_set(&mut self, class: Arc<set::Class>) {
        if class.bytes() > 1024 && self.classes.insert(Arc::as_ptr(&class).addr()) {
            self.class_bytes += class.bytes();
        }
        self.push(Expr::Class(class));
    }

    /// Appends a literal code point to the literal text before it.
    fn literal(&mut self, code: u32) {
        let Some(c) = char::from_u32(code) else {
            // A surrogate, which no text contains.
            return self.push_class(&class::single(code));
        };
        if self.flags.fold && (!c.is_ascii() || c.is_ascii_alphabetic()) {
            let class = set::class(&class::single(code), true);
            if !class.is_only(c) {
                return self.push_set(class);
            }
        }
        let appended = self.group.sequence.last_mut().is_some_and(|last| last.append(c));
        if !appended {
            self.push(Expr::Literal(c.into()));
        }
    }

    fn look(&mut self, bytes: usize, look: Look) {
        self.input.at += bytes;
        self.push(Expr::Look(look));
    }

    fn step(&mut self, b: u8, last_repeat: Option<usize>) -> Result<(), String> {
        match b {
            b'(' if self.input.rest().starts_with("(?") => self.perl_group()?,
            b'(' => {
                self.input.at += 1;
                self.capture();
            }
            b'|' => {
                self.input.at += 1;
                let sequence = std::mem::take(&mut self.group.sequence);
                self.group.branches.push(Node::concat(sequence));
            }
            b')' => self.close()?,
            b'^' if self.flags.multi_line => self.look(1, Look::LineStart),
            b'^' => self.look(1, Look::TextStart),
            b'$' if self.flags.multi_line => self.look(1, Look::LineEnd),
            b'$' => self.look(1, Look::TextEnd),
            b'.' => {
                self.input.at += 1;
                let any = if self.flags.dot_newline { "(?s:.)" } else { r"[^\n]" };
                self.push_set(set::class(any, false));
            }
            b'[' => {
                let class = class::bracket(&mut self.input)?;
                self.push_class(&class);
            }
            b'*' => self.repeat(Repeat::Star, 1, last_repeat)?,
            b'+' => self.repeat(Repeat::Plus, 1, last_repeat)?,
            b'?' => self.repeat(Repeat::Quest, 1, last_repeat)?,
            b'{' => self.counted(last_repeat)?,
            b'\\' => self.escape()?,
            _ => {
                if let Some(c) = self.input.next_char() {
                    self.literal(u32::from(c));
                }
            }
        }
        Ok(())
    }

    fn capture(&mut self) {
        self.captures += 1;
        self.open(Some(self.captures), self.flags);
    }

    fn open(&mut self, capture: Option<usize>, outside: Flags) {
        self.nodes += 1;
        let group = Group::new(capture, outside);
        self.outer.push(std::mem::replace(&mut self.group, group));
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(outer) = self.outer.pop() else {
            return Err(error("unexpected )", self.input.pattern));
        };
        self.input.at += 1;
        let group = std::mem::replace(&mut self.group, outer);
        self.flags = group.flags;
        let capture = group.capture;
        let node = match capture {
            Some(number) => group.close().capture(number),
            None => group.close(),
        };
        limits(&node, self.input.pattern)?;
        self.group.sequence.push(node);
        Ok(())
    }

    /// Reads named captures, non-capturing groups and flags; the input is at the parenthesis.
    fn perl_group(&mut self) -> Result<(), String> {
        let start = self.input.at;
        let rest = self.input.rest();
        let name = match rest.strip_prefix("(?P<") {
            Some(name) if rest.len() > 4 => Some((4, name)),
            _ => rest.strip_prefix("(?<").filter(|_| rest.len() > 3).map(|name| (3, name)),
        };
        if let Some((skip, name)) = name {
            let Some(end) = name.find('>') else {
                return Err(error("invalid named capture", rest));
            };
            self.input.at += skip + end + 1;
            let name = name.get(..end).unwrap_or_default();
            let valid = |b: u8| b == b'_' || b.is_ascii_alphanumeric();
            if name.is_empty() || !name.bytes().all(valid) {
                return Err(error("invalid named capture", self.input.since(start)));
            }
            self.capture();
            return Ok(());
        }
        self.input.at += 2;
        let mut flags = self.flags;
        let mut on = true;
        let mut seen = false;
        while let Some(c) = self.input.next_char() {
            match c {
                'i' => flags.fold = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => flags.swap_greed = on,
                '-' if on => {
                    on = false;
                    seen = false;
                    continue;
                }
                ':' | ')' if on || seen => {
                    if c == ':' {
                        self.open(None, self.flags);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            seen = true;
        }
        Err(error("invalid or unsupported Perl syntax", self.input.since(start)))
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`; anything else is a literal brace.
    fn counted(&mut self, last_repeat: Option<usize>) -> Result<(), String> {
        let start = self.input.at;
        let Some((min, max)) = self.counts() else {
            self.input.at = start + 1;
            self.literal(u32::from('{'));
            return Ok(());
        };
        let length = self.input.at - start;
        if !(0..=MAX_REPEAT).contains(&min) || max > MAX_REPEAT || max >= 0 && min > max {
            return Err(error("invalid repeat count", self.input.since(start)));
        }
        self.input.at = start;
        self.repeat(Repeat::Count(min, max), length, last_repeat)
    }

    fn counts(&mut self) -> Option<(i64, i64)> {
        self.input.at += 1;
        let mut min = self.input.int()?;
        let mut max = min;
        if self.input.byte()? == b',' {
            self.input.at += 1;
            max = -1;
            if self.input.byte()? != b'}' {
                max = self.input.int()?;
                if max < 0 {
                    min = -1;
                }
            }
        }
        (self.input.byte()? == b'}').then(|| self.input.at += 1)?;
        Some((min, max))
    }

    fn repeat(
        &mut self,
        op: Repeat,
        length: usize,
        last_repeat: Option<usize>,
    ) -> Result<(), String> {
        let start = self.input.at;
        self.input.at += length;
        let mut lazy = self.flags.swap_greed;
        if self.input.byte() == Some(b'?') {
            self.input.at += 1;
            lazy = !lazy;
        }
        if let Some(last) = last_repeat {
            let both = self.input.since(last);
            return Err(error("invalid nested repetition operator", both));
        }
        let Some(mut node) = self.group.sequence.pop() else {
            return Err(error("missing argument to repetition operator", self.input.since(start)));
        };
        // Only the last character of a literal text is repeated.
        if let Some(last) = node.split_last() {
            self.group.sequence.push(node);
            node = last;
        }
        self.nodes += 1;
        let node = node.repeat(op, lazy);
        if matches!(op, Repeat::Count(min, max) if min >= 2 || max >= 2) && !node.repeats_valid() {
            return Err(error("invalid repeat count", self.input.since(start)));
        }
        limits(&node, self.input.pattern)?;
        self.group.sequence.push(node);
        self.last_repeat = Some(start);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.input.rest().as_bytes() {
            [_, b'A', ..] => self.look(2, Look::TextStart),
            [_, b'b', ..] => self.look(2, Look::WordBoundary),
            [_, b'B', ..] => self.look(2, Look::NoWordBoundary),
            [_, b'z', ..] => self.look(2, Look::TextEnd),
            [_, b'C', ..] => return Err(error("invalid escape sequence", r"\C")),
            [_, b'Q', ..] => {
                self.input.at += 2;
                let rest = self.input.rest();
                let (text, skip) = match rest.split_once(r"\E") {
                    Some((text, _)) => (text, text.len() + 2),
                    None => (rest, rest.len()),
                };
                self.input.at += skip;
                for c in text.chars() {
                    self.literal(u32::from(c));
                }
            }
            _ => {
                if let Some(class) = class::unicode(&mut self.input)? {
                    self.push_class(&class);
                } else if let Some(class) = class::perl(&mut self.input) {
                    self.push_class(class);
                } else {
                    let code = escape::parse(&mut self.input)?;
                    self.literal(code);
                }
            }
        }
        Ok(())
    }
}
