//! The consumer that does not exist yet: a claim has NATS' own controller make it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::Worker;
use crate::proof::{Proof, carry_out, ensure};
use crate::testbed::well;

/// The consumer that does not exist yet: a claim has NATS' own controller NACK make it, and the stream if it asks for
/// that. Without NACK's CRDs the claim says so. A service at zero pods wakes up for its first message. With the claim's
/// deletion the consumer stays, or goes where the claim asks for that; the stream stays.
///
/// NACK is in no registry that the testbed builds from: the proof needs its program `jetstream-controller` on PATH, and
/// takes its CRDs from the file that EDS_NACK_CRDS names (otherwise those of tests/conformance/crds).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

const CONTROLLER: &str = "jetstream-controller";
/// The consumer that claims of this proof have made.
const MADE: &str = "made";

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("create", async |p| {
        let Some(controller) = on_path(CONTROLLER) else {
            bail!("NOT TRIED: NACK's {CONTROLLER} is not on PATH, so nothing makes consumers here");
        };
        p.bed.worker(&p.image, &args.worker.worker).await?;
        without_nack(p).await?;
        let nack = Nack::runs(p, &controller).await?;
        let made = wakes(p).await;
        let deleted = if made.is_ok() { deleted(p).await } else { Ok(()) };
        nack.ends().await?;
        made.and(deleted)
    })
    .await
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A claim that has its consumer made, and sleeps until a message waits.
fn claim(create: &Value) -> Value {
    json!({"spec": {
        "nats": {"consumer": MADE, "create": create},
        "scaling": {"minReplicas": 0, "pollingInterval": 5, "cooldownPeriod": 10},
    }})
}

async fn without_nack(p: &Proof<'_>) -> Result<()> {
    p.apply_claim("wake", claim(&json!({"consumer": {}}))).await?;
    p.must_say(60, "wake", "NackMissing", "needs NATS' controller NACK").await?;
    p.passed(format!("wake, without NACK: {}", p.message("wake").await));
    Ok(())
}

/// NACK, as a process of the node, with its CRDs and the rights of our component.
struct Nack {
    child: Child,
    files: Vec<PathBuf>,
}

impl Nack {
    async fn runs(p: &Proof<'_>, controller: &Path) -> Result<Self> {
        let crds = match std::env::var_os("EDS_NACK_CRDS") {
            Some(file) => PathBuf::from(file),
            None => p.bed.api("../../tests/conformance/crds"),
        };
        let files = vec![crds, p.bed.api("components/nack/rbac.yaml")];
        for file in &files {
            let mut apply = Command::new("kubectl");
            apply.args(["apply", "--server-side", "-f"]).arg(file);
            well(apply).await?;
        }
        let mut wait = Command::new("kubectl");
        wait.args(["wait", "--for=condition=Established", "--timeout=30s"]);
        wait.args(["crd/consumers.jetstream.nats.io", "crd/streams.jetstream.nats.io"]);
        well(wait).await?;
        let service = p.api.there(&kinds::SERVICE, Some("nats"), "nats").await?;
        let url = format!("nats://{}:4222", service.text("/spec/clusterIP"));
        let log = std::fs::File::create(p.evidence.join("nack.log"))?;
        let mut command = Command::new(controller);
        // Its other mode sets no finalizer, so it never learns that a resource is deleted.
        command.args(["-control-loop", "-s", &url, "-namespace", &p.namespace]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn().context("NACK cannot be run")?;
        Ok(Self { child, files })
    }

    async fn ends(mut self) -> Result<()> {
        self.child.kill().await?;
        for file in &self.files {
            let mut delete = Command::new("kubectl");
            delete.args(["delete", "--wait=false", "--ignore-not-found", "-f"]).arg(file);
            well(delete).await?;
        }
        Ok(())
    }
}

async fn consumer_is_there(p: &Proof<'_>) -> Result<bool> {
    Ok(p.nats().await?.consumer(&p.stream, MADE).await?.is_some())
}

/// The claim is Ready, whether or not a pod runs.
async fn awake_or_asleep(p: &Proof<'_>, claim: &str) -> Result<()> {
    p.must(120, format!("{claim} to be Ready"), async || p.ready(claim).await).await
}

async fn wakes(p: &Proof<'_>) -> Result<()> {
    p.must(90, "NACK to make the consumer", async || consumer_is_there(p).await).await?;
    awake_or_asleep(p, "wake").await?;
    p.must_scale(90, "wake to sleep", "wake", 0).await?;
    p.passed("wake: the consumer is made, KEDA reads its lag, and no pod runs");
    let info = p.nats().await?.consumer(&p.stream, MADE).await?.context("the consumer is gone")?;
    let config = &info.config;
    ensure(config.ack_wait.as_secs() == 30, || format!("its ackWait is {:?}", config.ack_wait))?;
    p.publish(3).await?;
    p.must(120, "wake to wake up", async || Ok(p.replicas("wake").await? > 0)).await?;
    p.must(90, "its pod to take the messages", async || {
        let info = p.nats().await?.consumer(&p.stream, MADE).await?;
        Ok(info.is_some_and(|info| info.num_ack_pending > 0))
    })
    .await?;
    p.passed("wake: 3 messages wake it up, and its pod takes them");
    p.purge().await
}

async fn deleted(p: &Proof<'_>) -> Result<()> {
    p.end_claim("wake").await?;
    ensure(consumer_is_there(p).await?, || "the consumer went with the claim".to_owned())?;
    p.passed("wake: deleted; the consumer stays, as nobody asked otherwise");

    let create = json!({"consumer": {"reclaimPolicy": "Delete"}});
    p.apply_claim("gone", claim(&create)).await?;
    awake_or_asleep(p, "gone").await?;
    p.end_claim("gone").await?;
    p.must(60, "the consumer to go with its claim", async || Ok(!consumer_is_there(p).await?))
        .await?;
    p.passed("gone: deleted; its consumer goes with it, because the claim asks for that");

    let stream = format!("{}_OWN", p.stream);
    let subject = format!("{}.>", stream.to_lowercase());
    let mut own = claim(&json!({"consumer": {}, "stream": {"subjects": [subject]}}));
    crate::claim::merge(&mut own, &json!({"spec": {"nats": {"stream": stream}}}));
    p.apply_claim("own", own).await?;
    awake_or_asleep(p, "own").await?;
    p.end_claim("own").await?;
    let connection = p.nats().await?;
    let there = connection.ask(format!("STREAM.INFO.{stream}"), &[10059]).await?.is_some();
    connection.ask(format!("STREAM.DELETE.{stream}"), &[10059]).await?;
    ensure(there, || "the stream went with the claim".to_owned())?;
    p.passed("own: its stream was made with its consumer, and stays when the claim is deleted");
    Ok(())
}
