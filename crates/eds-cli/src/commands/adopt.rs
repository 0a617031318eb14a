//! `eds adopt`: manifests of a running worker become a claim, and nothing is dropped silently.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::ValueEnum;
use eds_adopt::{self as adopt, Manifest};
use eds_core::form::Form;
use kube_schema::diagnostics;

use crate::api::Api;
use crate::manifests::{self, Manifests};
use crate::{Outcome, cluster, output};

/// Make claims from the manifests of running workers.
///
/// Reads Deployments with their Services, ServiceAccounts, ScaledObjects, ConfigMaps, Secrets,
/// PodDisruptionBudgets and NACK's Consumers, from files, directories and standard input
/// (`helm template . | eds adopt -`). Writes a claim for each worker to standard output, and to
/// standard error what becomes of every field: lost, replaced, added or kept, with its line, the
/// reason, and what to do. Changes nothing. Objects that are not workers are left alone.
/// Exit status: 0 nothing is lost, 1 something is lost or refused, 2 the tool could not tell.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files, directories, patterns, or `-` for standard input.
    #[arg(value_name = "MANIFESTS", required_unless_present = "from_cluster")]
    paths: Vec<PathBuf>,
    /// Read this namespace's workers, or the one of this name, from the cluster instead of files.
    /// Secrets are read by name only.
    #[arg(long, value_name = "NAMESPACE[/NAME]", conflicts_with = "paths")]
    from_cluster: Option<String>,
    /// Context of the kubeconfig, instead of the current one. KUBECONFIG names the file.
    #[arg(long, value_name = "NAME", requires = "from_cluster")]
    context: Option<String>,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    report: Format,
    /// Namespace of manifests that name none.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Leave out files that match this pattern, in .gitignore syntax. May be repeated.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Text,
    /// One JSON document: summary, notes, workers (claim, why refused, guesses, findings, notes,
    /// steps), and fields: every leaf of the manifests once (kind, object, path, pointer, file,
    /// line, old, new, why, todo, restartsPods, recreates).
    Json,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    match &args.from_cluster {
        Some(place) => tell(running(place, args)?, args),
        None => {
            let pipe = "helm template … | eds adopt -";
            tell(manifests::read(&args.paths, &args.exclude, pipe)?, args)
        }
    }
}

/// Reads the manifests of what runs in a cluster.
fn running(place: &str, args: &Args) -> Result<Manifests> {
    let (namespace, name) = match place.split_once('/') {
        Some((namespace, name)) => (namespace, Some(name)),
        None => (place, None),
    };
    let found = cluster::connected(args.context.as_deref(), async |cluster| {
        eds_cluster::workers::workers(&cluster, namespace, name).await
    })?;
    let all = found.objects.iter().filter_map(|object| Manifest::of("in the cluster", object));
    let all = adopt::belonging(all.collect(), namespace).map_err(|e| anyhow!(e))?;
    if all.is_empty() {
        found.notes.iter().for_each(|note| output::note(note));
        bail!("{place}: nothing runs there that could become a claim");
    }
    Ok(Manifests { all, notes: found.notes })
}

fn tell(manifests: Manifests, args: &Args) -> Result<Outcome> {
    let api = Api::built_in(Form::Claims)?;
    let adoption = adopt::adopt(&manifests.all, &api.for_namespace(&args.namespace));
    let mut adoption = adoption.map_err(|e| anyhow!(e))?;
    adoption.notes.splice(0..0, manifests.notes);
    let mut out = std::io::stdout().lock();
    out.write_all(adoption.claims().as_bytes())?;
    out.flush()?;
    let mut report = std::io::stderr().lock();
    match args.report {
        Format::Text => {
            let color = output::is_coloured(&report);
            report.write_all(adopt::text(&adoption, color).as_bytes())?;
        }
        Format::Json => {
            diagnostics::write_json(&mut report, &adopt::json(&adoption))?;
            writeln!(report)?;
        }
    }
    Ok(if adoption.is_whole() { Outcome::Fine } else { Outcome::Findings })
}
