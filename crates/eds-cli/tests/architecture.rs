//! What the maps of the house say: the crates' dependencies, and that what they name is there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Paths of the repository between backticks: they begin with a room of it, and stand for themselves.
fn paths(page: &str) -> Vec<String> {
    let rooms = [
        "crates/",
        "platform/",
        "scripts/",
        "testbed/",
        "tools/",
        "tests/",
        "package/",
        "bench/",
        "eds-",
    ];
    let quoted = page.split('`').skip(1).step_by(2).filter_map(|code| code.split(' ').next());
    quoted
        .filter(|path| path.contains('/') && rooms.iter().any(|room| path.starts_with(room)))
        .filter(|path| !path.contains(['*', '$', '<', '{', ':', '=']) && !path.contains("/out/"))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn what_the_maps_name_is_there() {
    let mut missing = Vec::new();
    for map in
        ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "bench/README.md", "testbed/README.md"]
    {
        let page = std::fs::read_to_string(root().join(map)).unwrap();
        let found = paths(&page);
        assert!(!found.is_empty(), "{map} names no path");
        for path in found {
            // In text a crate's name may stand for its folder.
            let places = [root().join(&path), root().join("crates").join(&path)];
            if !places.iter().any(|place| place.exists()) {
                missing.push(format!("{map}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The rooms that a crate's first lines draw: `//! name   what stands in it`, between the fences.
#[test]
fn the_rooms_that_a_crate_draws_are_there() {
    let mut drawn = 0;
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let source = entry.unwrap().path().join("src");
        let Ok(text) = std::fs::read_to_string(source.join("lib.rs")) else { continue };
        let header = text.lines().take_while(|line| line.starts_with("//!"));
        for line in header.filter_map(|line| line.strip_prefix("//! ")) {
            let Some((room, _)) = line.split_once("  ") else { continue };
            if room.is_empty() || !room.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                continue;
            }
            let there = [source.join(room).join("mod.rs"), source.join(format!("{room}.rs"))];
            assert!(there.iter().any(|file| file.exists()), "{}: no room {room}", source.display());
            drawn += 1;
        }
    }
    assert!(drawn >= 8, "only {drawn} rooms were found in the crates' first lines");
}

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
