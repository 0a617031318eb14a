//! JSON at the start of a file, which kubectl reads as JSON rather than YAML: `\/` and surrogate
//! pairs are escapes, and keys may be long.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// Returns the length of each JSON value at the start of a text, including blanks before it.
/// kubectl switches to YAML where the JSON ends, unless it has read two values by then.
pub(super) fn leading(text: &str) -> Vec<usize> {
    if !text.trim_start().starts_with('{') {
        return Vec::new();
    }
    let mut ends = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..) {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let length = match values.next() {
            Some(Ok(IgnoredAny)) => values.byte_offset(),
            // Go requires nothing between two values.
            Some(Err(_)) => match literal(rest) {
                Some(length) => length,
                None => break,
            },
            None => break,
        };
        start += length;
        ends.push(start);
    }
    ends
}

/// Returns the length of a JSON word or number, including blanks before it.
fn literal(text: &str) -> Option<usize> {
    let value = text.trim_start_matches([' ', '\t', '\r', '\n']);
    let blanks = text.len() - value.len();
    if let Some(word) = ["null", "true", "false"].into_iter().find(|word| value.starts_with(word)) {
        return Some(blanks + word.len());
    }
    let of_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
    let length = value.find(|c| !of_number(c)).unwrap_or(value.len());
    let number: Result<f64, _> = serde_json::from_str(value.get(..length)?);
    number.ok().map(|_| blanks + length)
}

/// Returns the contents of a quoted string. As in Go, half a surrogate pair becomes U+FFFD.
pub(super) fn string(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    if let Ok(text) = serde_json::from_str(quoted) {
        return Cow::Owned(text);
    }
    Cow::Owned(lossy(inner))
}

fn lossy(inner: &str) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(rest.get(..at).unwrap_or_default());
        let tail = rest.get(at..).unwrap_or_default();
        // The longest escape first: a pair, one character, a letter.
        let escape = [12, 6, 2].into_iter().filter_map(|n| tail.get(..n)).find_map(|escape| {
            let text: String = serde_json::from_str(&format!("\"{escape}\"")).ok()?;
            (text.chars().count() == 1).then_some((text, escape.len()))
        });
        let (character, length) = escape.unwrap_or(("\u{fffd}".to_owned(), 6));
        text.push_str(&character);
        rest = tail.get(length..).unwrap_or_default();
    }
    text + rest
}
