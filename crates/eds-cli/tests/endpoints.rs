//! What `components/nats-endpoints` makes of the API: an engineer's list of endpoints instead of
//! the Services in the namespace `nats`, as rendered by `kubectl kustomize` and read by
//! `eds validate --xrd`.

#![cfg(test)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn platform() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platform/04-apis").canonicalize().unwrap()
}

/// Returns the exit status of `eds validate` for a claim that names this endpoint, and its output.
fn validate(folder: &Path, xrd: Option<&Path>, endpoint: &str) -> (Option<i32>, String) {
    let claim = folder.join("claim.yaml");
    let example = std::fs::read_to_string(platform().join("examples/named-account.yaml")).unwrap();
    let own = "nats-accounts-headless.nats.svc.cluster.local:8222";
    assert!(example.contains(own));
    std::fs::write(&claim, example.replace(own, endpoint)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_eds"));
    command.arg("validate").arg(&claim);
    if let Some(xrd) = xrd {
        command.arg("--xrd").arg(xrd);
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_engineer_says_which_endpoints_are_allowed() {
    let folder = std::env::temp_dir().join(format!("eds-endpoints-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let folder = folder.canonicalize().unwrap();
    // Kustomize only takes relative paths.
    let up = "../".repeat(folder.components().count() - 1);
    let platform = format!("{up}{}", platform().strip_prefix("/").unwrap().display());
    let kustomization =
        format!("resources: [{platform}]\ncomponents: [{platform}/components/nats-endpoints]\n");
    std::fs::write(folder.join("kustomization.yaml"), kustomization).unwrap();
    let Ok(built) = Command::new("kubectl").arg("kustomize").arg(&folder).output() else {
        let line =
            "endpoints: kubectl is not on the PATH, components/nats-endpoints is NOT CHECKED";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let xrd = folder.join("api.yaml");
    std::fs::write(&xrd, built.stdout).unwrap();
    let added = "nats-headless.orders.svc.cluster.local:8222";
    for (xrd, endpoint, status, part) in [
        (Some(xrd.as_path()), added, 0, ""),
        (Some(&xrd), "nats-headless.nats.svc.cluster.local:8222", 0, ""),
        (Some(&xrd), "nats.nats.svc:8222", 1, "only these endpoints are allowed"),
        (Some(&xrd), "attacker.example.com:80", 1, "only these endpoints are allowed"),
        (Some(&xrd), "http://x", 1, "EDS105"),
        (None, added, 1, "only Services of the namespace nats are allowed"),
    ] {
        let (code, said) = validate(&folder, xrd, endpoint);
        assert_eq!(code, Some(status), "{endpoint}: {said}");
        assert!(said.contains(part), "{endpoint}: {said}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
