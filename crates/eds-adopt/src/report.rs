//! Reports what became of the manifests, for a person and for a program.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::{Adoption, Field, Kind, Worker};
use kube_object::difference::pointer;
use kube_object::printable::printable;
use kube_schema::diagnostics;
use kube_schema::diagnostics::Severity;

/// Renders the report as one JSON document:
///
/// ```text
/// {"summary": {workers, refused, lost, replaced, added, kept, server, restartsPods}, "notes": [..],
///  "workers": [{kind, name, namespace, file, line, claim, refused, leftAlone, valid, guesses: [{path, value, why}],
///               findings: [{severity, path, message, help}], notes, steps}],
///  "fields": [{kind, worker, object: {apiVersion, kind, namespace, name}, path, pointer, file, line, old, new,
///              why, todo, restartsPods, recreates}]}
/// ```
///
/// `fields` lists every leaf of every manifest once, as `pointer` (RFC 6901) in `object` at
/// `file:line`, and what is added, with line 0. `kind` is `lost`, `replaced`, `added`, `kept` or
/// `server` (written by the API server or a controller). Secrets are `***`.
#[must_use]
pub fn json(adoption: &Adoption) -> Value {
    let workers: Vec<Value> = adoption.workers.iter().map(worker_json).collect();
    let fields: Vec<Value> = adoption.fields.iter().map(field_json).collect();
    let count = |kind: Kind| adoption.fields.iter().filter(|field| field.kind == kind).count();
    let is_refused = |worker: &&Worker| worker.refused.is_some() && !worker.left_alone;
    let refused = adoption.workers.iter().filter(is_refused).count();
    json!({
        "summary": {
            "workers": adoption.workers.len(),
            "refused": refused,
            "lost": count(Kind::Lost),
            "replaced": count(Kind::Replaced),
            "added": count(Kind::Added),
            "kept": count(Kind::Kept),
            "server": count(Kind::Server),
            "restartsPods": adoption.fields.iter().any(|field| field.restarts_pods),
        },
        "notes": adoption.notes,
        "workers": workers,
        "fields": fields,
    })
}

fn worker_json(worker: &Worker) -> Value {
    let guesses: Vec<Value> = worker
        .guesses
        .iter()
        .map(|g| json!({"path": g.path, "value": g.value, "why": g.why}))
        .collect();
    let findings: Vec<Value> = worker
        .findings
        .findings
        .iter()
        .map(|f| {
            json!({"severity": f.severity.name(), "path": f.path, "message": f.message,
                "help": f.help})
        })
        .collect();
    json!({
        "kind": worker.kind,
        "name": worker.name,
        "namespace": worker.namespace,
        "file": worker.file,
        "line": worker.line,
        "claim": worker.claim,
        "refused": worker.refused,
        "leftAlone": worker.left_alone,
        "valid": worker.refused.is_none() && worker.is_valid(),
        "guesses": guesses,
        "findings": findings,
        "notes": worker.notes,
        "steps": worker.steps,
    })
}

fn field_json(field: &Field) -> Value {
    let [api_version, kind, namespace, name] = &field.object;
    json!({
        "kind": field.kind.name(),
        "worker": field.worker,
        "object": {"apiVersion": api_version, "kind": kind, "namespace": namespace, "name": name},
        "path": field.path.to_string(),
        "pointer": pointer(&field.path),
        "file": field.file,
        "line": field.line,
        "old": field.old,
        "new": field.new,
        "why": field.why,
        "todo": field.todo,
        "restartsPods": field.restarts_pods,
        "recreates": field.recreates,
    })
}

/// Renders the report for a person. `color` adds ANSI escapes.
#[must_use]
pub fn text(adoption: &Adoption, color: bool) -> String {
    let paint = |code: &str, text: &str| {
        if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let mut out = String::new();
    for note in &adoption.notes {
        let _ = writeln!(out, "{} {}", paint("1;33", "note:"), printable(note));
    }
    for worker in &adoption.workers {
        head(&mut out, worker, &paint);
    }
    const PARTS: [(Kind, &str, &str); 5] = [
        (Kind::Lost, "1;31", "Lost: the claim cannot say it"),
        (Kind::Replaced, "1;33", "Replaced: the platform says it differently"),
        (Kind::Added, "1;34", "Added by the platform"),
        (Kind::Kept, "1;32", "Kept"),
        (Kind::Server, "1", "Written by the API server and controllers"),
    ];
    for (kind, hue, title) in PARTS {
        let of_kind: Vec<&Field> =
            adoption.fields.iter().filter(|field| field.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{} ({})", paint(hue, title), of_kind.len());
        let mut objects: Vec<&[String; 4]> = Vec::new();
        let mut by_object: BTreeMap<&[String; 4], Vec<&Field>> = BTreeMap::new();
        for field in of_kind {
            let entry = by_object.entry(&field.object).or_default();
            if entry.is_empty() {
                objects.push(&field.object);
            }
            entry.push(field);
        }
        for object in objects {
            let fields = by_object.get(object).map(Vec::as_slice).unwrap_or_default();
            let _ = writeln!(out, "  {}", paint("1", &title_of(object, fields)));
            match kind {
                Kind::Server => server(&mut out, fields),
                Kind::Kept => fields.iter().for_each(|field| kept(&mut out, field)),
                _ => reasons(&mut out, fields),
            }
        }
        out.push('\n');
    }
    out.push_str(&summary(adoption));
    out
}

fn title_of([_, kind, namespace, name]: &[String; 4], fields: &[&Field]) -> String {
    let slash = if namespace.is_empty() { "" } else { "/" };
    let file = fields.first().map(|field| field.file.as_str()).filter(|file| !file.is_empty());
    let place = file.map(|file| format!("  ({file})")).unwrap_or_default();
    printable(&format!("{kind} {namespace}{slash}{name}{place}")).into_owned()
}

fn head(out: &mut String, worker: &Worker, paint: &impl Fn(&str, &str) -> String) {
    let namespace = worker.namespace.as_ref().map(|n| format!("{n}/")).unwrap_or_default();
    let line = if worker.line > 0 { format!(":{}", worker.line) } else { String::new() };
    let title = format!("{} {namespace}{} ({}{line})", worker.kind, worker.name, worker.file);
    let _ = writeln!(out, "{}", paint("1", &printable(&title)));
    if let Some(why) = &worker.refused {
        let (color, what) =
            if worker.left_alone { ("1", "left alone:") } else { ("1;31", "no claim:") };
        let _ = writeln!(out, "  {} {}", paint(color, what), printable(why));
    }
    for guess in &worker.guesses {
        let line = format!("{} = {}: {}", guess.path, guess.value, guess.why);
        let _ = writeln!(out, "  {} {}", paint("1;33", "guess:"), printable(&line));
    }
    for note in &worker.notes {
        let _ = writeln!(out, "  {} {}", paint("1;33", "note:"), printable(note));
    }
    let mut findings = worker.findings.clone();
    if worker.is_valid() {
        // Warnings, without the text around them.
        for finding in findings.findings.iter().filter(|f| f.severity == Severity::Warning) {
            let line = format!("{}: {}", finding.path, finding.message);
            let _ =
                writeln!(out, "  {} {}", paint("1;33", "eds validate warns:"), printable(&line));
        }
    } else {
        findings.findings.retain(|finding| finding.severity == Severity::Error);
        let _ = writeln!(out, "  {}", paint("1;31", "the claim is not valid:"));
        for line in diagnostics::text(&findings, false).lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    if !worker.steps.is_empty() {
        let _ = writeln!(out, "  {}", paint("1", "steps:"));
        for (i, step) in worker.steps.iter().enumerate() {
            let _ = writeln!(out, "    {}. {}", i + 1, printable(step));
        }
    }
    out.push('\n');
}

fn value(value: Option<&Value>) -> String {
    const LONGEST: usize = 120;
    let text = value.map(Value::to_string).unwrap_or_default();
    let text = match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    };
    printable(&text).into_owned()
}

fn kept(out: &mut String, field: &Field) {
    let _ = writeln!(out, "    {}{}", printable(&field.path.to_string()), line_suffix(field));
}

/// Lists what the API server and controllers wrote; their record of who wrote what takes one line.
fn server(out: &mut String, fields: &[&Field]) {
    let is_record = |field: &&&Field| field.path.pattern().starts_with("metadata.managedFields");
    fields.iter().filter(|field| !is_record(field)).for_each(|field| kept(out, field));
    match fields.iter().filter(is_record).count() {
        0 => {}
        records => {
            let _ = writeln!(out, "    metadata.managedFields ({records} fields)");
        }
    }
}

fn line_suffix(field: &Field) -> String {
    if field.line == 0 { String::new() } else { format!("  :{}", field.line) }
}

/// Groups consecutive fields that share a reason, which is given once.
fn reasons(out: &mut String, fields: &[&Field]) {
    let is_same_reason = |a: &Field, b: &Field| a.why == b.why && a.todo == b.todo;
    for group in fields.chunk_by(|a, b| is_same_reason(a, b)) {
        for field in group {
            let values = match (field.old.is_some(), field.new.is_some()) {
                // `8080 -> "8080"` and the like say nothing: the reason does.
                (true, true) if alike(field.old.as_ref(), field.new.as_ref()) => {
                    format!(": {}", value(field.old.as_ref()))
                }
                (true, true) => {
                    format!(": {} -> {}", value(field.old.as_ref()), value(field.new.as_ref()))
                }
                (true, false) => format!(": {}", value(field.old.as_ref())),
                (false, _) => format!(": {}", value(field.new.as_ref())),
            };
            let effect = match (field.recreates, field.restarts_pods) {
                (true, _) => "  [cannot be changed]",
                (false, true) => "  [restarts pods]",
                _ => "",
            };
            let path = field.path.to_string();
            let _ = writeln!(out, "    {}{values}{}{effect}", printable(&path), line_suffix(field));
        }
        if let Some(first) = group.first() {
            let _ = writeln!(out, "      {}", printable(&first.why));
            if let Some(todo) = &first.todo {
                let _ = writeln!(out, "      do: {}", printable(todo));
            }
        }
    }
}

/// Reports whether two values read the same.
fn alike(old: Option<&Value>, new: Option<&Value>) -> bool {
    let plain = |value: Option<&Value>| {
        value.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
    };
    plain(old) == plain(new)
}

fn summary(adoption: &Adoption) -> String {
    let count = |kind: Kind| adoption.fields.iter().filter(|field| field.kind == kind).count();
    let claims = adoption.workers.iter().filter(|w| w.claim.is_some()).count();
    let left = adoption.workers.iter().filter(|w| w.left_alone).count();
    let refused = adoption.workers.len() - claims - left;
    let left = if left == 0 { String::new() } else { format!(", {left} left alone") };
    let s = |n: usize| if n == 1 { "" } else { "s" };
    format!(
        "{claims} claim{}, {refused} refused{left}; {} fields: {} lost, {} replaced, {} kept, {} \
            the server's; {} added\n",
        s(claims),
        adoption.fields.iter().filter(|field| field.kind != Kind::Added).count(),
        count(Kind::Lost),
        count(Kind::Replaced),
        count(Kind::Kept),
        count(Kind::Server),
        count(Kind::Added),
    )
}
