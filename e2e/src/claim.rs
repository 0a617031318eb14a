//! The claim of a proof, what it says, and what became of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use eds_cluster::{Kind, kinds};
use eds_core::form::Form;
use kube_object::object::Fields;
use kube_object::rollout::Replicas;
use serde_json::{Value, json};

use crate::proof::{CONSUMER, Proof, ensure};

/// Within this a claim that is deleted must be gone.
const GONE: Duration = Duration::from_secs(90);

/// Changes a value as a JSON merge patch does: objects are joined, null removes, all else replaces.
pub(crate) fn merge(into: &mut Value, change: &Value) {
    let (Value::Object(into), Value::Object(change)) = (&mut *into, change) else {
        *into = change.clone();
        return;
    };
    for (key, value) in change {
        if value.is_null() {
            into.remove(key);
        } else {
            merge(into.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// Whether there are pods, all of them of the newest revision and available.
pub(crate) fn is_available(deployment: &Value) -> bool {
    let replicas = Replicas::of(deployment);
    replicas.desired > 0 && replicas.are_rolled_out()
}

/// Whether a claim has a condition of this status, and of this reason where one is named.
pub(crate) fn has(claim: &Value, type_: &str, status: &str, reason: &str) -> bool {
    let found = claim.condition(type_);
    found.is_some_and(|found| {
        found.status == status && (reason.is_empty() || found.reason == reason)
    })
}

impl Proof<'_> {
    /// An object of the proof's own namespace, or of a kind without namespaces.
    pub(crate) async fn object(&self, kind: &Kind, name: &str) -> Result<Value> {
        self.api.there(kind, Some(&self.namespace), name).await
    }

    /// Whether there is such an object.
    pub(crate) async fn has(&self, kind: &Kind, name: &str) -> Result<bool> {
        Ok(self.api.get(kind, Some(&self.namespace), name).await?.is_some())
    }

    /// A claim for the worker, changed by a merge patch.
    pub(crate) fn claim(&self, name: &str, change: &Value) -> Value {
        let mut claim = json!({
            "apiVersion": "platform.bizmatters.io/v1alpha1",
            "kind": "EventDrivenService",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "image": self.image,
                "size": "small",
                "nats": {"stream": self.stream, "consumer": CONSUMER},
                "scaling": {"pollingInterval": 5, "cooldownPeriod": 10},
            },
        });
        merge(&mut claim, change);
        claim
    }

    /// Applies it.
    pub(crate) async fn apply_claim(&self, name: &str, change: Value) -> Result<()> {
        self.api
            .apply(&self.claim(name, &change))
            .await
            .with_context(|| format!("the API server refuses the claim {name}"))
    }

    /// Deletes a claim; it must be gone before its name is used again.
    pub(crate) async fn end_claim(&self, name: &str) -> Result<()> {
        self.api.end(&kinds::CLAIM, Some(&self.namespace), name, GONE).await
    }

    /// The claim as it is.
    pub(crate) async fn claim_now(&self, name: &str) -> Result<Value> {
        self.object(&kinds::CLAIM, name).await
    }

    /// Some proofs are about claims and Objects.
    pub(crate) fn needs_claims(&self) -> Result<()> {
        if self.form == Form::Claims {
            return Ok(());
        }
        bail!("this proof needs a testbed with claims, and this one has the namespaced form")
    }

    /// The kind of its composite: in the namespaced form it is the composite itself.
    pub(crate) fn composite_kind(&self) -> &'static Kind {
        kinds::composite_in(self.form)
    }

    /// Its composite's name.
    pub(crate) async fn composite(&self, name: &str) -> Result<String> {
        if self.form == Form::Namespaced {
            return Ok(name.to_owned());
        }
        Ok(self.claim_now(name).await?.text("/spec/resourceRef/name").to_owned())
    }

    /// The Objects of a claim.
    pub(crate) async fn objects_of(&self, claim: &str) -> Result<Vec<Value>> {
        let selector = format!(
            "crossplane.io/claim-namespace={},crossplane.io/claim-name={claim}",
            self.namespace
        );
        self.api.list(&kinds::OBJECT, None, &selector).await
    }

    /// What it says in one sentence; empty where it says nothing.
    pub(crate) async fn message(&self, name: &str) -> String {
        let claim = self.claim_now(name).await.unwrap_or_default();
        claim.text("/status/message").to_owned()
    }

    /// Whether it has the condition, see [`has`].
    pub(crate) async fn condition(
        &self,
        name: &str,
        type_: &str,
        status: &str,
        reason: &str,
    ) -> Result<bool> {
        Ok(has(&self.claim_now(name).await?, type_, status, reason))
    }

    /// Whether it is Ready.
    pub(crate) async fn ready(&self, name: &str) -> Result<bool> {
        self.condition(name, "Ready", "True", "").await
    }

    /// Whether it is not Ready, for this reason (any, where that is empty), and its sentence holds the text.
    pub(crate) async fn says(&self, name: &str, reason: &str, said: &str) -> Result<bool> {
        let claim = self.claim_now(name).await?;
        Ok(has(&claim, "Ready", "False", "")
            && has(&claim, "WorkerAvailable", "False", reason)
            && claim.text("/status/message").contains(said))
    }

    /// It must come to say so within the limit.
    pub(crate) async fn must_say(
        &self,
        seconds: u64,
        name: &str,
        reason: &str,
        said: &str,
    ) -> Result<()> {
        let what = format!("the claim {name} to say {reason}: {said}");
        let waited = self.must(seconds, &what, async || self.says(name, reason, said).await).await;
        if waited.is_err() {
            let message = self.message(name).await;
            return waited.context(format!("it says: {message}"));
        }
        Ok(())
    }

    /// Its Deployment.
    pub(crate) async fn deployment(&self, name: &str) -> Result<Value> {
        self.object(&kinds::DEPLOYMENT, name).await
    }

    /// Whether its Deployment is rolled out, see [`is_available`].
    pub(crate) async fn available(&self, name: &str) -> Result<bool> {
        Ok(is_available(&self.deployment(name).await?))
    }

    /// How many replicas its Deployment asks for.
    pub(crate) async fn replicas(&self, name: &str) -> Result<i64> {
        Ok(self.deployment(name).await?.number("/spec/replicas"))
    }

    /// So many replicas within the limit.
    pub(crate) async fn must_scale(
        &self,
        seconds: u64,
        what: &str,
        name: &str,
        to: i64,
    ) -> Result<()> {
        self.must(seconds, what, async || Ok(self.replicas(name).await? == to)).await
    }

    /// Pods available within the limit, then Ready within 15 s of that.
    pub(crate) async fn becomes_ready_within(&self, name: &str, seconds: u64) -> Result<()> {
        self.must(seconds, format!("the pods of {name} to be available"), async || {
            self.available(name).await
        })
        .await?;
        let at = Instant::now();
        let what = format!("the claim {name} to be Ready after its pods are available");
        self.must(15, what, async || self.ready(name).await).await?;
        self.passed(format!(
            "{name} is Ready, {} s after its pods were available",
            at.elapsed().as_secs()
        ));
        Ok(())
    }

    /// The same within two minutes.
    pub(crate) async fn becomes_ready(&self, name: &str) -> Result<()> {
        self.becomes_ready_within(name, 120).await
    }

    /// A Secret of the proof's namespace.
    pub(crate) async fn secret(&self, name: &str, data: Value) -> Result<()> {
        let metadata = json!({"name": name, "namespace": self.namespace});
        self.api
            .apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata,
        "stringData": data}))
            .await
    }

    /// It must be Ready at this moment.
    pub(crate) async fn is_ready(&self, name: &str) -> Result<()> {
        let is_ready = self.ready(name).await?;
        ensure(is_ready, || format!("the claim {name} is not Ready"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges() {
        let check = |mut value: Value, change: Value, expected: Value| {
            merge(&mut value, &change);
            assert_eq!(value, expected, "{change}");
        };
        check(json!({"a": {"b": 1}}), json!({"a": {"c": 2}}), json!({"a": {"b": 1, "c": 2}}));
        check(json!({"a": {"b": 1}}), json!({"a": null}), json!({}));
        check(json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]}));
        check(json!({}), json!({"a": {"b": {"c": 1}}}), json!({"a": {"b": {"c": 1}}}));
        check(json!({"a": 1}), json!({"a": {"b": 2}}), json!({"a": {"b": 2}}));
    }

    #[test]
    fn available() {
        let check = |desired: i64, available: i64, expected: bool| {
            let deployment = json!({
                "metadata": {"generation": 1}, "spec": {"replicas": desired},
                "status": {"observedGeneration": 1, "replicas": desired,
                    "updatedReplicas": desired, "availableReplicas": available},
            });
            assert_eq!(is_available(&deployment), expected, "{deployment}");
        };
        check(2, 2, true);
        check(2, 1, false);
        // A service that sleeps has no pods that could be.
        check(0, 0, false);
    }
}
