//! Reading what the user names: files, or standard input as `-`.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use eds_core::protocol::{Object, normalize};
use eds_core::yaml::{self, Stream};
use serde_json::Value;

/// A text and where it came from.
pub(crate) struct Source {
    /// The file's name as the user gave it, or `<stdin>`.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        let name = if path == Path::new("-") {
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .context("cannot read standard input")?;
            "<stdin>".to_owned()
        } else {
            bytes =
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            path.display().to_string()
        };
        let text = String::from_utf8(bytes).map_err(|e| {
            let valid = e.utf8_error().valid_up_to();
            anyhow::anyhow!("{name}: not UTF-8 text: byte {valid} is where it ends to be")
        })?;
        Ok(Self { name, text })
    }

    /// Parses the text as YAML, problems included.
    pub(crate) fn parse(&self) -> Stream {
        yaml::parse(&self.text)
    }

    /// Parses the text as YAML that must be without problems, as objects with numbers as the wire
    /// carries them. `List` kinds are taken apart.
    pub(crate) fn objects(&self) -> Result<Vec<Object>> {
        let stream = self.parse();
        if let Some(problem) = stream.problems.first() {
            let at = problem.span.start;
            bail!("{}:{}:{}: {}", self.name, at.line, at.column, problem.message);
        }
        let mut objects = Vec::new();
        for node in &stream.documents {
            let mut value = node.to_json();
            normalize(&mut value);
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

/// Reads the one object a file must hold.
pub(crate) fn single(source: &Source) -> Result<Object> {
    let mut objects = source.objects()?;
    match (objects.pop(), objects.is_empty()) {
        (Some(object), true) => Ok(object),
        (None, _) => bail!("{}: holds no object", source.name),
        _ => bail!("{}: holds {} objects, one is wanted", source.name, objects.len() + 1),
    }
}

/// Reads all objects of files and of the YAML files in directories.
pub(crate) fn many(paths: &[std::path::PathBuf]) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for path in paths {
        if path.is_dir() {
            let listing = std::fs::read_dir(path)
                .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let mut files: Vec<_> = listing.into_iter().map(|entry| entry.path()).collect();
            files.retain(|f| f.extension().is_some_and(|e| e == "yaml" || e == "yml"));
            files.sort();
            for file in files {
                objects.extend(Source::read(&file)?.objects()?);
            }
        } else {
            objects.extend(Source::read(path)?.objects()?);
        }
    }
    Ok(objects)
}
