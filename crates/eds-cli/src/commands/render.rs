//! `eds render`: what a claim becomes, without a cluster.

use kube_object::object::Fields;
use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;
use eds_claims::{self as claims, CheckedFile};
use kube_schema::diagnostics::{self, FileFindings, Finding};
use kube_schema::schema::ValidClaim;
use patch_and_transform::protocol::{Object, Severity};
use serde_json::Value;

use crate::api::Api;
use crate::claim::Claim;
use crate::inputs::{self, Source};
use crate::{Outcome, output};

/// Show what claims become: the four manifests, as Crossplane would apply them.
///
/// Needs no cluster, Docker, Crossplane or network. Files may hold many documents; objects of other
/// kinds are skipped and counted. The same input always gives the same output, byte for byte.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files with claims; `-` is standard input, which is also the default.
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
    /// Existing composed resources, as `kubectl get -o yaml` prints them. May be repeated; a
    /// directory means all YAML files in it.
    #[arg(long, value_name = "FILE")]
    observed: Vec<PathBuf>,
    /// Other resources that a function may ask for, such as the service's pods.
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
    /// provider-kubernetes Objects if the Composition says so.
    Objects,
    /// The composite resource with its references, status and conditions.
    Xr,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let sources = sources(&args.claims)?;
    let api = Api::load(args.xrd.as_deref(), args.composition.as_deref())?;
    let is_built_in = args.xrd.is_none() && args.composition.is_none();
    let observed = inputs::many(&args.observed)?;
    let required = inputs::many(&args.required_resources)?;

    let mut outcome = Outcome::Fine;
    let (mut claims, mut skipped) = (0_usize, 0_usize);
    let mut rendered = Vec::new();
    for source in sources {
        let render = |without_rules| {
            let options = claims::Options { without_rules, ..claims::Options::default() };
            let checked = claims::check(&source.text, &api.claims, options);
            let claims = checked.claims.iter().filter_map(|(checked, _)| checked.claim());
            let results: Vec<_> =
                claims.map(|claim| render(&api, claim, args, &observed, &required)).collect();
            (checked, results)
        };
        let (mut checked, mut results) = render(is_built_in);
        if is_built_in && !is_plainly_fine(&api, &checked, &results) {
            (checked, results) = render(false);
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
        // Warnings belong to `eds validate`; here they would hide what did not render.
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

fn is_error(finding: &Finding) -> bool {
    finding.severity == diagnostics::Severity::Error
}

/// Returns whether the API's rules, which take longer to compile than everything else, can be
/// skipped: the built-in Composition's second step refuses whatever they refuse, except which NATS
/// a claim may name. If something is wrong they run, because they know the line.
fn is_plainly_fine(api: &Api, checked: &CheckedFile, results: &[Result<Shown>]) -> bool {
    let schema = &api.claims.definition.schema;
    let names_server = |claim: &Value| {
        ["url", "monitoringEndpoint"].iter().any(|field| {
            let default = format!("/properties/spec/properties/nats/properties/{field}/default");
            claim.at(&format!("/spec/nats/{field}")) != schema.at(&default)
        })
    };
    !checked.findings.iter().any(is_error)
        && results.iter().all(Result::is_ok)
        && !checked.claims.iter().any(|(claim, _)| names_server(&claim.effective))
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
    /// Whether no step warned: one that does has left something out.
    complete: bool,
}

fn render(
    api: &Api,
    claim: ValidClaim<'_>,
    args: &Args,
    observed: &[Object],
    required: &[Object],
) -> Result<Shown> {
    let claim = Claim::valid(claim).or_in_namespace(&args.namespace);
    let rendered = api.render(&claim, observed.to_vec(), required.to_vec())?;
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
