//! Findings as SARIF 2.1.0, for GitHub code scanning and editors.

use serde_json::{Value, json};

use super::{FileFindings, Rule};

/// Returns a SARIF log with one run. It lists all existing rules, so that a result's `ruleIndex` is
/// the rule's index among them.
#[must_use]
pub fn sarif(files: &[FileFindings], all: &[&Rule], version: &str) -> Value {
    let rules: Vec<Value> = all
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "name": pascal(rule.name),
                "shortDescription": {"text": rule.what},
                "fullDescription": {"text": rule.why},
                "help": {"text": format!("{}\n\nBad: {}\nGood: {}", rule.why, rule.bad, rule.good)},
                "defaultConfiguration": {"level": rule.severity.name()},
            })
        })
        .collect();
    let results: Vec<Value> = files
        .iter()
        .flat_map(|file| file.findings.iter().map(|finding| result(&file.file, finding, all)))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "eds",
                "semanticVersion": version,
                "rules": rules,
            }},
            // GitHub counts columns in UTF-16 units unless told otherwise; ours are characters.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(file: &str, finding: &super::Finding, all: &[&Rule]) -> Value {
    let (start, end) = (finding.span.start, finding.span.end);
    let mut location = json!({"artifactLocation": {"uri": uri(file)}});
    if start.line > 0
        && let Some(location) = location.as_object_mut()
    {
        let mut region = json!({"startLine": start.line, "startColumn": start.column});
        if end > start
            && let Some(region) = region.as_object_mut()
        {
            region.insert("endLine".to_owned(), json!(end.line));
            region.insert("endColumn".to_owned(), json!(end.column));
        }
        location.insert("region".to_owned(), region);
    }
    let help = finding.advice().map(|help| format!(" ({help})")).unwrap_or_default();
    json!({
        "ruleId": finding.rule.code,
        "ruleIndex": all.iter().position(|r| r.code == finding.rule.code),
        "level": finding.severity.name(),
        "message": {"text": format!("{}{help}", finding.headline())},
        "locations": [{"physicalLocation": location}],
    })
}

/// Converts a file name to a relative URI reference (RFC 3986).
fn uri(file: &str) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for byte in file.strip_prefix("./").unwrap_or(file).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn pascal(name: &str) -> String {
    name.split('-')
        .flat_map(|word| {
            let mut chars = word.chars();
            chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars)
        })
        .collect()
}
