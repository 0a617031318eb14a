//! Each trouble of the troubleshooting page.

use anyhow::Result;
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{CLAIM, Guide, NAMESPACE, secret};
use crate::proof::{Proof, ensure};
use crate::testbed::output;

/// A trouble: what makes it, what the claim and `eds doctor` come to say, and what else a person types.
struct Trouble {
    name: &'static str,
    before: &'static [Do],
    /// How the first page's claim is changed, a merge patch; the one that is there where there is none.
    claim: Option<&'static str>,
    /// The status that kubectl shows of a pod.
    pod: Option<&'static str>,
    says: &'static str,
    diagnosis: &'static str,
    typed: &'static [&'static str],
    after: &'static [Do],
}

/// What is done to the namespace or the node.
enum Do {
    /// Older events are gone.
    NoEvents,
    /// The Secret `orders-db` with the database's URL under a key.
    Database(&'static str),
    NoDatabase,
    Quota,
    NoQuota,
    Taint,
    NoTaint,
    Pause,
    NoPause,
    /// The claim becomes Ready.
    Fine,
    /// What `eds doctor` shows in a terminal is recorded, for the picture.
    Picture,
    /// A pull secret that is missing is a warning only: the pods run.
    PullSecret,
}

const WARNINGS: &str = "kubectl -n shop get events --field-selector type=Warning \
    --sort-by=.lastTimestamp -o custom-columns=REASON:.reason,MESSAGE:.message";
/// What KEDA says of a trigger that it cannot read.
const SCALER: &str = "kubectl -n shop get scaledobject orders-scaler \
    -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}{\"\\n\"}'";
const UNREAD: &str = "KEDA cannot read the lag";
const PAUSED: &str = "autoscaling.keda.sh/paused-replicas";

const PLAIN: Trouble = Trouble {
    name: "",
    before: &[],
    claim: Some("{}"),
    pod: None,
    says: "",
    diagnosis: "",
    typed: &[],
    after: &[],
};

const TABLE: [Trouble; 14] = [
    Trouble {
        name: "image",
        claim: Some(r#"{"spec": {"image": "registry.example.com/shop/orders:1.4.3"}}"#),
        pod: Some("ImagePullBackOff"),
        says: "cannot be pulled",
        diagnosis: "cannot be pulled",
        typed: &["WARNINGS | grep -m 1 'pull image'"],
        after: &[Do::PullSecret, Do::NoEvents],
        ..PLAIN
    },
    Trouble {
        name: "secret",
        claim: Some(
            r#"{"spec": {"secretRefs": [
                {"name": "orders-db", "env": [{"secretKey": "url", "envName": "DATABASE_URL"}]}
            ]}}"#,
        ),
        says: r#"secret "orders-db" not found"#,
        diagnosis: "there is no Secret orders-db",
        typed: &["kubectl -n shop get secret orders-db"],
        ..PLAIN
    },
    Trouble {
        name: "secret-key",
        before: &[Do::Database("uri")],
        claim: None,
        says: "couldn't find key url",
        diagnosis: "it has no key url",
        typed: &["kubectl -n shop get secret orders-db -o json | jq '.data | keys'"],
        after: &[Do::Picture, Do::NoDatabase],
        ..PLAIN
    },
    Trouble {
        name: "init",
        claim: Some(r#"{"spec": {"initContainer": {"command": ["agent-executor", "migrate"]}}}"#),
        pod: Some("Init:CrashLoopBackOff"),
        says: "ended with exit code",
        diagnosis: "ended with exit code",
        typed: &["kubectl -n shop logs deployment/orders -c init | tail -n 3"],
        ..PLAIN
    },
    Trouble {
        name: "init-database",
        before: &[Do::Database("url")],
        // It waits for a database, a minute where nothing else is said.
        claim: Some(
            r#"{"spec": {
                "initContainer": {"command": ["agent-executor", "migrate"]},
                "secretRefs": [{"name": "orders-db", "env": [{"secretKey": "url",
                "envName": "DATABASE_URL"}]}],
                "env": [{"name": "WORKER_MIGRATE_TIMEOUT_SECONDS", "value": "5"}]
            }}"#,
        ),
        pod: Some("Init:CrashLoopBackOff"),
        says: "ended with exit code",
        diagnosis: "ended with exit code",
        typed: &["kubectl -n shop logs deployment/orders -c init --previous | tail -n 2"],
        after: &[Do::NoDatabase],
    },
    Trouble {
        name: "keda-endpoint",
        claim: Some(
            r#"{"spec": {"nats": {"monitoringEndpoint": "nats.nats.svc.cluster.local:8222"}}}"#,
        ),
        says: UNREAD,
        diagnosis: "Service nats has only 4222",
        typed: &[SCALER, "kubectl -n nats get services"],
        ..PLAIN
    },
    Trouble {
        name: "keda-stream",
        claim: Some(r#"{"spec": {"nats": {"stream": "ORDERS_EU"}}}"#),
        says: UNREAD,
        diagnosis: "ORDERS_EU",
        typed: &[SCALER],
        ..PLAIN
    },
    Trouble {
        name: "keda-consumer",
        claim: Some(r#"{"spec": {"nats": {"consumer": "orders-v2"}}}"#),
        says: UNREAD,
        diagnosis: "no consumer orders-v2",
        typed: &[SCALER],
        ..PLAIN
    },
    Trouble {
        name: "keda-account",
        claim: Some(r#"{"spec": {"nats": {"account": "SHOP"}}}"#),
        says: UNREAD,
        diagnosis: "account SHOP",
        typed: &[SCALER],
        ..PLAIN
    },
    Trouble {
        name: "keda-system",
        claim: Some(r#"{"spec": {"nats": {"account": "$SYS"}}}"#),
        says: "system account",
        diagnosis: "system account",
        after: &[Do::Quota],
        ..PLAIN
    },
    Trouble {
        name: "quota",
        says: "exceeded quota",
        diagnosis: "exceeded quota",
        typed: &["kubectl -n shop describe quota small"],
        after: &[Do::NoQuota],
        ..PLAIN
    },
    Trouble {
        name: "capacity",
        claim: Some(r#"{"spec": {"size": "large", "scaling": {"minReplicas": 3}}}"#),
        says: "Insufficient cpu",
        diagnosis: "Insufficient cpu",
        typed: &["kubectl describe nodes | grep -A 5 \"^Allocated\""],
        after: &[Do::Taint],
        ..PLAIN
    },
    Trouble {
        name: "taint",
        says: "taint",
        diagnosis: "taint",
        typed: &[
            "kubectl get nodes -o custom-columns='NAME:.metadata.name,TAINTS:.spec.taints[*].key'",
        ],
        after: &[Do::NoTaint, Do::Fine],
        ..PLAIN
    },
    Trouble {
        name: "paused",
        before: &[Do::Pause],
        claim: None,
        says: "KEDA is paused",
        diagnosis: "paused-replicas=0",
        after: &[Do::NoPause, Do::Fine],
        ..PLAIN
    },
];

impl Guide<'_> {
    pub(super) async fn troubles(&self) -> Result<()> {
        untainted_at_the_end(self.p);
        for trouble in &TABLE {
            self.trouble(trouble).await?;
        }
        self.transcript("well").typed("eds doctor shop/orders").await?;
        self.no_orders().await
    }

    /// Both come to say so; then it is recorded, with what else a person types.
    async fn trouble(&self, trouble: &Trouble) -> Result<()> {
        let (p, name) = (self.p, trouble.name);
        self.all(trouble.before).await?;
        if let Some(change) = trouble.claim {
            self.again(&serde_json::from_str(change)?).await?;
        }
        if let Some(status) = trouble.pod {
            p.must(120, format!("a pod to be {status}"), async || pod_is(status).await).await?;
        }
        p.must_say(90, CLAIM, "", trouble.says).await?;
        let what = format!("eds doctor to say: {}", trouble.diagnosis);
        let found = p.must_diagnose(60, &what, CLAIM, trouble.diagnosis).await?;
        let mut transcript = self.transcript(name);
        transcript.typed("kubectl -n shop get eds,pods").await?;
        for line in trouble.typed {
            transcript.typed(&line.replace("WARNINGS", WARNINGS)).await?;
        }
        transcript.typed("eds doctor shop/orders | head -n 5").await?;
        p.passed(format!("{name}: {}", found.chars().take(150).collect::<String>()));
        self.all(trouble.after).await
    }

    async fn all(&self, steps: &[Do]) -> Result<()> {
        for step in steps {
            self.one(step).await?;
        }
        Ok(())
    }

    async fn one(&self, step: &Do) -> Result<()> {
        let (p, here) = (self.p, Some(NAMESPACE));
        match step {
            Do::NoEvents => no_events(p).await,
            Do::Database(key) => {
                secret(p, "orders-db", key, "postgres://orders:secret@db.shop.svc:5432/orders")
                    .await
            }
            Do::NoDatabase => p.api.delete(&kinds::SECRET, here, "orders-db").await,
            Do::Quota => {
                let metadata = json!({"name": "small", "namespace": NAMESPACE});
                let spec = json!({"hard": {"requests.cpu": "100m"}});
                let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
                "metadata": metadata, "spec": spec});
                p.api.apply(&quota).await
            }
            Do::NoQuota => p.api.delete(&kinds::RESOURCE_QUOTA, here, "small").await,
            Do::Taint => {
                let taints = json!([{"key": "team", "value": "data", "effect": "NoSchedule"}]);
                p.api
                    .patch(&kinds::NODE, None, &p.bed.node, &json!({"spec": {"taints": taints}}))
                    .await
            }
            Do::NoTaint => untaint(p.api.clone(), p.bed.node.clone()).await,
            Do::Pause => {
                p.api
                    .annotate(&kinds::SCALED_OBJECT, here, "orders-scaler", PAUSED, Some("0"))
                    .await
            }
            Do::NoPause => {
                p.api.annotate(&kinds::SCALED_OBJECT, here, "orders-scaler", PAUSED, None).await
            }
            Do::Fine => self.fine(180).await,
            Do::Picture => self.picture().await,
            Do::PullSecret => self.pull_secret().await,
        }
    }

    /// As a terminal shows it.
    async fn picture(&self) -> Result<()> {
        let mut script = Command::new("script");
        script
            .args(["-qc", "\"$EDS\" doctor shop/orders", "/dev/null"])
            .envs([("TERM", "xterm"), ("NO_COLOR", "")]);
        let shown = output(&mut script).await?;
        let shown = String::from_utf8_lossy(&shown.stdout).replace('\r', "");
        self.p.keep("recorded/doctor.ansi", format!("$ eds doctor shop/orders\n{shown}"))?;
        Ok(())
    }

    async fn pull_secret(&self) -> Result<()> {
        no_events(self.p).await?;
        self.again(&json!({"spec": {"imagePullSecrets": [{"name": "registry-credentials"}]}}))
            .await?;
        self.fine(180).await?;
        let mut transcript = self.transcript("pull-secret");
        transcript.typed(&format!("{WARNINGS} | grep -m 1 PullSecret")).await?;
        transcript.typed("eds doctor shop/orders | grep -A 1 \"! registry-credentials\"").await?;
        let printed = transcript.text().lines().map(str::trim_start);
        let said = printed.rev().find(|line| line.starts_with("! registry-credentials"));
        ensure(said.is_some(), || "eds doctor says nothing of the missing pull secret".to_owned())?;
        self.p.passed(format!("pull-secret: {}", said.unwrap_or_default()));
        Ok(())
    }
}

/// The node is nobody's at the end.
fn untainted_at_the_end(p: &Proof<'_>) {
    let (api, node) = (p.api.clone(), p.bed.node.clone());
    p.run.put_back("the node's taint", untaint(api, node));
}

async fn untaint(api: crate::api::Api, node: String) -> Result<()> {
    api.patch(&kinds::NODE, None, &node, &json!({"spec": {"taints": Value::Null}})).await
}

async fn no_events(p: &Proof<'_>) -> Result<()> {
    for event in p.api.list(&kinds::EVENT, Some(NAMESPACE), "").await? {
        p.api.delete(&kinds::EVENT, Some(NAMESPACE), event.name()).await?;
    }
    Ok(())
}

/// kubectl shows a pod of that status.
async fn pod_is(status: &str) -> Result<bool> {
    let mut pods = Command::new("kubectl");
    pods.args(["-n", NAMESPACE, "get", "pods"]);
    let shown = crate::testbed::well(pods).await?;
    Ok(shown.lines().any(|line| line.split_whitespace().any(|word| word == status)))
}
