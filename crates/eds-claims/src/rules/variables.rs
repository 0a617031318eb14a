//! EDS211: a reference `$(NAME)` that Kubernetes will not resolve. It then stays in the value as
//! text.
//!
//! Source: kubelet's `makeEnvironmentVariables` and `third_party/forked/golang/expansion`: keys of
//! whole Secrets and ConfigMaps (envFrom) are known to every variable; from the list, only the
//! variables before it are. The Composition's list is: `spec.secretRefs[].env`,
//! `spec.configMapRefs[].env`, what `spec.nats` sets, then `spec.env`. Container arguments are
//! resolved last, from all of them. `$$(NAME)` is not a reference.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Claim, field_of};
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

/// What `spec.nats` sets, in this order, and the field that it takes (empty: always there).
const FROM_NATS: [(&str, &str); 8] = [
    ("NATS_URL", ""),
    ("NATS_STREAM_NAME", ""),
    ("NATS_CONSUMER_GROUP", ""),
    ("NATS_DOMAIN", "spec.nats.domain"),
    ("NATS_CREDS", "spec.nats.credentials"),
    ("NATS_CA", "spec.nats.tls.ca"),
    ("NATS_CERT", "spec.nats.tls.cert"),
    ("NATS_KEY", "spec.nats.tls.key"),
];
/// Returns the names of the variables that a claim's `spec.nats` sets, in their order.
pub(super) fn from_nats(claim: &Claim<'_>) -> impl Iterator<Item = &'static str> {
    let is_set = |field: &str| field.is_empty() || field_of(claim.effective, field).is_some();
    FROM_NATS.into_iter().filter(move |(_, field)| is_set(field)).map(|(name, _)| name)
}

/// The lists that set variables from elsewhere, before `spec.nats`.
const FROM_ELSEWHERE: [(&str, &str); 2] =
    [("secretRefs", "spec.secretRefs"), ("configMapRefs", "spec.configMapRefs")];

/// How many references of one value are examined.
const MOST: usize = 10;

/// Where a variable is set: its position in the environment, and the field.
type Known<'a> = HashMap<&'a str, (usize, &'static str)>;

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let mut known: Known<'_> = HashMap::new();
    let mut whole = false;
    for (list, field) in FROM_ELSEWHERE {
        for source in claim.list(list) {
            // Its keys are not in the claim, so nothing can be said about any name.
            whole |= source.get("envFrom").and_then(serde_json::Value::as_bool).unwrap_or_default();
            let env = source.get("env").and_then(|env| env.as_array()).into_iter().flatten();
            for name in env.filter_map(|entry| entry.get("envName")?.as_str()) {
                let place = known.len();
                known.entry(name).or_insert((place, field));
            }
        }
    }
    let url = known.len();
    for name in from_nats(claim) {
        let place = known.len();
        known.entry(name).or_insert((place, "spec.nats"));
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
    untouched(claim, out);
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
                    (format!("{what} is set before {name}, which comes from {by}"), EARLIER)
                }
                None => {
                    if !is_of_service(name) {
                        unset.push(name);
                    }
                    continue;
                }
            };
            let message =
                format!("$({name}) is not resolved, and stays in the value as text: {why}");
            out.push(claim.finding(&RULE, path, message).help(fix));
        }
        if !unset.is_empty() {
            let fix = unset_fix(&unset, before == url);
            out.push(claim.finding(&RULE, path, unset_message(&unset)).help(fix));
        }
    };
    if let Some(text) = claim.text("spec.nats.url") {
        judge(text, url, &Path::fields("spec.nats.url"), "NATS_URL");
    }
    let refers = |text: &str| text.contains('$');
    for (i, (name, value)) in plain.iter().enumerate().filter(|(_, (_, value))| refers(value)) {
        judge(value, first_plain + i, &Path::fields("spec.env").index(i).key("value"), name);
    }
    for (container, what) in
        [("spec", "the container"), ("spec.initContainer", "the init container")]
    {
        for field in ["command", "args"] {
            for (i, text) in claim.texts(container, field).iter().enumerate() {
                let path = Path::fields(container).key(field).index(i);
                judge(text, usize::MAX, &path, what);
            }
        }
    }
}

/// Reports whether the kubelet may set a variable for a Service of the namespace
/// (`pkg/kubelet/envvars`): those of `kubernetes` are always there, and all are known to `env` too.
fn is_of_service(name: &str) -> bool {
    let is_port = |rest: &str| {
        let mut parts = rest.split('_');
        let number = parts.next().is_some_and(|n| n.parse::<u16>().is_ok());
        let protocol = matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"));
        let what = matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR"));
        number && protocol && what && parts.next().is_none()
    };
    let begins = name.starts_with(|c: char| c.is_ascii_uppercase());
    let ends = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].iter().any(|end| name.ends_with(end));
    let named = name.split_once("_SERVICE_PORT_").is_some();
    begins
        && (ends
            || named
            || name
                .match_indices("_PORT_")
                .any(|(at, found)| name.get(at + found.len()..).is_some_and(is_port)))
}

/// Texts in which Kubernetes puts nothing in a variable's place, as in all but variables and the
/// commands of containers (`kubelet_pods.go`). A probe's command is between the two: it sees plain
/// variables only (`ExpandContainerCommandOnlyStatic`).
const UNTOUCHED: [&str; 10] = [
    "spec.health.livenessPath",
    "spec.health.readinessPath",
    "spec.files[].mountPath",
    "spec.files[].items[].path",
    "spec.lifecycle.preStop.exec.command[]",
    "spec.nats.stream",
    "spec.nats.consumer",
    "spec.nats.domain",
    "spec.podMetadata.annotations",
    "spec.serviceAccount.annotations",
];

/// Finds references where nothing is put in their place.
fn untouched(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    for field in UNTOUCHED {
        let mut texts = Vec::new();
        collect(claim.effective, &mut field.split('.'), &Path::default(), &mut texts);
        for (path, text) in texts {
            // In a script, other things stand in parentheses too.
            let is_name = |name: &&str| {
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.')
            };
            let Some(name) = references(text).into_iter().find(is_name) else { continue };
            let scripted = field.ends_with("command[]") && text.contains(char::is_whitespace);
            if scripted && name.chars().any(|c| c.is_ascii_lowercase()) {
                continue;
            }
            let message = format!("nothing is put in the place of $({name}) here");
            let fix = match field.ends_with("command[]") {
                true => format!("let a shell do it: [sh, -c, \"... $${name}\"]").replace("$$", "$"),
                false => "write the text itself".to_owned(),
            };
            out.push(claim.finding(&RULE, &path, message).help(fix));
        }
    }
}

/// Collects the texts at a path with `[]` for each entry of a list; of a mapping of texts, all.
fn collect<'v>(
    value: &'v Value,
    steps: &mut std::str::Split<'_, char>,
    at: &Path,
    out: &mut Vec<(Path, &'v str)>,
) {
    let Some(step) = steps.next() else {
        match value {
            Value::String(text) => out.push((at.clone(), text)),
            Value::Object(texts) => {
                let texts =
                    texts.iter().filter_map(|(key, text)| Some((at.key(key), text.as_str()?)));
                out.extend(texts);
            }
            _ => {}
        }
        return;
    };
    let (key, is_list) = match step.strip_suffix("[]") {
        Some(key) => (key, true),
        None => (step, false),
    };
    let Some(inner) = value.get(key) else { return };
    let at = at.key(key);
    if !is_list {
        return collect(inner, steps, &at, out);
    }
    for (i, entry) in inner.as_array().into_iter().flatten().enumerate() {
        collect(entry, &mut steps.clone(), &at.index(i), out);
    }
}

/// How to make a variable known to those before it.
const EARLIER: &str = "set it by spec.secretRefs or spec.configMapRefs, whose variables come \
    first, or above this one";

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

fn unset_fix(names: &[&str], before_plain: bool) -> String {
    let set = words::all(names);
    let literal = names.first().copied().unwrap_or_default();
    let place = if before_plain {
        "spec.secretRefs or spec.configMapRefs"
    } else {
        "spec.env, spec.secretRefs or spec.configMapRefs"
    };
    format!("set {set} under {place}, or write $$({literal}) where the text itself is meant")
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
    fn variables_of_services() {
        for name in [
            "KUBERNETES_SERVICE_HOST",
            "REDIS_SERVICE_PORT",
            "REDIS_SERVICE_PORT_HTTP",
            "REDIS_PORT",
            "REDIS_PORT_6379_TCP",
            "REDIS_PORT_6379_TCP_ADDR",
        ] {
            testing::check(super::check, &format!("  args: [$({name})]\n"), &[]);
            testing::check(super::check, &format!("  env: [{{name: A, value: $({name})}}]\n"), &[]);
        }
        for name in ["REDIS_HOST", "REDIS_PORT_NAME", "PORT", "REDIS_PORT_6379_X", "a_PORT"] {
            let found = &[("EDS211", 2, "nothing in this claim sets")];
            testing::check(super::check, &format!("  args: [$({name})]\n"), found);
        }
    }

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
            &[("EDS211", 3, "nothing in this claim sets PASS")],
        );
        check(
            "  configMapRefs: [{name: m, env: [{configMapKey: k, envName: HOST}]}]\n  nats: {url: \
             'nats://$(HOST)'}\n",
            &[],
        );
        check(
            "  nats:\n    url: 'nats://$(HOST)$(NATS_CREDS)'\n    credentials: {secret: s, key: \
             k}\n  env: [{name: HOST, value: n}]\n",
            &[
                ("EDS211", 3, "NATS_URL is set before HOST, which comes from spec.env"),
                ("EDS211", 3, "NATS_URL is set before NATS_CREDS, which comes from spec.nats"),
            ],
        );
        check("  env: [{name: A, value: '$(NATS_DOMAIN)'}]\n", &[("EDS211", 2, "NATS_DOMAIN")]);
        check(
            "  args: ['$(NATS_URL)', '$(A)']\n",
            &[("EDS211", 2, "nothing in this claim sets A")],
        );
        check("  configMapRefs: [{name: s, envFrom: true}]\n  nats: {url: 'nats://$(U)@n'}\n", &[]);
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
