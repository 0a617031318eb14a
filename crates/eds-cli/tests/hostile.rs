//! Files that mean harm, or were never claims: a clear answer within 200 MiB of address space, never a
//! panic. The times stand in the output of `cargo test -- --nocapture`; they are not asserted.
//!
//! Measured once with the release build, on two busy cores: 100 MB file 23 ms, 14 MiB; alias bomb 94 ms,
//! 52 MiB; 10,000-deep nesting 11 ms, invalid UTF-8 16 ms, empty file 6 ms, directory of binaries 8 ms,
//! each within 14 MiB.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// Address space of the command, in KiB: what is resident is never more.
const LIMIT_KIB: u32 = 200 << 10;

const CLAIM: &str = include_str!("../../../platform/04-apis/examples/minimal-claim.yaml");

fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

fn validate(path: &Path) -> Output {
    let start = Instant::now();
    let output = Command::new("bash")
        .args(["-c", &format!("ulimit -v {LIMIT_KIB} && exec timeout 60 \"$0\" validate \"$1\"")])
        .args([env!("CARGO_BIN_EXE_eds").as_ref(), path.as_os_str()])
        // Each thread's arena of glibc's allocator reserves 64 MiB that it does not use.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    println!("{}: {:.2?}", path.display(), start.elapsed());
    output
}

/// The command ends with `code`, by itself, and says `words`.
fn check(name: &str, content: &[u8], code: i32, words: &str) {
    let path = directory("hostile").join(format!("{name}.yaml"));
    fs::write(&path, content).unwrap();
    let output = validate(&path);
    fs::remove_file(&path).unwrap();
    expect(&output, name, code, words);
}

fn expect(output: &Output, name: &str, code: i32, words: &str) {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let start: String = said.chars().take(2000).collect();
    assert!(!said.contains("panicked"), "{name}: {start}");
    assert_eq!(output.status.code(), Some(code), "{name}: {start}");
    assert!(said.contains(words), "{name}: does not say {words:?}: {start}");
    assert!(said.len() < 1 << 20, "{name}: says {} bytes", said.len());
}

#[test]
fn aliases_that_multiply() {
    let mut bomb = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..20 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    check("bomb", bomb.as_bytes(), 1, "error[");
}

#[test]
fn large_files() {
    check("large", &vec![b'a'; 100 << 20], 1, "larger than");
    check("comments", &b"# nothing\n".repeat(10 << 20), 1, "larger than");
}

#[test]
fn deep_nesting() {
    let flow = format!("{CLAIM}  env: {}1{}\n", "[".repeat(10_000), "]".repeat(10_000));
    check("flow", flow.as_bytes(), 1, "error[");
    let mut block = String::from(CLAIM);
    for depth in 1..2_000 {
        block += &format!("{}a:\n", "  ".repeat(depth));
    }
    check("block", block.as_bytes(), 1, "error[");
}

#[test]
fn what_is_no_text() {
    check("utf8", b"spec: {image: \"\xff\xfe\"}\n", 1, "error[");
    check("nul", b"kind: EventDrivenService\0\n", 1, "error[");
    check("elf", &fs::read("/bin/true").unwrap(), 1, "error[");
}

#[test]
fn what_other_editors_write() {
    check("bom", format!("\u{feff}{CLAIM}").as_bytes(), 0, "1 claim");
    check("crlf", CLAIM.replace('\n', "\r\n").as_bytes(), 0, "1 claim");
}

#[test]
fn nothing_to_read() {
    check("empty", b"", 2, "0 claims");
    check("blank", b"\n---\n\n---\n# no more\n", 2, "0 claims");
}

#[test]
fn many_documents() {
    check("documents", &b"---\n{}\n".repeat(500_000), 1, "error[");
}

#[test]
fn a_directory_of_binaries() {
    let directory = directory("hostile-binaries");
    for name in ["a.yaml", "b.yml", "c.yaml"] {
        fs::copy("/bin/true", directory.join(name)).unwrap();
    }
    expect(&validate(&directory), "directory", 1, "error[");
}
