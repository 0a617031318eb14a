//! Claims as one state of all kustomizations builds them.

use kube_object::object::Fields;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::{From, Moved, RESOURCES, Tree, apply};
use crate::rules::names;
use crate::{self as claims, Options, Origin};
use kube_schema::schema::ClaimApi;

/// How deep kustomizations may nest.
const DEEPEST: usize = 32;

/// What the kustomization of each folder says.
pub(super) type State = BTreeMap<PathBuf, Value>;

/// A claim being built.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) from: From,
    pub(super) claim: Value,
    /// The names and namespaces it has had.
    pub(super) known: Vec<(String, String)>,
}

impl Made {
    pub(super) fn new(file: &Path, claim: Value) -> Self {
        let (namespace, name) = names(&claim);
        let mut made = Self { from: (file.to_owned(), namespace, name), claim, known: Vec::new() };
        made.remember();
        made
    }

    pub(super) fn name(&self, field: &str) -> Option<String> {
        self.claim.at(&format!("/metadata/{field}"))?.as_str().map(str::to_owned)
    }

    pub(super) fn set(&mut self, field: &str, to: String) {
        if let Some(metadata) = self.claim.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert(field.to_owned(), to.into());
        }
        self.remember();
    }

    pub(super) fn remember(&mut self) {
        self.known.push(names(&self.claim));
    }
}

/// The claims in files.
pub(super) struct Claims<'a> {
    pub(super) api: &'a ClaimApi,
    pub(super) tree: &'a Tree<'a>,
    pub(super) moved: &'a Moved,
    /// Only claims that this tree has in the same file too.
    pub(super) also_in: Option<&'a Tree<'a>>,
    pub(super) read: RefCell<HashMap<PathBuf, Vec<Made>>>,
}

impl Claims<'_> {
    pub(super) fn in_file(&self, file: &Path) -> Vec<Made> {
        if let Some(made) = self.read.borrow().get(file) {
            return made.clone();
        }
        let read = |tree: &Tree<'_>, file: &Path| -> Vec<Made> {
            let text = (tree.read)(file).unwrap_or_default();
            let claims = claims::check(&text, self.api, EARLIER).claims.into_iter();
            claims.map(|(_, node)| Made::new(file, node.to_json())).collect()
        };
        let mut made = read(self.tree, file);
        if let Some(other) = self.also_in {
            let other: BTreeSet<From> =
                read(other, file).into_iter().map(|made| made.from).collect();
            made.retain(|made| other.contains(&made.from));
            // In the form it has in its present place.
            for from in other {
                let Some(to) = self.moved.get(&from) else { continue };
                let there = read(self.tree, to).into_iter();
                let there = there.filter(|made| (&made.from.1, &made.from.2) == (&from.1, &from.2));
                made.extend(there.map(|made| Made { from: from.clone(), ..made }));
            }
        } else {
            for made in &mut made {
                let mut came = self.moved.iter().filter(|(from, to)| {
                    *to == file && (&from.1, &from.2) == (&made.from.1, &made.from.2)
                });
                if let Some((from, _)) = came.next() {
                    made.from = from.clone();
                }
            }
        }
        self.read.borrow_mut().insert(file.to_owned(), made.clone());
        made
    }
}

/// What we compare with has been checked already.
pub(super) const EARLIER: Options =
    Options { strict: false, without_rules: true, origin: Origin::Any };

pub(super) struct Build<'a> {
    pub(super) state: &'a State,
    pub(super) claims: &'a Claims<'a>,
    pub(super) left: &'a Cell<usize>,
}

impl Build<'_> {
    /// Returns a folder's claims: as its kustomization builds them, or all of them if it has none.
    pub(super) fn root(&self, folder: &Path) -> Vec<Made> {
        if self.state.contains_key(folder) {
            return self.folder(folder, Vec::new(), DEEPEST);
        }
        let tree = self.claims.also_in.unwrap_or(self.claims.tree);
        let yaml = |file: &PathBuf| {
            file.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
        };
        (tree.list)(folder)
            .iter()
            .filter(|f| yaml(f))
            .flat_map(|f| self.claims.in_file(f))
            .collect()
    }

    fn folder(&self, folder: &Path, mut all: Vec<Made>, deep: usize) -> Vec<Made> {
        let Some(says) = self.state.get(folder).filter(|_| deep > 0) else { return all };
        for entry in entries(says, &["resources", "bases"]).filter_map(|e| join(folder, e)) {
            let left = self.left.get();
            if left == 0 {
                return all;
            }
            let more = match self.state.contains_key(&entry) {
                true => self.folder(&entry, Vec::new(), deep - 1),
                false => self.claims.in_file(&entry),
            };
            self.left.set(left.min(self.left.get()).saturating_sub(1 + more.len()));
            all.extend(more);
        }
        for entry in entries(says, &["components"]).filter_map(|e| join(folder, e)) {
            all = self.folder(&entry, all, deep - 1);
        }
        apply::apply(says, &mut all);
        all
    }
}

pub(super) fn entries<'a>(says: &'a Value, fields: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let lists = fields.iter().filter_map(|field| says.get(*field)?.as_array());
    lists.flatten().filter_map(Value::as_str)
}

/// Resolves a path written in a folder's kustomization, below the root.
pub(super) fn join(folder: &Path, entry: &str) -> Option<PathBuf> {
    let mut path = folder.to_owned();
    for part in Path::new(entry).components() {
        match part {
            Component::ParentDir if !path.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Returns the folders that a folder's kustomization includes, itself among them.
pub(super) fn reach(folder: &Path, states: &[&State]) -> BTreeSet<PathBuf> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        if seen.contains(&folder) {
            continue;
        }
        for says in states.iter().filter_map(|state| state.get(&folder)) {
            open.extend(entries(says, &RESOURCES).filter_map(|entry| join(&folder, entry)));
        }
        seen.insert(folder);
    }
    seen
}

/// Returns the folders that nothing includes: what gets applied.
pub(super) fn roots(state: &State) -> Vec<PathBuf> {
    let taken: BTreeSet<PathBuf> = state
        .iter()
        .flat_map(|(folder, says)| entries(says, &RESOURCES).filter_map(|e| join(folder, e)))
        .collect();
    let is_part = |says: &Value| says.get("kind").and_then(Value::as_str) == Some("Component");
    let roots = state.iter().filter(|(folder, says)| !taken.contains(*folder) && !is_part(says));
    roots.map(|(folder, _)| folder.clone()).collect()
}
