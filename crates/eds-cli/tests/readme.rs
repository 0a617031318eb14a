//! Every command in the README is run: here, or by `.ci/run`. Its autoscaling figures are those of
//! the recorded runs.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns the commands in the README's `console` blocks.
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

/// `make demo` checks and renders a claim, and explains a mistake in it.
#[test]
fn the_demo_shows_the_main_job() {
    let demo = Command::new(root().join("scripts/demo.sh"))
        .env("EDS", env!("CARGO_BIN_EXE_eds"))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&demo.stdout);
    assert!(demo.status.success(), "{shown}{}", String::from_utf8_lossy(&demo.stderr));
    for part in ["  Deployment hello-worker\n", "lagThreshold: \"5\"", "help: did you mean stream?"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

/// Someone who may not install what `make test` needs is told in one line.
#[test]
fn what_is_missing_is_said_in_one_line() {
    let bin = std::env::temp_dir().join(format!("eds-needs-{}", std::process::id()));
    std::fs::create_dir_all(&bin).unwrap();
    for name in ["bash", "id", "git"] {
        let found = Command::new("which").arg(name).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        std::os::unix::fs::symlink(path.trim(), bin.join(name)).unwrap();
    }
    let mut needs = Command::new(bin.join("bash"));
    let needs = needs.args(["scripts/needs.sh", "test"]).current_dir(root()).env("PATH", &bin);
    let needs = needs.output().unwrap();
    std::fs::remove_dir_all(&bin).unwrap();
    assert_eq!(needs.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(needs.stderr).unwrap(),
        "needs: not installed: cc go jq shellcheck shfmt. Debian and Ubuntu: sudo apt-get install \
            gcc libc6-dev golang-go ca-certificates jq shellcheck shfmt\n"
    );
}

/// Writes a number with commas between thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap())
        .collect();
    groups.join(",")
}

/// Formats a recorded run as a line of the table.
fn figures(run: &str) -> String {
    let path = root().join("platform/04-apis/tests/recorded").join(run).join("report.json");
    let recorded: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(recorded["report"]["failed"], 0, "{run}");
    let number = |key: &str| recorded["run"][key].as_u64().unwrap();
    let mut kinds: Vec<(String, u32)> = Vec::new();
    for disturbed in recorded["disturbed"].as_array().unwrap() {
        let what = disturbed["what"].as_str().unwrap();
        let kind = what.split(" of worker-").next().unwrap().to_owned();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None if kind.ends_with("is over") => {}
            None => kinds.push((kind, 1)),
        }
    }
    kinds.sort();
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let (least, peak) = (number("minReplicas"), number("peakReplicas"));
    let rows = |key: &str| recorded["run"]["rows"][key].as_u64().unwrap();
    assert_eq!([rows("rows"), rows("sequences")], [number("messages"); 2], "{run}");
    format!(
        "| {} | {} | {:.0} s | {least} to {peak} to {least} | {} rows, none twice | {} |\n",
        thousands(number("messages")),
        kinds.join(", "),
        recorded["run"]["drainedSeconds"].as_f64().unwrap(),
        thousands(rows("rows")),
        rows("mostDeliveries"),
    )
}

/// Checks that a page has `expect` between two marks; `EDS_UPDATE_GOLDEN=1` writes it there.
fn shown(page: &str, mark: &str, expect: &str) {
    let path = root().join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (before, rest) = text.split_once(&begin).unwrap();
    let (shown, after) = rest.split_once(&end).unwrap();
    if std::env::var("EDS_UPDATE_GOLDEN").as_deref() == Ok("1") {
        std::fs::write(&path, [before, &begin, expect, &end, after].concat()).unwrap();
        return;
    }
    assert_eq!(shown, expect, "EDS_UPDATE_GOLDEN=1 cargo test -p eds-cli --test readme writes it");
}

#[test]
fn the_figures_are_those_of_the_recorded_runs() {
    let runs = ["50", "50-from-zero", "5000-faults", "3000-rolling-update"];
    let mut table =
        "| messages | during the run | drained after | replicas | effect | deliveries at most |\n\
                     |---|---|---|---|---|---|\n"
            .to_owned();
    table.extend(runs.map(|run| figures(&format!("autoscaling-{run}"))));
    shown("README.md", "losses", &table);
}

/// Formats one server's figures in an attack.
fn outcome(outcome: &Value) -> String {
    let number = |key: &str| outcome[key].as_f64().unwrap();
    let failed = if outcome["survived"].as_bool().unwrap() { "" } else { "**failed**, " };
    format!(
        "{failed}{:.0} MiB, {:.2} s, {:.0} ms",
        number("peak_mib"),
        number("cpu_s"),
        number("worst_ms")
    )
}

#[test]
fn the_attacks_are_those_of_the_recorded_run() {
    let text = std::fs::read(root().join("bench/recorded/attack.json")).unwrap();
    let recorded: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(recorded["limited"], true, "with the pod's memory");
    let mut table =
        "| attack | ours: peak, CPU, slowest beside | the Go function |\n|---|---|---|\n"
            .to_owned();
    for row in recorded["rows"].as_array().unwrap() {
        let name = row["attack"].as_str().unwrap();
        assert_eq!(row["faults"], serde_json::json!([]), "{name}");
        table += &format!("| {name} | {} | {} |\n", outcome(&row["ours"]), outcome(&row["go"]));
    }
    shown("bench/README.md", "attacks", &table);
}

/// Reads what a recorded run wrote.
fn recorded(file: &str) -> Value {
    let path = root().join("platform/04-apis/tests/recorded").join(file);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

#[test]
fn the_checkpoints_are_those_of_the_recorded_run() {
    let run = recorded("checkpoints.json");
    let versions: Vec<String> = run["versions"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap()))
        .collect();
    let (date, versions) = (run["date"].as_str().unwrap(), versions.join(", "));
    let mut table = format!(
        "Recorded on {date} with {versions}:\n\n\
         | task | verified | result | seconds |\n|---|---|---|---|\n"
    );
    for row in run["checkpoints"].as_array().unwrap() {
        let text = |key: &str| row[key].as_str().unwrap();
        assert!(text("result").starts_with("passed"), "{row}");
        let (tasks, what, result) = (text("tasks"), text("what"), text("result"));
        table += &format!("| {tasks} | {what} | {result} | {} |\n", row["seconds"]);
    }
    shown("README.md", "checkpoints", &table);
}

#[test]
fn the_migrations_are_those_of_the_recorded_runs() {
    let mut table = "| composed | messages | lost | with two effects | deliveries at most | ready \
        pods, least |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for form in ["objects", "direct"] {
        let run = recorded(&format!("migration-{form}/report.json"));
        let number = |key: &str| run[key].as_u64().unwrap();
        assert_eq!([number("lost"), number("doubled")], [0, 0], "{form}");
        table += &format!(
            "| {} | {} in {} s | {} | {} | {} | {} |\n",
            if form == "objects" { "through Objects" } else { "directly" },
            thousands(number("published")),
            number("seconds"),
            number("lost"),
            number("doubled"),
            number("mostDeliveries"),
            number("leastReady"),
        );
    }
    shown("README.md", "migration", &table);
}
