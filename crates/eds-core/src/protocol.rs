//! Crossplane's composition function protocol, `apiextensions.fn.proto.v1`, as plain values.
//!
//! The field names and meanings are those of `proto/fn/v1/run_function.proto` (Crossplane 2.3.4).
//! `eds-function` converts these to and from the wire; `eds render` builds them itself.
//!
//! Objects are JSON values with sorted keys. Their numbers follow Kubernetes' `unstructured`: a
//! number whose shortest decimal text is an integer that fits is an `i64`, any other is an `f64`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

/// A JSON object: the Rust side of a `google.protobuf.Struct`. Keys are sorted, as Go prints them.
pub type Object = Map<String, Value>;

/// What Crossplane asks of a function.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFunctionRequest {
    /// `meta.tag`: opaque, echoed in the response.
    pub tag: String,
    /// State of the composite and its composed resources before the pipeline ran.
    pub observed: State,
    /// Desired state accumulated by the steps before this one.
    pub desired: State,
    /// The step's `input` block.
    pub input: Option<Object>,
    /// Pipeline context, for example the environment.
    pub context: Option<Object>,
    /// Resources the function asked for in `requirements.resources`; a key that maps to an empty
    /// list says that Crossplane looked and found none.
    pub required_resources: BTreeMap<String, Vec<Resource>>,
}

/// What a function answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFunctionResponse {
    /// `meta.tag` of the request.
    pub tag: String,
    /// How long Crossplane may wait before it asks again.
    pub ttl: Option<Duration>,
    /// Desired state, including what earlier steps desired.
    pub desired: State,
    /// Results in the order they were produced. Any fatal result fails the pipeline.
    pub results: Vec<FunctionResult>,
    /// Context for the next step.
    pub context: Option<Object>,
    /// `requirements.resources`.
    pub required_resources: BTreeMap<String, ResourceSelector>,
    /// Status conditions for the composite and, where targeted, its claim.
    pub conditions: Vec<Condition>,
}

/// The composite and the composed resources, by their names in the pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// The composite resource (XR). Absent and empty are different on the wire.
    pub composite: Option<Resource>,
    /// Composed resources by pipeline name (`crossplane.io/composition-resource-name`).
    pub resources: BTreeMap<String, Resource>,
}

/// A Kubernetes resource with what Crossplane knows beside it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resource {
    /// The object's JSON. Absent and empty are different on the wire.
    pub resource: Option<Object>,
    /// Connection details, raw bytes by key.
    pub connection_details: BTreeMap<String, Vec<u8>>,
    /// Readiness as a function says it; observed resources leave it unspecified.
    pub ready: Ready,
}

/// Readiness of a desired resource. The numbers are the protocol's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ready {
    /// Nothing was said.
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
    /// How bad it is.
    pub severity: Severity,
    /// What a person reads.
    pub message: String,
    /// PascalCase reason; Crossplane uses `ComposeResources` when absent.
    pub reason: Option<String>,
    /// Who sees it.
    pub target: Option<Target>,
}

/// Severity of a result. The numbers are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The pipeline fails.
    Fatal = 1,
    /// The pipeline goes on; an event of type Warning is emitted.
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
    /// One sentence for a person.
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

/// Which further resources a function wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceSelector {
    /// API version, e.g. `v1`.
    pub api_version: String,
    /// Kind, e.g. `Pod`.
    pub kind: String,
    /// By name or by labels.
    pub match_: Match,
    /// Namespace; absent for cluster-scoped resources or all namespaces.
    pub namespace: Option<String>,
}

/// How a [`ResourceSelector`] selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// The one with this name.
    Name(String),
    /// All with these labels.
    Labels(BTreeMap<String, String>),
}
