//! A claim in a run: what it needs before it can work, what it made, and what is left of it.

use kube_object::object::Fields;
use std::time::Duration;

use anyhow::{Result, bail};
use async_nats::jetstream::consumer::pull;
use eds_verify::Endpoint;
use eds_verify::bystanders::Snapshot;
use serde_json::{Map, Value, json};

use crate::client::Cluster;
use crate::kinds::{self, Kind};
use crate::nats;
use crate::run::Run;

/// The kinds that a claim becomes, apart from NACK's, which not every cluster has.
const MADE: [&Kind; 5] = [
    &kinds::SERVICE_ACCOUNT,
    &kinds::DEPLOYMENT,
    &kinds::SERVICE,
    &kinds::SCALED_OBJECT,
    &kinds::DISRUPTION_BUDGET,
];

impl Run {
    /// Creates what a claim names and does not bring: its Secrets, with placeholder values, and its
    /// stream and consumer with these settings. What exists is left as it is; what was created is
    /// removed at the end. Without a NATS in this cluster no stream is created, nor with one that
    /// wants a login from the claim's Secrets.
    ///
    /// # Errors
    /// If something cannot be created.
    pub async fn prepare(&self, claim: &Value, settings: pull::Config) -> Result<()> {
        for secret in secrets(claim, &self.namespace) {
            self.cluster.create_if_absent(&secret).await?;
        }
        let url = claim.text("/spec/nats/url");
        let has_login = claim.at("/spec/nats/credentials").is_some()
            || claim.at("/spec/nats/tls").is_some()
            || url.contains("$(");
        if has_login || Endpoint::parse(url, &self.namespace, 4222).is_none() {
            return Ok(());
        }
        let (stream, consumer) =
            (claim.text("/spec/nats/stream"), claim.text("/spec/nats/consumer"));
        self.ensure(&url.into(), stream, consumer, settings).await
    }

    /// Creates a stream and its consumer with these settings, if missing. What was created is removed
    /// at the end.
    ///
    /// # Errors
    /// If something cannot be created.
    pub async fn ensure(
        &self,
        access: &nats::Access,
        stream: &str,
        consumer: &str,
        settings: pull::Config,
    ) -> Result<()> {
        self.ensure_replicated(access, stream, consumer, settings, 1).await
    }

    /// Does the same with so many copies of the stream.
    ///
    /// # Errors
    /// If something cannot be created.
    pub async fn ensure_replicated(
        &self,
        access: &nats::Access,
        stream: &str,
        consumer: &str,
        settings: pull::Config,
        replicas: usize,
    ) -> Result<()> {
        let connection = nats::connect(&self.cluster, access, &self.namespace).await?;
        let made = connection.ensure_with(stream, consumer, settings, replicas).await?;
        if made.made_stream || made.made_consumer {
            let what = format!("stream {stream}, consumer {consumer}");
            // The server that this connection led to may be another one by then.
            drop(connection);
            let (cluster, access) = (self.cluster.clone(), access.clone());
            let home = self.namespace.clone();
            self.at_end(what, async move {
                nats::connect(&cluster, &access, &home).await?.undo(&made).await
            });
        }
        Ok(())
    }
}

/// Builds the Secrets and ConfigMaps that a claim names. Values say which key they belong to.
fn secrets(claim: &Value, namespace: &str) -> Vec<Value> {
    let items = |pointer| claim.list(pointer);
    let text = |value: &Value, key: &str| -> String {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let secret = |name: &str, type_: &str, data: Map<String, Value>| {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "type": type_,
            "stringData": data,
        })
    };
    let config_map = |name: &str, data: Map<String, Value>| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": data,
        })
    };
    let placeholders = |keys: Vec<String>| -> Map<String, Value> {
        keys.into_iter().map(|key| (key.clone(), json!(format!("placeholder of {key}")))).collect()
    };
    let mut secrets = Vec::new();
    for reference in items("/spec/configMapRefs") {
        let mut keys: Vec<String> =
            reference.list("/env").map(|env| text(env, "configMapKey")).collect();
        if reference.is_true("/envFrom") {
            keys.push("PLACEHOLDER".to_owned());
        }
        secrets.push(config_map(&text(reference, "name"), placeholders(keys)));
    }
    for files in items("/spec/files") {
        let keys = files.list("/items").map(|item| text(item, "key")).collect();
        secrets.push(match files.text("/secret") {
            "" => config_map(files.text("/configMap"), placeholders(keys)),
            name => secret(name, "Opaque", placeholders(keys)),
        });
    }
    for reference in items("/spec/secretRefs") {
        let keys = reference.get("env").and_then(Value::as_array).into_iter().flatten();
        let mut data: Map<String, Value> = keys
            .map(|env| text(env, "secretKey"))
            .map(|key| (key.clone(), json!(format!("placeholder of {key}"))))
            .collect();
        if reference.get("envFrom") == Some(&Value::Bool(true)) {
            data.insert("PLACEHOLDER".to_owned(), json!("placeholder"));
        }
        secrets.push(secret(&text(reference, "name"), "Opaque", data));
    }
    for reference in items("/spec/imagePullSecrets") {
        let mut data = Map::new();
        data.insert(".dockerconfigjson".to_owned(), json!(r#"{"auths":{}}"#));
        secrets.push(secret(&text(reference, "name"), "kubernetes.io/dockerconfigjson", data));
    }
    secrets
}

/// Returns the live objects of rendered manifests, if they exist.
///
/// # Errors
/// If one cannot be read.
pub async fn live(cluster: &Cluster, rendered: &[Value]) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for manifest in rendered {
        let text = |pointer| manifest.at(pointer).and_then(Value::as_str);
        let Some(kind) = Kind::of(manifest) else { continue };
        let name = text("/metadata/name").unwrap_or_default();
        found.extend(cluster.get(kind, text("/metadata/namespace"), name).await?);
    }
    Ok(found)
}

/// Returns what is left of a deleted claim: `kind name`, and how many of its pods are still ending.
///
/// # Errors
/// If something cannot be read.
pub async fn left(cluster: &Cluster, namespace: &str, name: &str) -> Result<(Vec<String>, usize)> {
    let mut left = Vec::new();
    let mut ending = 0;
    let here = Some(namespace);
    let by_name = format!("app.kubernetes.io/name={name}");
    let owner =
        format!("crossplane.io/claim-name={name},crossplane.io/claim-namespace={namespace}");
    let places = MADE
        .iter()
        .chain(&[&kinds::REPLICA_SET, &kinds::POD])
        .map(|kind| (*kind, here, by_name.as_str()));
    let places = places.chain([(&kinds::HPA, here, "")]);
    let places =
        places.chain([&kinds::COMPOSITE, &kinds::OBJECT].map(|kind| (kind, None, owner.as_str())));
    for (kind, namespace, selector) in places {
        for object in cluster.list(kind, namespace, selector).await? {
            if kind == &kinds::POD && object.at("/metadata/deletionTimestamp").is_some() {
                ending += 1;
                continue;
            }
            let name = object.text("/metadata/name");
            left.push(format!("{} {name}", kind.kind));
        }
    }
    if cluster.get(&kinds::CLAIM, here, name).await?.is_some() {
        left.push(format!("claim {name}"));
    }
    Ok((left, ending))
}

/// The kinds that a claim makes or that follow from it, and those it could harm. Left out, because
/// they change by themselves all the time: Leases (leaders renew them every few seconds), Events,
/// and Endpoints and EndpointSlices, which follow the pods that are checked here.
const BYSTANDERS: [&Kind; 15] = [
    &kinds::SERVICE_ACCOUNT,
    &kinds::DEPLOYMENT,
    &kinds::SERVICE,
    &kinds::SCALED_OBJECT,
    &kinds::DISRUPTION_BUDGET,
    &kinds::REPLICA_SET,
    &kinds::STATEFUL_SET,
    &kinds::POD,
    &kinds::HPA,
    &kinds::SECRET,
    &kinds::CONFIG_MAP,
    &kinds::RESOURCE_QUOTA,
    &kinds::CLAIM,
    &kinds::COMPOSITE,
    &kinds::OBJECT,
];

/// Returns everything in the cluster that this run has nothing to do with.
///
/// # Errors
/// If something cannot be read.
pub async fn bystanders(cluster: &Cluster) -> Result<Snapshot> {
    let mut objects = Vec::new();
    for kind in BYSTANDERS {
        objects.extend(cluster.list_metadata(kind, None).await?);
    }
    Ok(Snapshot::of(&cluster.list_metadata(&kinds::NAMESPACE, None).await?, &objects))
}

/// A claim kept by the API server, which found it valid and filled in its defaults. Only [`claim`]
/// makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveClaim(Value);

impl LiveClaim {
    /// Returns the object.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.0
    }
}

/// Returns a claim by namespace and name.
///
/// # Errors
/// If there is none, or it cannot be read.
pub async fn claim(cluster: &Cluster, namespace: &str, name: &str) -> Result<LiveClaim> {
    if let Some(claim) = cluster.get(&kinds::CLAIM, Some(namespace), name).await? {
        return Ok(LiveClaim(claim));
    }
    // Someone who may not read definitions may still look at a claim.
    let crd = cluster.get(&kinds::CRD, None, &kinds::CLAIM.crd()).await;
    if matches!(crd, Ok(None)) {
        bail!("the API server does not know EventDrivenService: eds doctor says what is missing");
    }
    // Someone who may not list all namespaces learns no more.
    let others = match cluster.list(&kinds::CLAIM, None, "").await {
        Ok(others) => others,
        Err(_) => cluster.list(&kinds::CLAIM, Some(namespace), "").await.unwrap_or_default(),
    };
    let place = |claim: &Value| (claim.namespace().to_owned(), claim.name().to_owned());
    let others: Vec<(String, String)> = others.iter().map(place).collect();
    bail!(
        "there is no EventDrivenService {name} in {namespace}{}",
        nearest(&others, namespace, name)
    )
}

/// Suggests which claims were meant: those of this name elsewhere, else some in this namespace.
fn nearest(others: &[(String, String)], namespace: &str, name: &str) -> String {
    let same: Vec<&str> =
        others.iter().filter(|(_, n)| n == name).map(|(ns, _)| ns.as_str()).collect();
    let here: Vec<&str> =
        others.iter().filter(|(ns, _)| ns == namespace).map(|(_, n)| n.as_str()).take(10).collect();
    match (same.as_slice(), here.as_slice()) {
        ([], []) => String::new(),
        ([], here) => format!("; there are {}", here.join(", ")),
        (same, _) => format!("; there is one of this name in {}", same.join(", ")),
    }
}

/// Waits until an object, such as a claim or a ScaledObject, says that it is Ready; `false` if
/// `limit` runs out first.
///
/// # Errors
/// If it cannot be read.
pub async fn is_ready(
    cluster: &Cluster,
    kind: &Kind,
    namespace: &str,
    name: &str,
    limit: Duration,
) -> Result<bool> {
    let ready = cluster.watch_until(kind, Some(namespace), name, limit, |object| {
        object?.is("Ready").then_some(())
    });
    Ok(ready.await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_claims() {
        let others = [("a", "x"), ("b", "y"), ("b", "z")];
        let others = others.map(|(ns, n)| (ns.to_owned(), n.to_owned()));
        let check = |namespace, name, expected: &str| {
            assert_eq!(nearest(&others, namespace, name), expected, "{namespace}/{name}");
        };
        check("b", "x", "; there is one of this name in a");
        check("b", "w", "; there are y, z");
        check("c", "w", "");
    }

    #[test]
    fn secrets_of_a_claim() {
        let claim = json!({"spec": {
            "secretRefs": [
                {"name": "db", "env": [{"secretKey": "url", "envName": "DATABASE_URL"}]},
                {"name": "keys", "envFrom": true, "env": []},
            ],
            "imagePullSecrets": [{"name": "registry"}],
            "configMapRefs": [{"name": "map", "env": [{"configMapKey": "k", "envName": "K"}]}],
            "files": [
                {"secret": "tls", "mountPath": "/a", "items": [{"key": "crt", "path": "crt"}]},
                {"configMap": "conf", "mountPath": "/b"},
            ],
        }});
        let found = secrets(&claim, "here");
        let shown: Vec<_> = found
            .iter()
            .map(|s| {
                let data = s.get("stringData").unwrap_or(&s["data"]);
                let keys: Vec<_> = data.as_object().unwrap().keys().collect();
                format!("{} {} {keys:?}", s["metadata"]["name"], s["type"])
            })
            .collect();
        assert_eq!(
            shown,
            [
                r#""map" null ["k"]"#,
                r#""tls" "Opaque" ["crt"]"#,
                r#""conf" null []"#,
                r#""db" "Opaque" ["url"]"#,
                r#""keys" "Opaque" ["PLACEHOLDER"]"#,
                r#""registry" "kubernetes.io/dockerconfigjson" [".dockerconfigjson"]"#,
            ]
        );
        assert!(secrets(&json!({"spec": {}}), "here").is_empty());
    }
}
