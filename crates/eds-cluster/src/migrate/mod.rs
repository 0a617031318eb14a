//! From one form of the API to the other, in place: what runs keeps running.
//!
//! ```text
//! judge    what stands in the way; nothing is touched while anything does
//! save     each service into a ConfigMap of its namespace; its manifests are handed over to its name
//! let go   paused, so that nobody is at work on it; deleted without what it made
//! exchange the old XRD and its Compositions go, the new ones come
//! take     each service is made anew and takes its manifests over
//! settle   once it is Ready: the old writers leave the record, the ConfigMap goes
//! ```
//!
//! Every step looks at what is there, so a run that was killed is continued by the next. Between `let go` and
//! `take` nobody looks after the manifests; pods, KEDA and NATS do not notice.

mod judge;
mod saved;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use eds_core::composition::{LABEL_CLAIM_NAME, LABEL_CLAIM_NAMESPACE};
use eds_core::event_driven_service::ADOPT;
use eds_core::form::Form;
use kube::api::PropagationPolicy;
use kube_object::object::Fields;
use serde_json::{Value, json};

use crate::client::{Cluster, Refused};
use crate::kinds::{self, Kind};
use saved::{Manifest, Saved};

pub use judge::Obstacle;

/// Crossplane's annotation that stops it from working on an object.
const PAUSED: &str = "crossplane.io/paused";
/// How often to look.
const EVERY: Duration = Duration::from_millis(500);

/// The API of a form, as it is to be installed.
#[derive(Debug, Clone)]
pub struct Api {
    /// Its XRD.
    pub xrd: Value,
    /// Its Composition.
    pub composition: Value,
}

/// A migration to a form.
pub struct Migration<'a> {
    /// Where.
    pub cluster: &'a Cluster,
    /// To which form.
    pub to: Form,
    /// The API of that form.
    pub api: Api,
    /// How long each wait may take.
    pub limit: Duration,
    /// Says what is done.
    pub say: fn(&str),
}

/// How a run has ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// So many services are in the new form.
    Done(usize),
    /// It would migrate so many services.
    Planned(usize),
    /// Nothing was touched, because of these.
    Refused(Vec<Obstacle>),
}

/// The XRD as Crossplane 2 names it.
const XRD_V2: Kind = Kind { version: "v2", ..kinds::XRD };

/// What the XRD of a form is named.
fn xrd_of(form: Form) -> String {
    kinds::composite_in(form).crd()
}

impl Migration<'_> {
    /// Carries it out or, if not `really`, says what it would do.
    ///
    /// # Errors
    /// If something was not so in time, or cannot be read or written: the next run continues.
    pub async fn run(&self, really: bool) -> Result<Ended> {
        let from = self.to.other();
        let old = self.cluster.get(&kinds::XRD, None, &xrd_of(from)).await?;
        let new = self.cluster.get(&kinds::XRD, None, &xrd_of(self.to)).await?;
        let mut saved = Saved::all(self.cluster).await?;
        if old.is_none() && new.is_none() && saved.is_empty() {
            bail!("the API is not installed here in either form: there is nothing to migrate");
        }
        if old.is_none() && saved.is_empty() {
            return Ok(Ended::Done(0));
        }
        let live = match &old {
            Some(_) => self.cluster.list(&kinds::CLAIM, None, "").await?,
            None => Vec::new(),
        };
        let mut obstacles = self.platform_obstacles(old.as_ref()).await?;
        obstacles.extend(saved.iter().filter(|s| s.to != self.to).map(Obstacle::of_another_way));
        let mut services = Vec::new();
        // What is saved already stands: it may have been let go of half-way.
        let is_saved = |live: &&Value| saved.iter().any(|s| s.is(live.namespace(), live.name()));
        for service in live.iter().filter(|live| !is_saved(live)) {
            match self.look(from, service).await? {
                Ok(found) => services.push(found),
                Err(more) => obstacles.extend(more),
            }
        }
        if !obstacles.is_empty() {
            return Ok(Ended::Refused(obstacles));
        }
        for found in &services {
            let made: Vec<String> = found.manifests.iter().map(Manifest::title).collect();
            (self.say)(&format!("{}/{}: keeps {}", found.namespace, found.name, made.join(", ")));
        }
        saved.extend(services);
        if !really {
            return Ok(Ended::Planned(saved.len()));
        }
        if let Some(old) = &old {
            saved::keep_versions(self.cluster, old).await?;
        }
        for service in &saved {
            self.hand_over(service).await?;
        }
        (self.say)(&format!("{} services are saved, their manifests handed over", saved.len()));
        if old.is_some() {
            self.let_go(from, &saved).await?;
            self.remove(from).await?;
        }
        self.install().await?;
        for service in &saved {
            self.take(service).await?;
        }
        for service in &saved {
            self.settle(service).await?;
        }
        saved::forget_versions(self.cluster).await?;
        Ok(Ended::Done(saved.len()))
    }

    /// Saves a service, and lets its successor take its manifests.
    async fn hand_over(&self, service: &Saved) -> Result<()> {
        service.save(self.cluster).await?;
        let adopt = json!({"metadata": {"annotations": {ADOPT: service.name}}});
        for manifest in &service.manifests {
            let (kind, here) = (manifest.kind, Some(service.namespace.as_str()));
            if self.cluster.get(kind, here, &manifest.name).await?.is_some() {
                self.cluster.patch(kind, here, &manifest.name, &adopt).await?;
            }
        }
        Ok(())
    }

    /// Deletes what people wrote, and what Crossplane made of it, but not the manifests.
    async fn let_go(&self, from: Form, services: &[Saved]) -> Result<()> {
        let mut composites = Vec::new();
        for Saved { namespace, name, composite, .. } in services {
            let claim = Held::new(&kinds::CLAIM, Some(namespace), name);
            match from {
                Form::Namespaced => composites.push(claim),
                Form::Claims => {
                    // It would make a composite again.
                    self.pause(&claim).await?;
                    composites.push(Held::new(&kinds::COMPOSITE, None, composite));
                }
            }
        }
        for held in &composites {
            self.pause(held).await?;
        }
        for held in &composites {
            self.paused(held).await?;
        }
        (self.say)("all are paused");
        for (held, service) in composites.iter().zip(services) {
            let objects = self.objects(&service.namespace, &service.name).await?;
            for object in &objects {
                // As the provider's page says: what is only observed is not deleted.
                let observe = json!({"spec": {"managementPolicies": ["Observe"]}});
                self.cluster.patch(&kinds::OBJECT, None, object.name(), &observe).await?;
            }
            // Objects go with their composite; what it composed itself stays.
            let policy = match objects.is_empty() {
                true => PropagationPolicy::Orphan,
                false => PropagationPolicy::Background,
            };
            let Some(live) = self.get(held).await?.filter(|live| !is_ending(live)) else {
                continue;
            };
            for manifest in &service.manifests {
                self.release(service, manifest, live.text("/metadata/uid")).await?;
            }
            self.cluster.delete_by(held.kind, held.namespace, held.name, policy).await?;
        }
        for held in &composites {
            self.wait(held, "to let go of what it made", |live| {
                live.is_none_or(|live| {
                    !live.list("/metadata/finalizers").any(|finalizer| finalizer == "orphan")
                })
            })
            .await?;
            self.go_on(held).await?;
        }
        for (held, service) in composites.iter().zip(services) {
            self.wait(held, "to go", |live| live.is_none()).await?;
            let gone = Cluster::until(self.limit, EVERY, async || {
                Ok(self.objects(&service.namespace, &service.name).await?.is_empty().then_some(()))
            });
            gone.await?.with_context(|| format!("the Objects of {} did not go", service.name))?;
        }
        if from == Form::Claims {
            for Saved { namespace, name, .. } in services {
                let claim = Held::new(&kinds::CLAIM, Some(namespace), name);
                self.cluster.delete(claim.kind, claim.namespace, claim.name).await?;
                self.go_on(&claim).await?;
            }
            for Saved { namespace, name, .. } in services {
                let claim = Held::new(&kinds::CLAIM, Some(namespace), name);
                self.wait(&claim, "to go", |live| live.is_none()).await?;
            }
        }
        (self.say)("all are gone, and what they made is where it was");
        Ok(())
    }

    /// Takes the composite off a manifest's owners. The garbage collector does that too where it is told
    /// to orphan, but only for kinds that it knows already, and deletes the others when it comes to know
    /// them.
    async fn release(&self, service: &Saved, manifest: &Manifest, owner: &str) -> Result<()> {
        self.change(service, manifest, |live| saved::released(live, owner)).await
    }

    /// Changes a manifest as it is now, if it is there and there is something to change: again while
    /// somebody else writes it between our look and our write.
    async fn change(
        &self,
        service: &Saved,
        manifest: &Manifest,
        of: impl Fn(&Value) -> Option<Value>,
    ) -> Result<()> {
        let (kind, here) = (manifest.kind, Some(service.namespace.as_str()));
        let changed = Cluster::until(self.limit, EVERY, async || {
            let live = self.cluster.get(kind, here, &manifest.name).await?;
            let Some(change) = live.and_then(|live| of(&live)) else { return Ok(Some(())) };
            match self.cluster.patch(kind, here, &manifest.name, &change).await {
                Err(error) if Refused::is(&error, 409) => Ok(None),
                patched => patched.map(|_| Some(())),
            }
        });
        changed.await?.with_context(|| format!("{} does not come to rest", manifest.title()))
    }

    /// Removes the API of a form, once nothing of it is left.
    async fn remove(&self, form: Form) -> Result<()> {
        let left = self.cluster.list(&kinds::CLAIM, None, "").await?;
        if let Some(left) = left.first() {
            bail!(
                "{}/{} was made meanwhile; run this again, which takes it along",
                left.namespace(),
                left.name()
            );
        }
        let composite = kinds::composite_in(form);
        for composition in self.cluster.list(&kinds::COMPOSITION, None, "").await? {
            if composition.text("/spec/compositeTypeRef/kind") == composite.kind
                && composition.text("/spec/compositeTypeRef/apiVersion") == composite.api_version()
            {
                self.cluster.delete(&kinds::COMPOSITION, None, composition.name()).await?;
            }
        }
        let xrd = xrd_of(form);
        self.cluster.delete(&kinds::XRD, None, &xrd).await?;
        self.wait(&Held::new(&kinds::XRD, None, &xrd), "to go", |live| live.is_none()).await?;
        let crd = kinds::CLAIM.crd();
        self.wait(&Held::new(&kinds::CRD, None, &crd), "to go", |live| live.is_none()).await?;
        (self.say)(&format!("the XRD {xrd} is gone"));
        Ok(())
    }

    /// Installs the API of the new form.
    async fn install(&self) -> Result<()> {
        let kind = match self.to {
            Form::Claims => &kinds::XRD,
            Form::Namespaced => &XRD_V2,
        };
        let mut xrd = self.api.xrd.clone();
        // Both forms have the same: what was changed at the old one (other NATS servers, say) stays so.
        if let Some(versions) = saved::kept_versions(self.cluster).await?
            && let Some(spec) = xrd.get_mut("spec").and_then(Value::as_object_mut)
        {
            spec.insert("versions".to_owned(), versions);
        }
        self.cluster.apply_as(kind, &xrd).await?;
        self.cluster.apply(&self.api.composition).await?;
        let condition = match self.to {
            Form::Claims => "Offered",
            Form::Namespaced => "Established",
        };
        let xrd = xrd_of(self.to);
        let is_so = |live: Option<&Value>| live.is_some_and(|live| live.is(condition));
        self.wait(&Held::new(kind, None, &xrd), "to be offered", is_so).await?;
        (self.say)(&format!("the XRD {xrd} is {}", condition.to_lowercase()));
        Ok(())
    }

    /// Makes a service anew in the new form.
    async fn take(&self, service: &Saved) -> Result<()> {
        let made = Cluster::until(self.limit, EVERY, async || {
            match self.cluster.create(&service.object).await {
                Ok(_) => Ok(Some(())),
                // It is there already, or its kind is not served yet.
                Err(error) => match Refused::of(&error).map(|refused| refused.code) {
                    Some(409) => Ok(Some(())),
                    Some(404) => Ok(None),
                    _ => Err(error),
                },
            }
        });
        made.await?
            .with_context(|| format!("{}/{} cannot be made", service.namespace, service.name))
    }

    /// Waits until it is Ready, and tidies up after its predecessor.
    async fn settle(&self, service: &Saved) -> Result<()> {
        let Saved { namespace, name, manifests, .. } = service;
        let here = Some(namespace.as_str());
        let ready = Held::new(&kinds::CLAIM, here, name);
        let is_so = |live: Option<&Value>| live.is_some_and(|live| live.is("Ready"));
        self.wait(
            &ready,
            "to be Ready (eds doctor says why it is not; then run this again)",
            is_so,
        )
        .await?;
        for manifest in manifests {
            self.change(service, manifest, |live| Some(manifest.tidied(live))).await?;
        }
        service.forget(self.cluster).await?;
        (self.say)(&format!("{namespace}/{name} is Ready"));
        Ok(())
    }

    /// The provider's Objects of a service.
    async fn objects(&self, namespace: &str, name: &str) -> Result<Vec<Value>> {
        let of_claim = format!("{LABEL_CLAIM_NAME}={name},{LABEL_CLAIM_NAMESPACE}={namespace}");
        self.cluster.list(&kinds::OBJECT, None, &of_claim).await
    }

    async fn get(&self, held: &Held<'_>) -> Result<Option<Value>> {
        self.cluster.get(held.kind, held.namespace, held.name).await
    }

    /// Pauses what is there and not ending; what is, was paused before it was deleted.
    async fn pause(&self, held: &Held<'_>) -> Result<()> {
        if self.get(held).await?.is_some_and(|live| !is_ending(&live)) {
            let pause = json!({"metadata": {"annotations": {PAUSED: "true"}}});
            self.cluster.patch(held.kind, held.namespace, held.name, &pause).await?;
        }
        Ok(())
    }

    /// Waits until Crossplane says that it is paused: whatever it was doing then is done.
    async fn paused(&self, held: &Held<'_>) -> Result<()> {
        self.wait(held, "to be paused", |live| {
            live.is_none_or(|live| {
                let synced = live.condition("Synced");
                is_ending(live) || synced.is_some_and(|synced| synced.reason == "ReconcilePaused")
            })
        })
        .await
    }

    async fn go_on(&self, held: &Held<'_>) -> Result<()> {
        let go_on = json!({"metadata": {"annotations": {PAUSED: null}}});
        match self.cluster.patch(held.kind, held.namespace, held.name, &go_on).await {
            Err(error) if Refused::is(&error, 404) => Ok(()),
            patched => patched.map(drop),
        }
    }

    async fn wait(
        &self,
        held: &Held<'_>,
        what: &str,
        is_so: impl Fn(Option<&Value>) -> bool,
    ) -> Result<()> {
        let Held { kind, namespace, name } = held;
        let so = self
            .cluster
            .watch_until(kind, *namespace, name, self.limit, |live| is_so(live).then_some(()));
        let seconds = self.limit.as_secs();
        so.await?.with_context(|| {
            let namespace = namespace.map(|n| format!("{n}/")).unwrap_or_default();
            format!("waited {seconds} s for {} {namespace}{name} {what}", kind.kind)
        })
    }
}

/// An object that is paused, let go of, or waited for.
struct Held<'a> {
    kind: &'a Kind,
    namespace: Option<&'a str>,
    name: &'a str,
}

impl<'a> Held<'a> {
    const fn new(kind: &'a Kind, namespace: Option<&'a str>, name: &'a str) -> Self {
        Self { kind, namespace, name }
    }
}

fn is_ending(live: &Value) -> bool {
    live.at("/metadata/deletionTimestamp").is_some()
}
