//! `eds publish-schema`: the claim's schema as JSON Schema 2020-12, or as a page of its fields.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use eds_core::form::Form;
use kube_object::crossplane::crd::Side;
use kube_schema::schema::{Schema, publish};

use crate::api::{Xrd, policies};
use crate::form::FormArgs;
use crate::inputs::Source;
use crate::{Outcome, output};

/// Print the claim's JSON Schema (2020-12), made from the XRD as the API server would serve it; or
/// its fields as Markdown, for people.
///
/// Works on any XRD or CRD. With --check nothing is written: the exit status is 1 if the file
/// differs, and the difference is printed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// XRD or CRD to read, instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    xrd: Option<PathBuf>,
    #[command(flatten)]
    form: FormArgs,
    /// File to write, or with --check to compare with. By default standard output, or with --check
    /// the repository's own file, in this directory or above it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to make of it.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Compare with the file instead of writing it.
    #[arg(long)]
    check: bool,
    /// The schema of the composite instead of the claim's.
    #[arg(long)]
    composite: bool,
    /// The version to publish, instead of the one that is stored.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

/// What to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// JSON Schema 2020-12, for editors and validators.
    Json,
    /// The fields in tables, for people.
    Markdown,
}

impl Format {
    /// Returns where `scripts/publish-schema.sh` writes it.
    const fn committed(self, form: Form) -> &'static str {
        match (self, form) {
            (Self::Json, Form::Claims) => "platform/04-apis/schemas/eventdrivenservice.schema.json",
            (Self::Json, Form::Namespaced) => {
                "platform/04-apis/schemas/eventdrivenservice.namespaced.schema.json"
            }
            (Self::Markdown, _) => "platform/04-apis/docs/fields.md",
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let xrd = Xrd::load(args.xrd.as_deref(), args.form.form())?;
    let side = if args.composite { Side::Composite } else { xrd.written() };
    let definition = xrd.definition(side, args.version.as_deref())?;
    // A schema that cannot be checked against is not published, and reading it has a bounded cost.
    Schema::compile(definition.schema())
        .map_err(|e| anyhow!("the schema of {}: {e}", definition.kind))
        .with_context(|| xrd.name.clone())?;
    let text = match args.format {
        Format::Json => serde_json::to_string_pretty(&publish::json_schema(&definition))? + "\n",
        Format::Markdown => publish::markdown(&definition, &policies()),
    };
    let path = match &args.output {
        None if args.check => Some(committed(args)?),
        path => path.clone(),
    };
    let Some(path) = &path else {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        return Ok(Outcome::Fine);
    };
    if !args.check {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}", parent.display()))?;
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        output::note(&format!("wrote {}", path.display()));
        return Ok(Outcome::Fine);
    }
    let committed = Source::read(path)?.text;
    if committed == text {
        output::note(&format!("{} is up to date", path.display()));
        return Ok(Outcome::Fine);
    }
    let diff = similar::TextDiff::from_lines(committed.as_str(), text.as_str());
    let name = path.display().to_string();
    let mut out = std::io::stdout().lock();
    write!(out, "{}", diff.unified_diff().header(&name, "generated"))?;
    out.flush()?;
    output::note(&format!("{name} differs from {}: run scripts/publish-schema.sh", xrd.name));
    Ok(Outcome::Findings)
}

fn committed(args: &Args) -> Result<PathBuf> {
    let file = args.format.committed(args.form.form());
    let here = std::env::current_dir().context("cannot tell the current directory")?;
    let found = here.ancestors().map(|folder| folder.join(file)).find(|file| file.is_file());
    found.ok_or_else(|| anyhow!("found no {file} here or above; name a file with --output"))
}
