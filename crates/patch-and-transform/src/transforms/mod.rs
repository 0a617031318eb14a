//! Applies one transform to one value. Mirrors upstream's `transforms.go`.

mod convert;
mod lookup;
mod math;
mod string;

use serde_json::{Number, Value};

use crate::input::transforms::Transform;
use crate::protocol::GoOn;
use golang::raw_bytes;
use golang::regexp::{self, Stopped};

/// Why a transform did not resolve: the text of upstream's error, including wrapped prefixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformError {
    pub(super) message: String,
    /// The message of Go's JSON encoder, if the result is a float that JSON does not have. Upstream
    /// runs into this later, so the caller words it differently.
    pub(super) no_json: Option<String>,
}

impl TransformError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), no_json: None }
    }

    /// Wraps as Go's `errors.Wrap` does: `prefix: cause`.
    fn wrap(prefix: impl std::fmt::Display, cause: impl std::fmt::Display) -> Self {
        Self::new(format!("{prefix}: {cause}"))
    }
}

impl std::fmt::Display for TransformError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TransformError {}

type Result<T> = std::result::Result<T, TransformError>;

fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(TransformError::new(text))
}

fn stopped(_: Stopped) -> TransformError {
    TransformError::new("stopped")
}

impl Transform {
    /// Returns how many steps its regexps may take through a text.
    pub(super) fn steps(&self, text: &str) -> usize {
        let extract = self.string.as_ref().and_then(|t| t.regexp.as_ref()).map(|t| &t.match_);
        let patterns = self.match_.iter().flat_map(|t| &t.patterns);
        let patterns = patterns.filter_map(|pattern| pattern.regexp.as_ref());
        let regexps = extract.into_iter().chain(patterns);
        let compiled = regexps.filter_map(|regexp| regexp::compile(regexp).ok());
        compiled.map(|regexp| regexp.steps(text)).fold(0, usize::saturating_add)
    }
}

/// Resolves `transform` with `input` on its own: bytes that are not UTF-8 become U+FFFD in the
/// result.
///
/// # Errors
/// The message of upstream's `Resolve`, without the `transform at index N` that its caller adds.
pub fn resolve(transform: &Transform, input: Value) -> Result<Value> {
    let mut resolved = resolve_in_pipe(transform, input, &|| true)?;
    raw_bytes::replace(&mut resolved);
    Ok(resolved)
}

/// Resolves `transform` with `input` for the next transform: see [`raw_bytes`].
///
/// # Errors
/// The message of upstream's `Resolve`, without the `transform at index N` that its caller adds.
pub(super) fn resolve_in_pipe(
    transform: &Transform,
    input: Value,
    go_on: GoOn<'_>,
) -> Result<Value> {
    let type_ = transform.type_.as_str();
    let resolved = match type_ {
        "math" => transform.math.as_ref().map(|t| math::resolve(t, input)),
        "map" => transform.map.as_ref().map(|t| lookup::map(t, &input)),
        "match" => transform.match_.as_ref().map(|t| lookup::match_(t, input, go_on)),
        "string" => {
            transform.string.as_ref().map(|t| string::resolve(t, input, go_on).map(Value::String))
        }
        "convert" => transform.convert.as_ref().map(|t| convert::resolve(t, input)),
        _ => return fail(format!("transform type {type_} is not supported")),
    };
    let Some(resolved) = resolved else {
        return fail(format!("given transform type {type_} requires configuration"));
    };
    let prefix = || format!("{type_} transform could not resolve");
    resolved.map_err(|cause| TransformError {
        message: format!("{}: {cause}", prefix()),
        no_json: cause.no_json,
    })
}

/// Turns a float into a value. JSON has no infinities and no NaN: Go fails on them when it writes
/// the desired resource, this function at once and with the same message.
fn float(f: f64) -> Result<Value> {
    match Number::from_f64(f) {
        Some(number) => Ok(Value::Number(number)),
        None => {
            let text = golang::strconv::format_float(f, 'g', None);
            let message = format!("json: unsupported value: {text}");
            Err(TransformError { no_json: Some(message.clone()), message })
        }
    }
}
