//! No path, object or input makes the engine panic, and its results are consistent.

#![cfg(test)]

use std::collections::BTreeMap;

use patch_and_transform::fieldpath::{
    self, MergeOptions, Path, delete_field, expand_wildcards, get_value, merge_value, parse,
    set_value,
};
use patch_and_transform::protocol::{Object, Resource, RunFunctionRequest, Severity, State};
use patch_and_transform::{ENVIRONMENT, run};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// Names that mean something to a composition, a path or the decoder, and some that do not.
const NAMES: [&str; 20] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "spec",
    "status",
    "a",
    "b",
    "x.y",
    "*",
    "",
    "0",
    "é",
    "a]b",
    "'q'",
    "items",
    "conditions",
    "type",
    "data",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![9 => select(&NAMES[..]).prop_map(str::to_owned), 1 => ".{0,4}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        name().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object_of(inner).prop_map(Value::Object),
        ]
    })
}

fn object_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Object> {
    prop::collection::btree_map(name(), value, 0..5).prop_map(|m| m.into_iter().collect())
}

fn object() -> impl Strategy<Value = Object> {
    object_of(value())
}

/// Generates text from the pieces of paths, well-formed or not.
fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => name(),
        3 => Just(".".to_owned()),
        2 => select(&["[", "]", "[*]", "[0]", "[1]", "[1024]", "[1025]", "[4294967296]",
            "['a']"][..])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

fn options() -> impl Strategy<Value = Option<MergeOptions>> {
    prop::option::of(
        any::<(bool, bool)>().prop_map(|(keep_map_values, append_slice)| MergeOptions {
            keep_map_values,
            append_slice,
        }),
    )
}

fn patch() -> impl Strategy<Value = Value> {
    let type_ = select(
        &[
            "FromCompositeFieldPath",
            "ToCompositeFieldPath",
            "CombineFromComposite",
            "CombineToComposite",
            "FromEnvironmentFieldPath",
            "ToEnvironmentFieldPath",
            "CombineFromEnvironment",
            "CombineToEnvironment",
            "PatchSet",
            "",
        ][..],
    );
    let policy = select(
        &[
            "Replace",
            "MergeObjects",
            "MergeObjectsAppendArrays",
            "ForceMergeObjects",
            "ForceMergeObjectsAppendArrays",
            "AppendArray",
        ][..],
    );
    let transform = prop_oneof![
        4 => Just(json!({"type": "string", "string": {"type": "Format", "fmt": "%v-%d"}})),
        2 => Just(json!({"type": "convert", "convert": {"toType": "array", "format": "json"}})),
        2 => Just(json!({"type": "match", "match": {"fallbackTo": "Input", "patterns":
            [{"type": "literal", "literal": "a", "result": 1}]}})),
        1 => value(),
    ];
    (type_, path(), path(), policy, any::<bool>(), prop::collection::vec(transform, 0..2)).prop_map(
        |(type_, from, to, policy, required, transforms)| {
            let from_policy = if required { "Required" } else { "Optional" };
            let mut patch = json!({
                "type": type_, "fromFieldPath": from, "toFieldPath": to, "transforms": transforms,
                "policy": {"toFieldPath": policy, "fromFieldPath": from_policy},
            });
            if type_.starts_with("Combine") {
                patch["combine"] = json!({"strategy": "string", "string": {"fmt": "%s%v"},
                    "variables": [{"fromFieldPath": from}, {"fromFieldPath": "spec"}]});
            }
            if type_ == "PatchSet" {
                patch["patchSetName"] = json!("set");
            }
            patch
        },
    )
}

/// Generates an input that may well be valid, sometimes with an arbitrary value in place of
/// something else.
fn input() -> impl Strategy<Value = Object> {
    let patches = || prop::collection::vec(patch(), 0..3);
    let base = prop_oneof![
        3 => object().prop_map(|mut base| {
            base.insert("kind".to_owned(), json!("K"));
            Value::Object(base)
        }),
        1 => value(),
    ];
    let known = (base, patches(), patches(), path(), value()).prop_map(
        |(base, patches, set, path, other)| {
            json!({
                "apiVersion": "pt.fn.crossplane.io/v1beta1",
                "kind": "Resources",
                "patchSets": [{"name": "set", "patches": set}],
                "environment": {"patches": []},
                "resources": [
                    {"name": "r", "base": base, "patches": patches,
                        "readinessChecks": [{"type": "NonEmpty", "fieldPath": path}],
                        "connectionDetails":
                            [{"name": "k", "type": "FromFieldPath", "fromFieldPath": path}]},
                    {"name": "s", "patches": patches, "base": other},
                ],
            })
        },
    );
    prop_oneof![
        8 => known.prop_map(|known| known.as_object().cloned().unwrap()),
        1 => object(),
    ]
}

fn resource() -> impl Strategy<Value = Resource> {
    (prop::option::of(object()), prop::collection::btree_map(name(), any::<Vec<u8>>(), 0..2))
        .prop_map(|(resource, connection_details)| Resource {
            resource,
            connection_details,
            ..Default::default()
        })
}

fn state() -> impl Strategy<Value = State> {
    let names = || select(&["r", "s", "t"][..]).prop_map(str::to_owned);
    let resources = prop::collection::btree_map(names(), resource(), 0..3);
    (prop::option::of(resource()), resources)
        .prop_map(|(composite, resources): (_, BTreeMap<_, _>)| State { composite, resources })
}

fn request() -> impl Strategy<Value = RunFunctionRequest> {
    (state(), state(), prop::option::of(input()), prop::option::of(value())).prop_map(
        |(observed, desired, input, environment)| RunFunctionRequest {
            tag: "tag".to_owned(),
            observed,
            desired,
            input,
            context: environment.map(|e| Map::from_iter([(ENVIRONMENT.to_owned(), e)])),
            ..Default::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None,
        ..ProptestConfig::with_cases(512) })]

    #[test]
    fn printing_parsed_segments_parses_again(text in path()) {
        if let Ok(segments) = parse(&text) {
            let _ = parse(&Path(&segments).to_string());
        }
    }

    #[test]
    fn what_was_set_is_there_until_deleted(mut o in object(), text in path(), v in value()) {
        let before = o.clone();
        if set_value(&mut o, &text, v.clone()).is_ok() && !parse(&text).unwrap().is_empty() {
            let mut want = v;
            fieldpath::normalize(&mut want).unwrap();
            prop_assert_eq!(get_value(&o, &text).unwrap(), Some(&want));
            delete_field(&mut o, &text).unwrap();
            if let Err(error) = get_value(&o, &text) {
                prop_assert!(error.is_not_found(), "{}", error);
            }
        } else if parse(&text).is_err() {
            prop_assert_eq!(o, before);
        }
    }

    #[test]
    fn merging_bounds_what_it_makes(mut o in object(), text in path(), v in value(),
        how in options()) {
        if merge_value(&mut o, &text, v, how).is_ok() {
            prop_assert!(fieldpath::normalize_object(&mut o).is_ok());
        }
    }

    #[test]
    fn expanded_paths_have_no_wildcards(o in object(), text in path()) {
        for path in expand_wildcards(&o, &text).unwrap_or_default() {
            // A key may hold what no path can express; then the path does not lead back to it.
            let _ = get_value(&o, &path);
            prop_assert!(!path.contains("[*]"), "{}", path);
        }
    }

    #[test]
    fn any_request_has_an_answer(request in request()) {
        let answer = run(request.clone());
        prop_assert_eq!(&answer.tag, &request.tag);
        let fatal = answer.results.iter().filter(|r| r.severity == Severity::Fatal).count();
        prop_assert!(fatal <= 1);
        if fatal == 1 {
            prop_assert_eq!(answer.results.last().unwrap().severity, Severity::Fatal);
            prop_assert_eq!(&answer.context, &request.context);
            prop_assert_eq!(&answer.desired.resources, &request.desired.resources);
        } else {
            prop_assert!(answer.context.unwrap()[ENVIRONMENT].is_object());
            prop_assert!(answer.desired.composite.unwrap().resource.is_some());
        }
        // The same request gets the same answer.
        prop_assert_eq!(run(request.clone()).results, run(request).results);
    }
}
