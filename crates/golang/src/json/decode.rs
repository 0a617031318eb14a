//! `json.Unmarshal` into a map, a slice or anything. Source: Go 1.26 `encoding/json`
//! (`scanner.go` for the syntax errors, `decode.go` for the type errors).

use serde_json::{Map, Number, Value};

use crate::{MAX_DEPTH, strconv};

/// Reads `text` as a value of Go type `target`: `map[string]interface {}`, `[]interface {}`, or
/// anything if absent. As in Go, every number becomes a float. Null is null in any target.
///
/// # Errors
/// Go's message. Text that nests deeper than 1000 is refused; Go's limit is 10000.
pub fn unmarshal(text: &str, target: Option<&str>) -> Result<Value, String> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, too_large: None };
    let value = scanner.value(0)?;
    scanner.space();
    if let Some(b) = scanner.peek() {
        return Err(invalid(b, "after top-level value"));
    }
    let found = match &value {
        Value::Null => None,
        Value::Bool(_) => Some("bool"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array").filter(|_| target != Some("[]interface {}")),
        Value::Object(_) => Some("object").filter(|_| target != Some("map[string]interface {}")),
    };
    if let (Some(target), Some(found)) = (target, found) {
        return Err(format!("json: cannot unmarshal {found} into Go value of type {target}"));
    }
    match scanner.too_large {
        Some(number) => {
            Err(format!("json: cannot unmarshal number {number} into Go value of type float64"))
        }
        None => Ok(value),
    }
}

fn invalid(b: u8, context: &str) -> String {
    let quoted = match b {
        b'\'' => "'\\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let quoted = strconv::quote(char::from(b).encode_utf8(&mut [0; 4]));
            format!("'{}'", quoted.trim_matches('"'))
        }
    };
    format!("invalid character {quoted} {context}")
}

fn unexpected_end() -> String {
    "unexpected end of JSON input".to_owned()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The first number that a double cannot hold: an error, but only if there is no syntax error.
    too_large: Option<String>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, String> {
        let b = self.peek().ok_or_else(unexpected_end)?;
        self.at += 1;
        Ok(b)
    }

    /// Reads the next byte where only some may follow. Go ends the text with a space to see whether
    /// it was complete, and complains about that space if it is wrong there.
    fn expect(&mut self) -> u8 {
        self.next().unwrap_or(b' ')
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        self.space();
        let b = self.next()?;
        match b {
            b'{' | b'[' if depth >= MAX_DEPTH => Err(invalid(b, "exceeded max depth")),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Value::String),
            b't' => self.literal("true", Value::Bool(true)),
            b'f' => self.literal("false", Value::Bool(false)),
            b'n' => self.literal("null", Value::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(invalid(b, "looking for beginning of value")),
        }
    }

    fn literal(&mut self, name: &str, value: Value) -> Result<Value, String> {
        for expected in name.bytes().skip(1) {
            let b = self.expect();
            if b != expected {
                let expected = char::from(expected);
                return Err(invalid(b, &format!("in literal {name} (expecting '{expected}')")));
            }
        }
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.next()? {
                b',' => {}
                b']' => return Ok(Value::Array(items)),
                b => return Err(invalid(b, "after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let mut object = Map::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(object));
        }
        loop {
            self.space();
            let b = self.next()?;
            if b != b'"' {
                return Err(invalid(b, "looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.space();
            let b = self.next()?;
            if b != b':' {
                return Err(invalid(b, "after object key"));
            }
            let value = self.value(depth + 1)?;
            object.insert(key, value);
            self.space();
            match self.next()? {
                b',' => {}
                b'}' => return Ok(Value::Object(object)),
                b => return Err(invalid(b, "after object key:value pair")),
            }
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    /// Reads a number whose first byte has been read.
    fn number(&mut self) -> Result<Value, String> {
        let start = self.at - 1;
        let mut first = self.bytes.get(start).copied().unwrap_or(b'0');
        if first == b'-' {
            first = self.expect();
            if !first.is_ascii_digit() {
                return Err(invalid(first, "in numeric literal"));
            }
        }
        if first != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            let b = self.expect();
            if !b.is_ascii_digit() {
                return Err(invalid(b, "after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let mut b = self.expect();
            if matches!(b, b'+' | b'-') {
                b = self.expect();
            }
            if !b.is_ascii_digit() {
                return Err(invalid(b, "in exponent of numeric literal"));
            }
            self.digits();
        }
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        let number = strconv::parse_float(&text).ok().and_then(Number::from_f64);
        if number.is_none() {
            self.too_large.get_or_insert(text);
        }
        Ok(number.map_or(Value::Null, Value::Number))
    }

    /// Reads a string whose opening quote has been read.
    fn string(&mut self) -> Result<String, String> {
        let mut out = Vec::new();
        loop {
            match self.next()? {
                b'"' => return Ok(String::from_utf8_lossy(&out).into_owned()),
                b'\\' => {
                    let c = self.escape()?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                b @ 0..0x20 => return Err(invalid(b, "in string literal")),
                b => out.push(b),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        Ok(match self.expect() {
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b @ (b'"' | b'\\' | b'/') => char::from(b),
            b'u' => {
                let unit = self.hex4()?;
                if (0xd800..0xdc00).contains(&unit)
                    && self.bytes.get(self.at..self.at + 2) == Some(b"\\u")
                {
                    let before = self.at;
                    self.at += 2;
                    let low = self.hex4()?;
                    if (0xdc00..0xe000).contains(&low) {
                        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = before;
                }
                // Half a surrogate pair is not a character.
                char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            b => return Err(invalid(b, "in string escape code")),
        })
    }

    fn hex4(&mut self) -> Result<u32, String> {
        let mut unit = 0;
        for _ in 0..4 {
            let b = self.expect();
            match char::from(b).to_digit(16) {
                Some(digit) => unit = unit << 4 | digit,
                None => return Err(invalid(b, "in \\u hexadecimal character escape")),
            }
        }
        Ok(unit)
    }
}
