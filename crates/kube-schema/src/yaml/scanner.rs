//! The tokens of a document, as go-yaml 2.4 produces them (`scannerc.go`), which is libyaml 0.1
//! with limits. Odd rules are theirs: what matters is that kubectl reads the same.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::MAX_DEPTH;
use super::cursor::{Cursor, Mark};
use super::fault::{Fault, SyntaxError};

/// A key without `?` ends within this many characters.
const LONGEST_SIMPLE_KEY: usize = 1024;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    StreamEnd,
    /// `%YAML`, with major and minor version.
    Version(u8, u8),
    /// `%TAG`, with handle and prefix.
    TagDirective(&'a str, String),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    /// Handle and suffix; without a handle, the suffix is the whole tag.
    Tag(&'a str, String),
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
    },
}

/// A token and its position.
pub(super) struct Placed<'a> {
    pub(super) token: Token<'a>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

/// A position where a key without `?` may have started.
#[derive(Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    /// Nothing waits for its colon: upstream forgets a key that is an empty flow collection.
    forgotten: bool,
    required: bool,
    token: usize,
    mark: Mark,
}

pub(super) struct Scanner<'a> {
    pub(super) cursor: Cursor<'a>,
    /// Whether to read JSON as kubectl does: keys of any length, and Go's strings.
    pub(super) json: bool,
    queue: VecDeque<Placed<'a>>,
    /// How many tokens have been taken from the queue.
    taken: usize,
    /// The column of the innermost block collection; -1 outside any.
    pub(super) indent: isize,
    indents: Vec<isize>,
    pub(super) simple_key_allowed: bool,
    /// One for each level of flow collections, and one for the block.
    simple_keys: Vec<SimpleKey>,
    ended: bool,
    failed: Option<SyntaxError>,
}

type Result<T = ()> = std::result::Result<T, SyntaxError>;

impl<'a> Scanner<'a> {
    pub(super) fn new(cursor: Cursor<'a>, json: bool) -> Self {
        Self {
            cursor,
            json,
            queue: VecDeque::with_capacity(16),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            simple_key_allowed: true,
            simple_keys: vec![SimpleKey::default()],
            ended: false,
            failed: None,
        }
    }

    /// Returns the next token. After the end of the stream there is none; after an error, only the
    /// error.
    pub(super) fn peek(&mut self) -> Result<Option<&Placed<'a>>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Err(error) = self.fill() {
            self.failed = Some(error.clone());
            return Err(error);
        }
        Ok(self.queue.front())
    }

    /// Takes the token that was peeked at.
    pub(super) fn take(&mut self) -> Option<Placed<'a>> {
        self.taken += 1;
        self.queue.pop_front()
    }

    pub(super) fn in_flow(&self) -> bool {
        self.simple_keys.len() > 1
    }

    /// Reads until the first token is certain: one that may start a key waits for its colon.
    fn fill(&mut self) -> Result {
        while !self.ended {
            if !self.queue.is_empty() {
                // Token numbers increase with the level.
                let level = self.simple_keys.partition_point(|key| key.token < self.taken);
                match self.simple_keys.get(level) {
                    Some(key) if key.possible && !key.forgotten && key.token == self.taken => {
                        if !self.may_be_key(level)? {
                            return Ok(());
                        }
                    }
                    _ => return Ok(()),
                }
            }
            self.fetch()?;
        }
        Ok(())
    }

    /// Reports whether a key that may have started at this level can still be one: it must be on
    /// the same line and not too long.
    fn may_be_key(&mut self, level: usize) -> Result<bool> {
        let now = self.cursor.mark();
        let Some(key) = self.simple_keys.get_mut(level).filter(|key| key.possible) else {
            return Ok(false);
        };
        let stale = match self.json {
            true => false,
            false => key.mark.line < now.line || key.mark.index + LONGEST_SIMPLE_KEY < now.index,
        };
        if stale {
            if key.required {
                let context = key.mark;
                return Err(self.cursor.fault(Fault::NoColon, context));
            }
            key.possible = false;
        }
        Ok(!stale)
    }

    /// Records that a key may start here. In JSON only strings are keys.
    pub(super) fn save_key(&mut self) -> Result {
        if !self.simple_key_allowed || self.json && self.cursor.at(0) != b'"' {
            return Ok(());
        }
        let mark = self.cursor.mark();
        let required = !self.in_flow() && self.is_indent(mark.column);
        self.drop_key()?;
        let token = self.taken + self.queue.len();
        if let Some(last) = self.simple_keys.last_mut() {
            *last = SimpleKey { possible: true, forgotten: false, required, token, mark };
        }
        Ok(())
    }

    fn is_indent(&self, column: usize) -> bool {
        usize::try_from(self.indent) == Ok(column)
    }

    /// Records that what started here is not a key.
    pub(super) fn drop_key(&mut self) -> Result {
        if let Some(last) = self.simple_keys.last_mut()
            && last.possible
        {
            if last.required {
                let context = last.mark;
                return Err(self.cursor.fault(Fault::NoColon, context));
            }
            last.possible = false;
        }
        Ok(())
    }

    pub(super) fn push(&mut self, token: Token<'a>, start: Mark) {
        let end = self.cursor.mark();
        self.queue.push_back(Placed { token, start, end });
    }

    /// Adds a token that ended before the cursor.
    pub(super) fn push_to(&mut self, token: Token<'a>, start: Mark, end: Mark) {
        self.queue.push_back(Placed { token, start, end });
    }

    /// Inserts a token before one that has already been read, or at the end if that has been taken.
    fn insert(&mut self, before: Option<usize>, token: Token<'a>, mark: Mark) {
        let placed = Placed { token, start: mark, end: mark };
        match before.and_then(|number| number.checked_sub(self.taken)) {
            Some(at) if at <= self.queue.len() => self.queue.insert(at, placed),
            _ => self.queue.push_back(placed),
        }
    }

    /// Starts a block collection if the column is deeper than the surrounding one.
    fn roll_indent(&mut self, before: Option<usize>, token: Token<'a>, mark: Mark) -> Result {
        let column = isize::try_from(mark.column).unwrap_or(isize::MAX);
        if !self.in_flow() && self.indent < column {
            self.indents.push(self.indent);
            self.indent = column;
            if self.indents.len() > MAX_DEPTH {
                return Err(self.cursor.fault(Fault::Deep, mark));
            }
            self.insert(before, token, mark);
        }
        Ok(())
    }

    /// Ends the block collections that are deeper than a column.
    fn unroll_indent(&mut self, column: isize) {
        while !self.in_flow() && self.indent > column {
            let mark = self.cursor.mark();
            self.push(Token::BlockEnd, mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch(&mut self) -> Result {
        self.skip_to_token();
        self.unroll_indent(isize::try_from(self.cursor.column()).unwrap_or(isize::MAX));
        let cursor = &self.cursor;
        let flow = self.in_flow();
        let first = cursor.at(0);
        let ends_word = cursor.is_blank_break_or_end(1);
        match first {
            0 => self.stream_end(),
            b'%' if cursor.column() == 0 => self.directive(),
            b'-' if cursor.at_document_indicator() => self.document(Token::DocumentStart),
            b'.' if cursor.at_document_indicator() => self.document(Token::DocumentEnd),
            b'[' => self.flow_start(Token::FlowSequenceStart),
            b'{' => self.flow_start(Token::FlowMappingStart),
            b']' => self.flow_end(Token::FlowSequenceEnd),
            b'}' => self.flow_end(Token::FlowMappingEnd),
            b',' => self.flow_entry(),
            b'-' if ends_word => self.block_entry(),
            b'?' if flow || ends_word => self.key(),
            b':' if flow || ends_word => self.value(),
            b'*' | b'&' => self.anchor(),
            b'!' => self.tag(),
            b'|' | b'>' if !flow => self.block_scalar(),
            b'"' if self.json => self.json_string(),
            b'\'' | b'"' => self.quoted_scalar(),
            b'-' => self.plain_scalar(),
            b'?' | b':' if !flow => self.plain_scalar(),
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b'?' | b':' => {
                let here = cursor.mark();
                Err(cursor.fault(Fault::CannotStart(char::from(first)), here))
            }
            _ => self.plain_scalar(),
        }
    }

    /// Skips blanks, comments and line breaks. A tab counts as a blank except in a block's
    /// indentation.
    fn skip_to_token(&mut self) {
        loop {
            while self.cursor.at(0) == b' '
                || self.cursor.at(0) == b'\t'
                    && (self.json || self.in_flow() || !self.simple_key_allowed)
            {
                self.cursor.skip();
            }
            self.cursor.skip_comment();
            if self.cursor.line_break().is_none() {
                return;
            }
            if !self.in_flow() {
                self.simple_key_allowed = true;
            }
        }
    }

    fn stream_end(&mut self) -> Result {
        self.cursor.force_new_line();
        self.unroll_indent(-1);
        self.drop_key()?;
        self.simple_key_allowed = false;
        let mark = self.cursor.mark();
        self.push(Token::StreamEnd, mark);
        self.ended = true;
        Ok(())
    }

    fn document(&mut self, token: Token<'a>) -> Result {
        self.unroll_indent(-1);
        self.drop_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        for _ in 0..3 {
            self.cursor.skip();
        }
        self.push(token, start);
        Ok(())
    }

    fn directive(&mut self) -> Result {
        self.unroll_indent(-1);
        self.drop_key()?;
        self.simple_key_allowed = false;
        self.scan_directive()
    }

    /// Adds a token of a single character.
    fn indicator(&mut self, token: Token<'a>) {
        let start = self.cursor.mark();
        self.cursor.skip();
        self.push(token, start);
    }

    fn flow_start(&mut self, token: Token<'a>) -> Result {
        self.save_key()?;
        let mark = self.cursor.mark();
        let next = self.taken + self.queue.len();
        self.simple_keys.push(SimpleKey { token: next, mark, ..SimpleKey::default() });
        if self.simple_keys.len() > MAX_DEPTH + 1 {
            return Err(self.cursor.fault(Fault::Deep, mark));
        }
        self.simple_key_allowed = true;
        self.indicator(token);
        Ok(())
    }

    fn flow_end(&mut self, token: Token<'a>) -> Result {
        self.drop_key()?;
        if self.in_flow()
            && let Some(inner) = self.simple_keys.pop()
            && let Some(outer) = self.simple_keys.last_mut()
        {
            outer.forgotten |= outer.token == inner.token;
        }
        self.simple_key_allowed = false;
        self.indicator(token);
        Ok(())
    }

    fn flow_entry(&mut self) -> Result {
        self.drop_key()?;
        self.simple_key_allowed = true;
        self.indicator(Token::FlowEntry);
        Ok(())
    }

    fn block_entry(&mut self) -> Result {
        let mark = self.cursor.mark();
        if !self.in_flow() {
            if !self.simple_key_allowed {
                return Err(self.cursor.fault(Fault::EntryNotAllowed, mark));
            }
            self.roll_indent(None, Token::BlockSequenceStart, mark)?;
        }
        self.drop_key()?;
        self.simple_key_allowed = true;
        self.indicator(Token::BlockEntry);
        Ok(())
    }

    fn key(&mut self) -> Result {
        let mark = self.cursor.mark();
        if !self.in_flow() {
            if !self.simple_key_allowed {
                return Err(self.cursor.fault(Fault::KeyNotAllowed, mark));
            }
            self.roll_indent(None, Token::BlockMappingStart, mark)?;
        }
        self.drop_key()?;
        self.simple_key_allowed = !self.in_flow();
        self.indicator(Token::Key);
        Ok(())
    }

    fn value(&mut self) -> Result {
        let level = self.simple_keys.len() - 1;
        let key = self.simple_keys.get(level).copied().unwrap_or_default();
        if self.may_be_key(level)? {
            self.insert(Some(key.token), Token::Key, key.mark);
            self.roll_indent(Some(key.token), Token::BlockMappingStart, key.mark)?;
            if let Some(key) = self.simple_keys.get_mut(level) {
                key.possible = false;
            }
            self.simple_key_allowed = false;
        } else {
            if !self.in_flow() {
                let mark = self.cursor.mark();
                if !self.simple_key_allowed {
                    return Err(self.cursor.fault(Fault::ValueNotAllowed, mark));
                }
                self.roll_indent(None, Token::BlockMappingStart, mark)?;
            }
            self.simple_key_allowed = !self.in_flow();
        }
        self.indicator(Token::Value);
        Ok(())
    }

    fn anchor(&mut self) -> Result {
        self.save_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let alias = self.cursor.at(0) == b'*';
        self.cursor.skip();
        let from = self.cursor.pos();
        while self.cursor.is_word() {
            self.cursor.skip();
        }
        let name = self.cursor.slice(from, self.cursor.pos());
        let ends = self.cursor.is_blank_break_or_end(0)
            || matches!(self.cursor.at(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            return Err(self.cursor.fault(Fault::AnchorName, start));
        }
        self.push(if alias { Token::Alias(name) } else { Token::Anchor(name) }, start);
        Ok(())
    }
}
