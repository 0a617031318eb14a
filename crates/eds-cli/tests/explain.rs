//! `eds explain`: every finding by its code, every field by its path.

#![cfg(test)]

use std::process::Command;

/// Returns exit status, standard output, standard error.
fn explain(arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_eds")).arg("explain").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn check(what: &str, code: i32, words: &[&str]) {
    let (status, out, err) = explain(&[what]);
    assert_eq!(status, code, "{what}: {out}{err}");
    for word in words {
        assert!((if code == 0 { &out } else { &err }).contains(word), "{what}: {out}{err}");
    }
}

#[test]
fn every_code_is_explained() {
    let (status, list, _) = explain(&[]);
    assert_eq!(status, 0);
    let codes: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(codes.len() > 40, "{list}");
    for code in codes {
        check(code, 0, &[code, "found", "not found"]);
    }
    check("eds104", 0, &["EDS104 enum (error)"]);
    check("enum", 0, &["EDS104 enum (error)"]);
    check("EDS999", 2, &["there is no finding EDS999", "eds explain lists them all"]);
}

#[test]
fn every_field_is_explained() {
    let mut paths = vec![String::new()];
    let mut explained = 0;
    while let Some(path) = paths.pop() {
        let (status, out, err) = explain(&[&path]);
        assert_eq!(status, 0, "{path}: {err}");
        explained += 1;
        let fields = out.split_once("\nfields\n").map(|(_, fields)| fields.to_owned());
        for field in fields.unwrap_or_default().lines().filter_map(|l| l.split_whitespace().next())
        {
            let below = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
            paths.push(below);
        }
    }
    assert!(explained > 60, "only {explained} fields were found");
}

#[test]
fn a_field_is_found_as_people_write_it() {
    check("spec.nats.account", 0, &["spec.nats.account: text, $G by default", "operator mode"]);
    check("eds.spec.secretRefs[].env", 0, &["spec.secretRefs[].env: list of objects", "envName"]);
    check("EventDrivenService.spec.image", 0, &["text, required"]);
    check("metadata.name", 0, &["metadata.name has more than 56 characters", "Service's name"]);
    check("metadata", 0, &["metadata.namespace is one of the system's"]);
    check("metadata", 0, &["metadata: object"]);
    check("spec.nat", 2, &["spec has no field nat; did you mean nats?"]);
    check("spec.crossplane", 2, &["of the form namespaced alone: eds explain --form namespaced"]);
    let (code, _, said) = explain(&["--form", "namespaced", "spec.compositionRef"]);
    assert_eq!(code, 2);
    assert!(said.contains("of the form claims alone: eds explain --form claims"), "{said}");
    check("spec.size.x", 2, &["spec.size has no fields"]);
    check("spec.zzz", 2, &["spec has no field zzz; it has"]);
}
