//! Compositions of others: the golden output of `eds render` against that of Crossplane's command.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::both::{Both, equal, write};
use crate::documents;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/eds-cli/tests/compositions")
}

/// Renders each Composition that both sides can, and returns how many there are.
pub(crate) fn compare(both: &Both) -> Result<usize, String> {
    let mut compared = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // What begins so is more than Crossplane's command does, or needs functions that are not here.
        if path.extension().is_none_or(|ending| ending != "yaml") || text.starts_with("# ours") {
            continue;
        }
        let golden = fs::read_to_string(path.with_extension("golden")).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let ours = parts(documents(&golden));
        let theirs = parts(crossplane(both, &path, &text, &ours.0[0])?);
        equal(name, &json!(ours.0), &json!(theirs.0))?;
        equal(&format!("{name}: results"), &json!(ours.1), &json!(theirs.1))?;
        compared += 1;
    }
    Ok(compared)
}

/// Returns the documents with every condition at one time, and apart from them the results, which
/// Crossplane writes in any order.
fn parts(all: Vec<Value>) -> (Vec<Value>, BTreeSet<String>) {
    let (results, mut documents): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|document| document["kind"] == "Result");
    documents.iter_mut().for_each(at_one_time);
    (documents, results.iter().map(Value::to_string).collect())
}

fn at_one_time(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match key == "lastTransitionTime" {
                    true => *value = json!("some time"),
                    false => at_one_time(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(at_one_time),
        _ => {}
    }
}

/// Runs Crossplane's command. `composite` is ours, from which that of a claim is taken.
fn crossplane(
    both: &Both,
    path: &Path,
    text: &str,
    composite: &Value,
) -> Result<Vec<Value>, String> {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let work = both.folder.join(format!("others-{name}"));
    fs::create_dir(&work).unwrap();
    let (mut xrd, mut composition, mut root) = (None, None, None);
    for document in text.split("\n---\n") {
        let Some(object) = documents_of(document) else { continue };
        let place = match object["kind"].as_str() {
            Some("CompositeResourceDefinition") => &mut xrd,
            Some("Composition") => &mut composition,
            _ => &mut root,
        };
        *place = Some((document, object));
    }
    let file = |name: &str, text: &str| {
        let file = work.join(name);
        fs::write(&file, text).unwrap();
        file
    };
    let (text_of_root, object) = root.ok_or("nothing to render")?;
    let composition = file("composition.yaml", composition.ok_or("no Composition")?.0);
    let root = file("root.yaml", text_of_root);
    if object["kind"] != composite["kind"] {
        // A claim: Crossplane's command takes the composite that is made of it.
        let mut before = composite.clone();
        before.as_object_mut().unwrap().remove("status");
        before["spec"].as_object_mut().unwrap().remove("resourceRefs");
        write(&root, &[before]);
    }
    let mut command = Command::new(&both.crossplane_cli);
    command
        .args(["composition", "render", "-x", "-r", "-c"])
        .args([&root, &composition, &both.folder.join("functions.yaml")])
        .arg(format!("--crossplane-binary={}", both.crossplane.display()));
    if let Some((text, _)) = xrd {
        command.arg(format!("--xrd={}", file("xrd.yaml", text).display()));
    }
    let options = text.lines().find_map(|line| line.strip_prefix("# args: "));
    command.args(options.unwrap_or_default().split_whitespace());
    for (option, ending) in
        [("--observed-resources", "observed"), ("--required-resources", "required")]
    {
        let beside = path.with_extension(ending);
        if beside.exists() {
            let text = fs::read_to_string(beside).unwrap();
            command.arg(format!("{option}={}", file(&format!("{ending}.yaml"), &text).display()));
        }
    }
    let run = command.output().unwrap();
    if !run.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&run.stderr)));
    }
    Ok(documents(&String::from_utf8(run.stdout).unwrap()))
}

/// Returns the object in a document, if there is one; a key may be there twice.
fn documents_of(text: &str) -> Option<Value> {
    let stream = kube_schema::yaml::parse(text);
    stream.documents.iter().map(kube_schema::yaml::Node::to_json).find(Value::is_object)
}
