//! `FormatFloat` in all its modes. Source: Go 1.26 `internal/strconv/ftoa.go`.

/// A number's significant decimal digits, `0.ddd * 10^point`, without trailing zeros.
struct Decimal {
    digits: Vec<u8>,
    point: i64,
}

/// Formats as few digits as read back as the same number. If two such texts are equally near, Go
/// takes the even one and Rust does not.
fn shortest(value: f64) -> String {
    let text = format!("{value:e}");
    let digits = text.find('e').unwrap_or(0).saturating_sub(1);
    if digits < 15 {
        return text;
    }
    let even = format!("{value:.*e}", digits - 1);
    if even.parse() == Ok(value) { even } else { text }
}

/// A double's exact decimal expansion has no more digits than this.
const MAX_DIGITS: usize = 1100;

impl Decimal {
    /// Returns `count` significant digits, or as few as distinguish the number from its neighbours.
    fn of(value: f64, count: Option<usize>) -> Self {
        let value = value.abs();
        let text = match count {
            None => shortest(value),
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
    // Writing to a String cannot fail.
    let _ = write!(out, "{sign}{:02}", exponent.abs());
}

/// Formats as `FormatFloat(value, verb, precision, 64)`; no precision is Go's -1, the shortest text
/// that reads back as the same number. `verb` is one of `b e E f g G x X`.
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

/// Returns the mantissa with its top bit at bit 52, and the exponent of that bit.
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
