//! Every command that the README shows is run: here, or by `.ci/run`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Commands in the README's `console` blocks.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut commands = Vec::new();
    let mut in_block = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            in_block = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| in_block) {
            commands.push(command.to_owned());
        }
    }
    commands
}

#[test]
fn every_command_of_the_readme_works() {
    let commands = commands();
    assert!(commands.len() >= 8, "the README shows only {commands:?}");
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    let mut run = 0;
    for command in &commands {
        if !command.contains("target/release/eds ") {
            let command = command.trim_start_matches("sudo ");
            assert!(
                ci.contains(command),
                ".ci/run does not run {command:?}, which the README shows"
            );
            continue;
        }
        let here =
            command.replace("target/release/eds ", &format!("{} ", env!("CARGO_BIN_EXE_eds")));
        let output = Command::new("bash").args(["-c", &here]).current_dir(root()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}");
        assert!(!output.stdout.is_empty() || !said.is_empty(), "{command} prints nothing");
        run += 1;
    }
    assert!(run >= 5, "only {run} commands were run");
}
