//! Applies one patch from one object to another. Mirrors `patches.go`.

use serde_json::{Value, json};

use super::input::patches::{Combine, Patch, PatchPolicy};
use super::input::transforms::Transform;
use super::transforms::resolve_in_pipe;
use super::unstructured::round_trip;
use crate::fieldpath::{self, Error, MergeOptions, Segment};
use crate::protocol::{GoOn, Object};
use golang::fmt::{MAX_TEXT, is_too_long, sprintf};
use golang::raw_bytes;

/// Where a patch reads from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'o> {
    /// An object as it came over the wire: its numbers are floats, however they are stored.
    Wire(&'o Object),
    /// An object whose numbers are stored as upstream has them.
    Exact(&'o Object),
}

impl Source<'_> {
    /// Returns a copy of the value at `path`, or null if the path is empty.
    fn get(self, path: &str) -> Result<Value, Error> {
        Ok(match self {
            Self::Wire(object) => match fieldpath::get_value(object, path)? {
                Some(value) => fieldpath::floats(value)?,
                None => Value::Null,
            },
            Self::Exact(object) => fieldpath::get_value(object, path)?.cloned().unwrap_or_default(),
        })
    }
}

/// An object that patches modify.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    /// The object; its numbers are stored as upstream has them.
    pub(super) object: Object,
    /// Whether it has been through JSON since it came over the wire, so that its whole numbers are
    /// integers. The first patch does this.
    pub(super) normalized: bool,
    /// How many bytes patches have written to it; see [`MAX_GROWTH`].
    pub(super) grown: usize,
}

/// How many bytes a request's patches may write to each of the composite, the environment and a
/// composed resource, and to all composed resources together. Upstream has no limit, so thirty
/// patches that double a field use up all memory there. Crossplane accepts no response over 4 MiB.
pub(super) const MAX_GROWTH: usize = 16 << 20;

/// How many bytes that are read, or produced and discarded, count as one: they cost time, not
/// memory.
const WORK: usize = 4;
/// How many steps of a regexp count as one byte: its instructions times the text's bytes.
const STEPS: usize = 32;

/// Checks that not too much has been written.
///
/// # Errors
/// Too much has been written.
pub(super) fn check_growth(grown: usize) -> Result<(), Error> {
    if grown <= MAX_GROWTH {
        return Ok(());
    }
    let text = format!(
        "patches read and wrote too much, as if to fill {} MiB, where no object may have more than \
            1.5 MiB: let them make less",
        MAX_GROWTH >> 20
    );
    Err(Error::new(text))
}

/// Estimates a value's size: its text, plus something for each node.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => NODE + text.len(),
        Value::Array(items) => NODE + items.iter().map(weight).sum::<usize>(),
        Value::Object(object) => {
            NODE + object.iter().map(|(key, value)| key.len() + NODE + weight(value)).sum::<usize>()
        }
        _ => NODE,
    }
}

/// The size of a value apart from its text.
const NODE: usize = 32;

/// Returns how much setting a path may fill with nulls: a list becomes as long as its index
/// requires.
fn filled(path: &str) -> usize {
    let index = |segment: &Segment| match segment {
        Segment::Index(index) => usize::try_from(*index).unwrap_or(usize::MAX),
        Segment::Field(_) => 0,
    };
    let segments = fieldpath::parse(path).map(|path| path.iter().map(index).sum::<usize>());
    segments.unwrap_or_default().saturating_mul(NODE)
}

impl Target {
    /// Wraps an object from the wire.
    pub(super) fn from_wire(mut object: Object) -> Result<Self, Error> {
        fieldpath::to_floats(&mut object)?;
        Ok(Self { object, normalized: false, grown: 0 })
    }

    /// Turns whole numbers into integers, unless a patch has done so. The object was never Go JSON
    /// then, so -0 keeps its sign.
    pub(super) fn normalize(&mut self) {
        if !self.normalized {
            self.object.values_mut().for_each(crate::protocol::normalize);
            self.normalized = true;
        }
    }

    /// Accounts for a value that is written to `times` places like this one.
    fn grow(&mut self, value: &Value, path: &str, times: usize) -> Result<(), Error> {
        let bytes = weight(value).saturating_add(filled(path));
        self.spend(bytes.saturating_mul(times))
    }

    /// Accounts for what a transform has to read.
    fn work(&mut self, transform: &Transform, value: &Value) -> Result<(), Error> {
        let steps = value.as_str().map_or(0, |text| transform.steps(text));
        self.spend((weight(value) / WORK).saturating_add(steps / STEPS))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        self.grown = self.grown.saturating_add(bytes);
        check_growth(self.grown)
    }

    /// Returns the object as a source.
    pub(super) fn source(&self) -> Source<'_> {
        Source::Exact(&self.object)
    }
}

/// Copies one field, transformed, to one field or to all fields that a wildcard stands for.
///
/// # Errors
/// Not found if the source field is missing; upstream's messages otherwise. Like upstream, leaves
/// the target changed if it fails halfway.
pub(super) fn apply_from_field_path(
    patch: &Patch,
    from: Source<'_>,
    to: &mut Target,
    go_on: GoOn<'_>,
) -> Result<(), Error> {
    let value = from.get(patch.from_path())?;
    let mut value = resolve_transforms(&patch.transforms, value, to, go_on)?;
    fieldpath::normalize(&mut value)?;
    let options = merge_options(patch.policy.as_ref())?;
    if patch.to_path().contains("[*]") {
        return patch_all(patch.to_path(), &value, to, options);
    }
    patch_one(patch.to_path(), value, to, options)
}

/// Combines several fields into one value and sets the target to it.
///
/// # Errors
/// As [`apply_from_field_path`]; stops at the first missing variable.
pub(super) fn apply_combine(
    patch: &Patch,
    type_: &str,
    from: Source<'_>,
    to: &mut Target,
    go_on: GoOn<'_>,
) -> Result<(), Error> {
    // Validation ensures this, except for connection secrets, where upstream crashes.
    let Some(c) = &patch.combine else {
        let text = format!("combine: Required value: combine must be set for patch type {type_}");
        return Err(Error::new(text));
    };
    let variables = c.variables.iter().map(|variable| from.get(&variable.from_field_path));
    let variables = variables.collect::<Result<Vec<_>, _>>()?;
    let combined = combine(c, &variables)?;
    let value = resolve_transforms(&patch.transforms, combined, to, go_on).map_err(|error| {
        // Here it is written without being read back first, so the message has one more layer.
        if error.is_no_json() { error.wrap("cannot patch to object") } else { error }
    })?;
    let options = merge_options(patch.policy.as_ref())?;
    patch_one(patch.to_path(), value, to, options)
}

fn combine(combine: &Combine, variables: &[Value]) -> Result<Value, Error> {
    let strategy = &combine.strategy;
    match (strategy.as_str(), &combine.string) {
        ("string", Some(string)) => {
            let text = sprintf(&string.format, variables);
            if is_too_long(&text) {
                let most = MAX_TEXT >> 20;
                let text = format!("the text is longer than {most} MiB, which no object can hold");
                return Err(Error::new(text));
            }
            Ok(json!(text))
        }
        ("string", None) => {
            Err(Error::new(format!("given combine strategy {strategy} requires configuration")))
        }
        _ => Err(Error::new(format!("combine strategy {strategy} is not supported"))),
    }
}

/// Reports whether a transform's result may carry raw bytes.
fn yields_raw_bytes(transform: &Transform) -> bool {
    transform.string.as_ref().is_some_and(|string| {
        string.type_ == "Join" || string.convert.as_deref() == Some("FromBase64")
    })
}

fn resolve_transforms(
    transforms: &[Transform],
    mut value: Value,
    to: &mut Target,
    go_on: GoOn<'_>,
) -> Result<Value, Error> {
    let mut has_raw_bytes = false;
    for (i, transform) in transforms.iter().enumerate() {
        to.work(transform, &value)?;
        has_raw_bytes = has_raw_bytes || yields_raw_bytes(transform);
        value = resolve_in_pipe(transform, value, go_on).map_err(|mut error| {
            if has_raw_bytes {
                raw_bytes::replace_in(&mut error.message);
            }
            match error.no_json.as_ref().filter(|_| i + 1 == transforms.len()) {
                Some(cause) => Error::no_json(format!("cannot marshal value to JSON: {cause}")),
                None => Error::new(format!("transform at index {i} returned error: {error}")),
            }
        })?;
        if value.is_null()
            && let Some(next) = transforms.get(i + 1)
            && !reads_json(next)
        {
            value = empty_of(transform);
        }
    }
    if has_raw_bytes {
        raw_bytes::replace(&mut value);
    }
    Ok(value)
}

/// Returns what Go's nil slice or map, made from the JSON text `null`, is to the transforms after
/// the one that made it: it prints and counts as an empty one. In the final JSON it is null.
fn empty_of(transform: &Transform) -> Value {
    match transform.convert.as_ref().map(|convert| convert.to_type.as_str()) {
        Some("array") if transform.type_ == "convert" => json!([]),
        Some("object") if transform.type_ == "convert" => json!({}),
        _ => Value::Null,
    }
}

/// Reports whether a transform looks at its input as JSON, where a nil slice or map is null.
fn reads_json(transform: &Transform) -> bool {
    let conversion = transform.string.as_ref().and_then(|string| string.convert.as_deref());
    matches!(conversion, Some("ToJson" | "ToSha1" | "ToSha256" | "ToSha512" | "ToAdler32"))
}

fn merge_options(policy: Option<&PatchPolicy>) -> Result<Option<MergeOptions>, Error> {
    let Some(policy) = policy else { return Ok(None) };
    let (keep_map_values, append_slice) = match policy.to_policy() {
        "Replace" => return Ok(None),
        "MergeObjects" | "MergeObject" => (true, false),
        "MergeObjectsAppendArrays" => (true, true),
        "ForceMergeObjects" => (false, false),
        "ForceMergeObjectsAppendArrays" | "AppendArray" => (false, true),
        other => return Err(Error::new(format!("invalid patch policy {other}"))),
    };
    Ok(Some(MergeOptions { keep_map_values, append_slice }))
}

fn patch_one(
    path: &str,
    value: Value,
    to: &mut Target,
    options: Option<MergeOptions>,
) -> Result<(), Error> {
    to.grow(&value, path, 1)?;
    fieldpath::merge_value(&mut to.object, path, value, options)
        .and_then(|()| round_trip(&mut to.object, &mut to.normalized))
        .map_err(|error| error.wrap("cannot patch to object"))
}

fn patch_all(
    path: &str,
    value: &Value,
    to: &mut Target,
    options: Option<MergeOptions>,
) -> Result<(), Error> {
    let paths = fieldpath::expand_wildcards(&to.object, path)?;
    if paths.is_empty() {
        return Err(Error::new(format!("cannot expand ToFieldPath {path}")));
    }
    to.grow(value, path, paths.len())?;
    for path in paths {
        fieldpath::merge_value(&mut to.object, &path, value.clone(), options)?;
    }
    round_trip(&mut to.object, &mut to.normalized)
}
