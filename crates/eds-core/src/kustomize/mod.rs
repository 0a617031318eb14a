//! What Kustomize makes of claims, and what a change to a kustomization does to them.
//!
//! Claims are built as they were told before, and as they are told now, from the same files: what differs is
//! what the kustomizations changed. The changes are then made one field after the other, which says the line.
//! Understood are resources, components, names, labels, annotations and patches. Of what else could touch a
//! claim (transformers, replacements, generators, remote resources) is said that nobody looked at it.

mod apply;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::claims::{self, Options, Origin};
use crate::diagnostics::{Finding, Severity, catalog};
use crate::rules::{beginnings, full_name, transitions};
use crate::schema::ClaimApi;
use crate::yaml::{self, Node};

/// The names that Kustomize looks for.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The fields that name what is taken in.
pub const RESOURCES: [&str; 3] = ["resources", "bases", "components"];

/// What may touch claims in ways that are not followed here.
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

/// Kustomizations and claims that are visited in all; a tree that needs more is made to.
const MOST: usize = 200_000;

/// Kustomizations that stand in one another.
const DEEPEST: usize = 32;

/// The files of a tree, by their paths below its root.
pub struct Tree<'a> {
    /// The kustomizations.
    pub kustomizations: Vec<PathBuf>,
    /// The text of a file, where it has one.
    pub read: &'a dyn Fn(&Path) -> Option<String>,
    /// The files that stand right in a folder.
    pub list: &'a dyn Fn(&Path) -> Vec<PathBuf>,
}

/// A kustomization, its patches inlined.
struct Says {
    file: PathBuf,
    text: String,
    node: Node,
    value: Value,
}

type All = BTreeMap<PathBuf, Says>;

/// Which claim it is, wherever it got other names: the file in which it stood first, namespace, name.
pub type From = (PathBuf, String, String);

/// The claims that stand in another file now, and in which.
pub type Moved = HashMap<From, PathBuf>;

/// A claim on its way.
#[derive(Clone)]
struct Made {
    from: From,
    claim: Value,
    /// The names and namespaces that it had.
    known: Vec<(String, String)>,
}

impl Made {
    fn new(file: &Path, claim: Value) -> Self {
        let mut made = Self { from: From::default(), claim, known: Vec::new() };
        let text = |field| made.name(field).unwrap_or_default();
        made.from = (file.to_owned(), text("namespace"), text("name"));
        made.remember();
        made
    }

    fn name(&self, field: &str) -> Option<String> {
        self.claim.pointer(&format!("/metadata/{field}"))?.as_str().map(str::to_owned)
    }

    fn set(&mut self, field: &str, to: String) {
        if let Some(metadata) = self.claim.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert(field.to_owned(), to.into());
        }
        self.remember();
    }

    fn remember(&mut self) {
        let text = |field| self.name(field).unwrap_or_default();
        let names = (text("name"), text("namespace"));
        self.known.push(names);
    }
}

/// A kustomization, its text, and what was found of it.
pub type Found = (PathBuf, String, Vec<Finding>);

/// What changed kustomizations do to claims, by kustomization.
#[must_use]
pub fn compare(before: &Tree<'_>, after: &Tree<'_>, moved: &Moved, api: &ClaimApi) -> Vec<Found> {
    let (old, new) = (load(before), load(after));
    let steps = steps(&old, &new);
    if steps.is_empty() {
        return Vec::new();
    }
    let now = Claims { api, tree: after, moved, also_in: None, read: RefCell::default() };
    let was = Claims { api, tree: after, moved, also_in: Some(before), read: RefCell::default() };
    let left = Cell::new(MOST);
    let plain = |all: &All| -> State {
        all.iter().map(|(folder, says)| (folder.clone(), says.value.clone())).collect()
    };
    // Each state is that after a step.
    let mut states = vec![plain(&old)];
    for step in &steps {
        let mut state = states.last().cloned().unwrap_or_default();
        step.take(&mut state, &new);
        states.push(state);
    }
    let touched: BTreeSet<&Path> = steps.iter().map(|step| step.folder.as_path()).collect();
    let mut found: BTreeMap<PathBuf, Vec<Finding>> = BTreeMap::new();
    let mut at = |folder: &Path, field: &str, finding: Finding| {
        let says = new.get(folder).or_else(|| old.get(folder));
        let Some(says) = says else { return };
        let span = new.get(folder).map(|says| {
            let entry = says.node.entry(field).or_else(|| says.node.entry("resources"));
            entry.map_or(says.node.span, |entry| entry.key_span)
        });
        let finding = finding.at(span.unwrap_or_default(), field);
        found.entry(says.file.clone()).or_default().push(finding);
    };
    let (first, last) = (states.first().cloned().unwrap_or_default(), states.last().cloned());
    let last = last.unwrap_or_default();
    let mut gone = Vec::new();
    let mut added = Vec::new();
    for root in roots(&first).into_iter().chain(roots(&last)).collect::<BTreeSet<_>>() {
        if !reach(&root, &[&first, &last]).iter().any(|folder| touched.contains(folder.as_path())) {
            continue;
        }
        let build = |state: &State, claims: &Claims<'_>| {
            let build = Build { state, claims, left: &left };
            let made = build.root(&root).into_iter();
            made.map(|made| (made.from.clone(), made)).collect::<BTreeMap<From, Made>>()
        };
        let (made, makes) = (build(&first, &was), build(&last, &now));
        for step in &steps {
            if !(made.is_empty() && makes.is_empty()) && step.is_opaque(&old, &new) {
                let message =
                    "changed, and what it does to the claims of this kustomization is not checked";
                let mut finding = Finding::new(&catalog::UNSEEN, message);
                finding.severity = Severity::Warning;
                at(&step.folder, &step.field, finding.help("look at what kustomize build makes"));
            }
        }
        // Only where it is needed, every state between.
        let between: RefCell<Option<Vec<BTreeMap<From, Made>>>> = RefCell::new(None);
        let step_of = |from: &From, is_it: &dyn Fn(Option<&Made>, Option<&Made>) -> bool| {
            let mut between = between.borrow_mut();
            let between = between
                .get_or_insert_with(|| states.iter().map(|state| build(state, &was)).collect());
            let pairs = between.iter().zip(between.iter().skip(1)).zip(&steps);
            let all: Vec<_> = pairs
                .filter(|((a, b), _)| is_it(a.get(from), b.get(from)))
                .map(|(_, step)| step)
                .collect();
            all.last().copied().or_else(|| steps.first())
        };
        for (from, made) in &made {
            let Some(makes) = makes.get(from) else {
                let step = step_of(from, &|a, b| a.is_some() && b.is_none());
                gone.extend(step.map(|step| (step, made.claim.clone())));
                continue;
            };
            if made.claim == makes.claim {
                continue;
            }
            for mut finding in change(api, made, makes) {
                let same = |a: Option<&Made>, b: Option<&Made>| {
                    let Some((a, b)) = a.zip(b).filter(|(a, b)| a.claim != b.claim) else {
                        return false;
                    };
                    change(api, a, b)
                        .iter()
                        .any(|f| f.rule.code == finding.rule.code && f.path == finding.path)
                };
                let Some(step) = step_of(from, &same) else { continue };
                finding.message = said(&finding, &makes.claim);
                at(&step.folder, &step.field, finding);
            }
        }
        for makes in makes.values().filter(|makes| !made.contains_key(&makes.from)) {
            added.push(makes.claim.clone());
            let raw = now.of(&makes.from.0).into_iter().find(|raw| raw.from == makes.from);
            let own = raw.map(|raw| beginning(api, &raw.claim)).unwrap_or_default();
            for mut finding in beginning(api, &makes.claim) {
                if own.iter().any(|f| f.path == finding.path) {
                    continue;
                }
                finding.message = said(&finding, &makes.claim);
                let field = ["commonAnnotations", "patches", "patchesStrategicMerge"];
                let has = |field: &&&str| last.get(&root).is_some_and(|s| s.get(**field).is_some());
                at(&root, field.iter().find(has).copied().unwrap_or("resources"), finding);
            }
        }
    }
    // What another one makes now has moved.
    let names: BTreeSet<String> = added.iter().map(full_name).collect();
    for (step, claim) in gone.into_iter().filter(|(_, claim)| !names.contains(&full_name(claim))) {
        let message = format!(
            "claim {} is gone: this kustomization no longer makes it, though its file is still there",
            full_name(&claim)
        );
        let help = "where this is applied with pruning, as by Argo CD, its service is deleted; that is fine if it is meant";
        at(&step.folder, &step.field, Finding::new(&catalog::REMOVED, message).help(help));
    }
    for (step, message) in steps.iter().flat_map(|step| step.remote(&old, &new)) {
        let mut finding = Finding::new(&catalog::UNSEEN, message);
        finding.severity = Severity::Warning;
        at(&step.folder, &step.field, finding.help("look at what kustomize build makes"));
    }
    if left.get() == 0 {
        let message =
            format!("more than {MOST} steps are needed to build the claims: not compared");
        steps.iter().take(1).for_each(|step| {
            at(&step.folder, &step.field, Finding::new(&catalog::LIMIT, message.clone()));
        });
    }
    let source = |file: &Path| new.values().find(|says| says.file == file).map(|s| s.text.clone());
    let found = found.into_iter();
    found.map(|(file, all)| (file.clone(), source(&file).unwrap_or_default(), all)).collect()
}

/// Reads all kustomizations, by their folders. Patches in files are part of them.
fn load(tree: &Tree<'_>) -> All {
    let mut all = All::new();
    for file in &tree.kustomizations {
        let Some(text) = (tree.read)(file) else { continue };
        let mut documents = yaml::parse(&text).documents;
        if documents.is_empty() {
            continue;
        }
        let node = documents.swap_remove(0);
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
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
    all
}

/// What each folder's kustomization says.
type State = BTreeMap<PathBuf, Value>;

/// A field of a kustomization that changed; all that name resources are one.
struct Step {
    folder: PathBuf,
    field: String,
}

impl Step {
    fn fields(&self) -> Vec<&str> {
        match RESOURCES.contains(&self.field.as_str()) {
            true => RESOURCES.to_vec(),
            false => vec![self.field.as_str()],
        }
    }

    fn take(&self, state: &mut State, new: &All) {
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

    fn is_opaque(&self, old: &All, new: &All) -> bool {
        let has = |all: &All| {
            all.get(&self.folder).is_some_and(|s| s.value.get("configurations").is_some())
        };
        let by_configuration = ["images", "replicas", "nameReference"];
        OPAQUE.contains(&self.field.as_str())
            || by_configuration.contains(&self.field.as_str()) && (has(old) || has(new))
    }

    /// Resources from elsewhere that are new.
    fn remote(&self, old: &All, new: &All) -> Vec<(&Self, String)> {
        let of = |all: &All| -> BTreeSet<String> {
            let says = all.get(&self.folder).map(|says| &says.value);
            let all = says.into_iter().flat_map(|says| entries(says, &RESOURCES));
            all.filter(|entry| is_remote(entry)).map(str::to_owned).collect()
        };
        if !RESOURCES.contains(&self.field.as_str()) {
            return Vec::new();
        }
        let new = of(new).difference(&of(old)).cloned().collect::<Vec<_>>();
        let message = |url| format!("{url} is another repository's: what it holds is not checked");
        new.into_iter().map(|url| (self, message(url))).collect()
    }
}

/// The changes, what is gathered before what is made of it.
fn steps(old: &All, new: &All) -> Vec<Step> {
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

/// The claims of files.
struct Claims<'a> {
    api: &'a ClaimApi,
    tree: &'a Tree<'a>,
    moved: &'a Moved,
    /// Only claims that this tree has in the same file.
    also_in: Option<&'a Tree<'a>>,
    read: RefCell<HashMap<PathBuf, Vec<Made>>>,
}

impl Claims<'_> {
    fn of(&self, file: &Path) -> Vec<Made> {
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
            // As it is where it stands now.
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

/// What is compared was judged already.
const EARLIER: Options = Options { strict: false, without_rules: true, origin: Origin::Any };

struct Build<'a> {
    state: &'a State,
    claims: &'a Claims<'a>,
    left: &'a Cell<usize>,
}

impl Build<'_> {
    /// A folder's claims: as its kustomization says, or all where it has none.
    fn root(&self, folder: &Path) -> Vec<Made> {
        if self.state.contains_key(folder) {
            return self.folder(folder, Vec::new(), DEEPEST);
        }
        let tree = self.claims.also_in.unwrap_or(self.claims.tree);
        let yaml = |file: &PathBuf| {
            file.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
        };
        (tree.list)(folder).iter().filter(|f| yaml(f)).flat_map(|f| self.claims.of(f)).collect()
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
                false => self.claims.of(&entry),
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

fn entries<'a>(says: &'a Value, fields: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let lists = fields.iter().filter_map(|field| says.get(*field)?.as_array());
    lists.flatten().filter_map(Value::as_str)
}

/// A path as a kustomization in a folder writes it, below the root.
fn join(folder: &Path, entry: &str) -> Option<PathBuf> {
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

fn is_remote(entry: &str) -> bool {
    let host = entry.split('/').next().unwrap_or_default();
    entry.contains("://")
        || entry.contains("?ref=")
        || entry.contains("//")
        || host.contains('@')
        || host == "github.com"
}

/// The folders that a folder's kustomization takes in, itself included.
fn reach(folder: &Path, states: &[&State]) -> BTreeSet<PathBuf> {
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

/// The folders that nothing takes in: what is applied.
fn roots(state: &State) -> Vec<PathBuf> {
    let taken: BTreeSet<PathBuf> = state
        .iter()
        .flat_map(|(folder, says)| entries(says, &RESOURCES).filter_map(|e| join(folder, e)))
        .collect();
    let is_part = |says: &Value| says.get("kind").and_then(Value::as_str) == Some("Component");
    let roots = state.iter().filter(|(folder, says)| !taken.contains(*folder) && !is_part(says));
    roots.map(|(folder, _)| folder.clone()).collect()
}

/// A claim as the API server would have it, and the positions of a text that it was written to.
fn settled(api: &ClaimApi, claim: &Value) -> Option<(Value, Node)> {
    let (checked, node) = claims::check(&claim.to_string(), api, EARLIER).claims.pop()?;
    Some((checked.effective, node))
}

fn change(api: &ClaimApi, before: &Made, after: &Made) -> Vec<Finding> {
    let both = settled(api, &before.claim).zip(settled(api, &after.claim));
    both.map(|((was, _), (is, node))| transitions(&was, &node, &is)).unwrap_or_default()
}

fn beginning(api: &ClaimApi, claim: &Value) -> Vec<Finding> {
    settled(api, claim).map(|(is, node)| beginnings(&node, &is)).unwrap_or_default()
}

/// What is found of a claim, said of its kustomization.
fn said(finding: &Finding, claim: &Value) -> String {
    match finding.rule.code == catalog::RENAMED.code {
        true => finding.message.clone(),
        false => format!("in claim {}, {} {}", full_name(claim), finding.path, finding.message),
    }
}
