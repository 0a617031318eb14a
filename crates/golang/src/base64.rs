//! Go's `base64.StdEncoding`. Source: Go 1.26 `encoding/base64`.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns Go's `EncodeToString(data)`, with padding.
pub fn encode(data: &[u8]) -> String {
    let mut out = String::with_capacity(data.len().div_ceil(3) * 4);
    for chunk in data.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * i) & 63).unwrap_or(0);
            let digit = ALPHABET.get(index).copied().unwrap_or(b'A');
            out.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// Decodes as `DecodeString(text)` does. Line breaks are skipped; bits past the last whole byte are
/// not checked.
///
/// # Errors
/// The message of Go's `CorruptInputError`, which names the byte where decoding stopped.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    let corrupt = |at: usize| format!("illegal base64 data at input byte {at}");
    let mut input =
        text.bytes().enumerate().filter(|(_, b)| !matches!(b, b'\r' | b'\n')).peekable();
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    while input.peek().is_some() {
        let mut bits = 0u32;
        let mut count = 0usize;
        while count < 4 {
            let Some((at, b)) = input.next() else {
                // Go points at the start of the incomplete group.
                return Err(corrupt(text.len() - count));
            };
            if let Some(digit) = digit(b) {
                bits = bits << 6 | digit;
                count += 1;
                continue;
            }
            if b != b'=' || count < 2 {
                return Err(corrupt(at));
            }
            if count == 2 {
                match input.next() {
                    None => return Err(corrupt(text.len())),
                    Some((_, b'=')) => {}
                    // Go names the byte before it.
                    Some((at, _)) => return Err(corrupt(at - 1)),
                }
            }
            if let Some((at, _)) = input.next() {
                return Err(corrupt(at));
            }
            break;
        }
        let [_, a, b, c] = (bits << (6 * (4 - count))).to_be_bytes();
        out.extend([a, b, c].into_iter().take(count.saturating_sub(1)));
    }
    Ok(out)
}

fn digit(b: u8) -> Option<u32> {
    match b {
        b'A'..=b'Z' => Some(u32::from(b - b'A')),
        b'a'..=b'z' => Some(u32::from(b - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(b - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
