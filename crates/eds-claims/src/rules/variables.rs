//! EDS211: a reference `$(NAME)` that Kubernetes will not resolve. It then stays in the value as
//! text.
//!
//! Source: kubelet's `makeEnvironmentVariables` and `third_party/forked/golang/expansion`: keys of
//! whole Secrets (envFrom) are known to every variable; from the list, only the variables before it
//! are. The Composition's list is: the three from `spec.nats`, then `spec.secretRefs[].env`, then
//! `spec.env`. Container arguments are resolved last, from all of them. `$$(NAME)` is not a
//! reference.

use std::collections::{HashMap, HashSet};

use super::Claim;
use kube_object::path::Path;
use kube_object::words;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// A reference $(NAME) that Kubernetes will not resolve.
pub(super) static RULE: Rule = Rule {
    code: "EDS211",
    name: "unresolved-variable",
    severity: Severity::Warning,
    what: "A reference $(NAME) that Kubernetes will not resolve.",
    why: "Kubernetes leaves it in the value as it is, so the worker gets the text $(NAME).",
    bad: "env: [{name: A, value: $(B)}, {name: B, value: x}]",
    good: "env: [{name: B, value: x}, {name: A, value: $(B)}]",
};

/// What `spec.nats` sets.
const FROM_NATS: [&str; 3] = ["NATS_URL", "NATS_STREAM_NAME", "NATS_CONSUMER_GROUP"];

/// How many references of one value are examined.
const MOST: usize = 10;

/// Where a variable is set: its position in the environment, and the field.
type Known<'a> = HashMap<&'a str, (usize, &'static str)>;

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let mut known: Known<'_> = HashMap::new();
    for (i, name) in FROM_NATS.into_iter().enumerate() {
        known.entry(name).or_insert((i, "spec.nats"));
    }
    let mut whole = false;
    for secret in claim.list("secretRefs") {
        // Keys of a whole Secret are not in the claim, so nothing can be said about any name.
        whole |= secret.get("envFrom").and_then(serde_json::Value::as_bool).unwrap_or_default();
        let env = secret.get("env").and_then(|env| env.as_array()).into_iter().flatten();
        for name in env.filter_map(|entry| entry.get("envName")?.as_str()) {
            let place = known.len();
            known.entry(name).or_insert((place, "spec.secretRefs"));
        }
    }
    let first_plain = known.len();
    let plain: Vec<(&str, &str)> = claim
        .list("env")
        .iter()
        .map(|entry| {
            let text = |key: &str| entry.get(key).and_then(|v| v.as_str()).unwrap_or_default();
            (text("name"), text("value"))
        })
        .collect();
    for (i, (name, _)) in plain.iter().enumerate() {
        known.entry(name).or_insert((first_plain + i, "spec.env"));
    }
    if whole {
        return;
    }
    let mut judge = |text: &str, before: usize, path: &Path, what: &str| {
        let mut unset = Vec::new();
        for name in references(text) {
            let (why, fix) = match known.get(name) {
                Some((place, _)) if *place < before => continue,
                Some((place, _)) if *place == before => (
                    format!("{what} cannot refer to itself"),
                    "write the value, or refer to another variable",
                ),
                Some((_, by)) => {
                    (format!("{what} is set before {name}, which comes from {by}"), WHOLE_SECRET)
                }
                None => {
                    unset.push(name);
                    continue;
                }
            };
            let message =
                format!("$({name}) is not resolved, and stays in the value as text: {why}");
            out.push(claim.finding(&RULE, path, message).help(fix));
        }
        if !unset.is_empty() {
            out.push(claim.finding(&RULE, path, unset_message(&unset)).help(match before {
                // Everything that the claim sets by name comes later.
                0 => WHOLE_SECRET.to_owned(),
                _ => unset_fix(&unset),
            }));
        }
    };
    if let Some(url) = claim.text("spec.nats.url") {
        judge(url, 0, &Path::fields("spec.nats.url"), "NATS_URL");
    }
    let refers = |text: &str| text.contains('$');
    for (i, (name, value)) in plain.iter().enumerate().filter(|(_, (_, value))| refers(value)) {
        judge(value, first_plain + i, &Path::fields("spec.env").index(i).key("value"), name);
    }
    for field in ["command", "args"] {
        for (i, text) in claim.init_texts(field).iter().enumerate() {
            let path = Path::fields("spec.initContainer").key(field).index(i);
            judge(text, usize::MAX, &path, "the init container");
        }
    }
}

/// How to make a variable known to all others.
const WHOLE_SECRET: &str = "let the worker read that variable itself, or name the whole Secret \
    with envFrom: true, whose keys are known to every variable";

fn unset_message(names: &[&str]) -> String {
    let texts: Vec<String> = names.iter().map(|name| format!("$({name})")).collect();
    match names {
        [name] => format!(
            "$({name}) is not resolved, and stays in the value as text: nothing in this claim sets \
                {name}"
        ),
        _ => format!(
            "{} are not resolved, and stay in the value as text: nothing in this claim sets {}",
            words::all(&texts),
            words::all(names)
        ),
    }
}

fn unset_fix(names: &[&str]) -> String {
    let set = words::all(names);
    let literal = names.first().copied().unwrap_or_default();
    format!(
        "set {set} under spec.env or spec.secretRefs, or write $$({literal}) where the text itself \
            is meant"
    )
}

/// Returns the names in `$(NAME)`, each once, in order, and no more than anyone reads. `$$` stands
/// for a dollar sign.
pub fn references(text: &str) -> Vec<&str> {
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after;
        if let Some(after) = after.strip_prefix('$') {
            rest = after;
        } else if let Some(inner) = after.strip_prefix('(') {
            // If one is not closed, none that follows is.
            let Some((name, after)) = inner.split_once(')') else { break };
            if !name.is_empty() && seen.insert(name) {
                names.push(name);
            }
            rest = after;
        }
        if names.len() == MOST {
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::references;
    use crate::rules::testing;

    #[test]
    fn names() {
        assert_eq!(references("a$(B)c$$(D)$(E$(F)$x$(B)$("), ["B", "E$(F"]);
        assert!(references("$").is_empty());
        let many: String = (0..100).map(|i| format!("$(A{i})")).collect();
        assert_eq!(references(&many).len(), super::MOST);
    }

    #[test]
    fn a_value_of_megabytes_is_read_once() {
        let open = "$(".repeat(2_000_000);
        assert!(references(&open).is_empty());
        let same = "$(A)".repeat(1_000_000);
        assert_eq!(references(&same), ["A"]);
    }

    #[test]
    fn what_resolves() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        let secret = "  secretRefs: [{name: s, env: [{secretKey: k, envName: USER}]}]\n";
        check(
            &format!("{secret}  nats: {{url: 'nats://$(USER):$(PASS)@n:4222'}}\n"),
            &[
                ("EDS211", 3, "NATS_URL is set before USER, which comes from spec.secretRefs"),
                ("EDS211", 3, "nothing in this claim sets PASS"),
            ],
        );
        check(
            "  nats: {url: 'nats://$(USER):$(PASS)@n:4222'}\n",
            &[("EDS211", 2, "$(USER) and $(PASS) are not resolved")],
        );
        check("  secretRefs: [{name: s, envFrom: true}]\n  nats: {url: 'nats://$(U)@n'}\n", &[]);
        check(
            &format!(
                "{secret}  env:\n  - {{name: A, value: '$(USER)$(NATS_URL)$(B)'}}\n  - {{name: B, \
                    value: '$(A)$(B)$$(C)'}}\n"
            ),
            &[
                ("EDS211", 4, "A is set before B, which comes from spec.env"),
                ("EDS211", 5, "cannot refer to itself"),
            ],
        );
        check(
            &format!("{secret}  initContainer: {{command: [a], args: ['$(USER)', '$(X)']}}\n"),
            &[("EDS211", 3, "nothing in this claim sets X")],
        );
    }
}
