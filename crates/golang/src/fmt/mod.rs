//! Go's `fmt.Sprintf` and `fmt.Sprint` over the values JSON has. Source: Go 1.26 `fmt`.
//!
//! A number that is an `i64` is Go's `int64`, any other is `float64`; arrays are
//! `[]interface {}`, objects `map[string]interface {}`, null is nil.

mod flags;
mod printer;

use serde_json::Value;

use printer::{Printer, Verb};

/// Bytes that a format may make. Go has no such bound; Crossplane does not take an answer of more than
/// 4 MiB, so nothing that is of use is longer.
pub const MAX_TEXT: usize = 8 << 20;

/// Whether a text is longer than [`MAX_TEXT`]; what [`sprintf`] made then lacks its end.
pub fn is_too_long(text: &str) -> bool {
    text.len() > MAX_TEXT
}

/// Formats `args` by Go's `format`. As in Go no input fails: what is wrong with the format or the
/// arguments is said in the result, for example `%!d(string=a)`. Stops soon after [`MAX_TEXT`].
pub fn sprintf(format: &str, args: &[Value]) -> String {
    let mut printer = Printer::default();
    printer.printf(format, args);
    printer.out
}

/// `fmt.Sprint(args...)`: a space between two operands when neither is a string.
pub fn sprint(args: &[Value]) -> String {
    let mut printer = Printer::default();
    let mut previous_string = false;
    for (i, arg) in args.iter().enumerate() {
        if i > 0 && !arg.is_string() && !previous_string {
            printer.out.push(' ');
        }
        printer.arg(arg, Verb::plain());
        previous_string = arg.is_string();
    }
    printer.out
}

/// `fmt.Sprintf("%v", value)`, which upstream uses to make any input a string.
pub fn to_string(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        _ => sprint(std::slice::from_ref(value)),
    }
}
