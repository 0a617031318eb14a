//! Chooses the size closest to a container's figures, but not smaller.

use kube_object::object::Fields;
use serde_json::Value;

use golang::quantity;

/// What a size gives a container.
#[derive(Debug, Clone)]
pub(super) struct Size {
    pub(super) name: String,
    pub(super) resources: Value,
}

/// A chosen size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) name: String,
    pub(super) comment: Option<String>,
    pub(super) guess: bool,
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

/// Says where the size requests less than what Kubernetes took from a limit without a request.
pub(super) fn from_limits(resources: &Value, size: &Size) -> Option<String> {
    let differs = ["cpu", "memory"].into_iter().filter_map(|what| {
        let written =
            resources.at(&format!("/requests/{what}")).is_some_and(|value| !value.is_null());
        let (limit, said) = figure(resources, "limits", what).filter(|_| !written)?;
        let (asked, new) = figure(&size.resources, "requests", what)?;
        (asked < limit).then(|| format!("{what} {said}, and now {new}"))
    });
    let differs: Vec<String> = differs.collect();
    (!differs.is_empty()).then(|| {
        format!(
            "the container says limits and no requests, so Kubernetes reserved the limits for each \
                pod: {}. Nodes may be fuller, and such pods are ended earlier when a node runs out \
                of memory",
            differs.join("; ")
        )
    })
}

/// Chooses a size. `sizes` are in order, the smallest first.
pub(super) fn choose(resources: &Value, sizes: &[Size], default: &str) -> Choice {
    let wanted: Vec<(&str, &str, f64, String)> = FIGURES
        .iter()
        .filter_map(|(part, what)| {
            let (amount, written) = figure(resources, part, what)?;
            Some((*part, *what, amount, written))
        })
        .collect();
    let unread = unreadable(resources);
    if wanted.is_empty() {
        let comment = match unread.as_slice() {
            [] => "guess: the manifest sets no requests and limits".to_owned(),
            unread => format!("guess: the manifest's figures are none: {}", unread.join(", ")),
        };
        return Choice { name: default.to_owned(), comment: Some(comment), guess: true };
    }
    let lacks = |size: &Size| -> Vec<String> {
        let short = wanted.iter().filter(|(part, what, amount, _)| {
            figure(&size.resources, part, what).is_none_or(|(has, _)| has < *amount)
        });
        short
            .map(|(part, what, _, written)| {
                let has = size.resources.text(&format!("/{part}/{what}"));
                format!("{part}.{what} {written}, not {has}")
            })
            .collect()
    };
    if let Some(size) = sizes.iter().find(|size| lacks(size).is_empty()) {
        let comment = (!unread.is_empty()).then(|| {
            format!("guess: of the manifest's figures these are none: {}", unread.join(", "))
        });
        return Choice { name: size.name.clone(), guess: comment.is_some(), comment };
    }
    let Some(largest) = sizes.last() else {
        return Choice { name: default.to_owned(), comment: None, guess: true };
    };
    let comment = format!(
        "the largest there is, and too small: the manifest says {}",
        lacks(largest).join(", ")
    );
    Choice { name: largest.name.clone(), comment: Some(comment), guess: true }
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
        let check = |resources: Value, name: &str, comment: &str| {
            let choice = choose(&resources, &sizes, "medium");
            assert_eq!(choice.name, name, "{resources}");
            let said = choice.comment.unwrap_or_default();
            assert!(said.contains(comment) && said.is_empty() == comment.is_empty(), "{said}");
        };
        check(json!({"requests": {"cpu": "0.25", "memory": "512Mi"}}), "small", "");
        check(json!({"requests": {"cpu": "251m"}}), "medium", "");
        check(json!({"requests": {"cpu": 1}, "limits": {"memory": "8Gi"}}), "large", "");
        check(json!({"limits": {"cpu": "1500m", "memory": "100Mi"}}), "medium", "");
        check(json!({"limits": {"memory": "9Gi"}}), "large", "limits.memory 9Gi, not 8Gi");
        check(json!({}), "medium", "guess");
        check(
            json!({"requests": {"cpu": "-1", "memory": "lots"}}),
            "medium",
            "requests.memory lots",
        );
        check(
            json!({"requests": {"cpu": "1"}, "limits": {"memory": "1GB"}}),
            "large",
            "limits.memory 1GB",
        );
        check(json!(null), "medium", "guess");
    }
}
