//! Finds and runs the servers: the Go function and ours.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The root of the checkout that this program was built from.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Finds a tool that no package registry offers: `crossplane`, `crossplane-cli` or
/// `function-patch-and-transform`. `scripts/tools.sh` finds it; its message is the error.
pub fn find_oracle(name: &str) -> Result<PathBuf, String> {
    let script = Path::new(ROOT).join("scripts/tools.sh");
    let output = std::process::Command::new(&script)
        .arg(name)
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    if output.status.success() {
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// Finds a binary of this workspace: next to this program, or above it if this is a test. Fails if
/// it is missing, or older than a file it was built from.
pub fn find_ours(name: &str) -> Result<PathBuf, String> {
    let build = || format!("build it with `cargo build --bin {name}`");
    let here = env::current_exe().map_err(|error| error.to_string())?;
    let mut directory = here.parent().unwrap_or(Path::new("."));
    if directory.ends_with("deps") {
        directory = directory.parent().unwrap_or(directory);
    }
    let path = directory.join(name);
    if !path.is_file() {
        return Err(format!("{} is missing: {}", path.display(), build()));
    }
    match newer_source(&path) {
        Some(source) => Err(format!("{} is older than {source}: {}", path.display(), build())),
        None => Ok(path),
    }
}

/// Returns the first file that cargo built the binary from and that has changed since. Cargo lists
/// them in `NAME.d` next to it; a copied binary has no such list and is trusted.
fn newer_source(binary: &Path) -> Option<String> {
    let modified = |path: &Path| fs::metadata(path).and_then(|it| it.modified()).ok();
    let built = modified(binary)?;
    let list = fs::read_to_string(binary.with_extension("d")).ok()?;
    // A make rule, `binary: source source`; a space in a name is escaped.
    let sources = list.lines().next()?.split_once(": ")?.1.replace("\\ ", "\0");
    sources
        .split(' ')
        .map(|source| source.replace('\0', " "))
        .find(|source| modified(Path::new(source)).is_some_and(|at| at > built))
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens: `host:port`.
    pub address: String,
    _child: Child,
}

/// Starts a function without TLS on a free loopback port and waits until it listens.
pub async fn start(binary: &Path) -> Result<Running, String> {
    let name = binary.display();
    // The port is free until somebody else takes it; the servers cannot be asked for theirs.
    let address = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))?
        .to_string();
    let mut child = Command::new(binary)
        .args(["--insecure", "--address", &address])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot start {name}: {error}"))?;
    for _ in 0..200 {
        if TcpStream::connect(&address).await.is_ok() {
            return Ok(Running { address, _child: child });
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("{name} ended with {status} before it listened"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(format!("{name} did not listen at {address} within 10 s"))
}
