//! Many claims at once, by each form of the Composition.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use eds_cluster::{Kind, kinds};
use kube_object::difference::{Options, State, compare};
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::claim::merge;
use crate::eds::command;
use crate::proof::{Proof, carry_out, ensure, manifests, say, setting};
use crate::testbed::output;
use crate::usage::{Used, usage};
use crate::variants::{ALL, chosen};

/// A hundred claims at once, in one run by each form of the Composition: time until all are composed, CPU and memory
/// of Crossplane, the functions and the provider. A table on stdout, JSON in bench/out/claims.json; bench/README.md
/// says what the figures mean.
///
/// On the testbed, which must be up; about 12 minutes. EDS_BENCH_CLAIMS: how many claims (default 100). The node takes
/// no new pods meanwhile, so that the workers do not run; afterwards it does again.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these forms.
    #[arg(value_name = "FORM", value_parser = ALL.map(|(form, ..)| form))]
    forms: Vec<String>,
}

/// Seconds in which nothing happens but waiting for pods.
const STEADY: u64 = 30;
const PARTS: [&str; 4] = [
    "crossplane",
    "function-patch-and-transform",
    "function-event-driven-service",
    "provider-kubernetes",
];
const MADE: [Kind; 4] =
    [kinds::SERVICE_ACCOUNT, kinds::DEPLOYMENT, kinds::SERVICE, kinds::SCALED_OBJECT];
const OURS: &str = "app.kubernetes.io/component=event-driven-worker";

pub(crate) async fn run(args: &Args) -> Result<()> {
    let claims = usize::try_from(setting("EDS_BENCH_CLAIMS", 100)?)?;
    carry_out("bench", async |p| {
        p.install_variants().await?;
        let (api, node) = (p.api.clone(), p.bed.node.clone());
        p.run.put_back("the node", async move {
            api.patch(&kinds::NODE, None, &node, &json!({"spec": {"unschedulable": null}})).await
        });
        let cordon = json!({"spec": {"unschedulable": true}});
        p.api.patch(&kinds::NODE, None, &p.bed.node, &cordon).await?;
        let mut runs = Vec::new();
        for form in p.variants(&args.forms) {
            runs.push(measure(p, form, claims).await?);
        }
        let report = json!({"version": 1, "context": context(p, claims).await?, "runs": runs});
        let directory = p.bed.repository.join("bench/out");
        std::fs::create_dir_all(&directory)?;
        std::fs::write(
            directory.join("claims.json"),
            serde_json::to_string_pretty(&report)? + "\n",
        )?;
        print!("{}", table(&report));
        say("wrote bench/out/claims.json");
        Ok(())
    })
    .await
}

async fn context(p: &Proof<'_>, claims: usize) -> Result<Value> {
    let tag = |reference: &str| reference.rsplit(':').next().unwrap_or_default().to_owned();
    let package = async |kind: &Kind, name: &str| {
        // The namespaced form has no provider.
        let package = p.api.get(kind, None, name).await?.unwrap_or_default();
        Ok::<_, anyhow::Error>(tag(package.text("/spec/package")))
    };
    let crossplane =
        p.api.there(&kinds::DEPLOYMENT, Some("crossplane-system"), "crossplane").await?;
    Ok(json!({
        "claims": claims,
        "cpus": std::thread::available_parallelism()?.get(),
        "waiting_s": STEADY,
        "kubernetes": p.run.cluster.version().await?,
        "crossplane": tag(crossplane.text("/spec/template/spec/containers/0/image")),
        "provider-kubernetes": package(&kinds::PROVIDER, "provider-kubernetes").await?,
        "function-patch-and-transform": package(&kinds::FUNCTION,
        "function-patch-and-transform").await?,
    }))
}

async fn measure(p: &Proof<'_>, form: &str, count: usize) -> Result<Value> {
    let claims: Vec<Value> =
        (1..=count).map(|i| p.claim(&format!("bench-{i}"), &chosen(form))).collect();
    say(&format!("{form}: {count} claims"));
    let before = usage(&p.api).await?;
    let start = Instant::now();
    for claim in &claims {
        p.api.create(claim).await?;
    }
    let applied = seconds(start);
    p.must(900, format!("{count} claims to be composed"), async || composed(p, count).await)
        .await?;
    let all = seconds(start);
    let at_end = usage(&p.api).await?;
    let equal = equal(p, form, &claims).await?;
    ensure(equal == count * MADE.len(), || {
        format!("{equal} of {} manifests are as eds render shows them", count * MADE.len())
    })?;
    let quiet = usage(&p.api).await?;
    sleep(Duration::from_secs(STEADY)).await;
    let after = usage(&p.api).await?;
    let start = Instant::now();
    for claim in &claims {
        p.api.delete(&kinds::CLAIM, Some(&p.namespace), claim.name()).await?;
    }
    p.must(900, "all of it to be gone", async || gone(p).await).await?;
    let deleted = seconds(start);
    p.passed(format!(
        "{form}: composed after {all} s, {equal} manifests equal, gone after {deleted} s"
    ));
    let of =
        |usage: &BTreeMap<String, Used>, part: &str| usage.get(part).copied().unwrap_or_default();
    let part = |part: &String| {
        let cpu = |from, to| rounded(of(to, part).cpu - of(from, part).cpu);
        (
            part.clone(),
            json!({
                "cpu_s": cpu(&before, &at_end),
                "cpu_s_while_waiting": cpu(&quiet, &after),
                "memory_mib": rounded(of(&after, part).memory),
            }),
        )
    };
    let parts: serde_json::Map<String, Value> = at_end.keys().map(part).collect();
    Ok(json!({
        "composes": form, "applied_s": applied, "composed_s": all, "equal_manifests": equal,
        "deleted_s": deleted,
        "parts": parts,
    }))
}

fn seconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 10.0).round() / 10.0
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// So many of each kind are there; the namespace has one ServiceAccount of its own.
async fn composed(p: &Proof<'_>, count: usize) -> Result<bool> {
    for kind in &MADE {
        let own = usize::from(kind == &kinds::SERVICE_ACCOUNT);
        if p.api.count(kind, &p.namespace).await? != count + own {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn gone(p: &Proof<'_>) -> Result<bool> {
    sleep(Duration::from_secs(2)).await;
    let of_claims = format!("crossplane.io/claim-namespace={}", p.namespace);
    Ok(p.api.list(&kinds::COMPOSITE, None, &of_claims).await?.is_empty()
        && p.api.list(&kinds::CLAIM, Some(&p.namespace), "").await?.is_empty()
        && made(p).await?.is_empty())
}

/// What the claims have made.
async fn made(p: &Proof<'_>) -> Result<BTreeMap<(String, String), Value>> {
    let mut made = BTreeMap::new();
    for kind in &MADE {
        for object in p.api.list(kind, Some(&p.namespace), OURS).await? {
            made.insert((kind.kind.to_owned(), object.name().to_owned()), object);
        }
    }
    Ok(made)
}

/// How many manifests of the claims are live as `eds render` shows them. What only the live object has is no
/// difference.
async fn equal(p: &Proof<'_>, form: &str, claims: &[Value]) -> Result<usize> {
    let mut file = String::new();
    for claim in claims {
        let mut claim = claim.clone();
        merge(&mut claim, &json!({"spec": {"compositionSelector": null, "crossplane": null}}));
        let _ = write!(file, "---\n{claim}\n");
    }
    let file = p.keep(&format!("{form}.yaml"), file)?;
    let rendered = output(&mut command(&["render", &file.to_string_lossy()])?).await?;
    ensure(rendered.status.success(), || String::from_utf8_lossy(&rendered.stderr).into_owned())?;
    let rendered = manifests(&String::from_utf8_lossy(&rendered.stdout))?;
    let (made, options) = (made(p).await?, Options::default());
    let is_live = |manifest: &&Value| {
        let place = (manifest.text("/kind").to_owned(), manifest.name().to_owned());
        made.get(&place).is_some_and(|live| {
            let rows = compare(manifest, live, &options);
            !rows.iter().any(|row| matches!(row.state, State::Changed | State::Removed))
        })
    };
    Ok(rendered.iter().filter(is_live).count())
}

/// The report as a table, a column a form.
fn table(report: &Value) -> String {
    let runs = report.get("runs").and_then(Value::as_array).cloned().unwrap_or_default();
    let context = |key: &str| report.at(&format!("/context/{key}")).cloned().unwrap_or_default();
    let mut table = String::new();
    let mut row = |name: &str, cell: &dyn Fn(&Value) -> String| {
        let cells: Vec<String> = runs.iter().map(cell).collect();
        let _ = writeln!(table, "| {name} | {} |", cells.join(" | "));
    };
    let at =
        |run: &Value, pointer: &str| run.at(pointer).and_then(Value::as_f64).unwrap_or_default();
    let sum = |run: &Value, key: &str| {
        rounded(PARTS.iter().map(|part| at(run, &format!("/parts/{part}/{key}"))).sum()).to_string()
    };
    row(&format!("{} claims at once", context("claims")), &|run| run.text("/composes").to_owned());
    row("---", &|_| "---".to_owned());
    row("until all are composed, s", &|run| at(run, "/composed_s").to_string());
    for part in PARTS {
        row(&format!("CPU s: {part}"), &|run| at(run, &format!("/parts/{part}/cpu_s")).to_string());
    }
    row("CPU s, all", &|run| sum(run, "cpu_s"));
    let waiting = format!("CPU s in {} s of waiting for pods, all", context("waiting_s"));
    row(&waiting, &|run| sum(run, "cpu_s_while_waiting"));
    for part in PARTS {
        let memory =
            |run: &Value| at(run, &format!("/parts/{part}/memory_mib")).round().to_string();
        row(&format!("memory, MiB: {part}"), &memory);
    }
    row("deleted until gone, s", &|run| at(run, "/deleted_s").to_string());
    table
}
