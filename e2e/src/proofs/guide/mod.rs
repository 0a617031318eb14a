//! What the pages of the API tell people to do, done.
//!
//! ```text
//! pages        blocks of the pages, commands as a person types them, and what they print
//! troubles     each trouble of the troubleshooting page: made, diagnosed, recorded, mended
//! secrets      Secrets as Crossplane and External Secrets Operator make them, and their rotation
//! operations   a changed Composition; claims that were lost
//! ```

mod operations;
mod pages;
mod secrets;
mod troubles;

use std::time::Duration;

use anyhow::{Context, Result};
use eds_cluster::{kinds, nats};
use serde_json::{Value, json};
use tokio::process::Command;

use super::Worker;
use crate::claim::merge;
use crate::proof::{NATS, Place, Proof, carry_out_at, ensure, manifest, read, say};
use crate::testbed::well;
use pages::{Transcript, block};

/// What platform/04-apis and its docs tell people to do, done: the first claim, every trouble of the troubleshooting
/// page made, diagnosed and mended, Secrets as Crossplane and External Secrets Operator make them, their rotation, and
/// what the page on operations promises. The claims and manifests are the pages' own.
///
/// EDS_GUIDE_RECORD=yes also writes platform/04-apis/tests/recorded/guide, which the pages show: what was typed, and
/// what was printed. Without the part external-secrets (testbed/build-parts external-secrets) its operator is left
/// out, loudly. Taints and quotas that it sets are gone at its end.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
    /// Only these parts.
    #[arg(value_name = "PART", value_parser = PARTS)]
    parts: Vec<String>,
}

const PARTS: [&str; 5] = ["first", "troubles", "refused", "secrets", "operations"];

/// The pages' own names, so that what is recorded can be read.
const NAMESPACE: &str = "shop";
const STREAM: &str = "ORDERS";
const IMAGE: &str = "registry.example.com/shop/orders:1.4.2";
const CLAIM: &str = "orders";
const README: &str = "README.md";
const CLAIM_FILE: &str = "orders-claim.yaml";

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out_at("guide", Place { fixed: Some((NAMESPACE, STREAM, IMAGE)) }, async |p| {
        p.nats().await?.ask(format!("STREAM.DELETE.{STREAM}"), &[10059]).await?;
        p.run.ensure(&NATS.into(), STREAM, CLAIM, nats::Settings::default()).await?;
        p.bed.worker(IMAGE, &args.worker.worker).await?;
        for directory in ["work", "recorded"] {
            std::fs::create_dir_all(p.evidence.join(directory))?;
        }
        let guide = Guide { p };
        guide.block(README, CLAIM_FILE)?;
        for part in PARTS {
            if !args.parts.is_empty() && !args.parts.iter().any(|chosen| chosen == part) {
                continue;
            }
            match part {
                "first" => guide.first().await?,
                "troubles" => guide.troubles().await?,
                "refused" => guide.refused().await?,
                "secrets" => guide.secrets().await?,
                _ => guide.operations().await?,
            }
        }
        if std::env::var("EDS_GUIDE_RECORD").is_ok_and(|record| record == "yes") {
            guide.record()?;
        }
        Ok(())
    })
    .await
}

/// The pages, followed.
struct Guide<'a> {
    p: &'a Proof<'a>,
}

impl Guide<'_> {
    /// A page's YAML block whose first line names the file; written into the work folder.
    fn block(&self, page: &str, file: &str) -> Result<()> {
        let text = read(&self.p.bed.api(page))?;
        let found = block(&text, file).with_context(|| format!("{page} has no block {file}"))?;
        self.p.keep(&format!("work/{file}"), found)?;
        Ok(())
    }

    /// A manifest of the work folder.
    fn written(&self, file: &str) -> Result<Value> {
        manifest(&read(&self.p.evidence.join("work").join(file))?)
    }

    /// The first page's claim, changed.
    fn orders(&self, change: &Value) -> Result<Value> {
        let mut claim = self.written(CLAIM_FILE)?;
        merge(&mut claim, change);
        Ok(claim)
    }

    async fn apply_orders(&self, change: &Value) -> Result<()> {
        self.p.api.apply(&self.orders(change)?).await.context("the API server refuses the claim")
    }

    async fn no_orders(&self) -> Result<()> {
        self.p.api.end(&kinds::CLAIM, Some(NAMESPACE), CLAIM, Duration::from_secs(90)).await
    }

    async fn again(&self, change: &Value) -> Result<()> {
        self.no_orders().await?;
        self.apply_orders(change).await
    }

    async fn fine(&self, seconds: u64) -> Result<()> {
        self.p.becomes_ready_within(CLAIM, seconds).await
    }

    fn transcript(&self, name: &str) -> Transcript {
        Transcript::new(&self.p.evidence, name)
    }

    async fn first(&self) -> Result<()> {
        let mut first = self.transcript("first");
        first.typed("kubectl apply -f orders-claim.yaml").await?;
        first.typed("kubectl -n shop wait --for=condition=Ready --timeout=120s eds/orders").await?;
        first.typed("kubectl -n shop get eds").await?;
        self.p.is_ready(CLAIM).await?;
        self.p.passed(format!("the first claim: {}", first.last_line()));
        let mut composed = self.transcript("composed");
        let made = "serviceaccounts,deployments,services,scaledobjects,pods \
                    -l app.kubernetes.io/name=orders";
        composed.typed(&format!("kubectl -n shop get {made}")).await
    }

    /// A worker of that name, written by hand.
    async fn refused(&self) -> Result<()> {
        let p = self.p;
        self.no_orders().await?;
        for command in [
            "deployment orders --image=registry.example.com/shop/orders:1.4.2",
            "service clusterip orders --tcp=80:8080",
        ] {
            let mut create = Command::new("kubectl");
            create.args(["-n", NAMESPACE, "create"]).args(command.split(' '));
            well(create).await?;
        }
        let mut refused = self.transcript("refused");
        refused.typed("kubectl apply -f orders-claim.yaml").await?;
        p.must_say(60, CLAIM, "NameTaken", "Deployment orders").await?;
        refused.typed(MESSAGE).await?;
        p.must_diagnose(60, "eds doctor to say so", CLAIM, "was not made by it").await?;
        refused.typed("eds doctor shop/orders | head -n 5").await?;
        self.no_orders().await?;
        refused.typed("kubectl -n shop get deployments,services").await?;
        let there = refused.text().lines().any(|line| line.starts_with("deployment.apps/orders"));
        ensure(there, || "the hand-written Deployment is gone".to_owned())?;
        p.passed("refused: a hand-written Deployment and Service are untouched");
        p.api.delete(&kinds::DEPLOYMENT, Some(NAMESPACE), CLAIM).await?;
        p.api.delete(&kinds::SERVICE, Some(NAMESPACE), CLAIM).await
    }

    fn record(&self) -> Result<()> {
        let kept = self.p.bed.api("tests/recorded/guide");
        std::fs::create_dir_all(&kept)?;
        for entry in std::fs::read_dir(self.p.evidence.join("recorded"))? {
            let entry = entry?;
            std::fs::copy(entry.path(), kept.join(entry.file_name()))?;
        }
        say("recorded in platform/04-apis/tests/recorded/guide");
        Ok(())
    }
}

/// What the claim says, typed.
const MESSAGE: &str = r#"kubectl -n shop get eds orders -o jsonpath='{.status.message}{"\n"}'"#;

/// A Secret of the namespace.
async fn secret(p: &Proof<'_>, name: &str, key: &str, value: &str) -> Result<()> {
    let mut data = serde_json::Map::new();
    data.insert(key.to_owned(), json!(value));
    p.secret(name, Value::Object(data)).await
}
