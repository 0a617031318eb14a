//! What the database holds of a stream's messages, as printed by `agent-executor results`.

use serde_json::{Value, json};

use super::Check;

/// The rows of one consumer on one stream, counted in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// All of them.
    pub rows: u64,
    /// Distinct message ids among them.
    pub messages: u64,
    /// Distinct sequence numbers of the stream.
    pub sequences: u64,
    /// The lowest sequence number; 0 if there are no rows.
    pub first: u64,
    /// The highest; 0 if there are no rows.
    pub last: u64,
    /// The latest delivery that made a row, from 1; 0 if there are no rows.
    pub deliveries: u64,
}

impl Rows {
    /// Reads a line that the worker prints. Returns `None` for any other line.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        if value.get("event")?.as_str()? != "results" {
            return None;
        }
        let number = |key: &str| value.get(key)?.as_u64();
        Some(Self {
            rows: number("rows")?,
            messages: number("messages")?,
            sequences: number("sequences")?,
            first: number("first_sequence")?,
            last: number("last_sequence")?,
            deliveries: number("most_deliveries")?,
        })
    }

    /// Checks that there is exactly one row for each of the stream's first `published` messages,
    /// and none for any other.
    #[must_use]
    pub fn check(&self, name: &str, published: u64) -> Check {
        let Self { rows, messages, sequences, first, last, deliveries } = *self;
        let whole = first == u64::from(published > 0) && last == published;
        if [rows, messages, sequences] == [published; 3] && whole {
            let detail = format!(
                "{rows} rows of {published} messages, none twice; written at delivery {deliveries} \
                    at most"
            );
            return Check::passed(name, detail);
        }
        let lost = match published.saturating_sub(sequences) {
            0 => String::new(),
            lost => format!(", {lost} messages have none"),
        };
        let twice = match rows.saturating_sub(sequences) {
            0 => String::new(),
            twice => format!(", {twice} are one too many"),
        };
        let cause = format!(
            "{rows} rows of {published} messages{lost}{twice}: {messages} ids, {sequences} \
                sequence numbers from {first} to {last}"
        );
        let fix = "the column stream_sequence of agent_executions says which; the pods' logs are \
            evidence";
        Check::failed(name, cause, fix)
    }

    /// Returns the rows as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "rows": self.rows, "messages": self.messages, "sequences": self.sequences,
            "firstSequence": self.first, "lastSequence": self.last,
            "mostDeliveries": self.deliveries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    fn rows(rows: u64, messages: u64, sequences: u64, first: u64, last: u64) -> Rows {
        Rows { rows, messages, sequences, first, last, deliveries: 1 }
    }

    #[test]
    fn what_is_one_row_each() {
        let check = |found: Rows, published: u64, cause: &str| {
            let check = found.check("a row each", published);
            let expect = if cause.is_empty() { Status::Passed } else { Status::Failed };
            assert_eq!(check.status, expect, "{check:?}");
            assert!(check.detail.contains(cause), "{check:?}");
        };
        check(rows(5, 5, 5, 1, 5), 5, "");
        check(rows(0, 0, 0, 0, 0), 0, "");
        check(rows(4, 4, 4, 1, 5), 5, "4 rows of 5 messages, 1 messages have none");
        check(rows(6, 6, 5, 1, 5), 5, "6 rows of 5 messages, 1 are one too many");
        check(rows(5, 5, 4, 1, 5), 5, "1 messages have none, 1 are one too many");
        // As many as there should be, but for other messages.
        check(rows(5, 5, 5, 1, 6), 5, "sequence numbers from 1 to 6");
        check(rows(5, 5, 5, 2, 6), 5, "sequence numbers from 2 to 6");
        check(rows(5, 4, 5, 1, 5), 5, "4 ids");
        check(rows(0, 0, 0, 0, 0), 1, "0 rows of 1 messages");
    }

    #[test]
    fn lines_of_the_log() {
        let text = r#"{"event":"results","consumer":"c","stream":"S","rows":3,"messages":3,
            "sequences":3,"first_sequence":1,"last_sequence":3,"most_deliveries":2}"#;
        assert_eq!(Rows::parse(text), Some(Rows { deliveries: 2, ..rows(3, 3, 3, 1, 3) }));
        for other in ["", "starting", r#"{"event":"processed"}"#, r#"{"event":"results"}"#] {
            assert_eq!(Rows::parse(other), None, "{other}");
        }
    }
}
