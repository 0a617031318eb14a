//! Finds and runs the two servers: the Go function and ours.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Name of the Go function's binary.
const ORACLE: &str = "function-patch-and-transform";

/// Where the Go function was found, and how that is said.
pub(crate) fn find_oracle() -> Result<PathBuf, String> {
    if let Some(directory) = env::var_os("EDS_TOOLS_DIR") {
        let path = Path::new(&directory).join(ORACLE);
        if path.is_file() {
            return Ok(path);
        }
        return Err(format!("EDS_TOOLS_DIR holds no {ORACLE}"));
    }
    let packed = Path::new("../shared/tools").join(format!("{ORACLE}.xz"));
    if packed.is_file() {
        return unpack(&packed);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(ORACLE))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            format!(
                "the oracle is missing: no {ORACLE} in EDS_TOOLS_DIR, ../shared/tools or PATH; \
                 build it from crossplane-contrib/function-patch-and-transform with `go build .`"
            )
        })
}

/// Unpack into the cache directory, once.
fn unpack(packed: &Path) -> Result<PathBuf, String> {
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    let directory = cache.join("eds-tools");
    let path = directory.join(ORACLE);
    if path.is_file() {
        return Ok(path);
    }
    let fresh = directory.join(format!("{ORACLE}.{}", std::process::id()));
    let unpacked = fs::create_dir_all(&directory).and_then(|()| {
        let output = fs::File::create(&fresh)?;
        let status =
            std::process::Command::new("xz").arg("-dc").arg(packed).stdout(output).status()?;
        if !status.success() {
            return Err(std::io::Error::other(format!("xz: {status}")));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
        }
        fs::rename(&fresh, &path)
    });
    unpacked.map(|()| path).map_err(|error| format!("cannot unpack {}: {error}", packed.display()))
}

/// Our own binary: beside this one.
pub(crate) fn find_ours() -> Result<PathBuf, String> {
    let here = env::current_exe().map_err(|error| error.to_string())?;
    let path = here.with_file_name("eds-function");
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("{} is missing: build it with `cargo build -p eds-function`", path.display()))
    }
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: String,
    _child: Child,
}

/// Start a function without TLS on a free loopback port and wait until it listens.
pub(crate) async fn start(binary: &Path) -> Result<Running, String> {
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
