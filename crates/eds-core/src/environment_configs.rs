//! Crossplane's function-environment-configs: joins EnvironmentConfigs to the environment, which
//! later steps find in their context.
//!
//! Mirrors crossplane-contrib/function-environment-configs, main at v0.7.1. Where upstream merges
//! in the order of a Go map, which is random, this is the order of the paths. Where it would crash,
//! the result is fatal.

use std::collections::BTreeMap;

use kube_object::object::{Fields, Object};
use serde::Deserialize;
use serde_json::{Value, json};

use patch_and_transform::ENVIRONMENT;
use patch_and_transform::fieldpath::{get_value, set_value};
use patch_and_transform::protocol::{
    DEFAULT_TTL, Match, Resource, ResourceSelector, RunFunctionRequest, RunFunctionResponse,
};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Input {
    #[serde(default)]
    spec: Option<Spec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec {
    default_data: Option<Object>,
    environment_configs: Option<Vec<Source>>,
    policy: Option<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    resolution: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    #[serde(rename = "type", default)]
    type_: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    selector: Option<Selector>,
    to_field_path: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selector {
    mode: Option<String>,
    max_match: Option<u64>,
    min_match: Option<u64>,
    sort_by_field_path: Option<String>,
    #[serde(default)]
    match_labels: Option<Vec<Matcher>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Matcher {
    #[serde(rename = "type")]
    type_: Option<String>,
    #[serde(default)]
    key: String,
    value_from_field_path: Option<String>,
    from_field_path_policy: Option<String>,
    value: Option<String>,
}

/// What a source selects.
enum Chosen<'a> {
    ByName(&'a str),
    ByLabels(&'a Selector),
}

/// Answers a request.
#[must_use]
pub fn run(request: RunFunctionRequest) -> RunFunctionResponse {
    let mut required = BTreeMap::new();
    match environment(&request, &mut required) {
        Ok(environment) => {
            let mut context = request.context;
            if let Some(environment) = environment {
                let context = context.get_or_insert_default();
                context.insert(ENVIRONMENT.to_owned(), Value::Object(environment));
            }
            RunFunctionResponse {
                tag: request.tag,
                ttl: Some(DEFAULT_TTL),
                desired: request.desired,
                context,
                required_resources: required,
                ..RunFunctionResponse::default()
            }
        }
        Err(message) => {
            let answer = RunFunctionResponse::fatal(request, message);
            RunFunctionResponse { required_resources: required, ..answer }
        }
    }
}

/// Returns the environment, or none before Crossplane has brought what is asked for.
fn environment(
    request: &RunFunctionRequest,
    required: &mut BTreeMap<String, ResourceSelector>,
) -> Result<Option<Object>, String> {
    let input = request.input.clone().map(Value::Object).unwrap_or_else(|| json!({}));
    let input: Input = serde_path_to_error::deserialize(input).map_err(|e| {
        format!(
            "cannot get Function input from *v1.RunFunctionRequest: {}: {}",
            e.path(),
            e.inner()
        )
    })?;
    let spec = input.spec.unwrap_or_default();
    let Some(sources) = &spec.environment_configs else { return Ok(None) };
    let nothing = Object::new();
    let composite = request.observed.composite.as_ref().and_then(|c| c.resource.as_ref());
    let composite = composite.unwrap_or(&nothing);
    *required =
        requirements(sources, composite).map_err(|e| format!("cannot build requirements: {e}"))?;
    if request.required_resources.is_empty() {
        return Ok(None);
    }
    let selected = selected(&spec, sources, &request.required_resources)
        .map_err(|e| format!("cannot get selected environment configs: {e}"))?;
    let merged = merged(&selected).map_err(|e| format!("cannot merge environment data: {e}"))?;
    // The configs are stronger than what is there already, and that is stronger than the defaults.
    let mut environment = Object::new();
    let already =
        request.context.as_ref().and_then(|context| context.get(ENVIRONMENT)?.as_object());
    for layer in [spec.default_data.as_ref(), already, Some(&merged)].into_iter().flatten() {
        merge(&mut environment, layer);
    }
    if environment.text("/apiVersion").is_empty() && environment.text("/kind").is_empty() {
        environment.insert("apiVersion".to_owned(), json!("internal.crossplane.io/v1alpha1"));
        environment.insert("kind".to_owned(), json!("Environment"));
    }
    Ok(Some(environment))
}

impl Source {
    fn chosen(&self, index: usize) -> Result<Option<Chosen<'_>>, String> {
        let lacks = |what| format!("spec.environmentConfigs[{index}].{what} is missing");
        match self.type_.as_deref().unwrap_or_default() {
            "" | "Reference" => {
                let reference = self.reference.as_ref().ok_or_else(|| lacks("ref"))?;
                Ok(Some(Chosen::ByName(&reference.name)))
            }
            "Selector" => {
                let selector = self.selector.as_ref().ok_or_else(|| lacks("selector"))?;
                Ok(Some(Chosen::ByLabels(selector)))
            }
            _ => Ok(None),
        }
    }
}

fn requirements(
    sources: &[Source],
    composite: &Object,
) -> Result<BTreeMap<String, ResourceSelector>, String> {
    let mut required = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        let match_ = match source.chosen(index)? {
            Some(Chosen::ByName(name)) => Match::Name(name.to_owned()),
            Some(Chosen::ByLabels(selector)) => {
                let labels = labels(selector, composite)?;
                if labels.is_empty() {
                    continue;
                }
                Match::Labels(labels)
            }
            None => continue,
        };
        let selector = ResourceSelector {
            api_version: "apiextensions.crossplane.io/v1beta1".to_owned(),
            kind: "EnvironmentConfig".to_owned(),
            match_,
            namespace: None,
        };
        required.insert(key(index), selector);
    }
    Ok(required)
}

fn key(index: usize) -> String {
    format!("environment-config-{index}")
}

fn labels(selector: &Selector, composite: &Object) -> Result<BTreeMap<String, String>, String> {
    let mut labels = BTreeMap::new();
    for matcher in selector.match_labels.iter().flatten() {
        let lacks = |what| format!("the matcher of label {:?} has no {what}", matcher.key);
        let value = match matcher.type_.as_deref().unwrap_or_default() {
            "" | "FromCompositeFieldPath" => {
                let path = matcher.value_from_field_path.as_deref();
                let path = path.ok_or_else(|| lacks("valueFromFieldPath"))?;
                match text_at(composite, path) {
                    Ok(value) => value,
                    Err(_) if matcher.from_field_path_policy.as_deref() == Some("Optional") => {
                        continue;
                    }
                    Err(e) => {
                        return Err(format!("cannot get value from field path {path:?}: {e}"));
                    }
                }
            }
            "Value" => matcher.value.clone().ok_or_else(|| lacks("value"))?,
            _ => continue,
        };
        labels.insert(matcher.key.clone(), value);
    }
    Ok(labels)
}

fn text_at(object: &Object, path: &str) -> Result<String, String> {
    let found = get_value(object, path).map_err(|e| e.to_string())?;
    let text = found.and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| format!("{path}: not a string"))
}

/// Returns the selected configs by where in the environment they go.
fn selected<'a>(
    spec: &'a Spec,
    sources: &'a [Source],
    given: &'a BTreeMap<String, Vec<Resource>>,
) -> Result<BTreeMap<&'a str, Vec<&'a Object>>, String> {
    let mut selected: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        let name = key(index);
        let Some(resources) = given.get(&name) else { continue };
        let found: Vec<&Object> = resources.iter().filter_map(|r| r.resource.as_ref()).collect();
        let chosen = match source.chosen(index)? {
            Some(Chosen::ByName(config)) => by_name(spec, config, found).map_err(|e| {
                format!("cannot process environment config {config:?} by reference, {name:?}: {e}")
            })?,
            Some(Chosen::ByLabels(selector)) => by_labels(selector, found).map_err(|e| {
                format!("cannot process environment config {name:?} by selector: {e}")
            })?,
            None => continue,
        };
        let path = source.to_field_path.as_deref().unwrap_or_default();
        if !chosen.is_empty() {
            selected.entry(path).or_default().extend(chosen);
        }
    }
    Ok(selected)
}

fn by_name<'a>(spec: &Spec, name: &str, found: Vec<&'a Object>) -> Result<Vec<&'a Object>, String> {
    let resolution = spec.policy.as_ref().and_then(|policy| policy.resolution.as_deref());
    match found.len() {
        0 if resolution == Some("Optional") => Ok(found),
        0 => Err(format!("Required environment config {name:?} not found")),
        1 => Ok(found),
        many => Err(format!("expected exactly one required resource {name:?}, got {many}")),
    }
}

fn by_labels<'a>(selector: &Selector, found: Vec<&'a Object>) -> Result<Vec<&'a Object>, String> {
    match selector.mode.as_deref().unwrap_or_default() {
        "" | "Single" => match found.len() {
            1 => Ok(found),
            n => Err(format!("expected exactly one required resource, got {n}")),
        },
        "Multiple" => {
            let count = found.len() as u64;
            if let Some(least) = selector.min_match.filter(|least| count < *least) {
                return Err(format!("expected at least {least} required resources, got {count}"));
            }
            let path = selector.sort_by_field_path.as_deref().filter(|path| !path.is_empty());
            let mut sorted = sorted(found, path.unwrap_or("metadata.name"))?;
            if let Some(most) = selector.max_match {
                sorted.truncate(usize::try_from(most).unwrap_or(usize::MAX));
            }
            Ok(sorted)
        }
        mode => Err(format!("unknown selector mode {mode:?}")),
    }
}

/// Sorts by a field's value; one that is absent counts as zero or as an empty text.
fn sorted<'a>(found: Vec<&'a Object>, path: &str) -> Result<Vec<&'a Object>, String> {
    let mut type_: Option<&'static str> = None;
    let mut valued = Vec::with_capacity(found.len());
    for object in found {
        let value = match get_value(object, path) {
            Ok(value) => value.filter(|value| !value.is_null()),
            Err(e) if e.is_not_found() => None,
            Err(e) => return Err(e.to_string()),
        };
        if let Some(value) = value {
            let own = golang::type_name(value);
            if let Some(other) = type_.filter(|other| *other != own) {
                return Err(format!("cannot sort values of different types {other:?} and {own:?}"));
            }
            type_ = Some(own);
        }
        valued.push((value, object));
    }
    match type_ {
        None => {}
        Some("string") => {
            valued.sort_by_key(|(v, _)| v.and_then(Value::as_str).unwrap_or_default())
        }
        Some("int64") => valued.sort_by_key(|(v, _)| v.and_then(Value::as_i64).unwrap_or_default()),
        Some("float64") => {
            let number = |v: &Option<&Value>| v.and_then(Value::as_f64).unwrap_or_default();
            valued.sort_by(|(a, _), (b, _)| number(a).total_cmp(&number(b)));
        }
        Some(_) if valued.len() < 2 => {}
        Some(other) => {
            let kind = other.split(['[', ' ']).next().unwrap_or_default();
            return Err(format!("unsupported type {kind:?} for sorting"));
        }
    }
    Ok(valued.into_iter().map(|(_, object)| object).collect())
}

fn merged(selected: &BTreeMap<&str, Vec<&Object>>) -> Result<Object, String> {
    let mut all = Object::new();
    for (path, configs) in selected {
        for config in configs {
            let name = config.name();
            let data = if path.is_empty() {
                let found = get_value(config, "data").map_err(|e| e.to_string());
                let object = found.and_then(|found| match found {
                    Some(Value::Object(data)) => Ok(data.clone()),
                    None | Some(Value::Null) => Ok(Object::new()),
                    Some(_) => Err("data: not an object".to_owned()),
                });
                object
                    .map_err(|e| format!("cannot get data from environment config {name:?}: {e}"))?
            } else {
                let mut data = Object::new();
                let value = config.get("data").cloned().unwrap_or_default();
                set_value(&mut data, path, value).map_err(|_| {
                    format!("cannot get data from environment config {name} into path {path:?}")
                })?;
                data
            };
            merge(&mut all, &data);
        }
    }
    Ok(all)
}

/// Merges objects below each other; anything else is replaced.
fn merge(below: &mut Object, above: &Object) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            _ => drop(below.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composition::{Composition, Error, Inputs, render};

    /// Renders a pipeline of this step alone. The result is the environment without its type, or
    /// the message of the fatal result.
    #[track_caller]
    fn check(spec: Value, configs: &[Value], expect: Value) {
        let composition = Composition::parse(&json!({
            "apiVersion": "apiextensions.crossplane.io/v1", "kind": "Composition",
            "metadata": {"name": "c"},
            "spec": {
                "compositeTypeRef": {"apiVersion": "example.org/v1", "kind": "X"},
                "mode": "Pipeline",
                "pipeline": [{"step": "env", "functionRef": {"name": "f"}, "input": {
                    "apiVersion": "environmentconfigs.fn.crossplane.io/v1beta1", "kind": "Input",
                    "spec": spec,
                }}],
            },
        }));
        let object = |value: &Value| value.as_object().cloned().unwrap();
        let composite = json!({"apiVersion": "example.org/v1", "kind": "X",
            "metadata": {"name": "x"}, "spec": {"stage": "prod"}});
        let inputs = Inputs {
            composite: object(&composite),
            required: configs.iter().map(object).collect(),
            context: object(&json!({ENVIRONMENT: {"a": 0, "before": true}})),
            ..Inputs::default()
        };
        let environment = match render(&composition.unwrap(), &inputs) {
            Ok(rendered) => rendered.context.unwrap()[ENVIRONMENT].clone(),
            Err(Error::Fatal { message, .. }) => json!(message),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(environment, expect, "{spec}");
    }

    fn config(name: &str, stage: &str, data: Value) -> Value {
        json!({"apiVersion": "apiextensions.crossplane.io/v1beta1", "kind": "EnvironmentConfig",
            "metadata": {"name": name, "labels": {"stage": stage}}, "data": data})
    }

    fn with(more: Value) -> Value {
        let mut environment = json!({"apiVersion": "internal.crossplane.io/v1alpha1",
            "kind": "Environment", "a": 0, "before": true});
        merge(environment.as_object_mut().unwrap(), more.as_object().unwrap());
        environment
    }

    #[test]
    fn configs_are_merged_over_what_is_there() {
        let (one, two) = (
            config("one", "prod", json!({"a": 1, "o": {"x": 1}})),
            config("two", "prod", json!({"a": 2, "o": {"y": 2}})),
        );
        let both = [two, one];
        let by_name = |name: &str| json!({"ref": {"name": name}});
        check(
            json!({"environmentConfigs": [by_name("one"), by_name("two")],
                "defaultData": {"a": 9, "d": 4}}),
            &both,
            with(json!({"a": 2, "o": {"x": 1, "y": 2}, "d": 4})),
        );
        let stage = json!([{"key": "stage", "valueFromFieldPath": "spec.stage"}]);
        let selector = |selector: Value| {
            json!({"environmentConfigs": [
                {"type": "Selector", "toFieldPath": "env", "selector": selector},
            ]})
        };
        check(
            selector(
                json!({"mode": "Multiple", "matchLabels": stage, "sortByFieldPath": "data.a"}),
            ),
            &both,
            with(json!({"env": {"a": 2, "o": {"x": 1, "y": 2}}})),
        );
        check(
            selector(json!({"mode": "Multiple", "matchLabels": stage, "maxMatch": 1})),
            &both,
            with(json!({"env": {"a": 1, "o": {"x": 1}}})),
        );
        let selected = "cannot get selected environment configs: cannot process environment config";
        check(
            selector(json!({"matchLabels": stage})),
            &both,
            json!(format!(
                "{selected} \"environment-config-0\" by selector: expected exactly one \
                required resource, got 2"
            )),
        );
        check(
            selector(json!({"mode": "Multiple", "minMatch": 3, "matchLabels": stage})),
            &both,
            json!(format!(
                "{selected} \"environment-config-0\" by selector: expected at least 3 \
                required resources, got 2"
            )),
        );
        check(
            json!({"environmentConfigs": [by_name("three")]}),
            &both,
            json!(format!(
                "{selected} \"three\" by reference, \"environment-config-0\": Required \
                environment config \"three\" not found"
            )),
        );
        check(
            json!({"environmentConfigs": [by_name("three")], "policy": {"resolution": "Optional"}}),
            &both,
            with(json!({})),
        );
        // Nothing is asked for: upstream leaves the environment alone, defaults and all.
        let optional = json!([{"key": "k", "valueFromFieldPath": "spec.no",
            "fromFieldPathPolicy": "Optional"}]);
        let mut spec = selector(json!({"matchLabels": optional}));
        spec["defaultData"] = json!({"d": 4});
        check(spec, &both, json!({"a": 0, "before": true}));
        check(
            selector(json!({"matchLabels": [{"key": "k", "valueFromFieldPath": "spec.no"}]})),
            &both,
            json!(
                "cannot build requirements: cannot get value from field path \"spec.no\": \
                spec.no: no such field"
            ),
        );
    }
}
