//! Writes a claim as a person would: YAML in a chosen order, with comments.

use std::fmt::Write;

use serde_json::Value;

use kube_object::printable::printable;
use kube_schema::yaml::{self, Node};

/// YAML to be written.
#[derive(Debug, Clone)]
pub(super) enum Tree {
    /// On its key's line: a scalar, or a list or mapping in brackets.
    Inline(Value),
    Map(Vec<Item>),
    List(Vec<Item>),
}

/// An entry of a mapping or a list.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Entry {
        /// Empty in a list.
        key: String,
        tree: Tree,
        comment: Option<String>,
    },
    /// A comment on a line of its own.
    Comment(String),
}

impl Item {
    pub(super) fn field(key: &str, tree: Tree, comment: Option<String>) -> Self {
        Self::Entry { key: key.to_owned(), tree, comment }
    }

    pub(super) fn scalar(key: &str, value: impl Into<Value>, comment: Option<String>) -> Self {
        Self::field(key, Tree::Inline(value.into()), comment)
    }

    pub(super) fn listed(tree: Tree, comment: Option<String>) -> Self {
        Self::Entry { key: String::new(), tree, comment }
    }
}

impl Tree {
    /// Replaces what is at a finding's path (`spec.env[2].name`), the innermost list item or else
    /// the field, with a comment. Returns `false` if nothing is there.
    pub(super) fn replace(&mut self, path: &str, comment: &str) -> bool {
        let (field, rest) = match path.split_once('.') {
            Some((field, rest)) => (field, Some(rest)),
            None => (path, None),
        };
        let (key, index) = match field.split_once('[') {
            Some((key, index)) => (key, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (field, None),
        };
        let Self::Map(items) = self else { return false };
        let at =
            items.iter().position(|item| matches!(item, Item::Entry { key: k, .. } if k == key));
        let Some(place) = at.and_then(|at| items.get_mut(at)) else { return false };
        let Item::Entry { tree, .. } = place else { return false };
        if let (Some(index), Self::List(entries)) = (index, &mut *tree) {
            let entry =
                entries.iter_mut().filter(|item| matches!(item, Item::Entry { .. })).nth(index);
            let Some(entry) = entry else { return false };
            if let (Some(rest), Item::Entry { tree, .. }) = (rest, &mut *entry)
                && rest.contains('[')
                && tree.replace(rest, comment)
            {
                return true;
            }
            *entry = Item::Comment(comment.to_owned());
            if !entries.iter().any(|item| matches!(item, Item::Entry { .. })) {
                // A list without entries is none: its comments stand alone.
                let comments = std::mem::take(entries);
                let place = items
                    .iter()
                    .position(|item| matches!(item, Item::Entry { key: k, .. } if k == key));
                let place = place.unwrap_or_default();
                items.splice(place..=place, comments);
            }
            return true;
        }
        if let Some(rest) = rest
            && tree.replace(rest, comment)
        {
            return true;
        }
        *place = Item::Comment(format!("{key}: {comment}"));
        true
    }

    /// Returns the keys of a mapping within this one.
    pub(super) fn keys(&self, within: &str) -> Vec<String> {
        fn entries(tree: &Tree) -> impl Iterator<Item = (&String, &Tree)> {
            let items = match tree {
                Tree::Map(items) => items.as_slice(),
                _ => &[],
            };
            items.iter().filter_map(|item| match item {
                Item::Entry { key, tree, .. } => Some((key, tree)),
                Item::Comment(_) => None,
            })
        }
        let inner = entries(self).find(|(key, _)| *key == within).map(|(_, tree)| tree);
        inner.into_iter().flat_map(entries).map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0, false);
        out
    }

    fn write(&self, out: &mut String, depth: usize, continues: bool) {
        let (items, dash) = match self {
            Self::Map(items) => (items, ""),
            Self::List(items) => (items, "- "),
            Self::Inline(value) => {
                let _ = write!(out, "{}", inline(value, false));
                return;
            }
        };
        let mut continues = continues;
        for item in items {
            let indent = if continues { 0 } else { depth };
            continues = false;
            let _ = write!(out, "{:indent$}", "");
            match item {
                Item::Comment(comment) => {
                    let _ = writeln!(out, "# {}", on_one_line(comment));
                }
                Item::Entry { key, tree, comment } => {
                    if let (Self::Map(_), true, Some(comment)) = (tree, key.is_empty(), comment) {
                        let _ = write!(out, "# {}\n{:indent$}", on_one_line(comment), "");
                    }
                    out.push_str(dash);
                    if !key.is_empty() {
                        let _ = write!(out, "{key}:");
                    }
                    let comment = comment
                        .as_deref()
                        .map(|c| format!(" # {}", on_one_line(c)))
                        .unwrap_or_default();
                    match tree {
                        Self::Inline(value) => {
                            let space = if key.is_empty() { "" } else { " " };
                            let _ = writeln!(out, "{space}{}{comment}", inline(value, false));
                        }
                        // The first field of a list item is on the line of its dash.
                        Self::Map(_) if key.is_empty() => tree.write(out, depth + 2, true),
                        _ => {
                            let _ = writeln!(out, "{comment}");
                            tree.write(out, depth + 2, false);
                        }
                    }
                }
            }
        }
    }
}

/// Writes a comment on one line that ends where it should.
fn on_one_line(comment: &str) -> String {
    let comment: String = comment.chars().take(400).collect();
    printable(&comment).into_owned()
}

fn inline(value: &Value, within: bool) -> String {
    match value {
        Value::String(text) => scalar(text, within),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| inline(item, true)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            // Names come first.
            let rank = |key: &str| match key {
                "name" | "secret" | "configMap" | "http" | "port" | "requests" | "timezone"
                | "type" => 0,
                "secretKey" | "configMapKey" | "mountPath" | "start" | "key" | "ca" | "cert" => 1,
                _ => 2,
            };
            let mut entries: Vec<(&String, &Value)> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| rank(key));
            let entries = entries.into_iter();
            let entries = entries
                .map(|(key, value)| format!("{}: {}", scalar(key, true), inline(value, true)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Writes a string without quotes if it reads back as that string, else in quotes.
fn scalar(text: &str, within: bool) -> String {
    let safe = |c: char| {
        c.is_ascii_alphanumeric() || "_-./:@$+()*=%".contains(c) || (!within && " ,".contains(c))
    };
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "/$_".contains(c));
    if starts && text.chars().all(safe) && !text.ends_with([' ', ':']) {
        let read = yaml::parse(&if within {
            format!("k: [{text}]\n")
        } else {
            format!("k: {text} # comment\n")
        });
        let read_back = read.documents.first().and_then(|map| map.get("k"));
        let read_back = if within { read_back.and_then(|list| list.item(0)) } else { read_back };
        let same = read_back.and_then(Node::as_str) == Some(text);
        if same && read.problems.is_empty() {
            return text.to_owned();
        }
    }
    yaml::quoted(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: Value, expected: &str) {
        let text = Tree::Map(vec![Item::scalar("k", value.clone(), Some("why".to_owned()))]).text();
        assert_eq!(text, format!("k: {expected} # why\n"));
        let read = yaml::parse(&text);
        assert_eq!(read.problems, []);
        assert_eq!(read.documents[0].to_json(), json!({"k": value}));
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        check(json!("nats://nats.nats.svc:4222"), "nats://nats.nats.svc:4222");
        check(json!("$G"), "$G");
        check(json!("yes"), "\"yes\"");
        check(json!("0777"), "\"0777\"");
        check(json!("1e3"), "\"1e3\"");
        check(json!(""), "\"\"");
        check(json!("a: b # c"), "\"a: b # c\"");
        check(json!("two\nlines\t\u{1b}"), "\"two\\nlines\\t\\u001b\"");
        check(json!("\u{202e}\u{1f680}é"), "\"\\u202e🚀é\"");
        check(json!("~"), "\"~\"");
        check(json!(["a", "b,c", 1, {"x": "z"}]), "[a, \"b,c\", 1, {x: z}]");
        check(json!(" a"), "\" a\"");
        check(json!("a #b"), "\"a #b\"");
        check(json!("--flag"), "\"--flag\"");
    }

    #[test]
    fn a_comment_takes_the_place_of_what_is_refused() {
        let env = |name: &str| Item::listed(Tree::Inline(json!({"name": name})), None);
        let mut tree = Tree::Map(vec![
            Item::field(
                "nats",
                Tree::Map(vec![Item::scalar("url", "x", None), Item::scalar("s", "z", None)]),
                None,
            ),
            Item::field("env", Tree::List(vec![env("a"), env("b")]), None),
        ]);
        assert!(tree.replace("env[1].name", "no b"));
        assert!(tree.replace("nats.url", "no url"));
        assert!(!tree.replace("other.url", "none"));
        assert_eq!(tree.text(), "nats:\n  # url: no url\n  s: z\nenv:\n  - {name: a}\n  # no b\n");
        assert!(tree.replace("env[0]", "no a"));
        assert_eq!(tree.text(), "nats:\n  # url: no url\n  s: z\n# no a\n# no b\n");
    }
}
