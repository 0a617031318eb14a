//! `Quote` and what it is built on. Source: Go 1.26 `strconv/quote.go`.

use crate::{raw_bytes, tables};

/// Reports whether a character is printable, as Go's `strconv.IsPrint` does: letters, marks,
/// numbers, punctuation, symbols and the ASCII space are.
pub fn is_print(c: char) -> bool {
    let c = u32::from(c);
    if c < 0x7f {
        return c >= 0x20;
    }
    let after = tables::PRINT.partition_point(|&(low, _)| low <= c);
    after.checked_sub(1).and_then(|i| tables::PRINT.get(i)).is_some_and(|&(_, high)| c <= high)
}

/// Quotes as `Quote(s)` does: a double-quoted Go string.
pub fn quote(s: &str) -> String {
    quote_with(s, '"', false)
}

/// Quotes as `QuoteToASCII(s)` does.
pub fn quote_to_ascii(s: &str) -> String {
    quote_with(s, '"', true)
}

/// Quotes `s` with `quote`, and escapes everything beyond ASCII if `ascii` is set.
pub fn quote_with(s: &str, quote: char, ascii: bool) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(s.len() + 2);
    out.push(quote);
    for c in s.chars() {
        if let Some(byte) = raw_bytes::raw(c) {
            let _ = write!(out, "\\x{byte:02x}");
            continue;
        }
        match c {
            _ if c == quote || c == '\\' => out.extend(['\\', c]),
            _ if (!ascii || c.is_ascii()) && is_print(c) => out.push(c),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            // Writing to a String cannot fail.
            _ => {
                let n = u32::from(c);
                let _ = match n {
                    0..0x20 | 0x7f => write!(out, "\\x{n:02x}"),
                    ..0x10000 => write!(out, "\\u{n:04x}"),
                    _ => write!(out, "\\U{n:08x}"),
                };
            }
        }
    }
    out.push(quote);
    out
}

/// Reports whether a text fits in back quotes, as `CanBackquote(s)` does: one line without control
/// characters, back quotes or byte order marks.
pub fn can_backquote(s: &str) -> bool {
    !s.chars()
        .any(|c| matches!(c, '\0'..' ' if c != '\t') || matches!(c, '`' | '\x7f' | '\u{feff}'))
}
