//! What ARCHITECTURE.md promises about the crates' dependencies.

use std::process::Command;

#[test]
fn the_core_names_no_runtime_and_no_network() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--offline",
            "-p",
            "eds-core",
            "-e",
            "normal",
            "--prefix",
            "none",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"serde_json"), "{tree}");
    let banned = ["tokio", "kube", "tonic", "async-nats", "hyper", "mio", "socket2", "rustls"];
    let found: Vec<&&str> = names.iter().filter(|name| banned.contains(name)).collect();
    assert!(found.is_empty(), "eds-core depends on {found:?}");
}

#[test]
fn keys_are_sorted() {
    // serde_json's feature `preserve_order` would change the order of every printed manifest, and
    // any crate of the workspace could switch it on.
    let object: serde_json::Value = serde_json::from_str(r#"{"b": 1, "a": 2}"#).unwrap();
    assert_eq!(object.to_string(), r#"{"a":2,"b":1}"#);
}
