//! Transforms, mostly of a type that fits the value they get.

use serde_json::{Map, Value, json};

use super::Gen;

/// Without `%p`, which prints an address that differs between calls.
const FORMATS: &[&str] = &[
    "%s",
    "%v",
    "%d",
    "prefix-%s",
    "%s-suffix",
    "%q",
    "%+q",
    "%#q",
    "%x",
    "%X",
    "% x",
    "%#x",
    "%05d",
    "%+d",
    "%-8d|",
    "%8.3f",
    "%.2f",
    "%f",
    "%e",
    "%E",
    "%g",
    "%G",
    "%t",
    "%T",
    "%#v",
    "%+v",
    "%10s|",
    "%-10s|",
    "%.3s",
    "%10.3s|",
    "%c",
    "%U",
    "%#U",
    "%b",
    "%o",
    "%O",
    "%#o",
    "%%",
    "100%%-%s",
    "%",
    "%!",
    "%z",
    "%s%s",
    "no verb",
    "%[1]s-%[1]v",
    "%[2]s",
    "%*d",
    "%.*f",
    "%[1]*d",
    "%6.2f%%",
    "%08.3f",
    "%+.1e",
    "% d",
    "%x-%s",
    "%s %d %t",
    "ünï-%s",
    "%-+8d",
    "%w",
    "%.0f",
    "%3c|",
    "%v%!",
    "%[x]d",
    "%[1]",
    "%.s",
    "%099999999d",
    "%5t",
    "%#g",
    "%.3g",
    "% 5d",
    "%+s",
    "%-05d",
];

/// Regular expressions that Go accepts.
const PATTERNS: &[&str] = &[
    "^us-.*$",
    "([a-z]+)-([a-z]+)-([0-9])",
    "arn:aws:iam::(\\d+):.*",
    "(?i)HELLO",
    "\\pL+",
    "(?P<name>\\w+)",
    "^$",
    "",
    ".*",
    "[[:alpha:]]+",
    "x*",
    "(a)|(b)",
    "\\bfoo\\b",
    "\\d+",
    "[^a-z]+",
    "(?s).",
    "\\x{1F980}",
    "hello|world",
    "(\\w)\\w*",
    "(?U)a+",
    "\\Qa.b\\E",
    "^(small|medium)$",
    "(?<n>.)",
    "é",
    "(.)(.)?(.)?",
    "[\\p{Greek}\\d]",
    "(?m)^b",
    "a|ab",
    "(a|ab)(c|bcd)?",
    "\\Bx",
    "[[:^digit:]]",
    "(?i)ß",
    "(?i)k",
    "\\s+",
    ".{2,3}?",
    "\\C?",
    "(|a)+",
    "(a*)*",
];

/// Regular expressions that Go refuses.
const BROKEN: &[&str] = &[
    "[",
    "(",
    "a{2,1}",
    "(?!x)",
    "a**",
    "[a-",
    "\\",
    "a{1001}",
    "*",
    "(?P<n>a)(?P<n>b)",
    "\\8",
    "(?z)",
    "[b-a]",
    ")",
    "\\pX",
    "(?<=a)b",
    "[[:foo:]]",
    "x{2}{3}{",
    "(?P<>a)",
    "\\Z",
    "\\xZ",
];

impl Gen {
    /// Generates a pipe of transforms for a value.
    pub(crate) fn transforms(&mut self, value: &Value, count: usize) -> Value {
        let decodes = value.as_str().is_some_and(|it| it.ends_with('=')) && self.chance(0.5);
        let decode = decodes.then(|| {
            json!({ "type": "string", "string": { "type": "Convert", "convert": "FromBase64" } })
        });
        decode.into_iter().chain((0..count).map(|_| self.transform(value))).collect()
    }

    fn transform(&mut self, value: &Value) -> Value {
        let fitting: &[&str] = match value {
            Value::Number(_) => &["math", "math", "string", "convert", "convert"],
            Value::String(_) => {
                &["string", "string", "string", "map", "match", "convert", "convert"]
            }
            Value::Bool(_) => &["convert", "string"],
            Value::Array(_) => &["string"],
            Value::Null | Value::Object(_) => &["string"],
        };
        let kind = if self.chance(0.95) {
            *self.pick(fitting)
        } else {
            *self.pick(&["math", "map", "match", "string", "convert"])
        };
        let settings = match kind {
            "math" => self.math(),
            "map" => self.map(value),
            "match" => self.match_(value),
            "string" => self.string_transform(value),
            _ => self.convert(value),
        };
        let mut transform = Map::new();
        let given = if self.wrong() { *self.pick(&["", "Math", "unknown"]) } else { kind };
        if !(given.is_empty() && self.chance(0.5)) {
            transform.insert("type".to_owned(), json!(given));
        }
        if !self.wrong() {
            transform.insert(kind.to_owned(), settings);
        }
        Value::Object(transform)
    }

    fn math(&mut self) -> Value {
        let mut math = Map::new();
        let kind = *self.pick(&["Multiply", "Multiply", "ClampMin", "ClampMax"]);
        let given = if self.wrong() { *self.pick(&["", "Divide"]) } else { kind };
        if !given.is_empty() {
            math.insert("type".to_owned(), json!(given));
        }
        let key = match kind {
            "ClampMin" => "clampMin",
            "ClampMax" => "clampMax",
            _ => "multiply",
        };
        let key = if self.wrong() { "clampMin" } else { key };
        let number = if self.wrong() { self.number() } else { self.setting() };
        math.insert(key.to_owned(), number);
        Value::Object(math)
    }

    fn map(&mut self, value: &Value) -> Value {
        if self.wrong() {
            return self.value(1);
        }
        let mut pairs = Map::new();
        if !self.chance(0.05) {
            let key = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            pairs.insert(key, self.value(2));
        }
        for _ in 0..1 + self.below(2) {
            pairs.insert(self.string(), self.value(1));
        }
        Value::Object(pairs)
    }

    fn match_(&mut self, value: &Value) -> Value {
        let mut out = Map::new();
        let count = if self.wrong() { 0 } else { 1 + self.below(3) };
        let patterns: Vec<Value> = (0..count).map(|_| self.pattern(value)).collect();
        if count > 0 || self.chance(0.5) {
            out.insert("patterns".to_owned(), json!(patterns));
        }
        if self.chance(0.5) {
            out.insert("fallbackValue".to_owned(), self.value(2));
        }
        if self.chance(0.4) {
            let to = if self.wrong() { "Nothing" } else { *self.pick(&["Value", "Input"]) };
            out.insert("fallbackTo".to_owned(), json!(to));
        }
        Value::Object(out)
    }

    fn pattern(&mut self, value: &Value) -> Value {
        let mut pattern = Map::new();
        let kind = *self.pick(&["literal", "regexp"]);
        let given = if self.wrong() { *self.pick(&["", "glob"]) } else { kind };
        if !given.is_empty() {
            pattern.insert("type".to_owned(), json!(given));
        }
        if !self.wrong() {
            let text = match value {
                Value::String(text) if kind == "literal" && self.chance(0.6) => text.clone(),
                _ if kind == "literal" => self.string(),
                _ => self.regexp(),
            };
            pattern.insert(kind.to_owned(), json!(text));
        }
        if !self.wrong() {
            pattern.insert("result".to_owned(), self.value(2));
        }
        Value::Object(pattern)
    }

    fn string_transform(&mut self, value: &Value) -> Value {
        let mut out = Map::new();
        let kinds: &[&str] = match value {
            Value::Array(_) => &["Join", "Join", "Join", "Format", "Convert"],
            _ => &[
                "Format",
                "Format",
                "Convert",
                "Convert",
                "TrimPrefix",
                "TrimSuffix",
                "Regexp",
                "Replace",
            ],
        };
        let kind = *self.pick(kinds);
        let given = if self.wrong() { *self.pick(&["", "Split", "format"]) } else { kind };
        if !given.is_empty() {
            out.insert("type".to_owned(), json!(given));
        }
        if self.wrong() {
            return Value::Object(out);
        }
        let (key, settings) = match kind {
            "Format" => ("fmt", json!(self.format())),
            "Convert" => ("convert", json!(self.conversion())),
            "Regexp" => {
                let mut regexp = Map::new();
                regexp.insert("match".to_owned(), json!(self.regexp()));
                if self.chance(0.5) {
                    regexp.insert("group".to_owned(), json!(*self.pick(&[0, 0, 0, 1, 1, 2])));
                    // A negative group makes the Go function panic. Ours must not.
                    if self.wrong() && self.chance(0.1) {
                        regexp.insert("group".to_owned(), json!(-1));
                    }
                }
                ("regexp", Value::Object(regexp))
            }
            "Join" => ("join", json!({ "separator": *self.pick(&[",", "", " - ", "ü"]) })),
            "Replace" => {
                let search = *self.pick(&["a", "-", "hello", "ü", " "]);
                let replace = *self.pick(&["", "b", "$1", "日", "--"]);
                let search = if self.wrong() { "" } else { search };
                ("replace", json!({ "search": search, "replace": replace }))
            }
            _ => {
                let text = match value {
                    Value::String(text) if self.chance(0.6) => {
                        let half = text.chars().count() / 2;
                        if kind == "TrimPrefix" {
                            text.chars().take(half).collect()
                        } else {
                            text.chars().skip(half).collect()
                        }
                    }
                    _ => self.string(),
                };
                ("trim", json!(text))
            }
        };
        out.insert(key.to_owned(), settings);
        Value::Object(out)
    }

    fn regexp(&mut self) -> String {
        let list = if self.wrong() { BROKEN } else { PATTERNS };
        (*self.pick(list)).to_owned()
    }

    fn conversion(&mut self) -> &'static str {
        let known: &[&str] = &[
            "ToUpper",
            "ToLower",
            "ToBase64",
            "FromBase64",
            "ToJson",
            "ToSha1",
            "ToSha256",
            "ToSha512",
            "ToAdler32",
        ];
        let list = if self.wrong() { &["", "toUpper", "ToMd5"] } else { known };
        self.pick::<&str>(list)
    }

    fn convert(&mut self, value: &Value) -> Value {
        let mut out = Map::new();
        let any = &["string", "int", "int64", "bool", "float64", "object", "array"];
        let types: &[&str] = match value {
            _ if self.chance(0.1) => any,
            Value::String(text) if text.parse::<i64>().is_ok() => &["int", "int64", "float64"],
            Value::String(text) if text.starts_with('{') => &["object", "string"],
            Value::String(text) if text.starts_with('[') => &["array", "string"],
            Value::String(text) if text.parse::<bool>().is_ok() => &["bool", "string"],
            Value::String(text) if text.starts_with(|it: char| it.is_ascii_digit()) => &["float64"],
            Value::String(_) => &["string"],
            Value::Number(_) | Value::Bool(_) => &["string", "int", "int64", "bool", "float64"],
            _ => any,
        };
        let to = if self.wrong() {
            *self.pick(&["", "list", "float", "Int"])
        } else {
            *self.pick(types)
        };
        out.insert("toType".to_owned(), json!(to));
        let fitting = match to {
            "object" | "array" => 0.95,
            "float64" => 0.5,
            _ => 0.1,
        };
        if self.chance(fitting) {
            let format = match to {
                "object" | "array" if !self.wrong() => "json",
                "float64" if !self.wrong() => *self.pick(&["quantity", "none"]),
                _ if self.wrong() => *self.pick(&["quantity", "json", "yaml"]),
                _ => "none",
            };
            out.insert("format".to_owned(), json!(format));
        }
        Value::Object(out)
    }

    fn format(&mut self) -> String {
        (*self.pick(FORMATS)).to_owned()
    }

    /// Generates a format for this many values: mostly one verb each.
    pub(crate) fn combine_format(&mut self, count: usize) -> String {
        if self.wrong() || self.chance(0.1) {
            return self.format();
        }
        let verbs: Vec<String> = (0..count)
            .map(|_| if self.chance(0.6) { "%s".to_owned() } else { self.format() })
            .collect();
        verbs.join("-")
    }
}
