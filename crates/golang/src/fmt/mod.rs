//! Go's `fmt.Sprintf` and `fmt.Sprint` over JSON values. Source: Go 1.26 `fmt`.
//!
//! A number that is an `i64` is Go's `int64`; any other is `float64`. Arrays are `[]interface {}`,
//! objects are `map[string]interface {}`, and null is nil.

mod flags;
mod printer;

use serde_json::Value;

use printer::{Printer, Verb};

/// The most bytes that a format may produce. Go has no such limit; Crossplane accepts no response
/// over 4 MiB, so nothing longer is of any use.
pub const MAX_TEXT: usize = 8 << 20;

/// Reports whether a text is longer than [`MAX_TEXT`]; if so, [`sprintf`] cut off its end.
pub fn is_too_long(text: &str) -> bool {
    text.len() > MAX_TEXT
}

/// Formats `args` by Go's `format`. As in Go, no input fails: the result itself says what is wrong
/// with the format or the arguments, as in `%!d(string=a)`. Stops soon after [`MAX_TEXT`].
pub fn sprintf(format: &str, args: &[Value]) -> String {
    let mut printer = Printer::default();
    printer.printf(format, args);
    printer.out
}

/// Formats as `fmt.Sprint(args...)`: a space between two operands when neither is a string.
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

/// Formats as `fmt.Sprintf("%v", value)`, which upstream uses to turn any input into a string.
pub fn to_string(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        _ => sprint(std::slice::from_ref(value)),
    }
}
