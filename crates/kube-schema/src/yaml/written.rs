//! Writes values as YAML: what stands in a fix or an example must be read as what it shows.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Node, parse};
use kube_object::printable::is_printable;

/// Writes a value in flow style (`{name: a, args: ["5"]}`), with quotes only where YAML needs them.
#[must_use]
pub fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => flow_text(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let each = fields.iter().map(|(key, value)| {
                let key = if is_plain(key) { key.clone() } else { quoted(key) };
                format!("{key}: {}", flow(value))
            });
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Writes a text for flow style. One that begins with a dash is quoted too: it looks like an entry
/// of a list.
#[must_use]
pub fn flow_text(text: &str) -> String {
    if is_plain(text) && !text.starts_with('-') { text.to_owned() } else { quoted(text) }
}

/// Reports whether a text in flow style is read as itself without quotes: `5`, `true` and `a, b`
/// are not.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    if text.is_empty() || text.len() > 4096 || !text.chars().all(is_printable) {
        return false;
    }
    // The same text as an entry and as a value, with another behind it. (A document that begins
    // with a brace is JSON.)
    let read = parse(&format!("l: [{text}, x]\nm: {{v: {text}, k: z}}\n"));
    let Some(all) = read.documents.first().filter(|_| read.problems.is_empty()) else {
        return false;
    };
    let is = |node: Option<&Node>, text: &str| node.and_then(Node::as_str) == Some(text);
    let (list, map) = (all.get("l"), all.get("m"));
    is(list.and_then(|list| list.item(0)), text)
        && is(list.and_then(|list| list.item(1)), "x")
        && list.is_some_and(|list| list.item(2).is_none())
        && is(map.and_then(|map| map.get("v")), text)
        && is(map.and_then(|map| map.get("k")), "z")
}

/// Writes a text in double quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let mut out = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        if is_printable(c) || c == '\t' {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let check = |value: Value, expected: &str| {
            assert_eq!(flow(&value), expected);
            let read = parse(&format!("k: {expected}\n"));
            assert_eq!(read.problems, [], "{expected}");
            assert_eq!(read.documents[0].to_json(), json!({"k": value}), "{expected}");
        };
        check(json!(["sleep", "5"]), "[sleep, \"5\"]");
        check(json!({"a.b/c": "true", "m": 5}), "{a.b/c: \"true\", m: 5}");
        // To YAML 1.1, n is a boolean.
        check(json!({"n": 5}), "{\"n\": 5}");
        check(json!("0 7 * * 1-5"), "0 7 * * 1-5");
        check(json!("queue:work"), "queue:work");
        check(json!("arn:aws:iam::1:role/x"), "arn:aws:iam::1:role/x");
        for text in [
            "",
            " a",
            "a ",
            "a, b",
            "a: b",
            "a #b",
            "#a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "|",
            "> a",
            "- a",
            "-",
            "--flag",
            "? a",
            "[a",
            "{a",
            "a]",
            "a}",
            "'a'",
            "\"a\"",
            "null",
            "~",
            "yes",
            "No",
            "on",
            "1e3",
            "0x1f",
            "0777",
            "1_000",
            ".5",
            ".inf",
            "2026-11-28",
            "12:30",
            "=",
            "<<",
            "a\nb",
            "a\tb",
            "\u{202e}",
        ] {
            let written = flow(&json!([text]));
            let read = parse(&format!("k: {written}\n"));
            assert_eq!(read.problems, [], "{written}");
            assert_eq!(read.documents[0].to_json(), json!({"k": [text]}), "{written}");
        }
    }
}
