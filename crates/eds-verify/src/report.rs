//! Checks, for a person and for a program.

use serde_json::{Value, json};

use super::{Check, Status};
use kube_object::printable::printable;

/// Checks under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The heading: what these checks are about.
    pub title: String,
    /// The checks, in reading order.
    pub checks: Vec<Check>,
}

/// Everything that a command found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The sections, in order.
    pub sections: Vec<Section>,
}

/// Colours of a terminal.
struct Paint {
    color: bool,
}

impl Paint {
    fn mark(&self, status: Status) -> String {
        let (mark, color) = match status {
            Status::Passed => ("✓", 32),
            Status::Warning => ("!", 33),
            Status::Failed => ("✗", 31),
            Status::Skipped => ("-", 2),
        };
        if self.color { format!("\x1b[{color}m{mark}\x1b[0m") } else { mark.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        if self.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Report {
    /// Adds a section, unless there are no checks.
    pub fn add(&mut self, title: impl Into<String>, checks: Vec<Check>) {
        if !checks.is_empty() {
            self.sections.push(Section { title: title.into(), checks });
        }
    }

    /// Returns all checks, in order.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.sections.iter().flat_map(|section| &section.checks)
    }

    /// Counts the checks with this status.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checks().filter(|check| check.status == status).count()
    }

    /// Returns whether something is not as it should be.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.count(Status::Failed) > 0
    }

    /// Formats the report for a person: one line per check, with a mark, its name and what was
    /// found; then the fix. A detail of several lines continues under its first. Ends with the
    /// counts.
    #[must_use]
    pub fn text(&self, color: bool) -> String {
        let paint = Paint { color };
        let mut text = String::new();
        let width = self.checks().map(|c| c.name.chars().count()).max().unwrap_or(0).min(44);
        let margin = " ".repeat(width + 6);
        for section in &self.sections {
            text.push_str(&format!("{}\n", paint.bold(&printable(&section.title))));
            for check in &section.checks {
                let mark = paint.mark(check.status);
                let detail = check.whole().replace('\n', &format!("\n{margin}"));
                let line = format!("  {mark} {:width$}  {detail}", printable(&check.name));
                text.push_str(line.trim_end());
                text.push('\n');
                if let Some(fix) = &check.fix {
                    text.push_str(&format!("{margin}fix: {}\n", printable(fix.trim_end())));
                }
            }
        }
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    /// Returns the counts: `12 checks: 11 passed, 1 failed`.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = format!(
            "{} checks: {} passed, {} failed",
            self.checks().count(),
            self.count(Status::Passed),
            self.count(Status::Failed)
        );
        for (status, word) in [(Status::Warning, "warnings"), (Status::Skipped, "skipped")] {
            let count = self.count(status);
            if count > 0 {
                text.push_str(&format!(", {count} {word}"));
            }
        }
        text
    }

    /// Returns the report as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let section = |section: &Section| {
            let checks: Vec<Value> = section.checks.iter().map(Check::json).collect();
            json!({"section": printable(&section.title), "checks": checks})
        };
        json!({
            "passed": self.count(Status::Passed),
            "warnings": self.count(Status::Warning),
            "failed": self.count(Status::Failed),
            "skipped": self.count(Status::Skipped),
            "sections": self.sections.iter().map(section).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report.add(
            "NATS",
            vec![
                Check::passed("healthy", "2 of 2 pods"),
                Check::failed("JetStream", "off", "switch it on").with(["since today".to_owned()]),
                Check::skipped("streams", "JetStream is off"),
            ],
        );
        report.add("KEDA", vec![Check::warning("version", "2.20.1", "update")]);
        report.add("nothing", Vec::new());
        report
    }

    #[test]
    fn text() {
        let expected = "\
NATS
  ✓ healthy    2 of 2 pods
  ✗ JetStream  off
               since today
               fix: switch it on
  - streams    JetStream is off
KEDA
  ! version    2.20.1
               fix: update
4 checks: 1 passed, 1 failed, 1 warnings, 1 skipped
";
        assert_eq!(report().text(false), expected);
        assert!(report().text(true).contains("\x1b[31m✗\x1b[0m JetStream"));
    }

    /// Whatever a pod, a claim or a server says, it is one line of text, and never looks like ours.
    #[test]
    fn texts_from_outside() {
        let forged = "x\r\n  ✓ diagnosis  it runs\n\u{1b}[2J\u{1b}]0;t\u{7}\u{202e}##[error]";
        let check = Check::failed(forged, forged, forged).with([forged.to_owned()]);
        let mut report = Report::default();
        report.add(forged, vec![check]);
        let lines = report.text(false);
        let marks = lines.lines().filter(|l| l.trim_start().starts_with(['✓', '✗', '!'])).count();
        assert_eq!(marks, 1, "{lines}");
        assert_eq!(lines.lines().count(), 5, "{lines}");
        let json = report.json();
        let strings = |at: &str| json.pointer(at).unwrap().as_str().unwrap().to_owned();
        let json =
            ["/sections/0/section", "/sections/0/checks/0/check", "/sections/0/checks/0/fix"];
        for text in json.map(strings).iter().chain([&lines]) {
            assert!(!text.contains(['\u{1b}', '\r', '\u{7}', '\u{202e}']), "{text:?}");
            assert!(!text.contains("##["), "{text:?}");
        }
    }

    #[test]
    fn json_of_a_report() {
        let json = report().json();
        assert_eq!(json["failed"], 1);
        assert_eq!(json["sections"][0]["checks"][1]["fix"], "switch it on");
        assert_eq!(json["sections"][1]["checks"][0]["status"], "warning");
    }
}
