//! The completion scripts, tried by the shell itself.

#![cfg(test)]

use std::process::Command;

/// Returns what bash offers for a line, one word per line.
fn offered(line: &str) -> Vec<String> {
    let script = r#"
        source <("$EDS" completions bash)
        COMP_WORDS=($1 "") COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
        _eds eds "" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["-c", script, "bash", line]).env("EDS", env!("CARGO_BIN_EXE_eds"));
    let output = bash.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_offers_commands_and_their_values() {
    for (line, word) in [
        ("eds", "doctor"),
        ("eds verify", "autoscaling"),
        ("eds validate", "--against"),
        ("eds adopt --report", "json"),
        ("eds diff", "--live"),
        ("eds validate --format", "sarif"),
    ] {
        let words = offered(line);
        assert!(words.iter().any(|w| w == word), "{line}: {words:?}");
    }
}

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let mut eds = Command::new(env!("CARGO_BIN_EXE_eds"));
        let output = eds.args(["completions", shell]).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("doctor"), "{shell}");
    }
}
