//! `eds render`: what a claim becomes, without a cluster.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use eds_claims as claims;
use eds_core::composition::{self, Composition, Inputs};
use kube_schema::diagnostics::{self, FileFindings, Finding};
use kube_schema::schema::{ClaimApi, ValidClaim};
use patch_and_transform::protocol::{Object, Severity, normalize};
use serde_json::{Value, json};

use crate::inputs::{self, Source};
use crate::{Outcome, api, embedded, output};

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

/// Whether a claim names another NATS than the API's default.
fn names_server(api: &Api, claim: &Value) -> bool {
    ["url", "monitoringEndpoint"].iter().any(|field| {
        let default = format!("/properties/spec/properties/nats/properties/{field}/default");
        claim.pointer(&format!("/spec/nats/{field}"))
            != api.claims.definition.schema.pointer(&default)
    })
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let sources = sources(&args.claims)?;
    let api = Api::load(args)?;
    let observed = inputs::many(&args.observed)?;
    let required = inputs::many(&args.required_resources)?;

    let mut outcome = Outcome::Fine;
    let (mut claims, mut skipped) = (0_usize, 0_usize);
    let mut rendered = Vec::new();
    for source in sources {
        // The built-in Composition's second step refuses what the built-in rules refuse, so they
        // are asked only where something is wrong: they know the line.
        let options = claims::Options { without_rules: api.built_in, ..Default::default() };
        let all = |options| {
            let checked = claims::check(&source.text, &api.claims, options);
            let claims = checked.claims.iter().filter_map(|(checked, _)| checked.claim());
            let results: Vec<_> =
                claims.map(|claim| render(&api, claim, args, &observed, &required)).collect();
            (checked, results)
        };
        let (mut checked, mut results) = all(options);
        let is_error = |finding: &Finding| finding.severity == diagnostics::Severity::Error;
        // Which NATS a claim may name is the API's to say alone.
        let named =
            checked.claims.iter().any(|(checked, _)| names_server(&api, &checked.effective));
        let wrong =
            named || checked.findings.iter().any(is_error) || results.iter().any(Result::is_err);
        if options.without_rules && wrong {
            (checked, results) = all(claims::Options::default());
        }
        claims += checked.claims.len();
        skipped += checked.skipped;
        for result in results {
            match result {
                Ok(shown) => {
                    rendered.extend(shown.objects);
                    shown.notes.iter().for_each(|note| output::note(note));
                    if !shown.complete {
                        outcome = Outcome::Findings;
                    }
                }
                Err(error) => {
                    outcome = Outcome::Findings;
                    output::note(&format!("{}: {error:#}", source.name));
                }
            }
        }
        // Warnings are `eds validate`'s to give; here they would hide what did not render.
        let mut errors = checked.findings;
        errors.retain(is_error);
        if !errors.is_empty() {
            outcome = Outcome::Findings;
            output::findings(&FileFindings::new(source.name, source.text, errors));
        }
    }
    let kind = &api.claims.definition.kind;
    if skipped > 0 {
        output::note(&format!("skipped {skipped} objects that are no {kind}"));
    }
    if claims == 0 && outcome == Outcome::Fine {
        bail!("found no {kind} ({}) to render", api.claims.api_version());
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

/// What a claim became.
struct Shown {
    objects: Vec<Object>,
    /// What the steps said.
    notes: Vec<String>,
    /// No step warned: one that does has left something out.
    complete: bool,
}

fn render(
    api: &Api,
    claim: ValidClaim<'_>,
    args: &Args,
    observed: &[Object],
    required: &[Object],
) -> Result<Shown> {
    let mut claim = claim.object().clone();
    if let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(args.namespace));
    }
    claim.values_mut().for_each(normalize);
    let inputs = Inputs {
        composite: composition::composite_of(&claim, &api.composite_kind),
        observed: observed.to_vec(),
        required: required.to_vec(),
    };
    let rendered = composition::render(&api.composition, &inputs)?;
    let (mut complete, mut notes) = (true, Vec::new());
    for step in &rendered.results {
        let severity = match step.result.severity {
            Severity::Fatal => "fatal",
            Severity::Warning => "warning",
            Severity::Normal => "note",
        };
        complete &= step.result.severity == Severity::Normal;
        notes.push(format!("{severity}: step {:?}: {}", step.step, step.result.message));
    }
    let objects = match args.output {
        Output::Manifests => rendered.manifests().cloned().collect(),
        Output::Objects => rendered.objects().cloned().collect(),
        Output::Xr => vec![rendered.composite],
    };
    Ok(Shown { objects, notes, complete })
}

/// The API and the Composition that claims are rendered with.
struct Api {
    claims: ClaimApi,
    composite_kind: String,
    composition: Composition,
    /// Neither the XRD nor the Composition was named.
    built_in: bool,
}

impl Api {
    fn load(args: &Args) -> Result<Self> {
        let (claims, composite) = api::load_with_composite(args.xrd.as_deref())?;
        let source = match &args.composition {
            Some(path) => Source::read(path)?,
            None => Source {
                name: "the built-in Composition".to_owned(),
                text: embedded::COMPOSITION.to_owned(),
            },
        };
        let composition = Composition::parse(&Value::Object(inputs::single(&source)?))
            .map_err(|e| anyhow!(e))
            .with_context(|| source.name.clone())?;
        let wanted = (claims.api_version(), composite.kind);
        if composition.composite_type != wanted {
            let (version, kind) = &composition.composite_type;
            bail!(
                "{}: is for {kind} ({version}), but the XRD defines {} ({})",
                source.name,
                wanted.1,
                wanted.0,
            );
        }
        let built_in = args.xrd.is_none() && args.composition.is_none();
        Ok(Self { claims, composite_kind: wanted.1, composition, built_in })
    }
}
