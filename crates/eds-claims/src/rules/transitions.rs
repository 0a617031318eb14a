//! EDS301-310: what a change to a claim does to the running service.

use kube_object::object::{Fields, escaped};
use serde_json::Value;

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};
use kube_schema::yaml::Node;

/// A change that restarts the service's pods.
pub static RESTART: Rule = Rule {
    code: "EDS301",
    name: "restarts-pods",
    severity: Severity::Warning,
    what: "A change that restarts the service's pods.",
    why: "Changed pod templates roll out: every pod is replaced.",
    bad: "image: …:1.0 -> …:1.1",
    good: "scaling.maxReplicas: 10 -> 20",
};

/// A claim whose name or namespace changed.
pub static RENAMED: Rule = Rule {
    code: "EDS302",
    name: "renamed",
    severity: Severity::Error,
    what: "A claim whose name or namespace changed.",
    why: "Kubernetes has no renaming: the old service is deleted and another one is made.",
    bad: "name: a -> name: b",
    good: "name: a -> name: a",
};

/// A maxReplicas that was lowered.
pub static LOWERED_MAX: Rule = Rule {
    code: "EDS303",
    name: "lowered-maximum",
    severity: Severity::Warning,
    what: "A maxReplicas that became smaller.",
    why: "Pods above the new maximum are stopped at once, also under load.",
    bad: "maxReplicas: 20 -> 5",
    good: "maxReplicas: 5 -> 20",
};

/// A secret, or one of its variables, that the claim no longer uses.
pub static DROPPED_SECRET: Rule = Rule {
    code: "EDS304",
    name: "dropped-secret",
    severity: Severity::Warning,
    what: "A secret, or one of its variables, that the claim no longer uses.",
    why: "The service loses the variables at its next start.",
    bad: "secretRefs: [{name: db, …}] -> []",
    good: "secretRefs unchanged",
};

/// A claim that is gone from its file.
pub static REMOVED: Rule = Rule {
    code: "EDS305",
    name: "removed",
    severity: Severity::Warning,
    what: "A claim that is gone from its file.",
    why: "Where files are applied with pruning, its service is deleted. An error where its text \
            still stands, under a name that nobody applies, or a link stands in its place: that is \
            no plain deletion.",
    bad: "(claim removed)",
    good: "(claim kept)",
};

/// A claim that chooses another Composition, or another revision of it.
pub static OTHER_COMPOSITION: Rule = Rule {
    code: "EDS306",
    name: "other-composition",
    severity: Severity::Warning,
    what: "A claim that chooses another Composition, or another revision of it.",
    why: "What runs is made anew by it: what the other one does not make is deleted.",
    bad: "compositionRef: {name: a} -> {name: b}",
    good: "compositionRef unchanged",
};

/// A change to how Crossplane treats the claim: which composite it owns, its external name, a
/// pause.
pub static HANDLING: Rule = Rule {
    code: "EDS307",
    name: "handling",
    severity: Severity::Warning,
    what: "A change to how Crossplane treats the claim: which composite is its own, its external \
            name, a pause.",
    why: "The claim may take over what another one made, leave its own behind, or stop being \
            reconciled.",
    bad: "crossplane.io/paused: \"true\"",
    good: "(no such annotation)",
};

/// A claim that reads another consumer than before.
pub static BACKLOG: Rule = Rule {
    code: "EDS308",
    name: "abandoned-consumer",
    severity: Severity::Warning,
    what: "A claim that reads another consumer than before.",
    why: "What waits in the old consumer is read by nobody, and no longer makes the service scale.",
    bad: "consumer: a -> consumer: b",
    good: "consumer unchanged",
};

/// A minReplicas that became 0.
pub static MAY_SLEEP: Rule = Rule {
    code: "EDS309",
    name: "may-sleep",
    severity: Severity::Warning,
    what: "A minReplicas that became 0.",
    why: "The service sleeps while no message waits: nothing of it answers, and the first message \
            waits until a pod has started.",
    bad: "minReplicas: 1 -> 0",
    good: "minReplicas: 2 -> 1",
};

/// A change of `spec.nats.create` that does not reach what NATS has.
pub static MADE_ONCE: Rule = Rule {
    code: "EDS310",
    name: "made-once",
    severity: Severity::Warning,
    what: "A change of spec.nats.create, from which consumer and stream are made once.",
    why: "What NATS has already stays as it is: the claim says one thing, and NATS does another.",
    bad: "create: {consumer: {ackWait: 30s}} -> {consumer: {ackWait: 60s}}",
    good: "create unchanged",
};

/// Fields that end up in the pod template, so that changing them replaces every pod.
const POD_FIELDS: &[&str] = &[
    "image",
    "size",
    "command",
    "args",
    "resources",
    "health",
    "lifecycle",
    "nats.url",
    "nats.stream",
    "nats.consumer",
    "nats.domain",
    "nats.credentials",
    "nats.tls",
    "secretRefs",
    "configMapRefs",
    "files",
    "env",
    "podMetadata",
    "placement",
    "rollout.restartOnSecretChange",
    "imagePullSecrets",
    "initContainer",
    "terminationGracePeriodSeconds",
];

/// Compares a claim with its previous state. Both effective values have their defaults.
#[must_use]
pub fn transitions(before: &Value, node: &Node, effective: &Value) -> Vec<Finding> {
    let claim = Claim { node, effective };
    // This makes another service: no other change affects the old one.
    if let Some(renamed) = renamed(before, &claim) {
        let mut out = vec![renamed];
        crossplane(Some(before), &claim, &NEW, &mut out);
        return out;
    }
    let mut out = Vec::new();
    for field in POD_FIELDS {
        let path = Path::fields("spec").with_fields(field);
        let pointer = format!("/spec/{}", field.replace('.', "/"));
        // False is the default of a mapping that may be missing.
        let of = |claim: &Value| claim.at(&pointer).filter(|v| **v != Value::Bool(false)).cloned();
        if of(before) != of(effective) {
            let message = match (*field, effective.at(&pointer)) {
                ("rollout.restartOnSecretChange", Some(Value::Bool(true))) => {
                    "is on: the pods restart once when this is applied, and from then on at each \
                        change of a Secret that the claim names"
                }
                ("rollout.restartOnSecretChange", _) => {
                    "is off: the pods restart once when this is applied, and no longer when a \
                        Secret changes"
                }
                _ => "changed, which restarts the pods",
            };
            out.push(claim.finding(&RESTART, &path, message));
        }
    }
    let maximum = |v: &Value| v.integer("/spec/scaling/maxReplicas");
    if let (Some(old), Some(new)) = (maximum(before), maximum(effective))
        && new < old
    {
        let message = format!("was {old} and is {new}: pods above it are stopped, also under load");
        out.push(claim.finding(&LOWERED_MAX, &Path::fields("spec.scaling.maxReplicas"), message));
    }
    let minimum = |v: &Value| v.integer("/spec/scaling/minReplicas");
    if let (Some(old), Some(0)) = (minimum(before), minimum(effective))
        && old > 0
    {
        let message = format!(
            "was {old} and is 0: the service sleeps while no message waits, and wakes up only for \
                the next"
        );
        let path = Path::fields("spec.scaling.minReplicas");
        out.push(claim.finding(&MAY_SLEEP, &path, message));
    }
    dropped_secrets(before, &claim, &mut out);
    backlog(before, &claim, &mut out);
    made_once(before, &claim, &mut out);
    crossplane(Some(before), &claim, CHOICES.iter().chain(&NEW), &mut out);
    out
}

/// Reports how a new claim asks Crossplane to treat it, if that may touch what others made or keep
/// the claim from being composed.
#[must_use]
pub fn beginnings(node: &Node, effective: &Value) -> Vec<Finding> {
    let mut out = Vec::new();
    crossplane(None, &Claim { node, effective }, &NEW, &mut out);
    out
}

/// Returns the namespace and name of a claim, empty if it has none.
#[must_use]
pub fn names(claim: &Value) -> (String, String) {
    let text = |field: &str| {
        let text =
            super::field_of(claim, "metadata").and_then(|metadata| metadata.get(field)?.as_str());
        text.unwrap_or_default().to_owned()
    };
    (text("namespace"), text("name"))
}

/// Returns `namespace/name` of a claim.
#[must_use]
pub fn full_name(claim: &Value) -> String {
    let (namespace, name) = names(claim);
    let name = if name.is_empty() { "without a name" } else { &name };
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}

fn renamed(before: &Value, claim: &Claim<'_>) -> Option<Finding> {
    let differs = |field: &&&str| {
        let pointer = format!("/metadata/{field}");
        before.at(&pointer) != claim.effective.at(&pointer)
    };
    let field = ["name", "namespace"].iter().find(differs)?;
    let message = format!(
        "claim {} is now {}: the old service would be deleted and another one made",
        full_name(before),
        full_name(claim.effective),
    );
    let help = "keep the name, or move in two steps: add the new claim, then remove the old";
    let path = Path::fields("metadata").key(field);
    Some(claim.finding(&RENAMED, &path, message).help(help))
}

/// Reports messages left waiting that nobody reads any more.
fn backlog(before: &Value, claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let text = |claim: &Value, field: &str| -> Option<String> {
        claim.at(&format!("/spec/nats/{field}")).and_then(Value::as_str).map(str::to_owned)
    };
    let changed = |field: &&&str| {
        text(before, field).is_some() && text(before, field) != text(claim.effective, field)
    };
    let Some(field) = ["stream", "consumer", "account"].iter().find(changed) else { return };
    let consumer_of = |claim: &Value| {
        let word = |field| text(claim, field).unwrap_or_default();
        format!("{} of stream {} (account {})", word("consumer"), word("stream"), word("account"))
    };
    let message = format!(
        "consumer {} was read before, and {} is now: what waits in the old one is read by nobody",
        consumer_of(before),
        consumer_of(claim.effective),
    );
    let help = "let the old consumer run empty first, or keep a claim that reads it until it is";
    let path = Path::fields("spec.nats").key(field);
    out.push(claim.finding(&BACKLOG, &path, message).help(help));
}

/// Reports figures of a consumer or a stream that change in the claim, and not in NATS. Another name
/// is another consumer or stream, which is made as the claim says.
fn made_once(before: &Value, claim: &Claim<'_>, out: &mut Vec<Finding>) {
    for (what, names) in [("consumer", &["stream", "consumer"][..]), ("stream", &["stream"])] {
        let same = |name: &&str| before.at(&nats(name)) == claim.effective.at(&nats(name));
        let figures = |claim: &Value| claim.at(&nats(&format!("create/{what}"))).cloned();
        let (Some(old), Some(new)) = (figures(before), figures(claim.effective)) else { continue };
        if !names.iter().all(same) {
            continue;
        }
        let keys = [&old, &new].map(|figures| figures.as_object().into_iter().flatten());
        let mut changed: Vec<&str> = keys
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
            // Who deletes the consumer is NACK's to know, and not NATS'.
            .filter(|key| *key != "reclaimPolicy" && old.get(key) != new.get(key))
            .collect();
        changed.sort_unstable();
        changed.dedup();
        for key in changed {
            let message = format!(
                "changed, and NATS keeps what the {what} has: it is made once, and later changes \
                    here do not reach it"
            );
            let text = |name: &str| claim.effective.text(&nats(name)).to_owned();
            let (stream, consumer) = (text("stream"), text("consumer"));
            let fix = match what {
                "consumer" => format!(
                    "change it in NATS too: nats consumer edit {stream} {consumer}; or name \
                        another consumer"
                ),
                _ => format!("change it in NATS too: nats stream edit {stream}"),
            };
            let path = Path::fields("spec.nats.create").key(what).key(key);
            out.push(claim.finding(&MADE_ONCE, &path, message).help(fix));
        }
    }
}

fn nats(field: &str) -> String {
    format!("/spec/nats/{field}")
}

/// A field or annotation that Crossplane reads on any claim: where, its rule, what it says.
struct Handling(&'static str, &'static Rule, &'static str);

/// What chooses or follows a Composition; in a new claim, a choice like any other.
const CHOICES: [Handling; 11] = [
    Handling("spec.compositionRef", &OTHER_COMPOSITION, CHOOSES),
    Handling("spec.compositionSelector", &OTHER_COMPOSITION, CHOOSES),
    Handling("spec.compositionRevisionRef", &OTHER_COMPOSITION, CHOOSES),
    Handling("spec.compositionRevisionSelector", &OTHER_COMPOSITION, CHOOSES),
    Handling("spec.compositionUpdatePolicy", &HANDLING, FOLLOWS),
    Handling(
        "spec.compositeDeletePolicy",
        &HANDLING,
        "says whether deleting the claim waits until its service is gone",
    ),
    // The same in the namespaced form.
    Handling("spec.crossplane.compositionRef", &OTHER_COMPOSITION, CHOOSES),
    Handling("spec.crossplane.compositionSelector", &OTHER_COMPOSITION, CHOOSES),
    Handling("spec.crossplane.compositionRevisionRef", &OTHER_COMPOSITION, CHOOSES),
    Handling("spec.crossplane.compositionRevisionSelector", &OTHER_COMPOSITION, CHOOSES),
    Handling("spec.crossplane.compositionUpdatePolicy", &HANDLING, FOLLOWS),
];

const FOLLOWS: &str = "says whether the service follows new revisions of its Composition";

/// What deserves a finding in a new claim too.
const NEW: [Handling; 5] = [
    Handling(
        "spec.resourceRef",
        &HANDLING,
        "names the composite that the claim owns: its own is left behind, and another's may be \
            taken over",
    ),
    Handling("spec.resourceRefs", &HANDLING, MADE),
    Handling("spec.crossplane.resourceRefs", &HANDLING, MADE),
    Handling(PAUSED, &HANDLING, "says whether Crossplane does anything about this claim at all"),
    Handling(
        "crossplane.io/external-name",
        &HANDLING,
        "is the name of the composite, which may be another claim's",
    ),
];

const PAUSED: &str = "crossplane.io/paused";
const MADE: &str = "names what the composite made: another's objects may be taken over or deleted";
const CHOOSES: &str = "chooses what makes the service: another Composition, or another revision of \
    it, makes everything anew; what it does not make is deleted";

/// Finds what Crossplane reads on any claim.
fn crossplane<'a>(
    before: Option<&Value>,
    claim: &Claim<'_>,
    fields: impl IntoIterator<Item = &'a Handling>,
    out: &mut Vec<Finding>,
) {
    for Handling(field, rule, says) in fields {
        let (path, pointer) = if field.contains('/') {
            let pointer = format!("/metadata/annotations/{}", escaped(field));
            (Path::fields("metadata.annotations").key(field), pointer)
        } else {
            (Path::fields(field), format!("/{}", field.replace('.', "/")))
        };
        let (old, new) = (before.and_then(|b| b.at(&pointer)), claim.effective.at(&pointer));
        // Only "true" pauses.
        let means_nothing = before.is_none()
            && *field == PAUSED
            && new.and_then(Value::as_str).is_some_and(|text| text != "true");
        if old == new || means_nothing {
            continue;
        }
        let how = match (old, new) {
            (None, _) => "is new",
            (_, None) => "is gone",
            _ => "changed",
        };
        out.push(claim.finding(rule, &path, format!("{how}: this {says}")));
    }
}

fn dropped_secrets(before: &Value, claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let list = |v: &Value| -> Vec<Value> {
        v.at("/spec/secretRefs").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let name = |secret: &Value| secret.get("name").and_then(Value::as_str).map(str::to_owned);
    let variables = |secret: &Value| -> Vec<String> {
        let env = secret.get("env").and_then(Value::as_array).into_iter().flatten();
        env.filter_map(|e| e.get("envName")?.as_str().map(str::to_owned)).collect()
    };
    let now = list(claim.effective);
    let kept: Vec<String> = now.iter().flat_map(variables).collect();
    for old in list(before) {
        let Some(old_name) = name(&old) else { continue };
        let path = Path::fields("spec.secretRefs");
        match now.iter().position(|secret| name(secret).as_deref() == Some(&old_name)) {
            None => {
                let message = format!("secret {old_name:?} is no longer used");
                out.push(claim.finding(&DROPPED_SECRET, &path, message));
            }
            Some(i) => {
                let whole = |secret: &Value| secret.get("envFrom") == Some(&Value::Bool(true));
                if whole(&old) && !now.get(i).is_some_and(whole) {
                    let message = "envFrom is gone: of the variables that this secret sets, only \
                        those listed are left";
                    out.push(claim.finding(&DROPPED_SECRET, &path.index(i).key("name"), message));
                    continue;
                }
                let lost: Vec<String> =
                    variables(&old).into_iter().filter(|v| !kept.contains(v)).collect();
                if !lost.is_empty() {
                    let message = format!("{} no longer set from it", lost.join(", "));
                    out.push(claim.finding(&DROPPED_SECRET, &path.index(i).key("name"), message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube_schema::yaml;

    #[track_caller]
    fn check(before: &str, after: &str, expected: &[(&str, usize)]) {
        let (before, after) = (yaml::parse(before), yaml::parse(after));
        let node = after.documents.first().unwrap();
        let findings =
            transitions(&before.documents.first().unwrap().to_json(), node, &node.to_json());
        let found: Vec<(&str, usize)> =
            findings.iter().map(|f| (f.rule.code, f.span.start.line)).collect();
        assert_eq!(found, expected, "{findings:#?}");
    }

    #[test]
    fn changes() {
        check("metadata: {name: a}", "metadata:\n  name: b", &[("EDS302", 2)]);
        check("spec: {image: a:1}", "spec:\n  image: a:2", &[("EDS301", 2)]);
        check(
            "spec: {scaling: {maxReplicas: 9}}",
            "spec:\n  scaling:\n    maxReplicas: 5",
            &[("EDS303", 3)],
        );
        check("spec: {scaling: {maxReplicas: 5}}", "spec: {scaling: {maxReplicas: 9}}", &[]);
        let minimum = |n: i64| format!("spec:\n  scaling:\n    minReplicas: {n}");
        check(&minimum(1), &minimum(0), &[("EDS309", 3)]);
        check(&minimum(5), &minimum(0), &[("EDS309", 3)]);
        check(&minimum(0), &minimum(0), &[]);
        check(&minimum(0), &minimum(1), &[]);
        check(&minimum(5), &minimum(1), &[]);
        check(
            "spec: {secretRefs: [{name: a}, {name: b, env: [{envName: X}]}]}",
            "spec:\n  secretRefs:\n  - name: b\n",
            &[("EDS301", 2), ("EDS304", 2), ("EDS304", 3)],
        );
        check("spec: {image: a:1}", "spec: {image: a:1}", &[]);
        let restart = |on: bool| format!("spec: {{rollout: {{restartOnSecretChange: {on}}}}}");
        check("spec: {image: a:1}", "spec: {image: a:1, rollout: {maxSurge: 1}}", &[]);
        check("spec: {}", &restart(false), &[]);
        check("spec: {}", &restart(true), &[("EDS301", 1)]);
        check(&restart(true), "spec: {}", &[("EDS301", 1)]);
        check(
            "spec: {secretRefs: [{name: b, envFrom: true}]}",
            "spec:\n  secretRefs:\n  - name: b\n    env: [{secretKey: a, envName: A}]\n",
            &[("EDS301", 2), ("EDS304", 3)],
        );
    }

    /// Another name, another namespace, or both: one finding, whatever else changed.
    #[test]
    fn another_identity() {
        check(
            "metadata: {name: a, namespace: x}",
            "metadata: {name: b, namespace: x}",
            &[("EDS302", 1)],
        );
        check("metadata: {name: a}", "metadata: {name: a, namespace: x}", &[("EDS302", 1)]);
        check(
            "metadata: {name: a, namespace: x}\nspec: {image: a:1}",
            "metadata: {name: b, namespace: y}\nspec: {image: a:2}",
            &[("EDS302", 1)],
        );
    }

    /// What a new claim must not bring in silently.
    #[test]
    fn a_new_claim() {
        for (text, expected) in [
            ("spec:\n  image: a:1", &[][..]),
            ("spec:\n  resourceRef: {name: b}", &[("EDS307", 2)]),
            ("spec:\n  resourceRefs: [{name: b}]", &[("EDS307", 2)]),
            ("spec:\n  crossplane: {resourceRefs: [{name: b}]}", &[("EDS307", 2)]),
            ("spec:\n  compositionRef: {name: b}\n  compositeDeletePolicy: Background", &[]),
            ("metadata:\n  annotations:\n    crossplane.io/paused: \"true\"", &[("EDS307", 3)]),
            ("metadata:\n  annotations:\n    crossplane.io/paused: \"false\"", &[]),
            ("metadata:\n  annotations:\n    crossplane.io/external-name: b", &[("EDS307", 3)]),
        ] {
            let stream = yaml::parse(text);
            let node = stream.documents.first().unwrap();
            let found = beginnings(node, &node.to_json());
            let found: Vec<_> = found.iter().map(|f| (f.rule.code, f.span.start.line)).collect();
            assert_eq!(found, expected, "{text}");
        }
        // Under another name it is new as well.
        check(
            "metadata: {name: a}",
            "metadata: {name: b}\nspec:\n  resourceRef: {name: c}",
            &[("EDS302", 1), ("EDS307", 3)],
        );
    }

    #[test]
    fn another_consumer() {
        let before = "spec: {nats: {stream: S, consumer: c, account: A}}";
        let after = |nats: &str| format!("spec:\n  nats: {{{nats}}}");
        check(before, &after("stream: S, consumer: c, account: A"), &[]);
        check(
            before,
            &after("stream: S, consumer: d, account: A"),
            &[("EDS301", 2), ("EDS308", 2)],
        );
        check(
            before,
            &after("stream: T, consumer: c, account: A"),
            &[("EDS301", 2), ("EDS308", 2)],
        );
        check(before, &after("stream: S, consumer: c, account: B"), &[("EDS308", 2)]);
    }

    #[test]
    fn what_is_made_once() {
        let claim = |create: &str| {
            format!("spec:\n  nats:\n    stream: S\n    consumer: c\n    create:\n      {create}")
        };
        let before = claim("consumer: {ackWait: 30s}\n      stream: {subjects: [a], maxAge: 1h}");
        check(&before, &before, &[]);
        check(
            &before,
            &claim("consumer: {ackWait: 60s}\n      stream: {subjects: [a], maxAge: 1h}"),
            &[("EDS310", 6)],
        );
        check(
            &before,
            &claim("consumer: {ackWait: 30s, maxDeliver: 3}\n      stream: {subjects: [a, b]}"),
            &[("EDS310", 6), ("EDS310", 7), ("EDS310", 7)],
        );
        check(&before, &claim("consumer: {ackWait: 30s, reclaimPolicy: Delete}"), &[]);
        // Another consumer is made as the claim says.
        let other = claim("consumer: {ackWait: 60s}").replace("consumer: c", "consumer: d");
        check(&before, &other, &[("EDS301", 4), ("EDS308", 4)]);
    }

    #[test]
    fn what_crossplane_reads() {
        for (field, code) in [
            ("compositionRef: {name: b}", "EDS306"),
            ("compositionSelector: {matchLabels: {a: b}}", "EDS306"),
            ("compositionRevisionRef: {name: b}", "EDS306"),
            ("compositionRevisionSelector: {matchLabels: {a: b}}", "EDS306"),
            ("compositionUpdatePolicy: Manual", "EDS307"),
            ("resourceRef: {name: b}", "EDS307"),
            ("compositeDeletePolicy: Background", "EDS307"),
        ] {
            let with = format!("spec:\n  {field}");
            check("spec: {}", &with, &[(code, 2)]);
            check(&with, "spec: {}", &[(code, 1)]);
            check(&with, &with, &[]);
        }
        for name in ["crossplane.io/paused", "crossplane.io/external-name"] {
            let with = format!("metadata:\n  annotations:\n    {name}: \"true\"");
            check("metadata: {}", &with, &[("EDS307", 3)]);
            check(&with, "metadata: {}", &[("EDS307", 1)]);
        }
    }
}
