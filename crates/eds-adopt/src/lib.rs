//! The way in for a worker that already runs: manifests in, claims and a report out.
//!
//! ```text
//! texts -> input      objects, each with its file and lines
//!       -> workers    which of them are workers, and what belongs to each
//!       -> claim      what the manifests say, as a claim (variables, refs, files, nats, nack, size, health, pods,
//!                     scaling; accepted asks what a claim takes), written with comments
//!       -> rendered   what the claim becomes: by the engine that Crossplane runs
//!       -> fields     every leaf of the manifests, compared with that
//!                     (difference; verdict, elsewhere, volumes, beside, pointing, references, reasons)
//!       -> steps      how to get there without losing a message
//!       -> report     all of it, for a person or a program
//! ```
//!
//! The report cannot promise what the claim does not keep: it is the difference between the
//! manifests and what the claim becomes. Even a leaf that nobody thought of is in it.
//!
//! [`diff`] goes the other way: what applying a claim would change. Neither may know about
//! clusters.

mod accepted;
mod beside;
mod claim;
pub mod diff;
mod elsewhere;
mod fields;
mod files;
mod health;
mod input;
mod nack;
mod nats;
mod pods;
mod pointing;
pub(crate) mod reasons;
mod references;
mod refs;
mod report;
mod scaling;
mod size;
mod steps;
mod variables;
mod verdict;
mod volumes;
mod workers;
mod write;

use kube_object::object::Fields;
use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};

use eds_claims as claims;
use eds_core::composition::{self, Composition, Inputs};
use kube_schema::diagnostics::{FileFindings, Finding, Severity};
use kube_schema::schema::ClaimApi;
use patch_and_transform::protocol::{Object, normalize};

pub use fields::{Field, Kind};
pub use input::{MAX_STEPS, Manifest, Read, read};
pub use report::{json, text};

use claim::Draft;
use size::Size;
use workers::{Group, Index};

/// What claims are made for.
#[derive(Debug, Clone, Copy)]
pub struct Platform<'a> {
    /// The API that claims must fit.
    pub api: &'a ClaimApi,
    /// What turns claims into manifests.
    pub composition: &'a Composition,
    /// The kind of the composite.
    pub composite_kind: &'a str,
    /// The namespace of manifests that name none.
    pub namespace: &'a str,
}

/// A namespace's manifests, for one worker.
#[derive(Debug, Clone, Copy)]
struct Namespace<'a> {
    index: &'a Index<'a>,
    name: &'a str,
    /// The claim's name.
    claim: &'a str,
}

/// Something in a claim that nothing in the manifests says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The claim's field.
    pub path: String,
    /// What was written there.
    pub value: String,
    /// Why.
    pub why: String,
}

/// A worker that was found, and what became of it.
#[derive(Debug)]
pub struct Worker {
    /// Kind of the workload.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace, if the manifests name one.
    pub namespace: Option<String>,
    /// The file it is in.
    pub file: String,
    /// The line it is on.
    pub line: usize,
    /// The claim, as YAML; `None` if a claim cannot express this worker.
    pub claim: Option<String>,
    /// Why there is no claim.
    pub refused: Option<String>,
    /// Whether it is just not a worker, and stays as it is beside those that became claims.
    pub left_alone: bool,
    /// What nothing in the manifests says.
    pub guesses: Vec<Guess>,
    /// What `eds validate` says about the claim.
    pub findings: FileFindings,
    /// What else to know.
    pub notes: Vec<String>,
    /// How to get from the manifests to the claim, one step per line.
    pub steps: Vec<String>,
    /// What the claim becomes.
    pub rendered: Vec<Value>,
}

/// What came of the manifests.
#[derive(Debug)]
pub struct Adoption {
    /// The workers, in the order of the manifests.
    pub workers: Vec<Worker>,
    /// Every leaf of every manifest, and what the platform adds.
    pub fields: Vec<Field>,
    /// What to know about the manifests.
    pub notes: Vec<String>,
}

impl Adoption {
    /// Returns all claims, as one file of documents.
    #[must_use]
    pub fn claims(&self) -> String {
        let claims: Vec<&str> = self.workers.iter().filter_map(|w| w.claim.as_deref()).collect();
        match claims.as_slice() {
            [one] => (*one).to_owned(),
            several => several.iter().map(|claim| format!("---\n{claim}")).collect(),
        }
    }

    /// Returns whether nothing was lost or refused, and nothing is invalid.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.workers.iter().all(|w| w.left_alone || w.refused.is_none() && w.is_valid())
            && !self.fields.iter().any(|field| field.kind == Kind::Lost)
    }
}

impl Worker {
    /// Returns whether the platform accepts the claim.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !self.findings.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Makes claims from manifests, and tells what becomes of each of their leaves.
///
/// # Errors
/// If there is no worker among them, or more than can be handled.
pub fn adopt(manifests: &[Manifest], platform: &Platform<'_>) -> Result<Adoption, String> {
    // If all that name a namespace name the same one, it is the others' too.
    let mut said: Vec<&str> = manifests.iter().filter_map(Manifest::namespace).collect();
    said.sort_unstable();
    said.dedup();
    let platform = match said.as_slice() {
        [one] => &Platform { namespace: one, ..*platform },
        _ => platform,
    };
    let index = Index::new(manifests, platform.namespace);
    let groups = workers::find(&index)?;
    if groups.is_empty() {
        return Err(none(manifests, platform));
    }
    let sizes = sizes(platform);
    let mut workers = Vec::new();
    let mut owners = Vec::new();
    let mut names: HashSet<(&str, String)> = HashSet::new();
    for group in groups {
        let Some(manifest) = index.get(group.workload) else { continue };
        let (mut name, mut naming) = claim::name(manifest.name());
        let space = index.namespace(manifest);
        if let Some(why) = &mut naming {
            let free = claim::free(&name, |name| {
                names.contains(&(space, name.to_owned()))
                    || index.find(space, "Deployment", name).is_some()
            });
            if free != name {
                why.push_str(&format!("; {name} is another worker's"));
                name = free;
            }
        }
        if group.refused.is_none() {
            names.insert((space, name.clone()));
        }
        let namespace = Namespace { index: &index, name: space, claim: &name };
        let draft = match group.refused {
            None => claim::draft(&group, &namespace, naming, &sizes, platform),
            Some(_) => None,
        };
        let mut worker = Worker {
            kind: manifest.kind().to_owned(),
            name: manifest.name().to_owned(),
            namespace: manifest.namespace().map(str::to_owned),
            file: manifest.file.clone(),
            line: manifest.line(),
            claim: None,
            refused: group.refused.clone(),
            left_alone: false,
            guesses: Vec::new(),
            findings: FileFindings::new(String::new(), String::new(), Vec::new()),
            notes: Vec::new(),
            steps: Vec::new(),
            rendered: Vec::new(),
        };
        if let Some(draft) = &draft {
            worker.guesses.clone_from(&draft.guesses);
            worker.notes.clone_from(&draft.notes);
        }
        let draft = draft.map(|draft| finish(draft, &mut worker, platform));
        owners.push((group, draft, name));
        workers.push(worker);
    }
    if workers.iter().any(|worker| worker.claim.is_some()) {
        for (worker, (group, ..)) in workers.iter_mut().zip(&owners) {
            worker.left_alone = worker.refused.is_some() && !group.may_work;
        }
    }
    let fields = fields::all(&index, &owners, &workers);
    let taken = taken(&index, &owners, &workers);
    for (worker, (group, draft, name)) in workers.iter_mut().zip(&owners) {
        let namespace = Namespace { index: &index, name: platform.namespace, claim: name };
        steps::tell(worker, group, draft.as_ref(), &namespace);
    }
    for (worker, taken) in workers.iter_mut().zip(taken) {
        if !taken.is_empty() {
            worker.steps.insert(
                0,
                "give the claim another metadata.name, as the first notes say".to_owned(),
            );
        }
        worker.notes.splice(0..0, taken);
    }
    let mut adoption = Adoption { workers, fields, notes: Vec::new() };
    adoption.notes = together(&adoption, platform);
    Ok(adoption)
}

/// Explains why there is nothing to make claims from.
fn none(manifests: &[Manifest], platform: &Platform<'_>) -> String {
    let is = |kind: &str| manifests.iter().find(|manifest| manifest.kind() == kind);
    if let Some(claim) = is(&platform.api.definition.kind) {
        let (name, file) = (claim.name(), &claim.file);
        return format!(
            "{name} ({file}) is a claim already: try eds validate or eds render with it"
        );
    }
    let help = match is("Kustomization") {
        Some(_) => {
            "; of a kustomization give what it makes: kubectl kustomize DIRECTORY | eds adopt -"
        }
        None => "",
    };
    let objects = manifests.iter().filter(|manifest| !manifest.is_list).count();
    let s = if objects == 1 { "" } else { "s" };
    format!(
        "found no worker among {objects} object{s}: no Deployment, and nothing else that runs \
            pods{help}"
    )
}

/// Returns, for each worker, the names that its claim takes and somebody else already has.
fn taken(index: &Index<'_>, owners: &[Owner], workers: &[Worker]) -> Vec<Vec<String>> {
    let made = pointing::Made::new(index, owners, workers);
    let say = |worker: &Worker, (group, _, claim): &Owner| -> Vec<String> {
        let Some(workload) = index.get(group.workload) else { return Vec::new() };
        let found = made.in_the_way(index, worker, index.namespace(workload));
        found
            .map(|other| {
                format!(
                    "{} {} is not this worker's, and the claim {claim} would make one of that \
                        name: give the claim another metadata.name before it is applied",
                    other.kind(),
                    other.name()
                )
            })
            .collect()
    };
    workers.iter().zip(owners).map(|(worker, owner)| say(worker, owner)).collect()
}

/// Returns what `eds validate` says about the claims only when they are together.
fn together(adoption: &Adoption, platform: &Platform<'_>) -> Vec<String> {
    if adoption.workers.iter().filter(|worker| worker.claim.is_some()).count() < 2 {
        return Vec::new();
    }
    let alone: HashSet<(String, String)> = adoption
        .workers
        .iter()
        .flat_map(|worker| &worker.findings.findings)
        .map(place_and_message)
        .collect();
    let checked = claims::check(&adoption.claims(), platform.api, claims::Options::default());
    let new =
        checked.findings.iter().map(place_and_message).filter(|finding| !alone.contains(finding));
    new.map(|(path, message)| format!("the claims together: {path}: {message}")).collect()
}

/// Picks a namespace's workers and what belongs to them: the rest does not concern a claim.
///
/// # Errors
/// If there are more workers than can be handled.
pub fn belonging(manifests: Vec<Manifest>, namespace: &str) -> Result<Vec<Manifest>, String> {
    let index = Index::new(&manifests, namespace);
    let mut kept = BTreeSet::new();
    for group in workers::find(&index)? {
        let parts = [
            Some(group.workload),
            group.scaler,
            group.autoscaler,
            group.service,
            group.account,
            group.budget,
        ];
        let consumers: Vec<usize> = index
            .of_kind(namespace, "Consumer")
            .filter(|(_, consumer)| consumer.group() == nack::GROUP)
            .filter(|(_, consumer)| {
                let mut said = [Some(group.workload), group.scaler].into_iter().flatten();
                said.any(|at| index.get(at).is_some_and(|object| nack::is_named(object, consumer)))
            })
            .map(|(at, _)| at)
            .collect();
        kept.extend(parts.into_iter().flatten().chain(group.beside).chain(consumers));
    }
    let numbered = manifests.into_iter().enumerate();
    Ok(numbered.filter(|(at, _)| kept.contains(at)).map(|(_, manifest)| manifest).collect())
}

/// Writes the claim, leaves out what the platform refuses, and renders it.
fn finish(mut draft: Draft, worker: &mut Worker, platform: &Platform<'_>) -> Draft {
    /// Each round removes everything that is refused; rarely does more than one more thing show up.
    const ROUNDS: usize = 16;
    for round in 0.. {
        let text = draft.tree.text();
        let checked = claims::check(&text, platform.api, claims::Options::default());
        let errors = claim::errors(&checked.findings);
        let mended = round < ROUNDS
            && (draft.leave_out(&errors) || draft.leave_out_cause(&errors, platform));
        if mended {
            worker.notes.extend(
                errors.into_iter().map(|(path, why)| format!("{path} was left out: {why}")),
            );
            continue;
        }
        let claim = checked.claims.into_iter().next();
        worker.rendered =
            claim.and_then(|(checked, _)| render(&checked.effective, platform)).unwrap_or_default();
        worker.findings = FileFindings::new("the claim".to_owned(), text.clone(), checked.findings);
        worker.claim = Some(text);
        break;
    }
    draft
}

/// Returns a finding's place and message, without secrets.
fn place_and_message(finding: &Finding) -> (String, String) {
    let one = FileFindings::new(String::new(), String::new(), vec![finding.clone()]);
    let message = one.findings.into_iter().next().map(|finding| finding.message);
    (finding.path.clone(), message.unwrap_or_default())
}

/// Renders a claim with its defaults. `None` if the engine refuses it.
fn render(claim: &Value, platform: &Platform<'_>) -> Option<Vec<Value>> {
    let mut claim: Object = claim::without_namespace(claim.as_object()?, platform.namespace);
    claim.values_mut().for_each(normalize);
    let composite = composition::composite_of(&claim, platform.composite_kind);
    let inputs = Inputs { composite, ..Inputs::default() };
    let rendered = composition::render(platform.composition, &inputs).ok()?;
    Some(rendered.manifests().cloned().map(Value::Object).collect())
}

/// Returns what each size gives a container, as the Composition has it.
fn sizes(platform: &Platform<'_>) -> Vec<Size> {
    let names = platform.api.definition.schema().at("/properties/spec/properties/size/enum");
    let names = names.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let resources = |size: &str| {
        let mut claim = json!({
            "apiVersion": platform.api.api_version(),
            "kind": platform.api.definition.kind,
            "metadata": {"name": "size", "namespace": "size"},
            "spec": {"image": "size", "size": size, "nats": {"stream": "size", "consumer": "size"}},
        });
        platform.api.apply_defaults(&mut claim);
        let rendered = render(&claim, platform)?;
        let deployment = rendered.iter().find(|object| object.text("/kind") == "Deployment")?;
        deployment.at("/spec/template/spec/containers/0/resources").cloned()
    };
    names
        .filter_map(|name| Some(Size { name: name.to_owned(), resources: resources(name)? }))
        .collect()
}

/// A worker's group, its claim, and the claim's name.
type Owner = (Group, Option<Draft>, String);
