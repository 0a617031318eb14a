//! A hand-written worker becomes a claim's and is rolled back, under load.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eds_cluster::kinds;
use eds_cluster::nats::Connection;
use kube_object::object::Fields;
use serde_json::{Map, Value, json};
use tokio::process::Command;
use tokio::time::sleep;

use super::Worker;
use crate::claim::{has, merge};
use crate::eds::command;
use crate::proof::{CONSUMER, Proof, carry_out, ensure, failed, manifest, read};
use crate::testbed::{both, output, well};
use crate::variants::{DIRECT, NAMESPACED, OBJECTS, chosen};

/// A hand-written worker becomes a claim's and is a hand-written one again, under load: a message every 20 ms, none
/// lost, none with two effects, never fewer ready pods than its scaler promises. The steps are those of
/// platform/04-apis/docs/migration.md, taken from that page; the manifests those in tests/fixtures/direct.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
    /// Only these forms.
    #[arg(value_name = "FORM", value_parser = [OBJECTS, DIRECT, NAMESPACED])]
    forms: Vec<String>,
    /// Keep report.json and plot.svg of each run in platform/04-apis/tests/recorded.
    #[arg(long)]
    record: bool,
}

/// As many ready pods as the scaler promises.
const LEAST: i64 = 2;
/// A message, and the pause before the next.
const MESSAGE: &str = r#"{"task":"migrate","work_ms":40}"#;
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("migration", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        p.install_variants().await?;
        for form in p.ways(&args.forms) {
            p.purge().await?;
            // Empty again.
            let database = p.new_database().await?;
            let migration = Migration::begin(p, form, database).await?;
            migration.carry_out(args).await?;
        }
        Ok(())
    })
    .await
}

/// One migration there, back, and there again.
struct Migration<'a> {
    p: &'a Proof<'a>,
    form: &'a str,
    database: String,
    /// The manifests, as the page's commands name them.
    files: PathBuf,
    /// Names of the Deployment and of the scaler.
    name: String,
    scaler: String,
    /// What is being done.
    phase: RefCell<String>,
}

impl<'a> Migration<'a> {
    /// The manifests with this run's namespace, stream and sizes, and the Secrets that they name.
    async fn begin(p: &'a Proof<'a>, form: &'a str, database: String) -> Result<Self> {
        let files = p.evidence.join("files");
        std::fs::create_dir_all(&files)?;
        let _ = std::fs::remove_file(p.evidence.join("variables"));
        let mut names = BTreeMap::new();
        let mut objects = Vec::new();
        for file in ["serviceaccount", "service", "deployment", "scaledobject"] {
            let fixture = p.bed.api(&format!("tests/fixtures/direct/{file}.yaml"));
            let mut object = manifest(&read(&fixture)?)?;
            this_runs(p, &mut object);
            std::fs::write(
                files.join(format!("{file}.yaml")),
                serde_json::to_string_pretty(&object)?,
            )?;
            names.insert(file, object.name().to_owned());
            objects.push(object);
        }
        for (secret, data) in secrets(&objects, &database) {
            p.secret(&secret, Value::Object(data)).await?;
        }
        for object in &objects {
            p.api.create(object).await.context("the hand-written manifests cannot be created")?;
        }
        let named = |file| names.get(file).cloned().context("no such manifest");
        let (name, scaler) = (named("deployment")?, named("scaledobject")?);
        Ok(Self {
            p,
            form,
            database,
            files,
            name,
            scaler,
            phase: RefCell::new("hand-written".to_owned()),
        })
    }

    async fn carry_out(&self, args: &Args) -> Result<()> {
        let p = self.p;
        p.must(120, format!("{LEAST} hand-written pods to be ready"), async || {
            self.two_ready().await
        })
        .await?;
        let connection = p.nats().await?;
        let (sent, started) = (Cell::new(0_i64), Instant::now());
        let look = async || self.sample(started).await;
        let subject = Connection::subject(&p.stream);
        let load = async {
            loop {
                if let Err(error) = connection.client.publish(subject.clone(), MESSAGE.into()).await
                {
                    break anyhow::Error::from(error).context("the load ended early");
                }
                sent.set(sent.get() + 1);
                sleep(PAUSE).await;
            }
        };
        let steps = async {
            tokio::select! {
                done = self.steps() => done,
                ended = load => Err(ended),
            }
        };
        let samples = p.all_along(Duration::from_millis(500), look, steps).await?;
        connection.client.flush().await.context("NATS does not take the last messages")?;
        p.must(120, "every message to be done", async || {
            let info = connection.consumer(&p.stream, CONSUMER).await?.context("no consumer")?;
            Ok(info.num_pending == 0 && info.num_ack_pending == 0)
        })
        .await?;
        let info =
            connection.ask(format!("STREAM.INFO.{}", p.stream), &[]).await?.unwrap_or_default();
        let stored = info.number("/state/messages");
        let results = self.results(&args.worker.worker).await?;
        let report = self.judged(sent.get(), stored, &results, samples)?;
        if args.record {
            self.record(&report).await?;
        }
        p.end_claim(&self.name).await?;
        let here = Some(p.namespace.as_str());
        for kind in
            [&kinds::DEPLOYMENT, &kinds::SERVICE, &kinds::SERVICE_ACCOUNT, &kinds::SCALED_OBJECT]
        {
            for object in p.api.list(kind, here, "app").await? {
                p.api.end(kind, here, object.name(), Duration::from_secs(60)).await?;
            }
        }
        Ok(())
    }

    /// All that is done under load.
    async fn steps(&self) -> Result<()> {
        sleep(Duration::from_secs(5)).await;
        self.without_the_steps().await?;
        self.there(self.form).await?;
        self.rest("the claim's").await;
        self.back().await?;
        self.rest("hand-written again").await;
        self.there(&format!("{}, again", self.form)).await?;
        self.rest("the claim's").await;
        Ok(())
    }

    fn phase(&self, phase: &str) {
        phase.clone_into(&mut self.phase.borrow_mut());
    }

    async fn rest(&self, phase: &str) {
        self.phase(phase);
        sleep(Duration::from_secs(15)).await;
    }

    /// The claim as the page has it, with a form to compose it, touches nothing.
    async fn without_the_steps(&self) -> Result<()> {
        let (p, form) = (self.p, self.form);
        let ended = output(&mut command(&["adopt", &self.files.to_string_lossy()])?).await?;
        if !matches!(ended.status.code(), Some(0 | 1)) {
            return failed(format!("eds adopt: {}", both(&ended)));
        }
        let mut claim = manifest(&String::from_utf8_lossy(&ended.stdout))?;
        merge(&mut claim, &chosen(&format!("{form}-go")));
        std::fs::write(self.files.join("claim.yaml"), claim.to_string())?;
        let before = self.objects().await?;
        self.phase("a claim over it");
        p.api.apply(&claim).await.context("the API server refuses the claim")?;
        p.must_say(60, &self.name, "NameTaken", &format!("Deployment {}", self.name)).await?;
        sleep(Duration::from_secs(5)).await;
        let same = before == self.objects().await?;
        ensure(same, || "a claim without the steps changed the hand-written objects".to_owned())?;
        p.passed(format!("{form}: a claim without the steps touches nothing"));
        p.end_claim(&self.name).await?;
        let same = before == self.objects().await?;
        ensure(same, || "the end of that claim changed the hand-written objects".to_owned())
    }

    async fn there(&self, what: &str) -> Result<()> {
        let (p, uid) = (self.p, async || {
            let account = self.p.object(&kinds::SERVICE_ACCOUNT, &self.name).await?;
            Ok::<_, anyhow::Error>(account.text("/metadata/uid").to_owned())
        });
        let account = uid().await?;
        for step in ["room", "hand-over", "deployment", "old-pods"] {
            self.step(step).await?;
        }
        p.must(60, "every pod to be the claim's", async || {
            self.only("app.kubernetes.io~1name").await
        })
        .await?;
        let same = uid().await? == account;
        ensure(same, || "the ServiceAccount is another object".to_owned())?;
        p.is_ready(&self.name).await?;
        p.passed(format!("{what}: the claim's, with the same ServiceAccount"));
        Ok(())
    }

    async fn back(&self) -> Result<()> {
        let p = self.p;
        let keep = match self.form {
            OBJECTS => "keep-objects",
            DIRECT => "keep-direct",
            _ => "keep-namespaced",
        };
        self.step(keep).await?;
        let left = p.has(&kinds::CLAIM, &self.name).await?;
        ensure(!left, || "the claim is still there".to_owned())?;
        let ready = self.two_ready().await?;
        ensure(ready, || "the claim's pods went with it".to_owned())?;
        self.step("back").await?;
        let what = format!("the hand-written Deployment to have {LEAST} ready pods");
        p.must(60, what, async || self.two_ready().await).await?;
        self.step("claims-pods").await?;
        p.must(60, "every pod to be the hand-written Deployment's", async || {
            self.only("app").await
        })
        .await?;
        p.passed(format!("{}: hand-written again", self.form));
        Ok(())
    }

    /// The commands of a step of the page, from the directory of its files, with the variables of the steps before;
    /// the first that fails ends the proof.
    async fn step(&self, step: &str) -> Result<()> {
        let page = read(&self.p.bed.api("docs/migration.md"))?;
        let commands =
            block(&page, step).with_context(|| format!("migration.md has no step {step}"))?;
        self.phase(step);
        let variables = self.p.evidence.join("variables");
        let variables = variables.display();
        let script = format!(
            "[ ! -f {variables} ] || . {variables}\n{commands}\n\
             declare -p old >{variables}.new 2>/dev/null && \
             mv {variables}.new {variables} || true\n"
        );
        self.p.keep("step.sh", &script)?;
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &script]).current_dir(&self.files);
        shell.envs([
            ("NAMESPACE", &self.p.namespace),
            ("NAME", &self.name),
            ("SCALER", &self.scaler),
        ]);
        let ended = output(&mut shell).await?;
        ensure(ended.status.success(), || {
            format!("the step {step} does not work: {}", both(&ended))
        })
    }

    async fn two_ready(&self) -> Result<bool> {
        Ok(self.p.deployment(&self.name).await?.number("/status/readyReplicas") >= LEAST)
    }

    /// The pods that are not ending.
    async fn pods(&self) -> Result<Vec<Value>> {
        let mut pods = self.p.api.list(&kinds::POD, Some(&self.p.namespace), "").await?;
        pods.retain(|pod| pod.at("/metadata/deletionTimestamp").is_none());
        Ok(pods)
    }

    /// Every pod has this label with the Deployment's name.
    async fn only(&self, label: &str) -> Result<bool> {
        let (pods, pointer) = (self.pods().await?, format!("/metadata/labels/{label}"));
        Ok(!pods.is_empty() && pods.iter().all(|pod| pod.text(&pointer) == self.name))
    }

    /// When, in which phase, how many pods are Ready and not ending.
    async fn sample(&self, started: Instant) -> Result<Value> {
        let (at, phase) = (started.elapsed().as_secs(), self.phase.borrow().clone());
        let pods = self.pods().await?;
        let ready = pods.iter().filter(|pod| has(pod, "Ready", "True", "")).count();
        Ok(json!({"at": at, "phase": phase, "ready": ready}))
    }

    /// What people wrote, without status.
    async fn objects(&self) -> Result<Vec<Value>> {
        let mut objects = Vec::new();
        for kind in
            [&kinds::SERVICE_ACCOUNT, &kinds::SERVICE, &kinds::DEPLOYMENT, &kinds::SCALED_OBJECT]
        {
            for object in self.p.api.list(kind, Some(&self.p.namespace), "").await? {
                let at = |pointer| object.at(pointer).cloned().unwrap_or_default();
                objects.push(json!([
                    kind.kind,
                    object.name(),
                    at("/metadata/uid"),
                    at("/metadata/generation"),
                    at("/metadata/labels"),
                    at("/metadata/annotations"),
                    at("/spec"),
                ]));
            }
        }
        Ok(objects)
    }

    /// What the worker has written into the database.
    async fn results(&self, worker: &Path) -> Result<Value> {
        let mut results = Command::new(worker);
        results.arg("results").envs([
            ("DATABASE_URL", self.database.as_str()),
            ("NATS_URL", "nats://unused:4222"),
            ("NATS_STREAM_NAME", &self.p.stream),
            ("NATS_CONSUMER_GROUP", CONSUMER),
        ]);
        let results = well(results).await.context("the results cannot be read")?;
        serde_json::from_str(&results).context("the results are not JSON")
    }

    fn judged(
        &self,
        published: i64,
        stored: i64,
        results: &Value,
        samples: Vec<Value>,
    ) -> Result<Value> {
        let (sequences, rows) = (results.number("/sequences"), results.number("/rows"));
        let ready = |sample: &Value| sample.number("/ready");
        let least = samples.iter().map(ready).min().context("no pod was looked at")?;
        let (lost, doubled) = (stored - sequences, rows - sequences);
        let seconds = samples.iter().map(|sample| sample.number("/at")).max();
        let deliveries = results.number("/most_deliveries");
        let fewer: Vec<&Value> =
            samples.iter().filter(|sample| ready(sample) < LEAST).take(3).collect();
        let fewer = json!(fewer).to_string();
        let report = json!({
            "form": self.form, "seconds": seconds, "published": published, "stored": stored,
            "processed": sequences,
            "lost": lost, "doubled": doubled, "mostDeliveries": deliveries, "leastReady": least,
            "samples": samples,
        });
        self.p.keep("report.json", report.to_string())?;
        ensure(published == stored, || {
            format!("{published} messages were published, the stream has {stored}")
        })?;
        ensure(lost == 0 && doubled == 0 && published > 1000, || {
            format!("of {stored} messages {rows} are done: {lost} lost, {doubled} with two effects")
        })?;
        ensure(least >= LEAST, || format!("there were only {least} ready pods: {fewer}"))?;
        self.p.passed(format!(
            "{}: {published} messages in {} s, {lost} lost, {doubled} with two effects, delivered \
             {deliveries} times at most, never fewer than {least} ready pods",
            self.form,
            seconds.unwrap_or_default(),
        ));
        Ok(report)
    }

    async fn record(&self, report: &Value) -> Result<()> {
        let kept = self.p.bed.api(&format!("tests/recorded/migration-{}", self.form));
        std::fs::create_dir_all(&kept)?;
        let file = kept.join("report.json");
        std::fs::write(&file, serde_json::to_string_pretty(report)? + "\n")?;
        let mut plot = Command::new("jq");
        plot.arg("-r").arg("-f").arg(self.p.bed.script("lib/migration-plot.jq")).arg(&file);
        std::fs::write(kept.join("plot.svg"), well(plot).await?)?;
        Ok(())
    }
}

/// The shell commands below a step's mark.
fn block(page: &str, step: &str) -> Option<String> {
    let (_, after) = page.split_once(&format!("<!-- step: {step} -->\n"))?;
    let (_, inside) = after.split_once("```sh\n")?;
    let (commands, _) = inside.split_once("```")?;
    Some(commands.to_owned())
}

/// This run's namespace, stream, image and sizes.
fn this_runs(p: &Proof<'_>, object: &mut Value) {
    merge(object, &json!({"metadata": {"namespace": p.namespace}}));
    let kind = object.text("/kind").to_owned();
    each(object, &mut |inner| {
        let variable = inner.get("name").and_then(Value::as_str).unwrap_or_default();
        let value = match variable {
            "NATS_STREAM_NAME" => Some(p.stream.as_str()),
            "NATS_CONSUMER_GROUP" => Some(CONSUMER),
            _ => None,
        };
        if let Some(value) = value {
            inner.insert("value".to_owned(), json!(value));
        }
        if inner.contains_key("image") {
            inner.insert("image".to_owned(), json!(p.image));
        }
        if kind == "Deployment" && inner.contains_key("resources") {
            let resources = json!({
                "requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1",
                "memory": "2Gi"},
            });
            inner.insert("resources".to_owned(), resources);
        }
    });
    if kind == "ScaledObject" {
        merge(object, &json!({"spec": {"minReplicaCount": LEAST, "pollingInterval": 5}}));
        if let Some(trigger) = object.pointer_mut("/spec/triggers/0/metadata") {
            merge(trigger, &json!({"account": "$G", "stream": p.stream, "consumer": CONSUMER}));
        }
    }
}

/// Every object within a value.
fn each(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|value| each(value, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| each(value, change)),
        _ => {}
    }
}

/// Every key that the Deployment names, and the database's URL among them.
fn secrets(objects: &[Value], database: &str) -> BTreeMap<String, Map<String, Value>> {
    let mut secrets = BTreeMap::<String, Map<String, Value>>::new();
    for object in objects {
        each(&mut object.clone(), &mut |inner| {
            for reference in ["secretKeyRef", "secretRef"].iter().filter_map(|key| inner.get(*key))
            {
                let (secret, key) = (reference.text("/name"), reference.text("/key"));
                let value = if secret.ends_with("-db") { database } else { "example" };
                let key = if key.is_empty() { "EXAMPLE" } else { key };
                secrets.entry(secret.to_owned()).or_default().insert(key.to_owned(), json!(value));
            }
        });
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_page() {
        let page =
            "<!-- step: room -->\n```sh\na\nb\n```\ntext\n<!-- step: back -->\n```sh\nc\n```\n";
        let check = |step: &str, expected: Option<&str>| {
            assert_eq!(block(page, step).as_deref(), expected, "{step}");
        };
        check("room", Some("a\nb\n"));
        check("back", Some("c\n"));
        check("hand-over", None);
    }

    #[test]
    fn secrets_that_a_deployment_names() {
        let reference =
            |secret: &str, key: &str| json!({"secretKeyRef": {"name": secret, "key": key}});
        let found = secrets(
            &[json!({"env": [
                {"valueFrom": reference("worker-db", "url")},
                {"valueFrom": reference("keys", "a")},
            ], "envFrom": [{"secretRef": {"name": "whole"}}]})],
            "postgres://",
        );
        let expected = json!({
            "worker-db": {"url": "postgres://"}, "keys": {"a": "example"},
            "whole": {"EXAMPLE": "example"},
        });
        assert_eq!(json!(found), expected);
    }
}
