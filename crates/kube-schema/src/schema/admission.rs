//! ValidatingAdmissionPolicies that accompany the API, evaluated for a new object.
//!
//! Supports only what our own policies use: `matchConstraints.resourceRules` by group and resource,
//! and `validations` with `object`. Source: `k8s.io/api` 0.34 `admissionregistration/v1`.

use kube_object::crossplane::crd::Definition;
use kube_object::object::Fields;
use serde_json::Value;

use super::cel::{CelRule, Evaluator, Meter, Verdict, is_small, view, view_of_field};
use super::problem::Problem;
use crate::diagnostics::catalog;
use kube_object::path::Path;

/// A policy's validations.
#[derive(Debug)]
pub struct AdmissionPolicy {
    rules: Vec<CelRule>,
    /// Whether the rules see only `object.metadata`, so that nothing else needs to be passed.
    metadata_only: bool,
}

impl AdmissionPolicy {
    /// Reads a policy, if it is one and applies to the creation of this kind.
    #[must_use]
    pub fn of(policy: &Value, definition: &Definition) -> Option<Self> {
        if policy.get("kind").and_then(Value::as_str) != Some("ValidatingAdmissionPolicy") {
            return None;
        }
        let list = |value: &Value, key: &str| -> Vec<Value> {
            value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let names = |rule: &Value, key: &str, wanted: &str| {
            let values = list(rule, key);
            values.iter().filter_map(Value::as_str).any(|v| v == wanted || v == "*")
        };
        let constraints = policy.at("/spec/matchConstraints")?;
        let holds = list(constraints, "resourceRules").iter().any(|rule| {
            names(rule, "apiGroups", &definition.group)
                && names(rule, "apiVersions", &definition.version)
                && names(rule, "resources", &definition.plural)
                && names(rule, "operations", "CREATE")
        });
        let rules: Vec<CelRule> =
            list(policy.get("spec")?, "validations").iter().filter_map(CelRule::of).collect();
        let metadata_only = rules.iter().all(|rule| rule.reads_only("object", "metadata"));
        holds.then_some(Self { rules, metadata_only })
    }

    /// Reports what the policy refuses about an object. Policies are about whole objects; a finding
    /// is shown at the name or the namespace if an expression refers to nothing else.
    pub(super) fn check(
        &self,
        object: &Value,
        evaluator: &Evaluator,
        meter: &Meter<'_>,
    ) -> Vec<Problem> {
        // Admission runs on named objects: there is nothing to report about one without a name.
        if object.at("/metadata/name").and_then(Value::as_str).is_none() {
            return Vec::new();
        }
        let seen = match self.metadata_only {
            true => view_of_field(object, "metadata"),
            false => view(object, None),
        };
        let scope = evaluator.scope("object", seen, is_small(object));
        let mut problems = Vec::new();
        for rule in &self.rules {
            // The longer one first: the other is its prefix.
            let path = ["metadata.namespace", "metadata.name"].into_iter().find(|field| {
                let field = format!("object.{field}");
                rule.rule.contains(&field) && !rule.rule.replace(&field, "").contains("object")
            });
            let path = path.map(Path::fields).unwrap_or_default();
            match rule.run(&scope, meter) {
                Verdict::Holds => {}
                Verdict::Broken(message) => {
                    // The finding states its path itself.
                    let field = format!("{path} ");
                    let message = message.strip_prefix(&field).unwrap_or(&message);
                    problems.push(Problem::new(&catalog::ADMISSION, path, message));
                }
                Verdict::Unknown(why) => problems.push(Problem::new(
                    &catalog::CEL_UNKNOWN,
                    path,
                    format!("the policy's {} was not checked: {why}", rule.name()),
                )),
            }
        }
        problems
    }
}
