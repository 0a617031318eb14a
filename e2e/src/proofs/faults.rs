//! What happens when parts of the platform fail.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eds_cluster::{Kind, kinds};
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Worker;
use crate::api::Api;
use crate::proof::{Proof, carry_out, ensure, say};

/// What happens when parts of the platform fail: each is made to fail on purpose while a claim changes; the claim must
/// converge to what it last said, and nothing may be left behind.
///
/// Disturbs the testbed's Crossplane, function, provider and API server, and puts them back.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

/// One fault: what is done before the claim changes, and within which time it must have converged.
struct Fault {
    what: &'static str,
    fault: Do,
    seconds: u64,
}

enum Do {
    Nothing,
    /// Its pod is killed, by a label.
    Kill(&'static str),
    /// The provider is stopped, and started only after the claim has changed.
    StopProvider,
    /// The API server is restarted while the change is rolled out. The client's own requests fail meanwhile, as a
    /// person's would.
    RestartApiServer,
}

const TABLE: [Fault; 5] = [
    Fault { what: "before any fault", fault: Do::Nothing, seconds: 60 },
    Fault {
        what: "the function's pod was killed",
        fault: Do::Kill("pkg.crossplane.io/function=function-event-driven-service"),
        seconds: 120,
    },
    Fault { what: "Crossplane was killed", fault: Do::Kill("app=crossplane"), seconds: 180 },
    Fault { what: "the provider was stopped and started", fault: Do::StopProvider, seconds: 180 },
    Fault {
        what: "the API server was restarted during a rollout",
        fault: Do::RestartApiServer,
        seconds: 180,
    },
];

const CLAIM: &str = "steady";
const SYSTEM: &str = "crossplane-system";
const PROVIDER: &str = "pkg.crossplane.io/provider=provider-kubernetes";
const RUNTIME_CONFIG: Kind = Kind {
    group: "pkg.crossplane.io",
    version: "v1beta1",
    kind: "DeploymentRuntimeConfig",
    plural: "deploymentruntimeconfigs",
    namespaced: false,
};

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("faults", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        let api = p.api.clone();
        p.run.put_back("the provider", async move { provider_again(&api).await });
        for (step, fault) in TABLE.iter().enumerate() {
            disturbed(p, step, fault).await?;
        }
        many_edits(p).await?;
        nothing_left(p).await
    })
    .await
}

/// By its runtime configuration; Crossplane puts back what is written to the Deployment.
async fn provider_pods(api: &Api, replicas: Value) -> Result<()> {
    let change = json!({"spec": {"deploymentTemplate": {"spec": {"replicas": replicas}}}});
    api.patch(&RUNTIME_CONFIG, None, "provider-kubernetes", &change).await
}

async fn provider_again(api: &Api) -> Result<()> {
    provider_pods(api, json!(1)).await?;
    provider_pods(api, Value::Null).await
}

/// The claim as it should be after a change.
async fn step(p: &Proof<'_>, step: usize) -> Result<()> {
    p.apply_claim(CLAIM, json!({"spec": {"env": [{"name": "STEP", "value": step.to_string()}]}}))
        .await
}

async fn is_at(p: &Proof<'_>, step: usize) -> Result<bool> {
    let deployment = p.deployment(CLAIM).await?;
    let mut variables = deployment.list("/spec/template/spec/containers/0/env");
    let found = variables.find(|variable| variable.text("/name") == "STEP");
    Ok(found.is_some_and(|variable| variable.text("/value") == step.to_string()))
}

async fn converges(p: &Proof<'_>, at: usize, seconds: u64, what: &str) -> Result<()> {
    p.must(seconds, format!("the claim to be at step {at} ({what})"), async || is_at(p, at).await)
        .await?;
    p.must(120, format!("its pods ({what})"), async || p.available(CLAIM).await).await?;
    p.must(60, format!("the claim to be Ready ({what})"), async || p.ready(CLAIM).await).await?;
    p.passed(format!("{what}: at step {at}, and Ready"));
    Ok(())
}

async fn disturbed(p: &Proof<'_>, at: usize, fault: &Fault) -> Result<()> {
    match fault.fault {
        Do::Nothing => step(p, at).await?,
        Do::Kill(label) => {
            kill(p, label).await?;
            step(p, at).await?;
        }
        Do::StopProvider => {
            provider_pods(&p.api, json!(0)).await?;
            p.must(60, "the provider's pod to end", async || {
                Ok(p.api.list(&kinds::POD, Some(SYSTEM), PROVIDER).await?.is_empty())
            })
            .await?;
            step(p, at).await?;
            sleep(Duration::from_secs(5)).await;
            let changed = is_at(p, at).await?;
            ensure(!changed, || {
                "the provider was stopped, and yet the Deployment changed".to_owned()
            })?;
            provider_again(&p.api).await?;
        }
        Do::RestartApiServer => {
            step(p, at).await?;
            p.must(30, "the rollout to begin", async || is_at(p, at).await).await?;
            p.bed
                .does("restart", ["kube-apiserver"])
                .await
                .context("the API server did not come back")?;
        }
    }
    converges(p, at, fault.seconds, fault.what).await
}

/// Kills the pod of a label, without grace.
async fn kill(p: &Proof<'_>, label: &str) -> Result<()> {
    let pods = p.api.list(&kinds::POD, Some(SYSTEM), label).await?;
    ensure(!pods.is_empty(), || format!("there is no pod {label}"))?;
    for pod in &pods {
        p.api.kill(&kinds::POD, Some(SYSTEM), pod.name()).await?;
    }
    p.must(30, format!("the pod {label} to end"), async || {
        let now = p.api.list(&kinds::POD, Some(SYSTEM), label).await?;
        let uid = |pod: &Value| pod.text("/metadata/uid").to_owned();
        Ok(!now.iter().any(|pod| pods.iter().any(|was| uid(was) == uid(pod))))
    })
    .await
}

async fn many_edits(p: &Proof<'_>) -> Result<()> {
    let (first, started) = (TABLE.len(), Instant::now());
    let last = first + 19;
    for at in first..=last {
        step(p, at).await?;
    }
    say(&format!("20 edits in {} s", started.elapsed().as_secs()));
    converges(p, last, 120, "20 edits in a row").await?;
    p.must(60, "one ReplicaSet with pods", async || {
        let sets = p.api.list(&kinds::REPLICA_SET, Some(&p.namespace), "").await?;
        Ok(sets.iter().filter(|set| set.number("/spec/replicas") > 0).count() == 1)
    })
    .await?;
    p.passed("one ReplicaSet has pods");
    Ok(())
}

async fn nothing_left(p: &Proof<'_>) -> Result<()> {
    let composite = p.composite(CLAIM).await?;
    sleep(Duration::from_secs(5)).await;
    p.end_claim(CLAIM).await?;
    let here =
        [&kinds::DEPLOYMENT, &kinds::SERVICE, &kinds::SCALED_OBJECT, &kinds::HPA, &kinds::POD];
    let of_claims = format!("crossplane.io/claim-namespace={}", p.namespace);
    let of_composite = format!("crossplane.io/composite={composite}");
    p.must(120, "nothing to be left", async || {
        let mut left = p.api.list(&kinds::COMPOSITE, None, &of_claims).await?;
        left.extend(p.api.list(&kinds::OBJECT, None, &of_composite).await?);
        for kind in here {
            left.extend(p.api.list(kind, Some(&p.namespace), "").await?);
        }
        Ok(left.is_empty())
    })
    .await?;
    p.passed("deleted, and nothing is left");
    Ok(())
}
