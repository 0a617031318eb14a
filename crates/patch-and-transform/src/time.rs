//! Which texts Go's `time.Parse(time.RFC3339, …)` accepts, and its messages for the others.

use golang::strconv::quote;

/// The parts of the layout `2006-01-02T15:04:05Z07:00`: what comes before each, and its name.
const PARTS: [(&str, &str); 7] =
    [("", "2006"), ("-", "01"), ("-", "02"), ("T", "15"), (":", "04"), (":", "05"), ("", "Z07:00")];

/// Checks a timestamp as Go does: a one-digit hour and a comma before the fraction are fine.
///
/// # Errors
/// `parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"`, and the like.
pub fn check_rfc3339(text: &str) -> Result<(), String> {
    let mut rest = text;
    let mut numbers = [0_u32; 7];
    let cannot = |at: &str, part: &str| {
        Err(format!(
            "parsing time {} as \"2006-01-02T15:04:05Z07:00\": cannot parse {} as \"{part}\"",
            quote(text),
            quote(at)
        ))
    };
    let range = |what: &str| Err(format!("parsing time {}: {what} out of range", quote(text)));

    for ((prefix, part), value) in PARTS.into_iter().zip(&mut numbers) {
        let Some(at) = rest.strip_prefix(prefix) else {
            return cannot(rest, prefix);
        };
        let parsed = match part {
            "2006" => digits(at, 4, 4),
            "15" => digits(at, 1, 2),
            "Z07:00" => match zone(at) {
                Ok(rest) => Some((0, rest)),
                Err(Some(what)) => return range(what),
                Err(None) => None,
            },
            _ => digits(at, 2, 2),
        };
        let Some((number, after)) = parsed else {
            return cannot(at, part);
        };
        *value = number;
        rest = after;
        let (limit, what) = match part {
            "01" => (12, "month"),
            "15" => (23, "hour"),
            "04" => (59, "minute"),
            "05" => (59, "second"),
            _ => (u32::MAX, ""),
        };
        if number > limit || (part == "01" && number == 0) {
            return range(what);
        }
        if part == "05"
            && let Some(fraction) = rest.strip_prefix(['.', ','])
            && fraction.starts_with(|c: char| c.is_ascii_digit())
        {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
    }
    if !rest.is_empty() {
        return Err(format!("parsing time {}: extra text: {}", quote(text), quote(rest)));
    }
    let [year, month, day, ..] = numbers;
    if day < 1 || day > days_in(year, month) {
        return range("day");
    }
    Ok(())
}

/// Reads a number of `least` to `most` digits; returns it and what follows.
fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(count)?;
    if count < least { None } else { Some((number.parse().ok()?, rest)) }
}

/// Reads `Z` or `+07:00`; returns what follows. The error names what is out of range, if anything.
fn zone(text: &str) -> Result<&str, Option<&'static str>> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Ok(rest);
    }
    let rest = text.strip_prefix(['+', '-']).ok_or(None)?;
    let (hours, rest) = digits(rest, 2, 2).ok_or(None)?;
    let rest = rest.strip_prefix(':').ok_or(None)?;
    let (minutes, rest) = digits(rest, 2, 2).ok_or(None)?;
    match (hours, minutes) {
        (25.., _) => Err(Some("time zone offset hour")),
        (_, 61..) => Err(Some("time zone offset minute")),
        _ => Ok(rest),
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<(), &str>) {
        assert_eq!(check_rfc3339(text), expect.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn times() {
        for good in [
            "2020-02-29T23:59:59Z",
            "2020-01-01T00:00:00.123456789+01:00",
            "2020-01-01T0:00:00,5-00:30",
        ] {
            check(good, Ok(()));
        }
        let layout = r#"as "2006-01-02T15:04:05Z07:00": cannot parse"#;
        check("x", Err(&format!(r#"parsing time "x" {layout} "x" as "2006""#)));
        check("", Err(&format!(r#"parsing time "" {layout} "" as "2006""#)));
        check("2020", Err(&format!(r#"parsing time "2020" {layout} "" as "-""#)));
        check("2020-1-01", Err(&format!(r#"parsing time "2020-1-01" {layout} "1-01" as "01""#)));
        check(
            "2021-02-29T00:00:00Z",
            Err(r#"parsing time "2021-02-29T00:00:00Z": day out of range"#),
        );
        check(
            "2021-13-29T00:00:00Z",
            Err(r#"parsing time "2021-13-29T00:00:00Z": month out of range"#),
        );
        check(
            "2021-12-29T00:00:00Zx",
            Err(r#"parsing time "2021-12-29T00:00:00Zx": extra text: "x""#),
        );
    }
}
