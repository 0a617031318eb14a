//! What is kept of a service while it is in neither form.

use anyhow::{Context, Result};
use eds_core::composition::{LABEL_CLAIM_NAME, LABEL_CLAIM_NAMESPACE};
use eds_core::event_driven_service::ADOPT;
use eds_core::form::Form;
use kube_object::crossplane::is_machinery;
use kube_object::object::{Fields, escaped};
use serde_json::{Map, Value, json};

use crate::client::Cluster;
use crate::kinds::{self, Kind};

/// The label of the ConfigMaps, with the form that the service is to have.
const LABEL: &str = "platform.bizmatters.io/migrates-to";
/// Prefixes of the field managers that compose.
const COMPOSERS: [&str; 2] = ["provider-kubernetes/", "apiextensions.crossplane.io/composed/"];
/// Labels of what belongs to a claim.
const OF_CLAIM: [&str; 2] = [LABEL_CLAIM_NAME, LABEL_CLAIM_NAMESPACE];

/// A service, as it is to be made in the new form.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Saved {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) to: Form,
    /// What is made in the new form.
    pub(super) object: Value,
    /// Its composite in the old form, if that has another name.
    pub(super) composite: String,
    pub(super) manifests: Vec<Manifest>,
}

/// A manifest that stays.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Manifest {
    pub(super) kind: &'static Kind,
    pub(super) name: String,
    /// Who had composed it before.
    pub(super) managers: Vec<String>,
}

impl Manifest {
    /// Returns a live manifest's.
    pub(super) fn of(kind: &'static Kind, live: &Value) -> Self {
        let managers = live.list("/metadata/managedFields").map(|entry| entry.text("/manager"));
        let composers = managers.filter(|m| COMPOSERS.iter().any(|prefix| m.starts_with(prefix)));
        Self {
            kind,
            name: live.name().to_owned(),
            managers: composers.map(str::to_owned).collect(),
        }
    }

    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind.kind, self.name)
    }

    /// Returns what is to change once another has taken it over. Who composed it before must leave the
    /// record: what it has applied would stay although the service no longer says it.
    pub(super) fn tidied(&self, live: &Value) -> Value {
        let is_old = |entry: &Value| self.managers.iter().any(|m| m == entry.text("/manager"));
        let kept: Vec<&Value> =
            live.list("/metadata/managedFields").filter(|entry| !is_old(entry)).collect();
        let mut metadata = json!({
            "resourceVersion": live.text("/metadata/resourceVersion"),
            "annotations": {ADOPT: null},
            "managedFields": kept,
        });
        // A claim's successor writes them again, its predecessor leaves them behind.
        let is_claims = kept.iter().any(|entry| entry.text("/manager").starts_with(COMPOSERS[0]));
        if !is_claims && let Some(metadata) = metadata.as_object_mut() {
            let labels: Map<String, Value> =
                OF_CLAIM.iter().map(|label| ((*label).to_owned(), Value::Null)).collect();
            metadata.insert("labels".to_owned(), Value::Object(labels));
        }
        json!({ "metadata": metadata })
    }
}

impl Saved {
    /// Returns a live service's.
    pub(super) fn of(live: &Value, to: Form, manifests: Vec<Manifest>) -> Self {
        Self {
            namespace: live.namespace().to_owned(),
            name: live.name().to_owned(),
            to,
            object: rewritten(live),
            composite: live.text("/spec/resourceRef/name").to_owned(),
            manifests,
        }
    }

    pub(super) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// Returns all that are saved.
    pub(super) async fn all(cluster: &Cluster) -> Result<Vec<Self>> {
        let kept = cluster.list(&kinds::CONFIG_MAP, None, LABEL).await?;
        kept.iter().map(Self::read).collect()
    }

    fn config_map(&self) -> Value {
        let manifests: Vec<Value> = self
            .manifests
            .iter()
            .map(|m| {
                let version = m.kind.api_version();
                json!({"apiVersion": version, "kind": m.kind.kind, "name": m.name,
                    "managers": m.managers})
            })
            .collect();
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": config_map(&self.name), "namespace": self.namespace,
                "labels": {LABEL: self.to.name()},
            },
            "data": {
                "service": self.object.to_string(),
                "composite": self.composite,
                "manifests": Value::Array(manifests).to_string(),
            },
        })
    }

    fn read(kept: &Value) -> Result<Self> {
        let broken = || {
            let (namespace, name) = (kept.namespace(), kept.name());
            format!("the ConfigMap {namespace}/{name} is not as eds migrate wrote it")
        };
        let parse = |key: &str| serde_json::from_str(kept.text(&format!("/data/{key}")));
        let object: Value = parse("service").with_context(broken)?;
        let listed: Value = parse("manifests").with_context(broken)?;
        let manifest = |from: &Value| -> Result<Manifest> {
            Ok(Manifest {
                kind: Kind::of(from).with_context(broken)?,
                name: from.text("/name").to_owned(),
                managers: from
                    .list("/managers")
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            })
        };
        let listed = listed.as_array().with_context(broken)?;
        let to = kept.text(&format!("/metadata/labels/{}", escaped(LABEL)));
        Ok(Self {
            namespace: kept.namespace().to_owned(),
            name: object.name().to_owned(),
            to: if to == Form::Claims.name() { Form::Claims } else { Form::Namespaced },
            composite: kept.text("/data/composite").to_owned(),
            manifests: listed.iter().map(manifest).collect::<Result<_>>()?,
            object,
        })
    }

    /// Keeps it, unless it is kept already.
    pub(super) async fn save(&self, cluster: &Cluster) -> Result<()> {
        cluster.create_if_absent(&self.config_map()).await
    }

    pub(super) async fn forget(&self, cluster: &Cluster) -> Result<()> {
        let name = config_map(&self.name);
        cluster.delete(&kinds::CONFIG_MAP, Some(&self.namespace), &name).await.map(drop)
    }
}

/// Returns what takes an owner off an object; `None` if it is not among its owners.
pub(super) fn released(live: &Value, owner: &str) -> Option<Value> {
    let owners = || live.list("/metadata/ownerReferences");
    owners().find(|o| o.text("/uid") == owner)?;
    let others: Vec<&Value> = owners().filter(|o| o.text("/uid") != owner).collect();
    Some(json!({"metadata": {
        "resourceVersion": live.text("/metadata/resourceVersion"), "ownerReferences": others,
    }}))
}

/// Where the old XRD's versions are kept: its name and its namespace.
const VERSIONS: (&str, &str) = ("eds-migrate-versions", crate::gather::CROSSPLANE);

/// Keeps an XRD's versions, unless they are kept already.
pub(super) async fn keep_versions(cluster: &Cluster, xrd: &Value) -> Result<()> {
    let (name, namespace) = VERSIONS;
    let versions = xrd.at("/spec/versions").map(Value::to_string).unwrap_or_default();
    let kept = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": {"versions": versions},
    });
    cluster.create_if_absent(&kept).await
}

/// Returns the versions that are kept.
pub(super) async fn kept_versions(cluster: &Cluster) -> Result<Option<Value>> {
    let (name, namespace) = VERSIONS;
    let kept = cluster.get(&kinds::CONFIG_MAP, Some(namespace), name).await?;
    let text = kept.as_ref().map(|kept| kept.text("/data/versions"));
    text.map(|text| serde_json::from_str(text).context("the kept versions are not JSON"))
        .transpose()
}

pub(super) async fn forget_versions(cluster: &Cluster) -> Result<()> {
    let (name, namespace) = VERSIONS;
    cluster.delete(&kinds::CONFIG_MAP, Some(namespace), name).await.map(drop)
}

fn config_map(name: &str) -> String {
    format!("eds-migrate-{name}")
}

/// Returns a service as people would write it: without what Crossplane and the API server wrote.
fn rewritten(live: &Value) -> Value {
    let mut metadata = json!({"name": live.name(), "namespace": live.namespace()});
    for field in ["labels", "annotations"] {
        let own: Map<String, Value> = live
            .object(&format!("/metadata/{field}"))
            .into_iter()
            .flatten()
            .filter(|(key, _)| !key.starts_with("crossplane.io/"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !own.is_empty()
            && let Some(metadata) = metadata.as_object_mut()
        {
            metadata.insert(field.to_owned(), Value::Object(own));
        }
    }
    let mut spec = live.object("/spec").cloned().unwrap_or_default();
    // What is the form's own has no place in the other.
    spec.retain(|field, _| !is_machinery(field));
    json!({
        "apiVersion": live.text("/apiVersion"), "kind": live.text("/kind"),
        "metadata": metadata, "spec": spec,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Value {
        json!({
            "apiVersion": "platform.bizmatters.io/v1alpha1", "kind": "EventDrivenService",
            "metadata": {
                "name": "worker", "namespace": "shop", "uid": "u", "resourceVersion": "7",
                "finalizers": ["finalizer.apiextensions.crossplane.io"],
                "labels": {"team": "a", "crossplane.io/composite": "worker-x"},
                "annotations": {"note": "b", "crossplane.io/external-name": "worker-x"},
            },
            "spec": {
                "image": "w:1", "nats": {"stream": "S", "consumer": "c"},
                "compositionRef": {"name": "event-driven-service"},
                "compositeDeletePolicy": "Foreground",
                "compositionSelector": {"matchLabels": {"a": "b"}},
                "compositionUpdatePolicy": "Automatic",
                "resourceRef": {"name": "worker-x"},
            },
            "status": {"replicas": 1},
        })
    }

    #[test]
    fn what_people_would_write() {
        let people = json!({
            "apiVersion": "platform.bizmatters.io/v1alpha1", "kind": "EventDrivenService",
            "metadata": {
                "name": "worker", "namespace": "shop", "labels": {"team": "a"},
                "annotations": {"note": "b"},
            },
            "spec": {"image": "w:1", "nats": {"stream": "S", "consumer": "c"}},
        });
        assert_eq!(rewritten(&claim()), people);
        let mut namespaced = people.clone();
        namespaced["spec"]["crossplane"] = json!({"resourceRefs": [{"name": "worker"}]});
        assert_eq!(rewritten(&namespaced), people);
    }

    #[test]
    fn what_is_kept_is_read_as_it_was() {
        let live = json!({"metadata": {"name": "worker", "managedFields": [
            {"manager": "provider-kubernetes/worker-x-1", "operation": "Apply"},
            {"manager": "keda", "operation": "Update"},
        ]}});
        let manifest = Manifest::of(&kinds::DEPLOYMENT, &live);
        assert_eq!(manifest.managers, ["provider-kubernetes/worker-x-1"]);
        for to in [Form::Claims, Form::Namespaced] {
            let saved = Saved::of(&claim(), to, vec![manifest.clone()]);
            assert_eq!(Saved::read(&saved.config_map()).unwrap(), saved);
            assert_eq!(saved.composite, "worker-x");
        }
        let mut broken = Saved::of(&claim(), Form::Claims, Vec::new()).config_map();
        broken["data"]["service"] = json!("{");
        assert!(Saved::read(&broken).is_err());
    }

    #[test]
    fn who_is_taken_off_the_owners() {
        let check = |owner: &str, expected: Option<Value>| {
            let live = json!({"metadata": {"resourceVersion": "3", "ownerReferences": [
                {"kind": "XEventDrivenService", "uid": "x"}, {"kind": "Other", "uid": "y"},
            ]}});
            let found = released(&live, owner);
            assert_eq!(found.map(|f| f["metadata"]["ownerReferences"].clone()), expected);
        };
        check("x", Some(json!([{"kind": "Other", "uid": "y"}])));
        check("z", None);
    }

    /// Who composed it before leaves the record, and nobody else.
    #[test]
    fn who_is_tidied_away() {
        let check = |new: &str, labels: bool| {
            let entry = |manager: &str| json!({"manager": manager});
            let old = entry("apiextensions.crossplane.io/composed/old");
            let manifest = Manifest::of(
                &kinds::DEPLOYMENT,
                &json!({"metadata": {"name": "w", "managedFields": [&old]}}),
            );
            let live = json!({"metadata": {
                "resourceVersion": "8", "managedFields": [old, entry("keda"), entry(new)],
            }});
            let change = &manifest.tidied(&live)["metadata"];
            assert_eq!(change["managedFields"], json!([entry("keda"), entry(new)]));
            assert_eq!(change["resourceVersion"], "8");
            assert_eq!(change["annotations"], json!({"platform.bizmatters.io/adopt": null}));
            assert_eq!(change.get("labels").is_some(), labels, "{new}");
        };
        check("apiextensions.crossplane.io/composed/new", true);
        check("provider-kubernetes/worker-y-1", false);
    }
}
