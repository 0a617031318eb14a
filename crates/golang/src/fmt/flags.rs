//! Padding, and the formats of a single scalar. Source: Go 1.26 `fmt/format.go`.

use crate::{raw_bytes, strconv};

/// The flags, width and precision of one verb.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    /// `%#v`: Go syntax.
    pub(super) sharp_v: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

impl Flags {
    fn padding(&self, out: &mut String, count: usize) {
        let pad = if self.zero && !self.minus { '0' } else { ' ' };
        out.extend(std::iter::repeat_n(pad, count));
    }

    /// Writes `text` padded to the width, counted in code points.
    pub(super) fn pad(&self, out: &mut String, text: &str) {
        let missing = match self.width {
            Some(width) => width.saturating_sub(text.chars().count()),
            None => 0,
        };
        if !self.minus {
            self.padding(out, missing);
        }
        out.push_str(text);
        if self.minus {
            self.padding(out, missing);
        }
    }

    fn without_zero(&self) -> Self {
        Self { zero: false, ..*self }
    }

    fn truncate<'a>(&self, text: &'a str) -> &'a str {
        let end = self.precision.and_then(|n| text.char_indices().nth(n)).map(|(i, _)| i);
        end.and_then(|end| text.get(..end)).unwrap_or(text)
    }

    pub(super) fn string(&self, out: &mut String, text: &str) {
        self.pad(out, self.truncate(text));
    }

    pub(super) fn quoted(&self, out: &mut String, text: &str) {
        let text = self.truncate(text);
        let quoted = if self.sharp && strconv::can_backquote(text) {
            format!("`{text}`")
        } else if self.plus {
            strconv::quote_to_ascii(text)
        } else {
            strconv::quote(text)
        };
        self.pad(out, &quoted);
    }

    /// Writes a string as `%x` does: the hexadecimal digits of its bytes.
    pub(super) fn string_hex(&self, out: &mut String, text: &str, upper: bool) {
        let bytes = raw_bytes::bytes(text);
        let length = bytes.len().min(self.precision.unwrap_or(usize::MAX));
        if length == 0 {
            self.padding(out, self.width.unwrap_or(0));
            return;
        }
        let prefix = if upper { "0X" } else { "0x" };
        let mut text = String::with_capacity(length * 2);
        for (i, byte) in bytes.iter().take(length).enumerate() {
            if self.space && i > 0 {
                text.push(' ');
            }
            if self.sharp && (i == 0 || self.space) {
                text.push_str(prefix);
            }
            text.push_str(&if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        }
        self.pad(out, &text);
    }

    pub(super) fn integer(&self, out: &mut String, value: i64, verb: char) {
        let magnitude = value.unsigned_abs();
        let negative = value < 0;
        let mut wanted = 0;
        if let Some(precision) = self.precision {
            wanted = precision;
            if precision == 0 && value == 0 {
                self.without_zero().padding(out, self.width.unwrap_or(0));
                return;
            }
        } else if let Some(width) = self.width
            && self.zero
            && !self.minus
        {
            wanted = width;
            if negative || self.plus || self.space {
                wanted = wanted.saturating_sub(1);
            }
        }
        let digits = match verb {
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            _ => magnitude.to_string(),
        };
        let zeros = wanted.saturating_sub(digits.len());
        let prefix = match verb {
            'b' if self.sharp => "0b",
            'o' if self.sharp && zeros == 0 && !digits.starts_with('0') => "0",
            'O' if self.sharp && zeros == 0 && !digits.starts_with('0') => "0o0",
            'O' => "0o",
            'x' if self.sharp => "0x",
            'X' if self.sharp => "0X",
            _ => "",
        };
        let sign = match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (.., true) => " ",
            _ => "",
        };
        let mut text = String::with_capacity(zeros + digits.len() + 4);
        text.push_str(sign);
        text.push_str(prefix);
        text.extend(std::iter::repeat_n('0', zeros));
        text.push_str(&digits);
        self.without_zero().pad(out, &text);
    }

    fn code_point(value: i64) -> char {
        u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    pub(super) fn character(&self, out: &mut String, value: i64) {
        self.pad(out, Self::code_point(value).encode_utf8(&mut [0; 4]));
    }

    pub(super) fn quoted_character(&self, out: &mut String, value: i64) {
        let text = Self::code_point(value).encode_utf8(&mut [0; 4]).to_owned();
        self.pad(out, &strconv::quote_with(&text, '\'', self.plus));
    }

    pub(super) fn unicode(&self, out: &mut String, value: i64) {
        let digits = self.precision.unwrap_or(4).max(4);
        let mut text = String::from("U+");
        let hex = format!("{value:X}");
        text.extend(std::iter::repeat_n('0', digits.saturating_sub(hex.len())));
        text.push_str(&hex);
        if self.sharp
            && let Some(c) = u32::try_from(value).ok().and_then(char::from_u32)
            && strconv::is_print(c)
        {
            text.extend([' ', '\'', c, '\'']);
        }
        self.without_zero().pad(out, &text);
    }

    pub(super) fn float(&self, out: &mut String, value: f64, verb: char, default: Option<usize>) {
        let precision = self.precision.or(default);
        let text = strconv::format_float(value, verb, precision);
        let (mut sign, mut digits) = match text.strip_prefix(['-', '+']) {
            Some(rest) => (if text.starts_with('-') { '-' } else { '+' }, rest.to_owned()),
            None => ('+', text),
        };
        if self.space && sign == '+' && !self.plus {
            sign = ' ';
        }
        if !value.is_finite() {
            let signed = !value.is_nan() && sign != '+' || self.space || self.plus;
            let text = if signed { format!("{sign}{digits}") } else { digits };
            self.without_zero().pad(out, &text);
            return;
        }
        if self.sharp && verb != 'b' {
            digits = with_point(&digits, verb, precision);
        }
        if !self.plus && sign == '+' {
            self.pad(out, &digits);
            return;
        }
        let length = digits.chars().count() + 1;
        match self.width {
            // The sign comes before the zeros.
            Some(width) if self.zero && !self.minus && width > length => {
                out.push(sign);
                self.padding(out, width - length);
                out.push_str(&digits);
            }
            _ => self.pad(out, &format!("{sign}{digits}")),
        }
    }
}

/// Applies `#` to a float: always a decimal point, and no zeros removed.
fn with_point(number: &str, verb: char, precision: Option<usize>) -> String {
    let hex = matches!(verb, 'x' | 'X');
    let mut missing = match verb {
        'g' | 'G' | 'x' => i64::try_from(precision.unwrap_or(6)).unwrap_or(i64::MAX),
        _ => 0,
    };
    let is_exponent = |c: char| matches!(c, 'p' | 'P') || !hex && matches!(c, 'e' | 'E');
    let split = number.find(is_exponent).unwrap_or(number.len());
    let (body, tail) = number.split_at_checked(split).unwrap_or((number, ""));
    let mut nonzero = false;
    for c in body.chars().filter(|&c| c != '.') {
        nonzero |= c != '0';
        missing -= i64::from(nonzero);
    }
    let mut out = body.to_owned();
    if !body.contains('.') {
        if body == "0" {
            missing -= 1;
        }
        out.push('.');
    }
    out.extend(std::iter::repeat_n('0', usize::try_from(missing).unwrap_or(0)));
    out.push_str(tail);
    out
}
