//! Checks a file of claims: from text to findings.
//!
//! In: texts, and the API that claims are checked against. Out: findings with their place, cause
//! and fix. This crate must not know about clusters, git, or how findings are printed.
//!
//! ```text
//! identity   which documents are claims
//! options    how a file came to be checked, and what may be expected of it
//! rules      what no schema says, one rule a file; what a change does to a running service
//! kustomize  what Kustomize makes of claims
//! ```

mod identity;
pub mod kustomize;
mod options;
pub mod rules;

pub use options::{Options, Origin, Unread};

use identity::{Identity, identify};
use kube_object::path::Path;
use kube_schema::diagnostics::catalog;
use kube_schema::diagnostics::{Finding, Severity, Summary};
use kube_schema::schema::{Checked, ClaimApi};
use kube_schema::yaml::Place;
use kube_schema::yaml::{self, Content, Entry, Node, Position, ProblemKind, Stream};

/// The group whose fields the [rules] know.
const OWN_GROUP: &str = "platform.bizmatters.io";

/// More findings than anyone reads; a file of half a million empty documents has one for each.
const MAX_FINDINGS: usize = 1000;

/// Findings of our own rules per claim; the rest are only counted.
const MAX_OWN: usize = 100;

/// What came of a file.
#[derive(Debug, Default)]
pub struct CheckedFile {
    /// All findings, not sorted.
    pub findings: Vec<Finding>,
    /// Each claim as it was written; what was found in it is in `findings`.
    pub claims: Vec<(Checked, Node)>,
    /// What identifies each claim, to compare it with others.
    pub identities: Vec<rules::Identity>,
    /// Objects of other kinds.
    pub skipped: usize,
    /// Whether the file was skipped: found beside others, and not a Kubernetes object.
    pub foreign: bool,
}

impl CheckedFile {
    /// Adds this file to the counts of a run.
    pub fn count(&self, summary: &mut Summary) {
        summary.files += 1;
        summary.claims += self.claims.len();
        summary.skipped += self.skipped;
        summary.foreign += usize::from(self.foreign);
        summary.count(&self.findings);
    }

    /// Returns whether a claim in the file lacks something required.
    #[must_use]
    pub fn lacks_something(&self) -> bool {
        self.findings.iter().any(is_lack)
    }

    /// Takes claims that lack something for patches, as those of a file are that a kustomization names as a patch
    /// alone: nothing is asked for, and no rule that joins fields holds. What is whole is a claim all the same. Returns
    /// how many are patches.
    pub fn set_patches_aside(&mut self) -> usize {
        self.findings.retain(|found| !is_lack(found) && found.rule.code != catalog::CEL.code);
        let all = self.claims.len();
        self.claims.retain(|(claim, _)| claim.claim().is_some());
        self.identities.clear();
        all - self.claims.len()
    }
}

fn is_lack(finding: &Finding) -> bool {
    finding.rule.code == catalog::REQUIRED.code
}

/// Checks every claim of a file.
#[must_use]
pub fn check(source: &str, api: &ClaimApi, options: Options) -> CheckedFile {
    let stream = yaml::parse(source);
    let mut outcome = CheckedFile::default();
    let unreadable = syntax(&stream);
    // The places where Kubernetes stops reading a document; what it did read has findings too.
    let cut: Vec<Position> = stream
        .problems
        .iter()
        .filter(|problem| problem.kind == ProblemKind::Ignored)
        .map(|problem| problem.span.start)
        .collect();
    let mut of_cut = Vec::new();
    let mut documents = stream.documents.into_iter().peekable();
    while let Some(document) = documents.next() {
        if outcome.findings.len() >= MAX_FINDINGS {
            let message = format!("{MAX_FINDINGS} findings: the file is not checked from here on");
            let found = Finding::new(&catalog::LIMIT, message).at(document.span, "");
            outcome.findings.push(found);
            break;
        }
        let (start, before) = (document.span.start, outcome.findings.len());
        let next = documents.peek().map(|next| next.span.start);
        objects(document, api, options, &mut outcome);
        if cut.iter().any(|at| *at > start && next.is_none_or(|next| *at < next)) {
            of_cut.push(before..outcome.findings.len());
        }
    }
    let is_limit = |finding: &Finding| finding.rule.code == catalog::LIMIT.code;
    if expected(options, &outcome, || mentions(source, api)) {
        // Whatever is missing is in the unread part; if this is not a manifest, there is nothing
        // more to say.
        let no_object = outcome.findings.iter().any(is_no_object);
        let foreign = (no_object || !of_cut.is_empty()).then(|| yaml::foreign(source)).flatten();
        let mut index = 0;
        outcome.findings.retain(|finding| {
            let in_cut = of_cut.iter().any(|range| range.contains(&index));
            index += 1;
            let follows = in_cut && rules::is_missing(finding);
            !follows && (foreign.is_none() || !in_cut && !is_no_object(finding))
        });
        if let Some(problem) = foreign.filter(|_| no_object)
            && !unreadable.iter().any(|finding| finding.message == problem.message)
        {
            outcome.findings.push(unread(&problem));
        }
        outcome.findings.extend(unreadable);
    } else if matches!(options.origin, Origin::Changed | Origin::Any)
        && unreadable.iter().any(is_limit)
        && !is_other_json(source.as_bytes())
    {
        outcome.findings.extend(unreadable.into_iter().filter(is_limit).map(|finding| {
            match finding.help {
                None => finding.help("leave the file out with --exclude where it holds no claims"),
                Some(_) => finding,
            }
        }));
    } else if !unreadable.is_empty() {
        outcome.foreign = true;
    }
    if outcome.foreign
        && (outcome.skipped > 0 || !outcome.claims.is_empty() || !outcome.findings.is_empty())
    {
        outcome.foreign = false;
    }
    if !outcome.claims.is_empty() {
        outcome.findings.extend(one_line(source));
    }
    if options.strict && outcome.claims.is_empty() && outcome.findings.is_empty() {
        let message = format!("holds no {}", api.definition.kind);
        outcome.findings.push(Finding::new(&catalog::NO_CLAIM, message));
    }
    outcome
}

/// Reports whether an unreadable file deserves a finding: it was named, or it holds a claim.
fn expected(options: Options, outcome: &CheckedFile, mentions: impl Fn() -> bool) -> bool {
    let holds = || !outcome.claims.is_empty() || !outcome.findings.is_empty();
    match options.origin {
        _ if options.strict => true,
        Origin::Named => true,
        Origin::Found | Origin::Changed => holds() || mentions(),
        Origin::Any => holds(),
    }
}

/// Reports whether text that cannot be read as YAML names a claim's kind or group, or nearly does.
#[must_use]
pub fn mentions(source: &str, api: &ClaimApi) -> bool {
    identity::mentions(source, api)
}

/// Reports whether a text is JSON throughout, and not a Kubernetes object: those have `apiVersion`
/// and `kind` at the top, or are a list under `items`.
#[must_use]
pub fn is_other_json(bytes: &[u8]) -> bool {
    identity::is_other_json(bytes)
}

/// Reports whether the part read of a text that is too long, or not UTF-8, could begin a manifest.
#[must_use]
pub fn may_be_manifest(beginning: &str, api: &ClaimApi, whole: bool) -> bool {
    let read = check(beginning, api, Options { origin: Origin::Any, ..Options::default() });
    let holds = read.skipped > 0 || !read.claims.is_empty() || !read.findings.is_empty();
    holds || identity::begins_as_manifest(beginning, whole)
}

/// Checks a document, which is an object or a list of them.
fn objects(mut node: Node, api: &ClaimApi, options: Options, outcome: &mut CheckedFile) {
    if let Some(items) = take_list(&mut node) {
        for item in items {
            objects(item, api, options, outcome);
        }
        return;
    }
    if let Some(finding) = identity::headless_list(&node, api) {
        outcome.findings.push(finding);
        return;
    }
    let text = |key: &str| node.get(key).and_then(Node::as_str);
    let api = text("apiVersion").and_then(|version| api.at_version(version)).unwrap_or(api);
    match identify(&node, api) {
        Identity::Claim => claim(node, api, options, Vec::new(), outcome),
        Identity::Other => {
            outcome.skipped += 1;
            let of_our_api = text("apiVersion") == Some(api.api_version().as_str());
            if of_our_api && !options.strict {
                outcome.findings.push(identity::other_of_our_api(&node, api));
            }
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
        Identity::NoObject(findings) if options.strict || options.origin == Origin::Named => {
            outcome.findings.extend(findings);
        }
        Identity::NoObject(_) => outcome.foreign = true,
        // What it is meant to be is clear, so the rest can be checked right away.
        Identity::Wrong(findings, true) => claim(node, api, options, findings, outcome),
        Identity::Wrong(findings, false) => outcome.findings.extend(findings),
    }
}

/// Returns the items of a list, split as kubectl does it: any kind counts if it has `items`, and an
/// item without a kind takes the list's, without the `List`.
fn take_list(node: &mut Node) -> Option<Vec<Node>> {
    node.entry("items")?;
    let (version, kind) = head(node)?;
    let Content::Mapping(entries) = &mut node.content else { return None };
    let items = entries.iter_mut().rfind(|entry| entry.key == "items")?;
    let Content::Sequence(items) = &mut items.value.content else { return None };
    let item_kind = kind.value.as_str()?.strip_suffix("List");
    let is_object =
        |item: &Node| item.entry("kind").is_some() && item.entry("apiVersion").is_some();
    if item_kind.is_none() && !items.iter().any(is_object) {
        return None;
    }
    let mut items = std::mem::take(items);
    let Some(item_kind) = item_kind.filter(|kind| !kind.is_empty()) else { return Some(items) };
    for item in &mut items {
        let Content::Mapping(entries) = &mut item.content else { continue };
        if entries.iter().any(|entry| entry.key == "kind" || entry.key == "apiVersion") {
            continue;
        }
        let mut kind = kind.clone();
        if let Content::Scalar(scalar) = &mut kind.value.content {
            scalar.value = item_kind.into();
        }
        entries.extend([version.clone(), kind]);
    }
    Some(items)
}

/// Returns the entries `apiVersion` and `kind`.
fn head(node: &Node) -> Option<(Entry, Entry)> {
    Some((node.entry("apiVersion")?.clone(), node.entry("kind")?.clone()))
}

/// Checks a claim. `of_identity` is what is wrong with its `apiVersion` and `kind`.
fn claim(
    node: Node,
    api: &ClaimApi,
    options: Options,
    of_identity: Vec<Finding>,
    outcome: &mut CheckedFile,
) {
    let mut checked = match options.without_rules {
        true => api.check_without_rules(&node),
        false => api.check(&node),
    };
    checked.findings.retain(|finding| !of_identity.iter().any(|own| own.path == finding.path));
    checked.extend(of_identity);
    if api.definition.group == OWN_GROUP {
        rules::valueless(&node, &mut checked.findings);
        let mut own = rules::check(&node, &checked.effective);
        own.retain(|finding| !rules::refused_anyway(finding, &checked.findings));
        checked.findings.retain(|finding| !rules::said_again(finding, &own));
        let all = checked.findings.clone();
        rules::explain(&node, &mut checked.findings, &|name| api.places(name));
        // Findings are merged, but what the API refuses stays refused.
        let refused = |findings: &[Finding]| findings.iter().any(|f| f.severity == Severity::Error);
        if refused(&all) && !refused(&checked.findings) {
            checked.findings = all;
        }
        // A figure of another form, or outside its own bounds, is not compared with any other.
        let bounds: Vec<String> = checked
            .findings
            .iter()
            .filter(|f| {
                let form = [&catalog::RANGE, &catalog::PATTERN, &catalog::TYPE, &catalog::LENGTH];
                form.iter().any(|rule| **rule == *f.rule) && f.severity == Severity::Error
            })
            .map(|f| f.path.clone())
            .collect();
        checked.findings.retain(|f| {
            let compared = rules::compares(f);
            !bounds.iter().any(|path| compared.is_some_and(|numbers| path.starts_with(numbers)))
        });
        rules::reword(&node, &checked.effective, &mut checked.findings);
        own.extend(merge_keys(&node));
        let more = own.len().saturating_sub(MAX_OWN);
        own.truncate(MAX_OWN);
        if more > 0 {
            let message = format!("{more} more findings in this claim are not shown");
            own.push(Finding::new(&catalog::LIMIT, message).at(Path::default().span(&node), ""));
        }
        checked.extend(own);
        outcome.identities.push(rules::Identity::of(&node, &checked.effective));
    }
    checked.findings.iter_mut().for_each(Finding::narrowed);
    let found = std::mem::take(&mut checked.findings).into_iter().filter(|finding| {
        !rules::is_missing(finding) || !rules::stands_in_the_other(&node, &finding.path)
    });
    outcome.findings.extend(found);
    outcome.claims.push((checked, node));
}

/// Reports lines that end with a lone carriage return: line breaks to YAML, but not to git, nor to
/// kubectl when it looks for `---`.
fn one_line(source: &str) -> Option<Finding> {
    let text = source.trim_end_matches(['\r', '\n']);
    if !text.contains('\r') || text.contains('\n') {
        return None;
    }
    let message = "the lines of this file end with a carriage return alone: kubectl finds no --- \
        in it, and it is one line to git and to most editors";
    let start = Position { line: 1, column: 1 };
    let span = yaml::Span { start, end: start };
    let mut finding = Finding::new(&catalog::SYNTAX, message).at(span, "");
    finding.severity = Severity::Warning;
    Some(finding.help("save it with line feeds (LF)"))
}

fn is_no_object(finding: &Finding) -> bool {
    finding.rule.code == catalog::NOT_AN_OBJECT.code
}

/// Turns syntax problems into findings.
fn syntax(stream: &Stream) -> Vec<Finding> {
    stream.problems.iter().map(unread).collect()
}

/// Turns a syntax problem into a finding, with its help.
fn unread(problem: &yaml::Problem) -> Finding {
    let rule = match problem.kind {
        ProblemKind::Syntax | ProblemKind::Ignored => &catalog::SYNTAX,
        ProblemKind::DuplicateKey => &catalog::DUPLICATE_KEY,
        ProblemKind::Limit => &catalog::LIMIT,
        ProblemKind::Structure => &catalog::STRUCTURE,
    };
    let finding = Finding::new(rule, problem.message.clone()).at(problem.span, "");
    match (problem.kind, &problem.help) {
        (_, Some(help)) => finding.help(help.clone()),
        (ProblemKind::DuplicateKey, None) => finding.help("keep one of them"),
        _ => finding,
    }
}

/// Reports merge keys, at the first entry that each mapping gets from one.
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
                            .at(Path::default().span(node), "")
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
