//! A worker that runs, written by hand, becomes a claim's by the steps that `eds adopt` prints.

use anyhow::{Context, Result};
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::Command;

use super::Worker;
use crate::claim::{is_available, merge};
use crate::eds::command;
use crate::proof::{Proof, carry_out, ensure, failed, manifest};
use crate::testbed::{both, output};
use crate::variants::chosen;

/// A worker that runs, written by hand, becomes a claim's: `eds adopt --from-cluster` reads it and prints the claim and
/// the steps, the steps are carried out as they are printed, and `eds diff --live` says before what the claim would
/// change, afterwards that it is the same, and of a changed claim exactly what differs. For Objects and composed
/// directly.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("adopt", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        p.install_variants().await?;
        for form in p.ways(&[]) {
            adopt(p, form).await?;
        }
        Ok(())
    })
    .await
}

/// Its four manifests, with labels, names and a probe of their own.
fn hand_written(p: &Proof<'_>, name: &str) -> [Value; 4] {
    let labels = json!({"app": name});
    let metadata = json!({"name": name, "namespace": p.namespace, "labels": labels});
    let container = json!({
        "name": "worker",
        "image": p.image,
        "env": [
            {"name": "NATS_URL", "value": "nats://nats.nats.svc:4222"},
            {"name": "NATS_STREAM_NAME", "value": p.stream},
            {"name": "NATS_CONSUMER_GROUP", "value": "worker"},
            {"name": "OWN", "value": "yes"},
        ],
        "ports": [{"name": "web", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "web"}},
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        "resources": {
            "requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"cpu": "200m",
            "memory": "128Mi"},
        },
    });
    let security = json!({"runAsNonRoot": true, "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"}});
    let pod =
        json!({"serviceAccountName": name, "securityContext": security, "containers": [container]});
    let trigger = json!({"type": "nats-jetstream", "metadata": {
        "natsServerMonitoringEndpoint": "nats-headless.nats.svc.cluster.local:8222",
        "account": "$G", "stream": p.stream, "consumer": "worker", "lagThreshold": "5",
    }});
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {
            "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": pod},
        }}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {
            "selector": labels, "ports": [{"name": "web", "port": 8080, "targetPort": "web"}],
        }}),
        json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": metadata,
        "spec": {
            "scaleTargetRef": {"name": name}, "minReplicaCount": 1, "maxReplicaCount": 2,
            "triggers": [trigger],
        }}),
    ]
}

async fn adopt(p: &Proof<'_>, form: &str) -> Result<()> {
    let name = &format!("by-hand-{form}");
    for object in hand_written(p, name) {
        p.api.create(&object).await.context("the API server refuses the hand-written manifests")?;
    }
    p.must(120, format!("the hand-written {name} to run"), async || p.available(name).await)
        .await?;
    let place = format!("{}/{name}", p.namespace);
    let (claim, report) = by_eds(p, form, &place).await?;
    let file = p.keep("CLAIM.yaml", claim.to_string())?;
    let file = file.to_string_lossy();
    p.eds(1, "was not made by a claim", &["diff", "--live", &file]).await?;
    let mut steps = 0;
    for step in report.list("/workers/0/steps").filter_map(Value::as_str) {
        let Some((_, commands)) = step.split_once(": kubectl ") else { continue };
        steps += 1;
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("kubectl {commands}")]).current_dir(&p.evidence);
        let ended = output(&mut shell).await?;
        ensure(ended.status.success(), || {
            format!("step {steps}, kubectl {commands}: {}", both(&ended))
        })?;
    }
    ensure(steps > 0, || "eds adopt prints no commands".to_owned())?;
    p.passed(format!("{name}: the {steps} commands that eds adopt printed were carried out"));
    p.must(60, format!("{name} to be the claim's"), async || {
        let deployment = p.deployment(name).await?;
        let container = deployment.text("/spec/template/spec/containers/0/name");
        Ok(container == "main" && is_available(&deployment))
    })
    .await?;
    p.must(60, format!("the old pods of {name} to end"), async || {
        let old = p.api.list(&kinds::POD, Some(&p.namespace), &format!("app={name}")).await?;
        Ok(old.is_empty())
    })
    .await?;
    p.must(30, format!("the claim {name} to be Ready"), async || p.ready(name).await).await?;
    p.passed(format!("{name} is the claim's, and Ready"));
    compared(p, &claim, &file).await?;
    p.eds(2, "is a claim's already", &["adopt", "--from-cluster", &place]).await?;
    p.end_claim(name).await
}

/// The claim, composed by a form, and the report of `eds adopt`.
async fn by_eds(p: &Proof<'_>, form: &str, place: &str) -> Result<(Value, Value)> {
    let ended =
        output(&mut command(&["adopt", "--report", "json", "--from-cluster", place])?).await?;
    p.keep("claim.yaml", &ended.stdout)?;
    p.keep("report.json", &ended.stderr)?;
    if !matches!(ended.status.code(), Some(0 | 1)) {
        return failed(format!("eds adopt ended with {}: {}", ended.status, both(&ended)));
    }
    let report: Value = serde_json::from_slice(&ended.stderr).context("the report is not JSON")?;
    let valid = report.is_true("/workers/0/valid");
    ensure(valid, || "the claim is not valid".to_owned())?;
    p.passed(format!("eds adopt: {}", report.get("summary").unwrap_or(&Value::Null)));
    let mut claim = manifest(&String::from_utf8_lossy(&ended.stdout))?;
    merge(&mut claim, &chosen(&format!("{form}-go")));
    Ok((claim, report))
}

/// What `eds diff --live` says of the claim, and of changed ones.
async fn compared(p: &Proof<'_>, claim: &Value, file: &str) -> Result<()> {
    p.eds_soon(30, 0, "the same", &["diff", "--live", file]).await?;
    let mut changed = claim.clone();
    merge(&mut changed, &json!({"spec": {"scaling": {"maxReplicas": 7}}}));
    let file = p.keep("changed.json", changed.to_string())?;
    let said = p.eds(1, "+ 7", &["diff", "--live", &file.to_string_lossy()]).await?;
    let restarts = said.text.contains("restarts pods");
    ensure(!restarts, || "a changed maxReplicas starts no pods again".to_owned())?;
    let mut changed = claim.clone();
    let variables = changed.pointer_mut("/spec/env").and_then(Value::as_array_mut);
    variables
        .context("the claim has no variables")?
        .retain(|variable| variable.text("/name") != "OWN");
    let file = p.keep("changed.json", changed.to_string())?;
    p.eds(1, "- \"OWN\"", &["diff", "--live", &file.to_string_lossy()]).await?;
    Ok(())
}
