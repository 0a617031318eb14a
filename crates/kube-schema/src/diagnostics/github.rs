//! Findings as GitHub workflow commands, shown as annotations on a pull request's diff.
//!
//! Source of the escapes: `actions/toolkit`, `packages/core/src/command.ts`.

use std::fmt::Write;

use super::FileFindings;
use kube_object::printable::printable;

/// Writes one `::error file=…,line=…::…` line for each finding.
#[must_use]
pub fn github(file: &FileFindings) -> String {
    let mut out = String::new();
    for f in &file.findings {
        let _ = write!(
            out,
            "::{} file={}",
            f.severity.name(),
            property(&printable(file.file.strip_prefix("./").unwrap_or(&file.file)))
        );
        let (start, end) = (f.span.start, f.span.end);
        if start.line > 0 {
            let _ = write!(out, ",line={},col={}", start.line, start.column);
            // endColumn only works if the annotation is on one line.
            if end.line == start.line && end.column > start.column {
                let _ = write!(out, ",endLine={},endColumn={}", end.line, end.column);
            }
        }
        let title = format!("{} {}", f.rule.code, f.rule.name);
        let help = f.advice().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
        let message = format!("{}{help}", f.headline());
        let _ = writeln!(out, ",title={}::{}", property(&title), data(&message));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Finding, catalog};
    use crate::yaml::{Position, Span};

    #[test]
    fn a_value_cannot_start_a_command_of_its_own() {
        let span =
            Span { start: Position { line: 2, column: 3 }, end: Position { line: 2, column: 5 } };
        let finding = Finding::new(&catalog::ENUM, "100%0A\n::error::x").at(span, "a").help("h\r");
        let file = FileFindings::new("./a,b:c\n%0A.yaml".to_owned(), String::new(), vec![finding]);
        assert_eq!(
            github(&file),
            "::error file=a%2Cb%3Ac␊%250A.yaml,line=2,col=3,endLine=2,endColumn=5,title=EDS104 \
             enum::a: 100%250A␊::error::x%0Ahelp: h␍\n"
        );
    }
}
