//! Step 2 of the Composition: what patches cannot express.
//!
//! ```text
//! desired manifests of step 1
//!   -> more         a PodDisruptionBudget, NACK's Consumer and Stream, if the claim has them
//!   -> deployment   environment, files, health, init container, pull secrets, pull policy
//!   -> scaler       times of day, a pause, monitoring over TLS
//!   -> the image's version as a label on every manifest
//!   -> ownership    who owns the objects that already exist
//!   -> readiness    ready or not, from the observed manifests
//!   -> diagnosis    why not, in one sentence, from the Deployment, its pods and the ScaledObject
//!                   (failures, causes: why its pods fail, and what to do about it)
//!   -> placing      what must not be touched is left out, or only observed
//!   -> objects      each manifest into a provider-kubernetes Object, if the input asks for it
//! ```
//!
//! What this claim did not create is left alone: nothing new is composed next to it, and the claim
//! names it. This is not a fatal result, because that would also stop looking after what already
//! runs, and would leave the sentence out of the claim's status.
//!
//! If this step cannot understand a composite, a fatal result names the field, and nothing is
//! composed from it.

mod causes;
mod deployment;
mod diagnosis;
mod environment;
pub mod failures;
mod fields;
mod files;
mod health;
mod input;
mod manifest;
mod more;
mod objects;
mod ownership;
mod paused;
mod placing;
mod readiness;
mod scaler;
mod secret_changes;
mod spec;

use kube_object::object::Fields;
use std::time::Duration;

use serde_json::{Value, json};

use patch_and_transform::protocol::{
    Condition, ConditionStatus, FunctionResult, Object, Ready, Resource, RunFunctionRequest,
    RunFunctionResponse, Severity, Target,
};

pub use diagnosis::NAME_TAKEN;
pub use input::{API_VERSION, KIND};
pub use ownership::{ADOPT, ON_DELETE, obstacle};
pub use paused::Paused;
pub use secret_changes::ANNOTATION as SECRETS_VERSION;
pub use spec::repeats_rules_for;

use diagnosis::Diagnosis;
use input::Input;
use manifest::Kind;
use more::More;
use ownership::{Composer, Ownership};
use placing::Placing;
use spec::Spec;

/// The type of the condition that this step sets on the composite and the claim. `Ready` and
/// `Synced` are Crossplane's own; this one says why.
pub const CONDITION: &str = "WorkerAvailable";

/// When to look again at a service that is not ready. Pods are not watched, so this limits how late
/// the cause of a failure appears.
const TTL_NOT_READY: Duration = Duration::from_secs(5);
/// When to look again at a service that is ready: its manifests are watched, so this is only a
/// backstop.
const TTL_READY: Duration = Duration::from_secs(60);
/// When to look again at the Secrets of a service that restarts with them: they are not watched.
const TTL_SECRETS: Duration = Duration::from_secs(20);

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
    let Some(composite) = composite else {
        return fatal(rsp, "the request has no observed composite".to_owned());
    };
    let spec = match Spec::parse(composite) {
        Ok(spec) => spec,
        Err(message) => return fatal(rsp, format!("invalid composite: {message}")),
    };

    let composer = Composer {
        claim: &spec.claim,
        uid: composite.text("/metadata/uid"),
        in_cluster: !composite.text("/metadata/creationTimestamp").is_empty(),
        objects: input.provider_config.is_some(),
    };
    let answers = &req.required_resources;

    // Work on a copy of the map: a fatal result returns what earlier steps desired, unchanged.
    let mut desired = rsp.desired.resources.clone();
    if !spec.health.http {
        let is_the_service = |manifest: &Object| {
            manifest.text("/kind") == "Service"
                && manifest.text("/metadata/name") == spec.claim.name
        };
        desired.retain(|_, resource| !resource.resource.as_ref().is_some_and(is_the_service));
    }
    let more = More::of(&spec, &desired, answers, composer.in_cluster);
    for (name, manifest) in &more.manifests {
        let resource = Resource { resource: Some(manifest.clone()), ..Resource::default() };
        desired.insert((*name).to_owned(), resource);
    }
    let mut live = observed.resources.values().filter_map(|r| objects::live(r.resource.as_ref()?));
    let running = live.find(|live| Kind::of(live) == Kind::Deployment);
    // A rendering has no Secrets to look at.
    let secrets_version =
        secret_changes::version(&spec, answers, running).filter(|_| composer.in_cluster);
    for (name, resource) in &mut desired {
        let Some(manifest) = resource.resource.as_mut() else { continue };
        if objects::is_object(manifest) {
            continue;
        }
        if let Err(message) = complete(manifest, &spec, secrets_version.as_deref(), running) {
            return fatal(rsp, format!("cannot complete composed resource {name:?}: {message}"));
        }
    }

    let ownership = Ownership::of(&composer, &desired, &observed.resources, answers);
    rsp.required_resources.clone_from(&ownership.asked);
    rsp.required_resources.extend(more.asked.clone());
    rsp.required_resources.extend(secret_changes::asked(&spec));

    let mut diagnosis = Diagnosis::of(&spec, &desired, &observed.resources, answers);
    if let Some(message) = more.lack() {
        diagnosis.lacks(message);
    }
    let placing = Placing::of(&composer, &ownership, &desired, &observed.resources);
    if let Some(message) = &placing.refusal {
        let names = ownership.foreign().map(|(name, _)| name.to_owned());
        diagnosis.refuse(message.clone(), names, placing.deployment_is_foreign);
    }
    for (name, resource) in &mut desired {
        resource.ready = if diagnosis.ready(name) { Ready::True } else { Ready::False };
    }
    if placing.impossible {
        let message = placing.refusal.unwrap_or_default();
        rsp.conditions.push(condition(&diagnosis));
        return fatal(rsp, message);
    }
    placing.apply(&mut desired, input.provider_config.as_deref());

    rsp.desired.resources = desired;
    say(&mut rsp, &diagnosis);
    if spec.rollout.restart_on_secret_change {
        rsp.ttl = rsp.ttl.map(|ttl| ttl.min(TTL_SECRETS));
    }
    if placing.holds_back() || !more.missing.is_empty() || more.unknown {
        // What is held back is not among the resources whose readiness Crossplane sums up.
        if let Some(composite) = rsp.desired.composite.as_mut() {
            composite.ready = Ready::False;
        }
    }
    if let Some(message) = placing.refusal {
        rsp.results.push(FunctionResult {
            severity: Severity::Warning,
            message,
            reason: Some(diagnosis::NAME_TAKEN.to_owned()),
            target: Some(Target::CompositeAndClaim),
        });
    }
    rsp
}

/// Adds to one manifest of step 1 whatever needs a loop or a condition.
fn complete(
    manifest: &mut Object,
    spec: &Spec,
    secrets_version: Option<&str>,
    running: Option<&Object>,
) -> Result<(), String> {
    if let Some(version) = spec.image.version_label() {
        manifest::label(manifest, &["metadata"], "app.kubernetes.io/version", &version)?;
        if Kind::of(manifest) == Kind::Deployment {
            let template = &["spec", "template", "metadata"];
            manifest::label(manifest, template, "app.kubernetes.io/version", &version)?;
        }
    }
    match Kind::of(manifest) {
        Kind::Deployment => deployment::complete(manifest, spec, secrets_version, running),
        Kind::ScaledObject => scaler::complete(manifest, spec),
        Kind::JetStream | Kind::Other => Ok(()),
    }
}

/// Adds the diagnosis to the composite and its claim: status fields, one condition, and the pods
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
    rsp.conditions.push(condition(diagnosis));
    if let Some(selector) = &diagnosis.wants_pods {
        rsp.required_resources.insert(diagnosis::PODS.to_owned(), selector.clone());
    }
}

fn condition(diagnosis: &Diagnosis) -> Condition {
    Condition {
        type_: CONDITION.to_owned(),
        status: if diagnosis.is_ready { ConditionStatus::True } else { ConditionStatus::False },
        reason: diagnosis.reason.to_owned(),
        message: diagnosis.message.clone(),
        target: Some(Target::CompositeAndClaim),
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
