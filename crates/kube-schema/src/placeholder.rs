//! Text that was meant to be replaced but was not: `${X}`, `$X`, `$(X)`, `{{ }}`, `<x>`, `%X%`,
//! `@X@`, `__X__`, `#{x}#`, `CHANGEME`. The only place that knows them; rules, messages and the
//! messages for broken YAML ask here.

/// A placeholder in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placeholder<'a> {
    /// The offset of its first byte.
    pub at: usize,
    /// The text as written.
    pub text: &'a str,
    /// Whether it cannot be anything else: a word like TODO may also be a name.
    pub certain: bool,
}

/// What to do about a placeholder.
pub const FIX: &str =
    "write what belongs there; where a tool fills it in, validate what the tool gives";

impl Placeholder<'_> {
    /// Describes the cause for people.
    pub fn cause(&self) -> String {
        format!("{} looks like a placeholder that nothing replaced", self.text)
    }
}

/// Marks with a beginning and an end.
const MARKS: [(&str, &str); 9] = [
    ("${{", "}}"),
    ("${", "}"),
    ("{{", "}}"),
    ("{%", "%}"),
    ("$(", ")"),
    ("#{", "}"),
    ("<%", "%>"),
    ("[[", "]]"),
    ("<", ">"),
];
/// Single marks at both ends of a name.
const PAIRED: [&str; 3] = ["%", "@", "__"];
/// Words that say that something has yet to be written.
const WORDS: [&str; 8] = [
    "CHANGEME",
    "CHANGE_ME",
    "CHANGE-ME",
    "REPLACEME",
    "REPLACE_ME",
    "REPLACE-ME",
    "PLACEHOLDER",
    "FILL_ME_IN",
];

/// Returns the first placeholder in a text. Linear in its length.
pub fn find(text: &str) -> Option<Placeholder<'_>> {
    // Most texts contain none of these.
    let may_be = |b: u8| matches!(b, b'$' | b'{' | b'<' | b'[' | b'%' | b'@' | b'_');
    if !text.bytes().any(may_be) {
        return word(text);
    }
    let marked = MARKS.iter().filter_map(|(open, close)| between(text, open, close));
    let paired = PAIRED.iter().filter_map(|mark| around(text, mark));
    let first = marked.chain(paired).chain(dollar(text)).min_by_key(|found| found.at);
    first.or_else(|| word(text))
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<Placeholder<'a>> {
    let at = text.find(open)?;
    let inner = text.get(at + open.len()..)?;
    let name = inner.find(close).and_then(|end| inner.get(..end));
    // An angle bracket on its own is an operator or a wildcard.
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || " _-.:/".contains(c))
    };
    if open == "<" && !name.is_some_and(is_name) || open == "[[" && name.is_none() {
        return None;
    }
    let length = name.map_or(text.len() - at, |name| open.len() + name.len() + close.len());
    let length = match text.get(at + length..).is_some_and(|rest| rest.starts_with('#')) {
        true if open == "#{" => length + 1,
        _ => length,
    };
    Some(Placeholder { at, text: text.get(at..at + length)?, certain: true })
}

/// Finds `%NAME%`, `@NAME@` or `__NAME__`.
fn around<'a>(text: &'a str, mark: &str) -> Option<Placeholder<'a>> {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(mark)) {
        let start = at + found;
        let from = start + mark.len();
        let rest = text.get(from..).unwrap_or_default();
        // An underscore mark ends inside the name.
        let name = variable(rest);
        let name = if mark == "__" { name.trim_end_matches('_') } else { name };
        let closed = rest.get(name.len()..).is_some_and(|rest| rest.starts_with(mark));
        let letters = name.starts_with(|c: char| c.is_ascii_uppercase());
        // %AF% is a byte in a URL.
        let hex = name.len() == 2 && name.chars().all(|c| c.is_ascii_hexdigit());
        if closed && letters && !(mark == "%" && hex) {
            let length = 2 * mark.len() + name.len();
            return Some(Placeholder {
                at: start,
                text: text.get(start..start + length)?,
                certain: true,
            });
        }
        at = from + name.len();
    }
    None
}

/// Returns the variable name in upper case that a text begins with; empty if there is none.
fn variable(text: &str) -> &str {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Finds `$NAME`, as in a shell. `$G` and `$SYS` are NATS accounts, `$KV.` and the like subjects of
/// NATS' own.
fn dollar(text: &str) -> Option<Placeholder<'_>> {
    text.match_indices('$').find_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        let name = variable(rest);
        let subject = rest.get(name.len()..).is_some_and(|after| after.starts_with('.'));
        let ours = matches!(name, "G" | "SYS" | "JS") || name.len() < 2 || name == "KV" && subject;
        let letter = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
        (letter && !ours).then_some(())?;
        Some(Placeholder { at, text: text.get(at..=at + name.len())?, certain: true })
    })
}

/// Finds `CHANGEME` in any case, and `TODO` and the like as whole words.
fn word(text: &str) -> Option<Placeholder<'_>> {
    if text.len() > 1024 {
        return None;
    }
    let begins = |at: usize, word: &&&str| {
        text.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word))
    };
    let found = text.bytes().enumerate().find_map(|(at, byte)| {
        // Their first letters.
        let may_be = matches!(byte.to_ascii_uppercase(), b'C' | b'R' | b'P' | b'F');
        let word = may_be.then(|| WORDS.iter().find(|word| begins(at, word)))?;
        word.map(|word| (at, word.len()))
    });
    if let Some((at, length)) = found {
        return Some(Placeholder { at, text: text.get(at..at + length)?, certain: true });
    }
    let mut at = 0;
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if matches!(word, "TODO" | "FIXME" | "TBD" | "XXX") {
            return Some(Placeholder { at, text: word, certain: false });
        }
        at += part.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn what_was_not_replaced() {
        for (text, expected) in [
            ("a:${TAG}", "${TAG}"),
            ("${TAG", "${TAG"),
            ("ghcr.io/${{ github.sha }}", "${{ github.sha }}"),
            ("{{ .Values.a }}-b", "{{ .Values.a }}"),
            ("{{consumer}}", "{{consumer}}"),
            ("$(IMAGE)", "$(IMAGE)"),
            ("$CI_REGISTRY:1", "$CI_REGISTRY"),
            ("<your-image>", "<your-image>"),
            ("nats://<host>:4222", "<host>"),
            ("orders:%TAG%", "%TAG%"),
            ("%C%", "%C%"),
            ("@IMAGE@", "@IMAGE@"),
            ("ORDERS-__ENV__", "__ENV__"),
            ("__A_B__x", "__A_B__"),
            ("#{consumer}#", "#{consumer}#"),
            ("changeme", "changeme"),
            ("IMAGE_PLACEHOLDER", "PLACEHOLDER"),
            ("TODO", "TODO"),
        ] {
            assert_eq!(find(text).map(|p| p.text), Some(expected), "{text}");
        }
        for text in [
            "",
            "$G",
            "$SYS",
            "orders",
            "orders.>",
            "a@sha256:ab",
            "my__app",
            "%20a%20b",
            "%AF%AF",
            "a > b < c",
            "TODOS",
            "mastodon",
            "u:p@h",
            "5 %",
            "$",
            "$$",
            "<",
            "a@b@c",
            "todo",
            "__init__",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
