//! Messages that the NATS client library cannot read.
//!
//! NATS stores whatever bytes a publisher calls headers. async-nats 0.51 (`connection.rs`,
//! `try_read_op`) ends the connection over a header block that it does not understand, and with it
//! every pending request; over a carriage return inside a value its connection's task panics, and
//! the client is dead. This module applies the same rules to bytes that came another way.

use std::str::FromStr;

use async_nats::{HeaderName, StatusCode};

/// Returns why the library cannot read a message on `subject` with the header block `headers`.
pub(crate) fn unreadable(subject: &str, headers: &[u8]) -> Option<String> {
    // JSON, in which the message came, has no other way to carry bytes that are not UTF-8.
    if subject.contains(char::REPLACEMENT_CHARACTER) {
        return Some("its subject is not UTF-8".to_owned());
    }
    if headers.is_empty() {
        return None;
    }
    // The line of a message with headers is split at any Unicode white space.
    if subject.contains(char::is_whitespace) {
        return Some("its subject holds white space".to_owned());
    }
    wrong(headers).map(|cause| format!("its headers cannot be read: {cause}"))
}

fn wrong(headers: &[u8]) -> Option<String> {
    let Ok(text) = std::str::from_utf8(headers) else { return Some("no UTF-8".to_owned()) };
    let mut lines = text.lines().peekable();
    let Some(status) = lines.next().and_then(|line| line.strip_prefix("NATS/1.0")) else {
        return Some("the first line does not begin with NATS/1.0".to_owned());
    };
    let status = status.trim();
    let status = status.split_once(' ').map_or(status, |(status, _)| status.trim());
    if !status.is_empty() && StatusCode::from_str(status).is_err() {
        return Some(format!("status {status:?} in the first line"));
    }
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Some(format!("no colon in the line {:?}", short(line)));
        };
        if HeaderName::from_str(name).is_err() {
            return Some(format!("the name {:?}", short(name)));
        }
        let mut value = value.trim_start().to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with(char::is_whitespace)) {
            value.push_str(more);
        }
        if value.trim_end().contains(['\r', '\n']) {
            return Some(format!("a carriage return in the value of {:?}", short(name)));
        }
    }
    None
}

/// Shortens `text` to what is enough to recognise it.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_headers() {
        for (subject, headers, expect) in [
            ("a.b", &b""[..], None),
            ("a.b", b"NATS/1.0\r\nA: b\r\nC:d\r\n\r\n", None),
            ("a.b", b"NATS/1.0\r\nA: b\r\n folded\r\n\r\n", None),
            ("a.b", b"NATS/1.0\nA: b\n\n", None),
            ("a.b", b"NATS/1.0 503 No one\r\n\r\n", None),
            ("a.b", b"NATS/1.0\r\n\r\nA: after the end\r\n", None),
            ("a.b", b"NATS/1.0\r\nno colon\r\n\r\n", Some("no colon in the line \"no colon\"")),
            ("a.b", b"NATS/1.0\r\nA: \xff\r\n\r\n", Some("no UTF-8")),
            ("a.b", b"NATS/1.0\r\n: b\r\nA B: c\r\n\r\n", Some("the name \"A B\"")),
            ("a.b", b"NATS/1.0\r\n\xc3\xa9: c\r\n\r\n", Some("the name \"\u{e9}\"")),
            (
                "a.b",
                b"NATS/1.0\r\nA: b\rc\r\n\r\n",
                Some("a carriage return in the value of \"A\""),
            ),
            ("a.b", b"NATS/1.0 abc\r\n\r\n", Some("status \"abc\" in the first line")),
            ("a.b", b"NATS/1.0 1000\r\n\r\n", Some("status \"1000\" in the first line")),
            ("a.b", b"HTTP/1.1\r\n\r\n", Some("does not begin with NATS/1.0")),
            ("a.b", b"\r\n", Some("does not begin with NATS/1.0")),
            ("a.\u{fffd}", b"", Some("its subject is not UTF-8")),
            ("a.\u{a0}b", b"", None),
            ("a.\u{a0}b", b"NATS/1.0\r\n\r\n", Some("its subject holds white space")),
        ] {
            let found = unreadable(subject, headers);
            let as_expected = match (&found, expect) {
                (Some(found), Some(expect)) => found.contains(expect),
                (found, expect) => found.is_none() == expect.is_none(),
            };
            assert!(as_expected, "{subject:?} {:?}: {found:?}", String::from_utf8_lossy(headers));
        }
    }
}
