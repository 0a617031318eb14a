//! Waits for what becomes of one object, or polls for anything else.

use kube_object::object::Fields;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use kube::api::{ListParams, WatchEvent, WatchParams};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Cluster, Refused, if_there, refusal};
use crate::kinds::Kind;

impl Cluster {
    /// Watches one object until `judge` returns something; it is called at once, and after every
    /// change, with `None` while the object does not exist. Returns `None` when `limit` runs out.
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
                // The watch has ended, as watches do now and then: look again from the start.
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
        let what = || format!("cannot watch {} {name}", kind.kind);
        let (requests, field) = (kind.requests(namespace), format!("metadata.name={name}"));
        let look = requests.list(&ListParams::default().fields(&field));
        let list = if_there(self.ask(look).await).with_context(what)?;
        let Some(list) = list else { return Ok(judge(None)) };
        if let Some(found) = judge(list.at("/items/0")) {
            return Ok(Some(found));
        }
        let version = list.at("/metadata/resourceVersion").and_then(Value::as_str);
        let how = WatchParams::default().fields(&field).timeout(60).disable_bookmarks();
        let watch = requests.watch(&how, version.unwrap_or_default())?;
        let events = self.client.request_events::<Value>(watch).await;
        let mut events = std::pin::pin!(events.map_err(refusal).with_context(what)?);
        while let Some(Ok(event)) = events.next().await {
            let found = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => judge(Some(&object)),
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

    /// Polls `look` until it returns something. Returns `None` when `limit` runs out.
    ///
    /// # Errors
    /// Those of `look`; if the API server does not answer, only at the end.
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
}
