//! What changed kustomizations do to claims.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::build::{Build, Claims, EARLIER, Made, State, reach, roots};
use super::steps::{All, Step, Unread, load, steps};
use super::{From, Moved, Tree};
use crate::rules::{beginnings, full_name, transitions};
use crate::{self as claims, Options};
use eds_core::event_driven_service::ADOPT;
use kube_schema::diagnostics::{Finding, Severity, catalog};
use kube_schema::schema::ClaimApi;
use kube_schema::yaml::Node;

/// How many kustomizations and claims are visited in all; a tree that needs more was built to.
const MOST: usize = 200_000;

/// The fields by which a kustomization changes what is in a claim, other than its name.
const CHANGES: [&str; 4] =
    ["patches", "patchesStrategicMerge", "patchesJson6902", "commonAnnotations"];

/// A kustomization, its text, and what was found in it.
pub type Found = (PathBuf, String, Vec<Finding>);

type Claimed = BTreeMap<From, Made>;

/// Returns what changed kustomizations do to claims, by kustomization.
#[must_use]
pub fn compare(before: &Tree<'_>, after: &Tree<'_>, moved: &Moved, api: &ClaimApi) -> Vec<Found> {
    let ((old, _), (mut new, unread)) = (load(before), load(after));
    // An unreadable file says nothing: neither that claims are gone, nor that they are not.
    for Unread { folder, .. } in &unread {
        if let Some(says) = old.get(folder) {
            new.insert(folder.clone(), says.clone());
        }
    }
    let steps = steps(&old, &new);
    let mut report = Report { old: &old, new: &new, found: BTreeMap::new() };
    report.adopted(&steps);
    if !steps.is_empty() {
        let now = Claims { api, tree: after, moved, also_in: None, read: RefCell::default() };
        let was =
            Claims { api, tree: after, moved, also_in: Some(before), read: RefCell::default() };
        let states = states(&old, &new, &steps);
        let all = Comparison { api, now, was, states, steps: &steps, left: Cell::new(MOST) };
        all.run(&mut report);
    }
    let mut found: Vec<Found> = Vec::new();
    // What could not be read before either is not this change's fault.
    for one in unread.into_iter().filter(|one| one.is_new(before)) {
        let Unread { file, text, problem, .. } = one;
        let message = format!(
            "cannot be read, so what it does to claims is not checked: {}",
            problem.message
        );
        let mut finding = Finding::new(&catalog::UNSEEN, message).at(problem.span, "");
        finding.help = problem.help;
        found.push((file, text, vec![finding]));
    }
    let source = |file: &Path| new.values().find(|says| says.file == file).map(|s| s.text.clone());
    let of_claims = report.found.into_iter();
    found.extend(
        of_claims.map(|(file, all)| (file.clone(), source(&file).unwrap_or_default(), all)),
    );
    found
}

/// Returns all kustomizations before the first step, and after each.
fn states(old: &All, new: &All, steps: &[Step]) -> Vec<State> {
    let plain = old.iter().map(|(folder, says)| (folder.clone(), says.value.clone())).collect();
    let mut states: Vec<State> = vec![plain];
    for step in steps {
        let mut state = states.last().cloned().unwrap_or_default();
        step.take(&mut state, new);
        states.push(state);
    }
    states
}

/// Collects findings at the fields of kustomizations.
struct Report<'a> {
    old: &'a All,
    new: &'a All,
    found: BTreeMap<PathBuf, Vec<Finding>>,
}

impl Report<'_> {
    fn add(&mut self, folder: &Path, field: &str, finding: Finding) {
        let Some(says) = self.new.get(folder).or_else(|| self.old.get(folder)) else { return };
        let span = self.new.get(folder).map(|says| {
            let entry = says.node.entry(field).or_else(|| says.node.entry("resources"));
            entry.map_or(says.node.span, |entry| entry.key_span)
        });
        let finding = finding.at(span.unwrap_or_default(), field);
        self.found.entry(says.file.clone()).or_default().push(finding);
    }

    /// Reports something that was not checked.
    fn unseen(&mut self, step: &Step, message: impl Into<String>) {
        let mut finding = Finding::new(&catalog::UNSEEN, message);
        finding.severity = Severity::Warning;
        self.add(&step.folder, &step.field, finding.help("look at what kustomize build makes"));
    }

    /// Reports the annotation that gives an object to a claim, set on all objects of a
    /// kustomization.
    fn adopted(&mut self, steps: &[Step]) {
        for step in steps.iter().filter(|step| step.field == "commonAnnotations") {
            let annotation = |all: &All| {
                let says = all.get(&step.folder).map(|says| &says.value)?;
                says.get("commonAnnotations")?.get(ADOPT).cloned()
            };
            if let (was, Some(to)) = (annotation(self.old), annotation(self.new))
                && was.as_ref() != Some(&to)
            {
                let message = format!(
                    "{ADOPT} stands on every object of this kustomization: claim {} may take them \
                        over, and with it they are deleted",
                    to.as_str().unwrap_or_default()
                );
                let help = "put it on the objects alone that are to be given to the claim";
                let finding =
                    Finding::new(&crate::rules::transitions::HANDLING, message).help(help);
                self.add(&step.folder, &step.field, finding);
            }
        }
    }
}

/// All kustomizations, before and after.
struct Comparison<'a> {
    api: &'a ClaimApi,
    /// The claims as they are in the tree now.
    now: Claims<'a>,
    /// Those that were there before.
    was: Claims<'a>,
    states: Vec<State>,
    steps: &'a [Step],
    left: Cell<usize>,
}

/// What gets applied: its folder, and the claims it built before and builds now.
struct Root {
    folder: PathBuf,
    made: Claimed,
    makes: Claimed,
}

impl Comparison<'_> {
    fn run(&self, report: &mut Report<'_>) {
        let (Some(first), Some(last)) = (self.states.first(), self.states.last()) else { return };
        let touched: BTreeSet<&Path> =
            self.steps.iter().map(|step| step.folder.as_path()).collect();
        let all: BTreeSet<PathBuf> = roots(first).into_iter().chain(roots(last)).collect();
        let is_touched = |root: &PathBuf| {
            reach(root, &[first, last]).iter().any(|folder| touched.contains(folder.as_path()))
        };
        let (mut gone, mut added) = (Vec::new(), Vec::new());
        for folder in all.into_iter().filter(is_touched) {
            let made = self.build(&folder, first, &self.was);
            let makes = self.build(&folder, last, &self.now);
            let root = Root { folder, made, makes };
            self.opaque(&root, report);
            gone.extend(self.changed(&root, report));
            self.begun(&root, last, report);
            let new = root.makes.into_iter().filter(|(from, _)| !root.made.contains_key(from));
            added.extend(new.map(|(_, makes)| (root.folder.clone(), makes)));
        }
        self.ended(gone, &added, report);
        for (step, message) in self.steps.iter().flat_map(|s| s.remote(report.old, report.new)) {
            report.unseen(step, message);
        }
        if let (0, Some(step)) = (self.left.get(), self.steps.first()) {
            let message =
                format!("more than {MOST} steps are needed to build the claims: not compared");
            report.add(&step.folder, &step.field, Finding::new(&catalog::LIMIT, message));
        }
    }

    fn build(&self, root: &Path, state: &State, claims: &Claims<'_>) -> Claimed {
        let made = Build { state, claims, left: &self.left }.root(root).into_iter();
        made.map(|made| (made.from.clone(), made)).collect()
    }

    fn opaque(&self, root: &Root, report: &mut Report<'_>) {
        if root.made.is_empty() && root.makes.is_empty() {
            return;
        }
        for step in self.steps.iter().filter(|step| step.is_opaque(report.old, report.new)) {
            report.unseen(
                step,
                "changed, and what it does to the claims of this kustomization is not checked",
            );
        }
    }

    /// Reports what changed in the claims of a root. Returns those it no longer builds, with the
    /// step that removed each.
    fn changed(&self, root: &Root, report: &mut Report<'_>) -> Vec<(&Step, Made)> {
        // The states in between, computed only if needed.
        let between: RefCell<Option<Vec<Claimed>>> = RefCell::new(None);
        let step_of = |from: &From, is_it: &dyn Fn(Option<&Made>, Option<&Made>) -> bool| {
            let mut between = between.borrow_mut();
            let between = between.get_or_insert_with(|| {
                let build = |state| self.build(&root.folder, state, &self.was);
                self.states.iter().map(build).collect()
            });
            let pairs = between.iter().zip(between.iter().skip(1)).zip(self.steps);
            let mut all = pairs.filter(|((a, b), _)| is_it(a.get(from), b.get(from)));
            all.next_back().map(|(_, step)| step).or_else(|| self.steps.first())
        };
        let differs =
            |a: Option<&Made>, b: Option<&Made>| a.zip(b).is_some_and(|(a, b)| a.claim != b.claim);
        let mut gone = Vec::new();
        for (from, made) in &root.made {
            let Some(makes) = root.makes.get(from) else {
                let step = step_of(from, &|a, b| a.is_some() && b.is_none());
                gone.extend(step.map(|step| (step, made.clone())));
                continue;
            };
            if made.claim == makes.claim {
                continue;
            }
            for mut finding in change(self.api, made, makes) {
                let is_same = |a: Option<&Made>, b: Option<&Made>| {
                    let Some((a, b)) = a.zip(b).filter(|_| differs(a, b)) else { return false };
                    let is =
                        |f: &Finding| f.rule.code == finding.rule.code && f.path == finding.path;
                    change(self.api, a, b).iter().any(is)
                };
                let Some(step) = step_of(from, &is_same) else { continue };
                finding.message = describe(&finding, &makes.claim);
                report.add(&step.folder, &step.field, finding);
            }
            let refused = self.refused(makes);
            if let Some(step) = step_of(from, &differs).filter(|_| !refused.is_empty()) {
                for finding in refused {
                    report.add(&step.folder, &step.field, finding);
                }
            }
        }
        gone
    }

    /// Reports what deserves a warning in claims new to a root, unless the claim's own file says
    /// it.
    fn begun(&self, root: &Root, state: &State, report: &mut Report<'_>) {
        let says = state.get(&root.folder);
        let field = CHANGES.iter().find(|field| says.is_some_and(|s| s.get(**field).is_some()));
        let field = field.copied().unwrap_or("resources");
        for makes in root.makes.values().filter(|makes| !root.made.contains_key(&makes.from)) {
            let own = self.raw(makes).map(|raw| beginning(self.api, &raw.claim));
            let own = own.unwrap_or_default();
            let new = beginning(self.api, &makes.claim).into_iter();
            for mut finding in new.filter(|new| !own.iter().any(|own| own.path == new.path)) {
                finding.message = describe(&finding, &makes.claim);
                report.add(&root.folder, field, finding);
            }
            for finding in self.refused(makes) {
                report.add(&root.folder, field, finding);
            }
        }
    }

    /// Reports claims that a root no longer builds as gone, unless another root builds them now. A
    /// claim whose overlay moved it to another namespace or name is another service.
    fn ended(&self, gone: Vec<(&Step, Made)>, added: &[(PathBuf, Made)], report: &mut Report<'_>) {
        let names: BTreeSet<String> =
            added.iter().map(|(_, makes)| full_name(&makes.claim)).collect();
        let mut taken = BTreeSet::new();
        for (step, made) in gone {
            if names.contains(&full_name(&made.claim)) {
                continue;
            }
            // The overlay's folder is gone, and another one is new.
            let moved = added.iter().enumerate().find(|(i, (folder, makes))| {
                let is_new =
                    !report.old.contains_key(folder) && !report.new.contains_key(&step.folder);
                is_new && makes.from == made.from && !taken.contains(i)
            });
            if let Some((i, (folder, makes))) = moved {
                taken.insert(i);
                for finding in change(self.api, &made, makes) {
                    let field = match finding.path.as_str() {
                        "metadata.namespace" => "namespace",
                        _ => "namePrefix",
                    };
                    report.add(folder, field, finding);
                }
                continue;
            }
            let message = format!(
                "claim {} is gone: this kustomization no longer makes it, though its file is still \
                    there",
                full_name(&made.claim)
            );
            let help = "where this is applied with pruning, as by Argo CD, its service is deleted; \
                that is fine if it is meant";
            report.add(
                &step.folder,
                &step.field,
                Finding::new(&crate::rules::transitions::REMOVED, message).help(help),
            );
        }
    }

    /// Returns the claim as written in its file.
    fn raw(&self, makes: &Made) -> Option<Made> {
        self.now.in_file(&makes.from.0).into_iter().find(|raw| raw.from == makes.from)
    }

    /// Returns what the API refuses in the built claim but not in its file, which is checked
    /// anyway.
    fn refused(&self, makes: &Made) -> Vec<Finding> {
        let Some(raw) = self.raw(makes).filter(|raw| raw.claim != makes.claim) else {
            return Vec::new();
        };
        let options = Options { without_rules: false, ..EARLIER };
        let errors = |claim: &Value| -> Vec<Finding> {
            let all = claims::check(&claim.to_string(), self.api, options).findings.into_iter();
            all.filter(|finding| finding.severity == Severity::Error).collect()
        };
        let own = errors(&raw.claim);
        let is_own =
            |f: &Finding| own.iter().any(|o| o.rule.code == f.rule.code && o.path == f.path);
        let new = errors(&makes.claim).into_iter().filter(|finding| !is_own(finding));
        new.map(|mut finding| {
            finding.message = describe(&finding, &makes.claim);
            finding
        })
        .collect()
    }
}

/// Returns a claim as the API server would store it, and the positions in a text it was written to.
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

/// Turns a finding in a claim into one about its kustomization.
fn describe(finding: &Finding, claim: &Value) -> String {
    match finding.rule.code == crate::rules::transitions::RENAMED.code {
        true => finding.message.clone(),
        false => format!("in claim {}, {} {}", full_name(claim), finding.path, finding.message),
    }
}
