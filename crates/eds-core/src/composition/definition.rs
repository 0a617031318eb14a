//! A Composition's pipeline.

use std::collections::BTreeMap;

use kube_object::object::Fields;
use serde_json::Value;

use super::strings;
use crate::functions::{self, Function};
use patch_and_transform::protocol::{Match, Object, ResourceSelector, normalize};

/// A Composition in Pipeline mode.
#[derive(Debug, Clone)]
pub struct Composition {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// API version and kind of the composites that it applies to.
    pub composite_type: (String, String),
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// `writeConnectionSecretsToNamespace`.
    pub(super) secrets_namespace: Option<String>,
}

/// One step of the pipeline.
#[derive(Debug, Clone)]
pub struct Step {
    /// `step`: its name.
    pub name: String,
    /// `functionRef.name`.
    pub function_name: String,
    /// `input`, with numbers as the wire would carry them.
    pub input: Option<Object>,
    /// The function, if it is built in.
    pub function: Option<Function>,
    /// `credentials` from Secrets: their name in the request, the Secret's namespace and name.
    pub(super) credentials: Vec<[String; 3]>,
    /// `requirements.requiredResources`, which the step is given at once.
    pub(super) required: BTreeMap<String, ResourceSelector>,
}

impl Composition {
    /// Reads a Composition. Errors name the field.
    pub fn parse(composition: &Value) -> Result<Self, String> {
        let (kind, api_version) = (text(composition, "/kind")?, text(composition, "/apiVersion")?);
        if kind != "Composition" || !api_version.starts_with("apiextensions.crossplane.io/") {
            return Err(format!("this is a {kind} ({api_version}), not a Composition"));
        }
        let mode = composition.at("/spec/mode").and_then(Value::as_str);
        let is_native = mode.is_none() && composition.at("/spec/resources").is_some();
        if is_native || mode.is_some_and(|mode| mode != "Pipeline") {
            return Err(format!(
                "spec.mode is {}, which Crossplane 2 does not have; `crossplane composition \
                 convert` makes a pipeline of it",
                mode.unwrap_or("Resources"),
            ));
        }
        let pipeline = composition.list("/spec/pipeline");
        let step = |(i, step)| Step::parse(step).map_err(|e| format!("spec.pipeline[{i}].{e}"));
        let secrets_namespace = composition.at("/spec/writeConnectionSecretsToNamespace");
        Ok(Self {
            name: composition.name().to_owned(),
            labels: composition
                .object("/metadata")
                .map(|m| strings(m, "labels"))
                .unwrap_or_default(),
            composite_type: (
                text(composition, "/spec/compositeTypeRef/apiVersion")?,
                text(composition, "/spec/compositeTypeRef/kind")?,
            ),
            steps: pipeline.enumerate().map(step).collect::<Result<_, _>>()?,
            secrets_namespace: secrets_namespace.and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// Recognizes functions by the packages of Functions: pairs of a Function's name and its
    /// `spec.package`. A Function can have any name in a cluster, and a step's input can be meant
    /// for another function.
    pub fn recognize(&mut self, packages: &[(String, String)]) {
        for step in &mut self.steps {
            let package = packages.iter().find(|(name, _)| *name == step.function_name);
            let Some((_, package)) = package else { continue };
            let function = functions::of_package(package);
            if function.is_some() || functions::is_of_another(package) {
                step.function = function;
            }
        }
    }

    /// Returns the names of the composed resources in the order in which the steps' inputs list
    /// them, which is the order a person expects.
    pub(super) fn order(&self) -> impl Iterator<Item = &str> {
        self.steps
            .iter()
            .filter_map(|s| s.input.as_ref()?.get("resources")?.as_array())
            .flatten()
            .filter_map(|r| r.get("name")?.as_str())
    }
}

impl Step {
    fn parse(step: &Value) -> Result<Self, String> {
        let function_name = text(step, "/functionRef/name")?;
        let input = match step.get("input") {
            None | Some(Value::Null) => None,
            Some(Value::Object(input)) => {
                let mut input = input.clone();
                input.values_mut().for_each(normalize);
                Some(input)
            }
            Some(_) => return Err("input must be an object".to_owned()),
        };
        let credentials = step.list("/credentials").filter(|c| c.text("/source") == "Secret");
        let credentials = credentials.map(|c| {
            ["/name", "/secretRef/namespace", "/secretRef/name"].map(|at| c.text(at).to_owned())
        });
        let required = step.list("/requirements/requiredResources");
        let function = functions::select(&function_name, input.as_ref());
        Ok(Self {
            name: text(step, "/step")?,
            credentials: credentials.collect(),
            required: required.map(requirement).collect(),
            function_name,
            input,
            function,
        })
    }
}

fn requirement(from: &Value) -> (String, ResourceSelector) {
    let labels = from.as_object().map(|from| strings(from, "matchLabels")).unwrap_or_default();
    let match_ = match from.text("/name") {
        "" => Match::Labels(labels),
        name => Match::Name(name.to_owned()),
    };
    let selector = ResourceSelector {
        api_version: from.text("/apiVersion").to_owned(),
        kind: from.text("/kind").to_owned(),
        match_,
        namespace: from.at("/namespace").and_then(Value::as_str).map(str::to_owned),
    };
    (from.text("/requirementName").to_owned(), selector)
}

fn text(value: &Value, path: &str) -> Result<String, String> {
    let found = value.at(path).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| format!("{} is missing", path.trim_start_matches('/').replace('/', ".")))
}
