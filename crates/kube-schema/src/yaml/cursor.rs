//! A position in the text of one document.

use super::Position;
use super::fault::{Fault, SyntaxError};

/// A position, in the units that matter for syntax and as people count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    /// Characters from the document's start.
    pub(super) index: usize,
    /// Line, counting all of YAML's line breaks, from 0.
    pub(super) line: usize,
    /// Column, from 0.
    pub(super) column: usize,
    /// Line and column, counting line feeds only, as the file is shown.
    pub(super) place: Position,
}

/// Reads a document from start to end, character by character.
///
/// The text has been checked: it contains none of the characters that YAML forbids, in particular
/// no NUL, which stands for the end.
pub(super) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    index: usize,
    line: usize,
    column: usize,
    /// The position of the character with number `shown_from`.
    shown: Position,
    shown_from: usize,
}

impl<'a> Cursor<'a> {
    /// Creates a cursor for a document that starts at a position in its file.
    pub(super) fn new(text: &'a str, start: Position) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let bytes = text.as_bytes();
        Self { text, bytes, pos: 0, index: 0, line: 0, column: 0, shown: start, shown_from: 0 }
    }

    /// Returns the byte `ahead` of the current one; 0 past the end.
    pub(super) fn at(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    pub(super) fn column(&self) -> usize {
        self.column
    }

    pub(super) fn mark(&self) -> Mark {
        let column = self.shown.column + (self.index - self.shown_from);
        let place = Position { line: self.shown.line, column };
        Mark { index: self.index, line: self.line, column: self.column, place }
    }

    /// Returns the text between two byte offsets, both at character boundaries.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Returns what is left.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or_default()
    }

    pub(super) fn fault(&self, fault: Fault, context: Mark) -> SyntaxError {
        SyntaxError { fault, at: self.mark().place, context: context.place }
    }

    pub(super) fn is_end(&self, ahead: usize) -> bool {
        self.at(ahead) == 0
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        match self.at(ahead) {
            b'\r' | b'\n' => true,
            0xc2 => self.at(ahead + 1) == 0x85,
            0xe2 => self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xa8 | 0xa9),
            _ => false,
        }
    }

    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.is_end(ahead) || self.is_break(ahead)
    }

    pub(super) fn is_blank_break_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// Reports whether `---` or `...` is here at the start of a line, with nothing else attached.
    pub(super) fn at_document_indicator(&self) -> bool {
        self.column == 0
            && matches!(
                (self.at(0), self.at(1), self.at(2)),
                (b'-', b'-', b'-') | (b'.', b'.', b'.')
            )
            && self.is_blank_break_or_end(3)
    }

    /// Reports whether the character is a letter, digit, `_` or `-`.
    pub(super) fn is_word(&self) -> bool {
        let byte = self.at(0);
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
    }

    /// Advances by one character.
    pub(super) fn skip(&mut self) {
        self.pos += width(self.at(0));
        self.index += 1;
        self.column += 1;
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    /// Skips a comment, if there is one, up to its line break.
    pub(super) fn skip_comment(&mut self) {
        if self.at(0) == b'#' {
            while !self.is_break_or_end(0) {
                self.skip();
            }
        }
    }

    /// Skips a line break, if there is one, and returns what it means in a scalar. A carriage
    /// return and line feed count as one; kubectl drops one more carriage return before them.
    pub(super) fn line_break(&mut self) -> Option<char> {
        let (meaning, width) = match (self.at(0), self.at(1), self.at(2)) {
            (b'\r', b'\r', b'\n') => ('\n', 3),
            (b'\r', b'\n', _) => ('\n', 2),
            (b'\r' | b'\n', ..) => ('\n', 1),
            (0xc2, 0x85, _) => ('\n', 2),
            (0xe2, 0x80, 0xa8) => ('\u{2028}', 3),
            (0xe2, 0x80, 0xa9) => ('\u{2029}', 3),
            _ => return None,
        };
        let shown = self.bytes.get(self.pos + width - 1) == Some(&b'\n');
        self.pos += width;
        self.index += 1;
        self.column = 0;
        self.line += 1;
        if shown {
            self.shown = Position { line: self.shown.line + 1, column: 1 };
            self.shown_from = self.index;
        }
        Some(meaning)
    }

    /// Makes the end count as the start of a new line.
    pub(super) fn force_new_line(&mut self) {
        if self.column != 0 {
            self.column = 0;
            self.line += 1;
        }
    }
}

/// Returns the length of the character that starts with this byte.
pub(super) const fn width(byte: u8) -> usize {
    match byte {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    }
}
