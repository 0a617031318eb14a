//! The connection to the API server, and how its answers are understood. The requests are in
//! [`crate::objects`], [`crate::watch`], [`crate::logs`] and [`crate::proxy`].
//!
//! Requests are kube's own ([`kube::core::Request`]: paths, queries, bodies), answers plain JSON.
//! kube's `Api` would give `DynamicObject`, which reads `metadata` into a type of its own: a field
//! that this type does not know is lost, and an owner reference without `apiVersion` gets an empty
//! one. `eds diff --live` would show both as differences.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use http::Request;
use kube::config::KubeConfigOptions;
use kube::core::request;
use serde_json::Value;
use tokio::time::timeout;

/// The longest that one answer may take. Waiting for something to happen takes many.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// What to do if there is no cluster.
const FIX: &str = "set KUBECONFIG to the cluster's kubeconfig, or choose one of its contexts with \
    --context (for the testbed, run this by testbed/exec)";

/// A cluster.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: kube::Client,
    /// Where the API server is, as in the kubeconfig.
    pub server: String,
    /// Namespace of the context.
    pub default_namespace: String,
    /// [`REQUEST_LIMIT`], except in tests.
    pub(crate) limit: Duration,
}

/// A refusal by the API server.
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
    /// Returns whether asking again may help: the API server is restarting, or busy.
    pub(crate) fn is_passing(error: &anyhow::Error) -> bool {
        Self::of(error).is_none_or(|refused| refused.code == 429 || refused.code >= 500)
    }

    /// Returns whether an error is the refusal with this code.
    pub(crate) fn is(error: &anyhow::Error, code: u16) -> bool {
        Self::of(error).is_some_and(|refused| refused.code == code)
    }

    /// Returns the refusal behind an error, if it is one.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Option<&Self> {
        error.chain().find_map(|cause| cause.downcast_ref())
    }
}

impl Cluster {
    /// Returns a part of the time that an answer may take, for one of several that are asked.
    pub(crate) fn share(&self, parts: u32) -> Duration {
        self.limit / parts.max(1)
    }

    /// The same cluster, whose answers may take no longer than this.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Connects like kubectl: `KUBECONFIG`, then `~/.kube/config`, then the pod's own service
    /// account; `context` names a context other than the current one. Asks for the version, so that
    /// a missing cluster is noticed here.
    ///
    /// # Errors
    /// With the cause and what to do.
    pub async fn connect(context: Option<&str>) -> Result<Self> {
        let options =
            KubeConfigOptions { context: context.map(str::to_owned), ..Default::default() };
        let config = match kube::Config::from_kubeconfig(&options).await {
            // In a pod there is no kubeconfig; elsewhere, the error about it is what helps.
            Err(error) if context.is_none() => kube::Config::incluster().map_err(|_| error),
            config => config,
        };
        let mut config =
            config.map_err(|cause| anyhow!("no cluster is configured: {cause}; {FIX}"))?;
        config.connect_timeout = Some(Duration::from_secs(10));
        let server = config.cluster_url.to_string();
        let cluster = Self::of(config, server).context("cannot use the kubeconfig")?;
        match cluster.version().await {
            Ok(_) => Ok(cluster),
            Err(error) => {
                let (server, cause) = (&cluster.server, error.root_cause());
                Err(anyhow!("no cluster answers at {server}: {cause}; {FIX}"))
            }
        }
    }

    /// Returns a cluster at a URL, without a login, such as one offered by `kubectl proxy`.
    ///
    /// # Errors
    /// If the URL is invalid.
    pub fn at(url: &str) -> Result<Self> {
        let config = kube::Config::new(url.parse().with_context(|| format!("{url} is not a URL"))?);
        Self::of(config, url.to_owned()).context("cannot use this URL")
    }

    fn of(mut config: kube::Config, server: String) -> kube::Result<Self> {
        // A 503 is an answer to be judged; the waits of [`crate::watch`] ask again by themselves.
        config.default_retry = false;
        let default_namespace = config.default_namespace.clone();
        let client = kube::Client::try_from(config)?;
        Ok(Self { client, server, default_namespace, limit: REQUEST_LIMIT })
    }

    /// Returns the API server's version, such as `v1.34.4`.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn version(&self) -> Result<String> {
        let version = self.in_time(self.client.apiserver_version()).await?;
        Ok(version.git_version)
    }

    /// Sends one of kube's requests to the API server.
    pub(crate) async fn ask(
        &self,
        request: Result<Request<Vec<u8>>, request::Error>,
    ) -> Result<Value> {
        self.in_time(self.client.request(request?)).await
    }

    async fn in_time<T>(&self, answer: impl Future<Output = kube::Result<T>>) -> Result<T> {
        let answer = timeout(self.limit, answer).await;
        answer
            .with_context(|| format!("{} did not answer within 30 s", self.server))?
            .map_err(refusal)
    }
}

/// Turns kube's errors into ours, with refusals as [`Refused`].
pub(crate) fn refusal(error: kube::Error) -> anyhow::Error {
    match error {
        kube::Error::Api(status) => {
            let kube::core::Status { code, reason, message, .. } = *status;
            let message = if message.is_empty() { format!("HTTP status {code}") } else { message };
            Refused { code, reason, message }.into()
        }
        other => other.into(),
    }
}

/// Turns the error for a missing object or kind into `None`.
pub(crate) fn if_there(answer: Result<Value>) -> Result<Option<Value>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if Refused::is(&error, 404) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::kinds;

    /// A server that accepts connections, and says nothing.
    #[tokio::test]
    async fn no_answer_takes_for_ever() -> Result<()> {
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", silent.local_addr()?);
        let cluster = Cluster { limit: Duration::from_millis(30), ..Cluster::at(&url)? };
        let check = |ask: &str, answer: Result<()>, expected: &str| {
            let error = answer.err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.starts_with(expected), "{ask}: {error:?}");
        };
        let late = format!("{url} did not answer within 30 s");
        let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}});
        let here = Some("shop");
        let get = cluster.get(&kinds::POD, here, "p").await;
        check("get", get.map(drop), &format!("cannot read Pod p: {late}"));
        let list = cluster.list(&kinds::POD, here, "").await;
        check("list", list.map(drop), &format!("cannot list pods: {late}"));
        let metadata = cluster.list_metadata(&kinds::POD, here).await;
        check("list_metadata", metadata.map(drop), &format!("cannot list pods: {late}"));
        let apply = cluster.apply(&pod).await;
        check("apply", apply.map(drop), &format!("cannot apply Pod p: {late}"));
        let create = cluster.create(&pod).await;
        check("create", create.map(drop), &format!("cannot create a Pod: {late}"));
        let delete = cluster.delete(&kinds::POD, here, "p").await;
        check("delete", delete.map(drop), &format!("cannot delete Pod p: {late}"));
        check("version", cluster.version().await.map(drop), &late);
        let logs = cluster.logs("shop", "p", "main", 1, false).await;
        check("logs", logs.map(drop), "no answer within 30 s");
        let asked = cluster.pod_get("shop", "p", 80, "/").await;
        check("pod_get", asked.map(drop), "no answer within 30 s");
        Ok(())
    }
}
