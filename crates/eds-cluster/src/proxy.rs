//! Queries Services and pods through the API server's proxy.

use anyhow::{Context, Result, anyhow};
use eds_verify::Endpoint;
use http::Request;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use tokio::time::timeout;

use crate::client::Cluster;

/// The longest answer that is read from a Service or pod, in bytes: anyone who runs in the cluster
/// may be behind its name. `/jsz` of an account with 20,000 consumers takes about half of it.
const MAX_ANSWER: usize = 32 << 20;

/// The answer of a Service or pod through the API server's proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status: the target's own, or the API server's if it cannot reach the target.
    pub code: u16,
    /// The body as text.
    pub body: String,
}

impl Cluster {
    /// Sends a GET request to a port of a Service, through the API server, so it works wherever the
    /// API server can be reached. `path` begins with `/` and may have a query. Over https the API
    /// server checks no certificate.
    ///
    /// # Errors
    /// If the API server does not answer. What the target says, or that it cannot be reached, is an
    /// [`Answer`].
    pub async fn service_get(
        &self,
        namespace: &str,
        service: &str,
        port: u16,
        path: &str,
    ) -> Result<Answer> {
        self.get_of("services", namespace, &format!("http:{service}:{port}"), path).await
    }

    /// Does the same for a port of a pod.
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
        self.get_of("pods", namespace, &format!("http:{pod}:{port}"), path).await
    }

    /// Does the same for an endpoint as it is named, over http or https.
    ///
    /// # Errors
    /// As [`Cluster::service_get`].
    pub async fn endpoint_get(&self, endpoint: &Endpoint, path: &str) -> Result<Answer> {
        let Endpoint { service, namespace, port, pod, https } = endpoint;
        let scheme = if *https { "https" } else { "http" };
        let (plural, name) = match pod {
            Some(pod) => ("pods", pod),
            None => ("services", service),
        };
        self.get_of(plural, namespace, &format!("{scheme}:{name}:{port}"), path).await
    }

    async fn get_of(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        path: &str,
    ) -> Result<Answer> {
        self.proxy(&format!("/api/v1/namespaces/{namespace}/{plural}/{name}/proxy{path}")).await
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
        let answer = timeout(self.limit, ask).await.context("no answer within 30 s")?;
        answer.with_context(|| format!("cannot ask {url}"))
    }
}
