//! A file of claims, checked: from text to findings.

use crate::diagnostics::catalog;
use crate::diagnostics::{Finding, Summary};
use crate::rules;
use crate::schema::{Checked, ClaimApi, nearest};
use crate::yaml::{self, Content, Node, ProblemKind, Stream};

/// The group whose fields the [rules] speak of.
const OWN_GROUP: &str = "platform.bizmatters.io";

/// More findings than a person reads; a file of half a million empty documents has one for each.
const MAX_FINDINGS: usize = 1000;

/// How to check.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Refuse objects of other kinds, and files without a claim.
    pub strict: bool,
    /// Leave out CEL rules and admission policies: what follows refuses the same.
    pub without_rules: bool,
}

/// What came of a file.
#[derive(Debug, Default)]
pub struct Outcome {
    /// All findings, not sorted.
    pub findings: Vec<Finding>,
    /// Each claim as it was written; what was found is in `findings`.
    pub claims: Vec<(Checked, Node)>,
    /// Objects of other kinds.
    pub skipped: usize,
}

impl Outcome {
    /// Adds this file to the counts of a run.
    pub fn count(&self, summary: &mut Summary) {
        summary.files += 1;
        summary.claims += self.claims.len();
        summary.skipped += self.skipped;
        summary.count(&self.findings);
    }
}

/// Checks every claim of a file.
#[must_use]
pub fn check(source: &str, api: &ClaimApi, options: Options) -> Outcome {
    let stream = yaml::parse(source);
    let mut outcome = Outcome::default();
    outcome.findings.extend(syntax(&stream, source));
    for document in stream.documents {
        if outcome.findings.len() >= MAX_FINDINGS {
            let message = format!("{MAX_FINDINGS} findings: the file is not checked from here on");
            let found = Finding::new(&catalog::LIMIT, message).at(document.span, "");
            outcome.findings.push(found);
            break;
        }
        objects(document, api, options, &mut outcome);
    }
    if options.strict && outcome.claims.is_empty() && outcome.findings.is_empty() {
        let message = format!("holds no {}", api.definition.kind);
        outcome.findings.push(Finding::new(&catalog::NO_CLAIM, message));
    }
    outcome
}

/// A document is an object, or a List of them.
fn objects(mut node: Node, api: &ClaimApi, options: Options, outcome: &mut Outcome) {
    if let Some(items) = take_list(&mut node) {
        for item in items {
            objects(item, api, options, outcome);
        }
        return;
    }
    let text = |key: &str| node.get(key).and_then(Node::as_str);
    match identify(&node, api) {
        Identity::Claim => claim(node, api, options, outcome),
        Identity::Other => {
            outcome.skipped += 1;
            if options.strict {
                let message = format!(
                    "this is a {} ({}), where a {} ({}) is wanted",
                    text("kind").unwrap_or_default(),
                    text("apiVersion").unwrap_or_default(),
                    api.definition.kind,
                    api.api_version(),
                );
                let span = node.entry("kind").map_or(node.span, |entry| entry.value.span);
                outcome.findings.push(Finding::new(&catalog::OTHER_KIND, message).at(span, "kind"));
            }
        }
        Identity::Wrong(findings, checked_too) => {
            outcome.findings.extend(findings);
            // What it is meant to be is clear, so the rest can be checked at once.
            if checked_too {
                claim(node, api, options, outcome);
            }
        }
    }
}

/// The items of a v1 List.
fn take_list(node: &mut Node) -> Option<Vec<Node>> {
    let text = |key: &str| node.get(key).and_then(Node::as_str);
    if text("kind") != Some("List") || text("apiVersion") != Some("v1") {
        return None;
    }
    let Content::Mapping(entries) = &mut node.content else { return None };
    let items = entries.iter_mut().rfind(|entry| entry.key == "items")?;
    match &mut items.value.content {
        Content::Sequence(items) => Some(std::mem::take(items)),
        _ => None,
    }
}

fn claim(node: Node, api: &ClaimApi, options: Options, outcome: &mut Outcome) {
    let mut checked = match options.without_rules {
        true => api.check_without_rules(&node),
        false => api.check(&node),
    };
    if api.definition.group == OWN_GROUP {
        let own = rules::check(&node, &checked.effective);
        checked.findings.retain(|finding| !said_again(finding, &own));
        checked.extend(own.into_iter().chain(merge_keys(&node)));
    }
    outcome.findings.append(&mut checked.findings);
    outcome.claims.push((checked, node));
}

/// Whether a rule of ours says the same as a rule of the API, at a better place.
fn said_again(finding: &Finding, own: &[Finding]) -> bool {
    *finding.rule == catalog::CEL
        && rules::LOCATED.iter().any(|(message, rule)| {
            finding.message.starts_with(message)
                && own.iter().any(|f| f.rule == *rule && f.path.starts_with(&finding.path))
        })
}

enum Identity {
    Claim,
    Other,
    /// Something is wrong with `apiVersion` or `kind`; true where it is meant to be a claim.
    Wrong(Vec<Finding>, bool),
}

fn identify(node: &Node, api: &ClaimApi) -> Identity {
    let (own_kind, own_version) = (&api.definition.kind, api.api_version());
    let Content::Mapping(_) = &node.content else {
        let message = "a Kubernetes object is a mapping with apiVersion and kind";
        let finding = Finding::new(&catalog::NOT_AN_OBJECT, message).at(node.span, "");
        return Identity::Wrong(vec![finding], false);
    };
    let text = |key: &str| node.get(key).and_then(Node::as_str).filter(|t| !t.is_empty());
    let span = |key: &str| {
        node.entry(key).map_or_else(
            || crate::schema::path::Path::default().span(node),
            |entry| match &entry.value.content {
                Content::Scalar(scalar) if !scalar.text().is_empty() => entry.value.span,
                _ => entry.key_span,
            },
        )
    };
    let wrong = |key: &str, message: String, help: String| {
        Finding::new(&catalog::WRONG_KIND, message).at(span(key), key).help(help)
    };
    match (text("apiVersion"), text("kind")) {
        (Some(version), Some(kind)) if version == own_version && kind == own_kind => {
            Identity::Claim
        }
        (version, kind) if version.is_none() || kind.is_none() => {
            // A claim that lacks one of the two is still meant to be one.
            let meant = version == Some(own_version.as_str()) || kind == Some(own_kind.as_str());
            let findings = [("apiVersion", version, &own_version), ("kind", kind, own_kind)]
                .into_iter()
                .filter(|(_, value, _)| value.is_none())
                .map(|(key, _, own)| {
                    let message = match node.get(key) {
                        Some(_) => "must be a text that is not empty",
                        None => "is missing, so this is no Kubernetes object",
                    };
                    Finding::new(&catalog::NOT_AN_OBJECT, message)
                        .at(span(key), key)
                        .help(format!("a claim says {key}: {own}"))
                })
                .collect();
            Identity::Wrong(findings, meant)
        }
        (Some(version), Some(kind)) => {
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let own_group = &api.definition.group;
            let same_group = group == own_group;
            let near_group = nearest(group, std::iter::once(own_group.as_str())).is_some();
            let near_kind = nearest(kind, std::iter::once(own_kind.as_str())).is_some();
            if kind == own_kind {
                // A kind of this name in another group may be somebody else's.
                if !near_group {
                    return Identity::Other;
                }
                let message = format!("{version:?} is not the API of {own_kind}");
                let help = format!("write apiVersion: {own_version}");
                return Identity::Wrong(vec![wrong("apiVersion", message, help)], true);
            }
            if same_group && kind == format!("X{own_kind}") {
                let message = format!("{kind} is the composite, which Crossplane makes of a claim");
                let help = format!("write kind: {own_kind}");
                return Identity::Wrong(vec![wrong("kind", message, help)], false);
            }
            if near_kind && (same_group || near_group) {
                let message = format!("{kind:?} is no kind of {own_version}");
                let mut findings =
                    vec![wrong("kind", message, format!("did you mean {own_kind}?"))];
                if version != own_version {
                    let message = format!("{version:?} is not the API of {own_kind}");
                    let help = format!("write apiVersion: {own_version}");
                    findings.push(wrong("apiVersion", message, help));
                }
                return Identity::Wrong(findings, true);
            }
            Identity::Other
        }
        _ => Identity::Other,
    }
}

/// Syntax problems as findings, each with its help.
fn syntax(stream: &Stream, source: &str) -> Vec<Finding> {
    let findings = stream.problems.iter().map(|problem| {
        let rule = match problem.kind {
            ProblemKind::Syntax => &catalog::SYNTAX,
            ProblemKind::DuplicateKey => &catalog::DUPLICATE_KEY,
            ProblemKind::Limit => &catalog::LIMIT,
            ProblemKind::Structure => &catalog::STRUCTURE,
        };
        let finding = Finding::new(rule, problem.message.clone()).at(problem.span, "");
        match problem.kind {
            ProblemKind::DuplicateKey => finding.help("keep one of them"),
            ProblemKind::Syntax => match tab_line(source, problem.span.start.line) {
                Some(line) => finding
                    .help(format!("line {line} is indented with a tab; YAML allows only spaces")),
                None => finding,
            },
            _ => finding,
        }
    });
    findings.collect()
}

/// The line at or just after a syntax error that is indented with a tab.
fn tab_line(source: &str, line: usize) -> Option<usize> {
    let indent = |text: &str| text.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
    let lines = source.lines().enumerate().skip(line.saturating_sub(1)).take(2);
    lines.filter(|(_, text)| indent(text)).map(|(i, _)| i + 1).next()
}

/// Merge keys, at the first entry that each mapping got from one.
fn merge_keys(root: &Node) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        match &node.content {
            Content::Mapping(entries) => {
                if entries.iter().any(|e| e.merged) {
                    let message = "this mapping takes entries from a merge key (<<)";
                    findings.push(
                        Finding::new(&catalog::ANCHOR, message)
                            .at(crate::schema::path::Path::default().span(node), "")
                            .help("write the entries out"),
                    );
                }
                open.extend(entries.iter().map(|e| &e.value));
            }
            Content::Sequence(items) => open.extend(items),
            Content::Scalar(_) => {}
        }
    }
    findings
}
