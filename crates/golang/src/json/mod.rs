//! Go's `encoding/json`: what `Marshal` writes, and what `Unmarshal` into `any` reads and says.
//! Source: Go 1.26 `encoding/json`.

mod decode;

use serde_json::Value;

use super::{MAX_DEPTH, sorted, strconv};
pub use decode::unmarshal;

/// Writes JSON as `json.Marshal(value)` does: sorted keys, no spaces, and `<`, `>`, `&`, U+2028 and
/// U+2029 escaped.
pub fn marshal(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out
}

fn write(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => match n.as_i64() {
            Some(int) => out.push_str(&int.to_string()),
            None => write_float(out, n.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(s) => write_string(out, s),
        // Deeper than any message that can arrive.
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => out.push_str("null"),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(out, item, depth + 1);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (i, (key, item)) in sorted(object).into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write(out, item, depth + 1);
            }
            out.push('}');
        }
    }
}

/// Writes as JavaScript does, with an exponent only for very small and very large numbers.
fn write_float(out: &mut String, value: f64) {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = strconv::format_float(value, 'e', None);
        // e-09 is written e-9.
        out.push_str(&text.replace("e-0", "e-"));
    } else {
        out.push_str(&strconv::format_float(value, 'f', None));
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}
