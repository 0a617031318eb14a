//! `eds validate`: every finding of every claim, with its line.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use eds_claims::rules::{self, Identity, Together};
use eds_claims::{self as claims, CheckedFile, Options, Origin};
use kube_schema::diagnostics::{self, FileFindings, Finding, Severity, Summary, catalog};
use kube_schema::schema::ClaimApi;

use crate::api::Xrd;
use crate::compare::{self, End, Key, Rest};
use crate::git::{Before, Was};
use crate::inputs::{MAX_LARGE, Source, Unreadable};
use crate::select::{Candidate, Exclude, Selection, Unseen, Version, is_applied};
use crate::{Outcome, kustomize, output};

/// Check claims as the API server would, and for what only fails later.
///
/// Reads files, directories (all .yaml, .yml and .json files below that .gitignore does not name),
/// patterns such as 'claims/**/*.yaml', and standard input. Objects of other kinds, and files of other
/// tools, are skipped and counted; what is nearly a claim is an error wherever it stands.
/// Exit status: 0 no errors, 1 errors, 2 the check could not be made.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files, directories, patterns, or `-` for standard input.
    #[arg(value_name = "PATH", required_unless_present = "changed_since")]
    paths: Vec<PathBuf>,
    /// How to print findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Refuse objects of other kinds and files without a claim, and let warnings fail.
    #[arg(long)]
    strict: bool,
    /// Compare with the same files at this git revision, and flag changes that restart pods,
    /// rename a service, lower maxReplicas or drop a secret.
    #[arg(long, value_name = "REF")]
    against: Option<String>,
    /// Check only the files (below PATH) that changed since this branch left REF, whatever their
    /// names, and compare them as --against does. For a pull request's check: they are read as
    /// HEAD has them, and what cannot be read is an error.
    #[arg(long, value_name = "REF", conflicts_with = "against")]
    changed_since: Option<String>,
    /// Leave out files that this pattern matches, written as in a .gitignore. May be repeated.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// XRD or CRD to check against, instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    xrd: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person: the source line with a caret, and what to do.
    Text,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// GitHub workflow commands: annotations on the diff of a pull request.
    Github,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let api = Xrd::load(args.xrd.as_deref())?.claims()?;
    let options = Options { strict: args.strict, ..Options::default() };
    let mut summary = Summary::default();
    let mut files = Vec::new();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let color = args.format == Format::Text && output::is_coloured(&std::io::stdout());
    let against = match (&args.changed_since, &args.against) {
        (Some(reference), _) => Some(Before::open(reference, true)?),
        (None, Some(reference)) => Some(Before::open(reference, false)?),
        (None, None) => None,
    };
    let exclude = Exclude::new(&args.exclude)?;
    let holds = |bytes: Vec<u8>| match Source::of(String::new(), bytes) {
        Ok(Source { text, .. }) => {
            let read = claims::check(&text, &api, EARLIER);
            !read.claims.is_empty() || !read.findings.is_empty()
        }
        Err(Unreadable { text, is_other_json, finding, .. }) => {
            let whole = finding.rule.code != catalog::LIMIT.code;
            !is_other_json && claims::may_be_manifest(&text, &api, whole)
        }
    };
    let Selection { files: candidates, deleted, unseen, links } =
        match (&args.changed_since, &against) {
            (Some(_), Some(before)) => Selection::changed(before, &args.paths, &exclude, &holds)?,
            (_, before) => Selection::named(&args.paths, &exclude, before.as_ref())?,
        };
    tell_links(&links);
    let rooted =
        args.changed_since.is_some() && matches!(args.format, Format::Github | Format::Sarif);
    let job = Job { api: &api, options, against: against.as_ref(), rooted };
    let mut rests = Vec::new();
    let mut all_patches = 0;
    let mut together = Together::default();
    let mut write = |file: FileFindings, out: &mut _| -> Result<()> {
        if !file.findings.is_empty() {
            files.push(file);
            print(args.format, out, &mut files, color)?;
        }
        Ok(())
    };
    for Unseen { path, message, help, harmless } in unseen {
        let mut finding = Finding::new(&catalog::UNSEEN, message).help(help);
        if harmless {
            finding.severity = Severity::Warning;
        }
        summary.count(std::slice::from_ref(&finding));
        write(FileFindings::new(job.label(&path), String::new(), vec![finding]), &mut out)?;
    }
    let (mut left, mut spent) = (candidates.as_slice(), 0);
    while !left.is_empty() && spent < MAX_SPENT {
        for result in job.all(left.get(..BATCH).unwrap_or(left)) {
            if spent >= MAX_SPENT {
                break;
            }
            left = left.get(1..).unwrap_or_default();
            let Done { mut findings, counts, rest, note, claims, patches, cost } = result?;
            all_patches += patches;
            spent += cost + EACH_FINDING * findings.findings.len();
            summary.add(counts);
            let beside = together.add(&findings.file, &claims);
            if !beside.is_empty() {
                spent += EACH_FINDING * beside.len();
                summary.count(&beside);
                findings.findings.extend(beside);
                findings = FileFindings::new(findings.file, findings.source, findings.findings);
            }
            note.iter().for_each(|line| output::note(line));
            rests.extend(rest);
            write(findings, &mut out)?;
        }
    }
    if let Some(first) = left.first() {
        let unread = left.len();
        let message = format!(
            "{unread} files were not checked, from this one on: those before it have more claims \
                and findings than one run takes"
        );
        let finding = Finding::new(&catalog::LIMIT, message)
            .help("check fewer at once, or leave out what holds no claims with --exclude");
        summary.count(std::slice::from_ref(&finding));
        write(FileFindings::new(job.label(&first.path), String::new(), vec![finding]), &mut out)?;
    }
    for path in &deleted {
        rests.extend(job.deleted(path)?);
    }
    let elsewhere = || job.elsewhere(&candidates).unwrap_or_default();
    let (left, moved) = compare::finish(rests, elsewhere);
    for file in left {
        summary.count(&file.findings);
        write(file, &mut out)?;
    }
    if let Some(before) = &against {
        let files = candidates.iter().map(|file| file.path.as_path());
        let path = |label: &str| match rooted {
            true => Some(PathBuf::from(label)),
            false => before.inside(Path::new(label)),
        };
        let went = moved.iter().filter_map(|claim| {
            let (namespace, name) = claim.names();
            Some(((path(&claim.from)?, namespace, name), path(&claim.to)?))
        });
        for (path, text, findings) in kustomize::changes(before, files, &went.collect(), &api) {
            let shown = before.shown(&path);
            if Selection::asks_for(&path, before, &args.paths, &exclude)
                || candidates.iter().any(|file| file.path == shown)
            {
                let file = FileFindings::new(job.label(&shown), text, findings);
                summary.count(&file.findings);
                write(file, &mut out)?;
            }
        }
        moved.iter().for_each(|claim| output::note(&claim.describe()));
        output::note(&format!("compared with {}", before.name));
    }
    match args.format {
        Format::Json => {
            diagnostics::write_json(&mut out, &diagnostics::json(&files, &summary))?;
            writeln!(out)?;
        }
        Format::Sarif => {
            let version = env!("CARGO_PKG_VERSION");
            diagnostics::write_json(&mut out, &diagnostics::sarif(&files, &rules::all(), version))?;
            writeln!(out)?;
        }
        Format::Text | Format::Github => {}
    }
    out.flush()?;
    let Summary { files, claims, skipped, foreign, errors, warnings } = summary;
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let others = |n: usize, what: &str, more: &str| match n {
        0 => String::new(),
        n => format!(", {}{more} skipped", count(n, what)),
    };
    output::note(&format!(
        "{}, {}{}{}{}: {}, {}",
        count(files, "file"),
        count(claims, "claim"),
        match all_patches {
            0 => String::new(),
            1 => ", 1 patch of Kustomize, in part".to_owned(),
            n => format!(", {n} patches of Kustomize, in part"),
        },
        others(skipped, "other object", ""),
        others(foreign, "file", " without a Kubernetes object"),
        count(errors, "error"),
        count(warnings, "warning"),
    ));
    let kind = &api.definition.kind;
    match &against {
        _ if claims > 0 || errors > 0 || all_patches > 0 => {}
        Some(_) if args.changed_since.is_some() && warnings > 0 => {}
        Some(_) if args.changed_since.is_some() => {
            output::note("no claim changed: there is nothing to check")
        }
        Some(_) => output::note(&format!("none of these files holds an {kind}")),
        None => bail!("found no {kind} to check"),
    }
    let fails = errors > 0 || (args.strict && warnings > 0);
    Ok(if fails { Outcome::Findings } else { Outcome::Fine })
}

/// Files that are checked before the first of them is printed, and bytes of theirs. Bounds what is held in memory.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 8 << 20;

/// Bytes of claims that are checked in a run: fifty thousand ordinary ones. Each file has bounds of its own, and
/// many that reach them would take for ever.
const MAX_SPENT: usize = 32 << 20;

/// To find out that a file holds no claims costs less.
const OTHERS: usize = 4;

/// What a finding costs: nobody reads thirty thousand.
const EACH_FINDING: usize = 1 << 10;

/// How files are checked.
struct Job<'a> {
    api: &'a ClaimApi,
    options: Options,
    against: Option<&'a Before>,
    /// Whether files are named from the repository's root, as what shows findings on a diff wants them.
    rooted: bool,
}

/// What came of a file.
#[derive(Default)]
struct Done {
    findings: FileFindings,
    counts: Summary,
    /// What its comparison left over.
    rest: Option<Rest>,
    /// What a person should know besides.
    note: Option<String>,
    /// What its claims say of themselves.
    claims: Vec<Identity>,
    /// Claims that are patches of others.
    patches: usize,
    /// What it cost, in bytes of claims.
    cost: usize,
}

impl Job<'_> {
    /// Checks files side by side, each worker the next one that is left; the results are in their
    /// order. Where they are large, only the first of them.
    fn all(&self, paths: &[Candidate]) -> Vec<Result<Done>> {
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

    /// What a file is called in the output.
    fn label(&self, path: &Path) -> String {
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
                let whole = finding.rule.code != catalog::LIMIT.code;
                let expected = match origin {
                    _ if options.strict => true,
                    Origin::Named => true,
                    // JSON of this kind is other tools'; such YAML is nobody's.
                    Origin::Found => {
                        path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("json"))
                            || claims::mentions(&text, self.api)
                    }
                    Origin::Changed => !is_other_json,
                    Origin::Any => {
                        !is_other_json && claims::may_be_manifest(&text, self.api, whole)
                    }
                };
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
            note =
                Some(format!("standard input is no file that {} has: not compared", before.name));
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
        // Claims beside these may still give this file a finding.
        let quiet = checked.findings.is_empty() && checked.identities.is_empty();
        let text = if quiet { String::new() } else { text };
        let findings = FileFindings::new(name, text, checked.findings);
        Ok(Done { findings, counts, rest, note, claims: checked.identities, patches, cost })
    }

    /// Of a file that the kustomization beside it names as a patch alone, claims that lack something are
    /// patches: nothing is asked for, and no rule that joins fields holds. What is whole is a claim all the
    /// same. How many are patches.
    fn patches(&self, path: &Path, version: &Version, checked: &mut CheckedFile) -> usize {
        let lacks = |finding: &Finding| finding.rule.code == catalog::REQUIRED.code;
        let Some(file) = path.file_name().filter(|_| checked.findings.iter().any(lacks)) else {
            return 0;
        };
        let says = self.beside(path, version);
        if !says.is_some_and(|says| kustomize::is_patch(&says, Path::new(file))) {
            return 0;
        }
        let joins = |finding: &Finding| finding.rule.code == catalog::CEL.code;
        checked.findings.retain(|finding| !lacks(finding) && !joins(finding));
        let all = checked.claims.len();
        checked.claims.retain(|(claim, _)| claim.claim().is_some());
        checked.identities.clear();
        all - checked.claims.len()
    }

    /// The kustomization beside a file.
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

    /// Whether the kustomization beside a file names it, whatever its name, among what is applied.
    fn is_resource(&self, path: &Path, version: &Version) -> bool {
        let file = path.file_name().map(Path::new);
        let says = self.beside(path, version);
        file.zip(says).is_some_and(|(file, says)| kustomize::is_resource(&says, file))
    }

    /// Where claims stand that are not among the files checked.
    fn elsewhere(&self, checked: &[Candidate]) -> Result<HashMap<Key, String>> {
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

    /// The claims of a file that is there no more.
    fn deleted(&self, path: &Path) -> Result<Option<Rest>> {
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

/// What a file was is not judged again.
const EARLIER: Options = Options { strict: false, without_rules: false, origin: Origin::Any };

/// Says which links were not followed: a few by name.
fn tell_links(links: &[PathBuf]) {
    const SHOWN: usize = 5;
    for link in links.iter().take(SHOWN) {
        output::note(&format!("{} is a symbolic link, and was not followed", link.display()));
    }
    if links.len() > SHOWN {
        output::note(&format!("so are {} more", links.len() - SHOWN));
    }
}

/// Text and annotations are written as they come; documents wait for the end.
fn print(
    format: Format,
    out: &mut impl Write,
    files: &mut Vec<FileFindings>,
    color: bool,
) -> Result<()> {
    let render = |file: &FileFindings| match format {
        Format::Text => Some(diagnostics::text(file, color)),
        Format::Github => Some(diagnostics::github(file)),
        Format::Json | Format::Sarif => None,
    };
    let texts: Vec<String> = files.iter().filter_map(render).collect();
    for text in &texts {
        out.write_all(text.as_bytes())?;
    }
    if !texts.is_empty() {
        files.clear();
    }
    // The source is only for excerpts.
    files.iter_mut().for_each(|file| file.source = String::new());
    Ok(())
}
