//! Checks transforms. Mirrors the second half of `validate.go`.

use super::input::transforms::{
    ConvertTransform, MapTransform, MatchTransform, MatchTransformPattern, MathTransform,
    StringTransform, Transform,
};
use super::validate::{At, Checked, invalid, invalid_named, required};
use golang::regexp;

/// Checks one transform.
///
/// # Errors
/// The first problem.
pub(super) fn transform(t: &Transform) -> Checked {
    let missing = || {
        let detail = format!("given transform type {} requires configuration", t.type_);
        required(&t.type_, detail)
    };
    match t.type_.as_str() {
        "math" => t.math.as_ref().map_or_else(missing, |c| math(c).at("math")),
        "map" => t.map.as_ref().map_or_else(missing, |c| map(c).at("map")),
        "match" => t.match_.as_ref().map_or_else(missing, |c| match_(c).at("match")),
        "string" => t.string.as_ref().map_or_else(missing, |c| string(c).at("string")),
        "convert" => t.convert.as_ref().map_or_else(missing, |c| convert(c).at("convert")),
        other => invalid_named("type", other, "unknown transform type"),
    }
}

fn math(m: &MathTransform) -> Checked {
    let (value, field, what) = match m.type_.as_str() {
        "" => return required("type", "math transform type is required"),
        "Multiply" => (m.multiply, "multiply", "multiply"),
        "ClampMin" => (m.clamp_min, "clampMin", "clamp min"),
        "ClampMax" => (m.clamp_max, "clampMax", "clamp max"),
        other => return invalid_named("type", other, "unknown math transform type"),
    };
    if value.is_none() {
        let detail = format!("must specify a value if a {what} math transform is specified");
        return required(field, detail);
    }
    Ok(())
}

fn map(m: &MapTransform) -> Checked {
    if m.pairs.is_empty() {
        let detail = "at least one pair must be specified if a map transform is specified";
        return required("pairs", detail);
    }
    Ok(())
}

fn match_(m: &MatchTransform) -> Checked {
    if m.patterns.is_empty() {
        let detail = "at least one pattern must be specified if a match transform is specified";
        return required("patterns", detail);
    }
    for (i, p) in m.patterns.iter().enumerate() {
        pattern(p).at_index("patterns", i)?;
    }
    Ok(())
}

fn pattern(p: &MatchTransformPattern) -> Checked {
    match (p.type_.as_str(), &p.literal, &p.regexp) {
        ("literal" | "", None, _) => required("literal", "literal pattern type requires a literal"),
        ("literal" | "", Some(_), _) => Ok(()),
        ("regexp", _, None) => required("regexp", "regexp pattern type requires a regexp"),
        ("regexp", _, Some(re)) if regexp::compile(re).is_err() => {
            invalid("regexp", re, "invalid regexp")
        }
        ("regexp", ..) => Ok(()),
        (other, ..) => invalid_named("type", other, "unknown pattern type"),
    }
}

fn string(s: &StringTransform) -> Checked {
    match s.type_.as_str() {
        "" => required("type", "string transform type is required"),
        "Format" if s.format.is_none() => required("fmt", "format transform requires a format"),
        "Convert" if s.convert.is_none() => {
            required("convert", "convert transform requires a conversion type")
        }
        "TrimPrefix" | "TrimSuffix" if s.trim.is_none() => {
            required("trim", "trim transform requires a trim value")
        }
        "Join" if s.join.is_none() => required("join", "join transform requires a join"),
        "Regexp" => match &s.regexp {
            None => required("regexp", "regexp transform requires a regexp"),
            Some(r) if r.match_.is_empty() => {
                required("regexp.match", "regexp transform requires a match")
            }
            Some(r) if regexp::compile(&r.match_).is_err() => {
                invalid("regexp.match", &r.match_, "invalid regexp")
            }
            Some(_) => Ok(()),
        },
        "Replace" => match &s.replace {
            None => required("replace", "replace transform requires a replace"),
            Some(r) if r.search.is_empty() => {
                required("replace.search", "replace transform requires a search")
            }
            Some(_) => Ok(()),
        },
        "Format" | "Convert" | "TrimPrefix" | "TrimSuffix" | "Join" => Ok(()),
        other => invalid_named("type", other, "unknown string transform type"),
    }
}

fn convert(c: &ConvertTransform) -> Checked {
    if let Some(format) = &c.format
        && !matches!(format.as_str(), "none" | "quantity" | "json")
    {
        return invalid_named("format", format, "invalid format");
    }
    match c.to_type.as_str() {
        "string" | "bool" | "int" | "int64" | "float64" | "object" | "array" => Ok(()),
        other => invalid_named("toType", other, "invalid type"),
    }
}
