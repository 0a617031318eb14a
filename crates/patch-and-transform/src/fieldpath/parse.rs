//! From text to segments. Mirrors `fieldpath.go`: positions in messages are byte offsets.

use std::borrow::Cow;
use std::fmt;

use super::Error;
use golang::strconv::quote;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment<'a> {
    /// A field of an object. `*` is the wildcard.
    Field(Cow<'a, str>),
    /// An element of an array.
    Index(u32),
}

impl<'a> Segment<'a> {
    /// Creates a field from a name as the lexer found it: quotes around it are not part of the
    /// name.
    pub(crate) fn field(name: &'a str) -> Self {
        Self::Field(Cow::Borrowed(name.trim_matches(['\'', '"'])))
    }

    /// Reads the contents of brackets: an unsigned 32-bit integer is an index, anything else a
    /// field name.
    fn field_or_index(text: &'a str) -> Self {
        // Rust's parser accepts a leading plus, Go's ParseUint does not.
        match text.parse::<u32>() {
            Ok(index) if !text.starts_with('+') => Self::Index(index),
            _ => Self::field(text),
        }
    }

    /// Reports whether this is the wildcard.
    pub(crate) fn is_wildcard(&self) -> bool {
        matches!(self, Self::Field(name) if name == "*")
    }
}

/// Prints segments as upstream's `Segments.String` does: names with a period, and the wildcard, in
/// brackets; other names after a period. The result may not parse back to the same segments.
#[derive(Debug)]
pub struct Path<'p, 's>(pub &'p [Segment<'s>]);

impl fmt::Display for Path<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for segment in self.0 {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Field(name) if name == "*" || name.contains('.') => write!(f, "[{name}]")?,
                Segment::Field(name) if first => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
            }
            first = false;
        }
        Ok(())
    }
}

/// Parses a path. The empty path has no segments.
///
/// # Errors
/// `cannot parse path "a..b": unexpected '.' at position 2`, and the like.
pub fn parse(path: &str) -> Result<Vec<Segment<'_>>, Error> {
    lex(path).map_err(|(what, position)| {
        Error::new(format!("cannot parse path {}: {what} at position {position}", quote(path)))
    })
}

/// The character that is not allowed, and its byte offset.
type LexError = (&'static str, usize);

fn lex(path: &str) -> Result<Vec<Segment<'_>>, LexError> {
    const PERIOD: LexError = ("unexpected '.'", 0);
    const LEFT: LexError = ("unexpected '['", 0);
    const RIGHT: LexError = ("unexpected ']'", 0);
    const OPEN: LexError = ("unterminated '['", 0);
    let error_at = |error: LexError, position: usize| Err((error.0, position));

    let mut segments = Vec::with_capacity(8);
    let mut pos = 0;
    loop {
        // A field name, up to a period, a bracket or the end. If it is empty, there is no segment.
        let rest = path.get(pos..).unwrap_or_default();
        let Some(end) = rest.find(['.', '[', ']']) else {
            if !rest.is_empty() {
                segments.push(Segment::field(rest));
            }
            return Ok(segments);
        };
        let (name, tail) = rest.split_at_checked(end).unwrap_or_default();
        pos += end;
        if tail.starts_with(']') {
            return error_at(RIGHT, pos);
        }
        if !name.is_empty() {
            segments.push(Segment::field(name));
        }
        let after = tail.get(1..).unwrap_or_default();

        if tail.starts_with('.') {
            // A period may not begin or end a path, and must be followed by a field name.
            if pos == 0 || after.is_empty() {
                return error_at(PERIOD, pos);
            }
            pos += 1;
            if after.starts_with('.') {
                return error_at(PERIOD, pos);
            }
            if after.starts_with('[') {
                return error_at(LEFT, pos);
            }
            continue;
        }

        // In brackets, periods are ordinary characters.
        let Some(close) = after.find(']') else {
            return error_at(OPEN, pos);
        };
        pos += 1;
        if close == 0 {
            return error_at(RIGHT, pos);
        }
        let inner = after.get(..close).unwrap_or_default();
        if let Some(nested) = inner.find('[') {
            return error_at(LEFT, pos + nested);
        }
        segments.push(Segment::field_or_index(inner));
        pos += close + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expect: Result<&[Segment<'_>], &str>) {
        let got = parse(path);
        match (&got, expect) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "{path}"),
            (Err(got), Err(want)) => assert_eq!(got.to_string(), want, "{path}"),
            _ => panic!("{path}: got {got:?}, want {expect:?}"),
        }
    }

    fn f(name: &str) -> Segment<'_> {
        Segment::Field(Cow::Borrowed(name))
    }

    #[test]
    fn paths_become_segments() {
        use Segment::Index;
        check("", Ok(&[]));
        check("spec", Ok(&[f("spec")]));
        check("a.b", Ok(&[f("a"), f("b")]));
        check("a[1].b", Ok(&[f("a"), Index(1), f("b")]));
        check("a[1]b", Ok(&[f("a"), Index(1), f("b")]));
        check("[0]", Ok(&[Index(0)]));
        check("[0][a]", Ok(&[Index(0), f("a")]));
        check("a[b.c/d]", Ok(&[f("a"), f("b.c/d")]));
        check("a['b.c']", Ok(&[f("a"), f("b.c")]));
        check("a[\"7\"]", Ok(&[f("a"), f("7")]));
        check("'a'.\"b\"", Ok(&[f("a"), f("b")]));
        check("a[*].b", Ok(&[f("a"), f("*"), f("b")]));
        check("a[007]", Ok(&[f("a"), Index(7)]));
        check("a[+7]", Ok(&[f("a"), f("+7")]));
        check("a[-1]", Ok(&[f("a"), f("-1")]));
        check("a[4294967295]", Ok(&[f("a"), Index(u32::MAX)]));
        check("a[4294967296]", Ok(&[f("a"), f("4294967296")]));
        check("7.8", Ok(&[f("7"), f("8")]));
        check("é.ü[ß]", Ok(&[f("é"), f("ü"), f("ß")]));
    }

    #[test]
    fn malformed_paths_name_the_place() {
        for (path, why) in [
            (".a", "unexpected '.' at position 0"),
            ("a.", "unexpected '.' at position 1"),
            ("a..b", "unexpected '.' at position 2"),
            ("a.[0]", "unexpected '[' at position 2"),
            ("a]", "unexpected ']' at position 1"),
            ("a[", "unterminated '[' at position 1"),
            ("a[0", "unterminated '[' at position 1"),
            ("a[]", "unexpected ']' at position 2"),
            ("a[b[c]", "unexpected '[' at position 3"),
            ("a[0]]", "unexpected ']' at position 4"),
            ("é[", "unterminated '[' at position 2"),
        ] {
            check(path, Err(&format!("cannot parse path {path:?}: {why}")));
        }
    }

    #[test]
    fn segments_print_as_upstream_prints_them() {
        for (path, want) in [
            ("a.b[0].c", "a.b[0].c"),
            ("a['b']", "a.b"),
            ("a[b.c]", "a[b.c]"),
            ("a[*]", "a[*]"),
            ("[0].a", "[0].a"),
        ] {
            assert_eq!(Path(&parse(path).unwrap()).to_string(), want);
        }
    }
}
