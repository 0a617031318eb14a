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
    (
        "^(https://)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[0-9]{1,5}$",
        "`host:port` or `https://host:port`",
    ),
    ("^A[A-Z2-7]{55}$", "`A`, then 55 of `A` to `Z` and `2` to `7`"),
    (
        "^([1-9][0-9]{0,5}(ms|s|m|h))+$",
        "a duration: numbers with `ms`, `s`, `m` or `h`, as in `1h30m`",
    ),
    (
        r"^[^\x00-\x20\x7f.*>$][^\x00-\x20\x7f.*>]*([.]([^\x00-\x20\x7f.*>]+|[*]))*([.]>)?$",
        "words with dots between; `*` stands for a word, and `>` at the end for all that follow",
    ),
    (
        "^(0*[1-9][0-9]*([.][0-9]*)?|0*[.]0*[1-9][0-9]*)([numkMGTPE]|[KMGTPE]i|",
        "a quantity above 0: a number, perhaps with a unit (`500m`, `1.5`, `256Mi`)",
    ),
    ("^(0|[1-9][0-9]?|100)%$", "a number or a percentage, `0%` to `100%`"),
    ("^/[!-~]*$", "begins with `/`, without spaces"),
    (r"^(/[^/:\x00-\x1f\x7f]+)+$", "an absolute path, without `:` and without `/` at its end"),
    (
        r"^[^/:\x00-\x1f\x7f]+(/[^/:\x00-\x1f\x7f]+)*$",
        "a relative path, without `:` and without `/` at its end",
    ),
    ("^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$", "the name of a time zone, as `Europe/Berlin`"),
    ("^[-0-9A-Za-z*/,?]+( [-0-9A-Za-z*/,?]+){4}$", "five words with one space between them"),
    (
        "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        "a label's value: letters, digits, dashes, dots and underscores, first and last a letter \
            or digit",
    ),
    (
        "^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([",
        "a key in Kubernetes: a name, perhaps after a domain and `/`",
    ),
    (
        r"^(metadata[.](name|namespace|uid|(labels|annotations)\[",
        "a field of the pod that Kubernetes offers to containers",
    ),
    (
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "a name in Kubernetes: lower-case letters, digits, dashes and dots, first and last a \
            letter or digit",
    ),
    (
        "^([-_a-zA-Z0-9]|[.][-_a-zA-Z0-9])[-._a-zA-Z0-9]*$",
        "letters, digits, dashes, dots and underscores; no two dots first",
    ),
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
