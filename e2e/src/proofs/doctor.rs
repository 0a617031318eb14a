//! `eds doctor` finds what is missing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use eds_cluster::{Cluster, Kind, kinds};
use kube_object::object::Fields;
use serde_json::{Value, json};

use super::NoWorker;
use crate::api::Api;
use crate::claim::merge;
use crate::proof::{Proof, carry_out};

/// `eds doctor` finds what is missing: every prerequisite is really broken, doctor must name it with a fix and end
/// with 1; mended, it must end with 0 again.
///
/// Disturbs the testbed's NATS, KEDA, Crossplane, packages and API, and puts them back. No claim may exist meanwhile:
/// the XRD is deleted too.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    _worker: NoWorker,
}

const RUNTIME_CONFIG: Kind = Kind {
    group: "pkg.crossplane.io",
    version: "v1beta1",
    kind: "DeploymentRuntimeConfig",
    plural: "deploymentruntimeconfigs",
    namespaced: false,
};
const CLUSTER_ROLE_BINDING: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
    namespaced: false,
};

/// How long something may take to go, and how often that is looked at.
const GONE: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_millis(300);

/// An object of the platform. Their names are different, also of different kinds.
type Target = (Kind, Option<&'static str>, &'static str);

/// What is done to the platform, or undone.
enum Do {
    /// A merge patch.
    Patch(Target, &'static str),
    /// A JSON Patch.
    Operations(Target, &'static str),
    /// What follows the last colon of the text at a pointer is replaced.
    Tag(Target, &'static str, &'static str),
    /// The value at a pointer becomes what it was.
    Restore(Target, &'static str),
    /// It is deleted, and gone.
    Delete(Target),
    /// It is applied as it was.
    Again(Target),
    /// NATS's configuration loses its block `jetstream`.
    WithoutJetStream,
    /// Somebody else's CRD has the claim's name. One that nobody controls Crossplane would take over, sooner or later
    /// than doctor looks; one that another object controls it leaves alone.
    ForeignDefinition,
}

/// One prerequisite: how it is broken and mended, and what doctor says meanwhile.
struct Broken {
    what: &'static str,
    breaks: &'static [Do],
    mends: &'static [Do],
    status: &'static str,
    section: &'static str,
    check: &'static str,
    said: &'static str,
}

const NATS: Target = (kinds::STATEFUL_SET, Some("nats"), "nats");
const NATS_POD: Target = (kinds::POD, Some("nats"), "nats-0");
const NATS_CONFIG: Target = (kinds::CONFIG_MAP, Some("nats"), "nats-config");
const NATS_MONITOR: Target = (kinds::SERVICE, Some("nats"), "nats-headless");
const OPERATOR: Target = (kinds::DEPLOYMENT, Some("keda"), "keda-operator");
const METRICS: Target = (kinds::DEPLOYMENT, Some("keda"), "keda-metrics-apiserver");
const CROSSPLANE: Target = (kinds::DEPLOYMENT, Some("crossplane-system"), "crossplane");
const PATCH_AND_TRANSFORM: Target = (kinds::FUNCTION, None, "function-patch-and-transform");
const FUNCTION: Target = (kinds::FUNCTION, None, "function-event-driven-service");
const PROVIDER: Target = (RUNTIME_CONFIG, None, "provider-kubernetes");
const PROVIDER_CONFIG: Target = (kinds::PROVIDER_CONFIG, None, "kubernetes-provider");
const BINDING: Target = (CLUSTER_ROLE_BINDING, None, "provider-kubernetes-event-driven-services");
const COMPOSITION: Target = (kinds::COMPOSITION, None, "event-driven-service");
const XRD: Target = (kinds::XRD, None, "xeventdrivenservices.platform.bizmatters.io");
const CRD: Target = (kinds::CRD, None, "eventdrivenservices.platform.bizmatters.io");
const NAMES: Target = (kinds::ADMISSION_BINDING, None, "eventdrivenservice-claim-names");
const AUTHORS: Target = (kinds::ADMISSION_POLICY, None, "eventdrivenservice-authors");

const NONE: &str = r#"{"spec": {"replicas": 0}}"#;
const ONE: &str = r#"{"spec": {"replicas": 1}}"#;
const IMAGE: &str = "/spec/template/spec/containers/0/image";
const PACKAGES: &str = "Functions and provider";

const TABLE: [Broken; 18] = [
    Broken {
        what: "NATS is down",
        breaks: &[Do::Patch(NATS, NONE)],
        mends: &[Do::Patch(NATS, ONE)],
        status: "failed",
        section: "NATS",
        check: "servers",
        said: "no pod is behind the Service",
    },
    Broken {
        what: "JetStream is off",
        breaks: &[Do::WithoutJetStream, Do::Delete(NATS_POD)],
        mends: &[Do::Again(NATS_CONFIG), Do::Delete(NATS_POD)],
        status: "failed",
        section: "NATS",
        check: "JetStream",
        said: "switched off",
    },
    Broken {
        what: "NATS's monitoring port is not offered",
        breaks: &[Do::Operations(NATS_MONITOR, r#"[{"op": "remove", "path": "/spec/ports/1"}]"#)],
        mends: &[Do::Again(NATS_MONITOR)],
        status: "failed",
        section: "NATS",
        check: "monitoring port",
        said: "has only 4222",
    },
    Broken {
        what: "KEDA's operator is stopped",
        breaks: &[Do::Patch(OPERATOR, NONE)],
        mends: &[Do::Patch(OPERATOR, ONE)],
        status: "failed",
        section: "KEDA",
        check: "operator",
        said: "scaled to 0",
    },
    Broken {
        what: "KEDA's metrics server is stopped",
        breaks: &[Do::Patch(METRICS, NONE)],
        mends: &[Do::Patch(METRICS, ONE)],
        status: "failed",
        section: "KEDA",
        check: "external metrics",
        said: "Available is False",
    },
    Broken {
        what: "KEDA is too old",
        breaks: &[Do::Tag(OPERATOR, IMAGE, "2.20.1")],
        mends: &[Do::Restore(OPERATOR, IMAGE)],
        status: "failed",
        section: "KEDA",
        check: "version",
        said: "2.20.1 is older than 2.20.2",
    },
    Broken {
        what: "Crossplane is stopped",
        breaks: &[Do::Patch(CROSSPLANE, NONE)],
        mends: &[Do::Patch(CROSSPLANE, ONE)],
        status: "failed",
        section: "Crossplane",
        check: "installed",
        said: "scaled to 0",
    },
    Broken {
        what: "a function is missing",
        breaks: &[Do::Delete(PATCH_AND_TRANSFORM)],
        mends: &[Do::Again(PATCH_AND_TRANSFORM)],
        status: "failed",
        section: PACKAGES,
        check: "function-patch-and-transform",
        said: "there is no Function",
    },
    Broken {
        what: "a function's package cannot be pulled",
        breaks: &[Do::Tag(FUNCTION, "/spec/package", "no-such-version")],
        mends: &[Do::Restore(FUNCTION, "/spec/package")],
        status: "failed",
        section: PACKAGES,
        check: "function-event-driven-service",
        said: "no-such-version",
    },
    Broken {
        what: "the provider is stopped",
        // Crossplane puts back what is written to the Deployment.
        breaks: &[Do::Patch(
            PROVIDER,
            r#"{"spec": {"deploymentTemplate": {"spec": {"replicas": 0}}}}"#,
        )],
        mends: &[
            Do::Patch(PROVIDER, r#"{"spec": {"deploymentTemplate": {"spec": {"replicas": 1}}}}"#),
            Do::Patch(
                PROVIDER,
                r#"{"spec": {"deploymentTemplate": {"spec": {"replicas": null}}}}"#,
            ),
        ],
        status: "failed",
        section: PACKAGES,
        check: "provider-kubernetes",
        said: "provider-kubernetes",
    },
    Broken {
        what: "the provider merges",
        breaks: &[Do::Operations(
            PROVIDER,
            r#"[{"op": "replace",
                "path": "/spec/deploymentTemplate/spec/template/spec/containers/0/args",
                "value": ["--enable-watches"]}]"#,
        )],
        mends: &[Do::Restore(
            PROVIDER,
            "/spec/deploymentTemplate/spec/template/spec/containers/0/args",
        )],
        status: "warning",
        section: PACKAGES,
        check: "provider's flags",
        said: "without --enable-server-side-apply",
    },
    Broken {
        what: "the ProviderConfig is missing",
        breaks: &[Do::Delete(PROVIDER_CONFIG)],
        mends: &[Do::Again(PROVIDER_CONFIG)],
        status: "failed",
        section: PACKAGES,
        check: "ProviderConfig kubernetes-provider",
        said: "not there",
    },
    Broken {
        what: "the provider may not write",
        breaks: &[Do::Delete(BINDING)],
        mends: &[Do::Again(BINDING)],
        status: "failed",
        section: PACKAGES,
        check: "rights of provider-kubernetes",
        said: "may not",
    },
    Broken {
        what: "the Composition is missing",
        breaks: &[Do::Delete(COMPOSITION)],
        mends: &[Do::Again(COMPOSITION)],
        status: "failed",
        section: "API",
        check: "default Composition",
        said: "not there",
    },
    Broken {
        what: "the XRD is missing",
        breaks: &[Do::Delete(XRD)],
        mends: &[Do::Again(XRD)],
        status: "failed",
        section: "API",
        check: "XRD",
        said: "there is no XRD",
    },
    Broken {
        what: "the claim is not offered",
        breaks: &[Do::Delete(XRD), Do::ForeignDefinition, Do::Again(XRD)],
        mends: &[Do::Delete(CRD), Do::Delete(XRD), Do::Again(XRD)],
        status: "failed",
        section: "API",
        check: "claim served",
        said: "does not belong to the XRD",
    },
    Broken {
        what: "the policy for claim names does not apply",
        breaks: &[Do::Delete(NAMES)],
        mends: &[Do::Again(NAMES)],
        status: "warning",
        section: "API",
        check: "claim names",
        said: "binding",
    },
    Broken {
        what: "a policy for ownership is missing",
        breaks: &[Do::Delete(AUTHORS)],
        mends: &[Do::Again(AUTHORS)],
        status: "warning",
        section: "API",
        check: "ownership",
        said: "eventdrivenservice-authors is missing",
    },
];

pub(crate) async fn run(_: &Args) -> Result<()> {
    if !Api::connect().await?.list(&kinds::CLAIM, None, "").await.unwrap_or_default().is_empty() {
        bail!("there are claims in the testbed: kubectl get eds -A");
    }
    carry_out("doctor", async |p| {
        p.needs_claims()?;
        must_be_well(p, 60, "doctor to find nothing at first").await?;
        let (_, report) = p.doctor(None).await?;
        p.passed(format!("nothing is broken: {} checks passed", report.number("/passed")));
        let platform = Platform::kept(p).await?;
        for broken in &TABLE {
            prove(p, &platform, broken).await?;
        }
        Ok(())
    })
    .await
}

/// Broken, found, mended, found no more.
async fn prove(p: &Proof<'_>, platform: &Rc<Platform>, broken: &'static Broken) -> Result<()> {
    platform.broken.set(Some(broken));
    platform.all(broken.breaks).await?;
    let found = p.must_find(90, format!("doctor to find: {}", broken.what), async || {
        let (well, report) = p.doctor(None).await?;
        Ok(broken.found(well, &report))
    });
    let detail = found.await?;
    let shown: Vec<&str> = detail.lines().take(2).collect();
    let shown: String = shown.join(" ").chars().take(320).collect();
    p.passed(format!("{}: {shown}", broken.what));
    platform.all(broken.mends).await?;
    platform.broken.set(None);
    must_be_well(p, 180, &format!("doctor to find nothing any more, {} being mended", broken.what))
        .await
}

impl Broken {
    /// The detail of the one check that ended so, with this in its cause and with a fix. Whatever failed, doctor must
    /// have ended with 1.
    fn found(&self, well: bool, report: &Value) -> Option<String> {
        let sections =
            report.list("/sections").filter(|section| section.text("/section") == self.section);
        let mut found = sections.flat_map(|section| section.list("/checks")).filter(|check| {
            check.text("/check") == self.check
                && check.text("/status") == self.status
                && check.text("/detail").contains(self.said)
                && !check.text("/fix").is_empty()
        });
        let one = found.next().filter(|_| found.next().is_none())?;
        (self.status == "warning" || !well).then(|| one.text("/detail").to_owned())
    }
}

/// Doctor must come to find nothing, not even a warning.
async fn must_be_well(p: &Proof<'_>, seconds: u64, what: &str) -> Result<()> {
    let last = RefCell::new(Vec::new());
    let waited = p.must(seconds, what, async || {
        let (well, report) = p.doctor(None).await?;
        *last.borrow_mut() = complaints(&report);
        Ok(well && report.number("/failed") == 0 && report.number("/warnings") == 0)
    });
    waited.await.with_context(|| format!("doctor says {}", last.borrow().join("; ")))
}

/// Everything but passed checks.
fn complaints(report: &Value) -> Vec<String> {
    let of_section = |section: &Value| {
        let name = section.text("/section").to_owned();
        let checks = section.list("/checks").filter(|check| check.text("/status") != "passed");
        let line =
            |check: &Value| format!("{name}: {}: {}", check.text("/check"), check.text("/detail"));
        checks.map(line).collect::<Vec<_>>()
    };
    report.list("/sections").flat_map(of_section).collect()
}

/// The platform's objects as they were, and what is broken now.
struct Platform {
    api: Api,
    /// The proof's namespace.
    namespace: String,
    was: HashMap<&'static str, Value>,
    broken: Cell<Option<&'static Broken>>,
}

impl Platform {
    /// Reads all that the table names. What is broken when the proof ends is mended then.
    async fn kept(p: &Proof<'_>) -> Result<Rc<Self>> {
        let mut was = HashMap::new();
        for target in [CRD]
            .iter()
            .chain(TABLE.iter().flat_map(|b| b.breaks.iter().chain(b.mends)).filter_map(Do::target))
        {
            let (kind, namespace, name) = target;
            let mut object = p.api.there(kind, *namespace, name).await?;
            if let Some(object) = object.as_object_mut() {
                object.remove("status");
            }
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.retain(|key, _| {
                    ["name", "namespace", "labels", "annotations"].contains(&key.as_str())
                });
            }
            p.keep(&format!("was-{}-{name}.json", kind.plural), object.to_string())?;
            was.insert(*name, object);
        }
        let platform = Rc::new(Self {
            api: p.api.clone(),
            namespace: p.namespace.clone(),
            was,
            broken: Cell::new(None),
        });
        let last = Rc::clone(&platform);
        p.run.put_back("the platform", async move {
            match last.broken.get() {
                Some(broken) => last.all(broken.mends).await,
                None => Ok(()),
            }
        });
        Ok(platform)
    }

    fn was(&self, name: &str) -> Result<&Value> {
        self.was.get(name).with_context(|| format!("{name} was not kept"))
    }

    async fn all(&self, steps: &[Do]) -> Result<()> {
        for step in steps {
            self.one(step).await?;
        }
        Ok(())
    }

    async fn one(&self, step: &Do) -> Result<()> {
        match step {
            Do::Patch((kind, namespace, name), change) => {
                self.api.patch(kind, *namespace, name, &serde_json::from_str(change)?).await
            }
            Do::Operations((kind, namespace, name), operations) => {
                self.api
                    .json_patch(kind, *namespace, name, &serde_json::from_str(operations)?)
                    .await
            }
            Do::Tag(target, pointer, tag) => {
                let was = self.was(target.2)?.text(pointer);
                let (before, _) =
                    was.rsplit_once(':').with_context(|| format!("{was} has no tag"))?;
                self.set(target, pointer, json!(format!("{before}:{tag}"))).await
            }
            Do::Restore(target, pointer) => {
                let was = self.was(target.2)?.at(pointer).cloned();
                self.set(target, pointer, was.unwrap_or_default()).await
            }
            Do::Delete((kind, namespace, name)) => {
                // A pod of that name comes again at once.
                if *kind == kinds::POD {
                    return self.api.delete(kind, *namespace, name).await;
                }
                self.api.end(kind, *namespace, name, GONE).await
            }
            Do::Again(target) => self.api.apply(self.was(target.2)?).await,
            Do::WithoutJetStream => {
                let mut config = self.was(NATS_CONFIG.2)?.clone();
                let text = config.pointer_mut("/data/nats.conf").context("no nats.conf")?;
                let was = text.as_str().unwrap_or_default();
                let (before, rest) = was.split_once("jetstream {").context("no block jetstream")?;
                let (_, after) = rest.split_once('}').context("a block without an end")?;
                *text = json!(format!("{before}{after}"));
                self.api.apply(&config).await
            }
            Do::ForeignDefinition => self.foreign().await,
        }
    }

    async fn set(
        &self,
        (kind, namespace, name): &Target,
        pointer: &str,
        value: Value,
    ) -> Result<()> {
        let operations = json!([{"op": "replace", "path": pointer, "value": value}]);
        self.api.json_patch(kind, *namespace, name, &operations).await
    }

    async fn foreign(&self) -> Result<()> {
        let (kind, _, name) = CRD;
        let gone = Cluster::until(GONE, EVERY, async || {
            Ok(self.api.get(&kind, None, name).await?.is_none().then_some(()))
        });
        gone.await?.context("the claim's CRD does not go")?;
        let owner = self.api.there(&kinds::NAMESPACE, None, &self.namespace).await?;
        let mut definition = self.was(name)?.clone();
        let owners = json!([{
            "apiVersion": "v1", "kind": "Namespace", "name": self.namespace, "controller": true,
            "uid": owner.text("/metadata/uid"),
        }]);
        merge(&mut definition, &json!({"metadata": {"ownerReferences": owners}}));
        self.api.apply(&definition).await
    }
}

impl Do {
    /// What it is done to, where the table says so.
    fn target(&self) -> Option<&Target> {
        match self {
            Self::Patch(target, _)
            | Self::Operations(target, _)
            | Self::Tag(target, ..)
            | Self::Restore(target, _)
            | Self::Again(target) => Some(target),
            Self::Delete(target) => (target.0 != kinds::POD).then_some(target),
            Self::WithoutJetStream | Self::ForeignDefinition => None,
        }
    }
}
