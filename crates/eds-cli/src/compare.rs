//! Claims as they are beside claims as they were.
//!
//! A claim is the same one by its namespace and name, wherever it stands. So what is left over in
//! each file is kept until all files are read: a claim that moved to another file is no other claim.

use std::collections::HashMap;

use eds_core::claims::Outcome as Checked;
use eds_core::diagnostics::{FileFindings, Finding, catalog};
use eds_core::rules::transitions;
use eds_core::yaml::Node;
use serde_json::Value;

type Key = (Option<Value>, Option<Value>);

/// What a file's comparison left over.
#[derive(Default)]
pub(crate) struct Rest {
    pub(crate) file: String,
    pub(crate) source: String,
    /// Whether the file is there no more.
    pub(crate) deleted: bool,
    old: Vec<Value>,
    fresh: Vec<(Value, Node)>,
}

impl Rest {
    pub(crate) fn is_empty(&self) -> bool {
        self.old.is_empty() && self.fresh.is_empty()
    }
}

/// Compares a file with itself at the revision: what changed in its claims, and what is left over.
pub(crate) fn file(before: Option<Checked>, now: &Checked) -> (Vec<Finding>, Rest) {
    let old = before.into_iter().flat_map(|before| before.claims);
    let mut old: Vec<Value> = old.map(|(claim, _)| claim.effective).collect();
    // What had no name was never applied.
    old.retain(|claim| claim.pointer("/metadata/name").is_some());
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

/// What the leftovers of all files come to, and which claims moved, for a person.
pub(crate) fn finish(mut files: Vec<Rest>) -> (Vec<FileFindings>, Vec<String>) {
    let (mut found, mut moved) = (vec![Vec::new(); files.len()], Vec::new());
    let mut fresh: HashMap<Key, Vec<(usize, Value, Node)>> = HashMap::new();
    let mut order = Vec::new();
    for (i, file) in files.iter_mut().enumerate() {
        for (claim, node) in file.fresh.drain(..) {
            order.push((i, key(&claim)));
            fresh.entry(key(&claim)).or_default().insert(0, (i, claim, node));
        }
    }
    let names: Vec<String> = files.iter().map(|file| file.file.clone()).collect();
    for file in &mut files {
        file.old.retain(|before| {
            let Some((i, claim, node)) = fresh.get_mut(&key(before)).and_then(Vec::pop) else {
                return true;
            };
            if let (Some(found), Some(to)) = (found.get_mut(i), names.get(i)) {
                found.extend(transitions(before, &node, &claim));
                moved.push(format!("claim {} moved from {} to {to}", name(before), file.file));
            }
            false
        });
    }
    // In one file, one that is left over on both sides was renamed.
    let mut renamed: HashMap<usize, Vec<(Value, Node)>> = HashMap::new();
    for (i, key) in order.into_iter().rev() {
        if let Some((i, claim, node)) = fresh.get_mut(&key).and_then(|all| {
            let at = all.iter().position(|(file, ..)| *file == i)?;
            Some(all.remove(at))
        }) {
            renamed.entry(i).or_default().push((claim, node));
        }
    }
    for (i, file) in files.iter_mut().enumerate() {
        let Some(found) = found.get_mut(i) else { continue };
        for before in file.old.drain(..) {
            match renamed.get_mut(&i).and_then(Vec::pop) {
                Some((claim, node)) => found.extend(transitions(&before, &node, &claim)),
                None => found.push(removed(&before, file.deleted)),
            }
        }
    }
    let all = files.into_iter().zip(found).filter(|(_, found)| !found.is_empty());
    let all = all.map(|(file, found)| FileFindings::new(file.file, file.source, found));
    (all.collect(), moved)
}

fn removed(claim: &Value, deleted: bool) -> Finding {
    let how = if deleted { "this file was deleted" } else { "it is no longer in this file" };
    let message =
        format!("claim {} is gone: {how}, and no other file that was read has it", name(claim));
    let help = "where files are applied with pruning, as by Argo CD, its service is deleted; that is fine if it is meant";
    Finding::new(&catalog::REMOVED, message).help(help)
}

fn key(claim: &Value) -> Key {
    let text = |field: &str| claim.pointer(&format!("/metadata/{field}")).cloned();
    (text("namespace"), text("name"))
}

fn name(claim: &Value) -> String {
    let text = |field: &str| claim.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
    let name = text("name").unwrap_or("without a name");
    text("namespace").map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}
