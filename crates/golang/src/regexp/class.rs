//! Character classes. Source: Go 1.26 `regexp/syntax`, `parseClass` and related functions.

use super::escape;
use super::parse::{Input, error};
use crate::tables;

/// Matches no code point.
const NOTHING: &str = r"[^\x00-\x{10ffff}]";

/// Writes a literal code point as an expression of its own.
pub(super) fn single(code: u32) -> String {
    escape::literal(code).unwrap_or_else(|| NOTHING.to_owned())
}

/// Reads `\d`, `\s`, `\w` or an opposite, which are ASCII in Go; the input is at the backslash.
pub(super) fn perl(input: &mut Input<'_>) -> Option<&'static str> {
    let class = match input.rest().as_bytes() {
        [b'\\', b'd', ..] => "[0-9]",
        [b'\\', b'D', ..] => "[^0-9]",
        [b'\\', b's', ..] => r"[\t\n\x0c\r\x20]",
        [b'\\', b'S', ..] => r"[^\t\n\x0c\r\x20]",
        [b'\\', b'w', ..] => "[0-9A-Za-z_]",
        [b'\\', b'W', ..] => "[^0-9A-Za-z_]",
        _ => return None,
    };
    input.at += 2;
    Some(class)
}

/// Reads `\pL`, `\p{Greek}` or `\P{^Lu}`; the input is at the backslash.
pub(super) fn unicode(input: &mut Input<'_>) -> Result<Option<String>, String> {
    let [b'\\', p @ (b'p' | b'P'), ..] = *input.rest().as_bytes() else { return Ok(None) };
    let whole = input.rest();
    let start = input.at;
    input.at += 2;
    let name = match input.next_char() {
        None => "",
        Some('{') => match input.rest().find('}') {
            Some(end) => {
                let name = input.rest().get(..end).unwrap_or_default();
                input.at += end + 1;
                name
            }
            None => return Err(error("invalid character class range", whole)),
        },
        Some(_) => input.since(start).get(2..).unwrap_or_default(),
    };
    let mut negated = p == b'P';
    let name = match name.strip_prefix('^') {
        Some(rest) => {
            negated = !negated;
            rest
        }
        None => name,
    };
    match property(&canonical(name)) {
        Some(property) if negated => Ok(Some(format!("[^{property}]"))),
        Some(property) => Ok(Some(format!("[{property}]"))),
        None => Err(error("invalid character class range", input.since(start))),
    }
}

/// Normalizes a name as Go compares it: first letter in upper case, the rest in lower, nothing
/// between words.
fn canonical(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')) {
        out.push(if out.is_empty() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
    }
    out
}

fn property(name: &str) -> Option<String> {
    match name {
        "Any" => return Some(r"\x00-\x{10ffff}".to_owned()),
        "Ascii" => return Some(r"\x00-\x7f".to_owned()),
        "Assigned" => return Some(r"\P{Cn}".to_owned()),
        _ => {}
    }
    let found = tables::CLASSES.binary_search_by_key(&name, |&(name, _)| name).ok()?;
    let (_, property) = tables::CLASSES.get(found)?;
    // Surrogates are code points that no Rust string can hold.
    Some(if *property == "gc=Cs" { NOTHING.to_owned() } else { format!("\\p{{{property}}}") })
}

/// Reads `[:alpha:]` and the like; returns `None` if the input does not start with one.
fn posix(input: &mut Input<'_>) -> Result<Option<&'static str>, String> {
    let rest = input.rest();
    let Some(end) = rest.strip_prefix("[:").and_then(|inner| inner.find(":]")) else {
        return Ok(None);
    };
    let start = input.at;
    input.at += end + 4;
    let class = match input.since(start) {
        "[:alnum:]" => "[0-9A-Za-z]",
        "[:^alnum:]" => "[^0-9A-Za-z]",
        "[:alpha:]" => "[A-Za-z]",
        "[:^alpha:]" => "[^A-Za-z]",
        "[:ascii:]" => r"[\x00-\x7f]",
        "[:^ascii:]" => r"[^\x00-\x7f]",
        "[:blank:]" => r"[\t\x20]",
        "[:^blank:]" => r"[^\t\x20]",
        "[:cntrl:]" => r"[\x00-\x1f\x7f]",
        "[:^cntrl:]" => r"[^\x00-\x1f\x7f]",
        "[:digit:]" => "[0-9]",
        "[:^digit:]" => "[^0-9]",
        "[:graph:]" => r"[\x21-\x7e]",
        "[:^graph:]" => r"[^\x21-\x7e]",
        "[:lower:]" => "[a-z]",
        "[:^lower:]" => "[^a-z]",
        "[:print:]" => r"[\x20-\x7e]",
        "[:^print:]" => r"[^\x20-\x7e]",
        "[:punct:]" => r"[\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]",
        "[:^punct:]" => r"[^\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]",
        "[:space:]" => r"[\t-\r\x20]",
        "[:^space:]" => r"[^\t-\r\x20]",
        "[:upper:]" => "[A-Z]",
        "[:^upper:]" => "[^A-Z]",
        "[:word:]" => "[0-9A-Za-z_]",
        "[:^word:]" => "[^0-9A-Za-z_]",
        "[:xdigit:]" => "[0-9A-Fa-f]",
        "[:^xdigit:]" => "[^0-9A-Fa-f]",
        name => return Err(error("invalid character class range", name)),
    };
    Ok(Some(class))
}

/// Reads `[...]`; the input is at the bracket.
pub(super) fn bracket(input: &mut Input<'_>) -> Result<String, String> {
    let whole = input.rest();
    input.at += 1;
    let mut out = String::from("[");
    if input.byte() == Some(b'^') {
        input.at += 1;
        out.push('^');
    }
    let empty = out.len();
    let mut first = true;
    // A bracket in first position is a member.
    while first || input.byte() != Some(b']') {
        first = false;
        if let Some(class) = posix(input)? {
            out.push_str(class);
            continue;
        }
        if let Some(class) = unicode(input)? {
            out.push_str(&class);
            continue;
        }
        if let Some(class) = perl(input) {
            out.push_str(class);
            continue;
        }
        let start = input.at;
        let low = member(input, whole)?;
        let mut high = low;
        if let [b'-', next, ..] = input.rest().as_bytes()
            && *next != b']'
        {
            input.at += 1;
            high = member(input, whole)?;
            if high < low {
                return Err(error("invalid character class range", input.since(start)));
            }
        }
        push_range(&mut out, low, high);
    }
    input.at += 1;
    if out.len() == empty {
        // Only surrogates.
        out.push_str(NOTHING);
    }
    out.push(']');
    Ok(out)
}

fn member(input: &mut Input<'_>, whole: &str) -> Result<u32, String> {
    if input.byte() == Some(b'\\') {
        return escape::parse(input);
    }
    match input.next_char() {
        Some(c) => Ok(u32::from(c)),
        None => Err(error("missing closing ]", whole)),
    }
}

/// Adds the code points from `low` to `high`, without surrogates.
fn push_range(out: &mut String, low: u32, high: u32) {
    let low = if (0xd800..0xe000).contains(&low) { 0xe000 } else { low };
    let high = if (0xd800..0xe000).contains(&high) { 0xd7ff } else { high };
    if low > high {
        return;
    }
    out.push_str(&format!("\\x{{{low:x}}}"));
    if high > low {
        out.push_str(&format!("-\\x{{{high:x}}}"));
    }
}
