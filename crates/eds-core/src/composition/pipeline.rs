//! The function pipeline, as Crossplane's FunctionComposer runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use golang::base64;
use kube_object::object::Fields;
use serde_json::{Map, Value};

use super::applied;
use super::definition::{Composition, Step};
use super::seen::{seen, started, uid};
use super::store::Store;
use super::{ANNOTATION_RESOURCE_NAME, Machinery, as_read};
use patch_and_transform::protocol::{
    Condition, FunctionResult, Object, Resource, ResourceSelector, RunFunctionRequest,
    RunFunctionResponse, Severity, State,
};
use patch_and_transform::time::check_rfc3339;

/// How often a step may ask again for other resources before the pipeline gives up (Crossplane
/// `internal/xfn`, `MaxRequirementsIterations`).
const MAX_REQUIREMENTS_ITERATIONS: usize = 5;

/// What functions are told that Crossplane can do: capabilities themselves, required resources,
/// credentials, conditions, required schemas (`internal/xfn`, `SupportedCapabilities`).
const CAPABILITIES: [i32; 5] = [1, 2, 3, 4, 5];

/// The input of a pipeline.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The composite as it is before the pipeline runs, with numbers as they are written: what is
    /// printed of it keeps them, what functions see has them as the wire carries them.
    pub composite: Object,
    /// Where it has Crossplane's own fields.
    pub machinery: Machinery,
    /// Composed resources that already exist. Each has the annotation
    /// `crossplane.io/composition-resource-name`.
    pub observed: Vec<Object>,
    /// Additional resources that a function may ask for, such as pods.
    pub required: Vec<Object>,
    /// Secrets with the credentials of functions.
    pub credentials: Vec<Object>,
    /// What the functions' context holds before the first step.
    pub context: Object,
}

/// Runs the functions of steps.
pub trait Functions {
    /// Reports whether a step is left out: the next one is given what the one before it made.
    fn skips(&self, _step: &Step) -> bool {
        false
    }

    /// Runs a step's function.
    ///
    /// # Errors
    /// Why there is no answer.
    fn run(&self, step: &Step, request: RunFunctionRequest) -> Result<RunFunctionResponse, String>;
}

/// The functions that are built in, and no others.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn;

impl Functions for BuiltIn {
    fn run(&self, step: &Step, request: RunFunctionRequest) -> Result<RunFunctionResponse, String> {
        let function = step.function.ok_or_else(|| {
            format!(
                "function {} is not built in; {}",
                step.function_name,
                crate::functions::accepted()
            )
        })?;
        Ok(function(request, &|| true))
    }
}

/// The output of a pipeline.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Composed resources as Crossplane applies them, by their names in the pipeline.
    pub composed: BTreeMap<String, Object>,
    /// The composite with its references, status and conditions.
    pub composite: Object,
    /// The same without what it had before, but for its name.
    pub changes: Object,
    /// Results of all steps, in order.
    pub results: Vec<StepResult>,
    /// What Crossplane says on the composite, in order.
    pub events: Vec<Event>,
    /// The functions' context after the last step.
    pub context: Option<Object>,
    /// Names of `composed` in the order in which the Composition lists them.
    pub order: Vec<String>,
    /// What the functions desire.
    desired: BTreeMap<String, Resource>,
}

/// A result, and the step that produced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepResult {
    /// Name of the step.
    pub step: String,
    /// The result.
    pub result: FunctionResult,
}

/// A Kubernetes event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whether it is of type Warning; Normal otherwise.
    pub is_warning: bool,
    /// PascalCase reason.
    pub reason: String,
    /// The message for people.
    pub message: String,
}

impl Event {
    pub(super) fn warning(reason: &str, message: String) -> Self {
        Self { is_warning: true, reason: reason.to_owned(), message }
    }

    fn normal(reason: &str, message: String) -> Self {
        Self { is_warning: false, reason: reason.to_owned(), message }
    }

    fn of(step: &str, result: &FunctionResult) -> Self {
        let reason = result.reason.as_deref().filter(|reason| !reason.is_empty());
        Self {
            is_warning: result.severity != Severity::Normal,
            reason: reason.unwrap_or(COMPOSE).to_owned(),
            message: format!("Pipeline step {step:?}: {}", result.message),
        }
    }
}

/// The reason of events about what is composed.
const COMPOSE: &str = "ComposeResources";

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
    /// A step's function did not answer.
    NoAnswer {
        /// Name of the step.
        step: String,
        /// Why.
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
    /// Crossplane refuses what it was given, or what came out.
    Refused(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fatal { step, message } => write!(f, "step {step:?} failed: {message}"),
            Self::NoAnswer { step, message } => write!(f, "step {step:?}: {message}"),
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
            Self::Refused(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for Error {}

impl Rendered {
    /// Returns the plain manifests in the Composition's order: the manifest inside a
    /// provider-kubernetes Object, or else the resource as the functions desired it.
    pub fn manifests(&self) -> impl Iterator<Item = &Object> {
        let desired = self.order.iter().filter_map(|name| self.desired.get(name));
        desired.filter_map(|desired| desired.resource.as_ref()).map(applied::manifest)
    }

    /// Returns the composed resources as Crossplane applies them, in the Composition's order.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.order.iter().filter_map(|name| self.composed.get(name))
    }
}

/// Runs the pipeline for one composite, with the functions that are built in. What else is in
/// `inputs` has numbers as the wire would carry them.
///
/// # Errors
/// Why Crossplane would compose nothing.
pub fn render(composition: &Composition, inputs: &Inputs) -> Result<Rendered, Error> {
    render_with(composition, inputs, &BuiltIn)
}

/// [`render`] with other functions.
///
/// # Errors
/// Why Crossplane would compose nothing.
pub fn render_with(
    composition: &Composition,
    inputs: &Inputs,
    functions: &dyn Functions,
) -> Result<Rendered, Error> {
    let Inputs { machinery, .. } = *inputs;
    check(inputs)?;
    let started = started(&inputs.composite, machinery, &inputs.observed);
    if started.annotation("crossplane.io/paused") == Some("true") {
        let message = "Reconciliation is paused via the pause annotation".to_owned();
        let events = vec![Event::normal("ReconciliationPaused", message)];
        return Ok(nothing_composed(inputs, applied::paused(&started), events));
    }
    let mut events = Vec::new();
    if let Some(token) = started.annotation("crossplane.io/reconcile-requested-at")
        && started.text("/status/lastHandledReconcileAt") != token
    {
        let message = "Handling reconcile request".to_owned();
        events.push(Event::normal("ReconcileRequestHandled", message));
    }
    if is_deleted(&started) {
        return Ok(nothing_composed(inputs, applied::deleting(&started), events));
    }
    let composite = seen(&started, machinery, composition);
    let before = machinery.get(&inputs.composite, "compositionRef");
    if machinery.get(&composite, "compositionRef").is_some()
        && before.map(|reference| reference.text("/name")) != Some(&composition.name)
    {
        let message = format!("Successfully selected composition: {}", composition.name);
        events.push(Event::normal("SelectComposition", message));
    }
    let (observed_objects, required) = (inputs.observed.iter(), inputs.required.iter());
    let others = observed_objects.chain(required).chain(&inputs.credentials);
    let store = Store::of(std::iter::once(&composite).chain(others));
    let observed = observed_state(inputs, &composite, &store)?;

    let mut desired = State::default();
    let mut context = Some(inputs.context.clone());
    let mut results: Vec<StepResult> = Vec::new();
    let mut conditions: Vec<Condition> = Vec::new();
    for step in composition.steps.iter().filter(|step| !functions.skips(step)) {
        let run = StepRun { step, observed: &observed, store: &store, functions };
        let mut response = run.run(std::mem::take(&mut desired), context.take())?;
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
    events.extend(results.iter().map(|r| Event::of(&r.step, &r.result)));

    let mut order: Vec<String> = composition.order().map(str::to_owned).collect();
    order.extend(desired.resources.keys().cloned());
    let mut listed = BTreeSet::new();
    order.retain(|name| desired.resources.contains_key(name) && listed.insert(name.clone()));

    let composed =
        applied::composed(&composite, &observed.resources, &desired.resources, &mut events)
            .map_err(Error::Refused)?;
    events.extend(applied::unready(&desired).map(|name| {
        Event::normal(COMPOSE, format!("Composed resource {name:?} is not yet ready"))
    }));
    let changes = applied::composite(&composite, machinery, &composed, &desired, &conditions);
    let composite = changed(inputs, &changes);
    let desired = desired.resources;
    Ok(Rendered { composed, composite, changes, results, events, context, order, desired })
}

/// Returns the composite as it was written, with what Crossplane changes.
fn changed(inputs: &Inputs, changes: &Object) -> Object {
    let mut composite = inputs.composite.clone();
    composite.values_mut().for_each(as_read);
    applied::overlay(&mut composite, changes);
    composite
}

/// Reports whether Crossplane finds that the composite is being deleted.
fn is_deleted(composite: &Object) -> bool {
    check_rfc3339(composite.text("/metadata/deletionTimestamp")).is_ok()
}

/// Returns what comes of a composite whose pipeline does not run.
fn nothing_composed(inputs: &Inputs, changes: Object, events: Vec<Event>) -> Rendered {
    Rendered {
        composed: BTreeMap::new(),
        composite: changed(inputs, &changes),
        changes,
        results: Vec::new(),
        events,
        context: None,
        order: Vec::new(),
        desired: BTreeMap::new(),
    }
}

/// Checks what the render engine checks before it starts.
fn check(inputs: &Inputs) -> Result<(), Error> {
    let composite = &inputs.composite;
    let kind = composite.text("/kind");
    if composite.name().is_empty() {
        let why = format!("a {kind} without metadata.name cannot be composed: give it a name");
        return Err(Error::Refused(why));
    }
    for secret in &inputs.credentials {
        let is_base64 = |value: &Value| value.as_str().is_some_and(|v| base64::decode(v).is_ok());
        let mut data = secret.object("/data").into_iter().flatten();
        if let Some((key, _)) = data.find(|(_, value)| !is_base64(value)) {
            let (namespace, name) = (secret.namespace(), secret.name());
            let why = format!("Secret {namespace}/{name}: data.{key} is not base64");
            return Err(Error::Refused(why));
        }
    }
    let (own, namespace) = (uid(composite), composite.namespace());
    for observed in &inputs.observed {
        let name = observed.name();
        if observed.controller().is_some_and(|owner| owner.text("/uid") != own) {
            return Err(Error::Refused(format!(
                "observed resource {name} has a controller ref but is not controlled by the XR \
                 (its UID is {own})"
            )));
        }
        if !namespace.is_empty() && observed.namespace() != namespace {
            return Err(Error::Refused(format!(
                "observed resource {name} is not in the same namespace as the XR ({namespace})"
            )));
        }
    }
    Ok(())
}

fn credentials(
    step: &Step,
    store: &Store<'_>,
) -> Result<BTreeMap<String, BTreeMap<String, Vec<u8>>>, Error> {
    let find = |[name, namespace, secret]: &[String; 3]| {
        let data = store.secret(namespace, secret).ok_or_else(|| Error::NoAnswer {
            step: step.name.clone(),
            message: format!(
                "its credential {name:?} is in Secret {namespace}/{secret}, which was not given \
                 (--function-credentials)"
            ),
        })?;
        Ok((name.clone(), data))
    };
    step.credentials.iter().map(find).collect()
}

/// One step, and what it is run with.
struct StepRun<'a> {
    step: &'a Step,
    observed: &'a State,
    store: &'a Store<'a>,
    functions: &'a dyn Functions,
}

impl StepRun<'_> {
    /// Runs the step until it asks for no resources other than those it was given.
    fn run(&self, desired: State, context: Option<Object>) -> Result<RunFunctionResponse, Error> {
        let step = &self.step.name;
        let fetch = |asked: &BTreeMap<String, ResourceSelector>| -> BTreeMap<_, _> {
            asked.iter().map(|(key, selector)| (key.clone(), self.store.fetch(selector))).collect()
        };
        let credentials = credentials(self.step, self.store)?;
        let mut asked = None;
        let mut next = RunFunctionRequest {
            required_resources: fetch(&self.step.required),
            context,
            ..RunFunctionRequest::default()
        };
        for _ in 0..=MAX_REQUIREMENTS_ITERATIONS {
            let request = RunFunctionRequest {
                capabilities: CAPABILITIES.to_vec(),
                observed: self.observed.clone(),
                desired: desired.clone(),
                input: self.step.input.clone(),
                credentials: credentials.clone(),
                ..next
            };
            let no_answer = |message| Error::NoAnswer { step: step.clone(), message };
            let response = self.functions.run(self.step, request).map_err(no_answer)?;
            let fatal = response.results.iter().any(|r| r.severity == Severity::Fatal);
            let asks = (
                response.required_resources.clone(),
                response.extra_resources.clone(),
                response.required_schemas.clone(),
            );
            let asks_nothing = asks.0.is_empty() && asks.1.is_empty() && asks.2.is_empty();
            if fatal || asked.as_ref() == Some(&asks) || (asked.is_none() && asks_nothing) {
                return Ok(response);
            }
            let mut required = fetch(&self.step.required);
            required.extend(fetch(&asks.0));
            next = RunFunctionRequest {
                required_resources: required,
                extra_resources: fetch(&asks.1),
                required_schemas: asks.2.keys().map(|key| (key.clone(), None)).collect(),
                // Context is kept between the iterations of one step.
                context: response.context,
                ..RunFunctionRequest::default()
            };
            asked = Some(asks);
        }
        Err(Error::Unstable { step: step.clone() })
    }
}

fn observed_state(inputs: &Inputs, composite: &Object, store: &Store<'_>) -> Result<State, Error> {
    let resource = |object: &Map<String, Value>| Resource {
        resource: Some(object.clone()),
        connection_details: store.connection_details(object),
        ..Resource::default()
    };
    let mut resources = BTreeMap::new();
    // Crossplane finds them by their names in the composite's references.
    for object in inputs.observed.iter().filter(|object| !object.name().is_empty()) {
        let Some(name) = object.annotation(ANNOTATION_RESOURCE_NAME).filter(|n| !n.is_empty())
        else {
            let resource = format!("{} {}", object.text("/kind"), object.name());
            return Err(Error::Unnamed { resource });
        };
        resources.insert(name.to_owned(), resource(object));
    }
    let has_secret = inputs.machinery == Machinery::InSpec;
    let details = if has_secret { store.connection_details(composite) } else { BTreeMap::new() };
    let composite = Resource {
        resource: Some(composite.clone()),
        connection_details: details,
        ..Resource::default()
    };
    Ok(State { composite: Some(composite), resources })
}
