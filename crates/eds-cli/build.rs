//! Turns the built-in API from YAML into JSON: `eds` reads it at every start, and JSON takes a tenth
//! of the time. A test compares the two.
//!
//! The namespaced form is what the patches of its overlay make of the same files, here as in
//! `kubectl kustomize`.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

/// What is built in, and the file that it becomes: a list of its documents.
const BUILT_IN: [(&str, &str); 3] = [
    ("definitions/xeventdrivenservices.yaml", "xrd.json"),
    ("compositions/event-driven-service-composition.yaml", "composition.json"),
    ("definitions/claim-names.yaml", "policies.json"),
];

/// The overlay of the namespaced form.
const NAMESPACED: &str = "overlays/namespaced/kustomization.yaml";

fn main() -> Result<(), Box<dyn Error>> {
    let api = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../platform/04-apis");
    let out = env::var("OUT_DIR")?;
    let write = |to: &str, documents: &[Value]| -> Result<(), Box<dyn Error>> {
        Ok(fs::write(Path::new(&out).join(to), serde_json::to_string(documents)?)?)
    };
    let overlay = read(&api.join(NAMESPACED))?;
    let patches = overlay.first().and_then(|overlay| overlay.get("patches")?.as_array());
    let patches = patches.ok_or("the overlay of the namespaced form has no patches")?;
    for (from, to) in BUILT_IN {
        let mut documents = read(&api.join(from))?;
        write(to, &documents)?;
        for document in &mut documents {
            let kind = document.get("kind").cloned();
            for patch in patches.iter().filter(|p| p.pointer("/target/kind") == kind.as_ref()) {
                let operations = patch.get("patch").and_then(Value::as_str);
                let operations = operations.ok_or("a patch has no operations")?;
                let operations: json_patch::Patch = serde_saphyr::from_str(operations)?;
                json_patch::patch(document, &operations).map_err(|e| format!("{from}: {e}"))?;
            }
        }
        write(&format!("namespaced-{to}"), &documents)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    println!("cargo:rerun-if-changed={}", path.display());
    let documents = serde_saphyr::from_multiple(&fs::read_to_string(path)?);
    Ok(documents.map_err(|e| format!("{}: {e}", path.display()))?)
}
