use eds_core::form::Form;
use eds_verify::platform::packages::Right;
use eds_verify::platform::{PlatformFacts, api, keda, nats, packages, report};
use eds_verify::{Endpoint, Unread, composition};
use serde_json::{Value, json};

use super::{at, conditions, package, remove, revision, says};

const POLICIES: [&str; 4] = [
    "eventdrivenservice-claim-names",
    "eventdrivenservice-ownership",
    "eventdrivenservice-contents",
    "eventdrivenservice-authors",
];

fn binding(policy: &str) -> Value {
    json!({
        "metadata": {"name": policy},
        "spec": {"policyName": policy, "validationActions": ["Deny"]},
    })
}

fn deployment(namespace: &str, name: &str, image: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"spec": {"containers": [{"image": image, "args": ["start"]}]}},
        },
        "status": {"availableReplicas": 1},
    })
}

fn pod(namespace: &str, name: &str, labels: &Value) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"args": ["--enable-watches", "--enable-server-side-apply"]}]},
        "status": {"conditions": conditions(&["Ready"])},
    })
}

fn built_in() -> Value {
    json!({
        "metadata": {"name": "event-driven-service"},
        "spec": {
            "compositeTypeRef": {"apiVersion": "p.io/v1alpha1", "kind": "XService"},
            "mode": "Pipeline",
            "pipeline": [
                {"step": "one", "functionRef": {"name": "function-pt"},
                 "input": {"apiVersion": "pt.fn.crossplane.io/v1beta1", "resources": []}},
                {"step": "two", "functionRef": {"name": "function-ours"},
                 "input": {"objects": {"providerConfigRef": {"name": "kubernetes-provider"}}}},
            ],
        },
    })
}

fn answer(body: Value) -> Option<Value> {
    Some(json!({"path": "/p", "code": 200, "body": body}))
}

/// A healthy cluster.
pub(super) fn well() -> PlatformFacts {
    let composition = built_in();
    let names = ["function-pt", "function-ours", "provider-kubernetes"];
    let pods = names.map(|name| {
        let revision = format!("{name}-1");
        pod("crossplane-system", name, &json!({"pkg.crossplane.io/revision": revision}))
    });
    let allowed = |of: &str, what: &str| Right {
        who: format!("crossplane-system/{of}"),
        of: of.to_owned(),
        what: what.to_owned(),
        allowed: true,
    };
    let service = |name: &str, port: u16| {
        Some(json!({"metadata": {"name": name, "namespace": "nats"},
                "spec": {"ports": [{"port": port}]}}))
    };
    let mut crossplane = deployment("crossplane-system", "crossplane", "crossplane:v2.3.4");
    at(&mut crossplane, "/spec/template/spec/containers/0")["args"] =
        json!(["core", "start", "--circuit-breaker-burst=500"]);
    PlatformFacts {
        kubernetes: "v1.34.4".to_owned(),
        nodes: vec![
            json!({"metadata": {"name": "a"}, "status": {"conditions": conditions(&["Ready"])}}),
        ],
        deployments: vec![
            deployment("keda", "keda-operator", "ghcr.io/kedacore/keda:2.21.0"),
            deployment("keda", "keda-metrics-apiserver", "x:2.21.0"),
            deployment("keda", "keda-admission", "x:2.21.0"),
            crossplane,
            deployment("crossplane-system", "crossplane-rbac-manager", "crossplane:v2.3.4"),
        ],
        nats: nats::NatsFacts {
            url: "nats://nats.nats.svc:4222".to_owned(),
            monitoring: "nats-headless.nats.svc:8222".to_owned(),
            clients: vec![(
                Endpoint::parse("nats.nats.svc:4222", "default", 4222).unwrap(),
                service("nats", 4222),
            )],
            monitor: Endpoint::parse("nats-headless.nats.svc:8222", "default", 80),
            headless: service("nats-headless", 8222),
            pods: vec![pod("nats", "nats-0", &json!({}))],
            health: answer(json!({"status": "ok"})),
            server: answer(json!({"version": "2.15.2"})),
            jetstream: answer(json!({"storage": 10, "config": {"max_storage": 100}})),
            unread: Unread::default(),
        },
        keda: keda::KedaFacts {
            crd: Some(json!({
                "metadata": {"name": "scaledobjects.keda.sh"},
                "spec": {"versions": [{"name": "v1alpha1", "served": true}]},
                "status": {"conditions": conditions(&["Established"])},
            })),
            metrics: Some(json!({
                "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
                "spec": {"service": {"namespace": "keda", "name": "keda-metrics-apiserver"}},
                "status": {"conditions": conditions(&["Available"])},
            })),
            pods: Vec::new(),
        },
        packages: packages::PackageFacts {
            providers: vec![package("provider-kubernetes")],
            revisions: Vec::new(),
            configs: vec![json!({
                "metadata": {"name": "kubernetes-provider"},
                "spec": {"credentials": {"source": "InjectedIdentity"}},
            })],
            rights: vec![
                allowed("provider-kubernetes", "create services"),
                allowed("provider-kubernetes", "patch deployments.apps"),
                allowed("crossplane", "list pods"),
            ],
        },
        api: api::ApiFacts {
            crd: Some(json!({
                "metadata": {"name": "services.p.io",
                    "ownerReferences": [{"name": "xservices.p.io"}]},
                "status": {"conditions": conditions(&["NamesAccepted", "Established"])},
            })),
            policies: POLICIES.map(|name| json!({"metadata": {"name": name}})).to_vec(),
            bindings: POLICIES.map(binding).to_vec(),
        },
        compositions: composition::CompositionFacts {
            compositions: vec![composition.clone()],
            revisions: vec![revision(&composition)],
            xrd: Some(json!({
                "metadata": {"name": "xservices.p.io"},
                "spec": {
                    "group": "p.io",
                    "names": {"kind": "XService"},
                    "claimNames": {"kind": "Service"},
                    "versions": [{"name": "v1alpha1", "served": true}],
                    "defaultCompositionRef": {"name": "event-driven-service"},
                },
                "status": {"conditions": conditions(&["Established", "Offered"])},
            })),
            functions: vec![package("function-pt"), package("function-ours")],
            function_revisions: Vec::new(),
            pods: pods.to_vec(),
            built_in: composition,
            ..composition::CompositionFacts::default()
        },
        claims: Vec::new(),
        unread: Unread::default(),
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut PlatformFacts), expected: &[&str]) {
    let mut facts = well();
    change(&mut facts);
    says(&report(&facts), expected);
}

/// Returns the Deployment with this name.
fn named<'a>(facts: &'a mut PlatformFacts, name: &str) -> &'a mut Value {
    facts.deployments.iter_mut().find(|d| d["metadata"]["name"] == name).unwrap()
}

fn turn(object: &mut Value, condition: &str, message: &str) {
    let list = at(object, "/status/conditions").as_array_mut().unwrap();
    let found = list.iter_mut().find(|c| c["type"] == condition).unwrap();
    *found = json!({"type": condition, "status": "False", "message": message});
}

#[test]
fn all_is_well() {
    check(|_| {}, &[]);
    let report = report(&well());
    let titles: Vec<&str> = report.sections.iter().map(|s| s.title.as_str()).collect();
    let expected = ["Kubernetes", "NATS", "KEDA", "Crossplane", "Functions and provider", "API"];
    assert_eq!(titles, expected);
}

/// No claims, no Objects, no provider: neither is missed.
#[test]
fn the_namespaced_form() {
    let namespaced = |f: &mut PlatformFacts| {
        let xrd = f.compositions.xrd.as_mut().unwrap();
        remove(xrd, "/spec/claimNames");
        xrd["metadata"]["name"] = json!("services.p.io");
        xrd["spec"]["names"]["kind"] = json!("Service");
        xrd["spec"]["scope"] = json!("Namespaced");
        xrd["status"]["conditions"] = conditions(&["Established"]);
        let crd = f.api.crd.as_mut().unwrap();
        crd["metadata"]["ownerReferences"] = json!([{"name": "services.p.io"}]);
        let found = &mut f.compositions;
        found.form = Form::Namespaced;
        let revisions = found.revisions.iter_mut();
        let all = found.compositions.iter_mut().chain([&mut found.built_in]).chain(revisions);
        for composition in all {
            if let Some(reference) = composition.pointer_mut("/spec/compositeTypeRef/kind") {
                *reference = json!("Service");
            }
            for step in composition["spec"]["pipeline"].as_array_mut().unwrap() {
                let input = step.get_mut("input").and_then(Value::as_object_mut);
                input.map(|input| input.remove("objects"));
            }
        }
        f.packages.providers.clear();
        f.packages.configs.clear();
        f.packages.rights.retain(|right| right.of == "crossplane");
    };
    check(namespaced, &[]);
    check(
        |f| {
            namespaced(f);
            f.compositions.both_forms = true;
        },
        &["API: one form: failed: the XRDs of both forms are there"],
    );
    let mut facts = well();
    namespaced(&mut facts);
    facts.api.policies.clear();
    let report = report(&facts);
    let check = report.checks().find(|check| check.name == "ownership").unwrap();
    let fix = "install the API: kubectl apply -k platform/04-apis/overlays/namespaced";
    assert_eq!(check.fix.as_deref(), Some(fix));
}

/// `nats` for `nats-headless`: the mistake is in the claim, not in NATS.
#[test]
fn an_endpoint_at_the_service_for_clients() {
    let fix = |cluster_ip: &str| {
        let mut facts = well();
        let service = facts.nats.headless.as_mut().unwrap();
        *at(service, "/spec/ports/0/port") = json!(4222);
        service["spec"]["clusterIP"] = json!(cluster_ip);
        let report = report(&facts);
        let check = report.checks().find(|check| check.name == "monitoring port").unwrap();
        check.fix.clone().unwrap()
    };
    assert!(fix("10.0.0.1").starts_with("name the headless Service"), "{}", fix("10.0.0.1"));
    assert!(fix("None").starts_with("offer port 8222"), "{}", fix("None"));
}

#[test]
fn kubernetes() {
    check(
        |f| f.kubernetes = "v1.29.9".to_owned(),
        &["Kubernetes: version: failed: v1.29.9: it serves"],
    );
    check(
        |f| turn(&mut f.nodes[0], "Ready", "kubelet stopped"),
        &["Kubernetes: nodes: failed: none is Ready; a: Ready is False: kubelet stopped"],
    );
    check(
        |f| {
            let mut other = f.nodes[0].clone();
            turn(&mut other, "Ready", "kubelet stopped");
            f.nodes.push(other);
        },
        &["Kubernetes: nodes: warning: a: Ready is False"],
    );
    check(|f| f.nodes.clear(), &["Kubernetes: nodes: failed: there is none"]);
}

#[test]
fn nats() {
    let unasked = ["NATS: healthy: skipped", "NATS: JetStream: skipped"];
    let away = |f: &mut PlatformFacts| {
        (f.nats.health, f.nats.server, f.nats.jetstream) = (None, None, None)
    };
    check(
        |f| {
            (f.nats.clients[0].1, f.nats.headless) = (None, None);
            away(f);
        },
        &[
            "NATS: deployed: failed: no Service answers to nats.nats:4222",
            "NATS: monitoring port: failed: no Service answers to nats-headless",
            unasked[0],
            unasked[1],
        ],
    );
    check(
        |f| {
            f.nats.pods.clear();
            away(f);
        },
        &["NATS: servers: failed: no pod is behind the Service", unasked[0], unasked[1]],
    );
    check(
        |f| {
            let mut other = f.nats.pods[0].clone();
            turn(&mut other, "Ready", "starting");
            f.nats.pods.push(other);
        },
        &["NATS: servers: warning: 1 of 2 pods ready: pod nats-0 is not ready: starting"],
    );
    check(
        |f| *at(f.nats.clients[0].1.as_mut().unwrap(), "/spec/ports/0/port") = json!(4333),
        &["NATS: deployed: failed: Service nats has no port 4222"],
    );
    check(
        |f| *at(f.nats.headless.as_mut().unwrap(), "/spec/ports/0/port") = json!(4222),
        &["NATS: monitoring port: failed: Service nats-headless has only 4222"],
    );
    check(
        |f| {
            f.nats.health = Some(json!({"path": "/healthz", "code": 503,
                    "body": {"status": "unavailable", "error": "no leader"}}));
        },
        &["NATS: healthy: failed: /healthz is answered with status 503: no leader"],
    );
    check(
        |f| f.nats.jetstream = answer(json!({"disabled": true})),
        &["NATS: JetStream: failed: it is switched off"],
    );
    check(
        |f| f.nats.jetstream = answer(json!({"storage": 95, "config": {"max_storage": 100}})),
        &["NATS: JetStream: warning: nearly full"],
    );
    // Outside the cluster it cannot be checked, which is no failure.
    check(
        |f| {
            (f.nats.clients, f.nats.headless, f.nats.monitor) = (Vec::new(), None, None);
            f.nats.url = "nats://nats.example.com:4222".to_owned();
            f.nats.monitoring = "nats.example.com:8222".to_owned();
            away(f);
        },
        &["NATS: deployed: skipped", "NATS: monitoring port: skipped", unasked[0], unasked[1]],
    );
}

#[test]
fn keda() {
    check(|f| f.keda.crd = None, &["KEDA: ScaledObject: failed: the API server does not know"]);
    check(
        |f| turn(f.keda.crd.as_mut().unwrap(), "Established", "no"),
        &["KEDA: ScaledObject: failed: Established is False: no"],
    );
    check(
        |f| *at(f.keda.crd.as_mut().unwrap(), "/spec/versions/0/served") = json!(false),
        &["KEDA: ScaledObject: failed: keda.sh/v1alpha1 is not served"],
    );
    check(
        |f| f.deployments.retain(|d| !d["metadata"]["name"].as_str().unwrap().starts_with("keda")),
        &["KEDA: operator: failed: there is no Deployment keda-operator"],
    );
    check(
        |f| *at(named(f, "keda-operator"), "/spec/replicas") = json!(0),
        &["KEDA: operator: failed: keda/keda-operator is scaled to 0 replicas"],
    );
    let tag = |tag: &'static str| {
        move |f: &mut PlatformFacts| {
            let image = at(named(f, "keda-operator"), "/spec/template/spec/containers/0/image");
            *image = json!(format!("keda{tag}"));
        }
    };
    check(tag(":2.20.1"), &["KEDA: version: failed: 2.20.1 is older than 2.20.2"]);
    check(tag(":2.20.2"), &[]);
    check(tag(":latest"), &["KEDA: version: warning: neither image tag nor label"]);
    check(
        |f| remove(named(f, "keda-metrics-apiserver"), "/status/availableReplicas"),
        &["KEDA: metrics server: failed: 0 of 1 replicas"],
    );
    check(
        |f| remove(named(f, "keda-admission"), "/status/availableReplicas"),
        &["KEDA: admission webhook: warning: 0 of 1 replicas"],
    );
    check(|f| f.keda.metrics = None, &["KEDA: external metrics: failed: there is no APIService"]);
    check(
        |f| *at(f.keda.metrics.as_mut().unwrap(), "/spec/service/namespace") = json!("other"),
        &["KEDA: external metrics: failed: APIService v1beta1.external.metrics.k8s.io belongs to \
            other/"],
    );
    check(
        |f| turn(f.keda.metrics.as_mut().unwrap(), "Available", "no endpoints"),
        &["KEDA: external metrics: failed: Available is False: no endpoints"],
    );
}

#[test]
fn crossplane() {
    check(
        |f| f.deployments.retain(|d| d["metadata"]["name"] != "crossplane"),
        &["Crossplane: installed: failed: there is no Deployment crossplane"],
    );
    check(
        |f| *at(named(f, "crossplane"), "/spec/replicas") = json!(0),
        &["Crossplane: installed: failed: crossplane-system/crossplane is scaled to 0"],
    );
    let image = "/spec/template/spec/containers/0/image";
    check(
        |f| *at(named(f, "crossplane"), image) = json!("crossplane:v1.20.0"),
        &["Crossplane: version: failed: v1.20.0 is older than 2.0"],
    );
    check(
        |f| remove(named(f, "crossplane-rbac-manager"), "/status/availableReplicas"),
        &["Crossplane: RBAC manager: failed"],
    );
    let args = "/spec/template/spec/containers/0/args";
    check(
        |f| *at(named(f, "crossplane"), args) = json!(["core", "start"]),
        &["Crossplane: circuit breaker: warning: 100 events at once"],
    );
    check(
        |f| {
            *at(named(f, "crossplane"), args) = json!([]);
            at(named(f, "crossplane"), "/spec/template/spec/containers/0")["env"] =
                json!([{"name": "CIRCUIT_BREAKER_BURST", "value": "500"}]);
        },
        &[],
    );
}

#[test]
fn functions_and_provider() {
    let section = "Functions and provider";
    check(
        |f| {
            f.compositions.functions.pop();
        },
        &[&format!("{section}: function-ours: failed: there is no Function function-ours")],
    );
    check(
        |f| turn(&mut f.compositions.functions[0], "Healthy", "unpack failed"),
        &[&format!("{section}: function-pt: failed: function-pt is not healthy")],
    );
    check(
        |f| drop(f.compositions.pods.remove(1)),
        &[&format!("{section}: function-ours: failed: function-ours: it has no pod")],
    );
    check(
        |f| f.packages.providers.clear(),
        &[&format!("{section}: provider-kubernetes: failed: there is no Provider")],
    );
    let args = "/spec/containers/0/args";
    check(
        |f| *at(&mut f.compositions.pods[2], args) = json!(["--enable-watches"]),
        &[&format!("{section}: provider's flags: warning: without --enable-server-side-apply")],
    );
    check(
        |f| *at(&mut f.compositions.pods[2], args) = json!([]),
        &[&format!("{section}: provider's flags: warning: without --enable-watches")],
    );
    check(
        |f| f.packages.configs.clear(),
        &[&format!("{section}: ProviderConfig kubernetes-provider: failed: it is not there")],
    );
    check(
        |f| f.packages.rights[1].allowed = false,
        &[&format!(
            "{section}: rights of provider-kubernetes: failed: \
                crossplane-system/provider-kubernetes may not patch deployments.apps"
        )],
    );
    // The direct Composition needs no provider, and no wide circuit breaker.
    check(
        |f| {
            for composition in [&mut f.compositions.compositions[0], &mut f.compositions.built_in] {
                remove(composition, "/spec/pipeline/1/input/objects");
            }
            remove(&mut f.compositions.revisions[0], "/spec/pipeline/1/input/objects");
            f.packages.providers.clear();
            f.packages.configs.clear();
            *at(named(f, "crossplane"), "/spec/template/spec/containers/0/args") = json!([]);
        },
        &[],
    );
}

#[test]
fn api() {
    check(|f| f.compositions.xrd = None, &["API: XRD: failed: there is no XRD"]);
    let xrd = |f: &mut PlatformFacts, condition: &str| {
        turn(f.compositions.xrd.as_mut().unwrap(), condition, "no")
    };
    check(|f| xrd(f, "Established"), &["API: XRD established: failed: Established is False: no"]);
    check(|f| xrd(f, "Offered"), &["API: claim offered: failed: Offered is False: no"]);
    check(
        |f| remove(f.api.crd.as_mut().unwrap(), "/metadata/ownerReferences"),
        &["API: claim served: failed: the CustomResourceDefinition services.p.io does not belong"],
    );
    check(|f| f.api.crd = None, &["API: claim served: failed: the API server has no"]);
    check(
        |f| turn(f.api.crd.as_mut().unwrap(), "NamesAccepted", "conflict"),
        &["API: claim served: failed: NamesAccepted is False: conflict"],
    );
    check(
        |f| f.compositions.compositions.clear(),
        &[
            "API: Composition: failed: no Composition is for XService",
            "API: default Composition: failed",
        ],
    );
    check(
        |f| turn(&mut f.compositions.revisions[0], "ValidPipeline", "no function"),
        &["API: Composition event-driven-service: failed: revision event-driven-service-1: \
            ValidPipeline"],
    );
    check(
        |f| f.compositions.revisions.clear(),
        &["API: Composition event-driven-service: failed: Crossplane has made no \
            CompositionRevision"],
    );
    check(
        |f| f.api.policies.clear(),
        &[
            "API: claim names: warning: the admission policy eventdrivenservice-claim-names is \
                missing",
            "API: ownership: warning: the admission policy eventdrivenservice-ownership is missing",
        ],
    );
    check(
        |f| f.api.bindings.retain(|b| b["spec"]["policyName"] != POLICIES[0]),
        &["API: claim names: warning: no binding lets the admission policy"],
    );
    check(
        |f| f.api.bindings[3]["spec"]["validationActions"] = json!(["Audit"]),
        &["API: ownership: warning: no binding lets the admission policy \
            eventdrivenservice-authors"],
    );
}

/// Several servers, and servers by their pods' names, are checked like one Service.
#[test]
fn urls_of_nats() {
    let with = |url: &str, services: &[bool], pods: &[(&str, bool)], expected: &[&str]| {
        check(
            |f| {
                f.nats.url = url.to_owned();
                let headless = json!({"metadata": {"name": "h", "namespace": "nats"},
                    "spec": {"clusterIP": "None"}});
                let endpoints =
                    Endpoint::all(url, "default", 4222).into_iter().filter_map(|(_, e)| e);
                f.nats.clients = endpoints
                    .zip(services)
                    .map(|(e, there)| (e, there.then(|| headless.clone())))
                    .collect();
                f.nats.pods = pods
                    .iter()
                    .map(|(name, ready)| {
                        let mut pod = pod("nats", name, &json!({}));
                        if !ready {
                            turn(&mut pod, "Ready", "starting");
                        }
                        pod
                    })
                    .collect();
            },
            expected,
        );
    };
    let two = "nats://nats-0.h.nats.svc:4222,nats://nats-1.h.nats.svc.cluster.local:4222";
    with(two, &[true, true], &[("nats-0", true), ("nats-1", true)], &[]);
    with(
        two,
        &[true, true],
        &[("nats-0", true)],
        &["NATS: servers: warning: 1 of 2 pods ready: there is no pod nats-1"],
    );
    with(
        two,
        &[true, true],
        &[],
        &["NATS: servers: failed: there is no pod nats-0; there is no pod nats-1"],
    );
    with(
        two,
        &[true, true],
        &[("nats-0", false), ("nats-1", false)],
        &["NATS: servers: failed: 0 of 2 pods ready: pod nats-0 is not ready: starting; pod \
            nats-1"],
    );
    with(
        "nats://a.nats.svc:4222,nats://b.nats.svc:4222",
        &[false, true],
        &[("a-0", true)],
        &["NATS: deployed: warning: 1 of 2 servers of \
            nats://a.nats.svc:4222,nats://b.nats.svc:4222: no Service"],
    );
    with(
        "nats://a.nats.svc:4222,nats://b.nats.svc:4222",
        &[false, false],
        &[],
        &["NATS: deployed: failed: 2 of 2 servers of"],
    );
    with("nats://nats-0.h.nats.svc:4222", &[true], &[("nats-0", true)], &[]);
}
