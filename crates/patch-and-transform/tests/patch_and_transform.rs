//! What patch-and-transform answers, case by case.
//!
//! `cases/patch_and_transform.jsonl` holds requests designed to exercise every rule of upstream's
//! `fn.go`, `patches.go`, `validate.go`, `ready.go` and `connection.go`, and of its decoder, with
//! the Go function's answers. To record more from a directory of requests: `eds-parity --count 0
//! --cases DIRECTORY --record FILE`.
//!
//! Requests on which the Go function crashes or never ends are in this file, with our answers.

#![cfg(test)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a test reads files and the environment, and prints"
)]

use std::fs;
use std::path::Path;

use patch_and_transform::protocol_json::{differences, request_from_json, response_to_json};
use patch_and_transform::run;
use serde_json::{Value, json};

fn answer(request: &Value) -> Value {
    response_to_json(&run(request_from_json(request).expect("the request is readable")))
}

#[test]
fn answers_are_those_of_the_go_function() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/patch_and_transform.jsonl");
    let text = fs::read_to_string(path).expect("the cases are committed");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("every line is JSON");
        let ours = answer(&case["request"]);
        let answers = case["answers"].as_array().expect("every case has answers");
        count += 1;
        if !answers.contains(&ours) {
            let differences = answers.first().map(|theirs| differences(&ours, theirs));
            wrong.push(format!("{}: {differences:#?}", case["name"]));
        }
    }
    assert!(count > 250, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Runs one template, `r`, against a composite and an observed resource of the same name.
fn check(template: Value, input: Value, expect: &str) {
    let object = json!({"apiVersion": "v1", "kind": "K", "metadata": {"name": "o"},
        "spec": {"s": "text", "crossplane": {}, "*": 1}});
    let mut template = template;
    template["name"] = json!("r");
    let mut input = input;
    input["resources"] = json!([template]);
    let request = json!({
        "observed": {"composite": {"resource": object}, "resources": {"r": {"resource": object}}},
        "input": input,
    });
    let answer = answer(&request);
    let results = answer["results"].as_array().expect("there are results");
    let last = results.last().expect("there is a result");
    assert_eq!(last["severity"], "SEVERITY_FATAL", "{answer}");
    let message = last["message"].as_str().unwrap_or_default();
    assert!(message.contains(expect), "{message}\nlacks\n{expect}");
}

#[test]
fn what_crashes_the_go_function_is_fatal_and_says_where() {
    let base = json!({"apiVersion": "v1", "kind": "K"});
    check(
        json!({"base": base, "readinessChecks": [{"type": "MatchCondition"}]}),
        json!({}),
        "cannot check readiness of composed resource \"r\": cannot run readiness check at index 0: \
         matchCondition: Required value",
    );
    check(
        json!({"base": base, "connectionDetails":
            [{"type": "FromValue", "name": "k", "value": "v"}]}),
        json!({"writeConnectionSecretToRef": {"patches": [{"type": "CombineFromComposite"}]}}),
        "cannot apply patch type CombineFromComposite at index 0: combine: Required value",
    );
    check(
        json!({"base": {"apiVersion": "v1", "kind": "K", "spec": {"*": 1}},
            "patches": [{"fromFieldPath": "spec.s", "toFieldPath": "spec[*]"}]}),
        json!({}),
        "cannot render composed resource \"r\" \"FromCompositeFieldPath\" patch at index 0: \
         cannot expand wildcards for segments: \"spec[*]\": exceeded max depth",
    );
}

#[test]
fn too_deep_is_fatal_and_says_where() {
    let base = json!({"apiVersion": "v1", "kind": "K"});
    let deep = vec!["a"; 1001].join(".");
    check(
        json!({"base": base, "patches": [{"fromFieldPath": "spec.s", "toFieldPath": deep}]}),
        json!({}),
        "\"r\" \"FromCompositeFieldPath\" patch at index 0: cannot patch to object: \
         exceeded max depth",
    );
    let nested = (0..1001).fold(json!(1), |inner, _| json!([inner]));
    check(
        json!({"base": {"apiVersion": "v1", "kind": "K", "spec": nested}}),
        json!({}),
        "cannot parse base template of composed resource \"r\": exceeded max depth",
    );
    check(
        json!({"base": base, "patches": [{"fromFieldPath": "spec.s", "transforms":
            [{"type": "map", "map": {"a": nested}}]}]}),
        json!({}),
        "cannot get Function input",
    );
    // Each patch moves a value one path deeper; only the sum is too much.
    let path = vec!["a"; 200].join(".");
    let patches = [
        json!({"type": "FromCompositeFieldPath", "fromFieldPath": "spec", "toFieldPath": path}),
        json!({"type": "ToCompositeFieldPath", "fromFieldPath": "a", "toFieldPath": "b"}),
    ];
    let patches: Vec<_> = [&patches[0], &patches[1]].into_iter().cloned().collect();
    let request = json!({
        "observed": {"composite": {"resource": {"kind": "K", "spec": {"x": 1}}}},
        "input": {"environment": {"patches": patches}},
    });
    assert!(answer(&request)["results"].is_null(), "within bounds");
}
