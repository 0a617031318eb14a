//! Is a Composition in the cluster complete, and can Crossplane run it?

use eds_core::form::Form;
use kube_object::object::{Fields, group};
use serde_json::Value;

use super::platform::packages::provider_config;
use super::{Check, Report, Status, Unread, package};

/// The kinds that every claim becomes.
pub const KINDS: [(&str, &str); 4] = [
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("keda.sh/v1alpha1", "ScaledObject"),
];

/// What was found in the cluster, each list as the API server returned it.
#[derive(Debug, Clone, Default)]
pub struct CompositionFacts {
    /// Compositions.
    pub compositions: Vec<Value>,
    /// CompositionRevisions.
    pub revisions: Vec<Value>,
    /// The XRD.
    pub xrd: Option<Value>,
    /// The form of the API that it offers.
    pub form: Form,
    /// Whether the XRD of the other form is there too.
    pub both_forms: bool,
    /// Functions.
    pub functions: Vec<Value>,
    /// FunctionRevisions.
    pub function_revisions: Vec<Value>,
    /// Pods of Crossplane's namespace.
    pub pods: Vec<Value>,
    /// The Composition that `eds render` uses.
    pub built_in: Value,
    /// Which of these may not be read.
    pub unread: Unread,
}

impl CompositionFacts {
    /// Says how to install the API in the form that the cluster has.
    pub(super) const fn install(&self) -> &'static str {
        match self.form {
            Form::Claims => "install the API: kubectl apply -k platform/04-apis",
            Form::Namespaced => {
                "install the API: kubectl apply -k platform/04-apis/overlays/namespaced"
            }
        }
    }

    /// Returns the Compositions for the XRD's composite, by name.
    pub fn ours(&self) -> impl Iterator<Item = &Value> {
        self.compositions.iter().filter(|c| {
            c.text("/spec/compositeTypeRef/kind")
                == self.built_in.text("/spec/compositeTypeRef/kind")
                && group(c.text("/spec/compositeTypeRef/apiVersion"))
                    == group(self.built_in.text("/spec/compositeTypeRef/apiVersion"))
        })
    }
}

/// Judges one Composition by name, or all for the XRD's composite.
#[must_use]
pub fn report(facts: &CompositionFacts, wanted: Option<&str>) -> Report {
    let mut report = Report::default();
    let found: Vec<&Value> = match wanted {
        Some(wanted) => facts.compositions.iter().filter(|c| c.name() == wanted).collect(),
        None => facts.ours().collect(),
    };
    if found.is_empty() {
        let check = facts.unread.or("exists", &["compositions"], || missing(facts, wanted));
        report.add("Composition", vec![check]);
    }
    for composition in found {
        let title = format!("Composition {}", composition.name());
        report.add(title, checks(facts, composition));
        report.add("Resource templates", templates(facts, composition));
    }
    report
}

/// Reports that there is no such Composition, and which ones there are.
pub(super) fn missing(facts: &CompositionFacts, wanted: Option<&str>) -> Check {
    let names: Vec<&str> = facts.compositions.iter().map(Fields::name).collect();
    let there = match names.as_slice() {
        [] => "there is no Composition at all".to_owned(),
        names => format!("there are {}", names.join(", ")),
    };
    let cause = match wanted {
        Some(wanted) => format!("there is no Composition {wanted}; {there}"),
        None => {
            let kind = facts.built_in.text("/spec/compositeTypeRef/kind");
            format!("no Composition is for {kind}; {there}")
        }
    };
    Check::failed("exists", cause, facts.install())
}

/// Sums up a Composition: the first thing wrong with it, or that Crossplane accepts it.
pub(super) fn summary(facts: &CompositionFacts, composition: &Value) -> Check {
    let title = format!("Composition {}", composition.name());
    let checks = [
        for_the_xrd(facts, composition),
        mode(composition),
        patch_and_transform(facts, composition),
        accepted(facts, composition),
    ];
    match checks.into_iter().find(|check| check.status == Status::Failed) {
        Some(failed) => Check { name: title, ..failed },
        None => Check::passed(title, format!("accepted, {}", form(composition))),
    }
}

fn mode(composition: &Value) -> Check {
    let mode = composition.text("/spec/mode");
    if mode == "Pipeline" {
        return Check::passed("mode", "Pipeline");
    }
    Check::failed("mode", format!("spec.mode is {mode:?}"), "set spec.mode to Pipeline")
}

fn checks(facts: &CompositionFacts, composition: &Value) -> Vec<Check> {
    let mut checks = vec![Check::passed("exists", form(composition))];
    checks.push(for_the_xrd(facts, composition));
    checks.push(mode(composition));
    for step in composition.list("/spec/pipeline") {
        let function = step.text("/functionRef/name");
        let title = format!("step {}", step.text("/step"));
        let needs = ["functions", "functionrevisions", "pods"];
        checks.push(facts.unread.or(&title, &needs, || {
            let revisions = &facts.function_revisions;
            package::check(&title, "Function", function, &facts.functions, revisions, &facts.pods)
        }));
    }
    checks.push(patch_and_transform(facts, composition));
    checks.push(accepted(facts, composition));
    checks.push(as_built_in(facts, composition));
    checks
}

/// Says how the manifests are applied.
fn form(composition: &Value) -> String {
    match provider_config(composition) {
        Some(config) => format!("as provider-kubernetes Objects, by ProviderConfig {config}"),
        None => "composed by Crossplane directly".to_owned(),
    }
}

fn for_the_xrd(facts: &CompositionFacts, composition: &Value) -> Check {
    const NAME: &str = "composite type";
    let api_version = composition.text("/spec/compositeTypeRef/apiVersion");
    let kind = composition.text("/spec/compositeTypeRef/kind");
    let Some(xrd) = &facts.xrd else {
        return facts.unread.or(NAME, &["compositeresourcedefinitions"], || {
            Check::failed(NAME, format!("there is no XRD that defines {kind}"), facts.install())
        });
    };
    let version = api_version.split_once('/').map_or("", |(_, version)| version);
    let served = xrd
        .list("/spec/versions")
        .any(|v| v.text("/name") == version && v.get("served") == Some(&Value::Bool(true)));
    let defined = xrd.text("/spec/names/kind");
    if group(api_version) == xrd.text("/spec/group") && kind == defined && served {
        return Check::passed(NAME, format!("{kind} ({api_version}), of XRD {}", xrd.name()));
    }
    let cause = format!(
        "spec.compositeTypeRef is {kind} ({api_version}), but XRD {} defines {defined} ({})",
        xrd.name(),
        xrd.text("/spec/group"),
    );
    Check::failed(NAME, cause, "let spec.compositeTypeRef name what the XRD defines and serves")
}

fn patch_and_transform(facts: &CompositionFacts, composition: &Value) -> Check {
    const NAME: &str = "patch-and-transform";
    let inputs = || composition.list("/spec/pipeline").filter_map(|step| step.get("input"));
    let found = inputs().find(|input| group(input.text("/apiVersion")) == "pt.fn.crossplane.io");
    match found {
        Some(input) => {
            let count = input.list("/resources").count();
            Check::passed(NAME, format!("{count} resource templates and their patches"))
        }
        None => Check::failed(
            NAME,
            "no step has an input of function-patch-and-transform",
            facts.install(),
        ),
    }
}

/// Checks that Crossplane accepted a Composition: it records it as a revision, and says on the
/// newest whether its functions can be used in a pipeline.
fn accepted(facts: &CompositionFacts, composition: &Value) -> Check {
    const NAME: &str = "accepted by Crossplane";
    let of_it = |revision: &&Value| {
        revision.text("/metadata/labels/crossplane.io~1composition-name") == composition.name()
    };
    let number = |r: &&Value| r.integer("/spec/revision");
    let Some(newest) = facts.revisions.iter().filter(of_it).max_by_key(number) else {
        return facts.unread.or(NAME, &["compositionrevisions"], || {
            let fix =
                "does Crossplane run? kubectl -n crossplane-system logs deployment/crossplane";
            Check::failed(NAME, "Crossplane has made no CompositionRevision of it", fix)
        });
    };
    let same = newest.at("/spec/pipeline") == composition.at("/spec/pipeline");
    if !same {
        let cause = format!("its newest revision {} is of an older state", newest.name());
        let fix = "does Crossplane run? kubectl -n crossplane-system logs deployment/crossplane";
        return Check::failed(NAME, cause, fix);
    }
    if let Some(why) = newest.why_not("ValidPipeline") {
        let fix = format!("kubectl describe compositionrevision {}", newest.name());
        return Check::failed(NAME, format!("revision {}: {why}", newest.name()), fix);
    }
    Check::passed(NAME, format!("revision {}, its pipeline is valid", newest.name()))
}

/// Checks that it equals the built-in one: only then does `eds render` show what it does.
fn as_built_in(facts: &CompositionFacts, composition: &Value) -> Check {
    const NAME: &str = "as in eds render";
    let mut expected = facts.built_in.at("/spec/pipeline").cloned().unwrap_or_default();
    let mut live = composition.at("/spec/pipeline").cloned().unwrap_or_default();
    for pipeline in [&mut expected, &mut live] {
        // Wrapping into Objects or not is the choice between the two installed forms.
        for step in pipeline.as_array_mut().into_iter().flatten() {
            if let Some(input) = step.get_mut("input").and_then(Value::as_object_mut) {
                input.remove("objects");
            }
        }
    }
    if expected == live {
        return Check::passed(NAME, "the pipeline is the one that this eds was built with");
    }
    Check::warning(
        NAME,
        "the pipeline differs from the one that this eds was built with",
        "render with --composition, from: kubectl get composition -o yaml; or install the API of \
         this version",
    )
}

fn templates(facts: &CompositionFacts, composition: &Value) -> Vec<Check> {
    let templates = composition.list("/spec/pipeline").flat_map(|s| s.list("/input/resources"));
    let mut checks = Vec::new();
    let mut missing = KINDS.to_vec();
    for template in templates {
        // A template may be wrapped into an Object by hand.
        let base = template.at("/base/spec/forProvider/manifest").or(template.get("base"));
        let base = base.unwrap_or(&Value::Null);
        let (api_version, kind) = (base.text("/apiVersion"), base.text("/kind"));
        let patches = template.list("/patches").count();
        missing.retain(|m| *m != (api_version, kind));
        checks.push(Check::passed(
            template.text("/name"),
            format!("{kind} ({api_version}), {patches} patches"),
        ));
    }
    for (api_version, kind) in missing {
        checks.push(Check::failed(
            kind,
            format!("no template makes a {kind} ({api_version})"),
            facts.install(),
        ));
    }
    checks
}
