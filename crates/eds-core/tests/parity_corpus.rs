//! Replays requests that the Go function-patch-and-transform answered, and compares our answers
//! with its own. Needs no network: the corpus was recorded with `eds-parity --record
//! crates/eds-core/tests/corpus/parity.jsonl`.
#![cfg(test)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a test reads files and the environment, and prints"
)]

use std::fs;
use std::path::Path;

use eds_core::functions;
use patch_and_transform::protocol_json::{differences, request_from_json, response_to_json};
use serde_json::Value;

/// Reports where our answer to a case differs from every answer of the Go function.
fn check(case: &Value) -> Result<(), String> {
    let name = case["name"].as_str().unwrap_or("unnamed");
    let request = request_from_json(&case["request"])
        .map_err(|error| format!("{name}: the recorded request is unreadable: {error}"))?;
    let ours = response_to_json(&functions::run(request));
    let answers = case["answers"].as_array().expect("a recorded case has answers");
    if answers.contains(&ours) {
        return Ok(());
    }
    let closest = answers
        .iter()
        .map(|theirs| differences(&ours, theirs))
        .min_by_key(Vec::len)
        .expect("a recorded case has at least one answer");
    let mut text = name.to_owned();
    for difference in closest.iter().take(5) {
        let show = |side: Option<&Value>| side.map_or("nothing".to_owned(), Value::to_string);
        let (ours, theirs) = (show(difference.left), show(difference.right));
        text += &format!("\n    {}\n      ours   {ours}\n      theirs {theirs}", difference.path);
    }
    Err(text)
}

#[test]
fn answers_are_those_of_the_go_function() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/parity.jsonl");
    let text = fs::read_to_string(&path).expect("the corpus is committed");
    let cases: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line of the corpus is JSON"))
        .collect();
    assert!(cases.len() >= 300, "the corpus holds only {} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ; the first ones:\n{}",
        wrong.len(),
        cases.len(),
        wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn a_wrong_answer_is_named() {
    let case = serde_json::json!({
        "name": "made up",
        "request": { "meta": { "tag": "t" } },
        "answers": [{ "meta": { "tag": "other", "ttl": "60s" } }],
    });
    let text = check(&case).expect_err("the tag differs");
    assert!(text.starts_with("made up\n") && text.contains(".meta.tag"), "{text}");
}
