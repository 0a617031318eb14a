//! What one kustomization does to the claims it has gathered, in Kustomize's order.

use kube_object::object::Fields;
use serde_json::{Map, Value};

use super::build::Made;
use super::selector;
use golang::regexp;
use kube_schema::yaml::{self, Node};

/// Fields of a kustomization that hold patches. Patch files are inlined first: see [`super::load`].
const PATCHES: [&str; 2] = ["patchesStrategicMerge", "patches"];

pub(super) fn apply(says: &Value, claims: &mut Vec<Made>) {
    for field in PATCHES {
        patches(says, field, claims);
    }
    let text = |field: &str| says.get(field).and_then(Value::as_str).filter(|t| !t.is_empty());
    let (prefix, suffix) = (text("namePrefix"), text("nameSuffix"));
    let labels = says.get("labels").and_then(Value::as_array).into_iter().flatten();
    let labels = labels.filter_map(|one| one.get("pairs")).chain(says.get("commonLabels"));
    let labels: Vec<&Value> = labels.collect();
    for made in claims.iter_mut() {
        if let Some(namespace) = text("namespace") {
            made.set("namespace", namespace.to_owned());
        }
        if prefix.or(suffix).is_some()
            && let Some(name) = made.name("name")
        {
            made.set(
                "name",
                format!("{}{name}{}", prefix.unwrap_or_default(), suffix.unwrap_or_default()),
            );
        }
        for (field, pairs) in labels
            .iter()
            .map(|pairs| ("labels", *pairs))
            .chain(says.get("commonAnnotations").map(|pairs| ("annotations", pairs)))
        {
            let new = serde_json::json!({ "metadata": { field: pairs } });
            merge(&mut made.claim, &new);
        }
    }
    patches(says, "patchesJson6902", claims);
}

fn patches(says: &Value, field: &str, claims: &mut Vec<Made>) {
    for entry in says.get(field).and_then(Value::as_array).into_iter().flatten() {
        let Some(text) = entry.as_str().or_else(|| entry.get("patch")?.as_str()) else { continue };
        let free = |what: &str| {
            entry.at(&format!("/options/{what}")).and_then(Value::as_bool).unwrap_or_default()
        };
        for patch in yaml::parse(text).documents.iter().map(Node::to_json) {
            claims.retain_mut(|made| {
                if !entry.get("target").unwrap_or(&patch).is_object()
                    || !meant(entry.get("target"), &patch, made)
                {
                    return true;
                }
                if let Value::Array(steps) = &patch {
                    steps.iter().for_each(|step| operation(step, &mut made.claim));
                    made.remember();
                    return true;
                }
                if patch.get("$patch").and_then(Value::as_str) == Some("delete") {
                    return false;
                }
                let (name, namespace) = (made.name("name"), made.name("namespace"));
                merge(&mut made.claim, &patch);
                // A patch finds its object by these, and does not change them.
                if !free("allowNameChange") {
                    for (field, old) in [("name", name), ("namespace", namespace)] {
                        old.into_iter().for_each(|old| made.set(field, old));
                    }
                }
                true
            });
        }
    }
}

/// Reports whether a patch is for a claim: its target matches or, without one, its own names do.
fn meant(target: Option<&Value>, patch: &Value, made: &Made) -> bool {
    let field = |value: &Value, path: &str| -> Option<String> {
        let text = value.at(path).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let version = field(&made.claim, "/apiVersion").unwrap_or_default();
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let kind = field(&made.claim, "/kind").unwrap_or_default();
    let known = |name: bool, matches: &dyn Fn(&str) -> bool| {
        made.known.iter().any(|(namespace, own)| matches(if name { own } else { namespace }))
    };
    match target {
        Some(target) => {
            let pattern = |path: &str| {
                let pattern = field(target, path)?;
                Some(regexp::compile(&format!("^(?:{pattern})$")))
            };
            let is = |path: &str, text: &str| {
                pattern(path).is_none_or(|p| p.is_ok_and(|p| p.is_match(text)))
            };
            let was = |path: &str, name: bool| {
                pattern(path).is_none_or(|p| p.is_ok_and(|p| known(name, &|text| p.is_match(text))))
            };
            let selects = |selector: &str, of: &str| {
                let selector = target.get(selector).and_then(Value::as_str).unwrap_or_default();
                selector::matches(selector, made.claim.at(&format!("/metadata/{of}")))
            };
            is("/group", group)
                && is("/version", version)
                && is("/kind", &kind)
                && was("/name", true)
                && was("/namespace", false)
                && selects("labelSelector", "labels")
                && selects("annotationSelector", "annotations")
        }
        None => {
            let own = field(patch, "/metadata/name").unwrap_or_default();
            let namespace = field(patch, "/metadata/namespace");
            field(patch, "/kind").is_some_and(|k| k == kind)
                && field(patch, "/apiVersion").is_some_and(|v| v.starts_with(group))
                && known(true, &|name| name == own)
                && namespace.is_none_or(|own| known(false, &|n| n == own || n.is_empty()))
        }
    }
}

/// Applies a merge patch: what a strategic merge is for a kind that Kustomize does not know.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    let replaces = patch.get("$patch").and_then(Value::as_str) == Some("replace");
    if replaces || !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Value::Object(into) = into else { return };
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        let is_deletion = value.get("$patch").and_then(Value::as_str) == Some("delete");
        if value.is_null() || is_deletion {
            into.remove(key);
        } else {
            merge(into.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// Applies one step of a JSON patch.
fn operation(step: &Value, claim: &mut Value) {
    let text = |field: &str| step.get(field).and_then(Value::as_str).unwrap_or_default();
    let value = match text("op") {
        "add" | "replace" => step.get("value").cloned(),
        "copy" => claim.at(text("from")).cloned(),
        "move" => {
            let value = claim.at(text("from")).cloned();
            put(claim, text("from"), None);
            value
        }
        "remove" => None,
        _ => return,
    };
    put(claim, text("path"), Some(value).flatten());
}

/// Sets what a pointer names, or removes it.
fn put(claim: &mut Value, pointer: &str, value: Option<Value>) {
    let Some((folder, name)) = pointer.rsplit_once('/') else { return };
    let name = name.replace("~1", "/").replace("~0", "~");
    match claim.pointer_mut(folder) {
        Some(Value::Object(map)) => {
            match value {
                Some(value) => map.insert(name, value),
                None => map.remove(&name),
            };
        }
        Some(Value::Array(list)) => {
            let at = name.parse().unwrap_or(list.len());
            match value {
                Some(value) if at >= list.len() => list.push(value),
                Some(value) => list.insert(at, value),
                None if at < list.len() => {
                    list.remove(at);
                }
                None => {}
            }
        }
        _ => {}
    }
}
