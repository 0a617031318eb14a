//! The claim says the truth.

use std::time::Duration;

use anyhow::{Context, Result};
use eds_cluster::{Kind, kinds};
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::Command;

use super::Worker;
use crate::claim::has;
use crate::eds::command;
use crate::proof::{Proof, carry_out, ensure, setting};
use crate::testbed::{both, output};

/// The claim says the truth: Ready within 15 s of its pods being available, and when it is not Ready, a sentence that
/// names the cause. Every cause is made on purpose, read from the claim, and mended; the claim must recover by itself.
/// `eds doctor` must come to the same cause by itself, with a fix.
///
/// EDS_PROOF_LIMIT: seconds within which a cause must appear (default 60).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

/// A cause of not being ready: which claim, how it says so, and how `eds doctor` does.
struct Cause<'a> {
    claim: &'a str,
    reason: &'a str,
    said: &'a str,
    diagnosis: &'a str,
}

/// How long a cause may take to appear.
struct Limit(u64);

impl Limit {
    async fn cause(&self, p: &Proof<'_>, cause: Cause<'_>) -> Result<()> {
        let Cause { claim, reason, said, diagnosis } = cause;
        p.must_say(self.0, claim, reason, said).await?;
        p.passed(format!("{claim}: {}", p.message(claim).await));
        self.diagnosed(
            p,
            30,
            &format!("eds doctor to say of {claim}: {diagnosis}"),
            claim,
            diagnosis,
        )
        .await
    }

    async fn diagnosed(
        &self,
        p: &Proof<'_>,
        seconds: u64,
        what: &str,
        claim: &str,
        said: &str,
    ) -> Result<()> {
        let found = p.must_diagnose(seconds, what, claim, said).await?;
        p.passed(format!("{claim}, eds doctor: {found}"));
        Ok(())
    }
}

/// `eds doctor` finds nothing wrong with it.
async fn runs(p: &Proof<'_>, claim: &str) -> Result<()> {
    let what = format!("eds doctor to find nothing wrong with {claim}");
    let check = p
        .must_find(30, what, async || {
            let (well, check) = p.diagnosis(claim).await?;
            Ok(well.then_some(check))
        })
        .await?;
    p.passed(format!("{claim}, eds doctor: {}", check.text("/detail")));
    Ok(())
}

pub(crate) async fn run(args: &Args) -> Result<()> {
    let limit = Limit(setting("EDS_PROOF_LIMIT", 60)?);
    carry_out("readiness", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        containers(p, &limit).await?;
        configuration(p, &limit).await?;
        lag(p, &limit).await?;
        unreachable(p, &limit).await?;
        paused(p, &limit).await?;
        stranger(p).await?;
        p.end_claim("loopback").await?;
        developer(p, &limit).await?;
        six(p).await?;
        quota(p, &limit).await?;
        asleep(p).await
    })
    .await
}

/// Few enough side by side that there is room on a small node for the mended pods beside the failing ones.
async fn containers(p: &Proof<'_>, limit: &Limit) -> Result<()> {
    let nowhere = "registry.example.com/proofs/nowhere:1.0.0";
    p.apply_claim("image", json!({"spec": {"image": nowhere}})).await?;
    p.apply_claim("init", json!({"spec": {"initContainer": {"command": ["/no-such-program"]}}}))
        .await?;
    let said = format!("image {nowhere} cannot be pulled");
    let pulled = "cannot be pulled";
    limit
        .cause(
            p,
            Cause { claim: "image", reason: "ImagePullFailed", said: &said, diagnosis: pulled },
        )
        .await?;
    limit
        .cause(
            p,
            Cause {
                claim: "init",
                reason: "ContainerCannotStart",
                said: "/no-such-program",
                diagnosis: "cannot be started",
            },
        )
        .await?;
    for claim in ["image", "init"] {
        p.apply_claim(claim, json!({})).await?;
    }
    for claim in ["image", "init"] {
        p.becomes_ready(claim).await?;
    }
    runs(p, "init").await?;
    p.end_claim("image").await?;
    p.end_claim("init").await
}

/// A missing Secret keeps the pod from starting; an init container fails.
async fn configuration(p: &Proof<'_>, limit: &Limit) -> Result<()> {
    let references =
        json!([{"name": "missing-secret", "env": [{"secretKey": "key", "envName": "API_KEY"}]}]);
    p.apply_claim("secret", json!({"spec": {"secretRefs": references}})).await?;
    let fails = json!({"command": ["/agent-executor", "fail"]});
    p.apply_claim("failing", json!({"spec": {"initContainer": fails}})).await?;
    limit
        .cause(
            p,
            Cause {
                claim: "secret",
                reason: "ConfigurationMissing",
                said: "\"missing-secret\" not found",
                diagnosis: "there is no Secret missing-secret",
            },
        )
        .await?;
    let (claim, ended) = ("failing", "ended with exit code");
    limit
        .cause(p, Cause { claim, reason: "InitContainerFailed", said: ended, diagnosis: ended })
        .await?;
    p.secret("missing-secret", json!({"key": "anything"})).await?;
    p.apply_claim("failing", json!({})).await?;
    for claim in ["secret", "failing"] {
        p.becomes_ready(claim).await?;
    }
    p.end_claim("secret").await?;
    p.end_claim("failing").await
}

/// A missing consumer keeps KEDA from scaling; NATS's own account has no streams.
async fn lag(p: &Proof<'_>, limit: &Limit) -> Result<()> {
    let (sys, consumer) = (format!("{}/sys", p.namespace), format!("{}/consumer", p.namespace));
    p.apply_claim("consumer", json!({"spec": {"nats": {"consumer": "nobody"}}})).await?;
    p.apply_claim("sys", json!({"spec": {"nats": {"account": "$SYS"}}})).await?;
    let (reason, said) =
        ("ScalerFailed", format!("consumer nobody on stream {} in account $G", p.stream));
    let diagnosis = "has no consumer nobody";
    limit.cause(p, Cause { claim: "consumer", reason, said: &said, diagnosis }).await?;
    limit
        .cause(
            p,
            Cause {
                claim: "sys",
                reason,
                said: "NATS refuses JetStream on its system account",
                diagnosis: "$SYS is NATS's system account",
            },
        )
        .await?;
    p.eds_soon(60, 1, "fix: leave spec.nats.account out", &["verify", "keda", &sys]).await?;
    p.eds_soon(60, 1, "has no consumer nobody; it has worker", &["verify", "keda", &consumer])
        .await?;
    p.nats().await?.ensure(&p.stream, "nobody").await?;
    p.apply_claim("sys", json!({"spec": {"nats": {"account": "$G"}}})).await?;
    for (claim, place) in [("consumer", &consumer), ("sys", &sys)] {
        p.must(120, format!("the claim {claim} to recover by itself"), async || {
            p.ready(claim).await
        })
        .await?;
        p.passed(format!("{claim}: mended, and Ready"));
        p.eds_soon(60, 0, "0 failed", &["verify", "keda", place]).await?;
    }
    p.apply_claim("sys", json!({"spec": {"terminationGracePeriodSeconds": 10}})).await?;
    p.must(30, "the shorter grace period", async || {
        let deployment = p.deployment("sys").await?;
        Ok(deployment.number("/spec/template/spec/terminationGracePeriodSeconds") == 10)
    })
    .await?;
    p.must(60, "sys to be rolled out", async || p.available("sys").await).await?;
    let grace = "set WORKER_SHUTDOWN_GRACE_SECONDS to 5 in spec.env";
    p.eds_soon(60, 0, grace, &["verify", "keda", &sys]).await?;
    p.end_claim("consumer").await?;
    p.end_claim("sys").await
}

/// An init container that never ends; a worker that nobody reaches from outside its pod.
async fn unreachable(p: &Proof<'_>, limit: &Limit) -> Result<()> {
    p.apply_claim("endless", json!({"spec": {"initContainer": {"command": ["/agent-executor"]}}}))
        .await?;
    let address = json!([{"name": "WORKER_HTTP_ADDRESS", "value": "127.0.0.1:8080"}]);
    p.apply_claim("loopback", json!({"spec": {"env": address}})).await?;
    let what = "eds doctor to say that the init container has not ended";
    limit.diagnosed(p, limit.0, what, "endless", "and has not ended").await?;
    let (what, said) =
        ("eds doctor to say that nothing listens", "nothing listens on the pod's address at 8080");
    limit.diagnosed(p, 120, what, "loopback", said).await?;
    let what = "eds doctor to say who kills it";
    limit.diagnosed(p, 180, what, "loopback", "killed by its liveness probe").await?;
    p.end_claim("endless").await?;
    p.apply_claim("loopback", json!({})).await?;
    p.becomes_ready("loopback").await
}

/// Somebody pauses KEDA.
async fn paused(p: &Proof<'_>, limit: &Limit) -> Result<()> {
    const KEY: &str = "autoscaling.keda.sh/paused-replicas";
    let (kind, here, scaler) =
        (&kinds::SCALED_OBJECT, Some(p.namespace.as_str()), "loopback-scaler");
    p.publish(3).await?;
    p.api.annotate(kind, here, scaler, KEY, Some("0")).await?;
    let said = format!("{KEY}=0");
    limit
        .cause(p, Cause { claim: "loopback", reason: "Paused", said: &said, diagnosis: &said })
        .await?;
    p.api.annotate(kind, here, scaler, KEY, None).await?;
    p.purge().await?;
    p.becomes_ready_within("loopback", 180).await
}

/// A pod of another's with the service's name on it, which has failed.
async fn stranger(p: &Proof<'_>) -> Result<()> {
    let labels = json!({
        "app.kubernetes.io/name": "loopback", "app.kubernetes.io/component": "event-driven-worker",
    });
    let container = json!({
        "name": "main", "image": p.image, "command": ["/agent-executor", "fail"],
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    });
    let security = json!({"runAsNonRoot": true, "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"}});
    p.api
        .create(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "stranger", "namespace": p.namespace, "labels": labels},
            "spec": {"restartPolicy": "Never", "securityContext": security,
            "containers": [container]},
        }))
        .await?;
    p.must(60, "the stranger's pod to fail", async || {
        Ok(p.object(&kinds::POD, "stranger").await?.text("/status/phase") == "Failed")
    })
    .await?;
    runs(p, "loopback").await?;
    p.api.delete(&kinds::POD, Some(&p.namespace), "stranger").await
}

/// An application developer: edit in the namespace, get on claims, and nothing else.
async fn developer(p: &Proof<'_>, limit: &Limit) -> Result<()> {
    const CLAIM: &str = "mine";
    p.apply_claim(CLAIM, json!({"spec": {"nats": {"consumer": "nobodys"}}})).await?;
    p.must_say(limit.0, CLAIM, "ScalerFailed", "consumer nobodys").await?;
    let named = |name: &str| json!({"name": name, "namespace": p.namespace});
    let group = "rbac.authorization.k8s.io";
    let rbac = format!("{group}/v1");
    let binding = |name: &str, kind: &str, role: &str| {
        json!({
            "apiVersion": rbac, "kind": "RoleBinding", "metadata": named(name),
            "roleRef": {"apiGroup": group, "kind": kind, "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "developer", "namespace": p.namespace}],
        })
    };
    let Kind { group: of_claims, plural, .. } = kinds::CLAIM;
    let objects = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named("developer")}),
        json!({
            "apiVersion": rbac, "kind": "Role", "metadata": named("claims"),
            "rules": [{"apiGroups": [of_claims], "resources": [plural], "verbs": ["get"]}],
        }),
        binding("developer-edit", "ClusterRole", "edit"),
        binding("developer-claims", "Role", "claims"),
    ];
    for object in objects {
        p.api.create(&object).await?;
    }
    let mut view = Command::new("kubectl");
    view.args(["config", "view", "--raw", "-o", "json"]);
    let mut config: Value = serde_json::from_str(&crate::testbed::well(view).await?)?;
    let user = config.pointer_mut("/users/0/user").context("a kubeconfig without a user")?;
    *user = json!({"token": p.api.token(&p.namespace, "developer").await?});
    let config = p.keep("developer.json", config.to_string())?;
    let place = format!("{}/{CLAIM}", p.namespace);
    // What it may not read is said, and the cause is found all the same.
    for (words, said) in [
        ("doctor", "cannot read the lag of consumer nobodys"),
        ("verify keda", "consumer \"nobodys\" not found"),
    ] {
        let mut args: Vec<&str> = words.split(' ').collect();
        args.push(&place);
        let line = p
            .must_find(60, format!("eds {words} to say as a developer: {said}"), async || {
                let mut eds = command(&args)?;
                eds.env("KUBECONFIG", &config);
                let ended = output(&mut eds).await?;
                let printed = both(&ended);
                p.keep("developer.out", &printed)?;
                let enough = !ended.status.success() && printed.contains("a platform engineer can");
                let line = printed.lines().find(|line| enough && line.contains(said));
                Ok(line.map(|line| line.trim_start().chars().take(150).collect::<String>()))
            })
            .await?;
        p.passed(format!("eds {words}, as a developer: {line}"));
    }
    // It holds a token.
    std::fs::remove_file(&config)?;
    p.end_claim(CLAIM).await
}

async fn set_quota(p: &Proof<'_>, name: &str) -> Result<()> {
    let metadata = json!({"name": name, "namespace": p.namespace});
    let spec = json!({"hard": {"requests.cpu": "1m"}});
    p.api
        .create(&json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata,
    "spec": spec}))
        .await?;
    Ok(())
}

/// Six claims at once under a quota: a ReplicaSet that came before its ServiceAccount must not hide it.
async fn six(p: &Proof<'_>) -> Result<()> {
    let claims = [1, 2, 3, 4, 5, 6].map(|i| format!("six-{i}"));
    set_quota(p, "six").await?;
    for claim in &claims {
        p.apply_claim(claim, json!({})).await?;
    }
    for claim in &claims {
        let what = format!("eds doctor to name the quota of {claim}");
        p.must_diagnose(120, &what, claim, "exceeded quota: six").await?;
        p.must_say(60, claim, "", "pods cannot be created").await?;
    }
    p.passed("six claims at once: each names the quota");
    p.api.delete(&kinds::RESOURCE_QUOTA, Some(&p.namespace), "six").await?;
    for claim in &claims {
        p.end_claim(claim).await?;
    }
    Ok(())
}

/// A quota that no pod fits into.
async fn quota(p: &Proof<'_>, limit: &Limit) -> Result<()> {
    set_quota(p, "small").await?;
    p.apply_claim("quota", json!({})).await?;
    let said = "exceeded quota: small";
    limit
        .cause(p, Cause { claim: "quota", reason: "QuotaExceeded", said, diagnosis: said })
        .await?;
    p.api.delete(&kinds::RESOURCE_QUOTA, Some(&p.namespace), "small").await?;
    // The Deployment's controller tries again later and later, after minutes at most.
    p.becomes_ready_within("quota", 300).await?;
    p.end_claim("quota").await
}

/// From none to some and back: Ready all along.
async fn asleep(p: &Proof<'_>) -> Result<()> {
    const CLAIM: &str = "sleeper";
    let asleep = async || p.condition(CLAIM, "WorkerAvailable", "True", "ScaledToZero").await;
    p.apply_claim(CLAIM, json!({"spec": {"scaling": {"minReplicas": 0, "maxReplicas": 4}}}))
        .await?;
    p.must(120, "the claim sleeper to be Ready with no pod", asleep).await?;
    p.must(15, "the claim sleeper to be Ready", async || p.ready(CLAIM).await).await?;
    let replicas = p.replicas(CLAIM).await?;
    ensure(replicas == 0, || format!("sleeper has {replicas} replicas, not 0"))?;
    p.passed("sleeper: Ready with no pod (ScaledToZero)");
    let steps = async {
        p.publish(20).await?;
        p.must_scale(90, "sleeper to wake", CLAIM, 4).await?;
        p.must(60, "sleeper's pods", async || p.available(CLAIM).await).await?;
        p.purge().await?;
        p.must_scale(180, "sleeper to sleep again", CLAIM, 0).await?;
        p.must(30, "sleeper to say so", asleep).await
    };
    let look = async || Ok(has(&p.claim_now(CLAIM).await?, "Ready", "True", ""));
    let seen = p.all_along(Duration::from_millis(500), look, steps).await?;
    let not = seen.iter().filter(|ready| !**ready).count();
    let looks = seen.len();
    ensure(not == 0 && looks > 0, || {
        format!("sleeper was not Ready all along: in {not} of {looks} looks")
    })?;
    p.passed(format!("sleeper: 0 to 4 on 20 messages and back to 0, Ready in all {looks} looks"));
    Ok(())
}
