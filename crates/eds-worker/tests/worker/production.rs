//! NATS as production runs it: accounts in operator mode, users and passwords, TLS with an authority
//! of one's own, JetStream domains.

use std::fs;
use std::path::{Path, PathBuf};

use nats_identities::{Account, Authority, Operator};

use crate::support::nats::{Login, Nats};
use crate::support::{
    Directory, Worker, drained, eventually, free_port, operator, publish, wait, wrong_settings,
};

/// A directory with files, as a pod's Secrets would be mounted.
struct Mounted(Directory);

impl Mounted {
    fn new() -> Self {
        Self(Directory::new("mounted"))
    }

    /// Writes a file, in one step as kubelet does, and returns its path.
    fn put(&self, name: &str, text: &str) -> String {
        let (path, new) = (self.path(name), self.path("new"));
        fs::write(&new, text).expect("a file");
        fs::rename(new, &path).expect("its place");
        path.to_str().expect("text").to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.0.path()).join(name)
    }
}

/// Lets a worker process three messages, and looks at what it logged.
async fn works(nats: &Nats, login: &Login, more: &[(&str, &str)]) {
    let jetstream = nats.context_of(login).await;
    operator(&jetstream, 30.0).await;
    publish(&jetstream, 3, "{}").await;
    let worker = Worker::start(&nats.url(), more);
    worker.ready().await;
    drained(&jetstream, 10.0).await;
    assert_eq!(worker.lines().len(), 3, "{}", worker.log());
    let log = worker.log();
    for secret in ["s3cret", "NKEY SEED", "PRIVATE KEY", "eyJ"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// Starts a worker that cannot connect, and waits for the cause in `/ready` and in its log.
async fn fails(url: &str, more: &[(&str, &str)], causes: &[&str]) {
    let mut worker = Worker::start(url, more);
    eventually(&format!("{causes:?} for {more:?}"), 10.0, async || {
        let (status, body) = worker.get("/ready");
        let body = body.replace("\\\"", "\"");
        (status == 503 && causes.iter().all(|cause| body.contains(cause))).then_some(())
    })
    .await;
    assert!(worker.running(), "{}", worker.log());
    assert!(worker.log().contains(causes[0]), "{}", worker.log());
    assert!(!worker.log().contains("s3cret"), "{}", worker.log());
}

#[tokio::test]
async fn operator_mode_with_a_credentials_file() {
    let (trusted, orders, other) =
        (Operator::new("ops"), Account::new("ORDERS"), Account::new("X"));
    let config = trusted.configuration(&[&orders]).expect("a configuration");
    let Some(mut nats) = Nats::start_with(&config).await else { return };
    let mounted = Mounted::new();
    let admin = orders.user("admin", None).expect("a user");
    let file = mounted.put("worker.creds", &orders.user("worker", None).expect("a user"));
    let login = Login::Creds(admin.clone());
    works(&nats, &login, &[("NATS_CREDS", &file)]).await;

    // By the text, as from a Secret's variable.
    let text = orders.user("worker", None).expect("a user");
    let worker = Worker::start(&nats.url(), &[("NATS_CREDS", &text)]);
    worker.ready().await;
    drop(worker);

    // Without a login, and with one of an account that the server does not know.
    fails(&nats.url(), &[], &["it wants a login: give a credentials file"]).await;
    let foreign = mounted.put("foreign.creds", &other.user("worker", None).expect("a user"));
    let who = format!("of account {}", other.id());
    let refused = format!("it does not take the user of NATS_CREDS={foreign} (user U");
    fails(&nats.url(), &[("NATS_CREDS", &foreign)], &[&refused, &who]).await;

    // Over, and renewed while the worker runs.
    let over = mounted.put("over.creds", &orders.user("worker", Some(-60)).expect("a user"));
    let worker = Worker::start(&nats.url(), &[("NATS_CREDS", &over)]);
    let cause = format!("NATS_CREDS={over}: its JWT expired 6");
    eventually("the cause", 5.0, async || worker.get("/ready").1.contains(&cause).then_some(()))
        .await;
    mounted.put("over.creds", &orders.user("worker", None).expect("a user"));
    worker.ready().await;

    // Replaced while it is connected: the next connection uses the new one.
    mounted.put("over.creds", &other.user("worker", None).expect("a user"));
    nats.stop();
    wait(0.3).await;
    nats.start_again().await;
    let cause = format!("{} (user U", over);
    eventually("refused", 15.0, async || worker.get("/ready").1.contains(&cause).then_some(()))
        .await;
    mounted.put("over.creds", &orders.user("worker", None).expect("a user"));
    worker.ready().await;
}

#[tokio::test]
async fn a_user_is_over_while_it_is_connected() {
    let (trusted, orders) = (Operator::new("ops"), Account::new("ORDERS"));
    let config = trusted.configuration(&[&orders]).expect("a configuration");
    let Some(nats) = Nats::start_with(&config).await else { return };
    let mounted = Mounted::new();
    let login = Login::Creds(orders.user("admin", None).expect("a user"));
    operator(&nats.context_of(&login).await, 30.0).await;
    let file = mounted.put("worker.creds", &orders.user("worker", Some(3)).expect("a user"));
    let worker = Worker::start(&nats.url(), &[("NATS_CREDS", &file)]);
    worker.ready().await;
    let cause = format!("NATS_CREDS={file}: its JWT expired");
    eventually("the cause", 10.0, async || worker.get("/ready").1.contains(&cause).then_some(()))
        .await;
    mounted.put("worker.creds", &orders.user("worker", None).expect("a user"));
    worker.ready().await;
}

#[tokio::test]
async fn an_nkey_without_a_jwt() {
    let key = nkeys::KeyPair::new_user();
    let config = format!(
        "authorization {{ users: [ {{nkey: {}}}, {{user: admin, password: \"s3cret1\"}} ] }}",
        key.public_key()
    );
    let Some(nats) = Nats::start_with(&config).await else { return };
    let mounted = Mounted::new();
    let file = mounted.put("worker.nk", &key.seed().expect("a seed"));
    let login = Login::User("admin".into(), "s3cret1".into());
    works(&nats, &login, &[("NATS_CREDS", &file)]).await;
    let other = nkeys::KeyPair::new_user();
    let file = mounted.put("other.nk", &other.seed().expect("a seed"));
    let who = format!("(user {})", other.public_key());
    fails(&nats.url(), &[("NATS_CREDS", &file)], &[&who]).await;
}

#[tokio::test]
async fn user_and_password_in_every_way_that_a_claim_has() {
    let config = "authorization { users: [ {user: worker, password: \"s3cret/@:%\"} ] }";
    let Some(nats) = Nats::start_with(config).await else { return };
    let login = Login::User("worker".into(), "s3cret/@:%".into());
    works(&nats, &login, &[("NATS_USER", "worker"), ("NATS_PASSWORD", "s3cret/@:%")]).await;
    let host = format!("127.0.0.1:{}", nats.port());
    // As Kubernetes puts $(NATS_USER):$(NATS_PASSWORD) into the URL, and as a person writes it.
    let expanded = format!("nats://worker:s3cret/@:%@{host}");
    let variables = [("NATS_USER", "worker"), ("NATS_PASSWORD", "s3cret/@:%")];
    Worker::start(&expanded, &variables).ready().await;
    Worker::start(&format!("nats://worker:s3cret%2F%40%3A%25@{host}"), &[]).ready().await;
    fails(
        &format!("nats://worker:s3cretwrong@{host}"),
        &[],
        &["it does not take user and password in NATS_URL"],
    )
    .await;
    let wrong = [("NATS_USER", "worker"), ("NATS_PASSWORD", "s3cretwrong")];
    fails(&nats.url(), &wrong, &["it does not take NATS_USER and NATS_PASSWORD"]).await;
}

/// A server with TLS that asks for client certificates.
struct Tls {
    nats: Nats,
    mounted: Mounted,
    own: Authority,
    foreign: Authority,
}

async fn tls(hosts: &[&str], verify: bool) -> Option<Tls> {
    let mounted = Mounted::new();
    let own = Authority::new("own").expect("a CA");
    let foreign = Authority::new("foreign").expect("a CA");
    let server = own.certificate("server", hosts).expect("a certificate");
    mounted.put("own.pem", &own.pem());
    mounted.put("foreign.pem", &foreign.pem());
    let config = format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: {verify} }}",
        mounted.put("server.pem", &server.cert),
        mounted.put("server.key", &server.key),
        mounted.path("own.pem"),
    );
    let nats = Nats::start_with(&config).await?;
    for (name, authority) in [("worker", &own), ("stranger", &foreign)] {
        let one = authority.certificate(name, &[name]).expect("a certificate");
        mounted.put(&format!("{name}.pem"), &one.cert);
        mounted.put(&format!("{name}.key"), &one.key);
    }
    Some(Tls { nats, mounted, own, foreign })
}

#[tokio::test]
async fn tls_with_a_client_certificate() {
    let Some(Tls { nats, mounted, own, foreign }) = tls(&["127.0.0.1"], true).await else { return };
    let text = |name: &str| mounted.path(name).to_str().expect("text").to_owned();
    let (ca, cert, key) = (text("own.pem"), text("worker.pem"), text("worker.key"));
    let all = [("NATS_CA", &*ca), ("NATS_CERT", &*cert), ("NATS_KEY", &*key)];
    let login = Login::Tls { ca: ca.clone(), cert: cert.clone(), key: key.clone() };
    works(&nats, &login, &all).await;

    // The settings, wrong one at a time: it does not start.
    let url = nats.url();
    for (name, value, cause) in [
        ("NATS_CA", "/nowhere", "NATS_CA: /nowhere cannot be read: entity not found; is that key"),
        ("NATS_CA", &*key, "holds no certificate (-----BEGIN CERTIFICATE-----)"),
        ("NATS_KEY", &*cert, "holds no private key (-----BEGIN PRIVATE KEY-----)"),
        ("NATS_KEY", &*text("stranger.key"), "does not fit the certificate in NATS_CERT"),
    ] {
        let settings: Vec<(&str, &str)> =
            all.iter().map(|(n, v)| if *n == name { (*n, value) } else { (*n, *v) }).collect();
        let said = wrong_settings(&url, &settings);
        assert!(said.contains(cause) && said.contains(name), "{name}={value}: {said}");
    }

    // Files that are right, and do not suit the server.
    fails(&url, &[], &["name it in spec.nats.tls.ca"]).await;
    let wrong = format!("the CA in NATS_CA, {}, did not sign", text("foreign.pem"));
    fails(&url, &[("NATS_CA", &text("foreign.pem"))], &[&wrong]).await;
    fails(&url, &[("NATS_CA", &ca)], &["the server asks for a client certificate"]).await;
    let stranger = [
        ("NATS_CA", &*ca),
        ("NATS_CERT", &*text("stranger.pem")),
        ("NATS_KEY", &*text("stranger.key")),
    ];
    fails(&url, &stranger, &["the server does not take the certificate in NATS_CERT"]).await;
    let by_name = format!("nats://localhost:{}", nats.port());
    fails(&by_name, &all, &["name the server in spec.nats.url as its certificate does"]).await;

    // Renewed while the worker waits.
    let (file, other) = (mounted.put("renewed.pem", &foreign.pem()), own.pem());
    let renewed = [("NATS_CA", &*file), ("NATS_CERT", &*cert), ("NATS_KEY", &*key)];
    let worker = Worker::start(&url, &renewed);
    eventually("a cause", 5.0, async || worker.get("/ready").1.contains("sign").then_some(()))
        .await;
    mounted.put("renewed.pem", &other);
    worker.ready().await;
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_in_the_clear() {
    let Some(nats) = Nats::start().await else { return };
    let mounted = Mounted::new();
    let ca = mounted.put("ca.pem", &Authority::new("own").expect("a CA").pem());
    fails(&nats.url(), &[("NATS_CA", &ca)], &["the server does not speak TLS at this port"]).await;
}

#[tokio::test]
async fn a_stream_in_another_domain() {
    let (leaf_port, directory) = (free_port(), Directory::new("hub"));
    let own = |domain: &str| {
        let store = directory.path().join(domain);
        format!("server_name: {domain}\njetstream {{ domain: {domain}, store_dir: {store:?} }}")
    };
    let listens = format!("leafnodes {{ listen: 127.0.0.1:{leaf_port} }}\n{}", own("hub"));
    let Some(hub) = Nats::start_with(&listens).await else { return };
    let remote = format!("[ {{ url: \"nats://127.0.0.1:{leaf_port}\" }} ]");
    let joins = format!("leafnodes {{ remotes: {remote} }}\n{}", own("leaf"));
    let Some(leaf) = Nats::start_with(&joins).await else { return };
    let jetstream = leaf.context().await;
    operator(&jetstream, 30.0).await;
    publish(&jetstream, 3, "{}").await;
    // The worker connects to the hub, and works on the leaf's stream.
    let worker = Worker::start(&hub.url(), &[("NATS_DOMAIN", "leaf")]);
    worker.ready().await;
    drained(&jetstream, 10.0).await;
    assert_eq!(worker.lines().len(), 3, "{}", worker.log());
    fails(
        &hub.url(),
        &[("NATS_DOMAIN", "moon")],
        &["no JetStream domain moon answers (NATS_DOMAIN): correct spec.nats.domain"],
    )
    .await;
    fails(&hub.url(), &[], &["stream WORK is missing in this NATS account"]).await;
}
