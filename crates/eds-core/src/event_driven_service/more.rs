//! Manifests that only some claims have: a PodDisruptionBudget, and what NATS' controller NACK makes
//! a consumer and a stream of.

use kube_object::object::Fields;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::fields::{CreateConsumer, CreateStream};
use super::manifest::Kind;
use super::spec::Spec;
use patch_and_transform::protocol::{Match, Object, Resource, ResourceSelector};

/// API version of NACK's resources.
pub(super) const NACK: &str = "jetstream.nats.io/v1beta2";

/// Under which keys NACK's CRDs are requested, and their names.
const CRDS: [(&str, &str, &str); 2] = [
    ("Consumer", "nack-consumers", "consumers.jetstream.nats.io"),
    ("Stream", "nack-streams", "streams.jetstream.nats.io"),
];

/// What this claim composes beside step 1's manifests.
#[derive(Debug, Default)]
pub(super) struct More {
    /// By the name of the composed resource.
    pub(super) manifests: BTreeMap<&'static str, Object>,
    /// NACK's CRDs, which must be there before anything is composed from them.
    pub(super) asked: BTreeMap<String, ResourceSelector>,
    /// Kinds of NACK's that this cluster does not have.
    pub(super) missing: Vec<&'static str>,
    /// Whether the answer to that is not here yet.
    pub(super) unknown: bool,
}

impl More {
    /// `answers` holds what was requested in the run before; `in_cluster` says whether anybody
    /// answers.
    pub(super) fn of(
        spec: &Spec,
        desired: &BTreeMap<String, Resource>,
        answers: &BTreeMap<String, Vec<Resource>>,
        in_cluster: bool,
    ) -> Self {
        let mut more = Self::default();
        if let Some(budget) = &spec.disruption_budget {
            let deployment = desired.values().filter_map(|r| r.resource.as_ref());
            let deployment = deployment.into_iter().find(|m| Kind::of(m) == Kind::Deployment);
            let selector = deployment.and_then(|d| d.at("/spec/selector")).cloned();
            let budget = given(vec![
                ("minAvailable", budget.min_available.clone()),
                ("maxUnavailable", budget.max_unavailable.clone()),
                ("selector", selector),
                // A pod that is not ready does no work that an eviction would interrupt.
                ("unhealthyPodEvictionPolicy", Some(json!("AlwaysAllow"))),
            ]);
            let manifest = manifest(spec, "policy/v1", "PodDisruptionBudget", budget);
            more.manifests.insert("disruption-budget", manifest);
        }
        let Some(create) = &spec.nats.create else { return more };
        let account = create.account.as_ref().map(|account| json!(account));
        if let Some(wanted) = &create.consumer
            && more.offers("Consumer", answers, in_cluster)
        {
            let mut consumer = consumer(wanted, spec);
            consumer.extend(account.clone().map(|account| ("account".to_owned(), account)));
            more.manifests.insert("consumer", manifest(spec, NACK, "Consumer", consumer));
        }
        if let Some(wanted) = &create.stream
            && more.offers("Stream", answers, in_cluster)
        {
            let mut stream = stream(wanted, spec);
            stream.extend(account.map(|account| ("account".to_owned(), account)));
            more.manifests.insert("stream", manifest(spec, NACK, "Stream", stream));
        }
        more
    }

    /// Asks for one of NACK's CRDs. Crossplane stops at a kind that the cluster does not know, so
    /// nothing of that kind may be composed, or even looked for, without it.
    fn offers(
        &mut self,
        kind: &'static str,
        answers: &BTreeMap<String, Vec<Resource>>,
        in_cluster: bool,
    ) -> bool {
        if !in_cluster {
            return true;
        }
        let Some((_, key, name)) = CRDS.into_iter().find(|(k, ..)| *k == kind) else {
            return false;
        };
        let selector = ResourceSelector {
            api_version: "apiextensions.k8s.io/v1".to_owned(),
            kind: "CustomResourceDefinition".to_owned(),
            match_: Match::Name(name.to_owned()),
            namespace: None,
        };
        self.asked.insert(key.to_owned(), selector);
        match answers.get(key) {
            None => self.unknown = true,
            Some(found) if found.is_empty() => self.missing.push(kind),
            Some(_) => return true,
        }
        false
    }

    /// Says what is missing, and what to do.
    pub(super) fn lack(&self) -> Option<String> {
        (!self.missing.is_empty()).then(|| {
            format!(
                "spec.nats.create needs NATS' controller NACK, whose {} this cluster does not \
                 have; ask the platform's engineer for it, or make the consumer yourself and leave \
                 spec.nats.create out",
                kube_object::words::all(&self.missing),
            )
        })
    }
}

fn manifest(spec: &Spec, api_version: &str, kind: &str, of: Map<String, Value>) -> Object {
    let claim = &spec.claim;
    let manifest = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": claim.name,
            "namespace": claim.namespace,
            "labels": {
                "app.kubernetes.io/name": claim.name,
                "app.kubernetes.io/component": "event-driven-worker",
                "app.kubernetes.io/managed-by": "crossplane",
            },
        },
        "spec": of,
    });
    manifest.as_object().cloned().unwrap_or_default()
}

/// A durable pull consumer. What NACK would choose itself loses messages: it acknowledges none, and
/// waits one nanosecond. It is made once: NACK would also change one that it did not make, which
/// may be another service's.
fn consumer(wanted: &CreateConsumer, spec: &Spec) -> Map<String, Value> {
    given(vec![
        ("streamName", Some(json!(spec.nats.stream))),
        ("durableName", Some(json!(spec.nats.consumer))),
        ("ackPolicy", Some(json!("explicit"))),
        ("ackWait", Some(json!(wanted.ack_wait.as_deref().unwrap_or("30s")))),
        ("maxDeliver", wanted.max_deliver.map(|n| json!(n))),
        ("maxAckPending", wanted.max_ack_pending.map(|n| json!(n))),
        ("filterSubject", wanted.filter_subject.as_ref().map(|s| json!(s))),
        ("deliverPolicy", wanted.deliver_policy.as_ref().map(|s| json!(s))),
        ("preventDelete", Some(json!(wanted.reclaim_policy.as_deref() != Some("Delete")))),
        ("preventUpdate", Some(json!(true))),
        ("jsDomain", spec.nats.domain.as_ref().map(|domain| json!(domain))),
    ])
}

/// A stream that is made once. NACK would also change, and delete, one that it did not make.
fn stream(wanted: &CreateStream, spec: &Spec) -> Map<String, Value> {
    given(vec![
        ("name", Some(json!(spec.nats.stream))),
        ("subjects", Some(json!(wanted.subjects))),
        ("retention", wanted.retention.as_ref().map(|s| json!(s))),
        ("storage", Some(json!(wanted.storage.as_deref().unwrap_or("file")))),
        ("replicas", wanted.replicas.map(|n| json!(n))),
        ("maxAge", wanted.max_age.as_ref().map(|s| json!(s))),
        ("maxMsgs", wanted.max_msgs.map(|n| json!(n))),
        ("maxBytes", wanted.max_bytes.map(|n| json!(n))),
        ("discard", wanted.discard.as_ref().map(|s| json!(s))),
        ("preventDelete", Some(json!(true))),
        ("preventUpdate", Some(json!(true))),
        ("jsDomain", spec.nats.domain.as_ref().map(|domain| json!(domain))),
    ])
}

/// Returns an object of the fields that have a value.
fn given(fields: Vec<(&str, Option<Value>)>) -> Map<String, Value> {
    fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}
