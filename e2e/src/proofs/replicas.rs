//! KEDA owns the number of replicas.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use eds_cluster::kinds;
use eds_core::form::Form;
use kube_object::object::Fields;
use serde_json::json;
use tokio::time::sleep;

use super::Worker;
use crate::proof::{Proof, carry_out, ensure, setting};

/// KEDA owns the number of replicas. A claim updated while its service is scaled out stays scaled out, and no
/// reconcile writes the Deployment: the composite and its Objects are made to reconcile as often as in an hour.
///
/// EDS_PROOF_RECONCILES: forced reconciles of the composite and of each Object (default 60).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

pub(crate) async fn run(args: &Args) -> Result<()> {
    let reconciles = setting("EDS_PROOF_RECONCILES", 60)?;
    carry_out("replicas", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        scaled_out(p).await?;
        updated(p).await?;
        reconciled(p, reconciles).await?;
        owned(p).await?;
        p.purge().await?;
        p.must_scale(120, "busy to scale back", "busy", 1).await?;
        p.passed("busy: back to 1 when the stream was empty");
        Ok(())
    })
    .await
}

async fn scaled_out(p: &Proof<'_>) -> Result<()> {
    p.apply_claim("busy", json!({"spec": {"scaling": {"maxReplicas": 3}}})).await?;
    p.becomes_ready("busy").await?;
    p.publish(15).await?;
    p.must_scale(90, "busy to scale to 3", "busy", 3).await?;
    p.must(90, "busy's 3 pods", async || p.available("busy").await).await?;
    p.passed("busy: 1 to 3 on 15 messages");
    Ok(())
}

/// Looked at every 0.2 s, from before the change until after its rollout.
async fn updated(p: &Proof<'_>) -> Result<()> {
    let changed = json!({"spec": {
        "scaling": {"maxReplicas": 3}, "env": [{"name": "CHANGED", "value": "yes"}],
    }});
    let steps = async {
        p.apply_claim("busy", changed).await?;
        p.must(30, "the change to arrive", async || {
            let deployment = p.deployment("busy").await?;
            let mut variables = deployment.list("/spec/template/spec/containers/0/env");
            Ok(variables.any(|variable| variable.text("/name") == "CHANGED"))
        })
        .await?;
        p.must(180, "the rollout to end", async || p.available("busy").await).await
    };
    let seen =
        p.all_along(Duration::from_millis(200), async || p.replicas("busy").await, steps).await?;
    let other = seen.iter().filter(|replicas| **replicas != 3).count();
    ensure(other == 0 && !seen.is_empty(), || format!("replicas were not 3 all along: {seen:?}"))?;
    let looks = seen.len();
    p.passed(format!(
        "busy: updated at 3 replicas, 3 in all {looks} looks until the rollout was over"
    ));
    Ok(())
}

async fn reconciled(p: &Proof<'_>, times: u64) -> Result<()> {
    let writes =
        async || Ok::<_, anyhow::Error>(p.deployment("busy").await?.number("/metadata/generation"));
    let before = writes().await?;
    let (composite, here) = (p.composite("busy").await?, Some(p.namespace.as_str()));
    let objects = p.objects_of("busy").await?;
    for i in 1..=times {
        let (key, value) = ("proofs/look", i.to_string());
        p.api.annotate(p.composite_kind(), here, &composite, key, Some(&value)).await?;
        for object in &objects {
            p.api.annotate(&kinds::OBJECT, None, object.name(), key, Some(&value)).await?;
        }
    }
    sleep(Duration::from_secs(5)).await;
    let after = writes().await?;
    ensure(after == before, || {
        format!("the Deployment was written: generation {before} became {after}")
    })?;
    let replicas = p.replicas("busy").await?;
    ensure(replicas == 3, || format!("busy has {replicas} replicas, not 3"))?;
    ensure(!objects.is_empty() || p.form == Form::Namespaced, || {
        "the claim busy has no Objects".to_owned()
    })?;
    let objects = objects.len();
    p.passed(format!(
        "busy: {times} reconciles of the composite and its {objects} Objects wrote nothing"
    ));
    Ok(())
}

async fn owned(p: &Proof<'_>) -> Result<()> {
    let deployment = p.deployment("busy").await?;
    let writers = deployment
        .list("/metadata/managedFields")
        .filter(|entry| entry.at("/fieldsV1/f:spec/f:replicas").is_some())
        .map(|entry| entry.text("/manager"));
    let writers: BTreeSet<&str> = writers.collect();
    let writers: Vec<&str> = writers.into_iter().collect();
    let ours =
        |writer: &&str| writer.contains("provider-kubernetes") || writer.contains("apiextensions");
    let shown = writers.join(" ");
    ensure(!writers.iter().any(ours), || format!("spec.replicas is also owned by {shown}"))?;
    let shown = if shown.is_empty() { "nobody but its default" } else { &shown };
    p.passed(format!("busy: spec.replicas is owned by {shown}"));
    Ok(())
}
