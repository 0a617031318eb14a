//! Go's `strconv`: parsing and printing of numbers, and quoting. Source: Go 1.26 `strconv`.

use super::tables;

/// Why a text is not a number or a boolean, printed as Go's `*strconv.NumError`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumError {
    func: &'static str,
    text: String,
    what: &'static str,
}

impl std::fmt::Display for NumError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "strconv.{}: parsing {}: {}", self.func, quote(&self.text), self.what)
    }
}

impl std::error::Error for NumError {}

fn syntax(func: &'static str, text: &str) -> NumError {
    NumError { func, text: text.to_owned(), what: "invalid syntax" }
}

fn range(func: &'static str, text: &str) -> NumError {
    NumError { func, text: text.to_owned(), what: "value out of range" }
}

/// `ParseInt(s, 10, 64)`.
///
/// # Errors
/// Anything but an optional sign and digits, or more than 64 bits hold.
pub fn parse_int(s: &str) -> Result<i64, NumError> {
    let digits = s.strip_prefix(['+', '-']).unwrap_or(s);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(syntax("ParseInt", s));
    }
    // Only the range can be wrong now.
    s.parse().map_err(|_| range("ParseInt", s))
}

/// `ParseBool(s)`.
///
/// # Errors
/// Anything but the twelve spellings Go knows.
pub fn parse_bool(s: &str) -> Result<bool, NumError> {
    match s {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(syntax("ParseBool", s)),
    }
}

/// `ParseFloat(s, 64)`. May yield infinities and NaN, when the text says so.
///
/// # Errors
/// Text that is no Go float literal, or a magnitude that rounds to infinity.
pub fn parse_float(s: &str) -> Result<f64, NumError> {
    let err = || syntax("ParseFloat", s);
    let (negative, body) = match s.as_bytes().first() {
        Some(b'-') => (true, s.get(1..).unwrap_or_default()),
        Some(b'+') => (false, s.get(1..).unwrap_or_default()),
        _ => (false, s),
    };
    let signed = |v: f64| if negative { -v } else { v };
    if body.eq_ignore_ascii_case("inf") || body.eq_ignore_ascii_case("infinity") {
        return Ok(signed(f64::INFINITY));
    }
    if s.eq_ignore_ascii_case("nan") {
        return Ok(f64::NAN);
    }
    if body.contains('_') && !underscores_ok(body) {
        return Err(err());
    }
    let hex = body.len() > 2 && body.get(..2).is_some_and(|p| p.eq_ignore_ascii_case("0x"));
    let digits = if hex { body.get(2..).unwrap_or_default() } else { body };
    let parts = FloatText::split(digits, hex).ok_or_else(err)?;
    let value = if hex { parts.hex_value() } else { parts.decimal_value() };
    if value.is_infinite() {
        return Err(range("ParseFloat", s));
    }
    Ok(signed(value))
}

/// A float literal in pieces, underscores removed.
struct FloatText {
    whole: Vec<u8>,
    fraction: Vec<u8>,
    exponent: i64,
}

impl FloatText {
    fn split(text: &str, hex: bool) -> Option<Self> {
        let is_digit = |b: u8| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
        let mut bytes = text.bytes().filter(|&b| b != b'_').peekable();
        let mut whole = Vec::new();
        let mut fraction = Vec::new();
        while let Some(b) = bytes.next_if(|&b| is_digit(b)) {
            whole.push(b);
        }
        if bytes.next_if_eq(&b'.').is_some() {
            while let Some(b) = bytes.next_if(|&b| is_digit(b)) {
                fraction.push(b);
            }
        }
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let marker = if hex { b'p' } else { b'e' };
        let mut exponent = 0i64;
        if bytes.next_if(|b| b.to_ascii_lowercase() == marker).is_some() {
            let negative = match bytes.next_if(|b| matches!(b, b'+' | b'-')) {
                Some(sign) => sign == b'-',
                None => false,
            };
            let mut seen = false;
            while let Some(b) = bytes.next_if(u8::is_ascii_digit) {
                seen = true;
                // Go stops counting here as well.
                if exponent < 10_000 {
                    exponent = exponent * 10 + i64::from(b - b'0');
                }
            }
            if !seen {
                return None;
            }
            if negative {
                exponent = -exponent;
            }
        } else if hex {
            // A hexadecimal literal must have an exponent.
            return None;
        }
        bytes.next().is_none().then_some(Self { whole, fraction, exponent })
    }

    fn decimal_value(&self) -> f64 {
        let text: String = [&self.whole[..], b".", &self.fraction[..], b"e"]
            .concat()
            .into_iter()
            .map(char::from)
            .chain(self.exponent.to_string().chars())
            .collect();
        text.parse().unwrap_or(f64::INFINITY)
    }

    /// Rounds a hexadecimal literal to nearest, ties to even.
    fn hex_value(&self) -> f64 {
        let mut mantissa = 0u64;
        let mut exponent = self.exponent;
        let digits = self.whole.iter().map(|&b| (b, false));
        for (b, after_point) in digits.chain(self.fraction.iter().map(|&b| (b, true))) {
            let digit = u64::from(char::from(b).to_digit(16).unwrap_or(0));
            if mantissa >> 59 == 0 {
                mantissa = mantissa << 4 | digit;
                exponent -= if after_point { 4 } else { 0 };
            } else {
                // Too small to count, but it breaks ties.
                mantissa |= u64::from(digit != 0);
                exponent += if after_point { 0 } else { 4 };
            }
        }
        if mantissa == 0 {
            return 0.0;
        }
        let top = 63 - i64::from(mantissa.leading_zeros());
        // The exponent of the last bit that a double of this size can hold.
        let last = (top + exponent - 52).max(-1074);
        let shift = last - exponent;
        let rounded = match shift {
            ..=0 => mantissa << (-shift).min(63),
            1..=63 => {
                let (kept, half) = (mantissa >> shift, 1u64 << (shift - 1));
                let rest = mantissa & (half * 2 - 1);
                kept + u64::from(rest > half || rest == half && kept & 1 == 1)
            }
            64 if mantissa > 1 << 63 => 1,
            _ => 0,
        };
        // Both factors are exact, and so is the product: it has been rounded already.
        let mut value = rounded as f64;
        let mut scale = last;
        while scale > 1023 && value.is_finite() {
            value *= 2f64.powi(1023);
            scale -= 1023;
        }
        while scale < -1022 {
            value *= 2f64.powi(-52);
            scale += 52;
        }
        value * 2f64.powi(i32::try_from(scale).unwrap_or(i32::MAX))
    }
}

/// Whether every underscore stands between digits, or between a base prefix and a digit.
fn underscores_ok(text: &str) -> bool {
    let mut previous = b'^';
    let mut bytes = text.as_bytes();
    let mut hex = false;
    if let [b'0', base @ (b'b' | b'B' | b'o' | b'O' | b'x' | b'X'), rest @ ..] = bytes {
        hex = base.eq_ignore_ascii_case(&b'x');
        previous = b'0';
        bytes = rest;
    }
    for &b in bytes {
        if b.is_ascii_digit() || hex && b.is_ascii_hexdigit() {
            previous = b'0';
        } else if b == b'_' {
            if previous != b'0' {
                return false;
            }
            previous = b'_';
        } else {
            if previous == b'_' {
                return false;
            }
            previous = b'!';
        }
    }
    previous != b'_'
}

/// The significant decimal digits of a number, `0.ddd * 10^point`, no zeros at the end.
struct Decimal {
    digits: Vec<u8>,
    point: i64,
}

/// A double's exact decimal expansion has no more digits than this.
const MAX_DIGITS: usize = 1100;

impl Decimal {
    /// `count` significant digits, or as few as tell the number from its neighbours.
    fn of(value: f64, count: Option<usize>) -> Self {
        let value = value.abs();
        let text = match count {
            None => format!("{value:e}"),
            Some(n) => format!("{value:.*e}", n.clamp(1, MAX_DIGITS) - 1),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let point = if digits.is_empty() { 0 } else { exponent.parse().unwrap_or(0) + 1 };
        Self { digits, point }
    }

    fn digit(&self, i: i64) -> char {
        usize::try_from(i).ok().and_then(|i| self.digits.get(i)).map_or('0', |&b| char::from(b))
    }

    fn len(&self) -> i64 {
        i64::try_from(self.digits.len()).unwrap_or(i64::MAX)
    }

    fn write_e(&self, out: &mut String, precision: i64, e: char) {
        out.push(self.digit(0));
        if precision > 0 {
            out.push('.');
            out.extend((1..=precision).map(|i| self.digit(i)));
        }
        let exponent = if self.digits.is_empty() { 0 } else { self.point - 1 };
        out.push(e);
        push_exponent(out, exponent);
    }

    fn write_f(&self, out: &mut String, precision: i64) {
        if self.point > 0 {
            out.extend((0..self.point).map(|i| self.digit(i)));
        } else {
            out.push('0');
        }
        if precision > 0 {
            out.push('.');
            out.extend((0..precision).map(|i| self.digit(self.point + i)));
        }
    }
}

fn push_exponent(out: &mut String, exponent: i64) {
    use std::fmt::Write as _;
    let sign = if exponent < 0 { '-' } else { '+' };
    // Writing to a String does not fail.
    let _ = write!(out, "{sign}{:02}", exponent.abs());
}

/// `FormatFloat(value, verb, precision, 64)`; no precision is Go's -1, the shortest text that
/// reads back as the same number. `verb` is one of `b e E f g G x X`.
pub fn format_float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let mut out = String::new();
    if value.is_sign_negative() {
        out.push('-');
    }
    let wanted = precision.map(|p| i64::try_from(p).unwrap_or(i64::MAX));
    match verb {
        'b' => write_binary(&mut out, value),
        'x' | 'X' => write_hex(&mut out, value, wanted, verb),
        'e' | 'E' => {
            let decimal = Decimal::of(value, precision.map(|p| p.saturating_add(1)));
            decimal.write_e(&mut out, wanted.unwrap_or_else(|| (decimal.len() - 1).max(0)), verb);
        }
        'g' | 'G' => {
            let decimal = Decimal::of(value, precision);
            let mut digits = wanted.map_or(decimal.len(), |p| p.max(1));
            let threshold = match wanted {
                None => 6,
                Some(_) if digits > decimal.len() && decimal.len() >= decimal.point => {
                    decimal.len()
                }
                Some(_) => digits,
            };
            let exponent = decimal.point - 1;
            if exponent < -4 || exponent >= threshold {
                digits = digits.min(decimal.len());
                decimal.write_e(&mut out, digits - 1, if verb == 'g' { 'e' } else { 'E' });
            } else {
                if digits > decimal.point {
                    digits = decimal.len();
                }
                decimal.write_f(&mut out, (digits - decimal.point).max(0));
            }
        }
        _ => match precision {
            None => {
                let decimal = Decimal::of(value, None);
                decimal.write_f(&mut out, (decimal.len() - decimal.point).max(0));
            }
            Some(p) => {
                let exact = p.min(MAX_DIGITS);
                out.push_str(&format!("{:.*}", exact, value.abs()));
                out.extend(std::iter::repeat_n('0', p - exact));
            }
        },
    }
    out
}

/// The mantissa with its top bit at bit 52, and the exponent of that bit.
fn mantissa_exponent(value: f64) -> (u64, i64) {
    let bits = value.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    match i64::try_from(bits >> 52 & 0x7ff).unwrap_or(0) {
        0 => (mantissa, -1022),
        biased => (mantissa | 1 << 52, biased - 1023),
    }
}

fn write_binary(out: &mut String, value: f64) {
    let (mantissa, exponent) = mantissa_exponent(value);
    let exponent = exponent - 52;
    out.push_str(&format!("{mantissa}p{exponent:+}"));
}

fn write_hex(out: &mut String, value: f64, precision: Option<i64>, verb: char) {
    let (mut mantissa, mut exponent) = mantissa_exponent(value);
    if mantissa == 0 {
        exponent = 0;
    }
    mantissa <<= 8;
    while mantissa != 0 && mantissa & 1 << 60 == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(p @ 0..15) = precision {
        let shift = p * 4;
        let extra = mantissa << shift & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        if extra | mantissa & 1 > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & 1 << 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let hex = |nibble: u64| {
        let c = u32::try_from(nibble & 15).ok().and_then(|d| char::from_digit(d, 16));
        let c = c.unwrap_or('0');
        if verb == 'X' { c.to_ascii_uppercase() } else { c }
    };
    out.push('0');
    out.push(verb);
    out.push(hex(mantissa >> 60 & 1));
    mantissa <<= 4;
    match precision {
        None if mantissa != 0 => {
            out.push('.');
            while mantissa != 0 {
                out.push(hex(mantissa >> 60));
                mantissa <<= 4;
            }
        }
        Some(p) if p > 0 => {
            out.push('.');
            for _ in 0..p {
                out.push(hex(mantissa >> 60));
                mantissa <<= 4;
            }
        }
        _ => {}
    }
    out.push(if verb == 'X' { 'P' } else { 'p' });
    push_exponent(out, exponent);
}

/// Whether Go's `strconv.IsPrint` holds: letters, marks, numbers, punctuation, symbols and the
/// ASCII space.
pub fn is_print(c: char) -> bool {
    let c = u32::from(c);
    if c < 0x7f {
        return c >= 0x20;
    }
    let after = tables::PRINT.partition_point(|&(low, _)| low <= c);
    after.checked_sub(1).and_then(|i| tables::PRINT.get(i)).is_some_and(|&(_, high)| c <= high)
}

/// `Quote(s)`: a double-quoted Go string.
pub fn quote(s: &str) -> String {
    quote_with(s, '"', false)
}

/// `QuoteToASCII(s)`.
pub fn quote_to_ascii(s: &str) -> String {
    quote_with(s, '"', true)
}

/// Quotes `s` with `quote`, and writes everything past ASCII as escapes when `ascii`.
pub fn quote_with(s: &str, quote: char, ascii: bool) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(s.len() + 2);
    out.push(quote);
    for c in s.chars() {
        match c {
            _ if c == quote || c == '\\' => out.extend(['\\', c]),
            _ if (!ascii || c.is_ascii()) && is_print(c) => out.push(c),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            // Writing to a String does not fail.
            _ => {
                let n = u32::from(c);
                let _ = match n {
                    0..0x20 | 0x7f => write!(out, "\\x{n:02x}"),
                    ..0x10000 => write!(out, "\\u{n:04x}"),
                    _ => write!(out, "\\U{n:08x}"),
                };
            }
        }
    }
    out.push(quote);
    out
}

/// `CanBackquote(s)`: one line without control characters, back quotes or byte order marks.
pub fn can_backquote(s: &str) -> bool {
    !s.chars()
        .any(|c| matches!(c, '\0'..' ' if c != '\t') || matches!(c, '`' | '\x7f' | '\u{feff}'))
}
