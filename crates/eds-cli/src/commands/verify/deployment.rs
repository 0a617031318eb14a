//! `eds verify deployment`: a claim becomes its four manifests in the cluster, then goes again.

use kube_object::object::Fields;
use kube_object::rollout::Replicas;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use eds_cluster::{Cluster, Refused, Run, claims, gather, kinds};
use eds_core::form::Form;
use eds_verify::{Check, Report, Status, bystanders, deployment};
use serde_json::Value;
use tokio::time::sleep;

use crate::api::Api;
use crate::cluster::{ClusterArgs, RunArgs};
use crate::given::Given;
use crate::{Outcome, output};

/// For 30 s after it has created something, the provider's runtime does not believe that it is gone
/// (crossplane-runtime `pkg/reconciler/managed`, the creation grace period): the Objects of a
/// younger claim are deleted only then.
const GRACE: Duration = Duration::from_secs(35);
/// How soon everything that a claim made must be gone.
const GONE: Duration = Duration::from_secs(30);
/// How soon after its pods are available a claim must say that it is Ready.
const SAID: Duration = Duration::from_secs(15);

/// Apply a claim in a namespace of its own, compare what it becomes with `eds render`, delete it,
/// and check that nothing is left.
///
/// The namespace enforces Pod Security restricted. The Secrets that the claim names are created
/// with placeholder values, its stream and consumer if missing; all of it is deleted at the end,
/// even after an interruption. If a check fails, objects, events and logs are kept in a directory.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File with one claim.
    #[arg(value_name = "CLAIM")]
    claim: PathBuf,
    /// The image can be pulled and runs: wait until the claim is Ready.
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    run: RunArgs,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let given = Given::read(&args.claim)?;
    args.cluster.in_namespace(&args.run, "deployment", async |run| {
        let given = given.in_namespace(&run.namespace);
        let mut report = Report::default();
        let mut verification = Verification { run, given: &given, args, applied: Instant::now() };
        verification.all(&mut report).await?;
        Ok(report)
    })
}

/// One claim being verified.
struct Verification<'a> {
    run: &'a Run,
    given: &'a Given,
    args: &'a Args,
    applied: Instant,
}

impl Verification<'_> {
    async fn all(&mut self, report: &mut Report) -> Result<()> {
        let cluster = &self.run.cluster;
        let rendered = Api::built_in(Form::Claims)?.manifests(&self.given.claim)?;
        self.run.prepare(self.given.claim.value(), Default::default()).await?;
        let before = claims::bystanders(cluster).await?;
        self.applied = Instant::now();
        match cluster.apply(&self.given.written).await {
            Ok(_) => {}
            Err(error) if Refused::of(&error).is_some() => {
                let cause = format!("{:#}", error.root_cause());
                let fix =
                    "eds validate names the line; or the API in the cluster is another version";
                report.add("Claim", vec![Check::failed("accepted", cause, fix)]);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let arrival = self.await_manifests(&rendered).await?;
        let there = arrival.status == Status::Passed;
        let mut way = vec![Check::passed("accepted", "by the API server"), arrival];
        if there {
            way.push(self.await_scaler().await?);
            if self.args.ready {
                way.extend(self.await_ready().await?);
            }
        }
        report.add(format!("Claim {}, on its way", self.name()), way);
        let live = claims::live(cluster, &rendered).await?;
        let facts =
            deployment::DeploymentFacts { claim: self.given.claim.value().clone(), rendered, live };
        report.sections.extend(deployment::report(&facts).sections);
        // What failed is examined as it is, not after it is gone.
        if !self.args.run.keep && !report.failed() {
            let mut end = vec![self.delete_claim().await?];
            end.push(bystanders::check(&before, &claims::bystanders(cluster).await?));
            report.add("Claim deleted", end);
        }
        Ok(())
    }

    fn name(&self) -> &str {
        self.given.text("/metadata/name")
    }

    fn doctor(&self) -> String {
        format!("eds doctor {}/{}", self.run.namespace, self.name())
    }

    /// Waits for the four manifests.
    async fn await_manifests(&self, rendered: &[Value]) -> Result<Check> {
        const NAME: &str = "four manifests live";
        let limit = self.args.cluster.limit();
        let look = async || {
            let live = claims::live(&self.run.cluster, rendered).await?.len();
            Ok((live == rendered.len()).then_some(()))
        };
        let every = Duration::from_millis(250);
        Ok(match Cluster::until(limit, every, look).await? {
            Some(()) => Check::passed(NAME, format!("after {}", seconds(self.applied.elapsed()))),
            None => {
                let live = claims::live(&self.run.cluster, rendered).await?.len();
                let cause = format!(
                    "{live} of {} after {} s{}",
                    rendered.len(),
                    limit.as_secs(),
                    self.claim_message().await
                );
                Check::failed(NAME, cause, self.doctor())
            }
        })
    }

    async fn await_scaler(&self) -> Result<Check> {
        const NAME: &str = "KEDA takes the ScaledObject";
        let limit = self.args.cluster.limit();
        let name = format!("{}-scaler", self.name());
        let (cluster, namespace) = (&self.run.cluster, &self.run.namespace);
        if claims::is_ready(cluster, &kinds::SCALED_OBJECT, namespace, &name, limit).await? {
            return Ok(Check::passed(NAME, format!("after {}", seconds(self.applied.elapsed()))));
        }
        let cause = format!("not ready after {} s{}", limit.as_secs(), self.claim_message().await);
        Ok(Check::failed(NAME, cause, format!("eds verify keda {namespace}/{}", self.name())))
    }

    /// Waits for the pods, and then for the claim to say so.
    async fn await_ready(&self) -> Result<Vec<Check>> {
        let limit = self.args.cluster.limit();
        let (cluster, namespace) = (&self.run.cluster, &self.run.namespace);
        let pods = cluster.watch_until(
            &kinds::DEPLOYMENT,
            Some(namespace),
            self.name(),
            limit,
            |deployment| Replicas::of(deployment?).are_rolled_out().then_some(()),
        );
        if pods.await?.is_none() {
            let cause = format!("not after {} s{}", limit.as_secs(), self.claim_message().await);
            return Ok(vec![Check::failed("pods available", cause, self.doctor())]);
        }
        let available = Instant::now();
        let mut checks = vec![Check::passed(
            "pods available",
            format!("after {}", seconds(self.applied.elapsed())),
        )];
        let says_so = claims::is_ready(cluster, &kinds::CLAIM, namespace, self.name(), SAID);
        checks.push(match says_so.await? {
            true => Check::passed(
                "claim Ready",
                format!("{} after its pods", seconds(available.elapsed())),
            ),
            false => {
                let cause = format!(
                    "not within {} s of its pods{}",
                    SAID.as_secs(),
                    self.claim_message().await
                );
                Check::failed("claim Ready", cause, self.doctor())
            }
        });
        Ok(checks)
    }

    /// Deletes the claim, and waits until nothing is left.
    async fn delete_claim(&self) -> Result<Check> {
        const NAME: &str = "everything it made is gone";
        let (cluster, namespace) = (&self.run.cluster, self.run.namespace.as_str());
        let young = GRACE.saturating_sub(self.applied.elapsed());
        // The namespaced form has no provider.
        if !young.is_zero() && gather::form(cluster).await? == Form::Claims {
            output::note(&format!(
                "waiting {} s, until the claim is older than the provider's creation grace period",
                young.as_secs() + 1
            ));
            sleep(young).await;
        }
        cluster.delete(&kinds::CLAIM, Some(namespace), self.name()).await?;
        let deleted = Instant::now();
        let gone = Cluster::until(GONE, Duration::from_millis(500), async || {
            let (left, ending) = claims::left(cluster, namespace, self.name()).await?;
            Ok(left.is_empty().then_some(ending))
        });
        Ok(match gone.await? {
            Some(ending) => {
                let pods = match ending {
                    0 => String::new(),
                    n => format!(", {n} of its pods still ending"),
                };
                Check::passed(NAME, format!("{} after the claim{pods}", seconds(deleted.elapsed())))
            }
            None => {
                let (left, _) = claims::left(cluster, namespace, self.name()).await?;
                let cause = format!("after {} s there is {}", GONE.as_secs(), left.join(", "));
                let fix = "kubectl describe what is left: a finalizer names who must let it go";
                Check::failed(NAME, cause, fix)
            }
        })
    }

    /// Returns what the claim says about itself.
    async fn claim_message(&self) -> String {
        let here = Some(self.run.namespace.as_str());
        let claim = self.run.cluster.get(&kinds::CLAIM, here, self.name()).await.ok().flatten();
        let message = claim.as_ref().and_then(|c| c.at("/status/message")?.as_str());
        message.map_or_else(String::new, |message| format!("; the claim says: {message}"))
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
