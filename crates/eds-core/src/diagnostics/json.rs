//! Findings as one JSON document, for programs.

use serde_json::{Value, json};

use super::{FileFindings, Summary};

/// `{"summary": {…}, "findings": [{code, rule, severity, file, line, column, endLine, endColumn,
/// path, message, help}]}`. Lines and columns start at 1; 0 is the file as a whole.
#[must_use]
pub fn json(files: &[FileFindings], summary: &Summary) -> Value {
    let findings: Vec<Value> = files
        .iter()
        .flat_map(|file| {
            file.findings.iter().map(|f| {
                json!({
                    "code": f.rule.code,
                    "rule": f.rule.name,
                    "severity": f.severity.name(),
                    "file": file.file,
                    "line": f.span.start.line,
                    "column": f.span.start.column,
                    "endLine": f.span.end.line,
                    "endColumn": f.span.end.column,
                    "path": f.path,
                    "message": f.message,
                    "help": f.help,
                })
            })
        })
        .collect();
    json!({
        "summary": {
            "files": summary.files,
            "claims": summary.claims,
            "skipped": summary.skipped,
            "errors": summary.errors,
            "warnings": summary.warnings,
        },
        "findings": findings,
    })
}
