//! `eds render` of Compositions, claims and composites that are not ours.
//!
//! Each file in `compositions` holds an XRD, a Composition and what is rendered. Beside it is what
//! exists already (`X.observed`), what functions may ask for (`X.required`), and the output
//! (`X.golden`), which `tools/parity` compares with that of Crossplane's own command. `# args:`
//! begins a line of options. `EDS_UPDATE_GOLDEN=1 cargo test -p eds-cli` rewrites the output.

#![cfg(test)]

mod golden;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compositions")
}

fn eds(args: &[&str], stdin: &str) -> Output {
    golden::eds(&folder(), args, stdin)
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn every_composition_has_its_golden_output() {
    let mut seen = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let mut args = vec!["render", name, "-xrc"];
        let options = text.lines().find_map(|line| line.strip_prefix("# args: "));
        args.extend(options.unwrap_or_default().split_whitespace());
        let beside = |ending: &str| path.with_extension(ending);
        let files = [("--observed-resources", "observed"), ("--extra-resources", "required")]
            .map(|(option, ending)| (option, beside(ending)));
        for (option, file) in files.iter().filter(|(_, file)| file.exists()) {
            args.extend([option, file.to_str().unwrap()]);
        }
        let output = eds(&args, "");
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        golden::check(&beside("golden"), stdout(&output));
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} Compositions");
}

/// Renders a text of [`folder`] that is changed first. Standard error holds the words.
#[track_caller]
fn check_refused(file: &str, from: &str, to: &str, args: &[&str], code: i32, says: &[&str]) {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    let args: Vec<&str> = ["render", "-"].iter().chain(args).copied().collect();
    let output = eds(&args, &text.replace(from, to));
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
    for words in says {
        assert!(stderr(&output).contains(words), "{words:?} is not in: {}", stderr(&output));
    }
}

#[test]
fn what_crossplane_refuses_is_refused_with_its_reason() {
    let named = "metadata: {name: one, namespace: team";
    check_refused(
        "claim.yaml",
        named,
        "metadata: {generateName: one-",
        &[],
        1,
        &["Thing", "metadata.name"],
    );
    let named = "metadata: {name: one}";
    check_refused("no-xrd.yaml", named, "metadata: {}", &[], 1, &["XThing", "metadata.name"]);
    check_refused(
        "no-xrd.yaml",
        "kind: XThing}",
        "kind: XOther}",
        &[],
        2,
        &["found no XOther to render"],
    );
    check_refused(
        "claim.yaml",
        "kind: XThing}\n",
        "kind: XOther}\n",
        &[],
        1,
        &["there is no Composition for XThing (example.org/v1)", "is for XOther"],
    );
    check_refused(
        "no-xrd.yaml",
        "mode: Pipeline",
        "mode: Resources",
        &[],
        2,
        &["spec.mode is Resources"],
    );
    check_refused(
        "owners.yaml",
        "uid: abc}",
        "uid: abc, controller: true}",
        &[],
        1,
        &["\"owned\"", "already controlled by ConfigMap x (UID abc)"],
    );
    check_refused(
        "observed.yaml",
        "namespace: secrets",
        "namespace: secrets",
        &["--observed=cluster.golden"],
        1,
        &["has a controller ref but is not controlled by the XR"],
    );
    check_refused(
        "namespaced.yaml",
        "generateName: mine-",
        "name: Mine",
        &[],
        1,
        &["\"elsewhere\" because it has an invalid name \"Mine\""],
    );
    check_refused(
        "chosen.yaml",
        "pipeline:\n",
        "pipeline:\n  - {step: c, functionRef: {name: f}, credentials: [{name: key, source: \
            Secret, secretRef: {namespace: keys, name: key}}], input: {apiVersion: \
            autoready.fn.crossplane.io/v1beta1, kind: Input}}\n",
        &[],
        2,
        &["credential \"key\" is in Secret keys/key", "--function-credentials"],
    );
}

#[test]
fn a_function_that_is_not_built_in_is_called_or_left_out() {
    let step = "pipeline:\n  - {step: other, functionRef: {name: function-other}}\n";
    let other = |args: &[&str], code, says: &[&str]| {
        check_refused("no-xrd.yaml", "pipeline:\n", step, args, code, says);
    };
    other(&[], 2, &["\"other\"", "function-other, which is not built in", "--skip-function"]);
    other(&["--function=function-other"], 2, &["write NAME=ADDRESS"]);
    other(&["--function=function-other=127.0.0.1:1"], 2, &["127.0.0.1:1", "cannot connect"]);
    other(&["--skip-function=function-other"], 0, &["step \"other\" is left out"]);
    let text = fs::read_to_string(folder().join("no-xrd.yaml")).unwrap();
    let left_out =
        eds(&["render", "-", "--skip-function=function-other"], &text.replace("pipeline:\n", step));
    assert!(stdout(&left_out).starts_with("# Composition things: step \"other\" is left out"));
    // A Function's package says what a step calls, whatever its input is.
    let function = "\n---\napiVersion: pkg.crossplane.io/v1\nkind: Function\nmetadata: {name: \
        function-patch-and-transform, annotations: {render.crossplane.io/runtime: Development, \
        render.crossplane.io/runtime-development-target: \"dns:///127.0.0.1:1\"}}\nspec: {package: \
        \"example.org/function-other:v1\"}\n---\napiVersion: example.org/v1\nkind: XThing\n";
    check_refused(
        "no-xrd.yaml",
        "\n---\napiVersion: example.org/v1\nkind: XThing\n",
        function,
        &[],
        2,
        &["function-patch-and-transform at dns:///127.0.0.1:1", "cannot connect"],
    );
}
