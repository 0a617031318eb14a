//! Attacks on both functions, each in a control group with the pod's memory, side by side.
//!
//! Every attack gets a fresh server; while it lasts, small requests are sent on a separate
//! connection and the slowest answer is noted. Loopback only, bounded in time and number.

mod cgroup;
mod floods;
mod requests;
mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::cgroup::Group;
use crate::Failure;
use crate::process::Server;
use crate::rpc::{call, connect};

/// How much memory both pods may use:
/// `platform/04-apis/functions/function-event-driven-service.yaml`.
pub(crate) const MEMORY: u64 = 128 << 20;

/// How long the load of one attack may last.
const LENGTH: Duration = Duration::from_secs(8);

/// How much worse ours may be: the figures of a single run vary.
const TOLERANCE: f64 = 1.2;

/// Paths of the two functions.
#[derive(Debug, clap::Args)]
pub(crate) struct Attack {
    /// Our function.
    #[arg(long)]
    eds_function: PathBuf,
    /// The Go function-patch-and-transform; without it, ours is attacked alone.
    #[arg(long)]
    go_function: Option<PathBuf>,
    /// Directory of the JSON summary; it is created.
    #[arg(long)]
    out: PathBuf,
    /// Only attacks whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

/// What an attack sends.
enum Load {
    /// This request, this many times, this many at once.
    Requests { request: fn() -> Result<Bytes, Failure>, count: usize, at_once: usize },
    /// These frames, on this many connections.
    Frames { flood: floods::Flood, connections: usize },
    /// The same against a server with mutual TLS.
    Tls { flood: floods::Flood, connections: usize },
    /// SIGTERM while one connection is open and idle, or while this request is computed, which must
    /// be answered.
    Stop { under_way: Option<fn() -> Result<Bytes, Failure>> },
}

const ATTACKS: &[(&str, Load)] = &[
    ("AppendArray, 60,000 to 60,000", requests_of(requests::append_arrays, 1, 1)),
    ("regexp \\pL{1000}, 20 requests", requests_of(requests::long_class, 20, 4)),
    ("regexp ^[\\p{L}\\p{N}]{1,255}$, 200 requests", requests_of(requests::bounded_class, 200, 4)),
    ("2,000 Unicode regexps in a request, 5 times", requests_of(requests::many_classes, 5, 2)),
    ("100 requests of 1.9 MB at once", requests_of(requests::large, 100, 100)),
    ("100 requests of 1.9 MB, small objects", requests_of(requests::many_objects, 100, 100)),
    ("100 requests of 1.9 MB, denser objects", requests_of(requests::dense, 100, 100)),
    (
        "200 small requests that compute for long, 100 at once",
        requests_of(requests::slow, 200, 100),
    ),
    (
        "regexps of 20,000 instructions, 32 requests at once",
        requests_of(requests::long_programs, 64, 32),
    ),
    (
        "slow clients: 100 half-sent requests",
        Load::Frames { flood: floods::half_sent, connections: 100 },
    ),
    ("100,000 open streams", Load::Frames { flood: floods::streams, connections: 10 }),
    ("rapid reset, 40,000", Load::Frames { flood: floods::resets, connections: 4 }),
    ("PING flood", Load::Frames { flood: floods::pings, connections: 4 }),
    ("SETTINGS flood", Load::Frames { flood: floods::settings, connections: 4 }),
    ("CONTINUATION flood", Load::Frames { flood: floods::continuations, connections: 4 }),
    ("headers of 1 MB", Load::Frames { flood: floods::headers, connections: 20 }),
    (
        "256 connections, 100 half-sent requests on each",
        Load::Frames { flood: floods::half_sent_streams, connections: 256 },
    ),
    (
        "20 connections, 100 answers unread on each",
        Load::Frames { flood: floods::unread, connections: 20 },
    ),
    ("2,000 connections that say nothing", Load::Frames { flood: floods::silent, connections: 20 }),
    (
        "TLS: 2,000 half-open handshakes",
        Load::Tls { flood: floods::half_open_handshakes, connections: 20 },
    ),
    ("TLS: 2,000 handshakes given up", Load::Tls { flood: floods::handshakes, connections: 4 }),
    ("SIGTERM with an idle connection", Load::Stop { under_way: None }),
    ("SIGTERM with a request under way", Load::Stop { under_way: Some(requests::slow) }),
];

const fn requests_of(
    request: fn() -> Result<Bytes, Failure>,
    count: usize,
    at_once: usize,
) -> Load {
    Load::Requests { request, count, at_once }
}

/// The fault of a small request that took longer than the Go function's.
const SLOWER: &str = "slower beside";

/// The slowest of some thousand requests may have met a late packet, on either side. An attack with
/// no other fault is measured again, up to this many times in total.
const TRIES: u32 = 3;

/// How one server coped with one attack.
#[derive(Debug, Default)]
struct Outcome {
    /// Whether it survives and answers; for SIGTERM: whether it answered what was in progress, and
    /// ended.
    survived: bool,
    peak_mib: f64,
    cpu_s: f64,
    /// The slowest small request during the attack, or how long SIGTERM took.
    worst_ms: f64,
}

/// Attacks both, prints the table and writes the summary; returns false if ours was worse
/// somewhere.
pub(crate) fn run(attack: &Attack) -> Result<bool, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    if attack.go_function.is_none() {
        eprintln!("attack: NOT COMPARED, the Go function is not here; ours is attacked alone");
    }
    let mut rows = Vec::new();
    let mut held = true;
    println!("| attack | ours: peak, CPU, slowest beside | the Go function | |\n|---|---|---|---|");
    let both = |load: &Load| -> Result<(Outcome, Option<Outcome>), Failure> {
        let one = |name, path: &Path| runtime.block_on(one(name, path, load));
        let ours = one("eds-function", &attack.eds_function)?;
        let go = attack.go_function.as_deref();
        Ok((ours, go.map(|path| one("function-patch-and-transform", path)).transpose()?))
    };
    for (name, load) in ATTACKS.iter().filter(|(name, _)| name.contains(&attack.only)) {
        let (mut ours, mut go) = both(load)?;
        for _ in 1..TRIES {
            if faults(&ours, go.as_ref()) != [SLOWER] {
                break;
            }
            (ours, go) = both(load)?;
        }
        let faults = faults(&ours, go.as_ref());
        held &= faults.is_empty();
        let verdict = if faults.is_empty() { "held".to_owned() } else { faults.join(", ") };
        let theirs = go.as_ref().map_or_else(|| "not compared".to_owned(), text);
        println!("| {name} | {} | {theirs} | {verdict} |", text(&ours));
        rows.push(json!({
            "attack": name, "ours": as_json(&ours), "go": go.as_ref().map(as_json),
            "faults": faults,
        }));
    }
    std::fs::create_dir_all(&attack.out)?;
    let summary = json!({ "version": 1, "memory_limit": MEMORY, "limited": Group::can_limit(),
        "rows": rows });
    std::fs::write(attack.out.join("attack.json"), format!("{summary:#}\n"))?;
    Ok(held)
}

fn text(outcome: &Outcome) -> String {
    let Outcome { survived, peak_mib, cpu_s, worst_ms } = outcome;
    let failed = if *survived { "" } else { "**failed**, " };
    format!("{failed}{peak_mib:.0} MiB, {cpu_s:.2} s, {worst_ms:.0} ms")
}

fn as_json(outcome: &Outcome) -> Value {
    json!({
        "survived": outcome.survived, "peak_mib": outcome.peak_mib,
        "cpu_s": outcome.cpu_s, "worst_ms": outcome.worst_ms,
    })
}

/// Returns where ours is worse. What is too small to measure does not count.
fn faults(ours: &Outcome, go: Option<&Outcome>) -> Vec<&'static str> {
    let mut faults = Vec::new();
    if !ours.survived {
        faults.push("FAILED");
    }
    let Some(go) = go.filter(|go| go.survived) else { return faults };
    if ours.peak_mib > go.peak_mib * TOLERANCE + 4.0 {
        faults.push("more memory");
    }
    if ours.cpu_s > go.cpu_s * TOLERANCE + 0.1 {
        faults.push("more CPU");
    }
    if ours.worst_ms > go.worst_ms * TOLERANCE + 50.0 {
        faults.push(SLOWER);
    }
    faults
}

/// Runs one attack on one server.
async fn one(name: &'static str, program: &Path, load: &Load) -> Result<Outcome, Failure> {
    eprintln!("attack: {name}");
    let group = Group::new(name)?;
    let certificates = match load {
        Load::Tls { .. } => Some(tls::Certificates::new()?),
        _ => None,
    };
    let directory = certificates.as_ref().map(tls::Certificates::directory);
    let mut server = Server::start_in(name, program, group.entry(), directory)?;
    let address = server.address();
    let cpu = server.cpu_s()?;
    let small = requests::small()?;
    let mut outcome = Outcome::default();
    if let Load::Stop { under_way } = load {
        let _idle = std::net::TcpStream::connect(address)?;
        let mut client = connect(address).await?;
        let request = under_way.map(|request| request()).transpose()?;
        let answer = request
            .map(|request| tokio::spawn(async move { call(&mut client, &request).await.is_ok() }));
        sleep(Duration::from_millis(30)).await;
        let start = Instant::now();
        server.terminate()?;
        let answered = match answer {
            Some(answer) => answer.await?,
            None => true,
        };
        outcome.survived = server.ends_within(Duration::from_secs(25)) && answered;
        outcome.worst_ms = start.elapsed().as_secs_f64() * 1e3;
        outcome.peak_mib = group.peak_mib().unwrap_or_default();
        return Ok(outcome);
    }
    let probing = tokio::spawn(probe(
        address,
        certificates.as_ref().map(tls::Certificates::client),
        small.clone(),
    ));
    let _ = timeout(LENGTH, attack(address, load)).await;
    // What is still in progress may continue for a moment alongside the small requests.
    sleep(Duration::from_millis(500)).await;
    probing.abort();
    let worst = WORST.swap(0, std::sync::atomic::Ordering::Relaxed);
    outcome.worst_ms = f64::from(worst) / 1e3;
    outcome.survived = server.alive();
    outcome.cpu_s = server.cpu_s().map_or(0.0, |now| now - cpu);
    outcome.peak_mib = group
        .peak_mib()
        .or_else(|| server.memory("VmHWM").ok().map(|it| it / 1024.0))
        .unwrap_or_default();
    if outcome.survived {
        let answer = timeout(Duration::from_secs(30), async {
            let client = certificates.as_ref().map(tls::Certificates::client);
            call(&mut tls::connect(address, client.as_ref()).await?, &small).await
        });
        outcome.survived = matches!(answer.await, Ok(Ok(_)));
    }
    Ok(outcome)
}

/// Microseconds of the slowest small request, including one that is not answered yet.
static WORST: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

async fn probe(address: SocketAddr, client: Option<tls::Client>, small: Bytes) {
    loop {
        let Ok(mut client) = tls::connect(address, client.as_ref()).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        loop {
            let sent = Instant::now();
            let note = || {
                let micros = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
                WORST.fetch_max(micros, std::sync::atomic::Ordering::Relaxed);
            };
            let answer = call(&mut client, &small);
            tokio::pin!(answer);
            let answered = loop {
                tokio::select! {
                    answer = &mut answer => break answer,
                    () = sleep(Duration::from_millis(100)) => note(),
                }
            };
            note();
            if answered.is_err() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn attack(address: SocketAddr, load: &Load) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    match *load {
        Load::Requests { request, count, at_once } => {
            let request = request()?;
            for task in 0..at_once {
                let (request, count) =
                    (request.clone(), count / at_once + usize::from(task < count % at_once));
                tasks.spawn(async move {
                    let mut client = connect(address).await?;
                    for _ in 0..count {
                        let _ = call(&mut client, &request).await;
                    }
                    Ok::<_, Failure>(())
                });
            }
        }
        Load::Frames { flood, connections } | Load::Tls { flood, connections } => {
            for _ in 0..connections {
                tasks.spawn_blocking(move || {
                    flood(address);
                    Ok(())
                });
            }
        }
        Load::Stop { .. } => {}
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}
