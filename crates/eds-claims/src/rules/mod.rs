//! Rules that no schema can express, one file each.
//!
//! A rule sees the claim as written, with positions, and as the API server would store it. Rules
//! know the fields of our own API, so they only run for it. A rule's file holds everything about
//! it: its code, what it finds and why that is bad, an example of each side (printed by
//! `eds explain EDS201`), how it finds it, and its tests.

mod beyond_bounds;
mod blocks_drains;
mod cron;
mod duplicate_env;
mod duplicate_secret;
mod field_key;
mod forms;
mod hides_image;
mod image;
mod jointly;
mod latest_tag;
mod lookalike;
mod misplaced_annotation;
mod monitoring_endpoint;
mod names;
mod nats_url;
mod not_declared;
mod placeholders;
mod plain_secret;
mod refused_stream;
mod reword;
mod same_place;
mod servers;
mod slip;
mod system_account;
mod texts;
mod together;
pub mod transitions;
mod unknown;
mod unused_cooldown;
mod valueless;
mod variables;

pub(crate) use jointly::stands_in_the_other;
pub(crate) use reword::{refused_anyway, reword, said_again};
pub use together::{Identity, Together};
pub use transitions::{beginnings, full_name, names, transitions};
pub(crate) use unknown::{explain, is_missing};
pub(crate) use valueless::valueless;
pub use variables::references;

use kube_schema::yaml::Place;
use serde_json::Value;

use kube_object::path::Path;
use kube_schema::diagnostics::{ApiRule, Finding, Rule, catalog};
use kube_schema::yaml::Node;

/// What a rule looks at.
pub(crate) struct Claim<'a> {
    /// As written.
    pub(crate) node: &'a Node,
    /// With defaults, and without what the API server drops.
    pub(crate) effective: &'a Value,
}

impl Claim<'_> {
    /// Returns the text of a field such as `spec.nats.url`.
    fn text(&self, field: &str) -> Option<&str> {
        field_of(self.effective, field)?.as_str()
    }

    /// Returns a list under `spec` of the claim as written: empty if it is not a list.
    fn list(&self, field: &str) -> &[Value] {
        let list = self.effective.get("spec").and_then(|spec| spec.get(field)?.as_array());
        list.map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the texts of a container's `command` or `args`: those of `spec` are the worker's.
    fn texts(&self, container: &str, field: &str) -> Vec<&str> {
        let container = field_of(self.effective, container);
        let list = container.and_then(|container| container.get(field)?.as_array());
        let texts = list.into_iter().flatten();
        texts.map(|text| text.as_str().unwrap_or_default()).collect()
    }

    fn finding(&self, rule: &'static Rule, path: &Path, message: impl Into<String>) -> Finding {
        Finding::new(rule, message).at(path.span(self.node), path.to_string())
    }

    /// Returns the line of a path.
    fn line(&self, path: &Path) -> usize {
        path.span(self.node).start.line
    }
}

/// Returns a field by its path, without lists. Rules ask often, and reading a JSON pointer copies
/// it.
fn field_of<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}

type Check = fn(&Claim<'_>, &mut Vec<Finding>);

const RULES: &[Check] = &[
    placeholders::check,
    image::check,
    lookalike::check,
    servers::check,
    not_declared::check,
    latest_tag::check,
    system_account::check,
    duplicate_secret::check,
    duplicate_env::check,
    plain_secret::check,
    monitoring_endpoint::check,
    unused_cooldown::check,
    nats_url::check,
    variables::check,
    blocks_drains::check,
    cron::check,
    beyond_bounds::check,
    same_place::check,
    field_key::check,
    misplaced_annotation::check,
    refused_stream::check,
    hides_image::check,
];

/// Runs all rules.
#[must_use]
pub fn check(node: &Node, effective: &Value) -> Vec<Finding> {
    let claim = Claim { node, effective };
    let mut findings = Vec::new();
    for rule in RULES {
        rule(&claim, &mut findings);
    }
    findings
}

/// The API's own rules that a rule here repeats, at the entry instead of the whole list.
pub(crate) const LOCATED: [(ApiRule<&str>, &Rule); 14] = [
    (ApiRule { field: "spec.secretRefs", index: 0 }, &duplicate_secret::RULE),
    (ApiRule { field: "spec.imagePullSecrets", index: 0 }, &duplicate_secret::RULE),
    (ApiRule { field: "spec", index: 0 }, &duplicate_env::RULE),
    (ApiRule { field: "spec", index: 1 }, &duplicate_env::RULE),
    (ApiRule { field: "spec", index: 2 }, &duplicate_env::RULE),
    (ApiRule { field: "spec.configMapRefs", index: 0 }, &duplicate_secret::RULE),
    (ApiRule { field: "spec.configMapRefs", index: 1 }, &duplicate_env::RULE),
    (ApiRule { field: "spec.configMapRefs[].env", index: 0 }, &duplicate_env::RULE),
    (ApiRule { field: "spec.configMapRefs[].env[].envName", index: 0 }, &duplicate_env::RULE),
    (ApiRule { field: "spec.secretRefs", index: 1 }, &duplicate_env::RULE),
    (ApiRule { field: "spec.secretRefs[].env", index: 0 }, &duplicate_env::RULE),
    (ApiRule { field: "spec.secretRefs[].env[].envName", index: 0 }, &duplicate_env::RULE),
    (ApiRule { field: "spec.env", index: 0 }, &duplicate_env::RULE),
    (ApiRule { field: "spec.env[].name", index: 0 }, &duplicate_env::RULE),
];

/// Returns below which field a broken rule of the API compares numbers with one another.
pub(crate) fn compares(finding: &Finding) -> Option<&'static str> {
    let resources = [4, 5].map(|index| ApiRule { field: "spec", index });
    let all = [(&resources[..], "spec.resources."), (&[reword::BETWEEN][..], "spec.scaling.")];
    let is_broken = |rules: &[ApiRule<&str>]| rules.iter().any(|rule| rule.is_broken_in(finding));
    all.into_iter().find(|(rules, _)| is_broken(rules)).map(|(_, numbers)| numbers)
}

/// The kinds of findings made by the rules here.
const OWN: &[&Rule] = &[
    &latest_tag::RULE,
    &system_account::RULE,
    &duplicate_secret::RULE,
    &duplicate_env::RULE,
    &plain_secret::RULE,
    &monitoring_endpoint::RULE,
    &unused_cooldown::RULE,
    &nats_url::RULE,
    &variables::RULE,
    &blocks_drains::RULE,
    &cron::RULE,
    &beyond_bounds::RULE,
    &same_place::RULE,
    &field_key::RULE,
    &misplaced_annotation::RULE,
    &refused_stream::RULE,
    &hides_image::RULE,
    &together::SAME_NAME,
    &together::SAME_CONSUMER,
    &placeholders::RULE,
    &image::RULE,
    &lookalike::RULE,
    &servers::RULE,
    &not_declared::RULE,
    &transitions::RESTART,
    &transitions::RENAMED,
    &transitions::LOWERED_MAX,
    &transitions::DROPPED_SECRET,
    &transitions::REMOVED,
    &transitions::OTHER_COMPOSITION,
    &transitions::HANDLING,
    &transitions::BACKLOG,
    &transitions::MAY_SLEEP,
    &transitions::MADE_ONCE,
];

/// Returns every kind of finding, by code: those of YAML, of the API's schema, and of the rules
/// here.
#[must_use]
pub fn all() -> Vec<&'static Rule> {
    let mut all: Vec<&Rule> = catalog::ALL.iter().chain(OWN).copied().collect();
    all.sort_unstable_by_key(|rule| rule.code);
    all
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_and_names_are_unique() {
        let all = super::all();
        let codes: std::collections::HashSet<&str> = all.iter().map(|rule| rule.code).collect();
        let names: std::collections::HashSet<&str> = all.iter().map(|rule| rule.name).collect();
        assert_eq!((codes.len(), names.len()), (all.len(), all.len()));
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Check, Claim};
    use kube_schema::yaml;

    /// Runs one rule on a claim's `spec`. Expects each finding's code, line and part of its
    /// message.
    #[track_caller]
    pub(crate) fn check(rule: Check, spec: &str, expected: &[(&str, usize, &str)]) {
        let text = format!("spec:\n{spec}");
        let stream = yaml::parse(&text);
        assert_eq!(stream.problems, [], "{text}");
        let node = stream.documents.first().unwrap();
        let effective = node.to_json();
        let mut findings = Vec::new();
        rule(&Claim { node, effective: &effective }, &mut findings);
        let found: Vec<(&str, usize)> =
            findings.iter().map(|f| (f.rule.code, f.span.start.line)).collect();
        let wanted: Vec<(&str, usize)> = expected.iter().map(|e| (e.0, e.1)).collect();
        assert_eq!(found, wanted, "{text}\n{findings:#?}");
        for (finding, (_, _, part)) in findings.iter().zip(expected) {
            assert!(finding.message.contains(part), "{:?}", finding.message);
        }
    }
}
