//! A pull request's tree that means harm: whatever it holds, the check runs none of it.
//!
//! Each attack would leave a marker. All are tried on `eds validate --against`, from the
//! repository's root and from the attacker's folder, and on the pull request's check.

#![cfg(test)]

mod scratch;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scratch::Repository;

const CLAIM: &str = include_str!("../../../platform/04-apis/examples/minimal-claim.yaml");
const FOLDER: &str = "claims/evil";
const FILE: &str = "claims/evil/x.yaml";

/// A repository with the project's scripts and one claim, then changed by an attacker.
struct Victim {
    repository: Repository,
    base: String,
}

impl Deref for Victim {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

impl Victim {
    fn new(name: &str) -> Self {
        let repository = Repository::new(name);
        repository.init();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts");
        for script in ["validate-changed-claims.sh", "eds.sh"] {
            let text = fs::read(scripts.join(script)).unwrap();
            repository.write(&format!("scripts/{script}"), text);
        }
        repository.write(FILE, CLAIM);
        let base = repository.commit();
        repository.write(FILE, CLAIM.replace(":1.0.0", ":1.1.0"));
        Self { repository, base }
    }

    fn marker(&self) -> PathBuf {
        self.outside("marker")
    }

    /// Returns a configuration that runs a command wherever git allows it: for a missing object, on
    /// reading the index, on a difference, on any network access.
    fn config(&self) -> String {
        let run = format!("touch {}", self.marker().display());
        let percent = run.replace(' ', "% ");
        format!(
            "[core]\n\trepositoryformatversion = 1\n\tfsmonitor = \"{run}; false\"\n\thooksPath = \
                hooks\n\tsshCommand = {run}\n\tpager = {run}\n\talternateRefsCommand = \
                {run}\n[extensions]\n\tpartialClone = evil\n[remote \"evil\"]\n\turl = ext::sh -c \
                {percent}\n\tpromisor = true\n[protocol]\n\tallow = always\n[protocol \
                \"ext\"]\n\tallow = always\n[diff]\n\texternal = {run}\n[filter \"evil\"]\n\tclean \
                = {run}\n\tsmudge = {run}\n[diff \"evil\"]\n\ttextconv = {run}\n\tcommand = \
                {run}\n[alias]\n\tshow = !{run}\n"
        )
    }

    /// Creates what git takes for a repository, with that configuration.
    fn fake_repository(&self, folder: &str) {
        self.write(&format!("{folder}/HEAD"), "ref: refs/heads/main\n");
        self.write(&format!("{folder}/config"), self.config());
        self.write(&format!("{folder}/objects/.keep"), "");
        self.write(&format!("{folder}/refs/.keep"), "");
    }

    fn run(&self, mut command: Command, what: &str) -> Output {
        let output = command.env("EDS", env!("CARGO_BIN_EXE_eds")).output().unwrap();
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!self.marker().exists(), "{what} ran the tree's code: {said}");
        output
    }

    /// Runs `eds validate --against REF FILE` in a folder.
    fn validate(&self, folder: &str, reference: &str, file: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eds"));
        command.args(["validate", "--against", reference, "--", file]);
        command.current_dir(self.path(folder));
        command
    }

    fn script(&self, base: &str) -> Command {
        let mut command = Command::new("bash");
        command.arg(self.path("scripts/validate-changed-claims.sh")).arg(base);
        command.current_dir(self.outside(""));
        command
    }
}

/// Prepares the attack, commits what git will commit of it, and runs everything.
#[track_caller]
fn check(
    name: &str,
    attack: impl Fn(&Victim),
    after_commit: impl Fn(&Victim),
    env: &[(&str, &str)],
) {
    let victim = Victim::new(name);
    attack(&victim);
    victim.commit();
    after_commit(&victim);
    let base = victim.base.clone();
    let marker = victim.marker().display().to_string();
    let commands = [
        ("eds at the root", victim.validate("", &base, FILE)),
        ("eds in the folder", victim.validate(FOLDER, &base, "x.yaml")),
        ("eds above the repository", victim.validate("..", &base, "checkout/claims/evil/x.yaml")),
        (
            "eds, an unknown revision",
            victim.validate("", "0123456789abcdef0123456789abcdef01234567", FILE),
        ),
        ("the script", victim.script(&base)),
    ];
    for (what, mut command) in commands {
        command.envs(env.iter().map(|(key, value)| (*key, value.replace("MARKER", &marker))));
        victim.run(command, &format!("{name}: {what}"));
    }
}

fn nothing(_: &Victim) {}

#[test]
fn no_file_of_the_tree_is_a_repository() {
    check("bare", |v| v.fake_repository(FOLDER), nothing, &[]);
    check("bare-above", |v| v.fake_repository("claims"), nothing, &[]);
    // Not from a commit, which cannot hold them, but from an unpacked archive.
    check("git-folder", nothing, |v| v.fake_repository("claims/evil/.git"), &[]);
    let file = |v: &Victim| {
        v.fake_repository("claims/hidden");
        v.write("claims/evil/.git", "gitdir: ../hidden\n");
    };
    check("git-file", nothing, file, &[]);
    let link = |v: &Victim| {
        v.fake_repository("claims/real");
        fs::rename(v.path(FILE), v.path("claims/real/x.yaml")).unwrap();
        fs::remove_dir_all(v.path(FOLDER)).unwrap();
        std::os::unix::fs::symlink("real", v.path(FOLDER)).unwrap();
    };
    check("linked", link, nothing, &[]);
}

/// The tree's attributes and submodules trigger what the clone's own configuration names, such as
/// git-lfs.
#[test]
fn no_filter_or_monitor_runs() {
    let attributes = |v: &Victim| {
        v.write(".gitattributes", "* filter=evil diff=evil\n");
    };
    let configure = |v: &Victim| {
        fs::write(v.path(".git/config"), v.config()).unwrap();
        v.write(FILE, CLAIM.replace(":1.0.0", ":1.2.0"));
    };
    check("filter", attributes, configure, &[]);
    let module = |v: &Victim| {
        v.git(&[
            "update-index",
            "--add",
            "--cacheinfo",
            &format!("160000,{},claims/module", v.base),
        ]);
        v.git(&["commit", "--quiet", "--message", "a module"]);
        v.fake_repository("claims/module/.git");
    };
    check("module", nothing, module, &[]);
}

#[test]
fn no_environment_leads_to_one() {
    let env = [
        ("GIT_DIR", "ROOT/claims/evil"),
        ("GIT_EXTERNAL_DIFF", "touch MARKER"),
        ("GIT_SSH_COMMAND", "touch MARKER"),
        ("GIT_ALLOW_PROTOCOL", "ext"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.fsmonitor"),
        ("GIT_CONFIG_VALUE_0", "touch MARKER; false"),
    ];
    // The script's own git obeys its caller, as git always does; `eds` does not.
    let victim = Victim::new("environment");
    victim.fake_repository(FOLDER);
    victim.commit();
    let marker = victim.marker().display().to_string();
    let root = victim.path("").display().to_string();
    let mut command = victim.validate("", &victim.base, FILE);
    command.envs(
        env.map(|(key, value)| (key, value.replace("MARKER", &marker).replace("ROOT", &root))),
    );
    victim.run(command, "eds with GIT_ variables");
}

/// The clone itself says that missing objects come from a remote: nothing is fetched, and a message
/// says so.
#[test]
fn nothing_is_fetched() {
    let victim = Victim::new("promisor");
    let blob = victim.git(&["rev-parse", &format!("{}:{FILE}", victim.base)]);
    victim.commit();
    let (folder, name) = blob.split_at(2);
    fs::remove_file(victim.path(format!(".git/objects/{folder}/{name}"))).unwrap();
    fs::write(victim.path(".git/config"), victim.config()).unwrap();
    let output = victim.run(victim.validate("", &victim.base, FILE), "a partial clone");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is not in this clone") && said.contains("git fetch"), "{said}");
}

/// What is given as a revision is a revision, and nothing else.
#[test]
fn a_revision_is_no_option() {
    let victim = Victim::new("revision");
    let marker = victim.marker().display().to_string();
    let revisions = [
        format!("--output={marker}"),
        format!("-o{marker}"),
        format!("--upload-pack=touch {marker}"),
        format!("HEAD --output={marker}"),
        format!("HEAD\n--output={marker}"),
        format!("ext::touch {marker}"),
        format!("$(touch {marker})"),
        format!("HEAD;touch {marker}"),
        ":(exclude)x".to_owned(),
        ":0:claims/evil/x.yaml".to_owned(),
        "HEAD..HEAD".to_owned(),
        String::new(),
    ];
    for revision in revisions {
        let reference = format!("--against={revision}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_eds"));
        command.args(["validate", &reference, FILE]).current_dir(victim.path(""));
        let output = victim.run(command, &revision);
        assert_eq!(output.status.code(), Some(2), "{revision:?}");
        let output = victim.run(victim.script(&revision), &revision);
        assert!(output.status.code() != Some(0), "{revision:?}");
    }
}

/// The defences do not get in the way: a change is still compared with its past.
#[test]
fn a_change_is_seen() {
    let victim = Victim::new("seen");
    victim.fake_repository(FOLDER);
    victim.commit();
    for (folder, file) in [("", FILE), (FOLDER, "x.yaml")] {
        let output = victim.run(victim.validate(folder, &victim.base, file), folder);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("EDS301"), "{folder}: {said}");
    }
}

/// No git comes from a folder of `PATH` that is in the tree, or from a relative one.
#[test]
fn no_git_of_the_tree_runs() {
    let victim = Victim::new("path");
    let run = format!("#!/bin/sh\ntouch {}\nexec git \"$@\"\n", victim.marker().display());
    for folder in ["", "claims/evil/", "node_modules/.bin/"] {
        let git = format!("{folder}git");
        victim.write(&git, &run);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(victim.path(&git), mode).unwrap();
    }
    victim.commit();
    std::os::unix::fs::symlink(victim.path("node_modules/.bin"), victim.outside("bin")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let root = victim.path("").canonicalize().unwrap();
    let root = root.display();
    let linked = victim.outside("bin");
    for first in [
        ".",
        "",
        "./",
        "claims/evil",
        "node_modules/.bin",
        &format!("{root}"),
        &format!("{root}/node_modules/.bin"),
        &format!("{root}/../checkout"),
        linked.to_str().unwrap(),
    ] {
        for folder in ["", FOLDER] {
            let mut command =
                victim.validate(folder, &victim.base, &victim.path(FILE).display().to_string());
            command.env("PATH", format!("{first}:{path}"));
            let output = victim.run(command, &format!("PATH={first}"));
            assert!(
                String::from_utf8_lossy(&output.stdout).contains("EDS301"),
                "{first}: {output:?}"
            );
        }
    }
    let mut command = victim.validate("", &victim.base, FILE);
    command.env("PATH", ".");
    assert_eq!(victim.run(command, "PATH=.").status.code(), Some(2));
}

/// `git replace` makes a commit look like another.
#[test]
fn replaced_objects_do_not_count() {
    let victim = Victim::new("replace");
    let new = victim.commit();
    victim.git(&["replace", &victim.base, &new]);
    let output = victim.run(victim.validate("", &victim.base, FILE), "replaced");
    assert!(String::from_utf8_lossy(&output.stdout).contains("EDS301"), "{output:?}");
}
