//! What is compared, and how a difference is described.

use patch_and_transform::protocol_json::differences;
use serde_json::{Value, json};

/// How two answers to the same request differ. Worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Everything else: the tag, the TTL, conditions, requirements, or a gRPC status instead of an
    /// answer.
    Envelope,
    /// Desired state.
    Desired,
    /// The context for the next function.
    Context,
    /// Number, order or severity of results.
    Severities,
    /// Text of results.
    Messages,
}

impl Part {
    pub(crate) const ALL: [Self; 5] =
        [Self::Envelope, Self::Desired, Self::Context, Self::Severities, Self::Messages];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Desired => "desired",
            Self::Context => "context",
            Self::Severities => "severities",
            Self::Messages => "messages",
        }
    }

    /// Returns this part of an answer.
    fn of(self, answer: &Value) -> Value {
        let results = answer.get("results").and_then(Value::as_array).into_iter().flatten();
        let field = |name: &str| answer.get(name).cloned().unwrap_or_default();
        match self {
            Self::Desired => field("desired"),
            Self::Context => field("context"),
            Self::Severities => {
                results.map(|result| result.get("severity").cloned().unwrap_or_default()).collect()
            }
            Self::Messages => {
                results.map(|result| result.get("message").cloned().unwrap_or_default()).collect()
            }
            Self::Envelope => json!({
                "status": field("status"),
                "crash": field("crash"),
                "meta": field("meta"),
                "conditions": field("conditions"),
                "requirements": field("requirements"),
                "output": field("output"),
            }),
        }
    }
}

/// Returns the parts that differ.
pub(crate) fn parts(ours: &Value, theirs: &Value) -> Vec<Part> {
    if ours == theirs {
        return Vec::new();
    }
    Part::ALL.into_iter().filter(|part| part.of(ours) != part.of(theirs)).collect()
}

/// Describes the first places that differ, for people.
pub(crate) fn explain(ours: &Value, theirs: &Value) -> Vec<String> {
    differences(ours, theirs)
        .iter()
        .take(3)
        .map(|difference| {
            let show = |side: Option<&Value>| side.map_or("nothing".to_owned(), Value::to_string);
            let (ours, theirs) = (show(difference.left), show(difference.right));
            format!("{}: ours {ours}, theirs {theirs}", difference.path)
        })
        .collect()
}

/// Strips a message of its particulars, so that differences with the same cause look alike: quoted
/// text, numbers and paths are removed.
pub(crate) fn shape(message: &str) -> String {
    let mut out = String::new();
    let mut quoted = false;
    let mut escaped = false;
    for letter in message.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => {
                quoted = !quoted;
                if quoted {
                    out.push('"');
                }
            }
            _ if quoted => {}
            letter if letter.is_ascii_digit() => {
                if !out.ends_with('#') {
                    out.push('#');
                }
            }
            letter => out.push(letter),
        }
    }
    out.chars().take(300).collect()
}

/// Returns the messages of an answer.
pub(crate) fn messages(answer: &Value) -> Vec<&str> {
    let results = answer.get("results").and_then(Value::as_array);
    results.into_iter().flatten().filter_map(|it| it.get("message")?.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_told_apart() {
        let answer = |extra: Value| {
            let mut answer = json!({
                "meta": { "tag": "t" },
                "desired": { "resources": { "a": { "ready": "READY_TRUE" } } },
                "results": [{ "severity": "SEVERITY_WARNING", "message": "m" }],
                "context": { "k": 1 },
            });
            if let (Some(answer), Some(extra)) = (answer.as_object_mut(), extra.as_object()) {
                answer.extend(extra.clone());
            }
            answer
        };
        let check = |extra: Value, expect: &[Part]| {
            assert_eq!(parts(&answer(extra), &answer(json!({}))), expect);
        };
        check(json!({}), &[]);
        check(json!({ "meta": {} }), &[Part::Envelope]);
        check(json!({ "status": "Internal" }), &[Part::Envelope]);
        check(json!({ "desired": {} }), &[Part::Desired]);
        check(json!({ "context": { "k": 2 } }), &[Part::Context]);
        check(
            json!({ "results": [{ "severity": "SEVERITY_WARNING", "message": "n" }] }),
            &[Part::Messages],
        );
        check(json!({ "results": [] }), &[Part::Severities, Part::Messages]);
    }

    #[test]
    fn shapes_cut_out_particulars() {
        let check = |message: &str, expect: &str| assert_eq!(shape(message), expect);
        check(r#"spec.x[12]: "a \" b": no such field"#, r#"spec.x[#]: ": no such field"#);
        check("1 and 22", "# and #");
    }
}
