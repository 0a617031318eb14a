//! Files that mean harm, or were never claims, and hostile XRDs, Compositions and observed
//! resources: a clear answer within 200 MiB of address space, never a panic.
//! `crates/eds-claims/tests/bounds.rs` checks what is refused and why; this, that the process
//! survives. The times are in the output of `cargo test -- --nocapture`; they are not asserted: only
//! after ten minutes does a command count as hung.
//!
//! Measured once with the release build, on two busy cores: 100 MB file 23 ms, 14 MiB; alias bomb 94 ms,
//! 52 MiB; 10,000-deep nesting 11 ms, invalid UTF-8 16 ms, empty file 6 ms, directory of binaries 8 ms,
//! each within 14 MiB.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// Address space of the command, in KiB: resident memory is never more.
const LIMIT_KIB: u32 = 200 << 10;

const CLAIM: &str = include_str!("../../../platform/04-apis/examples/minimal-claim.yaml");

fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

fn validate(path: &Path) -> Output {
    let start = Instant::now();
    let output = Command::new("bash")
        .args(["-c", &format!("ulimit -v {LIMIT_KIB} && exec timeout 600 \"$0\" validate \"$1\"")])
        .args([env!("CARGO_BIN_EXE_eds").as_ref(), path.as_os_str()])
        // Each thread's arena in glibc's allocator reserves 64 MiB that it does not use.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    println!("{}: {:.2?}", path.display(), start.elapsed());
    output
}

/// Checks that the command exits by itself, with `code`, and says `words`.
fn check(name: &str, content: &[u8], code: i32, words: &str) {
    let path = directory("hostile").join(format!("{name}.yaml"));
    fs::write(&path, content).unwrap();
    let output = validate(&path);
    fs::remove_file(&path).unwrap();
    expect(&output, name, code, words);
}

fn expect(output: &Output, name: &str, code: i32, words: &str) {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let start: String = said.chars().take(2000).collect();
    assert!(!said.contains("panicked"), "{name}: {start}");
    assert_eq!(output.status.code(), Some(code), "{name}: {start}");
    assert!(said.contains(words), "{name}: does not say {words:?}: {start}");
    assert!(said.len() < 1 << 20, "{name}: says {} bytes", said.len());
}

#[test]
fn aliases_that_multiply() {
    let mut bomb = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..20 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    check("bomb", bomb.as_bytes(), 1, "error[");
}

#[test]
fn large_files() {
    check("large", &vec![b'a'; 100 << 20], 1, "larger than");
    check("comments", &b"# nothing\n".repeat(10 << 20), 1, "larger than");
}

#[test]
fn deep_nesting() {
    let flow = format!("{CLAIM}  env: {}1{}\n", "[".repeat(10_000), "]".repeat(10_000));
    check("flow", flow.as_bytes(), 1, "error[");
    let mut block = String::from(CLAIM);
    for depth in 1..2_000 {
        block += &format!("{}a:\n", "  ".repeat(depth));
    }
    check("block", block.as_bytes(), 1, "error[");
}

#[test]
fn what_is_no_text() {
    check("utf8", b"spec: {image: \"\xff\xfe\"}\n", 1, "error[");
    check("nul", b"kind: EventDrivenService\0\n", 1, "error[");
    check("elf", &fs::read("/bin/true").unwrap(), 1, "error[");
}

#[test]
fn what_other_editors_write() {
    check("bom", format!("\u{feff}{CLAIM}").as_bytes(), 0, "1 claim");
    check("crlf", CLAIM.replace('\n', "\r\n").as_bytes(), 0, "1 claim");
}

#[test]
fn nothing_to_read() {
    check("empty", b"", 2, "0 claims");
    check("blank", b"\n---\n\n---\n# no more\n", 2, "0 claims");
}

#[test]
fn many_documents() {
    check("documents", &b"---\n{}\n".repeat(500_000), 1, "error[");
}

#[test]
fn a_directory_of_binaries() {
    let directory = directory("hostile-binaries");
    for name in ["a.yaml", "b.yml", "c.yaml"] {
        fs::copy("/bin/true", directory.join(name)).unwrap();
    }
    expect(&validate(&directory), "directory", 1, "error[");
}

/// Each file is within its own bounds; together they are not.
#[test]
fn many_large_files() {
    let directory = directory("hostile-many");
    let filler = "# nothing to see here, nothing to see there\n".repeat(90_000);
    for number in 0..12 {
        let claim = CLAIM.replace("name: ", &format!("name: n{number}-"));
        fs::write(directory.join(format!("{number:02}.yaml")), claim + &filler).unwrap();
    }
    let output = validate(&directory);
    fs::remove_dir_all(&directory).unwrap();
    expect(&output, "many", 1, "files were not checked, from this one on");
}

/// Checks that the command exits by itself, with `code`, and says `words`.
#[track_caller]
fn run(name: &str, args: &[&str], files: &[(&str, String)], code: i32, words: &str) {
    let directory = directory("hostile-api").join(name);
    fs::create_dir_all(&directory).unwrap();
    for (file, text) in files {
        fs::write(directory.join(file), text).unwrap();
    }
    let start = Instant::now();
    let output = Command::new("bash")
        .args(["-c", &format!("ulimit -v {LIMIT_KIB} && exec timeout 600 \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_eds"))
        .args(args)
        .current_dir(&directory)
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    println!("{name}: {:.2?}", start.elapsed());
    fs::remove_dir_all(&directory).unwrap();
    expect(&output, name, code, words);
}

/// Builds an XRD whose spec has these properties and one rule, as JSON, which is YAML.
fn xrd(properties: &str, rule: &str) -> String {
    format!(
        r#"{{"apiVersion": "apiextensions.crossplane.io/v1", "kind": "CompositeResourceDefinition",
        "metadata": {{"name": "xthings.example.org"}},
        "spec": {{"group": "example.org", "names": {{"kind": "XThing", "plural": "xthings"}},
        "claimNames": {{"kind": "Thing", "plural": "things"}},
        "versions": [{{"name": "v1", "served": true, "referenceable": true,
        "schema": {{"openAPIV3Schema": {{"type": "object", "properties": {{"spec": {{
        "type": "object", "properties": {{{properties}}},
        "x-kubernetes-validations": [{{"rule": {rule:?}, "message": "no"}}]}}}}}}}}}}]}}}}"#,
    )
}

fn thing(spec: &str) -> String {
    format!(
        r#"{{"apiVersion": "example.org/v1", "kind": "Thing",
        "metadata": {{"name": "a", "namespace": "b"}}, "spec": {{{spec}}}}}"#
    )
}

const LIST: &str =
    r#""l": {"type": "array", "items": {"type": "integer"}}, "s": {"type": "string"}"#;

fn numbers(count: usize) -> String {
    let numbers: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    format!("\"l\": [{}]", numbers.join(","))
}

#[test]
fn rules_without_end() {
    let doubled =
        (0..40).fold("[1]".to_owned(), |rule, i| format!("{rule}.map(x{i}, [x{i}, x{i}])"));
    let nested = "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))".to_owned();
    let deepest = (0..40).fold("true".to_owned(), |rule, _| format!("[1].all(x, {rule})"));
    for (name, rule, code, words) in [
        ("nested", nested, 1, "more than 1000000 steps"),
        ("doubled", format!("size({doubled}) > 0"), 1, "more than 1000000 steps"),
        ("plus", vec!["1"; 49_000].join("+") + " > 0", 2, "at most 5000 are read"),
        ("brackets", "(".repeat(20_000) + &")".repeat(20_000), 2, "at most 5000 are read"),
        ("fewer brackets", "(".repeat(90) + "true" + &")".repeat(90), 0, "1 claim"),
        ("deep loops", deepest, 0, "1 claim"),
        ("levels", vec!["1"; 4_900].join("+") + " > 0", 2, "more than 250 operators"),
        ("most levels", vec!["1"; 248].join("+") + " > 0", 0, "1 claim"),
    ] {
        let files = [("xrd.yaml", xrd(LIST, &rule)), ("claim.yaml", thing(&numbers(2000)))];
        run(name, &["validate", "--xrd", "xrd.yaml", "claim.yaml"], &files, code, words);
        let publish = ["publish-schema", "--xrd", "xrd.yaml"];
        // What JSON Schema cannot express is left out.
        let (code, words) = if code == 2 { (2, words) } else { (0, "$schema") };
        run(name, &publish, &files, code, words);
    }
}

#[test]
fn schemas_without_end() {
    let alternatives = (0..3).fold(r#"{"minimum": 1000000}"#.to_owned(), |schema, _| {
        format!(r#"{{"oneOf": [{}]}}"#, vec![schema; 30].join(","))
    });
    let alternatives = alternatives.replacen('{', r#"{"type": "integer", "#, 1);
    let patterns: Vec<String> = (0..2000)
        .map(|i| {
            format!(r#""p{i}": {{"type": "string", "pattern": "{i}{}"}}"#, ".{1000}".repeat(40))
        })
        .collect();
    let list = |items: &str| format!(r#""l": {{"type": "array", "items": {items}}}"#);
    let deep = format!("{}1{}", r#"{"a": "#.repeat(5000), "}".repeat(5000));
    for (name, properties, code, words) in [
        ("oneOf", list(&alternatives), 1, "more than 10000000 steps"),
        ("patterns", patterns.join(","), 2, "take more than 64 MiB compiled"),
        ("deep", list(&deep), 2, "nested deeper"),
        (
            "large",
            list(&format!(r#"{{"description": {:?}}}"#, "x".repeat(5 << 20))),
            2,
            "larger than",
        ),
    ] {
        let files = [("xrd.yaml", xrd(&properties, "true")), ("claim.yaml", thing(&numbers(5000)))];
        run(name, &["validate", "--xrd", "xrd.yaml", "claim.yaml"], &files, code, words);
    }
}

/// Builds a Composition for things: one resource with these patches.
fn composition(patches: &[String]) -> String {
    format!(
        r#"{{"apiVersion": "apiextensions.crossplane.io/v1", "kind": "Composition",
        "metadata": {{"name": "things"}},
        "spec": {{"compositeTypeRef": {{"apiVersion": "example.org/v1", "kind": "XThing"}},
        "mode": "Pipeline", "pipeline": [{{"step": "one", "functionRef": {{"name": "f"}},
        "input": {{"apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources",
        "resources": [{{"name": "r", "base": {{"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {{"name": "r"}}, "data": {{"x": "a"}}}}, "patches": [{}]}}]}}}}]}}}}"#,
        patches.join(", ")
    )
}

fn patch(to: &str, formats: &[&str]) -> String {
    let formats: Vec<String> = formats
        .iter()
        .map(|f| format!(r#"{{"type": "string", "string": {{"type": "Format", "fmt": "{f}"}}}}"#))
        .collect();
    format!(
        r#"{{"type": "FromCompositeFieldPath", "fromFieldPath": "spec.s", "toFieldPath": "{to}",
        "transforms": [{}]}}"#,
        formats.join(",")
    )
}

#[test]
fn compositions_and_observed_resources_without_end() {
    let much = "patches read and wrote too much";
    let many: Vec<String> =
        (0..400).map(|i| patch(&format!("data.y{i}"), &["%1000000s"])).collect();
    let good = composition(&[patch("data.x", &["%s"])]);
    let deep = format!("a: {}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let objects = "---\n{apiVersion: v1, kind: ConfigMap}\n".repeat(100_000);
    let claim = thing(r#""s": "aaaaaaaa""#);
    let args = ["render", "--xrd", "xrd.yaml", "--composition", "composition.yaml", "claim.yaml"];
    for (name, composition, more, code, words) in [
        (
            "widths",
            composition(&[patch("data.x", &[&"%400000[1]s".repeat(1000)])]),
            None,
            1,
            "longer than 8 MiB",
        ),
        (
            "doubled",
            composition(&[patch("data.x", &["%[1]s%[1]s"; 40])]),
            None,
            1,
            "longer than 8 MiB",
        ),
        ("many", composition(&many), None, 1, much),
        ("deep", deep.clone(), None, 2, "nested deeper"),
        ("huge", "x".repeat(5 << 20), None, 2, "larger than"),
        ("good", good.clone(), None, 0, "aaaaaaaa"),
        ("observed-deep", good.clone(), Some(("--observed", deep.clone())), 2, "nested deeper"),
        ("required-deep", good.clone(), Some(("--required-resources", deep)), 2, "nested deeper"),
        (
            "observed-huge",
            good.clone(),
            Some(("--observed", "x".repeat(5 << 20))),
            2,
            "larger than",
        ),
        (
            "observed-many",
            good.clone(),
            Some(("--observed", objects.clone())),
            2,
            "more than 250000 values",
        ),
        (
            "required-many",
            good,
            Some(("--required-resources", objects)),
            2,
            "more than 250000 values",
        ),
    ] {
        let mut files = vec![
            ("xrd.yaml", xrd(LIST, "true")),
            ("composition.yaml", composition),
            ("claim.yaml", claim.clone()),
        ];
        let mut args = args.to_vec();
        if let Some((flag, text)) = more {
            files.push(("more.yaml", text));
            args.extend([flag, "more.yaml"]);
        }
        run(name, &args, &files, code, words);
    }
}

#[test]
fn a_very_long_line() {
    let line = format!("{}, \"s\": {:?}, \"x\": 1", numbers(10), "é→".repeat(300_000));
    let files = [("xrd.yaml", xrd(LIST, "true")), ("claim.yaml", thing(&line))];
    run(
        "long line",
        &["validate", "--xrd", "xrd.yaml", "claim.yaml"],
        &files,
        1,
        "there is no such field",
    );
}
