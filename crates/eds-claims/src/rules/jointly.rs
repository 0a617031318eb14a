//! Findings that amount to one: a habit repeated in each entry of a list, fields pasted together
//! with a pod, a rule about an entry that only fails because of a wrong name in it.

use std::collections::HashMap;

use super::names::{Advice, DEPLOYMENT, PODS};
use super::reword::fix;
use super::slip::Slip;
use super::unknown::{Said, parse};
use kube_object::path::Step;
use kube_object::words;
use kube_schema::diagnostics::{Detail, Finding, catalog};
use kube_schema::yaml::{Content, Node};

/// Merges findings in one mapping that need the same advice, and those pasted with a pod.
pub(super) fn together(findings: &mut [Finding], slips: &[Slip], said: &mut Said) {
    let pod =
        slips.iter().find(|one| one.at.pattern() == "spec" && PODS.contains(&one.name.as_str()));
    let mut groups: HashMap<(String, &str), Vec<&Slip>> = HashMap::new();
    for one in slips {
        if said.siblings.contains(&one.at.key(&one.name).to_string()) {
            continue;
        }
        let why = match one.advice {
            Some(Advice::Instead(why, _) | Advice::InPlaceOf(_, why, _)) => why,
            _ => continue,
        };
        let pasted =
            pod.is_some_and(|pod| pod.at == one.at) && DEPLOYMENT.contains(&one.name.as_str());
        let why = if pasted { "" } else { why };
        groups.entry((one.at.to_string(), why)).or_default().push(one);
    }
    for ((_, why), group) in &groups {
        // In the order of the file.
        let mut group = group.clone();
        group.sort_by_key(|one| findings.get(one.index).map(|finding| finding.span.start));
        let stays = match (why.is_empty(), pod) {
            (true, Some(pod)) => pod.index,
            _ => group.first().map(|one| one.index).unwrap_or_default(),
        };
        if group.len() < 2 {
            continue;
        }
        said.gone.extend(group.iter().map(|one| one.index).filter(|index| *index != stays));
        let names: Vec<&str> = group.iter().map(|one| one.name.as_str()).collect();
        let Some(finding) = findings.get_mut(stays) else { continue };
        if let Some(rest) = finding.message.strip_prefix("there is no such field: ") {
            let rest = if why.is_empty() {
                rest.replacen("this is a Deployment's", "they are a Deployment's", 1)
            } else {
                rest.to_owned()
            };
            finding.message = format!("there are no fields {}: {rest}", words::all(&names));
        }
        if why.is_empty()
            && names.contains(&"replicas")
            && let Some(help) = &mut finding.help
        {
            *help += "; how many pods run is said by spec.scaling";
        }
    }
    for (index, finding) in findings.iter().enumerate() {
        if *finding.rule == catalog::UNKNOWN_FIELD && said.siblings.contains(&finding.path) {
            said.gone.insert(index);
        }
    }
}

/// Drops rules about a list entry that has an unknown field: they cannot be judged, and the field's
/// own finding says what they would.
pub(super) fn entries(findings: &mut [Finding], said: &mut Said) {
    let broken: HashMap<String, Option<String>> = findings
        .iter()
        .filter(|f| *f.rule == catalog::CEL && f.path.ends_with(']'))
        .map(|f| (f.path.clone(), fix(f)))
        .collect();
    if broken.is_empty() {
        return;
    }
    let mut said_here = Vec::new();
    for (index, finding) in findings.iter_mut().enumerate() {
        if *finding.rule != catalog::UNKNOWN_FIELD || said.gone.contains(&index) {
            continue;
        }
        let Some((around, _)) = finding.path.rsplit_once('.') else { continue };
        let (Some(fix), false) = (broken.get(around), said.misled.contains(around)) else {
            continue;
        };
        said_here.push(around.to_owned());
        if let (Some(help), Some(fix)) = (&mut finding.help, fix)
            && !help.contains("env:")
        {
            *help += &format!("; {fix}");
        }
    }
    said.misled.extend(said_here);
    let lists = &said.misled_lists;
    let of_list =
        |path: &&String| path.rsplit_once('[').is_some_and(|(list, _)| lists.contains(list));
    let more: Vec<String> = broken.keys().filter(of_list).cloned().collect();
    said.misled.extend(more);
}

/// Reports whether a missing field is in the earlier of two mappings under one key, of which
/// Kubernetes reads the later: the key is at fault.
pub(crate) fn stands_in_the_other(node: &Node, path: &str) -> bool {
    fn holds(node: &Node, steps: &[Step]) -> bool {
        match (steps.split_first(), &node.content) {
            (None, Content::Scalar(scalar)) => !scalar.value.is_null(),
            (None, _) => true,
            (Some((Step::Key(key), rest)), Content::Mapping(entries)) => {
                entries.iter().filter(|e| e.key == *key).any(|e| holds(&e.value, rest))
            }
            (Some((Step::Index(index), rest)), Content::Sequence(items)) => {
                items.get(*index).is_some_and(|item| holds(item, rest))
            }
            _ => false,
        }
    }
    parse(path).is_some_and(|(at, name)| holds(node, &at.key(&name).0))
}

/// Merges the same slip in each entry of a list: it is one habit, reported once.
pub(super) fn repeated(findings: &mut Vec<Finding>) {
    let mut first: HashMap<(String, String), usize> = HashMap::new();
    let mut more: HashMap<usize, usize> = HashMap::new();
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings.drain(..) {
        let whole = *finding.rule == catalog::TYPE && finding.path.ends_with(']');
        let listed =
            finding.path.contains('[') && (whole || *finding.rule == catalog::UNKNOWN_FIELD);
        // Keys that should be values differ from entry to entry.
        let path = match finding.path.rsplit_once('.') {
            Some((entry, _)) if finding.detail == Detail::KeysForValues => entry,
            _ => finding.path.as_str(),
        };
        if listed && let Some(path) = without_numbers(path) {
            let key = (path, finding.message.clone());
            if let Some(index) = first.get(&key) {
                *more.entry(*index).or_default() += 1;
                continue;
            }
            first.insert(key, kept.len());
        }
        kept.push(finding);
    }
    for (index, count) in more {
        if let Some(finding) = kept.get_mut(index) {
            let entries = if count == 1 { "entry" } else { "entries" };
            finding.message += &format!("; the same stands in {count} more {entries}");
        }
    }
    *findings = kept;
}

/// Returns a path without entry numbers; `None` if a key contains brackets itself.
fn without_numbers(path: &str) -> Option<String> {
    let (at, _) = parse(&format!("{path}.x"))?;
    let index = matches!(at.0.last(), Some(Step::Index(_)));
    Some(at.pattern() + if index { "#" } else { "" })
}
