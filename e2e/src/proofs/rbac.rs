//! The provider and Crossplane may do exactly what is listed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::Command;

use super::NoWorker;
use crate::api::Api;
use crate::proof::{Proof, carry_out, ensure, failed, read};
use crate::testbed::{both, output};

/// The provider and Crossplane may do exactly what stands in testbed/rbac: every right that the API server knows of,
/// compared with the list. And what must not work is tried.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    _worker: NoWorker,
    /// Write the lists anew (their comments are lost; read the difference).
    #[arg(long)]
    write: bool,
}

const PROVIDER: &str = "provider-kubernetes";
const CROSSPLANE: &str = "crossplane";

/// What must not work: who, what the API server says, and the command.
const REFUSED: [(&str, &str, &str); 10] = [
    (PROVIDER, POLICY, "create secret generic other --from-literal=a=b"),
    (PROVIDER, POLICY, "label secret mine a=b"),
    (PROVIDER, POLICY, "delete secret mine"),
    (PROVIDER, POLICY, "create configmap other --from-literal=a=b"),
    (PROVIDER, "forbidden", "run other --image=x:1"),
    (
        PROVIDER,
        "forbidden",
        "create clusterrolebinding other --clusterrole=cluster-admin --user=me",
    ),
    (PROVIDER, "forbidden", "create job other --image=x:1"),
    (CROSSPLANE, "forbidden", "run other --image=x:1"),
    (
        CROSSPLANE,
        "forbidden",
        "create clusterrolebinding other --clusterrole=cluster-admin --user=me",
    ),
    (CROSSPLANE, "forbidden", "create job other --image=x:1"),
];
const POLICY: &str = "may write only what an EventDrivenService is made of";

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("rbac", async |p| {
        p.needs_claims()?;
        for name in [PROVIDER, CROSSPLANE] {
            exactly(p, name, args.write).await?;
        }
        p.secret("mine", json!({"a": "b"})).await?;
        for (account, said, command) in REFUSED {
            refused(p, account, said, command).await?;
        }
        by_object(p).await
    })
    .await
}

fn account(name: &str) -> String {
    format!("system:serviceaccount:crossplane-system:{name}")
}

/// A line for each resource, with the verbs; what every account may ask about itself is left out.
async fn rights(name: &str) -> Result<BTreeSet<String>> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": "default"},
    });
    let api = Api::connect_as(&account(name)).await?;
    let answer = api.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", &review).await?;
    let mut verbs = BTreeMap::<String, BTreeSet<String>>::new();
    let texts = |rule: &Value, pointer: &str| -> Vec<String> {
        rule.list(pointer).filter_map(Value::as_str).map(str::to_owned).collect()
    };
    for rule in answer.list("/status/resourceRules") {
        for group in texts(rule, "/apiGroups") {
            for resource in texts(rule, "/resources") {
                let what = if group.is_empty() { resource } else { format!("{resource}.{group}") };
                if !what.starts_with("selfsubject") {
                    verbs.entry(what).or_default().extend(texts(rule, "/verbs"));
                }
            }
        }
    }
    let line = |(what, verbs): (String, BTreeSet<String>)| {
        format!("{what}: {}", verbs.into_iter().collect::<Vec<_>>().join(" "))
    };
    Ok(verbs.into_iter().map(line).collect())
}

/// The rights are those of the list.
async fn exactly(p: &Proof<'_>, name: &str, write: bool) -> Result<()> {
    let path = p.bed.script("rbac").join(format!("{name}.txt"));
    let rights = rights(name).await?;
    let text: String = rights.iter().map(|line| format!("{line}\n")).collect();
    p.keep(&format!("{name}.txt"), &text)?;
    if write {
        std::fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let listed = read(&path)?;
    let listed: BTreeSet<String> = listed
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let only = |sign: &str, these: &BTreeSet<String>, those: &BTreeSet<String>| -> String {
        these.difference(those).map(|line| format!("\n{sign} {line}")).collect()
    };
    let difference = only("<", &listed, &rights) + &only(">", &rights, &listed);
    ensure(difference.is_empty(), || {
        format!(
            "the rights of {name} are not those of testbed/rbac/{name}.txt \
             (<: only there, >: only in the cluster):{difference}"
        )
    })?;
    let resources = rights.len();
    p.passed(format!(
        "{name}: {resources} resources, with exactly the verbs of testbed/rbac/{name}.txt"
    ));
    Ok(())
}

/// The API server refuses it, and says so.
async fn refused(p: &Proof<'_>, name: &str, said: &str, command: &str) -> Result<()> {
    let mut kubectl = Command::new("kubectl");
    kubectl.args([&format!("--as={}", account(name)), "-n", &p.namespace]);
    let ended = output(kubectl.args(command.split(' '))).await?;
    let answer = both(&ended);
    ensure(!ended.status.success(), || format!("{name} could: {command}"))?;
    ensure(answer.contains(said), || {
        format!("{name} cannot {command}, but for another reason: {answer}")
    })?;
    p.passed(format!("{name} cannot: {command}"));
    Ok(())
}

/// The same through an Object, as whoever may create Objects would try it.
async fn by_object(p: &Proof<'_>) -> Result<()> {
    const WALL: &str = "Object is written by Crossplane only";
    let (api, name) = (p.api.clone(), p.namespace.clone());
    p.run.put_back("the Object of the proof", async move {
        let observe = json!({"spec": {"managementPolicies": ["Observe"]}});
        if api.get(&kinds::OBJECT, None, &name).await?.is_some() {
            api.patch(&kinds::OBJECT, None, &name, &observe).await?;
        }
        api.end(&kinds::OBJECT, None, &name, std::time::Duration::from_secs(50)).await
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"a": "b"},
        "metadata": {"name": "by-object", "namespace": p.namespace},
    });
    p.api
        .apply(&json!({
            "apiVersion": "kubernetes.crossplane.io/v1alpha2",
            "kind": "Object",
            "metadata": {"name": p.namespace,
            "labels": {"crossplane.io/claim-namespace": p.namespace}},
            "spec": {"providerConfigRef": {"name": "kubernetes-provider"},
            "forProvider": {"manifest": secret}},
        }))
        .await?;
    // The first wall is met first: the provider may not even take up an Object that Crossplane did not write.
    p.must(60, "the Object to be refused", async || {
        let object = p.object(&kinds::OBJECT, &p.namespace).await?;
        let synced = object.condition("Synced");
        Ok(synced.is_some_and(|synced| synced.status == "False" && synced.why().contains(WALL)))
    })
    .await?;
    if p.has(&kinds::SECRET, "by-object").await? {
        return failed("the Object made its Secret");
    }
    p.passed("an Object that holds a Secret is refused, and says so");
    Ok(())
}
