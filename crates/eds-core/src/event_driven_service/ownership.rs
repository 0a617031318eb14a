//! Who owns an object that already exists where this step would compose one.
//!
//! A claim touches what it created, and nothing else. A name or a label proves nothing, because
//! anybody can write one. The proofs are records that tie an object to this very composite:
//!
//! - composed directly: the controller in its owner references is the composite, by uid;
//! - through an Object: the API server's record of who applied it (`metadata.managedFields`) names
//!   the Object, which the composite owns. provider-kubernetes applies as
//!   `provider-kubernetes/{Object}` (its `ssaFieldOwner`), and an Object's name is made of the
//!   composite's uid.
//!
//! The observed state shows the record of what was composed before. Only if that proves nothing is
//! the object requested, as a required resource, so a running service costs no second call.

use kube_object::object::{Fields, escaped};
use std::collections::BTreeMap;

use super::manifest::Kind;
use super::objects;
use super::spec::ClaimRef;
use kube_object::words;
use patch_and_transform::protocol::{Match, Object, Resource, ResourceSelector};

/// On an object that a claim did not create: the name of the claim that may take it over.
pub const ADOPT: &str = "platform.bizmatters.io/adopt";
/// On an object: `keep` leaves it in place when its claim is deleted.
pub const ON_DELETE: &str = "platform.bizmatters.io/on-delete";

/// The prefix of the keys under which objects are requested.
const ASKED: &str = "existing-";
/// The key under which to request the autoscaler that KEDA would create.
const AUTOSCALER: &str = "existing-autoscaler";

/// What is composing, and how.
#[derive(Debug)]
pub(super) struct Composer<'a> {
    pub(super) claim: &'a ClaimRef,
    /// The composite's uid; empty without a cluster.
    pub(super) uid: &'a str,
    /// Whether an API server created the composite. The Crossplane CLI gives one that it renders a
    /// uid, but no creation time.
    pub(super) in_cluster: bool,
    /// Whether manifests are wrapped in Objects.
    pub(super) objects: bool,
}

/// An object that is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) kind: String,
    pub(super) name: String,
    /// Why it cannot even be taken over, and what to do about that.
    pub(super) obstacle: Option<String>,
}

/// Where a composed resource may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was requested, and the answer is not here yet.
    Unknown,
    /// Nothing is there, or it is ours, or it has been handed over.
    Open {
        /// Whether it stays when the claim is deleted.
        keep: bool,
    },
    Foreign(Foreign),
}

/// Every desired manifest's place.
#[derive(Debug)]
pub(super) struct Ownership {
    pub(super) asked: BTreeMap<String, ResourceSelector>,
    standings: BTreeMap<String, Standing>,
}

impl Ownership {
    pub(super) fn of(
        composer: &Composer<'_>,
        desired: &BTreeMap<String, Resource>,
        observed: &BTreeMap<String, Resource>,
        answers: &BTreeMap<String, Vec<Resource>>,
    ) -> Self {
        let mut ownership = Self { asked: BTreeMap::new(), standings: BTreeMap::new() };
        for (name, resource) in desired {
            let Some(manifest) = resource.resource.as_ref().filter(|m| !objects::is_object(m))
            else {
                continue;
            };
            let seen = observed.get(name).and_then(|r| r.resource.as_ref());
            let standing = match seen.and_then(|seen| composer.recorded(manifest, seen)) {
                Some(live) => open(live),
                // Crossplane names it.
                None if manifest.text("/metadata/name").is_empty() => {
                    Standing::Open { keep: false }
                }
                None => {
                    let key = format!("{ASKED}{name}");
                    let there = answers.get(&key).map(|found| first(found));
                    ownership.asked.insert(key, selector(manifest));
                    let standing = composer.standing(manifest, seen, there);
                    if Kind::of(manifest) == Kind::ScaledObject {
                        ownership.autoscaler(composer, answers, manifest, standing)
                    } else {
                        standing
                    }
                }
            };
            ownership.standings.insert(name.clone(), standing);
        }
        ownership
    }

    /// Checks the HorizontalPodAutoscaler that KEDA creates with the claim's name, overwriting an
    /// existing one.
    fn autoscaler(
        &mut self,
        composer: &Composer<'_>,
        answers: &BTreeMap<String, Vec<Resource>>,
        scaled_object: &Object,
        standing: Standing,
    ) -> Standing {
        let name = scaled_object.text("/spec/advanced/horizontalPodAutoscalerConfig/name");
        if name.is_empty() {
            return standing;
        }
        let selector = ResourceSelector {
            api_version: "autoscaling/v2".to_owned(),
            kind: "HorizontalPodAutoscaler".to_owned(),
            match_: Match::Name(name.to_owned()),
            namespace: Some(scaled_object.text("/metadata/namespace").to_owned()),
        };
        self.asked.insert(AUTOSCALER.to_owned(), selector);
        match (answers.get(AUTOSCALER).map(|found| first(found)), standing) {
            (None, Standing::Open { .. }) => Standing::Unknown,
            (Some(Some(live)), Standing::Open { .. })
                if !composer.handed_over(live)
                    && !live.controller().is_some_and(|c| {
                        c.text("/kind") == "ScaledObject"
                            && c.text("/name") == scaled_object.text("/metadata/name")
                    }) =>
            {
                Standing::Foreign(foreign(live, None))
            }
            (_, standing) => standing,
        }
    }

    pub(super) fn standing(&self, name: &str) -> Option<&Standing> {
        self.standings.get(name)
    }

    /// Reports whether everything that was requested has been answered.
    pub(super) fn known(&self) -> bool {
        !self.standings.values().any(|s| *s == Standing::Unknown)
    }

    pub(super) fn foreign(&self) -> impl Iterator<Item = (&str, &Foreign)> {
        self.standings.iter().filter_map(|(name, standing)| match standing {
            Standing::Foreign(foreign) => Some((name.as_str(), foreign)),
            Standing::Unknown | Standing::Open { .. } => None,
        })
    }
}

impl Composer<'_> {
    /// Returns the live manifest behind an observed resource, if its record proves that it is ours.
    fn recorded<'o>(&self, desired: &Object, seen: &'o Object) -> Option<&'o Object> {
        let live = objects::live(seen)?;
        let is_same_text = |place: &str| live.text(place) == desired.text(place);
        if objects::is_object(seen) {
            let target = is_same_text("/kind")
                && is_same_text("/metadata/name")
                && is_same_text("/metadata/namespace");
            // An API server records every writer. If there is no record at all, there was no API
            // server, as when rendering from files.
            let recorded = live.list("/metadata/managedFields").next().is_some();
            return (target && (!recorded || applied_by(live, seen))).then_some(live);
        }
        (self.uid.is_empty() || self.controls(live)).then_some(live)
    }

    /// Returns the existing object with the manifest's name, as Crossplane has just looked it up.
    fn standing(
        &self,
        desired: &Object,
        seen: Option<&Object>,
        there: Option<Option<&Object>>,
    ) -> Standing {
        let live = match there {
            None => return Standing::Unknown,
            Some(None) => return Standing::Open { keep: false },
            Some(Some(live)) => live,
        };
        let ours = if self.objects {
            seen.is_some_and(|seen| objects::is_object(seen) && applied_by(live, seen))
        } else {
            self.controls(live)
        };
        if ours {
            return open(live);
        }
        let obstacle = self.obstacle(desired, live);
        if obstacle.is_none() && self.handed_over(live) {
            return open(live);
        }
        Standing::Foreign(foreign(live, obstacle))
    }

    fn controls(&self, live: &Object) -> bool {
        let uid = live.controller().map(|c| c.text("/uid")).unwrap_or_default();
        !uid.is_empty() && uid == self.uid
    }

    fn handed_over(&self, live: &Object) -> bool {
        annotation(live, ADOPT) == self.claim.name
    }

    /// Returns why an object could not become the claim's, no matter who allowed it: a merge of
    /// both would be neither.
    fn obstacle(&self, desired: &Object, live: &Object) -> Option<String> {
        if live.at("/metadata/deletionTimestamp").is_some() {
            return Some("is still being deleted; the claim goes on when it is gone".to_owned());
        }
        if let Some(owner) = live.controller() {
            let (kind, name) = (owner.text("/kind"), owner.text("/name"));
            return Some(format!("belongs to {kind} {name}, which would change it back"));
        }
        if !self.objects && self.handed_over(live) && keeps(live) {
            // Only a claim can choose.
            let or = match self.claim.is_composite {
                true => "",
                false => ", or choose the Composition that composes Objects",
            };
            return Some(format!(
                "is to be kept ({ON_DELETE}), but Crossplane deletes what it composes directly; \
                 remove that annotation{or}"
            ));
        }
        obstacle(desired, live)
    }
}

/// Returns why an object could not become the claim's, no matter who allowed it, judging by its own
/// text.
#[must_use]
pub fn obstacle(desired: &Object, live: &Object) -> Option<String> {
    match Kind::of(desired) {
        Kind::Deployment => deployment_obstacle(desired, live),
        Kind::Other if desired.text("/kind") == "Service" => service_obstacle(desired, live),
        _ => None,
    }
}

fn open(live: &Object) -> Standing {
    Standing::Open { keep: keeps(live) }
}

fn foreign(live: &Object, obstacle: Option<String>) -> Foreign {
    Foreign {
        kind: live.text("/kind").to_owned(),
        name: live.text("/metadata/name").to_owned(),
        obstacle,
    }
}

/// Reports whether the API server's record says that this Object's provider applied the manifest.
fn applied_by(live: &Object, object: &Object) -> bool {
    let name = object.text("/metadata/name");
    !name.is_empty()
        && live.list("/metadata/managedFields").any(|entry| {
            entry.text("/operation") == "Apply"
                && entry.text("/manager").strip_prefix("provider-kubernetes/") == Some(name)
        })
}

/// Checks a Deployment: its selector cannot be changed, and containers are merged by name.
fn deployment_obstacle(desired: &Object, live: &Object) -> Option<String> {
    let selector = |o: &Object| o.at("/spec/selector").cloned().unwrap_or_default();
    let (wanted, has) = (selector(desired), selector(live));
    if wanted != has {
        return Some(format!(
            "selects {has} where the claim's selects {wanted}, and a selector cannot be changed; \
             delete it (--cascade=orphan leaves its pods running), or give the claim another name"
        ));
    }
    let containers = |o: &Object, key| {
        let containers = format!("/spec/template/spec/{key}");
        o.list(&containers).map(|c| c.text("/name").to_owned()).collect::<Vec<_>>()
    };
    for key in ["containers", "initContainers"] {
        let wanted = containers(desired, key);
        if let Some(other) = containers(live, key).iter().find(|name| !wanted.contains(name)) {
            return Some(format!(
                "has a container {other}, which would run beside the claim's; rename it to main, \
                 or remove it"
            ));
        }
    }
    None
}

/// Checks a Service: its selector's keys are merged, and one that the worker's pods do not carry
/// makes it select nothing.
fn service_obstacle(desired: &Object, live: &Object) -> Option<String> {
    let wanted = desired.object("/spec/selector")?;
    let has = live.object("/spec/selector")?;
    let other = has.keys().find(|key| !wanted.contains_key(*key))?;
    Some(format!(
        "selects by {other}, which the claim's pods do not carry; take it out of spec.selector \
         first: kubectl patch service {} --type=json -p \
         '[{{\"op\":\"remove\",\"path\":\"/spec/selector/{}\"}}]'",
        live.text("/metadata/name"),
        escaped(other),
    ))
}

fn annotation<'a>(object: &'a Object, key: &str) -> &'a str {
    object.annotation(key).unwrap_or_default()
}

fn keeps(object: &Object) -> bool {
    annotation(object, ON_DELETE) == "keep"
}

fn first(found: &[Resource]) -> Option<&Object> {
    found.iter().find_map(|r| r.resource.as_ref())
}

fn selector(manifest: &Object) -> ResourceSelector {
    let text_of = |place: &str| manifest.text(place).to_owned();
    let namespace = text_of("/metadata/namespace");
    ResourceSelector {
        api_version: text_of("/apiVersion"),
        kind: text_of("/kind"),
        match_: Match::Name(text_of("/metadata/name")),
        namespace: (!namespace.is_empty()).then_some(namespace),
    }
}

/// Writes one sentence about everything that is in the way, and what to do.
pub(super) fn sentence<'a>(
    claim: &ClaimRef,
    foreign: impl Iterator<Item = &'a Foreign>,
    running: bool,
) -> String {
    let (stuck, open): (Vec<&Foreign>, Vec<&Foreign>) = foreign.partition(|f| f.obstacle.is_some());
    let ClaimRef { name, namespace, .. } = claim;
    let mut parts = Vec::new();
    if !open.is_empty() {
        let all: Vec<String> = open.iter().map(|f| format!("{} {}", f.kind, f.name)).collect();
        let all = words::all(&all);
        let (exist, them) = if open.len() == 1 { ("exists", "it") } else { ("exist", "them") };
        let was = if open.len() == 1 { "was" } else { "were" };
        let each: Vec<String> =
            open.iter().map(|f| format!("{}/{}", f.kind.to_lowercase(), f.name)).collect();
        parts.push(format!(
            "{all} in namespace {namespace} {exist} and {was} not made by this claim; delete \
                {them}, give the claim another name, or let it take {them} over: kubectl annotate \
                -n {namespace} {} {ADOPT}={name}",
            each.join(" "),
        ));
    }
    for Foreign { kind, name, obstacle } in stuck {
        let obstacle = obstacle.as_deref().unwrap_or_default();
        parts.push(format!(
            "{kind} {name} in namespace {namespace} was not made by this claim and {obstacle}"
        ));
    }
    let outcome = if running { "left alone" } else { "nothing is composed" };
    format!("{outcome}: {}", parts.join("; "))
}
