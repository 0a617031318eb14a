//! NATS as production runs it: operator mode, several servers, https, domains; and a worker that
//! cannot log in.

use eds_verify::claim::secrets::{Found, Secret};
use eds_verify::scaler::{ScalerFacts, endpoint, report, trigger};
use serde_json::{Value, json};

use super::{at, says, scaler};

const ID: &str = "ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA";
const HOST: &str = "nats-headless.nats.svc.cluster.local:8222";

/// A claim in operator mode, over https, on three servers of which `leader` leads the consumer.
fn production(leader: &str) -> ScalerFacts {
    let mut facts = scaler::well();
    let nats = at(&mut facts.claim, "/spec/nats");
    nats["accountID"] = json!(ID);
    nats["monitoringEndpoint"] = json!(format!("https://{HOST}"));
    let metadata = at(facts.scaled_object.as_mut().unwrap(), "/spec/triggers/0/metadata");
    metadata["account"] = json!(ID);
    metadata["natsServerMonitoringEndpoint"] = json!(HOST);
    metadata["useHttps"] = json!("true");
    let body = at(facts.asked.as_mut().unwrap(), "/body");
    body["meta_cluster"]["cluster_size"] = json!(3);
    body["account_details"][0]["id"] = json!(ID);
    body["account_details"][0]["name"] = json!("ORDERS");
    let consumer = at(body, "/account_details/0/stream_detail/0/consumer_detail/0");
    consumer["cluster"] = json!({"leader": leader});
    let body = body.clone();
    let node = |name: &&str| json!({"node": name, "host": format!("{name}.x"), "body": body});
    facts.nodes = ["nats-0", "nats-1", "nats-2"].iter().map(node).collect();
    facts
}

#[track_caller]
fn check(leader: &str, change: impl FnOnce(&mut ScalerFacts), expected: &[&str]) {
    let mut facts = production(leader);
    change(&mut facts);
    says(&report(&facts), expected);
}

fn silence(facts: &mut ScalerFacts, node: usize) {
    let node = facts.nodes[node].as_object_mut().unwrap();
    node.remove("body");
    node.insert("silent".to_owned(), json!("connection refused"));
}

fn not_ready(facts: &mut ScalerFacts, said: &str) {
    let conditions = json!([{"type": "Ready", "status": "False", "message": "no"}]);
    facts.scaled_object.as_mut().unwrap()["status"] = json!({"conditions": conditions});
    facts.events = vec![json!({"type": "Warning", "reason": "KEDAScalerFailed", "message": said})];
}

#[test]
fn all_is_well() {
    for leader in ["nats-0", "nats-1", "nats-2"] {
        check(leader, |_| {}, &[]);
    }
}

#[test]
fn the_trigger_of_a_claim_in_production() {
    const IT: &str = "Trigger, against the claim: ";
    let set = |key: &'static str, value: &'static str| {
        move |f: &mut ScalerFacts| {
            let metadata = at(f.scaled_object.as_mut().unwrap(), "/spec/triggers/0/metadata");
            metadata[key] = json!(value);
        }
    };
    let wrong = format!("{IT}account: failed: the claim says {ID}, the ScaledObject $G");
    let seen = "What KEDA sees: account: failed: NATS has no account $G with JetStream";
    check("nats-0", set("account", "$G"), &[&wrong, seen]);
    // KEDA prefers the id, wherever the trigger has it.
    check(
        "nats-0",
        |f| {
            set("account", "ORDERS")(f);
            set("accountID", ID)(f);
        },
        &[],
    );
    let plain = format!(
        "{IT}monitoring endpoint: failed: the claim says https://{HOST}, the ScaledObject {HOST}"
    );
    check("nats-0", set("useHttps", "false"), &[&plain]);
    // Another trigger before it.
    check(
        "nats-0",
        |f| {
            let triggers = at(f.scaled_object.as_mut().unwrap(), "/spec/triggers");
            triggers.as_array_mut().unwrap().insert(0, json!({"type": "cron", "metadata": {}}));
        },
        &[],
    );
}

#[test]
fn the_endpoint_of_a_trigger() {
    let of = |https: &str| {
        let metadata = json!({"natsServerMonitoringEndpoint": HOST, "useHttps": https});
        let trigger_ = json!({"type": "nats-jetstream", "metadata": metadata});
        let scaled_object = json!({"spec": {"triggers": [trigger_]}});
        endpoint(trigger(&scaled_object)).unwrap().https
    };
    assert!(of("true") && !of("false") && !of(""));
}

#[test]
fn certificates_of_the_monitoring_port() {
    const IT: &str = "What KEDA sees: certificate: ";
    let refused = |said: &'static str| move |f: &mut ScalerFacts| not_ready(f, said);
    let state = "State: ScaledObject: failed: no";
    let case = |said: &'static str, fix: &str| {
        let mut facts = production("nats-0");
        refused(said)(&mut facts);
        let found = report(&facts);
        let refuses = format!("{IT}failed: KEDA refuses it: {said}");
        says(&found, &[&refuses, state]);
        let check = found.checks().find(|check| check.name == "certificate").unwrap();
        assert!(check.fix.as_ref().unwrap().contains(fix), "{check:?}");
    };
    case(
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "/custom/ca",
    );
    case(
        "x509: certificate is valid for nats.nats.svc, not nats-headless.nats.svc.cluster.local",
        "must name nats-headless.nats.svc.cluster.local and, in a NATS cluster",
    );
    case("x509: certificate has expired or is not yet valid", "renew the certificate");
    // Nothing is known of it yet.
    let mut facts = production("nats-0");
    not_ready(&mut facts, "consumer not found");
    says(&report(&facts), &[&format!("{IT}skipped: eds asks through the API server"), state]);
}

#[test]
fn the_other_scheme() {
    let answered = |code: i64, text: &str, https: &str, expect: &str| {
        let mut facts = production("nats-0");
        let metadata = at(facts.scaled_object.as_mut().unwrap(), "/spec/triggers/0/metadata");
        metadata["useHttps"] = json!(https);
        let endpoint = if https == "true" { format!("https://{HOST}") } else { HOST.to_owned() };
        facts.claim["spec"]["nats"]["monitoringEndpoint"] = json!(endpoint);
        facts.asked = Some(json!({"path": "/jsz", "code": code, "body": text}));
        let found = report(&facts);
        let check = found.checks().find(|check| check.name == "KEDA's query").unwrap();
        assert!(check.fix.as_ref().unwrap().contains(expect), "{check:?}");
    };
    answered(400, "Client sent an HTTP request to an HTTPS server.", "false", "speaks https");
    let plain = "error trying to reach service: http: server gave HTTP response to HTTPS client";
    answered(503, plain, "true", "speaks plain http");
}

#[test]
fn servers_that_are_away() {
    const IT: &str = "What KEDA sees: servers: ";
    // KEDA gives up at the first that does not answer, unless it knows the leader already.
    let known = format!(
        "{IT}warning: nats-0 does not answer: connection refused. KEDA asks \
         nats-0, nats-1, nats-2 in this order"
    );
    check("nats-1", |f| silence(f, 0), &[&known]);
    let lost = known.replace("warning", "failed");
    check(
        "nats-1",
        |f| {
            silence(f, 0);
            not_ready(f, "dial tcp: connection refused");
        },
        &[&lost, "What KEDA sees: certificate: skipped: eds", "State: ScaledObject: failed: no"],
    );
    // KEDA says Ready between two failures; the autoscaler has no metric all the while.
    check(
        "nats-1",
        |f| {
            silence(f, 0);
            let active = at(f.hpa.as_mut().unwrap(), "/status/conditions/1");
            *active = json!({"type": "ScalingActive", "status": "False",
                "reason": "FailedGetExternalMetric", "message": "none"});
        },
        &[
            &lost,
            "What KEDA sees: certificate: skipped: eds",
            "State: autoscaler: failed: ScalingActive is False",
        ],
    );
    let after = format!(
        "{IT}warning: nats-2 does not answer: connection refused. KEDA finds the \
         leader nats-1 before"
    );
    check("nats-1", |f| silence(f, 2), &[&after]);
    const LEADER: &str = "What KEDA sees: leader: failed: ";
    let away = format!(
        "{LEADER}the leader of consumer order-processor is nats-1, and KEDA cannot ask it: \
         nats-1 does not answer"
    );
    check("nats-1", |f| silence(f, 1), &[&away]);
    let none = format!(
        "{LEADER}consumer order-processor has no leader: most of its servers must \
         be up; nats-0 does not answer"
    );
    check("", |f| silence(f, 0), &[&none]);
    let named = format!(
        "{LEADER}the leader of consumer order-processor calls itself blue; KEDA \
         knows the servers as nats-0, nats-1, nats-2"
    );
    check("blue", |_| {}, &[&named]);
    let advertised =
        "What KEDA sees: advertised addresses: warning: the servers advertise 10.0.0.1";
    check(
        "nats-1",
        |f| {
            f.nodes[0]["advertised"] = json!(true);
            f.nodes[0]["host"] = json!("10.0.0.1");
        },
        &[advertised],
    );
}

#[test]
fn the_domain_of_the_servers() {
    let domain = |claim: &str, server: Value, expected: &[&str]| {
        check(
            "nats-0",
            |f| {
                f.claim["spec"]["nats"]["domain"] = json!(claim);
                at(f.asked.as_mut().unwrap(), "/body")["config"] = json!({"domain": server});
            },
            expected,
        );
    };
    domain("leaf", json!("leaf"), &[]);
    const IT: &str = "What KEDA sees: JetStream domain: failed: the claim's consumer is \
        in domain leaf, the servers that KEDA asks are of ";
    domain("leaf", json!("hub"), &[&format!("{IT}hub")]);
    domain("leaf", Value::Null, &[&format!("{IT}no domain")]);
}

#[test]
fn the_secrets_of_spec_nats() {
    let claim = json!({"spec": {
        "secretRefs": [{"name": "db"}],
        "nats": {
            "credentials": {"secret": "login", "key": "user.creds"},
            "tls": {"secret": "tls", "ca": "ca.crt", "cert": "tls.crt", "key": "tls.key"},
        },
    }});
    assert_eq!(eds_verify::claim::secrets::names(&claim), ["db", "login", "tls"]);
    let secret = |name: &str, found: Found| Secret { name: name.to_owned(), found };
    let keys = |keys: &[&str]| {
        Found::Keys("Opaque".to_owned(), keys.iter().map(|key| (*key).to_owned()).collect())
    };
    let check = |login: Found, tls: Found, expected: &str| {
        // Nobody asks NATS with what is in them, and that is said.
        let asked = "Secrets: login to NATS: skipped: eds does not connect to NATS with the \
            credentials file of Secret login and the TLS files of Secret tls";
        let failed = format!("Secrets: {expected}");
        let others = if expected.is_empty() { vec![asked] } else { vec![asked, &failed] };
        let diagnosis = expected.replacen(": failed: ", ": ", 1);
        let diagnosis = match diagnosis.as_str() {
            "" => String::new(),
            diagnosis => format!("Secrets, {diagnosis}"),
        };
        super::claim::check(
            |facts| {
                for field in ["credentials", "tls"] {
                    facts.claim["spec"]["nats"][field] = claim["spec"]["nats"][field].clone();
                }
                facts.secrets.extend([secret("login", login), secret("tls", tls)]);
            },
            &diagnosis,
            &others,
        );
    };
    let (login, tls) = (keys(&["user.creds"]), keys(&["ca.crt", "tls.crt", "tls.key"]));
    check(login.clone(), tls.clone(), "");
    check(
        Found::Missing,
        tls,
        "login, of spec.nats.credentials: failed: there is no Secret login in shop",
    );
    check(
        login,
        keys(&["ca.crt"]),
        "tls, of spec.nats.tls: failed: it has no key tls.crt (spec.nats.tls.cert), tls.key \
            (spec.nats.tls.key); it has ca.crt",
    );
}

/// The reference worker says in its log why it is not ready; doctor repeats it, with its fix.
#[test]
fn what_the_worker_says_about_nats() {
    let case = |cause: &str, expect: &str, fix: &str| {
        let mut facts = super::claim::well();
        super::claim::not_ready(&mut facts, "pod worker-b-1 is not ready");
        facts.claim["spec"]["nats"]["credentials"] = json!({"secret": "login", "key": "c"});
        facts.claim["spec"]["nats"]["tls"] = json!({"secret": "tls", "ca": "ca.crt"});
        let keys = |key: &str| Found::Keys("Opaque".to_owned(), vec![key.to_owned()]);
        for (name, key) in [("login", "c"), ("tls", "ca.crt")] {
            facts.secrets.push(Secret { name: name.to_owned(), found: keys(key) });
        }
        let pod = &mut facts.pods[0];
        pod["status"]["conditions"][0] = json!({"type": "Ready", "status": "False"});
        pod["status"]["containerStatuses"][0]["ready"] = json!(false);
        let line = |level: &str, cause: &str| json!({"level": level, "cause": cause}).to_string();
        let lines = [line("WARN", "older"), line("WARN", cause), line("INFO", "other"), "x".into()];
        facts.logs = vec![eds_verify::claim::Log {
            pod: "worker-b-1".to_owned(),
            container: "main".to_owned(),
            text: lines.join("\n"),
        }];
        let report = eds_verify::claim::report(&facts);
        let first = &report.sections[0].checks[0];
        assert!(first.detail.contains(&format!("its log says: {expect}")), "{first:?}");
        let said = first.fix.as_ref().unwrap();
        assert!(said.contains(fix), "{said}");
    };
    let refused = "not connected to NATS: h:4222: authorization violation; it does not take the \
        user of NATS_CREDS=/run/nats/credentials/c";
    case(refused, refused, "correct the Secret login in shop, which spec.nats.credentials names");
    let untrusted = "not connected to NATS: h:4222: invalid peer certificate: UnknownIssuer; the \
        CA in NATS_CA, /run/nats/tls/ca.crt, did not sign the server's certificate";
    case(untrusted, untrusted, "correct the Secret tls in shop, which spec.nats.tls names");
}
