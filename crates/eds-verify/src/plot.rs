//! Plots lag and replicas over time, as one self-contained SVG.

use std::fmt::Write;

use super::load::{LoadFacts, Sample};

/// Size of the picture in pixels, and of the margins around the axes.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 64.0;
const TOP: f64 = 72.0;
const BOTTOM: f64 = 56.0;

const LAG: &str = "#9db8d9";
const REPLICAS: &str = "#c2410c";
const READY: &str = "#15803d";

/// Draws a run. `title` and `subtitle` are above it.
#[must_use]
pub fn svg(facts: &LoadFacts, title: &str, subtitle: &str) -> String {
    let first = facts.samples.first().map_or(0.0, |s| s.seconds).min(0.0);
    let last = facts.samples.last().map_or(1.0, |s| s.seconds).max(first + 1.0);
    let lags = top(facts.samples.iter().map(|s| s.lag).max().unwrap_or(1));
    let pods = top(facts.peak().max(facts.max_replicas));
    let x = |seconds: f64| LEFT + (seconds - first) / (last - first) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64, top: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
    let (ground, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
            width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"system-ui, sans-serif\" \
            font-size=\"12\" fill=\"#1f2937\">\n<title>{t}</title>\n<rect width=\"100%\" \
            height=\"100%\" fill=\"#ffffff\"/>\n<text x=\"{LEFT}\" y=\"26\" font-size=\"18\" \
            font-weight=\"600\">{t}</text>\n<text x=\"{LEFT}\" y=\"46\" \
            fill=\"#6b7280\">{s}</text>\n",
        t = escaped(title),
        s = escaped(subtitle),
    );
    for i in 0..=4_u8 {
        let part = f64::from(i) / 4.0;
        let height = y(part, 1.0);
        let _ = write!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{height:.1}\" x2=\"{right}\" y2=\"{height:.1}\" \
                stroke=\"#e5e7eb\"/>\n<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" \
                fill=\"#4b6a92\">{}</text>\n<text x=\"{:.0}\" y=\"{:.1}\" \
                fill=\"{REPLICAS}\">{}</text>\n",
            LEFT - 8.0,
            height + 4.0,
            round(part * lags),
            right + 8.0,
            height + 4.0,
            round(part * pods),
        );
    }
    let step = tick(last - first);
    let mut at = (first / step).ceil() * step;
    while at <= last {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#6b7280\">{at:.0} \
                s</text>",
            x(at),
            ground + 18.0,
        );
        at += step;
    }
    let mut area = format!("M{:.1},{ground}", x(first));
    for sample in &facts.samples {
        let _ = write!(area, " L{:.1},{:.1}", x(sample.seconds), y(number(sample.lag), lags));
    }
    let _ = write!(area, " L{:.1},{ground} Z", x(last));
    let _ = writeln!(
        out,
        "<path d=\"{area}\" fill=\"{LAG}\" fill-opacity=\"0.55\" stroke=\"#4b6a92\"/>"
    );
    for (color, dash, value) in [
        (REPLICAS, "", (|s: &Sample| s.replicas) as fn(&Sample) -> u64),
        (READY, " stroke-dasharray=\"5 3\"", |s: &Sample| s.ready),
    ] {
        let mut line = String::new();
        for sample in &facts.samples {
            let height = y(number(value(sample)), pods);
            // A step: the number held until it changed.
            let _ = if line.is_empty() {
                write!(line, "M{:.1},{height:.1}", x(sample.seconds))
            } else {
                write!(line, " H{:.1} V{height:.1}", x(sample.seconds))
            };
        }
        let _ = writeln!(
            out,
            "<path d=\"{line}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"{dash}/>"
        );
    }
    for (name, seconds) in
        [("published", Some(0.0)), ("drained", facts.drained), ("settled", facts.settled)]
    {
        let Some(seconds) = seconds else { continue };
        let anchor = if x(seconds) > right - 70.0 { "end" } else { "start" };
        let _ = write!(
            out,
            "<line x1=\"{p:.1}\" y1=\"{TOP}\" x2=\"{p:.1}\" y2=\"{ground}\" stroke=\"#9ca3af\" \
                stroke-dasharray=\"2 3\"/>\n<text x=\"{p:.1}\" y=\"{:.0}\" \
                text-anchor=\"{anchor}\" fill=\"#6b7280\">{name} {seconds:.0} s</text>\n",
            TOP - 6.0,
            p = x(seconds),
        );
    }
    for (i, (name, color)) in
        [("lag (messages)", "#4b6a92"), ("replicas", REPLICAS), ("ready replicas", READY)]
            .iter()
            .enumerate()
    {
        let left = LEFT + 150.0 * f64::from(u8::try_from(i).unwrap_or(0));
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"{:.0}\" width=\"14\" height=\"4\" fill=\"{color}\"/>\
             <text x=\"{:.0}\" y=\"{:.0}\">{name}</text>",
            HEIGHT - 16.0,
            left + 20.0,
            HEIGHT - 10.0,
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Returns the upper end of an axis: a round number that divides well by four.
fn top(value: u64) -> f64 {
    let mut ten = 1_u64;
    loop {
        for part in [4, 8, 12, 20, 28] {
            let end = ten.saturating_mul(part);
            if end >= value {
                return number(end);
            }
        }
        ten = ten.saturating_mul(10);
    }
}

/// Returns the seconds between two labels of the time axis.
fn tick(span: f64) -> f64 {
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];
    steps.into_iter().find(|step| span / step <= 12.0).unwrap_or(3600.0)
}

fn round(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn number(value: u64) -> f64 {
    value as f64
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_and_moment_is_drawn() {
        let sample = |seconds, lag, replicas, ready| Sample {
            seconds,
            lag,
            replicas,
            ready,
            claim_ready: true,
        };
        let facts = LoadFacts {
            samples: vec![
                sample(-2.0, 0, 1, 1),
                sample(0.0, 50, 1, 1),
                sample(9.0, 20, 8, 6),
                sample(20.0, 0, 1, 1),
            ],
            max_replicas: 10,
            drained: Some(12.0),
            settled: Some(20.0),
            ..LoadFacts::default()
        };
        let drawn = svg(&facts, "A <title>", "sub");
        for part in [
            "A &lt;title&gt;",
            "published 0 s",
            "drained 12 s",
            "settled 20 s",
            "ready replicas",
            "</svg>",
        ] {
            assert!(drawn.contains(part), "{part} is not in\n{drawn}");
        }
        assert_eq!(drawn.matches("<path").count(), 3);
        // An empty run can be drawn, too.
        assert!(svg(&LoadFacts::default(), "", "").ends_with("</svg>\n"));
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, expect) in [
            (0, 4.0),
            (4, 4.0),
            (5, 8.0),
            (10, 12.0),
            (13, 20.0),
            (50, 80.0),
            (5000, 8000.0),
            (u64::MAX, 18446744073709551615.0),
        ] {
            assert!((top(value) - expect).abs() < 1e-9, "{value}: {}", top(value));
        }
    }
}
