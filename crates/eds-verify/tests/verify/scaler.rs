//! `eds verify keda`: the full example's ScaledObject, and a NATS that answers KEDA like
//! nats-server 2.15.

use eds_verify::Unread;
use eds_verify::scaler::{ScalerFacts, report};
use serde_json::{Value, json};

use super::deployment::{full_claim, rendered};
use super::{at, remove, says};

const SEEN: &str = "What KEDA sees: ";
const LIMITS: &str = "Consumer, against the scaling: ";

fn answer(body: Value) -> Option<Value> {
    Some(json!({"path": "/jsz?acc=$G", "code": 200, "body": body}))
}

/// The answer to KEDA's query: one account, stream and consumer.
fn jsz() -> Value {
    json!({
        "meta_cluster": {"cluster_size": 1},
        "account_details": [{"name": "$G", "id": "$G", "stream_detail": [{
            "name": "ORDERS",
            "state": {"messages": 12},
            "consumer_detail": [{
                "name": "order-processor",
                "num_pending": 7,
                "num_ack_pending": 5,
                "num_waiting": 1,
                "config": {
                    "ack_policy": "explicit",
                    "ack_wait": 60_000_000_000_i64,
                    "max_ack_pending": 1000,
                },
            }],
        }]}],
    })
}

pub(super) fn well() -> ScalerFacts {
    let mut scaled_object = rendered().pop().unwrap();
    scaled_object["status"] = json!({"conditions": [
        {"type": "Ready", "status": "True", "message": "defined correctly"},
        {"type": "Active", "status": "True"},
    ]});
    let hpa = json!({
        "spec": {"minReplicas": 1, "maxReplicas": 20,
                 "metrics": [{"external": {"metric": {"name": "s0-nats-jetstream-ORDERS"}}}]},
        "status": {"currentReplicas": 1, "desiredReplicas": 2, "conditions": [
            {"type": "AbleToScale", "status": "True"},
            {"type": "ScalingActive", "status": "True"},
        ]},
    });
    ScalerFacts {
        claim: full_claim(),
        scaled_object: Some(scaled_object),
        hpa: Some(hpa),
        deployment: rendered().into_iter().find(|o| o["kind"] == "Deployment"),
        metrics: None,
        service: Some(json!({
            "metadata": {"name": "nats-headless", "namespace": "nats"},
            "spec": {"clusterIP": "None", "ports": [{"port": 4222}, {"port": 8222}]},
        })),
        asked: answer(jsz()),
        server: answer(json!({"version": "2.15.2"})),
        everything: answer(json!({"account_details": [{"name": "$G"}, {"name": "ORDERS"}]})),
        nodes: Vec::new(),
        events: Vec::new(),
        claims: vec![full_claim()],
        unread: Unread::default(),
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut ScalerFacts), expected: &[&str]) {
    let mut facts = well();
    change(&mut facts);
    says(&report(&facts), expected);
}

fn body(facts: &mut ScalerFacts) -> &mut Value {
    at(facts.asked.as_mut().unwrap(), "/body")
}

fn consumer(facts: &mut ScalerFacts) -> &mut Value {
    at(body(facts), "/account_details/0/stream_detail/0/consumer_detail/0")
}

fn scaled(facts: &mut ScalerFacts) -> &mut Value {
    facts.scaled_object.as_mut().unwrap()
}

#[test]
fn all_is_well() {
    check(|_| {}, &[]);
    check(
        |f| f.scaled_object = None,
        &["ScaledObject: exists: failed: the claim workers/order-processor has no ScaledObject"],
    );
}

#[test]
fn the_trigger_against_the_claim() {
    let check = |key: &str, value: &str, expected: &[&str]| {
        let change = |f: &mut ScalerFacts| {
            *at(scaled(f), &format!("/spec/triggers/0/metadata/{key}")) = json!(value);
        };
        check(change, expected);
    };
    const IT: &str = "Trigger, against the claim: ";
    let says = |line: &str| format!("{IT}{line}");
    let threshold = says("lagThreshold: failed: the claim says 10, the ScaledObject 50");
    check("lagThreshold", "50", &[&threshold]);
    // Another stream is not what the claim says, and does not exist either.
    let stream = says("stream: failed: the claim says ORDERS, the ScaledObject OTHER");
    check(
        "stream",
        "OTHER",
        &[&stream, "What KEDA sees: stream: failed: account $G has no stream"],
    );
    let account = says("account: failed: $SYS is NATS's system account");
    check("account", "$SYS", &[&account, "What KEDA sees: account: failed: $SYS is NATS's"]);
    let endpoint = says("monitoring endpoint: failed: the claim says nats-headless");
    check("natsServerMonitoringEndpoint", "x.nats.svc:8222", &[&endpoint]);
    // A Service is judged by what it is, whatever its name.
    let named = |f: &mut ScalerFacts, cluster_ip: &str, ports: Value| {
        let endpoint = json!("nats.nats.svc.cluster.local:8222");
        f.claim["spec"]["nats"]["monitoringEndpoint"] = endpoint.clone();
        *at(scaled(f), "/spec/triggers/0/metadata/natsServerMonitoringEndpoint") = endpoint;
        f.service = Some(json!({
            "metadata": {"name": "nats", "namespace": "nats"},
            "spec": {"clusterIP": cluster_ip, "ports": ports},
        }));
    };
    self::check(|f| named(f, "None", json!([{"port": 8222}])), &[]);
    self::check(
        |f| named(f, "10.0.0.1", json!([{"port": 8222}])),
        &["What KEDA sees: endpoint's Service: warning: nats/nats is not headless"],
    );
    self::check(
        |f| named(f, "10.0.0.1", json!([{"port": 4222}])),
        &["What KEDA sees: endpoint's Service: failed: nats/nats has no port 8222"],
    );
}

#[test]
fn what_keda_sees() {
    let check =
        |change: fn(&mut ScalerFacts), expected: &str| check(change, &[&[SEEN, expected].concat()]);
    check(
        |f| f.service = None,
        "endpoint's Service: warning: nats-headless.nats.svc.cluster.local:8222 names no",
    );
    check(
        |f| remove(f.service.as_mut().unwrap(), "/spec/ports"),
        "endpoint's Service: failed: nats/nats-headless has no port 8222",
    );
    check(
        |f| *at(f.service.as_mut().unwrap(), "/spec/clusterIP") = json!("10.0.0.1"),
        "endpoint's Service: warning: nats/nats-headless is not headless",
    );
    check(|f| f.asked = None, "KEDA's query: skipped: the endpoint is not a Service");
    check(
        |f| f.asked = Some(json!({"path": "/jsz", "code": 503, "body": {"message": "no route"}})),
        "KEDA's query: failed: /jsz is answered with status 503: no route",
    );
    check(|f| *body(f) = json!({"disabled": true}), "account: failed: JetStream is switched off");
    check(
        |f| remove(body(f), "/account_details"),
        "account: failed: NATS has no account $G with JetStream; its accounts are $G, ORDERS",
    );
    check(
        |f| remove(body(f), "/account_details/0/stream_detail"),
        "stream: failed: account $G has no stream ORDERS; it has none",
    );
    check(
        |f| *at(consumer(f), "/name") = json!("other"),
        "consumer: failed: stream ORDERS has no consumer order-processor; it has other",
    );
    check(
        |f| *at(body(f), "/meta_cluster/cluster_size") = json!(3),
        "leader: failed: none of the 3 servers says that it leads the consumer",
    );
}

/// Accounts as `/jsz?accounts=true&streams=true` lists them: name, id, streams.
fn accounts(accounts: &[(&str, &str, &[&str])]) -> Option<Value> {
    let account = |(name, id, streams): &(&str, &str, &[&str])| {
        let streams: Vec<Value> = streams.iter().map(|s| json!({"name": s})).collect();
        json!({"name": name, "id": id, "stream_detail": streams})
    };
    answer(json!({"account_details": accounts.iter().map(account).collect::<Vec<_>>()}))
}

const ID: &str = "AB6WAT4WYPLHTRT6HJKOCEVYUF5DZDEIZL62RHVFUZLHAFVMKQVPJFRN";

#[test]
fn whose_stream_it_is() {
    let check = |wanted: &str, here: &[&str], all: Option<Value>, expected: &str, fix: &str| {
        let mut facts = well();
        facts.claim["spec"]["nats"]["account"] = json!(wanted);
        *at(scaled(&mut facts), "/spec/triggers/0/metadata/account") = json!(wanted);
        *body(&mut facts) = match here {
            [] => json!({"meta_cluster": {"cluster_size": 1}}),
            here => accounts(&[(wanted, wanted, here)]).unwrap()["body"].clone(),
        };
        facts.everything = all;
        let report = report(&facts);
        says(&report, &[&[SEEN, expected].concat()]);
        let found = report.checks().find(|c| expected.starts_with(&c.name) && c.fix.is_some());
        assert_eq!(found.unwrap().fix.as_deref(), Some(fix), "{expected}");
    };
    let shop = || accounts(&[("$G", "$G", &["OTHER"]), ("SHOP", "SHOP", &["ORDERS"])]);
    check(
        "$G",
        &["OTHER"],
        shop(),
        "stream: failed: account $G has no stream ORDERS; account SHOP has it",
        "set spec.nats.account to SHOP",
    );
    check(
        "NOBODYS",
        &[],
        shop(),
        "account: failed: NATS has no account NOBODYS with JetStream; stream ORDERS: account SHOP \
            has it",
        "set spec.nats.account to SHOP",
    );
    check(
        "$G",
        &["OTHER"],
        accounts(&[("A", "A", &["ORDERS"]), ("B", "B", &["ORDERS"])]),
        "stream: failed: account $G has no stream ORDERS; accounts A, B have one",
        "set spec.nats.account to A or B",
    );
    // Operator mode knows accounts by their keys.
    check(
        "platform",
        &[],
        accounts(&[("platform", ID, &["ORDERS"])]),
        &format!(
            "account: failed: NATS runs in operator mode, where it knows account platform by its \
                id, {ID}"
        ),
        &format!("set spec.nats.accountID to {ID}"),
    );
    check(
        "$G",
        &[],
        accounts(&[("platform", ID, &["ORDERS"])]),
        "account: failed: NATS has no account $G with JetStream; stream ORDERS: account platform \
            has it",
        &format!("set spec.nats.accountID to {ID} (the id of platform)"),
    );
    check(
        "$G",
        &["OTHER"],
        accounts(&[("$G", "$G", &["OTHER"])]),
        "stream: failed: account $G has no stream ORDERS; it has OTHER",
        "make the stream: nats stream add ORDERS, or correct spec.nats.stream",
    );
}

#[test]
fn claims_that_share_a_consumer() {
    let other = |name: &str, endpoint: &str, consumer: &str| {
        let mut other = full_claim();
        other["metadata"]["name"] = json!(name);
        other["spec"]["nats"]["monitoringEndpoint"] = json!(endpoint);
        other["spec"]["nats"]["consumer"] = json!(consumer);
        other
    };
    let check = |claims: &[Value], expected: &str| {
        let expected =
            [LIMITS, "consumer of its own: warning: workers/order-processor and ", expected]
                .concat();
        let expected = if expected.ends_with("and ") { vec![] } else { vec![expected.as_str()] };
        self::check(|f| f.claims.extend_from_slice(claims), &expected);
    };
    let same = "nats-headless.nats.svc:8222";
    check(&[other("twin", same, "order-processor")], "workers/twin scale by the same consumer");
    check(
        &[other("b", same, "order-processor"), other("a", same, "order-processor")],
        "workers/a, workers/b scale by",
    );
    check(&[other("twin", same, "another")], "");
    check(&[other("twin", "nats-headless.other.svc:8222", "order-processor")], "");
    check(&[json!({"metadata": {"name": "x"}})], "");
}

#[test]
fn the_lag() {
    let check = |pending: i64, unacknowledged: i64, least: i64, expected: &str| {
        let mut facts = well();
        consumer(&mut facts)["num_pending"] = json!(pending);
        consumer(&mut facts)["num_ack_pending"] = json!(unacknowledged);
        facts.claim["spec"]["scaling"]["minReplicas"] = json!(least);
        scaled(&mut facts)["spec"]["minReplicaCount"] = json!(least);
        let report = report(&facts);
        let lag = report.checks().find(|c| c.name == "lag").unwrap();
        assert!(lag.detail.ends_with(expected), "{} does not end with {expected}", lag.detail);
    };
    // lagThreshold 10, maxReplicas 20.
    check(7, 5, 1, "that is 2 pods of 1 to 20 (active)");
    check(0, 0, 1, "that is 1 pod of 1 to 20 (idle)");
    check(0, 0, 0, "that is 0 pods of 0 to 20 (idle)");
    check(1, 0, 0, "that is 1 pod of 0 to 20 (active)");
    check(10, 0, 1, "that is 1 pod of 1 to 20 (active)");
    check(11, 0, 1, "that is 2 pods of 1 to 20 (active)");
    check(1_000_000, 0, 1, "that is 20 pods of 1 to 20 (active)");
    check(5, 0, 3, "that is 3 pods of 3 to 20 (active)");
}

#[test]
fn in_a_cluster_of_servers_the_leader_counts() {
    let mut facts = well();
    *at(body(&mut facts), "/meta_cluster/cluster_size") = json!(2);
    consumer(&mut facts)["num_pending"] = json!(0);
    let node = |name: &str, pending: i64| {
        let mut body = jsz();
        let of_node = at(&mut body, "/account_details/0/stream_detail/0/consumer_detail/0");
        of_node["cluster"] = json!({"leader": "nats-1"});
        of_node["num_pending"] = json!(pending);
        json!({"node": name, "body": body})
    };
    facts.nodes = vec![node("nats-0", 0), node("nats-1", 40)];
    let report = report(&facts);
    says(&report, &[]);
    let detail = |name: &str| {
        let section = report.sections.iter().find(|s| s.title == "What KEDA sees").unwrap();
        section.checks.iter().find(|c| c.name == name).unwrap().detail.clone()
    };
    assert_eq!(detail("leader"), "nats-1, one of 2 servers");
    assert!(detail("lag").starts_with("45 = 40 waiting + 5 delivered"), "{}", detail("lag"));
}

#[test]
fn the_consumers_limits() {
    let check = |key: &str, value: Value, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|e| [LIMITS, e].concat()).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(|f| consumer(f)["config"][key] = value, &expected);
    };
    check("ack_policy", json!("none"), &["ack_policy: warning: none: a message counts as done"]);
    // lagThreshold 10 x maxReplicas 20 is 200.
    check("max_ack_pending", json!(200), &[]);
    check("max_ack_pending", json!(-1), &[]);
    // 0 means JetStream's default of 1000.
    check("max_ack_pending", json!(0), &[]);
    check("max_ack_pending", json!(199), &["max_ack_pending: warning: 199 messages in work over"]);
    check("max_ack_pending", json!(19), &["max_ack_pending: warning: 19 messages in work over"]);
    // The example's grace period is 60 s.
    check(
        "ack_wait",
        json!(59_000_000_000_i64),
        &["ack_wait: warning: 59 s, below the pods' grace"],
    );
    check("inactive_threshold", json!(5_000_000_000_i64), &[]);
    self::check(
        |f| {
            consumer(f)["config"]["inactive_threshold"] = json!(5_000_000_000_i64);
            f.claim["spec"]["scaling"]["minReplicas"] = json!(0);
            scaled(f)["spec"]["minReplicaCount"] = json!(0);
        },
        &[&[LIMITS, "inactive_threshold: warning: with minReplicas 0 nobody asks"].concat()],
    );
    self::check(
        |f| consumer(f)["paused"] = json!(true),
        &[&[LIMITS, "paused: warning: the consumer is paused"].concat()],
    );
}

#[test]
fn what_keda_and_the_autoscaler_say() {
    let check = |change: fn(&mut ScalerFacts), expected: &str| {
        check(change, &[&["State: ", expected].concat()]);
    };
    check(
        |f| {
            scaled(f)["status"]["conditions"][0] =
                json!({"type": "Ready", "status": "False", "reason": "TriggerError"});
        },
        "ScaledObject: failed: TriggerError",
    );
    check(|f| remove(scaled(f), "/status"), "ScaledObject: failed: KEDA has not taken it up");
    check(
        |f| {
            let conditions = at(scaled(f), "/status/conditions").as_array_mut().unwrap();
            conditions.push(json!({"type": "Fallback", "status": "True"}));
        },
        "Fallback: warning: its scaler fails",
    );
    check(|f| f.hpa = None, "autoscaler: failed: there is no HorizontalPodAutoscaler");
    check(
        |f| {
            f.hpa.as_mut().unwrap()["status"]["conditions"][1] =
                json!({"type": "ScalingActive", "status": "False", "reason": "FailedGetMetric"});
        },
        "autoscaler: failed: ScalingActive is False: FailedGetMetric",
    );
    check(
        |f| remove(f.hpa.as_mut().unwrap(), "/status/conditions"),
        "autoscaler: warning: 1 replicas, 2 wanted",
    );
    // Asleep, the autoscaler is inactive.
    let mut facts = well();
    facts.deployment.as_mut().unwrap()["spec"]["replicas"] = json!(0);
    let hpa = facts.hpa.as_mut().unwrap();
    hpa["status"]["currentReplicas"] = json!(0);
    hpa["status"]["conditions"][1] = json!({"type": "ScalingActive", "status": "False"});
    says(&report(&facts), &[]);
}

/// KEDA's own words are in its events; its conditions only say that there is trouble.
#[test]
fn keda_is_quoted() {
    let check = |message: &str, found: bool, expected: &str, fix: &str| {
        let mut facts = well();
        scaled(&mut facts)["status"]["conditions"][0] = json!({
            "type": "Ready", "status": "False", "reason": "TriggerError",
            "message": "Triggers defined in ScaledObject are not working correctly",
        });
        let event = |reason: &str, message: &str| json!({"reason": reason, "message": message});
        facts.events = vec![event("KEDAScalerFailed", "older"), event("KEDAScalerFailed", message)];
        if !found {
            *at(consumer(&mut facts), "/name") = json!("other");
        }
        let report = report(&facts);
        let state = report.sections.iter().find(|s| s.title == "State").unwrap();
        let line = state.checks.iter().find(|c| c.name == "ScaledObject").unwrap();
        assert!(line.detail.ends_with(expected), "{line:?}");
        assert!(line.fix.as_ref().unwrap().contains(fix), "{line:?}");
    };
    let timeout =
        "Get \"http://nats-headless.nats.svc:8222/jsz\": dial tcp 10.0.0.1:8222: i/o timeout";
    check(
        timeout,
        true,
        &format!("KEDA says: {timeout}; NATS answers us, not KEDA"),
        "NetworkPolicy",
    );
    check(
        "no such host",
        true,
        "KEDA says: no such host; NATS answers us, not KEDA",
        "NetworkPolicy",
    );
    // What we do not see either is reported above.
    check(timeout, false, &format!("KEDA says: {timeout}"), "mend what failed above");
    check(
        "x: unmarshal",
        true,
        "KEDA says: x: unmarshal; NATS answers us with the consumer",
        "describe scaledobject",
    );
}

#[test]
fn paused_by_an_annotation() {
    let check = |annotation: &str, value: &str, replicas: i64, expected: &[&str]| {
        let mut facts = well();
        let metadata = &mut scaled(&mut facts)["metadata"];
        metadata["annotations"] = json!({annotation: value});
        metadata["managedFields"] = json!([
            {"manager": "keda", "fieldsV1": {"f:status": {}}},
            {"manager": "kubectl-annotate", "time": "2026-01-02T03:04:05Z",
             "fieldsV1": {"f:metadata": {"f:annotations": {".": {},
                 (format!("f:{annotation}")): {}}}}},
        ]);
        facts.deployment.as_mut().unwrap()["spec"]["replicas"] = json!(replicas);
        // KEDA removes the autoscaler, and says nothing new about the rest.
        facts.hpa = None;
        scaled(&mut facts)["status"]["conditions"][0] =
            json!({"type": "Ready", "status": "Unknown"});
        says(&report(&facts), expected);
    };
    let gone = "State: autoscaler: skipped: KEDA takes it away while it is paused";
    let by = "written by kubectl-annotate at 2026-01-02T03:04:05Z: it leaves it at";
    let annotation = "State: Paused: failed: KEDA is paused by the ScaledObject's annotation \
        autoscaling.keda.sh";
    check(
        "autoscaling.keda.sh/paused-replicas",
        "0",
        0,
        &[
            &format!(
                "{annotation}/paused-replicas=0, {by} 0 pods, so nothing works on what waits; 12 \
                    messages wait"
            ),
            gone,
        ],
    );
    check(
        "autoscaling.keda.sh/paused",
        "true",
        3,
        &[
            &format!("{annotation}/paused=true, {by} 3 pods, however many messages wait; 12")
                .replace("failed", "warning"),
            gone,
        ],
    );
}
