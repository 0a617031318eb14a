//! The schema that an XRD defines, and validation by schemas that use what ours does not.
//!
//! `xcrd/*.crds.json` hold what `crossplane xrd convert` (CLI 2.5.0) made of the XRDs next to them,
//! and of our own: scope, plural and schema of each CRD, by kind.
//! `EDS_RECORD_CRDS=path/to/crossplane-cli cargo test -p kube-schema --test schema` records them
//! again; `scripts/tools.sh crossplane-cli` prints the path.

#![cfg(test)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a test reads files and the environment, and prints"
)]

use std::path::{Path, PathBuf};

use kube_object::crossplane::crd::{Definition, Side, definition};
use kube_schema::schema::ClaimApi;
use kube_schema::schema::publish::json_schema;
use kube_schema::yaml;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xcrd")
}

fn read(path: &Path) -> Value {
    let stream = yaml::parse(&std::fs::read_to_string(path).unwrap());
    assert_eq!(stream.problems, [], "{}", path.display());
    stream.documents[0].to_json()
}

/// Writes what Crossplane's CLI makes of an XRD.
fn record(cli: &std::ffi::OsStr, xrd: &Path, to: &Path) {
    let run = std::process::Command::new(cli).args(["xrd", "convert"]).arg(xrd).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let crds = yaml::parse(std::str::from_utf8(&run.stdout).unwrap()).documents;
    let recorded: serde_json::Map<String, Value> = crds
        .iter()
        .map(|crd| {
            let spec = crd.to_json()["spec"].take();
            let schema = &spec["versions"][0]["schema"]["openAPIV3Schema"];
            let (scope, plural) = (&spec["scope"], &spec["names"]["plural"]);
            let entry = json!({"plural": plural, "schema": schema, "scope": scope});
            (spec["names"]["kind"].as_str().unwrap().to_owned(), entry)
        })
        .collect();
    let text = serde_json::to_string_pretty(&recorded).unwrap();
    std::fs::write(to, text + "\n").unwrap();
}

#[track_caller]
fn check_crds(xrd: &Path, recorded: &str, sides: &[Side]) {
    if let Some(cli) = std::env::var_os("EDS_RECORD_CRDS") {
        record(&cli, xrd, &folder().join(recorded));
    }
    let xrd = read(xrd);
    let recorded = read(&folder().join(recorded));
    assert_eq!(recorded.as_object().unwrap().len(), sides.len());
    for side in sides {
        let definition = definition(&xrd, *side).unwrap();
        let Definition { kind, plural, namespaced, .. } = &definition;
        let expected = &recorded[kind];
        // The whole schemas would fill the screen.
        let same = definition.schema() == &expected["schema"];
        assert!(same, "the schema of {kind} is not the recorded one; see the head of this file");
        assert_eq!(json!(plural), expected["plural"]);
        assert_eq!(*namespaced, expected["scope"] == json!("Namespaced"));
    }
}

#[test]
fn schemas_are_those_that_crossplane_makes() {
    let both = [Side::Composite, Side::Claim];
    let own = "../../platform/04-apis/definitions/xeventdrivenservices.yaml";
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(own);
    check_crds(&own, "event-driven-service.crds.json", &both);
    check_crds(&folder().join("legacy.yaml"), "legacy.crds.json", &both);
    for name in ["namespaced", "cluster"] {
        let xrd = folder().join(format!("{name}.yaml"));
        check_crds(&xrd, &format!("{name}.crds.json"), &[Side::Composite]);
        assert!(definition(&read(&xrd), Side::Claim).is_err(), "a v2 XRD offers no claims");
    }
}

fn api(spec: Value) -> ClaimApi {
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{
                "name": "v1", "storage": true, "served": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
            }],
        },
    });
    ClaimApi::from_xrd(&crd).unwrap()
}

/// Expected: `code path` of each finding, in any order.
#[track_caller]
fn check(schema: Value, spec: &str, expected: &[&str]) {
    let text =
        format!("apiVersion: example.org/v1\nkind: Thing\nmetadata: {{name: a}}\nspec: {spec}\n");
    let stream = yaml::parse(&text);
    let checked = api(schema).check(&stream.documents[0]);
    let mut found: Vec<String> =
        checked.findings.iter().map(|f| format!("{} {}", f.rule.code, f.path)).collect();
    found.sort();
    assert_eq!(found, expected, "{text}{:#?}", checked.findings);
    let errors = expected.iter().any(|e| !e.starts_with("EDS111") && !e.starts_with("EDS206"));
    assert_eq!(checked.claim().is_none(), errors);
}

#[test]
fn formats_and_numbers() {
    let schema = json!({"type": "object", "properties": {
        "t": {"type": "string", "format": "date-time"},
        "num": {"type": "number", "exclusiveMinimum": true, "minimum": 0, "multipleOf": 0.5},
        "i": {"type": "integer", "format": "int32"},
        "p": {"x-kubernetes-int-or-string": true},
    }});
    check(schema.clone(), "{t: '2024-01-31T12:00:00Z', num: 1.5, i: 5, p: 80}", &[]);
    check(
        schema.clone(),
        "{t: now, num: 0, i: 4294967296, p: 50%}",
        &["EDS107 spec.i", "EDS107 spec.num", "EDS109 spec.t"],
    );
    check(schema, "{num: 1.3, p: 1.5}", &["EDS101 spec.p", "EDS107 spec.num"]);
}

#[test]
fn alternatives() {
    let schema = json!({
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        "not": {"required": ["c"]},
    });
    check(schema.clone(), "{a: 1}", &[]);
    check(schema.clone(), "{}", &["EDS112 spec"]);
    check(schema.clone(), "{a: 1, b: 1}", &["EDS112 spec"]);
    check(schema, "{a: 1, c: x}", &["EDS112 spec"]);
    let any = json!({"type": "object", "properties": {"a": {
        "x-kubernetes-int-or-string": true,
        "anyOf": [{"type": "integer", "maximum": 5}, {"type": "string", "maxLength": 2}],
    }}});
    check(any.clone(), "{a: 5}", &[]);
    check(any, "{a: 6}", &["EDS112 spec.a"]);
}

#[test]
fn lists_with_keys() {
    let schema = json!({"type": "object", "properties": {
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "map": {
            "type": "array", "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k", "p"],
            "items": {"type": "object", "required": ["k"], "properties": {
                "k": {"type": "string"}, "p": {"type": "string", "default": "TCP"},
            }},
        },
    }});
    check(schema.clone(), "{set: [a, b], map: [{k: a}, {k: a, p: UDP}]}", &[]);
    check(
        schema,
        "{set: [a, b, a], map: [{k: a}, {k: a, p: TCP}]}",
        &["EDS115 spec.map[1]", "EDS115 spec.set[2]"],
    );
}

#[test]
fn unknown_fields_and_nulls() {
    let schema = json!({"type": "object", "properties": {
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
            "known": {"type": "object", "properties": {"a": {"type": "string"}}},
        }},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        "null": {"type": "string", "nullable": true},
        "word": {"type": "string"},
    }});
    check(schema.clone(), "{open: {x: {y: 1}, known: {a: b}}, map: {x: 1}, 'null': null}", &[]);
    check(
        schema.clone(),
        "{open: {known: {b: 1}}, map: {x: y}, wrod: 1}",
        &["EDS101 spec.map.x", "EDS103 spec.open.known.b", "EDS103 spec.wrod"],
    );
    check(schema, "{word: null}", &["EDS206 spec.word"]);
}

#[test]
fn rules_run_where_the_schema_holds() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "integer"}, "num": {"type": "number"}, "x-y": {"type": "string"},
        "q": {"type": "string", "x-kubernetes-validations": [
            {"rule": "quantity(self).isGreaterThan(quantity('1'))"},
        ]},
        "u": {"type": "string", "x-kubernetes-validations": [{"rule": "isURL(self)"}]},
    }, "x-kubernetes-validations": [
        {"rule": "!has(self.a) || self.a > 1", "fieldPath": ".a"},
        {"rule": "!has(self.num) || self.num > 1.5"},
        {"rule": "!has(self.x__dash__y) || self.x__dash__y != 'no'"},
        {"rule": "self == oldSelf"},
    ]});
    check(schema.clone(), "{a: 2, num: 2, x-y: yes-please}", &[]);
    check(
        schema.clone(),
        "{a: 1, num: 1, x-y: 'no'}",
        &["EDS110 spec", "EDS110 spec", "EDS110 spec.a"],
    );
    check(schema.clone(), "{a: text}", &["EDS101 spec.a"]);
    check(schema.clone(), "{q: 2Gi}", &[]);
    check(schema.clone(), "{q: 2m}", &["EDS110 spec.q"]);
    check(schema, "{u: a}", &["EDS111 spec.u"]);
}

#[test]
fn published_schemas_speak_plain_json_schema() {
    let xrd = read(&folder().join("legacy.yaml"));
    for side in [Side::Claim, Side::Composite] {
        let schema = json_schema(&definition(&xrd, side).unwrap());
        let text = schema.to_string();
        assert!(!text.contains("x-kubernetes"), "{text}");
        assert_eq!(schema["properties"]["spec"]["additionalProperties"], json!(true));
        assert_eq!(schema["properties"]["metadata"]["additionalProperties"], json!(false));
        assert_eq!(schema["additionalProperties"], json!(false));
    }
}
