//! Reads what the user names: files, or standard input as `-`.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use anyhow::{Context, Result, anyhow, bail};
use eds_claims as claims;
use kube_schema::diagnostics::{Finding, catalog};
use kube_schema::yaml::{self, Position, ProblemKind, Span, Stream};
use patch_and_transform::protocol::{Object, normalize};
use serde_json::Value;

/// A text and where it came from.
pub(crate) struct Source {
    /// The file's name as the user gave it, or `<stdin>`.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A file that exists, but is too large or not text: a finding about the input.
pub(crate) struct Unreadable {
    pub(crate) name: String,
    /// The part that was read, to tell what the file probably is.
    pub(crate) text: String,
    pub(crate) finding: Box<Finding>,
    /// Whether it is just JSON other than Kubernetes objects.
    pub(crate) is_other_json: bool,
}

/// Larger files are not read: no claim is that large, and reading takes a hundred times the size.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// Files up to this size are searched for what they cannot hold: see [`claims::is_other_json`].
pub(crate) const MAX_LARGE: u64 = 64 << 20;

impl Source {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::try_read(path)?.map_err(|Unreadable { name, finding, .. }| {
            let Position { line, column } = finding.span.start;
            let at = if line > 0 { format!(":{line}:{column}") } else { String::new() };
            anyhow!("{name}{at}: {}", finding.message)
        })
    }

    /// Does the same, but returns a finding for a file that is not text. Returns an error if it
    /// could not be read at all.
    pub(crate) fn try_read(path: &Path) -> Result<std::result::Result<Self, Unreadable>> {
        let is_stdin = path == Path::new("-");
        let name = if is_stdin { "<stdin>".to_owned() } else { path.display().to_string() };
        let mut bytes = Vec::new();
        let read = if is_stdin {
            std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)
        } else {
            let metadata = path.metadata().ok();
            if let Some(what) = metadata.as_ref().and_then(|found| never_ends(path, found)) {
                bail!("{name} is {what}: name a file, or write - for standard input");
            }
            // One more, which shows where it ends.
            let length = metadata.map_or(0, |found| found.len().min(MAX_BYTES)) + 1;
            bytes.reserve(usize::try_from(length).unwrap_or_default());
            File::open(path).and_then(|file| {
                let mut file = file.take(MAX_BYTES + 1);
                file.read_to_end(&mut bytes)?;
                if bytes.len() as u64 > MAX_BYTES && bytes.trim_ascii_start().starts_with(b"{") {
                    file.set_limit(MAX_LARGE - MAX_BYTES);
                    file.read_to_end(&mut bytes)?;
                }
                Ok(bytes.len())
            })
        };
        read.with_context(|| format!("cannot read {name}"))?;
        Ok(Self::of(name, bytes))
    }

    /// Wraps a text that was read elsewhere, of no more than [`MAX_LARGE`] bytes.
    pub(crate) fn of(name: String, mut bytes: Vec<u8>) -> std::result::Result<Self, Unreadable> {
        if bytes.len() as u64 > MAX_BYTES {
            let message = format!("is larger than {} MiB and was not read", MAX_BYTES >> 20);
            let help = "leave it out with --exclude where it holds no claims";
            let finding = Box::new(Finding::new(&catalog::LIMIT, message).help(help));
            let is_other_json = claims::is_other_json(&bytes);
            bytes.truncate(usize::try_from(MAX_BYTES).unwrap_or(usize::MAX));
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return Err(Unreadable { name, text, finding, is_other_json });
        }
        String::from_utf8(bytes).map(|text| Self { name: name.clone(), text }).map_err(|error| {
            let finding = Box::new(no_text(&error));
            let is_other_json = claims::is_other_json(error.as_bytes());
            // UTF-16 of Latin letters is these letters and zeros.
            let text = String::from_utf8_lossy(error.as_bytes()).replace('\0', "");
            Unreadable { name, text, finding, is_other_json }
        })
    }

    /// Parses the text as YAML, problems included.
    pub(crate) fn parse(&self) -> Stream {
        yaml::parse(&self.text)
    }

    /// Parses the text as YAML without problems, as objects. Splits `List` kinds into their items.
    /// Of keys that are there twice the last one counts, as for Crossplane's command.
    pub(crate) fn objects(&self) -> Result<Vec<Object>> {
        let stream = self.parse();
        let mut problems = stream.problems.iter();
        if let Some(problem) = problems.find(|problem| problem.kind != ProblemKind::DuplicateKey) {
            let at = problem.span.start;
            bail!("{}:{}:{}: {}", self.name, at.line, at.column, problem.message);
        }
        let mut objects = Vec::new();
        for node in &stream.documents {
            let value = node.to_json();
            if value.is_null() {
                continue;
            }
            let Value::Object(object) = value else {
                let at = node.span.start;
                bail!("{}:{}:{}: not a Kubernetes object", self.name, at.line, at.column);
            };
            let is_list =
                object.get("kind").and_then(Value::as_str).is_some_and(|k| k.ends_with("List"));
            match object.get("items") {
                Some(Value::Array(items)) if is_list => {
                    objects.extend(items.iter().filter_map(Value::as_object).cloned());
                }
                _ => objects.push(object),
            }
        }
        Ok(objects)
    }
}

/// Names what is at a path if it may keep its reader waiting forever. What the shell opened for us
/// (`<(command)`) has a writer.
#[cfg(unix)]
fn never_ends(path: &Path, found: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    let given = ["/dev/fd", "/dev/stdin", "/dev/null", "/proc/self/fd"];
    if given.iter().any(|given| path.starts_with(given)) {
        return None;
    }
    let kind = found.file_type();
    match () {
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_char_device() || kind.is_block_device() => Some("a device"),
        () => None,
    }
}

#[cfg(not(unix))]
fn never_ends(_: &Path, _: &Metadata) -> Option<&'static str> {
    None
}

/// Says where a file stops being text, and what it may be instead.
fn no_text(error: &FromUtf8Error) -> Finding {
    let valid = error.utf8_error().valid_up_to();
    let before = error.as_bytes().get(..valid).unwrap_or_default();
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let in_line = String::from_utf8_lossy(before.get(start..).unwrap_or_default());
    let at = Position { line, column: in_line.chars().count() + 1 };
    let hint = match error.as_bytes() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "this is UTF-16; save it as UTF-8",
        _ => "save the file as UTF-8, or leave it out: it may be no text at all",
    };
    Finding::new(&catalog::ENCODING, format!("byte {valid} is not UTF-8 text"))
        .at(Span { start: at, end: at }, "")
        .help(hint)
}

/// Returns files, and the YAML files of directories, by name.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let listing = std::fs::read_dir(path)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut files: Vec<_> = listing.into_iter().map(|entry| entry.path()).collect();
        let is_yaml = |file: &Path| file.extension().is_some_and(|e| e == "yaml" || e == "yml");
        files.retain(|file| is_yaml(file) && !file.is_dir());
        if files.is_empty() {
            bail!("{} holds no file that ends with .yaml or .yml", path.display());
        }
        files.sort();
        all.append(&mut files);
    }
    Ok(all)
}

/// Reads all objects in files and in the YAML files of directories, with numbers as on the wire.
pub(crate) fn many(paths: &[PathBuf]) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for file in files(paths)? {
        objects.extend(Source::read(&file)?.objects()?);
    }
    objects.iter_mut().flat_map(Object::values_mut).for_each(normalize);
    Ok(objects)
}
