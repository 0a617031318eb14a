//! No format, pattern, text or transform causes a panic, whatever it contains.

#![cfg(test)]

use golang::{base64, fmt, json, quantity, regexp, strconv, strings};
use patch_and_transform::input::transforms::{
    ConvertTransform, MatchTransform, MatchTransformPattern, MathTransform, StringTransform,
    StringTransformJoin, StringTransformRegexp, StringTransformReplace, Transform,
};
use patch_and_transform::transforms::resolve;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Number, Value};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| Number::from_f64(f).map_or(Value::Null, Value::Number)),
        ".{0,8}".prop_map(Value::from),
        "[0-9eE+.xp_-]{0,12}(Ki|m|n)?".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Generates text from pieces that mean something in a format or a pattern.
fn pieces(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![4 => select(pieces).prop_map(str::to_owned), 1 => ".{0,3}"];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn format() -> impl Strategy<Value = String> {
    pieces(&[
        "%", "#", "+", "-", " ", "0", "*", ".", "[1]", "[2]", "[", "]", "[9", "7", "300",
        "1000001", "v", "d", "s", "q", "x", "X", "T", "U", "c", "e", "g", "f", "b", "o", "O", "p",
        "t", "w", "é",
    ])
}

fn pattern() -> impl Strategy<Value = String> {
    pieces(&[
        "(",
        ")",
        "(?:",
        "(?P<n>",
        "(?i)",
        "(?s:",
        "(?U)",
        "[",
        "]",
        "[^",
        "-",
        "\\",
        "\\d",
        "\\pL",
        "\\p{Greek}",
        "\\Q",
        "\\E",
        "\\b",
        "\\B",
        "\\x{",
        "}",
        "{",
        "{2}",
        "{3,}",
        "{1000}",
        "*",
        "+",
        "?",
        "|",
        "^",
        "$",
        "a",
        "é",
        "[:alpha:]",
    ])
}

fn name(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(names).prop_map(str::to_owned)
}

fn transform() -> impl Strategy<Value = Transform> {
    let math = (name(&["Multiply", "ClampMin", "ClampMax", ""]), any::<Option<i64>>()).prop_map(
        |(type_, n)| Transform {
            type_: "math".to_owned(),
            math: Some(MathTransform { type_, multiply: n, clamp_min: n, clamp_max: n }),
            ..Transform::default()
        },
    );
    let string = (
        name(&["Format", "Convert", "TrimPrefix", "TrimSuffix", "Regexp", "Join", "Replace", ""]),
        name(&[
            "ToUpper",
            "ToLower",
            "ToBase64",
            "FromBase64",
            "ToJson",
            "ToSha1",
            "ToSha256",
            "ToSha512",
            "ToAdler32",
            "",
        ]),
        format(),
        pattern(),
        any::<Option<i64>>(),
    )
        .prop_map(|(type_, convert, format, match_, group)| Transform {
            type_: "string".to_owned(),
            string: Some(StringTransform {
                type_,
                convert: Some(convert),
                trim: Some(format.clone()),
                join: Some(StringTransformJoin { separator: format.clone() }),
                replace: Some(StringTransformReplace {
                    search: format.clone(),
                    replace: match_.clone(),
                }),
                format: Some(format),
                regexp: Some(StringTransformRegexp { match_, group }),
            }),
            ..Transform::default()
        });
    let convert = (
        name(&["string", "int", "int64", "bool", "float64", "object", "array", ""]),
        prop::option::of(name(&["none", "quantity", "json", ""])),
    )
        .prop_map(|(to_type, format)| Transform {
            type_: "convert".to_owned(),
            convert: Some(ConvertTransform { to_type, format }),
            ..Transform::default()
        });
    let matched =
        (name(&["literal", "regexp", ""]), pattern(), value()).prop_map(|(type_, text, result)| {
            Transform {
                type_: "match".to_owned(),
                match_: Some(MatchTransform {
                    patterns: vec![MatchTransformPattern {
                        type_,
                        literal: Some(text.clone()),
                        regexp: Some(text),
                        result: result.clone(),
                    }],
                    fallback_value: result,
                    fallback_to: String::new(),
                }),
                ..Transform::default()
            }
        });
    prop_oneof![math, string, convert, matched]
}

proptest! {
    #[test]
    fn no_format_panics(format in format(), args in prop::collection::vec(value(), 0..3)) {
        fmt::sprintf(&format, &args);
        fmt::sprint(&args);
    }

    #[test]
    fn no_pattern_panics(pattern in pattern(), text in ".{0,12}") {
        if let Ok(regexp) = regexp::compile(&pattern) {
            prop_assert_eq!(regexp.is_match(&text),
                regexp.submatch(&text, 0, &|| true).is_ok_and(|it| it.is_some()));
        }
    }

    #[test]
    fn no_text_panics(text in prop_oneof![".{0,20}",
        "[-+]?[0-9.]{0,40}[eEinumkKMGTP]{0,2}[-+]?[0-9]{0,12}",
        "[-+0-9a-fA-FxXpP._]{0,30}"]) {
        let _ = quantity::parse_to_float(&text);
        let _ = strconv::parse_float(&text);
        let _ = strconv::parse_int(&text);
        let _ = base64::decode(&text);
        let _ = json::unmarshal(&text, None);
        strings::to_lower(&strings::to_upper(&text));
        strconv::quote(&text);
    }

    #[test]
    fn shortest_floats_read_back(bits in any::<u64>()) {
        let f = f64::from_bits(bits);
        for verb in ['e', 'f', 'g', 'x'] {
            let back = strconv::parse_float(&strconv::format_float(f, verb, None));
            prop_assert!(f.is_nan() || back == Ok(f), "{} {}", f, verb);
        }
    }

    #[test]
    fn json_reads_back(value in value()) {
        let text = json::marshal(&value);
        prop_assert_eq!(json::marshal(&json::unmarshal(&text, None).unwrap()),
            json::marshal(&floats(&value)));
    }

    #[test]
    fn base64_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(base64::decode(&base64::encode(&bytes)), Ok(bytes));
    }

    #[test]
    fn no_transform_panics(transform in transform(), input in value()) {
        let _ = resolve(&transform, input);
    }
}

/// Go reads every JSON number as a float.
fn floats(value: &Value) -> Value {
    match value {
        Value::Number(n) => Value::from(n.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(floats).collect(),
        Value::Object(object) => object.iter().map(|(k, v)| (k.clone(), floats(v))).collect(),
        _ => value.clone(),
    }
}

#[test]
fn deep_values_and_patterns() {
    // Shallow enough to be dropped recursively, but deeper than any of our limits.
    let deep = (0..5000).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    assert!(fmt::to_string(&deep).contains("..."));
    json::marshal(&deep);
    assert!(json::unmarshal(&"[".repeat(100_000), None).is_err());
    for pattern in ["(", "(?:", "(?i:", "[", "a|(", "(a{2,}", "(?:(a|b)*c|"] {
        assert!(regexp::compile(&pattern.repeat(20_000)).is_err());
        let closed = format!("{}{}", pattern.repeat(900), ")".repeat(900));
        let _ = regexp::compile(&closed);
    }
    // As deep and as long as Go accepts.
    assert!(regexp::compile(&format!("{}a{}", "(".repeat(990), ")".repeat(990))).is_ok());
    let long = regexp::compile("^(?:[\\p{L}\\p{N}_-]{100}){10}$").unwrap();
    assert!(long.is_match(&"ü".repeat(1000)) && !long.is_match(&"ü".repeat(999)));
    assert!(regexp::compile(r"(\pL{1000}){1}").is_ok_and(|r| !r.is_match("a")));
}
