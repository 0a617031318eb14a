//! Services go from claims to the namespaced form and back, under load, and no pod notices.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eds_cluster::kinds;
use eds_cluster::nats::{self, Connection};
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::sleep;

use super::Worker;
use crate::claim::merge;
use crate::eds::command;
use crate::proof::{CONSUMER, NATS, Proof, carry_out, ensure, manifests, setting};
use crate::testbed::well;

/// Services go from claims to the namespaced form of the API and back by `eds migrate`, under load: no message lost,
/// none with two effects, no pod replaced or restarted, every Deployment and ScaledObject the same object. The first
/// run is killed half-way, and the second continues it. Half of the services are composed through Objects, half
/// directly.
///
/// On a testbed with claims. EDS_PROOF_SERVICES: how many (default 20); each has a message every 200 ms.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

/// A message, and the pause before each service's next.
const MESSAGE: &str = r#"{"task":"migrate","work_ms":20}"#;
const PAUSE: Duration = Duration::from_millis(200);
const DIRECT: &str = "event-driven-service-direct";

pub(crate) async fn run(args: &Args) -> Result<()> {
    let count = usize::try_from(setting("EDS_PROOF_SERVICES", 20)?)?;
    carry_out("namespaced-migration", async |p| {
        p.needs_claims()?;
        let others = p.api.list(&kinds::CLAIM, None, "").await?;
        ensure(others.is_empty(), || "there are claims that are not this proof's".to_owned())?;
        p.bed.worker(&p.image, &args.worker.worker).await?;
        p.run.put_back("the form of the API", async {
            well(command(&["migrate", "--to", "claims", "--apply"])?).await.map(drop)
        });
        let services = Services::begin(p, count, &args.worker.worker).await?;
        services.carry_out().await
    })
    .await
}

struct Services<'a> {
    p: &'a Proof<'a>,
    names: Vec<String>,
    database: String,
    worker: &'a Path,
}

/// What must stay: uid and restarts of pods, uids of manifests.
type Kept = BTreeMap<String, String>;

impl<'a> Services<'a> {
    async fn begin(p: &'a Proof<'a>, count: usize, worker: &'a Path) -> Result<Self> {
        let database = p.new_database().await?;
        let names = (1..=count).map(|i| format!("worker-{i}")).collect();
        let services = Self { p, names, database, worker };
        services.agent("migrate", CONSUMER).await.context("the database cannot be prepared")?;
        p.secret("db", json!({"url": services.database})).await?;
        let mut direct = Command::new("kubectl");
        direct.arg("kustomize").arg(p.bed.api("overlays/direct"));
        for manifest in manifests(&well(direct).await?)? {
            p.api.apply(&manifest).await?;
        }
        let api = p.api.clone();
        p.run.at_end("the direct Composition", async move {
            api.delete(&kinds::COMPOSITION, None, DIRECT).await
        });
        for (i, name) in services.names.iter().enumerate() {
            let settings = nats::Settings::default();
            p.run.ensure(&NATS.into(), &services.stream(name), CONSUMER, settings).await?;
            p.apply_claim(name, services.claim(i, json!([{"name": "GOES", "value": "later"}])))
                .await?;
        }
        for name in &services.names {
            p.must(240, format!("{name} to be Ready"), async || p.ready(name).await).await?;
        }
        p.passed(format!("{count} services are Ready, as claims"));
        Ok(services)
    }

    fn stream(&self, name: &str) -> String {
        format!("{}_{}", self.p.stream, name.to_uppercase().replace('-', "_"))
    }

    fn claim(&self, i: usize, env: Value) -> Value {
        let name = self.names.get(i).map(String::as_str).unwrap_or_default();
        let mut claim = json!({"spec": {
            "nats": {"stream": self.stream(name)},
            "resources": {
                "requests": {"cpu": "10m", "memory": "16Mi"},
                "limits": {"cpu": "1", "memory": "128Mi"},
            },
            "secretRefs": [
                {"name": "db", "env": [{"secretKey": "url", "envName": "DATABASE_URL"}]},
            ],
            "env": env,
            "scaling": {"maxReplicas": 1},
        }});
        if i % 2 == 1 {
            let selector = json!({"matchLabels": {"platform.bizmatters.io/composes": "manifests"}});
            merge(&mut claim, &json!({"spec": {"compositionSelector": selector}}));
        }
        claim
    }

    /// The reference worker's own commands, outside of the cluster.
    async fn agent(&self, what: &str, stream: &str) -> Result<String> {
        let mut agent = Command::new(self.worker);
        agent.arg(what).envs([
            ("DATABASE_URL", self.database.as_str()),
            ("NATS_URL", "nats://unused:4222"),
            ("NATS_STREAM_NAME", stream),
            ("NATS_CONSUMER_GROUP", CONSUMER),
        ]);
        well(agent).await
    }

    async fn carry_out(&self) -> Result<()> {
        let p = self.p;
        let before = self.kept().await?;
        let connection = p.nats().await?;
        let sent = Cell::new(0_usize);
        let subjects: Vec<_> =
            self.names.iter().map(|name| Connection::subject(&self.stream(name))).collect();
        let load = async {
            'load: loop {
                for subject in &subjects {
                    if let Err(error) =
                        connection.client.publish(subject.clone(), MESSAGE.into()).await
                    {
                        break 'load anyhow::Error::from(error);
                    }
                    sent.set(sent.get() + 1);
                }
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            done = self.there_and_back(&before) => done?,
            ended = load => return Err(ended.context("the load ended early")),
        }
        connection.client.flush().await.context("NATS does not take the last messages")?;
        let (mut stored, mut rows, mut sequences) = (0, 0, 0);
        for name in &self.names {
            let stream = self.stream(name);
            p.must(120, format!("every message of {name} to be done"), async || {
                let info = connection.consumer(&stream, CONSUMER).await?.context("no consumer")?;
                Ok(info.num_pending == 0 && info.num_ack_pending == 0)
            })
            .await?;
            let info = connection.ask(format!("STREAM.INFO.{stream}"), &[]).await?;
            stored += info.unwrap_or_default().number("/state/messages");
            let results: Value = serde_json::from_str(&self.agent("results", &stream).await?)?;
            rows += results.number("/rows");
            sequences += results.number("/sequences");
        }
        let (lost, doubled) = (stored - sequences, rows - sequences);
        let sent = sent.get();
        ensure(lost == 0 && doubled == 0 && stored > 0, || {
            format!("{sent} sent, {stored} stored: {lost} lost, {doubled} with two effects")
        })?;
        p.passed(format!("{stored} messages: lost 0, with two effects 0"));
        self.change().await?;
        for name in &self.names {
            p.api.delete(&kinds::CLAIM, Some(&p.namespace), name).await?;
        }
        p.must(180, "nothing to be left", async || {
            let mut left = 0;
            for kind in [&kinds::CLAIM, &kinds::DEPLOYMENT, &kinds::SCALED_OBJECT, &kinds::POD] {
                left += p.api.list(kind, Some(&p.namespace), "").await?.len();
            }
            Ok(left == 0)
        })
        .await?;
        p.passed("deleted, and nothing is left");
        Ok(())
    }

    async fn there_and_back(&self, before: &Kept) -> Result<()> {
        let p = self.p;
        sleep(Duration::from_secs(3)).await;
        let plan = well(command(&["migrate", "--to", "namespaced"])?).await?;
        let named = |name: &String| plan.contains(&format!("{}/{name}: keeps ", p.namespace));
        ensure(self.names.iter().all(named), || format!("the dry run leaves some out: {plan}"))?;
        self.same(before, "a dry run changes nothing").await?;
        self.killed_half_way().await?;
        self.same(before, "killed half-way, the pods work on").await?;
        let begun = Instant::now();
        let said = well(command(&["migrate", "--to", "namespaced", "--apply"])?).await?;
        p.keep("there.txt", &said)?;
        p.passed(format!("the next run ended it, in {} s", begun.elapsed().as_secs()));
        self.in_form("EventDrivenService", "spec.crossplane.compositionRef.name").await?;
        self.same(before, "namespaced: the same pods, Deployments and ScaledObjects").await?;
        sleep(Duration::from_secs(15)).await;
        let begun = Instant::now();
        let said = well(command(&["migrate", "--to", "claims", "--apply"])?).await?;
        p.keep("back.txt", &said)?;
        p.passed(format!("back to claims, in {} s", begun.elapsed().as_secs()));
        self.same(before, "claims again: the same pods, Deployments and ScaledObjects").await?;
        sleep(Duration::from_secs(15)).await;
        let begun = Instant::now();
        well(command(&["migrate", "--to", "namespaced", "--apply"])?).await?;
        p.passed(format!("and there again, in {} s", begun.elapsed().as_secs()));
        self.in_form("EventDrivenService", "spec.crossplane.compositionRef.name").await?;
        self.same(before, "namespaced again: the same pods, Deployments and ScaledObjects").await
    }

    /// Killed without a chance to tidy up, as soon as the first service is let go of.
    async fn killed_half_way(&self) -> Result<()> {
        let p = self.p;
        let mut first = command(&["migrate", "--to", "namespaced", "--apply"])?;
        first.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut first = first.kill_on_drop(true).spawn().context("eds cannot be started")?;
        p.must(120, "a first service to be let go of", async || {
            let left = p.api.list(&kinds::COMPOSITE, None, "").await?;
            let ending = left.iter().any(|c| c.at("/metadata/deletionTimestamp").is_some());
            Ok(ending || left.len() < self.names.len())
        })
        .await?;
        first.kill().await.context("it cannot be killed")?;
        let claims = p.api.list(&kinds::CLAIM, Some(&p.namespace), "").await?.len();
        p.passed(format!("killed while {claims} of {} claims are there", self.names.len()));
        Ok(())
    }

    /// Whose the manifests are now, and that nobody else's record is left.
    async fn in_form(&self, owner: &str, composition: &str) -> Result<()> {
        let p = self.p;
        for name in &self.names {
            // The last look at what was tidied up may still be on its way.
            p.must(30, format!("{name} to stay Ready"), async || p.ready(name).await).await?;
            let service = p.claim_now(name).await?;
            let chosen = service.text(&format!("/{}", composition.replace('.', "/")));
            ensure(!chosen.is_empty(), || format!("{name} has no Composition"))?;
            let deployment = p.deployment(name).await?;
            let owners: Vec<&str> =
                deployment.list("/metadata/ownerReferences").map(|o| o.text("/kind")).collect();
            ensure(owners == [owner], || format!("{name} is owned by {owners:?}"))?;
            let composers = deployment
                .list("/metadata/managedFields")
                .map(|entry| entry.text("/manager"))
                .filter(|m| m.starts_with("provider-kubernetes/") || m.contains("/composed/"));
            let composers: Vec<&str> = composers.collect();
            ensure(composers.len() == 1, || format!("{name} is composed by {composers:?}"))?;
        }
        let kept = p.api.list(&kinds::CONFIG_MAP, Some(&p.namespace), "").await?;
        let left = kept.iter().filter(|kept| kept.name().starts_with("eds-migrate-")).count();
        ensure(left == 0, || format!("{left} ConfigMaps of the migration are left"))?;
        p.passed(format!("every Deployment is owned by its {owner}, and composed by it alone"));
        Ok(())
    }

    /// Uids, and how often containers were restarted.
    async fn kept(&self) -> Result<Kept> {
        let (p, here) = (self.p, Some(self.p.namespace.as_str()));
        let mut kept = Kept::new();
        let kinds =
            [&kinds::DEPLOYMENT, &kinds::SCALED_OBJECT, &kinds::SERVICE, &kinds::POD, &kinds::HPA];
        for kind in kinds {
            for object in p.api.list(kind, here, "").await? {
                let restarts: i64 = object
                    .list("/status/containerStatuses")
                    .map(|status| status.number("/restartCount"))
                    .sum();
                let title = format!("{} {}", kind.kind, object.name());
                kept.insert(title, format!("{} restarts {restarts}", object.text("/metadata/uid")));
            }
        }
        Ok(kept)
    }

    async fn same(&self, before: &Kept, what: &str) -> Result<()> {
        let now = self.kept().await?;
        let other: Vec<&String> = before
            .keys()
            .chain(now.keys())
            .filter(|title| before.get(*title) != now.get(*title))
            .collect();
        ensure(other.is_empty(), || format!("{what}: not so, {other:?} are others"))?;
        let pods = now.keys().filter(|title| title.starts_with("Pod ")).count();
        self.p.passed(format!("{what} ({pods} pods, restarted 0)"));
        Ok(())
    }

    /// What a service no longer says goes: nobody of before holds on to it.
    async fn change(&self) -> Result<()> {
        let p = self.p;
        for (i, name) in self.names.iter().enumerate().take(2) {
            let mut changed = self.claim(i, json!([]));
            merge(&mut changed, &json!({"spec": {"compositionSelector": null, "env": null}}));
            let service = p.claim(name, &changed);
            p.api
                .json_patch(
                    &kinds::CLAIM,
                    Some(&p.namespace),
                    name,
                    &json!([{"op": "replace", "path": "/spec", "value": service.at("/spec")}]),
                )
                .await?;
            p.must(60, format!("{name}'s variable to go"), async || {
                let deployment = p.deployment(name).await?;
                let mut env = deployment.list("/spec/template/spec/containers/0/env");
                Ok(!env.any(|variable| variable.text("/name") == "GOES"))
            })
            .await?;
        }
        p.passed("a variable that a service no longer says is gone from its Deployment");
        Ok(())
    }
}
