//! `eds validate`: every finding of every claim, with its line.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use eds_core::claims::{self, Options, Outcome as Checked};
use eds_core::diagnostics::{self, FileFindings, Finding, Summary, catalog};
use eds_core::schema::ClaimApi;

use crate::git::{Before, Was};
use crate::inputs::{Source, Unreadable};
use crate::{Outcome, api, output};

/// Check claims as the API server would, and for what only fails later.
///
/// Reads files, directories (all .yaml, .yml and .json files below), patterns such as
/// 'claims/**/*.yaml', and standard input. Objects of other kinds are skipped and counted.
/// Exit status: 0 no errors, 1 errors, 2 the check could not be made.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files, directories, patterns, or `-` for standard input.
    #[arg(value_name = "PATH", required = true)]
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
    let api = api::load(args.xrd.as_deref())?;
    let options = Options { strict: args.strict, ..Options::default() };
    let mut summary = Summary::default();
    let mut files = Vec::new();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let color = args.format == Format::Text
        && std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let against = args.against.as_deref().map(Before::open).transpose()?;
    let job = Job { api: &api, options, against };
    for batch in expand(&args.paths)?.chunks(BATCH) {
        for result in job.all(batch) {
            let (file, counts) = result?;
            summary.add(counts);
            if !file.findings.is_empty() {
                files.push(file);
                print(args.format, &mut out, &mut files, color)?;
            }
        }
    }
    match args.format {
        Format::Json => {
            diagnostics::write_json(&mut out, &diagnostics::json(&files, &summary))?;
            writeln!(out)?;
        }
        Format::Sarif => {
            let version = env!("CARGO_PKG_VERSION");
            diagnostics::write_json(&mut out, &diagnostics::sarif(&files, version))?;
            writeln!(out)?;
        }
        Format::Text | Format::Github => {}
    }
    out.flush()?;
    let Summary { files, claims, skipped, errors, warnings } = summary;
    let others =
        if skipped > 0 { format!(", {skipped} other objects skipped") } else { String::new() };
    output::note(&format!(
        "{files} files, {claims} claims{others}: {errors} errors, {warnings} warnings"
    ));
    if claims == 0 && errors == 0 {
        bail!("found no {} to check", api.definition.kind);
    }
    let fails = errors > 0 || (args.strict && warnings > 0);
    Ok(if fails { Outcome::Findings } else { Outcome::Fine })
}

/// Files that are checked before the first of them is printed. Bounds what is held in memory.
const BATCH: usize = 256;

/// How files are checked.
struct Job<'a> {
    api: &'a ClaimApi,
    options: Options,
    against: Option<Before>,
}

impl Job<'_> {
    /// Checks files side by side, each worker the next one that is left; the results are in their
    /// order.
    fn all(&self, paths: &[PathBuf]) -> Vec<Result<(FileFindings, Summary)>> {
        /// A thread costs more than a few files.
        const FEW: usize = 16;
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = workers.min(paths.len().div_ceil(FEW));
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(index) else { return done };
                done.push((index, self.one(path)));
            }
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

    fn one(&self, path: &Path) -> Result<(FileFindings, Summary)> {
        let mut counts = Summary::default();
        let Source { name, text } = match Source::try_read(path)? {
            Ok(source) => source,
            Err(Unreadable { name, finding }) => {
                counts.files += 1;
                counts.count(std::slice::from_ref(&*finding));
                return Ok((FileFindings::new(name, String::new(), vec![*finding]), counts));
            }
        };
        let mut checked = claims::check(&text, self.api, self.options);
        if let Some(before) = &self.against
            && let Was::Text(before) = before.read(path)?
        {
            let before = claims::check(&before, self.api, Options::default());
            checked.findings.extend(compare(&before, &checked));
        }
        checked.count(&mut counts);
        let text = if checked.findings.is_empty() { String::new() } else { text };
        Ok((FileFindings::new(name, text, checked.findings), counts))
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

/// The files that the arguments name, each once, in the order given; directories sorted.
fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let text = path.to_string_lossy();
        if path.is_dir() {
            let before = files.len();
            walk(path, &mut files)?;
            if files.len() == before {
                bail!("{}: no .yaml, .yml or .json files in it", path.display());
            }
        } else if path == Path::new("-") || path.exists() || !text.contains(['*', '?', '[']) {
            files.push(path.clone());
        } else {
            let matches = glob::glob(&text).with_context(|| format!("{text}: not a pattern"))?;
            let before = files.len();
            for found in matches {
                let found = found?;
                if found.is_file() {
                    files.push(found);
                }
            }
            if files.len() == before {
                bail!("{text}: matches no file");
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries = std::fs::read_dir(directory)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(|| format!("cannot read {}", directory.display()))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        // Links to directories are not followed: they may lead back.
        if kind.is_dir() && !hidden {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
            && path.is_file()
        {
            files.push(path);
        }
    }
    Ok(())
}

/// Claims are matched by namespace and name; one that is left over on both sides was renamed.
fn compare(before: &Checked, now: &Checked) -> Vec<Finding> {
    let key = |value: &serde_json::Value| {
        let text = |field: &str| value.pointer(&format!("/metadata/{field}")).cloned();
        (text("namespace"), text("name"))
    };
    let mut old: Vec<_> = before.claims.iter().map(|(claim, _)| &claim.effective).collect();
    let mut findings = Vec::new();
    let mut fresh = Vec::new();
    for (claim, node) in &now.claims {
        match old.iter().position(|o| key(o) == key(&claim.effective)) {
            Some(i) => {
                let before = old.remove(i);
                findings.extend(eds_core::rules::transitions(before, node, &claim.effective));
            }
            None => fresh.push((claim, node)),
        }
    }
    let mut fresh = fresh.into_iter();
    for before in old {
        match fresh.next() {
            Some((claim, node)) => {
                findings.extend(eds_core::rules::transitions(before, node, &claim.effective));
            }
            None => {
                let (_, name) = key(before);
                let name = name.unwrap_or_default();
                let message = format!("claim {name} is no longer in this file");
                findings.push(Finding::new(&catalog::REMOVED, message));
            }
        }
    }
    findings
}
