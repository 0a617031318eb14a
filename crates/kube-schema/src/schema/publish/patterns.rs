//! What the patterns of the project's own API require, in words: a regular expression is not
//! documentation.

const WORDS: &[(&str, &str)] = &[
    (
        "^(?:(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])",
        "an OCI reference: `[registry[:port]/]path[:tag][@digest]`, its path in lower case",
    ),
    (
        "^(nats|tls|ws|wss)://",
        "`nats://`, `tls://`, `ws://` or `wss://` and a server, without spaces; several with \
            commas between",
    ),
    (r"^[^\x00-\x20\x7f.*>/\\]+$", r"without spaces and `.` `*` `>` `/` `\`"),
    (
        r##"^[^\x00-\x20\x7f-\xa0"#%&+/;<=>?@\\]+$"##,
        r##"without spaces and `"` `#` `%` `&` `+` `/` `;` `<` `=` `>` `?` `@` `\`"##,
    ),
    ("^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[0-9]{1,5}$", "`host:port`"),
    (
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "a name in Kubernetes: lower-case letters, digits, dashes and dots, first and last a \
            letter or digit",
    ),
    ("^[-._a-zA-Z0-9]+$", "letters, digits, dashes, dots and underscores"),
    (
        r"^([-_a-zA-Z]|\.[-_a-zA-Z0-9])[-._a-zA-Z0-9]*$",
        "letters, digits, underscores, dashes and dots; no digit and no two dots first",
    ),
];

/// Returns the words for a pattern if it is one of ours: the same, or so long that its beginning
/// identifies it.
pub(super) fn in_words(pattern: &str) -> Option<&'static str> {
    let same =
        |known: &str| pattern == known || (!known.ends_with('$') && pattern.starts_with(known));
    WORDS.iter().find(|(known, _)| same(known)).map(|(_, words)| *words)
}
