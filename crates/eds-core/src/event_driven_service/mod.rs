//! Step 2 of the Composition: what patches cannot say.
//!
//! ```text
//! desired manifests of step 1
//!   -> deployment   secrets, plain environment, init container, pull secrets, pull policy
//!   -> image        version label on every manifest
//!   -> readiness    ready or not, from the observed manifests
//!   -> diagnosis    why not, in one sentence, from the Deployment, its pods and the ScaledObject
//!                   (pods, causes: which pods count, why they fail, and what to do about it)
//!   -> objects      each manifest into a provider-kubernetes Object, if the input asks for it
//! ```
//!
//! A composite that this step cannot understand gives a fatal result that names the field; nothing
//! is composed from it then.

mod causes;
mod deployment;
mod diagnosis;
mod image;
mod input;
mod manifest;
mod objects;
pub mod pods;
mod readiness;
mod spec;

use std::time::Duration;

use serde_json::{Value, json};

use crate::protocol::{
    Condition, ConditionStatus, FunctionResult, Object, Ready, Resource, RunFunctionRequest,
    RunFunctionResponse, Severity, Target,
};

pub use image::Image;
pub use input::{API_VERSION, KIND};
pub use readiness::Paused;

use diagnosis::Diagnosis;
use input::Input;
use manifest::Kind;
use spec::Spec;

/// Type of the condition this step puts on the composite and the claim. `Ready` and `Synced` are
/// Crossplane's own; this one says why.
pub const CONDITION: &str = "WorkerAvailable";

/// The next look at a service that is not ready. Pods are not watched, so this bounds how late the
/// cause of a failure appears.
const TTL_NOT_READY: Duration = Duration::from_secs(5);
/// The next look at a service that is ready: its manifests are watched, so this is only a backstop.
const TTL_READY: Duration = Duration::from_secs(60);

/// Runs the step. Failures are fatal results, as with every Crossplane function.
pub fn run(req: RunFunctionRequest) -> RunFunctionResponse {
    let mut rsp = RunFunctionResponse {
        tag: req.tag,
        ttl: Some(TTL_READY),
        desired: req.desired,
        context: req.context,
        ..RunFunctionResponse::default()
    };
    let observed = req.observed;

    let input = match Input::parse(req.input.as_ref()) {
        Ok(input) => input,
        Err(message) => return fatal(rsp, format!("invalid input of this step: {message}")),
    };
    let composite = observed.composite.as_ref().and_then(|c| c.resource.as_ref());
    let spec = match composite.map(Spec::parse) {
        Some(Ok(spec)) => spec,
        Some(Err(message)) => return fatal(rsp, format!("invalid composite: {message}")),
        None => return fatal(rsp, "the request has no observed composite".to_owned()),
    };

    // Work on a copy of the map: a fatal result returns what earlier steps desired, untouched.
    let mut desired = rsp.desired.resources.clone();
    for (name, resource) in &mut desired {
        let Some(manifest) = resource.resource.as_mut() else { continue };
        if objects::is_object(manifest) {
            continue;
        }
        if let Err(message) = complete(manifest, &spec) {
            return fatal(rsp, format!("cannot complete composed resource {name:?}: {message}"));
        }
    }

    let diagnosis = Diagnosis::of(&spec, &desired, &observed.resources, &req.required_resources);
    for (name, resource) in &mut desired {
        resource.ready = if diagnosis.ready(name) { Ready::True } else { Ready::False };
    }
    if let Some(provider_config) = &input.provider_config {
        for resource in desired.values_mut() {
            objects::wrap(resource, provider_config);
        }
    }

    rsp.desired.resources = desired;
    say(&mut rsp, &diagnosis);
    rsp
}

/// Adds what needs a loop or a condition to one manifest of step 1.
fn complete(manifest: &mut Object, spec: &Spec) -> Result<(), String> {
    if let Some(version) = spec.image.version_label() {
        manifest::label(manifest, &["metadata"], "app.kubernetes.io/version", &version)?;
        if Kind::of(manifest) == Kind::Deployment {
            let template = &["spec", "template", "metadata"];
            manifest::label(manifest, template, "app.kubernetes.io/version", &version)?;
        }
    }
    match Kind::of(manifest) {
        Kind::Deployment => deployment::complete(manifest, spec),
        _ => Ok(()),
    }
}

/// Puts the diagnosis on the composite and its claim: status fields, one condition, and the pods
/// that the next run wants to see.
fn say(rsp: &mut RunFunctionResponse, diagnosis: &Diagnosis) {
    let composite = rsp.desired.composite.get_or_insert_with(Resource::default);
    let object = composite.resource.get_or_insert_with(Object::new);
    let status = object.entry("status").or_insert_with(|| json!({}));
    if let Value::Object(status) = status {
        if let Some(replicas) = diagnosis.replicas {
            status.insert("replicas".to_owned(), json!(replicas.total));
            status.insert("readyReplicas".to_owned(), json!(replicas.ready));
        }
        if let Some(message) = &diagnosis.message {
            status.insert("message".to_owned(), json!(message));
        }
    }
    if diagnosis.is_ready {
        rsp.ttl = Some(TTL_READY);
    } else {
        rsp.ttl = Some(TTL_NOT_READY);
    }
    rsp.conditions.push(Condition {
        type_: CONDITION.to_owned(),
        status: if diagnosis.is_ready { ConditionStatus::True } else { ConditionStatus::False },
        reason: diagnosis.reason.to_owned(),
        message: diagnosis.message.clone(),
        target: Some(Target::CompositeAndClaim),
    });
    if let Some(selector) = &diagnosis.wants_pods {
        rsp.required_resources.insert(diagnosis::PODS.to_owned(), selector.clone());
    }
}

fn fatal(mut rsp: RunFunctionResponse, message: String) -> RunFunctionResponse {
    rsp.results.push(FunctionResult {
        severity: Severity::Fatal,
        message,
        reason: None,
        target: Some(Target::CompositeAndClaim),
    });
    rsp
}
