//! A CompositeResourceDefinition, read for what the API server does with a claim before Crossplane
//! sees it.

use serde_json::Value;

use crate::protocol::Object;

/// An XRD that offers claims.
#[derive(Debug, Clone)]
pub struct Xrd {
    /// `group/version` of claims and composites: the version that is referenceable.
    pub api_version: String,
    /// Kind of the claims.
    pub claim_kind: String,
    /// Kind of the composites.
    pub composite_kind: String,
    spec_schema: Value,
}

impl Xrd {
    /// Reads an XRD. Errors name the field that is missing.
    pub fn parse(xrd: &Value) -> Result<Self, String> {
        let text = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
                let field = pointer.trim_start_matches('/').replace('/', ".");
                format!("{field} is missing; an XRD that offers claims has it")
            })
        };
        let kind = text(xrd, "/kind")?;
        if kind != "CompositeResourceDefinition" {
            return Err(format!("this is a {kind}, not a CompositeResourceDefinition (XRD)"));
        }
        let versions = xrd.pointer("/spec/versions").and_then(Value::as_array);
        let version = versions
            .into_iter()
            .flatten()
            .find(|v| v.get("referenceable") == Some(&Value::Bool(true)))
            .ok_or("spec.versions has no version with referenceable: true")?;
        let group = text(xrd, "/spec/group")?;
        Ok(Self {
            api_version: format!("{group}/{}", text(version, "/name")?),
            claim_kind: text(xrd, "/spec/claimNames/kind")?,
            composite_kind: text(xrd, "/spec/names/kind")?,
            spec_schema: version
                .pointer("/schema/openAPIV3Schema/properties/spec")
                .cloned()
                .unwrap_or_default(),
        })
    }

    /// Whether an object is one of this XRD's claims.
    #[must_use]
    pub fn is_claim(&self, object: &Object) -> bool {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        text("apiVersion") == Some(&self.api_version) && text("kind") == Some(&self.claim_kind)
    }

    /// Fills in the schema's defaults, as the API server does when it takes a claim.
    pub fn apply_defaults(&self, claim: &mut Object) {
        if let Some(spec) = claim.get_mut("spec") {
            apply_defaults(spec, &self.spec_schema);
        }
    }
}

/// Structural defaulting, parents before children: a default that brings an object is itself
/// filled in. A null where null is not allowed counts as absent: it becomes the default, or goes
/// (`k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting`).
fn apply_defaults(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(object) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (key, property) in properties.into_iter().flatten() {
                let nullable = property.get("nullable") == Some(&Value::Bool(true));
                let absent = object.get(key).is_none_or(|v| v.is_null() && !nullable);
                match property.get("default") {
                    Some(default) if absent => {
                        object.insert(key.clone(), default.clone());
                    }
                    None if absent => {
                        object.remove(key);
                    }
                    _ => {}
                }
                if let Some(child) = object.get_mut(key) {
                    apply_defaults(child, property);
                }
            }
            if let Some(additional) = schema.get("additionalProperties").filter(|a| a.is_object()) {
                let declared = |key: &str| properties.is_some_and(|p| p.contains_key(key));
                for (_, child) in object.iter_mut().filter(|(key, _)| !declared(key)) {
                    apply_defaults(child, additional);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| apply_defaults(item, schema));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_fill_what_is_absent() {
        let schema = json!({
            "properties": {
                "a": {"default": 1},
                "o": {"default": {}, "properties": {"x": {"default": "y"}}},
                "p": {"properties": {"x": {"default": "y"}}},
                "n": {"default": 1, "nullable": true},
                "l": {"items": {"properties": {"b": {"default": false}}}},
                "m": {"additionalProperties": {"properties": {"b": {"default": false}}}},
                "e": {"type": "array"},
                "k": {"nullable": true},
            }
        });
        let mut value = json!({
            "a": null, "n": null, "l": [{}, {"b": true}], "m": {"k": {}},
            "e": null, "k": null, "p": null,
        });
        apply_defaults(&mut value, &schema);
        assert_eq!(
            value,
            json!({
                "a": 1, "o": {"x": "y"}, "n": null, "k": null,
                "l": [{"b": false}, {"b": true}], "m": {"k": {"b": false}},
            })
        );
    }
}
