//! A function running as its own process on loopback, and what the kernel counts for it.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Failure;

/// Linux counts user-space CPU time in hundredths of a second (USER_HZ): proc(5).
const TICKS_PER_SECOND: f64 = 100.0;

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running function, ended when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    address: SocketAddr,
    /// The resident set after starting, before any request, in KiB.
    pub(crate) idle_kib: f64,
}

impl Server {
    /// Starts `--insecure --address 127.0.0.1:PORT`, which both functions support, and waits until
    /// it accepts connections.
    pub(crate) fn start(name: &'static str, program: &Path) -> Result<Self, Failure> {
        Self::start_in(name, program, None, None)
    }

    /// Does the same in the control group with the given `cgroup.procs`, and with mutual TLS if
    /// there are certificates.
    pub(crate) fn start_in(
        name: &'static str,
        program: &Path,
        group: Option<PathBuf>,
        certificates: Option<&Path>,
    ) -> Result<Self, Failure> {
        let address = free_address()?;
        // A shell enters the group and becomes the program.
        let child = Command::new("sh")
            .args(["-c", r#"[ -z "$1" ] || echo $$ > "$1"; shift; exec "$@""#, "sh"])
            .arg(group.unwrap_or_default())
            .arg(program)
            .args(["--address", &address.to_string()])
            .args(certificates.is_none().then_some("--insecure"))
            .env_remove("TLS_SERVER_CERTS_DIR")
            // As in the packaged image (package/image).
            .env("MALLOC_ARENA_MAX", "1")
            .envs(certificates.map(|directory| ("TLS_SERVER_CERTS_DIR", directory)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut server = Self { name, child, address, idle_kib: 0.0 };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{name} ended at start with {status}").into());
            }
            if start.elapsed() > START_TIMEOUT {
                return Err(format!("{name} took no connection in {START_TIMEOUT:?}").into());
            }
            sleep(Duration::from_millis(20));
        }
        sleep(Duration::from_millis(200));
        server.idle_kib = server.memory("VmRSS")?;
        Ok(server)
    }

    /// Reports whether it is still running.
    pub(crate) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> Result<(), Failure> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-s", "TERM", &pid]).status()?;
        Ok(())
    }

    /// Reports whether it ends within this time.
    pub(crate) fn ends_within(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        while self.alive() && start.elapsed() < time {
            sleep(Duration::from_millis(10));
        }
        !self.alive()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the CPU seconds of all its threads so far, user and system.
    pub(crate) fn cpu_s(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in brackets, may contain spaces. After it, utime and stime are fields 12 and
        // 13.
        let after = stat.rsplit_once(") ").ok_or("/proc/PID/stat has no name")?.1;
        let ticks: Vec<f64> = after.split(' ').skip(11).take(2).flat_map(str::parse).collect();
        Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
    }

    /// Returns a memory figure from /proc/PID/status in KiB: VmRSS (now) or VmHWM (peak).
    pub(crate) fn memory(&self, field: &str) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|it| it.strip_prefix(field)).ok_or("no such field")?;
        let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
        Ok(kib.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a loopback address that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
