//! The transforms of a patch, as `pt.fn.crossplane.io/v1beta1` writes them.
//!
//! Mirrors upstream's `input/v1beta1/resources_transforms.go`. Where Go has a pointer there is an
//! `Option`. Where Go has a named string there is a `String`: a name nobody knows must survive
//! decoding, because upstream's messages quote it. Where Go has `apiextensions.JSON` there is a
//! `Value`, and null stands for no data at all, which is how that Go type decodes null.

use std::collections::BTreeMap;

use serde_json::Value;

/// One step of a patch's transform pipe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transform {
    /// `map`, `match`, `math`, `string` or `convert`.
    pub type_: String,
    /// Arithmetic on a number.
    pub math: Option<MathTransform>,
    /// A value looked up by the input string.
    pub map: Option<MapTransform>,
    /// The value of the first pattern that matches.
    pub match_: Option<MatchTransform>,
    /// A string made of the input.
    pub string: Option<StringTransform>,
    /// The input as another type.
    pub convert: Option<ConvertTransform>,
}

/// Arithmetic on an integer or a float.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MathTransform {
    /// `Multiply`, `ClampMin` or `ClampMax`; empty is read as `Multiply` by validation.
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
    /// The result when nothing matches; null when not given.
    pub fallback_value: Value,
    /// `Value` or `Input`; empty is `Value`.
    pub fallback_to: String,
}

/// A pattern and what it yields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MatchTransformPattern {
    /// `literal` or `regexp`.
    pub type_: String,
    /// The exact string, for `literal`.
    pub literal: Option<String>,
    /// The Go regular expression, for `regexp`.
    pub regexp: Option<String>,
    /// The result of the transform when this pattern matches.
    pub result: Value,
}

/// How to make a string of the input.
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
    /// What stands between two elements.
    pub separator: String,
}

/// Replaces every occurrence of a string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringTransformReplace {
    /// What to look for.
    pub search: String,
    /// What to put there.
    pub replace: String,
}

/// The type to convert the input to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConvertTransform {
    /// `string`, `int`, `int64`, `bool`, `float64`, `object` or `array`.
    pub to_type: String,
    /// `none`, `quantity` or `json`; absent is `none`.
    pub format: Option<String>,
}
