//! Cuts a file into documents as `kubectl apply -f` does (`k8s.io/apimachinery`
//! `pkg/util/yaml/decoder.go`): by lines, before anything is parsed as YAML. So `---` at the start
//! of a line ends a document even inside a quote or a block scalar, and the rest of that line is
//! not read.

use super::fault::{Fault, SyntaxError};
use super::{Position, json};

/// A piece of the file that is read by itself.
#[derive(Debug, PartialEq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Where it starts in the file.
    pub(super) start: Position,
    pub(super) json: bool,
    /// Why it cannot be read, if that is already known.
    pub(super) error: Option<SyntaxError>,
}

/// Cuts a file that ends with a line feed, which may have been `added`.
pub(super) fn split(source: &str, added: bool) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut place = Position { line: 1, column: 1 };
    let mut piece = |from: usize, to: usize, start: Position, json: bool, error| {
        let text = source.get(from..to).unwrap_or_default();
        pieces.push(Piece { text, start, json, error });
    };
    if source.trim_start().starts_with('{') {
        let values = json::leading(source);
        let count = values.len();
        for end in values {
            piece(start, end, place, true, None);
            place = advance(place, source.get(start..end).unwrap_or_default());
            start = end;
        }
        let rest = source.get(start..).unwrap_or_default();
        if count > 0 && rest.trim_start_matches([' ', '\t', '\r', '\n']).is_empty() {
            return pieces;
        }
        match before_yaml(rest, usize::from(added)) {
            Some(blank) if count < 2 => {
                place = advance(place, rest.get(..blank).unwrap_or_default());
                start += blank;
            }
            _ => {
                // A stream of JSON that does not continue as one.
                let blank = rest.len() - rest.trim_start().len();
                let at = advance(place, rest.get(..blank).unwrap_or_default());
                let error = SyntaxError { fault: Fault::AfterJson, at, context: at };
                piece(start, source.len(), place, false, Some(error));
                return pieces;
            }
        }
    }
    let mut at = start;
    let lines = source.get(start..).unwrap_or_default().split_inclusive('\n');
    for (line, text) in (place.line..).zip(lines) {
        let next = at + text.len();
        if let Some(after) = text.strip_prefix("---") {
            let after = after.trim();
            let here = Position { line, column: 1 };
            let wrong = !after.is_empty() && !after.starts_with('#');
            if wrong || start < at {
                let fault = SyntaxError { fault: Fault::Separator, at: here, context: here };
                piece(start, at, place, false, wrong.then_some(fault));
                start = next;
                place = Position { line: line + 1, column: 1 };
            }
        }
        at = next;
    }
    if start < source.len() {
        piece(start, source.len(), place, false, None);
    }
    pieces
}

/// Returns the blanks that kubectl skips between JSON and YAML: up to the first line break. It
/// ignores fewer than four bytes.
fn before_yaml(rest: &str, added: usize) -> Option<usize> {
    for (at, character) in rest.char_indices() {
        if rest.len() - at < 4 + added {
            return None;
        }
        if !character.is_whitespace() {
            return Some(at);
        }
        if character == '\n' {
            return Some(at + 1);
        }
    }
    None
}

/// Returns the position after a text that starts at a position.
pub(super) fn advance(from: Position, text: &str) -> Position {
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    match text.rsplit_once('\n') {
        None => Position { line: from.line, column: from.column + text.chars().count() },
        Some((_, last)) => Position { line: from.line + lines, column: last.chars().count() + 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &[(usize, &str)]) {
        let found: Vec<(usize, &str)> =
            split(source, false).into_iter().map(|piece| (piece.start.line, piece.text)).collect();
        assert_eq!(found, expected, "{source:?}");
    }

    #[test]
    fn documents_end_at_lines_that_start_with_three_dashes() {
        check("a\n---\nb\n", &[(1, "a\n"), (3, "b\n")]);
        // The first separator belongs to the document that it starts.
        check("---\na\n--- # c\nb\n", &[(1, "---\na\n"), (4, "b\n")]);
        check("a: |\n  x\n---\n  y\n", &[(1, "a: |\n  x\n"), (4, "  y\n")]);
        check("a\n ---\nb\n", &[(1, "a\n ---\nb\n")]);
    }

    #[test]
    fn json_goes_first() {
        check("{\"a\":1}\n{}\n", &[(1, "{\"a\":1}"), (1, "\n{}")]);
        check("{\"a\":1}\n---\n{b: 1}\n", &[(1, "{\"a\":1}"), (2, "---\n{b: 1}\n")]);
        check("{a: 1}\n", &[(1, "{a: 1}\n")]);
    }
}
