//! `eds validate`: every finding of every claim, with its line.

mod job;

use std::io::{BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use eds_claims::rules::{self, Together};
use eds_claims::{self as claims, Options};
use kube_schema::diagnostics::{self, FileFindings, Finding, Severity, Summary, catalog};
use kube_schema::schema::ClaimApi;

use self::job::{Done, EARLIER, Job};
use crate::api::Xrd;
use crate::compare::{self, Move, Rest};
use crate::form::FormArgs;
use crate::git::Before;
use crate::inputs::{Source, Unreadable};
use crate::select::{Candidate, Exclude, Selection, Unseen};
use crate::{Outcome, kustomize, output};

/// Check claims as the API server would, and for what only fails later.
///
/// Reads files, directories (all .yaml, .yml and .json files below them that .gitignore does not
/// exclude), patterns such as 'claims/**/*.yaml', and standard input. Objects of other kinds, and
/// files of other tools, are skipped and counted; a near miss of a claim is always an error. Exit
/// status: 0 no errors, 1 errors, 2 the check could not be made.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files, directories, patterns, or `-` for standard input.
    #[arg(value_name = "PATH", required_unless_present = "changed_since")]
    paths: Vec<PathBuf>,
    /// How to print findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Refuse objects of other kinds and files without a claim, and fail on warnings.
    #[arg(long)]
    strict: bool,
    /// Compare with the same files at this git revision, and flag changes that restart pods,
    /// rename a service, lower maxReplicas or drop a secret.
    #[arg(long, value_name = "REF")]
    against: Option<String>,
    /// Check only the files (below PATH) that changed since this branch left REF, whatever their
    /// names, and compare them as --against does. For checking a pull request: they are read from
    /// HEAD, and a file that cannot be read is an error.
    #[arg(long, value_name = "REF", conflicts_with = "against")]
    changed_since: Option<String>,
    /// Leave out files that match this pattern, in .gitignore syntax. May be repeated.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// XRD or CRD to check against, instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    xrd: Option<PathBuf>,
    #[command(flatten)]
    form: FormArgs,
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
    let api = Xrd::load(args.xrd.as_deref(), args.form.form())?.claims()?;
    let against = match (&args.changed_since, &args.against) {
        (Some(reference), _) => Some(Before::open(reference, true)?),
        (None, Some(reference)) => Some(Before::open(reference, false)?),
        (None, None) => None,
    };
    let exclude = Exclude::new(&args.exclude)?;
    let holds = |bytes: Vec<u8>| holds(bytes, &api);
    let Selection { files, deleted, unseen, links } = match (&args.changed_since, &against) {
        (Some(_), Some(before)) => Selection::changed(before, &args.paths, &exclude, &holds)?,
        (_, before) => Selection::named(&args.paths, &exclude, before.as_ref())?,
    };
    tell_links(&links);
    let rooted =
        args.changed_since.is_some() && matches!(args.format, Format::Github | Format::Sarif);
    let options = Options { strict: args.strict, ..Options::default() };
    let job = Job { api: &api, options, against: against.as_ref(), rooted };
    let mut report = Report::new(args.format);
    for Unseen { path, message, help, harmless } in unseen {
        let mut finding = Finding::new(&catalog::UNSEEN, message).help(help);
        if harmless {
            finding.severity = Severity::Warning;
        }
        report.add(FileFindings::new(job.label(&path), String::new(), vec![finding]))?;
    }
    let Checked { mut rests, patches } = check(&job, &files, &mut report)?;
    for path in &deleted {
        rests.extend(job.deleted(path)?);
    }
    let elsewhere = || job.elsewhere(&files).unwrap_or_default();
    let (left, moved) = compare::finish(rests, elsewhere);
    for file in left {
        report.add(file)?;
    }
    if let Some(before) = &against {
        let asks_for = |path: &Path| Selection::asks_for(path, before, &args.paths, &exclude);
        built(&job, before, &files, &moved, &asks_for, &mut report)?;
        moved.iter().for_each(|claim| output::note(&claim.describe()));
        output::note(&format!("compared with {}", before.name));
    }
    let summary = report.close()?;
    tell(&summary, patches);
    let Summary { claims, errors, warnings, .. } = summary;
    let kind = &api.definition.kind;
    match &against {
        _ if claims > 0 || errors > 0 || patches > 0 => {}
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

/// Reports whether the former content of a file counted: it held claims, or may have.
fn holds(bytes: Vec<u8>, api: &ClaimApi) -> bool {
    match Source::of(String::new(), bytes) {
        Ok(Source { text, .. }) => {
            let read = claims::check(&text, api, EARLIER);
            !read.claims.is_empty() || !read.findings.is_empty()
        }
        Err(Unreadable { text, is_other_json, finding, .. }) => {
            let whole = finding.rule.code != catalog::LIMIT.code;
            !is_other_json && claims::may_be_manifest(&text, api, whole)
        }
    }
}

/// What is left to do when every file has been checked by itself.
struct Checked {
    /// What a comparison with the former files still needs.
    rests: Vec<Rest>,
    /// How many of Kustomize's patches were checked.
    patches: usize,
}

/// Checks each file, as many as one run takes.
fn check(job: &Job<'_>, files: &[Candidate], report: &mut Report) -> Result<Checked> {
    let mut checked = Checked { rests: Vec::new(), patches: 0 };
    let mut together = Together::default();
    let (mut left, mut spent) = (files, 0);
    while !left.is_empty() && spent < MAX_SPENT {
        for result in job.all(left.get(..BATCH).unwrap_or(left)) {
            if spent >= MAX_SPENT {
                break;
            }
            left = left.get(1..).unwrap_or_default();
            let Done { mut findings, counts, rest, note, claims, patches, cost } = result?;
            checked.patches += patches;
            spent += cost + EACH_FINDING * findings.findings.len();
            report.summary.add(counts);
            let beside = together.add(&findings.file, &claims);
            if !beside.is_empty() {
                spent += EACH_FINDING * beside.len();
                report.summary.count(&beside);
                findings.findings.extend(beside);
                findings = FileFindings::new(findings.file, findings.source, findings.findings);
            }
            note.iter().for_each(|line| output::note(line));
            checked.rests.extend(rest);
            report.print(findings)?;
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
        report.add(FileFindings::new(job.label(&first.path), String::new(), vec![finding]))?;
    }
    Ok(checked)
}

/// Reports what changes to kustomizations do to claims, in files that were asked for.
fn built(
    job: &Job<'_>,
    before: &Before,
    files: &[Candidate],
    moved: &[Move],
    asks_for: &dyn Fn(&Path) -> bool,
    report: &mut Report,
) -> Result<()> {
    let path = |label: &str| match job.rooted {
        true => Some(PathBuf::from(label)),
        false => before.inside(Path::new(label)),
    };
    let went = moved.iter().filter_map(|claim| {
        let (namespace, name) = claim.names();
        Some(((path(&claim.from)?, namespace, name), path(&claim.to)?))
    });
    let paths = files.iter().map(|file| file.path.as_path());
    for (path, text, findings) in kustomize::changes(before, paths, &went.collect(), job.api) {
        let shown = before.shown(&path);
        if asks_for(&path) || files.iter().any(|file| file.path == shown) {
            report.add(FileFindings::new(job.label(&shown), text, findings))?;
        }
    }
    Ok(())
}

/// Says on standard error how much was checked, and how much was found.
fn tell(summary: &Summary, patches: usize) {
    let Summary { files, claims, skipped, foreign, errors, warnings } = *summary;
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let others = |n: usize, what: &str, more: &str| match n {
        0 => String::new(),
        n => format!(", {}{more} skipped", count(n, what)),
    };
    output::note(&format!(
        "{}, {}{}{}{}: {}, {}",
        count(files, "file"),
        count(claims, "claim"),
        match patches {
            0 => String::new(),
            1 => ", 1 patch of Kustomize, in part".to_owned(),
            n => format!(", {n} patches of Kustomize, in part"),
        },
        others(skipped, "other object", ""),
        others(foreign, "file", " without a Kubernetes object"),
        count(errors, "error"),
        count(warnings, "warning"),
    ));
}

/// How many files are checked before the first of them is printed: with [`job::BATCH_BYTES`] it
/// bounds what is held in memory.
const BATCH: usize = 256;

/// How many bytes of claims one run checks: fifty thousand ordinary claims. Each file has bounds of
/// its own, but many that reach them would take forever.
const MAX_SPENT: usize = 32 << 20;

/// What a finding costs: nobody reads thirty thousand.
const EACH_FINDING: usize = 1 << 10;

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

/// What was found: printed as it comes as text and annotations, at the end as one document.
struct Report {
    format: Format,
    color: bool,
    out: BufWriter<StdoutLock<'static>>,
    /// What was not printed yet.
    files: Vec<FileFindings>,
    summary: Summary,
}

impl Report {
    fn new(format: Format) -> Self {
        Self {
            format,
            color: format == Format::Text && output::is_coloured(&std::io::stdout()),
            out: BufWriter::new(std::io::stdout().lock()),
            files: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Counts and prints a file's findings.
    fn add(&mut self, file: FileFindings) -> Result<()> {
        self.summary.count(&file.findings);
        self.print(file)
    }

    /// Prints a file's findings, which have been counted.
    fn print(&mut self, mut file: FileFindings) -> Result<()> {
        if file.findings.is_empty() {
            return Ok(());
        }
        match self.format {
            Format::Text => {
                self.out.write_all(diagnostics::text(&file, self.color).as_bytes())?;
            }
            Format::Github => self.out.write_all(diagnostics::github(&file).as_bytes())?,
            Format::Json | Format::Sarif => {
                // It is only needed for excerpts.
                file.source = String::new();
                self.files.push(file);
            }
        }
        Ok(())
    }

    /// Prints the document, if it is one, and returns the counts.
    fn close(mut self) -> Result<Summary> {
        let document = match self.format {
            Format::Json => diagnostics::json(&self.files, &self.summary),
            Format::Sarif => {
                diagnostics::sarif(&self.files, &rules::all(), env!("CARGO_PKG_VERSION"))
            }
            Format::Text | Format::Github => {
                self.out.flush()?;
                return Ok(self.summary);
            }
        };
        diagnostics::write_json(&mut self.out, &document)?;
        writeln!(self.out)?;
        self.out.flush()?;
        Ok(self.summary)
    }
}
