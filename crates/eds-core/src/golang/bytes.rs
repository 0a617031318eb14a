//! Go strings that are not UTF-8.
//!
//! A Go string may hold any bytes: base64 of an image decodes to one, and a hash of it is a hash of
//! those bytes. A Rust string may not, so within a pipe of transforms each byte that is not UTF-8 is
//! one character of a private plane, and becomes U+FFFD where the pipe ends, as Go's JSON has it.

use std::borrow::Cow;

use serde_json::Value;

/// The character of byte 0; only 0x80 to 0xff occur.
const BASE: u32 = 0x10_fe00;

/// The byte that a character stands for.
pub(crate) fn byte(c: char) -> Option<u8> {
    let byte = u8::try_from(u32::from(c).checked_sub(BASE)?).ok()?;
    (byte >= 0x80).then_some(byte)
}

/// Whether a character of a text stands for a byte. All of them begin with the byte 0xf4, which is
/// rare, so most texts need no more than one look.
fn any(text: &str) -> bool {
    text.as_bytes().contains(&0xf4) && text.chars().any(|c| byte(c).is_some())
}

fn push(out: &mut String, bytes: &[u8]) {
    out.extend(bytes.iter().filter_map(|&byte| char::from_u32(BASE + u32::from(byte))));
}

/// Bytes as text. A character that would be taken for a byte is four bytes then.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match byte(c) {
                Some(_) => push(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                None => out.push(c),
            }
        }
        push(&mut out, chunk.invalid());
    }
    out
}

/// The bytes of a text.
pub(crate) fn of_text(text: &str) -> Cow<'_, [u8]> {
    if !any(text) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match byte(c) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(out)
}

/// A text as it leaves Go: what is no UTF-8 is U+FFFD.
pub(crate) fn settle_text(text: &mut String) {
    if any(text) {
        *text = text.chars().map(|c| byte(c).map_or(c, |_| char::REPLACEMENT_CHARACTER)).collect();
    }
}

/// [`settle_text`] for every text in a value that transforms made.
pub(crate) fn settle(value: &mut Value) {
    match value {
        Value::String(text) => settle_text(text),
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(fields) => fields.values_mut().for_each(settle),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_text() {
        let check = |bytes: &[u8], settled: &str| {
            let mut text = to_text(bytes);
            assert_eq!(of_text(&text).as_ref(), bytes);
            settle_text(&mut text);
            assert_eq!(text, settled);
        };
        check(b"plain", "plain");
        check("ü🦀".as_bytes(), "ü🦀");
        check(&[0xff, b'a', 0xc3], "\u{fffd}a\u{fffd}");
        // A character of the private plane itself.
        check("\u{10fe80}".as_bytes(), "\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
    }
}
