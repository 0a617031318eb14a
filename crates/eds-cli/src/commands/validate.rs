//! `eds validate`: every finding of every claim, with its line.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use eds_core::claims::{self, Options, Outcome as Checked};
use eds_core::diagnostics::{self, FileFindings, Finding, Summary, catalog};
use eds_core::schema::ClaimApi;
use eds_core::yaml::{Position, Span};

use crate::{Outcome, api, git, output};

/// Larger files are not read: no claim is, and reading one costs a hundred times its size.
const MAX_BYTES: u64 = 4 << 20;

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
    let job = Job { api: &api, options, against: args.against.as_deref() };
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
            serde_json::to_writer_pretty(&mut out, &diagnostics::json(&files, &summary))?;
            writeln!(out)?;
        }
        Format::Sarif => {
            let version = env!("CARGO_PKG_VERSION");
            serde_json::to_writer_pretty(&mut out, &diagnostics::sarif(&files, version))?;
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
    against: Option<&'a str>,
}

impl Job<'_> {
    /// Checks files side by side; the results are in their order.
    fn all(&self, paths: &[PathBuf]) -> Vec<Result<(FileFindings, Summary)>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        // A thread costs more than a few files.
        let share = paths.len().div_ceil(threads).max(16);
        if paths.len() <= share {
            return paths.iter().map(|path| self.one(path)).collect();
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = paths
                .chunks(share)
                .map(|paths| scope.spawn(|| paths.iter().map(|p| self.one(p)).collect::<Vec<_>>()))
                .collect();
            let results = workers.into_iter().flat_map(|worker| match worker.join() {
                Ok(results) => results,
                Err(_) => vec![Err(anyhow::anyhow!("a worker failed"))],
            });
            results.collect()
        })
    }

    fn one(&self, path: &Path) -> Result<(FileFindings, Summary)> {
        let mut counts = Summary::default();
        let (name, text) = read(path)?;
        let text = match text {
            Ok(text) => text,
            Err(finding) => {
                counts.files += 1;
                counts.count(std::slice::from_ref(&*finding));
                return Ok((FileFindings::new(name, String::new(), vec![*finding]), counts));
            }
        };
        let mut checked = claims::check(&text, self.api, self.options);
        if let Some(reference) = self.against
            && let Some(before) = git::show(reference, path)?
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

type Text = std::result::Result<String, Box<Finding>>;

/// A file's name and text; a finding where it is too large or no text. An error where the tool
/// could not read it at all.
fn read(path: &Path) -> Result<(String, Text)> {
    use std::io::Read;
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "<stdin>".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let limit = MAX_BYTES + 1;
    if is_stdin {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).context("standard input")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {name}"))?;
        file.take(limit).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("is larger than {} MiB and was not read", MAX_BYTES >> 20);
        return Ok((name, Err(Box::new(Finding::new(&catalog::LIMIT, message)))));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let in_line = String::from_utf8_lossy(before.get(start..).unwrap_or_default());
        let column = in_line.chars().count() + 1;
        let at = Position { line, column };
        let hint = match error.as_bytes() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "this is UTF-16; save it as UTF-8",
            _ => "save the file as UTF-8, or leave it out: it may be no text at all",
        };
        let message = format!("byte {valid} is not UTF-8 text");
        let finding = Finding::new(&catalog::ENCODING, message);
        Box::new(finding.at(Span { start: at, end: at }, "").help(hint))
    });
    Ok((name, text))
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
