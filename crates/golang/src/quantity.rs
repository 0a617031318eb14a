//! Kubernetes quantities as floats: `resource.ParseQuantity` and `AsApproximateFloat64`.
//! Source: k8s.io/apimachinery 0.34 `pkg/api/resource`.
//!
//! A quantity is an integer and a power of ten. The float is their product, each rounded on its
//! own, so `0.1` is exact to the last bit only where Go's is.

const ERR_FORMAT: &str = "quantities must match the regular expression \
    '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const ERR_NUMERIC: &str = "unable to parse numeric part of quantity";
const ERR_SUFFIX: &str = "unable to parse quantity's suffix";

/// Parses a quantity and returns its approximate value, which may be infinite or NaN.
///
/// # Errors
/// The messages of apimachinery.
pub fn parse_to_float(text: &str) -> Result<f64, &'static str> {
    if text.is_empty() {
        return Err(ERR_FORMAT);
    }
    let parts = Parts::split(text).ok_or(ERR_FORMAT)?;
    let suffix = Suffix::interpret(parts.suffix).ok_or(ERR_SUFFIX)?;
    if let Some(value) = small(&parts, suffix)? {
        return Ok(value);
    }
    let digits = text.len() - parts.suffix.len();
    if !text.bytes().take(digits).any(is_digit) {
        return Err(ERR_NUMERIC);
    }
    Ok(large(&parts, suffix))
}

struct Parts<'a> {
    negative: bool,
    /// Digits before the point without leading zeros; `0` if there are none.
    whole: &'a str,
    /// Digits after the point.
    fraction: &'a str,
    suffix: &'a str,
}

/// Splits `text` after its leading bytes that satisfy `keep`.
fn span(text: &str, keep: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !keep(b)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn is_digit(b: u8) -> bool {
    b.is_ascii_digit()
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (_, rest) = span(rest, |b| b == b'0');
        let (whole, rest) = span(rest, is_digit);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => span(rest, is_digit),
            None => ("", rest),
        };
        let (_, tail) = span(suffix, |b| b"eEinumkKMGTP".contains(&b));
        let tail = tail.strip_prefix(['+', '-']).unwrap_or(tail);
        if !span(tail, is_digit).1.is_empty() {
            return None;
        }
        let whole = if whole.is_empty() { "0" } else { whole };
        Some(Self { negative: text.starts_with('-'), whole, fraction, suffix })
    }
}

#[derive(Clone, Copy)]
enum Suffix {
    /// Multiplies by ten to this power.
    Decimal(i32),
    /// Multiplies by two to this power, a multiple of ten up to 60.
    Binary(u32),
}

impl Suffix {
    fn interpret(text: &str) -> Option<Self> {
        Some(match text {
            "n" => Self::Decimal(-9),
            "u" => Self::Decimal(-6),
            "m" => Self::Decimal(-3),
            // Two to the power of zero, filed under the decimal suffixes.
            "" => Self::Decimal(0),
            "k" => Self::Decimal(3),
            "M" => Self::Decimal(6),
            "G" => Self::Decimal(9),
            "T" => Self::Decimal(12),
            "P" => Self::Decimal(15),
            "E" => Self::Decimal(18),
            "Ki" => Self::Binary(10),
            "Mi" => Self::Binary(20),
            "Gi" => Self::Binary(30),
            "Ti" => Self::Binary(40),
            "Pi" => Self::Binary(50),
            "Ei" => Self::Binary(60),
            _ => {
                let exponent = super::strconv::parse_int(text.strip_prefix(['e', 'E'])?).ok()?;
                // Go keeps the low 32 bits.
                Self::Decimal(exponent as i32)
            }
        })
    }
}

fn length(text: &str) -> i32 {
    i32::try_from(text.len()).unwrap_or(i32::MAX)
}

/// Handles numbers that fit in 64 bits. Returns `None` when the quantity needs [`large`].
fn small(parts: &Parts<'_>, suffix: Suffix) -> Result<Option<f64>, &'static str> {
    let digits = length(parts.whole).saturating_add(length(parts.fraction));
    let (precision, scale, factor) = match suffix {
        Suffix::Decimal(exponent) => (18i32.saturating_sub(digits), exponent, 1i64),
        Suffix::Binary(exponent) if parts.fraction.is_empty() => {
            // Ten bits are about three digits.
            let spent = i32::try_from(exponent / 10 * 3).unwrap_or(18);
            (14i32.saturating_sub(digits) - spent, 0, 1 << exponent)
        }
        Suffix::Binary(_) => return Ok(None),
    };
    let scale = scale.wrapping_sub(length(parts.fraction));
    if precision < 0 || scale < -9 {
        return Ok(None);
    }
    let text = format!("{}{}", parts.whole, parts.fraction);
    let value: i64 = text.parse().map_err(|_| ERR_NUMERIC)?;
    let Some(value) = value.checked_mul(factor) else { return Ok(None) };
    let value = if parts.negative { -value } else { value };
    Ok(Some(scaled(value as f64, scale)))
}

/// Handles all others: any number of digits, cut to nano and rounded away from zero.
fn large(parts: &Parts<'_>, suffix: Suffix) -> f64 {
    let mut digits: Vec<u8> =
        parts.whole.bytes().chain(parts.fraction.bytes()).map(|b| b - b'0').collect();
    let mut scale = length(parts.fraction);
    match suffix {
        Suffix::Decimal(exponent) => scale = scale.wrapping_sub(exponent),
        Suffix::Binary(exponent) => multiply(&mut digits, exponent),
    }
    if digits.iter().all(|&d| d == 0) {
        return scaled(0.0, scale.wrapping_neg());
    }
    if scale > 9 {
        let cut = usize::try_from(scale - 9).unwrap_or(usize::MAX);
        let keep = digits.len().saturating_sub(cut);
        let rest = digits.split_off(keep);
        if rest.iter().any(|&d| d != 0) {
            increment(&mut digits);
        }
        scale = 9;
    }
    let text: String = digits.iter().map(|&d| char::from(b'0' + d)).collect();
    // What remains is digits * 10^-scale, which is a whole number in nano, as Go holds it.
    let nano = format!("{text}e{}", 9 - i64::from(scale)).parse().unwrap_or(f64::INFINITY);
    let value = match suffix {
        Suffix::Binary(_) if exceeds_int64(&digits, scale) => i64::MAX as f64,
        _ => scaled(nano, -9),
    };
    if parts.negative { -value } else { value }
}

/// Multiplies decimal digits by two to the power of `exponent`, at most 60.
fn multiply(digits: &mut Vec<u8>, exponent: u32) {
    let mut carry = 0u64;
    for digit in digits.iter_mut().rev() {
        let product = (u128::from(*digit) << exponent) + u128::from(carry);
        *digit = u8::try_from(product % 10).unwrap_or(0);
        carry = u64::try_from(product / 10).unwrap_or(u64::MAX);
    }
    let mut head = Vec::new();
    while carry > 0 {
        head.push(u8::try_from(carry % 10).unwrap_or(0));
        carry /= 10;
    }
    head.reverse();
    digits.splice(0..0, head);
}

fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
}

/// Reports whether digits * 10^-scale, with scale from 0 to 9, exceeds the largest `int64`.
fn exceeds_int64(digits: &[u8], scale: i32) -> bool {
    let fraction = usize::try_from(scale).unwrap_or(0);
    let whole = digits.len().saturating_sub(fraction);
    let (whole, fraction) = digits.split_at_checked(whole).unwrap_or((digits, &[]));
    let whole = whole.iter().try_fold(0u64, |n, &d| n.checked_mul(10)?.checked_add(u64::from(d)));
    let max = i64::MAX.unsigned_abs();
    match whole {
        Some(whole) => whole > max || whole == max && fraction.iter().any(|&d| d != 0),
        None => true,
    }
}

fn scaled(base: f64, exponent: i32) -> f64 {
    if exponent == 0 { base } else { base * pow10(exponent) }
}

/// Go's `math.Pow10`: a product of two powers, each as exact as possible, and so not always the
/// nearest double.
fn pow10(n: i32) -> f64 {
    let power = |n: u32| format!("1e{n}").parse().unwrap_or(f64::INFINITY);
    let magnitude = n.unsigned_abs();
    match n {
        0..=308 => power(magnitude / 32 * 32) * power(magnitude % 32),
        -323..=-1 => {
            let negative: f64 = format!("1e-{}", magnitude / 32 * 32).parse().unwrap_or(0.0);
            negative / power(magnitude % 32)
        }
        309.. => f64::INFINITY,
        _ => 0.0,
    }
}
