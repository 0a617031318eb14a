//! What containers print.

use anyhow::{Context, Result};
use futures_util::AsyncBufRead;
use kube::api::LogParams;
use tokio::time::timeout;

use crate::client::{Cluster, refusal};
use crate::kinds;

/// The most that is taken of a log's last lines, in bytes: a line has any length.
const MAX_LOG: i64 = 1 << 20;

impl Cluster {
    /// The log of a container: the last `lines`, of its last life where `previous`.
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

    /// The log of a container from its beginning, each line after the time at which it was written and a
    /// space: as it is written, or of its last life where `previous`.
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
