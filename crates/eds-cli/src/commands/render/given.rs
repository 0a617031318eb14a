//! What `eds render` was given besides claims: XRDs, Compositions, Functions, and what is in the
//! cluster. Chooses among them by what is rendered.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use eds_core::composition::{Composition, Inputs, Machinery, composite_of};
use eds_core::form::Form;
use kube_object::crossplane::crd::{self, Side};
use kube_object::object::Fields;
use kube_schema::schema::ClaimApi;
use patch_and_transform::protocol::{Object, normalize};
use serde_json::{Value, json};

use super::functions::Function;
use crate::api::built_in_composition;
use crate::inputs::{self, Source};
use crate::output;

/// XRDs, Compositions and Functions: those that were given, and the built-in ones.
#[derive(Default)]
pub(super) struct Given {
    xrds: Vec<Value>,
    compositions: Vec<(String, Composition)>,
    built_in: Option<Composition>,
    functions: Vec<Function>,
}

/// A composite to render, and with what.
pub(super) struct Root<'a> {
    pub(super) composition: &'a Composition,
    pub(super) inputs: Inputs,
}

impl Given {
    /// Reads the files that options name.
    pub(super) fn load(
        xrds: &[PathBuf],
        compositions: &[PathBuf],
        functions: &[PathBuf],
    ) -> Result<Self> {
        let mut given = Self::default();
        for file in xrds {
            let found = read(file)?.into_iter().filter(is_definition);
            let before = given.xrds.len();
            given.xrds.extend(found);
            if given.xrds.len() == before {
                bail!("{}: holds no XRD or CRD", file.display());
            }
        }
        for file in compositions {
            let name = file.display().to_string();
            let all = read(file)?;
            let only = |value: &Value| is_composition(value) || all.len() == 1;
            let found: Vec<&Value> = all.iter().filter(|value| only(value)).collect();
            if found.is_empty() {
                bail!("{name}: holds no Composition");
            }
            for value in found {
                given.add_composition(&name, value)?;
            }
        }
        for file in functions {
            let found = inputs::many(std::slice::from_ref(file))?;
            given.functions.extend(found.iter().filter_map(Function::of));
        }
        Ok(given)
    }

    /// Takes the XRDs, Compositions and Functions that stand among the claims of a file. Returns
    /// how many these are.
    pub(super) fn take(&mut self, source: &Source) -> Result<usize> {
        // Most files hold claims alone, and need not be read twice.
        if !source.text.contains("apiextensions.") && !source.text.contains("pkg.crossplane.io/") {
            return Ok(0);
        }
        let Ok(objects) = source.objects() else { return Ok(0) };
        let mut taken = 0;
        for value in objects.into_iter().map(Value::Object) {
            taken += 1;
            if is_composition(&value) {
                self.add_composition(&source.name, &value)?;
            } else if is_definition(&value) {
                self.xrds.push(value);
            } else if let Some(function) = value.as_object().and_then(Function::of) {
                self.functions.push(function);
            } else {
                taken -= 1;
            }
        }
        Ok(taken)
    }

    fn add_composition(&mut self, name: &str, value: &Value) -> Result<()> {
        let composition = Composition::parse(value).map_err(|e| anyhow!(e));
        let composition = composition.with_context(|| name.to_owned())?;
        self.compositions.push((name.to_owned(), composition));
        Ok(())
    }

    /// Ends the reading: Compositions learn which Function is in which package.
    pub(super) fn finish(&mut self, form: Form) -> Result<()> {
        let packages = self.functions.iter().map(|f| (f.name.clone(), f.package.clone()));
        let packages: Vec<(String, String)> = packages.collect();
        for (_, composition) in &mut self.compositions {
            composition.recognize(&packages);
        }
        if self.compositions.is_empty() || self.xrds.is_empty() {
            let composition = Composition::parse(&built_in_composition(form)?);
            self.built_in = Some(composition.map_err(|e| anyhow!(e))?);
        }
        Ok(())
    }

    pub(super) fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Returns whether claims are those of the built-in API, whatever they are composed with.
    pub(super) fn is_built_in(&self) -> bool {
        self.xrds.is_empty()
    }

    /// Returns whether nothing but the built-in API is used.
    pub(super) fn is_all_built_in(&self) -> bool {
        self.xrds.is_empty() && self.compositions.is_empty()
    }

    /// Names the kinds that can be rendered.
    pub(super) fn kinds(&self) -> String {
        let in_xrd = |xrd: &Value| {
            ["/spec/claimNames/kind", "/spec/names/kind"].map(|field| xrd.text(field).to_owned())
        };
        let composed = self.compositions.iter().map(|(_, c)| c.composite_type.1.clone());
        let mut kinds: Vec<String> = self.xrds.iter().flat_map(in_xrd).chain(composed).collect();
        kinds.retain(|kind| !kind.is_empty());
        kinds.sort();
        kinds.dedup();
        kinds.join(" or ")
    }

    /// Returns a claim's or a composite's root; `None` if it is neither. The API server's defaults
    /// are filled in, nothing is checked.
    pub(super) fn root(&self, object: &Object, namespace: &str) -> Result<Option<Root<'_>>> {
        let api_version = object.text("/apiVersion");
        let Some((group, version)) = api_version.split_once('/') else { return Ok(None) };
        let kind = object.text("/kind");
        let of_group = self.xrds.iter().filter(|xrd| xrd.text("/spec/group") == group);
        for xrd in of_group {
            let is = |field: &str| !kind.is_empty() && xrd.text(field) == kind;
            if is("/spec/names/kind") {
                let machinery = machinery(xrd);
                let composite = with_defaults(object, xrd, Side::Composite, version)?;
                return self.chosen(composite, machinery, Some(xrd)).map(Some);
            }
            if is("/spec/claimNames/kind") {
                let mut claim = with_defaults(object, xrd, Side::Claim, version)?;
                if claim.namespace().is_empty()
                    && let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut)
                {
                    metadata.insert("namespace".to_owned(), json!(namespace));
                }
                return self.of_claim(&claim, xrd).map(Some);
            }
        }
        let is_its = |(_, c): &&(String, Composition)| {
            c.composite_type.0 == api_version && c.composite_type.1 == kind
        };
        if self.compositions.iter().any(|composition| is_its(&composition)) {
            // Without an XRD there are no defaults.
            let mut composite = object.clone();
            composite.values_mut().for_each(normalize);
            return self.chosen(composite, Machinery::InCrossplane, None).map(Some);
        }
        Ok(None)
    }

    /// Returns the root of what an application developer wrote, with its defaults.
    pub(super) fn of_valid(&self, object: Object, xrd: &Value) -> Result<Root<'_>> {
        match machinery(xrd) {
            Machinery::InSpec => self.of_claim(&object, xrd),
            in_crossplane @ Machinery::InCrossplane => {
                self.chosen(object, in_crossplane, Some(xrd))
            }
        }
    }

    /// Returns the root of a claim that has its defaults.
    fn of_claim(&self, claim: &Object, xrd: &Value) -> Result<Root<'_>> {
        if claim.name().is_empty() {
            bail!(
                "this {} has no metadata.name: the API server would make one before Crossplane \
                 makes a composite of it; give it one",
                claim.text("/kind")
            );
        }
        let mut composite = composite_of(claim, xrd.text("/spec/names/kind"));
        if let Some(policy) = xrd.at("/spec/defaultCompositionUpdatePolicy")
            && let Some(Value::Object(spec)) = composite.get_mut("spec")
        {
            spec.entry("compositionUpdatePolicy").or_insert_with(|| policy.clone());
        }
        self.chosen(composite, Machinery::InSpec, Some(xrd))
    }

    /// Chooses the Composition.
    fn chosen(
        &self,
        composite: Object,
        machinery: Machinery,
        xrd: Option<&Value>,
    ) -> Result<Root<'_>> {
        let (version, kind) = (composite.text("/apiVersion"), composite.text("/kind"));
        let is_its = |c: &Composition| {
            (c.composite_type.0.as_str(), c.composite_type.1.as_str()) == (version, kind)
        };
        let mut of_type: Vec<&Composition> =
            self.compositions.iter().map(|(_, c)| c).filter(|c| is_its(c)).collect();
        of_type.extend(self.built_in.as_ref().filter(|c| of_type.is_empty() && is_its(c)));
        let name = composite.name();
        let Some(first) = of_type.first() else {
            let given: Vec<String> = self
                .compositions
                .iter()
                .map(|(file, c)| {
                    format!("{file} is for {} ({})", c.composite_type.1, c.composite_type.0)
                })
                .collect();
            let given =
                if given.is_empty() { "none was given".to_owned() } else { given.join(", ") };
            bail!("{kind} {name}: there is no Composition for {kind} ({version}); {given}");
        };
        let named = |wanted: Option<&Value>| {
            let wanted = wanted.and_then(|reference| reference.get("name")?.as_str())?;
            of_type.iter().find(|c| c.name == wanted)
        };
        let in_xrd = |field: &str| xrd.and_then(|xrd| xrd.at(&format!("/spec/{field}")));
        let selector = machinery.get(&composite, "compositionSelector");
        let labels = selector.and_then(|s| s.get("matchLabels")?.as_object());
        let selects = |c: &&&Composition| {
            labels.is_some_and(|labels| {
                labels.iter().all(|(k, v)| c.labels.get(k).map(String::as_str) == v.as_str())
            })
        };
        let by_reference = named(in_xrd("enforcedCompositionRef"))
            .or_else(|| named(machinery.get(&composite, "compositionRef")));
        let found = by_reference.or_else(|| of_type.iter().find(selects));
        if found.is_none() && labels.is_some() && machinery == Machinery::InCrossplane {
            bail!("{kind} {name}: no Composition has the labels of its compositionSelector");
        }
        let found = found.or_else(|| named(in_xrd("defaultCompositionRef")));
        if found.is_none() && of_type.len() > 1 {
            let names: Vec<&str> = of_type.iter().map(|c| c.name.as_str()).collect();
            output::note(&format!(
                "{kind} {name}: rendered with the first of the Compositions {}: compositionRef or \
                 compositionSelector chooses another",
                names.join(", ")
            ));
        }
        let composition = found.unwrap_or(first);
        Ok(Root { composition, inputs: Inputs { composite, machinery, ..Inputs::default() } })
    }
}

fn read(file: &Path) -> Result<Vec<Value>> {
    Ok(Source::read(file)?.objects()?.into_iter().map(Value::Object).collect())
}

fn is_definition(value: &Value) -> bool {
    ["CompositeResourceDefinition", "CustomResourceDefinition"].contains(&value.text("/kind"))
        && value.text("/apiVersion").starts_with("apiextensions.")
}

fn is_composition(value: &Value) -> bool {
    value.text("/kind") == "Composition"
        && value.text("/apiVersion").starts_with("apiextensions.crossplane.io/")
}

fn machinery(xrd: &Value) -> Machinery {
    match crd::is_legacy(xrd) {
        true => Machinery::InSpec,
        false => Machinery::InCrossplane,
    }
}

/// Returns an object with the API server's defaults, and with numbers as on the wire.
fn with_defaults(object: &Object, xrd: &Value, side: Side, version: &str) -> Result<Object> {
    let api = ClaimApi::at(xrd, side, version).map_err(|e| anyhow!(e));
    let api = api.with_context(|| format!("XRD {}", xrd.name()))?;
    let mut value = Value::Object(object.clone());
    if !api.apply_defaults(&mut value) {
        bail!(
            "{} {}: it is too large once defaults are filled in",
            object.text("/kind"),
            object.name()
        );
    }
    normalize(&mut value);
    let Value::Object(object) = value else { bail!("not an object") };
    Ok(object)
}
