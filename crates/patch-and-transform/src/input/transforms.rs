//! The transforms of a patch, as `pt.fn.crossplane.io/v1beta1` writes them.
//!
//! Mirrors upstream's `input/v1beta1/resources_transforms.go`. A Go pointer is an `Option`. A named
//! Go string is a `String`: an unknown name must survive decoding, because upstream's messages
//! quote it. Go's `apiextensions.JSON` is a `Value`, with null for no data at all, which is how
//! that Go type decodes null.

use std::collections::BTreeMap;

use serde_json::Value;

/// One step of a patch's transform pipe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transform {
    /// `map`, `match`, `math`, `string` or `convert`.
    pub type_: String,
    /// Arithmetic on a number.
    pub math: Option<MathTransform>,
    /// Looks up a value by the input string.
    pub map: Option<MapTransform>,
    /// Takes the value of the first pattern that matches.
    pub match_: Option<MatchTransform>,
    /// Makes a string from the input.
    pub string: Option<StringTransform>,
    /// Converts the input to another type.
    pub convert: Option<ConvertTransform>,
}

/// Arithmetic on an integer or a float.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MathTransform {
    /// `Multiply`, `ClampMin` or `ClampMax`; validation reads empty as `Multiply`.
    pub type_: String,
    /// The factor.
    pub multiply: Option<i64>,
    /// The smallest result.
    pub clamp_min: Option<i64>,
    /// The largest result.
    pub clamp_max: Option<i64>,
}

/// A table from input strings to values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MapTransform {
    /// The table. A null value is no data, and looking it up fails.
    pub pairs: BTreeMap<String, Value>,
}

/// Patterns, tried in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MatchTransform {
    /// The patterns.
    pub patterns: Vec<MatchTransformPattern>,
    /// The result if nothing matches; null if not given.
    pub fallback_value: Value,
    /// `Value` or `Input`; empty means `Value`.
    pub fallback_to: String,
}

/// A pattern and its result.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MatchTransformPattern {
    /// `literal` or `regexp`.
    pub type_: String,
    /// The exact string, for `literal`.
    pub literal: Option<String>,
    /// The Go regular expression, for `regexp`.
    pub regexp: Option<String>,
    /// The result of the transform if this pattern matches.
    pub result: Value,
}

/// How to make a string from the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringTransform {
    /// `Format`, `Convert`, `TrimPrefix`, `TrimSuffix`, `Regexp`, `Join` or `Replace`.
    pub type_: String,
    /// Go format string, key `fmt`.
    pub format: Option<String>,
    /// `ToUpper`, `ToLower`, `ToBase64`, `FromBase64`, `ToJson`, `ToSha1`, `ToSha256`, `ToSha512`
    /// or `ToAdler32`.
    pub convert: Option<String>,
    /// The prefix or suffix to trim.
    pub trim: Option<String>,
    /// The match to extract.
    pub regexp: Option<StringTransformRegexp>,
    /// How to join an array.
    pub join: Option<StringTransformJoin>,
    /// What to replace.
    pub replace: Option<StringTransformReplace>,
}

/// Extracts a match from the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringTransformRegexp {
    /// Go regular expression, key `match`.
    pub match_: String,
    /// Capture group; 0, the default, is the whole match.
    pub group: Option<i64>,
}

/// Joins the elements of an array.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringTransformJoin {
    /// What goes between two elements.
    pub separator: String,
}

/// Replaces every occurrence of a string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringTransformReplace {
    /// What to look for.
    pub search: String,
    /// What to replace it with.
    pub replace: String,
}

/// The type to convert the input to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConvertTransform {
    /// `string`, `int`, `int64`, `bool`, `float64`, `object` or `array`.
    pub to_type: String,
    /// `none`, `quantity` or `json`; absent means `none`.
    pub format: Option<String>,
}
