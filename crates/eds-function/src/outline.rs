//! The size of a decoded message apart from its objects: empty resources, credentials and details
//! may take no bytes on the wire, but a hundred in memory.

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// An entry of a map or list with its message, decoded and converted.
const ENTRY: usize = 400;

/// Estimates how many bytes a `RunFunctionRequest` uses without its objects.
pub(crate) fn outline(message: &[u8]) -> usize {
    let mut bytes = 0;
    each(message, |tag, field| match tag {
        2 | 3 => bytes += state(field),
        // Maps of resources, credentials and schemas, where the value is field 2.
        6..=9 => {
            bytes += ENTRY;
            each(field, |tag, value| {
                if tag == 2 {
                    each(value, |_, item| bytes += ENTRY + resource(item));
                }
            });
        }
        // A packed capability takes one byte on the wire.
        1 => bytes += 8 * field.len(),
        _ => {}
    });
    bytes
}

fn state(message: &[u8]) -> usize {
    let mut bytes = 0;
    each(message, |tag, field| match tag {
        1 => bytes += ENTRY + resource(field),
        2 => {
            bytes += ENTRY;
            each(field, |tag, value| {
                if tag == 2 {
                    bytes += resource(value);
                }
            });
        }
        _ => {}
    });
    bytes
}

/// Counts connection details; the object is counted when it is decoded.
fn resource(message: &[u8]) -> usize {
    let mut bytes = 0;
    each(message, |tag, field| {
        if tag == 2 {
            bytes += ENTRY + field.len();
        }
    });
    bytes
}

/// Visits each length-delimited field, up to the first malformed one: decoding will report what is
/// wrong.
fn each(mut message: &[u8], mut found: impl FnMut(u32, &[u8])) {
    let mut next = || -> Result<bool, DecodeError> {
        if message.is_empty() {
            return Ok(false);
        }
        let (tag, wire_type) = decode_key(&mut message)?;
        if wire_type != WireType::LengthDelimited {
            skip_field(wire_type, tag, &mut message, DecodeContext::default())?;
            return Ok(true);
        }
        let length = usize::try_from(decode_varint(&mut message)?).unwrap_or(usize::MAX);
        let Some((field, rest)) = message.split_at_checked(length) else { return Ok(false) };
        message = rest;
        found(tag, field);
        Ok(true)
    };
    while next().is_ok_and(|more| more) {}
}
