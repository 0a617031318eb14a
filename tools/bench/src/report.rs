//! Turns measurements into figures, and figures into a table and JSON (`bench/README.md`).

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Failure;
use crate::command::Cost;
use crate::process::Server;
use crate::render::{MANY, Rendered};
use crate::rpc::{Compared, Load};
use crate::validate::Validated;

/// The version of the JSON's shape; raised when readers would have to change.
const VERSION: u32 = 1;

/// How to read a ratio. Ratios are always given so that more is better for us.
#[derive(Debug, Clone, Copy)]
enum Better {
    /// The peer's figure divided by ours: times, CPU, memory.
    Less,
    /// Our figure divided by the peer's: requests per second.
    More,
}

/// One line of the table.
#[derive(Debug)]
struct Figure {
    scenario: String,
    name: &'static str,
    unit: &'static str,
    eds: f64,
    peer: f64,
    ratio: f64,
    /// The smallest ratio that we promise.
    target: Option<f64>,
}

impl Figure {
    fn met(&self) -> Option<bool> {
        self.target.map(|target| self.ratio >= target)
    }
}

/// All figures of one run.
#[derive(Debug)]
pub(crate) struct Summary {
    figures: Vec<Figure>,
    /// Peers that are not installed here.
    not_measured: Vec<&'static str>,
    context: Value,
}

impl Summary {
    fn add(
        &mut self,
        (scenario, name, unit): (&str, &'static str, &'static str),
        (eds, peer): (f64, f64),
        better: Better,
        target: Option<f64>,
    ) {
        let ratio = match better {
            Better::Less => peer / eds,
            Better::More => eds / peer,
        };
        let scenario = scenario.to_owned();
        self.figures.push(Figure { scenario, name, unit, eds, peer, ratio, target });
    }

    pub(crate) fn json(&self) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|it| {
                json!({
                    "scenario": it.scenario, "figure": it.name, "unit": it.unit,
                    "eds": rounded(it.eds), "peer": rounded(it.peer), "ratio": rounded(it.ratio),
                    "target": it.target, "met": it.met(),
                })
            })
            .collect();
        json!({
            "version": VERSION, "context": self.context, "figures": figures,
            "not_measured": self.not_measured,
        })
    }
}

pub(crate) fn summary(
    rendered: &Rendered,
    loads: &[Compared],
    validated: &Validated,
    request: &Bytes,
    (ours, go): (&Server, &Server),
) -> Result<Summary, Failure> {
    let samples: usize = loads.iter().map(|it| it.eds.latencies_s.len()).sum();
    let peer_samples: usize = loads.iter().map(|it| it.go.latencies_s.len()).sum();
    let context = json!({
        "cpus": std::thread::available_parallelism()?.get(),
        "render_runs": rendered.eds.len(),
        "request_bytes": request.len(),
        "requests": {"eds": samples, "peer": peer_samples},
    });
    let mut summary = Summary { figures: Vec::new(), not_measured: Vec::new(), context };

    let render = "render: eds | crossplane composition render";
    let (eds, peer) = (&rendered.eds, &rendered.crossplane);
    summary.add((render, "wall, median", "ms"), (wall(eds), wall(peer)), Better::Less, Some(20.0));
    summary.add((render, "peak memory", "MiB"), (peak(eds), peak(peer)), Better::Less, Some(5.0));

    let limit = format!("render {MANY} claims in one call: eds | its limit");
    let mut add = |figure: (&'static str, &'static str), held| {
        summary.add((limit.as_str(), figure.0, figure.1), held, Better::Less, Some(1.0));
    };
    add(("wall, median", "ms"), (wall(&rendered.many), MOST_WALL));
    add(("peak memory", "MiB"), (peak(&rendered.many), MOST_RENDERING));

    for load in loads {
        let scenario = format!(
            "RunFunction, {} connection{}: eds-function | function-patch-and-transform",
            load.connections,
            if load.connections == 1 { "" } else { "s" }
        );
        let scenario = scenario.as_str();
        let mut add = |name, unit, of: fn(&Load) -> f64, better, target| {
            summary.add((scenario, name, unit), (of(&load.eds), of(&load.go)), better, target);
        };
        add("requests", "1/s", |it| count(it) / it.wall_s, Better::More, None);
        add(
            "mean",
            "ms",
            |it| it.latencies_s.iter().sum::<f64>() / count(it) * 1e3,
            Better::Less,
            None,
        );
        add(
            "p99",
            "ms",
            |it| quantile(it.latencies_s.iter().copied(), 0.99) * 1e3,
            Better::Less,
            None,
        );
        add("CPU a request", "ms", |it| it.cpu_s / count(it) * 1e3, Better::Less, Some(10.0));
        add("memory after", "MiB", |it| it.after_kib / 1024.0, Better::Less, Some(4.0));
    }
    let servers = "memory: eds-function | function-patch-and-transform";
    let idle = (ours.idle_kib / 1024.0, go.idle_kib / 1024.0);
    summary.add((servers, "idle", "MiB"), idle, Better::Less, None);
    let peak = (ours.memory("VmHWM")? / 1024.0, go.memory("VmHWM")? / 1024.0);
    summary.add((servers, "peak", "MiB"), peak, Better::Less, None);
    validation(validated, &mut summary);
    Ok(summary)
}

fn median(costs: &[Cost], of: fn(&Cost) -> f64) -> f64 {
    quantile(costs.iter().map(of), 0.5)
}

fn wall(costs: &[Cost]) -> f64 {
    median(costs, |it| it.wall_s * 1e3)
}

fn cpu(costs: &[Cost]) -> f64 {
    median(costs, |it| it.cpu_s * 1e3)
}

fn peak(costs: &[Cost]) -> f64 {
    median(costs, |it| it.peak_kib / 1024.0)
}

/// How long rendering [`MANY`] claims may take, in milliseconds, and how much memory, in MiB.
const MOST_WALL: f64 = 100.0;
const MOST_RENDERING: f64 = 30.0;

/// How much memory a validation may use, in MiB, however many claims there are.
const MOST_MEMORY: f64 = 25.0;

#[allow(clippy::cast_precision_loss, reason = "counts of files are far below 2^52")]
fn validation(validated: &Validated, summary: &mut Summary) {
    let Validated { eds, peers, many, files: (files, most) } = validated;
    for (name, costs) in peers {
        let Some(peer) = costs else {
            summary.not_measured.push(*name);
            continue;
        };
        let scenario = format!("validate {files} files: eds | {name}");
        let scenario = scenario.as_str();
        // We promise to be faster than the quick one; the others are far behind.
        let target = (*name == "kubeconform").then_some(1.0);
        summary.add((scenario, "wall", "ms"), (wall(eds), wall(peer)), Better::Less, target);
        summary.add((scenario, "CPU", "ms"), (cpu(eds), cpu(peer)), Better::Less, target);
        summary.add((scenario, "peak memory", "MiB"), (peak(eds), peak(peer)), Better::Less, None);
    }
    let linear = format!("validate, eds alone: {most} files | {files} files");
    let each = |costs: &[Cost], of: fn(&[Cost]) -> f64, files: usize| of(costs) / files as f64;
    let pair = |of| (each(many, of, *most), each(eds, of, *files));
    // Linear: a file costs no more among many. A tenth is allowed for the machine.
    summary.add((&linear, "wall a file", "ms"), pair(wall), Better::Less, Some(0.9));
    summary.add((&linear, "CPU a file", "ms"), pair(cpu), Better::Less, Some(0.9));
    let limit = format!("validate {most} files: eds | its limit");
    let held = (peak(many), MOST_MEMORY);
    summary.add((&limit, "peak memory", "MiB"), held, Better::Less, Some(1.0));
}

/// Renders the figures as a table for people.
pub(crate) fn table(summary: &Summary) -> String {
    let mut text = String::new();
    let mut scenario = "";
    for figure in &summary.figures {
        if figure.scenario != scenario {
            scenario = &figure.scenario;
            let _ = writeln!(
                text,
                "\n{scenario}\n  {:<18}{:>12}{:>12}{:>10}  target",
                "", "eds", "peer", "ratio"
            );
        }
        let verdict = match (figure.target, figure.met()) {
            (Some(target), Some(true)) => format!(">= {target}x, met"),
            (Some(target), _) => format!(">= {target}x, NOT MET"),
            (None, _) => String::new(),
        };
        let name = format!("{}, {}", figure.name, figure.unit);
        let line = format!(
            "  {name:<18}{:>12.2}{:>12.2}{:>9.1}x  {verdict}",
            figure.eds, figure.peer, figure.ratio
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for name in &summary.not_measured {
        let _ = writeln!(text, "\n{name}: NOT MEASURED, it is not here (see scripts/tools.sh)");
    }
    let targets: Vec<bool> = summary.figures.iter().filter_map(Figure::met).collect();
    let met = targets.iter().filter(|met| **met).count();
    let _ = writeln!(text, "\n{met} of {} targets met", targets.len());
    text
}

#[allow(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn count(load: &Load) -> f64 {
    load.latencies_s.len() as f64
}

/// Returns the value that a given share of the values does not exceed (nearest rank); NaN if there
/// are none.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are small and not negative"
)]
fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Rounds to four significant digits: more would suggest a precision that a run does not have.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let check = |values: &[f64], share, expect: f64| {
            assert_eq!(quantile(values.iter().copied(), share).to_bits(), expect.to_bits());
        };
        check(&[3.0, 1.0, 2.0], 0.5, 2.0);
        check(&[4.0, 1.0, 3.0, 2.0], 0.5, 2.0);
        check(&[1.0], 0.99, 1.0);
        let hundred: Vec<f64> = (1..=200).map(f64::from).collect();
        check(&hundred, 0.99, 198.0);
        check(&[], 0.5, f64::NAN);
    }

    #[test]
    fn a_ratio_is_how_many_times_better_we_are() {
        let check = |eds, peer, better, target, expect: (f64, Option<bool>)| {
            let mut summary =
                Summary { figures: Vec::new(), not_measured: Vec::new(), context: Value::Null };
            summary.add(("s", "n", "u"), (eds, peer), better, target);
            let figure = &summary.figures[0];
            assert_eq!((figure.ratio.to_bits(), figure.met()), (expect.0.to_bits(), expect.1));
        };
        check(5.0, 100.0, Better::Less, Some(20.0), (20.0, Some(true)));
        check(8.0, 100.0, Better::Less, Some(20.0), (12.5, Some(false)));
        check(4000.0, 500.0, Better::More, None, (8.0, None));
    }
}
