//! `format`, as the API server checks it.
//!
//! Source: `k8s.io/kube-openapi` `pkg/validation/strfmt`, `apiextensions-apiserver`
//! `validation/formats.go`. The rest of its list (isbn, creditcard, ssn, colours, email, mac,
//! bsonobjectid) is not used by any schema here and is accepted as valid.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reports whether a text has the format. As upstream does, accepts any text for an unknown format.
pub(super) fn holds(format: &str, text: &str) -> bool {
    match format.replace('-', "").as_str() {
        "datetime" => date_time(text),
        "date" => text.is_ascii() && date(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => text.split_once('/').is_some_and(|(address, bits)| {
            let most = match address.parse::<IpAddr>() {
                Ok(IpAddr::V4(_)) => 32,
                Ok(IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            bits.parse::<u8>().is_ok_and(|bits| bits <= most)
        }),
        "hostname" => hostname(text),
        "uri" => text.starts_with('/') || text.split_once(':').is_some_and(|(s, _)| scheme(s)),
        "uuid" => uuid(text, None),
        "uuid3" => uuid(text, Some('3')),
        "uuid4" => uuid(text, Some('4')),
        "uuid5" => uuid(text, Some('5')),
        "byte" => base64(text),
        "k8sshortname" => super::metadata::dns_label(text),
        "k8slongname" => super::metadata::dns_subdomain(text),
        _ => true,
    }
}

fn scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn number(text: &str, from: usize, to: usize) -> Option<u32> {
    let part = text.get(from..to)?;
    part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
}

fn date(text: &str) -> bool {
    let punctuated = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let (Some(year), Some(month), Some(day)) =
        (number(text, 0, 4), number(text, 5, 7), number(text, 8, 10))
    else {
        return false;
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    punctuated && (1..=days).contains(&day)
}

/// Reports whether a text is RFC 3339's date-time.
fn date_time(text: &str) -> bool {
    let Some((day, time)) = text.split_once(['T', 't']) else { return false };
    if !text.is_ascii() || !date(day) || time.len() < 9 {
        return false;
    }
    let clock = |t: &str, i: usize, most: u32| number(t, i, i + 2).is_some_and(|n| n <= most);
    let colons = time.get(2..3) == Some(":") && time.get(5..6) == Some(":");
    if !colons || !clock(time, 0, 23) || !clock(time, 3, 59) || !clock(time, 6, 60) {
        return false;
    }
    let rest = time.get(8..).unwrap_or_default();
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    match zone.strip_prefix(['+', '-']) {
        Some(offset) => {
            offset.len() == 5
                && offset.get(2..3) == Some(":")
                && clock(offset, 0, 23)
                && clock(offset, 3, 59)
        }
        None => zone.eq_ignore_ascii_case("z"),
    }
}

fn hostname(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 255 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

fn uuid(text: &str, version: Option<char>) -> bool {
    let digits: Vec<char> = text.chars().filter(|c| *c != '-').collect();
    let dashes_fit = match text.len() {
        32 => true,
        36 => [8, 13, 18, 23].iter().all(|i| text.get(*i..=*i) == Some("-")),
        _ => false,
    };
    dashes_fit
        && digits.len() == 32
        && digits.iter().all(char::is_ascii_hexdigit)
        && version.is_none_or(|v| digits.get(12) == Some(&v))
}

fn base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: &str, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(holds(format, text), "{format}: {text}");
        }
        for text in bad {
            assert!(!holds(format, text), "{format}: {text}");
        }
    }

    #[test]
    fn formats() {
        check(
            "date-time",
            &["2024-02-29T23:59:60Z", "2024-01-01t00:00:00.123+02:00"],
            &[
                "2023-02-29T00:00:00Z",
                "2024-01-01",
                "2024-01-01T00:00:00",
                "2024-01-01T24:00:00Z",
                "2024-01-01T00:00:00.Z",
                "é024-01-01T00:00:00Z",
            ],
        );
        check("ipv4", &["10.0.0.1"], &["10.0.0.256", "::1", ""]);
        check("cidr", &["10.0.0.0/8", "fd00::/8"], &["10.0.0.0/33", "10.0.0.0"]);
        check("uuid4", &["550e8400-e29b-41d4-a716-446655440000"], &["550e8400"]);
        check("byte", &["aGk=", "aGkh"], &["aGk", "==="]);
        check("no-such-format", &["anything"], &[]);
    }
}
