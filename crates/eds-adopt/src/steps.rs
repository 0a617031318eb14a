//! How to get from the manifests to the claim without losing a message.
//!
//! The Deployment is released, never handed over: what the claim does not say (a variable, a
//! volume, a sidecar) would stay in it, because server-side apply only removes what it wrote
//! itself. Its pods keep working until those of the claim's Deployment are ready; both read from
//! one consumer, and NATS gives each message to one of them.

use kube_object::object::Fields;
use serde_json::Value;

use super::claim::Draft;
use super::workers::Group;
use super::{Namespace, Worker, nack};
use eds_core::event_driven_service::ADOPT;

/// Fills in the worker's notes and steps.
pub(super) fn tell(
    worker: &mut Worker,
    group: &Group,
    draft: Option<&Draft>,
    namespace: &Namespace<'_>,
) {
    let Some(draft) = draft else { return };
    let get = |at: Option<usize>| at.and_then(|at| namespace.index.get(at));
    let Some(workload) = get(Some(group.workload)) else { return };
    let space = workload.namespace().map(|n| format!(" -n {}", quoted(n))).unwrap_or_default();
    let claim = namespace.claim;
    let same_name = workload.name() == claim;
    let mut steps = Vec::new();
    if !worker.is_valid() {
        steps.push("mend the claim, until eds validate accepts it".to_owned());
    }
    if let Some((secret, keys)) = &draft.secret {
        let literals: Vec<String> =
            keys.iter().map(|key| format!("--from-literal={}='…'", quoted(key))).collect();
        steps.push(format!(
            "make the Secret of what stood in the manifests as plain text, each in single quotes, \
                so that the shell leaves it as it is: kubectl{space} create secret generic \
                {secret} {}",
            literals.join(" ")
        ));
    }
    steps.push(
        "take the old manifests out of git, or stop Argo CD, Flux or Helm from applying them \
            again; what the report says is kept (ConfigMaps, Secrets) must stay applied, because \
            the claim names it"
            .to_owned(),
    );
    let scaler = get(group.scaler);
    let restores = "/spec/advanced/restoreToOriginalReplicaCount";
    if let Some(scaler) = scaler.filter(|s| s.value.at(restores) == Some(&Value::Bool(true))) {
        steps.push(format!(
            "keep the number of pods when the scaler goes: kubectl{space} patch scaledobject/{} \
                --type=merge -p \
                '{{\"spec\":{{\"advanced\":{{\"restoreToOriginalReplicaCount\":false}}}}}}'",
            quoted(scaler.name())
        ));
    }
    // KEDA refuses two scalers for one Deployment, and a Service keeps what the claim does not say.
    let service = get(group.service);
    let mut old = Vec::new();
    let beside = |kind: &'static str| {
        let all = group.beside.iter().filter_map(|at| get(Some(*at)));
        all.filter(move |manifest| manifest.kind() == kind)
    };
    let scalers = scaler.into_iter().chain(beside("ScaledObject"));
    old.extend(scalers.map(|m| format!("scaledobject/{}", quoted(m.name()))));
    let autoscalers = get(group.autoscaler).into_iter().chain(beside("HorizontalPodAutoscaler"));
    old.extend(autoscalers.map(|m| format!("horizontalpodautoscaler/{}", quoted(m.name()))));
    // A Service with another name is not in the way, and somebody may be calling it.
    let serves = worker.rendered.iter().any(|object| object.text("/kind") == "Service");
    let service = service.filter(|_| serves);
    let in_the_way = service.filter(|service| service.name() == claim);
    old.extend(in_the_way.map(|m| format!("service/{}", quoted(m.name()))));
    let budgets = worker.rendered.iter().any(|o| o.text("/kind") == "PodDisruptionBudget");
    // Kubernetes evicts no pod that two budgets count.
    let budget = get(group.budget).filter(|_| budgets);
    old.extend(budget.map(|m| format!("poddisruptionbudget/{}", quoted(m.name()))));
    if same_name && !old.is_empty() {
        steps.push(format!("make room (the pods stay): kubectl{space} delete {}", old.join(" ")));
    }
    if get(group.account).is_some_and(|account| account.name() == claim) {
        steps.push(format!(
            "hand over the ServiceAccount: kubectl{space} annotate serviceaccount/{claim} \
                {ADOPT}={claim}"
        ));
    }
    let mut last = None;
    if let Some(consumer) = get(draft.nack) {
        let name = quoted(consumer.name());
        if consumer.name() == claim {
            steps.push(format!(
                "hand over NACK's Consumer: kubectl{space} annotate consumers.{}/{name} \
                    {ADOPT}={claim}",
                nack::GROUP
            ));
        } else {
            // NACK deletes with its Consumer what NATS has.
            steps.push(format!(
                "let NATS keep the consumer when NACK's Consumer goes: kubectl{space} patch \
                    consumers.{}/{name} --type=merge -p '{{\"spec\":{{\"preventDelete\":true}}}}'",
                nack::GROUP
            ));
            last = Some(format!("consumers.{}/{name}", nack::GROUP));
        }
    }
    if same_name {
        steps.push(format!(
            "let go of the pods, which work on: kubectl{space} delete deployment {claim} \
                --cascade=orphan"
        ));
    }
    steps.push(format!(
        "apply the claim, and wait: kubectl apply -f CLAIM.yaml && kubectl{space} wait \
            --for=condition=Ready --timeout=5m eventdrivenservice/{claim}"
    ));
    let scaled = worker.rendered.iter().find(|object| object.text("/kind") == "ScaledObject");
    let least = scaled.and_then(|s| s.at("/spec/minReplicaCount")?.as_i64()).unwrap_or(1);
    if least > 1 {
        steps.push(format!(
            "wait until {least} of its pods are ready: kubectl{space} get deployment {claim} \
             -o jsonpath='{{.status.readyReplicas}}'"
        ));
    }
    if least == 0 {
        worker.notes.push(
            "with minReplicas: 0 the claim is Ready without a pod, so there is none to wait for: \
                once it is Ready the old pods are ended, and KEDA starts new ones when messages \
                wait"
                .to_owned(),
        );
    }
    if let Some(service) = service.filter(|service| service.name() != claim) {
        let rendered = worker.rendered.iter().find(|object| object.text("/kind") == "Service");
        let selector = rendered.and_then(|service| service.at("/spec/selector"));
        let patch =
            serde_json::json!([{"op": "replace", "path": "/spec/selector", "value": selector}]);
        steps.push(format!(
            "let who calls Service {} call {claim}; until then, let it find the claim's pods: \
                kubectl{space} patch service/{} --type=json -p {}",
            service.name(),
            quoted(service.name()),
            quoted(&patch.to_string())
        ));
    }
    if same_name {
        steps.extend(end_released_pods(worker, workload, &space));
    } else {
        worker.notes.push(format!(
            "the claim is called {claim}, so what it becomes stands beside the old until that is \
                deleted"
        ));
        old.push(format!("deployment/{}", quoted(workload.name())));
        steps.push(format!("delete the old: kubectl{space} delete {}", old.join(" ")));
    }
    steps.extend(last.map(|last| {
        format!(
            "delete NACK's old Consumer, which the claim's replaces: kubectl{space} delete {last}"
        )
    }));
    let pod = workload.value.at("/spec/template/spec").unwrap_or(&Value::Null);
    if pod.list("/containers").count() > 1 {
        worker.notes.push(format!(
            "of its containers, {} is taken for the worker: most of what speaks of NATS stands \
                there",
            draft.container
        ));
    }
    worker.steps = steps;
}

/// Ends the released pods. Those that the claim's Deployment selects look like an old revision to
/// it, and it replaces them itself.
fn end_released_pods(worker: &Worker, workload: &super::Manifest, space: &str) -> Option<String> {
    let desired = worker.rendered.iter().find(|object| object.text("/kind") == "Deployment")?;
    let selector = workload.value.at("/spec/selector");
    if selector == desired.at("/spec/selector") {
        return None;
    }
    let what = "end the old pods, which hand back what they hold";
    let labels = selector.and_then(|s| s.get("matchLabels")?.as_object()).filter(|l| !l.is_empty());
    let Some(labels) = labels else {
        return Some(format!("{what}: kubectl{space} get replicaset, and delete the old one"));
    };
    let labels =
        labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let own = ["app.kubernetes.io/component!=event-driven-worker".to_owned()];
    let labels: Vec<String> = labels.chain(own).collect();
    Some(format!("{what}: kubectl{space} delete replicaset -l {}", quoted(&labels.join(","))))
}

/// Quotes a word for the shell, whatever the manifests say.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
