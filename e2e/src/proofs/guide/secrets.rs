//! Secrets as Crossplane and External Secrets Operator make them, and their rotation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use eds_cluster::{Kind, kinds};
use kube_object::object::Fields;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::{CLAIM, CLAIM_FILE, Guide, NAMESPACE};
use crate::claim::has;
use crate::proof::{Proof, ensure, say};
use crate::testbed::{running, well};

const PAGE: &str = "docs/secrets.md";
const KEYS: &str = "orders-llm-keys";
const NEW_PASSWORD: &str = "kubectl -n shop patch secret orders-db --type=merge \
    -p '{\"stringData\":{\"password\":\"new\"}}'";
/// The reader's shell expands it.
const SYNC: &str = r#"force-sync="$(date +%s)""#;
const EXTERNAL_SECRET: Kind = Kind {
    group: "external-secrets.io",
    version: "v1",
    kind: "ExternalSecret",
    plural: "externalsecrets",
    namespaced: true,
};
const STORE: Kind = Kind {
    group: "external-secrets.io",
    version: "v1",
    kind: "ClusterSecretStore",
    plural: "clustersecretstores",
    namespaced: false,
};
/// What the worker's process must have.
const VARIABLES: [(&str, &str); 6] = [
    ("DATABASE_HOST", "orders-db.shop.svc"),
    ("DATABASE_PORT", "5432"),
    ("DATABASE_USER", "orders"),
    ("DATABASE_PASSWORD", "old"),
    ("OPENAI_API_KEY", "sk-old"),
    ("ANTHROPIC_API_KEY", "sk-ant"),
];

impl Guide<'_> {
    pub(super) async fn secrets(&self) -> Result<()> {
        let p = self.p;
        for file in [CLAIM_FILE, "orders-db.yaml", "orders-llm-keys.yaml"] {
            self.block(PAGE, file)?;
        }
        self.no_orders().await?;
        self.apply_orders(&json!({})).await?;
        p.must_say(60, CLAIM, "ConfigurationMissing", "\"orders-").await?;
        p.passed(format!("the claim came first: {}", p.message(CLAIM).await));
        p.api.apply(&self.written("orders-db.yaml")?).await?;
        let operator = self.keys().await?;
        self.fine(240).await?;
        for (variable, value) in VARIABLES {
            self.must_have(
                10,
                &format!("the worker's process to have {variable}"),
                variable,
                value,
            )
            .await?;
        }
        p.passed("the worker's process has the keys of both Secrets");
        self.rotation(operator.as_ref()).await?;
        self.no_orders().await?;
        for secret in ["orders-db", KEYS] {
            p.api.delete(&kinds::SECRET, Some(NAMESPACE), secret).await?;
        }
        if let Some(operator) = operator {
            p.api.delete(&EXTERNAL_SECRET, Some(NAMESPACE), KEYS).await?;
            p.api.delete(&STORE, None, "vault").await?;
            operator.ends().await?;
        }
        Ok(())
    }

    /// The Secret that External Secrets Operator makes; by hand where its part is not built.
    async fn keys(&self) -> Result<Option<Operator>> {
        let p = self.p;
        let Some(part) = std::env::var_os("EXTERNAL_SECRETS").filter(|part| !part.is_empty())
        else {
            say("NOT TRIED: External Secrets Operator (testbed/build-parts external-secrets)");
            p.secret(KEYS, json!({"OPENAI_API_KEY": "sk-old", "ANTHROPIC_API_KEY": "sk-ant"}))
                .await?;
            return Ok(None);
        };
        let operator = Operator::runs(p, &PathBuf::from(part)).await?;
        store(p, "sk-old").await?;
        p.api.apply(&self.written("orders-llm-keys.yaml")?).await?;
        p.must(60, "External Secrets Operator to make orders-llm-keys", async || {
            Ok(has(&p.object(&EXTERNAL_SECRET, KEYS).await?, "Ready", "True", ""))
        })
        .await?;
        let mut transcript = self.transcript("external-secret");
        transcript.typed("kubectl -n shop get externalsecret orders-llm-keys").await?;
        transcript.typed("kubectl -n shop get secret orders-llm-keys --show-labels").await?;
        Ok(Some(operator))
    }

    /// The variables of the newest worker's process that is ready.
    async fn variables(&self) -> Result<BTreeMap<String, String>> {
        let p = self.p;
        let mut pods =
            p.api.list(&kinds::POD, Some(NAMESPACE), "app.kubernetes.io/name=orders").await?;
        pods.retain(|pod| {
            let ready = pod.is_true("/status/containerStatuses/0/ready");
            ready && pod.at("/metadata/deletionTimestamp").is_none()
        });
        pods.sort_by_key(|pod| pod.text("/metadata/creationTimestamp").to_owned());
        let container = pods
            .last()
            .and_then(|pod| running(pod, "containerStatuses"))
            .context("no pod is ready")?;
        p.bed.environment(&container).await
    }

    async fn must_have(&self, seconds: u64, what: &str, variable: &str, value: &str) -> Result<()> {
        let look =
            async || Ok(self.variables().await?.get(variable).is_some_and(|has| has == value));
        self.p.must(seconds, what, look).await
    }

    /// Nothing happens by itself, and a restart that somebody asks for is left alone.
    async fn rotation(&self, operator: Option<&Operator>) -> Result<()> {
        let p = self.p;
        let look = async || Ok(p.deployment(CLAIM).await?.number("/status/availableReplicas"));
        let seen = p.all_along(Duration::from_millis(500), look, self.rotated(operator)).await?;
        let none = seen.iter().filter(|available| **available == 0).count();
        let looks = seen.len();
        ensure(none == 0 && looks > 0, || {
            format!("there was no pod for a time: in {none} of {looks} looks")
        })?;
        p.is_ready(CLAIM).await?;
        p.passed(format!(
            "rotation: the new value after the restart, a pod available in all {looks} looks, \
             and the restart is not taken back"
        ));
        Ok(())
    }

    async fn rotated(&self, operator: Option<&Operator>) -> Result<()> {
        let p = self.p;
        let mut transcript = self.transcript("rotation");
        transcript.typed(NEW_PASSWORD).await?;
        if operator.is_some() {
            store(p, "sk-new").await?;
            transcript
                .typed(&format!(
                    "kubectl -n shop annotate externalsecret {KEYS} {SYNC} --overwrite"
                ))
                .await?;
            p.must(30, "the operator to refresh the Secret", async || {
                // sk-new
                Ok(p.object(&kinds::SECRET, KEYS).await?.text("/data/OPENAI_API_KEY") == "c2stbmV3")
            })
            .await?;
        }
        sleep(Duration::from_secs(10)).await;
        let old =
            self.variables().await?.get("DATABASE_PASSWORD").is_some_and(|value| value == "old");
        ensure(old, || "the process has another password without a restart".to_owned())?;
        transcript.typed("kubectl -n shop rollout restart deployment/orders").await?;
        transcript.typed("kubectl -n shop rollout status deployment/orders --timeout=180s").await?;
        transcript
            .typed("kubectl -n shop wait --for=condition=Ready --timeout=120s eds/orders")
            .await?;
        self.must_have(20, "the new process to have the new password", "DATABASE_PASSWORD", "new")
            .await?;
        if operator.is_some() {
            self.must_have(5, "the new process to have the new key", "OPENAI_API_KEY", "sk-new")
                .await?;
        }
        sleep(Duration::from_secs(20)).await;
        let deployment = p.deployment(CLAIM).await?;
        let restarted = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
        let updated =
            deployment.number("/status/updatedReplicas") == deployment.number("/status/replicas");
        ensure(deployment.at(restarted).is_some() && updated, || {
            "the restart was taken back".to_owned()
        })
    }
}

/// A store of the provider that the operator has for tests.
async fn store(p: &Proof<'_>, openai: &str) -> Result<()> {
    let data = json!([
        {"key": "shop/llm/openai", "value": openai}, {"key": "shop/llm/anthropic",
        "value": "sk-ant"},
    ]);
    p.api
        .apply(&json!({
            "apiVersion": STORE.api_version(), "kind": STORE.kind, "metadata": {"name": "vault"},
            "spec": {"provider": {"fake": {"data": data}}},
        }))
        .await
}

/// External Secrets Operator, as a process of the node.
struct Operator {
    child: Child,
    definitions: PathBuf,
}

impl Operator {
    async fn runs(p: &Proof<'_>, part: &Path) -> Result<Self> {
        let definitions = part.join("crds");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&definitions)? {
            let path = entry?.path();
            files.extend(path.to_string_lossy().contains("external-secrets.io_").then_some(path));
        }
        files.sort();
        let mut all = String::new();
        for file in files {
            all.push_str(&crate::proof::read(&file)?);
            all.push_str("\n---\n");
        }
        let definitions = p.keep("crds.yaml", all)?;
        let mut apply = Command::new("kubectl");
        well({
            apply.args(["apply", "--server-side", "-f"]).arg(&definitions);
            apply
        })
        .await?;
        let mut wait = Command::new("kubectl");
        wait.args(["wait", "--for=condition=Established", "--timeout=30s"]);
        wait.args([&STORE, &EXTERNAL_SECRET].map(|kind| format!("crd/{}", kind.crd())));
        well(wait).await?;
        let log = std::fs::File::create(p.evidence.join("external-secrets.log"))?;
        let mut operator = Command::new(part.join("external-secrets"));
        operator.args(["--metrics-addr", "127.0.0.1:0", "--enable-push-secret-reconciler=false"]);
        operator.arg("--enable-cluster-external-secret-reconciler=false");
        operator.arg("--enable-cluster-push-secret-reconciler=false");
        operator.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = operator.spawn().context("External Secrets Operator cannot be run")?;
        Ok(Self { child, definitions })
    }

    async fn ends(mut self) -> Result<()> {
        self.child.kill().await?;
        let mut delete = Command::new("kubectl");
        delete.args(["delete", "--wait=false", "-f"]).arg(&self.definitions);
        well(delete).await.map(drop)
    }
}
