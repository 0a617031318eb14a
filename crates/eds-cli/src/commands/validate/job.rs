//! Checks each selected file, and compares it with its earlier version.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow};
use eds_claims::rules::Identity;
use eds_claims::{self as claims, CheckedFile, Options, Origin, Unread};
use kube_schema::diagnostics::{FileFindings, Finding, Severity, Summary, catalog};
use kube_schema::schema::ClaimApi;

use crate::compare::{self, End, Key, Rest};
use crate::git::{Before, Was};
use crate::inputs::{MAX_LARGE, Source, Unreadable};
use crate::kustomize;
use crate::select::{Candidate, Selection, Version, is_applied};

/// The earlier version of a file is not judged again.
pub(super) const EARLIER: Options =
    Options { strict: false, without_rules: false, origin: Origin::Any };

/// How many bytes are checked before the first file is printed.
pub(super) const BATCH_BYTES: usize = 8 << 20;

/// Finding out that a file holds no claims is cheaper by this factor.
const OTHERS: usize = 4;

/// How files are checked.
pub(super) struct Job<'a> {
    pub(super) api: &'a ClaimApi,
    pub(super) options: Options,
    pub(super) against: Option<&'a Before>,
    /// Whether files are named from the repository's root, as tools that show findings on a diff
    /// expect.
    pub(super) rooted: bool,
}

/// The outcome for a file.
#[derive(Default)]
pub(super) struct Done {
    pub(super) findings: FileFindings,
    pub(super) counts: Summary,
    /// What its comparison left over.
    pub(super) rest: Option<Rest>,
    /// What else a person should know.
    pub(super) note: Option<String>,
    /// What identifies its claims.
    pub(super) claims: Vec<Identity>,
    /// How many of its claims are patches of others.
    pub(super) patches: usize,
    /// What it cost, in bytes of claims.
    pub(super) cost: usize,
}

impl Job<'_> {
    /// Checks files in parallel, each worker taking the next one left; results are in the files'
    /// order. If the files are large, checks only the first of them.
    pub(super) fn all(&self, paths: &[Candidate]) -> Vec<Result<Done>> {
        /// A thread costs more than a few files.
        const FEW: usize = 16;
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = workers.min(paths.len().div_ceil(FEW));
        let (next, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            let mut done = Vec::new();
            while bytes.load(Ordering::Relaxed) < BATCH_BYTES {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(index) else { break };
                let one = self.one(path);
                let cost = one.as_ref().map_or(0, |one| one.cost);
                bytes.fetch_add(cost, Ordering::Relaxed);
                done.push((index, one));
            }
            done
        };
        let mut results = std::thread::scope(|scope| {
            let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
            let mut results = work();
            for other in others {
                match other.join() {
                    Ok(done) => results.extend(done),
                    Err(_) => results.push((0, Err(anyhow!("a worker failed")))),
                }
            }
            results
        });
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Returns a file's name in the output.
    pub(super) fn label(&self, path: &Path) -> String {
        let inside = self.against.filter(|_| self.rooted).and_then(|before| before.inside(path));
        inside.as_deref().unwrap_or(path).display().to_string()
    }

    fn read(&self, path: &Path, version: &Version) -> Result<Result<Source, Unreadable>> {
        let (Version::Head(id), Some(before)) = (version, self.against) else {
            return Source::try_read(path);
        };
        let name = path.display().to_string();
        let bytes = before.object(id, MAX_LARGE).with_context(|| name.clone())?;
        Ok(Source::of(name, bytes))
    }

    fn one(&self, Candidate { path, origin, version }: &Candidate) -> Result<Done> {
        let mut counts = Summary::default();
        let options = Options { origin: *origin, ..self.options };
        let name = self.label(path);
        let text = match self.read(path, version)? {
            Ok(source) => source.text,
            Err(Unreadable { text, finding, is_other_json, .. }) => {
                counts.files += 1;
                let extension = path.extension();
                let unread = Unread {
                    beginning: &text,
                    is_whole: finding.rule.code != catalog::LIMIT.code,
                    is_other_json,
                    is_named_json: extension.is_some_and(|e| e.eq_ignore_ascii_case("json")),
                };
                let expected = options.expects(unread, self.api);
                let findings = if expected { vec![*finding] } else { Vec::new() };
                counts.foreign += usize::from(!expected);
                counts.count(&findings);
                let findings = FileFindings::new(name, String::new(), findings);
                let cost = text.len() / OTHERS;
                return Ok(Done { findings, counts, cost, ..Done::default() });
            }
        };
        let mut checked = claims::check(&text, self.api, options);
        let patches = self.patches(path, version, &mut checked);
        let (mut rest, mut note) = (None, None);
        if *version == Version::Beside {
            if !checked.claims.is_empty() || !checked.findings.is_empty() {
                let message =
                    "is another text here than in HEAD, which was checked as well and compared";
                let help = "commit it, or restore the file";
                let mut finding = Finding::new(&catalog::UNSEEN, message).help(help);
                finding.severity = Severity::Warning;
                checked.findings.push(finding);
            }
            checked.identities.clear();
        } else if let Some(before) = self.against
            && path == Path::new("-")
        {
            note = Some(format!(
                "standard input is not a file that {} has: not compared",
                before.name
            ));
        } else if let Some(before) = self.against {
            let was = match before.read(path)? {
                Was::Text(was) if was == text => Some(None),
                Was::Text(was) => Some(Some(claims::check(&was, self.api, EARLIER))),
                Was::Missing => Some(Some(CheckedFile::default())),
                Was::Unreadable => {
                    let message = "could not be read as it was, so it is not compared";
                    checked.findings.push(Finding::new(&catalog::UNSEEN, message));
                    None
                }
                Was::Outside => {
                    note = Some(format!("{name} is not in the repository: not compared"));
                    None
                }
            };
            if let Some(Some(mut was)) = was {
                if patches > 0 {
                    was.claims.retain(|(claim, _)| claim.claim().is_some());
                }
                let (findings, mut left) = compare::file(Some(was), &checked);
                checked.findings.extend(findings);
                if !left.is_empty() {
                    (left.file, left.source) = (name.clone(), text.clone());
                    left.applied = is_applied(path) || self.is_resource(path, version);
                    rest = Some(left);
                }
            }
        }
        checked.count(&mut counts);
        let is_other = checked.claims.is_empty() && checked.findings.is_empty();
        let cost = if is_other { text.len() / OTHERS } else { text.len() };
        // Claims next to these may still give this file a finding.
        let quiet = checked.findings.is_empty() && checked.identities.is_empty();
        let text = if quiet { String::new() } else { text };
        let findings = FileFindings::new(name, text, checked.findings);
        Ok(Done { findings, counts, rest, note, claims: checked.identities, patches, cost })
    }

    /// Drops findings about what is missing if the kustomization beside a file names it only as a
    /// patch. Returns the number of patches.
    fn patches(&self, path: &Path, version: &Version, checked: &mut CheckedFile) -> usize {
        let Some(file) = path.file_name().filter(|_| checked.lacks_something()) else { return 0 };
        let says = self.beside(path, version);
        let is_patch = says.is_some_and(|says| kustomize::is_patch(&says, Path::new(file)));
        if is_patch { checked.set_patches_aside() } else { 0 }
    }

    /// Returns the kustomization beside a file.
    fn beside(&self, path: &Path, version: &Version) -> Option<String> {
        kustomize::NAMES.iter().find_map(|name| {
            let beside = path.with_file_name(name);
            match (version, self.against) {
                (Version::Head(_), Some(before)) => before.at_head(&beside),
                _ if beside.is_file() => Source::try_read(&beside).ok()?.ok().map(|s| s.text),
                _ => None,
            }
        })
    }

    /// Returns whether the kustomization beside a file lists it, whatever its name, as applied.
    fn is_resource(&self, path: &Path, version: &Version) -> bool {
        let file = path.file_name().map(Path::new);
        let says = self.beside(path, version);
        file.zip(says).is_some_and(|(file, says)| kustomize::is_resource(&says, file))
    }

    /// Returns where there are claims outside the checked files.
    pub(super) fn elsewhere(&self, checked: &[Candidate]) -> Result<HashMap<Key, String>> {
        let Some(before) = self.against else { return Ok(HashMap::new()) };
        let seen: HashSet<&Path> = checked.iter().map(|file| file.path.as_path()).collect();
        let mut all = HashMap::new();
        for (path, text) in Selection::elsewhere(before)? {
            if !seen.contains(path.as_path()) {
                for (claim, _) in claims::check(&text, self.api, EARLIER).claims {
                    all.insert(compare::key(&claim.effective), self.label(&path));
                }
            }
        }
        Ok(all)
    }

    /// Returns the claims of a deleted file.
    pub(super) fn deleted(&self, path: &Path) -> Result<Option<Rest>> {
        let Some(Was::Text(was)) = self.against.map(|before| before.read(path)).transpose()? else {
            return Ok(None);
        };
        let was = claims::check(&was, self.api, EARLIER);
        let (_, mut rest) = compare::file(Some(was), &CheckedFile::default());
        let replaced = self.against.is_some_and(|before| before.is_replaced(path));
        rest.end = Some(if replaced { End::Replaced } else { End::Deleted });
        (rest.file, rest.applied) = (self.label(path), is_applied(path));
        Ok((!rest.is_empty()).then_some(rest))
    }
}
