//! A run that is interrupted leaves nothing.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::json;
use tokio::process::{Child, Command};

use super::NoWorker;
use crate::eds::command;
use crate::proof::{Proof, carry_out, ensure, failed, read};
use crate::testbed::well;

/// A run of `eds verify` that is interrupted leaves nothing: namespace, claim, composite, stream. A second
/// interruption ends it at once, and it says what is left.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    _worker: NoWorker,
}

pub(crate) async fn run(_: &Args) -> Result<()> {
    carry_out("interruption", async |p| {
        for signal in ["INT", "TERM"] {
            let mut run = Interrupted::starts(p, signal).await?;
            run.signal(signal).await?;
            run.ends(p, &format!("eds: ended by SIG{signal}")).await?;
            run.must_leave_nothing(p, 60).await?;
            p.passed(format!(
                "SIG{signal}: exit status 2, and nothing is left: namespace, claim, composite, \
                 Objects, stream"
            ));
        }
        twice(p).await
    })
    .await
}

async fn twice(p: &Proof<'_>) -> Result<()> {
    let mut run = Interrupted::starts(p, "twice").await?;
    run.signal("INT").await?;
    p.must(5, "it to say what it does", async || {
        Ok(run.printed(p)?.contains("SIGINT: cleaning up; a second one leaves everything there"))
    })
    .await?;
    run.signal("INT").await?;
    let left = format!("ended by SIGINT while cleaning up: delete namespace {}", run.space);
    run.ends(p, &left).await?;
    ensure(p.api.get(&kinds::NAMESPACE, None, &run.space).await?.is_some(), || {
        format!("{} is gone, though the run was told to leave it", run.space)
    })?;
    let printed = run.printed(p)?;
    let said = printed.lines().find(|line| line.contains("while cleaning up")).unwrap_or_default();
    p.passed(format!("SIGINT twice: {said}"));
    run.clean(p).await?;
    run.must_leave_nothing(p, 90).await
}

/// A run in the background, as far as the claim's Deployment. Its image does not exist, so it waits there.
struct Interrupted {
    child: Child,
    pid: u32,
    what: &'static str,
    /// Its namespace.
    space: String,
    /// Its stream.
    stream: String,
}

impl Interrupted {
    async fn starts(p: &Proof<'_>, what: &'static str) -> Result<Self> {
        let stream = format!("{}_{}", p.stream, what.to_uppercase());
        let claim = p.claim(
            "interrupted",
            &json!({
                "metadata": {"namespace": null},
                "spec": {"image": "registry.example.com/proofs/nowhere:1.0.0",
                "nats": {"stream": stream}},
            }),
        );
        let claim = p.keep(&format!("{what}.json"), claim.to_string())?;
        let (claim, evidence) = (claim.to_string_lossy(), p.evidence.join(what));
        let mut eds =
            command(&["verify", "deployment", "--ready", "--timeout", "300", "--evidence"])?;
        eds.arg(evidence).arg(claim.as_ref());
        let out = std::fs::File::create(p.evidence.join(format!("{what}.out")))?;
        eds.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).kill_on_drop(true);
        let child = eds.spawn().context("eds cannot be run")?;
        let pid = child.id().context("eds ended at once")?;
        let (begin, end) = ("eds-deployment-", format!("-{pid}"));
        let space = p
            .must_find(30, "the run's namespace", async || {
                let all = p.api.list(&kinds::NAMESPACE, None, "").await?;
                let mut names = all.iter().map(Fields::name);
                let found = names.find(|name| name.starts_with(begin) && name.ends_with(&end));
                Ok(found.map(str::to_owned))
            })
            .await?;
        p.must(60, "the claim's Deployment", async || {
            Ok(p.api.get(&kinds::DEPLOYMENT, Some(&space), "interrupted").await?.is_some())
        })
        .await?;
        let run = Self { child, pid, what, space, stream };
        ensure(run.has_stream(p).await?, || "the run has not made its stream".to_owned())?;
        Ok(run)
    }

    async fn has_stream(&self, p: &Proof<'_>) -> Result<bool> {
        // Stream not found.
        Ok(p.nats().await?.ask(format!("STREAM.INFO.{}", self.stream), &[10059]).await?.is_some())
    }

    fn printed(&self, p: &Proof<'_>) -> Result<String> {
        read(&p.evidence.join(format!("{}.out", self.what)))
    }

    async fn signal(&self, signal: &str) -> Result<()> {
        let mut kill = Command::new("kill");
        kill.args([format!("-{signal}"), self.pid.to_string()]);
        well(kill).await.map(drop)
    }

    /// It ends with 2, and says the text.
    async fn ends(&mut self, p: &Proof<'_>, text: &str) -> Result<()> {
        let Ok(ended) = tokio::time::timeout(Duration::from_secs(200), self.child.wait()).await
        else {
            bail!("{}: the run does not end", self.what);
        };
        let (status, printed) = (ended?, self.printed(p)?);
        if status.code() != Some(2) {
            return failed(format!("{}: {status} instead of 2: {printed}", self.what));
        }
        ensure(printed.contains(text), || {
            format!("{}: it does not say '{text}': {printed}", self.what)
        })
    }

    async fn must_leave_nothing(&self, p: &Proof<'_>, seconds: u64) -> Result<()> {
        let ours = format!("crossplane.io/claim-namespace={}", self.space);
        p.must(seconds, format!("nothing of {} to be left", self.space), async || {
            let namespace = p.api.get(&kinds::NAMESPACE, None, &self.space).await?;
            let composites = p.api.list(&kinds::COMPOSITE, None, &ours).await?;
            let objects = p.api.list(&kinds::OBJECT, None, &ours).await?;
            let nothing = namespace.is_none() && composites.is_empty() && objects.is_empty();
            Ok(nothing && !self.has_stream(p).await?)
        })
        .await
    }

    /// What the run was told to leave.
    async fn clean(&self, p: &Proof<'_>) -> Result<()> {
        let here = Some(self.space.as_str());
        for claim in p.api.list(&kinds::CLAIM, here, "").await? {
            p.api.end(&kinds::CLAIM, here, claim.name(), Duration::from_secs(90)).await?;
        }
        p.api.delete(&kinds::NAMESPACE, None, &self.space).await?;
        p.nats().await?.ask(format!("STREAM.DELETE.{}", self.stream), &[10059]).await?;
        Ok(())
    }
}
