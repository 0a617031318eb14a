//! A field that the API does not have: what its writer means, and one finding for one fault. A field by
//! another name, or at another level, is also a field that is missing where it belongs; that is said once,
//! and names both.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::names::{Advice, ROWS};
use crate::diagnostics::{Finding, catalog};
use crate::schema::path::{Path, Step};
use crate::words;
use crate::yaml::{Content, Node, Position};

/// Beyond these, only the schema's own words: nobody reads on, and a hostile file has 100,000.
const MOST: usize = 200;

/// What was found out about one unknown field.
struct Meant {
    /// Its finding.
    index: usize,
    at: Path,
    name: String,
    /// Where it belongs, with the numbers of the list entries that it stands in.
    to: Path,
}

/// Says of unknown fields what their writers mean. `places` gives the paths at which the API has a field
/// of this name, without the numbers of list entries; letter case, dashes and underscores do not count.
pub(crate) fn explain(
    node: &Node,
    findings: &mut Vec<Finding>,
    places: &dyn Fn(&str) -> Vec<String>,
) {
    let mut meant: Vec<Meant> = Vec::new();
    let mut covered: HashSet<String> = HashSet::new();
    let unknown = findings
        .iter_mut()
        .enumerate()
        .filter(|(_, f)| *f.rule == catalog::UNKNOWN_FIELD)
        .take(MOST);
    for (index, finding) in unknown {
        let Some((at, name)) = parse(&finding.path) else { continue };
        let level = general(&at);
        let advice = ROWS
            .iter()
            .find(|(place, names, _)| *place == level && names.contains(&name.as_str()))
            .map(|(_, _, advice)| *advice);
        match advice {
            Some(Advice::Instead(why, fix)) => {
                finding.message = format!("there is no such field: {why}");
                finding.help = Some(fix.to_owned());
            }
            Some(Advice::ValueFrom) => {
                let (why, fix) = value_from(node, &at, &name);
                finding.message = format!("there is no such field: {why}");
                finding.help = Some(fix);
                covered.insert(at.key("value").to_string());
            }
            Some(Advice::Called(to)) => {
                meant.push(Meant { index, to: specific(to, &at), at, name });
            }
            None => {
                let here = finding.help.as_deref().and_then(|h| h.strip_prefix("did you mean "));
                if let Some(near) = here.and_then(|h| h.strip_suffix('?')) {
                    covered.insert(at.key(near).to_string());
                    if same_name(near, &name) {
                        finding.message = format!("there is no such field: it is spelt {near}");
                    }
                    if !same_name(near, &name) || places(&name).len() != 1 {
                        continue;
                    }
                }
                if here.is_none()
                    && let [only] = places(&name).as_slice()
                {
                    meant.push(Meant { index, to: specific(only, &at), at, name });
                }
            }
        }
    }
    let gone = together(node, findings, &meant, &mut covered);
    // A rule about a mapping does not see what stands there by another name.
    let misled: HashSet<String> = meant
        .iter()
        .filter(|one| one.at == parent(&one.to))
        .map(|one| one.at.to_string())
        .collect();
    let mut index = 0;
    findings.retain(|finding| {
        let said = gone.contains(&index)
            || (*finding.rule == catalog::REQUIRED && covered.contains(&finding.path))
            || (*finding.rule == catalog::CEL && misled.contains(&finding.path));
        index += 1;
        !said
    });
}

/// Fields of one mapping that belong to one other are one fault. Gives the findings that are said by
/// another.
fn together(
    node: &Node,
    findings: &mut [Finding],
    meant: &[Meant],
    covered: &mut HashSet<String>,
) -> HashSet<usize> {
    let mut groups: HashMap<(String, String), Vec<&Meant>> = HashMap::new();
    for one in meant {
        let home = parent(&one.to);
        groups.entry((one.at.to_string(), home.to_string())).or_default().push(one);
    }
    let missing: HashSet<String> =
        findings.iter().filter(|f| *f.rule == catalog::REQUIRED).map(|f| f.path.clone()).collect();
    let places: HashMap<usize, Position> =
        findings.iter().enumerate().map(|(i, f)| (i, f.span.start)).collect();
    let mut gone = HashSet::new();
    for group in groups.values() {
        let place = |one: &Meant| places.get(&one.index).copied().unwrap_or_default();
        let Some(first) = group.iter().min_by_key(|one| place(one)) else { continue };
        let mut required = false;
        for one in group {
            for path in ancestors(&one.to) {
                required |= missing.contains(&path);
                covered.insert(path);
            }
            if one.index != first.index {
                gone.insert(one.index);
            }
        }
        let Some(finding) = findings.get_mut(first.index) else { continue };
        let home = general(&parent(&first.to));
        let mut ordered: Vec<&&Meant> = group.iter().collect();
        ordered.sort_by_key(|one| place(one));
        let renamed = first.at == parent(&first.to);
        let last = |path: &Path| match path.0.last() {
            Some(Step::Key(key)) => key.clone(),
            _ => String::new(),
        };
        let names: Vec<&str> = ordered.iter().map(|one| one.name.as_str()).collect();
        let ours: Vec<String> = ordered.iter().map(|one| last(&one.to)).collect();
        let needed = if required { ", and required" } else { "" };
        let there = first.to.node(node).is_some();
        finding.message = match (renamed, ordered.len()) {
            (true, 1) => {
                format!("there is no such field: it is called {}{needed}", words::all(&ours))
            }
            (true, _) => format!(
                "there are no such fields: {} are called {}{needed}",
                words::all(&names),
                words::all(&ours)
            ),
            (false, 1) => {
                let to = general(&first.to);
                format!("there is no such field here: it is {to}{needed}")
            }
            (false, _) => {
                format!(
                    "there are no such fields here: {} belong to {home}{needed}",
                    words::all(&names)
                )
            }
        };
        let entries: Vec<String> = ordered
            .iter()
            .zip(&ours)
            .map(|(one, ours)| format!("{ours}: {}", value(node, &one.at.key(&one.name))))
            .collect();
        finding.help = Some(match (there, renamed) {
            (true, _) => format!("{} is written already; delete this one", general(&first.to)),
            (false, true) => format!("write {}", entries.join(", ")),
            (false, false) if home.is_empty() => format!("write {}", entries.join(", ")),
            (false, false) => format!("write it below {home}: {}", entries.join(", ")),
        });
    }
    gone
}

/// A variable that is taken from somewhere, as Kubernetes writes it.
fn value_from(node: &Node, at: &Path, name: &str) -> (String, String) {
    let text =
        |path: &Path, or: &str| path.node(node).and_then(Node::as_str).unwrap_or(or).to_owned();
    let from = if name == "valueFrom" { at.key(name) } else { at.clone() };
    let variable = text(&at.key("name"), "VARIABLE");
    let of = |kind: &str| Some(from.key(kind)).filter(|path| path.node(node).is_some());
    if let Some(key_ref) = of("secretKeyRef").or_else(|| of("secretRef")) {
        let (secret, key) =
            (text(&key_ref.key("name"), "SECRET"), text(&key_ref.key("key"), "KEY"));
        return (
            "variables from a Secret stand under spec.secretRefs".to_owned(),
            format!(
                "write spec.secretRefs: [{{name: {secret}, env: [{{secretKey: {key}, envName: \
                 {variable}}}]}}]"
            ),
        );
    }
    if of("configMapKeyRef").is_some() {
        return (
            "a claim cannot read ConfigMaps".to_owned(),
            "write the value itself (value: ...), or put it into a Secret and name that under \
             spec.secretRefs"
                .to_owned(),
        );
    }
    if of("fieldRef").is_some() || of("resourceFieldRef").is_some() {
        return (
            "a claim cannot take variables from the pod".to_owned(),
            "write the value itself (value: ...), or leave it out; HOSTNAME is the pod's name"
                .to_owned(),
        );
    }
    (
        "a variable has a name and a value; one from a Secret stands under spec.secretRefs"
            .to_owned(),
        format!(
            "write spec.secretRefs: [{{name: SECRET, env: [{{secretKey: KEY, envName: {variable}}}]}}]"
        ),
    )
}

/// A value as one would write it, where that is short.
pub(super) fn value(node: &Node, path: &Path) -> String {
    let text = match path.node(node).map(|n| &n.content) {
        Some(Content::Scalar(scalar)) if scalar.plain => scalar.text().to_owned(),
        Some(Content::Scalar(scalar)) => match &scalar.value {
            Value::String(text) => format!("{text:?}"),
            other => other.to_string(),
        },
        _ => "...".to_owned(),
    };
    if text.is_empty() || text.chars().count() > 60 { "...".to_owned() } else { text }
}

/// Whether two names differ in case, dashes and underscores only.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
    };
    plain(a) == plain(b)
}

fn parent(path: &Path) -> Path {
    Path(path.0.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default())
}

/// The path and those above it, where something may be missing.
fn ancestors(path: &Path) -> Vec<String> {
    (1..=path.0.len()).filter_map(|n| Some(Path(path.0.get(..n)?.to_vec()).to_string())).collect()
}

/// `spec.secretRefs[].env[]` of `spec.secretRefs[0].env[1]`.
fn general(path: &Path) -> String {
    let mut out = String::new();
    for step in &path.0 {
        match step {
            Step::Key(key) if out.is_empty() => out.push_str(key),
            Step::Key(key) => {
                out.push('.');
                out.push_str(key);
            }
            Step::Index(_) => out.push_str("[]"),
        }
    }
    out
}

/// The general path with the numbers of the entries that `near` stands in, 0 where it stands in none.
fn specific(general: &str, near: &Path) -> Path {
    let mut path = Path::default();
    for part in general.split('.') {
        let (key, lists) = (part.trim_end_matches("[]"), part.matches("[]").count());
        path = path.key(key);
        for _ in 0..lists {
            let index = match near.0.get(path.0.len()) {
                Some(Step::Index(index)) if near.0.starts_with(&path.0) => *index,
                _ => 0,
            };
            path = path.index(index);
        }
    }
    path
}

/// A finding's path as the mapping and the field in it. None for keys that are no names.
pub(super) fn parse(path: &str) -> Option<(Path, String)> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let mut rest = part.split('[');
        let key = rest.next().filter(|key| !key.is_empty())?;
        steps.push(Step::Key(key.to_owned()));
        for index in rest {
            steps.push(Step::Index(index.strip_suffix(']')?.parse().ok()?));
        }
    }
    match steps.pop()? {
        Step::Key(name) => Some((Path(steps), name)),
        Step::Index(_) => None,
    }
}
