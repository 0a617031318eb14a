//! Checks the input before anything runs. Mirrors `validate.go`; only the first error is reported.
//!
//! Upstream does not check the transforms and policy of a combine patch, nor
//! `writeConnectionSecretToRef`, so neither do we.

use std::fmt;

use super::input::connection::ConnectionDetail;
use super::input::patches::{
    COMBINE_FROM_COMPOSITE, COMBINE_FROM_ENVIRONMENT, COMBINE_TO_COMPOSITE, COMBINE_TO_ENVIRONMENT,
    Combine, FROM_COMPOSITE, FROM_ENVIRONMENT, PATCH_SET, Patch, PatchPolicy, TO_COMPOSITE,
    TO_ENVIRONMENT, type_or_default,
};
use super::input::resources::{
    ComposedTemplate, Environment, MatchConditionReadinessCheck, PatchSet, ReadinessCheck,
    Resources,
};
use super::validate_transforms::transform;
use golang::{json, strconv};

/// Kubernetes' `field.Error`: a field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    field: String,
    body: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body)
    }
}

impl std::error::Error for FieldError {}

/// The result of a check.
pub type Checked = Result<(), FieldError>;

/// Says where an error is, from the inside out.
pub(super) trait At {
    /// Prefixes the field with a parent.
    fn at(self, parent: &str) -> Self;
    /// Prefixes the field with an element of a parent.
    fn at_index(self, parent: &str, index: usize) -> Self;
}

impl At for Checked {
    fn at(self, parent: &str) -> Self {
        self.map_err(|error| FieldError { field: format!("{parent}.{}", error.field), ..error })
    }

    fn at_index(self, parent: &str, index: usize) -> Self {
        self.map_err(|error| FieldError {
            field: format!("{parent}[{index}].{}", error.field),
            ..error
        })
    }
}

/// Reports a value that is required but missing.
pub(super) fn required(field: &str, detail: impl fmt::Display) -> Checked {
    Err(FieldError { field: field.to_owned(), body: format!("Required value: {detail}") })
}

/// Rejects a plain Go string, quoted as `%q` does.
pub(super) fn invalid(field: &str, value: &str, detail: &str) -> Checked {
    let body = format!("Invalid value: {}: {detail}", strconv::quote(value));
    Err(FieldError { field: field.to_owned(), body })
}

/// Rejects a string of a named Go type, quoted as JSON with HTML escapes.
pub(super) fn invalid_named(field: &str, value: &str, detail: impl fmt::Display) -> Checked {
    let value = json::marshal(&serde_json::Value::from(value));
    let body = format!("Invalid value: {value}: {detail}");
    Err(FieldError { field: field.to_owned(), body })
}

/// Checks the whole input.
///
/// # Errors
/// The first problem: patch sets, then templates, then the environment. As upstream does, the error
/// of a patch set does not say which set it is in.
pub fn resources(input: &Resources) -> Checked {
    input.patch_sets.iter().try_for_each(patch_set)?;
    let environment_patches = input.environment.as_ref().map_or(0, |e| e.patches.len());
    if input.resources.is_empty() && environment_patches == 0 {
        return required("resources", "resources or environment patches are required");
    }
    for (i, template) in input.resources.iter().enumerate() {
        composed_template(template).at_index("resources", i)?;
    }
    input.environment.as_ref().map_or(Ok(()), environment).at("environment")
}

fn composed_template(template: &ComposedTemplate) -> Checked {
    if template.name.is_empty() {
        return required("name", "name is required");
    }
    for (i, p) in template.patches.iter().enumerate() {
        let set = Some(p.patch_set_name.as_deref().unwrap_or_default());
        patch(&p.type_, &p.patch, set, "*v1beta1.ComposedPatch").at_index("patches", i)?;
    }
    for (i, detail) in template.connection_details.iter().enumerate() {
        connection_detail(detail).at_index("connectionDetails", i)?;
    }
    for (i, check) in template.readiness_checks.iter().enumerate() {
        readiness_check(check).at_index("readinessChecks", i)?;
    }
    Ok(())
}

fn patch_set(set: &PatchSet) -> Checked {
    if set.name.is_empty() {
        return required("name", "name is required");
    }
    for (i, p) in set.patches.iter().enumerate() {
        patch(&p.type_, &p.patch, None, "*v1beta1.PatchSetPatch").at_index("patches", i)?;
    }
    Ok(())
}

fn environment(environment: &Environment) -> Checked {
    for (i, p) in environment.patches.iter().enumerate() {
        match type_or_default(&p.type_) {
            FROM_COMPOSITE
            | TO_COMPOSITE
            | COMBINE_FROM_COMPOSITE
            | COMBINE_TO_COMPOSITE
            | FROM_ENVIRONMENT
            | TO_ENVIRONMENT => {}
            other => {
                let field = format!("patches[{i}][type]");
                return invalid_named(&field, other, "invalid environment patch type");
            }
        }
        patch(&p.type_, &p.patch, None, "*v1beta1.EnvironmentPatch").at_index("patches", i)?;
    }
    Ok(())
}

/// Checks one patch. `set` is the name of the set it includes, if its kind can include one;
/// `go_type` is upstream's name for its kind.
///
/// # Errors
/// The first problem.
pub fn patch(type_: &str, patch: &Patch, set: Option<&str>, go_type: &str) -> Checked {
    let type_ = type_or_default(type_);
    match type_ {
        FROM_COMPOSITE | TO_COMPOSITE | FROM_ENVIRONMENT | TO_ENVIRONMENT => {
            if patch.from_path().is_empty() {
                let detail = format!("fromFieldPath must be set for patch type {type_}");
                return required("fromFieldPath", detail);
            }
        }
        PATCH_SET => match set {
            None => {
                let detail = format!("patch type {go_type} does not support patch of type {type_}");
                return invalid_named("type", type_, detail);
            }
            Some("") => {
                let detail = format!("patchSetName must be set for patch type {type_}");
                return required("patchSetName", detail);
            }
            Some(_) => {}
        },
        COMBINE_FROM_COMPOSITE
        | COMBINE_TO_COMPOSITE
        | COMBINE_FROM_ENVIRONMENT
        | COMBINE_TO_ENVIRONMENT => {
            let Some(c) = &patch.combine else {
                let detail = format!("combine must be set for patch type {type_}");
                return required("combine", detail);
            };
            if patch.to_path().is_empty() {
                let detail = format!("toFieldPath must be set for patch type {type_}");
                return required("toFieldPath", detail);
            }
            return combine(c).at("combine");
        }
        other => return invalid_named("type", other, "unknown patch type"),
    }
    for (i, t) in patch.transforms.iter().enumerate() {
        transform(t).at_index("transforms", i)?;
    }
    patch.policy.as_ref().map_or(Ok(()), policy)
}

fn policy(policy: &PatchPolicy) -> Checked {
    match policy.to_policy() {
        "Replace"
        | "MergeObjects"
        | "MergeObjectsAppendArrays"
        | "ForceMergeObjects"
        | "ForceMergeObjectsAppendArrays"
        | "MergeObject"
        | "AppendArray" => {}
        other => {
            return invalid_named("policy.toFieldPathPolicy", other, "unknown toFieldPathPolicy");
        }
    }
    match policy.from_field_path.as_deref() {
        None | Some("Required" | "Optional") => Ok(()),
        Some(other) => {
            invalid_named("policy.fromFieldPathPolicy", other, "unknown fromFieldPathPolicy")
        }
    }
}

fn combine(combine: &Combine) -> Checked {
    match combine.strategy.as_str() {
        "string" if combine.string.is_none() => {
            return required("string", "string must be set for combine strategy string");
        }
        "string" => {}
        "" => return required("strategy", "a combine strategy must be provided"),
        other => return invalid_named("strategy", other, "unknown strategy type"),
    }
    if combine.variables.is_empty() {
        return required("variables", "at least one variable must be provided");
    }
    for (i, variable) in combine.variables.iter().enumerate() {
        if variable.from_field_path.is_empty() {
            let field = format!("variables[{i}].fromFieldPath");
            return required(&field, "fromFieldPath must be set for each combine variable");
        }
    }
    Ok(())
}

/// Checks a readiness check.
///
/// # Errors
/// The first problem. As upstream does, accepts a `MatchCondition` without a condition here.
pub fn readiness_check(check: &ReadinessCheck) -> Checked {
    match check.type_.as_str() {
        "None" => return Ok(()),
        "MatchString" if check.match_string.is_none() => {
            return required("matchString", "cannot be nil for type MatchString");
        }
        "MatchInteger" if check.match_integer.is_none() => {
            return required("matchInteger", "cannot be nil for type MatchInteger");
        }
        "MatchCondition" => {
            let condition = check.match_condition.as_ref();
            return condition.map_or(Ok(()), match_condition).at("matchCondition");
        }
        "MatchString" | "MatchInteger" | "NonEmpty" | "MatchFalse" | "MatchTrue" => {}
        other => return invalid("type", other, "unknown readiness check type"),
    }
    if check.field_path.is_none() {
        return required("fieldPath", "cannot be empty");
    }
    Ok(())
}

fn match_condition(condition: &MatchConditionReadinessCheck) -> Checked {
    if condition.type_.is_empty() {
        return required("type", "cannot be empty for type MatchCondition");
    }
    if condition.status.is_empty() {
        return required("status", "cannot be empty for type MatchCondition");
    }
    Ok(())
}

/// Checks a connection detail.
///
/// # Errors
/// The first problem.
pub fn connection_detail(detail: &ConnectionDetail) -> Checked {
    let type_ = detail.type_.as_str();
    match type_ {
        "" => return required("type", "connection detail type is required"),
        "FromValue" | "FromConnectionSecretKey" | "FromFieldPath" => {}
        other => return invalid("type", other, "unknown connection detail type"),
    }
    if detail.name.is_empty() {
        return required("name", "name is required");
    }
    match type_ {
        "FromValue" if detail.value.is_none() => {
            required("value", "value connection detail requires a value")
        }
        "FromConnectionSecretKey" if detail.from_connection_secret_key.is_none() => required(
            "fromConnectionSecretKey",
            "from connection secret key connection detail requires a key",
        ),
        "FromFieldPath" if detail.from_field_path.is_none() => {
            required("fromFieldPath", "from field path connection detail requires a field path")
        }
        _ => Ok(()),
    }
}
