//! The function protocol as protobuf JSON: what `protojson` prints and reads.
//!
//! Files hold requests and responses in this form, so that tests need no network. As in
//! `protojson`, fields at their default are left out and bytes are base64.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::protocol::{
    Condition, ConditionStatus, FunctionResult, Match, Object, Ready, Resource, ResourceSelector,
    RunFunctionRequest, RunFunctionResponse, SchemaSelector, Severity, State, Target, normalize,
};

/// Writes a request as protobuf JSON. [`RunFunctionRequest::problems`] have no JSON form and are
/// left out.
#[must_use]
pub fn request_to_json(request: &RunFunctionRequest) -> Value {
    let mut out = Map::new();
    let mut meta = Map::new();
    put(&mut meta, "tag", string(&request.tag));
    put(&mut meta, "capabilities", list(&request.capabilities, |number| Some(json!(number))));
    put(&mut out, "meta", object(meta));
    put(&mut out, "observed", state_to_json(&request.observed));
    put(&mut out, "desired", state_to_json(&request.desired));
    put(&mut out, "input", request.input.clone().map(Value::Object));
    put(&mut out, "context", request.context.clone().map(Value::Object));
    let resources = |items: &Vec<Resource>| {
        let mut out = Map::new();
        put(&mut out, "items", list(items, |item| Some(resource_to_json(item))));
        Value::Object(out)
    };
    put(&mut out, "extraResources", dictionary(&request.extra_resources, resources));
    put(&mut out, "requiredResources", dictionary(&request.required_resources, resources));
    put(
        &mut out,
        "requiredSchemas",
        dictionary(&request.required_schemas, |schema| {
            schema.as_ref().map_or_else(|| json!({}), |schema| json!({ "openapiV3": schema }))
        }),
    );
    Value::Object(out)
}

/// Reads a request from protobuf JSON. Numbers become what they would be after the wire.
///
/// # Errors
/// A sentence that names the field with the wrong type. Unknown fields are ignored.
pub fn request_from_json(json: &Value) -> Result<RunFunctionRequest, String> {
    let root = as_object(json, "request")?;
    let mut request = RunFunctionRequest::default();
    if let Some(meta) = root.get("meta") {
        if let Some(tag) = meta.get("tag") {
            request.tag = tag.as_str().ok_or("meta.tag: not a string")?.to_owned();
        }
        for number in meta.get("capabilities").and_then(Value::as_array).into_iter().flatten() {
            let number = number.as_i64().and_then(|number| i32::try_from(number).ok());
            request.capabilities.push(number.ok_or("meta.capabilities: not a number")?);
        }
    }
    request.observed = state_from_json(root.get("observed"), "observed")?;
    request.desired = state_from_json(root.get("desired"), "desired")?;
    request.input = struct_from_json(root.get("input"), "input")?;
    request.context = struct_from_json(root.get("context"), "context")?;
    request.extra_resources = resources_from_json(root.get("extraResources"), "extraResources")?;
    request.required_resources =
        resources_from_json(root.get("requiredResources"), "requiredResources")?;
    for (key, schema) in entries(root.get("requiredSchemas"), "requiredSchemas")? {
        let schema = struct_from_json(schema.get("openapiV3"), "requiredSchemas")?;
        request.required_schemas.insert(key.clone(), schema);
    }
    Ok(request)
}

/// Writes a response as protobuf JSON. Absent and empty state look the same, since they mean the
/// same. Numbers are written as `protojson` writes them: a double that is an integer as an integer.
#[must_use]
pub fn response_to_json(response: &RunFunctionResponse) -> Value {
    let mut response = response.clone();
    response.normalize();
    let mut out = Map::new();
    let mut meta = Map::new();
    put(&mut meta, "tag", string(&response.tag));
    put(&mut meta, "ttl", response.ttl.map(|ttl| json!(format!("{}s", ttl.as_secs_f64()))));
    put(&mut out, "meta", object(meta));
    put(&mut out, "desired", state_to_json(&response.desired));
    put(&mut out, "results", list(&response.results, |result| Some(result_to_json(result))));
    put(&mut out, "context", response.context.clone().map(Value::Object));
    let mut requirements = Map::new();
    put(
        &mut requirements,
        "extraResources",
        dictionary(&response.extra_resources, selector_to_json),
    );
    put(&mut requirements, "resources", dictionary(&response.required_resources, selector_to_json));
    put(
        &mut requirements,
        "schemas",
        dictionary(
            &response.required_schemas,
            |of: &SchemaSelector| json!({ "apiVersion": of.api_version, "kind": of.kind }),
        ),
    );
    put(&mut out, "requirements", object(requirements));
    put(&mut out, "conditions", list(&response.conditions, |item| Some(condition_to_json(item))));
    put(&mut out, "output", response.output.clone().map(Value::Object));
    Value::Object(out)
}

/// Returns every place where two JSON values differ: its path, and what is there on either side.
#[must_use]
pub fn differences<'a>(left: &'a Value, right: &'a Value) -> Vec<Difference<'a>> {
    let mut out = Vec::new();
    collect(String::new(), Some(left), Some(right), &mut out);
    out
}

/// One place where two JSON values differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference<'a> {
    /// Path from the root, e.g. `.desired.resources.a.ready`.
    pub path: String,
    /// What the left value has there, if anything.
    pub left: Option<&'a Value>,
    /// What the right value has there, if anything.
    pub right: Option<&'a Value>,
}

fn collect<'a>(
    path: String,
    left: Option<&'a Value>,
    right: Option<&'a Value>,
    out: &mut Vec<Difference<'a>>,
) {
    match (left, right) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                collect(format!("{path}.{key}"), a.get(key), b.get(key), out);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                collect(format!("{path}[{index}]"), a.get(index), b.get(index), out);
            }
        }
        _ if left == right => {}
        _ => out.push(Difference { path, left, right }),
    }
}

fn state_to_json(state: &State) -> Option<Value> {
    let mut out = Map::new();
    put(&mut out, "composite", state.composite.as_ref().map(resource_to_json));
    put(&mut out, "resources", dictionary(&state.resources, resource_to_json));
    object(out)
}

fn resource_to_json(resource: &Resource) -> Value {
    let mut out = Map::new();
    put(&mut out, "resource", resource.resource.clone().map(Value::Object));
    let details = dictionary(&resource.connection_details, |bytes| json!(base64(bytes)));
    put(&mut out, "connectionDetails", details);
    let ready = match resource.ready {
        Ready::Unspecified => None,
        Ready::True => Some(json!("READY_TRUE")),
        Ready::False => Some(json!("READY_FALSE")),
    };
    put(&mut out, "ready", ready);
    Value::Object(out)
}

fn result_to_json(result: &FunctionResult) -> Value {
    let mut out = Map::new();
    let severity = match result.severity {
        Severity::Fatal => "SEVERITY_FATAL",
        Severity::Warning => "SEVERITY_WARNING",
        Severity::Normal => "SEVERITY_NORMAL",
    };
    put(&mut out, "severity", Some(json!(severity)));
    put(&mut out, "message", string(&result.message));
    put(&mut out, "reason", result.reason.as_ref().map(|reason| json!(reason)));
    put(&mut out, "target", result.target.map(target_to_json));
    Value::Object(out)
}

fn condition_to_json(condition: &Condition) -> Value {
    let mut out = Map::new();
    let status = match condition.status {
        ConditionStatus::Unknown => "STATUS_CONDITION_UNKNOWN",
        ConditionStatus::True => "STATUS_CONDITION_TRUE",
        ConditionStatus::False => "STATUS_CONDITION_FALSE",
    };
    put(&mut out, "type", string(&condition.type_));
    put(&mut out, "status", Some(json!(status)));
    put(&mut out, "reason", string(&condition.reason));
    put(&mut out, "message", condition.message.as_ref().map(|message| json!(message)));
    put(&mut out, "target", condition.target.map(target_to_json));
    Value::Object(out)
}

fn target_to_json(target: Target) -> Value {
    match target {
        Target::Composite => json!("TARGET_COMPOSITE"),
        Target::CompositeAndClaim => json!("TARGET_COMPOSITE_AND_CLAIM"),
    }
}

fn selector_to_json(selector: &ResourceSelector) -> Value {
    let mut out = Map::new();
    put(&mut out, "apiVersion", string(&selector.api_version));
    put(&mut out, "kind", string(&selector.kind));
    match &selector.match_ {
        Match::Name(name) => out.insert("matchName".to_owned(), json!(name)),
        Match::Labels(labels) => out.insert("matchLabels".to_owned(), json!({ "labels": labels })),
    };
    put(&mut out, "namespace", selector.namespace.as_ref().map(|namespace| json!(namespace)));
    Value::Object(out)
}

/// Inserts a value unless it is absent.
fn put(out: &mut Object, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        out.insert(key.to_owned(), value);
    }
}

fn string(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!(text))
}

fn object(map: Object) -> Option<Value> {
    (!map.is_empty()).then_some(Value::Object(map))
}

fn list<T>(items: &[T], to_json: impl Fn(&T) -> Option<Value>) -> Option<Value> {
    (!items.is_empty()).then(|| items.iter().filter_map(to_json).collect())
}

fn dictionary<T>(map: &BTreeMap<String, T>, to_json: impl Fn(&T) -> Value) -> Option<Value> {
    (!map.is_empty()).then(|| map.iter().map(|(key, item)| (key.clone(), to_json(item))).collect())
}

fn state_from_json(json: Option<&Value>, place: &str) -> Result<State, String> {
    let mut state = State::default();
    let Some(json) = json else { return Ok(state) };
    if let Some(composite) = json.get("composite") {
        state.composite = Some(resource_from_json(composite, &format!("{place}.composite"))?);
    }
    for (name, resource) in entries(json.get("resources"), place)? {
        let resource = resource_from_json(resource, &format!("{place}.resources[{name:?}]"))?;
        state.resources.insert(name.clone(), resource);
    }
    Ok(state)
}

fn resources_from_json(
    json: Option<&Value>,
    place: &str,
) -> Result<BTreeMap<String, Vec<Resource>>, String> {
    let mut out = BTreeMap::new();
    for (key, resources) in entries(json, place)? {
        let items = resources.get("items").and_then(Value::as_array).into_iter().flatten();
        let items: Result<Vec<_>, _> = items.map(|item| resource_from_json(item, place)).collect();
        out.insert(key.clone(), items?);
    }
    Ok(out)
}

fn resource_from_json(json: &Value, place: &str) -> Result<Resource, String> {
    let json = as_object(json, place)?;
    let mut resource = Resource {
        resource: struct_from_json(json.get("resource"), place)?,
        ..Resource::default()
    };
    for (key, value) in entries(json.get("connectionDetails"), place)? {
        let bytes = value.as_str().and_then(from_base64);
        let bytes = bytes.ok_or_else(|| format!("{place}.connectionDetails.{key}: not base64"))?;
        resource.connection_details.insert(key.clone(), bytes);
    }
    resource.ready = match json.get("ready").and_then(Value::as_str) {
        None | Some("READY_UNSPECIFIED") => Ready::Unspecified,
        Some("READY_TRUE") => Ready::True,
        Some("READY_FALSE") => Ready::False,
        Some(other) => return Err(format!("{place}.ready: unknown {other:?}")),
    };
    Ok(resource)
}

fn struct_from_json(json: Option<&Value>, place: &str) -> Result<Option<Object>, String> {
    let Some(json) = json else { return Ok(None) };
    let mut object = as_object(json, place)?.clone();
    // serde_json limits the depth of what it parses, so this recursion is bounded too.
    object.values_mut().for_each(normalize);
    Ok(Some(object))
}

fn as_object<'a>(json: &'a Value, place: &str) -> Result<&'a Object, String> {
    json.as_object().ok_or_else(|| format!("{place}: not an object"))
}

fn entries<'a>(
    json: Option<&'a Value>,
    place: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, String> {
    let map = json.map(|json| as_object(json, place)).transpose()?;
    Ok(map.into_iter().flatten())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes bytes as standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for sextet in 0..4 {
            let index = usize::try_from(word >> (18 - 6 * sextet) & 63).unwrap_or_default();
            let letter = ALPHABET.get(index).copied().unwrap_or_default();
            out.push(if sextet > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

/// Decodes standard base64 with optional padding; returns `None` for anything else.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for chunk in letters.chunks(4) {
        let mut word = 0u32;
        for letter in chunk {
            let sextet = ALPHABET.iter().position(|known| known == letter)?;
            word = word << 6 | u32::try_from(sextet).ok()?;
        }
        let count = chunk.len() - 1;
        if count == 0 {
            return None;
        }
        word <<= 6 * (4 - chunk.len());
        out.extend(word.to_be_bytes().iter().skip(1).take(count));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_rfc_4648() {
        let check = |bytes: &[u8], text: &str| {
            assert_eq!(base64(bytes), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes));
        };
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(&[0xff, 0, 0xfe, 0x80], "/wD+gA==");
        assert_eq!(from_base64("Z"), None);
        assert_eq!(from_base64("Z!=="), None);
    }

    #[test]
    fn a_request_survives_its_json() {
        let json = json!({
            "meta": { "tag": "t", "capabilities": [1, 2] },
            "observed": {
                "composite": { "resource": { "spec": { "n": 1, "f": 0.1 } },
                               "connectionDetails": { "k": "AAE=" } },
                "resources": { "a": { "ready": "READY_FALSE" } } },
            "desired": { "resources": { "b": { "resource": {}, "ready": "READY_TRUE" } } },
            "input": { "kind": "Resources" },
            "context": { "e": null },
            "requiredResources": { "none": {}, "one": { "items": [{}] } },
            "requiredSchemas": { "s": { "openapiV3": { "type": "object" } }, "t": {} },
        });
        let request = request_from_json(&json);
        assert_eq!(request.as_ref().map(request_to_json), Ok(json));
    }

    #[test]
    fn numbers_pass_through_a_double() {
        let check = |text: &str, expect: &str| {
            let json = serde_json::from_str(&format!("{{\"input\":{{\"n\":{text}}}}}"));
            let request = json.map(|json| request_from_json(&json)).ok().and_then(Result::ok);
            let number = request.and_then(|request| request.input?.get("n").map(Value::to_string));
            assert_eq!(number.as_deref(), Some(expect), "{text}");
        };
        check("1", "1");
        check("1.0", "1");
        check("-0.0", "-0.0");
        check("1e3", "1000");
        check("0.1", "0.1");
        check("9007199254740993", "9007199254740992");
        check("4611686018427387904", "4611686018427388000");
        check("9223372036854775807", "9.223372036854776e+18");
        check("-9223372036854775808", "-9.223372036854776e+18");
        check("1e21", "1e+21");
    }
}
