//! `ParseInt`, `ParseBool` and `ParseFloat`. Source: Go 1.26 `internal/strconv`.

use super::quote;

/// Why a text is not a number or a boolean, printed as Go's `*strconv.NumError` is.
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

/// Parses as `ParseInt(s, 10, 64)` does.
///
/// # Errors
/// Anything but an optional sign and digits, or a number that does not fit in 64 bits.
pub fn parse_int(s: &str) -> Result<i64, NumError> {
    let digits = s.strip_prefix(['+', '-']).unwrap_or(s);
    if digits.is_empty() {
        return Err(syntax("ParseInt", s));
    }
    let mut magnitude = 0u64;
    for b in digits.bytes() {
        if !b.is_ascii_digit() {
            return Err(syntax("ParseInt", s));
        }
        // Go stops here, and does not see what is wrong further on.
        magnitude = magnitude
            .checked_mul(10)
            .and_then(|m| m.checked_add(u64::from(b - b'0')))
            .ok_or_else(|| range("ParseInt", s))?;
    }
    let value = i128::from(magnitude) * if s.starts_with('-') { -1 } else { 1 };
    i64::try_from(value).map_err(|_| range("ParseInt", s))
}

/// Parses as `ParseBool(s)` does.
///
/// # Errors
/// Anything but the twelve spellings that Go accepts.
pub fn parse_bool(s: &str) -> Result<bool, NumError> {
    match s {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(syntax("ParseBool", s)),
    }
}

/// Parses as `ParseFloat(s, 64)` does. Returns infinities and NaN if the text says so.
///
/// # Errors
/// Text that is not a Go float literal, or a magnitude that rounds to infinity.
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

/// A float literal in pieces, with underscores removed.
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
                // Go stops counting here too.
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

    /// Rounds a hexadecimal literal to the nearest double, ties to even.
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
        // Both factors are exact, and so is the product, which has already been rounded.
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

/// Reports whether every underscore is between digits, or between a base prefix and a digit.
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
