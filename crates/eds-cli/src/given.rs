//! One claim that a command is given, and what `eds render` makes of it.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use eds_adopt as adopt;
use eds_claims as claims;
use eds_core::composition::{self, Composition, Inputs};
use kube_schema::diagnostics::FileFindings;
use kube_schema::schema::ClaimApi;
use kube_schema::yaml;
use patch_and_transform::protocol::{Object, normalize};
use serde_json::{Value, json};

use crate::inputs::{self, Source};
use crate::{api, embedded, output};

/// A valid claim.
pub(crate) struct Given {
    /// As it was written.
    pub(crate) written: Value,
    /// With its defaults.
    pub(crate) claim: Value,
}

impl Given {
    /// Reads the one claim of a file. Findings of an invalid one are printed.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::parse(Source::read(path)?)
    }

    fn parse(source: Source) -> Result<Self> {
        let api = api::load(None)?;
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
        Ok(Self { written: node.to_json(), claim: Value::Object(claim.object().clone()) })
    }

    /// The minimal example, for a command that is given none.
    pub(crate) fn minimal() -> Result<Self> {
        let text = embedded::MINIMAL_CLAIM.to_owned();
        Self::parse(Source { name: "the built-in minimal claim".to_owned(), text })
    }

    /// The same claim in another namespace.
    pub(crate) fn in_namespace(mut self, namespace: &str) -> Self {
        for claim in [&mut self.written, &mut self.claim] {
            if let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("namespace".to_owned(), json!(namespace));
            }
        }
        self
    }

    /// A string of the claim.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.claim.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The Composition that `eds render` uses, as it would stand in the cluster.
pub(crate) fn built_in_composition() -> Result<Value> {
    let built_in = yaml::parse(embedded::COMPOSITION);
    let built_in = built_in.documents.first().map(yaml::Node::to_json);
    built_in.context("the built-in Composition is empty")
}

/// The built-in API and Composition.
pub(crate) struct Platform {
    pub(crate) api: ClaimApi,
    composition: Composition,
    composite_kind: String,
}

impl Platform {
    pub(crate) fn built_in() -> Result<Self> {
        let (api, composite) = api::load_with_composite(None)?;
        let source = Source {
            name: "the built-in Composition".to_owned(),
            text: embedded::COMPOSITION.to_owned(),
        };
        let composition = Composition::parse(&Value::Object(inputs::single(&source)?))
            .map_err(|e| anyhow!(e))
            .with_context(|| source.name.clone())?;
        Ok(Self { api, composition, composite_kind: composite.kind })
    }

    /// For manifests, of which some name no namespace.
    pub(crate) fn for_namespace<'a>(&'a self, namespace: &'a str) -> adopt::Platform<'a> {
        let Self { api, composition, composite_kind } = self;
        adopt::Platform { api, composition, composite_kind, namespace }
    }

    /// The manifests that a claim with its defaults becomes.
    pub(crate) fn manifests(&self, claim: &Value) -> Result<Vec<Value>> {
        let mut claim: Object = claim.as_object().cloned().unwrap_or_default();
        claim.values_mut().for_each(normalize);
        let composite = composition::composite_of(&claim, &self.composite_kind);
        let inputs = Inputs { composite, ..Inputs::default() };
        let rendered = composition::render(&self.composition, &inputs)?;
        Ok(rendered.manifests().cloned().map(Value::Object).collect())
    }
}

/// The manifests that the built-in Composition makes of a claim with its defaults.
pub(crate) fn manifests(claim: &Value) -> Result<Vec<Value>> {
    Platform::built_in()?.manifests(claim)
}
