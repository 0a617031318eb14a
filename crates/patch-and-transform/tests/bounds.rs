//! Refuses what would take unbounded time or memory: patches that grow.

#![cfg(test)]

use patch_and_transform::protocol_json::{request_from_json, response_to_json};
use patch_and_transform::run;
use serde_json::{Value, json};

/// Runs the patches of one resource and returns what is reported; nothing if the run is good.
fn patched(patches: &[Value]) -> String {
    let object = json!({"apiVersion": "v1", "kind": "K", "metadata": {"name": "o"},
        "spec": {"s": "x".repeat(1000), "n": 7}, "data": {"x": "y"}});
    let request = json!({
        "observed": {"composite": {"resource": object}},
        "input": {"resources": [{"name": "r", "base": object, "patches": patches}]},
    });
    let answer = response_to_json(&run(request_from_json(&request).unwrap()));
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    results.iter().filter_map(|result| result["message"].as_str()).collect()
}

fn patch(from: &str, to: &str, transforms: &[Value]) -> Value {
    json!({"type": "FromCompositeFieldPath", "fromFieldPath": from, "toFieldPath": to,
        "transforms": transforms})
}

fn string(transform: Value) -> Value {
    json!({"type": "string", "string": transform})
}

fn format(format: &str) -> Value {
    string(json!({"type": "Format", "fmt": format}))
}

#[test]
fn patches_that_grow() {
    let text = "the text is longer than 8 MiB";
    let much = "patches read and wrote too much";
    let doubled: Vec<Value> = vec![format("%[1]s%[1]s"); 40];
    let hashed = [
        format("%1000000d"),
        json!({"type": "match",
            "match": {"patterns": [{"type": "literal", "literal": "a", "result": 1}]}}),
    ];
    let combined = json!({"type": "CombineFromComposite", "toFieldPath": "data.x",
        "combine": {"strategy": "string", "variables": [{"fromFieldPath": "spec.n"}],
        "string": {"fmt": "%1000000[1]d".repeat(400)}}});
    let replace = json!({"type": "Replace",
        "replace": {"search": "x", "replace": "y".repeat(100_000)}});
    let to = |field: &str, i: usize| format!("data.{field}{i}");
    let indices = "[1024]".repeat(20);
    let steps = string(json!({"type": "Regexp", "regexp": {"match": "(x?y?z?){900}$"}}));
    for (name, patches, words) in [
        ("widths", vec![patch("spec.n", "data.x", &[format(&"%400000[1]d".repeat(1000))])], text),
        ("elements", vec![patch("spec.n", "data.x", &[format(&"%1000000[1]d".repeat(400))])], text),
        ("doubled", vec![patch("spec.s", "data.x", &doubled)], text),
        ("replaced", vec![patch("spec.s", "data.x", &[string(replace)])], text),
        ("combined", vec![combined], text),
        (
            "many",
            (0..400).map(|i| patch("spec.n", &to("y", i), &[format("%1000000d")])).collect(),
            much,
        ),
        ("thrown away", (0..400).map(|i| patch("spec.n", &to("y", i), &hashed)).collect(), much),
        (
            "indices",
            (0..400).map(|i| patch("spec.n", &(to("y", i) + &indices), &[])).collect(),
            much,
        ),
        ("steps", vec![patch("spec.n", "data.x", &[format("%1000000d"), steps])], much),
        ("what is of use", vec![patch("spec.n", "data.x", &[format("%1000000d")])], ""),
    ] {
        let said = patched(&patches);
        let start: String = said.chars().take(300).collect();
        assert!(said.contains(words), "{name}: {start:?}");
        assert!(!words.is_empty() || said.is_empty(), "{name}: {start:?}");
    }
}
