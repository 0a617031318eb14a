//! A schema as lines of JSON, one for each field and each entry, so that a program that brings it
//! reads the few that it needs.
//!
//! ```text
//! {"type":"object","properties":{"name":1,"tags":2}}     lines instead of schemas
//! {"type":"string"}
//! {"type":"array","items":3}
//! {"type":"string"}
//! ```

use std::sync::Arc;

use serde_json::{Map, Value};

/// Keywords whose value is one schema.
const ONE: [&str; 2] = ["items", "additionalProperties"];

/// The lines of a schema; the first one is about the whole.
#[derive(Debug, Clone)]
pub struct Lines(Arc<[&'static str]>);

impl Lines {
    /// Splits what [`write`] has written.
    #[must_use]
    pub fn of(text: &'static str) -> Self {
        Self(text.lines().collect())
    }

    /// Returns the text of a line.
    #[must_use]
    pub fn text(&self, line: usize) -> &'static str {
        self.0.get(line).copied().unwrap_or("{}")
    }

    /// Returns what a line says, with lines where its parts are.
    #[must_use]
    pub fn read(&self, line: usize) -> Map<String, Value> {
        serde_json::from_str(self.text(line)).unwrap_or_default()
    }

    /// Returns the whole schema of a line.
    #[must_use]
    pub fn join(&self, line: usize) -> Value {
        let mut schema = self.read(line);
        for part in parts(&mut schema) {
            if let Some(line) = line_of(part) {
                *part = self.join(line);
            }
        }
        Value::Object(schema)
    }
}

/// Returns the line that stands for a part.
#[must_use]
pub fn line_of(part: &Value) -> Option<usize> {
    usize::try_from(part.as_u64()?).ok()
}

/// Writes a schema as lines.
#[must_use]
pub fn write(schema: &Value) -> String {
    let mut lines = Vec::new();
    add(schema, &mut lines);
    lines.join("\n")
}

fn add(schema: &Value, lines: &mut Vec<String>) -> usize {
    let line = lines.len();
    lines.push(String::new());
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    for part in parts(&mut schema).filter(|part| part.is_object()) {
        *part = Value::from(add(part, lines));
    }
    if let Some(written) = lines.get_mut(line) {
        *written = Value::Object(schema).to_string();
    }
    line
}

/// Returns the schemas of fields and entries, or the lines that stand for them.
fn parts(schema: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    schema.iter_mut().flat_map(|(key, value)| -> Vec<&mut Value> {
        match key.as_str() {
            "properties" => value.as_object_mut().into_iter().flat_map(Map::values_mut).collect(),
            key if ONE.contains(&key) => vec![value],
            _ => Vec::new(),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_survives_its_lines() {
        let schema = json!({
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": {"type": "string", "default": "a\nb"}},
                "properties": {"type": "object", "additionalProperties": {"type": "integer"}},
                "any": {"type": "object", "additionalProperties": true, "default": {"a": 1}},
            },
            "anyOf": [{"required": ["any"]}],
        });
        let text: &'static str = Box::leak(write(&schema).into_boxed_str());
        assert_eq!(text.lines().count(), 6);
        let lines = Lines::of(text);
        assert_eq!(lines.join(0), schema);
        let any = line_of(&lines.read(0)["properties"]["any"]).unwrap();
        assert_eq!(lines.join(any), schema["properties"]["any"]);
    }
}
