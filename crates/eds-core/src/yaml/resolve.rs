//! What a plain scalar means in YAML 1.1, as go-yaml 2 decides it (`resolve.go`).

use serde_json::{Number, Value};

/// A scalar's value, or nothing where it is the string of its text. Quoted scalars are strings,
/// unless a tag says otherwise.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Option<Value>, String> {
    match tag {
        Some("str" | "binary" | "timestamp") => Ok(None),
        Some("int" | "float" | "bool" | "null") => {
            let fits = |value: &Value| match tag {
                Some("int") => value.is_i64() || value.is_u64(),
                Some("float") => value.is_number(),
                Some("bool") => value.is_boolean(),
                _ => value.is_null(),
            };
            match guess(text).filter(fits) {
                Some(value) => Ok(Some(value)),
                None => Err(format!("{text:?} is no {}", tag.unwrap_or_default())),
            }
        }
        _ if plain => {
            if matches!(
                text,
                ".inf"
                    | ".Inf"
                    | ".INF"
                    | "+.inf"
                    | "+.Inf"
                    | "+.INF"
                    | "-.inf"
                    | "-.Inf"
                    | "-.INF"
                    | ".nan"
                    | ".NaN"
                    | ".NAN"
            ) {
                return Err(format!("{text} cannot be said in JSON; quote it"));
            }
            Ok(guess(text))
        }
        _ => Ok(None),
    }
}

/// What a plain scalar is taken for, where that is no string.
fn guess(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Some(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(Value::Bool(false));
        }
        _ => {}
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && let Some(number) = number(&text.replace('_', ""))
    {
        return Some(Value::Number(number));
    }
    None
}

/// Integers with Go's prefixes first, then decimal floats. An integral float becomes an integer,
/// because its JSON text is one.
fn number(text: &str) -> Option<Number> {
    if let Some(integer) = integer(text) {
        return Some(integer);
    }
    if !is_float(text) {
        return None;
    }
    let float: f64 = text.parse().ok()?;
    if !float.is_finite() {
        return None;
    }
    if float.fract() == 0.0 && float.abs() < 1e21 {
        // The text of such a float has no exponent, so it reads back as an integer if one fits.
        if let Ok(integer) = format!("{float:.0}").parse::<i64>()
            && !(float == 0.0 && float.is_sign_negative())
        {
            return Some(integer.into());
        }
    }
    Number::from_f64(float)
}

/// `strconv.ParseInt(text, 0, 64)`, then `ParseUint`.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
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
    if negative {
        return 0_i64.checked_sub_unsigned(magnitude).map(Number::from);
    }
    Some(magnitude.into())
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
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
    mantissa_fits && exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of `sigs.k8s.io/yaml` 1.6 to the same plain scalars.
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
            let value = resolve(scalar, true, None).unwrap();
            assert_eq!(value.unwrap_or_else(|| (*scalar).into()), expected, "{scalar}");
        }
    }
}
