//! A claim touches what it made, and nothing else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use eds_cluster::{Kind, kinds};
use eds_core::form::Form;
use kube_object::object::{Condition, Fields};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::sleep;

use super::Worker;
use crate::api::Api;
use crate::claim::merge;
use crate::proof::{Proof, carry_out, ensure, failed};
use crate::testbed::well;
use crate::variants::{DIRECT, NAMESPACED, OBJECTS, chosen};

/// A claim touches what it made, and nothing else: whatever is tried, hand-written objects keep uid, metadata, spec and
/// pods, and the claim says what is in its way. With provider-kubernetes Objects, and composed by Crossplane itself.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
    /// Only these forms.
    #[arg(value_name = "FORM", value_parser = [OBJECTS, DIRECT, NAMESPACED])]
    forms: Vec<String>,
}

/// Who may write Objects and composites.
const RESOURCE_NAME: &str = "crossplane.io/composition-resource-name";
const WALL: &str = "is written by Crossplane only";
const ADOPT: &str = "platform.bizmatters.io/adopt";
const ON_DELETE: &str = "platform.bizmatters.io/on-delete";
const PAUSED: &str = "crossplane.io/paused";
const CLUSTER_ROLE: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRole",
    plural: "clusterroles",
    namespaced: false,
};
const CLUSTER_ROLE_BINDING: Kind =
    Kind { kind: "ClusterRoleBinding", plural: "clusterrolebindings", ..CLUSTER_ROLE };
/// What people write by hand and a claim could harm.
const WATCHED: [Kind; 5] =
    [kinds::SERVICE_ACCOUNT, kinds::SERVICE, kinds::DEPLOYMENT, kinds::HPA, kinds::SCALED_OBJECT];

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("ownership", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        p.install_variants().await?;
        let developer = developer(p).await?;
        let bystanders = ByHand { p, before: RefCell::default() };
        names(p).await?;
        for form in p.ways(&args.forms) {
            bystanders.there_before(form).await?;
            bystanders.replaced(form, &kinds::SERVICE).await?;
            bystanders.replaced(form, &kinds::DEPLOYMENT).await?;
            handed_over(p, form).await?;
        }
        match p.form {
            Form::Claims => bystanders.objects_by_hand(&developer).await,
            Form::Namespaced => bystanders.references_by_hand(&developer).await,
        }
    })
    .await
}

/// Everything that a namespace's administrator might be given by mistake, and no more.
async fn developer(p: &Proof<'_>) -> Result<Api> {
    let (api, name) = (p.api.clone(), p.namespace.clone());
    p.run.at_end("the developer's role", async move {
        api.delete(&CLUSTER_ROLE_BINDING, None, &name).await?;
        api.delete(&CLUSTER_ROLE, None, &name).await
    });
    let rule = |kind: &Kind| {
        json!({"apiGroups": [kind.group], "resources": [kind.plural],
    "verbs": ["*"]})
    };
    let rules = [&kinds::OBJECT, &kinds::COMPOSITE, &kinds::CLAIM].map(rule);
    let (group, api_version) = (CLUSTER_ROLE.group, CLUSTER_ROLE.api_version());
    let metadata = json!({"name": p.namespace});
    p.api
        .create(&json!({"apiVersion": api_version, "kind": "ClusterRole", "metadata": metadata,
        "rules": rules}))
        .await?;
    p.api
        .create(&json!({
            "apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": p.namespace},
            "subjects": [{"kind": "ServiceAccount", "name": "developer", "namespace": p.namespace}],
        }))
        .await?;
    Api::connect_as(&format!("system:serviceaccount:{}:developer", p.namespace)).await
}

/// It was refused, for this reason.
fn refused<T>(p: &Proof<'_>, what: &str, because: &str, tried: Result<T>) -> Result<()> {
    let Err(error) = tried else { return failed(format!("{what}: was possible")) };
    let said = format!("{error:#}");
    ensure(said.contains(because), || format!("{what}: refused, but for another reason: {said}"))?;
    p.passed(format!("{what}: refused ({because})"));
    Ok(())
}

async fn names(p: &Proof<'_>) -> Result<()> {
    for name in ["default", "kubernetes"] {
        let tried = p.apply_claim(name, json!({})).await;
        refused(p, &format!("a claim named {name}"), "is a name of Kubernetes' own", tried)?;
    }
    let tried = p.apply_claim("orders", json!({"metadata": {"namespace": "kube-system"}})).await;
    refused(p, "a claim in kube-system", "is one of the system's", tried)
}

/// The claim, composed by a form.
async fn of(p: &Proof<'_>, form: &str, name: &str) -> Result<()> {
    p.apply_claim(name, chosen(&format!("{form}-go"))).await
}

/// The claim comes to name it.
async fn taken(p: &Proof<'_>, name: &str, what: &str) -> Result<()> {
    p.must_say(30, name, "NameTaken", what).await?;
    p.passed(format!("{name} says: {}", p.message(name).await));
    Ok(())
}

/// What people write, with a selector of their own and a pod that runs.
fn hand_written(kind: &Kind, name: &str, namespace: &str) -> Result<Value> {
    let image = std::env::var("PAUSE_IMAGE");
    let image = image.context("PAUSE_IMAGE is not set: start testbed/proofs/ownership")?;
    let pod = json!({
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "web",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "securityContext": {"allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]}},
        }],
    });
    let labels = json!({"app": name});
    let cron = json!({
        "type": "cron",
        "metadata": {"timezone": "Etc/UTC", "start": "0 0 1 1 *", "end": "1 0 1 1 *",
        "desiredReplicas": "1"},
    });
    let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}});
    let own = match kind.kind {
        "ServiceAccount" => json!({"automountServiceAccountToken": true}),
        "Service" => json!({"spec": {"selector": labels, "ports": [{"name": "web", "port": 80}]}}),
        "Deployment" => json!({"spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }}),
        "ScaledObject" => json!({"metadata": {"name": format!("{name}-scaler")}, "spec": {
            "scaleTargetRef": {"name": name}, "minReplicaCount": 1, "maxReplicaCount": 2,
            "triggers": [cron],
        }}),
        _ => json!({"spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1, "maxReplicas": 2, "metrics": [{"type": "Resource", "resource": cpu}],
        }}),
    };
    let mut object = json!({
        "apiVersion": kind.api_version(), "kind": kind.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
    });
    merge(&mut object, &own);
    Ok(object)
}

/// What was written by hand, and how it was.
struct ByHand<'a> {
    p: &'a Proof<'a>,
    before: RefCell<HashMap<String, Value>>,
}

impl ByHand<'_> {
    async fn write(&self, name: &str, kinds: &[&Kind]) -> Result<()> {
        for kind in kinds {
            self.p.api.create(&hand_written(kind, name, &self.p.namespace)?).await?;
        }
        Ok(())
    }

    /// All of that name but their status, with uid, and the pods behind `app`.
    async fn snapshot(&self, called: &str) -> Result<Value> {
        let (here, scaler) = (Some(self.p.namespace.as_str()), format!("{called}-scaler"));
        let mut objects = Vec::new();
        for kind in &WATCHED {
            for mut object in self.p.api.list(kind, here, "").await? {
                if object.name() == called || object.name() == scaler {
                    plain(&mut object);
                    objects.push(object);
                }
            }
        }
        let pods = self.p.api.list(&kinds::POD, here, &format!("app={called}")).await?;
        let pod = |pod: &Value| {
            let restarts: Vec<i64> = pod
                .list("/status/containerStatuses")
                .map(|status| status.number("/restartCount"))
                .collect();
            json!({"uid": pod.text("/metadata/uid"), "restarts": restarts})
        };
        let pods: Vec<Value> = pods.iter().map(pod).collect();
        Ok(json!({"objects": objects, "pods": pods}))
    }

    /// Twice the same within 3 s, so that controllers are done with it.
    async fn settle(&self, name: &str) -> Result<()> {
        let what = format!("the hand-written {name} to come to rest");
        let settled = self.p.must_find(60, what, async || {
            let first = self.snapshot(name).await?;
            sleep(Duration::from_secs(3)).await;
            Ok((self.snapshot(name).await? == first).then_some(first))
        });
        let settled = settled.await?;
        self.p.keep(&format!("{name}.before"), serde_json::to_string_pretty(&settled)?)?;
        self.before.borrow_mut().insert(name.to_owned(), settled);
        Ok(())
    }

    fn settled(&self, name: &str) -> Result<Value> {
        self.before.borrow().get(name).cloned().with_context(|| format!("{name} was not looked at"))
    }

    async fn untouched(&self, name: &str, what: &str) -> Result<()> {
        let (before, after) = (self.settled(name)?, self.snapshot(name).await?);
        let after_file =
            self.p.keep(&format!("{name}.after"), serde_json::to_string_pretty(&after)?)?;
        if before != after {
            let mut diff = Command::new("diff");
            diff.arg(after_file.with_extension("before")).arg(&after_file);
            let difference = crate::testbed::both(&crate::testbed::output(&mut diff).await?);
            return failed(format!("{what}: hand-written objects were touched:\n{difference}"));
        }
        let found: Vec<&str> = before.list("/objects").map(|object| object.text("/kind")).collect();
        let pods = before.list("/pods").count();
        ensure(!found.is_empty(), || format!("{what}: there is nothing that could be touched"))?;
        self.p.passed(format!("{what}: untouched ({}; pods: {pods})", found.join(", ")));
        Ok(())
    }

    async fn there_before(&self, form: &str) -> Result<()> {
        let (p, name) = (self.p, format!("before-{form}"));
        let (name, here) = (name.as_str(), Some(self.p.namespace.as_str()));
        let made =
            [&kinds::SERVICE_ACCOUNT, &kinds::SERVICE, &kinds::DEPLOYMENT, &kinds::SCALED_OBJECT];
        self.write(name, &made).await?;
        p.must(60, "the hand-written pod to run", async || p.available(name).await).await?;
        self.settle(name).await?;
        of(p, form, name).await?;
        for kind in ["ServiceAccount", "Service", "Deployment"] {
            taken(p, name, &format!("{kind} {name}")).await?;
        }
        taken(p, name, &format!("ScaledObject {name}-scaler")).await?;
        nothing_composed(p, name).await?;
        self.untouched(name, &format!("{form}, there before")).await?;
        // Labels and annotations that say it is the claim's.
        let forged = json!({"metadata": {"labels": {
            "app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "crossplane",
            "app.kubernetes.io/component": "event-driven-worker", "crossplane.io/claim-name": name,
            "crossplane.io/composite": p.composite(name).await?,
            "crossplane.io/claim-namespace": p.namespace,
        }}});
        let scaler = format!("{name}-scaler");
        let called =
            |kind: &Kind| if kind == &kinds::SCALED_OBJECT { scaler.as_str() } else { name };
        for kind in made {
            p.api.patch(kind, here, called(kind), &forged).await?;
        }
        for (key, value) in [(RESOURCE_NAME, "service"), (ADOPT, "another")] {
            p.api.annotate(&kinds::SERVICE, here, name, key, Some(value)).await?;
        }
        self.settle(name).await?;
        sleep(Duration::from_secs(12)).await;
        taken(p, name, &format!("Service {name}")).await?;
        self.untouched(name, &format!("{form}, labels and annotations forged")).await?;
        p.end_claim(name).await?;
        self.untouched(name, &format!("{form}, claim deleted")).await?;
        for kind in made {
            p.api.end(kind, here, called(kind), Duration::from_secs(60)).await?;
        }
        // KEDA would write over it.
        let name = &format!("hpa-{form}");
        self.write(name, &[&kinds::HPA]).await?;
        self.settle(name).await?;
        of(p, form, name).await?;
        taken(p, name, &format!("HorizontalPodAutoscaler {name}")).await?;
        self.untouched(name, &format!("{form}, an autoscaler")).await?;
        p.end_claim(name).await?;
        self.untouched(name, &format!("{form}, an autoscaler, claim deleted")).await
    }

    /// A service that runs, one of whose objects is replaced while nobody looks.
    async fn replaced(&self, form: &str, kind: &Kind) -> Result<()> {
        let (p, here, what) = (self.p, Some(self.p.namespace.as_str()), kind.kind);
        let name = &format!("later-{form}-{}", what.to_lowercase());
        of(p, form, name).await?;
        p.becomes_ready(name).await?;
        let (looks, looked) = if form == OBJECTS {
            (&kinds::OBJECT, object_of(p, name, what).await?)
        } else {
            (p.composite_kind(), p.composite(name).await?)
        };
        p.api.annotate(looks, here, &looked, PAUSED, Some("true")).await?;
        self.unpaused_at_the_end(looks, &looked);
        // One that looks at this moment would make it again.
        p.must(30, format!("{looked} to be paused"), async || {
            let synced = p.object(looks, &looked).await?;
            let synced = synced.condition("Synced");
            Ok(synced.is_some_and(|synced| synced.reason == "ReconcilePaused"))
        })
        .await?;
        p.api.end(kind, here, name, Duration::from_secs(60)).await?;
        self.write(name, &[kind]).await?;
        p.api.annotate(looks, here, &looked, PAUSED, None).await?;
        let said = format!("{what} {name}");
        if form == OBJECTS {
            taken(p, name, &said).await?;
        }
        sleep(Duration::from_secs(10)).await;
        self.settle(name).await?;
        sleep(Duration::from_secs(15)).await;
        if form == OBJECTS {
            taken(p, name, &said).await?;
        } else {
            // Crossplane stops before it asks any function; the composite says so.
            let composite = p.object(looks, &looked).await?;
            let synced = composite.condition("Synced").map(Condition::why);
            let synced = synced.unwrap_or_default();
            ensure(!synced.is_empty(), || format!("{name}: the composite says nothing"))?;
            p.passed(format!("the composite of {name} says: {synced}"));
        }
        match (form, what) {
            (OBJECTS, "Service") => {
                let available = p.deployment(name).await?.number("/status/availableReplicas");
                ensure(available == 1, || format!("{name}: its own Deployment is not well"))?;
            }
            (OBJECTS, _) => {
                let scaler = p.has(&kinds::SCALED_OBJECT, &format!("{name}-scaler")).await?;
                ensure(!scaler, || {
                    format!("{name}: its scaler still scales a foreign Deployment")
                })?;
            }
            _ => {}
        }
        let before = self.settled(name)?;
        let mut same = before.list("/objects").filter(|object| object.text("/kind") == what);
        let written = same.next().context("it was not looked at")?;
        ensure(written.at("/metadata/labels") == Some(&json!({"app": name})), || {
            format!("{name}: the {what} was changed before it was looked at")
        })?;
        p.end_claim(name).await?;
        let Some(left) = p.api.get(kind, here, name).await? else {
            return failed(format!("{name}: the foreign {what} was deleted with the claim"));
        };
        let uid = left.text("/metadata/uid");
        ensure(uid == written.text("/metadata/uid"), || {
            format!("{name}: the foreign {what} is another")
        })?;
        p.passed(format!(
            "{form}, {what} made later, claim deleted: the hand-written one is still there, \
             uid {uid}"
        ));
        p.api.end(kind, here, name, Duration::from_secs(60)).await
    }

    /// Else its claim would never go.
    fn unpaused_at_the_end(&self, looks: &'static Kind, looked: &str) {
        let (api, looked) = (self.p.api.clone(), looked.to_owned());
        let here = self.p.namespace.clone();
        self.p.run.put_back(format!("{looked}, paused"), async move {
            if api.get(looks, Some(&here), &looked).await?.is_some() {
                api.annotate(looks, Some(&here), &looked, PAUSED, None).await?;
            }
            Ok(())
        });
    }

    /// In the namespaced form people write composites; what these say that Crossplane made, they do not.
    async fn references_by_hand(&self, developer: &Api) -> Result<()> {
        let (p, name, here) = (self.p, "by-hand", Some(self.p.namespace.as_str()));
        self.write(name, &[&kinds::SERVICE, &kinds::SERVICE_ACCOUNT]).await?;
        let composed = Some("service");
        p.api.annotate(&kinds::SERVICE, here, name, RESOURCE_NAME, composed).await?;
        self.settle(name).await?;
        of(p, NAMESPACED, "referring").await?;
        p.becomes_ready("referring").await?;
        let reference = json!({"apiVersion": "v1", "kind": "Service", "name": name});
        let change = json!({"spec": {"crossplane": {"resourceRefs": [reference]}}});
        let mine = "is written by Crossplane only";
        let tried = developer.patch(&kinds::CLAIM, here, "referring", &change).await;
        refused(p, "a developer names another object as composed", mine, tried)?;
        let claim = p.claim("another", &change);
        refused(p, "the same in a new one", mine, developer.apply(&claim).await)?;
        // Whoever may do anything: Crossplane may not take it up, nor delete it.
        p.api.patch(&kinds::CLAIM, here, "referring", &change).await?;
        sleep(Duration::from_secs(8)).await;
        self.untouched(name, "another object as composed, by an administrator").await?;
        p.end_claim("referring").await?;
        self.untouched(name, "that one deleted").await
    }

    async fn objects_by_hand(&self, developer: &Api) -> Result<()> {
        let (p, name) = (self.p, "by-hand");
        self.write(name, &[&kinds::SERVICE, &kinds::SERVICE_ACCOUNT]).await?;
        self.settle(name).await?;
        self.an_object(developer, name).await?;
        self.a_composite(developer, name).await?;
        // Whose a composite is does not change.
        of(p, OBJECTS, "renamed").await?;
        p.becomes_ready("renamed").await?;
        let composite = p.composite("renamed").await?;
        let change = json!({"spec": {"claimRef": {"name": name}}});
        let tried = developer.patch(&kinds::COMPOSITE, None, &composite, &change).await;
        refused(p, "a developer renames what a composite is for", WALL, tried)?;
        let object = object_of(p, "renamed", "Service").await?;
        let change = json!({"spec": {"forProvider": {"manifest": {"metadata": {"name": name}}}}});
        let tried = developer.patch(&kinds::OBJECT, None, &object, &change).await;
        refused(p, "a developer turns an Object to another", WALL, tried)?;
        // As near as a claim comes to it: another name, the same composite.
        let reference = json!({
            "apiVersion": kinds::COMPOSITE.api_version(), "kind": kinds::COMPOSITE.kind,
            "name": composite,
        });
        p.apply_claim(name, json!({"spec": {"resourceRef": reference}})).await?;
        sleep(Duration::from_secs(8)).await;
        self.untouched(name, "a claim that names another's composite").await?;
        p.is_ready("renamed").await?;
        p.end_claim(name).await?;
        p.is_ready("renamed").await?;
        self.untouched(name, "that claim deleted").await?;
        p.end_claim("renamed").await
    }

    /// By a developer, who may not; by somebody who may do anything: the provider may not take it up.
    async fn an_object(&self, developer: &Api, name: &str) -> Result<()> {
        let (p, called) = (self.p, format!("by-hand-{}", self.p.namespace));
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": p.namespace, "labels": {"mine": "yes"}},
            "spec": {"selector": {"mine": "yes"}, "ports": [{"port": 1}]},
        });
        let object = json!({
            "apiVersion": kinds::OBJECT.api_version(), "kind": kinds::OBJECT.kind,
            "metadata": {"name": called},
            "spec": {"providerConfigRef": {"name": "kubernetes-provider"},
            "forProvider": {"manifest": service}},
        });
        refused(p, "an Object by a developer", WALL, developer.apply(&object).await)?;
        let observe = json!({"spec": {"managementPolicies": ["Observe"]}});
        let (api, left, only) = (p.api.clone(), called.clone(), observe.clone());
        p.run.put_back("the Object by hand", async move {
            if api.get(&kinds::OBJECT, None, &left).await?.is_some() {
                api.patch(&kinds::OBJECT, None, &left, &only).await?;
                api.delete(&kinds::OBJECT, None, &left).await?;
            }
            Ok(())
        });
        p.api.apply(&object).await.context("an administrator cannot write an Object")?;
        p.must(30, "the provider to be refused", async || {
            let object = p.object(&kinds::OBJECT, &called).await?;
            let synced = object.condition("Synced");
            let wall = format!("Object {WALL}");
            Ok(synced
                .is_some_and(|synced| synced.status == "False" && synced.why().contains(&wall)))
        })
        .await?;
        self.untouched(name, "an Object by an administrator").await?;
        p.api.delete(&kinds::OBJECT, None, &called).await?;
        sleep(Duration::from_secs(8)).await;
        self.untouched(name, "an Object by an administrator, deleted").await?;
        // The provider could not even put its finalizer on it; where it could, this lets it go.
        let _ = p.api.patch(&kinds::OBJECT, None, &called, &observe).await;
        p.must(60, "the Object to go", async || Ok(!p.has(&kinds::OBJECT, &called).await?)).await
    }

    async fn a_composite(&self, developer: &Api, name: &str) -> Result<()> {
        let (p, called) = (self.p, format!("by-hand-{}", self.p.namespace));
        let mut composite = p.claim(name, &json!({"kind": kinds::COMPOSITE.kind, "metadata": null,
        "spec": {
            "claimRef": {
                "apiVersion": kinds::CLAIM.api_version(), "kind": kinds::CLAIM.kind, "name": name,
                "namespace": p.namespace,
            },
        }}));
        merge(&mut composite, &json!({"metadata": {"name": called}}));
        refused(p, "a composite by a developer", WALL, developer.apply(&composite).await)?;
        p.api.apply(&composite).await.context("an administrator cannot write a composite")?;
        p.must(30, "the composite to say what is in its way", async || {
            let composite = p.object(&kinds::COMPOSITE, &called).await?;
            Ok(composite.text("/status/message").contains(&format!("Service {name}")))
        })
        .await?;
        self.untouched(name, "a composite by an administrator").await?;
        p.api.end(&kinds::COMPOSITE, None, &called, Duration::from_secs(60)).await?;
        self.untouched(name, "a composite by an administrator, deleted").await
    }
}

/// Without what changes by itself.
fn plain(object: &mut Value) {
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    metadata.remove("resourceVersion");
    if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
        entries.retain(|entry| entry.text("/subresource") != "status");
        for entry in entries {
            *entry = json!(format!("{} {}", entry.text("/manager"), entry.text("/operation")));
        }
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
        annotations.remove("autoscaling.alpha.kubernetes.io/conditions");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

async fn nothing_composed(p: &Proof<'_>, claim: &str) -> Result<()> {
    let composite = p.object(p.composite_kind(), &p.composite(claim).await?).await?;
    let references = composite.as_object().and_then(|o| p.form.machinery().get(o, "resourceRefs"));
    let references = references.and_then(Value::as_array).map_or(0, Vec::len);
    let made = p.objects_of(claim).await?.len() + references;
    ensure(made == 0, || format!("{claim}: something was composed"))
}

/// The Object of a claim that holds a manifest of a kind.
async fn object_of(p: &Proof<'_>, claim: &str, kind: &str) -> Result<String> {
    let objects = p.objects_of(claim).await?;
    let mut found =
        objects.iter().filter(|object| object.text("/spec/forProvider/manifest/kind") == kind);
    Ok(found
        .next()
        .with_context(|| format!("{claim} has no Object of a {kind}"))?
        .name()
        .to_owned())
}

async fn handed_over(p: &Proof<'_>, form: &str) -> Result<()> {
    let (name, here) = (&format!("adopted-{form}"), Some(p.namespace.as_str()));
    let service = p
        .api
        .create(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name,
            "namespace": p.namespace},
            "spec": {"selector": {"app.kubernetes.io/name": name}, "ports": [{"name": "http",
            "port": 8080}]},
        }))
        .await?;
    let uid = service.text("/metadata/uid");
    of(p, form, name).await?;
    taken(p, name, &format!("Service {name}")).await?;
    p.as_it_says(name).await?;
    p.becomes_ready(name).await?;
    let service = p.object(&kinds::SERVICE, name).await?;
    let selected = service.at("/spec/selector/app.kubernetes.io~1component");
    ensure(
        service.text("/metadata/uid") == uid && selected == Some(&json!("event-driven-worker")),
        || format!("{name}: the Service was not taken over"),
    )?;
    p.passed(format!("{form}: the Service was handed over, uid {uid}"));
    if form == OBJECTS {
        p.api.annotate(&kinds::SERVICE, here, name, ON_DELETE, Some("keep")).await?;
        p.must(30, "the Object to keep the Service", async || {
            let object = p.object(&kinds::OBJECT, &object_of(p, name, "Service").await?).await?;
            Ok(object.at("/spec/managementPolicies")
                == Some(&json!(["Observe", "Create", "Update"])))
        })
        .await?;
        p.end_claim(name).await?;
        let kept = p.api.get(&kinds::SERVICE, here, name).await?.unwrap_or_default();
        ensure(kept.text("/metadata/uid") == uid, || format!("{name}: the Service was not kept"))?;
        let left = p.has(&kinds::DEPLOYMENT, name).await?;
        ensure(!left, || format!("{name}: its Deployment is still there"))?;
        p.passed(format!("{form}: the claim is deleted, the Service is kept, the rest is gone"));
        p.api.annotate(&kinds::SERVICE, here, name, ON_DELETE, None).await?;
        of(p, form, name).await?;
        p.becomes_ready(name).await?;
    }
    p.end_claim(name).await?;
    p.must(30, "the Service to go with its claim", async || {
        Ok(!p.has(&kinds::SERVICE, name).await?)
    })
    .await?;
    p.passed(format!("{form}: handed over, and deleted with its claim"));
    Ok(())
}

impl Proof<'_> {
    /// Runs the command that a claim whose names are taken gives.
    pub(crate) async fn as_it_says(&self, claim: &str) -> Result<()> {
        let message = self.message(claim).await;
        let at = message
            .find("annotate -n ")
            .with_context(|| format!("{claim} gives no command: {message}"))?;
        let (_, command) = message.split_at(at);
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("kubectl {command}")]);
        well(shell).await.context("the command that the claim gives does not work")?;
        Ok(())
    }
}
