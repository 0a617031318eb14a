//! The steps of `.github/workflows/validate-claims.yml`, run as they run there: the same scripts
//! with the same environment, in a repository of their own with a remote of its own.

#![cfg(test)]

mod scratch;

use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Output};

use scratch::Repository;
use serde_json::Value;

const SCHEMA: &str = "platform/04-apis/schemas/eventdrivenservice.schema.json";
const FIELDS: &str = "platform/04-apis/docs/fields.md";
const XRD: &str = "platform/04-apis/definitions/xeventdrivenservices.yaml";

/// A checkout with the scripts and the API, its first commit on `main`, and a bare `origin`.
struct Checkout(Repository);

impl Deref for Checkout {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.0
    }
}

impl Checkout {
    fn new(test: &str) -> Self {
        let here = Self(Repository::new(test));
        here.init();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let copied = Command::new("cp")
            .args(["-r", "--parents", "scripts", "platform/04-apis"])
            .arg(here.path(""))
            .current_dir(root)
            .status();
        assert!(copied.unwrap().success());
        let origin = here.outside("origin").display().to_string();
        here.git(&["init", "--quiet", "--bare", &origin]);
        here.git(&["remote", "add", "origin", &origin]);
        here.commit();
        here
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// Runs a script with its arguments, as a step does. Returns exit status, output, errors.
    fn step(&self, line: &str, env: &[(&str, &str)]) -> (Option<i32>, String, String) {
        let mut bash = Command::new("bash");
        bash.args(["-c", line]).current_dir(self.path("")).env("EDS", env!("CARGO_BIN_EXE_eds"));
        let Output { status, stdout, stderr } = bash.envs(env.iter().copied()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }
}

const CLAIM: &str = "\
apiVersion: platform.bizmatters.io/v1alpha1
kind: EventDrivenService
metadata: {name: worker, namespace: shop}
spec:
  image: registry.example.com/worker:1.0.0
  size: small
  nats: {stream: ORDERS, consumer: workers}
";

#[test]
fn changed_claims() {
    let here = Checkout::new("changed-claims");
    let check = |base: &str| {
        let (status, out, said) =
            here.step(&format!("scripts/validate-changed-claims.sh {base} claims.sarif"), &[]);
        let sarif: Value = serde_json::from_str(&here.read("claims.sarif")).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap().len();
        (status, out, said, results)
    };

    let base = here.git(&["rev-parse", "HEAD"]);
    let (status, out, said, results) = check(&base);
    assert_eq!((status, out.as_str(), results), (Some(0), "", 0), "{said}");
    assert!(said.contains("no claim changed"), "{said}");

    // A name that looks like an option, and a file that is not a claim.
    here.write(
        "claims/--format.yaml",
        CLAIM
            .replace("{name: worker,", "{name: other,")
            .replace("consumer: workers", "consumer: others"),
    );
    here.write("claims/worker.yaml", CLAIM.replace("small", "tiny"));
    here.write("claims/other.yaml", "kind: ConfigMap\n");
    let broken = here.commit();
    let (status, out, said, results) = check(&base);
    assert_eq!(status, Some(1), "{out}{said}");
    assert!(out.contains("::error file=") && out.contains("claims/worker.yaml,line=6"), "{out}");
    assert!(!out.contains("--format.yaml") && !out.contains("other.yaml"), "{out}");
    assert_eq!(results, 1);

    // Fixed, and compared with the state before: what its change does to a running service.
    here.write("claims/worker.yaml", CLAIM);
    let mended = here.commit();
    assert_eq!(check(&broken).0, Some(0));
    here.write("claims/worker.yaml", CLAIM.replace("worker:1.0.0", "worker:1.1.0"));
    here.commit();
    let (status, out, said, results) = check(&mended);
    assert_eq!(status, Some(0), "{out}{said}");
    assert!(out.contains("claims/worker.yaml") && results > 0, "{out}");

    let (status, _, said) = here.step("scripts/validate-changed-claims.sh no-such-commit", &[]);
    assert_eq!(status, Some(2));
    assert!(said.contains("git does not know the revision no-such-commit"), "{said}");
}

#[test]
fn a_changed_definition_publishes_its_schema() {
    let here = Checkout::new("changed-definition");
    let steps = "scripts/publish-schema.sh && scripts/verify-schema.sh && scripts/commit-schema.sh";
    let own = [("BRANCH", "feature/x"), ("OWN", "true")];
    let (status, out, said) = here.step(steps, &own);
    assert_eq!(status, Some(0), "{out}{said}");
    assert!(said.contains("the schema is up to date"), "{said}");

    let xrd = here.read(XRD);
    let word = "What to run, which messages it reads";
    assert!(xrd.contains(word), "the XRD's descriptions have changed: choose another word");
    here.write(XRD, xrd.replace(word, "What to run, what it reads"));
    let changed = here.commit();

    // A fork's branch is not written to.
    let fork = [("BRANCH", "feature/x"), ("OWN", "false")];
    let (status, out, said) = here.step(steps, &fork);
    assert_eq!(status, Some(1), "{said}");
    for file in [SCHEMA, FIELDS] {
        assert!(out.contains(&format!("::error file={file}::is not up to date")), "{out}");
    }
    assert_eq!(here.git(&["rev-parse", "HEAD"]), changed);

    let (status, out, said) = here.step(steps, &own);
    assert_eq!(status, Some(0), "{out}{said}");
    assert_eq!(here.git(&["diff", "--name-only", &changed, "HEAD"]), format!("{FIELDS}\n{SCHEMA}"));
    for file in [SCHEMA, FIELDS] {
        assert!(here.read(file).contains("What to run, what it reads"));
    }
    let pushed = here.git(&["ls-remote", "origin", "refs/heads/feature/x"]);
    assert!(pushed.starts_with(&here.git(&["rev-parse", "HEAD"])), "{pushed}");

    // A branch's name is not a command, and what cannot be extracted fails.
    let (status, ..) = here.step("scripts/commit-schema.sh", &[("BRANCH", "-x"), ("OWN", "true")]);
    assert_eq!(status, Some(1));
    here.write(XRD, xrd.replace("  versions:", "  version:"));
    let (status, out, said) = here.step(steps, &own);
    assert!(status != Some(0) && !said.is_empty(), "{out}{said}");
}
