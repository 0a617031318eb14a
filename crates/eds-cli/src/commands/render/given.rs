//! What `eds render` was given besides claims: XRDs, Compositions, Functions, and what is in the
//! cluster. Chooses among them by what is rendered.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use eds_core::composition::{Composition, Inputs, Machinery, composite_of};
use eds_core::form::Form;
use kube_object::crossplane::crd::{self, Side};
use kube_object::object::{self, Fields};
use kube_schema::schema::ClaimApi;
use patch_and_transform::protocol::Object;
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
    /// Whether it is made of what a developer wrote, which knows nothing of the composite in a
    /// cluster.
    pub(super) is_written: bool,
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
            for object in inputs::many(std::slice::from_ref(file))? {
                let Some(function) = Function::of(&object) else {
                    let (kind, name) = (object.text("/kind"), object.name());
                    bail!("{}: {kind} {name} is not a Function", file.display());
                };
                given.functions.push(function);
            }
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
        let types = || self.compositions.iter().map(|(_, c)| &c.composite_type);
        let is_its = |(of, composed): &(String, String)| of == api_version && composed == kind;
        if types().any(is_its) {
            if !self.xrds.is_empty() {
                bail!(
                    "{}, which is not {kind} ({api_version}): name its XRD, too, or none",
                    self.said_of_xrds()
                );
            }
            // Without an XRD there are no defaults.
            return self.chosen(object.clone(), Machinery::InCrossplane, None).map(Some);
        }
        if types().any(|(of, composed)| composed == kind && object::group(of) == group) {
            bail!(
                "there is no Composition for {kind} ({api_version}); {}",
                self.said_of_compositions()
            );
        }
        let is_claim = |(of, composed): &(String, String)| {
            of == api_version && composed.strip_prefix('X') == Some(kind)
        };
        let is_own = self.built_in.as_ref().is_some_and(|own| is_claim(&own.composite_type));
        if types().any(is_claim) && self.xrds.is_empty() && !is_own {
            bail!(
                "a claim needs its XRD, which says which composite it becomes: name it with --xrd"
            );
        }
        Ok(None)
    }

    /// Says which composites the XRDs define.
    fn said_of_xrds(&self) -> String {
        let one = |xrd: &Value| {
            let (kind, group) = (xrd.text("/spec/names/kind"), xrd.text("/spec/group"));
            format!("XRD {} defines {kind} ({group})", xrd.name())
        };
        self.xrds.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// Says what the Compositions compose.
    fn said_of_compositions(&self) -> String {
        let one = |(file, c): &(String, Composition)| {
            format!("{file} is for {} ({})", c.composite_type.1, c.composite_type.0)
        };
        match self.compositions.is_empty() {
            true => "none was given".to_owned(),
            false => self.compositions.iter().map(one).collect::<Vec<_>>().join(", "),
        }
    }

    /// Returns the root of a composite of the built-in API's claims.
    pub(super) fn of_composite(&self, object: &Object, xrd: &Value) -> Result<Root<'_>> {
        let version = object.text("/apiVersion").split('/').nth(1).unwrap_or_default();
        let composite = with_defaults(object, xrd, Side::Composite, version)?;
        self.chosen(composite, machinery(xrd), Some(xrd))
    }

    /// Names the options' functions that no Composition calls.
    pub(super) fn uncalled<'a>(&'a self, named: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let compositions = self.compositions.iter().map(|(_, composition)| composition);
        let steps = || compositions.clone().chain(&self.built_in).flat_map(|c| &c.steps);
        named.filter(|name| !steps().any(|step| step.function_name == *name)).collect()
    }

    /// Returns the root of what an application developer wrote, with its defaults.
    pub(super) fn of_valid(&self, object: Object, xrd: &Value) -> Result<Root<'_>> {
        match machinery(xrd) {
            Machinery::InSpec => self.of_claim(&object, xrd),
            in_crossplane @ Machinery::InCrossplane => {
                let root = self.chosen(object, in_crossplane, Some(xrd))?;
                Ok(Root { is_written: true, ..root })
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
        let made = claim.text("/spec/resourceRef/name");
        if let (false, Some(Value::Object(metadata))) =
            (made.is_empty(), composite.get_mut("metadata"))
        {
            metadata.insert("name".to_owned(), json!(made));
        }
        if let Some(policy) = xrd.at("/spec/defaultCompositionUpdatePolicy")
            && let Some(Value::Object(spec)) = composite.get_mut("spec")
        {
            spec.entry("compositionUpdatePolicy").or_insert_with(|| policy.clone());
        }
        let root = self.chosen(composite, Machinery::InSpec, Some(xrd))?;
        Ok(Root { is_written: true, ..root })
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
            bail!(
                "there is no Composition for {kind} ({version}); {}",
                self.said_of_compositions()
            );
        };
        let names = || of_type.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        // Crossplane's command is given one Composition, and takes it whatever the reference says.
        let is_choice = of_type.len() > 1;
        let named = |wanted: &Value| {
            let wanted = wanted.get("name")?.as_str()?;
            of_type.iter().find(|c| c.name == wanted)
        };
        let referred = |field: &str, wanted: Option<&Value>| match wanted.map(|w| (w, named(w))) {
            Some((wanted, None)) if is_choice && !wanted.text("/name").is_empty() => bail!(
                "{field} names {}, which is none of the Compositions {}",
                wanted.text("/name"),
                names()
            ),
            found => Ok(found.and_then(|(_, found)| found)),
        };
        let in_xrd = |field: &str| xrd.and_then(|xrd| xrd.at(&format!("/spec/{field}")));
        let selector = machinery.get(&composite, "compositionSelector");
        let labels = selector.and_then(|s| s.get("matchLabels")?.as_object());
        let lacks = |c: &Composition| {
            let mut wanted = labels.into_iter().flatten();
            wanted.find(|(k, v)| c.labels.get(*k).map(String::as_str) != v.as_str())
        };
        let enforced =
            referred("the XRD's enforcedCompositionRef", in_xrd("enforcedCompositionRef"))?;
        let by_reference = match enforced {
            None => referred("compositionRef", machinery.get(&composite, "compositionRef"))?,
            enforced => enforced,
        };
        let selected = || of_type.iter().find(|c| labels.is_some() && lacks(c).is_none());
        let found = by_reference.or_else(selected);
        let chosen = found.unwrap_or(first);
        if let Some((label, value)) = lacks(chosen)
            && (is_choice && by_reference.is_none() || machinery == Machinery::InCrossplane)
        {
            bail!(
                "Composition {} lacks the label {label}: {value} of the compositionSelector; there \
                 is {}",
                chosen.name,
                names()
            );
        }
        let found = found.or_else(|| named(in_xrd("defaultCompositionRef")?));
        if found.is_none() && of_type.len() > 1 {
            output::note(&format!(
                "{kind} {name}: rendered with the first of the Compositions {}: compositionRef or \
                 compositionSelector chooses another",
                names()
            ));
        }
        let composition = found.unwrap_or(first);
        let inputs = Inputs { composite, machinery, ..Inputs::default() };
        Ok(Root { composition, inputs, is_written: false })
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

/// Returns an object with the API server's defaults.
fn with_defaults(object: &Object, xrd: &Value, side: Side, version: &str) -> Result<Object> {
    let api = ClaimApi::at(xrd, side, version).map_err(|e| anyhow!(e));
    let api = api.with_context(|| format!("XRD {}", xrd.name()))?;
    let mut versions = xrd.list("/spec/versions");
    let found = versions.find(|found| found.text("/name") == version);
    if found.is_some_and(|found| found.object("/schema/openAPIV3Schema").is_none()) {
        bail!("XRD {}: version {version} has no schema.openAPIV3Schema", xrd.name());
    }
    let mut value = Value::Object(object.clone());
    if !api.apply_defaults(&mut value) {
        bail!("it is too large once defaults are filled in");
    }
    let Value::Object(object) = value else { bail!("not an object") };
    Ok(object)
}
