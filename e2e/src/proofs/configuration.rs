//! One package installs the API, and an upgrade of it restarts nothing.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::json;
use tokio::time::sleep;

use super::Worker;
use crate::proof::{Proof, carry_out, ensure};

/// One package installs the API, and an upgrade of it restarts nothing: XRD and Composition are taken away and come
/// back with a Configuration of 0.1; claims run; the Configuration is set to the present version; no pod is replaced
/// and no manifest written, and then the claims have the new fields. At last the Configuration is deleted.
///
/// Only for a cluster without claims: without the XRD there are none. testbed/proofs/configuration pushes the packages
/// before, and installs the API by Kustomize again after.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The Configuration of the former version.
    #[arg(long, env = "EDS_PROOF_FORMER")]
    former: String,
    /// The present one.
    #[arg(long, env = "EDS_PROOF_PRESENT")]
    present: String,
    #[command(flatten)]
    worker: Worker,
}

const CONFIGURATION: &str = "configuration-event-driven-service";
const XRD: &str = "xeventdrivenservices.platform.bizmatters.io";
const COMPOSITION: &str = "event-driven-service";
const CLAIMS: [&str; 2] = ["plain", "keyed"];

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("configuration", async |p| {
        p.needs_claims()?;
        let others = p.api.list(&kinds::CLAIM, None, "").await?;
        if let Some(claim) = others.first() {
            bail!("there are claims, such as {}, and the XRD goes with this proof", claim.name());
        }
        p.bed.worker(&p.image, &args.worker.worker).await?;
        installed(p, &args.former).await?;
        p.secret("keys", json!({"api-key": "first"})).await?;
        p.apply_claim("plain", json!({"spec": {"env": [{"name": "LOG_LEVEL", "value": "info"}]}}))
            .await?;
        let key = json!({"secretKey": "api-key", "envName": "API_KEY"});
        p.apply_claim("keyed", json!({"spec": {"secretRefs": [{"name": "keys", "env": [key]}]}}))
            .await?;
        for claim in CLAIMS {
            p.becomes_ready(claim).await?;
        }
        upgraded(p, &args.present).await?;
        new_fields(p).await?;
        deleted(p).await
    })
    .await
}

/// Whether the package is there in this version, and says it is well.
async fn healthy(p: &Proof<'_>, package: &str) -> Result<bool> {
    let configuration = p.api.there(&kinds::CONFIGURATION, None, CONFIGURATION).await?;
    let is = |type_: &str| {
        configuration.list("/status/conditions").any(|condition| {
            condition.text("/type") == type_ && condition.text("/status") == "True"
        })
    };
    Ok(configuration.text("/status/currentIdentifier") == package
        && is("Installed")
        && is("Healthy"))
}

async fn installed(p: &Proof<'_>, package: &str) -> Result<()> {
    p.api.end(&kinds::COMPOSITION, None, COMPOSITION, Duration::from_secs(60)).await?;
    p.api.end(&kinds::XRD, None, XRD, Duration::from_secs(120)).await?;
    let configuration = json!({
        "apiVersion": kinds::CONFIGURATION.api_version(),
        "kind": "Configuration",
        "metadata": {"name": CONFIGURATION},
        "spec": {"package": package},
    });
    p.api.apply(&configuration).await?;
    p.must(120, format!("{package} to be installed and healthy"), async || {
        healthy(p, package).await
    })
    .await?;
    p.must(60, "the claim to be offered", async || {
        let xrd = p.api.there(&kinds::XRD, None, XRD).await?;
        Ok(xrd.list("/status/conditions").any(|condition| {
            condition.text("/type") == "Offered" && condition.text("/status") == "True"
        }))
    })
    .await?;
    for (kind, name) in [(&kinds::XRD, XRD), (&kinds::COMPOSITION, COMPOSITION)] {
        let object = p.api.there(kind, None, name).await?;
        let mut owners = object.list("/metadata/ownerReferences");
        ensure(owners.any(|owner| owner.text("/kind") == "ConfigurationRevision"), || {
            format!("{} {name} is not the package's", kind.kind)
        })?;
    }
    p.passed(format!("one object brought XRD and Composition: {package}"));
    Ok(())
}

/// What a restart or a write would change: pods with their containers' restarts, and the composed manifests'
/// generations.
async fn snapshot(p: &Proof<'_>) -> Result<Vec<String>> {
    let mut seen = Vec::new();
    for pod in p.api.list(&kinds::POD, Some(&p.namespace), "").await? {
        let restarts: i64 = pod
            .list("/status/containerStatuses")
            .map(|status| status.number("/restartCount"))
            .sum();
        seen.push(format!("pod {} {} restarts {restarts}", pod.name(), pod.text("/metadata/uid")));
    }
    for claim in CLAIMS {
        for object in p.objects_of(claim).await? {
            let generation = object.number("/metadata/generation");
            seen.push(format!("object {} generation {generation}", object.name()));
        }
        let generation = p.deployment(claim).await?.number("/metadata/generation");
        seen.push(format!("deployment {claim} generation {generation}"));
    }
    seen.sort();
    Ok(seen)
}

async fn revision(p: &Proof<'_>, claim: &str) -> Result<String> {
    let composite = p.composite(claim).await?;
    let composite = p.api.there(&kinds::COMPOSITE, None, &composite).await?;
    Ok(composite.text("/spec/compositionRevisionRef/name").to_owned())
}

async fn upgraded(p: &Proof<'_>, package: &str) -> Result<()> {
    let before = snapshot(p).await?;
    let mut revisions = Vec::new();
    for claim in CLAIMS {
        revisions.push(revision(p, claim).await?);
    }
    let steps = async {
        let change = json!({"spec": {"package": package}});
        p.api.patch(&kinds::CONFIGURATION, None, CONFIGURATION, &change).await?;
        p.must(120, format!("{package} to be installed and healthy"), async || {
            healthy(p, package).await
        })
        .await?;
        for (claim, former) in CLAIMS.iter().zip(&revisions) {
            p.must(120, format!("{claim} to be composed by the new Composition"), async || {
                Ok(revision(p, claim).await? != *former)
            })
            .await?;
        }
        // As long as the provider takes to write what it is told to.
        sleep(Duration::from_secs(20)).await;
        Ok(())
    };
    let available = async || -> Result<bool> {
        Ok(p.available(CLAIMS[0]).await? && p.available(CLAIMS[1]).await?)
    };
    let seen = p.all_along(Duration::from_millis(200), available, steps).await?;
    ensure(!seen.is_empty() && seen.iter().all(|available| *available), || {
        "pods were missing during the upgrade".to_owned()
    })?;
    let after = snapshot(p).await?;
    ensure(before == after, || {
        format!(
            "the upgrade changed something:\n{}\nbecame\n{}",
            before.join("\n"),
            after.join("\n")
        )
    })?;
    for claim in CLAIMS {
        p.is_ready(claim).await?;
    }
    p.passed(format!(
        "upgraded to {package}: no pod replaced or restarted, no manifest written, all pods there \
         in {} looks",
        seen.len()
    ));
    Ok(())
}

/// A field of the present version reaches the pods: XRD and Composition are the new ones.
async fn new_fields(p: &Proof<'_>) -> Result<()> {
    let change = json!({"spec": {"podMetadata": {"labels": {"team": "payments"}}}});
    p.apply_claim("plain", change).await?;
    p.must(60, "the label to reach the pods", async || {
        let deployment = p.deployment("plain").await?;
        Ok(deployment.text("/spec/template/metadata/labels/team") == "payments")
    })
    .await?;
    p.becomes_ready("plain").await?;
    p.passed("a claim has the new version's fields");
    Ok(())
}

async fn deleted(p: &Proof<'_>) -> Result<()> {
    for claim in CLAIMS {
        p.end_claim(claim).await?;
    }
    p.api
        .delete(&kinds::CONFIGURATION, None, CONFIGURATION)
        .await
        .context("the Configuration stays")?;
    p.must(120, "the XRD to go with its package", async || {
        Ok(p.api.get(&kinds::XRD, None, XRD).await?.is_none())
    })
    .await?;
    p.passed("deleted, the Configuration takes the XRD with it, as the page on installing warns");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_names_are_those_of_the_files() {
        let api = concat!(env!("CARGO_MANIFEST_DIR"), "/../platform/04-apis");
        let of = |file: &str| std::fs::read_to_string(format!("{api}/{file}")).unwrap();
        let named = |file: &str, name: &str| assert!(of(file).contains(&format!("name: {name}\n")));
        named("definitions/xeventdrivenservices.yaml", super::XRD);
        named("compositions/event-driven-service-composition.yaml", super::COMPOSITION);
        named("overlays/configuration/configuration.yaml", super::CONFIGURATION);
    }
}
