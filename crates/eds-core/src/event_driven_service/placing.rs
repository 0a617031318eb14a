//! Which of the desired manifests are composed, depending on who owns the existing objects.
//!
//! - Nothing in the way: everything.
//! - A new service with anything in the way, or not known yet: nothing. Half a service next to
//!   somebody else's objects is useless, and its scaler would scale their Deployment.
//! - A new service whose ServiceAccount does not exist yet: everything except what runs under it. A
//!   ReplicaSet that comes before its ServiceAccount records that as its failure, and keeps it for
//!   as long as it fails, whatever is in its way by then (a quota, a policy): the claim could not
//!   name the cause.
//! - A running service with one of its objects replaced by somebody else's: its own are kept,
//!   nothing new is created, and the foreign one's Object may only observe it. If it were left out,
//!   Crossplane would consider it garbage, and the provider would delete the foreign object with
//!   it.

use kube_object::object::Fields;
use std::collections::{BTreeMap, BTreeSet};

use super::manifest::Kind;
use super::objects::{self, Management};
use super::ownership::{self, Composer, Ownership, Standing};
use patch_and_transform::protocol::Resource;

/// The plan for one run.
#[derive(Debug)]
pub(super) struct Placing {
    /// What is in the way, and what to do, for the claim.
    pub(super) refusal: Option<String>,
    /// Whether the Deployment with the claim's name is somebody else's.
    pub(super) deployment_is_foreign: bool,
    /// Whether Crossplane counts a foreign object among those it composed: whatever the answer, it
    /// would apply or delete it.
    pub(super) impossible: bool,
    left_out: BTreeSet<String>,
    management: BTreeMap<String, Management>,
}

impl Placing {
    pub(super) fn of(
        composer: &Composer<'_>,
        ownership: &Ownership,
        desired: &BTreeMap<String, Resource>,
        observed: &BTreeMap<String, Resource>,
    ) -> Self {
        let is_foreign =
            |name: &str| matches!(ownership.standing(name), Some(Standing::Foreign(_)));
        let of_kind = |kind| {
            desired.iter().filter(move |(_, resource)| {
                resource.resource.as_ref().is_some_and(|m| Kind::of(m) == kind)
            })
        };
        let running = desired.keys().any(|name| observed.contains_key(name));
        let deployment_is_foreign = of_kind(Kind::Deployment).any(|(name, _)| is_foreign(name));
        let mut foreign = ownership.foreign().peekable();
        let refused = foreign.peek().is_some();
        let refusal =
            refused.then(|| ownership::sentence(composer.claim, foreign.map(|(_, f)| f), running));

        let mut left_out = BTreeSet::new();
        let mut management = BTreeMap::new();
        let mut impossible = false;
        for name in desired.keys() {
            let Some(standing) = ownership.standing(name) else { continue };
            let exists = observed.contains_key(name);
            if !exists && (refused || !ownership.known()) {
                left_out.insert(name.clone());
            }
            match standing {
                Standing::Foreign(_) => {
                    impossible |= exists && !composer.objects;
                    management.insert(name.clone(), Management::Observe);
                }
                Standing::Open { keep: true } => {
                    management.insert(name.clone(), Management::Keep);
                }
                Standing::Open { keep: false } | Standing::Unknown => {}
            }
        }
        // A rendering shows everything at once.
        if composer.in_cluster {
            left_out.extend(before_its_account(desired, observed));
        }
        if deployment_is_foreign {
            // It goes by the Deployment's name, so our scaler would scale the foreign one.
            let ours = of_kind(Kind::ScaledObject).filter(|(name, _)| !is_foreign(name));
            left_out.extend(ours.map(|(name, _)| name.clone()));
        }
        Self { refusal, deployment_is_foreign, impossible, left_out, management }
    }

    /// Reports whether anything desired is not composed.
    pub(super) fn holds_back(&self) -> bool {
        self.refusal.is_some() || !self.left_out.is_empty()
    }

    /// Leaves out what is not composed, and wraps the rest if a ProviderConfig is given.
    pub(super) fn apply(
        &self,
        desired: &mut BTreeMap<String, Resource>,
        provider_config: Option<&str>,
    ) {
        desired.retain(|name, _| !self.left_out.contains(name));
        let Some(provider_config) = provider_config else { return };
        for (name, resource) in desired {
            let management = self.management.get(name).copied().unwrap_or(Management::Full);
            objects::wrap(resource, provider_config, management);
        }
    }
}

/// Returns the Deployment that is not composed yet, and its scaler, because the ServiceAccount that
/// this claim brings does not exist.
fn before_its_account(
    desired: &BTreeMap<String, Resource>,
    observed: &BTreeMap<String, Resource>,
) -> Vec<String> {
    let exists = |name: &str| observed.get(name).and_then(|r| r.resource.as_ref());
    let manifests = || desired.iter().filter_map(|(name, r)| Some((name, r.resource.as_ref()?)));
    let missing = |account: &str| {
        manifests().any(|(name, manifest)| {
            manifest.text("/kind") == "ServiceAccount"
                && manifest.text("/metadata/name") == account
                && exists(name).and_then(objects::live).is_none()
        })
    };
    let waits = manifests().any(|(name, manifest)| {
        Kind::of(manifest) == Kind::Deployment
            && exists(name).is_none()
            && missing(manifest.text("/spec/template/spec/serviceAccountName"))
    });
    let new = manifests().filter(|(name, manifest)| {
        waits
            && exists(name).is_none()
            && matches!(Kind::of(manifest), Kind::Deployment | Kind::ScaledObject)
    });
    new.map(|(name, _)| name.clone()).collect()
}
