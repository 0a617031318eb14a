//! The secrets that a text's structure tells, wherever they stand and whatever their keys are: what
//! stands beside a secret's name, a command's options, and a command that is one text. The lines by
//! themselves tell others, also where they are no YAML: [`kube_object::secrets::Mask`].

use crate::yaml::{self, Content, Entry, Node, Scalar, Span};
use kube_object::secrets::{
    Exposed, arguments, holds_text, is_file, secret_name, secret_value, user_info,
};

/// More texts in one document than are looked for in what is said about it.
const MANY: usize = 1000;

/// Keys whose texts name something, also beside a secret's name.
const NAMES: [&str; 21] = [
    "name",
    "envName",
    "secretKey",
    "key",
    "secretName",
    "secret",
    "configMap",
    "namespace",
    "optional",
    "type",
    "kind",
    "apiVersion",
    "fieldPath",
    "resource",
    "divisor",
    "containerName",
    "mode",
    "path",
    "envFrom",
    "prefix",
    "mountPath",
];
/// Fields with a name or texts of their own, which say nothing about what stands beside.
const OTHERS: [&str; 4] = ["metadata", "nats", "scaling", "placement"];

/// What a text's structure tells.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// The places.
    pub(super) spans: Vec<Span>,
    /// For each document, its first line and what must not be quoted from it, longest first.
    documents: Vec<(usize, Vec<String>)>,
}

impl Secrets {
    pub(super) fn of(source: &str) -> Self {
        let mut all = Self::default();
        for document in &yaml::parse(source).documents {
            let mut texts = Vec::new();
            let top = match &document.content {
                Content::Mapping(entries) => entries.as_slice(),
                _ => &[],
            };
            for entry in top {
                // The fields of `spec` have nothing to do with one another.
                match (&entry.value.content, entry.key.as_str()) {
                    (Content::Mapping(fields), "spec") => {
                        fields.iter().for_each(|field| all.field(field, &mut texts));
                    }
                    _ => all.field(entry, &mut texts),
                }
            }
            texts.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            texts.dedup();
            all.documents.push((document.span.start.line, texts));
        }
        all
    }

    /// Removes what must not be quoted from what is said about a line. Returns `false` if there is
    /// too much to look for.
    pub(super) fn clear(&self, line: usize, text: &mut String) -> bool {
        let at = self.documents.partition_point(|(first, _)| *first <= line);
        let Some((_, texts)) = self.documents.get(at.saturating_sub(1)) else { return true };
        if texts.len() > MANY {
            return false;
        }
        for secret in texts {
            if text.contains(secret.as_str()) {
                *text = without(text, secret);
            }
        }
        true
    }

    fn field(&mut self, entry: &Entry, texts: &mut Vec<String>) {
        if !OTHERS.contains(&entry.key.as_str()) {
            self.walk(&entry.value, false, texts);
        }
    }

    fn walk(&mut self, node: &Node, named: bool, texts: &mut Vec<String>) {
        match &node.content {
            Content::Scalar(scalar) => self.scalar(scalar, node.span, named, texts),
            Content::Sequence(items) => {
                let words: Vec<&str> = items.iter().map(word).collect();
                // `[DB_PASSWORD, hunter2]`
                if let [name, value] = items.as_slice()
                    && is_variable(word(name))
                {
                    return self.walk(value, true, texts);
                }
                for (item, exposed) in items.iter().zip(arguments(&words)) {
                    match exposed {
                        Some(Exposed::Option { kept, .. }) => {
                            self.spans.push(item.span);
                            let text = word(item);
                            add(texts, text);
                            add(texts, text.strip_prefix(kept).unwrap_or_default());
                        }
                        _ => self.walk(item, named, texts),
                    }
                }
            }
            Content::Mapping(entries) => {
                let container = entries.iter().any(|entry| entry.key == "image");
                let names =
                    |entry: &Entry| !container && is_name(word(&entry.value)) && !entry.merged;
                let beside = named || entries.iter().any(names);
                for entry in entries {
                    let plain = NAMES.contains(&entry.key.as_str()) || names(entry);
                    let is_scalar = matches!(entry.value.content, Content::Scalar(_));
                    self.walk(&entry.value, beside && !(plain && is_scalar), texts);
                }
            }
        }
    }

    fn scalar(&mut self, scalar: &Scalar, span: Span, named: bool, texts: &mut Vec<String>) {
        let text = scalar.text();
        let harmless = scalar.value.is_null() || scalar.value.is_boolean() || is_file(text);
        // `DB_PASSWORD hunter2`
        let pair = text.trim().split_once(char::is_whitespace);
        let named = named || pair.is_some_and(|(name, _)| is_variable(name));
        let named = named && !harmless && holds_text(text);
        // Of a URL only what stands before its host is secret, which its line tells.
        let url = user_info(text).is_some() && !text.contains(char::is_whitespace);
        if !named && (url || secret_value(text).is_none()) {
            return;
        }
        self.spans.push(span);
        add(texts, text);
        // A command that is one text is quoted as a list of its words.
        let divides = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ';');
        let words: Vec<&str> = text.split(divides).filter(|word| !word.is_empty()).collect();
        let exposed: Vec<&str> = words
            .iter()
            .zip(arguments(&words))
            .filter_map(|(word, exposed)| exposed.map(|_| *word))
            .collect();
        let quoted = if named || exposed.is_empty() { &words } else { &exposed };
        quoted.iter().filter(|word| word.len() > 4).for_each(|word| add(texts, word));
    }
}

/// Returns a scalar's text.
fn word(node: &Node) -> &str {
    match &node.content {
        Content::Scalar(scalar) => scalar.text(),
        _ => "",
    }
}

/// Reports whether a text is a secret's name, and nothing else that has such a word in it.
fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) && secret_name(text)
}

/// Reports whether a text is the name of a variable that holds a secret.
fn is_variable(text: &str) -> bool {
    is_name(text) && !text.contains(|c: char| c.is_ascii_lowercase())
}

/// Adds a text as it may be quoted.
fn add(texts: &mut Vec<String>, text: &str) {
    let text = text.trim();
    if text.len() < 3 || text.bytes().all(|byte| byte == b'*') {
        return;
    }
    let debug = format!("{text:?}");
    let escaped = debug.trim_matches('"');
    let doubled = text.replace('\'', "''");
    texts.extend([escaped, &doubled].into_iter().filter(|q| *q != text).map(str::to_owned));
    texts.push(text.to_owned());
}

/// Puts `***` in the place of a secret; of a short one only where it is a word.
fn without(text: &str, secret: &str) -> String {
    if secret.len() > 5 {
        return text.replace(secret, "***");
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(secret) {
        let (before, from) = rest.split_at(at);
        let after = from.get(secret.len()..).unwrap_or_default();
        let is_word =
            !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
        out.push_str(before);
        out.push_str(if is_word { "***" } else { secret });
        rest = after;
    }
    out.push_str(rest);
    out
}
