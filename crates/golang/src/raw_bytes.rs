//! Bytes that are not valid UTF-8, carried in strings from one transform to the next.
//!
//! A Go string holds any bytes: base64 decodes to them, a joined string can end in the middle of a
//! character, and the next transform encodes or hashes them as they are. Only JSON, at the end of
//! the pipe, replaces each with U+FFFD. Here such a byte travels as one of the last 128 code points
//! of plane 16, which are for private use and appear in no manifest.

use std::borrow::Cow;

use serde_json::Value;

/// The code point of byte 0; only bytes from 0x80 up are ever invalid.
const FIRST: u32 = 0x10_FF00;

/// Turns bytes into a string that carries them.
pub fn carry(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        let raw = chunk.invalid().iter().map(|&byte| FIRST + u32::from(byte));
        out.extend(raw.filter_map(char::from_u32));
    }
    out
}

/// Returns the bytes that a string stands for.
pub fn bytes(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(|c| raw(c).is_some()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match raw(c) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(out)
}

/// Returns the byte that a character stands for, if any.
pub fn raw(c: char) -> Option<u8> {
    let byte = u32::from(c).checked_sub(FIRST)?;
    u8::try_from(byte).ok().filter(|byte| *byte >= 0x80)
}

/// Replaces the bytes carried in a text with U+FFFD.
pub fn replace_in(text: &mut String) {
    replace_with(text, "\u{fffd}");
}

/// Replaces each byte carried in a text.
pub fn replace_with(text: &mut String, substitute: &str) {
    if text.contains(|c| raw(c).is_some()) {
        *text = text.replace(|c| raw(c).is_some(), substitute);
    }
}

/// Applies [`replace_in`] to every string in a value that transforms produced. Keys cannot carry
/// bytes.
pub fn replace(value: &mut Value) {
    match value {
        Value::String(text) => replace_in(text),
        Value::Array(items) => items.iter_mut().for_each(replace),
        Value::Object(fields) => fields.values_mut().for_each(replace),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive() {
        for sample in [&b"plain"[..], "é日🎈".as_bytes(), b"\xff\x00a\xc3", b"\x80\xfe"] {
            assert_eq!(bytes(&carry(sample)).as_ref(), sample);
        }
        let mut text = carry(b"a\xc3\xff");
        replace_in(&mut text);
        assert_eq!(text, "a\u{fffd}\u{fffd}");
    }
}
