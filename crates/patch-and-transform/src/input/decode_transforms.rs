//! The part of [`decode`](super::decode) for transforms.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{
    Decoded, fields, integer, kind, list, named, only, option, raw, string, text, with_cause,
};
use super::transforms::{
    ConvertTransform, MapTransform, MatchTransform, MatchTransformPattern, MathTransform,
    StringTransform, StringTransformJoin, StringTransformRegexp, StringTransformReplace, Transform,
};

pub(super) fn transform(value: Value) -> Decoded<Transform> {
    let mut out = Transform::default();
    fields(value, "v1beta1.Transform", |name, value| {
        match name {
            "type" => out.type_ = string(value, "v1beta1.TransformType")?,
            "math" => out.math = option(value, math)?,
            "map" => out.map = option(value, map)?,
            "match" => out.match_ = option(value, match_)?,
            "string" => out.string = option(value, string_transform)?,
            "convert" => out.convert = option(value, convert)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn math(value: Value) -> Decoded<MathTransform> {
    let mut out = MathTransform::default();
    fields(value, "v1beta1.MathTransform", |name, value| {
        match name {
            "type" => out.type_ = string(value, "v1beta1.MathTransformType")?,
            "multiply" => out.multiply = option(value, |v| integer(v, "int64"))?,
            "clampMin" => out.clamp_min = option(value, |v| integer(v, "int64"))?,
            "clampMax" => out.clamp_max = option(value, |v| integer(v, "int64"))?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

/// Decodes the table. `encoding/json` decodes it inside, so the message has two layers.
fn map(value: Value) -> Decoded<MapTransform> {
    match value {
        Value::Object(pairs) => {
            let pairs = pairs.into_iter().map(|(key, value)| Ok((key, raw(value)?)));
            Ok(MapTransform { pairs: pairs.collect::<Decoded<BTreeMap<_, _>>>()? })
        }
        other => {
            let cause = format!(
                "json: cannot unmarshal {} into Go value of type map[string]v1.JSON",
                kind(&other)
            );
            Err(with_cause(&other, "v1beta1.MapTransform", &cause))
        }
    }
}

fn match_(value: Value) -> Decoded<MatchTransform> {
    let mut out = MatchTransform::default();
    fields(value, "v1beta1.MatchTransform", |name, value| {
        match name {
            "patterns" => {
                out.patterns = list(value, "v1beta1.MatchTransformPattern", match_pattern)?;
            }
            "fallbackValue" => out.fallback_value = raw(value)?,
            "fallbackTo" => out.fallback_to = string(value, "v1beta1.MatchFallbackTo")?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn match_pattern(value: Value) -> Decoded<MatchTransformPattern> {
    let mut out = MatchTransformPattern::default();
    fields(value, "v1beta1.MatchTransformPattern", |name, value| {
        match name {
            "type" => out.type_ = string(value, "v1beta1.MatchTransformPatternType")?,
            "literal" => out.literal = text(value)?,
            "regexp" => out.regexp = text(value)?,
            "result" => out.result = raw(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn string_transform(value: Value) -> Decoded<StringTransform> {
    let mut out = StringTransform::default();
    fields(value, "v1beta1.StringTransform", |name, value| {
        match name {
            "type" => out.type_ = string(value, "v1beta1.StringTransformType")?,
            "fmt" => out.format = text(value)?,
            "convert" => out.convert = named(value, "v1beta1.StringConversionType")?,
            "trim" => out.trim = text(value)?,
            "regexp" => out.regexp = option(value, string_regexp)?,
            "join" => out.join = option(value, string_join)?,
            "replace" => out.replace = option(value, string_replace)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn string_regexp(value: Value) -> Decoded<StringTransformRegexp> {
    let mut out = StringTransformRegexp::default();
    fields(value, "v1beta1.StringTransformRegexp", |name, value| {
        match name {
            "match" => out.match_ = string(value, "string")?,
            "group" => out.group = option(value, |v| integer(v, "int"))?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn string_join(value: Value) -> Decoded<StringTransformJoin> {
    let mut out = StringTransformJoin::default();
    only(value, "v1beta1.StringTransformJoin", "separator", &mut out.separator)?;
    Ok(out)
}

fn string_replace(value: Value) -> Decoded<StringTransformReplace> {
    let mut out = StringTransformReplace::default();
    fields(value, "v1beta1.StringTransformReplace", |name, value| {
        match name {
            "search" => out.search = string(value, "string")?,
            "replace" => out.replace = string(value, "string")?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

fn convert(value: Value) -> Decoded<ConvertTransform> {
    let mut out = ConvertTransform::default();
    fields(value, "v1beta1.ConvertTransform", |name, value| {
        match name {
            "toType" => out.to_type = string(value, "v1beta1.TransformIOType")?,
            "format" => out.format = named(value, "v1beta1.ConvertTransformFormat")?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}
