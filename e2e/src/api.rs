//! Objects of any kind, read and written by kube's `Api<DynamicObject>`.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use eds_cluster::{Cluster, Kind};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube_object::object::Fields;
use serde_json::{Value, json};

use crate::proof::failed;

/// Who writes, in `metadata.managedFields`.
const MANAGER: &str = "eds-proof";

/// The API server.
#[derive(Clone)]
pub(crate) struct Api {
    client: kube::Client,
}

impl Api {
    /// As kubectl: by `KUBECONFIG`.
    pub(crate) async fn connect() -> Result<Self> {
        Self::of(kube::Config::infer().await.context("no cluster is configured")?)
    }

    /// The same, asking for another user.
    pub(crate) async fn connect_as(user: &str) -> Result<Self> {
        let mut config = kube::Config::infer().await.context("no cluster is configured")?;
        config.auth_info.impersonate = Some(user.to_owned());
        Self::of(config)
    }

    fn of(config: kube::Config) -> Result<Self> {
        Ok(Self { client: kube::Client::try_from(config).context("cannot use the kubeconfig")? })
    }

    fn kind(&self, kind: &Kind, namespace: Option<&str>) -> kube::Api<DynamicObject> {
        let resource = ApiResource {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            api_version: kind.api_version(),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
        };
        self.resource(&resource, namespace.filter(|_| kind.namespaced))
    }

    fn resource(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
    ) -> kube::Api<DynamicObject> {
        match namespace {
            Some(namespace) => kube::Api::namespaced_with(self.client.clone(), namespace, resource),
            None => kube::Api::all_with(self.client.clone(), resource),
        }
    }

    /// Where an object belongs, by what it says of itself.
    fn place(&self, object: &Value) -> Result<kube::Api<DynamicObject>> {
        let api_version = object.text("/apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, object.text("/kind"));
        let namespace = object.at("/metadata/namespace").and_then(Value::as_str);
        Ok(self.resource(&ApiResource::from_gvk(&gvk), namespace))
    }

    /// One object; `None` where there is none.
    pub(crate) async fn get(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>> {
        let found = self.kind(kind, namespace).get_opt(name).await;
        let found = found.with_context(|| format!("cannot read {} {name}", kind.kind))?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }

    /// One object that must be there.
    pub(crate) async fn there(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Value> {
        let found = self.get(kind, namespace, name).await?;
        found.ok_or_else(|| anyhow!("there is no {} {name}", kind.kind))
    }

    /// All objects of a kind that a label selector takes; none where the cluster does not know the kind.
    pub(crate) async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Value>> {
        let listed = self.kind(kind, namespace).list(&ListParams::default().labels(selector)).await;
        if let Err(kube::Error::Api(status)) = &listed
            && status.code == 404
        {
            return Ok(Vec::new());
        }
        let listed = listed.with_context(|| format!("cannot list {}", kind.plural))?;
        let value = |object| -> Result<Value> {
            let mut value = serde_json::to_value(object)?;
            if let Some(object) = value.as_object_mut() {
                // Items of a list carry neither.
                object.insert("apiVersion".to_owned(), kind.api_version().into());
                object.insert("kind".to_owned(), kind.kind.into());
            }
            Ok(value)
        };
        listed.items.into_iter().map(value).collect()
    }

    /// How many there are in a namespace, by one item and the number of the rest: whole lists, asked for again and
    /// again, would cost the API server more than what is measured.
    pub(crate) async fn count(&self, kind: &Kind, namespace: &str) -> Result<usize> {
        let listed = self.kind(kind, Some(namespace)).list(&ListParams::default().limit(1)).await?;
        let rest = listed.metadata.remaining_item_count.unwrap_or_default();
        Ok(listed.items.len() + usize::try_from(rest)?)
    }

    /// Creates an object.
    pub(crate) async fn create(&self, object: &Value) -> Result<Value> {
        let written =
            serde_json::from_value(object.clone()).context("not an object of Kubernetes")?;
        let created = self.place(object)?.create(&PostParams::default(), &written).await;
        let created = created
            .with_context(|| format!("cannot create {} {}", object.text("/kind"), object.name()))?;
        Ok(serde_json::to_value(created)?)
    }

    /// Creates or changes an object, as `kubectl apply --server-side --force-conflicts` does.
    pub(crate) async fn apply(&self, object: &Value) -> Result<()> {
        let params = PatchParams::apply(MANAGER).force();
        let applied =
            self.place(object)?.patch(object.name(), &params, &Patch::Apply(object)).await;
        applied
            .with_context(|| format!("cannot apply {} {}", object.text("/kind"), object.name()))?;
        Ok(())
    }

    /// Changes fields of an object; null removes one.
    pub(crate) async fn patch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        change: &Value,
    ) -> Result<()> {
        let params =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patched = self.kind(kind, namespace).patch(name, &params, &Patch::Merge(change)).await;
        patched.with_context(|| format!("cannot change {} {name}", kind.kind))?;
        Ok(())
    }

    /// The same by a JSON Patch.
    pub(crate) async fn json_patch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        operations: &Value,
    ) -> Result<()> {
        let url = format!("{}/{name}", self.kind(kind, namespace).resource_url());
        let request =
            http::Request::patch(url).header("Content-Type", "application/json-patch+json");
        let request = request.body(serde_json::to_vec(operations)?)?;
        let patched = self.client.request::<Value>(request).await;
        patched.with_context(|| format!("cannot change {} {name}", kind.kind))?;
        Ok(())
    }

    /// Sets an annotation, or removes it.
    pub(crate) async fn annotate(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<()> {
        let mut annotations = serde_json::Map::new();
        annotations.insert(key.to_owned(), value.map_or(Value::Null, Value::from));
        self.patch(kind, namespace, name, &json!({"metadata": {"annotations": annotations}})).await
    }

    /// Asks for the deletion of what may be there. Does not wait.
    pub(crate) async fn delete(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<()> {
        self.delete_by(kind, namespace, name, &DeleteParams::background()).await
    }

    /// The same without grace.
    pub(crate) async fn kill(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<()> {
        let at_once = DeleteParams::background().grace_period(0);
        self.delete_by(kind, namespace, name, &at_once).await
    }

    async fn delete_by(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        how: &DeleteParams,
    ) -> Result<()> {
        match self.kind(kind, namespace).delete(name, how).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => {
                deleted.with_context(|| format!("cannot delete {} {name}", kind.kind))?;
                Ok(())
            }
        }
    }

    /// Deletes it, and waits until it is gone.
    pub(crate) async fn end(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        limit: Duration,
    ) -> Result<()> {
        self.delete(kind, namespace, name).await?;
        let gone = Cluster::until(limit, Duration::from_millis(300), async || {
            Ok(self.get(kind, namespace, name).await?.is_none().then_some(()))
        });
        match gone.await? {
            Some(()) => Ok(()),
            None => {
                failed(format!("{} {name} was not gone within {} s", kind.kind, limit.as_secs()))
            }
        }
    }

    /// The API server's answer to a request of another form.
    pub(crate) async fn post(&self, url: &str, body: &Value) -> Result<Value> {
        let request = http::Request::post(url).header("Content-Type", "application/json");
        Ok(self.client.request(request.body(serde_json::to_vec(body)?)?).await?)
    }

    /// A `ServiceAccount`'s token.
    pub(crate) async fn token(&self, namespace: &str, account: &str) -> Result<String> {
        let url = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let body =
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let answer = self.post(&url, &body).await.context("no token")?;
        Ok(answer.text("/status/token").to_owned())
    }
}
