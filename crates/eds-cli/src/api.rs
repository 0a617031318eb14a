//! The API that claims are checked against: the built-in XRD, or one that the user names.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use kube_schema::schema::{ClaimApi, Definition, Side, crd};
use kube_schema::yaml;
use serde_json::Value;

use crate::embedded;
use crate::inputs::Source;

/// Loads and compiles it. The built-in one comes with the policies that are installed beside it.
pub(crate) fn load(file: Option<&Path>) -> Result<ClaimApi> {
    let source = source(file)?;
    compile(file, &source, &definition(&source)?)
}

/// The same, with the composite that the XRD defines.
pub(crate) fn load_with_composite(file: Option<&Path>) -> Result<(ClaimApi, Definition)> {
    let source = source(file)?;
    let xrd = definition(&source)?;
    let composite = kind(&source, &xrd, Side::Composite)?;
    Ok((compile(file, &source, &xrd)?, composite))
}

fn compile(file: Option<&Path>, source: &Source, xrd: &Value) -> Result<ClaimApi> {
    let mut api =
        ClaimApi::from_xrd(xrd).map_err(|e| anyhow!(e)).with_context(|| source.name.clone())?;
    if file.is_none() {
        for policy in policies() {
            api = api.with_policy(&policy);
        }
    }
    Ok(api)
}

/// The admission policies that are installed beside the built-in API.
pub(crate) fn policies() -> Vec<Value> {
    yaml::parse(embedded::CLAIM_NAMES).documents.iter().map(yaml::Node::to_json).collect()
}

/// One of the kinds that an XRD defines, or a CRD's own.
pub(crate) fn kind(source: &Source, xrd: &Value, side: Side) -> Result<Definition> {
    crd::definition(xrd, side).map_err(|e| anyhow!(e)).with_context(|| source.name.clone())
}

/// The file that the user names, or the built-in XRD.
pub(crate) fn source(file: Option<&Path>) -> Result<Source> {
    match file {
        Some(path) => Source::read(path),
        None => Ok(Source { name: "the built-in XRD".to_owned(), text: embedded::XRD.to_owned() }),
    }
}

/// The first XRD or CRD of a file.
pub(crate) fn definition(source: &Source) -> Result<Value> {
    let stream = source.parse();
    if let Some(problem) = stream.problems.first() {
        let at = problem.span.start;
        return Err(anyhow!("{}:{}:{}: {}", source.name, at.line, at.column, problem.message));
    }
    let kinds = ["CompositeResourceDefinition", "CustomResourceDefinition"];
    let documents = stream.documents.iter();
    documents
        .filter(|d| d.get("kind").and_then(yaml::Node::as_str).is_some_and(|k| kinds.contains(&k)))
        .map(yaml::Node::to_json)
        .next()
        .ok_or_else(|| anyhow!("{}: holds no XRD or CRD", source.name))
}
