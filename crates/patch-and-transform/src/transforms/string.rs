//! `string`: formatting, conversion, hashing and cutting.

use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{GoOn, Result, TransformError, fail, stopped};
use crate::input::transforms::{StringTransform, StringTransformRegexp};
use golang::fmt::{MAX_TEXT, is_too_long, sprintf, to_string};
use golang::raw_bytes::{self, bytes, carry};
use golang::{base64, json, regexp, strconv, strings};

/// Returns the text that the transform makes, or an error if it is too long to be of any use.
pub(super) fn resolve(t: &StringTransform, input: Value, go_on: GoOn<'_>) -> Result<String> {
    let text = unbounded(t, input, go_on)?;
    if is_too_long(&text) { too_long() } else { Ok(text) }
}

fn too_long<T>() -> Result<T> {
    fail(format!("the text is longer than {} MiB, which no object can hold", MAX_TEXT >> 20))
}

fn unbounded(t: &StringTransform, input: Value, go_on: GoOn<'_>) -> Result<String> {
    let type_ = t.type_.as_str();
    let unset = |field: &str| fail(format!("string transform of type {type_} {field} is not set"));
    match type_ {
        "Format" => match &t.format {
            Some(format) => Ok(sprintf(format, &[input])),
            None => unset("fmt"),
        },
        "Convert" => match &t.convert {
            Some(conversion) => convert(conversion, &input),
            None => unset("convert"),
        },
        "TrimPrefix" | "TrimSuffix" => match &t.trim {
            Some(trim) => {
                let text = to_string(&input);
                let trimmed = match type_ {
                    "TrimPrefix" => text.strip_prefix(trim.as_str()),
                    _ => text.strip_suffix(trim.as_str()),
                };
                Ok(trimmed.map(str::to_owned).unwrap_or(text))
            }
            None => unset("trim"),
        },
        "Regexp" => match &t.regexp {
            Some(regexp) => extract(regexp, &input, go_on),
            None => unset("regexp"),
        },
        "Join" => match &t.join {
            Some(join) => match &input {
                Value::Array(items) => join_items(items, &join.separator),
                _ => fail("could not parse input array"),
            },
            None => unset("join"),
        },
        "Replace" => match &t.replace {
            Some(replace) => {
                let text = to_string(&input);
                let longer = replace.replace.len().saturating_sub(replace.search.len());
                if longer > 0 {
                    let more = text.matches(&replace.search).count().saturating_mul(longer);
                    if text.len().saturating_add(more) > MAX_TEXT {
                        return too_long();
                    }
                }
                Ok(text.replace(&replace.search, &replace.replace))
            }
            None => unset("replace"),
        },
        _ => fail(format!("type {type_} is not supported for string transform type")),
    }
}

/// Joins the items with the separator after each, then cuts the last byte of the last separator.
///
/// Upstream forgets that a separator can be longer than a byte: `--` leaves a `-` at the end, and
/// half of a longer character is replaced when the string becomes JSON.
fn join_items(items: &[Value], separator: &str) -> Result<String> {
    let mut joined = String::new();
    for item in items {
        joined.push_str(&to_string(item));
        joined.push_str(separator);
        if is_too_long(&joined) {
            return too_long();
        }
    }
    if separator.is_empty() {
        return Ok(joined);
    }
    let bytes = joined.as_bytes();
    Ok(carry(bytes.split_last().map_or(bytes, |(_, rest)| rest)))
}

fn convert(conversion: &str, input: &Value) -> Result<String> {
    match conversion {
        "ToUpper" => Ok(strings::to_upper(&valid(input))),
        "ToLower" => Ok(strings::to_lower(&valid(input))),
        "ToJson" => Ok(as_json(input)),
        "ToBase64" => Ok(base64::encode(&bytes(&to_string(input)))),
        "FromBase64" => match base64::decode(&to_string(input)) {
            Ok(bytes) => Ok(carry(&bytes)),
            Err(cause) => Err(TransformError::wrap("string is not valid base64", cause)),
        },
        "ToSha1" => Ok(hex(&Sha1::digest(bytes(&hashed(input))))),
        "ToSha256" => Ok(hex(&Sha256::digest(bytes(&hashed(input))))),
        "ToSha512" => Ok(hex(&Sha512::digest(bytes(&hashed(input))))),
        "ToAdler32" => Ok(adler32(&bytes(&hashed(input))).to_string()),
        _ => fail(format!("type {conversion} is not supported for string convert")),
    }
}

/// Returns what is hashed: a string as it is, anything else as JSON.
fn hashed(input: &Value) -> String {
    match input {
        Value::String(text) => text.clone(),
        _ => as_json(input),
    }
}

/// Returns the input as `strings.Map` reads it, which replaces invalid UTF-8.
fn valid(input: &Value) -> String {
    let mut text = to_string(input);
    raw_bytes::replace_in(&mut text);
    text
}

fn as_json(input: &Value) -> String {
    let mut text = json::marshal(input);
    // encoding/json writes an escape for a byte that is not valid UTF-8.
    raw_bytes::replace_with(&mut text, "\\ufffd");
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Computes RFC 1950's checksum, `hash/adler32` in Go.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    // As many bytes as can be added before the sums must be reduced.
    for chunk in bytes.chunks(5552) {
        for &byte in chunk {
            a += u32::from(byte);
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    b << 16 | a
}

fn extract(t: &StringTransformRegexp, input: &Value, go_on: GoOn<'_>) -> Result<String> {
    let regexp = regexp::compile(&t.match_)
        .map_err(|cause| TransformError::wrap("could not compile regexp", cause))?;
    let group = t.group.unwrap_or(0);
    let text = to_string(input);
    let found = match usize::try_from(group) {
        Ok(group) => regexp.submatch(&text, group, go_on).map_err(stopped)?,
        Err(_) => None,
    };
    match found {
        Some(text) => Ok(text.to_owned()),
        None => {
            let source = strconv::quote(&t.match_);
            fail(format!("regexp {source} had no matches for group {group}"))
        }
    }
}
