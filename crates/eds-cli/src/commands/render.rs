//! `eds render`: what a claim becomes, without a cluster.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use eds_core::composition::{self, Composition, Inputs};
use eds_core::protocol::{Object, Severity};
use eds_core::xrd::Xrd;
use serde_json::{Value, json};

use crate::inputs::{self, Source};
use crate::{Outcome, embedded, output};

/// Show what claims become: the four manifests, as Crossplane would apply them.
///
/// Needs no cluster, Docker, Crossplane or network. Files may hold many documents; objects of
/// other kinds are skipped and counted. The output is the same, byte for byte, for the same input.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files with claims; `-` is standard input, which is also read when nothing is named.
    #[arg(value_name = "CLAIM")]
    claims: Vec<PathBuf>,
    /// What to print.
    #[arg(short, long, value_enum, default_value_t = Output::Manifests)]
    output: Output,
    /// Composition to use instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    composition: Option<PathBuf>,
    /// XRD to use instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    xrd: Option<PathBuf>,
    /// Composed resources that exist already, as `kubectl get -o yaml` prints them. May be
    /// repeated; a directory means all YAML files in it.
    #[arg(long, value_name = "FILE")]
    observed: Vec<PathBuf>,
    /// Further resources that a function may ask for, such as the service's pods.
    #[arg(long, value_name = "FILE")]
    required_resources: Vec<PathBuf>,
    /// Namespace of claims that do not name one.
    #[arg(short, long, default_value = "default")]
    namespace: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The plain manifests, as a person would write them.
    Manifests,
    /// What Crossplane applies: with its labels, annotations and owner, and wrapped into
    /// provider-kubernetes Objects where the Composition says so.
    Objects,
    /// The composite resource with its references, status and conditions.
    Xr,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let sources = sources(&args.claims)?;
    let api = Api::load(args)?;
    let observed = inputs::many(&args.observed)?;
    let required = inputs::many(&args.required_resources)?;

    let mut outcome = Outcome::Fine;
    let (mut claims, mut skipped) = (0_usize, 0_usize);
    let mut rendered = Vec::new();
    for source in &sources {
        for object in source.objects()? {
            if !api.xrd.is_claim(&object) {
                skipped += 1;
                continue;
            }
            claims += 1;
            let result = render(&api, object, args, &observed, &required);
            match result {
                Ok(objects) => rendered.extend(objects),
                Err(error) => {
                    outcome = Outcome::Findings;
                    say(&format!("{}: {error:#}", source.name));
                }
            }
        }
    }
    if skipped > 0 {
        say(&format!("skipped {skipped} objects that are no {}", api.xrd.claim_kind));
    }
    if claims == 0 {
        bail!("found no {} ({}) to render", api.xrd.claim_kind, api.xrd.api_version);
    }
    output::documents(rendered.iter())?;
    Ok(outcome)
}

fn sources(paths: &[PathBuf]) -> Result<Vec<Source>> {
    if paths.is_empty() {
        if std::io::stdin().is_terminal() {
            bail!("name a file with a claim, or give one on standard input");
        }
        return Ok(vec![Source::read("-".as_ref())?]);
    }
    paths.iter().map(|path| Source::read(path)).collect()
}

fn render(
    api: &Api,
    mut claim: Object,
    args: &Args,
    observed: &[Object],
    required: &[Object],
) -> Result<Vec<Object>> {
    if let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(args.namespace));
    }
    api.xrd.apply_defaults(&mut claim);
    let inputs = Inputs {
        composite: composition::composite_of(&claim, &api.xrd.composite_kind),
        observed: observed.to_vec(),
        required: required.to_vec(),
    };
    let rendered = composition::render(&api.composition, &inputs)?;
    for step in &rendered.results {
        let severity = match step.result.severity {
            Severity::Fatal => "fatal",
            Severity::Warning => "warning",
            Severity::Normal => "note",
        };
        say(&format!("{severity}: step {:?}: {}", step.step, step.result.message));
    }
    Ok(match args.output {
        Output::Manifests => rendered.manifests().cloned().collect(),
        Output::Objects => rendered.objects().cloned().collect(),
        Output::Xr => vec![rendered.composite],
    })
}

/// Notes go to standard error, so that standard output stays YAML.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "eds: {line}");
}

/// The XRD and the Composition that claims are rendered with.
struct Api {
    xrd: Xrd,
    composition: Composition,
}

impl Api {
    fn load(args: &Args) -> Result<Self> {
        let read = |path: &Option<PathBuf>, name: &str, text: &str| match path {
            Some(path) => Source::read(path),
            None => Ok(Source { name: name.to_owned(), text: text.to_owned() }),
        };
        let source = read(&args.xrd, "the built-in XRD", embedded::XRD)?;
        let xrd = Xrd::parse(&Value::Object(inputs::single(&source)?))
            .map_err(|e| anyhow!("{}: {e}", source.name))?;

        let source = read(&args.composition, "the built-in Composition", embedded::COMPOSITION)?;
        let composition = Composition::parse(&Value::Object(inputs::single(&source)?))
            .map_err(|e| anyhow!(e))
            .with_context(|| source.name.clone())?;
        let wanted = (&xrd.api_version, &xrd.composite_kind);
        let (version, kind) = &composition.composite_type;
        if (version, kind) != wanted {
            bail!(
                "{}: is for {kind} ({version}), but the XRD defines {} ({})",
                source.name,
                wanted.1,
                wanted.0,
            );
        }
        Ok(Self { xrd, composition })
    }
}
