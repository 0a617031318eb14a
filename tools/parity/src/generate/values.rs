//! JSON values that are hard to transport: numbers at the edges, text in many scripts.

use rand::RngExt;
use serde_json::{Map, Value, json};

use super::Gen;

const STRINGS: &[&str] = &[
    "",
    "a",
    "hello",
    "Hello World",
    "us-east-1",
    "  spaced  ",
    "ünïcødé",
    "日本語",
    "🦀 crab",
    "ßtraße İstanbul ǆ",
    "e\u{301}combining",
    "line\nbreak\ttab",
    "quote\"back\\slash",
    "<html>&amp;</html>",
    "\u{0}nul",
    "\u{7f}\u{80}\u{2028}\u{feff}",
    "true",
    "42",
    "-7",
    "3.14",
    "1e5",
    "null",
    "%s %d %v",
    "prefix-value-suffix",
    "10.0.0.0/8",
    "arn:aws:s3:::bucket/key",
    "a.b.c",
    "[0]",
    "500m",
    "2Gi",
    "aGVsbG8=",
    "iVBORw0KGgo=",
    "w7z/w7w=",
    "{\"json\":[1,2,{\"x\":null}]}",
    "[1,\"two\",3.0]",
];

const KEYS: &[&str] =
    &["a", "b", "name", "value", "x-y", "dotted.key", "slash/key", "schlüssel", "0"];

impl Gen {
    pub(crate) fn string(&mut self) -> String {
        (*self.pick(STRINGS)).to_owned()
    }

    pub(crate) fn small_integer(&mut self) -> Value {
        json!(self.below(100))
    }

    pub(crate) fn integer(&mut self) -> Value {
        let edge: i64 = *self.pick(&[
            0,
            1,
            -1,
            2,
            3,
            7,
            10,
            42,
            -17,
            100,
            255,
            1024,
            65_536,
            2_147_483_647,
            -2_147_483_648,
            4_294_967_296,
            9_007_199_254_740_991,
            9_007_199_254_740_993,
            -9_007_199_254_740_992,
            1_000_000_000_000_000_000,
            4_611_686_018_427_387_904,
            i64::MAX,
            i64::MIN,
        ]);
        if self.chance(0.3) { json!(self.rng.random_range(-1000..1000)) } else { json!(edge) }
    }

    /// Generates an integer that a Go int64 can hold after having been a double.
    pub(crate) fn setting(&mut self) -> Value {
        let edge: i64 = *self.pick(&[
            0,
            1,
            -1,
            2,
            3,
            -7,
            10,
            1000,
            -100,
            4_294_967_296,
            9_007_199_254_740_991,
            4_611_686_018_427_387_904,
            9_223_372_036_854_774_784,
            -9_223_372_036_854_774_784,
        ]);
        json!(edge)
    }

    pub(crate) fn float(&mut self) -> Value {
        let edge = *self.pick(&[
            0.5,
            1.5,
            -0.5,
            0.1,
            2.675,
            3.0,
            -3.0,
            1e-6,
            1e-7,
            123_456.789,
            1e20,
            1e21,
            1e22,
            -1e21,
            1.797_693_134_862_315_7e308,
            5e-324,
            0.3,
            100.0,
            1e15,
            123_456_789_012_345_680.0,
            99.999_999,
            -0.0,
            2.5,
            1e19,
        ]);
        if self.chance(0.2) { json!(self.rng.random_range(-1000.0..1000.0)) } else { json!(edge) }
    }

    pub(crate) fn number(&mut self) -> Value {
        if self.chance(0.6) { self.integer() } else { self.float() }
    }

    pub(crate) fn scalar(&mut self) -> Value {
        match self.below(6) {
            0 => Value::Null,
            1 => json!(self.chance(0.5)),
            2 => self.integer(),
            3 => self.float(),
            _ => json!(self.string()),
        }
    }

    pub(crate) fn value(&mut self, depth: usize) -> Value {
        match self.below(4) {
            0 if depth > 0 => self.object(depth - 1),
            1 if depth > 0 => {
                let count = self.below(4);
                (0..count).map(|_| self.value(depth - 1)).collect()
            }
            _ => self.scalar(),
        }
    }

    pub(crate) fn object(&mut self, depth: usize) -> Value {
        let mut object = Map::new();
        for _ in 0..self.below(4) {
            let key = *self.pick(KEYS);
            object.insert(key.to_owned(), self.value(depth));
        }
        Value::Object(object)
    }

    pub(crate) fn string_map(&mut self) -> Value {
        let mut object = Map::new();
        for _ in 0..self.below(4) {
            let key = *self.pick(KEYS);
            object.insert(key.to_owned(), json!(self.string()));
        }
        Value::Object(object)
    }

    pub(crate) fn string_list(&mut self) -> Value {
        let count = self.below(4);
        (0..count).map(|_| json!(self.string())).collect()
    }
}
