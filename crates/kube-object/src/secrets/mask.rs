//! Finds the secrets in a text, line by line, however malformed it is.

use super::{holds_text, is_file, is_token, secret_name};

/// The secrets in a file.
#[derive(Debug, Default)]
pub struct Mask {
    /// Line (from 0), first character, and one past the last.
    pub spans: Vec<(usize, usize, usize)>,
    /// Line (from 0) and text.
    pub texts: Vec<(usize, String)>,
}

/// A part of one line, in bytes.
type Part = (usize, usize);

/// What earlier lines say about those that follow.
#[derive(Debug, Default)]
struct Before {
    /// Deeper lines belong to a secret: as text, or as a mapping or list of secrets.
    region: Option<(usize, Region)>,
    /// Whether the last name in this entry is that of a secret.
    named: Option<bool>,
    /// A value that comes before its name.
    value: Option<(usize, Part)>,
    /// Whether the last thing was an option that takes a secret.
    option: bool,
    /// Whether this is inside a private key.
    key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Region {
    Text,
    Entries,
}

/// Keys that hold nothing secret, even among secrets.
const PLAIN: [&str; 18] = [
    "name",
    "envName",
    "env",
    "envFrom",
    "secretKey",
    "key",
    "secretName",
    "namespace",
    "optional",
    "items",
    "type",
    "kind",
    "apiVersion",
    "metadata",
    "valueFrom",
    "secretKeyRef",
    "secretRef",
    "ref",
];
/// Keys next to a `name` that hold what it names.
const VALUES: [&str; 5] = ["value", "val", "default", "content", "data"];

impl Mask {
    /// Finds the secrets in a file. Linear in its size.
    pub fn of(source: &str) -> Self {
        let mut mask = Self::default();
        let mut before = Before::default();
        let lines: Vec<&str> = source.lines().map(str::trim_end).collect();
        let mut parts = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            scan(line, index, &mut before, &mut parts);
            for (at, (from, to)) in parts.drain(..) {
                // A value may be on the line before its name.
                mask.add(at, lines.get(at).copied().unwrap_or_default(), from, to);
            }
        }
        mask
    }

    fn add(&mut self, index: usize, line: &str, from: usize, to: usize) {
        let Some(text) = line.get(from..to) else { return };
        let start = line.get(..from).unwrap_or_default().chars().count();
        self.spans.push((index, start, start + text.chars().count()));
        let bare = text.trim().trim_matches(['"', '\'']);
        let mut quotable = vec![bare];
        if bare.starts_with(['{', '[']) {
            // A mapping's contents are quoted without the mapping.
            let parts = bare.split([',', '{', '}', '[', ']']);
            let values = parts.map(|part| part.split_once(": ").map_or(part, |(_, value)| value));
            quotable.extend(values.map(|value| value.trim().trim_matches(['"', '\''])));
        }
        let quoted = quotable.into_iter().filter(|text| text.len() > 2);
        self.texts.extend(quoted.map(|text| (index, text.to_owned())));
    }
}

/// Masks the secrets in a sentence; returns `None` if it has none.
pub fn masked(text: &str) -> Option<String> {
    let mut parts = Vec::new();
    let mut before = Before::default();
    pairs(text, 0, &mut before, true, &mut parts);
    credentials(text, 0, &mut parts);
    tokens(text, 0, &mut parts);
    if parts.is_empty() {
        return None;
    }
    parts.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (_, (from, to)) in parts {
        if from >= done {
            out.push_str(text.get(done..from).unwrap_or_default());
            out.push_str("***");
            done = to;
        } else if to > done {
            done = to;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Some(out)
}

fn scan(line: &str, index: usize, before: &mut Before, out: &mut Vec<(usize, Part)>) {
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    if trimmed.is_empty() {
        return;
    }
    if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
        before.key = true;
    }
    if before.key {
        let from = line.find("-----BEGIN ").unwrap_or(indent);
        out.push((index, (from, line.trim_end().len())));
        before.key = !line.contains("-----END ");
        return;
    }
    let dashes = trimmed.len() - trimmed.trim_start_matches("- ").len();
    if let Some((depth, region)) = before.region {
        let inside = indent > depth || (region == Region::Entries && indent == depth && dashes > 0);
        match (inside, region) {
            (false, _) => before.region = None,
            (true, Region::Text) => {
                out.push((index, (indent, line.trim_end().len())));
                return;
            }
            (true, Region::Entries) => entries(line, index, indent + dashes, out),
        }
    }
    if dashes > 0 {
        before.named = None;
        before.value = None;
    }
    pairs(line, index, before, false, out);
    credentials(line, index, out);
    tokens(line, index, out);
    options(line, index, before, out);
}

/// Marks all of a line in a mapping or list of secrets that is not a pair.
fn entries(line: &str, index: usize, start: usize, out: &mut Vec<(usize, Part)>) {
    let text = line.get(start..).unwrap_or_default().trim_end();
    let (key, value) = text.split_once(':').unwrap_or(("", text));
    let key = key.trim_matches(['"', '\'', '{', ' ']);
    if !PLAIN.contains(&key) && holds_text(value) && !text.starts_with(['#', '}', ']']) {
        let value = value.trim_start();
        out.push((index, (start + text.len() - value.len(), start + text.len())));
    }
}

/// Finds the pairs `NAME: value` and `NAME=value`, and values next to a name.
fn pairs(
    line: &str,
    index: usize,
    before: &mut Before,
    sentence: bool,
    out: &mut Vec<(usize, Part)>,
) {
    let (mut at, mut opened, mut flow) = (0, 0, false);
    while let Some(found) = line.get(at..).and_then(|rest| rest.find([':', '=', '{'])) {
        let delimiter = at + found;
        at = delimiter + 1;
        let sign = line.get(delimiter..at).unwrap_or_default();
        flow |= line.get(opened..delimiter).is_some_and(|text| text.contains('['));
        opened = at;
        if sign == "{" {
            flow = true;
            if before.value.is_some_and(|(at, (_, to))| at == index && delimiter < to) {
                continue;
            }
            before.named = None;
            before.value = None;
            continue;
        }
        let Some((start, key)) = key_before(line, delimiter) else { continue };
        // A sentence quotes a value, then says what is wrong with it.
        let quoted = line.get(..delimiter).is_some_and(|head| head.ends_with('"'));
        if sentence && quoted {
            continue;
        }
        let rest = line.get(at..).unwrap_or_default();
        if key.is_empty() || rest.starts_with("//") {
            continue;
        }
        let named = matches!(key, "name" | "key" | "variable" | "var");
        let waits = VALUES.contains(&key) && before.value.is_none();
        if !named && !waits && (!secret_name(key) || names_a_secret(line, start, key)) {
            continue;
        }
        let from = at + (rest.len() - rest.trim_start().len());
        let near = if named { 256 } else { NEAR };
        let to = value_end(line, from, near, [sign == "=", sentence || flow, sentence]);
        let bare = line.get(from..to).unwrap_or_default().trim_matches(['"', '\'']);
        let hidden = if named {
            let secret = secret_name(bare);
            if let Some((line, part)) = before.value.take().filter(|_| secret) {
                out.push((line, part));
            }
            before.named = Some(secret);
            false
        } else if waits {
            match before.named.take() {
                Some(secret) => secret,
                None => {
                    before.value = Some((index, (from, to)));
                    false
                }
            }
        } else {
            secret_name(key)
        };
        if !hidden {
            continue;
        }
        let within = sentence || flow || sign == "=";
        at = secret(line, index, (start, from, to), within, before, out).max(at);
    }
}

/// Reports whether a key is `secret` where this API names a Secret by it: in what we say to write
/// (`write secret: NAME`, `for example secret: NAME`), and beside its keys and mountPath in one
/// mapping.
fn names_a_secret(line: &str, start: usize, key: &str) -> bool {
    if key != "secret" {
        return false;
    }
    let (before, after) = line.split_at_checked(start).unwrap_or_default();
    let (opens, rest) = (before.trim_end().ends_with('{'), after.split('}').next());
    let beside = ["key:", "ca:", "cert:", "mountPath:", "items:"];
    ["write ", "for example "].iter().any(|says| before.ends_with(says))
        || opens && rest.is_some_and(|rest| beside.iter().any(|key| rest.contains(key)))
}

/// Marks the value of a secret's name: text, or a mapping or list. Returns where it ends.
fn secret(
    line: &str,
    index: usize,
    (start, from, to): (usize, usize, usize),
    within: bool,
    before: &mut Before,
    out: &mut Vec<(usize, Part)>,
) -> usize {
    let text = line.get(from..to).unwrap_or_default();
    let header = text.trim_end_matches(['+', '-']).trim_end_matches(|c: char| c.is_ascii_digit());
    if !within {
        let region = match text {
            "" => Region::Entries,
            _ if text.starts_with(['{', '[']) && !text.starts_with("{{") => Region::Entries,
            _ => Region::Text,
        };
        before.region = Some((start, region));
    }
    if text.is_empty() || matches!(header, "|" | ">") {
        return to;
    }
    if text.starts_with('[') || text.starts_with('{') && !text.starts_with("{{") {
        let mut at = from;
        let inner = line.get(from..to).unwrap_or_default();
        for part in inner.split_inclusive([',', '{', '}', '[', ']']) {
            let start = at;
            at += part.len();
            let word = part.trim_end_matches([',', '{', '}', '[', ']']);
            let (key, value) = word.split_once(':').unwrap_or(("", word));
            let key = key.trim().trim_matches(['"', '\'']);
            let value_at = start + word.len() - value.trim_start().len();
            if !PLAIN.contains(&key) && holds_text(value) {
                out.push((index, (value_at, start + word.trim_end().len())));
            }
        }
        return to;
    }
    let bare = text.trim_matches(['"', '\'']);
    let plain = matches!(bare, "true" | "false" | "null" | "~" | "***");
    let plain = plain || is_file(bare) || !holds_text(bare);
    if !plain {
        out.push((index, (from, to)));
    }
    to
}

/// Returns the name that ends before a `:` or `=`.
fn key_before(line: &str, delimiter: usize) -> Option<(usize, &str)> {
    let head = line.get(..delimiter)?.trim_end();
    // Also as text within text: `\"password\":`.
    let head = head.trim_end_matches(['"', '\'', '\\']);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    // No name is longer, and a line may be megabytes long.
    let mut start = head.len();
    for (i, c) in head.char_indices().rev().take(130) {
        if !is_name(c) {
            break;
        }
        start = i;
    }
    let key = head.get(start..)?.trim_start_matches('-');
    Some((head.len() - key.len(), key))
}

/// How many characters to search for the end of a value.
const NEAR: usize = 2048;

/// Returns where a value that begins here ends. If its end is not near, it extends to the end of
/// the line, so that no line makes this slow.
fn value_end(line: &str, from: usize, near: usize, kind: [bool; 3]) -> usize {
    let [glued, flow, sentence] = kind;
    let whole = line.get(from..).unwrap_or_default();
    let near = (0..4).find_map(|less| whole.get(..near - less)).unwrap_or(whole);
    let beyond = whole.len();
    if let Some(quote) = near.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let mut escaped = false;
        for (i, c) in near.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' if quote == '"' => escaped = true,
                c if c == quote => return from + i + 1,
                _ => {}
            }
        }
        return from + beyond;
    }
    if near.starts_with(['{', '[']) && !near.starts_with("{{") {
        let mut depth = 0_usize;
        for (i, c) in near.char_indices() {
            match c {
                '{' | '[' => depth += 1,
                '}' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return from + i + 1;
            }
        }
        return from + beyond;
    }
    let ends = |c: char| match c {
        '"' | '\'' => glued || sentence,
        '&' | ';' => glued,
        ',' | '}' | ']' => flow,
        ' ' | '\t' => glued || sentence,
        _ => false,
    };
    let end = near.find(ends).unwrap_or(beyond);
    let text = whole.get(..end).unwrap_or_default();
    let comment = near.get(..end.min(near.len())).and_then(|text| text.find(" #"));
    let text = comment.and_then(|at| text.get(..at)).unwrap_or(text);
    from + if text.starts_with('#') { 0 } else { text.trim_end().len() }
}

/// Reports whether a text holds a password before an `@`.
pub(super) fn holds_credentials(text: &str) -> bool {
    let mut found = Vec::new();
    credentials(text, 0, &mut found);
    !found.is_empty()
}

/// Finds passwords before an `@`: `scheme://user:password@host`, and `user:password@host` without a
/// scheme.
fn credentials(line: &str, index: usize, out: &mut Vec<(usize, Part)>) {
    if !line.contains('@') {
        return;
    }
    let divides =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '[' | ']' | '{' | '}');
    for (start, word) in split(line, divides) {
        let mut at = 0;
        let mut urls = false;
        while let Some(found) = word.get(at..).and_then(|rest| rest.find("://")) {
            urls = true;
            let scheme = word.get(at..at + found).unwrap_or_default();
            let from = at + found + 3;
            at = from;
            let rest = word.get(from..).unwrap_or_default();
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let Some((info, _)) = authority.rsplit_once('@') else { continue };
            let keyed = ["nats", "tls", "ws", "wss", "http", "https"];
            let keyed = keyed.iter().any(|known| scheme.ends_with(known));
            let (user, password) = match info.split_once(':') {
                Some((user, password)) => (user.len() + 1, password),
                None if keyed => (0, info),
                None => continue,
            };
            if holds_text(password) && password != "***" {
                let begin = start + from + user;
                out.push((index, (begin, begin + password.len())));
            }
        }
        if urls {
            continue;
        }
        let Some((info, after)) = word.rsplit_once('@') else { continue };
        let Some((user, password)) = info.rsplit_once(':') else { continue };
        let digest = after.split_once(':').is_some_and(|(algorithm, hex)| {
            algorithm.starts_with("sha")
                && hex.len() >= 3
                && hex.chars().all(|c| c.is_ascii_hexdigit() || c == '"')
        });
        let address = ["mailto", "sip", "sips", "xmpp", "acct"].contains(&user);
        let number = password.len() <= 5 && password.chars().all(|c| c.is_ascii_digit());
        if !digest
            && !number
            && !address
            && !user.contains('/')
            && holds_text(password)
            && password != "***"
        {
            let begin = start + user.len() + 1;
            out.push((index, (begin, begin + password.len())));
        }
    }
}

fn tokens(line: &str, index: usize, out: &mut Vec<(usize, Part)>) {
    let divides = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let found = split(line, divides).filter(|(_, word)| is_token(word));
    out.extend(found.map(|(start, word)| (index, (start, start + word.len()))));
}

/// Finds `--password value`, also as two entries of a list.
fn options(line: &str, index: usize, before: &mut Before, out: &mut Vec<(usize, Part)>) {
    let divides = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']');
    for (start, word) in split(line, divides) {
        let option = word.strip_prefix("--");
        if before.option && option.is_none() && word != "-" {
            if holds_text(word) && !word.starts_with('-') {
                out.push((index, (start, start + word.len())));
            }
            before.option = false;
        } else if word != "-" {
            before.option = option.is_some_and(secret_name);
        }
    }
}

/// Splits a line into words, each with its position.
fn split(line: &str, divides: impl Fn(char) -> bool + Copy) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    line.split_inclusive(divides).filter_map(move |part| {
        let start = at;
        at += part.len();
        let word = part.strip_suffix(divides).unwrap_or(part);
        (!word.is_empty()).then_some((start, word))
    })
}
