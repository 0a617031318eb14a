//! Why a service is not ready, in one sentence, from everything observed together.

use kube_object::object::Fields;
use kube_object::pods;
use kube_object::rollout::Replicas;
use std::collections::{BTreeMap, BTreeSet};

use super::failures::{self, Failure};
use super::manifest::Kind;
use super::objects;
use super::paused::Paused;
use super::readiness::{self, Verdict};
use super::spec::Spec;
use patch_and_transform::protocol::{Match, Object, Resource, ResourceSelector};

/// The key under which the service's pods are requested.
pub(super) const PODS: &str = "pods";

/// The condition's reason while an object that the claim did not create is in the way.
pub const NAME_TAKEN: &str = "NameTaken";

/// The verdict on the whole service.
#[derive(Debug)]
pub(super) struct Diagnosis {
    pub(super) is_ready: bool,
    /// PascalCase reason of the condition.
    pub(super) reason: &'static str,
    /// One sentence; absent if all is well.
    pub(super) message: Option<String>,
    /// Pods, once the Deployment exists.
    pub(super) replicas: Option<Replicas>,
    /// The pods to look at in the next run, until everything is settled.
    pub(super) wants_pods: Option<ResourceSelector>,
    not_ready: BTreeSet<String>,
}

impl Diagnosis {
    /// Reports whether the composed resource with this name works.
    pub(super) fn ready(&self, name: &str) -> bool {
        !self.not_ready.contains(name)
    }

    /// Puts foreign objects before everything else that is wrong.
    pub(super) fn refuse(
        &mut self,
        message: String,
        foreign: impl Iterator<Item = String>,
        deployment_is_foreign: bool,
    ) {
        self.is_ready = false;
        self.reason = NAME_TAKEN;
        self.message = Some(message);
        self.not_ready.extend(foreign);
        if deployment_is_foreign {
            // Its pods are not the claim's.
            self.replicas = None;
            self.wants_pods = None;
        }
    }

    /// Puts a controller that is not installed before everything that follows from that.
    pub(super) fn lacks(&mut self, message: String) {
        self.is_ready = false;
        self.reason = "NackMissing";
        self.message = Some(message);
    }

    /// Judges every desired manifest, and lets the pods explain why the Deployment is not ready.
    pub(super) fn of(
        spec: &Spec,
        desired: &BTreeMap<String, Resource>,
        observed: &BTreeMap<String, Resource>,
        required: &BTreeMap<String, Vec<Resource>>,
    ) -> Self {
        let mut diagnosis = Self {
            is_ready: true,
            reason: "Available",
            message: None,
            replicas: None,
            wants_pods: None,
            not_ready: BTreeSet::new(),
        };
        // The worst problem found: the smaller the rank, the nearer to the cause.
        let mut worst: Option<(u8, &'static str, String)> = None;
        let mut blame = |rank: u8, reason: &'static str, message: String| {
            if worst.as_ref().is_none_or(|(r, ..)| rank < *r) {
                worst = Some((rank, reason, message));
            }
        };
        let mut hint = None;
        let mut paused = None;

        for (name, resource) in desired {
            let Some(manifest) = resource.resource.as_ref() else { continue };
            let kind = Kind::of(manifest);
            let seen = observed.get(name).and_then(|r| r.resource.as_ref());
            let mut verdict = readiness::judge(kind, manifest, seen, spec);
            if kind == Kind::Deployment
                && let Some(live) = seen.and_then(objects::live)
            {
                let replicas = Replicas::of(live);
                diagnosis.replicas = Some(replicas);
                if !replicas.are_settled() {
                    diagnosis.wants_pods = Some(pods_of(manifest, spec));
                    let pods = required.get(PODS).map(Vec::as_slice).unwrap_or_default();
                    let pods = pods.iter().filter_map(|pod| pod.resource.as_ref());
                    let pods = pods::current(live, &[], pods);
                    let trouble =
                        failures::first_failure(&pods, &spec.image.reference).or_else(|| {
                            readiness::replica_failure(live, has_account(desired, observed))
                        });
                    if let Verdict::NotReady("Progressing", message) = &mut verdict
                        && let Some(since) = pods.iter().find_map(|pod| pods::running_init(*pod))
                    {
                        message.push_str(&format!(
                            "; the init container has been running since {since} and has not ended"
                        ));
                    }
                    if let Some(Failure { reason, message, .. }) = trouble {
                        // A service with enough pods works even if an additional one fails.
                        let idle =
                            replicas.available < replicas.desired.min(spec.min_replicas()).max(1);
                        if verdict != Verdict::Ready || idle {
                            verdict = Verdict::NotReady(reason, message);
                        } else {
                            hint = Some(message);
                        }
                    }
                }
            }
            if kind == Kind::ScaledObject
                && let Some(live) = seen.and_then(objects::live)
                && let Some(found) = Paused::of(live)
            {
                // KEDA pays no attention while paused, so whatever else it says is outdated.
                if found.stops_scaling() {
                    verdict = Verdict::Ready;
                }
                paused = Some((name.clone(), found));
            }
            if let Verdict::NotReady(reason, message) = verdict {
                diagnosis.not_ready.insert(name.clone());
                blame(rank(reason, kind), reason, message);
            }
        }

        if let Some((name, paused)) = &paused {
            let replicas = diagnosis.replicas.map(|replicas| replicas.desired);
            if paused.stops_scaling() && replicas == Some(0) {
                diagnosis.not_ready.insert(name.clone());
                blame(RANK_OF_PAUSED, "Paused", paused.says(replicas, spec.scaling.paused));
            } else {
                hint.get_or_insert_with(|| paused.says(replicas, spec.scaling.paused));
            }
        }
        if let Some((_, reason, message)) = worst {
            diagnosis.is_ready = false;
            diagnosis.reason = reason;
            diagnosis.message = Some(message);
        } else {
            diagnosis.message = hint;
            if diagnosis.replicas.is_some_and(|r| r.desired == 0) {
                diagnosis.reason = "ScaledToZero";
            }
            if paused.is_some_and(|(_, paused)| paused.stops_scaling()) {
                diagnosis.reason = "Paused";
            }
        }
        diagnosis
    }
}

/// Ranks causes above symptoms: what cannot be applied, then pods that fail, then the scaler, then
/// what merely takes time.
fn rank(reason: &str, kind: Kind) -> u8 {
    match (reason, kind) {
        ("ApplyFailed", _) => 0,
        ("Progressing" | "Creating" | "Scaler", Kind::Deployment) => 3,
        ("Progressing" | "Creating" | "Scaler", _) => 4,
        (_, Kind::Deployment) => 1,
        _ => 2,
    }
}

/// For a service paused at zero pods nothing is a cause, except what cannot be applied.
const RANK_OF_PAUSED: u8 = 1;

/// Reports whether every desired ServiceAccount exists.
fn has_account(
    desired: &BTreeMap<String, Resource>,
    observed: &BTreeMap<String, Resource>,
) -> bool {
    let is_account = |r: &Resource| {
        r.resource.as_ref().is_some_and(|manifest| manifest.text("/kind") == "ServiceAccount")
    };
    let live = |name: &String| observed.get(name)?.resource.as_ref().and_then(objects::live);
    let mut wanted = desired.iter().filter(|(_, resource)| is_account(resource)).peekable();
    wanted.peek().is_some() && wanted.all(|(name, _)| live(name).is_some())
}

fn pods_of(deployment: &Object, spec: &Spec) -> ResourceSelector {
    let labels = deployment
        .at("/spec/selector/matchLabels")
        .and_then(|l| l.as_object())
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
        .collect();
    ResourceSelector {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        match_: Match::Labels(labels),
        namespace: Some(spec.claim.namespace.clone()),
    }
}
