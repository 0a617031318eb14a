//! Reads the format and prints whole values. Source: Go 1.26 `fmt/print.go`.

use serde_json::Value;

use super::flags::Flags;
use crate::{MAX_DEPTH, sorted, type_name};

/// Go does not accept widths, precisions and argument indices above this.
const MAX_NUMBER: i64 = 1_000_000;

/// What `%p` prints for a pointer. Go prints the value's address, which nobody can rely on.
const POINTER: i64 = 0xc0_0000_0000;

/// A verb and how to read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verb(char);

impl Verb {
    /// `%v`.
    pub(super) fn plain() -> Self {
        Self('v')
    }
}

/// The text so far, and the flags of the current verb.
#[derive(Default)]
pub(super) struct Printer {
    pub(super) out: String,
    flags: Flags,
}

/// The reader's position in a format.
struct Reader<'a> {
    format: &'a str,
    at: usize,
    args: &'a [Value],
    arg: usize,
    /// An index like `[3]` was just read.
    after_index: bool,
    good_index: bool,
    reordered: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.byte(self.at)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.format.as_bytes().get(at).copied()
    }

    /// Reads a decimal number, if there is one before `end`. A number that is too large consumes
    /// the rest.
    fn number(&mut self, end: usize) -> Option<i64> {
        let mut number = None;
        while self.at < end
            && let Some(digit @ b'0'..=b'9') = self.peek()
        {
            let value = number.unwrap_or(0);
            if value > MAX_NUMBER {
                self.at = end;
                return None;
            }
            number = Some(value * 10 + i64::from(digit - b'0'));
            self.at += 1;
        }
        number
    }

    /// Reads `[n]`: the next argument is the n-th, counted from one.
    fn index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let start = self.at;
        let rest = self.format.as_bytes().get(start..).unwrap_or_default();
        let close = rest.iter().position(|&b| b == b']').filter(|_| rest.len() >= 3);
        let Some(close) = close.map(|i| start + i) else {
            self.good_index = false;
            self.at += 1;
            return;
        };
        self.at += 1;
        let number = self.number(close).filter(|_| self.at == close);
        self.at = close + 1;
        let index = number.and_then(|n| usize::try_from(n - 1).ok());
        match index.filter(|&i| i < self.args.len()) {
            Some(index) => {
                self.arg = index;
                self.after_index = true;
            }
            None => {
                self.good_index = false;
                // Go accepts any number as an index here, even one that is out of range.
                self.after_index = number.is_some();
            }
        }
    }

    /// Reads `*`: the next argument is a width or precision, if it is a small integer.
    fn star(&mut self) -> Option<i64> {
        self.after_index = false;
        let value = self.args.get(self.arg)?;
        self.arg += 1;
        value.as_i64().filter(|n| (-MAX_NUMBER..=MAX_NUMBER).contains(n))
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(b) = self.peek() {
            match b {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        flags
    }
}

fn size(n: i64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

impl Printer {
    pub(super) fn printf(&mut self, format: &str, args: &[Value]) {
        let mut reader = Reader {
            format,
            at: 0,
            args,
            arg: 0,
            after_index: false,
            good_index: true,
            reordered: false,
        };
        while let Some(rest) = format.get(reader.at..) {
            let Some(text) = rest.find('%') else {
                self.out.push_str(rest);
                break;
            };
            self.out.push_str(rest.get(..text).unwrap_or_default());
            reader.at += text + 1;
            self.verb(&mut reader);
            if super::is_too_long(&self.out) {
                return;
            }
        }
        if !reader.reordered && reader.arg < args.len() {
            self.extra(args.get(reader.arg..).unwrap_or_default());
        }
    }

    /// Reads and prints one verb; the reader is just past its `%`.
    fn verb(&mut self, reader: &mut Reader<'_>) {
        reader.good_index = true;
        self.flags = reader.flags();
        let end = reader.format.len();
        reader.index();
        if reader.peek() == Some(b'*') {
            reader.at += 1;
            let width = reader.star();
            if width.is_none() {
                self.out.push_str("%!(BADWIDTH)");
            }
            if width.is_some_and(|w| w < 0) {
                self.flags.minus = true;
                self.flags.zero = false;
            }
            self.flags.width = width.map(|w| size(w.abs()));
        } else {
            self.flags.width = reader.number(end).map(size);
            if reader.after_index && self.flags.width.is_some() {
                reader.good_index = false;
            }
        }
        if reader.peek() == Some(b'.') && reader.at + 1 < end {
            reader.at += 1;
            if reader.after_index {
                reader.good_index = false;
            }
            reader.index();
            if reader.peek() == Some(b'*') {
                reader.at += 1;
                let precision = reader.star().filter(|&p| p >= 0);
                if precision.is_none() {
                    self.out.push_str("%!(BADPREC)");
                }
                self.flags.precision = precision.map(size);
            } else {
                self.flags.precision = Some(reader.number(end).map_or(0, size));
            }
        }
        if !reader.after_index {
            reader.index();
        }
        let Some(verb) = reader.format.get(reader.at..).and_then(|rest| rest.chars().next()) else {
            self.out.push_str("%!(NOVERB)");
            return;
        };
        reader.at += verb.len_utf8();
        if verb == '%' {
            self.out.push('%');
        } else if !reader.good_index {
            self.out.extend(['%', '!', verb]);
            self.out.push_str("(BADINDEX)");
        } else if let Some(arg) = reader.args.get(reader.arg) {
            if matches!(verb, 'v' | 'w') {
                self.flags.sharp_v = std::mem::take(&mut self.flags.sharp);
                self.flags.plus = false;
            }
            reader.arg += 1;
            self.arg(arg, Verb(verb));
        } else {
            self.out.extend(['%', '!', verb]);
            self.out.push_str("(MISSING)");
        }
    }

    fn extra(&mut self, args: &[Value]) {
        self.flags = Flags::default();
        self.out.push_str("%!(EXTRA ");
        for (i, arg) in args.iter().enumerate() {
            if i > 0 {
                self.out.push_str(", ");
            }
            self.out.push_str(type_name(arg));
            if !arg.is_null() {
                self.out.push('=');
                self.arg(arg, Verb::plain());
            }
        }
        self.out.push(')');
    }

    /// Prints an argument.
    pub(super) fn arg(&mut self, arg: &Value, verb: Verb) {
        match (arg, verb.0) {
            (Value::Null, 'v' | 'T') => self.flags.pad(&mut self.out, "<nil>"),
            (_, 'T') => self.flags.string(&mut self.out, type_name(arg)),
            (Value::Array(_) | Value::Object(_), 'p') => {
                let flags = Flags { sharp: !self.flags.sharp, ..self.flags };
                flags.integer(&mut self.out, POINTER, 'x');
            }
            (_, 'p' | 'w') => self.bad_verb(arg, verb, 0),
            _ => self.value(arg, verb, 0),
        }
    }

    /// Prints an argument or an element; `depth` is that of the element.
    fn value(&mut self, value: &Value, verb: Verb, depth: usize) {
        match value {
            // Each element of a list has the width of the verb.
            _ if super::is_too_long(&self.out) => {}
            Value::Null if depth == 0 => self.bad_verb(value, verb, depth),
            // An element of interface type that holds nothing, whatever the verb.
            Value::Null if self.flags.sharp_v => self.out.push_str("interface {}(nil)"),
            Value::Null => self.out.push_str("<nil>"),
            Value::Bool(b) if matches!(verb.0, 't' | 'v') => {
                self.flags.pad(&mut self.out, if *b { "true" } else { "false" });
            }
            Value::Number(n) => match n.as_i64() {
                Some(int) => self.int(value, int, verb, depth),
                None => self.float(value, n.as_f64().unwrap_or(f64::NAN), verb, depth),
            },
            Value::String(s) => self.string(value, s, verb, depth),
            Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => self.out.push_str("..."),
            Value::Array(items) => {
                self.open(value, "[");
                for (i, item) in items.iter().enumerate() {
                    self.separate(i);
                    self.value(item, verb, depth + 1);
                }
                self.close();
            }
            Value::Object(object) => {
                self.open(value, "map[");
                for (i, (key, item)) in sorted(object).into_iter().enumerate() {
                    if super::is_too_long(&self.out) {
                        break;
                    }
                    self.separate(i);
                    self.string(&Value::Null, key, verb, depth + 1);
                    self.out.push(':');
                    self.value(item, verb, depth + 1);
                }
                self.close();
            }
            Value::Bool(_) => self.bad_verb(value, verb, depth),
        }
    }

    fn open(&mut self, value: &Value, plain: &str) {
        if self.flags.sharp_v {
            self.out.push_str(type_name(value));
            self.out.push('{');
        } else {
            self.out.push_str(plain);
        }
    }

    fn separate(&mut self, i: usize) {
        if i > 0 {
            self.out.push_str(if self.flags.sharp_v { ", " } else { " " });
        }
    }

    fn close(&mut self) {
        self.out.push(if self.flags.sharp_v { '}' } else { ']' });
    }

    fn int(&mut self, value: &Value, int: i64, verb: Verb, depth: usize) {
        match verb.0 {
            'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' => {
                self.flags.integer(&mut self.out, int, verb.0);
            }
            'c' => self.flags.character(&mut self.out, int),
            'q' => self.flags.quoted_character(&mut self.out, int),
            'U' => self.flags.unicode(&mut self.out, int),
            _ => self.bad_verb(value, verb, depth),
        }
    }

    fn float(&mut self, value: &Value, float: f64, verb: Verb, depth: usize) {
        match verb.0 {
            'v' => self.flags.float(&mut self.out, float, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.flags.float(&mut self.out, float, verb.0, None),
            'f' | 'e' | 'E' => self.flags.float(&mut self.out, float, verb.0, Some(6)),
            'F' => self.flags.float(&mut self.out, float, 'f', Some(6)),
            _ => self.bad_verb(value, verb, depth),
        }
    }

    /// Prints a string that is `value`, or an object's key if `value` is null.
    fn string(&mut self, value: &Value, text: &str, verb: Verb, depth: usize) {
        match verb.0 {
            'v' if self.flags.sharp_v => self.flags.quoted(&mut self.out, text),
            'v' | 's' => self.flags.string(&mut self.out, text),
            'x' | 'X' => self.flags.string_hex(&mut self.out, text, verb.0 == 'X'),
            'q' => self.flags.quoted(&mut self.out, text),
            _ if value.is_null() => self.bad_verb(&Value::from(text), verb, depth),
            _ => self.bad_verb(value, verb, depth),
        }
    }

    fn bad_verb(&mut self, value: &Value, verb: Verb, depth: usize) {
        self.out.extend(['%', '!', verb.0, '(']);
        self.out.push_str(type_name(value));
        if !value.is_null() {
            self.out.push('=');
            self.value(value, Verb::plain(), depth);
        }
        self.out.push(')');
    }
}
