//! Runs the reference worker from a run's own claim: what the functional and the autoscaling test
//! share.

use kube_object::object::Fields;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use eds_cluster::nats::{self, Connection, Login};
use eds_cluster::{Cluster, Lines, Run, claims, kinds, once};
use eds_verify::load::{Line, LoadFacts, Sample};
use eds_verify::{Check, Report, Rows, Status};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// The claim's name; the namespace is the run's own.
pub(crate) const CLAIM: &str = "worker";
const CONSUMER: &str = "workers";

/// Which worker, and what it works with.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WorkerArgs {
    /// Image of the reference worker, as the nodes pull it (package/README.md builds it).
    #[arg(long, default_value = "registry.example.com/intelligence/agent-executor:0.1.0")]
    image: String,
    /// Milliseconds of work for each message.
    #[arg(long, value_name = "MS")]
    work_ms: Option<u64>,
    /// Record results in this PostgreSQL: a URL as the pods reach it. The worker's init container
    /// migrates it.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// NATS, as the claim's spec.nats.url. A login, as in nats://USER:PASSWORD@HOST, becomes a
    /// Secret for the claim.
    #[arg(long, value_name = "URL", default_value = "nats://nats.nats.svc:4222")]
    nats_url: String,
    /// KEDA's name for the NATS account, as the claim's spec.nats.account.
    #[arg(long, default_value = "$G")]
    account: String,
    /// Where KEDA requests the lag, as the claim's spec.nats.monitoringEndpoint; by default the
    /// API's own default.
    #[arg(long, value_name = "HOST:PORT")]
    monitoring_endpoint: Option<String>,
}

impl WorkerArgs {
    /// Returns what was asked for, or `default`.
    pub(crate) fn work_ms(&self, default: u64) -> u64 {
        self.work_ms.unwrap_or(default)
    }
}

/// What a run's claim says about scaling.
pub(crate) struct Scaling {
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) concurrency: u64,
    pub(crate) work_ms: u64,
}

/// A running worker.
pub(crate) struct Worker<'a> {
    pub(crate) run: &'a Run,
    pub(crate) connection: Connection,
    pub(crate) stream: String,
    pub(crate) facts: LoadFacts,
    lines: Lines,
    work_ms: u64,
    published: Instant,
}

impl<'a> Worker<'a> {
    /// Creates stream, consumer, Secret and claim. Does not wait for them.
    pub(crate) async fn apply(run: &'a Run, args: &WorkerArgs, scaling: &Scaling) -> Result<Self> {
        let stream = run.namespace.to_uppercase();
        let secrets = secrets(args);
        let claim = claim(run, args, scaling, &stream, &secrets);
        for (name, keys) in secrets {
            let data: Map<String, Value> = keys
                .into_iter()
                .map(|(variable, value)| (variable.to_owned(), value.into()))
                .collect();
            run.cluster
                .create(&json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                    "metadata": {"name": name, "namespace": run.namespace},
                    "stringData": data,
                }))
                .await?;
        }
        // Short, so that a killed pod's messages come back soon; the worker extends longer work.
        let settings = nats::Settings { ack_wait: Duration::from_secs(10), ..Default::default() };
        run.ensure(&args.nats_url, &stream, CONSUMER, settings).await?;
        let connection = nats::connect(&run.cluster, &args.nats_url, &run.namespace).await?;
        run.cluster.apply(&claim).await.context("the API server does not take the claim")?;
        let facts = LoadFacts {
            min_replicas: scaling.min,
            max_replicas: scaling.max,
            lag_threshold: 5,
            idempotent: args.database.is_some(),
            ..LoadFacts::default()
        };
        let lines = Lines::new(&run.cluster, &run.namespace, CLAIM, "main");
        let published = Instant::now();
        Ok(Self {
            run,
            connection,
            stream,
            facts,
            lines,
            work_ms: args.work_ms(scaling.work_ms),
            published,
        })
    }

    /// Waits until the claim says that it is Ready, and reports whether it does.
    pub(crate) async fn is_ready(&self, limit: Duration, report: &mut Report) -> Result<bool> {
        let ready = self.ready(limit).await?;
        let is_ready = ready.status == Status::Passed;
        report.add("Claim", vec![ready]);
        Ok(is_ready)
    }

    async fn ready(&self, limit: Duration) -> Result<Check> {
        let begun = Instant::now();
        let Run { cluster, namespace, .. } = self.run;
        if claims::is_ready(cluster, &kinds::CLAIM, namespace, CLAIM, limit).await? {
            return Ok(Check::passed(
                "claim Ready",
                format!("after {:.0} s", begun.elapsed().as_secs_f64()),
            ));
        }
        let claim = cluster.get(&kinds::CLAIM, Some(namespace), CLAIM).await?;
        let said = claim.as_ref().and_then(|claim| claim.at("/status/message")?.as_str());
        let said = said.unwrap_or("the claim does not say why");
        let cause = format!("not within {} s: {said}", limit.as_secs());
        Ok(Check::failed(
            "claim Ready",
            cause,
            format!("eds doctor {}/{CLAIM}", self.run.namespace),
        ))
    }

    /// Publishes this many messages, continuing after any earlier ones. `payload` makes one.
    pub(crate) async fn publish(
        &mut self,
        count: usize,
        payload: impl Fn(usize, u64) -> Value,
    ) -> Result<()> {
        let from = self.facts.published.len();
        let messages: Vec<_> = (from..from + count)
            .map(|i| (format!("{}-{i}", self.stream), payload(i, self.work_ms).to_string().into()))
            .collect();
        self.facts.published.extend(messages.iter().map(|(id, _)| id.clone()));
        self.connection.publish(&self.stream, &messages).await?;
        self.published = Instant::now();
        Ok(())
    }

    /// Records one sample, or none while NATS or the API server is briefly away.
    pub(crate) async fn sample(&mut self) -> Result<Sample> {
        self.lines.look().await?;
        let here = Some(self.run.namespace.as_str());
        let Some(info) = self.connection.consumer(&self.stream, CONSUMER).await? else {
            bail!("the consumer {CONSUMER} of {} is gone", self.stream);
        };
        let deployment =
            self.run.cluster.get(&kinds::DEPLOYMENT, here, CLAIM).await?.unwrap_or_default();
        let claim = self.run.cluster.get(&kinds::CLAIM, here, CLAIM).await?.unwrap_or_default();
        let number = |pointer| u64::try_from(deployment.number(pointer)).unwrap_or(0);
        let sample = Sample {
            seconds: self.published.elapsed().as_secs_f64(),
            lag: info.num_pending + info.num_ack_pending as u64,
            replicas: number("/spec/replicas"),
            ready: number("/status/readyReplicas"),
            claim_ready: claim.is("Ready"),
        };
        self.facts.samples.push(sample.clone());
        Ok(sample)
    }

    /// Returns how many messages have a result.
    pub(crate) fn read(&mut self) -> usize {
        let lines = self.lines.so_far();
        self.facts.lines = lines.iter().filter_map(|(pod, line)| Line::parse(pod, line)).collect();
        let ids: std::collections::BTreeSet<_> =
            self.facts.lines.iter().map(|line| &line.id).collect();
        ids.len()
    }

    /// Gives the last lines of logs a moment to arrive.
    pub(crate) async fn last_lines(&mut self) -> Result<()> {
        let limit = Duration::from_secs(10);
        Cluster::until(limit, Duration::from_millis(500), async || {
            self.lines.look().await?;
            Ok((self.read() >= self.facts.published.len()).then_some(()))
        })
        .await?;
        Ok(())
    }

    /// Counts the rows, if there is a database: a pod like the worker's queries it, so it need not
    /// be reachable from here.
    pub(crate) async fn rows(&mut self, limit: Duration) -> Result<()> {
        if !self.facts.idempotent {
            return Ok(());
        }
        let Run { cluster, namespace, .. } = self.run;
        let ended = once::run(cluster, namespace, CLAIM, &["results"], limit).await?;
        let rows = ended.log.lines().find_map(Rows::parse);
        self.facts.rows = Some(rows.ok_or_else(|| {
            let said = ended.log.lines().last().unwrap_or("it printed nothing");
            format!("`agent-executor results` {}: {said}", ended.how)
        }));
        Ok(())
    }

    /// Returns the seconds since the messages were published.
    pub(crate) fn seconds(&self) -> f64 {
        self.published.elapsed().as_secs_f64()
    }
}

/// A Secret's name, and its variables with their values.
type Variables = (&'static str, Vec<(&'static str, String)>);

/// Returns what does not belong in the claim itself: the logins to the database and to NATS.
fn secrets(args: &WorkerArgs) -> Vec<Variables> {
    let database =
        args.database.iter().map(|url| ("database", vec![("DATABASE_URL", url.clone())]));
    let login = nats::login(&args.nats_url).1.map(|login| match login {
        Login::User(user, password) => vec![("NATS_USER", user), ("NATS_PASSWORD", password)],
        Login::Token(token) => vec![("NATS_TOKEN", token)],
    });
    database.chain(login.map(|keys| ("nats", keys))).collect()
}

fn claim(
    run: &Run,
    args: &WorkerArgs,
    scaling: &Scaling,
    stream: &str,
    secrets: &[Variables],
) -> Value {
    let url = nats::login(&args.nats_url).0;
    let mut claim = json!({
        "apiVersion": "platform.bizmatters.io/v1alpha1",
        "kind": "EventDrivenService",
        "metadata": {"name": CLAIM, "namespace": run.namespace},
        "spec": {
            "image": args.image,
            "size": "small",
            "nats": {"url": url, "stream": stream, "consumer": CONSUMER, "account": args.account},
            "env": [{"name": "WORKER_CONCURRENCY", "value": scaling.concurrency.to_string()}],
            "scaling": {
                "minReplicas": scaling.min, "maxReplicas": scaling.max, "lagThreshold": 5,
                "pollingInterval": 5, "cooldownPeriod": 10,
            },
        },
    });
    let mut set = |pointer: &str, key: &str, value: Value| {
        if let Some(object) = claim.pointer_mut(pointer).and_then(Value::as_object_mut) {
            object.insert(key.to_owned(), value);
        }
    };
    let reference = |(name, _): &Variables| json!({"name": name, "envFrom": true});
    set("/spec", "secretRefs", secrets.iter().map(reference).collect());
    if let Some(endpoint) = &args.monitoring_endpoint {
        set("/spec/nats", "monitoringEndpoint", json!(endpoint));
    }
    if args.database.is_some() {
        set("/spec", "initContainer", json!({"command": ["agent-executor"], "args": ["migrate"]}));
    }
    claim
}
