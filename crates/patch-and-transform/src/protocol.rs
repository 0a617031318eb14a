//! Crossplane's composition function protocol, `apiextensions.fn.proto.v1`, as plain values.
//!
//! Field names and meanings are those of `proto/fn/v1/run_function.proto` (Crossplane 2.3.4).
//! `eds-function` converts these values to and from the wire; `eds render` builds them itself.
//!
//! Objects are JSON values with sorted keys. Their numbers follow Kubernetes' `unstructured`: a
//! number whose shortest decimal text is an integer that fits is an `i64`, any other is an `f64`.
//! The wire itself only carries doubles, and upstream's patch-and-transform reads them as such
//! (measured: `%d` of an observed 3 prints `%!d(float64=3)`); we account for that when reading.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Number, Value};

use crate::fieldpath::normalize_number;

/// Asked now and then by long computations: is anybody still waiting for the answer? Once it
/// returns false, the computation ends soon, and its result is meaningless.
pub type GoOn<'a> = &'a dyn Fn() -> bool;

/// A JSON object: the Rust side of a `google.protobuf.Struct`. Keys are sorted, as Go prints them.
pub type Object = Map<String, Value>;

/// What Crossplane asks of a function.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFunctionRequest {
    /// `meta.tag`: opaque, echoed in the response.
    pub tag: String,
    /// `meta.capabilities`, by the protocol's numbers. Empty before Crossplane 2.2.
    pub capabilities: Vec<i32>,
    /// The state of the composite and its composed resources before the pipeline ran.
    pub observed: State,
    /// The desired state accumulated by earlier steps.
    pub desired: State,
    /// The step's `input` block.
    pub input: Option<Object>,
    /// Pipeline context, for example the environment.
    pub context: Option<Object>,
    /// Resources the function asked for in `requirements.resources`; a key with an empty list means
    /// that Crossplane looked and found none.
    pub required_resources: BTreeMap<String, Vec<Resource>>,
    /// The same for the deprecated `requirements.extra_resources`.
    pub extra_resources: BTreeMap<String, Vec<Resource>>,
    /// OpenAPI schemas asked for in `requirements.schemas`; `None` if Crossplane found none.
    pub required_schemas: BTreeMap<String, Option<Object>>,
    /// Credentials of the step, by their names: raw bytes by key.
    pub credentials: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// What could not be read from the wire as a JSON object. The object in its place is empty.
    pub problems: Vec<Problem>,
}

/// A part of a request that is well-formed protobuf but not a usable JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field of the request and the path in the object, e.g. `input.resources[0].base`.
    pub place: String,
    /// What is wrong with it.
    pub message: String,
}

/// What a function answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFunctionResponse {
    /// `meta.tag` of the request.
    pub tag: String,
    /// How long Crossplane may wait before it asks again.
    pub ttl: Option<Duration>,
    /// The desired state, including what earlier steps desired.
    pub desired: State,
    /// Results in the order they were produced. Any fatal result fails the pipeline.
    pub results: Vec<FunctionResult>,
    /// Context for the next step.
    pub context: Option<Object>,
    /// `requirements.resources`.
    pub required_resources: BTreeMap<String, ResourceSelector>,
    /// The deprecated `requirements.extra_resources`.
    pub extra_resources: BTreeMap<String, ResourceSelector>,
    /// `requirements.schemas`.
    pub required_schemas: BTreeMap<String, SchemaSelector>,
    /// Status conditions for the composite and, if targeted, its claim.
    pub conditions: Vec<Condition>,
    /// Output; only operations use it, composition discards it.
    pub output: Option<Object>,
}

impl RunFunctionResponse {
    /// Answers a request that cannot be processed: passes through what came, with one fatal result
    /// that says why.
    #[must_use]
    pub fn fatal(request: RunFunctionRequest, message: String) -> Self {
        Self {
            tag: request.tag,
            ttl: Some(DEFAULT_TTL),
            desired: request.desired,
            context: request.context,
            results: vec![FunctionResult {
                severity: Severity::Fatal,
                message,
                reason: None,
                target: Some(Target::Composite),
            }],
            ..Self::default()
        }
    }
}

impl RunFunctionResponse {
    /// Gives every number the form it has after the wire, so that an in-process caller sees what a
    /// gRPC client would.
    pub fn normalize(&mut self) {
        let desired = &mut self.desired;
        let resources = desired.composite.iter_mut().chain(desired.resources.values_mut());
        let objects = resources.filter_map(|resource| resource.resource.as_mut());
        for object in objects.chain(self.context.as_mut()).chain(self.output.as_mut()) {
            object.values_mut().for_each(normalize);
        }
    }
}

/// How long a response is valid if the function has no reason to say otherwise: 60 s, like
/// function-sdk-go's `response.DefaultTTL`.
pub const DEFAULT_TTL: Duration = Duration::from_secs(60);

/// The composite and the composed resources by their names in the pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// The composite resource (XR). Absent and empty differ on the wire.
    pub composite: Option<Resource>,
    /// Composed resources by pipeline name (`crossplane.io/composition-resource-name`).
    pub resources: BTreeMap<String, Resource>,
}

/// A Kubernetes resource and what else Crossplane knows about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resource {
    /// The object's JSON. Absent and empty differ on the wire.
    pub resource: Option<Object>,
    /// Connection details, raw bytes by key.
    pub connection_details: BTreeMap<String, Vec<u8>>,
    /// Readiness as reported by a function; observed resources leave it unspecified.
    pub ready: Ready,
}

/// Readiness of a desired resource. The numbers are the protocol's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ready {
    /// Nothing was reported.
    #[default]
    Unspecified = 0,
    /// Observed to be ready.
    True = 1,
    /// Observed not to be ready.
    False = 2,
}

/// One result of a function run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionResult {
    /// How serious it is.
    pub severity: Severity,
    /// The message for people.
    pub message: String,
    /// PascalCase reason; Crossplane uses `ComposeResources` if absent.
    pub reason: Option<String>,
    /// Who sees it.
    pub target: Option<Target>,
}

/// Severity of a result. The numbers are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The pipeline fails.
    Fatal = 1,
    /// The pipeline continues; an event of type Warning is emitted.
    Warning = 2,
    /// An event of type Normal is emitted.
    Normal = 3,
}

/// Who sees a result or condition. The numbers are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The composite only.
    Composite = 1,
    /// The composite and its claim.
    CompositeAndClaim = 2,
}

/// A status condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Condition type, PascalCase.
    pub type_: String,
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// PascalCase reason.
    pub reason: String,
    /// One sentence for people.
    pub message: Option<String>,
    /// Who sees it.
    pub target: Option<Target>,
}

/// Status of a condition. The numbers are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionStatus {
    /// `STATUS_CONDITION_UNKNOWN`.
    Unknown = 1,
    /// `STATUS_CONDITION_TRUE`.
    True = 2,
    /// `STATUS_CONDITION_FALSE`.
    False = 3,
}

/// Which additional resources a function wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceSelector {
    /// API version, e.g. `v1`.
    pub api_version: String,
    /// Kind, e.g. `Pod`.
    pub kind: String,
    /// Selection by name or by labels.
    pub match_: Match,
    /// Namespace; absent for cluster-scoped resources or all namespaces.
    pub namespace: Option<String>,
}

/// The type for which a function wants to see the OpenAPI schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaSelector {
    /// API version, e.g. `apps/v1`.
    pub api_version: String,
    /// Kind, e.g. `Deployment`.
    pub kind: String,
}

/// How a [`ResourceSelector`] selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// The one with this name.
    Name(String),
    /// All with these labels.
    Labels(BTreeMap<String, String>),
}

/// Converts a protobuf double to the JSON number that comes out of Go's `protojson` and Kubernetes'
/// JSON reader: an `i64` if its shortest decimal text is an integer that fits, otherwise an `f64`.
/// Returns `None` for NaN and the infinities, which JSON cannot express.
///
/// The text matters: 2^62 is written `4611686018427388000`, the shortest digits that read back as
/// the same double, and that is the integer people see. From 1e21 on the text has an exponent, and
/// no integer that large would fit anyway. -0 stays a double: Go prints its sign.
#[must_use]
pub fn number_from_double(double: f64) -> Option<Number> {
    let number = Number::from_f64(double)?;
    if double == 0.0 && double.is_sign_negative() {
        return Some(number);
    }
    Some(normalize_number(&number).unwrap_or(number))
}

/// Gives every number in a value the form it has after a trip through a protobuf Struct.
pub fn normalize(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(carried) = number.as_f64().and_then(number_from_double) {
                *number = carried;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalize),
        Value::Object(fields) => fields.values_mut().for_each(normalize),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
