//! Matches the items of two lists, by Kubernetes' merge keys.

use crate::object::Fields;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde_json::Value;

/// How the items of a list are identified.
enum Identity {
    /// By one field; items with different values of it are different items.
    Name(&'static str),
    /// By the field; remaining items are paired in order, because each is the one that was meant.
    Paired(&'static str),
    /// By the Secret or ConfigMap that it imports as a whole.
    Source,
    /// By the name, or else by the Secret or ConfigMap that is in it: a volume's name means nothing
    /// outside of its pod.
    Volume,
    /// By the whole item; remaining items are paired in order.
    Whole,
    /// By position.
    Place,
}

/// Returns `k8s.io/api`'s `patchMergeKey`s, and the equivalent for KEDA's lists.
fn identity(pattern: &str) -> Identity {
    let last = pattern.rsplit(['.', ']']).next().unwrap_or_default();
    match last {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "imagePullSecrets"
        | "secrets" => Identity::Name("name"),
        "volumeMounts" => Identity::Name("mountPath"),
        "topologySpreadConstraints" => Identity::Name("topologyKey"),
        "triggers" => Identity::Name("type"),
        "conditions" => Identity::Name("type"),
        "ports" if pattern.contains("ontainers[]") => Identity::Paired("containerPort"),
        "ports" => Identity::Paired("port"),
        "command" | "args" => Identity::Place,
        "envFrom" => Identity::Source,
        "volumes" => Identity::Volume,
        _ => Identity::Whole,
    }
}

/// Reports whether a field names a port by number or by name.
pub(super) fn is_port(pattern: &str) -> bool {
    let last = pattern.rsplit(['.', ']']).next().unwrap_or_default();
    matches!(last, "port" | "targetPort") && !pattern.ends_with("ports[].port")
}

/// Returns the path of a mount as Kubernetes understands it: a slash at its end says nothing.
pub(super) fn directory(path: &Value) -> Cow<'_, Value> {
    match path.as_str().and_then(|path| path.strip_suffix('/')) {
        Some(path) => Cow::Owned(Value::from(path.trim_end_matches('/'))),
        None => Cow::Borrowed(path),
    }
}

/// Returns the counterpart in `after` of each item of `before`. No item of `after` is used twice.
/// `old` and `new` are the numbers of the ports that each side's pods name.
pub(super) fn pairs(
    pattern: &str,
    before: &[Value],
    after: &[Value],
    renamed: &BTreeMap<String, String>,
    [old, new]: &[BTreeMap<&str, &Value>; 2],
) -> Vec<Option<usize>> {
    let (field, rest) = match identity(pattern) {
        Identity::Place => {
            return (0..before.len()).map(|i| (i < after.len()).then_some(i)).collect();
        }
        Identity::Name(field) => (Some(field), false),
        Identity::Paired(field) => (Some(field), true),
        Identity::Volume => (Some("name"), false),
        Identity::Source => (None, false),
        Identity::Whole => (None, true),
    };
    let source = |item: &Value| {
        let text_at = |pointer: &str| item.at(pointer).map(Value::to_string).unwrap_or_default();
        format!(
            "{} {} {}",
            text_at("/secretRef/name"),
            text_at("/configMapRef/name"),
            text_at("/prefix")
        )
    };
    let key = |item: &Value| match field {
        Some("mountPath") => Some(directory(item.get("mountPath")?).to_string()),
        Some(field) => item.get(field).map(Value::to_string),
        None if rest => Some(item.to_string()),
        None => Some(source(item)),
    };
    let mut open: HashMap<String, VecDeque<usize>> = HashMap::new();
    for (j, item) in after.iter().enumerate() {
        if let Some(key) = key(item) {
            open.entry(key).or_default().push_back(j);
        }
    }
    let containers = pattern.ends_with("ontainers");
    let mut found = vec![None; before.len()];
    // The last of several variables with the same name wins; for anything else, the first is meant.
    let last_counts = pattern.ends_with(".env");
    let order = (0..before.len()).map(|i| if last_counts { before.len() - 1 - i } else { i });
    for i in order {
        let Some(item) = before.get(i) else { continue };
        let new = item.get("name").and_then(Value::as_str).and_then(|name| renamed.get(name));
        let key = match new.filter(|_| containers) {
            Some(new) => Some(Value::from(new.as_str()).to_string()),
            None => key(item),
        };
        let counterpart = key.and_then(|key| match last_counts {
            true => open.get_mut(&key)?.pop_back(),
            false => open.get_mut(&key)?.pop_front(),
        });
        if let Some(place) = found.get_mut(i) {
            *place = counterpart;
        }
    }
    if pattern.ends_with(".volumes") {
        let of = |at: &str, volume: &Value| {
            let name = volume.at(at).map(Value::to_string);
            name.map(|name| format!("{at} {name}"))
        };
        let content = |volume: &Value| {
            of("/secret/secretName", volume).or_else(|| of("/configMap/name", volume))
        };
        let met: HashSet<usize> = found.iter().flatten().copied().collect();
        let mut open: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (j, volume) in after.iter().enumerate().filter(|(j, _)| !met.contains(j)) {
            if let Some(key) = content(volume) {
                open.entry(key).or_default().push_back(j);
            }
        }
        for (place, volume) in found.iter_mut().zip(before).filter(|(place, _)| place.is_none()) {
            *place = content(volume).and_then(|key| open.get_mut(&key)?.pop_front());
        }
    }
    if pattern.ends_with("spec.ports") && rest {
        // Of a Service's ports, those that lead to the same port of the pods.
        let target = |port: &Value, names: &BTreeMap<&str, &Value>| {
            let target = port.get("targetPort").or(port.get("port"))?;
            Some(super::resolved(target, names).to_string())
        };
        for i in 0..before.len() {
            let met: HashSet<usize> = found.iter().flatten().copied().collect();
            let Some(place) = found.get_mut(i).filter(|place| place.is_none()) else { continue };
            let Some(wanted) = before.get(i).and_then(|port| target(port, old)) else { continue };
            *place = (0..after.len()).find(|j| {
                !met.contains(j)
                    && after.get(*j).and_then(|port| target(port, new)).as_ref() == Some(&wanted)
            });
        }
    }
    if rest {
        let met: HashSet<usize> = found.iter().flatten().copied().collect();
        let mut left: VecDeque<usize> = (0..after.len()).filter(|j| !met.contains(j)).collect();
        for place in found.iter_mut().filter(|place| place.is_none()) {
            *place = left.pop_front();
        }
    }
    found
}
