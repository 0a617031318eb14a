//! What packages of `eds` hold beside it: completion scripts, tried by the shell itself, man pages, and
//! the name under which kubectl starts it.

#![cfg(test)]

use std::path::PathBuf;
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

/// Runs a program and returns what it prints.
fn prints(program: &std::path::Path, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An empty directory of this test's own.
fn directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

#[test]
fn every_command_has_a_man_page() {
    let (eds, pages) = (PathBuf::from(env!("CARGO_BIN_EXE_eds")), directory("man"));
    prints(&eds, &["man", &pages.display().to_string()]);
    let help = prints(&eds, &["--help"]);
    let listed = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let commands: Vec<&str> =
        listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"render") && !commands.contains(&"man"), "{commands:?}");
    for command in commands.iter().filter(|command| **command != "help") {
        let page = std::fs::read_to_string(pages.join(format!("eds-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{command}: {page}");
    }
    let own = std::fs::read_to_string(pages.join("eds.1")).unwrap();
    assert!(own.contains("eds\\-render(1)"), "{own}");
}

#[test]
fn kubectl_starts_it_as_its_own_command() {
    let plugin = directory("plugin").join("kubectl-eds");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_eds"), &plugin).unwrap();
    for args in [&["--help"][..], &["validate", "--help"], &["verify", "keda", "--help"]] {
        let usage = format!("Usage: kubectl eds {}", args[..args.len() - 1].join(" "));
        let help = prints(&plugin, args);
        assert!(help.contains(usage.trim_end()), "{usage}: {help}");
        let own = prints(&PathBuf::from(env!("CARGO_BIN_EXE_eds")), args);
        assert!(own.contains("Usage: eds") && !own.contains("kubectl eds"), "{own}");
    }
}
