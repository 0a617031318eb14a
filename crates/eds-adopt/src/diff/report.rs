//! Reports a difference, for a person and for a program.

use std::collections::HashSet;
use std::fmt::Write;

use serde_json::{Value, json};

use super::{Change, Diff, Fate, ObjectDiff};
use kube_object::printable::printable;

/// Renders the difference as one JSON document:
///
/// ```text
/// {"summary": {same, objects, fields, restartsPods, recreates, renames, deletes}, "notes": [..],
///  "objects": [{kind, namespace, name, newName, fate, changes: [{path, pointer, before, after, restartsPods,
///               recreates, why, todo}]}]}
/// ```
///
/// `fate` is `same`, `changed`, `made`, `renamed` or `deleted`. `before` is the present value,
/// `after` the claim's; a side without the field is null. `todo` is what somebody has to take care
/// of, because the worker loses this. Secrets are `***`.
#[must_use]
pub fn json(diff: &Diff) -> Value {
    let changes = |object: &ObjectDiff| -> Vec<Value> {
        let change = |c: &Change| {
            json!({
                "path": c.path,
                "pointer": c.pointer,
                "before": c.before,
                "after": c.after,
                "restartsPods": c.restarts_pods,
                "recreates": c.recreates,
                "why": c.why,
                "todo": c.todo,
            })
        };
        object.changes.iter().map(change).collect()
    };
    let objects: Vec<Value> = diff
        .objects
        .iter()
        .map(|object| {
            json!({
                "kind": object.kind,
                "namespace": object.namespace,
                "name": object.name,
                "newName": object.new_name,
                "fate": object.fate.name(),
                "changes": changes(object),
            })
        })
        .collect();
    let count = |fate: Fate| diff.objects.iter().filter(|object| object.fate == fate).count();
    let all = || diff.objects.iter().flat_map(|object| &object.changes);
    json!({
        "summary": {
            "same": diff.is_same(),
            "objects": diff.objects.iter().filter(|object| object.fate != Fate::Same).count(),
            "fields": all().count(),
            "restartsPods": all().any(|change| change.restarts_pods),
            "recreates": all().any(|change| change.recreates),
            "renames": count(Fate::Renamed),
            "deletes": count(Fate::Deleted),
        },
        "notes": diff.notes,
        "objects": objects,
    })
}

/// Says in a sentence how much differs: `3 fields differ; 1 object is deleted`.
#[must_use]
pub fn summary(diff: &Diff) -> String {
    if diff.is_same() {
        return "the same".to_owned();
    }
    let of = |fate: Fate| diff.objects.iter().filter(move |object| object.fate == fate);
    let changed = of(Fate::Changed).chain(of(Fate::Renamed));
    let fields = changed.map(|object| object.changes.len()).sum::<usize>();
    let mut parts = match fields {
        0 => Vec::new(),
        1 => vec!["1 field differs".to_owned()],
        _ => vec![format!("{fields} fields differ")],
    };
    for (fate, what) in
        [(Fate::Made, "made"), (Fate::Renamed, "renamed"), (Fate::Deleted, "deleted")]
    {
        match of(fate).count() {
            0 => {}
            1 => parts.push(format!("1 object is {what}")),
            count => parts.push(format!("{count} objects are {what}")),
        }
    }
    parts.join("; ")
}

/// Renders the difference as Markdown: a summary of what is the same, and a table of the rest.
#[must_use]
pub fn markdown(diff: &Diff) -> String {
    let cell = |text: &str| printable(text).replace('|', "\\|");
    // The kind identifies the object, unless there are several.
    let called = |object: &ObjectDiff| {
        let alone = diff.objects.iter().filter(|other| other.kind == object.kind).count() == 1;
        let ObjectDiff { kind, namespace, name, .. } = object;
        if alone { cell(kind) } else { cell(&format!("{kind} {namespace}/{name}")) }
    };
    let mut out = String::new();
    if diff.objects.iter().any(|object| !object.same.is_empty()) {
        out.push_str("The same in both:\n\n");
    }
    for object in diff.objects.iter().filter(|object| !object.same.is_empty()) {
        let mut parts: Vec<String> = Vec::new();
        for pattern in &object.same {
            let part = part(pattern);
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        let parts: Vec<String> = parts.iter().map(|part| format!("`{}`", cell(part))).collect();
        let (count, s) = (object.same.len(), if object.same.len() == 1 { "" } else { "s" });
        let _ = writeln!(out, "- {}, {count} field{s}: {}", called(object), parts.join(", "));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str("| object | field: as it is → as the claim has it | why |\n|---|---|---|\n");
    for object in &diff.objects {
        let mut groups: Vec<(String, Vec<&Change>)> = Vec::new();
        for change in &object.changes {
            let why = change.why.unwrap_or("**no reason is known**");
            let why = change.todo.map_or(why.to_owned(), |todo| format!("{why}; **{todo}**"));
            match groups.iter_mut().find(|(known, _)| *known == why) {
                Some((_, group)) => group.push(change),
                None => groups.push((why, vec![change])),
            }
        }
        for (why, changes) in groups {
            // An added variable is listed by name.
            let names: HashSet<&str> = changes
                .iter()
                .filter(|change| change.before.is_none())
                .filter_map(|change| change.path.strip_suffix(".name"))
                .filter(|path| path.contains(".env["))
                .collect();
            let of_named = |change: &&&Change| {
                let entry = change.path.split_once(".value").map(|(entry, _)| entry);
                entry.is_some_and(|entry| names.contains(entry))
            };
            let lines = changes.iter().filter(|change| !of_named(change)).map(|change| {
                let value =
                    |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
                let values = format!("{} → {}", value(&change.before), value(&change.after));
                format!("`{}`: {}", cell(&change.path), cell(&values))
            });
            let lines: Vec<String> = lines.collect();
            let _ =
                writeln!(out, "| {} | {} | {} |", called(object), lines.join("<br>"), cell(&why));
        }
    }
    out
}

/// Returns what a field is about: `containers[].livenessProbe` for everything below it.
fn part(pattern: &str) -> String {
    let pattern = pattern.strip_prefix("spec.template.spec.").unwrap_or(pattern);
    let steps =
        if pattern.starts_with("metadata.") || pattern.starts_with("spec.") { 2 } else { 1 };
    let (head, rest) = match pattern.split_once("ontainers[].") {
        Some((list, rest)) => (format!("{list}ontainers[]."), rest),
        None => (String::new(), pattern),
    };
    let parts: Vec<&str> = rest.split('.').take(steps).collect();
    format!("{head}{}", parts.join(".")).trim_end_matches("[]").to_owned()
}

/// Renders the difference for a person. `color` adds ANSI escapes.
#[must_use]
pub fn text(diff: &Diff, color: bool) -> String {
    let paint = |code: &str, text: &str| {
        if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let mut out = String::new();
    for note in &diff.notes {
        let _ = writeln!(out, "{} {}", paint("1;33", "note:"), printable(note));
    }
    for object in diff.objects.iter().filter(|object| object.fate != Fate::Same) {
        let ObjectDiff { kind, namespace, name, new_name, fate, changes, same: _ } = object;
        let slash = if namespace.is_empty() { "" } else { "/" };
        let what = match (fate, new_name) {
            (Fate::Made, _) => "is made".to_owned(),
            (Fate::Deleted, _) => "is deleted".to_owned(),
            (Fate::Renamed, Some(new)) => {
                format!("is replaced by {new}; whoever made the old one deletes it")
            }
            _ if changes.iter().any(|change| change.recreates) => {
                "has to be made again: what cannot be changed changes".to_owned()
            }
            _ if changes.iter().any(|change| change.restarts_pods) => {
                "changes, and its pods start again".to_owned()
            }
            _ => "changes".to_owned(),
        };
        let title = format!("{kind} {namespace}{slash}{name} {what}");
        let _ = writeln!(out, "{}", paint("1", &printable(&title)));
        for change in changes {
            let effect = match (change.recreates, change.restarts_pods) {
                (true, _) => "  [cannot be changed]",
                (false, true) => "  [restarts pods]",
                _ => "",
            };
            let _ = writeln!(out, "    {}{effect}", printable(&change.path));
            for (sign, hue, value) in [("-", "31", &change.before), ("+", "32", &change.after)] {
                if let Some(value) = value {
                    let line = format!("  {sign} {value}");
                    let _ = writeln!(out, "{}", paint(hue, &printable(&line)));
                }
            }
        }
    }
    out
}
