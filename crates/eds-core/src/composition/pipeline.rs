//! The function pipeline, as Crossplane's FunctionComposer runs it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::applied;
use super::definition::{Composition, Step};
use super::{ANNOTATION_RESOURCE_NAME, LABEL_COMPOSITE};
use patch_and_transform::protocol::{
    Condition, FunctionResult, Match, Object, Resource, ResourceSelector, RunFunctionRequest,
    RunFunctionResponse, Severity, State,
};

/// How often a step may ask for additional resources before the pipeline gives up (Crossplane
/// `internal/xfn`, `MaxRequirementsIterations`).
const MAX_REQUIREMENTS_ITERATIONS: usize = 5;

/// The input of a pipeline.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The composite as it is before the pipeline runs.
    pub composite: Object,
    /// Composed resources that already exist. Each has the annotation
    /// `crossplane.io/composition-resource-name`.
    pub observed: Vec<Object>,
    /// Additional resources that a function may ask for, such as pods.
    pub required: Vec<Object>,
}

/// The output of a pipeline.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Composed resources as Crossplane applies them, by their names in the pipeline.
    pub composed: BTreeMap<String, Object>,
    /// The composite with its references, status and conditions.
    pub composite: Object,
    /// Results of all steps, in order.
    pub results: Vec<StepResult>,
    /// Names of `composed` in the order in which the Composition lists them.
    pub order: Vec<String>,
    manifests: BTreeMap<String, Object>,
}

/// A result, and the step that produced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepResult {
    /// Name of the step.
    pub step: String,
    /// The result.
    pub result: FunctionResult,
}

/// Why a pipeline produced nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A step reported that it failed. Crossplane then composes nothing.
    Fatal {
        /// Name of the step.
        step: String,
        /// The function's message.
        message: String,
    },
    /// A step kept asking for other resources.
    Unstable {
        /// Name of the step.
        step: String,
    },
    /// An observed resource lacks its annotation.
    Unnamed {
        /// Kind and name of the resource.
        resource: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fatal { step, message } => write!(f, "step {step:?} failed: {message}"),
            Self::Unstable { step } => write!(
                f,
                "step {step:?} asked for different resources {MAX_REQUIREMENTS_ITERATIONS} times \
                 and did not come to rest"
            ),
            Self::Unnamed { resource } => write!(
                f,
                "observed {resource} has no annotation {ANNOTATION_RESOURCE_NAME}, which says \
                 which composed resource it is"
            ),
        }
    }
}

impl std::error::Error for Error {}

impl Rendered {
    /// Returns the plain manifests in the Composition's order: the manifest inside a
    /// provider-kubernetes Object, or else the resource as the functions desired it.
    pub fn manifests(&self) -> impl Iterator<Item = &Object> {
        self.order.iter().filter_map(|name| self.manifests.get(name))
    }

    /// Returns the composed resources as Crossplane applies them, in the Composition's order.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.order.iter().filter_map(|name| self.composed.get(name))
    }
}

/// Runs the pipeline for one composite. `inputs` has numbers as the wire would carry them.
pub fn render(composition: &Composition, inputs: &Inputs) -> Result<Rendered, Error> {
    let observed = observed_state(inputs)?;
    let mut desired = State::default();
    let mut context = Some(Object::new());
    let mut results = Vec::new();
    let mut conditions: Vec<Condition> = Vec::new();

    for step in &composition.steps {
        let request = RunFunctionRequest {
            observed: observed.clone(),
            desired: std::mem::take(&mut desired),
            input: step.input.clone(),
            context: context.take(),
            ..RunFunctionRequest::default()
        };
        let mut response = run_step(step, request, &inputs.required)?;
        response.normalize();
        if let Some(fatal) = response.results.iter().find(|r| r.severity == Severity::Fatal) {
            let message = fatal.message.clone();
            return Err(Error::Fatal { step: step.name.clone(), message });
        }
        desired = response.desired;
        context = response.context;
        conditions.extend(response.conditions);
        results.extend(
            response
                .results
                .into_iter()
                .map(|result| StepResult { step: step.name.clone(), result }),
        );
    }

    let manifests = desired
        .resources
        .iter()
        .filter_map(|(name, r)| Some((name.clone(), applied::manifest(r.resource.as_ref()?))))
        .collect();
    let mut order: Vec<String> = composition.order().map(str::to_owned).collect();
    order.extend(desired.resources.keys().cloned());
    let mut seen = std::collections::BTreeSet::new();
    order.retain(|name| desired.resources.contains_key(name) && seen.insert(name.clone()));

    let composed = applied::composed(&inputs.composite, &observed.resources, &desired.resources);
    let composite = applied::composite(&inputs.composite, &composed, &desired, &conditions);
    Ok(Rendered { composed, composite, results, order, manifests })
}

/// Runs one step until it asks for no resources other than those it was given.
fn run_step(
    step: &Step,
    request: RunFunctionRequest,
    available: &[Object],
) -> Result<RunFunctionResponse, Error> {
    let mut given: BTreeMap<String, ResourceSelector> = BTreeMap::new();
    let mut next = request.clone();
    for _ in 0..MAX_REQUIREMENTS_ITERATIONS {
        let response = (step.function)(next, &|| true);
        let fatal = response.results.iter().any(|r| r.severity == Severity::Fatal);
        if fatal || response.required_resources == given {
            return Ok(response);
        }
        given = response.required_resources;
        next = RunFunctionRequest {
            required_resources: given
                .iter()
                .map(|(key, selector)| (key.clone(), select(selector, available)))
                .collect(),
            // Context is kept between the iterations of one step.
            context: response.context,
            ..request.clone()
        };
    }
    Err(Error::Unstable { step: step.name.clone() })
}

fn select(selector: &ResourceSelector, available: &[Object]) -> Vec<Resource> {
    let text = |object: &Object, key: &str| {
        object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let meta = |object: &Object, key: &str| -> Option<Value> {
        object.get("metadata").and_then(|m| m.get(key)).cloned()
    };
    available
        .iter()
        .filter(|o| {
            text(o, "apiVersion") == selector.api_version && text(o, "kind") == selector.kind
        })
        .filter(|o| {
            let namespace = meta(o, "namespace");
            selector
                .namespace
                .as_deref()
                .is_none_or(|wanted| namespace.as_ref().and_then(Value::as_str) == Some(wanted))
        })
        .filter(|o| match &selector.match_ {
            Match::Name(name) => meta(o, "name").as_ref().and_then(Value::as_str) == Some(name),
            Match::Labels(labels) => {
                let has = meta(o, "labels").unwrap_or_default();
                labels.iter().all(|(k, v)| has.get(k).and_then(Value::as_str) == Some(v))
            }
        })
        .map(|o| Resource { resource: Some(o.clone()), ..Resource::default() })
        .collect()
}

fn observed_state(inputs: &Inputs) -> Result<State, Error> {
    let mut resources = BTreeMap::new();
    for object in &inputs.observed {
        let metadata = object.get("metadata");
        let name = metadata
            .and_then(|m| m.get("annotations"))
            .and_then(|a| a.get(ANNOTATION_RESOURCE_NAME))
            .and_then(Value::as_str);
        let Some(name) = name else {
            let text = |v: Option<&Value>| v.and_then(Value::as_str).unwrap_or("?").to_owned();
            let resource = format!(
                "{} {}",
                text(object.get("kind")),
                text(metadata.and_then(|m| m.get("name")))
            );
            return Err(Error::Unnamed { resource });
        };
        let resource = Resource { resource: Some(object.clone()), ..Resource::default() };
        resources.insert(name.to_owned(), resource);
    }
    let mut composite = inputs.composite.clone();
    if let Some(labels) = composite.get_mut("metadata").and_then(|m| m.get_mut("labels"))
        && labels.get(LABEL_COMPOSITE).is_none()
    {
        // Crossplane's naming configurator sets it before the pipeline runs.
        let name = inputs.composite.get("metadata").and_then(|m| m.get("name")).cloned();
        if let (Some(labels), Some(name)) = (labels.as_object_mut(), name) {
            labels.insert(LABEL_COMPOSITE.to_owned(), name);
        }
    }
    let composite = Resource { resource: Some(composite), ..Resource::default() };
    Ok(State { composite: Some(composite), resources })
}
