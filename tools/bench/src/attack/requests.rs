//! Requests that cost more than they appear to.

use bytes::Bytes;
use eds_function::convert::request_to_wire;
use patch_and_transform::protocol_json::request_from_json;
use prost::Message;
use serde_json::{Value, json};

use crate::Failure;

/// Builds a request for patch-and-transform from the composite's `spec`, the initial data of a
/// ConfigMap, and its patches.
fn request(spec: &Value, data: &Value, patches: &Value) -> Result<Bytes, Failure> {
    let json = json!({
        "meta": { "tag": "attack" },
        "observed": { "composite": { "resource": {
            "apiVersion": "example.org/v1", "kind": "XR", "metadata": { "name": "x" }, "spec": spec,
        } } },
        "input": {
            "apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources",
            "resources": [{
                "name": "a",
                "base": { "apiVersion": "v1", "kind": "ConfigMap", "data": data },
                "patches": patches,
            }],
        },
    });
    Ok(request_to_wire(request_from_json(&json)?).encode_to_vec().into())
}

pub(crate) fn small() -> Result<Bytes, Failure> {
    let patches = json!([{ "fromFieldPath": "spec.size", "toFieldPath": "data.size" }]);
    request(&json!({ "size": 3 }), &json!({}), &patches)
}

pub(crate) fn append_arrays() -> Result<Bytes, Failure> {
    let list = |from: usize| (from..from + 60_000).map(Value::from).collect::<Value>();
    let patches = json!([{
        "fromFieldPath": "spec.list", "toFieldPath": "data.list",
        "policy": { "toFieldPath": "AppendArray" },
    }]);
    request(&json!({ "list": list(60_000) }), &json!({ "list": list(0) }), &patches)
}

fn regexps(patterns: impl Iterator<Item = String>) -> Result<Bytes, Failure> {
    let patch = |(i, pattern): (usize, String)| {
        json!({
            "fromFieldPath": "spec.text", "toFieldPath": format!("data.f{i}"),
            "transforms": [{ "type": "match", "match": {
                "patterns": [{ "type": "regexp", "regexp": pattern, "result": "yes" }],
                "fallbackValue": "no",
            } }],
        })
    };
    let patches: Value = patterns.enumerate().map(patch).collect();
    request(&json!({ "text": "Größe und Länge".repeat(8) }), &json!({}), &patches)
}

pub(crate) fn long_class() -> Result<Bytes, Failure> {
    regexps(std::iter::once("\\pL{1000}".to_owned()))
}

pub(crate) fn bounded_class() -> Result<Bytes, Failure> {
    regexps(std::iter::once("^[\\p{L}\\p{N}]{1,255}$".to_owned()))
}

pub(crate) fn many_classes() -> Result<Bytes, Failure> {
    regexps((0..2000).map(|i| format!("^\\p{{L}}+{i}[\\p{{Greek}}\\p{{N}}]$")))
}

/// Returns a small request that takes a tenth of a second or more.
pub(crate) fn slow() -> Result<Bytes, Failure> {
    let pattern = "(?:.{0,250}x){2}y";
    let patches = json!([{
        "fromFieldPath": "spec.text", "toFieldPath": "data.found",
        "transforms": [{ "type": "match", "match": {
            "patterns": [{ "type": "regexp", "regexp": pattern, "result": "yes" }],
            "fallbackValue": "no",
        } }],
    }]);
    request(&json!({ "text": "x".repeat(30_000) }), &json!({}), &patches)
}

/// Returns a request with 40,000 instructions, all alive.
pub(crate) fn long_programs() -> Result<Bytes, Failure> {
    regexps((0..8).map(|i| format!("{}{i}", ".{0,1000}".repeat(20))))
}

pub(crate) fn dense() -> Result<Bytes, Failure> {
    let patches = json!([{ "fromFieldPath": "spec.size", "toFieldPath": "data.size" }]);
    let list: Value = (0..100_000).map(|_| json!({ "a": [null] })).collect();
    request(&json!({ "size": 3, "list": list }), &json!({}), &patches)
}

pub(crate) fn large() -> Result<Bytes, Failure> {
    let patches = json!([{ "fromFieldPath": "spec.size", "toFieldPath": "data.size" }]);
    request(&json!({ "size": 3, "text": "x".repeat(1_900_000) }), &json!({}), &patches)
}

pub(crate) fn many_objects() -> Result<Bytes, Failure> {
    let patches = json!([{ "fromFieldPath": "spec.size", "toFieldPath": "data.size" }]);
    let list: Value = (0..70_000).map(|n| json!({ "name": "x", "value": n })).collect();
    request(&json!({ "size": 3, "list": list }), &json!({}), &patches)
}
