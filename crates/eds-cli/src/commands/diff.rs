//! `eds diff`: what applying a claim would change, beside manifests, a git revision, or the cluster.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{ArgGroup, ValueEnum};
use eds_cluster::plan::{self, Plan};
use eds_core::claims::{self, Outcome as Checked};
use eds_core::diagnostics::{self, FileFindings};
use eds_core::diff::{self, Base, Diff};
use eds_core::event_driven_service::{ADOPT, obstacle as obstacle_of};
use eds_core::rules::transitions;
use serde_json::{Value, json};

use crate::compare::{self, Key};
use crate::git::{Before, Was};
use crate::given::Platform;
use crate::inputs::Source;
use crate::{Outcome, cluster, manifests, output};

/// Show what applying a claim would change, field by field.
///
/// In kubectl's direction: `-` as it is, `+` as the claim has it, with what restarts pods, what cannot be changed, what
/// is renamed and what is deleted. Defaults, other spellings of the same, and what the API server writes are no
/// difference. Changes nothing.
/// Exit status: 0 the same, 1 different, 2 it could not be told.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("base").required(true))]
pub(crate) struct Args {
    /// Files with claims; `-` is standard input.
    #[arg(value_name = "CLAIM", required = true)]
    claims: Vec<PathBuf>,
    /// Compare with manifests (files, directories, `-`), or with what the claim was at this git revision. May be
    /// repeated for manifests.
    #[arg(long, value_name = "MANIFESTS|REF", group = "base")]
    against: Vec<String>,
    /// Compare with the cluster: a dry run of what the provider or Crossplane would apply, so that nothing that the
    /// API server fills in is a difference.
    #[arg(long, group = "base")]
    live: bool,
    /// Context of the kubeconfig, instead of the current one. KUBECONFIG names the file.
    #[arg(long, value_name = "NAME", requires = "live")]
    context: Option<String>,
    /// How to print the difference.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// Exit with 0 also where it differs, as long as every difference has a reason that the platform knows.
    #[arg(long)]
    explained: bool,
    /// Namespace of claims and manifests that name none.
    #[arg(short, long, default_value = "default")]
    namespace: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Text,
    /// One JSON document.
    Json,
    /// A table of every difference with its reason.
    Markdown,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let platform = Platform::built_in()?;
    let mut files = Vec::new();
    for path in &args.claims {
        let source = Source::read(path)?;
        let checked = check(&platform, source)?;
        files.push((path.clone(), checked));
    }
    let render = |claim: &Value| platform.manifests(&placed(claim, &args.namespace));
    let mut after = Vec::new();
    for (checked, _) in files.iter().flat_map(|(_, checked)| &checked.claims) {
        after.extend(render(&checked.effective)?);
    }
    if after.is_empty() {
        bail!("found no {} to compare", platform.api.definition.kind);
    }
    let diff = match against(args)? {
        Against::Live => live(args, &after)?,
        Against::Manifests(paths) => {
            if paths.iter().chain(&args.claims).filter(|path| path.as_os_str() == "-").count() > 1 {
                bail!("standard input is either claims or manifests");
            }
            let read = manifests::read(&paths, &[])?;
            let before: Vec<Value> = read.all.into_iter().map(|manifest| manifest.value).collect();
            let mut diff = Diff::of(&before, &after, Base::Manifests);
            diff.notes = read.notes;
            diff
        }
        Against::Revision(before) => {
            let (mut was, mut earlier) = (HashMap::new(), Vec::new());
            for (path, _) in &files {
                let shown = path.display();
                let text = match before.read(path)? {
                    Was::Text(text) => text,
                    Was::Missing => continue,
                    Was::Outside => {
                        bail!("{shown} is no file of the repository, so {} has none", before.name)
                    }
                    Was::Unreadable => bail!("{shown} cannot be read as {} has it", before.name),
                };
                let name = format!("{shown} as it was");
                for (claim, _) in check(&platform, Source { name, text })?.claims {
                    earlier.extend(render(&claim.effective)?);
                    was.insert(compare::key(&claim.effective), claim.effective);
                }
            }
            let mut diff = Diff::of(&earlier, &after, Base::Claims);
            diff.notes = known(&files, &was);
            diff
        }
    };
    print(args, &diff)
}

/// Claims of a text, which must all be valid.
fn check(platform: &Platform, source: Source) -> Result<Checked> {
    let checked = claims::check(&source.text, &platform.api, claims::Options::default());
    if checked.claims.iter().any(|(claim, _)| claim.claim().is_none()) || checked.claims.is_empty()
    {
        let name = source.name.clone();
        let is_none = checked.claims.is_empty() && checked.findings.is_empty();
        output::findings(&FileFindings::new(source.name, source.text, checked.findings));
        match is_none {
            true => bail!("{name}: holds no {}", platform.api.definition.kind),
            false => bail!("{name}: the claim is not valid, so what it becomes cannot be told"),
        }
    }
    Ok(checked)
}

/// The claim in a namespace.
fn placed(claim: &Value, namespace: &str) -> Value {
    let mut claim = claim.clone();
    if let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(namespace));
    }
    claim
}

/// What `eds validate --against` knows of the same change.
fn known(files: &[(PathBuf, Checked)], was: &HashMap<Key, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    for (path, checked) in files {
        for (claim, node) in &checked.claims {
            let Some(before) = was.get(&compare::key(&claim.effective)) else { continue };
            let findings = transitions(before, node, &claim.effective);
            let findings = FileFindings::new(String::new(), String::new(), findings).findings;
            notes.extend(findings.iter().map(|f| {
                format!("{}:{}: {} {}", path.display(), f.span.start.line, f.path, f.message)
            }));
        }
    }
    notes
}

enum Against {
    Live,
    Manifests(Vec<PathBuf>),
    Revision(Box<Before>),
}

fn against(args: &Args) -> Result<Against> {
    let is_path = |text: &String| {
        text == "-" || std::path::Path::new(text).exists() || text.contains(['*', '?'])
    };
    match args.against.as_slice() {
        [] => Ok(Against::Live),
        [one] if !is_path(one) => {
            let before = Before::open(one, false);
            let before =
                before.with_context(|| format!("{one} is neither a file nor a revision of git"));
            Ok(Against::Revision(Box::new(before?)))
        }
        all => Ok(Against::Manifests(all.iter().map(PathBuf::from).collect())),
    }
}

/// What the API server says that applying these manifests would change.
fn live(args: &Args, after: &[Value]) -> Result<Diff> {
    let plans = cluster::connected(args.context.as_deref(), async |cluster| {
        let mut plans = Vec::new();
        for manifest in after {
            plans.push(plan::plan(&cluster, manifest).await?);
        }
        Ok(plans)
    })?;
    let mut all = Diff::default();
    for (Plan { live, after: would_be, is_claims, refused }, manifest) in plans.iter().zip(after) {
        let text =
            |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let what =
            format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        let base = if refused.is_some() { Base::Manifests } else { Base::Live };
        if let Some(live) = live.as_ref().filter(|_| !is_claims) {
            let obstacle = manifest.as_object().zip(live.as_object());
            let obstacle = obstacle.and_then(|(manifest, live)| obstacle_of(manifest, live));
            let annotation = live.pointer("/metadata/annotations").and_then(|a| a.get(ADOPT));
            let handed_over = annotation.and_then(Value::as_str) == Some(claim_of(manifest));
            match (obstacle, handed_over) {
                (Some(why), _) => all.notes.push(format!("{what} was not made by a claim, and {why}")),
                (None, true) => {}
                (None, false) => all.notes.push(format!(
                    "{what} was not made by a claim: nothing is composed until it is handed over or deleted; \
                     eds adopt --from-cluster says how"
                )),
            }
        }
        if let Some(refused) = refused {
            all.notes.push(format!("{what}: the API server refuses it as it is: {refused}"));
        }
        let before: Vec<Value> = live.iter().cloned().collect();
        all.objects.extend(Diff::of(&before, std::slice::from_ref(would_be), base).objects);
    }
    Ok(all)
}

/// The claim that a manifest is of.
fn claim_of(manifest: &Value) -> &str {
    let label = manifest.pointer("/metadata/labels/app.kubernetes.io~1name");
    label.and_then(Value::as_str).unwrap_or_default()
}

fn print(args: &Args, diff: &Diff) -> Result<Outcome> {
    let mut out = std::io::stdout().lock();
    match args.output {
        Format::Text => {
            let color = std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            out.write_all(diff::text(diff, color).as_bytes())?;
        }
        Format::Markdown => out.write_all(diff::markdown(diff).as_bytes())?,
        Format::Json => {
            diagnostics::write_json(&mut out, &diff::json(diff))?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    drop(out);
    let fields = diff.objects.iter().map(|object| object.changes.len()).sum::<usize>();
    let (s, are) = if fields == 1 { ("", "differs") } else { ("s", "differ") };
    match diff.is_same() {
        true => output::note("the same"),
        false if diff.is_explained() => {
            output::note(&format!("{fields} field{s} {are}, each for a reason that is known"));
        }
        false => output::note(&format!("{fields} field{s} {are}")),
    }
    let fine = diff.is_same() || args.explained && diff.is_explained();
    Ok(if fine { Outcome::Fine } else { Outcome::Findings })
}
