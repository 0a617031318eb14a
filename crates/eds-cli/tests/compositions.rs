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

#[test]
fn what_does_not_fit_is_an_error_that_names_both() {
    let chosen = |to: &str, says: &[&str]| {
        let selector = "{compositionSelector: {matchLabels: {which: second}}}";
        check_refused("chosen.yaml", selector, to, &[], 1, says);
    };
    let spec = "{compositionRef: {name: zzz}}";
    chosen(spec, &["compositionRef names zzz", "none of the Compositions first, second"]);
    chosen("{compositionSelector: {matchLabels: {which: zzz}}}", &["which: \"zzz\"", "second"]);
    let refused = |file: &str, from: &str, to: &str, says: &[&str]| {
        check_refused(file, from, to, &[], 1, says);
    };
    // Whatever is referred to must have the labels, as for Crossplane's command.
    let selector = "crossplane: {compositionSelector: {matchLabels: {a: b}}, resourceRefs:";
    let says = ["lacks the label a: \"b\""];
    refused("deleting.yaml", "crossplane: {resourceRefs:", selector, &says);
    let composite = "---\napiVersion: example.org/v1\nkind: XThing\n";
    let of_other_version = composite.replace("/v1", "/v2");
    let says = ["there is no Composition for XThing (example.org/v2)", "XThing (example.org/v1)"];
    refused("no-xrd.yaml", composite, &of_other_version, &says);
    let claim = composite.replace("XThing", "Thing");
    refused("no-xrd.yaml", composite, &claim, &["a claim needs its XRD", "--xrd"]);
    let names = "names: {kind: XThing, plural: xthings}";
    let others = "names: {kind: XOther, plural: xothers}";
    let says = ["defines XOther (example.org)", "not XThing (example.org/v1)"];
    refused("paused.yaml", names, others, &says);
    let schema = "schema: {openAPIV3Schema:";
    refused("paused.yaml", schema, "other: {openAPIV3Schema:", &["v1 has no schema"]);
    let base = "base: {apiVersion: nop.example.org/v1, kind: Nop";
    let text = format!("{base}, status: x");
    refused("numbers.yaml", base, &text, &["\"a\"", "its status is not an object"]);
    let secret = std::env::temp_dir().join(format!("eds-secret-{}.yaml", std::process::id()));
    let text =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: keys}\ndata: {k: '*'}\n";
    fs::write(&secret, text).unwrap();
    let option = format!("--function-credentials={}", secret.display());
    let says = ["Secret keys/s: data.k is not base64"];
    check_refused("no-xrd.yaml", composite, composite, &[&option], 1, &says);
    let _ = fs::remove_file(&secret);
    for option in ["--skip-function=zzz", "--function=zzz=localhost:1"] {
        check_refused(
            "no-xrd.yaml",
            composite,
            composite,
            &[option],
            0,
            &["no step of a Composition calls function zzz"],
        );
    }
}

#[test]
fn a_claim_is_rendered_with_the_composite_that_controls_what_exists() {
    let claim = "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\n\
        metadata: {name: one, namespace: team}\nspec: {image: registry.example.org/a:1, nats: \
        {stream: S, consumer: c}RESOURCE}\n";
    let object = |uid: &str| {
        format!(
            "apiVersion: nop.example.org/v1\nkind: Nop\nmetadata:\n  name: a{uid}\n  annotations: \
             {{crossplane.io/composition-resource-name: a{uid}}}\n  ownerReferences: \
             [{{apiVersion: platform.bizmatters.io/v1alpha1, kind: XEventDrivenService, name: \
             one-x7k2p, uid: {uid}, controller: true}}]\n---\n"
        )
    };
    let file = std::env::temp_dir().join(format!("eds-observed-{}.yaml", std::process::id()));
    let render = |observed: &str, resource: &str| {
        fs::write(&file, observed).unwrap();
        let observed = format!("--observed={}", file.display());
        eds(&["render", "-", "-o", "xr", &observed], &claim.replace("RESOURCE", resource))
    };
    let one = render(&(object("u1") + &object("u1").replace("name: au1", "name: bu1")), "");
    assert_eq!(one.status.code(), Some(0), "{}", stderr(&one));
    for part in ["  name: one-x7k2p\n", "  uid: u1\n"] {
        assert!(stdout(&one).contains(part), "{part}: {}", stdout(&one));
    }
    let two = render(&(object("u1") + &object("u2")), "");
    assert_eq!(two.status.code(), Some(1), "{}", stdout(&two));
    assert!(stderr(&two).contains("has a controller ref but is not controlled by the XR"));
    let reference = ", resourceRef: {apiVersion: platform.bizmatters.io/v1alpha1, kind: \
        XEventDrivenService, name: one-abcde}";
    let named = render("", reference);
    let _ = fs::remove_file(&file);
    assert!(stdout(&named).contains("  name: one-abcde\n"), "{}", stderr(&named));
}

/// The composite itself, as `kubectl get -o yaml` prints it, beside a claim.
#[test]
fn the_composite_of_the_built_in_api_is_rendered() {
    let spec = "spec: {image: registry.example.org/a:1, nats: {stream: S, consumer: c}";
    let (version, name) = ("apiVersion: platform.bizmatters.io/v1alpha1", "name: one");
    let claim = format!("{version}\nkind: EventDrivenService\nmetadata: {{{name}}}\n{spec}}}\n");
    let composite = format!(
        "{version}\nkind: XEventDrivenService\nmetadata:\n  {name}-x7k2p\n  labels: \
         {{crossplane.io/claim-name: one, crossplane.io/claim-namespace: team}}\n{spec}, \
         claimRef: {{apiVersion: platform.bizmatters.io/v1alpha1, kind: EventDrivenService, \
         {name}, namespace: team}}}}\n"
    );
    let render = |input: &str| eds(&["render", "-"], input);
    let team = claim.replace("{name: one}", "{name: one, namespace: team}");
    let (alone, of_claim) = (render(&composite), render(&team));
    assert_eq!(alone.status.code(), Some(0), "{}", stderr(&alone));
    assert_eq!(stdout(&alone), stdout(&of_claim));
    let both = render(&format!("{composite}---\n{team}"));
    assert_eq!(both.status.code(), Some(0), "{}", stderr(&both));
    assert_eq!(stdout(&both), stdout(&alone).repeat(2));
    // What is wrong elsewhere has its line.
    let wrong = render(&format!("{composite}---\n{}", team.replace("image:", "imagee:")));
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("<stdin>:10:") || stderr(&wrong).contains("<stdin>:11:"));
}

#[test]
fn a_functions_file_holds_functions() {
    let option = "--functions=no-xrd.yaml";
    let output = eds(&["render", "no-xrd.yaml", option], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no-xrd.yaml: Composition things is not a Function"));
}

#[test]
fn a_directory_is_all_yaml_files_in_it() {
    let directory = std::env::temp_dir().join(format!("eds-directory-{}", std::process::id()));
    fs::create_dir_all(directory.join("below.yaml")).unwrap();
    let of = || eds(&["render", directory.to_str().unwrap(), "--timeout=1m", "--verbose"], "");
    let empty = of();
    assert_eq!(empty.status.code(), Some(2));
    assert!(stderr(&empty).contains("holds no file that ends with .yaml or .yml"));
    let text = fs::read_to_string(folder().join("no-xrd.yaml")).unwrap();
    let (composition, composite) = text.rsplit_once("---\n").unwrap();
    fs::write(directory.join("a.yml"), composition).unwrap();
    fs::write(directory.join("b.yaml"), composite).unwrap();
    fs::write(directory.join("c.txt"), "no: [yaml").unwrap();
    let (split, whole) = (of(), eds(&["render", "no-xrd.yaml"], ""));
    let _ = fs::remove_dir_all(&directory);
    assert_eq!(stdout(&split), stdout(&whole), "{}", stderr(&split));
    assert!(split.status.success());
}

/// Of several composites, each is given what it controls and what is in its namespace.
#[test]
fn what_nobody_controls_is_of_the_composite_in_its_namespace() {
    let text = fs::read_to_string(folder().join("no-xrd.yaml")).unwrap();
    let (composition, _) = text.rsplit_once("---\n").unwrap();
    let composite = |namespace: &str| {
        format!(
            "---\napiVersion: example.org/v1\nkind: XThing\nmetadata: {{name: one, namespace: \
             {namespace}}}\nspec: {{}}\n"
        )
    };
    let observed = "apiVersion: nop.example.org/v1\nkind: Nop\nmetadata: {name: here, \
        namespace: a, annotations: {crossplane.io/composition-resource-name: gone}}\n";
    let file = std::env::temp_dir().join(format!("eds-free-{}.yaml", std::process::id()));
    fs::write(&file, observed).unwrap();
    let input = format!("{composition}{}{}", composite("a"), composite("b"));
    let output = eds(&["render", "-", &format!("--observed={}", file.display())], &input);
    let _ = fs::remove_file(&file);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
