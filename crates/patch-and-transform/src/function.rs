//! Runs the function. Mirrors `fn.go`.
//!
//! Keeps upstream's order, because results are reported in it: input, validation, patch sets,
//! environment patches, then each template. A fatal result ends the run and returns the desired
//! state and the context as they came, with one exception: see [`Run::fatal`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::connection::{self, Details};
use super::input::decode;
use super::input::patches::{
    COMBINE_FROM_COMPOSITE, COMBINE_FROM_ENVIRONMENT, COMBINE_TO_COMPOSITE, COMBINE_TO_ENVIRONMENT,
    FROM_COMPOSITE, FROM_ENVIRONMENT, PATCH_SET, Patch, PatchSetPatch, TO_COMPOSITE,
    TO_ENVIRONMENT, type_or_default,
};
use super::input::resources::{ComposedTemplate, Environment, PatchSet, Resources};
use super::patches::{Source, Target, apply_combine, apply_from_field_path, check_growth};
use super::ready::{NotChecked, is_ready};
use super::unstructured::{
    api_version, from_base, gvk_is_empty, kind, name, namespace, set_metadata,
};
use super::validate;
use crate::fieldpath::Error;
use crate::protocol::{
    FunctionResult, GoOn, Object, Ready, Resource, RunFunctionRequest, RunFunctionResponse,
    Severity, State, Target as ResultTarget,
};
use golang::strconv::quote;

/// The context key of the composition environment.
pub const ENVIRONMENT: &str = "apiextensions.crossplane.io/environment";

/// How long a response is valid.
const TTL: Duration = Duration::from_secs(60);

/// Runs patch-and-transform. Problems with a request are reported in the response's results.
#[must_use]
pub fn run(request: RunFunctionRequest) -> RunFunctionResponse {
    run_while(request, &|| true)
}

/// [`run`], for as long as `go_on` returns true: it is asked before each patch and during long
/// matches.
#[must_use]
pub fn run_while(request: RunFunctionRequest, go_on: GoOn<'_>) -> RunFunctionResponse {
    let RunFunctionRequest { tag, observed, desired, input, context, .. } = request;
    let response =
        RunFunctionResponse { tag, ttl: Some(TTL), desired, context, ..Default::default() };
    let run = Run { response, connection: None, go_on };

    let input = match decode::resources(input.unwrap_or_default()) {
        Ok(input) => input,
        Err(error) => {
            return run.fatal(format!(
                "cannot get Function input: cannot get function input *v1beta1.Resources from \
                 *v1.RunFunctionRequest: cannot unmarshal JSON from *structpb.Struct into \
                 *v1beta1.Resources: {error}"
            ));
        }
    };
    if let Err(error) = validate::resources(&input) {
        return run.fatal(format!("invalid Function input: {error}"));
    }
    run.compose(&observed, input)
}

/// One run.
struct Run<'r> {
    response: RunFunctionResponse,
    go_on: GoOn<'r>,
    /// The composite's connection details, while the run changes them.
    connection: Option<Details>,
}

/// What a run produces.
struct Made {
    /// The desired composite.
    dxr: Target,
    /// The environment.
    env: Target,
    /// Composed resources made by templates, by pipeline name.
    composed: BTreeMap<String, (Target, Ready)>,
    /// How many templates were skipped because a required field is missing.
    skipped: usize,
    /// Bytes that patches wrote to composed resources.
    grown: usize,
}

/// One patch of a template, including those of patch sets.
type TemplatePatch<'t> = (&'t str, &'t Patch);

impl Run<'_> {
    fn compose(mut self, observed: &State, mut input: Resources) -> RunFunctionResponse {
        let no_object = Object::new();
        let composite = observed.composite.as_ref().and_then(|c| c.resource.as_ref());
        let oxr = composite.unwrap_or(&no_object);

        let sets = PatchSets::new(std::mem::take(&mut input.patch_sets));
        if let Some(missing) = missing_patch_set(&sets, &input.resources) {
            return self.fatal(format!(
                "cannot resolve PatchSets: cannot find PatchSet by name {missing}"
            ));
        }
        let mut made = match self.start(oxr) {
            Ok(made) => made,
            Err(error) => return self.fatal(error.to_string()),
        };
        if let Some(environment) = &input.environment
            && let Err(error) = patch_environment(environment, oxr, &mut made, self.go_on)
        {
            return self.fatal(error.to_string());
        }
        for template in std::mem::take(&mut input.resources) {
            if let Err(error) = self.template(template, &sets, oxr, observed, &mut made) {
                return self.fatal(error.to_string());
            }
        }
        self.finish(oxr, &input, made)
    }

    /// Copies the desired composite and the environment to start from: a fatal result returns the
    /// originals.
    fn start(&mut self, oxr: &Object) -> Result<Made, Error> {
        let composite = self.response.desired.composite.as_ref();
        let mut dxr = composite.and_then(|c| c.resource.clone()).unwrap_or_default();
        dxr.insert("apiVersion".to_owned(), json!(api_version(oxr)));
        dxr.insert("kind".to_owned(), json!(kind(oxr)));
        self.connection = composite.map(|c| c.connection_details.clone());

        let environment = self.response.context.as_ref().and_then(|c| c.get(ENVIRONMENT));
        let mut env = environment.and_then(Value::as_object).cloned().unwrap_or_default();
        if gvk_is_empty(&env) {
            env.insert("apiVersion".to_owned(), json!("internal.crossplane.io/v1alpha1"));
            env.insert("kind".to_owned(), json!("Environment"));
        }
        Ok(Made {
            dxr: Target::from_wire(dxr)
                .map_err(|e| e.wrap("cannot get desired composite resource"))?,
            env: Target::from_wire(env).map_err(|e| {
                e.wrap(format!(
                    "cannot get Composition environment from *v1.RunFunctionRequest context key {}",
                    quote(ENVIRONMENT)
                ))
            })?,
            composed: BTreeMap::new(),
            skipped: 0,
            grown: 0,
        })
    }

    /// Renders one template.
    fn template(
        &mut self,
        template: ComposedTemplate,
        sets: &PatchSets,
        oxr: &Object,
        observed: &State,
        made: &mut Made,
    ) -> Result<(), Error> {
        let quoted = quote(&template.name);
        let mut dcd = match template.base {
            Some(base) => {
                let object = from_base(base).map_err(|e| {
                    e.wrap(format!("cannot parse base template of composed resource {quoted}"))
                })?;
                Target { object, normalized: true, grown: 0 }
            }
            None => self.desired(&template.name, made)?.ok_or_else(|| {
                Error::new(format!(
                    "composed resource {quoted} has no base template, and was not produced by a \
                     previous Function in the pipeline"
                ))
            })?,
        };

        let mut ready = Ready::Unspecified;
        let empty = Object::new();
        let exists = observed.resources.get(&template.name);
        let ocd = exists.map(|r| r.resource.as_ref().unwrap_or(&empty));
        if let (Some(resource), Some(ocd)) = (exists, ocd) {
            // Keep the template associated with what exists.
            set_metadata(&mut dcd.object, "namespace", namespace(ocd));
            set_metadata(&mut dcd.object, "name", name(ocd));
            let details = self.connection.get_or_insert_default();
            connection::extract(resource, &template.connection_details, details);
            let context = || format!("cannot check readiness of composed resource {quoted}");
            match is_ready(ocd, &template.readiness_checks) {
                Ok(true) => ready = Ready::True,
                Ok(false) => {}
                Err(NotChecked::Warning(error)) => self.warn(error.wrap(context()).to_string()),
                Err(NotChecked::Fatal(error)) => return Err(error.wrap(context())),
            }
        }

        let patches = template.patches.iter().flat_map(|p| -> Vec<TemplatePatch<'_>> {
            if p.type_ != PATCH_SET {
                return vec![(type_or_default(&p.type_), &p.patch)];
            }
            let set = p.patch_set_name.as_deref().and_then(|name| sets.0.get(name));
            let patches = set.map(Vec::as_slice).unwrap_or_default();
            patches.iter().map(|p| (type_or_default(&p.type_), &p.patch)).collect()
        });
        for (i, (type_, patch)) in patches.enumerate() {
            if !(self.go_on)() {
                return Err(Error::new("stopped"));
            }
            let applied = apply_composed(type_, patch, ocd, oxr, &mut dcd, made, self.go_on);
            let Err(error) = applied else {
                continue;
            };
            if !error.is_not_found() {
                return Err(error.wrap(format!(
                    "cannot render composed resource {quoted} \"{type_}\" patch at index {i}"
                )));
            }
            if patch.from_policy() != "Required" {
                continue;
            }
            // A required field is missing: do not create what depends on it.
            if to_composed(type_) && ocd.is_none() {
                self.warn(
                    error
                        .wrap(format!(
                            "not adding new composed resource {quoted} to desired state because \
                     \"{type_}\" patch at index {i} has 'policy.fromFieldPath: Required'"
                        ))
                        .to_string(),
                );
                made.skipped += 1;
                return Ok(());
            }
            self.warn(
                error
                    .wrap(format!(
                        "cannot render composed resource {quoted} \"{type_}\" patch at index {i}: \
                 ignoring 'policy.fromFieldPath: Required' because 'to' resource already exists"
                    ))
                    .to_string(),
            );
        }
        made.grown = made.grown.saturating_add(dcd.grown);
        check_growth(made.grown)
            .map_err(|e| e.wrap(format!("cannot render composed resource {quoted}")))?;
        made.composed.insert(template.name, (dcd, ready));
        Ok(())
    }

    /// Copies what is desired under a name so far.
    fn desired(&self, name: &str, made: &Made) -> Result<Option<Target>, Error> {
        if let Some((target, _)) = made.composed.get(name) {
            return Ok(Some(target.clone()));
        }
        let Some(resource) = self.response.desired.resources.get(name) else { return Ok(None) };
        let object = resource.resource.clone().unwrap_or_default();
        let context = || format!("cannot get desired composed resource {}", quote(name));
        Target::from_wire(object).map(Some).map_err(|e| e.wrap(context()))
    }

    fn finish(mut self, oxr: &Object, input: &Resources, mut made: Made) -> RunFunctionResponse {
        let details = self.connection.take().unwrap_or_default();
        if !details.is_empty() && !connection::are_supported(oxr) {
            let reference = input.write_connection_secret_to_ref.as_ref();
            match connection::compose_secret(oxr, &details, reference, self.go_on) {
                Ok(object) => {
                    let secret = Target { object, normalized: true, grown: 0 };
                    let name = format!("{}-connection-secret", name(oxr));
                    made.composed.insert(name, (secret, Ready::True));
                }
                Err(error) => {
                    self.connection = Some(details);
                    return self.fatal(format!("cannot compose connection secret: {error}"));
                }
            }
        }

        // Nothing depends on it any more, so numbers become what the protocol's types have.
        let targets = [&mut made.dxr, &mut made.env];
        let composed = made.composed.values_mut().map(|(target, _)| target);
        for target in targets.into_iter().chain(composed) {
            target.normalize();
        }

        let desired = &mut self.response.desired;
        desired.composite = Some(Resource {
            resource: Some(made.dxr.object),
            connection_details: details,
            ready: if made.skipped > 0 { Ready::False } else { Ready::Unspecified },
        });
        // Upstream rewrites what earlier steps desired, and loses their connection details.
        for resource in desired.resources.values_mut() {
            resource.resource.get_or_insert_default();
            resource.connection_details.clear();
        }
        for (name, (target, ready)) in made.composed {
            let resource = Some(target.object);
            let resource = Resource { resource, ready, ..Default::default() };
            desired.resources.insert(name, resource);
        }
        let context = self.response.context.get_or_insert_default();
        context.insert(ENVIRONMENT.to_owned(), Value::Object(made.env.object));
        self.response
    }

    fn warn(&mut self, message: String) {
        self.result(Severity::Warning, message);
    }

    /// Ends the run. If the desired composite already had connection details, the response includes
    /// the ones this run extracted: upstream writes into the request's own map.
    fn fatal(mut self, message: String) -> RunFunctionResponse {
        if let (Some(composite), Some(details)) =
            (&mut self.response.desired.composite, self.connection.take())
            && !composite.connection_details.is_empty()
        {
            composite.connection_details = details;
        }
        self.result(Severity::Fatal, message);
        self.response
    }

    fn result(&mut self, severity: Severity, message: String) {
        let target = Some(ResultTarget::Composite);
        self.response.results.push(FunctionResult { severity, message, reason: None, target });
    }
}

/// Patch sets by name; of several with the same name, the last one counts.
struct PatchSets(BTreeMap<String, Vec<PatchSetPatch>>);

impl PatchSets {
    fn new(sets: Vec<PatchSet>) -> Self {
        Self(sets.into_iter().map(|set| (set.name, set.patches)).collect())
    }
}

/// Returns the first patch set that a template names but nobody defined.
fn missing_patch_set<'t>(sets: &PatchSets, templates: &'t [ComposedTemplate]) -> Option<&'t str> {
    let patches = templates.iter().flat_map(|t| &t.patches).filter(|p| p.type_ == PATCH_SET);
    let mut names = patches.map(|p| p.patch_set_name.as_deref().unwrap_or_default());
    names.find(|name| !sets.0.contains_key(*name))
}

/// Applies the patches between the observed composite, the environment and the desired composite.
fn patch_environment(
    environment: &Environment,
    oxr: &Object,
    made: &mut Made,
    go_on: GoOn<'_>,
) -> Result<(), Error> {
    let Made { dxr, env, .. } = made;
    for (i, p) in environment.patches.iter().enumerate() {
        if !go_on() {
            return Err(Error::new("stopped"));
        }
        let (type_, patch) = (type_or_default(&p.type_), &p.patch);
        let applied = match type_ {
            FROM_COMPOSITE | TO_ENVIRONMENT => {
                apply_from_field_path(patch, Source::Wire(oxr), env, go_on)
            }
            COMBINE_FROM_COMPOSITE => apply_combine(patch, type_, Source::Wire(oxr), env, go_on),
            TO_COMPOSITE | FROM_ENVIRONMENT => {
                apply_from_field_path(patch, env.source(), dxr, go_on)
            }
            COMBINE_TO_COMPOSITE => apply_combine(patch, type_, env.source(), dxr, go_on),
            // Validation lets no other type through.
            _ => Ok(()),
        };
        match applied {
            Err(error) if error.is_not_found() && patch.from_policy() == "Optional" => {}
            applied => applied.map_err(|e| {
                e.wrap(format!("cannot apply the \"{type_}\" environment patch at index {i}"))
            })?,
        }
    }
    Ok(())
}

/// Reports whether a patch type changes the composed resource, rather than reading it.
fn to_composed(type_: &str) -> bool {
    matches!(
        type_,
        FROM_COMPOSITE | COMBINE_FROM_COMPOSITE | FROM_ENVIRONMENT | COMBINE_FROM_ENVIRONMENT
    )
}

/// Applies one patch of a template. Patches go from observed to desired state; one that reads a
/// composed resource that does not exist yet does nothing.
fn apply_composed(
    type_: &str,
    patch: &Patch,
    ocd: Option<&Object>,
    oxr: &Object,
    dcd: &mut Target,
    made: &mut Made,
    go_on: GoOn<'_>,
) -> Result<(), Error> {
    let Made { dxr, env, .. } = made;
    let (single, from, to) = match (type_, ocd) {
        (FROM_COMPOSITE, _) => (true, Source::Wire(oxr), dcd),
        (COMBINE_FROM_COMPOSITE, _) => (false, Source::Wire(oxr), dcd),
        (FROM_ENVIRONMENT, _) => (true, env.source(), dcd),
        (COMBINE_FROM_ENVIRONMENT, _) => (false, env.source(), dcd),
        (TO_COMPOSITE, Some(ocd)) => (true, Source::Wire(ocd), dxr),
        (COMBINE_TO_COMPOSITE, Some(ocd)) => (false, Source::Wire(ocd), dxr),
        (TO_ENVIRONMENT, Some(ocd)) => (true, Source::Wire(ocd), env),
        (COMBINE_TO_ENVIRONMENT, Some(ocd)) => (false, Source::Wire(ocd), env),
        _ => return Ok(()),
    };
    if single {
        apply_from_field_path(patch, from, to, go_on)
    } else {
        apply_combine(patch, type_, from, to, go_on)
    }
}
