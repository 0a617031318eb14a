//! No message is lost and none has two effects, whatever happens meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::Worker;
use crate::claim::merge;
use crate::eds::command;
use crate::proof::{Proof, carry_out, ensure, failed, read, say, setting};
use crate::testbed::{running, well};

/// No message is lost and none has two effects, whatever happens meanwhile: `eds verify autoscaling` with Debian's
/// PostgreSQL in the testbed's network, four times.
///
/// 50: from 1 replica and back. 50-zero: from 0 replicas and back. 5000: 4 pods killed (SIGKILL), 4 evicted, NATS and
/// PostgreSQL restarted, in a random order. 3000: a rolling update, after which no message may have been delivered
/// twice.
///
/// EDS_PROOF_SEED: the faults of an earlier run (it is printed). Restarts the testbed's NATS.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
    /// Only these runs.
    #[arg(value_name = "RUN", value_parser = TABLE.map(|run| run.asked))]
    runs: Vec<String>,
    /// Keep report.json and plot.svg of each run in platform/04-apis/tests/recorded.
    #[arg(long)]
    record: bool,
}

/// One run of `eds verify autoscaling`, and what is done meanwhile.
struct Run {
    asked: &'static str,
    name: &'static str,
    messages: i64,
    options: &'static [&'static str],
    disturbance: Disturbance,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    Nothing,
    Faults,
    RollingUpdate,
}

const TABLE: [Run; 4] = [
    Run {
        asked: "50",
        name: "autoscaling-50",
        messages: 50,
        options: &[],
        disturbance: Disturbance::Nothing,
    },
    Run {
        asked: "50-zero",
        name: "autoscaling-50-from-zero",
        messages: 50,
        options: &["--min-replicas", "0"],
        disturbance: Disturbance::Nothing,
    },
    Run {
        asked: "5000",
        name: "autoscaling-5000-faults",
        messages: 5000,
        options: &["--concurrency", "5", "--work-ms", "500"],
        disturbance: Disturbance::Faults,
    },
    Run {
        asked: "3000",
        name: "autoscaling-3000-rolling-update",
        messages: 3000,
        // So few replicas that the new revision's fit beside the old one's.
        options: &["--max-replicas", "5", "--concurrency", "5", "--work-ms", "500"],
        disturbance: Disturbance::RollingUpdate,
    },
];

#[derive(Clone, Copy)]
enum Fault {
    KillPod,
    EvictPod,
    RestartNats,
    RestartPostgres,
}

/// All of them, in a random order, each when so many thousandths of the messages are left.
const FAULTS: [Fault; 10] = [
    Fault::KillPod,
    Fault::KillPod,
    Fault::KillPod,
    Fault::KillPod,
    Fault::EvictPod,
    Fault::EvictPod,
    Fault::EvictPod,
    Fault::EvictPod,
    Fault::RestartNats,
    Fault::RestartPostgres,
];
const AT: [i64; 10] = [930, 860, 790, 720, 650, 560, 470, 380, 290, 180];

/// The same numbers for the same seed (xorshift).
struct Dice(Cell<u64>);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        usize::try_from(x % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}

pub(crate) async fn run(args: &Args) -> Result<()> {
    let seed = setting("EDS_PROOF_SEED", u64::from(std::process::id()))?;
    carry_out("losses", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        let database = p.new_database().await?;
        say(&format!("EDS_PROOF_SEED={seed}"));
        let dice = Dice(Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1));
        let functional = ["verify", "functional", "--image", &p.image, "--database", &database];
        p.eds(0, "a row each", &functional).await?;
        for run in &TABLE {
            if args.runs.is_empty() || args.runs.iter().any(|asked| asked == run.asked) {
                let report = Disturbed::carry_out(p, run, &database, &dice).await?;
                judged(p, run, &report)?;
                if args.record {
                    record(p, run)?;
                }
            }
        }
        Ok(())
    })
    .await?;
    if args.record {
        say("EDS_UPDATE_GOLDEN=1 cargo test -p eds-cli --test readme writes the figures into \
             README.md");
    }
    Ok(())
}

/// A check of the report passed; says what it found.
fn detail(p: &Proof<'_>, run: &Run, report: &Value, check: &str) -> Result<()> {
    let checks = report.list("/report/sections").flat_map(|section| section.list("/checks"));
    let mut found = checks.filter(|c| c.text("/check") == check && c.text("/status") == "passed");
    let Some(found) = found.next() else {
        return failed(format!("{}: {check} is not passed", run.name));
    };
    p.passed(format!("{}: {check}: {}", run.name, found.text("/detail")));
    Ok(())
}

fn judged(p: &Proof<'_>, run: &Run, report: &Value) -> Result<()> {
    detail(p, run, report, "a row each")?;
    match run.disturbance {
        Disturbance::Nothing if run.options.is_empty() => {}
        Disturbance::Nothing => detail(p, run, report, "claim stays Ready")?,
        Disturbance::Faults => {
            let mut counts = BTreeMap::<&str, usize>::new();
            for done in report.list("/disturbed") {
                let what = done.text("/what");
                *counts.entry(what.split(" of worker").next().unwrap_or(what)).or_default() += 1;
            }
            let counts: Vec<String> =
                counts.into_iter().map(|(what, count)| format!("{count} {what}")).collect();
            p.passed(format!("{}: {}", run.name, counts.join(", ")));
        }
        Disturbance::RollingUpdate => {
            let once = report.number("/run/rows/mostDeliveries") == 1;
            ensure(once, || "the rolling update had messages delivered again".to_owned())?;
            p.passed(format!("{}: no message was delivered twice", run.name));
        }
    }
    Ok(())
}

fn record(p: &Proof<'_>, run: &Run) -> Result<()> {
    let kept = p.bed.api(&format!("tests/recorded/{}", run.name));
    std::fs::create_dir_all(&kept)?;
    for file in ["report.json", "plot.svg"] {
        std::fs::copy(p.evidence.join(run.name).join(file), kept.join(file))?;
    }
    Ok(())
}

/// A run of `eds verify autoscaling` that is disturbed.
struct Disturbed<'a> {
    p: &'a Proof<'a>,
    run: &'a Run,
    dice: &'a Dice,
    child: RefCell<Child>,
    /// Its namespace, and its stream.
    space: String,
    stream: String,
    published: Instant,
    done: RefCell<Vec<Value>>,
    errors: PathBuf,
}

impl<'a> Disturbed<'a> {
    /// The report, with what was done.
    async fn carry_out(
        p: &'a Proof<'a>,
        run: &'a Run,
        database: &str,
        dice: &'a Dice,
    ) -> Result<Value> {
        let report = p.evidence.join(run.name);
        let file = |end: &str| report.with_extension(end);
        let messages = run.messages.to_string();
        let report_option = report.to_string_lossy();
        let mut args = vec!["verify", "autoscaling", "--image", &p.image, "--messages", &messages];
        args.extend(["--database", database, "--report", &report_option]);
        args.extend(run.options);
        let mut eds = command(&args)?;
        eds.stdin(Stdio::null()).stdout(std::fs::File::create(file("out"))?);
        eds.stderr(std::fs::File::create(file("err"))?);
        let child = eds.spawn().context("eds cannot be run")?;
        let pid = child.id().context("eds ended at once")?;
        let running = ends_with_the_proof(p, pid);
        let space = p.namespace_of_run("autoscaling", pid).await?;
        let stream = space.to_uppercase();
        p.must(180, "the run to publish", async || {
            let info = p.nats().await?.ask(format!("STREAM.INFO.{stream}"), &[10059]).await?;
            Ok(info.is_some_and(|info| info.number("/state/messages") == run.messages))
        })
        .await?;
        let disturbed = Self {
            p,
            run,
            dice,
            child: RefCell::new(child),
            space,
            stream,
            published: Instant::now(),
            done: RefCell::default(),
            errors: file("err"),
        };
        match run.disturbance {
            Disturbance::Nothing => {}
            Disturbance::Faults => disturbed.faults().await?,
            Disturbance::RollingUpdate => disturbed.roll().await?,
        }
        let (errors, done) = (disturbed.errors, disturbed.done.into_inner());
        let ended = disturbed.child.into_inner().wait().await?;
        running.set(None);
        if !ended.success() {
            eprint!("{}{}", read(&errors)?, read(&file("out"))?);
            return failed(format!("{}: eds verify autoscaling ended with {ended}", run.name));
        }
        with_disturbances(&report.join("report.json"), done)
    }

    async fn left(&self) -> Result<i64> {
        let info = self.p.nats().await?.consumer(&self.stream, "workers").await?;
        let info = info.context("the consumer is gone")?;
        Ok(i64::try_from(info.num_pending)? + i64::try_from(info.num_ack_pending)?)
    }

    fn is_over(&self) -> Result<bool> {
        Ok(self.child.borrow_mut().try_wait()?.is_some())
    }

    async fn until_left(&self, count: i64) -> Result<()> {
        self.p
            .must(300, format!("{count} messages to be left"), async || {
                Ok(self.is_over()? || self.left().await? <= count)
            })
            .await?;
        let over = self.is_over()?;
        ensure(!over, || {
            let said = read(&self.errors).unwrap_or_default();
            let last = said.lines().last().unwrap_or_default();
            format!("the run was over before everything was disturbed: {last}")
        })
    }

    /// With the seconds since the messages were there.
    async fn did(&self, what: String) {
        let left = self.left().await.map_or_else(|_| "?".to_owned(), |left| left.to_string());
        say(&format!("{left} messages left: {what}"));
        self.done
            .borrow_mut()
            .push(json!({"seconds": self.published.elapsed().as_secs(), "what": what}));
    }

    async fn worker_pods(&self) -> Result<Vec<Value>> {
        let mut pods = self
            .p
            .api
            .list(&kinds::POD, Some(&self.space), "app.kubernetes.io/name=worker")
            .await?;
        pods.retain(|pod| pod.at("/metadata/deletionTimestamp").is_none());
        Ok(pods)
    }

    async fn ready_pods(&self) -> Result<Vec<Value>> {
        let mut pods = self.worker_pods().await?;
        let ready = Some(&Value::Bool(true));
        pods.retain(|pod| {
            pod.list("/status/containerStatuses").any(|status| status.get("ready") == ready)
        });
        Ok(pods)
    }

    /// One that is ready, by chance.
    async fn a_pod(&self) -> Result<Value> {
        let pods = self.ready_pods().await?;
        let chosen = pods.get(self.dice.below(pods.len())).cloned();
        let Some(pod) = chosen else {
            return failed("no pod of the worker is ready, so none can be disturbed");
        };
        Ok(pod)
    }

    async fn faults(&self) -> Result<()> {
        let mut faults = FAULTS;
        for i in (1..faults.len()).rev() {
            faults.swap(i, self.dice.below(i + 1));
        }
        for (fault, at) in faults.into_iter().zip(AT) {
            self.until_left(self.run.messages * at / 1000).await?;
            // Of one pod and its successors nothing is learnt.
            self.p
                .must(120, "2 ready pods", async || Ok(self.ready_pods().await?.len() >= 2))
                .await?;
            self.fault(fault).await?;
        }
        Ok(())
    }

    async fn fault(&self, fault: Fault) -> Result<()> {
        let p = self.p;
        let what = match fault {
            Fault::KillPod => {
                let pod = self.a_pod().await?;
                let container =
                    running(&pod, "containerStatuses").context("its container does not run")?;
                let mut kill = Command::new("kill");
                kill.args(["-KILL", &p.bed.process(&container).await?.to_string()]);
                well(kill).await?;
                format!("SIGKILL of {}", pod.name())
            }
            Fault::EvictPod => {
                let pod = self.a_pod().await?;
                let (pod, space) = (pod.name(), &self.space);
                let url = format!("/api/v1/namespaces/{space}/pods/{pod}/eviction");
                let metadata = json!({"name": pod, "namespace": space});
                let eviction =
                    json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata});
                p.api
                    .post(&url, &eviction)
                    .await
                    .with_context(|| format!("{pod} is not evicted"))?;
                format!("eviction of {pod}")
            }
            Fault::RestartNats => {
                p.api.delete(&kinds::POD, Some("nats"), "nats-0").await?;
                "restart of NATS".to_owned()
            }
            Fault::RestartPostgres => {
                p.bed.does("postgres", ["restart"]).await?;
                "restart of PostgreSQL".to_owned()
            }
        };
        self.did(what).await;
        Ok(())
    }

    async fn roll(&self) -> Result<()> {
        let p = self.p;
        self.until_left(self.run.messages * 4 / 5).await?;
        let variable = json!({"name": "ROLLED", "value": "yes"});
        let add = json!([{"op": "add", "path": "/spec/env/-", "value": variable}]);
        p.api.json_patch(&kinds::CLAIM, Some(&self.space), "worker", &add).await?;
        self.did("rolling update".to_owned()).await;
        p.must(120, "every pod to be of the new revision", async || {
            let pods = self.worker_pods().await?;
            let rolled = |pod: &Value| {
                let mut variables = pod.list("/spec/containers/0/env");
                variables.any(|variable| variable.text("/name") == "ROLLED")
            };
            Ok(pods.len() > 1 && pods.iter().all(rolled))
        })
        .await?;
        let left = self.left().await?;
        ensure(left > 0, || {
            "the messages were done before the rolling update was: nothing is shown".to_owned()
        })?;
        self.did("the rolling update is over".to_owned()).await;
        Ok(())
    }
}

/// A run that is still there when the proof ends is interrupted, so that it cleans up.
pub(super) fn ends_with_the_proof(p: &Proof<'_>, pid: u32) -> Rc<Cell<Option<u32>>> {
    let running = Rc::new(Cell::new(Some(pid)));
    let still = Rc::clone(&running);
    p.run.put_back("the run of eds verify", async move {
        let Some(pid) = still.get() else { return Ok(()) };
        let process = PathBuf::from(format!("/proc/{pid}/environ"));
        let mut kill = Command::new("kill");
        kill.args(["-INT", &pid.to_string()]);
        let _ = well(kill).await;
        for _ in 0..100 {
            // One that has ended and was not waited for has no environment.
            if std::fs::read(&process).is_ok_and(|text| !text.is_empty()) {
                sleep(Duration::from_millis(500)).await;
            } else {
                return Ok(());
            }
        }
        bail!("the run of eds verify (pid {pid}) does not end")
    });
    running
}

/// Writes into the report of a run what was done meanwhile.
fn with_disturbances(file: &Path, done: Vec<Value>) -> Result<Value> {
    let mut report: Value = serde_json::from_str(&read(file)?)?;
    merge(&mut report, &json!({"disturbed": done}));
    std::fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    Ok(report)
}
