//! An entry of `spec.env` with neither `value` nor `valueFrom`: the API's own rule says so about the
//! whole entry. What its writer forgot is nearly always the value, so it is treated like any other
//! field that is missing.

use kube_object::path::Path;
use kube_schema::diagnostics::{ApiRule, Finding, catalog};
use kube_schema::yaml::{Content, Node, Place};

use super::unknown::parse;

/// The API's rule that an entry has exactly one of the two.
const EITHER: ApiRule<&str> = ApiRule { field: "spec.env[]", index: 0 };

/// Replaces findings about entries without a value by ones about the missing value.
pub(crate) fn valueless(node: &Node, findings: &mut Vec<Finding>) {
    let mut values: Vec<String> = Vec::new();
    for finding in findings.iter_mut().filter(|finding| EITHER.is_broken_in(finding)) {
        let Some((entry, field)) = parse(&format!("{}.value", finding.path)) else { continue };
        let is_set = |path: Path| match path.node(node).map(|value| &value.content) {
            Some(Content::Scalar(scalar)) => !scalar.value.is_null(),
            value => value.is_some(),
        };
        if is_set(entry.key("valueFrom")) || is_set(entry.key(&field)) {
            continue;
        }
        let value = entry.key(&field);
        values.push(value.to_string());
        *finding = missing(node, &value);
    }
    // The API applies no rule to an entry without a name: it may lack both.
    let mut nameless = Vec::new();
    for finding in findings.iter().filter(|finding| *finding.rule == catalog::REQUIRED) {
        let Some((entry, field)) = parse(&finding.path) else { continue };
        let is_there = |key: &str| entry.key(key).node(node).is_some();
        if field == "name"
            && entry.pattern() == "spec.env[]"
            && !is_there("value")
            && !is_there("valueFrom")
        {
            nameless.push(missing(node, &entry.key("value")));
        }
    }
    findings.extend(nameless);
    // That it is null is the reason.
    findings.retain(|f| *f.rule != catalog::NULL_FIELD || !values.contains(&f.path));
}

fn missing(node: &Node, value: &Path) -> Finding {
    Finding::new(&catalog::REQUIRED, "is required: the variable's value")
        .at(value.span(node), value.to_string())
        .help("add it, for example value: info; or take it from the pod by valueFrom")
}
