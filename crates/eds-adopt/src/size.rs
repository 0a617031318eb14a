//! Chooses the size closest to a container's figures, but not smaller, and keeps the figures that
//! differ from it.

use kube_object::object::Fields;
use serde_json::{Map, Value, json};

use golang::quantity;

/// What a size gives a container.
#[derive(Debug, Clone)]
pub(super) struct Size {
    pub(super) name: String,
    pub(super) resources: Value,
}

/// A chosen size, and the container's own figures where they differ from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) name: String,
    pub(super) comment: Option<String>,
    pub(super) guess: bool,
    /// `spec.resources`.
    pub(super) own: Map<String, Value>,
    /// What a person should know about `own`.
    pub(super) raised: Option<String>,
}

/// The figures of a size.
const FIGURES: [(&str, &str); 4] =
    [("requests", "cpu"), ("requests", "memory"), ("limits", "cpu"), ("limits", "memory")];

/// Returns a figure and its text. Only what is written counts: a request that Kubernetes derives
/// from the limit says nothing about what the worker needs.
fn figure(resources: &Value, part: &str, what: &str) -> Option<(f64, String)> {
    let value = resources.at(&format!("/{part}/{what}"))?;
    let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let amount = quantity::parse_to_float(&written).ok().filter(|amount| *amount >= 0.0)?;
    Some((amount, written))
}

/// Lists what is in place of a figure but is not one.
fn unreadable(resources: &Value) -> Vec<String> {
    let written = |(part, what): &(&str, &str)| {
        let value = resources.at(&format!("/{part}/{what}")).filter(|value| !value.is_null())?;
        let said = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        figure(resources, part, what).is_none().then(|| format!("{part}.{what} {said}"))
    };
    FIGURES.iter().filter_map(written).collect()
}

/// Returns a figure as a claim writes it.
fn written(resources: &Value, part: &str, what: &str) -> Option<Value> {
    let value = resources.at(&format!("/{part}/{what}"))?;
    match value {
        Value::Number(number) if number.as_i64().is_none() => Some(json!(number.to_string())),
        value => Some(value.clone()),
    }
}

/// Chooses a size. `sizes` are in order, the smallest first; `takes` says whether a claim takes a
/// figure: `(cpu, 250m)`.
pub(super) fn choose(
    resources: &Value,
    sizes: &[Size],
    default: &str,
    takes: impl Fn(&str, &Value) -> bool,
) -> Choice {
    let wanted: Vec<(&str, &str, f64)> = FIGURES
        .iter()
        .filter_map(|(part, what)| Some((*part, *what, figure(resources, part, what)?.0)))
        .collect();
    let unread = unreadable(resources);
    let choice = |name: &str, comment: Option<String>, guess: bool| Choice {
        name: name.to_owned(),
        comment,
        guess,
        own: Map::new(),
        raised: None,
    };
    if wanted.is_empty() {
        let comment = match unread.as_slice() {
            [] => "guess: the manifest sets no requests and limits".to_owned(),
            unread => format!("guess: the manifest's figures are none: {}", unread.join(", ")),
        };
        return choice(default, Some(comment), true);
    }
    let suffices = |size: &&Size| {
        wanted.iter().all(|(part, what, amount)| {
            figure(&size.resources, part, what).is_some_and(|(has, _)| has >= *amount)
        })
    };
    let Some(size) = sizes.iter().find(suffices).or(sizes.last()) else {
        return choice(default, None, true);
    };
    let comment = (!unread.is_empty())
        .then(|| format!("guess: of the manifest's figures these are none: {}", unread.join(", ")));
    let mut chosen = choice(&size.name, comment, !unread.is_empty());
    for what in ["cpu", "memory"] {
        own_figures(&mut chosen, resources, size, what, &takes);
    }
    chosen
}

/// Adds the container's request and limit of one kind, where they are not the size's.
fn own_figures(
    chosen: &mut Choice,
    resources: &Value,
    size: &Size,
    what: &str,
    takes: &impl Fn(&str, &Value) -> bool,
) {
    let known = |part: &str| {
        let (amount, _) = figure(resources, part, what)?;
        let value = written(resources, part, what)?;
        takes(what, &value).then_some((amount, value))
    };
    let (mut request, mut limit) = (known("requests"), known("limits"));
    // Kubernetes takes a missing request from the limit.
    if request.is_none() && resources.at(&format!("/requests/{what}")).is_none_or(Value::is_null) {
        request.clone_from(&limit);
    }
    let of_size = |part: &str| figure(&size.resources, part, what).map(|(amount, _)| amount);
    let amount = |figure: &Option<(f64, Value)>, part: &str| {
        figure.as_ref().map(|(amount, _)| *amount).or_else(|| of_size(part))
    };
    if amount(&request, "requests") > amount(&limit, "limits") {
        if limit.is_none() {
            limit.clone_from(&request);
            chosen.raised = Some(
                "guess: the manifest asks for more than the largest size allows, and sets no \
                    limit; a claim has one"
                    .to_owned(),
            );
        } else if request.is_some() {
            // Kubernetes would have refused it.
            return;
        } else {
            request.clone_from(&limit);
        }
    }
    for (part, figure) in [("requests", request), ("limits", limit)] {
        let Some((amount, value)) = figure else { continue };
        if of_size(part) == Some(amount) {
            continue;
        }
        let part = chosen.own.entry(part).or_insert_with(|| json!({}));
        if let Some(part) = part.as_object_mut() {
            part.insert(what.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_nearest_that_is_not_smaller() {
        let size = |name: &str, n: u32| {
            let (cpu, memory) = (format!("{}m", 250 * n), format!("{}Mi", 512 * n));
            let (limit, most) = (n.to_string(), format!("{}Gi", 2 * n));
            let resources = json!({"requests": {"cpu": cpu, "memory": memory},
                "limits": {"cpu": limit, "memory": most}});
            Size { name: name.to_owned(), resources }
        };
        let sizes = [size("small", 1), size("medium", 2), size("large", 4)];
        let check = |resources: Value, name: &str, own: Value, comment: &str| {
            let choice = choose(&resources, &sizes, "medium", |_, value| *value != json!("0"));
            assert_eq!(choice.name, name, "{resources}");
            assert_eq!(Value::Object(choice.own), own, "{resources}");
            let said = choice.comment.or(choice.raised).unwrap_or_default();
            assert!(said.contains(comment) && said.is_empty() == comment.is_empty(), "{said}");
        };
        let cpu = |request: &str| json!({"requests": {"cpu": request}});
        check(json!({"requests": {"cpu": "0.25", "memory": "512Mi"}}), "small", json!({}), "");
        check(cpu("251m"), "medium", cpu("251m"), "");
        check(json!({"requests": {"cpu": 0.3}}), "medium", cpu("0.3"), "");
        check(cpu("0"), "small", json!({}), "");
        let both = json!({"requests": {"cpu": 1, "memory": "8Gi"}, "limits": {"memory": "8Gi"}});
        check(
            json!({"requests": {"cpu": 1}, "limits": {"memory": "8Gi"}}),
            "large",
            json!({"requests": {"memory": "8Gi"}}),
            "",
        );
        check(both, "large", json!({"requests": {"memory": "8Gi"}}), "");
        // A missing request is the limit.
        let little = json!({"requests": {"memory": "100Mi"}, "limits": {"memory": "100Mi"}});
        check(json!({"limits": {"memory": "100Mi"}}), "small", little, "");
        let much = json!({"requests": {"memory": "9Gi"}, "limits": {"memory": "9Gi"}});
        check(json!({"limits": {"memory": "9Gi"}}), "large", much.clone(), "");
        check(json!({"requests": {"memory": "9Gi"}}), "large", much, "sets no limit");
        check(json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}), "large", json!({}), "");
        check(json!({}), "medium", json!({}), "guess");
        check(
            json!({"requests": {"cpu": "-1", "memory": "lots"}}),
            "medium",
            json!({}),
            "requests.memory lots",
        );
        check(
            json!({"requests": {"cpu": "1"}, "limits": {"memory": "1GB"}}),
            "large",
            json!({}),
            "limits.memory 1GB",
        );
        check(json!(null), "medium", json!({}), "guess");
    }
}
