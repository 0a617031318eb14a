//! What containers print.

use anyhow::{Context, Result};
use futures_util::AsyncBufRead;
use kube::api::LogParams;
use tokio::time::timeout;

use crate::client::{Cluster, refusal};
use crate::kinds;

/// The most that is read of a log's last lines, in bytes: a line has any length.
const MAX_LOG: i64 = 1 << 20;

impl Cluster {
    /// Returns the last `lines` of a container's log, from its previous life if `previous`.
    ///
    /// # Errors
    /// A [`Refused`](crate::Refused) such as for a container that has not started, or no answer.
    pub async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        lines: u32,
        previous: bool,
    ) -> Result<String> {
        let which = LogParams {
            container: Some(container.to_owned()),
            previous,
            tail_lines: Some(lines.into()),
            limit_bytes: Some(MAX_LOG),
            ..LogParams::default()
        };
        let request = kinds::POD.requests(Some(namespace)).logs(pod, &which)?;
        let text = timeout(self.limit, self.client.request_text(request)).await;
        let text = text.context("no answer within 30 s")?.map_err(refusal);
        text.with_context(|| format!("cannot read the log of {pod} {container}"))
    }

    /// Streams a container's log from its start, each line after its timestamp and a space: as it
    /// is written, or from its previous life if `previous`.
    ///
    /// # Errors
    /// A [`Refused`](crate::Refused) such as for a container that has not started, or no answer.
    pub async fn stamped_lines(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Result<impl AsyncBufRead + use<>> {
        let which = LogParams {
            container: Some(container.to_owned()),
            timestamps: true,
            previous,
            follow: !previous,
            ..LogParams::default()
        };
        let request = kinds::POD.requests(Some(namespace)).logs(pod, &which)?;
        self.client.request_stream(request).await.map_err(refusal)
    }
}
