//! A field that the API does not have: what its writer meant, and one finding per mistake. A field
//! under another name, or at another level, is also missing from where it belongs; both are said
//! once, together.

use kube_schema::yaml::Place;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::forms;
use super::jointly;
use super::names::{Advice, ROWS};
use super::slip::{self, Slip};
use kube_object::path::{Path, Step};
use kube_object::words;
use kube_schema::characters;
use kube_schema::diagnostics::{Detail, Finding, catalog};
use kube_schema::yaml::{Content, Entry, Node, Position};

/// Beyond these, only the schema's own words: nobody reads on, and a hostile file has 100,000.
const MOST: usize = 200;

/// What was found out about one unknown field.
struct Meant {
    /// Its finding.
    index: usize,
    at: Path,
    name: String,
    /// Where it belongs, with the numbers of the list entries it is in.
    to: Path,
    /// Whether it is only a near spelling.
    near: bool,
}

/// What other findings would repeat.
#[derive(Default)]
pub(super) struct Said {
    /// Indices of findings about unknown fields that another finding covers.
    pub(super) gone: HashSet<usize>,
    /// Fields that are missing because they are elsewhere, or under another name.
    pub(super) covered: HashSet<String>,
    /// Mappings whose rules do not see what is there under another name.
    pub(super) misled: HashSet<String>,
    /// Texts meant for another field, and mappings left empty by a slip.
    pub(super) other: HashSet<String>,
    /// Unknown fields covered by one next to them.
    pub(super) siblings: HashSet<String>,
    /// Lists whose entries lack what a slip put elsewhere.
    pub(super) misled_lists: HashSet<String>,
}

/// Explains what the writers of unknown fields meant. `places` gives the paths at which the API has
/// a field of this name, without entry numbers; case, dashes and underscores do not count.
pub(crate) fn explain(
    node: &Node,
    findings: &mut Vec<Finding>,
    places: &dyn Fn(&str) -> Vec<String>,
) {
    let mut meant: Vec<Meant> = Vec::new();
    let mut said = Said::default();
    let missing: Vec<String> =
        findings.iter().filter(|f| is_missing(f)).take(MOST).map(|f| f.path.clone()).collect();
    let mut slips: Vec<Slip> = Vec::new();
    for finding in findings.iter().filter(|f| *f.rule == catalog::UNKNOWN_FIELD).take(MOST) {
        let named = parse(&finding.path).and_then(|(at, name)| Some((advice(&at, &name)?, at)));
        if let Some((Advice::Called(to), at)) = named {
            said.covered.insert(specific(to, &at).to_string());
        }
    }
    let unknown = findings
        .iter_mut()
        .enumerate()
        .filter(|(_, f)| *f.rule == catalog::UNKNOWN_FIELD)
        .take(MOST);
    for (index, finding) in unknown {
        let Some((at, name)) = parse(&finding.path) else { continue };
        if said.siblings.contains(&finding.path) {
            continue;
        }
        let level = at.pattern();
        let advice = advice(&at, &name);
        let advice = advice.map(|advice| slip::of_value(advice, node, &at, &name));
        let near = match &finding.detail {
            Detail::Near(near) => Some(near.clone()),
            _ => None,
        };
        let to = match (advice, &near) {
            (Some(Advice::Called(to)), _) => Some(specific(to, &at)),
            (Some(_), _) => None,
            (None, Some(near)) => Some(at.key(near)),
            (None, None) => {
                let places = slip::places(&level, &name, places);
                nearest_the_top(&places).map(|place| specific(place, &at))
            }
        };
        // What is missing below the field that was meant is here.
        let below = to.as_ref().map(|to| slip::below(node, &at.key(&name), to, &missing));
        let below = below.unwrap_or_default();
        let slip = Slip { index, at, name, advice };
        if below.is_empty() && slip.explain(node, finding, &missing, &mut said) {
            slips.push(slip);
            continue;
        }
        let Slip { at, name, advice, .. } = slip;
        said.covered.extend(below);
        let Some(to) = to else { continue };
        // A value is missing only if it comes from nowhere else.
        if level == "spec.env[]" && to.pattern().starts_with("spec.env[].valueFrom") {
            said.covered.insert(at.key("value").to_string());
        }
        if let (None, Some(near)) = (advice, &near) {
            if kube_schema::schema::same_name(near, &name) {
                finding.message = match characters::first_sign(&name) {
                    Some((_, sign)) => format!(
                        "there is no such field: its name holds {}",
                        characters::named(sign).unwrap_or_default()
                    ),
                    None => format!("there is no such field: it is spelt {near}"),
                };
            }
            said.covered.insert(to.to_string());
        }
        meant.push(Meant { index, at, name, to, near: advice.is_none() && near.is_some() });
    }
    jointly::together(findings, &slips, &mut said);
    together(node, findings, &meant, &mut said);
    // A mapping that holds only what the API does not have is empty to its rules.
    let unknown: HashSet<&str> = findings
        .iter()
        .filter(|f| *f.rule == catalog::UNKNOWN_FIELD)
        .map(|f| f.path.as_str())
        .collect();
    for finding in findings.iter().filter(|f| *f.rule == catalog::CEL) {
        let Some(here) = forms::any_path(&finding.path) else { continue };
        if let Some(Content::Mapping(entries)) = here.node(node).map(|node| &node.content)
            && !entries.is_empty()
            && entries.iter().all(|e| unknown.contains(here.key(&e.key).to_string().as_str()))
        {
            said.misled.insert(finding.path.clone());
        }
    }
    // A rule about a mapping does not see what is there under another name.
    said.misled
        .extend(meant.iter().filter(|one| one.at == parent(&one.to)).map(|one| one.at.to_string()));
    jointly::entries(findings, &mut said);
    let mut index = 0;
    findings.retain(|finding| {
        let path = &finding.path;
        let drop = said.gone.contains(&index)
            || is_missing(finding) && said.covered.contains(path)
            || *finding.rule == catalog::CEL && said.misled.contains(path)
            || [&catalog::PATTERN, &catalog::NULL_FIELD, &catalog::TYPE]
                .iter()
                .any(|rule| *finding.rule == **rule)
                && said.other.contains(path);
        index += 1;
        !drop
    });
    jointly::repeated(findings);
}

/// Returns the one place that is nearest the top, if no other is as near.
fn nearest_the_top(places: &[String]) -> Option<&str> {
    let depth = |place: &&String| place.matches('.').count();
    let least = places.iter().map(|place| depth(&place)).min()?;
    let mut nearest = places.iter().filter(|place| depth(place) == least);
    nearest.next().filter(|_| nearest.next().is_none()).map(String::as_str)
}

/// Returns what is known about a field of this name.
fn advice(at: &Path, name: &str) -> Option<Advice> {
    let level = at.pattern();
    let row = ROWS.iter().find(|(place, names, _)| *place == level && names.contains(&name));
    row.map(|(_, _, advice)| *advice)
}

/// Reports whether a finding says that something is missing.
pub(crate) fn is_missing(finding: &Finding) -> bool {
    *finding.rule == catalog::REQUIRED || finding.detail == Detail::Missing
}

/// Merges fields of one mapping that belong in the same other one: that is one mistake.
fn together(node: &Node, findings: &mut [Finding], meant: &[Meant], said: &mut Said) {
    let mut groups: HashMap<(String, String), Vec<&Meant>> = HashMap::new();
    for one in meant {
        let home = parent(&one.to);
        groups.entry((one.at.to_string(), home.to_string())).or_default().push(one);
    }
    let missing: HashSet<String> =
        findings.iter().filter(|f| is_missing(f)).map(|f| f.path.clone()).collect();
    let mistyped: HashMap<String, String> = findings
        .iter()
        .filter(|f| *f.rule == catalog::TYPE)
        .map(|f| (f.path.clone(), f.message.clone()))
        .collect();
    let places: HashMap<usize, Position> =
        findings.iter().enumerate().map(|(i, f)| (i, f.span.start)).collect();
    for group in groups.values() {
        let place = |one: &Meant| places.get(&one.index).copied().unwrap_or_default();
        let Some(first) = group.iter().min_by_key(|one| place(one)) else { continue };
        let mut required = false;
        for one in group {
            for path in ancestors(&one.to) {
                required |= missing.contains(&path);
                said.covered.insert(path);
            }
            if one.index != first.index {
                said.gone.insert(one.index);
            }
        }
        let Some(finding) = findings.get_mut(first.index) else { continue };
        // A near spelling has its own message already.
        if group.len() == 1 && first.near {
            if kube_schema::schema::same_name(&first.name, &last(&first.to))
                || first.to.node(node).is_some()
            {
                continue;
            }
            let from = first.at.key(&first.name);
            let text = match from.node(node).map(|n| &n.content) {
                Some(Content::Sequence(_)) => value_for(node, first),
                _ => fitted(node, first).unwrap_or_else(|| "...".to_owned()),
            };
            if text != "..." {
                finding.help = Some(format!("write {}: {text}", last(&first.to)));
            }
            continue;
        }
        let home_path = parent(&first.to);
        let home = home_path.pattern();
        let mut ordered: Vec<&&Meant> = group.iter().collect();
        ordered.sort_by_key(|one| place(one));
        let renamed = first.at == parent(&first.to);
        let names: Vec<&str> = ordered.iter().map(|one| one.name.as_str()).collect();
        let ours: Vec<String> = ordered.iter().map(|one| last(&one.to)).collect();
        let needed = if required { ", which is required" } else { "" };
        // If several are missing, name the required ones, or the mapping they belong in.
        let lacking: Vec<String> = ordered
            .iter()
            .filter(|one| missing.contains(&one.to.to_string()))
            .map(|one| last(&one.to))
            .collect();
        let are = if lacking.len() == 1 { "is" } else { "are" };
        let of_which = match lacking.len() {
            0 => String::new(),
            n if n == ordered.len() => format!(", which {are} required"),
            _ => format!(", of which {} {are} required", words::all(&lacking)),
        };
        let home_lacks = ancestors(&home_path).iter().any(|path| missing.contains(path));
        let there_needed = match lacking.len() {
            _ if home_lacks => ", which is required".to_owned(),
            0 => String::new(),
            n if n == ordered.len() => format!(", and {are} required there"),
            _ => format!(", where {} {are} required", words::all(&lacking)),
        };
        let there = first.to.node(node).is_some();
        finding.message = match (renamed, ordered.len()) {
            (true, 1) => {
                format!("there is no such field: it is called {}{needed}", words::all(&ours))
            }
            (true, _) => format!(
                "there are no such fields: {} are called {}{of_which}",
                words::all(&names),
                words::all(&ours)
            ),
            (false, 1) => {
                let to = first.to.pattern();
                format!("there is no such field here: it is {to}{needed}")
            }
            (false, _) if home.is_empty() => format!(
                "there are no such fields here: {} belong at the margin{there_needed}",
                words::all(&names)
            ),
            (false, _) => format!(
                "there are no such fields here: {} belong to {home}{there_needed}",
                words::all(&names)
            ),
        };
        if !renamed && first.at != home_path {
            let home = home_path.to_string();
            if let Some(wrong) = mistyped.get(&home) {
                finding.message += &format!("; {} {wrong}", home_path.pattern());
            }
            said.other.insert(home);
        }
        let entries: Vec<String> = ordered
            .iter()
            .zip(&ours)
            .map(|(one, ours)| match value_for(node, one) {
                text if text == "..." && renamed => {
                    format!("{ours}: in its place; the lines below it stay")
                }
                text => format!("{ours}: {text}"),
            })
            .collect();
        let large = first.at.key(&first.name).node(node).is_some_and(|n| n.as_str().is_none());
        let mapping = matches!(
            first.at.key(&first.name).node(node).map(|n| &n.content),
            Some(Content::Mapping(_))
        );
        finding.help = Some(match (there, renamed) {
            (true, _) if mapping && ordered.len() == 1 => {
                format!("{} is written already; move these lines there", first.to.pattern())
            }
            (true, _) => format!("{} is written already; delete this one", first.to.pattern()),
            (false, false)
                if home.is_empty() && large && entries.iter().all(|e| e.ends_with("...")) =>
            {
                format!(
                    "move {} up to the margin, and all lines below by the same number of spaces",
                    words::all(&names)
                )
            }
            (false, true) => format!("write {}", entries.join(", ")),
            (false, false) if home.is_empty() => format!("write {}", entries.join(", ")),
            (false, false) if home.ends_with(']') => {
                format!("indent it like the other lines of its entry: {}", entries.join(", "))
            }
            (false, false) => format!("write it below {home}: {}", entries.join(", ")),
        });
    }
}

fn last(path: &Path) -> String {
    match path.0.last() {
        Some(Step::Key(key)) => key.clone(),
        _ => String::new(),
    }
}

/// Writes a value as it should be where it belongs; for a list, the texts that fit into text.
fn value_for(node: &Node, one: &Meant) -> String {
    if let Some(text) = fitted(node, one) {
        return text;
    }
    let from = one.at.key(&one.name);
    let items = match from.node(node).map(|n| &n.content) {
        Some(Content::Sequence(items)) => items,
        Some(Content::Mapping(entries)) => {
            return renamed_within(entries, &one.to).unwrap_or_else(|| "...".to_owned());
        }
        _ => return value(node, &from),
    };
    if forms::is_command(&last(&one.to)) {
        return value(node, &from);
    }
    let texts: Vec<&str> = items.iter().filter_map(Node::as_str).collect();
    let whole = !texts.is_empty() && texts.len() == items.len();
    let text = match one.to.pattern().as_str() {
        "spec.nats.url" if whole && texts.iter().all(|text| !text.contains('@')) => texts.join(","),
        "spec.nats.stream" | "spec.nats.consumer" | "spec.nats.account" | "spec.image"
            if whole && texts.len() == 1 =>
        {
            texts.concat()
        }
        _ => return "...".to_owned(),
    };
    if text.chars().count() > 120 { "...".to_owned() } else { text }
}

/// Rewrites a value whose form does not fit the place where it was meant to go.
fn fitted(node: &Node, one: &Meant) -> Option<String> {
    let field = last(&one.to);
    let here = one.at.key(&one.name).node(node)?;
    let written = forms::fitted(here, &field, &one.to, node)?;
    Some(written.strip_prefix(&format!("{field}: "))?.to_owned())
}

/// Rewrites a mapping whose own fields have other names where it belongs.
fn renamed_within(entries: &[Entry], to: &Path) -> Option<String> {
    let ours = |entry: &Entry| match advice(to, &entry.key) {
        Some(Advice::Called(ours)) if parent(&specific(ours, to)) == *to => {
            Some(last(&specific(ours, to)))
        }
        Some(_) => None,
        None => Some(entry.key.clone()),
    };
    let fields: Option<Vec<(String, &Node)>> =
        entries.iter().map(|entry| Some((ours(entry)?, &entry.value))).collect();
    let fields = fields.filter(|fields| fields.len() <= 6)?;
    let differs = fields.iter().zip(entries).any(|((ours, _), entry)| *ours != entry.key);
    let texts: Vec<String> = fields
        .iter()
        .map(|(name, inner)| format!("{name}: {}", value(inner, &Path::default())))
        .collect();
    differs.then(|| format!("{{{}}}", texts.join(", ")))
}

/// Rewrites a variable taken from elsewhere, in Kubernetes' form. `at` is the entry, `name` its
/// field.
pub(super) fn value_from(node: &Node, at: &Path, name: &str) -> (String, String) {
    let text =
        |path: &Path, or: &str| path.node(node).and_then(Node::as_str).unwrap_or(or).to_owned();
    let from = if name == "valueFrom" { at.key(name) } else { at.clone() };
    let variable = text(&at.key("name"), "VARIABLE");
    let path_of = |kind: &str| Some(from.key(kind)).filter(|path| path.node(node).is_some());
    if let Some(key_ref) = path_of("secretKeyRef").or_else(|| path_of("secretRef")) {
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
    if let Some(key_ref) = path_of("configMapKeyRef") {
        let (map, key) = (text(&key_ref.key("name"), "MAP"), text(&key_ref.key("key"), "KEY"));
        return (
            "variables from a ConfigMap stand under spec.configMapRefs".to_owned(),
            format!(
                "write spec.configMapRefs: [{{name: {map}, env: [{{configMapKey: {key}, envName: \
                 {variable}}}]}}]"
            ),
        );
    }
    (
        "a variable has a name and a value; one from a Secret stands under spec.secretRefs"
            .to_owned(),
        format!(
            "write spec.secretRefs: [{{name: SECRET, env: [{{secretKey: KEY, envName: \
                {variable}}}]}}]"
        ),
    )
}

/// Writes a value as one would, if that is short.
pub(super) fn value(node: &Node, path: &Path) -> String {
    let text = match path.node(node).map(|n| &n.content) {
        Some(Content::Scalar(scalar)) if scalar.plain => scalar.text().to_owned(),
        Some(Content::Scalar(scalar)) => match &scalar.value {
            Value::String(text) => format!("{text:?}"),
            other => other.to_string(),
        },
        // All lists of scalars are lists of texts.
        Some(Content::Sequence(items)) => forms::texts_of(items)
            .map(|texts| forms::list_of(&texts))
            .unwrap_or_else(|| "...".to_owned()),
        _ => "...".to_owned(),
    };
    if text.is_empty() || text.chars().count() > 60 { "...".to_owned() } else { text }
}

pub(super) fn parent(path: &Path) -> Path {
    Path(path.0.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default())
}

/// Returns the path and those above it, where something may be missing.
fn ancestors(path: &Path) -> Vec<String> {
    (1..=path.0.len()).filter_map(|n| Some(Path(path.0.get(..n)?.to_vec()).to_string())).collect()
}

/// Fills the general path with the numbers of the entries that `near` is in, 0 if it is in none.
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

/// Splits a finding's path into mapping and field. `None` for keys that are not names.
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
