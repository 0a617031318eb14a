//! Scalars, tags and directives (`scannerc.go`, second half).

use std::borrow::Cow;

use super::cursor::{Mark, width};
use super::fault::{Fault, SyntaxError};
use super::scanner::{Scanner, Token};

type Result<T = ()> = std::result::Result<T, SyntaxError>;

/// A scalar's text: a piece of the source, until something in it must change.
struct Text {
    changed: String,
    /// Where the piece that is not yet in `changed` starts.
    from: usize,
    to: usize,
}

impl Text {
    fn new(from: usize) -> Self {
        Self { changed: String::new(), from, to: from }
    }

    fn finish<'a>(self, scanner: &Scanner<'a>) -> Cow<'a, str> {
        let piece = scanner.cursor.slice(self.from, self.to);
        if self.changed.is_empty() {
            return Cow::Borrowed(piece);
        }
        Cow::Owned(self.changed + piece)
    }

    /// Appends the current piece to `changed`.
    fn flush(&mut self, scanner: &Scanner<'_>) {
        self.changed.push_str(scanner.cursor.slice(self.from, self.to));
        self.from = self.to;
    }
}

/// Line breaks between two lines of a scalar.
#[derive(Default)]
struct Breaks {
    first: Option<char>,
    more: String,
}

impl Breaks {
    fn take(&mut self, character: char, is_first: bool) {
        match is_first {
            true => self.first = Some(character),
            false => self.more.push(character),
        }
    }

    /// Folds a single line feed to a space, and drops one of several. Other breaks stay.
    fn fold(&mut self, into: &mut String) {
        match self.first.take() {
            Some('\n') if self.more.is_empty() => into.push(' '),
            Some('\n') => {}
            other => into.extend(other),
        }
        into.push_str(&self.more);
        self.more.clear();
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn plain_scalar(&mut self) -> Result {
        self.save_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let mut end = start;
        let in_flow = self.in_flow();
        let indent = usize::try_from(self.indent + 1).unwrap_or(0);
        let mut text = Text::new(self.cursor.pos());
        let mut breaks = Breaks::default();
        let mut new_line = false;
        while !self.cursor.at_document_indicator() && self.cursor.at(0) != b'#' {
            let from = self.cursor.pos();
            while !self.cursor.is_blank_break_or_end(0) {
                match self.cursor.at(0) {
                    b':' if self.cursor.is_blank_break_or_end(1) => break,
                    b',' | b'?' | b'[' | b']' | b'{' | b'}' if in_flow => break,
                    _ => {}
                }
                if new_line {
                    text.flush(self);
                    breaks.fold(&mut text.changed);
                    text.from = self.cursor.pos();
                    new_line = false;
                }
                self.cursor.skip();
            }
            if self.cursor.pos() > from {
                text.to = self.cursor.pos();
                end = self.cursor.mark();
            }
            if self.cursor.is_end(0) || !self.cursor.is_blank_break_or_end(0) {
                break;
            }
            loop {
                if self.cursor.is_blank(0) {
                    if new_line && self.cursor.column() < indent && self.cursor.at(0) == b'\t' {
                        return Err(self.cursor.fault(Fault::PlainTab, start));
                    }
                    self.cursor.skip();
                } else if let Some(character) = self.cursor.line_break() {
                    breaks.take(character, !new_line);
                    new_line = true;
                } else {
                    break;
                }
            }
            if !in_flow && self.cursor.column() < indent {
                break;
            }
        }
        let token = Token::Scalar { text: text.finish(self), plain: true };
        self.push_to(token, start, end);
        if new_line {
            self.simple_key_allowed = true;
        }
        Ok(())
    }

    pub(super) fn quoted_scalar(&mut self) -> Result {
        self.save_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let quote = self.cursor.at(0);
        let double = quote == b'"';
        self.cursor.skip();
        let mut text = Text::new(self.cursor.pos());
        let mut breaks = Breaks::default();
        loop {
            if self.cursor.at_document_indicator() {
                return Err(self.cursor.fault(Fault::QuoteAcrossDocuments, start));
            }
            if self.cursor.is_end(0) {
                return Err(self.cursor.fault(Fault::OpenQuote, start));
            }
            let mut new_line = false;
            while !self.cursor.is_blank_break_or_end(0) {
                let byte = self.cursor.at(0);
                if byte == quote && (double || self.cursor.at(1) != quote) {
                    break;
                }
                if byte == quote {
                    // Two single quotes are one.
                    self.cursor.skip();
                    text.to = self.cursor.pos();
                    text.flush(self);
                    self.cursor.skip();
                    text.from = self.cursor.pos();
                } else if double && byte == b'\\' && self.cursor.is_break(1) {
                    text.to = self.cursor.pos();
                    text.flush(self);
                    self.cursor.skip();
                    self.cursor.line_break();
                    text.from = self.cursor.pos();
                    text.to = text.from;
                    new_line = true;
                    break;
                } else if double && byte == b'\\' {
                    text.to = self.cursor.pos();
                    text.flush(self);
                    let character = self.escape(start)?;
                    text.changed.push(character);
                    text.from = self.cursor.pos();
                } else {
                    self.cursor.skip();
                }
                text.to = self.cursor.pos();
            }
            if self.cursor.at(0) == quote {
                break;
            }
            loop {
                if self.cursor.is_blank(0) {
                    self.cursor.skip();
                } else if let Some(character) = self.cursor.line_break() {
                    breaks.take(character, !new_line);
                    new_line = true;
                } else {
                    break;
                }
            }
            if new_line {
                text.flush(self);
                breaks.fold(&mut text.changed);
                text.from = self.cursor.pos();
            }
            text.to = self.cursor.pos();
        }
        self.cursor.skip();
        let text = text.finish(self);
        self.push(Token::Scalar { text, plain: false }, start);
        Ok(())
    }

    fn escape(&mut self, start: Mark) -> Result<char> {
        let (character, digits) = match self.cursor.at(1) {
            b'0' => ('\0', 0),
            b'a' => ('\u{7}', 0),
            b'b' => ('\u{8}', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\u{b}', 0),
            b'f' => ('\u{c}', 0),
            b'r' => ('\r', 0),
            b'e' => ('\u{1b}', 0),
            b' ' => (' ', 0),
            b'"' => ('"', 0),
            b'\'' => ('\'', 0),
            b'\\' => ('\\', 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{a0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            _ => return Err(self.cursor.fault(Fault::UnknownEscape, start)),
        };
        self.cursor.skip();
        self.cursor.skip();
        if digits == 0 {
            return Ok(character);
        }
        let mut value = 0u32;
        for ahead in 0..digits {
            let Some(digit) = char::from(self.cursor.at(ahead)).to_digit(16) else {
                return Err(self.cursor.fault(Fault::EscapeDigits, start));
            };
            value = value << 4 | digit;
        }
        let Some(character) = char::from_u32(value) else {
            return Err(self.cursor.fault(Fault::EscapeRange, start));
        };
        for _ in 0..digits {
            self.cursor.skip();
        }
        Ok(character)
    }

    /// Reads a JSON string, which was already read once and is known to end.
    pub(super) fn json_string(&mut self) -> Result {
        self.save_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let from = self.cursor.pos();
        self.cursor.skip();
        let mut escaped = false;
        while escaped || self.cursor.at(0) != b'"' {
            if self.cursor.is_end(0) {
                return Err(self.cursor.fault(Fault::OpenQuote, start));
            }
            escaped = !escaped && self.cursor.at(0) == b'\\';
            self.cursor.skip();
        }
        self.cursor.skip();
        let text = super::json::string(self.cursor.slice(from, self.cursor.pos()));
        self.push(Token::Scalar { text, plain: false }, start);
        Ok(())
    }

    pub(super) fn block_scalar(&mut self) -> Result {
        self.drop_key()?;
        self.simple_key_allowed = true;
        let start = self.cursor.mark();
        let literal = self.cursor.at(0) == b'|';
        self.cursor.skip();
        let (keep, mut indent) = self.block_header(start)?;
        let mut end = self.cursor.mark();
        let mut text = String::new();
        let mut first: Option<char> = None;
        let mut more = String::new();
        self.block_breaks(&mut indent, &mut more, start, &mut end)?;
        let mut was_blank = false;
        while self.cursor.column() == indent && !self.cursor.is_end(0) {
            let is_blank = self.cursor.is_blank(0);
            if !literal && !was_blank && !is_blank && first == Some('\n') {
                if more.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(first);
            }
            text.push_str(&more);
            more.clear();
            was_blank = is_blank;
            let from = self.cursor.pos();
            while !self.cursor.is_break_or_end(0) {
                self.cursor.skip();
            }
            text.push_str(self.cursor.slice(from, self.cursor.pos()));
            first = self.cursor.line_break();
            self.block_breaks(&mut indent, &mut more, start, &mut end)?;
        }
        if keep != Some(false) {
            text.extend(first);
        }
        if keep == Some(true) {
            text.push_str(&more);
        }
        self.push_to(Token::Scalar { text: Cow::Owned(text), plain: false }, start, end);
        Ok(())
    }

    /// Reads what follows `|` or `>`: whether trailing line breaks are kept, and the column of the
    /// text, or 0 if its first line decides.
    fn block_header(&mut self, start: Mark) -> Result<(Option<bool>, usize)> {
        let mut keep = None;
        let mut increment = None;
        for _ in 0..2 {
            match self.cursor.at(0) {
                sign @ (b'+' | b'-') if keep.is_none() => keep = Some(sign == b'+'),
                b'0' if increment.is_none() => {
                    return Err(self.cursor.fault(Fault::BlockIndentZero, start));
                }
                digit @ b'1'..=b'9' if increment.is_none() => {
                    increment = Some(usize::from(digit - b'0'));
                }
                _ => break,
            }
            self.cursor.skip();
        }
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.is_break_or_end(0) {
            return Err(self.cursor.fault(Fault::BlockHeader, start));
        }
        self.cursor.line_break();
        let around = usize::try_from(self.indent).unwrap_or(0);
        Ok((keep, increment.map_or(0, |increment| around + increment)))
    }

    /// Skips indentation and empty lines; determines the indentation if it is 0.
    fn block_breaks(
        &mut self,
        indent: &mut usize,
        breaks: &mut String,
        start: Mark,
        end: &mut Mark,
    ) -> Result {
        *end = self.cursor.mark();
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.cursor.column() < *indent) && self.cursor.at(0) == b' ' {
                self.cursor.skip();
            }
            deepest = deepest.max(self.cursor.column());
            if (*indent == 0 || self.cursor.column() < *indent) && self.cursor.at(0) == b'\t' {
                return Err(self.cursor.fault(Fault::BlockTab, start));
            }
            match self.cursor.line_break() {
                Some(character) => breaks.push(character),
                None => break,
            }
            *end = self.cursor.mark();
        }
        if *indent == 0 {
            let least = usize::try_from(self.indent + 1).unwrap_or(0);
            *indent = deepest.max(least).max(1);
        }
        Ok(())
    }

    pub(super) fn tag(&mut self) -> Result {
        self.save_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let token = if self.cursor.at(1) == b'<' {
            self.cursor.skip();
            self.cursor.skip();
            let whole = self.tag_uri("", start)?;
            if self.cursor.at(0) != b'>' {
                return Err(self.cursor.fault(Fault::Tag, start));
            }
            self.cursor.skip();
            Token::Tag("", whole)
        } else {
            let handle = self.tag_handle(false, start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                Token::Tag(handle, self.tag_uri("", start)?)
            } else {
                let suffix = self.tag_uri(handle, start)?;
                match suffix.is_empty() {
                    true => Token::Tag("", "!".to_owned()),
                    false => Token::Tag("!", suffix),
                }
            }
        };
        if !self.cursor.is_blank_break_or_end(0) {
            return Err(self.cursor.fault(Fault::Tag, start));
        }
        self.push(token, start);
        Ok(())
    }

    /// Reads `!`, `!!` or `!word!`; outside directives also `!word`, which is not a handle.
    fn tag_handle(&mut self, directive: bool, start: Mark) -> Result<&'a str> {
        let fault = if directive { Fault::Directive } else { Fault::Tag };
        if self.cursor.at(0) != b'!' {
            return Err(self.cursor.fault(fault, start));
        }
        let from = self.cursor.pos();
        self.cursor.skip();
        while self.cursor.is_word() {
            self.cursor.skip();
        }
        if self.cursor.at(0) == b'!' {
            self.cursor.skip();
        } else if directive && self.cursor.pos() != from + 1 {
            return Err(self.cursor.fault(fault, start));
        }
        Ok(self.cursor.slice(from, self.cursor.pos()))
    }

    /// Reads the characters of a URI after the part already read, leaving out the latter's first
    /// `!`.
    fn tag_uri(&mut self, head: &str, start: Mark) -> Result<String> {
        let mut uri = head.get(1..).unwrap_or_default().to_owned();
        let mut found = !head.is_empty();
        loop {
            let byte = self.cursor.at(0);
            if byte == b'%' {
                uri.push(self.uri_escape(start)?);
            } else if self.cursor.is_word() || b";/?:@&=+$,.!~*'()[]".contains(&byte) {
                uri.push(char::from(byte));
                self.cursor.skip();
            } else {
                break;
            }
            found = true;
        }
        match found {
            true => Ok(uri),
            false => Err(self.cursor.fault(Fault::Tag, start)),
        }
    }

    /// Reads one character, each of its bytes written as `%` and two digits.
    fn uri_escape(&mut self, start: Mark) -> Result<char> {
        let mut bytes = Vec::new();
        loop {
            let digit = |ahead| char::from(self.cursor.at(ahead)).to_digit(16);
            let (b'%', Some(high), Some(low)) = (self.cursor.at(0), digit(1), digit(2)) else {
                return Err(self.cursor.fault(Fault::Tag, start));
            };
            bytes.extend(u8::try_from(high << 4 | low));
            for _ in 0..3 {
                self.cursor.skip();
            }
            let wanted = bytes.first().copied().map_or(1, width);
            if bytes.len() == wanted {
                break;
            }
        }
        match std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next()) {
            Some(character) => Ok(character),
            None => Err(self.cursor.fault(Fault::Tag, start)),
        }
    }

    pub(super) fn scan_directive(&mut self) -> Result {
        let start = self.cursor.mark();
        self.cursor.skip();
        let from = self.cursor.pos();
        while self.cursor.is_word() {
            self.cursor.skip();
        }
        let name = self.cursor.slice(from, self.cursor.pos());
        if !self.cursor.is_blank_break_or_end(0) {
            return Err(self.cursor.fault(Fault::Directive, start));
        }
        self.cursor.skip_blanks();
        let token = match name {
            "YAML" => {
                let major = self.version_number(start)?;
                if self.cursor.at(0) != b'.' {
                    return Err(self.cursor.fault(Fault::Directive, start));
                }
                self.cursor.skip();
                Token::Version(major, self.version_number(start)?)
            }
            "TAG" => {
                let handle = self.tag_handle(true, start)?;
                if !self.cursor.is_blank(0) {
                    return Err(self.cursor.fault(Fault::Directive, start));
                }
                self.cursor.skip_blanks();
                let prefix = self.tag_uri("", start)?;
                if !self.cursor.is_blank_break_or_end(0) {
                    return Err(self.cursor.fault(Fault::Directive, start));
                }
                Token::TagDirective(handle, prefix)
            }
            _ => return Err(self.cursor.fault(Fault::Directive, start)),
        };
        let end = self.cursor.mark();
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.is_break_or_end(0) {
            return Err(self.cursor.fault(Fault::Directive, start));
        }
        self.cursor.line_break();
        self.push_to(token, start, end);
        Ok(())
    }

    fn version_number(&mut self, start: Mark) -> Result<u8> {
        let from = self.cursor.pos();
        while self.cursor.at(0).is_ascii_digit() {
            self.cursor.skip();
        }
        let digits = self.cursor.slice(from, self.cursor.pos());
        match digits.parse() {
            Ok(number) if digits.len() <= 2 => Ok(number),
            _ => Err(self.cursor.fault(Fault::Directive, start)),
        }
    }
}
