//! The claims to compare, and what they were at a git revision.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use eds_claims::rules::{full_name, transitions};
use eds_claims::{self as claims, CheckedFile, Options, Origin};
use kube_schema::diagnostics::FileFindings;
use kube_schema::schema::ClaimApi;
use kube_schema::yaml::Node;

use super::Args;
use crate::claim::Claim;
use crate::compare::{self, Key};
use crate::git::{Before, Was};
use crate::inputs::Source;
use crate::output;
use crate::select::{Candidate, Exclude, Selection, Version, is_yaml};

/// A claim in its namespace, and the file it is in.
pub(super) struct Placed {
    pub(super) claim: Claim,
    node: Node,
    file: String,
}

/// All claims that were named.
pub(super) struct Given {
    pub(super) claims: Vec<Placed>,
    pub(super) notes: Vec<String>,
    /// The files that were read.
    files: Vec<PathBuf>,
    /// Files of the revision that no longer exist.
    deleted: Vec<PathBuf>,
}

/// What the claims were.
#[derive(Default)]
pub(super) struct Earlier {
    pub(super) claims: Vec<Claim>,
    pub(super) notes: Vec<String>,
}

impl Given {
    pub(super) fn read(args: &Args, api: &ClaimApi, before: Option<&Before>) -> Result<Self> {
        let Selection { files, deleted, links, .. } =
            Selection::named(&args.claims, &Exclude::new(&[])?, before)?;
        let link =
            |link: &PathBuf| format!("{} is a symbolic link, and was not followed", link.display());
        let notes = links.iter().map(link).collect();
        let mut given = Self { claims: Vec::new(), notes, files: Vec::new(), deleted };
        let mut read = HashSet::new();
        for Candidate { path, origin, version } in files {
            // The same file under two names.
            if !read.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                continue;
            }
            let name = path.display().to_string();
            let source = match (&version, before) {
                (Version::Head(id), Some(before)) => {
                    Source::of(name, before.object(id, crate::inputs::MAX_BYTES)?)
                }
                _ => Source::try_read(&path)?,
            };
            let named = origin == Origin::Named || args.claims.contains(&path);
            let source = match source {
                Ok(source) => source,
                Err(_) if named => Source::read(&path)?,
                Err(unread) => {
                    let what = &unread.finding.message;
                    given.notes.push(format!("passed over {}: {what}", path.display()));
                    continue;
                }
            };
            let origin = if named { Origin::Named } else { origin };
            given.add(api, source, origin, args)?;
            given.files.push(path);
        }
        if given.claims.is_empty() && (before.is_none() || given.deleted.is_empty()) {
            let kind = &api.definition.kind;
            bail!("found no {kind} to compare: name files or directories that hold one");
        }
        Ok(given)
    }

    /// Adds the claims of a text, which must all be valid.
    fn add(&mut self, api: &ClaimApi, source: Source, origin: Origin, args: &Args) -> Result<()> {
        let kind = &api.definition.kind;
        let name = source.name.clone();
        let checked = claims::check(&source.text, api, Options { origin, ..Options::default() });
        let is_invalid = checked.claims.iter().any(|(claim, _)| claim.claim().is_none());
        if checked.claims.is_empty() && checked.findings.is_empty() {
            match origin {
                Origin::Named => bail!("{name}: holds no {kind}: name the file that does"),
                _ => return Ok(()),
            }
        }
        if checked.claims.is_empty() || is_invalid {
            output::findings(&FileFindings::new(source.name, source.text, checked.findings));
            bail!("{name}: the claim is not valid, so what it becomes cannot be told");
        }
        for (checked, node) in checked.claims {
            let Some(claim) = checked.claim() else { continue };
            let claim = Claim::valid(claim).or_in_namespace(&args.namespace);
            let is_same = |other: &&Placed| key(&other.claim) == key(&claim);
            if let Some(other) = self.claims.iter().find(is_same) {
                let (claim, other) = (full_name(claim.value()), &other.file);
                let places = if *other == name {
                    format!("twice in {name}")
                } else {
                    format!("in {other} and in {name}")
                };
                bail!(
                    "claim {claim} stands {places}: name it once, or give one of them another name"
                );
            }
            self.claims.push(Placed { claim, node, file: name.clone() });
        }
        Ok(())
    }

    /// Returns what these claims were: in the same files, or wherever claims with their names were.
    /// Includes claims of these files that no longer exist anywhere.
    pub(super) fn earlier(&self, args: &Args, api: &ClaimApi, before: &Before) -> Result<Earlier> {
        let mut earlier = Earlier::default();
        let mut seen = HashSet::new();
        let now: HashSet<Key> = self.claims.iter().map(|placed| key(&placed.claim)).collect();
        for path in self.files.iter().chain(&self.deleted).filter(|path| *path != Path::new("-")) {
            let shown = path.display();
            let text = match before.read(path)? {
                Was::Text(text) => text,
                Was::Missing => continue,
                Was::Outside => {
                    bail!("{shown} is not a file of the repository, so {} has none", before.name)
                }
                Was::Unreadable => bail!("{shown} cannot be read as {} has it", before.name),
            };
            seen.extend(before.inside(path));
            let checked = claims::check(&text, api, Options::default());
            if checked.claims.iter().any(|(claim, _)| claim.claim().is_none()) {
                let name = format!("{shown} as it was");
                output::findings(&FileFindings::new(name, text, checked.findings));
                bail!(
                    "{shown} as it was: the claim is not valid, so what it became cannot be told"
                );
            }
            earlier.claims.extend(valid(&checked, args));
        }
        from_elsewhere(args, api, before, &now, &seen, &mut earlier);
        let gone = |claim: &Claim| !now.contains(&key(claim));
        if earlier.claims.iter().any(gone) {
            to_elsewhere(args, api, before, &now, &mut earlier)?;
        }
        Ok(earlier)
    }

    /// Returns what `eds validate --against` says about the same change.
    pub(super) fn known(&self, earlier: &[Claim]) -> Vec<String> {
        let was: HashMap<Key, &Claim> = earlier.iter().map(|claim| (key(claim), claim)).collect();
        let mut notes = Vec::new();
        for Placed { claim, node, file } in &self.claims {
            let Some(before) = was.get(&key(claim)) else { continue };
            let findings = transitions(before.value(), node, claim.value());
            let findings = FileFindings::new(String::new(), String::new(), findings).findings;
            notes.extend(findings.iter().map(|found| {
                let fix = found.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
                format!("{file}:{}: {} {}{fix}", found.span.start.line, found.path, found.message)
            }));
        }
        notes
    }
}

/// Adds claims that were in another file.
fn from_elsewhere(
    args: &Args,
    api: &ClaimApi,
    before: &Before,
    now: &HashSet<Key>,
    seen: &HashSet<PathBuf>,
    earlier: &mut Earlier,
) {
    let known: HashSet<Key> = earlier.claims.iter().map(key).collect();
    let mut missing: HashSet<&Key> = now.difference(&known).collect();
    if missing.is_empty() {
        return;
    }
    let mut others: Vec<&PathBuf> =
        before.names(false).filter(|path| is_yaml(path) && !seen.contains(*path)).collect();
    others.sort();
    for path in others {
        let Some(text) = before.was(path) else { continue };
        for claim in claims_of(&text, args, api) {
            if missing.remove(&key(&claim)) {
                let (name, at) = (full_name(claim.value()), before.shown(path));
                earlier.notes.push(format!("claim {name} stood in {} then", at.display()));
                earlier.claims.push(claim);
            }
        }
    }
}

/// Removes claims that are now in another file.
fn to_elsewhere(
    args: &Args,
    api: &ClaimApi,
    before: &Before,
    now: &HashSet<Key>,
    earlier: &mut Earlier,
) -> Result<()> {
    let mut moved: HashMap<Key, PathBuf> = HashMap::new();
    for (path, text) in Selection::elsewhere(before)? {
        for claim in claims_of(&text, args, api) {
            moved.insert(key(&claim), path.clone());
        }
    }
    let Earlier { claims, notes } = earlier;
    claims.retain(|claim| {
        let key = key(claim);
        let Some(path) = moved.get(&key).filter(|_| !now.contains(&key)) else { return true };
        let (name, path) = (full_name(claim.value()), path.display());
        notes.push(format!(
            "claim {name} stands in {path} now, and is not compared: name that file too"
        ));
        false
    });
    Ok(())
}

/// Returns the valid claims of a text.
fn claims_of(text: &str, args: &Args, api: &ClaimApi) -> Vec<Claim> {
    if !claims::mentions(text, api) {
        return Vec::new();
    }
    let checked = claims::check(text, api, Options { origin: Origin::Any, ..Options::default() });
    valid(&checked, args).collect()
}

/// Returns the valid ones, in their namespaces.
fn valid(checked: &CheckedFile, args: &Args) -> impl Iterator<Item = Claim> {
    let valid = checked.claims.iter().filter_map(|(claim, _)| claim.claim());
    valid.map(|claim| Claim::valid(claim).or_in_namespace(&args.namespace))
}

fn key(claim: &Claim) -> Key {
    compare::key(claim.value())
}
