//! The one claim given to a command.

use std::path::Path;

use anyhow::{Context, Result, bail};
use eds_claims as claims;
use eds_core::form::Form;
use kube_schema::diagnostics::FileFindings;
use serde_json::{Value, json};

use crate::api::Xrd;
use crate::claim::Claim;
use crate::inputs::Source;
use crate::{embedded, output};

/// A valid claim.
pub(crate) struct Given {
    /// As written.
    pub(crate) written: Value,
    /// With its defaults.
    pub(crate) claim: Claim,
}

impl Given {
    /// Reads the one claim of a file. If it is invalid, prints its findings.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::parse(Source::read(path)?)
    }

    fn parse(source: Source) -> Result<Self> {
        // The cluster has the last word; until then, the file says which form it is written for.
        let form = source.objects().ok().and_then(|objects| {
            objects.into_iter().find_map(|object| Form::of(&Value::Object(object)))
        });
        let api = Xrd::load(None, form.unwrap_or_default())?.claims()?;
        let mut checked = claims::check(&source.text, &api, claims::Options::default());
        let name = source.name.clone();
        if checked.claims.len() > 1 {
            bail!("{name}: holds {} claims, one is wanted", checked.claims.len());
        }
        let (found, node) = checked
            .claims
            .pop()
            .with_context(|| format!("{name}: holds no {}", api.definition.kind))?;
        let Some(claim) = found.claim() else {
            output::findings(&FileFindings::new(source.name, source.text, checked.findings));
            bail!("{name}: the claim is not valid");
        };
        Ok(Self { written: node.to_json(), claim: Claim::valid(claim) })
    }

    /// Returns the minimal example, for a command that is given none.
    pub(crate) fn minimal() -> Result<Self> {
        let text = embedded::MINIMAL_CLAIM.to_owned();
        Self::parse(Source { name: "the built-in minimal claim".to_owned(), text })
    }

    /// Moves the claim to another namespace.
    pub(crate) fn in_namespace(mut self, namespace: &str) -> Self {
        if let Some(metadata) = self.written.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        Self { claim: self.claim.in_namespace(namespace), ..self }
    }

    /// Returns a string of the claim.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.claim.text(pointer)
    }
}
