//! What is in the cluster besides the claim, as far as the renderer was told.
//!
//! Answers as the render engine's in-memory client and Crossplane's fetcher do (2.3.4
//! `internal/render/client.go`, `internal/xfn/required_resources.go`).

use std::collections::BTreeMap;

use golang::base64;
use kube_object::object::{Fields, Object};

use super::strings;
use patch_and_transform::protocol::{Match, Resource, ResourceSelector};

/// Objects by their API version, kind, namespace and name; a later one replaces an earlier one.
#[derive(Debug, Default)]
pub(super) struct Store<'a> {
    objects: BTreeMap<[&'a str; 4], &'a Object>,
}

impl<'a> Store<'a> {
    pub(super) fn of(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let key = |object: &'a Object| {
            let (version, kind) = (object.text("/apiVersion"), object.text("/kind"));
            [version, kind, object.namespace(), object.name()]
        };
        Self { objects: objects.into_iter().map(|object| (key(object), object)).collect() }
    }

    /// Returns what a function asks for. A name is looked up in the namespace that is asked for, or
    /// in none.
    pub(super) fn fetch(&self, selector: &ResourceSelector) -> Vec<Resource> {
        let (version, kind) = (selector.api_version.as_str(), selector.kind.as_str());
        let namespace = selector.namespace.as_deref().unwrap_or_default();
        let found: Vec<&Object> = match &selector.match_ {
            Match::Name(name) => {
                let key = [version, kind, namespace, name.as_str()];
                self.objects.get(&key).copied().into_iter().collect()
            }
            Match::Labels(labels) => {
                let has_all = |object: &Object| {
                    let own = object.get("metadata").and_then(|m| m.as_object());
                    let own = own.map(|metadata| strings(metadata, "labels")).unwrap_or_default();
                    labels.iter().all(|(key, value)| own.get(key) == Some(value))
                };
                let of_kind = self.objects.iter().filter(|([v, k, n, _], object)| {
                    (*v, *k) == (version, kind)
                        && (namespace.is_empty() || *n == namespace)
                        && has_all(object)
                });
                let mut named: Vec<(String, &Object)> =
                    of_kind.map(|([_, _, n, name], o)| (format!("{n}/{name}"), *o)).collect();
                named.sort_by(|a, b| a.0.cmp(&b.0));
                named.into_iter().map(|(_, object)| object).collect()
            }
        };
        let resource =
            |object: &Object| Resource { resource: Some(object.clone()), ..Resource::default() };
        found.into_iter().map(resource).collect()
    }

    /// Returns the data of a Secret; `None` if there is none.
    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<BTreeMap<String, Vec<u8>>> {
        let secret = self.objects.get(&["v1", "Secret", namespace, name])?;
        let data = secret.object("/data").into_iter().flatten();
        let decoded = data
            .filter_map(|(key, value)| Some((key.clone(), base64::decode(value.as_str()?).ok()?)));
        Some(decoded.collect())
    }

    /// Returns the connection details that an object has written to its Secret.
    pub(super) fn connection_details(&self, object: &Object) -> BTreeMap<String, Vec<u8>> {
        let reference = "/spec/writeConnectionSecretToRef";
        let name = object.text(&format!("{reference}/name"));
        let own = object.namespace();
        let namespace = match own.is_empty() {
            true => object.text(&format!("{reference}/namespace")),
            false => own,
        };
        if name.is_empty() {
            return BTreeMap::new();
        }
        self.secret(namespace, name).unwrap_or_default()
    }
}
