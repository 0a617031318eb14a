//! Runs the reference worker from a run's own claim: what the functional and the autoscaling test
//! share.

use kube_object::object::Fields;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use eds_cluster::nats::{self, Access, Connection, Login, Tls};
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
    /// The account's id where NATS runs in operator mode, as the claim's spec.nats.accountID.
    #[arg(long, value_name = "ID")]
    account_id: Option<String>,
    /// Log in with this credentials file (.creds). It becomes a Secret for the claim's
    /// spec.nats.credentials, as the files for TLS do for spec.nats.tls.
    #[arg(long, value_name = "FILE")]
    nats_creds: Option<PathBuf>,
    /// The authority that signed NATS's certificate, as PEM: TLS is then required.
    #[arg(long, value_name = "FILE")]
    nats_ca: Option<PathBuf>,
    /// The certificate to show to NATS, as PEM.
    #[arg(long, value_name = "FILE", requires_all = ["nats_key", "nats_ca"])]
    nats_cert: Option<PathBuf>,
    /// Its key, as PEM.
    #[arg(long, value_name = "FILE", requires = "nats_cert")]
    nats_key: Option<PathBuf>,
    /// The JetStream domain, as the claim's spec.nats.domain.
    #[arg(long, value_name = "DOMAIN")]
    nats_domain: Option<String>,
    /// Copies of the stream, each on another server of a NATS cluster.
    #[arg(long, value_name = "N", default_value_t = 1)]
    nats_replicas: usize,
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

    /// Reads what the files hold.
    fn access(&self) -> Result<Access> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let text = |path: &Option<PathBuf>| path.as_ref().map(read).transpose();
        let mut access = Access::from(self.nats_url.as_str());
        if let Some(creds) = text(&self.nats_creds)? {
            access.login = Some(Login::Credentials(creds));
        }
        let own = text(&self.nats_cert)?.zip(text(&self.nats_key)?);
        access.tls = text(&self.nats_ca)?.map(|ca| Tls { ca, own });
        access.domain.clone_from(&self.nats_domain);
        Ok(access)
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
        let access = args.access()?;
        let secrets = secrets(args, &access);
        let claim = claim(run, args, &access, scaling, &stream, &secrets);
        for (name, _, keys) in secrets {
            let data: Map<String, Value> =
                keys.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
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
        let replicas = args.nats_replicas;
        run.ensure_replicated(&access, &stream, CONSUMER, settings, replicas).await?;
        let connection = nats::connect(&run.cluster, &access, &run.namespace).await?;
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

/// What the claim makes of a Secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Variables of the environment.
    Variables,
    /// `spec.nats.credentials`.
    Credentials,
    /// `spec.nats.tls`.
    Tls,
}

/// A Secret's name, what it is for, and its keys with their values.
type Secret = (&'static str, Use, Vec<(&'static str, String)>);

/// Returns what does not belong in the claim itself: the logins to the database and to NATS.
fn secrets(args: &WorkerArgs, access: &Access) -> Vec<Secret> {
    let database = args
        .database
        .iter()
        .map(|url| ("database", Use::Variables, vec![("DATABASE_URL", url.clone())]));
    let login = access.login.clone().map(|login| match login {
        Login::User(user, password) => {
            ("nats", Use::Variables, vec![("NATS_USER", user), ("NATS_PASSWORD", password)])
        }
        Login::Token(token) => ("nats", Use::Variables, vec![("NATS_TOKEN", token)]),
        Login::Credentials(text) => ("nats", Use::Credentials, vec![("user.creds", text)]),
    });
    let tls = access.tls.clone().map(|Tls { ca, own }| {
        let own = own.map(|(cert, key)| [("tls.crt", cert), ("tls.key", key)]);
        let keys = [("ca.crt", ca)].into_iter().chain(own.into_iter().flatten());
        ("nats-tls", Use::Tls, keys.collect())
    });
    database.chain(login).chain(tls).collect()
}

fn claim(
    run: &Run,
    args: &WorkerArgs,
    access: &Access,
    scaling: &Scaling,
    stream: &str,
    secrets: &[Secret],
) -> Value {
    let url = &access.url;
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
    let variables = secrets.iter().filter(|(_, of, _)| *of == Use::Variables);
    let reference = |(name, ..): &Secret| json!({"name": name, "envFrom": true});
    set("/spec", "secretRefs", variables.map(reference).collect());
    for (name, of, keys) in secrets {
        match of {
            Use::Variables => {}
            Use::Credentials => {
                let wanted = json!({"secret": name, "key": "user.creds"});
                set("/spec/nats", "credentials", wanted);
            }
            Use::Tls => {
                let mut wanted = json!({"secret": name, "ca": "ca.crt"});
                if let (true, Some(wanted)) = (keys.len() > 1, wanted.as_object_mut()) {
                    wanted.insert("cert".to_owned(), json!("tls.crt"));
                    wanted.insert("key".to_owned(), json!("tls.key"));
                }
                set("/spec/nats", "tls", wanted);
            }
        }
    }
    if let Some(domain) = &access.domain {
        set("/spec/nats", "domain", json!(domain));
    }
    if let Some(id) = &args.account_id {
        set("/spec/nats", "accountID", json!(id));
    }
    if let Some(endpoint) = &args.monitoring_endpoint {
        set("/spec/nats", "monitoringEndpoint", json!(endpoint));
    }
    if args.database.is_some() {
        set("/spec", "initContainer", json!({"command": ["agent-executor"], "args": ["migrate"]}));
    }
    claim
}
