//! Turns the built-in API from YAML into JSON: `eds` reads it at every start, and JSON takes a tenth
//! of the time. A test compares the two.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

/// What is built in, and the file that it becomes: a list of its documents.
const BUILT_IN: [(&str, &str); 3] = [
    ("definitions/xeventdrivenservices.yaml", "xrd.json"),
    ("compositions/event-driven-service-composition.yaml", "composition.json"),
    ("definitions/claim-names.yaml", "policies.json"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let api = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../platform/04-apis");
    let out = env::var("OUT_DIR")?;
    for (from, to) in BUILT_IN {
        let from = api.join(from);
        println!("cargo:rerun-if-changed={}", from.display());
        let documents: Vec<serde_json::Value> =
            serde_saphyr::from_multiple(&fs::read_to_string(&from)?)
                .map_err(|e| format!("{}: {e}", from.display()))?;
        fs::write(Path::new(&out).join(to), serde_json::to_string(&documents)?)?;
    }
    Ok(())
}
