//! Where `scripts/tools.sh` looks for the real Crossplane's programs, and which one it picks.

#![cfg(test)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/tools.sh");

/// Creates a directory with a program `name` that answers with `answer`.
fn directory(test: &str, name: &str, answer: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tools-{test}"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    if !name.is_empty() {
        let file = directory.join(name);
        fs::write(&file, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    directory
}

/// Asks for `program` when EDS_TOOLS_DIR, or PATH, has a `name` that answers with `answer`.
fn check(test: &str, program: &str, (name, answer): (&str, &str), expect: Result<(), &str>) {
    let directory = directory(test, name, answer);
    let path = std::env::var("PATH").unwrap();
    for on_path in [false, true] {
        let mut command = Command::new("bash");
        command.arg(SCRIPT).arg(program).env_remove("EDS_TOOLS_DIR");
        if on_path {
            command.env("PATH", format!("{}:{path}", directory.display()));
        } else {
            command.env("EDS_TOOLS_DIR", &directory);
        }
        let output = command.output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match expect {
            Ok(()) => {
                assert_eq!(output.status.code(), Some(0), "{test}, on PATH {on_path}: {stderr}");
                assert_eq!(
                    stdout.trim(),
                    directory.join(name).to_str().unwrap(),
                    "{test}: {stderr}"
                );
            }
            // An empty directory says nothing about the machine's own PATH.
            Err(_) if on_path && name.is_empty() => {}
            Err(why) => {
                assert_eq!(
                    output.status.code(),
                    Some(2),
                    "{test}, on PATH {on_path}: {stdout}{stderr}"
                );
                assert!(stdout.is_empty(), "{test}: {stdout}");
                assert!(stderr.contains(why), "{test}, on PATH {on_path}: {stderr}");
            }
        }
    }
}

#[test]
fn a_program_is_taken_where_it_is_found_in_the_version_that_we_compare_with() {
    let core = "crossplane";
    check("core", core, (core, "v2.3.4"), Ok(()));
    check("older-core", core, (core, "v2.2.0"), Err("is v2.2.0, wanted is crossplane v2.3.4"));
    check("no-core", core, ("", ""), Err("crossplane is not in EDS_TOOLS_DIR"));
    // People install the CLI as `crossplane`.
    check("cli-as-core", core, (core, ""), Err("is something else, wanted is crossplane v2.3.4"));
    let cli = "crossplane-cli";
    check("cli", cli, (cli, "Client Version: v2.5.0"), Ok(()));
    check("newer-cli", cli, (cli, "Client Version: v2.6.0"), Err("is v2.6.0"));
    check("core-as-cli", cli, (cli, "v2.3.4"), Err("is something else"));
    // Its version is read from what Go embedded in it, and a script contains nothing of the kind.
    let function = "function-patch-and-transform";
    check("function", function, (function, "v0.10.0"), Err("is something else"));
}
