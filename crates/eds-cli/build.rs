//! Turns the built-in API from YAML into JSON: `eds` reads it at every start, and JSON takes a
//! tenth of the time. A test compares the two. What Crossplane makes of the XRD, the schema of what
//! application developers write, is made here.
//!
//! The namespaced form is what the patches of its overlay make of the same files, here as in
//! `kubectl kustomize`.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use kube_object::crossplane::{crd, lines};
use serde_json::Value;

const XRD: &str = "definitions/xeventdrivenservices.yaml";
const COMPOSITION: &str = "compositions/event-driven-service-composition.yaml";
const POLICIES: &str = "definitions/claim-names.yaml";

/// The overlay of the namespaced form.
const NAMESPACED: &str = "overlays/namespaced/kustomization.yaml";

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let api = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../platform/04-apis");
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    let [xrd, composition, policies] =
        [XRD, COMPOSITION, POLICIES].map(|file| read(&api.join(file)));
    fs::write(out.join("policies.json"), Value::Array(policies?).to_string())?;
    let (mut xrd, mut composition) = (first(xrd?)?, first(composition?)?);
    write(out, "claims", &xrd, &composition)?;
    let overlay = first(read(&api.join(NAMESPACED))?)?;
    patch(&mut xrd, &overlay)?;
    patch(&mut composition, &overlay)?;
    write(out, "namespaced", &xrd, &composition)
}

/// Writes what a form has.
fn write(out: &Path, form: &str, xrd: &Value, composition: &Value) -> Result<(), Failure> {
    let write = |what: &str, value: &Value| {
        fs::write(out.join(format!("{form}-{what}.json")), value.to_string())
    };
    write("xrd", xrd)?;
    write("composition", composition)?;
    let written = crd::definition(xrd, crd::written(xrd))?;
    write("names", &written.names())?;
    fs::write(out.join(format!("{form}-schema.jsonl")), lines::write(written.schema()))?;
    let mut outline = xrd.clone();
    let versions = outline.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten().filter_map(Value::as_object_mut) {
        version.remove("schema");
    }
    if crd::served(&outline).count() != 1 {
        return Err("eds is built with one version of the API, and the XRD serves more".into());
    }
    Ok(write("outline", &outline)?)
}

/// Makes of an object what the overlay makes of its kind.
fn patch(object: &mut Value, overlay: &Value) -> Result<(), Failure> {
    let patches = overlay.get("patches").and_then(Value::as_array);
    let patches = patches.ok_or("the overlay of the namespaced form has no patches")?;
    let kind = object.get("kind").cloned();
    for patch in patches.iter().filter(|p| p.pointer("/target/kind") == kind.as_ref()) {
        let operations = patch.get("patch").and_then(Value::as_str);
        let operations = operations.ok_or("a patch has no operations")?;
        let operations: json_patch::Patch = serde_saphyr::from_str(operations)?;
        json_patch::patch(object, &operations).map_err(|e| format!("{NAMESPACED}: {e}"))?;
    }
    Ok(())
}

fn first(documents: Vec<Value>) -> Result<Value, Failure> {
    documents.into_iter().next().ok_or_else(|| "a file holds no document".into())
}

fn read(path: &Path) -> Result<Vec<Value>, Failure> {
    println!("cargo:rerun-if-changed={}", path.display());
    let documents = serde_saphyr::from_multiple(&fs::read_to_string(path)?);
    Ok(documents.map_err(|e| format!("{}: {e}", path.display()))?)
}
