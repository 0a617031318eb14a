//! A single command's wall time, CPU time and peak memory.
//!
//! `getrusage(RUSAGE_CHILDREN)` gives the largest resident set of any child waited for so far,
//! including their own children. It never goes down, so every measured command gets its own process
//! around it: eds-bench itself, called as `eds-bench command -- ARGV`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Value, json};

use crate::Failure;

/// What one finished command cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Wall time in seconds, from before the start to after the end.
    pub(crate) wall_s: f64,
    /// CPU seconds of the command and its children, user and system.
    pub(crate) cpu_s: f64,
    /// Peak resident set of the largest process among the command and its children, in KiB. Never
    /// below the 2 MiB or so of the process around it, because a fork starts with its parent's
    /// pages.
    pub(crate) peak_kib: f64,
}

/// Runs the command with its output discarded, and prints its cost as JSON: the inner half.
pub(crate) fn measure(argv: &[String]) -> Result<(), Failure> {
    let (program, arguments) = argv.split_first().ok_or("no command")?;
    let start = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("{program}: {error}"))?;
    let wall_s = start.elapsed().as_secs_f64();
    // Linux counts ru_maxrss in KiB: getrusage(2).
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let peak_kib = used.max_rss();
    let cpu = used.user_time() + used.system_time();
    let cpu_s = Duration::from_micros(cpu.num_microseconds().try_into()?).as_secs_f64();
    println!(
        "{}",
        json!({"wall_s": wall_s, "cpu_s": cpu_s, "peak_kib": peak_kib, "success": status.success()})
    );
    Ok(())
}

/// Returns the cost of a command that must succeed: the outer half.
pub(crate) fn cost<S: AsRef<std::ffi::OsStr>>(
    program: &Path,
    arguments: &[S],
) -> Result<Cost, Failure> {
    let output = Command::new(std::env::current_exe()?)
        .arg("command")
        .arg("--")
        .arg(program)
        .args(arguments)
        .stderr(Stdio::piped())
        .output()?;
    let measured: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let field = |name: &str| measured.get(name).and_then(Value::as_f64);
    let costs = (field("wall_s"), field("cpu_s"), field("peak_kib"));
    match (measured.get("success"), costs) {
        (Some(Value::Bool(true)), (Some(wall_s), Some(cpu_s), Some(peak_kib))) => {
            Ok(Cost { wall_s, cpu_s, peak_kib })
        }
        _ => Err(format!(
            "{} failed: {}",
            program.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into()),
    }
}
