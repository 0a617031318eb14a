//! Single transforms and the Go function's answers to them (recorded over gRPC, with the patch's
//! own prefix cut off). The first column is the transform as written in a patch.

#![cfg(test)]

use patch_and_transform::input::transforms::*;
use patch_and_transform::transforms::resolve;
use serde_json::{Value, json};

fn text(v: &Value, key: &str) -> Option<String> {
    v.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn name(v: &Value, key: &str) -> String {
    text(v, key).unwrap_or_default()
}

/// Reads a transform as a patch writes it; the tests only use well-typed ones.
fn transform(v: &Value) -> Transform {
    let int = |v: &Value, key: &str| v.get(key).and_then(Value::as_i64);
    Transform {
        type_: name(v, "type"),
        math: v.get("math").map(|v| MathTransform {
            type_: name(v, "type"),
            multiply: int(v, "multiply"),
            clamp_min: int(v, "clampMin"),
            clamp_max: int(v, "clampMax"),
        }),
        map: v.get("map").map(|v| MapTransform {
            pairs: v.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        }),
        match_: v.get("match").map(|v| MatchTransform {
            patterns: v["patterns"]
                .as_array()
                .map_or_else(Vec::new, |l| l.iter().map(pattern).collect()),
            fallback_value: v["fallbackValue"].clone(),
            fallback_to: name(v, "fallbackTo"),
        }),
        string: v.get("string").map(|v| StringTransform {
            type_: name(v, "type"),
            format: text(v, "fmt"),
            convert: text(v, "convert"),
            trim: text(v, "trim"),
            regexp: v.get("regexp").map(|v| StringTransformRegexp {
                match_: name(v, "match"),
                group: int(v, "group"),
            }),
            join: v.get("join").map(|v| StringTransformJoin { separator: name(v, "separator") }),
            replace: v.get("replace").map(|v| StringTransformReplace {
                search: name(v, "search"),
                replace: name(v, "replace"),
            }),
        }),
        convert: v
            .get("convert")
            .map(|v| ConvertTransform { to_type: name(v, "toType"), format: text(v, "format") }),
    }
}

fn pattern(v: &Value) -> MatchTransformPattern {
    MatchTransformPattern {
        type_: name(v, "type"),
        literal: text(v, "literal"),
        regexp: text(v, "regexp"),
        result: v["result"].clone(),
    }
}

#[track_caller]
fn check(t: Value, input: Value, expect: Result<Value, &str>) {
    let got = resolve(&transform(&t), input.clone());
    let got = got.map_err(|e| e.to_string());
    assert_eq!(got, expect.map_err(str::to_owned), "{t} of {input}");
}

/// Builds a transform of one type; its body is under the key of the same name.
fn of_type(type_: &str, body: Value) -> Value {
    json!({"type": type_, type_: body})
}

#[test]
fn math() {
    let t = |type_: &str, key: &str| of_type("math", json!({"type": type_, key: 2}));
    check(t("Multiply", "multiply"), json!(3), Ok(json!(6)));
    check(t("Multiply", "multiply"), json!(1.5), Ok(json!(3.0)));
    check(t("Multiply", "multiply"), json!(i64::MAX), Ok(json!(-2)));
    check(t("ClampMin", "clampMin"), json!(1), Ok(json!(2)));
    check(t("ClampMin", "clampMin"), json!(3), Ok(json!(3)));
    check(t("ClampMin", "clampMin"), json!(1.9), Ok(json!(2)));
    check(t("ClampMax", "clampMax"), json!(3), Ok(json!(2)));
    check(t("ClampMax", "clampMax"), json!(2.5), Ok(json!(2.5)));
    check(t("ClampMax", "clampMax"), json!(1e300), Ok(json!(1e300)));
    for (input, found) in [(json!("ola"), "string"), (Value::Null, "<nil>"), (json!(true), "bool")]
    {
        let message = format!(
            "math transform could not resolve: input is required to be a number for math \
                transformer, got {found}"
        );
        check(t("Multiply", "multiply"), input, Err(&message));
    }
    let wrong = |t, what: &str| {
        check(t, json!(25), Err(&format!("math transform could not resolve: {what}")));
    };
    wrong(t("bad", "multiply"), "type: Invalid value: \"bad\": unknown math transform type");
    wrong(t("", "multiply"), "type: Required value: math transform type is required");
    wrong(
        t("Multiply", "clampMin"),
        "multiply: Required value: must specify a value if a multiply math transform is specified",
    );
    wrong(
        t("ClampMin", "clampMax"),
        "clampMin: Required value: must specify a value if a clamp min math transform is specified",
    );
    wrong(
        t("ClampMax", "clampMin"),
        "clampMax: Required value: must specify a value if a clamp max math transform is specified",
    );
}

#[test]
fn map() {
    let t = || {
        of_type(
            "map",
            json!({"ola": "voila", "n": 1, "l": ["a", 1], "o": {"a": null}, "null": null}),
        )
    };
    check(t(), json!("ola"), Ok(json!("voila")));
    check(t(), json!("n"), Ok(json!(1.0)));
    check(t(), json!("l"), Ok(json!(["a", 1.0])));
    check(t(), json!("o"), Ok(json!({"a": null})));
    check(
        t(),
        json!("null"),
        Err(
            "map transform could not resolve: value for key null is not valid JSON: unexpected end \
                of JSON input",
        ),
    );
    check(t(), json!("x"), Err("map transform could not resolve: key x is not found in map"));
    check(
        t(),
        json!(5),
        Err("map transform could not resolve: type int64 is not supported for map transform"),
    );
}

#[test]
fn match_() {
    let t = |patterns: Value, more: Value| {
        let mut body = json!({"patterns": patterns});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of_type("match", body)
    };
    let literal = |result: Value| json!([{"type": "literal", "literal": "foo", "result": result}]);
    for result in
        [json!("bar"), json!({"a": "b"}), json!(["a"]), json!(5.0), json!(true), Value::Null]
    {
        check(t(literal(result.clone()), json!({})), json!("foo"), Ok(result));
    }
    check(t(literal(json!(5)), json!({})), json!("foo"), Ok(json!(5.0)));
    check(t(literal(json!(5)), json!({})), json!("x"), Ok(Value::Null));
    check(t(json!([]), json!({"fallbackValue": "bar"})), json!("x"), Ok(json!("bar")));
    check(
        t(json!([]), json!({"fallbackTo": "Value", "fallbackValue": 7})),
        json!("x"),
        Ok(json!(7.0)),
    );
    check(t(json!([]), json!({"fallbackTo": "Input"})), json!({"a": 1}), Ok(json!({"a": 1})));
    check(
        t(json!([]), json!({"fallbackTo": "Input", "fallbackValue": null})),
        json!("x"),
        Ok(json!("x")),
    );
    check(
        t(json!([]), json!({"fallbackTo": "Input", "fallbackValue": 3})),
        json!("x"),
        Err(
            "match transform could not resolve: cannot set both a fallback value and the fallback \
                to input flag",
        ),
    );
    let two = json!([{"type": "literal", "literal": "foo", "result": 1},
        {"type": "literal", "literal": "foo", "result": 2}]);
    check(t(two, json!({})), json!("foo"), Ok(json!(1.0)));
    let regexp = |r: &str| t(json!([{"type": "regexp", "regexp": r, "result": "yes"}]), json!({}));
    check(regexp("^foo.*$"), json!("foobar"), Ok(json!("yes")));
    check(regexp("^foo$"), json!("foo\n"), Ok(Value::Null));
    let wrong = |t, input, what: &str| {
        check(
            t,
            input,
            Err(&format!(
                "match transform could not resolve: cannot match pattern at index 0: {what}"
            )),
        );
    };
    wrong(t(literal(json!(5)), json!({})), json!(5), "unsupported input type 'int64'");
    wrong(t(literal(json!(5)), json!({})), Value::Null, "unsupported input type '<nil>'");
    wrong(regexp("a"), Value::Null, "unsupported input type 'null'");
    wrong(regexp("a"), json!([]), "unsupported input type '[]interface {}'");
    wrong(
        regexp("?="),
        json!("a"),
        "cannot compile regexp: error parsing regexp: missing argument to repetition operator: `?`",
    );
    wrong(
        t(json!([{"type": "regexp"}]), json!({})),
        json!("a"),
        "regexp is required by type regexp",
    );
    wrong(
        t(json!([{"type": "literal"}]), json!({})),
        json!("a"),
        "literal is required by type literal",
    );
    wrong(t(json!([{"literal": "a"}]), json!({})), json!("a"), "unsupported pattern type ''");
}

#[test]
fn string() {
    let t = |body: Value| of_type("string", body);
    let gives = |body: Value, input: Value, expect: &str| check(t(body), input, Ok(json!(expect)));
    gives(json!({"type": "Format", "fmt": "verycool%s"}), json!("thing"), "verycoolthing");
    gives(json!({"type": "Format", "fmt": "the largest %d"}), json!(8), "the largest 8");
    gives(json!({"type": "Format", "fmt": "%d"}), json!(8.0), "%!d(float64=8)");
    gives(json!({"type": "Format", "fmt": "x"}), json!([1]), "x%!(EXTRA []interface {}=[1])");
    let conversion = |c: &str, input: Value, expect: &str| {
        gives(json!({"type": "Convert", "convert": c}), input, expect)
    };
    conversion("ToUpper", json!("crossplane ß"), "CROSSPLANE ß");
    conversion("ToLower", json!("CrossPlane İ"), "crossplane i");
    conversion("ToUpper", json!({"a": true}), "MAP[A:TRUE]");
    conversion("ToBase64", json!("CrossPlane"), "Q3Jvc3NQbGFuZQ==");
    conversion("FromBase64", json!("Q3Jvc3NQbGFuZQ=="), "CrossPlane");
    conversion("FromBase64", json!("/w=="), "\u{fffd}");
    conversion("ToJson", json!({"foo": "<bar>"}), r#"{"foo":"\u003cbar\u003e"}"#);
    conversion("ToSha1", json!("Crossplane"), "3b683dc8ff44122b331a5e4f253dd69d90726d75");
    conversion("ToSha1", json!({"a": 1}), "9f89c740ceb46d7418c924a78ac57941d5e96520");
    conversion(
        "ToSha256",
        json!("Crossplane"),
        "19c8a7c24ed0067f606815b59e5b82d92935ff69deed04171457a55018e31224",
    );
    let sha512 = "d404559f602eab6fd602ac7680dacbfaadd13630335e951f097af3900e9de176\
        b6db28512f2e000b9d04fba5133e8b1c6e8df59db3a8ab9d60be4b97cc9e81db";
    conversion("ToSha512", json!(1234), sha512);
    conversion("ToSha512", json!("1234"), sha512);
    conversion("ToAdler32", json!("Crossplane"), "373097499");
    conversion("ToAdler32", json!("⡌⠁⠧⠑ ⠼⠁⠒  ⡍⠜⠇⠑⠹⠰⠎ ⡣⠕⠌"), "4110427190");
    gives(
        json!({"type": "TrimPrefix", "trim": "https://"}),
        json!("https://crossplane.io"),
        "crossplane.io",
    );
    gives(
        json!({"type": "TrimPrefix", "trim": "https://"}),
        json!("crossplane.io"),
        "crossplane.io",
    );
    gives(json!({"type": "TrimSuffix", "trim": "-test"}), json!("my-string-test"), "my-string");
    gives(json!({"type": "TrimSuffix", "trim": "1"}), json!(11), "1");
    let regexp =
        |m: &str, group: Value| json!({"type": "Regexp", "regexp": {"match": m, "group": group}});
    gives(regexp("[0-9]", Value::Null), json!("my-1-string"), "1");
    gives(regexp("my-([0-9]+)-string", json!(1)), json!("my-1-string"), "1");
    gives(regexp("(a)(b)?", json!(2)), json!("a"), "");
    gives(
        json!({"type": "Join", "join": {"separator": "-"}}),
        json!(["cross", 42, null, {"b": 1}]),
        "cross-42-<nil>-map[b:1]",
    );
    gives(json!({"type": "Join", "join": {"separator": ""}}), json!([]), "");
    // Upstream cuts one byte off the last separator, however long it is.
    gives(json!({"type": "Join", "join": {"separator": "--"}}), json!(["a", "b"]), "a--b-");
    gives(json!({"type": "Join", "join": {"separator": "é"}}), json!(["a"]), "a\u{fffd}");
    gives(
        json!({"type": "Replace", "replace": {"search": "Cr", "replace": "B"}}),
        json!("Crossplane"),
        "Bossplane",
    );
    gives(
        json!({"type": "Replace", "replace": {"search": "ss", "replace": ""}}),
        json!("Crossplane"),
        "Croplane",
    );
    let wrong = |body, input, what: &str| {
        check(t(body), input, Err(&format!("string transform could not resolve: {what}")));
    };
    let value = || json!("value");
    wrong(
        json!({"type": "Something"}),
        value(),
        "type Something is not supported for string transform type",
    );
    wrong(json!({"type": "Format"}), value(), "string transform of type Format fmt is not set");
    wrong(
        json!({"type": "Convert"}),
        value(),
        "string transform of type Convert convert is not set",
    );
    wrong(
        json!({"type": "Convert", "convert": "X"}),
        value(),
        "type X is not supported for string convert",
    );
    wrong(
        json!({"type": "TrimPrefix"}),
        value(),
        "string transform of type TrimPrefix trim is not set",
    );
    wrong(json!({"type": "Regexp"}), value(), "string transform of type Regexp regexp is not set");
    wrong(json!({"type": "Join"}), value(), "string transform of type Join join is not set");
    wrong(
        json!({"type": "Replace"}),
        value(),
        "string transform of type Replace replace is not set",
    );
    wrong(
        json!({"type": "Join", "join": {"separator": ""}}),
        value(),
        "could not parse input array",
    );
    wrong(
        regexp("[a-z", Value::Null),
        value(),
        "could not compile regexp: error parsing regexp: missing closing ]: `[a-z`",
    );
    wrong(regexp("(a)(b)?", json!(3)), json!("a"), "regexp \"(a)(b)?\" had no matches for group 3");
    // The Go function crashes on this one.
    wrong(regexp("a", json!(-1)), json!("a"), "regexp \"a\" had no matches for group -1");
    wrong(
        json!({"type": "Convert", "convert": "FromBase64"}),
        json!("ThisStringIsNotBase64"),
        "string is not valid base64: illegal base64 data at input byte 20",
    );
}

#[test]
fn convert() {
    let t = |to: &str, format: Value| of_type("convert", json!({"toType": to, "format": format}));
    let gives = |to: &str, format: &str, input: Value, expect: Value| {
        check(t(to, json!(format)), input, Ok(expect))
    };
    gives("bool", "none", json!("true"), json!(true));
    gives("bool", "none", json!(true), json!(true));
    gives("bool", "none", json!(1.0), json!(true));
    gives("bool", "none", json!(2), json!(false));
    gives("int", "none", json!("42"), json!(42));
    gives("int", "none", json!(1), json!(1));
    gives("int64", "none", json!(1.9), json!(1));
    gives("int64", "none", json!(1e300), json!(i64::MIN));
    gives("int64", "none", json!(true), json!(1));
    gives("float64", "none", json!("1000"), json!(1000.0));
    gives("float64", "none", json!(3), json!(3.0));
    gives("float64", "none", json!(false), json!(0.0));
    gives("float64", "quantity", json!("1000m"), json!(1.0));
    gives("float64", "quantity", json!("1.5Gi"), json!(1_610_612_736.0));
    gives("string", "none", json!(1e21), json!("1000000000000000000000"));
    gives("string", "none", json!(true), json!("true"));
    gives("string", "none", json!(-5), json!("-5"));
    gives("object", "json", json!("{\"foo\":1}"), json!({"foo": 1.0}));
    gives("array", "json", json!("[\"foo\"]"), json!(["foo"]));
    check(t("int", Value::Null), json!("7"), Ok(json!(7)));
    let wrong = |to: &str, format: &str, input, what: &str| {
        check(
            t(to, json!(format)),
            input,
            Err(&format!("convert transform could not resolve: {what}")),
        );
    };
    wrong("string", "none", json!([64]), "invalid input type []interface {}");
    wrong("object", "none", json!({}), "invalid input type map[string]interface {}");
    wrong("bool", "none", Value::Null, "invalid input type <nil>");
    wrong(
        "string",
        "quantity",
        json!(100),
        "conversion from int64 to string is not supported with format quantity",
    );
    wrong(
        "object",
        "none",
        json!("{}"),
        "conversion from string to object is not supported with format none",
    );
    wrong(
        "array",
        "json",
        json!(1),
        "conversion from int64 to array is not supported with format json",
    );
    wrong("[]int", "none", json!("[64]"), "toType: Invalid value: \"[]int\": invalid type");
    wrong("int", "wrong", json!("1"), "format: Invalid value: \"wrong\": invalid format");
    wrong("int", "none", json!("12a"), "strconv.ParseInt: parsing \"12a\": invalid syntax");
    wrong(
        "float64",
        "none",
        json!("1e400"),
        "strconv.ParseFloat: parsing \"1e400\": value out of range",
    );
    wrong("bool", "none", json!("yes"), "strconv.ParseBool: parsing \"yes\": invalid syntax");
    wrong(
        "float64",
        "quantity",
        json!("1000 blabla"),
        "quantities must match the regular expression \
            '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
    wrong("object", "json", json!("[1"), "unexpected end of JSON input");
    wrong(
        "object",
        "json",
        json!("{\"b\":1e400}"),
        "json: cannot unmarshal number 1e400 into Go value of type float64",
    );
}

#[test]
fn configuration() {
    check(json!({"type": "nope"}), json!(1), Err("transform type nope is not supported"));
    for type_ in ["math", "map", "match", "string", "convert"] {
        let message = format!("given transform type {type_} requires configuration");
        check(json!({"type": type_}), json!(1), Err(&message));
    }
}
