//! Generates odd YAML from a seed: what YAML readers disagree about.

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// Returns true once in `n` times.
    fn rarely(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Plain scalars with types that are easy to get wrong.
const SCALARS: &[&str] = &[
    "y",
    "Y",
    "yes",
    "Yes",
    "YES",
    "yEs",
    "n",
    "N",
    "no",
    "No",
    "on",
    "On",
    "off",
    "OFF",
    "true",
    "True",
    "TRUE",
    "tRUE",
    "false",
    "False",
    "~",
    "null",
    "Null",
    "NULL",
    "nULL",
    "",
    ".inf",
    "-.inf",
    "+.Inf",
    ".INF",
    ".nan",
    ".NaN",
    ".NAN",
    "0",
    "-0",
    "+0",
    "00",
    "0777",
    "0o17",
    "0O7",
    "08",
    "09.5",
    "0b11",
    "0B1",
    "0b2",
    "0b-1",
    "0b+1",
    "-0b1",
    "-0b-1",
    "0x1F",
    "0X1f",
    "-0x1",
    "0x",
    "0b",
    "0o",
    "1_000",
    "1__0",
    "_1",
    "1_",
    "0_7",
    "0x_f",
    "1.",
    ".5",
    "+.5",
    "-.5",
    ".",
    "..",
    "1.5",
    "1._5",
    "1_.5",
    ".1_0",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "1e",
    "e1",
    "1e5_0",
    "1e400",
    "-1e400",
    "1e-400",
    "1.0",
    "-1.0",
    "0.0",
    "-0.0",
    "0.1",
    "1e20",
    "1e21",
    "1e19",
    "9007199254740993",
    "9007199254740993.0",
    "1.7976931348623157e308",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "+18446744073709551615",
    "18446744073709551616",
    "99999999999999999999",
    "0777777777777777777777777",
    "0x8000000000000000",
    "-0x8000000000000000",
    "12:30:45",
    "190:20:30.15",
    "1:2",
    "2024-01-01",
    "2024-1-1",
    "2024-13-01",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.10 -5",
    "2001-02-29",
    "=",
    "<<",
    "<",
    ">>",
    "-",
    "--",
    "- -",
    "?",
    "?a",
    "? a",
    ":",
    ":a",
    "a:",
    "a:b",
    "a: b",
    "a :b",
    "a#b",
    "a #b",
    "#a",
    "a'b",
    "'a",
    "a\"b",
    "@a",
    "`a",
    "%a",
    "&",
    "*",
    "!",
    "|",
    ">",
    "-a",
    "---a",
    "--- a",
    "...",
    "....",
    "[a",
    "a]",
    "{a",
    "a}",
    "a,b",
    ",a",
    "a, b",
    "é",
    "日本",
    "😀",
    "\u{a0}",
    "a\u{a0}b",
    "\u{200b}a",
    "“a”",
    "a：b",
    "key:value",
    "http://x:1/y?z#f",
    "$(A)",
    "${A}",
    "{{ a }}",
    "{% a %}",
    "\\",
    "a\\nb",
    "1e1_0.5",
    "+",
    "+-1",
    "+_1",
    "-_1",
    "1+1",
    "0.",
    "00.5",
    "0_.5",
    "1.2.3",
    "1,000",
    "0xg",
    "١",
    "NaN",
    "Infinity",
    "inf",
    "-Inf",
    "12e03",
    "0e0",
    "-0e5",
    "1_0e1_0",
    "4.2e-05",
    "123456.789",
    "1234567.0",
    "0.0001",
    "0.00001",
];

const KEYS: &[&str] = &[
    "a",
    "b",
    "c",
    "d",
    "1",
    "01",
    "1.0",
    "1.5",
    "1e3",
    "1e6",
    "1e10",
    "true",
    "yes",
    "n",
    "~",
    "null",
    "",
    "\"1\"",
    "'a'",
    "\"a\"",
    "<<",
    "\"<<\"",
    "2024-01-01",
    ".inf",
    ".nan",
    "0x10",
    "1_0",
    "a b",
    "a-b",
    "a.b/c",
    "é",
    "18446744073709551615",
    "0.1",
    "123456.789",
    "-1",
    "? a",
    "!!str 1",
    "!!int \"1\"",
    "&k a",
    "*x",
    "[]",
    "{}",
    "[a]",
];

const TAGS: &[&str] = &[
    "!!str",
    "!!int",
    "!!float",
    "!!bool",
    "!!null",
    "!!binary",
    "!!timestamp",
    "!!map",
    "!!seq",
    "!!set",
    "!!omap",
    "!!merge",
    "!local",
    "!",
    "!<tag:yaml.org,2002:str>",
    "!<tag:yaml.org,2002:int>",
    "!e!x",
    "!a!",
    "!!",
    "!<",
    "!<!a>",
    "!%41",
    "!!s%74r",
    "!a%zz",
    "!a{",
    "!a,b",
    "!a[b]",
];

const BREAKS: &[&str] =
    &["\n", "\n", "\n", "\n", "\r\n", "\r", "\u{85}", "\u{2028}", "\u{2029}", "\r\r\n", "\n\n"];

const BLANKS: &[&str] = &["", " ", " ", "  ", "\t", " \t", "\t ", "    ", "\u{a0}"];

const ODD: &[&str] = &[
    "\t",
    " ",
    "\n",
    "\r",
    "\r\n",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\0",
    "\u{1}",
    "\u{7f}",
    "\u{9f}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{e000}",
    "\u{10ffff}",
    ":",
    ": ",
    "- ",
    "-",
    "? ",
    "?",
    "#",
    " #",
    "'",
    "\"",
    "\\",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "!",
    "!!str ",
    "|",
    ">",
    "%",
    "@",
    "`",
    "---",
    "---\n",
    "...",
    "...\n",
    "\n---\n",
    "\n...\n",
    "<<: ",
    "~",
    "0",
    "\u{a0}",
    "é",
    "''",
    "\"\"",
    "\\\n",
    "%YAML 1.1\n---\n",
    "%TAG ! x\n",
    "|2\n",
    ">-\n",
];

const ESCAPES: &[&str] = &[
    "\\0",
    "\\a",
    "\\b",
    "\\t",
    "\\\t",
    "\\n",
    "\\v",
    "\\f",
    "\\r",
    "\\e",
    "\\ ",
    "\\\"",
    "\\'",
    "\\/",
    "\\\\",
    "\\N",
    "\\_",
    "\\L",
    "\\P",
    "\\x41",
    "\\xe9",
    "\\xZ1",
    "\\u00e9",
    "\\u12",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\U0001F600",
    "\\U00110000",
    "\\UFFFFFFFF",
    "\\q",
    "\\\n",
    "\\\r\n",
    "\\  \n",
    "\\1",
    "\\x0",
    "\\u2028",
];

/// Generates one text.
pub(crate) fn text(dice: &mut Dice, seeds: &[&str]) -> String {
    if dice.rarely(250) {
        return deep(dice);
    }
    let text = match dice.below(8) {
        0 => scalar_in_place(dice),
        1 => soup(dice),
        2 | 3 => mutated(dice, seeds),
        4 => block_scalar(dice),
        5 => json(dice),
        _ => {
            let mut out = String::new();
            for _ in 0..=dice.below(2) {
                if dice.rarely(4) {
                    out += dice.one(&[
                        "---\n",
                        "--- # c\n",
                        "---\t\n",
                        "--- a\n",
                        "---a\n",
                        "%YAML 1.1\n---\n",
                        "...\n",
                        "\u{feff}",
                        "\u{feff}---\n",
                    ]);
                }
                node(dice, &mut out, 0, 3);
                out += dice.one(BREAKS);
            }
            out
        }
    };
    match dice.below(12) {
        0 => mutate(dice, text, 1),
        1 => text.trim_end().to_owned(),
        _ => text,
    }
}

/// Generates nesting beyond the depth limit, and a few aliases that repeat a lot.
fn deep(dice: &mut Dice) -> String {
    let levels = 201 + dice.below(30);
    match dice.below(4) {
        0 => format!("{}1{}\n", "[".repeat(levels), "]".repeat(levels)),
        1 => format!("{}1\n", "- ".repeat(levels)),
        2 => (0..levels).map(|level| format!("{}a:\n", " ".repeat(level))).collect(),
        _ => {
            let list = "*x, ".repeat(60 + dice.below(100));
            format!("a: &x [{}]\nb: [{list}]\n", "1, ".repeat(9 + dice.below(8)))
        }
    }
}

/// Generates a scalar as a value, key or entry; plain, tagged or quoted; in block or flow.
fn scalar_in_place(dice: &mut Dice) -> String {
    let scalar = match dice.below(5) {
        0 => number(dice),
        1 => quoted(dice),
        _ => dice.one(SCALARS).to_owned(),
    };
    let tag = if dice.rarely(3) { format!("{} ", dice.one(TAGS)) } else { String::new() };
    let quote = |dice: &mut Dice| match dice.below(6) {
        0 => format!("\"{scalar}\""),
        1 => format!("'{scalar}'"),
        _ => scalar.clone(),
    };
    let (one, two) = (quote(dice), quote(dice));
    match dice.below(12) {
        0 => format!("{tag}{one}\n"),
        1 => format!("{tag}{one}: 1\n"),
        2 => format!("- {tag}{one}\n- {two}\n"),
        3 => format!("[{tag}{one}, {two}]\n"),
        4 => format!("{{{tag}{one}: {two}}}\n"),
        5 => format!("{{a: {tag}{one}}}\n"),
        6 => format!("a: {tag}{one} # c\nb: {two}\n"),
        7 => format!("? {tag}{one}\n: {two}\n"),
        8 => format!("a:{}{tag}{one}{}\n", dice.one(BLANKS), dice.one(BLANKS)),
        9 => format!("a: {one}\n  {two}\nb: 1\n"),
        10 => format!("{one}: 1\n{two}: 2\n"),
        _ => format!("a: {tag}{one}\n"),
    }
}

fn number(dice: &mut Dice) -> String {
    let mut text = dice.one(&["", "", "", "-", "+"]).to_owned();
    text += dice.one(&["", "", "", "", "0", "0x", "0o", "0b", "."]);
    for _ in 0..=dice.below(18) {
        let some = 9 + dice.below(6);
        text += dice.one(
            &["0", "1", "2", "3", "5", "7", "9", "9", "_", "a", ".", "e", "e+", "E-", ":"][..some],
        );
    }
    text
}

fn quoted(dice: &mut Dice) -> String {
    let double = !dice.rarely(3);
    let quote = if double { '"' } else { '\'' };
    let mut text = quote.to_string();
    for _ in 0..dice.below(6) {
        match dice.below(6) {
            0 if double => text += dice.one(ESCAPES),
            1 => text += dice.one(BREAKS),
            2 => text += dice.one(BLANKS),
            3 if !double => text += "''",
            4 => {
                text += dice.one(&[
                    "#", ": ", "- ", "---", "\n---\n", "\n...\n", "\n--- x", "\\", "[", "é", "😀",
                ])
            }
            _ => text += dice.one(&["a", "b c", "1"]),
        }
    }
    if !dice.rarely(20) {
        text.push(quote);
    }
    text
}

fn soup(dice: &mut Dice) -> String {
    let mut out = String::new();
    for _ in 0..=dice.below(12) {
        match dice.below(7) {
            0 | 1 => out += dice.one(ODD),
            2 => out += dice.one(SCALARS),
            3 => out += dice.one(KEYS),
            4 => out += ": ",
            5 => {
                out += dice.one(BREAKS);
                out += dice.one(BLANKS);
            }
            _ => {
                out += dice.one(&[
                    "a", "- ", "a: ", "b: 1", "[", "]", "{", "}", ", ", "&x ", "*x", "<<: *x",
                ])
            }
        }
    }
    out
}

fn mutated(dice: &mut Dice, seeds: &[&str]) -> String {
    let text = dice.one(seeds).to_owned();
    let times = 1 + dice.below(3);
    mutate(dice, text, times)
}

fn mutate(dice: &mut Dice, text: String, times: usize) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..times {
        let at = dice.below(characters.len() + 1);
        let end = (at + dice.below(4)).min(characters.len());
        let odd: Vec<char> = dice.one(ODD).chars().collect();
        match dice.below(5) {
            0 => {
                characters.drain(at..end);
            }
            1 => {
                characters.splice(at..end, odd);
            }
            2 => {
                // The indentation of a line.
                let start = characters[..at].iter().rposition(|c| *c == '\n').map_or(0, |i| i + 1);
                let blanks = characters[start..].iter().take_while(|c| **c == ' ').count();
                let other: Vec<char> = dice
                    .one(&["", " ", "  ", "   ", "\t", " \t", "\t\t", "- ", "# "])
                    .chars()
                    .collect();
                characters.splice(start..start + blanks, other);
            }
            3 => {
                // Repeats a line.
                let start = characters[..at].iter().rposition(|c| *c == '\n').map_or(0, |i| i + 1);
                let length = characters[start..].iter().take_while(|c| **c != '\n').count();
                let mut line = characters[start..start + length].to_vec();
                line.push('\n');
                characters.splice(start..start, line);
            }
            _ => {
                characters.splice(at..at, odd);
            }
        }
    }
    characters.into_iter().collect()
}

fn block_scalar(dice: &mut Dice) -> String {
    let mut out =
        dice.one(&["a: ", "- ", "a:\n  b: ", "- - ", "", "? ", "a:\n- ", "{a: "]).to_owned();
    out += dice.one(&["|", ">", "|", ">", "&x |", "!!str >", "| # c", ">#c", "| x"]);
    out += dice.one(&[
        "", "", "", "-", "+", "2", "1", "2-", "-2", "+1", "9", "0", "--", "22", "-+", " ", "\t",
    ]);
    out += dice.one(BREAKS);
    for _ in 0..dice.below(6) {
        out += dice.one(&["", " ", "  ", "  ", "   ", "    ", "\t", "  \t", " \t"]);
        out += dice.one(&[
            "x", "x y", "", "", "# c", "x: 1", "- x", "---", "...", "é", "x  ", "\tx", "\u{feff}",
        ]);
        out += dice.one(BREAKS);
    }
    out += dice.one(&["", "", "b: 1\n", "- 1\n", "  b: 1\n", "# c\n", " # c\n"]);
    out
}

fn json(dice: &mut Dice) -> String {
    fn value(dice: &mut Dice, out: &mut String, depth: usize) {
        match dice.below(if depth == 0 { 4 } else { 6 }) {
            0 => {
                *out += dice.one(&[
                    "1",
                    "-1",
                    "1.0",
                    "1e2",
                    "0",
                    "01",
                    "1.",
                    ".5",
                    "1_0",
                    "18446744073709551615",
                    "1e400",
                    "-0",
                    "0x1",
                ])
            }
            1 => *out += dice.one(&["true", "false", "null", "yes", "a", "~", "", "nul", "NaN"]),
            2 | 3 => {
                *out += "\"";
                for _ in 0..dice.below(4) {
                    *out += dice.one(&[
                        "a",
                        "\\/",
                        "\\n",
                        "\\u00e9",
                        "\\ud83d\\ude00",
                        "\\ud83d",
                        "\\ude00",
                        "\\x41",
                        "\u{2028}",
                        "\u{7f}",
                        "\t",
                        "é",
                        " # ",
                        ": ",
                        "\\\"",
                        "\\b",
                    ]);
                }
                *out += "\"";
            }
            4 => {
                *out += "[";
                for i in 0..dice.below(4) {
                    *out += if i > 0 { dice.one(&[",", ", ", ",\n\t", " , "]) } else { "" };
                    value(dice, out, depth - 1);
                }
                *out += dice.one(&["]", "]", "]", ",]", "\n]", " ]", "}"]);
            }
            _ => object(dice, out, depth - 1),
        }
    }
    fn object(dice: &mut Dice, out: &mut String, depth: usize) {
        *out += dice.one(&["{", "{", "{ ", "{\n\t", "{\n"]);
        for i in 0..dice.below(4) {
            *out += if i > 0 { dice.one(&[",", ", ", ",\n\t", ",\n"]) } else { "" };
            let some = if dice.rarely(3) { 8 } else { 5 };
            *out += dice
                .one(&["\"a\"", "\"b\"", "\"c\"", "\"\"", "\"a\\/b\"", "a", "'a'", "1"][..some]);
            *out += dice.one(&[":", ": ", " : ", ":\t"]);
            value(dice, out, depth);
        }
        *out += dice.one(&["}", "}", "}", "}", ",}", "\n}", "", "]"]);
    }
    let mut out = dice.one(&["", "", "", " ", "\n", "\t", "\u{feff}", "# c\n"]).to_owned();
    for _ in 0..1 + dice.below(3) * usize::from(dice.rarely(2)) {
        if dice.rarely(8) {
            let key = "k".repeat(1000 + dice.below(60));
            out += &format!("{{\"{key}\": 1}}");
        } else {
            object(dice, &mut out, 2);
        }
        out += dice.one(&[
            "",
            "\n",
            "\n",
            " ",
            "\n---\n",
            "---\n",
            "\n---\na: 1\n",
            "\na: 1\n",
            "\n# c\n",
            "//",
            "b",
            "null",
        ]);
    }
    out
}

/// Generates a node in block or flow style, from the grammar, with something odd now and then.
fn node(dice: &mut Dice, out: &mut String, indent: usize, depth: usize) {
    if dice.rarely(8) {
        *out += dice.one(&["&x ", "&y ", "&x &y ", "&x\n", "&é ", "& "]);
    }
    if dice.rarely(12) {
        *out += dice.one(TAGS);
        *out += dice.one(&[" ", " ", "\n", ""]);
    }
    match dice.below(if depth == 0 { 3 } else { 8 }) {
        0 => *out += dice.one(SCALARS),
        1 => {
            *out +=
                dice.one(&["*x", "*y", "*x", "*z", "plain text", "two\n  lines", "a # c", "x#y"])
        }
        2 => *out += &quoted(dice),
        3 => flow(dice, out, depth),
        4 | 5 => {
            let inner = indent + dice.one(&["", " ", "  ", "  "]).len();
            for i in 0..=dice.below(3) {
                if i > 0 || depth < 3 {
                    *out += if i == 0 { "\n" } else { dice.one(BREAKS) };
                    *out += &" ".repeat(inner);
                }
                *out += dice.one(&["- ", "- ", "-\t", "-  ", "-\n", "-", "- # c\n"]);
                node(dice, out, inner + 2, depth - 1);
            }
        }
        _ => {
            let inner = indent + dice.one(&["", " ", "  ", "  "]).len();
            for i in 0..=dice.below(3) {
                if i > 0 || depth < 3 {
                    *out += if i == 0 { "\n" } else { dice.one(BREAKS) };
                    *out += &" ".repeat(inner);
                }
                if dice.rarely(6) {
                    *out += dice.one(&[
                        "<<: *x",
                        "<<: [*x, *y]",
                        "<<: {a: 1}",
                        "<<: [{a: 1}, {a: 2}]",
                        "\"<<\": 1",
                        "<<: 1",
                        "<<: &x {b: 2}",
                    ]);
                    continue;
                }
                if dice.rarely(40) {
                    *out += &"k".repeat(1010 + dice.below(30));
                } else {
                    *out += dice.one(KEYS);
                }
                *out += dice
                    .one(&[": ", ": ", ": ", ":", ":\t", " : ", ":  ", ":\n", ": # c\n", "\n: "]);
                node(dice, out, inner, depth - 1);
            }
        }
    }
    if dice.rarely(10) {
        *out += dice.one(&[" # c", "#c", "\t# c", " #", "\n# c", "\n\t# c", "\n\t", "\n \t \n"]);
    }
}

fn flow(dice: &mut Dice, out: &mut String, depth: usize) {
    if depth == 0 || dice.rarely(3) {
        *out += dice.one(&[
            "a", "1", "yes", "'q'", "\"q\"", "a b", "a:b", "a:", ":a", "-", "- a", "-a", "?",
            "? a", "a?", "*x", "&x a", "!!str 1", "", "a\n b", "a\n\tb", "http://x", "#a", " #c\n",
        ]);
        return;
    }
    let list = dice.rarely(2);
    *out += if list { "[" } else { "{" };
    for i in 0..dice.below(4) {
        if i > 0 {
            *out += dice.one(&[",", ", ", " ,", ",\n", ",\n\t", ",,", ", # c\n", ""]);
        }
        *out += dice.one(&["", "", " ", "\t", "\n", "\n  "]);
        if !list || dice.rarely(4) {
            *out += dice.one(KEYS);
            *out += dice.one(&[": ", ":", " : ", ": ", ":\n", ""]);
        }
        flow(dice, out, depth - 1);
    }
    *out += dice.one(&["", "", ",", " ", "\n"]);
    if !dice.rarely(25) {
        *out += if list != dice.rarely(40) { "]" } else { "}" };
    }
}
