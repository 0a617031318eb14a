//! What kustomizations say, and what changed in them, one field at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::build::{State, entries, join};
use super::{RESOURCES, Tree};
use kube_schema::yaml::{self, Node, Problem, ProblemKind};

/// Fields that may touch claims in ways that are not followed here.
const OPAQUE: [&str; 9] = [
    "transformers",
    "generators",
    "replacements",
    "vars",
    "configurations",
    "openapi",
    "helmCharts",
    "helmChartInflationGenerator",
    "crds",
];

/// A kustomization with its patches inlined.
#[derive(Clone)]
pub(super) struct Says {
    pub(super) file: PathBuf,
    pub(super) text: String,
    pub(super) node: Node,
    pub(super) value: Value,
}

pub(super) type All = BTreeMap<PathBuf, Says>;

/// A kustomization that cannot be read.
pub(super) struct Unread {
    pub(super) folder: PathBuf,
    pub(super) file: PathBuf,
    pub(super) text: String,
    pub(super) problem: Problem,
}

impl Unread {
    /// Reports whether the tree has another text in its place.
    pub(super) fn is_new(&self, before: &Tree<'_>) -> bool {
        (before.read)(&self.file).as_ref() != Some(&self.text)
    }
}

/// Reads all kustomizations, by folder. Patch files are part of them.
pub(super) fn load(tree: &Tree<'_>) -> (All, Vec<Unread>) {
    let (mut all, mut unread) = (All::new(), Vec::new());
    for file in &tree.kustomizations {
        let Some(text) = (tree.read)(file) else { continue };
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        let mut stream = yaml::parse(&text);
        let fatal = |problem: &Problem| problem.kind != ProblemKind::DuplicateKey;
        if let Some(at) = stream.problems.iter().position(fatal) {
            let problem = stream.problems.swap_remove(at);
            unread.push(Unread { folder, file: file.clone(), text, problem });
            continue;
        }
        let mut documents = stream.documents;
        if documents.is_empty() {
            continue;
        }
        let node = documents.swap_remove(0);
        let mut value = node.to_json();
        let read = |name: &str| (tree.read)(&join(&folder, name)?);
        for field in ["patches", "patchesStrategicMerge", "patchesJson6902"] {
            let list = value.get_mut(field).and_then(Value::as_array_mut);
            for patch in list.into_iter().flatten() {
                let file = patch.get("path").and_then(Value::as_str).or_else(|| patch.as_str());
                let Some(text) = file.filter(|file| !file.contains('\n')).and_then(read) else {
                    continue;
                };
                match patch {
                    Value::Object(patch) => {
                        patch.insert("patch".to_owned(), text.into());
                    }
                    patch => *patch = text.into(),
                }
            }
        }
        all.insert(folder, Says { file: file.clone(), text, node, value });
    }
    (all, unread)
}

/// A changed field of a kustomization; all fields that name resources count as one.
pub(super) struct Step {
    pub(super) folder: PathBuf,
    pub(super) field: String,
}

impl Step {
    fn fields(&self) -> Vec<&str> {
        match RESOURCES.contains(&self.field.as_str()) {
            true => RESOURCES.to_vec(),
            false => vec![self.field.as_str()],
        }
    }

    pub(super) fn take(&self, state: &mut State, new: &All) {
        let Some(says) = new.get(&self.folder) else {
            state.remove(&self.folder);
            return;
        };
        let value = state.entry(self.folder.clone()).or_insert_with(|| serde_json::json!({}));
        if !value.is_object() {
            *value = serde_json::json!({});
        }
        let Value::Object(map) = value else { return };
        for field in self.fields() {
            match says.value.get(field) {
                Some(value) => map.insert(field.to_owned(), value.clone()),
                None => map.remove(field),
            };
        }
    }

    pub(super) fn is_opaque(&self, old: &All, new: &All) -> bool {
        let has = |all: &All| {
            all.get(&self.folder).is_some_and(|s| s.value.get("configurations").is_some())
        };
        let by_configuration = ["images", "replicas", "nameReference"];
        OPAQUE.contains(&self.field.as_str())
            || by_configuration.contains(&self.field.as_str()) && (has(old) || has(new))
    }

    /// Returns the remote resources that are new.
    pub(super) fn remote(&self, old: &All, new: &All) -> Vec<(&Self, String)> {
        let remote_entries = |all: &All| -> BTreeSet<String> {
            let says = all.get(&self.folder).map(|says| &says.value);
            let all = says.into_iter().flat_map(|says| entries(says, &RESOURCES));
            all.filter(|entry| is_remote(entry)).map(str::to_owned).collect()
        };
        if !RESOURCES.contains(&self.field.as_str()) {
            return Vec::new();
        }
        let new = remote_entries(new).difference(&remote_entries(old)).cloned().collect::<Vec<_>>();
        let message = |url| format!("{url} is another repository's: what it holds is not checked");
        new.into_iter().map(|url| (self, message(url))).collect()
    }
}

/// Returns the changes, with what is gathered before what is done to it.
pub(super) fn steps(old: &All, new: &All) -> Vec<Step> {
    let mut steps = Vec::new();
    let folders: BTreeSet<&PathBuf> = old.keys().chain(new.keys()).collect();
    for folder in folders {
        let (was, is) = (old.get(folder).map(|s| &s.value), new.get(folder).map(|s| &s.value));
        if is.is_none() {
            steps.push(Step { folder: folder.clone(), field: String::new() });
            continue;
        }
        let keys = |value: Option<&Value>| -> Vec<String> {
            value
                .and_then(Value::as_object)
                .map(|m| m.keys().cloned().collect())
                .unwrap_or_default()
        };
        let get = |value: Option<&Value>, field: &str| value.and_then(|v| v.get(field)).cloned();
        let all: BTreeSet<String> = keys(was).into_iter().chain(keys(is)).collect();
        let (first, then): (Vec<String>, Vec<String>) = all
            .into_iter()
            .filter(|field| get(was, field) != get(is, field))
            .partition(|field| RESOURCES.contains(&field.as_str()));
        let first = first.into_iter().rev().take(1);
        steps.extend(first.chain(then).map(|field| Step { folder: folder.clone(), field }));
    }
    steps
}

fn is_remote(entry: &str) -> bool {
    let host = entry.split('/').next().unwrap_or_default();
    entry.contains("://")
        || entry.contains("?ref=")
        || entry.contains("//")
        || host.contains('@')
        || host == "github.com"
}
