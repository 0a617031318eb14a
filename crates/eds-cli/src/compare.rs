//! Compares claims as they are with claims as they were.
//!
//! A claim is the same one by its namespace and name, wherever it is. So what is left over in each
//! file is kept until all files are read: a claim that moved to another file is not another claim.
//! Of what is still left over, a missing claim and a new one are the same under another name if
//! they have something telling in common: see [`FEATURES`].

use kube_object::object::Fields;
use std::collections::HashMap;
use std::hash::Hash;

use eds_claims::CheckedFile;
use eds_claims::rules::{beginnings, full_name, names, transitions};
use kube_schema::diagnostics::{FileFindings, Finding, Severity};
use kube_schema::yaml::Node;
use serde_json::Value;

pub(crate) type Key = (Option<Value>, Option<Value>);

/// The leftovers of a file's comparison.
#[derive(Default)]
pub(crate) struct Rest {
    pub(crate) file: String,
    pub(crate) source: String,
    /// Whether the file is read when its folder, or a kustomization beside it, is applied.
    pub(crate) applied: bool,
    /// What became of the file, if it no longer exists.
    pub(crate) end: Option<End>,
    old: Vec<Value>,
    fresh: Vec<(Value, Node)>,
}

/// A claim that moved to another file.
pub(crate) struct Move {
    claim: Value,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Move {
    pub(crate) fn describe(&self) -> String {
        format!("claim {} moved from {} to {}", full_name(&self.claim), self.from, self.to)
    }

    /// Returns namespace and name, empty if it has none.
    pub(crate) fn names(&self) -> (String, String) {
        names(&self.claim)
    }
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Deleted,
    /// A link or a submodule has taken its place, or that of a folder above it.
    Replaced,
}

impl Rest {
    pub(crate) fn is_empty(&self) -> bool {
        self.old.is_empty() && self.fresh.is_empty()
    }
}

/// Compares a file with itself at the revision: what changed in its claims, and what is left over.
pub(crate) fn file(before: Option<CheckedFile>, now: &CheckedFile) -> (Vec<Finding>, Rest) {
    let old = before.into_iter().flat_map(|before| before.claims);
    let mut old: Vec<Value> = old.map(|(claim, _)| claim.effective).collect();
    // What had no name was never applied.
    old.retain(|claim| claim.at("/metadata/name").is_some());
    let mut places: HashMap<Key, Vec<usize>> = HashMap::new();
    for (i, claim) in old.iter().enumerate().rev() {
        places.entry(key(claim)).or_default().push(i);
    }
    let (mut findings, mut rest) = (Vec::new(), Rest::default());
    for (claim, node) in &now.claims {
        match places.get_mut(&key(&claim.effective)).and_then(Vec::pop) {
            Some(i) => {
                let before = old.get_mut(i).map(Value::take).unwrap_or_default();
                findings.extend(transitions(&before, node, &claim.effective));
            }
            None => rest.fresh.push((claim.effective.clone(), node.clone())),
        }
    }
    old.retain(|claim| !claim.is_null());
    rest.old = old;
    (findings, rest)
}

/// Reports what the leftovers of all files amount to, and which claims moved. `elsewhere` finds
/// claims outside the checked files; it is called only if a claim is missing.
pub(crate) fn finish(
    mut files: Vec<Rest>,
    elsewhere: impl FnOnce() -> HashMap<Key, String>,
) -> (Vec<FileFindings>, Vec<Move>) {
    let (mut found, mut moved) = (vec![Vec::new(); files.len()], Vec::new());
    let names: Vec<String> = files.iter().map(|file| file.file.clone()).collect();
    let mut fresh = Fresh::default();
    let mut old = Vec::new();
    for (i, file) in files.iter_mut().enumerate() {
        old.extend(file.old.drain(..).map(|claim| (i, claim)));
        fresh.claims.extend(file.fresh.drain(..).map(|(claim, node)| Some((i, claim, node))));
    }
    let applied: Vec<bool> = files.iter().map(|file| file.applied).collect();
    let is_applied = |i: usize| applied.get(i).copied().unwrap_or_default();
    let name_of = |i: usize| names.get(i).map_or("", String::as_str);
    // The same claim in another file.
    let mut places = fresh.index(|_, claim| Some(key(claim)));
    old.retain(|(from, before)| {
        let Some((to, claim, node)) = fresh.take(&mut places, &key(before)) else { return true };
        if !is_applied(to) && is_applied(*from) {
            let how = format!(
                "it moved to {}, which is applied by nobody who applies YAML files",
                name_of(to)
            );
            push(&mut found, *from, hidden(before, &how));
        }
        extend(&mut found, to, transitions(before, &node, &claim));
        let file = |i: usize| name_of(i).to_owned();
        moved.push(Move { claim: before.clone(), from: file(*from), to: file(to) });
        false
    });
    // The same claim in a place that is not read.
    let hidden_at = if old.is_empty() { HashMap::new() } else { elsewhere() };
    old.retain(|(from, before)| {
        let Some(to) = hidden_at.get(&key(before)) else { return true };
        let how = format!("it moved to {to}, which is left out of this check");
        push(&mut found, *from, hidden(before, &how));
        false
    });
    // Another name: in its own file first.
    for same_file in [true, false] {
        for feature in FEATURES {
            let place_of = |i: usize, claim: &Value| {
                Some((same_file.then_some(i), feature(claim).filter(|f| !f.is_null())?))
            };
            let mut places = fresh.index(place_of);
            old.retain(|(from, before)| {
                let Some(wanted) = place_of(*from, before) else { return true };
                let Some((to, claim, node)) = fresh.take(&mut places, &wanted) else { return true };
                let mut findings = transitions(before, &node, &claim);
                if to != *from {
                    for finding in &mut findings {
                        finding.message.push_str(&format!(" (it stood in {})", name_of(*from)));
                    }
                }
                extend(&mut found, to, findings);
                false
            });
        }
    }
    for (i, before) in old {
        let end = files.get(i).and_then(|file| file.end);
        let how = match end {
            Some(End::Deleted) => "this file was deleted",
            Some(End::Replaced) => "a link or a submodule stands in this file's place",
            None => "it is no longer in this file",
        };
        let how = format!("{how}, and no other file that was read has it");
        let finding = match end {
            Some(End::Replaced) => hidden(&before, &how),
            _ => gone(&before, &how),
        };
        push(&mut found, i, finding);
    }
    for (to, claim, node) in fresh.claims.into_iter().flatten() {
        extend(&mut found, to, beginnings(&node, &claim));
    }
    let all = files.into_iter().zip(found).filter(|(_, found)| !found.is_empty());
    let all = all.map(|(file, found)| FileFindings::new(file.file, file.source, found));
    (all.collect(), moved)
}

fn push(found: &mut [Vec<Finding>], i: usize, finding: Finding) {
    extend(found, i, [finding]);
}

fn extend(found: &mut [Vec<Finding>], i: usize, findings: impl IntoIterator<Item = Finding>) {
    if let Some(found) = found.get_mut(i) {
        found.extend(findings);
    }
}

/// What a renamed claim still has, most telling first. Two claims that share none of it are two
/// services.
const FEATURES: [fn(&Value) -> Option<Value>; 4] = [
    |claim| claim.at("/metadata/name").cloned(),
    |claim| {
        let nats = |field: &str| claim.at(&format!("/spec/nats/{field}")).cloned();
        Some(Value::Array(vec![nats("stream")?, nats("consumer")?]))
    },
    |claim| {
        let image = claim.at("/spec/image")?.as_str()?;
        let image = image.split('@').next().unwrap_or(image);
        let name = image.rfind('/').map_or(0, |slash| slash + 1);
        let tag = image.get(name..).and_then(|name| name.find(':')).map(|colon| name + colon);
        Some(image.get(..tag.unwrap_or(image.len()))?.into())
    },
    |claim| claim.at("/spec/nats/stream").cloned(),
];

/// New claims not yet matched with an earlier one.
#[derive(Default)]
struct Fresh {
    claims: Vec<Option<(usize, Value, Node)>>,
}

/// Where they are, by what is looked up: the first comes last.
type Places<K> = HashMap<K, Vec<usize>>;

impl Fresh {
    fn index<K: Eq + Hash>(&self, of: impl Fn(usize, &Value) -> Option<K>) -> Places<K> {
        let mut places: Places<K> = HashMap::new();
        for (at, claim) in self.claims.iter().enumerate().rev() {
            if let Some(key) = claim.as_ref().and_then(|(file, claim, _)| of(*file, claim)) {
                places.entry(key).or_default().push(at);
            }
        }
        places
    }

    fn take<K: Eq + Hash>(
        &mut self,
        places: &mut Places<K>,
        key: &K,
    ) -> Option<(usize, Value, Node)> {
        let at = places.get_mut(key)?.pop()?;
        self.claims.get_mut(at)?.take()
    }
}

fn gone(claim: &Value, how: &str) -> Finding {
    let message = format!("claim {} is gone: {how}", full_name(claim));
    let help = "where files are applied with pruning, as by Argo CD, its service is deleted; that \
        is fine if it is meant";
    Finding::new(&eds_claims::rules::transitions::REMOVED, message).help(help)
}

/// Reports a claim that is gone, though its text still exists somewhere, or what replaced it is not
/// read. Anyone who means to delete a service can do so plainly.
fn hidden(claim: &Value, how: &str) -> Finding {
    let mut finding = gone(claim, how);
    finding.severity = Severity::Error;
    finding.help(
        "delete the claim where its service is to go; else keep it in a .yaml file that is checked",
    )
}

pub(crate) fn key(claim: &Value) -> Key {
    let text = |field: &str| claim.at(&format!("/metadata/{field}")).cloned();
    (text("namespace"), text("name"))
}
