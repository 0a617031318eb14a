//! Whatever JSON or text comes in, there is an answer: without a panic, the same every time, and
//! usable by Crossplane. Most cases are good ones with a few places changed, which reach deeper
//! than noise.

#![cfg(test)]

use eds_core::composition::{Composition, Inputs, composite_of, render};
use eds_core::functions;
use kube_schema::schema::ClaimApi;
use kube_schema::yaml;
use patch_and_transform::protocol::{
    Object, Ready, Resource, RunFunctionRequest, Severity, State, normalize,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

const COMPOSITION: &str =
    include_str!("../../../platform/04-apis/compositions/event-driven-service-composition.yaml");
const XRD: &str = include_str!("../../../platform/04-apis/definitions/xeventdrivenservices.yaml");
const CLAIM: &str = include_str!("../../../platform/04-apis/examples/full-claim.yaml");

fn document(text: &str) -> Value {
    yaml::parse(text).documents[0].to_json()
}

/// Generates words that matter here, and some that do not.
fn word() -> impl Strategy<Value = String> {
    let known = select(vec![
        "",
        "Deployment",
        "ScaledObject",
        "Object",
        "apps/v1",
        "keda.sh/v1alpha1",
        "kubernetes.crossplane.io/v1alpha2",
        "main",
        "True",
        "False",
        "Unknown",
        "Ready",
        "Synced",
        "Progressing",
        "ReplicaFailure",
        "TriggerError",
        "$SYS",
        "ErrImagePull",
        "CrashLoopBackOff",
        "NATS_URL",
        "Required",
        "a:1@sha256:",
        "spec.claimRef.name",
        "x[0].y",
        "%s",
        "Resources",
        "FromCompositeFieldPath",
        "string",
        "convert",
        "map",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => ".{0,6}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        any::<f64>().prop_map(|f| json!(f)),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(word(), inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// One change: the place, and the new value; `None` removes it.
type Change = (Index, Option<Value>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((any::<Index>(), prop::option::of(value())), 0..6)
}

/// Applies the changes, each somewhere in what the one before left.
fn change(mut whole: Value, changes: &[Change]) -> Value {
    for (index, new) in changes {
        let mut places = Vec::new();
        collect(&whole, String::new(), &mut places);
        if places.is_empty() {
            break;
        }
        let place = &places[index.index(places.len())];
        let (parent, key) = place.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/").replace("~0", "~");
        match (whole.pointer_mut(parent).unwrap(), new) {
            (Value::Object(map), Some(new)) => drop(map.insert(key, new.clone())),
            (Value::Object(map), None) => drop(map.remove(&key)),
            (Value::Array(list), Some(new)) => list[key.parse::<usize>().unwrap()] = new.clone(),
            (Value::Array(list), None) => drop(list.remove(key.parse().unwrap())),
            _ => {}
        }
    }
    whole
}

/// Collects the JSON pointers of everything inside a value.
fn collect(value: &Value, at: String, places: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => {
            map.iter().map(|(k, v)| (k.replace('~', "~0").replace('/', "~1"), v)).collect()
        }
        Value::Array(list) => list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let place = format!("{at}/{key}");
        places.push(place.clone());
        collect(child, place, places);
    }
}

fn objects(value: &Value) -> Vec<Object> {
    let list: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => Vec::new(),
    };
    list.into_iter().filter_map(|v| v.as_object().cloned()).collect()
}

fn named(value: &Value) -> std::collections::BTreeMap<String, Resource> {
    let entries = value.as_object().into_iter().flatten();
    entries
        .map(|(name, v)| {
            let resource = Resource { resource: v.as_object().cloned(), ..Resource::default() };
            (name.clone(), resource)
        })
        .collect()
}

/// Returns a service in trouble, with every part that our step looks at.
fn world() -> Value {
    let claim = document(CLAIM).as_object().unwrap().clone();
    let composite = composite_of(&claim, "XEventDrivenService");
    let inputs = Inputs { composite: composite.clone(), ..Inputs::default() };
    let composition = Composition::parse(&document(COMPOSITION)).unwrap();
    let rendered = render(&composition, &inputs).unwrap();
    let desired: Value = rendered
        .composed
        .iter()
        .map(|(name, object)| (name.clone(), object["spec"]["forProvider"]["manifest"].clone()))
        .collect();
    let mut observed = json!({});
    for (name, object) in &rendered.composed {
        let mut object = Value::Object(object.clone());
        object["status"] = json!({
            "conditions": [{"type": "Synced", "status": "True"}],
            "atProvider": {"manifest": object["spec"]["forProvider"]["manifest"]},
        });
        observed[name] = object;
    }
    observed["deployment"]["status"]["atProvider"]["manifest"]["status"] = json!({
        "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 0,
        "conditions": [
            {"type": "Progressing", "status": "False", "message": "m"},
            {"type": "ReplicaFailure", "status": "False", "message": "m"},
        ],
    });
    observed["scaled-object"]["status"]["atProvider"]["manifest"]["status"] =
        json!({"conditions": [{"type": "Ready", "status": "False", "reason": "TriggerError"}]});
    let container = |state: Value| json!([{"name": "main", "restartCount": 1, "state": state}]);
    let pod = |name: &str, state: Value| {
        let mut labels = desired["deployment"]["spec"]["template"]["metadata"]["labels"].clone();
        labels["pod-template-hash"] = json!("5d4f");
        let deployment = desired["deployment"]["metadata"]["name"].as_str().unwrap();
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": claim["metadata"]["namespace"], "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                    "name": format!("{deployment}-5d4f"), "uid": "rs",
                }],
            },
            "status": {"containerStatuses": container(state), "conditions": []},
        })
    };
    let pods = json!([
        pod("a", json!({"terminated": {"exitCode": 1, "reason": "Error"}})),
        pod("b", json!({"waiting": {"reason": "ErrImagePull", "message": "m"}})),
    ]);
    let step = &document(COMPOSITION)["spec"]["pipeline"][1]["input"];
    json!({
        "composite": composite, "desired": desired, "observed": observed, "pods": pods,
        "input": step,
    })
}

fn request(world: &Value) -> RunFunctionRequest {
    let composite = |value: &Value| {
        value.as_object().map(|o| Resource { resource: Some(o.clone()), ..Resource::default() })
    };
    let pods = objects(&world["pods"])
        .into_iter()
        .map(|o| Resource { resource: Some(o), ..Resource::default() })
        .collect();
    RunFunctionRequest {
        observed: State {
            composite: composite(&world["composite"]),
            resources: named(&world["observed"]),
        },
        desired: State { composite: None, resources: named(&world["desired"]) },
        input: world["input"].as_object().cloned(),
        required_resources: [("pods".to_owned(), pods)].into(),
        ..RunFunctionRequest::default()
    }
}

/// Checks that the answer is a fatal result with nothing changed, or one verdict on everything.
fn check_answer(request: &RunFunctionRequest) -> Result<(), TestCaseError> {
    let response = functions::run(request.clone());
    prop_assert_eq!(&response, &functions::run(request.clone()));
    prop_assert!(response.ttl.is_some());
    if response.results.iter().any(|r| r.severity == Severity::Fatal) {
        prop_assert_eq!(response.results.len(), 1);
        prop_assert_eq!(&response.desired, &request.desired);
        return Ok(());
    }
    // What exists is kept, or Crossplane would delete it; what does not exist waits for the answer
    // about what is in the way.
    for name in response.desired.resources.keys() {
        prop_assert!(request.desired.resources.contains_key(name), "{}", name);
    }
    for name in request.desired.resources.keys() {
        let kept = response.desired.resources.contains_key(name);
        prop_assert!(kept || !request.observed.resources.contains_key(name), "{}", name);
        prop_assert!(kept || !response.required_resources.is_empty(), "{}", name);
    }
    if request.input.as_ref().is_some_and(|input| input["kind"] == "Input") {
        prop_assert_eq!(response.conditions.len(), 1);
        for resource in response.desired.resources.values() {
            prop_assert_ne!(resource.ready, Ready::Unspecified);
        }
    }
    Ok(())
}

#[test]
fn the_unchanged_cases_are_good() {
    let world = world();
    let response = functions::run(request(&world));
    assert_eq!(response.results, []);
    assert_eq!(response.conditions[0].reason, "WorkerCrashing");
    assert!(ClaimApi::from_xrd(&document(XRD)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn our_step_has_an_answer(changes in changes()) {
        thread_local!(static WORLD: Value = world());
        check_answer(&request(&change(WORLD.with(Value::clone), &changes)))?;
    }

    #[test]
    fn any_step_has_an_answer(
        mut input in value(), composite in value(), desired in value(), observed in value(),
        pods in value(),
    ) {
        let kinds = [
            ("eventdrivenservice.fn.platform.bizmatters.io/v1alpha1", "Input"),
            ("pt.fn.crossplane.io/v1beta1", "Resources"),
        ];
        for (api_version, kind) in kinds {
            if let Some(input) = input.as_object_mut() {
                input.insert("apiVersion".to_owned(), json!(api_version));
                input.insert("kind".to_owned(), json!(kind));
            }
            let world = json!({
                "input": input, "composite": composite, "desired": desired, "observed": observed,
                "pods": pods,
            });
            check_answer(&request(&world))?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_claim_has_an_answer(claim_changes in changes(), world_changes in changes()) {
        let xrd = ClaimApi::from_xrd(&document(XRD)).unwrap();
        let composition = Composition::parse(&document(COMPOSITION)).unwrap();
        let claim = change(document(CLAIM), &claim_changes);
        let mut claim = claim;
        xrd.apply_defaults(&mut claim);
        let mut again = claim.clone();
        xrd.apply_defaults(&mut again);
        prop_assert_eq!(&again, &claim);

        let world = change(world(), &world_changes);
        let inputs = Inputs {
            composite: composite_of(claim.as_object().unwrap(), "XEventDrivenService"),
            observed: objects(&world["observed"]),
            required: objects(&world["pods"]),
            ..Inputs::default()
        };
        let rendered = render(&composition, &inputs);
        prop_assert_eq!(format!("{rendered:?}"), format!("{:?}", render(&composition, &inputs)));
        if let Ok(rendered) = rendered {
            // Fewer only with a message about it: a missing required field leaves out a manifest.
            let composed = rendered.objects().count();
            prop_assert!(composed == 4 || !rendered.results.is_empty());
            prop_assert_eq!(rendered.manifests().count(), composed);
            prop_assert!(rendered.composite["status"]["conditions"].is_array());
        }
    }

    #[test]
    fn any_composition_has_an_answer(changes in changes()) {
        let changed = change(document(COMPOSITION), &changes);
        let parsed = Composition::parse(&changed);
        prop_assert_eq!(format!("{parsed:?}"), format!("{:?}", Composition::parse(&changed)));
        if let Ok(composition) = parsed {
            let claim = document(CLAIM).as_object().unwrap().clone();
            let composite = composite_of(&claim, "XEventDrivenService");
            let _ = render(&composition, &Inputs { composite, ..Inputs::default() });
        }
    }

    #[test]
    fn any_xrd_has_an_answer(changes in changes(), claim in value()) {
        if let Ok(xrd) = ClaimApi::from_xrd(&change(document(XRD), &changes)) {
            for claim in [document(CLAIM), json!({"spec": claim})] {
                let mut claim = claim;
                xrd.apply_defaults(&mut claim);
            }
        }
    }

    #[test]
    fn anything_for_a_composition_or_an_xrd(value in value()) {
        prop_assert!(Composition::parse(&value).is_err());
        prop_assert!(ClaimApi::from_xrd(&value).is_err());
    }
}

/// Generates text from pieces that mean something in YAML.
fn yaml_text() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "a",
        "b: ",
        "- ",
        "? ",
        ": ",
        ":",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        " ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&x ",
        "*x",
        "<<: ",
        "!!str ",
        "!t ",
        "|\n",
        ">-\n",
        "|2\n",
        "'",
        "\"",
        "\\",
        "\\u",
        "\\x41",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "%TAG ! x\n",
        "~",
        "yes",
        "0x1F",
        "0777",
        "1e3",
        ".inf",
        "2001-01-01",
        "\u{feff}",
        "\u{85}",
        "\r",
        "\0",
        "é",
        "日",
    ]);
    let piece = prop_oneof![8 => pieces.prop_map(str::to_owned), 1 => ".{0,3}"];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn check_yaml(text: &str) -> Result<(), TestCaseError> {
    let stream = yaml::parse(text);
    prop_assert_eq!(format!("{stream:?}"), format!("{:?}", yaml::parse(text)));
    let lines = text.matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 2;
    let spans =
        stream.problems.iter().map(|p| p.span).chain(stream.documents.iter().map(|d| d.span));
    for span in spans {
        prop_assert!(span.start.line >= 1 && span.start.column >= 1, "{:?}", span);
        prop_assert!(span.start <= span.end && span.end.line <= lines, "{:?}", span);
    }
    for document in &stream.documents {
        let _ = document.to_json();
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_pieces_of_yaml_are_read(text in yaml_text()) {
        check_yaml(&text)?;
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        check_yaml(&String::from_utf8_lossy(&bytes))?;
    }

    /// JSON is YAML, except for characters that break lines in YAML, and the merge key. Inside a
    /// list, because a null on its own is an empty document.
    #[test]
    fn json_is_read_as_json(value in value().prop_map(|value| json!([value]))) {
        let text = value.to_string();
        let is_other = |c: char| c.is_control() || "\u{2028}\u{2029}\u{feff}".contains(c);
        prop_assume!(!text.contains(|c: char| c != '\n' && is_other(c)));
        prop_assume!(!text.contains("\"<<\""));
        for text in [text, format!("{value:#}")] {
            let stream = yaml::parse(&text);
            prop_assert_eq!(&stream.problems, &[], "{}", text);
            prop_assert_eq!(stream.documents.len(), 1);
            let mut read = stream.documents[0].to_json();
            let mut written = value.clone();
            [&mut read, &mut written].into_iter().for_each(normalize);
            prop_assert_eq!(read, written);
        }
    }
}
