//! Escapes of a single code point. Source: Go 1.26 `regexp/syntax`, `parseEscape`.

use super::parse::{Input, error};

/// Writes a code point so that it stands for itself anywhere in a pattern of the `regex` crate.
/// Returns `None` for surrogates, which no text contains.
pub(super) fn literal(code: u32) -> Option<String> {
    let c = char::from_u32(code)?;
    Some(if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\x{{{code:x}}}") })
}

/// Reads an escape; the input is at its backslash.
pub(super) fn parse(input: &mut Input<'_>) -> Result<u32, String> {
    let start = input.at;
    input.at += 1;
    let Some(c) = input.next_char() else {
        return Err(error("trailing backslash at end of expression", ""));
    };
    let code = match c {
        '1'..='7' if !matches!(input.byte(), Some(b'0'..=b'7')) => None,
        '0'..='7' => {
            let mut code = u32::from(c) - 0x30;
            for _ in 0..2 {
                let Some(digit @ b'0'..=b'7') = input.byte() else { break };
                code = code * 8 + u32::from(digit - b'0');
                input.at += 1;
            }
            Some(code)
        }
        'x' => hex(input),
        'a' => Some(7),
        'f' => Some(0xc),
        'n' => Some(0xa),
        'r' => Some(0xd),
        't' => Some(9),
        'v' => Some(0xb),
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
        _ => None,
    };
    code.ok_or_else(|| error("invalid escape sequence", input.since(start)))
}

fn hex(input: &mut Input<'_>) -> Option<u32> {
    let c = input.next_char()?;
    if c != '{' {
        let low = input.next_char()?;
        return Some(c.to_digit(16)? * 16 + low.to_digit(16)?);
    }
    let mut code = 0u32;
    let mut digits = 0;
    loop {
        let c = input.next_char()?;
        if c == '}' {
            return (digits > 0).then_some(code);
        }
        code = code * 16 + c.to_digit(16)?;
        if code > 0x10_ffff {
            return None;
        }
        digits += 1;
    }
}
