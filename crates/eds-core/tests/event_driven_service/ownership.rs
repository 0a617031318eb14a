//! Nothing that the claim did not create is touched, whatever suggests that it is the claim's.

use patch_and_transform::protocol::{
    ConditionStatus, Ready, RunFunctionRequest, RunFunctionResponse, Severity,
};
use serde_json::{Value, json};

use super::{lay, manifests, object, request, resource, run_beside};

const UID: &str = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
const DIRECT: bool = false;
const OBJECTS: bool = true;

/// Returns a request for a composite in a cluster, whose scaler names its autoscaler.
fn of_a_cluster(objects: bool) -> RunFunctionRequest {
    let mut request = request(&json!({}), objects);
    let composite = request.observed.composite.as_mut().unwrap().resource.as_mut().unwrap();
    composite["metadata"]["uid"] = json!(UID);
    let scaler = request.desired.resources.get_mut("scaled-object").unwrap();
    let scaler = scaler.resource.as_mut().unwrap();
    scaler["spec"]["advanced"] = json!({"horizontalPodAutoscalerConfig": {"name": "worker"}});
    request
}

/// Returns an existing object with the name of a desired manifest: the same, with something merged
/// over it.
fn there(name: &str, over: &Value) -> Value {
    let mut live = manifests()[name].clone();
    lay(&mut live, &json!({"metadata": {"uid": "foreign"}}));
    lay(&mut live, over);
    live
}

fn autoscaler(over: &Value) -> Value {
    let mut live = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "worker", "namespace": "workers", "uid": "foreign"},
    });
    lay(&mut live, over);
    live
}

fn annotated(key: &str, value: &str) -> Value {
    let mut annotations = json!({});
    annotations[format!("platform.bizmatters.io/{key}")] = json!(value);
    json!({"metadata": {"annotations": annotations}})
}

fn adopted(name: &str) -> Value {
    there(name, &annotated("adopt", "worker"))
}

fn controlled_by(kind: &str, name: &str, uid: &str) -> Value {
    let owner = json!({"kind": kind, "name": name, "uid": uid, "controller": true});
    json!({"metadata": {"ownerReferences": [owner]}})
}

fn applied_by(manager: &str, operation: &str) -> Value {
    json!({"metadata": {"managedFields": [{"manager": manager, "operation": operation}]}})
}

/// Returns the Object with a name, observed with this live manifest.
fn object_of(name: &str, live: &Value) -> Value {
    json!({
        "apiVersion": "kubernetes.crossplane.io/v1alpha2", "kind": "Object",
        "metadata": {"name": format!("worker-abcde-{name}")},
        "status": {"atProvider": {"manifest": live}},
    })
}

/// Returns a manifest that was composed for this composite.
fn made(name: &str, objects: bool) -> Value {
    let record = if objects {
        applied_by(&format!("provider-kubernetes/worker-abcde-{name}"), "Apply")
    } else {
        controlled_by("XEventDrivenService", "worker-abcde", UID)
    };
    there(name, &record)
}

/// Returns a running service: everything is observed, each with its record.
fn running(objects: bool) -> RunFunctionRequest {
    let mut request = of_a_cluster(objects);
    for name in manifests().keys() {
        let live = made(name, objects);
        let observed = if objects { object_of(name, &live) } else { live };
        request.observed.resources.insert((*name).to_owned(), resource(&observed));
    }
    request
}

/// Returns what is composed: each name, with what the provider may do unless that is everything.
fn composed(response: &RunFunctionResponse) -> Vec<String> {
    let policies = |value: &Value| -> Option<String> {
        let list = value["spec"]["managementPolicies"].as_array()?;
        Some(list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("+"))
    };
    let resources = response.desired.resources.iter();
    resources
        .map(|(name, resource)| {
            let value = Value::Object(resource.resource.clone().unwrap());
            policies(&value).map_or_else(|| name.clone(), |p| format!("{name}:{p}"))
        })
        .collect()
}

const ALL: [&str; 3] = ["deployment", "scaled-object", "service"];

/// Checks what is composed next to what exists, and the claim's sentence; empty if nothing is in
/// the way.
#[track_caller]
fn check(request: &RunFunctionRequest, cluster: &[Value], compose: &[&str], sentence: &str) {
    let response = run_beside(request, cluster);
    assert_eq!(composed(&response), compose, "{:?}", response.results);
    let [condition] = &response.conditions[..] else { panic!("{:?}", response.conditions) };
    if sentence.is_empty() {
        assert_eq!(response.results, []);
        assert_ne!(condition.reason, "NameTaken");
        return;
    }
    let said = condition.message.as_deref().unwrap_or_default();
    assert!(said.starts_with(sentence), "{said}\n  instead of {sentence}");
    assert_eq!(condition.reason, "NameTaken");
    assert_eq!(condition.status, ConditionStatus::False);
    let composite = response.desired.composite.as_ref().unwrap();
    assert_eq!(composite.ready, Ready::False, "Crossplane would call no resources at all Ready");
    assert_eq!(composite.resource.as_ref().unwrap()["status"]["message"], said);
    assert_eq!(response.ttl.unwrap().as_secs(), 5);
    let [result] = &response.results[..] else { panic!("{:?}", response.results) };
    assert_eq!((result.severity, result.message.as_str()), (Severity::Warning, said));
}

#[track_caller]
fn both(cluster: &[Value], compose: &[&str], sentence: &str) {
    for objects in [DIRECT, OBJECTS] {
        check(&of_a_cluster(objects), cluster, compose, sentence);
    }
}

#[test]
fn nothing_is_composed_before_it_is_known_what_is_there() {
    for objects in [DIRECT, OBJECTS] {
        let request = of_a_cluster(objects);
        let response = eds_core::event_driven_service::run(request.clone());
        assert_eq!(composed(&response), [""; 0]);
        let asked: Vec<&str> = response.required_resources.keys().map(String::as_str).collect();
        let wanted = [
            "existing-autoscaler",
            "existing-deployment",
            "existing-scaled-object",
            "existing-service",
        ];
        assert_eq!(asked, wanted);
        check(&request, &[], &ALL, "");
        // What is in another namespace or has another name is not in the way.
        let elsewhere = there("service", &json!({"metadata": {"namespace": "elsewhere"}}));
        let other = there("service", &json!({"metadata": {"name": "other"}}));
        check(&request, &[elsewhere, other], &ALL, "");
    }
}

#[test]
fn what_runs_is_not_asked_for_again() {
    for objects in [DIRECT, OBJECTS] {
        let response = eds_core::event_driven_service::run(running(objects));
        let keys: Vec<&String> = response.required_resources.keys().collect();
        assert!(keys.iter().all(|key| *key == "pods"), "{keys:?}");
        assert_eq!(composed(&response), ALL);
    }
}

#[test]
fn a_deployment_waits_for_its_service_account() {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "worker", "namespace": "workers"}});
    let with_account = |mut request: RunFunctionRequest| {
        let composite = request.observed.composite.as_mut().unwrap().resource.as_mut().unwrap();
        composite["metadata"]["creationTimestamp"] = json!("2026-01-02T03:04:05Z");
        let deployment = request.desired.resources.get_mut("deployment").unwrap();
        let template = &mut deployment.resource.as_mut().unwrap()["spec"]["template"]["spec"];
        template["serviceAccountName"] = json!("worker");
        request.desired.resources.insert("account".to_owned(), resource(&account));
        request
    };
    for objects in [DIRECT, OBJECTS] {
        let new = with_account(of_a_cluster(objects));
        let response = run_beside(&new, &[]);
        assert_eq!(composed(&response), ["account", "service"]);
        let composite = response.desired.composite.as_ref().unwrap();
        assert_eq!(composite.ready, Ready::False, "the half of it that is there may be ready");

        let observed = |live: &Value| {
            let mut request = new.clone();
            request.observed.resources.insert("account".to_owned(), resource(live));
            composed(&run_beside(&request, &[]))
        };
        let mut live = account.clone();
        let record = if objects { "" } else { UID };
        lay(&mut live, &controlled_by("XEventDrivenService", "worker-abcde", record));
        lay(&mut live, &applied_by("provider-kubernetes/worker-abcde-account", "Apply"));
        if objects {
            let made = object_of("account", &live);
            assert_eq!(observed(&made), ["account", "deployment", "scaled-object", "service"]);
            // The Object exists, but not what it should create.
            assert_eq!(observed(&object_of("account", &json!({}))), ["account", "service"]);
        } else {
            assert_eq!(observed(&live), ["account", "deployment", "scaled-object", "service"]);
        }

        // Nothing of a running service is taken away because its account is gone.
        let all = ["account", "deployment", "scaled-object", "service"];
        assert_eq!(composed(&run_beside(&with_account(running(objects)), &[])), all);
    }
    // A rendering without a cluster shows everything at once, even if it makes up a uid.
    let mut offline = with_account(of_a_cluster(DIRECT));
    let composite = offline.observed.composite.as_mut().unwrap().resource.as_mut().unwrap();
    composite["metadata"].as_object_mut().unwrap().remove("creationTimestamp");
    let all = ["account", "deployment", "scaled-object", "service"];
    assert_eq!(composed(&run_beside(&offline, &[])), all);
}

#[test]
fn a_foreign_object_leaves_the_claim_with_nothing() {
    let fix = |what: &str, them: &str| {
        format!(
            " not made by this claim; delete {them}, give the claim another name, or let it take \
             {them} over: kubectl annotate -n workers {what} platform.bizmatters.io/adopt=worker"
        )
    };
    both(
        &[there("service", &json!({}))],
        &[],
        &format!(
            "nothing is composed: Service worker in namespace workers exists and was{}",
            fix("service/worker", "it")
        ),
    );
    both(
        &[there("service", &json!({})), there("deployment", &json!({}))],
        &[],
        &format!(
            "nothing is composed: Deployment worker and Service worker in namespace workers exist \
             and were{}",
            fix("deployment/worker service/worker", "them")
        ),
    );
    both(
        &[there("scaled-object", &json!({}))],
        &[],
        "nothing is composed: ScaledObject worker-scaler in namespace workers exists and was",
    );
    // The one that KEDA would overwrite.
    both(
        &[autoscaler(&json!({}))],
        &[],
        "nothing is composed: HorizontalPodAutoscaler worker in namespace workers exists and was",
    );
    let other = controlled_by("ScaledObject", "theirs", "u");
    both(&[autoscaler(&other)], &[], "nothing is composed: HorizontalPodAutoscaler worker in");
    // What is left of a scaler of ours that has just been deleted.
    both(&[autoscaler(&controlled_by("ScaledObject", "worker-scaler", "u"))], &ALL, "");
}

#[test]
fn what_anybody_can_write_proves_nothing() {
    let forged = [
        json!({"metadata": {"labels": {
            "app.kubernetes.io/name": "worker", "app.kubernetes.io/managed-by": "crossplane",
            "app.kubernetes.io/component": "event-driven-worker",
            "crossplane.io/composite": "worker-abcde", "crossplane.io/claim-name": "worker",
            "crossplane.io/claim-namespace": "workers",
        }}}),
        json!({"metadata": {"annotations": {
            "crossplane.io/composition-resource-name": "service",
            "crossplane.io/external-name": "worker",
        }}}),
        // Not the controller, not this composite, another one's field.
        json!({"metadata": {"ownerReferences": [
            {"kind": "XEventDrivenService", "name": "worker-abcde", "uid": UID},
        ]}}),
        json!({"metadata": {"ownerReferences": [
            {"kind": "XEventDrivenService", "name": "worker-abcde", "uid": "", "controller": false},
        ]}}),
        applied_by("provider-kubernetes/worker-abcde-service", "Update"),
        applied_by("provider-kubernetes/worker-other-service", "Apply"),
        applied_by("worker-abcde-service", "Apply"),
        json!({"metadata": {"managedFields": 7, "ownerReferences": "x", "labels": [],
            "annotations": 1}}),
        // Handed over to another claim, or to none.
        annotated("adopt", "other"),
        annotated("adopt", ""),
        annotated("adopt", "workers/worker"),
        annotated("on-delete", "keep"),
    ];
    for over in forged {
        both(&[there("service", &over)], &[], "nothing is composed: Service worker");
    }
    // The right record in the other form.
    check(&of_a_cluster(DIRECT), &[made("service", OBJECTS)], &[], "nothing is composed: Service");
    check(&of_a_cluster(OBJECTS), &[made("service", DIRECT)], &[], "nothing is composed: Service");
    // The name of an Object of ours that does not exist.
    check(&of_a_cluster(OBJECTS), &[made("service", OBJECTS)], &[], "nothing is composed: Service");
}

#[test]
fn what_was_just_made_is_ours_before_its_object_says_so() {
    let mut request = of_a_cluster(OBJECTS);
    let object = object_of("service", &json!({}));
    request.observed.resources.insert("service".to_owned(), resource(&object));
    check(&request, &[made("service", OBJECTS)], &ALL, "");
    // Not created yet; somebody was faster.
    check(
        &request,
        &[there("service", &json!({}))],
        &["service:Observe"],
        "left alone: Service worker in namespace workers exists and was not made by this claim",
    );
}

#[test]
fn handed_over_by_whoever_may_write_it() {
    for name in ["service", "deployment", "scaled-object"] {
        both(&[adopted(name)], &ALL, "");
    }
    both(&[autoscaler(&annotated("adopt", "worker"))], &ALL, "");
    both(
        &[adopted("service"), there("deployment", &json!({}))],
        &[],
        "nothing is composed: Deployment worker in namespace workers exists and was",
    );
    // It stays: the provider may not delete it. Crossplane itself cannot leave anything behind.
    let mut kept = adopted("service");
    lay(&mut kept, &annotated("on-delete", "keep"));
    let all = ["deployment", "scaled-object", "service:Observe+Create+Update"];
    check(&of_a_cluster(OBJECTS), std::slice::from_ref(&kept), &all, "");
    check(
        &of_a_cluster(DIRECT),
        &[kept],
        &[],
        "nothing is composed: Service worker in namespace workers was not made by this claim and \
            is to be kept (platform.bizmatters.io/on-delete), but Crossplane deletes",
    );
    // And it is still kept once it has become the claim's.
    let mut request = running(OBJECTS);
    let mut live = made("service", OBJECTS);
    lay(&mut live, &annotated("on-delete", "keep"));
    let object = object_of("service", &live);
    request.observed.resources.insert("service".to_owned(), resource(&object));
    check(&request, &[], &all, "");
}

#[test]
fn what_cannot_be_taken_over_says_why() {
    let refused = |name: &str, over: &Value, why: &str| {
        let (kind, called) = match name {
            "deployment" => ("Deployment", "worker"),
            "service" => ("Service", "worker"),
            _ => ("ScaledObject", "worker-scaler"),
        };
        // Handed over or not, the advice must not be to hand it over.
        for mut live in [there(name, &json!({})), adopted(name)] {
            lay(&mut live, over);
            let sentence = format!(
                "nothing is composed: {kind} {called} in namespace workers was not made by this \
                 claim and {why}"
            );
            for objects in [DIRECT, OBJECTS] {
                let mut request = of_a_cluster(objects);
                let service = request.desired.resources.get_mut("service").unwrap();
                let selector = json!({"selector": {"app.kubernetes.io/name": "worker"}});
                service.resource.as_mut().unwrap().insert("spec".to_owned(), selector);
                check(&request, std::slice::from_ref(&live), &[], &sentence);
            }
        }
    };
    refused(
        "deployment",
        &json!({"spec": {"selector": {"matchLabels": {"app": "worker"}}}}),
        "selects {\"matchLabels\":{\"app\":\"worker\",\"app.kubernetes.io/name\":\"worker\"}} \
            where the claim's selects {\"matchLabels\":{\"app.kubernetes.io/name\":\"worker\"}}, \
            and a selector cannot be changed",
    );
    refused(
        "deployment",
        &json!({"spec": {"template": {"spec": {"containers": [{"name": "main"},
            {"name": "app"}]}}}}),
        "has a container app, which would run beside",
    );
    refused(
        "deployment",
        &json!({"spec": {"template": {"spec": {"initContainers": [{"name": "migrate"}]}}}}),
        "has a container migrate, which would run beside",
    );
    refused(
        "service",
        &json!({"spec": {"selector": {"example.com/app": "worker"}}}),
        "selects by example.com/app, which the claim's pods do not carry; take it out of \
         spec.selector first: kubectl patch service worker --type=json -p \
         '[{\"op\":\"remove\",\"path\":\"/spec/selector/example.com~1app\"}]'",
    );
    for name in ["deployment", "service", "scaled-object"] {
        refused(name, &controlled_by("Rollout", "theirs", "u"), "belongs to Rollout theirs");
        refused(
            name,
            &json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            "is still being deleted; the claim goes on when it is gone",
        );
    }
}

#[test]
fn a_foreign_object_that_appears_later_is_only_looked_at() {
    let replaced = |name: &str| {
        let live = there(name, &applied_by("kubectl-create", "Update"));
        let mut request = running(OBJECTS);
        let object = object_of(name, &live);
        request.observed.resources.insert(name.to_owned(), resource(&object));
        (request, live)
    };
    let (request, live) = replaced("service");
    check(
        &request,
        &[live],
        &["deployment", "scaled-object", "service:Observe"],
        "left alone: Service worker in namespace workers exists and was not made by this claim",
    );
    // Deleted since: the Object's record is outdated, and the service is created again.
    check(&request, &[], &ALL, "");
    check(&request, &[adopted("service")], &ALL, "");
    // By the Deployment's name, our scaler would scale a foreign one.
    let (request, live) = replaced("deployment");
    check(
        &request,
        &[live],
        &["deployment:Observe", "service"],
        "left alone: Deployment worker in",
    );
    let (request, live) = replaced("scaled-object");
    check(
        &request,
        &[live],
        &["deployment", "scaled-object:Observe", "service"],
        "left alone: ScaledObject worker-scaler in",
    );
    // We must not count its pods.
    let (mut request, mut live) = replaced("deployment");
    lay(&mut live, &json!({"status": {"replicas": 7, "readyReplicas": 7}}));
    let object_ = object_of("deployment", &live);
    request.observed.resources.insert("deployment".to_owned(), resource(&object_));
    let composite = run_beside(&request, &[live]).desired.composite.unwrap();
    let status = &composite.resource.unwrap()["status"];
    assert_eq!(status.as_object().unwrap().keys().collect::<Vec<_>>(), ["message"]);
}

#[test]
fn composed_directly_and_replaced() {
    // If somebody else controls it, it is not among what Crossplane observes.
    let mut request = running(DIRECT);
    request.observed.resources.remove("service");
    let live = there("service", &controlled_by("Rollout", "theirs", "u"));
    check(&request, &[live], &["deployment", "scaled-object"], "left alone: Service worker in");
    // If nobody controls it, it is, and Crossplane would apply or delete it.
    let live = there(
        "service",
        &json!({"metadata": {"annotations": {
            "crossplane.io/composition-resource-name": "service",
        }}}),
    );
    let mut request = running(DIRECT);
    request.observed.resources.insert("service".to_owned(), resource(&live));
    let response = run_beside(&request, &[live]);
    assert_eq!(response.desired, request.desired);
    let [result] = &response.results[..] else { panic!("{:?}", response.results) };
    assert_eq!(result.severity, Severity::Fatal);
    assert!(result.message.starts_with("left alone: Service worker in"), "{}", result.message);
    let [condition] = &response.conditions[..] else { panic!("{:?}", response.conditions) };
    assert_eq!(
        (condition.reason.as_str(), condition.message.as_ref()),
        ("NameTaken", Some(&result.message))
    );
}

/// In the namespaced form the owner is what people write. Its kind changes nothing: the uid counts.
#[test]
fn of_a_composite_without_a_claim() {
    let own = |mut request: RunFunctionRequest| {
        let composite = request.observed.composite.as_mut().unwrap().resource.as_mut().unwrap();
        composite.insert("kind".to_owned(), json!("EventDrivenService"));
        composite["metadata"]["name"] = json!("worker");
        composite["metadata"]["namespace"] = json!("workers");
        // Whatever it says of a claim is not what it is.
        composite["spec"]["claimRef"] = json!({"name": "other", "namespace": "elsewhere"});
        request
    };
    let owned =
        |name: &str, uid: &str| there(name, &controlled_by("EventDrivenService", "worker", uid));
    check(&own(running(DIRECT)), &[], &ALL, "");
    let request = own(of_a_cluster(DIRECT));
    check(&request, &ALL.map(|name| owned(name, UID)), &ALL, "");
    check(&request, &ALL.map(adopted), &ALL, "");
    let (nothing, service) = ("nothing is composed: ", "Service worker in namespace workers");
    // Another of the same kind and name: one that was deleted, and left it behind.
    let expect = format!(
        "{nothing}{service} was not made by this claim and belongs to EventDrivenService worker"
    );
    check(&request, &[owned("service", "another")], &[], &expect);
    let expect = format!("{nothing}{service} exists and was not made by this claim; delete it");
    check(&request, &[there("service", &annotated("adopt", "other"))], &[], &expect);
    let mut kept = adopted("service");
    lay(&mut kept, &annotated("on-delete", "keep"));
    check(&request, std::slice::from_ref(&kept), &[], &format!("{nothing}{service}"));
    let said = |request: &RunFunctionRequest| {
        run_beside(request, std::slice::from_ref(&kept)).results[0].message.clone()
    };
    assert!(said(&request).ends_with("; remove that annotation"), "{}", said(&request));
    let of_a_claim = said(&of_a_cluster(DIRECT));
    assert!(of_a_claim.ends_with("choose the Composition that composes Objects"), "{of_a_claim}");
}

#[test]
fn a_claim_of_a_name_that_kubernetes_uses_itself() {
    for name in ["default", "kubernetes"] {
        let mut request = of_a_cluster(OBJECTS);
        let composite = object(&json!({
            "apiVersion": "platform.bizmatters.io/v1alpha1", "kind": "XEventDrivenService",
            "metadata": {"name": "x", "uid": UID},
            "spec": {"claimRef": {"name": name, "namespace": "workers"}, "image": "worker:1"},
        }));
        request.observed.composite.as_mut().unwrap().resource = Some(composite);
        let said = super::fatal(&request);
        assert!(
            said.contains(&format!("spec.claimRef.name: {name:?} is a name of Kubernetes'")),
            "{said}"
        );
    }
}
