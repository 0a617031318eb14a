//! Objects that belong to no worker but refer to what a claim makes: by a name that the claim
//! takes, by a Service's name, port or labels.

use kube_object::object::Fields;
use std::collections::HashMap;

use serde_json::Value;

use super::fields::Kind;
use super::verdict::{Context, Role, Verdict};
use super::workers::Index;
use super::{Manifest, Owner, Worker};
use kube_object::difference::value_at;
use kube_object::path::{Path, Step};

/// What the claims make, and which Services existed before.
#[derive(Debug, Default)]
pub(super) struct Made<'a> {
    /// By namespace, kind and name: the index of the object that it takes over, if any.
    objects: HashMap<(&'a str, &'a str, &'a str), Option<usize>>,
    /// By namespace and name of a worker's Service: the Service, and what the claim makes of it.
    services: HashMap<(&'a str, &'a str), (&'a Manifest, &'a Value)>,
}

impl<'a> Made<'a> {
    pub(super) fn new(index: &Index<'a>, owners: &'a [Owner], workers: &'a [Worker]) -> Self {
        let mut made = Self::default();
        for ((group, draft, _), worker) in owners.iter().zip(workers) {
            let Some(workload) = index.get(group.workload) else { continue };
            let namespace = index.namespace(workload);
            for object in &worker.rendered {
                let (kind, name) = (object.text("/kind"), object.text("/metadata/name"));
                let own = match kind {
                    "Deployment" => Some(group.workload),
                    "Service" => group.service,
                    "ServiceAccount" => group.account,
                    "PodDisruptionBudget" => group.budget,
                    "Consumer" => draft.as_ref().and_then(|draft| draft.nack),
                    _ => group.scaler,
                };
                made.objects.insert((namespace, kind, name), own);
                if let ("Service", Some(before)) =
                    (kind, group.service.and_then(|at| index.get(at)))
                {
                    made.services.insert((namespace, before.name()), (before, object));
                }
            }
        }
        made
    }

    /// Returns objects in a worker's namespace that have a name its claim takes, but belong to
    /// somebody else.
    pub(super) fn in_the_way<'m>(
        &'m self,
        index: &'m Index<'a>,
        worker: &'m Worker,
        namespace: &'m str,
    ) -> impl Iterator<Item = &'a Manifest> + 'm {
        worker.rendered.iter().filter_map(move |object| {
            let key = (namespace, object.text("/kind"), object.text("/metadata/name"));
            let found = index.find(key.0, key.1, key.2)?;
            let own = self.objects.get(&key)?;
            (*own != Some(found)).then(|| index.get(found)).flatten()
        })
    }
}

impl Context<'_> {
    /// Reports whether this object has a name that a claim takes, and is not taken over by it.
    pub(super) fn is_in_the_way(&self, pattern: &str) -> bool {
        let manifest = self.manifest;
        let key = (self.index.namespace(manifest), manifest.kind(), manifest.name());
        let own = || self.made.objects.get(&key).copied();
        pattern == "metadata.name"
            && !matches!(self.role, Role::Composed(_) | Role::List)
            && own().is_some_and(|own| self.index.find(key.0, key.1, key.2) != own)
    }

    /// Judges a leaf that refers to a worker's Service.
    pub(super) fn pointing(&self, path: &Path, value: Option<&Value>) -> Option<Verdict> {
        let keep = "and keep this manifest beside the claim";
        let kind = self.manifest.kind();
        let namespace = self.index.namespace(self.manifest);
        if kind == "ServiceMonitor" {
            let (before, after) = self.monitored()?;
            let Some(Step::Key(key)) = path.0.last() else { return None };
            let label = path.0.get(2) == Some(&Step::Key("matchLabels".to_owned()));
            if label {
                let new = after.at("/metadata/labels")?.get(key);
                return Some(match new == value {
                    true => Verdict::new(Kind::Kept, "the claim's Service has this label too"),
                    false => Verdict::new(
                        Kind::Lost,
                        format!(
                            "the claim's Service does not carry this label, as Service {} did",
                            before.name()
                        ),
                    )
                    .todo(&format!("select by app.kubernetes.io/name (the claim's name), {keep}")),
                });
            }
            return (key == "port").then(|| port(after, value, keep)).flatten();
        }
        let known = ["Ingress", "VirtualService", "Route", "IngressRoute"].contains(&kind)
            || kind.ends_with("Route");
        if path.0.first() != Some(&Step::Key("spec".to_owned())) {
            return None;
        }
        let (Some(Step::Key(last)), true) = (path.0.last(), known) else { return None };
        // {service: {name, port: {number, name}}}, {name, port}, {host, port: {number}}
        let parents =
            |n: usize| Path(path.0.iter().take(path.0.len().saturating_sub(n)).cloned().collect());
        let within = path.0.iter().rev().nth(1) == Some(&Step::Key("port".to_owned()));
        let backend = value_at(&self.manifest.value, &parents(if within { 2 } else { 1 }))?;
        let named =
            ["name", "host", "serviceName"].iter().find_map(|key| backend.get(*key)?.as_str())?;
        let service = match named.split_once('.') {
            // A host that includes the namespace.
            Some((service, rest)) if backend.get("host").is_some() => {
                (rest.split('.').next() == Some(namespace)).then_some(service)?
            }
            _ => named,
        };
        let (before, after) = self.made.services.get(&(namespace, service))?;
        let name = after.text("/metadata/name");
        match last.as_str() {
            "number" | "name" if within => port(after, value, keep),
            "port" | "servicePort" => port(after, value, keep),
            "name" | "host" | "serviceName" if name != before.name() => Some(
                Verdict::new(
                    Kind::Lost,
                    format!(
                        "the claim's Service is called {name}; {} finds no pods of the claim until \
                            its selector is changed",
                        before.name()
                    ),
                )
                .todo(&format!("write {name} here, {keep}")),
            ),
            _ => Some(Verdict::new(
                Kind::Kept,
                "the claim's Service has this name too: keep this manifest beside the claim",
            )),
        }
    }

    /// Returns the worker's Service that a ServiceMonitor selects, and what the claim makes of it.
    fn monitored(&self) -> Option<(&Manifest, &Value)> {
        let wanted = self.manifest.value.object("/spec/selector/matchLabels")?;
        let namespace = self.index.namespace(self.manifest);
        let mut services: Vec<_> = self
            .made
            .services
            .iter()
            .filter(|((space, _), (before, _))| {
                let labels = before.value.at("/metadata/labels");
                let has = |(key, value): (&String, &Value)| {
                    labels.and_then(|l| l.get(key)) == Some(value)
                };
                *space == namespace && !wanted.is_empty() && wanted.iter().all(has)
            })
            .collect();
        services.sort_by_key(|((_, name), _)| *name);
        services.first().map(|(_, (before, after))| (*before, *after))
    }
}

/// Judges a port by which a worker's Service is called.
fn port(service: &Value, value: Option<&Value>, keep: &str) -> Option<Verdict> {
    let value = value?;
    let is_same_port = |port: &Value| {
        port.get("port") == Some(value)
            || port.get("name") == Some(value)
            || value.as_str().and_then(|text| text.parse().ok())
                == port.get("port").and_then(Value::as_i64)
    };
    if service.list("/spec/ports").any(is_same_port) {
        return Some(Verdict::new(
            Kind::Kept,
            "the claim's Service has this port too: keep this manifest beside the claim",
        ));
    }
    let own = service.at("/spec/ports/0/port").map(Value::to_string).unwrap_or_default();
    Some(
        Verdict::new(
            Kind::Lost,
            format!(
                "the claim's Service has port {own}, named http, and no other: nothing answers \
                    here any more"
            ),
        )
        .todo(&format!("write {} here, {keep}", if value.is_number() { &own } else { "http" })),
    )
}
