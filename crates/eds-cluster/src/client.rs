//! The API server, asked for plain JSON.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{AsyncBufRead, StreamExt};
use http::Request;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use kube::config::KubeConfigOptions;
use kube::core::WatchEvent;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::kinds::{self, Kind};

/// The longest that one answer may take. A wait for something to happen is made of many.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// The longest answer that is taken of a Service or pod, in bytes: whoever runs in the cluster can stand
/// behind its name. `/jsz` of an account of 20,000 consumers has about half of it.
const MAX_ANSWER: usize = 32 << 20;
/// The most that is taken of a log's last lines, in bytes: a line has any length.
const MAX_LOG: usize = 1 << 20;
/// What to do when there is no cluster.
const FIX: &str = "set KUBECONFIG to the cluster's kubeconfig, or choose one of its contexts with \
    --context (for the testbed, run this by testbed/exec)";
/// Who writes, in `metadata.managedFields`.
const FIELD_MANAGER: &str = "eds";

/// A cluster.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    /// Where the API server is, as the kubeconfig names it.
    pub server: String,
    /// Namespace of the context.
    pub default_namespace: String,
}

/// The API server answered with a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub code: u16,
    /// `metav1.Status.reason`, such as `NotFound`, `Forbidden`, `Invalid`.
    pub reason: String,
    /// One sentence.
    pub message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// Whether to ask again may help: the API server is restarting, or busy.
    fn is_passing(error: &anyhow::Error) -> bool {
        Self::of(error).is_none_or(|refused| refused.code == 429 || refused.code >= 500)
    }

    /// The refusal behind an error, if that is what it is.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Option<&Self> {
        error.chain().find_map(|cause| cause.downcast_ref())
    }
}

/// What a Service or pod answered through the API server's proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status: the target's own, or the API server's when it does not reach the target.
    pub code: u16,
    /// The body as text.
    pub body: String,
}

impl Cluster {
    /// Connects as kubectl does: `KUBECONFIG`, then `~/.kube/config`, then the pod's own service
    /// account; `context` names another than the current one. Asks for the version, so that a
    /// cluster that is not there is found here.
    ///
    /// # Errors
    /// With the cause and what to do.
    pub async fn connect(context: Option<&str>) -> Result<Self> {
        let options =
            KubeConfigOptions { context: context.map(str::to_owned), ..Default::default() };
        let config = match kube::Config::from_kubeconfig(&options).await {
            // In a pod there is no kubeconfig; elsewhere it is what is said of it that helps.
            Err(error) if context.is_none() => kube::Config::incluster().map_err(|_| error),
            config => config,
        };
        let mut config =
            config.map_err(|cause| anyhow!("no cluster is configured: {cause}; {FIX}"))?;
        config.connect_timeout = Some(Duration::from_secs(10));
        // A 503 is an answer to be judged; the waits below ask again by themselves.
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        let default_namespace = config.default_namespace.clone();
        let client = kube::Client::try_from(config).context("cannot use the kubeconfig")?;
        let cluster = Self { client, server, default_namespace };
        let version = cluster.json("GET", "/version", None).await;
        match version {
            Ok(_) => Ok(cluster),
            Err(error) => {
                let (server, cause) = (&cluster.server, error.root_cause());
                Err(anyhow!("no cluster answers at {server}: {cause}; {FIX}"))
            }
        }
    }

    /// A cluster at a URL, without a login, as `kubectl proxy` offers one.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn at(url: &str) -> Result<Self> {
        let mut config =
            kube::Config::new(url.parse().with_context(|| format!("{url} is no URL"))?);
        config.default_retry = false;
        let default_namespace = config.default_namespace.clone();
        let client = kube::Client::try_from(config).context("cannot use this URL")?;
        Ok(Self { client, server: url.to_owned(), default_namespace })
    }

    /// The API server's version, such as `v1.34.4`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<String> {
        let version = self.json("GET", "/version", None).await?;
        Ok(version.get("gitVersion").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// One object; none where it or its kind does not exist.
    ///
    /// # Errors
    /// Any other refusal, or no answer.
    pub async fn get(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>> {
        let url = kind.url(namespace, Some(name));
        absent_is_none(self.json("GET", &url, None).await)
            .with_context(|| format!("cannot read {} {name}", kind.kind))
    }

    /// All objects of a kind, in one namespace or in all; none where the kind does not exist.
    /// `selector` is a label selector as kubectl takes it, empty for all.
    ///
    /// # Errors
    /// Any other refusal, or no answer.
    pub async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Value>> {
        let url = kind.url(namespace, None);
        let url = with_query(&url, &[("labelSelector", selector)]);
        self.items(kind, self.json("GET", &url, None).await)
    }

    /// Names, labels, owners and UIDs of all objects of a kind, in one namespace or in all, without what they
    /// hold: a Secret's values stay where they are.
    ///
    /// # Errors
    /// As [`Cluster::list`].
    pub async fn list_metadata(&self, kind: &Kind, namespace: Option<&str>) -> Result<Vec<Value>> {
        const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
        let request = Request::get(kind.url(namespace, None)).header("Accept", METADATA);
        let mut items = self.items(kind, self.answer(request.body(Vec::new())?).await)?;
        for item in &mut items {
            // They say PartialObjectMetadata.
            *item = json!({
                "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": item.get("metadata"),
            });
        }
        Ok(items)
    }

    fn items(&self, kind: &Kind, answer: Result<Value>) -> Result<Vec<Value>> {
        let list =
            absent_is_none(answer).with_context(|| format!("cannot list {}", kind.plural))?;
        let items = list.and_then(|mut list| list.get_mut("items").map(Value::take));
        let mut items = match items {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        // Items of a list carry neither.
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.entry("apiVersion").or_insert_with(|| json!(kind.api_version()));
            item.entry("kind").or_insert_with(|| json!(kind.kind));
        }
        Ok(items)
    }

    /// Creates or changes an object, as `kubectl apply --server-side --force-conflicts` does.
    ///
    /// # Errors
    /// A kind that is not in [`kinds`], a [`Refused`], or no answer.
    pub async fn apply(&self, object: &Value) -> Result<Value> {
        let (kind, namespace, name) = address(object)?;
        let url = kind.url(namespace, Some(name));
        let url = with_query(&url, &[("fieldManager", FIELD_MANAGER), ("force", "true")]);
        let sent = self.send("PATCH", &url, "application/apply-patch+yaml", Some(object)).await;
        sent.with_context(|| format!("cannot apply {} {name}", kind.kind))
    }

    /// What an object would be after [`Cluster::apply`] by a field manager. Nothing is written.
    ///
    /// # Errors
    /// As [`Cluster::apply`].
    pub async fn would_be(&self, object: &Value, manager: &str) -> Result<Value> {
        let (kind, namespace, name) = address(object)?;
        let url = kind.url(namespace, Some(name));
        let query = [("fieldManager", manager), ("force", "true"), ("dryRun", "All")];
        let url = with_query(&url, &query);
        self.send("PATCH", &url, "application/apply-patch+yaml", Some(object)).await
    }

    /// Creates an object; one that exists is a [`Refused`] with code 409.
    ///
    /// # Errors
    /// A kind that is not in [`kinds`], a [`Refused`], or no answer.
    pub async fn create(&self, object: &Value) -> Result<Value> {
        let kind = Kind::of(object).ok_or_else(|| anyhow!("this kind is not known here"))?;
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
        let url = with_query(&kind.url(namespace, None), &[("fieldManager", FIELD_MANAGER)]);
        let sent = self.json("POST", &url, Some(object)).await;
        sent.with_context(|| format!("cannot create a {}", kind.kind))
    }

    /// Changes fields of an object, as `kubectl patch --type=merge` does.
    ///
    /// # Errors
    /// A [`Refused`], or no answer.
    pub async fn patch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        change: &Value,
    ) -> Result<Value> {
        let url = kind.url(namespace, Some(name));
        let url = with_query(&url, &[("fieldManager", FIELD_MANAGER)]);
        let sent = self.send("PATCH", &url, "application/merge-patch+json", Some(change)).await;
        sent.with_context(|| format!("cannot change {} {name}", kind.kind))
    }

    /// Asks for an object's deletion; false where it does not exist. Does not wait.
    ///
    /// # Errors
    /// A [`Refused`], or no answer.
    pub async fn delete(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Result<bool> {
        let options =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        let url = kind.url(namespace, Some(name));
        let answer = absent_is_none(self.json("DELETE", &url, Some(&options)).await);
        Ok(answer.with_context(|| format!("cannot delete {} {name}", kind.kind))?.is_some())
    }

    /// Watches one object until `judge` gives something; it is asked at once, and after every
    /// change, with none while the object does not exist. None when `limit` is over.
    ///
    /// # Errors
    /// A [`Refused`]; an API server that does not answer is asked again.
    pub async fn watch_until<T>(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        limit: Duration,
        mut judge: impl FnMut(Option<&Value>) -> Option<T>,
    ) -> Result<Option<T>> {
        let look = async {
            loop {
                match self.watch_once(kind, namespace, name, &mut judge).await {
                    Ok(Some(found)) => return Ok(found),
                    Err(error) if !Refused::is_passing(&error) => return Err(error),
                    Ok(None) | Err(_) => {}
                }
                // The watch has ended, as they do now and then: look again from the start.
                sleep(Duration::from_millis(250)).await;
            }
        };
        match timeout(limit, look).await {
            Ok(found) => found.map(Some),
            Err(_) => Ok(None),
        }
    }

    async fn watch_once<T>(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        judge: &mut impl FnMut(Option<&Value>) -> Option<T>,
    ) -> Result<Option<T>> {
        let url = kind.url(namespace, None);
        let field = format!("metadata.name={name}");
        let first = with_query(&url, &[("fieldSelector", &field)]);
        let what = || format!("cannot watch {} {name}", kind.kind);
        let list = absent_is_none(self.json("GET", &first, None).await).with_context(what)?;
        let Some(list) = list else { return Ok(judge(None)) };
        if let Some(found) = judge(list.pointer("/items/0")) {
            return Ok(Some(found));
        }
        let version = list.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        let query = [
            ("fieldSelector", field.as_str()),
            ("resourceVersion", version.unwrap_or_default()),
            ("timeoutSeconds", "60"),
            ("watch", "true"),
        ];
        let request = Request::get(with_query(&url, &query)).body(Vec::new())?;
        let events = self.client.request_events::<kube::core::DynamicObject>(request).await;
        let mut events = std::pin::pin!(events.map_err(refusal).with_context(what)?);
        while let Some(Ok(event)) = events.next().await {
            let found = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    judge(Some(&serde_json::to_value(object)?))
                }
                WatchEvent::Deleted(_) => judge(None),
                WatchEvent::Bookmark(_) => None,
                WatchEvent::Error(_) => break,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Asks `look` again and again until it gives something; none when `limit` is over.
    ///
    /// # Errors
    /// Those of `look`, but an API server that does not answer only at the end.
    pub async fn until<T>(
        limit: Duration,
        every: Duration,
        mut look: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let end = Instant::now() + limit;
        loop {
            let last = match look().await {
                Ok(Some(found)) => return Ok(Some(found)),
                Err(error) if !Refused::is_passing(&error) => return Err(error),
                other => other,
            };
            if Instant::now() + every > end {
                return last;
            }
            sleep(every).await;
        }
    }

    /// Events of a namespace, oldest first.
    ///
    /// # Errors
    /// A [`Refused`], or no answer.
    pub async fn events(&self, namespace: &str) -> Result<Vec<Value>> {
        let mut events = self.list(&kinds::EVENT, Some(namespace), "").await?;
        let time = |event: &Value| {
            let text = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or_default();
            let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime"].map(text);
            // Times of this form sort as text; only one of them may be there.
            times.into_iter().max().unwrap_or_default().to_owned()
        };
        events.sort_by_key(time);
        Ok(events)
    }

    /// The log of a container: the last `lines`, of its last life where `previous`.
    ///
    /// # Errors
    /// A [`Refused`] such as for a container that has not started, or no answer.
    pub async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        lines: u32,
        previous: bool,
    ) -> Result<String> {
        let url = kinds::POD.url(Some(namespace), Some(pod)) + "/log";
        let lines = lines.to_string();
        let previous = if previous { "true" } else { "" };
        let limit = MAX_LOG.to_string();
        let query = [
            ("container", container),
            ("previous", previous),
            ("tailLines", &lines),
            ("limitBytes", &limit),
        ];
        let request = Request::get(with_query(&url, &query)).body(Vec::new())?;
        let text = timeout(REQUEST_LIMIT, self.client.request_text(request));
        let text = text.await.context("no answer within 30 s")?.map_err(refusal);
        text.with_context(|| format!("cannot read the log of {pod} {container}"))
    }

    /// The log of a container from its beginning, each line after the time at which it was written and a
    /// space: as it is written, or of its last life where `previous`.
    ///
    /// # Errors
    /// A [`Refused`] such as for a container that has not started, or no answer.
    pub async fn stamped_lines(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Result<impl AsyncBufRead + use<>> {
        let url = kinds::POD.url(Some(namespace), Some(pod)) + "/log";
        let which = if previous { "previous" } else { "follow" };
        let query = [("container", container), ("timestamps", "true"), (which, "true")];
        let request = Request::get(with_query(&url, &query)).body(Vec::new())?;
        self.client.request_stream(request).await.map_err(refusal)
    }

    /// A GET request to a port of a Service, through the API server, which reaches it from any
    /// place that reaches the API server. `path` begins with `/` and may have a query.
    ///
    /// # Errors
    /// No answer from the API server. What the target says, or that it cannot be reached, is an
    /// [`Answer`].
    pub async fn service_get(
        &self,
        namespace: &str,
        service: &str,
        port: u16,
        path: &str,
    ) -> Result<Answer> {
        let url =
            format!("/api/v1/namespaces/{namespace}/services/http:{service}:{port}/proxy{path}");
        self.proxy(&url).await
    }

    /// The same, to a port of a pod.
    ///
    /// # Errors
    /// As [`Cluster::service_get`].
    pub async fn pod_get(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        path: &str,
    ) -> Result<Answer> {
        self.proxy(&format!("/api/v1/namespaces/{namespace}/pods/http:{pod}:{port}/proxy{path}"))
            .await
    }

    async fn proxy(&self, url: &str) -> Result<Answer> {
        let request = Request::get(url).body(Body::empty())?;
        let ask = async {
            let response = self.client.send(request).await?;
            let code = response.status().as_u16();
            let body = match Limited::new(response.into_body(), MAX_ANSWER).collect().await {
                Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into(),
                Err(cause) if cause.is::<LengthLimitError>() => {
                    format!("more than {} MiB, which are not read", MAX_ANSWER >> 20)
                }
                Err(cause) => return Err(anyhow!(cause)),
            };
            Ok(Answer { code, body })
        };
        let answer = timeout(REQUEST_LIMIT, ask).await.context("no answer within 30 s")?;
        answer.with_context(|| format!("cannot ask {url}"))
    }

    /// May this user do it? `attributes` are a SubjectAccessReview's `resourceAttributes`.
    ///
    /// # Errors
    /// A [`Refused`] for a caller who may not ask, or no answer.
    pub async fn may(&self, user: &str, groups: &[String], attributes: &Value) -> Result<bool> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
        });
        let answer = self.json("POST", &kinds::ACCESS_REVIEW.url(None, None), Some(&review)).await;
        let answer = answer.context("cannot ask what others may do (SubjectAccessReview)")?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool) == Some(true))
    }

    pub(crate) fn kube(&self) -> kube::Client {
        self.client.clone()
    }

    async fn json(&self, method: &str, url: &str, body: Option<&Value>) -> Result<Value> {
        self.send(method, url, "application/json", body).await
    }

    async fn send(
        &self,
        method: &str,
        url: &str,
        content: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = Request::builder().method(method).uri(url);
        let request = request.header("Accept", "application/json");
        self.answer(request.header("Content-Type", content).body(bytes)?).await
    }

    async fn answer(&self, request: Request<Vec<u8>>) -> Result<Value> {
        let answer = timeout(REQUEST_LIMIT, self.client.request::<Value>(request)).await;
        answer
            .with_context(|| format!("{} did not answer within 30 s", self.server))?
            .map_err(refusal)
    }
}

fn refusal(error: kube::Error) -> anyhow::Error {
    match error {
        kube::Error::Api(status) => {
            let kube::core::Status { code, reason, message, .. } = *status;
            let message = if message.is_empty() { format!("HTTP status {code}") } else { message };
            Refused { code, reason, message }.into()
        }
        other => other.into(),
    }
}

fn absent_is_none(answer: Result<Value>) -> Result<Option<Value>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if Refused::of(&error).is_some_and(|r| r.code == 404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Kind, namespace and name of an object.
fn address(object: &Value) -> Result<(&'static Kind, Option<&str>, &str)> {
    let Some(kind) = Kind::of(object) else {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        bail!("{} ({}) is no kind that is known here", text("kind"), text("apiVersion"));
    };
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    let name = name.ok_or_else(|| anyhow!("a {} without metadata.name", kind.kind))?;
    Ok((kind, object.pointer("/metadata/namespace").and_then(Value::as_str), name))
}

/// A URL with the parameters that have values.
fn with_query(url: &str, parameters: &[(&str, &str)]) -> String {
    let mut url = url.to_owned();
    let mut mark = '?';
    for (key, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        url.push(mark);
        mark = '&';
        url.push_str(key);
        url.push('=');
        url.push_str(&escaped(value));
    }
    url
}

/// Percent-encoded as a value of a query (RFC 3986, everything but the unreserved characters).
#[must_use]
pub fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let check = |parameters: &[(&str, &str)], expected: &str| {
            assert_eq!(with_query("/a", parameters), expected);
        };
        check(&[], "/a");
        check(&[("labelSelector", "")], "/a");
        check(&[("labelSelector", "a/b=c,d")], "/a?labelSelector=a%2Fb%3Dc%2Cd");
        check(&[("x", "1"), ("acc", "$G")], "/a?x=1&acc=%24G");
    }
}
