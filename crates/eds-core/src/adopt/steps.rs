//! How to get from the manifests to the claim without losing a message.

use super::claim::Draft;
use super::input::{list, text};
use super::workers::Group;
use super::{Namespace, Worker};
use crate::event_driven_service::{ADOPT, obstacle};

/// Fills in the worker's notes and steps.
pub(super) fn tell(
    worker: &mut Worker,
    group: &Group,
    draft: Option<&Draft>,
    namespace: &Namespace<'_>,
) {
    let Some(draft) = draft else { return };
    let index = namespace.index;
    let get = |at: Option<usize>| at.and_then(|at| index.get(at));
    let Some(workload) = index.get(group.workload) else { return };
    let space = workload.namespace().map(|n| format!(" -n {n}")).unwrap_or_default();
    let claim = namespace.claim;
    let mut steps = Vec::new();
    if let Some((secret, keys)) = &draft.secret {
        let literals: Vec<String> =
            keys.iter().map(|key| format!("--from-literal={key}=…")).collect();
        steps.push(format!(
            "make the Secret of what stood in the manifests as plain text: kubectl{space} create secret generic {secret} {}",
            literals.join(" ")
        ));
    }
    steps.push(
        "take the old manifests out of git, or stop Argo CD, Flux or Helm from applying them again"
            .to_owned(),
    );
    let mut hand_over = Vec::new();
    let mut remove = Vec::new();
    let mut replaced = None;
    for at in [group.account, group.service, Some(group.workload)].into_iter().flatten() {
        let Some(live) = index.get(at) else { continue };
        let of_kind = worker.rendered.iter().find(|object| text(object, "/kind") == live.kind());
        let Some(desired) = of_kind.filter(|object| text(object, "/metadata/name") == live.name())
        else {
            continue;
        };
        let (Some(desired), Some(value)) = (desired.as_object(), live.value.as_object()) else {
            continue;
        };
        let name = format!("{}/{}", live.kind().to_lowercase(), live.name());
        match obstacle(desired, value) {
            None => hand_over.push(name),
            Some(why) if live.kind() == "Deployment" => replaced = Some(why),
            Some(_) => remove.push(name),
        }
    }
    if let Some(autoscaler) = get(group.autoscaler) {
        remove.push(format!("horizontalpodautoscaler/{}", autoscaler.name()));
    }
    if let Some(scaler) = get(group.scaler) {
        // KEDA refuses two for one Deployment. The pods stay as many as they are.
        if scaler.name() == format!("{claim}-scaler") && replaced.is_none() {
            hand_over.push(format!("scaledobject/{}", scaler.name()));
        } else {
            remove.push(format!("scaledobject/{}", scaler.name()));
        }
    }
    let restores = "/spec/advanced/restoreToOriginalReplicaCount";
    if let Some(scaler) = get(group.scaler)
        && scaler.value.pointer(restores).and_then(serde_json::Value::as_bool) == Some(true)
    {
        steps.push(format!(
            "keep the number of pods when the scaler goes: kubectl{space} patch scaledobject/{} --type=merge -p \
             '{{\"spec\":{{\"advanced\":{{\"restoreToOriginalReplicaCount\":false}}}}}}'",
            scaler.name()
        ));
    }
    if !remove.is_empty() {
        steps
            .push(format!("make room (the pods stay): kubectl{space} delete {}", remove.join(" ")));
    }
    if let Some(why) = &replaced {
        worker.notes.push(format!(
            "Deployment {} cannot be taken over, it has to be replaced: it {}",
            workload.name(),
            why.split("; delete it").next().unwrap_or(why),
        ));
        steps.push(format!(
            "let go of the pods, which run on: kubectl{space} delete deployment {} --cascade=orphan",
            workload.name()
        ));
    } else if workload.name() != claim {
        worker.notes.push(format!(
            "the claim is called {claim}, so its Deployment stands beside {}: delete the old one when the new one is ready",
            workload.name()
        ));
    }
    if !hand_over.is_empty() {
        steps.push(format!(
            "hand over: kubectl{space} annotate {} {ADOPT}={claim}",
            hand_over.join(" ")
        ));
    }
    steps.push(format!(
        "apply the claim, and wait: kubectl apply -f CLAIM.yaml && kubectl{space} wait --for=condition=Ready \
         --timeout=5m eventdrivenservice/{claim}"
    ));
    if replaced.is_some() {
        let labels =
            workload.value.pointer("/spec/selector/matchLabels").and_then(|l| l.as_object());
        let labels = labels.into_iter().flatten();
        let labels =
            labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
        let labels: Vec<String> =
            labels.chain(["app.kubernetes.io/component!=event-driven-worker".to_owned()]).collect();
        steps.push(format!(
            "end the old pods, which hand back what they hold: kubectl{space} delete replicaset -l '{}'",
            labels.join(",")
        ));
    }
    let mut left = Vec::new();
    for at in [group.service, Some(group.workload)].into_iter().flatten() {
        let manifest = index
            .get(at)
            .filter(|m| m.name() != claim && !(m.kind() == "Deployment" && replaced.is_some()));
        left.extend(manifest.map(|m| format!("{}/{}", m.kind().to_lowercase(), m.name())));
    }
    if !left.is_empty() {
        steps.push(format!(
            "delete what is left of the old: kubectl{space} delete {}",
            left.join(" ")
        ));
    }
    let pod = workload.value.pointer("/spec/template/spec").unwrap_or(&serde_json::Value::Null);
    if list(pod, "/containers").count() > 1 {
        worker.notes.push(format!(
            "of its containers, {} is taken for the worker: most of what speaks of NATS stands there",
            draft.container
        ));
    }
    worker.steps = steps;
}
