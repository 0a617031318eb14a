//! The events of a document, as go-yaml 2.4 makes them from tokens (`parserc.go`).

use std::borrow::Cow;

use super::cursor::{Cursor, Mark};
use super::fault::{Fault, SyntaxError};
use super::scanner::{Placed, Scanner, Token};
use super::{Position, Span};

/// What a document consists of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event<'a> {
    Scalar {
        text: Cow<'a, str>,
        anchor: Option<&'a str>,
        tag: Option<String>,
        /// Unquoted, or with the tag `!`: its type is guessed unless a tag states it.
        plain: bool,
    },
    SequenceStart(Option<&'a str>),
    SequenceEnd,
    MappingStart(Option<&'a str>),
    MappingEnd,
    Alias(&'a str),
}

/// The first document in a text: kubectl reads no other.
pub(super) struct Document<'a> {
    pub(super) events: Vec<(Event<'a>, Span)>,
    /// Where ignored text follows, if any.
    pub(super) ignored: Option<Position>,
}

#[derive(Clone, Copy)]
enum State {
    End,
    BlockSequence { first: bool },
    IndentlessSequence,
    BlockMappingKey { first: bool },
    BlockMappingValue,
    FlowSequence { first: bool },
    FlowSequenceMappingKey,
    FlowSequenceMappingValue,
    FlowSequenceMappingEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue { empty: bool },
}

type Result<T = ()> = std::result::Result<T, SyntaxError>;

/// Reads a document that starts at a position in its file.
pub(super) fn document(text: &str, start: Position, json: bool) -> Result<Document<'_>> {
    let scanner = Scanner::new(Cursor::new(text, start), json);
    let mut parser = Parser {
        scanner,
        events: Vec::with_capacity(text.len() / 16),
        states: Vec::new(),
        starts: Vec::new(),
        tags: Vec::new(),
        last: Mark::default(),
    };
    parser.document()?;
    let ignored = parser.ignored();
    Ok(Document { events: parser.events, ignored })
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    events: Vec<(Event<'a>, Span)>,
    states: Vec<State>,
    /// Where the open collections start.
    starts: Vec<Mark>,
    tags: Vec<(Cow<'a, str>, String)>,
    /// The end of the last token taken.
    last: Mark,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result {
        match self.peek()? {
            None | Some(Token::StreamEnd) => return Ok(()),
            Some(Token::Version(..) | Token::TagDirective(..) | Token::DocumentStart) => {
                self.directives()?;
                if self.peek()? != Some(&Token::DocumentStart) {
                    return Err(self.fault_here(Fault::DirectiveWithoutDocument));
                }
                self.take();
                let mark = self.start();
                if matches!(
                    self.peek()?,
                    None | Some(
                        Token::Version(..)
                            | Token::TagDirective(..)
                            | Token::DocumentStart
                            | Token::DocumentEnd
                            | Token::StreamEnd
                    )
                ) {
                    self.empty_scalar(mark);
                    return Ok(());
                }
            }
            Some(_) => self.directives()?,
        }
        self.states.push(State::End);
        self.node(true, false)?;
        while let Some(state) = self.states.pop() {
            if self.events.len() > 2 * super::MAX_NODES {
                return Err(self.fault_here(Fault::Large));
            }
            match state {
                State::End => break,
                State::BlockSequence { first } => self.block_sequence(first)?,
                State::IndentlessSequence => self.indentless_sequence()?,
                State::BlockMappingKey { first } => self.block_mapping_key(first)?,
                State::BlockMappingValue => self.block_mapping_value()?,
                State::FlowSequence { first } => self.flow_sequence(first)?,
                State::FlowSequenceMappingKey => self.flow_sequence_mapping_key()?,
                State::FlowSequenceMappingValue => self.flow_sequence_mapping_value()?,
                State::FlowSequenceMappingEnd => {
                    let mark = self.start();
                    self.push(Event::MappingEnd, mark);
                }
                State::FlowMappingKey { first } => self.flow_mapping_key(first)?,
                State::FlowMappingValue { empty } => self.flow_mapping_value(empty)?,
            }
        }
        // The end of the document must be a token, so it is read as one.
        self.peek()?;
        Ok(())
    }

    /// Returns where text follows the document, if anywhere.
    fn ignored(&mut self) -> Option<Position> {
        match self.peek() {
            Ok(None | Some(Token::StreamEnd)) => return None,
            Ok(Some(Token::DocumentEnd)) => self.take(),
            _ => return Some(self.start().place),
        };
        let here = self.scanner.cursor.mark().place;
        let mut cursor = Cursor::new(self.scanner.cursor.rest(), here);
        loop {
            cursor.skip_blanks();
            cursor.skip_comment();
            if cursor.line_break().is_none() {
                break;
            }
        }
        (!cursor.is_end(0)).then(|| cursor.mark().place)
    }

    fn peek(&mut self) -> Result<Option<&Token<'a>>> {
        Ok(self.scanner.peek()?.map(|placed| &placed.token))
    }

    fn peek_is(&mut self, token: &Token<'a>) -> Result<bool> {
        Ok(self.peek()? == Some(token))
    }

    fn take(&mut self) -> Option<Placed<'a>> {
        let placed = self.scanner.take();
        if let Some(placed) = &placed {
            self.last = placed.end;
        }
        placed
    }

    /// Returns where the next token starts.
    fn start(&mut self) -> Mark {
        match self.scanner.peek() {
            Ok(Some(placed)) => placed.start,
            _ => self.last,
        }
    }

    fn fault_here(&mut self, fault: Fault) -> SyntaxError {
        let at = self.start().place;
        SyntaxError { fault, at, context: at }
    }

    /// Creates a fault in the open collection.
    fn fault_in(&mut self, fault: Fault) -> SyntaxError {
        let at = self.start().place;
        let context = self.starts.last().map_or(at, |mark| mark.place);
        SyntaxError { fault, at, context }
    }

    fn push(&mut self, event: Event<'a>, mark: Mark) {
        self.events.push((event, Span { start: mark.place, end: mark.place }));
    }

    fn empty_scalar(&mut self, mark: Mark) {
        let text = Cow::Borrowed("");
        self.push(Event::Scalar { text, anchor: None, tag: None, plain: true }, mark);
    }

    fn directives(&mut self) -> Result {
        let mut version = false;
        loop {
            match self.peek()? {
                Some(Token::Version(major, minor)) => {
                    let known = (*major, *minor) == (1, 1);
                    if version {
                        return Err(self.fault_here(Fault::DuplicateDirective));
                    }
                    if !known {
                        return Err(self.fault_here(Fault::Version));
                    }
                    version = true;
                }
                Some(Token::TagDirective(handle, prefix)) => {
                    let (handle, prefix) = (*handle, prefix.clone());
                    if self.tags.iter().any(|(known, _)| known == handle) {
                        return Err(self.fault_here(Fault::DuplicateDirective));
                    }
                    self.tags.push((Cow::Borrowed(handle), prefix));
                }
                _ => break,
            }
            self.take();
        }
        for (handle, prefix) in [("!", "!"), ("!!", super::CORE_TAG)] {
            if !self.tags.iter().any(|(known, _)| known == handle) {
                self.tags.push((Cow::Borrowed(handle), prefix.to_owned()));
            }
        }
        Ok(())
    }

    /// Reads one node: a scalar, an alias, or the start of a collection.
    fn node(&mut self, block: bool, indentless: bool) -> Result {
        if let Some(Token::Alias(name)) = self.peek()? {
            let name = *name;
            let start = self.start();
            self.take();
            let span = Span { start: start.place, end: self.last.place };
            self.events.push((Event::Alias(name), span));
            return Ok(());
        }
        let start = self.start();
        let (mut anchor, mut tag) = (None, None);
        loop {
            match self.peek()? {
                Some(Token::Anchor(name)) if anchor.is_none() => anchor = Some(*name),
                Some(Token::Tag(handle, suffix)) if tag.is_none() => {
                    let (handle, suffix) = (*handle, suffix.clone());
                    tag = Some(self.tag(handle, suffix)?);
                }
                _ => break,
            }
            self.take();
        }
        let tag = tag.filter(|tag| !tag.is_empty());
        let event = match self.peek()? {
            Some(Token::BlockEntry) if indentless => {
                self.states.push(State::IndentlessSequence);
                Event::SequenceStart(anchor)
            }
            Some(Token::Scalar { plain, .. }) => {
                let plain = tag.is_none() && *plain || tag.as_deref() == Some("!");
                let Some(Placed { token: Token::Scalar { text, .. }, .. }) = self.take() else {
                    return Ok(());
                };
                let span = Span { start: start.place, end: self.last.place };
                self.events.push((Event::Scalar { text, anchor, tag, plain }, span));
                return Ok(());
            }
            Some(Token::FlowSequenceStart) => {
                self.states.push(State::FlowSequence { first: true });
                Event::SequenceStart(anchor)
            }
            Some(Token::FlowMappingStart) => {
                self.states.push(State::FlowMappingKey { first: true });
                Event::MappingStart(anchor)
            }
            Some(Token::BlockSequenceStart) if block => {
                self.states.push(State::BlockSequence { first: true });
                Event::SequenceStart(anchor)
            }
            Some(Token::BlockMappingStart) if block => {
                self.states.push(State::BlockMappingKey { first: true });
                Event::MappingStart(anchor)
            }
            _ if anchor.is_some() || tag.is_some() => {
                let plain = tag.is_none();
                let span = Span { start: start.place, end: self.last.place };
                let text = Cow::Borrowed("");
                self.events.push((Event::Scalar { text, anchor, tag, plain }, span));
                return Ok(());
            }
            _ => return Err(self.fault_in(Fault::NoContent)),
        };
        self.push(event, start);
        Ok(())
    }

    fn tag(&mut self, handle: &str, suffix: String) -> Result<String> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        match self.tags.iter().find(|(known, _)| known == handle) {
            Some((_, prefix)) if !(prefix.is_empty() && suffix.is_empty()) => {
                Ok(format!("{prefix}{suffix}"))
            }
            _ => Err(self.fault_here(Fault::UndefinedTagHandle)),
        }
    }

    /// Takes the token that opens a collection.
    fn open(&mut self, first: bool) {
        if first {
            let start = self.start();
            self.starts.push(start);
            self.take();
        }
    }

    /// Ends the collection at the token that closes it.
    fn close(&mut self, event: Event<'a>) {
        self.starts.pop();
        let start = self.start();
        self.take();
        self.events.push((event, Span { start: start.place, end: self.last.place }));
    }

    fn block_sequence(&mut self, first: bool) -> Result {
        self.open(first);
        match self.peek()? {
            Some(Token::BlockEntry) => {
                self.take();
                let mark = self.last;
                self.states.push(State::BlockSequence { first: false });
                match self.peek()? {
                    Some(Token::BlockEntry | Token::BlockEnd) => self.empty_scalar(mark),
                    _ => self.node(true, false)?,
                }
            }
            Some(Token::BlockEnd) => self.close(Event::SequenceEnd),
            _ => return Err(self.fault_in(Fault::NoDash)),
        }
        Ok(())
    }

    fn indentless_sequence(&mut self) -> Result {
        if !self.peek_is(&Token::BlockEntry)? {
            let mark = self.start();
            self.push(Event::SequenceEnd, mark);
            return Ok(());
        }
        self.take();
        let mark = self.last;
        self.states.push(State::IndentlessSequence);
        match self.peek()? {
            Some(Token::BlockEntry | Token::Key | Token::Value | Token::BlockEnd) => {
                self.empty_scalar(mark);
            }
            _ => self.node(true, false)?,
        }
        Ok(())
    }

    /// Reads a key or value of a block mapping, or nothing if it is not written.
    fn block_mapping_node(&mut self, mark: Mark) -> Result {
        match self.peek()? {
            Some(Token::Key | Token::Value | Token::BlockEnd) => self.empty_scalar(mark),
            _ => self.node(true, true)?,
        }
        Ok(())
    }

    fn block_mapping_key(&mut self, first: bool) -> Result {
        self.open(first);
        match self.peek()? {
            Some(Token::Key) => {
                self.take();
                let mark = self.last;
                self.states.push(State::BlockMappingValue);
                self.block_mapping_node(mark)
            }
            Some(Token::BlockEnd) => {
                self.close(Event::MappingEnd);
                Ok(())
            }
            _ => Err(self.fault_in(Fault::NoKey)),
        }
    }

    fn block_mapping_value(&mut self) -> Result {
        self.states.push(State::BlockMappingKey { first: false });
        if self.peek_is(&Token::Value)? {
            self.take();
            let mark = self.last;
            return self.block_mapping_node(mark);
        }
        let mark = self.start();
        self.empty_scalar(mark);
        Ok(())
    }

    fn flow_sequence(&mut self, first: bool) -> Result {
        self.open(first);
        if !self.peek_is(&Token::FlowSequenceEnd)? {
            if !first {
                if !self.peek_is(&Token::FlowEntry)? {
                    return Err(self.fault_in(Fault::OpenSequence));
                }
                self.take();
            }
            match self.peek()? {
                Some(Token::Key) => {
                    let mark = self.start();
                    self.push(Event::MappingStart(None), mark);
                    self.take();
                    self.states.push(State::FlowSequence { first: false });
                    self.states.push(State::FlowSequenceMappingKey);
                    return Ok(());
                }
                Some(Token::FlowSequenceEnd) => {}
                _ => {
                    self.states.push(State::FlowSequence { first: false });
                    return self.node(false, false);
                }
            }
        }
        self.close(Event::SequenceEnd);
        Ok(())
    }

    fn flow_sequence_mapping_key(&mut self) -> Result {
        self.states.push(State::FlowSequenceMappingValue);
        match self.peek()? {
            Some(Token::Value | Token::FlowEntry | Token::FlowSequenceEnd) => {
                // The token is lost here, as it is upstream.
                self.take();
                let mark = self.last;
                self.empty_scalar(mark);
                Ok(())
            }
            _ => self.node(false, false),
        }
    }

    fn flow_sequence_mapping_value(&mut self) -> Result {
        self.states.push(State::FlowSequenceMappingEnd);
        if self.peek_is(&Token::Value)? {
            self.take();
            if !matches!(self.peek()?, Some(Token::FlowEntry | Token::FlowSequenceEnd)) {
                return self.node(false, false);
            }
        }
        let mark = self.start();
        self.empty_scalar(mark);
        Ok(())
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result {
        self.open(first);
        if !self.peek_is(&Token::FlowMappingEnd)? {
            if !first {
                if !self.peek_is(&Token::FlowEntry)? {
                    return Err(self.fault_in(Fault::OpenMapping));
                }
                self.take();
            }
            match self.peek()? {
                Some(Token::Key) => {
                    self.take();
                    self.states.push(State::FlowMappingValue { empty: false });
                    if !matches!(
                        self.peek()?,
                        Some(Token::Value | Token::FlowEntry | Token::FlowMappingEnd)
                    ) {
                        return self.node(false, false);
                    }
                    let mark = self.start();
                    self.empty_scalar(mark);
                    return Ok(());
                }
                Some(Token::FlowMappingEnd) => {}
                _ => {
                    self.states.push(State::FlowMappingValue { empty: true });
                    return self.node(false, false);
                }
            }
        }
        self.close(Event::MappingEnd);
        Ok(())
    }

    fn flow_mapping_value(&mut self, empty: bool) -> Result {
        self.states.push(State::FlowMappingKey { first: false });
        if !empty && self.peek_is(&Token::Value)? {
            self.take();
            if !matches!(self.peek()?, Some(Token::FlowEntry | Token::FlowMappingEnd)) {
                return self.node(false, false);
            }
        }
        let mark = self.start();
        self.empty_scalar(mark);
        Ok(())
    }
}
