//! Findings as one JSON document, for programs.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use serde_json::{Value, json};

use super::{FileFindings, Summary};
use kube_object::printable::{is_printable, printable};

/// Returns `{"summary": {…}, "findings": [{code, rule, severity, file, line, column, endLine,
/// endColumn, path, message, help}]}`. Lines and columns start at 1; 0 means the whole file.
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
                    "message": printable(&f.message),
                    "help": f.advice(),
                })
            })
        })
        .collect();
    json!({
        "summary": {
            "files": summary.files,
            "claims": summary.claims,
            "skipped": summary.skipped,
            "otherFiles": summary.foreign,
            "errors": summary.errors,
            "warnings": summary.warnings,
        },
        "findings": findings,
    })
}

/// Writes a document indented, escaping every character that a terminal would obey: the values,
/// such as a file's name, stay what they are, and the text is safe to print.
///
/// # Errors
/// Those of the writer.
pub fn write_json(out: impl io::Write, document: &Value) -> serde_json::Result<()> {
    document.serialize(&mut Serializer::with_formatter(out, Escaping::default()))
}

/// Indents as usual, but escapes more than JSON requires.
#[derive(Default)]
struct Escaping(PrettyFormatter<'static>);

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for part in fragment.split_inclusive(|c| !is_printable(c)) {
            match part.char_indices().next_back().filter(|(_, c)| !is_printable(*c)) {
                Some((start, last)) => {
                    out.write_all(part.as_bytes().get(..start).unwrap_or_default())?;
                    for unit in last.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}")?;
                    }
                }
                None => out.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_printed_and_is_the_same() {
        let value =
            json!({"file": "a\u{9b}b\u{202e}c\u{7f}\n\u{1b}\u{e0041}é\"\\.yaml", "n": [1, {}]});
        let mut out = Vec::new();
        write_json(&mut out, &value).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.chars().all(|c| c == '\n' || is_printable(c)), "{text:?}");
        assert!(text.contains(r"a\u009bb\u202ec\u007f\n\u001b\udb40\udc41é"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
