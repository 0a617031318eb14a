//! Runs `eds` with a standard input, and compares its output with a file.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `eds` in a directory.
pub(crate) fn eds(directory: &Path, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_eds"))
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails early closes its standard input.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// Compares with the golden file, or writes it.
#[track_caller]
pub(crate) fn check(path: &Path, actual: &str) {
    if std::env::var_os("EDS_UPDATE_GOLDEN").is_some() {
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path)
        .unwrap_or_else(|e| panic!("{}: {e}; EDS_UPDATE_GOLDEN=1 writes it", path.display()));
    assert!(
        expected == actual,
        "{} differs; EDS_UPDATE_GOLDEN=1 writes it anew\n--- expected\n{expected}\n--- \
            actual\n{actual}",
        path.display(),
    );
}
