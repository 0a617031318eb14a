//! Go's `strconv`: parsing, printing and quoting. Source: Go 1.26 `strconv`.

mod float;
mod parse;
mod quote;

pub use float::format_float;
pub use parse::{NumError, parse_bool, parse_float, parse_int};
pub use quote::{can_backquote, is_print, quote, quote_to_ascii, quote_with};
