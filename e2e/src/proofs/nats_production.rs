//! NATS as production runs it: three servers, TLS, operator mode.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use eds_cluster::nats::{self, Access, Login, Tls};
use eds_cluster::{Kind, kinds};
use kube_object::object::Fields;
use nats_identities::{Account, Authority, Operator};
use serde_json::{Value, json};
use tokio::process::Command;

use super::Worker;
use super::losses::ends_with_the_proof;
use crate::api::Api;
use crate::claim::merge;
use crate::eds::command;
use crate::proof::{CONSUMER, Proof, carry_out, ensure, failed, manifests, read, say, setting};
use crate::testbed::{running, well};

/// NATS as production runs it: a cluster of three with TLS and client certificates, JWT accounts in operator mode,
/// streams with three copies, monitoring over https. A claim uses it: messages are processed and the service scales;
/// what is wrong with certificates and credentials is named by `eds verify keda` and `eds doctor`, and mended without
/// a restart. Under load one server is killed and another is deleted with what it stores: no message is lost, none
/// has two effects.
///
/// EDS_PROOF_MESSAGES: how many under load (2000). Restarts KEDA, to which the authority is given and taken again.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

/// Beside the testbed's NATS, where the API lets claims have KEDA ask.
const HOME: &str = "nats";
const NAME: &str = "nats-production";
const URL: &str = "nats://nats-production.nats.svc:4222";
const MONITORING: &str = "https://nats-production-headless.nats.svc.cluster.local:8222";
const CLAIM: &str = "orders";
const KEDA: &str = "keda";
const OPERATOR: &str = "keda-operator";

pub(crate) async fn run(args: &Args) -> Result<()> {
    let messages = setting("EDS_PROOF_MESSAGES", 2000)?;
    carry_out(NAME, async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        let made = Made::new()?;
        made.server(p).await?;
        made.claim(p).await?;
        made.certificate_of_monitoring(p).await?;
        made.works(p).await?;
        made.wrong_credentials(p).await?;
        made.silent_server(p).await?;
        p.end_claim(CLAIM).await?;
        made.under_load(p, messages).await
    })
    .await
}

/// Who there is, and what proves it.
struct Made {
    operator: Operator,
    orders: Account,
    authority: Authority,
    /// How the proof itself, and `eds`, reach NATS.
    access: Access,
}

impl Made {
    fn new() -> Result<Self> {
        let (operator, orders) = (Operator::new("proofs"), Account::new("ORDERS"));
        let authority = Authority::new("the proof's authority")?;
        let own = authority.certificate("proof", &["proof"])?;
        let access = Access {
            url: URL.to_owned(),
            login: Some(Login::Credentials(orders.user("proof", None)?)),
            tls: Some(Tls { ca: authority.pem(), own: Some((own.cert, own.key)) }),
            domain: None,
        };
        Ok(Self { operator, orders, authority, access })
    }

    /// Gone again at the end.
    async fn server(&self, p: &Proof<'_>) -> Result<()> {
        let mut server = manifests(&read(&p.bed.script("manifests/nats/production.yaml"))?)?;
        let testbeds = p.api.there(&kinds::STATEFUL_SET, Some(HOME), "nats").await?;
        let image = testbeds.text("/spec/template/spec/containers/0/image").to_owned();
        let service = "nats-production.nats.svc";
        let headless = "nats-production-headless.nats.svc.cluster.local";
        let each = format!("*.{headless}");
        let certificate = self.authority.certificate(NAME, &[service, headless, &each])?;
        let configuration = read(&p.bed.script("manifests/nats/production.conf"))?;
        let accounts = self.operator.configuration(&[&self.orders])?;
        server.push(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME},
            "stringData": {
                "production.conf": format!("{configuration}\n{accounts}"),
                "ca.crt": self.authority.pem(),
                "server.crt": certificate.cert,
                "server.key": certificate.key,
            },
        }));
        for object in &mut server {
            merge(object, &json!({"metadata": {"namespace": HOME}}));
            if let Some(place) = object.pointer_mut("/spec/template/spec/containers/0/image") {
                *place = json!(image);
            }
        }
        // The Secret first: a pod that finds none waits for a minute.
        server.reverse();
        let (api, objects) = (p.api.clone(), server.clone());
        p.run.at_end("the NATS of production", async move { gone(&api, &objects).await });
        gone(&p.api, &server).await?;
        p.must(60, "the NATS of an earlier run to be gone", async || {
            Ok(p.api.list(&kinds::POD, Some(HOME), "app=nats-production").await?.is_empty())
        })
        .await?;
        for object in &server {
            p.api.apply(object).await?;
        }
        p.must(120, "three servers to be ready", async || Ok(ready(p).await?.len() == 3)).await?;
        p.must(90, "JetStream to answer", async || {
            Ok(self.connection(p).await?.ask("INFO".to_owned(), &[]).await?.is_some())
        })
        .await?;
        p.passed("three servers with TLS, client certificates and operator mode");
        p.run
            .ensure_replicated(&self.access, &p.stream, CONSUMER, nats::Settings::default(), 3)
            .await
    }

    async fn connection(&self, p: &Proof<'_>) -> Result<nats::Connection> {
        nats::connect(&p.run.cluster, &self.access, &p.namespace).await
    }

    /// The claim that a user would write, with its Secrets.
    async fn claim(&self, p: &Proof<'_>) -> Result<()> {
        let own = self.authority.certificate(CLAIM, &[CLAIM])?;
        let files =
            json!({"ca.crt": self.authority.pem(), "tls.crt": own.cert, "tls.key": own.key});
        p.secret("orders-tls", files).await?;
        p.secret("orders-nats", json!({"user.creds": self.orders.user(CLAIM, None)?})).await?;
        let nats = json!({
            "url": URL,
            "monitoringEndpoint": MONITORING,
            "accountID": self.orders.id(),
            "credentials": {"secret": "orders-nats", "key": "user.creds"},
            "tls": {
                "secret": "orders-tls", "ca": "ca.crt", "cert": "tls.crt", "key": "tls.key",
            },
        });
        p.apply_claim(CLAIM, json!({"spec": {"nats": nats}})).await?;
        p.must(120, "the pods to be available", async || p.available(CLAIM).await).await?;
        p.passed("a claim with a credentials file and a client certificate: its pods are ready");
        Ok(())
    }

    /// KEDA does not know the authority, which is said; then it does.
    async fn certificate_of_monitoring(&self, p: &Proof<'_>) -> Result<()> {
        p.eds_soon(90, 1, "KEDA refuses it", &["verify", "keda", &place(p)]).await?;
        self.give_to_keda(p).await?;
        p.must(180, "the claim to be Ready", async || p.ready(CLAIM).await).await?;
        p.passed("with the authority below /custom/ca, KEDA reads the lag: the claim is Ready");
        p.eds_soon(90, 0, "KEDA takes it", &["verify", "keda", &place(p)]).await?;
        p.eds_soon(60, 0, "0 failed", &["doctor", &place(p)]).await
    }

    /// What the fix tells a platform engineer to do; taken again at the end.
    async fn give_to_keda(&self, p: &Proof<'_>) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": NAME, "namespace": KEDA},
            "stringData": {"nats.crt": self.authority.pem()},
        });
        p.api.apply(&secret).await?;
        let before = p.api.there(&kinds::DEPLOYMENT, Some(KEDA), OPERATOR).await?;
        let pod = "/spec/template/spec";
        let old = |pointer: &str| before.pointer(pointer).cloned().unwrap_or_else(|| json!([]));
        let (volumes, mounts) =
            (format!("{pod}/volumes"), format!("{pod}/containers/0/volumeMounts"));
        let (old_volumes, old_mounts) = (old(&volumes), old(&mounts));
        let with = |old: &Value, more: Value| {
            let mut all: Vec<Value> = old.as_array().cloned().unwrap_or_default();
            all.push(more);
            Value::Array(all)
        };
        let new_volumes =
            with(&old_volumes, json!({"name": "nats-ca", "secret": {"secretName": NAME}}));
        let new_mounts = with(
            &old_mounts,
            json!({"name": "nats-ca", "mountPath": "/custom/ca", "readOnly": true}),
        );
        let patch = |v: &Value, m: &Value| {
            json!([
                {"op": "add", "path": volumes, "value": v},
                {"op": "add", "path": mounts, "value": m},
            ])
        };
        let api = p.api.clone();
        let back = patch(&old_volumes, &old_mounts);
        p.run.at_end("KEDA's own authorities", async move {
            api.json_patch(&kinds::DEPLOYMENT, Some(KEDA), OPERATOR, &back).await?;
            api.delete(&kinds::SECRET, Some(KEDA), NAME).await
        });
        let forth = patch(&new_volumes, &new_mounts);
        p.api.json_patch(&kinds::DEPLOYMENT, Some(KEDA), OPERATOR, &forth).await?;
        p.must(180, "KEDA to run with the authority", async || {
            let operator = p.api.there(&kinds::DEPLOYMENT, Some(KEDA), OPERATOR).await?;
            Ok(crate::claim::is_available(&operator))
        })
        .await
    }

    async fn works(&self, p: &Proof<'_>) -> Result<()> {
        let message =
            |i| (format!("order-{i}"), json!({"task": format!("order {i}")}).to_string().into());
        self.connection(p).await?.publish(&p.stream, &[1, 2, 3].map(message)).await?;
        p.must(30, "3 messages to be processed", async || {
            let info = self.connection(p).await?.consumer(&p.stream, CONSUMER).await?;
            let info = info.context("the consumer is gone")?;
            Ok(info.num_pending == 0
                && info.num_ack_pending == 0
                && info.ack_floor.stream_sequence == 3)
        })
        .await?;
        p.passed("3 messages processed, acknowledged in all three copies of the stream");
        Ok(())
    }

    /// Of an account that NATS does not know; and mended, without a restart of the pod.
    async fn wrong_credentials(&self, p: &Proof<'_>) -> Result<()> {
        let stranger = Account::new("STRANGERS").user(CLAIM, None)?;
        p.secret("orders-nats", json!({"user.creds": stranger})).await?;
        let pods = || p.api.list(&kinds::POD, Some(&p.namespace), "app.kubernetes.io/name=orders");
        for pod in pods().await? {
            p.api.delete(&kinds::POD, Some(&p.namespace), pod.name()).await?;
        }
        let said = "does not take the user of NATS_CREDS=/run/";
        let what = "eds doctor to name the credentials";
        let line = p.must_diagnose(120, what, CLAIM, said).await?;
        p.passed(format!("eds doctor: {line}"));
        let now = pods().await?;
        p.secret("orders-nats", json!({"user.creds": self.orders.user(CLAIM, None)?})).await?;
        p.must(180, "the claim to be Ready again", async || p.ready(CLAIM).await).await?;
        let name = |pods: &[Value]| pods.first().map(|pod| pod.name().to_owned());
        let restarts = |pods: &[Value]| {
            pods.iter()
                .map(|pod| pod.number("/status/containerStatuses/0/restartCount"))
                .sum::<i64>()
        };
        let then = pods().await?;
        ensure(name(&then) == name(&now) && restarts(&then) == 0, || {
            "the pod was restarted".to_owned()
        })?;
        p.passed("with the right file in the Secret the claim is Ready, without a restart");
        Ok(())
    }

    /// The first server that KEDA asks hangs, while another one leads: KEDA goes on with the leader that it knows,
    /// and would not find it anew.
    async fn silent_server(&self, p: &Proof<'_>) -> Result<()> {
        let first = format!("{NAME}-0");
        let step_down = format!("CONSUMER.LEADER.STEPDOWN.{}.{CONSUMER}", p.stream);
        p.must(60, "another server than the first to lead", async || {
            if self.leader(p, &p.stream, CONSUMER).await? != first {
                return Ok(true);
            }
            self.connection(p).await?.ask(step_down.clone(), &[]).await?;
            Ok(false)
        })
        .await?;
        // Until KEDA has looked for the new leader.
        p.must(60, "the claim to be Ready", async || p.ready(CLAIM).await).await?;
        tokio::time::sleep(Duration::from_secs(15)).await;
        let pid = process(p, &first).await?;
        // By the end another process may have taken its place.
        p.run.put_back("the server that hangs", async move {
            let _ = signal("-CONT", pid).await;
            Ok(())
        });
        signal("-STOP", pid).await?;
        let steps = async {
            self.must_verify(p, "!", &format!("{first} does not answer")).await?;
            for pod in p.api.list(&kinds::POD, Some(KEDA), &format!("app={OPERATOR}")).await? {
                p.api.delete(&kinds::POD, Some(KEDA), pod.name()).await?;
            }
            self.must_verify(p, "\u{2717}", &format!("{first} does not answer")).await
        };
        let shown = steps.await;
        signal("-CONT", pid).await?;
        shown?;
        p.must(90, "three servers to be ready", async || Ok(ready(p).await?.len() == 3)).await?;
        // They may still choose who leads JetStream.
        p.must(60, "JetStream to answer", async || {
            let asked =
                self.connection(p).await?.ask(format!("STREAM.INFO.{}", p.stream), &[]).await;
            Ok(asked?.is_some())
        })
        .await?;
        p.must(120, "the claim to be Ready", async || p.ready(CLAIM).await).await?;
        p.passed("the server answers again: the claim is Ready");
        Ok(())
    }

    /// `eds verify keda` comes to say so, with this mark.
    async fn must_verify(&self, p: &Proof<'_>, mark: &str, said: &str) -> Result<()> {
        let found = p.must_find(150, format!("eds verify keda to say {mark} {said}"), async || {
            let ended = p.run_eds(&["verify", "keda", &place(p)]).await?;
            let line = ended.line(said).to_owned();
            Ok(line.starts_with(mark).then_some(line))
        });
        p.passed(format!("eds verify keda: {}", found.await?));
        Ok(())
    }

    async fn leader(&self, p: &Proof<'_>, stream: &str, consumer: &str) -> Result<String> {
        let info = self.connection(p).await?.consumer(stream, consumer).await?;
        let cluster = info.context("the consumer is gone")?.cluster;
        cluster.and_then(|cluster| cluster.leader).context("the consumer has no leader")
    }

    /// `eds verify autoscaling`, while servers go.
    async fn under_load(&self, p: &Proof<'_>, messages: u64) -> Result<()> {
        let database = p.new_database().await?;
        let file = |name: &str, text: &str| -> Result<String> {
            Ok(p.keep(name, text)?.to_string_lossy().into_owned())
        };
        let own = self.authority.certificate("eds", &["eds"])?;
        let creds = file("user.creds", &self.orders.user("load", None)?)?;
        let (ca, cert, key) = (
            file("ca.crt", &self.authority.pem())?,
            file("tls.crt", &own.cert)?,
            file("tls.key", &own.key)?,
        );
        let report = p.evidence.join("report");
        let (count, id, place) =
            (messages.to_string(), self.orders.id(), report.to_string_lossy().into_owned());
        let args = [
            "verify",
            "autoscaling",
            "--image",
            &p.image,
            "--messages",
            &count,
            "--database",
            &database,
            "--report",
            &place,
            "--max-replicas",
            "6",
            "--concurrency",
            "5",
            "--work-ms",
            "500",
            "--nats-url",
            URL,
            "--account-id",
            &id,
            "--monitoring-endpoint",
            MONITORING,
            "--nats-creds",
            &creds,
            "--nats-ca",
            &ca,
            "--nats-cert",
            &cert,
            "--nats-key",
            &key,
            "--nats-replicas",
            "3",
        ];
        let mut eds = command(&args)?;
        let (out, err) = (p.evidence.join("load.out"), p.evidence.join("load.err"));
        eds.stdin(Stdio::null()).stdout(std::fs::File::create(&out)?);
        eds.stderr(std::fs::File::create(&err)?);
        let child = eds.spawn().context("eds cannot be run")?;
        let pid = child.id().context("eds ended at once")?;
        let still = ends_with_the_proof(p, pid);
        let load = Load { made: self, p, messages, child: RefCell::new(child), err: err.clone() };
        let stream = load.stream(pid).await?;
        load.until_left(&stream, messages * 3 / 4).await?;
        let leader = self.leader(p, &stream, "workers").await?;
        signal("-KILL", process(p, &leader).await?).await?;
        say(&format!("SIGKILL of {leader}, which led the consumer"));
        let elected = p.must_find(60, "another leader", async || {
            let now = self.leader(p, &stream, "workers").await?;
            Ok((now != leader).then_some(now))
        });
        say(&format!("{} leads the consumer", elected.await?));
        p.must(120, "three servers to be ready", async || Ok(ready(p).await?.len() == 3)).await?;
        load.until_left(&stream, messages * 2 / 5).await?;
        let second = self.leader(p, &stream, "workers").await?;
        p.api.delete(&kinds::POD, Some(HOME), &second).await?;
        say(&format!("{second}, which leads now, is deleted with all that it stores"));
        let ended = load.child.into_inner().wait().await?;
        still.set(None);
        if !ended.success() {
            eprint!("{}{}", read(&err)?, read(&out)?);
            return failed(format!("eds verify autoscaling ended with {ended}"));
        }
        p.passed(format!("{leader} killed and {second} deleted under load"));
        let report: Value = serde_json::from_str(&read(&report.join("report.json"))?)?;
        for check in ["a row each", "scales up", "none lost"] {
            let mut checks =
                report.list("/report/sections").flat_map(|section| section.list("/checks"));
            if let Some(found) = checks.find(|found| found.text("/check") == check) {
                ensure(found.text("/status") == "passed", || format!("{check} is not passed"))?;
                p.passed(format!("{check}: {}", found.text("/detail")));
            } else if check == "a row each" {
                return failed("the report says nothing of the rows");
            }
        }
        Ok(())
    }
}

/// A run of `eds verify autoscaling` on this NATS.
struct Load<'a> {
    made: &'a Made,
    p: &'a Proof<'a>,
    messages: u64,
    child: RefCell<tokio::process::Child>,
    err: PathBuf,
}

impl Load<'_> {
    /// Its stream, once all messages are in it.
    async fn stream(&self, pid: u32) -> Result<String> {
        let p = self.p;
        let space = p.namespace_of_run("autoscaling", pid).await?;
        let stream = space.to_uppercase();
        p.must(240, "the run to publish", async || {
            self.goes_on()?;
            let connection = self.made.connection(p).await?;
            let info = connection.ask(format!("STREAM.INFO.{stream}"), &[10059]).await?;
            let there = info.map(|info| info.number("/state/messages"));
            Ok(there == i64::try_from(self.messages).ok())
        })
        .await?;
        Ok(stream)
    }

    fn goes_on(&self) -> Result<()> {
        let over = self.child.borrow_mut().try_wait()?.is_some();
        ensure(!over, || {
            let said = read(&self.err).unwrap_or_default();
            format!("the run is over: {}", said.lines().last().unwrap_or_default())
        })
    }

    async fn until_left(&self, stream: &str, count: u64) -> Result<()> {
        let left = async || {
            self.goes_on()?;
            let info = self.made.connection(self.p).await?.consumer(stream, "workers").await?;
            let info = info.context("the consumer is gone")?;
            Ok(info.num_pending + u64::try_from(info.num_ack_pending)? <= count)
        };
        self.p.must(300, format!("{count} messages to be left"), left).await
    }
}

fn place(p: &Proof<'_>) -> String {
    format!("{}/{CLAIM}", p.namespace)
}

/// The servers that are ready.
async fn ready(p: &Proof<'_>) -> Result<Vec<Value>> {
    let mut pods = p.api.list(&kinds::POD, Some(HOME), "app=nats-production").await?;
    pods.retain(|pod| pod.is("Ready") && pod.pointer("/metadata/deletionTimestamp").is_none());
    Ok(pods)
}

/// The process of a server.
async fn process(p: &Proof<'_>, pod: &str) -> Result<u32> {
    let pod = p.api.there(&kinds::POD, Some(HOME), pod).await?;
    let container = running(&pod, "containerStatuses").context("its container does not run")?;
    p.bed.process(&container).await
}

async fn signal(signal: &str, pid: u32) -> Result<()> {
    let mut kill = Command::new("kill");
    kill.args([signal, &pid.to_string()]);
    well(kill).await.map(drop)
}

async fn gone(api: &Api, objects: &[Value]) -> Result<()> {
    for object in objects {
        let kind = Kind::of(object).context("a kind that is not known")?;
        api.delete(kind, Some(HOME), object.name()).await?;
    }
    Ok(())
}
