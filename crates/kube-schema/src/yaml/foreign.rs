//! Recognizes texts that are not manifests: a patch, a web page, a table that kubectl printed. Such
//! a text breaks YAML at some line, or parses as meaningless YAML; either way it helps to be told
//! what it is.

use super::slips::{Slip, at_line, at_part, first_line};

/// In the order in which they are tried.
const FINDERS: [fn(&str) -> Option<Slip>; 12] = [
    conflict,
    patch,
    added,
    heredoc,
    quoted,
    numbered,
    markup,
    table,
    encoded,
    assignments,
    steps,
    unquoted,
];

/// Returns what a text is, if known.
pub(super) fn find(source: &str) -> Option<Slip> {
    FINDERS.iter().find_map(|find| find(source))
}

/// Returns the lines with content.
fn lines(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter(|line| !line.trim().is_empty())
}

/// Returns the first of them that is not a comment, and its number.
fn first(source: &str) -> Option<(usize, &str)> {
    first_line(source, |line| {
        !line.trim().is_empty() && !line.starts_with(['#', '%']) && line.trim() != "---"
    })
}

fn conflict(source: &str) -> Option<Slip> {
    let (line, text) =
        first_line(source, |line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "))?;
    let message = "this is the marker of a merge conflict that was not resolved";
    let help = "keep one of the two sides, and remove the lines <<<<<<<, ======= and >>>>>>>";
    Some(at_line(line, text, message, help))
}

fn patch(source: &str) -> Option<Slip> {
    first_line(source, |line| line.starts_with("@@ -") && line.contains(" @@"))?;
    let (line, text) =
        first_line(source, |line| line.starts_with("--- ") || line.starts_with("diff "))?;
    let message = "this is a patch (a diff), not a manifest";
    Some(at_line(line, text, message, "apply it with git apply, and check the file it changes"))
}

/// Recognizes `kubectl apply -f - <<EOF`: the file is a shell script.
fn heredoc(source: &str) -> Option<Slip> {
    let first = source.lines().find(|line| !line.trim().is_empty())?;
    let (line, text) = first_line(source, |line| {
        line.split_once("<<").is_some_and(|(before, word)| {
            let word = word.trim_start_matches('-').trim().trim_matches(['"', '\'']);
            !before.is_empty()
                && !word.is_empty()
                && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    })?;
    if text != first && !first.starts_with("#!") {
        return None;
    }
    let word = text.rsplit("<<").next()?.trim_start_matches('-').trim().trim_matches(['"', '\'']);
    let help = format!("keep only the lines between this one and {word}");
    Some(at_line(line, text, "this is a command of a shell, not a manifest", &help))
}

/// Recognizes `> ` before each line, as in quoted mail.
fn quoted(source: &str) -> Option<Slip> {
    let mut lines = source.lines().filter(|line| !line.trim().is_empty());
    if !lines.clone().take(2).all(|line| line.starts_with('>')) || lines.nth(1).is_none() {
        return None;
    }
    let (line, text) = first_line(source, |line| line.starts_with('>'))?;
    let message = "these lines are quoted as in mail";
    Some(at_line(line, text, message, "remove the > and the space before each line"))
}

/// Recognizes a part of a patch: each line begins with `+`, or with a space if unchanged.
fn added(source: &str) -> Option<Slip> {
    let is_added = |line: &str| {
        line.strip_prefix('+')
            .is_some_and(|rest| rest.starts_with(|c: char| c == ' ' || c.is_ascii_alphabetic()))
    };
    if lines(source).filter(|line| is_added(line)).nth(1).is_none()
        || !lines(source).all(|line| {
            is_added(line) || line.starts_with([' ', '-', '#']) || line.starts_with("@@")
        })
    {
        return None;
    }
    let (line, text) = first_line(source, is_added)?;
    let message = "the lines begin with a +, as in a patch (a diff)";
    Some(at_part(
        line,
        text,
        0,
        "+",
        message.to_owned(),
        "remove the first character of each line; lines that begin with a - are no longer there",
    ))
}

/// Recognizes a number before each line, as an editor or `cat -n` shows it.
fn numbered(source: &str) -> Option<Slip> {
    let number = |line: &str| -> Option<usize> {
        let line = line.trim_start();
        let digits = line.find(|c: char| !c.is_ascii_digit())?;
        line.get(digits..)?
            .starts_with([' ', '\t', '|', ':'])
            .then(|| line.get(..digits)?.parse().ok())?
    };
    let mut all = source.lines();
    let mut last = number(all.next()?)?;
    let mut count = 1;
    for line in all.filter(|line| !line.is_empty()) {
        let own = number(line).filter(|own| *own == last + 1)?;
        (last, count) = (own, count + 1);
    }
    if count < 3 {
        return None;
    }
    let (line, text) = first_line(source, |line| !line.is_empty())?;
    let byte = text.find(|c: char| c.is_ascii_digit())?;
    let part: String = text.chars().skip(byte).take_while(char::is_ascii_digit).collect();
    let message = "a number stands before each line".to_owned();
    Some(at_part(line, text, byte, &part, message, "remove the numbers, and the spaces after them"))
}

/// Recognizes a web page.
fn markup(source: &str) -> Option<Slip> {
    let (line, text) = first(source)?;
    let beginning: String =
        text.trim_start().chars().take(9).flat_map(char::to_lowercase).collect();
    let is_page = ["<!doctype", "<html", "<?xml", "<body", "<head"]
        .iter()
        .any(|tag| beginning.starts_with(tag));
    is_page.then(|| {
        at_line(
            line,
            text,
            "this is a page of HTML or XML, not a manifest",
            "download the file itself: its Raw view, not the page around it",
        )
    })
}

/// Recognizes what `kubectl get` prints for people.
fn table(source: &str) -> Option<Slip> {
    let (line, text) = first(source)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_head = words.len() > 1
        && words.contains(&"NAME")
        && words
            .iter()
            .all(|word| word.chars().all(|c| c.is_ascii_uppercase() || "-()".contains(c)));
    is_head.then(|| {
        at_line(
            line,
            text,
            "this is a table that kubectl printed, not a manifest",
            "take the object itself: kubectl get KIND NAME -o yaml",
        )
    })
}

/// Recognizes `key = "value"`, as in TOML, Terraform and files of variables, and Terraform's
/// blocks.
fn assignments(source: &str) -> Option<Slip> {
    let (line, text) = first(source)?;
    let block = ["resource \"", "module \"", "variable \"", "data \"", "locals {", "terraform {"];
    if block.iter().any(|word| text.starts_with(word)) && text.trim_end().ends_with('{') {
        return Some(at_line(
            line,
            text,
            "this is Terraform's language, not YAML",
            "check the manifest that it applies",
        ));
    }
    let is_one = |line: &str| {
        let name = line.split_once('=').map(|(name, _)| name.trim());
        name.is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        }) || line.starts_with(['[', '#'])
    };
    (text.contains('=') && lines(source).all(is_one)).then(|| {
        at_line(line, text, "this is TOML, or a file of variables, not YAML", "write key: value")
    })
}

/// Recognizes a JSON patch, which has no apiVersion and kind of its own.
fn steps(source: &str) -> Option<Slip> {
    let (line, text) = first(source)?;
    let is_step = text.starts_with("- op:") || text.starts_with("[{\"op\":");
    is_step.then(|| {
        at_line(
            line,
            text,
            "this is a JSON patch, not a manifest",
            "name it under patches, in a kustomization; check what kustomize build makes",
        )
    })
}

/// Recognizes `{key:"value"}`: JavaScript needs neither quotes nor a space, YAML needs one of them.
fn unquoted(source: &str) -> Option<Slip> {
    let (line, text) = first(source)?;
    let inner = text.trim_start().strip_prefix('{')?.trim_start();
    let key = inner.get(..inner.find(':')?)?;
    let value = inner.get(key.len() + 1..)?;
    let is_name = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let byte = text.len() - inner.len();
    (is_name && value.starts_with(['"', '\'', '{', '['])).then(|| {
        let message = "the key has no quotes, and its colon no space after it, so YAML takes all \
            of it for text";
        at_part(
            line,
            text,
            byte,
            key,
            message.to_owned(),
            &format!("write \"{key}\": and so with the other keys, as JSON"),
        )
    })
}

/// Recognizes a manifest encoded as in a Secret.
fn encoded(source: &str) -> Option<Slip> {
    let (line, text) = first(source)?;
    let is_base64 = |line: &str| {
        line.trim_end_matches('=').bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b))
    };
    (text.len() >= 60 && lines(source).all(|line| is_base64(line.trim()))).then(|| {
        at_part(
            line,
            text,
            0,
            "",
            "this is base64, not a manifest".to_owned(),
            "decode it first: base64 -d FILE | eds validate -",
        )
    })
}
