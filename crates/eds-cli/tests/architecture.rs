//! Checks the project's maps: the crates' dependencies, and that what they name exists.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns the places that a page names between backticks: paths that begin with one of the
/// project's rooms, and names of files alone, which are in the folder of the path before them.
fn places(page: &str) -> Vec<PathBuf> {
    const ROOMS: [&str; 12] = [
        ".ci", ".github", "bench", "crates", "e2e", "package", "platform", "scripts", "testbed",
        "tests", "tools", "",
    ];
    let root = root();
    let mut folder = root.clone();
    let mut places = Vec::new();
    for code in page.split('`').skip(1).step_by(2) {
        let path = code.split(' ').next().unwrap_or_default();
        if path.contains(['*', '$', '<', '{', ':', '=']) || path.contains("/out/") {
            continue;
        }
        let (room, inside) = path.split_once('/').unwrap_or(("", path));
        let place = if inside.is_empty() || !ROOMS.contains(&room) && !room.starts_with("eds-") {
            continue;
        } else if !room.is_empty() {
            // In text a crate's name may stand for its folder.
            Some(root.join(path))
                .filter(|place| place.exists())
                .unwrap_or(root.join("crates").join(path))
        } else if path.ends_with(".rs") {
            folder.join(path)
        } else {
            continue;
        };
        if !room.is_empty() {
            folder = if place.is_dir() { place.clone() } else { place.with_file_name("") };
        }
        places.push(place);
    }
    places
}

#[test]
fn what_the_maps_name_is_there() {
    let mut missing = Vec::new();
    for map in
        ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "bench/README.md", "testbed/README.md"]
    {
        let page = std::fs::read_to_string(root().join(map)).unwrap();
        let found = places(&page);
        assert!(!found.is_empty(), "{map} names no path");
        let lost = found.into_iter().filter(|place| !place.exists());
        missing.extend(lost.map(|place| format!("{map}: {}", place.display())));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Checks the rooms drawn in a crate's first lines: `//! name   what is in it`, between the fences.
#[test]
fn the_rooms_that_a_crate_draws_are_there() {
    let mut drawn = 0;
    let crates = std::fs::read_dir(root().join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path());
    let sources = crates.chain([root().join("e2e")]).map(|path| path.join("src"));
    for source in sources {
        let texts = ["lib.rs", "main.rs"].map(|file| std::fs::read_to_string(source.join(file)));
        let Some(text) = texts.into_iter().find_map(Result::ok) else { continue };
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
    assert!(drawn >= 40, "only {drawn} rooms were found in the crates' first lines");
}

/// Returns the crates that a crate is built with, of this workspace and others.
fn tree(package: &str) -> Vec<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--offline", "-e", "normal", "--prefix", "none", "-p", package])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    tree.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
}

/// Checks what a crate may know of this workspace, and that it knows nothing that talks to others.
#[track_caller]
fn check(package: &str, knows: &[&str]) {
    const EDGES: [&str; 8] =
        ["tokio", "kube", "tonic", "async-nats", "hyper", "mio", "socket2", "rustls"];
    const OURS: [&str; 12] = [
        "golang",
        "patch-and-transform",
        "kube-object",
        "kube-schema",
        "eds-core",
        "eds-claims",
        "eds-adopt",
        "eds-verify",
        "eds-cluster",
        "eds-cli",
        "eds-function",
        "eds-worker",
    ];
    let tree = tree(package);
    assert!(tree.iter().any(|name| name == "serde_json"), "{package}: {tree:?}");
    let mut ours: Vec<&str> =
        OURS.into_iter().filter(|ours| tree.iter().any(|name| name == ours)).collect();
    ours.retain(|name| *name != package);
    assert_eq!(ours, knows, "what {package} knows");
    let edges: Vec<&&str> =
        EDGES.iter().filter(|edge| tree.iter().any(|name| name == *edge)).collect();
    assert!(edges.is_empty(), "{package} depends on {edges:?}");
    let cel = tree.iter().any(|name| name == "cel");
    assert_eq!(cel, package == "kube-schema" || knows.contains(&"kube-schema"), "cel in {package}");
}

#[test]
fn a_crate_knows_what_its_header_says() {
    check("golang", &[]);
    check("patch-and-transform", &["golang"]);
    check("kube-object", &["golang"]);
    check("kube-schema", &["golang", "kube-object"]);
    check("eds-core", &["golang", "patch-and-transform", "kube-object"]);
    let core = ["golang", "patch-and-transform", "kube-object"];
    check("eds-verify", &[&core[..], &["eds-core"]].concat());
    let claims = [&core[..], &["kube-schema", "eds-core"]].concat();
    check("eds-claims", &claims);
    check("eds-adopt", &[&claims[..], &["eds-claims"]].concat());
}

#[test]
fn the_function_carries_no_schema() {
    let tree = tree("eds-function");
    for name in ["cel", "antlr4rust", "nom", "kube-schema", "eds-claims", "kube"] {
        assert!(!tree.iter().any(|n| n == name), "eds-function carries {name}");
    }
}

/// Collects all Rust files below a folder, except generated ones.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !["generated", "target"].iter().any(|name| path.ends_with(name)) {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// If a line is longer than `max_width`, rustfmt silently leaves the whole statement or match as it
/// is: a long text is broken by `\`. Comments may be wider, because they affect no layout.
#[test]
fn no_line_is_too_long_for_rustfmt() {
    let mut files = Vec::new();
    let rooms = ["crates", "tools", "e2e"].map(|room| root().join(room));
    rooms.iter().filter(|room| room.exists()).for_each(|room| sources(room, &mut files));
    assert!(files.len() > 200, "only {} files were found", files.len());
    let mut long = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(std::fs::read_to_string(&file).unwrap().lines()) {
            let most = if line.trim_start().starts_with("//") { 120 } else { 100 };
            if line.chars().count() > most {
                long.push(format!("{}:{number}: more than {most} characters", file.display()));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn keys_are_sorted() {
    // serde_json's feature `preserve_order` would change the order of every printed manifest, and
    // any crate of the workspace could switch it on.
    let object: serde_json::Value = serde_json::from_str(r#"{"b": 1, "a": 2}"#).unwrap();
    assert_eq!(object.to_string(), r#"{"a":2,"b":1}"#);
}
