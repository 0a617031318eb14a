//! A namespace of one's own for a test, deleted on every exit.
//!
//! ```text
//! namespace made -> body -> (failed: evidence kept) -> put back -> claims deleted -> undo -> namespace deleted
//! ```
//!
//! The body may end well, fail, panic, or be ended by SIGINT, SIGTERM or SIGHUP; what follows is
//! the same. A second signal also ends the clean-up, and says what is left.

use kube_object::object::Fields;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures_util::FutureExt;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::client::Cluster;
use crate::evidence;
use crate::kinds;

/// How to make a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The namespace's name begins with this; a number is added.
    pub prefix: String,
    /// Leave everything in place at the end.
    pub keep: bool,
    /// Where evidence goes if the run fails; by default a directory with the run's name in the
    /// temporary directory.
    pub evidence: Option<PathBuf>,
    /// The namespace's name, instead of a generated one. It must not exist yet.
    pub namespace: Option<String>,
    /// Called with what happens, one line at a time.
    pub note: fn(&str),
}

/// A run, and its namespace.
pub struct Run {
    /// The cluster.
    pub cluster: Cluster,
    /// The namespace, which enforces Pod Security `restricted`.
    pub namespace: String,
    disturbed: RefCell<Vec<(String, Undo)>>,
    undo: RefCell<Vec<(String, Undo)>>,
}

type Undo = Pin<Box<dyn Future<Output = Result<()>>>>;

/// How long each part of the clean-up may take.
const CLEANING: Duration = Duration::from_secs(60);

impl Run {
    /// Creates a namespace, runs `body` in it, and cleans up however that ends. `failed` says
    /// whether a result calls for evidence; an error always does.
    ///
    /// # Errors
    /// Those of `body`; an interruption; or if the namespace cannot be created.
    pub async fn within<T>(
        cluster: &Cluster,
        options: &Options,
        failed: impl FnOnce(&T) -> bool,
        body: impl AsyncFnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let mut signals = Signals::listen()?;
        let namespace = options.namespace.clone().map_or_else(|| name(&options.prefix), Ok)?;
        cluster
            .create(&json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": namespace,
                    "labels": {
                        "app.kubernetes.io/managed-by": "eds",
                        "pod-security.kubernetes.io/enforce": "restricted",
                    },
                },
            }))
            .await?;
        let (disturbed, undo) = Default::default();
        let run = Self { cluster: cluster.clone(), namespace, disturbed, undo };
        let result = tokio::select! {
            result = AssertUnwindSafe(body(&run)).catch_unwind() => result,
            name = signals.next() => {
                (options.note)(&format!("{name}: cleaning up; a second one leaves everything \
                    there"));
                Ok(Err(anyhow!("ended by {name}")))
            }
        };
        let keep_evidence = match &result {
            Ok(Ok(value)) => failed(value),
            Ok(Err(_)) | Err(_) => true,
        };
        let clean = async {
            if keep_evidence {
                run.keep_evidence(options).await;
            }
            if options.keep {
                (options.note)(&format!("namespace {} is left there", run.namespace));
            } else {
                run.clean(options.note).await;
            }
        };
        tokio::select! {
            () = clean => {}
            name = signals.next() => {
                let left = &run.namespace;
                (options.note)(&format!("ended by {name} while cleaning up: delete namespace \
                    {left}"));
            }
        }
        match result {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Registers something to undo at the end, after the body and before the namespace is deleted;
    /// what was registered last is undone first.
    pub fn at_end(
        &self,
        what: impl Into<String>,
        undo: impl Future<Output = Result<()>> + 'static,
    ) {
        self.undo.borrow_mut().push((what.into(), Box::pin(undo)));
    }

    /// Registers something the run disturbed to be restored after the body, and before claims are
    /// deleted: without it they might hang. What was registered last is restored first.
    pub fn put_back(
        &self,
        what: impl Into<String>,
        undo: impl Future<Output = Result<()>> + 'static,
    ) {
        self.disturbed.borrow_mut().push((what.into(), Box::pin(undo)));
    }

    async fn keep_evidence(&self, options: &Options) {
        let directory = options.evidence.clone();
        let directory = directory.unwrap_or_else(|| std::env::temp_dir().join(&self.namespace));
        let collected = evidence::collect(&self.cluster, &self.namespace, &directory);
        let what = match timeout(CLEANING, collected).await {
            Ok(Ok(())) => format!("evidence is kept in {}", directory.display()),
            Ok(Err(error)) => format!("no evidence: {error:#}"),
            Err(_) => format!("evidence is kept in {}, but not all of it", directory.display()),
        };
        (options.note)(&what);
    }

    async fn clean(&self, note: fn(&str)) {
        let mut left = Vec::new();
        let disturbed = std::mem::take(&mut *self.disturbed.borrow_mut());
        all(disturbed, &mut left).await;
        let undo = std::mem::take(&mut *self.undo.borrow_mut());
        // Claims first: Crossplane deletes what they made, including what is outside the namespace.
        if let Err(error) = timeout(CLEANING, self.delete_claims()).await.unwrap_or_else(|_| {
            Err(anyhow!("its claims were not gone within {} s", CLEANING.as_secs()))
        }) {
            left.push(format!("{error:#}"));
        }
        all(undo, &mut left).await;
        if let Err(error) = self.cluster.delete(&kinds::NAMESPACE, None, &self.namespace).await {
            left.push(format!("namespace {}: {error:#}", self.namespace));
        }
        for what in left {
            note(&format!("could not clean up: {what}"));
        }
    }

    /// Deletes every claim in the namespace, and waits until they are gone.
    async fn delete_claims(&self) -> Result<()> {
        let namespace = Some(self.namespace.as_str());
        for claim in self.cluster.list(&kinds::CLAIM, namespace, "").await? {
            let name = claim.text("/metadata/name");
            self.cluster.delete(&kinds::CLAIM, namespace, name).await?;
        }
        let of_claims = format!("crossplane.io/claim-namespace={}", self.namespace);
        let gone = Cluster::until(CLEANING, Duration::from_millis(500), async || {
            for (kind, namespace, selector) in
                [(&kinds::CLAIM, namespace, ""), (&kinds::COMPOSITE, None, of_claims.as_str())]
            {
                if !self.cluster.list(kind, namespace, selector).await?.is_empty() {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        });
        gone.await?.with_context(|| format!("claims in {} are still there", self.namespace))
    }
}

/// Undoes all of it, the last first; what could not be is `left`.
async fn all(undo: Vec<(String, Undo)>, left: &mut Vec<String>) {
    for (what, undo) in undo.into_iter().rev() {
        match timeout(CLEANING, undo).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => left.push(format!("{what}: {error:#}")),
            Err(_) => left.push(format!("{what}: not within {} s", CLEANING.as_secs())),
        }
    }
}

/// Returns a name that no other run has: the prefix, the time of day and the process.
fn name(prefix: &str) -> Result<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(format!("{prefix}-{}-{}", now.as_millis() % 100_000_000, std::process::id()))
}

/// The signals that ask a process to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }
}
