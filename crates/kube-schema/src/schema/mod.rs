//! The API's schema, as the API server would serve and enforce it.
//!
//! ```text
//! the schema that is served -> structural (compiled once)
//! claim -> unknown fields -> defaults -> metadata -> validate (types, bounds, CEL) -> admission
//! ```
//!
//! The API server is the reference: what it accepts passes here, what it refuses fails here.

mod admission;
mod cel;
mod culprit;
mod defaults;
mod formats;
mod metadata;
mod problem;
pub mod publish;
mod structural;
mod suggest;
mod validate;
mod wrong_character;

use crate::yaml::Place;
use std::collections::HashSet;

use serde_json::Value;

pub use admission::AdmissionPolicy;
pub use metadata::is_qualified_name;
pub use structural::Schema;
pub use suggest::{distance, nearest, same_name};

use crate::diagnostics::{Finding, Severity, catalog};
use crate::yaml::{Content, Node};
use kube_object::crossplane::crd::{self, Definition, Side};
use kube_object::object::Object;
use kube_object::path::{At, Path};
use problem::Problem;

/// What the API server knows about one kind: its compiled schema, and the policies that apply to
/// it.
#[derive(Debug)]
pub struct ClaimApi {
    /// Group, version, kind, plural, and the schema as in the CRD.
    pub definition: Definition,
    schema: Schema,
    policies: Vec<AdmissionPolicy>,
    evaluator: cel::Evaluator,
    /// The same kind at the other versions that are served.
    others: Vec<Self>,
}

/// A claim that has passed validation, with its defaults. Only [`Checked::claim`] creates one.
#[derive(Debug, Clone, Copy)]
pub struct ValidClaim<'a> {
    object: &'a Object,
}

impl<'a> ValidClaim<'a> {
    /// Returns the claim as the API server would store it.
    #[must_use]
    pub const fn object(self) -> &'a Object {
        self.object
    }
}

/// The result of a check.
#[derive(Debug)]
pub struct Checked {
    /// Errors and warnings, not yet sorted.
    pub findings: Vec<Finding>,
    /// The object with defaults, without what the API server drops; present even if it is not
    /// valid.
    pub effective: Value,
    valid: bool,
}

impl Checked {
    /// Returns the claim, if there are no errors.
    #[must_use]
    pub fn claim(&self) -> Option<ValidClaim<'_>> {
        self.effective.as_object().filter(|_| self.valid).map(|object| ValidClaim { object })
    }

    /// Adds findings of rules outside the schema.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        self.valid = !self.findings.iter().any(|f| f.severity == Severity::Error);
    }
}

impl ClaimApi {
    /// Returns what application developers write: the claim that an XRD offers or, where it can
    /// offer none, its composite; for a CRD, its own kind.
    ///
    /// # Errors
    /// What the XRD lacks, or where its schema cannot be read.
    pub fn from_xrd(xrd: &Value) -> Result<Self, String> {
        Self::all(xrd, crd::written(xrd))
    }

    /// Returns the composite that an XRD defines or, for a CRD, its own kind.
    ///
    /// # Errors
    /// What the XRD lacks, or where its schema cannot be read.
    pub fn composite(xrd: &Value) -> Result<Self, String> {
        Self::all(xrd, Side::Composite)
    }

    /// Returns a kind with all its versions.
    fn all(xrd: &Value, side: Side) -> Result<Self, String> {
        let mut api = Self::new(crd::definition(xrd, side)?)?;
        let stored = api.definition.version.clone();
        let others = crd::served(xrd).filter(|version| *version != stored);
        api.others =
            others.map(|version| Self::at(xrd, side, version)).collect::<Result<_, _>>()?;
        Ok(api)
    }

    /// Returns the same kind at the version of an `apiVersion`, if it is served.
    #[must_use]
    pub fn at_version(&self, api_version: &str) -> Option<&Self> {
        if self.api_version() == api_version {
            return Some(self);
        }
        self.others.iter().find(|other| other.api_version() == api_version)
    }

    /// Returns one of the kinds that an XRD defines, at one of its versions.
    ///
    /// # Errors
    /// What the XRD lacks, or where its schema cannot be read.
    pub fn at(xrd: &Value, side: Side, version: &str) -> Result<Self, String> {
        Self::new(crd::definition_at(xrd, side, Some(version))?)
    }

    /// Returns the API of a definition. A schema that a program was built with is read as far as it
    /// is needed, any other as a whole.
    ///
    /// # Errors
    /// Where the schema cannot be read.
    pub fn new(definition: Definition) -> Result<Self, String> {
        let schema = match definition.lines() {
            Some(lines) => Schema::built_in(lines, 0),
            None => Schema::compile(definition.schema())
                .map_err(|e| format!("the schema of {}: {e}", definition.kind))?,
        };
        let evaluator = cel::Evaluator::default();
        Ok(Self { definition, schema, policies: Vec::new(), evaluator, others: Vec::new() })
    }

    /// Adds a ValidatingAdmissionPolicy, if it is one and applies to this kind.
    #[must_use]
    pub fn with_policy(mut self, policy: &Value) -> Self {
        self.policies.extend(AdmissionPolicy::of(policy, &self.definition));
        let others = self.others.into_iter();
        self.others = others.map(|other| other.with_policy(policy)).collect();
        self
    }

    /// Returns `group/version`.
    #[must_use]
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.definition.group, self.definition.version)
    }

    /// Returns the paths of fields with this name, with `[]` for list entries; letter case, dashes
    /// and underscores do not count. Leaves out metadata, status, and Crossplane's own fields.
    #[must_use]
    pub fn places(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(spec) = self.schema.property("spec") {
            spec.places(name, "spec", &mut found);
        }
        found
    }

    /// Returns everything that was compiled, as text: for a test that compares.
    #[must_use]
    pub fn parts(&self) -> String {
        format!("{:#?}", self.schema)
    }

    /// Returns the default of a field, such as `spec.nats.url`.
    #[must_use]
    pub fn default(&self, path: &str) -> Option<&Value> {
        self.schema.default_at(path)
    }

    /// Fills in defaults as the API server does at creation. Returns `false` if they are too large
    /// for any API server, and not all were filled in.
    pub fn apply_defaults(&self, value: &mut Value) -> bool {
        defaults::apply_defaults(value, &self.schema)
    }

    /// Validates an object of this kind. Comparing its `apiVersion` and `kind` is up to the caller.
    #[must_use]
    pub fn check(&self, node: &Node) -> Checked {
        self.check_with(node, true)
    }

    /// Does the same without CEL rules and admission policies, for a caller whose next step refuses
    /// what they refuse. Compiling them takes most of the time of a check.
    #[must_use]
    pub fn check_without_rules(&self, node: &Node) -> Checked {
        self.check_with(node, false)
    }

    fn check_with(&self, node: &Node, rules: bool) -> Checked {
        let mut value = node.to_json();
        let mut problems: Vec<Problem> = Vec::new();
        let root = At::default();
        defaults::prune(&mut value, Some(&self.schema), true, &root, &mut |path, schema| {
            // Help is only looked up for what will be shown.
            let schema = schema.filter(|_| problems.len() < MAX_PROBLEMS);
            problems.push(validate::unknown(path, schema));
        });
        let mut nulls = Vec::new();
        defaults::drop_nulls(&mut value, Some(&self.schema), &root, &mut |path, default| {
            nulls.push((path, default));
        });
        if !self.apply_defaults(&mut value) {
            let message = format!(
                "has more than {} MiB once defaults are filled in, which no API server takes: give \
                    it fewer entries, or the API smaller defaults",
                defaults::MAX_DEFAULTED >> 20
            );
            problems.push(Problem::new(&catalog::LIMIT, Path::default(), message));
        }
        // `customresource/strategy.go`, PrepareForCreate.
        if self.definition.status_is_subresource
            && let Some(object) = value.as_object_mut()
        {
            object.remove("status");
        }
        let Some(object) = value.as_object() else {
            let finding = Finding::new(&catalog::NOT_AN_OBJECT, "an object must be a mapping")
                .at(node.span, "");
            return Checked { findings: vec![finding], effective: value, valid: false };
        };
        problems.extend(metadata::check(object, self.definition.namespaced));
        let meter = self.evaluator.meter();
        let evaluator = rules.then_some(&self.evaluator);
        problems.extend(validate::validate(&value, &self.schema, evaluator, &meter));
        // The type of metadata is checked twice: as metadata, and by the schema.
        let mut types = HashSet::new();
        problems.retain(|p| *p.rule != catalog::TYPE || types.insert(p.path.clone()));
        // If the type is wrong, the fields below are not fields of this API at all.
        let mistyped: HashSet<Path> =
            problems.iter().filter(|p| *p.rule == catalog::TYPE).map(|p| p.path.clone()).collect();
        problems.retain(|p| *p.rule != catalog::UNKNOWN_FIELD || !p.path.is_below(&mistyped));
        // A text that does not have its field's format also breaks rules about that text.
        let malformed: HashSet<Path> = problems
            .iter()
            .filter(|p| *p.rule == catalog::PATTERN || *p.rule == catalog::LENGTH)
            .map(|p| p.path.clone())
            .collect();
        problems.retain(|p| *p.rule != catalog::CEL || !malformed.contains(&p.path));
        // What is missing because it is null is reported once.
        let said: HashSet<&Path> = problems.iter().map(|p| &p.path).collect();
        nulls.retain(|(path, _)| !said.contains(path));
        // Admission comes after the checks of the name itself.
        let name = Path::fields("metadata.name");
        let metadata = Path::fields("metadata");
        let misnamed = problems.iter().any(|p| {
            p.path == name && *p.rule == catalog::METADATA
                || *p.rule == catalog::TYPE && metadata.holds(&p.path)
        });
        for policy in self.policies.iter().filter(|_| rules && !misnamed) {
            problems.extend(policy.check(&value, &self.evaluator, &meter));
        }
        if meter.is_spent() {
            problems.insert(0, Problem::new(&catalog::LIMIT, Path::default(), meter.why()));
        }
        // The policy's limit is the tighter one.
        if problems.iter().any(|p| p.path == name && *p.rule == catalog::ADMISSION) {
            problems.retain(|p| p.path != name || *p.rule != catalog::LENGTH);
        }
        let all = if problems.len() < validate::MAX_PROBLEMS { "" } else { " or more" };
        let more = bound(&mut problems) + nulls.len().saturating_sub(MAX_PROBLEMS);
        nulls.truncate(MAX_PROBLEMS);
        let mut findings: Vec<Finding> =
            problems.into_iter().map(|problem| problem.into_finding(node)).collect();
        if more > 0 {
            let message = format!("{more}{all} more problems in this object are not shown");
            let at = Path::default().span(node);
            findings.push(Finding::new(&catalog::LIMIT, message).at(at, ""));
        }
        findings.extend(nulls.iter().filter(|(path, _)| written(path, node)).map(
            |(path, default)| {
                let message = match default {
                    true => "has no value, so Kubernetes fills in its default",
                    false => "has no value, so Kubernetes drops it",
                };
                Finding::new(&catalog::NULL_FIELD, message)
                    .at(path.key_span(node), path.to_string())
                    .help("leave the field out, or give it a value")
            },
        ));
        let valid = !findings.iter().any(|f| f.severity == Severity::Error);
        Checked { findings, effective: value, valid }
    }
}

/// The most problems of one kind to show for one object: nobody reads more, and finding the place
/// of each takes longer the larger the file is.
const MAX_PROBLEMS: usize = 100;

/// Keeps this many unknown fields and this many other problems, and counts the rest.
fn bound(problems: &mut Vec<Problem>) -> usize {
    let (all, mut unknown, mut others) = (problems.len(), 0, 0);
    problems.retain(|problem| {
        let count = match *problem.rule == catalog::UNKNOWN_FIELD {
            true => &mut unknown,
            false => &mut others,
        };
        *count += 1;
        *count <= MAX_PROBLEMS
    });
    all - problems.len()
}

/// Reports whether a field is in the file, not just in a default.
fn written(path: &Path, root: &Node) -> bool {
    path.node(root).is_some_and(|node| matches!(node.content, Content::Scalar(_)))
}
