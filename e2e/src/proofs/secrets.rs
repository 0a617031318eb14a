//! 20 Secrets in one claim, read from the processes.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use eds_cluster::kinds;
use serde_json::{Map, Value, json};

use super::Worker;
use crate::proof::{Proof, carry_out, ensure};
use crate::testbed::{running, well};

/// 20 Secrets in one claim, by key, as a whole, and both at once: the process of the init container and that of the
/// main one have every variable with its value, read from the node's /proc.
///
/// PostgreSQL is there only after a while: until then the init container waits, and can be looked at.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

/// One Secret: its data, how the claim refers to it, and the variables that come of that.
struct Given {
    name: String,
    data: Map<String, Value>,
    reference: Value,
    expect: BTreeMap<String, String>,
}

/// Neither the kubelet nor a shell may touch it.
fn value(i: usize) -> String {
    format!("s{i} \"quoted\" $HOME $(PATH) = ü")
}

/// What a Secret is for.
fn given(i: usize, database: &str) -> Given {
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let (plain, one) = (value(i), format!("ONE_{i}"));
    let (a, b) = (format!("WHOLE_{i}_A"), format!("WHOLE_{i}_B"));
    let (both, renamed) = (format!("BOTH_{i}"), format!("RENAMED_{i}"));
    let key = |secret: &str, variable: &str| json!([{"secretKey": secret, "envName": variable}]);
    let (data, reference, expect) = match i {
        1..=7 => {
            (pairs(&[("key", &plain)]), json!({"env": key("key", &one)}), pairs(&[(&one, &plain)]))
        }
        8..=14 => {
            let whole = pairs(&[(&a, &plain), (&b, "b")]);
            (whole.clone(), json!({"envFrom": true}), whole)
        }
        15..=19 => (
            pairs(&[(&both, &plain)]),
            json!({"envFrom": true, "env": key(&both, &renamed)}),
            pairs(&[(&both, &plain), (&renamed, &plain)]),
        ),
        _ => (
            pairs(&[("url", database)]),
            json!({"env": key("url", "DATABASE_URL")}),
            pairs(&[("DATABASE_URL", database)]),
        ),
    };
    Given {
        name: format!("secret-{i:02}"),
        data: data.into_iter().map(|(key, value)| (key, Value::from(value))).collect(),
        reference,
        expect: expect.into_iter().collect(),
    }
}

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("secrets", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        let database = p.new_database().await?;
        p.bed.does("postgres", ["stop"]).await?;
        let secrets: Vec<Given> = (1..=20).map(|i| given(i, &database)).collect();
        let mut expect = BTreeMap::new();
        let mut references = Vec::new();
        for secret in secrets {
            p.secret(&secret.name, Value::Object(secret.data)).await?;
            let mut reference = secret.reference;
            crate::claim::merge(&mut reference, &json!({"name": secret.name}));
            references.push(reference);
            expect.extend(secret.expect);
        }
        let named = references.len();
        let init = json!({"command": ["agent-executor"], "args": ["migrate"]});
        p.apply_claim("many", json!({"spec": {"secretRefs": references, "initContainer": init}}))
            .await?;
        p.passed(format!("the claim names {named} Secrets, which make {} variables", expect.len()));
        has_all(p, "init", "initContainerStatuses", &expect).await?;
        p.bed.does("postgres", ["start"]).await?;
        has_all(p, "main", "containerStatuses", &expect).await?;
        p.becomes_ready("many").await?;
        not_public(p, &database).await
    })
    .await
}

/// The process of the pod's container has every variable.
async fn has_all(
    p: &Proof<'_>,
    what: &str,
    statuses: &str,
    expect: &BTreeMap<String, String>,
) -> Result<()> {
    let environment = p
        .must_find(60, format!("the {what} container to run"), async || {
            let pods =
                p.api.list(&kinds::POD, Some(&p.namespace), "app.kubernetes.io/name=many").await?;
            match pods.first().and_then(|pod| running(pod, statuses)) {
                Some(id) => Ok(Some(p.bed.environment(&id).await?)),
                None => Ok(None),
            }
        })
        .await?;
    p.keep(&format!("{statuses}.json"), json!(environment).to_string())?;
    let wrong = expect.iter().filter(|(name, value)| environment.get(*name) != Some(*value));
    let wrong: Vec<&str> = wrong.map(|(name, _)| name.as_str()).collect();
    ensure(wrong.is_empty(), || {
        format!("the {what} container lacks, or has with another value: {}", wrong.join(", "))
    })?;
    p.passed(format!(
        "the {what} container's process has all {} variables with their values",
        expect.len()
    ));
    Ok(())
}

/// What anyone may read of the service does not hold the values.
async fn not_public(p: &Proof<'_>, database: &str) -> Result<()> {
    let here = Some(p.namespace.as_str());
    let ours = format!("crossplane.io/claim-namespace={}", p.namespace);
    let mut public = vec![p.claim_now("many").await?];
    for kind in [&kinds::COMPOSITE, &kinds::OBJECT] {
        public.extend(p.api.list(kind, None, &ours).await?);
    }
    for kind in [&kinds::DEPLOYMENT, &kinds::REPLICA_SET, &kinds::POD] {
        public.extend(p.api.list(kind, here, "").await?);
    }
    let mut logs = tokio::process::Command::new("kubectl");
    logs.args(["-n", &p.namespace, "logs", "deployment/many", "--all-containers"]);
    let public = format!("{}{}", Value::Array(public), well(logs).await?);
    p.keep("public", &public)?;
    let password = database.split_once("worker:").context("a database without a user")?.1;
    for value in [r#"\"quoted\""#, password] {
        ensure(!public.contains(value), || {
            "a value of a Secret stands in the claim, in what it becomes, or in a log".to_owned()
        })?;
    }
    p.passed(
        "no value stands in the claim, the composite, the Objects, the Deployment, the pod or its \
         log",
    );
    Ok(())
}
