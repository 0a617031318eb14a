//! The wire: what the messages mean, byte by byte, and that no bytes crash the function.
#![cfg(test)]

use eds_function::convert::{
    request_from_wire, request_to_wire, response_from_wire, response_to_wire,
};
use eds_function::proto::v1;
use eds_function::service::Service;
use eds_function::structs::{Fault, Struct};
use patch_and_transform::protocol::{Object, RunFunctionRequest};
use patch_and_transform::protocol_json::{request_from_json, request_to_json, response_to_json};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

/// Encodes a length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

/// Encodes a map entry of a Struct: the key, and fields of its Value.
fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, key.as_bytes()), field(2, value)].concat())
}

fn double(number: f64) -> Vec<u8> {
    [&[2 << 3 | 1][..], &number.to_le_bytes()].concat()
}

fn read(bytes: &[u8]) -> Result<Value, String> {
    let decoded = Struct::decode(bytes).map_err(|error| format!("malformed: {error}"))?;
    decoded
        .into_object()
        .map(Value::Object)
        .map_err(|Fault { path, message }| format!("{path}: {message}"))
}

#[test]
fn structs_are_read_as_protobuf_means_them() {
    let check = |bytes: &[u8], expect: Value| assert_eq!(read(bytes), Ok(expect), "{bytes:?}");
    check(&[], json!({}));
    check(&entry("n", &[1 << 3, 0]), json!({ "n": null }));
    check(&entry("d", &double(1.5)), json!({ "d": 1.5 }));
    check(&entry("d", &double(-0.0)), json!({ "d": -0.0 }));
    check(&entry("s", &field(3, "ü".as_bytes())), json!({ "s": "ü" }));
    check(&entry("b", &[4 << 3, 1]), json!({ "b": true }));
    check(&entry("o", &field(5, &entry("x", &[1 << 3, 0]))), json!({ "o": { "x": null } }));
    check(&entry("l", &field(6, &field(1, &double(2.0)))), json!({ "l": [2] }));
    // The last of two entries with the same key, and the last of two kinds in one value.
    check(&[entry("k", &double(1.0)), entry("k", &double(2.0))].concat(), json!({ "k": 2 }));
    check(&entry("k", &[double(1.0), field(3, b"last")].concat()), json!({ "k": "last" }));
    // Two structs in one value are merged, as messages are.
    let (x, y) = (field(5, &entry("x", &double(1.0))), field(5, &entry("y", &double(2.0))));
    check(&entry("k", &[x, y].concat()), json!({ "k": { "x": 1, "y": 2 } }));
    // A value before its key, no key, unknown fields.
    let swapped = field(1, &[field(2, &double(1.0)), field(1, b"k")].concat());
    check(&swapped, json!({ "k": 1 }));
    check(&field(1, &field(2, &double(1.0))), json!({ "": 1 }));
    check(&[field(9, b"unknown"), entry("k", &double(1.0))].concat(), json!({ "k": 1 }));
}

#[test]
fn what_json_cannot_say_is_named_with_its_place() {
    let check = |bytes: &[u8], expect: &str| {
        assert_eq!(read(bytes), Err(expect.to_owned()));
    };
    let list = [field(1, &double(1.0)), field(1, &double(f64::NAN))].concat();
    check(
        &entry("a", &field(5, &entry("b.c", &field(6, &list)))),
        ".a[\"b.c\"][1]: NaN is not a JSON number",
    );
    check(&entry("x", &double(f64::NEG_INFINITY)), ".x: -inf is not a JSON number");
    check(&entry("x", &[]), ".x: the value has no kind");
    check(&entry("x", &field(6, &field(1, &[]))), ".x[0]: the value has no kind");
}

#[test]
fn too_deep_is_named_with_its_place() {
    let test = || {
        let deep =
            |levels: usize| (0..levels).fold(double(1.0), |inner, _| field(5, &entry("k", &inner)));
        assert_eq!(
            read(&entry("top", &deep(501))),
            Err(".top.k.k.k.k.k.k.k<484 more>.k.k.k.k.k.k.k.k: deeper than 500 levels".to_owned())
        );
        assert!(read(&entry("top", &deep(499))).is_ok());
        // Far deeper than any stack: reading stops at the limit.
        let deepest = read(&entry("top", &deep(20_000)));
        assert!(deepest.is_err_and(|it| it.ends_with("deeper than 500 levels")));
    };
    // A worker's stack; a test's own is smaller.
    let thread = std::thread::Builder::new().stack_size(eds_core::functions::STACK_SIZE);
    let thread = thread.spawn(test).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn malformed_bytes_are_refused() {
    let check = |bytes: &[u8]| {
        let error = read(bytes).expect_err("malformed");
        assert!(error.starts_with("malformed: "), "{error}");
    };
    check(&[0x0a, 5, 1]);
    check(&entry("k", &field(3, &[0xff, 0xfe])));
    check(&field(1, &[0x0a, 3, 0x61]));
    check(&field(1, &field(2, &[2 << 3 | 1, 0, 0])));
    check(&field(1, &[field(1, b"k"), vec![0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat()));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |it| {
            patch_and_transform::protocol::number_from_double(it).map(Value::Number)
        }),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Object> {
    prop::collection::btree_map(any::<String>(), any_json(), 0..6)
        .prop_map(|map| map.into_iter().collect())
}

/// Generates the bytes of a request for patch-and-transform or for our own function, with arbitrary
/// JSON in its other parts, changed in some places.
fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop_oneof![
        Just(("pt.fn.crossplane.io/v1beta1", "Resources")),
        Just(("eventdrivenservice.fn.platform.bizmatters.io/v1alpha1", "Input")),
        Just(("", "")),
    ];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (kinds, any_object(), any_object(), any_object(), any_json(), changes).prop_map(
        |((api_version, kind), mut input, observed, desired, value, changes)| {
            input.insert("apiVersion".to_owned(), json!(api_version));
            input.insert("kind".to_owned(), json!(kind));
            input.insert("resources".to_owned(), json!([{ "name": "a", "base": value }]));
            let json = json!({
                "input": input,
                "observed": { "composite": { "resource": observed },
                              "resources": { "a": { "resource": desired } } },
                "desired": { "resources": { "b": { "resource": desired } } },
                "context": { "apiextensions.crossplane.io/environment": value },
            });
            let request = request_from_json(&json).expect("a request");
            let mut bytes = request_to_wire(request).encode_to_vec();
            for (index, byte) in changes {
                let place = index.index(bytes.len());
                bytes[place] = byte;
            }
            bytes
        },
    )
}

/// Whatever can be read is answered, with the request's tag and without a panic. Panics would also
/// be answered, as internal errors, so this looks for those.
fn answered(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(wire) = v1::RunFunctionRequest::decode(bytes) else { return Ok(()) };
    let tag = wire.meta.clone().unwrap_or_default().tag;
    let response = Service::default().answer(wire, &|| true);
    prop_assert_eq!(response.meta.clone().unwrap_or_default().tag, tag);
    let again = v1::RunFunctionResponse::decode(response.encode_to_vec().as_slice());
    let response = response_from_wire(again.expect("we write protobuf")).expect("readable");
    let internal = response.results.iter().find(|it| it.message.starts_with("internal error"));
    prop_assert!(internal.is_none(), "{:?}", internal);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn objects_survive_the_wire(object in any_object()) {
        let through: Object = {
            let mut json = json!({ "input": object });
            let input = request_from_json(&json.take()).expect("a request").input;
            input.expect("an input")
        };
        let bytes = Struct::from(&through).encode_to_vec();
        prop_assert_eq!(bytes.len(), Struct::from(&through).encoded_len());
        prop_assert_eq!(Struct::decode(bytes.as_slice()).expect("ours").into_object(), Ok(through));
    }

    #[test]
    fn requests_survive_the_wire(input in any_object(), composite in any_object(), tag: String) {
        let json = json!({
            "meta": { "tag": tag, "capabilities": [1, 5] },
            "input": input,
            "observed": { "composite": { "resource": composite,
                "connectionDetails": { "k": "AAE=" } } },
            "requiredResources": { "none": {}, "one": { "items": [{ "resource": input }] } },
            "extraResources": { "x": { "items": [{}] } },
            "requiredSchemas": { "s": { "openapiV3": composite }, "t": {} },
        });
        let request = request_from_json(&json).expect("a request");
        let bytes = request_to_wire(request.clone()).encode_to_vec();
        let wire = v1::RunFunctionRequest::decode(bytes.as_slice()).expect("ours");
        let read: RunFunctionRequest = request_from_wire(wire);
        prop_assert_eq!(request_to_json(&read), request_to_json(&request));
    }

    #[test]
    fn responses_survive_the_wire(object in any_object(), text: String) {
        let mut response = patch_and_transform::protocol::RunFunctionResponse::fatal(
            request_from_json(&json!({ "context": object })).expect("a request"), text);
        response.output = response.context.clone();
        let json = response_to_json(&response);
        let bytes = response_to_wire(response).encode_to_vec();
        let wire = v1::RunFunctionResponse::decode(bytes.as_slice()).expect("ours");
        prop_assert_eq!(response_to_json(&response_from_wire(wire).expect("readable")), json);
    }

    #[test]
    fn changed_requests_are_answered(bytes in any_request()) {
        answered(&bytes)?;
    }

    #[test]
    fn arbitrary_bytes_are_answered_or_refused(bytes: Vec<u8>) {
        answered(&bytes)?;
    }
}

/// A function that panics only costs its own request, and the answer says so.
#[test]
fn a_panic_is_a_fatal_result() {
    let service = Service::new(|_, _| panic!("on purpose"));
    let meta = Some(v1::RequestMeta { tag: "t".to_owned(), capabilities: Vec::new() });
    let response = service.answer(v1::RunFunctionRequest { meta, ..Default::default() }, &|| true);
    assert_eq!(response.meta.unwrap_or_default().tag, "t");
    assert_eq!(response.results.len(), 1);
    assert_eq!(response.results[0].message, "internal error: on purpose");
    assert_eq!(response.results[0].severity(), v1::Severity::Fatal);
}
