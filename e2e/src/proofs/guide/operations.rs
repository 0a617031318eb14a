//! What the page on operations promises.

use std::time::Duration;

use anyhow::{Context, Result};
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{CLAIM, CLAIM_FILE, Guide, MESSAGE, NAMESPACE, README};
use crate::proof::{Proof, ensure};

const COMPOSITION: &str = "event-driven-service";
const ON_DELETE: &str = "platform.bizmatters.io/on-delete";
/// What the claim makes, by kind and name.
const MADE: [(&eds_cluster::Kind, &str); 4] = [
    (&kinds::DEPLOYMENT, "orders"),
    (&kinds::SERVICE, "orders"),
    (&kinds::SERVICE_ACCOUNT, "orders"),
    (&kinds::SCALED_OBJECT, "orders-scaler"),
];

impl Guide<'_> {
    pub(super) async fn operations(&self) -> Result<()> {
        self.block(README, CLAIM_FILE)?;
        self.changed_composition().await?;
        self.lost_claims().await
    }

    /// Who said Manual stays where it is, and nothing outside the pod template restarts pods.
    async fn changed_composition(&self) -> Result<()> {
        const LABEL: &str = "example.com/team";
        let p = self.p;
        self.apply_orders(&json!({})).await?;
        let held =
            json!({"metadata": {"name": "held"}, "spec": {"compositionUpdatePolicy": "Manual"}});
        self.apply_orders(&held).await?;
        let both = async || Ok(p.ready(CLAIM).await? && p.ready("held").await?);
        p.must(180, "both claims to be Ready", both).await?;
        let pods = pods(p).await?;
        let was = p.object(&kinds::COMPOSITION, COMPOSITION).await?;
        let pipeline =
            was.at("/spec/pipeline").cloned().context("the Composition has no pipeline")?;
        let (api, before) = (p.api.clone(), pipeline.clone());
        p.run.put_back("the Composition", async move {
            api.patch(
                &kinds::COMPOSITION,
                None,
                COMPOSITION,
                &json!({"spec": {"pipeline": before}}),
            )
            .await
        });
        let mut changed = pipeline.clone();
        let resources = changed.pointer_mut("/0/input/resources").and_then(Value::as_array_mut);
        let mut resources = resources.into_iter().flatten();
        let service = resources.find(|resource| resource.text("/name") == "service");
        let labels = service
            .and_then(|service| service.pointer_mut("/base/metadata/labels")?.as_object_mut());
        labels
            .context("the Composition has no Service with labels")?
            .insert(LABEL.to_owned(), json!("shop"));
        let team = async |claim: &str| {
            let service = p.object(&kinds::SERVICE, claim).await?;
            Ok::<_, anyhow::Error>(service.text("/metadata/labels/example.com~1team").to_owned())
        };
        p.api
            .patch(&kinds::COMPOSITION, None, COMPOSITION, &json!({"spec": {"pipeline": changed}}))
            .await?;
        p.must(60, "the changed Composition to reach orders", async || {
            Ok(team(CLAIM).await? == "shop")
        })
        .await?;
        sleep(Duration::from_secs(15)).await;
        let followed = !team("held").await?.is_empty();
        ensure(!followed, || {
            "the claim with compositionUpdatePolicy Manual has followed".to_owned()
        })?;
        let same = pods == self::pods(p).await?;
        ensure(same, || "pods were restarted".to_owned())?;
        p.api
            .patch(&kinds::COMPOSITION, None, COMPOSITION, &json!({"spec": {"pipeline": pipeline}}))
            .await?;
        p.must(60, "the Composition before to reach orders", async || {
            Ok(team(CLAIM).await?.is_empty())
        })
        .await?;
        p.passed(
            "a changed Composition reached orders, not held (Manual); no pod was \
             restarted, and back",
        );
        p.end_claim("held").await
    }

    /// Claims lost, what they made still there: handed over by the command that the claim gives.
    async fn lost_claims(&self) -> Result<()> {
        let p = self.p;
        let uid = async || {
            let deployment = p.deployment(CLAIM).await?;
            Ok::<_, anyhow::Error>(deployment.text("/metadata/uid").to_owned())
        };
        let before = uid().await?;
        for (kind, name) in MADE {
            p.api.annotate(kind, Some(NAMESPACE), name, ON_DELETE, Some("keep")).await?;
        }
        p.must(60, "the Objects to keep what they made", async || {
            let objects = p.objects_of(CLAIM).await?;
            let keeps = |object: &Value| {
                object.at("/spec/managementPolicies")
                    == Some(&json!(["Observe", "Create", "Update"]))
            };
            Ok(objects.len() == MADE.len() && objects.iter().all(keeps))
        })
        .await?;
        self.no_orders().await?;
        for (kind, name) in MADE {
            p.api.annotate(kind, Some(NAMESPACE), name, ON_DELETE, None).await?;
        }
        self.apply_orders(&json!({})).await?;
        p.must_say(60, CLAIM, "NameTaken", "let it take them over").await?;
        self.transcript("restored").typed(MESSAGE).await?;
        p.as_it_says(CLAIM).await?;
        self.fine(180).await?;
        let same = uid().await? == before;
        ensure(same, || "the Deployment is another".to_owned())?;
        p.passed(
            "restored: the claim took its four objects over again, by the command in its message; \
             the same Deployment",
        );
        self.no_orders().await
    }
}

/// The pods' uids.
async fn pods(p: &Proof<'_>) -> Result<Vec<String>> {
    let pods = Value::Array(p.api.list(&kinds::POD, Some(NAMESPACE), "").await?);
    let mut uids: Vec<String> =
        pods.list("").map(|pod| pod.text("/metadata/uid").to_owned()).collect();
    uids.sort();
    Ok(uids)
}
