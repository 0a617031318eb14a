//! A NATS with named accounts, users and passwords.

use std::path::Path;

use anyhow::{Context, Result};
use eds_cluster::{kinds, nats};
use kube_object::object::Fields;
use serde_json::{Value, json};

use super::Worker;
use crate::api::Api;
use crate::claim::merge;
use crate::proof::{Proof, carry_out, ensure, manifest, manifests, read};

/// A NATS with named accounts and users with passwords: messages are processed, the service scales, and KEDA is asked
/// for the account by name. The claim is examples/named-account.yaml.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: Worker,
}

/// Where the NATS of this proof stands: beside the testbed's, where the API lets claims have KEDA ask.
const HOME: &str = "nats";
const PASSWORDS: &str = "nats-accounts-passwords";
const CLAIM: &str = "order-mailer";

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("accounts", async |p| {
        p.bed.worker(&p.image, &args.worker.worker).await?;
        // nats-server reads a value that begins with a digit as a number.
        let password = format!("pw{}", random()?);
        server(p, &password).await?;
        let url = format!("nats://orders:{password}@nats-accounts.nats.svc:4222");
        by_verify(p, &url, &password).await?;
        by_example(p, &url, &password).await?;
        wrong_accounts(p).await
    })
    .await
}

fn random() -> Result<String> {
    use std::io::Read as _;
    let mut bytes = [0_u8; 12];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Gone again at the end.
async fn server(p: &Proof<'_>, password: &str) -> Result<()> {
    let mut server = manifests(&read(&p.bed.script("manifests/nats/accounts.yaml"))?)?;
    let testbeds = p.api.there(&kinds::STATEFUL_SET, Some(HOME), "nats").await?;
    let image = testbeds.text("/spec/template/spec/containers/0/image").to_owned();
    for object in &mut server {
        merge(object, &json!({"metadata": {"namespace": HOME}}));
        if let Some(place) = object.pointer_mut("/spec/template/spec/containers/0/image") {
            *place = json!(image);
        }
    }
    let (api, objects) = (p.api.clone(), server.clone());
    p.run.at_end("the NATS with accounts", async move { gone(&api, &objects).await });
    gone(&p.api, &server).await?;
    p.must(60, "the NATS of an earlier run to be gone", async || {
        Ok(p.api.list(&kinds::POD, Some(HOME), "app=nats-accounts").await?.is_empty())
    })
    .await?;
    let passwords = json!({
        "ORDERS_PASSWORD": password,
        "OTHERS_PASSWORD": format!("{password}2"),
        "ADMIN_PASSWORD": format!("{password}3"),
    });
    let metadata = json!({"name": PASSWORDS, "namespace": HOME});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata,
    "stringData": passwords});
    p.api.apply(&secret).await?;
    for object in &server {
        p.api.apply(object).await?;
    }
    p.must(60, "NATS with accounts to be available", async || {
        let deployment = p.api.there(&kinds::DEPLOYMENT, Some(HOME), "nats-accounts").await?;
        Ok(crate::claim::is_available(&deployment))
    })
    .await
}

async fn gone(api: &Api, objects: &[Value]) -> Result<()> {
    for object in objects {
        let kind = eds_cluster::Kind::of(object).context("a kind that is not known")?;
        api.delete(kind, Some(HOME), object.name()).await?;
    }
    api.delete(&kinds::SECRET, Some(HOME), PASSWORDS).await
}

/// In namespaces of their own, with the login in a Secret.
async fn by_verify(p: &Proof<'_>, url: &str, password: &str) -> Result<()> {
    let monitoring = "nats-accounts-headless.nats.svc.cluster.local:8222";
    let with = [
        "--image",
        &p.image,
        "--nats-url",
        url,
        "--account",
        "ORDERS",
        "--monitoring-endpoint",
        monitoring,
    ];
    let report = p.evidence.join("report").to_string_lossy().into_owned();
    p.eds(0, "none lost", &[&["verify", "functional"], &with[..]].concat()).await?;
    let scaling = ["--messages", "20", "--max-replicas", "3", "--report", &report];
    p.eds(0, "scales up", &[&["verify", "autoscaling"], &with[..], &scaling].concat()).await?;
    ensure(!holds(&p.evidence, password)?, || {
        "the password is in a report or in what was printed".to_owned()
    })
}

/// Whether a file below the directory holds the text.
fn holds(directory: &Path, text: &str) -> Result<bool> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            holds(&path, text)?
        } else {
            String::from_utf8_lossy(&std::fs::read(&path)?).contains(text)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The documented claim, in this namespace, with this worker.
async fn example(p: &Proof<'_>, change: &Value) -> Result<()> {
    let mut claim = manifest(&read(&p.bed.api("examples/named-account.yaml"))?)?;
    merge(&mut claim, &json!({"metadata": {"namespace": p.namespace}, "spec": {"image": p.image}}));
    merge(&mut claim, change);
    p.api.apply(&claim).await
}

async fn by_example(p: &Proof<'_>, url: &str, password: &str) -> Result<()> {
    p.secret("orders-nats", json!({"user": "orders", "password": password})).await?;
    p.run.ensure(&url.into(), "ORDERS", CLAIM, nats::Settings::default()).await?;
    example(p, &json!({})).await?;
    p.becomes_ready(CLAIM).await?;
    let connection = nats::connect(&p.run.cluster, &url.into(), &p.namespace).await?;
    let message =
        |i| (format!("order-{i}"), json!({"task": format!("order {i}")}).to_string().into());
    connection.publish("ORDERS", &[1, 2, 3].map(message)).await?;
    p.must(30, "the example to process 3 messages", async || {
        let info =
            connection.ask(format!("CONSUMER.INFO.ORDERS.{CLAIM}"), &[]).await?.unwrap_or_default();
        let open = info.number("/num_pending") + info.number("/num_ack_pending");
        Ok(open == 0 && info.number("/ack_floor/stream_seq") == 3)
    })
    .await?;
    p.passed("order-mailer: 3 messages processed with user and password from its Secret");
    p.eds_soon(60, 0, "0 failed", &["verify", "keda", &place(p)]).await
}

fn place(p: &Proof<'_>) -> String {
    format!("{}/{CLAIM}", p.namespace)
}

/// Another account that exists, and one that does not.
async fn wrong_accounts(p: &Proof<'_>) -> Result<()> {
    for account in ["OTHERS", "NOBODYS"] {
        example(p, &json!({"spec": {"nats": {"account": account}}})).await?;
        p.must_say(60, CLAIM, "ScalerFailed", &format!("account {account}")).await?;
        if account == "OTHERS" {
            p.passed(format!("order-mailer: {}", p.message(CLAIM).await));
        }
    }
    p.eds_soon(60, 1, "NATS has no account NOBODYS with JetStream", &["verify", "keda", &place(p)])
        .await?;
    example(p, &json!({})).await?;
    p.must(120, "the claim to recover by itself", async || p.ready(CLAIM).await).await?;
    p.passed("order-mailer: mended, and Ready");
    Ok(())
}
