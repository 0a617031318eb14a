//! `eds diff`: what applying a claim would change, compared with manifests, a git revision, or the
//! cluster.

mod given;

use kube_object::object::Fields;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{ArgGroup, ValueEnum};
use eds_adopt::Manifest;
use eds_adopt::diff::{self, Base, Change, Diff, Fate, ObjectDiff};
use eds_cluster::plan::{self, Plan};
use eds_core::event_driven_service::{ADOPT, obstacle as obstacle_of};
use kube_schema::diagnostics;
use serde_json::Value;

use self::given::Given;
use crate::api::Api;
use crate::claim::Claim;
use crate::form::FormArgs;
use crate::git::{self, Before};
use crate::{Outcome, cluster, manifests, output};

/// Show what applying a claim would change, field by field.
///
/// In kubectl's direction: `-` as it is, `+` as the claim has it, with what restarts pods, what is
/// immutable, what is renamed and what is deleted. Defaults, other spellings of the same value, and
/// what the API server writes are not differences. Changes nothing. Exit status: 0 the same, 1
/// different, 2 the tool could not tell.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("base").required(true))]
pub(crate) struct Args {
    /// Files and directories with claims; `-` is standard input.
    #[arg(value_name = "CLAIM", required = true)]
    claims: Vec<PathBuf>,
    /// Compare with manifests (files, directories, `-`), or with the claim at this git revision of
    /// its own repository, wherever it was then. A file of that name comes first. May be repeated
    /// for manifests.
    #[arg(long, value_name = "MANIFESTS|REF", group = "base")]
    against: Vec<String>,
    /// Compare with the cluster: a dry run of what the provider or Crossplane would apply, so that
    /// what the API server fills in is not a difference.
    #[arg(long, group = "base")]
    live: bool,
    /// Context of the kubeconfig, instead of the current one. KUBECONFIG names the file.
    #[arg(long, value_name = "NAME", requires = "live")]
    context: Option<String>,
    /// How to print the difference.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// Exit with 0 despite differences, as long as the platform knows a reason for each, and none
    /// affects the worker: if it loses a variable, a volume, an argument or the like, if a variable
    /// gets another value, or if an object is deleted, exit with 1.
    #[arg(long)]
    explained: bool,
    /// Namespace of claims and manifests that name none.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    #[command(flatten)]
    form: FormArgs,
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
    let api = Api::built_in(args.form.form())?;
    let mut notes = Vec::new();
    let against = against(args, &mut notes)?;
    let before = match &against {
        Against::Revision(before) => Some(before.as_ref()),
        _ => None,
    };
    let given = Given::read(args, &api.claims, before)?;
    notes.extend(given.notes.iter().cloned());
    let mut after = Vec::new();
    for claim in &given.claims {
        after.extend(manifests_of(&api, &claim.claim)?);
    }
    let mut diff = match &against {
        Against::Live => live(args, &after)?,
        Against::Manifests(paths) => {
            if paths.iter().chain(&args.claims).filter(|path| path.as_os_str() == "-").count() > 1 {
                bail!("standard input is either claims or manifests");
            }
            let read = manifests::read(paths, &[], "helm template … | eds diff CLAIM --against -")?;
            notes.extend(read.notes);
            let before = objects(read.all, paths, &api.claims.definition.kind, &mut notes)?;
            Diff::of(&before, &after, Base::Manifests)
        }
        Against::Revision(before) => {
            let earlier = given.earlier(args, &api.claims, before)?;
            let mut was = Vec::new();
            for claim in &earlier.claims {
                was.extend(manifests_of(&api, claim)?);
            }
            notes.extend(earlier.notes);
            notes.extend(given.known(&earlier.claims));
            output::note(&format!("compared with {}", before.name));
            Diff::of(&was, &after, Base::Claims)
        }
    };
    notes.append(&mut diff.notes);
    diff.notes = notes;
    print(args, &diff)
}

/// Returns what a claim becomes, with what only the cluster can fill in.
fn manifests_of(api: &Api, claim: &Claim) -> Result<Vec<Value>> {
    let mut manifests = api.manifests(claim)?;
    diff::promise(claim.value(), &mut manifests);
    Ok(manifests)
}

/// Returns the objects among manifests, without claims: what a claim becomes is compared with what
/// is in the cluster.
fn objects(
    all: Vec<Manifest>,
    paths: &[PathBuf],
    kind: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<Value>> {
    let (claims, objects): (Vec<_>, Vec<_>) = all
        .into_iter()
        .map(|manifest| manifest.value)
        .partition(|value| value.get("kind").and_then(Value::as_str) == Some(kind));
    let is_list = |value: &Value| {
        value.get("metadata").is_none()
            && value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"))
    };
    let of: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let of = of.join(", ");
    match (claims.len(), objects.iter().all(is_list)) {
        (0, true) => bail!(
            "{of}: holds no object of Kubernetes, so there is nothing to compare with: name \
                manifests, or what runs with --live"
        ),
        (_, true) => bail!(
            "{of}: holds {kind} alone, and no manifest to compare with: name a git revision \
                (--against HEAD), or pipe what that claim becomes: eds render CLAIM | eds diff \
                CLAIM --against -"
        ),
        (0, false) => {}
        (n, false) => {
            let s = if n == 1 { "" } else { "s" };
            notes.push(format!("passed over {n} claim{s} among the manifests"));
        }
    }
    Ok(objects)
}

enum Against {
    Live,
    Manifests(Vec<PathBuf>),
    Revision(Box<Before>),
}

fn against(args: &Args, notes: &mut Vec<String>) -> Result<Against> {
    let is_path =
        |text: &String| text == "-" || Path::new(text).exists() || text.contains(['*', '?']);
    // Where the first claim is, which may be another repository than the working directory's.
    let first = args.claims.first().filter(|path| path.as_os_str() != "-");
    let folder = match first {
        Some(path) if path.is_dir() => path.as_path(),
        Some(path) => path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        None => Path::new("."),
    };
    match args.against.as_slice() {
        [] => Ok(Against::Live),
        [one] if !is_path(one) => {
            let before = Before::open_at(one, false, folder);
            let before =
                before.with_context(|| format!("{one} is neither a file nor a revision of git"));
            Ok(Against::Revision(Box::new(before?)))
        }
        all => {
            for name in all.iter().filter(|name| !name.starts_with(['.', '/', '-'])) {
                if Path::new(name).exists() && git::is_revision(name, folder) {
                    notes.push(format!(
                        "{name} is a file here and a revision of git: compared with the file; the \
                            revision is {name}^0"
                    ));
                }
            }
            Ok(Against::Manifests(all.iter().map(PathBuf::from).collect()))
        }
    }
}

/// Returns what the API server says that applying these manifests would change.
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
        let what =
            format!("{} {}/{}", manifest.text("/kind"), manifest.namespace(), manifest.name());
        let base = if refused.is_some() { Base::Manifests } else { Base::Live };
        if let Some(live) = live.as_ref().filter(|_| !is_claims) {
            let obstacle = manifest.as_object().zip(live.as_object());
            let obstacle = obstacle.and_then(|(manifest, live)| obstacle_of(manifest, live));
            let handed_over = live.annotation(ADOPT) == Some(claim_of(manifest));
            match (obstacle, handed_over) {
                (Some(why), _) => {
                    all.notes.push(format!("{what} was not made by a claim, and {why}"))
                }
                (None, true) => {}
                (None, false) => all.notes.push(format!(
                    "{what} was not made by a claim: nothing is composed until it is handed over \
                        or deleted; eds adopt --from-cluster says how"
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

/// Returns the claim that a manifest belongs to.
fn claim_of(manifest: &Value) -> &str {
    let label = manifest.at("/metadata/labels/app.kubernetes.io~1name");
    label.and_then(Value::as_str).unwrap_or_default()
}

fn print(args: &Args, diff: &Diff) -> Result<Outcome> {
    let mut out = std::io::stdout().lock();
    match args.output {
        Format::Text => {
            let color = output::is_coloured(&out);
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
    let known = if !diff.is_same() && diff.is_explained() {
        ", each for a reason that is known"
    } else {
        ""
    };
    output::note(&format!("{}{known}", diff::summary(diff)));
    if args.explained && !diff.is_same() {
        unexplained(diff);
    }
    let fine = diff.is_same() || args.explained && diff.is_explained();
    Ok(if fine { Outcome::Fine } else { Outcome::Findings })
}

/// Says why differences are not explained: a few of them.
fn unexplained(diff: &Diff) {
    const SHOWN: usize = 5;
    let why = |change: &Change| match (change.why, change.todo) {
        (None, _) => Some("no reason is known".to_owned()),
        (Some(why), Some(todo)) => Some(format!("{why}; {todo}")),
        (Some(_), None) => None,
    };
    let mut lines = Vec::new();
    for ObjectDiff { kind, namespace, name, fate, changes, .. } in &diff.objects {
        let object = format!("{kind} {namespace}/{name}");
        lines.extend((*fate == Fate::Deleted).then(|| format!("{object} is deleted")));
        for change in changes {
            lines.extend(why(change).map(|why| format!("{object}: {}: {why}", change.path)));
        }
    }
    lines.iter().take(SHOWN).for_each(|line| output::note(&format!("not explained: {line}")));
    if lines.len() > SHOWN {
        output::note(&format!("and {} more", lines.len() - SHOWN));
    }
}
