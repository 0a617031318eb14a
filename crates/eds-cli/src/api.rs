//! The API that claims are checked against and composed with: built in, or from files that the user
//! names.
//!
//! ```text
//! Xrd          one definition: its kinds, and what claims are checked against
//! Api          the same with its Composition: what claims become
//! ```

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};
use eds_adopt as adopt;
use eds_cluster::gather::BuiltIn;
use eds_core::composition::{self, Composition, Inputs, Rendered};
use eds_core::form::Form;
use kube_object::crossplane::crd::{self, Definition, Side};
use kube_object::crossplane::lines::Lines;
use kube_object::object::Fields;
use kube_schema::schema::ClaimApi;
use kube_schema::yaml;
use patch_and_transform::protocol::Object;
use serde_json::Value;

use crate::claim::Claim;
use crate::embedded::{self, Embedded};
use crate::inputs::Source;

/// An XRD or CRD.
pub(crate) struct Xrd {
    /// The file's name.
    pub(crate) name: String,
    /// The file's, or the built-in one's when it is first asked for.
    value: OnceLock<Value>,
    built_in: Option<BuiltInXrd>,
}

/// What is read of a built-in XRD at every start.
struct BuiltInXrd {
    embedded: &'static Embedded,
    outline: Value,
}

impl Xrd {
    /// Loads the first XRD or CRD in the file that the user names, or the built-in one of a form.
    pub(crate) fn load(file: Option<&Path>, form: Form) -> Result<Self> {
        let Some(file) = file else {
            let embedded = Embedded::of(form);
            let built_in = Some(BuiltInXrd { embedded, outline: built_in(embedded.outline)? });
            let name = "the built-in XRD".to_owned();
            return Ok(Self { name, value: OnceLock::new(), built_in });
        };
        let source = Source::read(file)?;
        let stream = source.parse();
        if let Some(problem) = stream.problems.first() {
            let at = problem.span.start;
            bail!("{}:{}:{}: {}", source.name, at.line, at.column, problem.message);
        }
        let kinds = ["CompositeResourceDefinition", "CustomResourceDefinition"];
        let is_one = |document: &&yaml::Node| {
            let kind = document.get("kind").and_then(yaml::Node::as_str);
            kind.is_some_and(|kind| kinds.contains(&kind))
        };
        let found = stream.documents.iter().find(is_one).map(yaml::Node::to_json);
        let value = found.ok_or_else(|| anyhow!("{}: holds no XRD or CRD", source.name))?;
        Ok(Self { name: source.name, value: OnceLock::from(value), built_in: None })
    }

    /// Returns the XRD or CRD itself.
    pub(crate) fn value(&self) -> &Value {
        self.value.get_or_init(|| {
            // A test reads it.
            let text = self.built_in.as_ref().map(|built_in| built_in.embedded.xrd);
            serde_json::from_str(text.unwrap_or_default()).unwrap_or_default()
        })
    }

    /// Returns the XRD or CRD, maybe without its schemas.
    pub(crate) fn outline(&self) -> &Value {
        self.built_in.as_ref().map_or_else(|| self.value(), |built_in| &built_in.outline)
    }

    /// Returns the kind that application developers write.
    pub(crate) fn written(&self) -> Side {
        crd::written(self.outline())
    }

    /// Returns one of the kinds that it defines; for a CRD, its own. At its storage version if none
    /// is named.
    pub(crate) fn definition(&self, side: Side, version: Option<&str>) -> Result<Definition> {
        let definition = crd::definition_at(self.value(), side, version);
        definition.map_err(|e| anyhow!(e)).with_context(|| self.name.clone())
    }

    /// Returns what claims are checked against. The built-in API brings its admission policies.
    pub(crate) fn claims(&self) -> Result<ClaimApi> {
        let Some(BuiltInXrd { embedded, .. }) = &self.built_in else {
            let api = ClaimApi::from_xrd(self.value());
            return api.map_err(|e| anyhow!(e)).with_context(|| self.name.clone());
        };
        let definition =
            Definition::prepared(&built_in(embedded.names)?, Lines::of(embedded.schema));
        let api = ClaimApi::new(definition).map_err(|e| anyhow!(e))?;
        Ok(policies().iter().fold(api, |api, policy| api.with_policy(policy)))
    }
}

/// Returns the admission policies installed with the built-in API.
pub(crate) fn policies() -> Vec<Value> {
    match built_in(embedded::CLAIM_NAMES) {
        Ok(Value::Array(policies)) => policies,
        _ => Vec::new(),
    }
}

/// Returns the built-in Composition of a form, as it would be in the cluster.
pub(crate) fn built_in_composition(form: Form) -> Result<Value> {
    built_in(Embedded::of(form).composition)
}

/// Returns those of both forms, for commands that learn from the cluster which one it has.
pub(crate) fn built_in_compositions() -> Result<BuiltIn> {
    let of = built_in_composition;
    Ok(BuiltIn { claims: of(Form::Claims)?, namespaced: of(Form::Namespaced)? })
}

fn built_in(json: &str) -> Result<Value> {
    serde_json::from_str(json).context("the built-in API is damaged")
}

/// An API with the Composition for its composites.
pub(crate) struct Api {
    /// What claims are checked against.
    pub(crate) claims: ClaimApi,
    form: Form,
    composite_kind: String,
    composition: Composition,
}

impl Api {
    /// Returns the built-in one of a form.
    pub(crate) fn built_in(form: Form) -> Result<Self> {
        let xrd = Xrd::load(None, form)?;
        let composite_kind = xrd.outline().text("/spec/names/kind").to_owned();
        let composition = built_in_composition(form)?;
        let composition = Composition::parse(&composition).map_err(|e| anyhow!(e))?;
        Ok(Self { claims: xrd.claims()?, form, composite_kind, composition })
    }

    /// Renders what a claim becomes, given existing composed resources, and others that a function
    /// may ask for.
    pub(crate) fn render(
        &self,
        claim: &Claim,
        observed: Vec<Object>,
        required: Vec<Object>,
    ) -> Result<Rendered, composition::Error> {
        let claim = claim.clone().into_object();
        let machinery = self.form.machinery();
        let composite = match self.form {
            Form::Claims => composition::composite_of(&claim, &self.composite_kind),
            Form::Namespaced => claim,
        };
        composition::render(
            &self.composition,
            &Inputs { composite, machinery, observed, required, ..Inputs::default() },
        )
    }

    /// Returns the manifests that a claim becomes.
    pub(crate) fn manifests(&self, claim: &Claim) -> Result<Vec<Value>, composition::Error> {
        let rendered = self.render(claim, Vec::new(), Vec::new())?;
        Ok(rendered.manifests().cloned().map(Value::Object).collect())
    }

    /// Returns the platform for manifests, some of which name no namespace.
    pub(crate) fn for_namespace<'a>(&'a self, namespace: &'a str) -> adopt::Platform<'a> {
        let Self { claims: api, composition, composite_kind, .. } = self;
        adopt::Platform { api, composition, composite_kind, namespace }
    }
}
