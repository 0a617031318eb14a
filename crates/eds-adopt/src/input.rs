//! Reads manifests from texts: object by object, whatever they came in.

use kube_object::object::Fields;
use kube_schema::yaml::Place;
use std::collections::HashSet;

use serde_json::Value;

use kube_object::path::{Path, Step};
use kube_schema::diagnostics::{Finding, catalog};
use kube_schema::yaml::{self, Content, Entry, Node, Span};

/// One Kubernetes object and where it is.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The file's name, as printed.
    pub file: String,
    /// The object.
    pub value: Value,
    node: Node,
    /// Whether it comes from a file, with lines.
    has_lines: bool,
    /// Whether it is only the list around other objects.
    pub(super) is_list: bool,
}

/// What a text holds.
#[derive(Debug, Default)]
pub struct Read {
    /// Its objects, in order.
    pub manifests: Vec<Manifest>,
    /// Why something in it could not be read.
    pub findings: Vec<Finding>,
    /// The cost of reporting all its fields: the steps of their paths.
    pub steps: usize,
    /// Documents that are not Kubernetes objects, which a file found beside others may hold.
    pub foreign: usize,
}

/// How many path steps one run may report, over all fields. A field of a manifest has about eight,
/// and a run with this many takes some 200 MB; a deep document can have a hundred times as many as
/// it has characters.
pub const MAX_STEPS: usize = 1_000_000;

/// Reads a text. If it is `named`, it must hold objects, because somebody named it.
#[must_use]
pub fn read(file: &str, text: &str, named: bool) -> Read {
    let stream = yaml::parse(text);
    let mut read = Read::default();
    for problem in &stream.problems {
        let mut finding =
            Finding::new(&catalog::SYNTAX, problem.message.clone()).at(problem.span, "");
        finding.help.clone_from(&problem.help);
        if text.contains("{{") {
            let help =
                "this looks like a template of Helm: give what it makes, helm template … |, and -";
            finding.help = Some(help.to_owned());
        }
        read.findings.push(finding);
    }
    for document in stream.documents {
        object(file, document, named, &mut read);
    }
    // Another tool's file is not YAML, or is YAML of its own kind.
    if !named
        && read.manifests.is_empty()
        && !(text.contains("kind:") && text.contains("apiVersion:"))
    {
        read.foreign += usize::from(!read.findings.is_empty());
        read.findings.clear();
    }
    read
}

fn object(file: &str, mut node: Node, named: bool, read: &mut Read) {
    let text = |key: &str| node.get(key).and_then(Node::as_str).filter(|text| !text.is_empty());
    let (Some(_), Some(kind)) = (text("apiVersion"), text("kind")) else {
        if named {
            let message = "is not a Kubernetes object: it has no apiVersion and kind";
            let help = "name files of manifests, or pipe them: helm template … | eds adopt -";
            let at = Path::default().span(&node);
            read.findings
                .push(Finding::new(&catalog::NOT_AN_OBJECT, message).at(at, "").help(help));
        } else {
            read.foreign += 1;
        }
        return;
    };
    let is_list = kind.ends_with("List");
    let items = is_list.then(|| take_items(&mut node)).flatten();
    let value = node.to_json();
    let file_name = file.to_owned();
    let is_list = items.is_some();
    steps(&node, 0, &mut read.steps);
    read.manifests.push(Manifest { file: file_name, value, node, has_lines: true, is_list });
    for item in items.into_iter().flatten() {
        object(file, item, true, read);
    }
}

/// Adds up the depths of all leaves, as far as they are reported.
fn steps(node: &Node, depth: usize, sum: &mut usize) {
    if *sum > MAX_STEPS {
        return;
    }
    match &node.content {
        Content::Mapping(entries) if !entries.is_empty() => {
            entries.iter().for_each(|entry| steps(&entry.value, depth + 1, sum));
        }
        Content::Sequence(items) if !items.is_empty() => {
            items.iter().for_each(|item| steps(item, depth + 1, sum));
        }
        _ => *sum += depth,
    }
}

fn take_items(node: &mut Node) -> Option<Vec<Node>> {
    let Content::Mapping(entries) = &mut node.content else { return None };
    let at = entries.iter().rposition(|entry| entry.key == "items")?;
    let Content::Sequence(_) = entries.get(at)?.value.content else { return None };
    match entries.remove(at).value.content {
        Content::Sequence(items) => Some(items),
        _ => None,
    }
}

impl Manifest {
    /// Wraps a manifest that is in no file, such as one from the cluster.
    #[must_use]
    pub fn of(file: &str, value: &Value) -> Option<Self> {
        let text = value.to_string();
        let node = yaml::parse(&text).documents.into_iter().next()?;
        Some(Self {
            file: file.to_owned(),
            value: value.clone(),
            node,
            has_lines: false,
            is_list: false,
        })
    }

    /// Returns `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Returns `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Returns `metadata.namespace`, if there is one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        Some(self.text("/metadata/namespace")).filter(|text| !text.is_empty())
    }

    /// Returns kind and name of the object that made this one, and would make it again.
    pub(super) fn controller(&self) -> Option<(&str, &str)> {
        let owner = self.value.controller()?;
        Some((owner.text("/kind"), owner.text("/name")))
    }

    pub(super) fn group(&self) -> &str {
        let (group, _) = self.text("/apiVersion").split_once('/').unwrap_or_default();
        group
    }

    pub(super) fn text(&self, pointer: &str) -> &str {
        self.value.text(pointer)
    }

    /// Returns the line on which the object begins.
    #[must_use]
    pub fn line(&self) -> usize {
        if self.has_lines { Path::default().span(&self.node).start.line } else { 0 }
    }

    /// Returns every leaf and its position, in the order of the file.
    #[must_use]
    pub fn leaves(&self) -> Vec<(Path, Span)> {
        let mut found = Vec::new();
        leaves(&self.node, self.node.span, &mut Path::default(), &mut found);
        if !self.has_lines {
            found.iter_mut().for_each(|(_, span)| *span = Span::default());
        }
        found
    }
}

fn leaves(node: &Node, span: Span, path: &mut Path, found: &mut Vec<(Path, Span)>) {
    match &node.content {
        Content::Mapping(entries) if !entries.is_empty() => {
            // If a key occurs twice, the last one counts.
            let mut seen = HashSet::new();
            let last: HashSet<usize> = entries
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, entry)| seen.insert(entry.key.as_str()))
                .map(|(i, _)| i)
                .collect();
            for (i, Entry { key, key_span, value, .. }) in entries.iter().enumerate() {
                if last.contains(&i) {
                    path.0.push(Step::Key(key.clone()));
                    leaves(value, *key_span, path, found);
                    path.0.pop();
                }
            }
        }
        Content::Sequence(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                path.0.push(Step::Index(i));
                leaves(item, item.span, path, found);
                path.0.pop();
            }
        }
        _ => found.push((path.clone(), span)),
    }
}
