//! Reads and writes objects.

use anyhow::{Context, Result, anyhow, bail};
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GetParams, ListParams, Patch, PatchParams,
    PostParams, PropagationPolicy,
};
use kube::core::{Request, Resource};
use kube_object::object::Fields;
use serde_json::{Value, json};

use crate::client::{Cluster, Refused, if_there};
use crate::kinds::{self, Kind};

/// How we identify ourselves in `metadata.managedFields`.
const FIELD_MANAGER: &str = "eds";

impl Kind {
    /// Builds requests for its objects, in one namespace or in all.
    pub(crate) fn requests(&self, namespace: Option<&str>) -> Request {
        let resource = ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version: self.api_version(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        };
        let namespace = namespace.filter(|_| self.namespaced);
        Request::new(DynamicObject::url_path(&resource, namespace))
    }
}

impl Cluster {
    /// Returns one object; `None` if it or its kind does not exist.
    ///
    /// # Errors
    /// On any other refusal, or if there is no answer.
    pub async fn get(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>> {
        let get = kind.requests(namespace).get(name, &GetParams::default());
        if_there(self.ask(get).await).with_context(|| format!("cannot read {} {name}", kind.kind))
    }

    /// Returns all objects of a kind, in one namespace or in all; none if the kind does not exist.
    /// `selector` is a label selector in kubectl's syntax, empty for all.
    ///
    /// # Errors
    /// On any other refusal, or if there is no answer.
    pub async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Value>> {
        let label_selector = (!selector.is_empty()).then(|| selector.to_owned());
        let which = ListParams { label_selector, ..ListParams::default() };
        self.items(kind, kind.requests(namespace).list(&which)).await
    }

    /// Returns names, labels, owners and UIDs of all objects of a kind, in one namespace or in all,
    /// without their content: a Secret's values stay where they are.
    ///
    /// # Errors
    /// As [`Cluster::list`].
    pub async fn list_metadata(&self, kind: &Kind, namespace: Option<&str>) -> Result<Vec<Value>> {
        let list = kind.requests(namespace).list_metadata(&ListParams::default());
        let mut items = self.items(kind, list).await?;
        for item in &mut items {
            // They say PartialObjectMetadata.
            *item = json!({
                "apiVersion": kind.api_version(), "kind": kind.kind,
                "metadata": item.get("metadata"),
            });
        }
        Ok(items)
    }

    async fn items(
        &self,
        kind: &Kind,
        list: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Vec<Value>> {
        let list = if_there(self.ask(list).await)
            .with_context(|| format!("cannot list {}", kind.plural))?;
        let items = list.and_then(|mut list| list.get_mut("items").map(Value::take));
        let Some(Value::Array(mut items)) = items else { return Ok(Vec::new()) };
        // List items carry neither.
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.entry("apiVersion").or_insert_with(|| json!(kind.api_version()));
            item.entry("kind").or_insert_with(|| json!(kind.kind));
        }
        Ok(items)
    }

    /// Returns the events of a namespace, oldest first.
    ///
    /// # Errors
    /// A [`Refused`](crate::Refused), or no answer.
    pub async fn events(&self, namespace: &str) -> Result<Vec<Value>> {
        let mut events = self.list(&kinds::EVENT, Some(namespace), "").await?;
        let time = |event: &Value| {
            let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime"];
            // Times in this format sort as text; there may be only one of them.
            times.into_iter().map(|at| event.text(at)).max().unwrap_or_default().to_owned()
        };
        events.sort_by_key(time);
        Ok(events)
    }

    /// Creates or changes an object, like `kubectl apply --server-side --force-conflicts`.
    ///
    /// # Errors
    /// A kind that is not in [`kinds`], a [`Refused`](crate::Refused), or no answer.
    pub async fn apply(&self, object: &Value) -> Result<Value> {
        let (kind, ..) = address(object)?;
        self.apply_as(kind, object).await
    }

    /// The same for an object whose version is another than in the table.
    ///
    /// # Errors
    /// As [`Cluster::apply`].
    pub(crate) async fn apply_as(&self, kind: &Kind, object: &Value) -> Result<Value> {
        let (_, namespace, name) = address(object)?;
        let how = PatchParams::apply(FIELD_MANAGER).force();
        let apply = kind.requests(namespace).patch(name, &how, &Patch::Apply(object));
        let applied = self.ask(apply).await;
        applied.with_context(|| format!("cannot apply {} {name}", kind.kind))
    }

    /// Returns what an object would be after [`Cluster::apply`] by a field manager. Writes nothing.
    ///
    /// # Errors
    /// As [`Cluster::apply`].
    pub async fn would_be(&self, object: &Value, manager: &str) -> Result<Value> {
        let (kind, namespace, name) = address(object)?;
        let how = PatchParams::apply(manager).force().dry_run();
        self.ask(kind.requests(namespace).patch(name, &how, &Patch::Apply(object))).await
    }

    /// Creates an object; one that exists is a [`Refused`](crate::Refused) with code 409.
    ///
    /// # Errors
    /// A kind that is not in [`kinds`], a [`Refused`](crate::Refused), or no answer.
    pub async fn create(&self, object: &Value) -> Result<Value> {
        let kind = Kind::of(object).ok_or_else(|| anyhow!("this kind is not known here"))?;
        let namespace = object.at("/metadata/namespace").and_then(Value::as_str);
        let how =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let create = kind.requests(namespace).create(&how, serde_json::to_vec(object)?);
        self.ask(create).await.with_context(|| format!("cannot create a {}", kind.kind))
    }

    /// Creates an object, unless it exists: that is left as it is.
    ///
    /// # Errors
    /// As [`Cluster::create`].
    pub(crate) async fn create_if_absent(&self, object: &Value) -> Result<()> {
        match self.create(object).await {
            Err(error) if !Refused::is(&error, 409) => Err(error),
            _ => Ok(()),
        }
    }

    /// Changes fields of an object, like `kubectl patch --type=merge`.
    ///
    /// # Errors
    /// A [`Refused`](crate::Refused), or no answer.
    pub async fn patch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        change: &Value,
    ) -> Result<Value> {
        let how = PatchParams::apply(FIELD_MANAGER);
        let patch = kind.requests(namespace).patch(name, &how, &Patch::Merge(change));
        self.ask(patch).await.with_context(|| format!("cannot change {} {name}", kind.kind))
    }

    /// Requests an object's deletion; `false` if it does not exist. Does not wait.
    ///
    /// # Errors
    /// A [`Refused`](crate::Refused), or no answer.
    pub async fn delete(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Result<bool> {
        self.delete_by(kind, namespace, name, PropagationPolicy::Background).await
    }

    /// The same, saying what becomes of what it owns.
    ///
    /// # Errors
    /// As [`Cluster::delete`].
    pub(crate) async fn delete_by(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        policy: PropagationPolicy,
    ) -> Result<bool> {
        let how = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
        let delete = kind.requests(namespace).delete(name, &how);
        let answer = if_there(self.ask(delete).await);
        Ok(answer.with_context(|| format!("cannot delete {} {name}", kind.kind))?.is_some())
    }

    /// Returns whether this user may do it. `attributes` is a SubjectAccessReview's
    /// `resourceAttributes`.
    ///
    /// # Errors
    /// A [`Refused`](crate::Refused) for a caller who may not ask, or no answer.
    pub async fn may(&self, user: &str, groups: &[String], attributes: &Value) -> Result<bool> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
        });
        let create = kinds::ACCESS_REVIEW.requests(None);
        let create = create.create(&PostParams::default(), serde_json::to_vec(&review)?);
        let answer = self.ask(create).await;
        let answer = answer.context("cannot ask what others may do (SubjectAccessReview)")?;
        Ok(answer.at("/status/allowed").and_then(Value::as_bool) == Some(true))
    }
}

/// Returns the kind, namespace and name of an object.
fn address(object: &Value) -> Result<(&'static Kind, Option<&str>, &str)> {
    let Some(kind) = Kind::of(object) else {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        bail!("{} ({}) is not a kind that is known here", text("kind"), text("apiVersion"));
    };
    let name = object.at("/metadata/name").and_then(Value::as_str);
    let name = name.ok_or_else(|| anyhow!("a {} without metadata.name", kind.kind))?;
    Ok((kind, object.at("/metadata/namespace").and_then(Value::as_str), name))
}
