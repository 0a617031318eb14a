//! A Composition's pipeline.

use kube_object::object::Fields;
use serde_json::Value;

use crate::functions::{self, Function};
use patch_and_transform::protocol::{Object, normalize};

/// A Composition in Pipeline mode, with a function here for every step.
#[derive(Debug, Clone)]
pub struct Composition {
    /// `metadata.name`.
    pub name: String,
    /// API version and kind of the composites that it applies to.
    pub composite_type: (String, String),
    /// Its steps, in order.
    pub steps: Vec<Step>,
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
    pub(super) function: Function,
}

impl Composition {
    /// Reads a Composition. Errors name the field or, if a function is missing here, the function.
    pub fn parse(composition: &Value) -> Result<Self, String> {
        let text = |value: &Value, path: &str| -> Result<String, String> {
            value.at(path).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
                format!("{} is missing", path.trim_start_matches('/').replace('/', "."))
            })
        };
        let kind = text(composition, "/kind")?;
        let api_version = text(composition, "/apiVersion")?;
        if kind != "Composition" || !api_version.starts_with("apiextensions.crossplane.io/") {
            return Err(format!("this is a {kind} ({api_version}), not a Composition"));
        }
        let mode = composition.at("/spec/mode").and_then(Value::as_str).unwrap_or("Pipeline");
        if mode != "Pipeline" {
            return Err(format!("spec.mode is {mode}; only Pipeline is known"));
        }
        let pipeline = composition
            .at("/spec/pipeline")
            .and_then(Value::as_array)
            .filter(|steps| !steps.is_empty())
            .ok_or("spec.pipeline has no steps")?;
        let mut steps = Vec::with_capacity(pipeline.len());
        for (i, step) in pipeline.iter().enumerate() {
            let in_step = |e| format!("spec.pipeline[{i}].{e}");
            let name = text(step, "/step").map_err(in_step)?;
            let function_name = text(step, "/functionRef/name").map_err(in_step)?;
            let input = match step.get("input") {
                None | Some(Value::Null) => None,
                Some(Value::Object(input)) => {
                    let mut input = input.clone();
                    input.values_mut().for_each(normalize);
                    Some(input)
                }
                Some(_) => return Err(in_step("input must be an object".to_owned())),
            };
            let function = functions::select(&function_name, input.as_ref()).ok_or_else(|| {
                format!(
                    "step {name:?} (spec.pipeline[{i}]) calls function {function_name}, which \
                         is not built in; {}",
                    functions::accepted(),
                )
            })?;
            steps.push(Step { name, function_name, input, function });
        }
        Ok(Self {
            name: text(composition, "/metadata/name")?,
            composite_type: (
                text(composition, "/spec/compositeTypeRef/apiVersion")?,
                text(composition, "/spec/compositeTypeRef/kind")?,
            ),
            steps,
        })
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
