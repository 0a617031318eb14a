//! What the pods of a claim print, kept longer than the pods: those removed by scaling take their
//! logs with them.

use kube_object::object::Fields;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use futures_util::{AsyncBufReadExt, TryStreamExt};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::client::Cluster;
use crate::kinds;

/// Follows the logs of one container in every pod of a claim, from each pod's start.
pub struct Lines {
    cluster: Cluster,
    namespace: String,
    selector: String,
    container: String,
    followers: BTreeMap<String, JoinHandle<()>>,
    /// Each line with its pod, as printed.
    lines: Arc<Mutex<Vec<(String, String)>>>,
}

impl Lines {
    /// Starts following nothing: see [`Lines::look`].
    #[must_use]
    pub fn new(cluster: &Cluster, namespace: &str, claim: &str, container: &str) -> Self {
        Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            selector: format!("app.kubernetes.io/name={claim}"),
            container: container.to_owned(),
            followers: BTreeMap::new(),
            lines: Arc::default(),
        }
    }

    /// Looks for pods started since, and follows them too. Call it about once a second: a pod that
    /// lives shorter than that may be missed.
    ///
    /// # Errors
    /// If the pods cannot be listed.
    pub async fn look(&mut self) -> Result<()> {
        let here = Some(self.namespace.as_str());
        for pod in self.cluster.list(&kinds::POD, here, &self.selector).await? {
            let name = pod.text("/metadata/name");
            let begun = pod.at("/status/phase").and_then(Value::as_str) != Some("Pending");
            if begun && !self.followers.contains_key(name) {
                let follower = follow(
                    self.cluster.clone(),
                    self.namespace.clone(),
                    name.to_owned(),
                    self.container.clone(),
                    Arc::clone(&self.lines),
                );
                self.followers.insert(name.to_owned(), tokio::spawn(follower));
            }
        }
        Ok(())
    }

    /// Returns the lines so far, each with its pod.
    #[must_use]
    pub fn so_far(&self) -> Vec<(String, String)> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        for follower in self.followers.values() {
            follower.abort();
        }
    }
}

/// Follows one pod until it is gone. A broken stream starts again, and for a restarted container
/// the log of its previous life is read too: it may have ended before its stream was open. Times
/// tell which lines were already taken.
async fn follow(
    cluster: Cluster,
    namespace: String,
    pod: String,
    container: String,
    lines: Arc<Mutex<Vec<(String, String)>>>,
) {
    let mut taken = HashSet::new();
    let mut take = |stamped: String| {
        let line = stamped.split_once(' ').map_or("", |(_, line)| line).to_owned();
        if taken.insert(stamped) {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push((pod.clone(), line));
        }
    };
    let mut lives = 0;
    let until = |limit| Instant::now() + Duration::from_secs(limit);
    let mut gone = until(60);
    while Instant::now() < gone {
        let found = cluster.get(&kinds::POD, Some(&namespace), &pod).await;
        if let Ok(None) = found {
            return;
        }
        let restarts = found.ok().flatten().and_then(|pod| restarts(&pod, &container));
        for previous in [true, false] {
            if previous && restarts.is_none_or(|restarts| restarts <= lives) {
                continue;
            }
            let stream = cluster.stamped_lines(&namespace, &pod, &container, previous).await;
            let Ok(stream) = stream else { continue };
            let mut stream = Box::pin(stream.lines());
            // A line may be long in coming; a silently broken connection must not hold us up.
            while let Ok(Ok(Some(line))) = timeout(Duration::from_secs(30), stream.try_next()).await
            {
                take(line);
            }
            gone = until(60);
            if previous {
                lives = restarts.unwrap_or(lives);
            }
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn restarts(pod: &Value, container: &str) -> Option<u64> {
    let statuses = pod.at("/status/containerStatuses")?.as_array()?;
    let is_containers = |s: &&Value| s.get("name").and_then(Value::as_str) == Some(container);
    statuses.iter().find(is_containers)?.get("restartCount")?.as_u64()
}
