//! `google.protobuf.Struct`, read from the wire straight into JSON values and written straight
//! back.
//!
//! The generated types of `prost-types` would first build a tree of their own, double the memory,
//! and refuse objects of about 33 levels (prost's recursion limit is 100 messages, and a level
//! takes three). Here one level is one call, up to [`MAX_DEPTH`] levels.
//!
//! Field numbers are those of `google/protobuf/struct.proto`:
//! `Struct.fields = 1` (map entries: key 1, value 2), `ListValue.values = 1`, and in `Value` null
//! 1, number 2, string 3, bool 4, struct 5, list 6.

use std::cell::Cell;
use std::fmt::Write as _;

use bytes::{Buf, BufMut};
use eds_core::functions::MAX_DEPTH;
use patch_and_transform::protocol::{Object, number_from_double};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};
use serde_json::{Map, Value};

/// A JSON object as it travels in a request or response.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Struct {
    content: Content,
    fault: Option<Fault>,
}

/// Requests are read into objects; responses are encoded once when they are created. prost asks for
/// a message's length once for every message around it, and a `Vec` knows its own.
#[derive(Debug, Clone, PartialEq)]
enum Content {
    Object(Object),
    Encoded(Vec<u8>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Object(Object::new())
    }
}

/// Why a well-formed Struct is not a JSON object, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path in the object, e.g. `.spec.list[3]`; the middle of a long path is left out.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl Struct {
    /// Returns the object, or what is wrong with it.
    ///
    /// # Errors
    /// The first [`Fault`] found while reading it.
    pub fn into_object(self) -> Result<Object, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        match self.content {
            Content::Object(object) => Ok(object),
            Content::Encoded(bytes) => Self::decode(bytes.as_slice())
                .map_err(|error| Fault { path: String::new(), message: error.to_string() })?
                .into_object(),
        }
    }
}

impl From<&Object> for Struct {
    fn from(object: &Object) -> Self {
        Self { content: Content::Encoded(encode(object)), fault: None }
    }
}

impl Message for Struct {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        match &self.content {
            Content::Object(object) => buf.put_slice(&encode(object)),
            Content::Encoded(bytes) => buf.put_slice(bytes),
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag != 1 || wire_type != WireType::LengthDelimited {
            return skip_field(wire_type, tag, buf, ctx);
        }
        let length = decode_varint(buf)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > buf.remaining() {
            return Err(malformed());
        }
        let copy;
        let contiguous = buf.chunk().len() >= length;
        let entry = if contiguous {
            buf.chunk().get(..length).unwrap_or_default()
        } else {
            copy = buf.copy_to_bytes(length);
            &copy
        };
        if let Content::Encoded(bytes) = &self.content {
            *self = Self::decode(bytes.as_slice())?;
        }
        if let Content::Object(object) = &mut self.content {
            match merge_entry(object, entry, 1) {
                Ok(()) => {}
                Err(Stop::Malformed(error)) => return Err(error),
                Err(Stop::Fault { segments, message }) => {
                    let path = path_text(segments);
                    self.fault.get_or_insert(Fault { path, message });
                }
            }
        }
        if contiguous {
            buf.advance(length);
        }
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        match &self.content {
            Content::Object(object) => encode(object).len(),
            Content::Encoded(bytes) => bytes.len(),
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

thread_local! {
    /// How many bytes objects decoded on this thread may still use; `None` if not measured.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Decodes with objects that use at most `budget` bytes; returns `None` if they would use more.
pub(crate) fn measured<T>(budget: usize, decode: impl FnOnce() -> T) -> Option<T> {
    let outer = LEFT.replace(Some(budget));
    let decoded = decode();
    // Nothing left means that it was not enough: decoding stopped.
    let left = LEFT.replace(outer);
    (left != Some(0)).then_some(decoded)
}

/// A value in a list, with the room that a growing list keeps.
const ITEM: usize = 2 * size_of::<Value>();
/// The first field of an object: a node of its tree has room for eleven.
const NODE: usize = 700;
/// Another field, given how full nodes are.
const FIELD: usize = 96;

fn spend(bytes: usize) -> Result<(), Stop> {
    let Some(left) = LEFT.get() else { return Ok(()) };
    LEFT.set(Some(left.saturating_sub(bytes)));
    if left > bytes { Ok(()) } else { Err(Stop::Malformed(malformed())) }
}

/// Why reading stopped.
enum Stop {
    /// The bytes are not protobuf: the whole call fails, as in every gRPC server.
    Malformed(DecodeError),
    /// The bytes are fine, but the value is not. Segments are innermost first.
    Fault { segments: Vec<Segment>, message: String },
}

enum Segment {
    Key(String),
    Index(usize),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl Stop {
    fn fault(message: String) -> Self {
        Self::Fault { segments: Vec::new(), message }
    }

    fn inside(mut self, segment: Segment) -> Self {
        if let Self::Fault { segments, .. } = &mut self {
            segments.push(segment);
        }
        self
    }
}

/// Returns the error for a length beyond the end of the message.
#[allow(deprecated, reason = "prost 0.14 offers no other constructor")]
fn malformed() -> DecodeError {
    DecodeError::new("google.protobuf.Struct: a field ends beyond the message")
}

/// Cuts a length-delimited field off the front.
fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Stop> {
    let length = usize::try_from(decode_varint(bytes)?).unwrap_or(usize::MAX);
    let (field, rest) = bytes.split_at_checked(length).ok_or_else(malformed)?;
    *bytes = rest;
    Ok(field)
}

/// Reads a string field after its key; prost checks that it is UTF-8.
fn string(bytes: &mut &[u8]) -> Result<String, Stop> {
    let mut text = String::new();
    let wire_type = WireType::LengthDelimited;
    prost::encoding::string::merge(wire_type, &mut text, bytes, DecodeContext::default())?;
    spend(text.len() + 16)?;
    Ok(text)
}

/// Reads a map entry: `key = 1`, `value = 2`. The last entry with a key wins.
fn merge_entry(object: &mut Object, mut bytes: &[u8], depth: usize) -> Result<(), Stop> {
    let mut key = String::new();
    let mut value = None;
    let mut fault = None;
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        match (tag, wire_type) {
            (1, WireType::LengthDelimited) => key = string(&mut bytes)?,
            (2, WireType::LengthDelimited) => {
                match merge_value(&mut value, delimited(&mut bytes)?, depth) {
                    Ok(()) => {}
                    // The key may come after the value, and the path needs it.
                    Err(Stop::Fault { segments, message }) => fault = Some((segments, message)),
                    Err(stop) => return Err(stop),
                }
            }
            _ => skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?,
        }
    }
    if let Some((segments, message)) = fault {
        return Err(Stop::Fault { segments, message }.inside(Segment::Key(key)));
    }
    spend(if object.is_empty() { NODE } else { FIELD })?;
    match value {
        Some(value) => object.insert(key, value),
        None => return Err(unset().inside(Segment::Key(key))),
    };
    Ok(())
}

/// Reports a `Value` without a kind, which JSON cannot express.
fn unset() -> Stop {
    Stop::fault("the value has no kind".to_owned())
}

/// Merges an encoded `Value` into what was read of it before: the last kind wins, but two structs
/// or two lists are joined, as protobuf joins messages.
fn merge_value(value: &mut Option<Value>, mut bytes: &[u8], depth: usize) -> Result<(), Stop> {
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        match (tag, wire_type) {
            (1, WireType::Varint) => {
                decode_varint(&mut bytes)?;
                *value = Some(Value::Null);
            }
            (2, WireType::SixtyFourBit) => {
                let double = bytes.try_get_f64_le().map_err(|_| malformed())?;
                let number = number_from_double(double)
                    .ok_or_else(|| Stop::fault(format!("{double} is not a JSON number")))?;
                *value = Some(Value::Number(number));
            }
            (3, WireType::LengthDelimited) => *value = Some(Value::String(string(&mut bytes)?)),
            (4, WireType::Varint) => *value = Some(Value::Bool(decode_varint(&mut bytes)? != 0)),
            (5, WireType::LengthDelimited) => {
                let mut fields = delimited(&mut bytes)?;
                let mut object = match value.take() {
                    Some(Value::Object(object)) => object,
                    _ => Map::new(),
                };
                let depth = deeper(depth)?;
                while !fields.is_empty() {
                    let (tag, wire_type) = decode_key(&mut fields)?;
                    if tag == 1 && wire_type == WireType::LengthDelimited {
                        merge_entry(&mut object, delimited(&mut fields)?, depth)?;
                    } else {
                        skip_field(wire_type, tag, &mut fields, DecodeContext::default())?;
                    }
                }
                *value = Some(Value::Object(object));
            }
            (6, WireType::LengthDelimited) => {
                let mut values = delimited(&mut bytes)?;
                let mut items = match value.take() {
                    Some(Value::Array(items)) => items,
                    _ => Vec::new(),
                };
                let depth = deeper(depth)?;
                while !values.is_empty() {
                    let (tag, wire_type) = decode_key(&mut values)?;
                    if tag == 1 && wire_type == WireType::LengthDelimited {
                        let index = items.len();
                        spend(ITEM)?;
                        let mut item = None;
                        merge_value(&mut item, delimited(&mut values)?, depth)
                            .and_then(|()| item.ok_or_else(unset))
                            .map(|item| items.push(item))
                            .map_err(|stop| stop.inside(Segment::Index(index)))?;
                    } else {
                        skip_field(wire_type, tag, &mut values, DecodeContext::default())?;
                    }
                }
                *value = Some(Value::Array(items));
            }
            _ => skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?,
        }
    }
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, Stop> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(Stop::fault(format!("deeper than {MAX_DEPTH} levels")))
    }
}

/// Writes the path as a person would, keeping the first and last eight steps of a long one.
fn path_text(mut segments: Vec<Segment>) -> String {
    const ENDS: usize = 8;
    segments.reverse();
    let count = segments.len();
    let mut out = String::new();
    for (index, segment) in segments.iter().enumerate() {
        if count > 2 * ENDS && (ENDS..count - ENDS).contains(&index) {
            if index == ENDS {
                let _ = write!(out, "<{} more>", count - 2 * ENDS);
            }
            continue;
        }
        let _ = match segment {
            Segment::Index(index) => write!(out, "[{index}]"),
            Segment::Key(key) if key.is_empty() || key.contains(['.', '[', ']', ' ', '"']) => {
                write!(out, "[{key:?}]")
            }
            Segment::Key(key) => write!(out, ".{key}"),
        };
    }
    out
}

/// Returns an object's wire form. It is written back to front, so that every length is known when
/// it is written and the object is walked once, whatever its depth.
fn encode(object: &Object) -> Vec<u8> {
    let mut out = Backwards(Vec::with_capacity(256));
    out.object(object);
    out.0.reverse();
    out.0
}

/// Bytes in reverse order.
struct Backwards(Vec<u8>);

impl Backwards {
    fn object(&mut self, object: &Object) {
        for (key, value) in object.iter().rev() {
            let end = self.0.len();
            self.message(2, |out| out.value(value));
            self.message(1, |out| out.bytes(key.as_bytes()));
            self.header(1, end);
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.extend([0, 1 << 3]),
            Value::Bool(truth) => self.0.extend([u8::from(*truth), 4 << 3]),
            Value::Number(number) => {
                let double = number.as_f64().unwrap_or_default();
                self.0.extend(double.to_be_bytes());
                self.0.push(2 << 3 | 1);
            }
            Value::String(text) => self.message(3, |out| out.bytes(text.as_bytes())),
            Value::Object(object) => self.message(5, |out| out.object(object)),
            Value::Array(items) => self.message(6, |out| {
                for item in items.iter().rev() {
                    out.message(1, |out| out.value(item));
                }
            }),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend(bytes.iter().rev());
    }

    fn message(&mut self, tag: u8, content: impl FnOnce(&mut Self)) {
        let end = self.0.len();
        content(self);
        self.header(tag, end);
    }

    /// Writes the length and key of the length-delimited field with the content written since
    /// `end`.
    fn header(&mut self, tag: u8, end: usize) {
        let mut varint = [0; 10];
        let mut rest = varint.as_mut_slice();
        prost::encoding::encode_varint((self.0.len() - end) as u64, &mut rest);
        let unused = rest.len();
        self.0.extend(varint.iter().rev().skip(unused));
        self.0.push(tag << 3 | 2);
    }
}
