//! Findings for people, in the style of a compiler.
//!
//! ```text
//! error[EDS104]: spec.size: "medum" is not one of small, medium, large
//!  --> claim.yaml:7:9
//!   |
//! 7 |   size: medum
//!   |         ^^^^^
//!   = help: did you mean medium?
//! ```
//!
//! We render these ourselves because a source line may be hostile: it is cut to a window around the
//! finding, and what a terminal would obey is replaced, so a file cannot control the terminal.

use std::fmt::Write;

use super::{FileFindings, Finding, Severity};
use kube_object::printable::printable;

/// The most characters of a source line to show.
const WINDOW: usize = 120;

/// Renders the findings of one file. `color` adds ANSI escapes.
#[must_use]
pub fn text(file: &FileFindings, color: bool) -> String {
    let lines: Vec<&str> = file.source.lines().collect();
    let mut out = String::new();
    for finding in &file.findings {
        one(&mut out, &file.file, &lines, finding, color);
    }
    out
}

fn one(out: &mut String, file: &str, lines: &[&str], finding: &Finding, color: bool) {
    let paint = |code: &str, text: &str| {
        if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let hue = match finding.severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
    };
    let head = format!("{}[{}]", finding.severity.name(), finding.rule.code);
    let at = finding.span.start;
    let file = printable(file);
    let _ = writeln!(out, "{}: {}", paint(hue, &head), paint("1", &finding.headline()));
    let width = at.line.to_string().len();
    let blue = |text: &str| paint("1;34", text);
    if at.line == 0 {
        let _ = writeln!(out, "{} {}", blue("-->"), file);
    } else {
        let _ = writeln!(out, "{:width$}{} {file}:{}:{}", "", blue("-->"), at.line, at.column);
        if let Some(line) = lines.get(at.line - 1) {
            let (line, caret) = excerpt(line, finding);
            let _ = writeln!(out, "{:width$} {}", "", blue("|"));
            let _ = writeln!(out, "{} {} {line}", blue(&at.line.to_string()), blue("|"));
            let _ = writeln!(out, "{:width$} {} {}", "", blue("|"), paint(hue, &caret));
        }
    }
    if let Some(help) = finding.advice() {
        let _ = writeln!(out, "{:width$} {} help: {help}", "", blue("="));
    }
    out.push('\n');
}

/// Returns the part of the line around the finding, and the carets under it.
fn excerpt(line: &str, finding: &Finding) -> (String, String) {
    let (start, end) = (finding.span.start, finding.span.end);
    let column = start.column.saturating_sub(1);
    let from = column.saturating_sub(WINDOW / 2);
    let text: String = line.chars().skip(from).take(WINDOW).collect();
    let mut text = printable(&text).into_owned();
    if line.chars().nth(from + WINDOW).is_some() {
        text.push('…');
    }
    let length = text.chars().count();
    let left = column - from;
    let wanted = if end.line == start.line { end.column.saturating_sub(start.column) } else { 1 };
    let carets = wanted.clamp(1, length.saturating_sub(left).max(1));
    if from > 0 {
        text.insert(0, '…');
    }
    let indent = left + usize::from(from > 0);
    (text.trim_end().to_owned(), format!("{}{}", " ".repeat(indent), "^".repeat(carets)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::catalog;
    use crate::yaml::{Position, Span};

    #[track_caller]
    fn check(source: &str, line: usize, columns: (usize, usize), expected: &str) {
        let span = Span {
            start: Position { line, column: columns.0 },
            end: Position { line, column: columns.1 },
        };
        let finding =
            Finding::new(&catalog::ENUM, "not one of a, b").at(span, "spec.size").help("say a");
        let file = FileFindings::new("f.yaml".to_owned(), source.to_owned(), vec![finding]);
        assert_eq!(text(&file, false), expected);
    }

    #[test]
    fn a_line_with_carets() {
        check(
            "x: 1\nsize: medum\n",
            2,
            (7, 12),
            "error[EDS104]: spec.size: not one of a, b\n --> f.yaml:2:7\n  |\n2 | size: medum\n  \
             |       ^^^^^\n  = help: say a\n\n",
        );
        // Columns count characters; a tab is as wide as any other.
        check(
            "\té: \u{1b}[31mx\n",
            1,
            (5, 6),
            "error[EDS104]: spec.size: not one of a, b\n --> f.yaml:1:5\n  |\n1 |  é: ␛[31mx\n  \
             |     ^\n  = help: say a\n\n",
        );
    }

    #[test]
    fn long_lines_are_cut() {
        let long = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let span = Span {
            start: Position { line: 1, column: 5001 },
            end: Position { line: 1, column: 5002 },
        };
        let finding = Finding::new(&catalog::ENUM, "m").at(span, "");
        let (line, caret) = excerpt(&long, &finding);
        assert!(line.chars().count() <= WINDOW + 2);
        assert_eq!(line.chars().nth(caret.chars().count() - 1), Some('X'));
    }
}
