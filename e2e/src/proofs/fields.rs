//! What a claim can ask for beside the least, seen at the pods.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use eds_cluster::{kinds, nats};
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::sleep;

use super::Worker;
use crate::claim::has;
use crate::proof::{NATS, Proof, carry_out, ensure};
use crate::testbed::{both, output, running};

/// What a claim can ask for beside the least, seen at the pods: a worker that takes 90 s to start is not killed, one
/// without a server runs, files of Secrets are there, a disruption budget holds back an eviction, the autoscaler
/// keeps to its behavior, a time of day scales beside the queue, a pause is said and ends, a changed Secret replaces
/// the pods.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these parts, in their order; all without it.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    worker: Worker,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    SlowStart,
    WithoutServer,
    Files,
    DisruptionBudget,
    Behavior,
    Cron,
    Paused,
    SecretChange,
}

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("fields", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        for part in <Part as clap::ValueEnum>::value_variants() {
            if !args.only.is_empty() && !args.only.contains(part) {
                continue;
            }
            match part {
                Part::SlowStart => slow(p).await?,
                Part::WithoutServer => without_server(p).await?,
                Part::Files => files(p).await?,
                Part::DisruptionBudget => budget(p).await?,
                Part::Behavior => behavior(p).await?,
                Part::Cron => time_of_day(p).await?,
                Part::Paused => paused(p).await?,
                Part::SecretChange => secret_change(p).await?,
            }
        }
        Ok(())
    })
    .await
}

/// The pods of a claim that are not being stopped.
async fn pods(p: &Proof<'_>, claim: &str) -> Result<Vec<Value>> {
    let label = format!("app.kubernetes.io/name={claim}");
    let mut pods = p.api.list(&kinds::POD, Some(&p.namespace), &label).await?;
    pods.retain(|pod| pod.at("/metadata/deletionTimestamp").is_none());
    Ok(pods)
}

fn restarts(pods: &[Value]) -> i64 {
    pods.iter().flat_map(|pod| pod.list("/status/containerStatuses")).fold(0, |sum, status| {
        sum.saturating_add(status.integer("/restartCount").unwrap_or_default())
    })
}

/// Both are asked for their liveness at /ready, where the worker answers 503 until its consumer is there: 90 s.
async fn slow(p: &Proof<'_>) -> Result<()> {
    let claim = |health: Value| {
        json!({"spec": {
            "nats": {"consumer": "slow"},
            "health": health,
        }})
    };
    p.apply_claim("slow", claim(json!({"livenessPath": "/ready", "startupSeconds": 120}))).await?;
    p.apply_claim("hasty", claim(json!({"livenessPath": "/ready"}))).await?;
    p.must(60, "both pods to run", async || {
        let (slow, hasty) = (pods(p, "slow").await?, pods(p, "hasty").await?);
        let runs = |pods: &[Value]| {
            pods.first().is_some_and(|pod| running(pod, "containerStatuses").is_some())
        };
        Ok(runs(&slow) && runs(&hasty))
    })
    .await?;
    sleep(Duration::from_secs(90)).await;
    let killed = restarts(&pods(p, "hasty").await?);
    ensure(killed > 0, || "hasty was not restarted in 90 s: the probe does not fail".to_owned())?;
    p.run.ensure(&NATS.into(), &p.stream, "slow", nats::Settings::default()).await?;
    p.becomes_ready("slow").await?;
    let restarted = restarts(&pods(p, "slow").await?);
    ensure(restarted == 0, || format!("slow was restarted {restarted} times"))?;
    p.passed(format!(
        "slow: Ready after 90 s without a restart; without startupSeconds the pod was killed \
         {killed} times"
    ));
    p.end_claim("hasty").await?;
    p.end_claim("slow").await
}

async fn without_server(p: &Proof<'_>) -> Result<()> {
    let change = json!({"spec": {
        "health": {"http": false},
        "env": [{"name": "WORKER_HTTP_ADDRESS", "value": "127.0.0.1:8080"}],
    }});
    p.apply_claim("quiet", change).await?;
    p.becomes_ready("quiet").await?;
    ensure(!p.has(&kinds::SERVICE, "quiet").await?, || "quiet has a Service".to_owned())?;
    let pod = pods(p, "quiet").await?.into_iter().next().context("quiet has no pod")?;
    for field in ["ports", "livenessProbe", "readinessProbe"] {
        let there = pod.at(&format!("/spec/containers/0/{field}"));
        ensure(there.is_none(), || format!("quiet's container has {field}"))?;
    }
    p.passed("quiet: Ready without a server, port, probe or Service");
    let (is_well, check) = p.diagnosis("quiet").await?;
    ensure(is_well, || format!("eds doctor finds something wrong with quiet: {check}"))?;
    p.passed(format!("quiet, eds doctor: {}", check.text("/detail")));
    p.end_claim("quiet").await
}

async fn files(p: &Proof<'_>) -> Result<()> {
    p.secret("user", json!({"nats.creds": "the credentials", "other": "not mounted"})).await?;
    let change = json!({"spec": {
        "files": [{"secret": "user", "mountPath": "/etc/user", "items": [
            {"key": "nats.creds", "path": "nats.creds"},
        ]}],
    }});
    p.apply_claim("files", change).await?;
    p.becomes_ready("files").await?;
    let pod = pods(p, "files").await?.into_iter().next().context("files has no pod")?;
    let container = running(&pod, "containerStatuses").context("files does not run")?;
    let process = p.bed.process(&container).await?;
    let root = format!("/proc/{process}/root/etc/user");
    let text = tokio::fs::read_to_string(format!("{root}/nats.creds")).await?;
    ensure(text == "the credentials", || format!("the file says {text:?}"))?;
    let other = tokio::fs::try_exists(format!("{root}/other")).await?;
    ensure(!other, || "a key that is not listed is a file as well".to_owned())?;
    let status = tokio::fs::read_to_string(format!("/proc/{process}/status")).await?;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let (user, groups) = (line("Uid:"), line("Groups:"));
    ensure(groups.contains(&"1000".to_owned()), || format!("the worker's groups are {groups:?}"))?;
    let mode = std::os::unix::fs::MetadataExt::mode(
        &tokio::fs::metadata(format!("{root}/nats.creds")).await?,
    ) & 0o777;
    ensure(mode == 0o440, || format!("the file's mode is {mode:o}"))?;
    p.passed(format!(
        "files: the Secret's key is a file of mode 0440, readable to user {}",
        user.first().map_or("", String::as_str)
    ));
    p.end_claim("files").await
}

/// What the API server answers to an eviction of the claim's pod: an empty text is yes. By kubectl, because kube's
/// client takes a no (429) for a server that is too busy, and asks again without end.
async fn evict(p: &Proof<'_>, claim: &str) -> Result<String> {
    let pod =
        pods(p, claim).await?.into_iter().next().with_context(|| format!("{claim}: no pod"))?;
    let body = json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": pod.name(), "namespace": p.namespace},
    });
    let body = p.keep("eviction.json", body.to_string())?;
    let url = format!("/api/v1/namespaces/{}/pods/{}/eviction", p.namespace, pod.name());
    let mut command = Command::new("kubectl");
    command.args(["create", "--raw", &url, "-f"]).arg(&body);
    let answer = output(&mut command).await?;
    Ok(if answer.status.success() { String::new() } else { both(&answer) })
}

async fn budget(p: &Proof<'_>) -> Result<()> {
    let change = |budget: Value| json!({"spec": {"disruptionBudget": budget}});
    p.apply_claim("kept", change(json!({"minAvailable": 1}))).await?;
    p.becomes_ready("kept").await?;
    p.must(30, "the budget to be counted", async || {
        let budget = p.object(&kinds::DISRUPTION_BUDGET, "kept").await?;
        Ok(budget.integer("/status/currentHealthy") == Some(1))
    })
    .await?;
    let answer = evict(p, "kept").await?;
    ensure(answer.contains("disruption budget"), || {
        format!("the eviction was answered {answer:?}")
    })?;
    p.passed("kept: an eviction is refused while the budget needs the pod");
    p.apply_claim("kept", change(json!({"maxUnavailable": 1}))).await?;
    let budget = p.object(&kinds::DISRUPTION_BUDGET, "kept").await?;
    p.must(60, "an eviction to be allowed", async || Ok(evict(p, "kept").await?.is_empty()))
        .await
        .with_context(|| format!("{budget}"))?;
    p.passed("kept: with maxUnavailable 1 the eviction is allowed");
    p.end_claim("kept").await
}

/// One pod in 15 s, where the autoscaler would add four at once.
async fn behavior(p: &Proof<'_>) -> Result<()> {
    let policies = json!([{"type": "Pods", "value": 1, "periodSeconds": 15}]);
    let change = json!({"spec": {"scaling": {
        "maxReplicas": 4, "pollingInterval": 5, "behavior": {"scaleUp": {"policies": policies}},
    }}});
    p.apply_claim("steady", change).await?;
    p.becomes_ready("steady").await?;
    let steps = async {
        p.publish(40).await?;
        p.must_scale(180, "steady to scale to 4", "steady", 4).await
    };
    let seen =
        p.all_along(Duration::from_millis(300), async || p.replicas("steady").await, steps).await?;
    let mut curve = seen.clone();
    curve.dedup();
    // The looks may end before they have seen the fourth, which the steps have.
    ensure(curve.starts_with(&[1, 2, 3]) && curve.len() <= 4, || {
        format!("replicas went {curve:?}")
    })?;
    let looks: Vec<usize> = [2, 3].map(|n| seen.iter().filter(|seen| **seen == n).count()).to_vec();
    p.passed(format!("steady: replicas went {curve:?}, {looks:?} looks of 0.3 s at 2 and 3"));
    p.purge().await?;
    p.end_claim("steady").await
}

/// The minute that follows in some minutes, as cron has it.
fn minute(in_minutes: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{} * * * *", (now.as_secs() / 60 + in_minutes) % 60)
}

async fn time_of_day(p: &Proof<'_>) -> Result<()> {
    let change = json!({"spec": {"scaling": {
        "maxReplicas": 3, "pollingInterval": 5,
        "cron": [{"timezone": "UTC", "start": minute(2), "end": minute(20), "replicas": 2}],
    }}});
    p.apply_claim("clock", change).await?;
    p.becomes_ready("clock").await?;
    let before = p.replicas("clock").await?;
    ensure(before == 1, || format!("clock has {before} replicas before its time"))?;
    p.must_scale(240, "clock to scale to 2 at its time", "clock", 2).await?;
    p.publish(15).await?;
    p.must_scale(120, "clock to scale to 3 by the queue", "clock", 3).await?;
    p.passed("clock: 1 before its time, 2 from then on, 3 by the queue beside it");
    p.purge().await?;
    p.end_claim("clock").await
}

async fn paused(p: &Proof<'_>) -> Result<()> {
    let change = |scaling: Value| json!({"spec": {"scaling": scaling}});
    let scaling = json!({"maxReplicas": 3, "pollingInterval": 5, "paused": true});
    p.apply_claim("pause", change(scaling)).await?;
    p.must(60, "pause to be Ready, and Paused by its claim", async || {
        let claim = p.claim_now("pause").await?;
        let says = p.message("pause").await.contains("scaling is paused by spec.scaling.paused");
        Ok(has(&claim, "WorkerAvailable", "True", "Paused") && says)
    })
    .await?;
    p.publish(15).await?;
    sleep(Duration::from_secs(30)).await;
    let replicas = p.replicas("pause").await?;
    ensure(replicas == 1, || format!("pause has {replicas} replicas while paused"))?;
    p.passed(format!("pause: 1 pod for 15 messages; {}", p.message("pause").await));
    let (_, check) = p.diagnosis("pause").await?;
    p.passed(format!("pause, eds doctor: {}", crate::eds::first_line(&check)));
    p.apply_claim("pause", change(json!({"maxReplicas": 3, "pollingInterval": 5}))).await?;
    p.must_scale(120, "pause to scale to 3 once resumed", "pause", 3).await?;
    p.must(60, "pause to be Ready, and no longer paused", async || {
        let claim = p.claim_now("pause").await?;
        Ok(has(&claim, "Ready", "True", "") && !has(&claim, "WorkerAvailable", "True", "Paused"))
    })
    .await?;
    p.passed("pause: resumed, 3 pods");
    p.purge().await?;
    p.end_claim("pause").await
}

async fn secret_change(p: &Proof<'_>) -> Result<()> {
    const SECRET: &str = "hunter2-hunter2";
    p.secret("rotated", json!({"PASSWORD": "old"})).await?;
    let change = json!({"spec": {
        "secretRefs": [{"name": "rotated", "envFrom": true}],
        "rollout": {"restartOnSecretChange": true},
    }});
    p.apply_claim("restart", change).await?;
    p.becomes_ready("restart").await?;
    let version = async || {
        let deployment = p.deployment("restart").await?;
        let place = "/spec/template/metadata/annotations/platform.bizmatters.io~1secrets-version";
        Ok::<_, anyhow::Error>(deployment.text(place).to_owned())
    };
    let before = version().await?;
    ensure(!before.is_empty(), || "the pod template has no version of the Secrets".to_owned())?;
    // A minute of rest shows that nothing restarts by itself.
    let generation = p.deployment("restart").await?.integer("/metadata/generation");
    sleep(Duration::from_secs(45)).await;
    let later = p.deployment("restart").await?.integer("/metadata/generation");
    ensure(generation == later, || {
        "the Deployment changed without a change of the Secret".to_owned()
    })?;
    p.secret("rotated", json!({"PASSWORD": SECRET})).await?;
    p.must(60, "the pod template to change with the Secret", async || {
        Ok(version().await? != before)
    })
    .await?;
    p.must(120, "the new pod to have the new value", async || {
        let pods = pods(p, "restart").await?;
        let [pod] = pods.as_slice() else { return Ok(false) };
        let Some(container) = running(pod, "containerStatuses") else { return Ok(false) };
        let environment: BTreeMap<_, _> = p.bed.environment(&container).await?;
        Ok(environment.get("PASSWORD").is_some_and(|value| value == SECRET))
    })
    .await?;
    let composite = p.composite("restart").await?;
    let mut public = vec![
        p.claim_now("restart").await?,
        p.object(p.composite_kind(), &composite).await?,
        p.deployment("restart").await?,
    ];
    public.extend(p.objects_of("restart").await?);
    let shown = json!(public).to_string();
    ensure(!shown.contains(SECRET) && !shown.contains("aHVudGVyMi1odW50ZXIy"), || {
        "the Secret's value is in the claim, the composite or what it made".to_owned()
    })?;
    p.passed(
        "restart: a changed Secret replaced the pod once, within a minute; its value is nowhere \
         else",
    );
    p.end_claim("restart").await
}
