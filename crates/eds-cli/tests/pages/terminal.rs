//! Draws a terminal's text with its colours, as a picture that GitHub shows.

use std::fmt::Write as _;

const WIDTH: f64 = 8.43;
const HEIGHT: f64 = 19.0;

/// Draws the picture: a command and what it printed, including escapes for colours and bold.
pub(crate) fn svg(command: &str, text: &str, columns: usize) -> String {
    let mut lines = vec![format!("\x1b[2m$\x1b[0m {command}")];
    for line in text.trim_end().lines() {
        wrap(line, columns, &mut lines);
    }
    let width = (columns as f64).mul_add(WIDTH, 40.0);
    let height = (lines.len() as f64).mul_add(HEIGHT, 58.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
            width=\"{width:.0}\" role=\"img\" aria-label=\"{}\">\n<rect width=\"100%\" \
            height=\"100%\" rx=\"8\" fill=\"#161b22\"/>\n<circle cx=\"20\" cy=\"18\" r=\"6\" \
            fill=\"#ff5f56\"/><circle cx=\"40\" cy=\"18\" r=\"6\" fill=\"#ffbd2e\"/><circle \
            cx=\"60\" cy=\"18\" r=\"6\" fill=\"#27c93f\"/>\n<g \
            font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans \
            Mono',monospace\" font-size=\"14\" fill=\"#e6edf3\" xml:space=\"preserve\">\n",
        escaped(command)
    );
    for (i, line) in lines.iter().enumerate() {
        let y = (i as f64).mul_add(HEIGHT, 54.0);
        let _ = writeln!(out, "<text x=\"20\" y=\"{y:.0}\">{}</text>", spans(line));
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// Splits a line into pieces of at most `columns` columns, without cutting an escape.
fn wrap(line: &str, columns: usize, lines: &mut Vec<String>) {
    let (mut piece, mut column, mut escape, mut current) = (String::new(), 0, false, String::new());
    for c in line.chars() {
        if c == '\x1b' {
            escape = true;
            current.clear();
        }
        if escape {
            current.push(c);
            piece.push(c);
            escape = c != 'm';
            continue;
        }
        if column == columns {
            piece.push_str("\x1b[0m");
            lines.push(std::mem::take(&mut piece));
            // The colour carries on.
            piece.push_str(&current);
            column = 0;
        }
        piece.push(c);
        column += 1;
    }
    lines.push(piece);
}

/// Returns the text of a line, with its escapes as colours.
fn spans(line: &str) -> String {
    let mut out = String::new();
    let mut styles = [String::new(), String::new()];
    for (i, part) in line.split("\x1b[").enumerate() {
        let (codes, text) = match i {
            0 => ("", part),
            _ => part.split_once('m').unwrap_or(("", part)),
        };
        for code in codes.split(';').filter(|code| !code.is_empty()) {
            style(code, &mut styles);
        }
        let style = styles.concat();
        match (text.is_empty(), style.is_empty()) {
            (true, _) => {}
            (false, true) => out.push_str(&escaped(text)),
            (false, false) => {
                let _ = write!(out, "<tspan{style}>{}</tspan>", escaped(text));
            }
        }
    }
    out
}

fn style(code: &str, styles: &mut [String; 2]) {
    let color = match code {
        "0" => {
            *styles = [String::new(), String::new()];
            return;
        }
        "1" => {
            styles[1] = " font-weight=\"bold\"".to_owned();
            return;
        }
        "2" => "#8b949e",
        "31" | "91" => "#ff7b72",
        "32" | "92" => "#7ee787",
        "33" | "93" => "#e3b341",
        "34" | "94" => "#79c0ff",
        "35" | "95" => "#d2a8ff",
        "36" | "96" => "#76e3ea",
        other => panic!("what colour is {other}?"),
    };
    styles[0] = format!(" fill=\"{color}\"");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
