//! Argo CD installs the API and the claims, and leaves the replicas to KEDA.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use eds_cluster::{Kind, kinds};
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::Command;

use super::Worker;
use crate::api::Api;
use crate::claim::merge;
use crate::proof::{Proof, carry_out, ensure, failed, manifest, read, setting};
use crate::testbed::well;

/// Argo CD installs the API and the claims, and leaves the replicas to KEDA. Argo CD itself applies
/// platform/04-apis.yaml, with the commit of this checkout served by a git daemon; then claims from a repository of
/// their own.
///
/// Brings Argo CD up if it is not. The API's objects are Argo CD's during the proof; afterwards they stay as they are,
/// and testbed/up makes them the testbed's again. EDS_PROOF_RECONCILES: comparisons that Argo CD is made to do while
/// the claim is scaled out (default 30).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

const APPLICATION: Kind = Kind {
    group: "argoproj.io",
    version: "v1alpha1",
    kind: "Application",
    plural: "applications",
    namespaced: true,
};
const CLUSTER_ROLE: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRole",
    plural: "clusterroles",
    namespaced: false,
};
/// Where Applications stand.
const ARGO: &str = "argocd";
/// The API, and a team's claims.
const APIS: &str = "apis";
const CLAIMS: &str = "claims";
const REFRESH: &str = "argocd.argoproj.io/refresh";
/// What the Application of the API must have installed.
const INSTALLED: [&str; 7] = [
    "CompositeResourceDefinition",
    "Composition",
    "Function",
    "Provider",
    "ProviderConfig",
    "ValidatingAdmissionPolicy",
    "ClusterRole",
];

pub(crate) async fn run(args: &Args) -> Result<()> {
    let comparisons = setting("EDS_PROOF_RECONCILES", 30)?;
    carry_out("argocd", async |p| {
        p.needs_claims()?;
        p.bed.worker(&p.image, &args.worker.worker).await?;
        let git = Git::of(p)?;
        put_back(p, &git);
        apis(p, &git).await?;
        healed(p).await?;
        claims(p, &git).await?;
        health(p, &git).await?;
        scaled_out(p, comparisons).await
    })
    .await
}

/// The repositories that the testbed's git daemon serves.
#[derive(Clone)]
struct Git {
    root: PathBuf,
    address: String,
}

impl Git {
    fn of(p: &Proof<'_>) -> Result<Self> {
        let address =
            std::env::var("NODE_IP").context("NODE_IP is not set: start testbed/proofs/argocd")?;
        Ok(Self { root: p.bed.state.join("argocd/git"), address })
    }

    fn repository(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.git"))
    }

    fn url(&self, name: &str) -> String {
        format!("git://{}/{name}.git", self.address)
    }

    /// Commits the directory, as it is, as the newest state of the repository.
    async fn serve(&self, name: &str, directory: &Path) -> Result<()> {
        let repository = self.repository(name);
        if !repository.is_dir() {
            let mut init = Command::new("git");
            init.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&repository);
            well(init).await?;
        }
        for args in [
            &["add", "--all"][..],
            &["commit", "--quiet", "--allow-empty", "--message", "as it is now"],
        ] {
            let mut git = Command::new("git");
            git.arg("--git-dir").arg(&repository).arg("--work-tree").arg(directory);
            git.args(["-c", "user.name=testbed", "-c", "user.email=testbed@localhost"]);
            well({
                git.args(args);
                git
            })
            .await?;
        }
        Ok(())
    }
}

/// What Argo CD has installed stays; the testbed's own manifests are applied again.
fn put_back(p: &Proof<'_>, git: &Git) {
    let (api, git, installed) = (p.api.clone(), git.clone(), p.bed.etc.join("api.yaml"));
    p.run.put_back("Argo CD's Applications", async move {
        // Without its finalizer an Application leaves what it has installed.
        for application in [APIS, CLAIMS] {
            api.delete(&APPLICATION, Some(ARGO), application).await?;
        }
        let mut apply = Command::new("kubectl");
        apply.args(["apply", "--server-side", "--force-conflicts", "-f"]).arg(installed);
        well(apply).await?;
        for repository in ["platform", CLAIMS] {
            let _ = std::fs::remove_dir_all(git.repository(repository));
        }
        Ok(())
    });
}

async fn application(api: &Api, name: &str) -> Result<Value> {
    api.there(&APPLICATION, Some(ARGO), name).await
}

fn is_synced(application: &Value) -> bool {
    application.text("/status/sync/status") == "Synced"
}

fn is_healthy(application: &Value) -> bool {
    is_synced(application)
        && application.text("/status/health/status") == "Healthy"
        && application.text("/status/operationState/phase") == "Succeeded"
}

/// Its resources of a kind, as sync status and health.
fn resources(application: &Value, kind: &str) -> Vec<String> {
    let of_kind =
        application.list("/status/resources").filter(|resource| resource.text("/kind") == kind);
    let line = |resource: &Value| {
        let health =
            resource.at("/health/status").and_then(Value::as_str).unwrap_or("without health");
        format!("{} {} {health}", resource.text("/name"), resource.text("/status"))
    };
    of_kind.map(line).collect()
}

async fn refresh(p: &Proof<'_>, name: &str) -> Result<()> {
    p.api.annotate(&APPLICATION, Some(ARGO), name, REFRESH, Some("normal")).await
}

/// It comes to be so; what it shows is kept where it does not.
async fn must_be(
    p: &Proof<'_>,
    seconds: u64,
    what: &str,
    name: &str,
    is: impl Fn(&Value) -> bool,
) -> Result<()> {
    let waited = p.must(seconds, what, async || Ok(is(&application(&p.api, name).await?))).await;
    if waited.is_err() {
        let shown = application(&p.api, name).await.unwrap_or_default();
        p.keep("application.json", serde_json::to_string_pretty(&shown)?)?;
    }
    waited
}

/// The commit, not what the checkout happens to hold.
async fn apis(p: &Proof<'_>, git: &Git) -> Result<()> {
    let checkout = p.evidence.join("platform");
    std::fs::create_dir_all(&checkout)?;
    let mut archive = Command::new("bash");
    archive.args([
        "-euo",
        "pipefail",
        "-c",
        "git -C \"$1\" archive HEAD platform | tar -x -C \"$2\"",
        "archive",
    ]);
    archive.arg(&p.bed.repository).arg(&checkout);
    well(archive)
        .await
        .context("the repository is not a git checkout: Argo CD installs commits")?;
    git.serve("platform", &checkout).await?;
    let function = p.api.there(&kinds::FUNCTION, None, "function-event-driven-service").await?;
    // Repository, branch and the function's package are what every installation sets for itself.
    let mut installed = installed_by(p)?;
    merge(&mut installed, &json!({"spec": {"source": {"repoURL": git.url("platform")}}}));
    let patch = installed
        .pointer_mut("/spec/source/kustomize/patches/0/patch")
        .context("no patch of the package")?;
    let package = function.text("/spec/package");
    let lines =
        patch.as_str().unwrap_or_default().lines().map(|line| match line.split_once("value: ") {
            Some((before, _)) => format!("{before}value: {package}\n"),
            None => format!("{line}\n"),
        });
    *patch = json!(lines.collect::<String>());
    p.api.apply(&installed).await?;
    let automated = installed.at("/spec/syncPolicy/automated");
    let in_wave = installed.annotation("argocd.argoproj.io/sync-wave") == Some("1");
    ensure(in_wave && automated == Some(&json!({"prune": true, "selfHeal": true})), || {
        "platform/04-apis.yaml is not in wave 1 with prune and selfHeal".to_owned()
    })?;
    must_be(p, 180, "the Application apis to be Synced and Healthy", APIS, is_healthy).await?;
    let now = application(&p.api, APIS).await?;
    for kind in INSTALLED {
        let found = resources(&now, kind);
        ensure(!found.is_empty(), || format!("the Application apis has no {kind}"))?;
        let well = |line: &String| {
            line.ends_with(" Synced Healthy") || line.ends_with(" Synced without health")
        };
        ensure(found.iter().all(well), || {
            format!("the Application apis: {kind} is not well: {}", found.join("; "))
        })?;
        p.passed(format!("apis: {kind} {}", found.join("; ")));
    }
    Ok(())
}

/// The Application of the API, in Argo CD's namespace.
fn installed_by(p: &Proof<'_>) -> Result<Value> {
    let mut application = manifest(&read(&p.bed.repository.join("platform/04-apis.yaml"))?)?;
    merge(&mut application, &json!({"metadata": {"namespace": ARGO}}));
    Ok(application)
}

/// What somebody changes by hand is put back.
async fn healed(p: &Proof<'_>) -> Result<()> {
    let role = "crossplane-event-driven-services";
    let rules =
        async || Ok::<_, anyhow::Error>(p.object(&CLUSTER_ROLE, role).await?.get("rules").cloned());
    let before = rules().await?;
    ensure(before.is_some(), || format!("the ClusterRole {role} has no rules"))?;
    p.api.patch(&CLUSTER_ROLE, None, role, &json!({"rules": []})).await?;
    p.must(60, "Argo CD to put a changed ClusterRole back", async || Ok(rules().await? == before))
        .await?;
    p.passed("apis: a ClusterRole that was changed by hand is put back");
    Ok(())
}

fn claims_directory(p: &Proof<'_>) -> PathBuf {
    p.evidence.join("claims")
}

/// Claims of a team: one with every form of list that the API server fills in, one that goes again.
async fn claims(p: &Proof<'_>, git: &Git) -> Result<()> {
    p.secret("keys", json!({"url": "x"})).await?;
    let directory = claims_directory(p);
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join("busy.json"), busy(p, &json!({})).to_string())?;
    std::fs::write(directory.join("passing.json"), p.claim("passing", &json!({})).to_string())?;
    git.serve(CLAIMS, &directory).await?;
    let mut teams = installed_by(p)?;
    merge(
        &mut teams,
        &json!({
            "metadata": {"name": CLAIMS},
            "spec": {"source": null, "destination": {"namespace": p.namespace}},
        }),
    );
    let source = json!({"repoURL": git.url(CLAIMS), "targetRevision": "main", "path": "."});
    merge(&mut teams, &json!({"spec": {"source": source}}));
    p.api.apply(&teams).await?;
    must_be(p, 120, "the Application claims to be Synced", CLAIMS, is_synced).await?;
    p.becomes_ready("busy").await?;
    must_be(p, 60, "the Application claims to be Healthy", CLAIMS, is_healthy).await?;
    shown(p, "").await?;
    std::fs::remove_file(directory.join("passing.json"))?;
    git.serve(CLAIMS, &directory).await?;
    refresh(p, CLAIMS).await?;
    p.must(120, "the claim that git no longer has to go", async || {
        Ok(!p.has(&kinds::CLAIM, "passing").await?)
    })
    .await?;
    p.passed("claims: what git no longer has is deleted");
    Ok(())
}

fn busy(p: &Proof<'_>, change: &Value) -> Value {
    let references = json!([{"name": "keys", "env": [{"secretKey": "url", "envName": "URL"}]}]);
    let mut claim = p.claim(
        "busy",
        &json!({"spec": {
            "scaling": {"maxReplicas": 3}, "env": [{"name": "A", "value": "b"}],
            "secretRefs": references,
        }}),
    );
    merge(&mut claim, change);
    claim
}

async fn shown(p: &Proof<'_>, before: &str) -> Result<()> {
    let now = application(&p.api, CLAIMS).await?;
    p.passed(format!("claims: {before}{}", resources(&now, "EventDrivenService").join("; ")));
    Ok(())
}

/// The claim's health is its own word.
async fn health(p: &Proof<'_>, git: &Git) -> Result<()> {
    let directory = claims_directory(p);
    let file = directory.join("busy.json");
    let nowhere = json!({"spec": {"image": "registry.example.com/proofs/nowhere:1.0.0"}});
    std::fs::write(&file, busy(p, &nowhere).to_string())?;
    git.serve(CLAIMS, &directory).await?;
    refresh(p, CLAIMS).await?;
    must_be(p, 120, "Argo CD to show the claim Degraded", CLAIMS, |application| {
        application.text("/status/health/status") == "Degraded"
    })
    .await?;
    must_be(p, 60, "Argo CD to show busy Degraded", CLAIMS, |application| {
        resources(application, "EventDrivenService")
            .iter()
            .any(|line| line.contains("busy Synced Degraded"))
    })
    .await?;
    shown(p, "an image that cannot be pulled is ").await?;
    std::fs::write(&file, busy(p, &json!({})).to_string())?;
    git.serve(CLAIMS, &directory).await?;
    refresh(p, CLAIMS).await?;
    must_be(p, 180, "the Application claims to recover", CLAIMS, is_healthy).await?;
    p.passed("claims: mended in git, and Healthy");
    Ok(())
}

async fn scaled_out(p: &Proof<'_>, comparisons: u64) -> Result<()> {
    p.publish(15).await?;
    p.must_scale(90, "busy to scale to 3", "busy", 3).await?;
    p.must(90, "busy's 3 pods", async || p.available("busy").await).await?;
    p.passed("busy: 1 to 3 on 15 messages");
    must_be(p, 60, "the Application claims to be Synced at 3 replicas", CLAIMS, is_healthy).await?;
    let before = writes(p).await?;
    let mut seen = BTreeSet::new();
    for _ in 0..comparisons {
        for name in [CLAIMS, APIS] {
            refresh(p, name).await?;
        }
        for name in [CLAIMS, APIS] {
            let refreshed = |application: &Value| {
                application.annotation("argocd.argoproj.io/refresh").is_none()
            };
            must_be(p, 30, "Argo CD to have compared", name, refreshed).await?;
        }
        let claims = is_synced(&application(&p.api, CLAIMS).await?);
        let apis = is_synced(&application(&p.api, APIS).await?);
        seen.insert((p.replicas("busy").await?, claims, apis));
    }
    if seen != BTreeSet::from([(3, true, true)]) {
        return failed(format!("replicas, claims Synced, apis Synced: {seen:?}"));
    }
    let after = writes(p).await?;
    ensure(after == before, || {
        format!("Deployment's generation, claim's generation, syncs were {before:?}, are {after:?}")
    })?;
    p.passed(format!(
        "busy: 3 replicas, both Applications Synced and nothing written in {comparisons} \
         comparisons by Argo CD"
    ));
    p.purge().await?;
    p.must_scale(120, "busy to scale back", "busy", 1).await?;
    must_be(p, 60, "the Application claims to be Synced at 1 replica", CLAIMS, is_synced).await?;
    p.passed("busy: back to 1, and Synced");
    Ok(())
}

/// The Deployment's generation, the claim's, and how often was synced.
async fn writes(p: &Proof<'_>) -> Result<[i64; 3]> {
    let generation = "/metadata/generation";
    let (deployment, claim) = (p.deployment("busy").await?, p.claim_now("busy").await?);
    let syncs = application(&p.api, CLAIMS).await?.list("/status/history").count();
    Ok([deployment.number(generation), claim.number(generation), i64::try_from(syncs)?])
}
