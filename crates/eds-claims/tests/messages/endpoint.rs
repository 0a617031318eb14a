//! What a claim can make KEDA's operator request: it asks for
//! `http://<monitoringEndpoint>/jsz?acc=<account>&consumers=true&config=true` for every claim in
//! the cluster, follows redirects, and reads the whole answer. So the endpoint must be one of the
//! platform's, and nothing in the account can end the query value.

use std::path::Path;

use eds_claims::{self as claims, Options};
use serde_json::{Value, json};

use super::findings;
use kube_schema::diagnostics::Severity;
use kube_schema::schema::ClaimApi;
use kube_schema::yaml;

/// Expects the codes of the errors.
#[track_caller]
fn check(field: &str, value: &str, expected: &[&str]) {
    let nats: Value = json!({"stream": "S", "consumer": "c", field: value});
    let claim = json!({
        "apiVersion": "platform.bizmatters.io/v1alpha1",
        "kind": "EventDrivenService",
        "metadata": {"name": "worker"},
        "spec": {"image": "registry.example.com/worker:1.0.0", "nats": nats},
    });
    let found = findings(&claim.to_string());
    let errors = found.iter().filter(|f| f.severity == Severity::Error);
    let codes: Vec<&str> = errors.map(|f| f.rule.code).collect();
    assert_eq!(codes, expected, "{field}: {value:?}\n{found:#?}");
}

#[test]
fn keda_asks_only_services_of_the_platforms_nats() {
    for allowed in [
        "nats-headless.nats.svc.cluster.local:8222",
        "nats-headless.nats.svc:8222",
        "nats-0.nats-headless.nats.svc.cluster.local:8222",
        "nats-0.nats-headless.nats.svc:8222",
        "n.nats.svc:1",
        "n.nats.svc:65535",
        "0.nats.svc:8222",
    ] {
        check("monitoringEndpoint", allowed, &[]);
    }
    for (refused, code) in [
        // Somebody's host, inside or outside the cluster.
        ("attacker.example.com:80", "EDS110"),
        ("evil.team-a.svc.cluster.local:8222", "EDS110"),
        ("nats-headless.payments.svc:8222", "EDS110"),
        ("kubernetes.default.svc:443", "EDS110"),
        ("localhost:8080", "EDS110"),
        ("metadata.google.internal:80", "EDS110"),
        ("nats:8222", "EDS110"),
        ("nats-headless.nats:8222", "EDS110"),
        ("nats.svc:8222", "EDS110"),
        // Looks like ours.
        ("nats-headless.nats.svc.cluster.local.example.com:8222", "EDS110"),
        ("nats-headless.nats.svc.example.com:8222", "EDS110"),
        ("nats-headless.nats.svc.cluster.local.:8222", "EDS105"),
        ("nats-headless.nats.svc-cluster.local:8222", "EDS110"),
        ("nats-headless.natsxsvc:8222", "EDS110"),
        ("a.b.c.nats.svc:8222", "EDS110"),
        ("nats-headless.evil-nats.svc:8222", "EDS110"),
        ("nats-headless.nats.svc.cluster.local:8222.example.com:80", "EDS105"),
        ("a..nats.svc:8222", "EDS110"),
        ("a-.nats.svc:8222", "EDS110"),
        ("NATS.NATS.SVC:8222", "EDS110"),
        // Addresses, however written.
        ("10.0.0.1:8222", "EDS110"),
        ("169.254.169.254:80", "EDS110"),
        ("127.1:8222", "EDS110"),
        ("2130706433:8222", "EDS110"),
        ("0x7f000001:8222", "EDS110"),
        ("[::1]:8222", "EDS105"),
        ("[fd00::1]:8222", "EDS105"),
        // Parts of a URL that are not a host and port.
        ("nats-headless.nats.svc:8222@attacker.example.com:80", "EDS105"),
        ("user:password@nats-headless.nats.svc:8222", "EDS105"),
        ("attacker.example.com/nats-headless.nats.svc:8222", "EDS105"),
        ("attacker.example.com:80/x?y=nats-headless.nats.svc:8222", "EDS105"),
        ("attacker.example.com:80?nats-headless.nats.svc:8222", "EDS105"),
        ("attacker.example.com:80#.nats.svc:8222", "EDS105"),
        ("attacker.example.com:80\\.nats.svc:8222", "EDS105"),
        ("http://nats-headless.nats.svc:8222", "EDS105"),
        ("nats-headless.nats.svc:8222/", "EDS105"),
        ("attacker.example.com%2f.nats.svc:8222", "EDS105"),
        ("nats-headless%00.nats.svc:8222", "EDS105"),
        ("attacker.example.com:80\n.nats.svc:8222", "EDS105"),
        ("nats-headless.nats.svc:8222\n", "EDS105"),
        (" nats-headless.nats.svc:8222", "EDS105"),
        ("attacker。example。com.nats.svc:8222", "EDS105"),
        ("nats-headless.nats.svc:8222,attacker.example.com:80", "EDS105"),
        ("$(ENDPOINT).nats.svc:8222", "EDS105"),
        // Ports.
        ("nats-headless.nats.svc", "EDS105"),
        ("nats-headless.nats.svc:", "EDS105"),
        ("nats-headless.nats.svc:http", "EDS105"),
        ("nats-headless.nats.svc:-1", "EDS105"),
        ("nats-headless.nats.svc:0", "EDS110"),
        ("nats-headless.nats.svc:08222", "EDS110"),
        ("nats-headless.nats.svc:65536", "EDS110"),
        ("nats-headless.nats.svc:99999", "EDS110"),
        ("nats-headless.nats.svc:100000", "EDS105"),
    ] {
        check("monitoringEndpoint", refused, &[code]);
    }
}

#[test]
fn an_account_stays_one_value_of_the_query() {
    let id = format!("A{}", "B".repeat(55));
    for allowed in ["$G", "PAYMENTS_TEAM", "payments-eu.1", "Zählung", &id, "a:b", "(x)", "~"] {
        check("account", allowed, &[]);
    }
    for refused in [
        "A&acc=OTHERS",
        "A;acc=OTHERS",
        "A#",
        "A%26acc=OTHERS",
        "A+B",
        "A?x",
        "A/../varz",
        "A\\..\\varz",
        "A=B",
        "user@host",
        "A B",
        "A\tB",
        "A\r\nHost: attacker.example.com",
        "A\u{0}",
        "A\u{7f}",
        "A\u{85}B",
        "A\u{a0}B",
        "A\"B",
        "<A>",
    ] {
        check("account", refused, &["EDS105"]);
    }
}

/// The policy of `components/claim-bounds`, as an engineer finds it.
#[test]
fn what_a_claim_may_ask_for_can_be_bounded() {
    let read = |name: &str| {
        let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platform/04-apis").join(name);
        let stream = yaml::parse(&std::fs::read_to_string(api).unwrap());
        assert_eq!(stream.problems, [], "{name}");
        stream.documents
    };
    let api = ClaimApi::from_xrd(&read("definitions/xeventdrivenservices.yaml")[0].to_json());
    let policy = read("components/claim-bounds/policy.yaml")[0].to_json();
    let bounded = api.unwrap().with_policy(&policy);
    let check = |spec: &str, expected: &[&str]| {
        let text = format!(
            "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: \
                {{name: w}}\nspec:\n  image: a/b:1\n  nats: {{stream: S, consumer: c}}\n  \
                {spec}\n"
        );
        let found = claims::check(&text, &bounded, Options::default()).findings;
        let said: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(said.len(), expected.len(), "{spec}: {said:?}");
        for (said, part) in said.iter().zip(expected) {
            assert!(said.contains(part), "{spec}: {said:?}");
        }
    };
    check("size: large", &[]);
    check("resources: {limits: {memory: 16Gi, cpu: 8}}", &[]);
    check("resources: {limits: {memory: 17Gi}}", &["memory is above"]);
    check("resources: {limits: {cpu: 8500m}}", &["cpu is above"]);
    check("scaling: {maxReplicas: 50}", &[]);
    check("scaling: {maxReplicas: 51}", &["maxReplicas is above"]);
}
