//! What a scalar means in YAML 1.1, as go-yaml 2.4 decides (`resolve.go`), and what
//! `sigs.k8s.io/yaml` turns that into in JSON.

use serde_json::{Number, Value};

use super::CORE_TAG;
use golang::base64;

/// A scalar as Go sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    Null,
    Bool(bool),
    Int(i64),
    /// More than fits an `i64`.
    Uint(u64),
    /// Including infinities and NaN.
    Float(f64),
    /// The string of its text.
    Text,
    /// Another string, which a tag made from its text.
    Other(String),
}

/// Resolves an unquoted JSON scalar.
pub(super) fn literal(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|_| format!("{text} is too large a number"))
}

/// Resolves a scalar. Quoted ones are strings, unless a tag says otherwise.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Meaning, String> {
    let Some(tag) = tag else {
        return Ok(if plain { guess(text) } else { Meaning::Text });
    };
    let wrong = || Err(format!("{text:?} is not of the type that its tag says"));
    let guessed = match tag.strip_prefix(CORE_TAG) {
        Some("binary") => {
            return match base64::decode(text) {
                Ok(bytes) => Ok(Meaning::Other(lossy(&bytes))),
                Err(_) => Err("!!binary takes base64, and this is not".to_owned()),
            };
        }
        Some("int" | "float" | "bool" | "null") => guess(text),
        Some("timestamp") if is_timestamp(text) => return Ok(Meaning::Text),
        Some("timestamp") => return wrong(),
        _ => return Ok(Meaning::Text),
    };
    match (tag.strip_prefix(CORE_TAG), guessed) {
        (Some("int"), meaning @ (Meaning::Int(_) | Meaning::Uint(_)))
        | (Some("float"), meaning @ Meaning::Float(_))
        | (Some("bool"), meaning @ Meaning::Bool(_))
        | (Some("null"), meaning @ Meaning::Null) => Ok(meaning),
        #[allow(clippy::cast_precision_loss, reason = "upstream converts as well")]
        (Some("float"), Meaning::Int(value)) => Ok(Meaning::Float(value as f64)),
        _ => wrong(),
    }
}

impl Meaning {
    /// Converts it to a JSON value; `None` if it is the string of its text.
    pub(super) fn value(self, text: &str) -> Result<Option<Value>, String> {
        Ok(Some(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => value.into(),
            Self::Uint(value) => value.into(),
            Self::Float(value) => match float(value) {
                Some(number) => Value::Number(number),
                None => return Err(format!("{text} cannot be said in JSON; quote it")),
            },
            Self::Text => return Ok(None),
            Self::Other(value) => Value::String(value),
        }))
    }

    /// Converts it to a JSON key, which is a string; `None` if it is its text.
    pub(super) fn key(self) -> Result<Option<String>, &'static str> {
        Ok(Some(match self {
            Self::Null => return Err("a key is missing before the colon, or it is null"),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Uint(_) => return Err("a key that is a number must be below 2^63; quote it"),
            Self::Float(value) => float_key(value),
            Self::Text => return Ok(None),
            Self::Other(value) => value,
        }))
    }
}

/// Guesses the meaning of a plain scalar.
fn guess(text: &str) -> Meaning {
    let Some(first) = text.bytes().next() else { return Meaning::Null };
    match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' | b'~' => {}
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => {}
        _ => return Meaning::Text,
    }
    match text {
        "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Meaning::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Meaning::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Meaning::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Meaning::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Meaning::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if first == b'.' {
        return fraction(text).map_or(Meaning::Text, Meaning::Float);
    }
    if !(first.is_ascii_digit() || first == b'+' || first == b'-') {
        return Meaning::Text;
    }
    let text = &text.replace('_', "");
    if let Some(integer) = integer(text) {
        return integer;
    }
    if let Some(float) = decimal(text) {
        return Meaning::Float(float);
    }
    // What Go's own prefix handling does not cover.
    match text.strip_prefix("0b").map(|digits| i64::from_str_radix(digits, 2)) {
        Some(Ok(value)) => Meaning::Int(value),
        _ => Meaning::Text,
    }
}

/// Parses what starts with a dot as `strconv.ParseFloat` does: underscores only between digits.
fn fraction(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let fits = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'_')
        .all(|(at, _)| digit(at.checked_sub(1)) && digit(Some(at + 1)));
    fits.then(|| decimal(&text.replace('_', ""))).flatten()
}

/// Parses as `strconv.ParseInt(text, 0, 64)` does, then as `ParseUint`, which accepts no sign.
fn integer(text: &str) -> Option<Meaning> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (Some(true), text.get(1..)?),
        b'+' => (Some(false), text.get(1..)?),
        _ => (None, text),
    };
    let (radix, digits) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, digits.get(2..)?),
        Some("0o") => (8, digits.get(2..)?),
        Some("0b") => (2, digits.get(2..)?),
        Some(_) if digits.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    let signed = match sign {
        Some(true) => 0_i64.checked_sub_unsigned(magnitude),
        _ => i64::try_from(magnitude).ok(),
    };
    match signed {
        Some(value) => Some(Meaning::Int(value)),
        None => sign.is_none().then_some(Meaning::Uint(magnitude)),
    }
}

/// Parses `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, if it is not too large.
fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    if !mantissa_fits || !exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e))) {
        return None;
    }
    text.parse().ok().filter(|float: &f64| float.is_finite())
}

/// Returns the number that a float's JSON text reads back as. Below 1e21 that text has no exponent,
/// so a whole number is an integer if it fits in one.
fn float(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < 1e21 && !(value == 0.0 && value.is_sign_negative()) {
        let text = format!("{value}");
        if let Ok(integer) = text.parse::<i64>() {
            return Some(integer.into());
        }
        if let Ok(integer) = text.parse::<u64>() {
            return Some(integer.into());
        }
    }
    Number::from_f64(value)
}

/// Formats as `strconv.FormatFloat(value, 'g', -1, 32)` does, with YAML's names for non-finite
/// values.
#[allow(clippy::cast_possible_truncation, reason = "upstream rounds keys to 32 bits")]
fn float_key(value: f64) -> String {
    let value = value as f32;
    if !value.is_finite() {
        return match (value.is_nan(), value > 0.0) {
            (true, _) => ".nan",
            (false, true) => ".inf",
            (false, false) => "-.inf",
        }
        .to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Decodes as Go's JSON does, with U+FFFD for each byte that is not valid UTF-8.
fn lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                out.push_str(text);
                break;
            }
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                out.push_str(std::str::from_utf8(valid).unwrap_or_default());
                out.push('\u{fffd}');
                rest = after.get(1..).unwrap_or_default();
            }
        }
    }
    out
}

/// Checks the four layouts that go-yaml passes to `time.Parse`.
fn is_timestamp(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at..)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
        return false;
    };
    let number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        let fits = lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) =
        (number(year, 4..=4), number(month, 1..=2), number(day, 1..=2))
    else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    if day == 0 || day > days {
        return false;
    }
    let Some(time) = time else { return true };
    let zoned = !time.starts_with(' ');
    let time = time.get(1..).unwrap_or_default();
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let mut parts = clock.splitn(3, ':');
    let (Some(hour), Some(minute), Some(second)) = (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (second, fraction) = match second.split_once(['.', ',']) {
        Some((second, fraction)) => (second, Some(fraction)),
        None => (second, None),
    };
    let below = |text: &str, limit: u32| number(text, 1..=2).is_some_and(|n| n < limit);
    let zone_fits = match zone.strip_prefix(['+', '-']) {
        None => zone == if zoned { "Z" } else { "" },
        Some(offset) => offset.split_once(':').is_some_and(|(hours, minutes)| {
            zoned
                && number(hours, 2..=2).is_some_and(|n| n <= 24)
                && number(minutes, 2..=2).is_some_and(|n| n <= 60)
        }),
    };
    let fraction_fits =
        fraction.is_none_or(|f| !f.is_empty() && f.bytes().all(|b| b.is_ascii_digit()));
    zone_fits && fraction_fits && below(hour, 24) && below(minute, 60) && below(second, 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of `sigs.k8s.io/yaml` 1.6 for the same plain scalars.
    #[test]
    fn scalars_mean_what_kubectl_takes_them_for() {
        let scalars = "y n yes on Off 0777 0o17 0b11 0x1F 1_000 1e3 .5 1. +1 -0 \
            18446744073709551615 99999999999999999999 2024-01-01 12:30:45 ~ Null 1.0 0.1 0x 08 \
            1__0 _1 0_7 -0b1 -0o7 1e5_0 0X1f 0B1 0O7 -0x1 1_.5 +.5 e5 - + . 1e+5 1.5e-3 0.0 -0.0 \
            100000000000000000000000 1e21 12345678.0 1e20 = << TRUE yES 1e400";
        let expected = r#"[true,false,true,true,false,511,15,3,31,1000,1000,0.5,1,1,0,
            18446744073709551615,100000000000000000000,"2024-01-01","12:30:45",null,null,1,0.1,
            "0x",8,10,"_1",7,-1,-7,1e+50,31,1,7,-1,1.5,0.5,"e5","-","+",".",100000,0.0015,0,-0,
            1e+23,1e+21,12345678,100000000000000000000,"=","<<",true,"yES","1e400"]"#;
        let expected: Vec<Value> = serde_json::from_str(expected).unwrap();
        let scalars: Vec<&str> = scalars.split_whitespace().collect();
        assert_eq!(scalars.len(), expected.len());
        for (scalar, expected) in scalars.iter().zip(expected) {
            let value = resolve(scalar, true, None).unwrap().value(scalar).unwrap();
            assert_eq!(value.unwrap_or_else(|| (*scalar).into()), expected, "{scalar}");
        }
    }
}
