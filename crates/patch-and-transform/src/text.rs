//! The JSON text that `protojson` makes from the input, which upstream's messages quote.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Writes a value as protobuf's `protojson` does: sorted keys, no spaces, no HTML escapes.
pub(crate) fn protojson(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

/// Writes a string as `protojson` does.
pub(crate) fn protojson_string(text: &str) -> String {
    let mut out = String::new();
    string(&mut out, text);
    out
}

/// Writes a number as `protojson` does: without an exponent from 1e-6 up to, but not including,
/// 1e21.
pub(crate) fn number(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let size = float.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{float:e}");
        return if size < 1.0 { text } else { text.replacen('e', "e+", 1) };
    }
    float.to_string()
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(n) => out.push_str(&number(n)),
        Value::String(text) => string(out, text),
        Value::Array(items) => {
            let mut sep = '[';
            for item in items {
                out.push(sep);
                write(out, item);
                sep = ',';
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Value::Object(fields) => {
            let mut sep = '{';
            for (key, field) in fields {
                out.push(sep);
                string(out, key);
                out.push(':');
                write(out, field);
                sep = ',';
            }
            out.push_str(if fields.is_empty() { "{}" } else { "}" });
        }
    }
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as j;

    #[test]
    fn texts() {
        let value = j!({"b": [1, 1.5, 1e21, 1e-7, -0.0, 1e20], "a": "<é\u{2028}\n\u{1}\">", "c": {},
            "d": []});
        let proto = "{\"a\":\"<é\u{2028}\\n\\u0001\\\">\",\
            \"b\":[1,1.5,1e+21,1e-7,-0,100000000000000000000],\"c\":{},\"d\":[]}";
        assert_eq!(protojson(&value), proto);
    }
}
