//! What the functions' context holds at first: `KEY=VALUE;KEY=VALUE`, as Crossplane's command reads
//! it (kong `SplitEscaped`).

use anyhow::{Result, bail};
use kube_schema::yaml;
use patch_and_transform::protocol::{Object, normalize};
use serde_json::Value;

use crate::inputs::Source;

/// Reads files and values, which come before files.
pub(super) fn read(files: &[String], values: &[String]) -> Result<Object> {
    let mut context = Object::new();
    for (key, file) in pairs(files, "--context-files", "FILE")? {
        let text = Source::read(file.as_ref())?.text;
        context.insert(key.clone(), parse(&text, &format!("--context-files {key}"))?);
    }
    for (key, text) in pairs(values, "--context-values", "VALUE")? {
        let value = parse(&text, &format!("--context-values {key}"))?;
        context.insert(key, value);
    }
    Ok(context)
}

fn pairs(given: &[String], option: &str, value: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for part in given.iter().flat_map(|given| split(given)) {
        match part.split_once('=') {
            Some((key, text)) if !key.is_empty() => pairs.push((key.to_owned(), text.to_owned())),
            _ => bail!(
                "{option}: {part:?} is no KEY={value}: a semicolon separates pairs; in a value, \
                 write \\;"
            ),
        }
    }
    Ok(pairs)
}

/// Splits at semicolons that have no backslash before them. Nothing is left of an empty end.
fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(';') => part.push(';'),
                other => part.extend(std::iter::once('\\').chain(other)),
            },
            ';' => parts.push(std::mem::take(&mut part)),
            _ => part.push(letter),
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

fn parse(text: &str, what: &str) -> Result<Value> {
    let stream = yaml::parse(text);
    if let Some(problem) = stream.problems.first() {
        bail!("{what}: {}", problem.message);
    }
    let mut documents = stream.documents.iter();
    let first = documents.next();
    if let Some(rest) = first.and_then(|first| after(text, first)) {
        bail!("{what}: the value ends before {rest:?}; a semicolon separates pairs");
    }
    if documents.next().is_some() {
        bail!("{what}: holds more than one document");
    }
    let mut value = first.map(yaml::Node::to_json).unwrap_or_default();
    normalize(&mut value);
    Ok(value)
}

/// Returns what stands after a value in brackets or quotes, where YAML's readers stop.
fn after<'a>(text: &'a str, value: &yaml::Node) -> Option<&'a str> {
    if !text.trim_start().starts_with(['{', '[', '"', '\'']) {
        return None;
    }
    let end = value.span.end;
    let line = text.split_inclusive('\n').take(end.line - 1).map(str::len).sum::<usize>();
    let in_line = text.get(line..)?.chars().take(end.column - 1).map(char::len_utf8).sum::<usize>();
    let rest = text.get(line + in_line..)?.trim();
    (!rest.is_empty() && !["#", "---", "..."].iter().any(|s| rest.starts_with(s))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(given: &[&str]) -> Result<Value, String> {
        let given: Vec<String> = given.iter().map(|&text| text.to_owned()).collect();
        read(&[], &given).map(Value::Object).map_err(|e| e.to_string())
    }

    #[test]
    fn a_semicolon_separates_pairs() {
        let check = |given: &[&str], expected| assert_eq!(values(given), Ok(expected), "{given:?}");
        check(&["x=1;y=2"], json!({"x": 1, "y": 2}));
        check(&["x=1;y=2", "z=3"], json!({"x": 1, "y": 2, "z": 3}));
        check(&["x=1;"], json!({"x": 1}));
        check(&[r#"a={"x":1};b=["y",2.0]"#], json!({"a": {"x": 1}, "b": ["y", 2]}));
        check(&[r"a=b\;c;d=e=f"], json!({"a": "b;c", "d": "e=f"}));
        check(&[r"a=b\\c"], json!({"a": r"b\\c"}));
        check(&[r"a=b\"], json!({"a": r"b\"}));
        check(&["x=1,y=2"], json!({"x": "1,y=2"}));
        check(&["x={a: 1} # a comment"], json!({"x": {"a": 1}}));
        check(&["x='it''s'", "y="], json!({"x": "it's", "y": null}));
        check(&[], json!({}));
    }

    #[test]
    fn nothing_is_lost_silently() {
        let check = |given: &str, says: &str| {
            let said = values(&[given]).unwrap_err();
            assert!(said.contains(says), "{given}: {said}");
        };
        check("x", "is no KEY=VALUE");
        check("x=1;;y=2", "\"\" is no KEY=VALUE");
        check("x=a;b", "\"b\" is no KEY=VALUE: a semicolon separates pairs");
        check(r#"x={"a":1},y=2"#, "--context-values x: ");
        check(r#"x={"a":1}\;b={"y":2}"#, "the value ends before \";b={");
        check("x=1\n---\n2", "more than one document");
    }
}
