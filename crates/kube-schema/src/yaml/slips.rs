//! Words for what is wrong with a document, and the position where a person would put the cursor.
//!
//! The scanner notices a fault late, and reports its own trouble. This module examines the lines
//! around it for typical mistakes: a template that was not rendered, a merge conflict, a lookalike
//! character. The nature of the whole file comes first ([`foreign`]), then the line, then the
//! scanner's own message.

use super::fault::{Fault, SyntaxError};
use super::foreign;
use super::{Content, Entry, Node, Position, Problem, ProblemKind, Span};
use crate::characters;
use crate::placeholder::{self, Placeholder};

/// A mistake: where it is, what it is, and what to do.
pub(super) struct Slip {
    at: Position,
    /// In characters.
    length: usize,
    message: String,
    help: String,
}

impl Slip {
    pub(super) fn into_problem(self, kind: ProblemKind) -> Problem {
        let end = Position { line: self.at.line, column: self.at.column + self.length };
        let span = Span { start: self.at, end };
        Problem { kind, span, message: self.message, help: Some(self.help) }
    }
}

/// Turns a syntax error into a problem.
pub(super) fn explain(source: &str, error: &SyntaxError) -> Problem {
    let kind = match error.fault {
        Fault::Deep | Fault::Large => ProblemKind::Limit,
        _ => ProblemKind::Syntax,
    };
    let nearby = Nearby::new(source, error);
    let slip = match kind {
        ProblemKind::Limit => None,
        _ => FINDERS.iter().find_map(|find| find(&nearby)),
    };
    match slip {
        Some(slip) => slip.into_problem(kind),
        None => {
            let at = nearby.place();
            let span = Span { start: at, end: at };
            Problem { kind, span, message: error.fault.message(), help: nearby.help() }
        }
    }
}

/// Reports text that Kubernetes ignores.
pub(super) fn ignored(source: &str, at: Position) -> Problem {
    if let Some(slip) = foreign::find(source) {
        return slip.into_problem(ProblemKind::Ignored);
    }
    let line = source.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let above = source.lines().enumerate().take(at.line.saturating_sub(1));
    let first = above
        .filter(|(_, line)| !line.starts_with(['#', '%']) && !line.trim().is_empty())
        .fold(None, |first, (i, line)| match line.trim_end() {
            "---" => None,
            _ => first.or(Some((i + 1, line.chars().take_while(|c| *c == ' ').count()))),
        });
    if let Some((from, deep)) = first.filter(|(_, deep)| *deep > indent)
        && at.column == indent + 1
    {
        let (spaces, lines) = (deep - indent, at.line - from);
        let spaces = if spaces == 1 { "the space".to_owned() } else { format!("{spaces} spaces") };
        let these = match lines {
            1 => format!("line {from}"),
            _ => format!("lines {from} to {}", at.line - 1),
        };
        return Problem {
            kind: ProblemKind::Ignored,
            span: Span { start: at, end: at },
            message: format!(
                "line {from} is indented deeper than this one, so Kubernetes reads nothing of this \
                    document from here on"
            ),
            help: Some(format!("remove {spaces} before {these}")),
        };
    }
    let help = match at.column == indent + 1 {
        true => "indent it like the first line of its document, or separate it with ---",
        false => "remove it, or separate it with a line ---",
    };
    Problem {
        kind: ProblemKind::Ignored,
        span: Span { start: at, end: at },
        message: "Kubernetes reads nothing of this document from here on".to_owned(),
        help: Some(help.to_owned()),
    }
}

/// Suggests what to do about a duplicate key, if both are on lines of their own.
pub(super) fn joined_by(key: &str, other: &Entry, later: &Node) -> Option<String> {
    let line = other.key_span.start.line;
    match (&other.value.content, &later.content) {
        (Content::Mapping(_), Content::Mapping(_))
        | (Content::Sequence(_), Content::Sequence(_)) => Some(format!(
            "Kubernetes reads the later one alone; put what stands below both under the {key} of \
                line {line}"
        )),
        _ => None,
    }
}

/// Finds objects that lack a `---` between them: every key of the second is a duplicate. `again`
/// are the duplicate keys at the top level, in file order.
pub(super) fn unseparated(problems: &mut Vec<Problem>, again: &[(String, Span)]) {
    let mut rounds: Vec<Vec<&(String, Span)>> = Vec::new();
    for one in again {
        match rounds.last_mut() {
            Some(round) if !round.iter().any(|(key, _)| *key == one.0) => round.push(one),
            _ => rounds.push(vec![one]),
        }
    }
    for round in rounds {
        let has = |wanted: &str| round.iter().any(|(key, _)| key == wanted);
        let Some((_, first)) = round.first().filter(|_| has("apiVersion") && has("kind")) else {
            continue;
        };
        let of_round = |problem: &Problem| {
            problem.kind == ProblemKind::DuplicateKey
                && round.iter().any(|(_, span)| *span == problem.span)
        };
        let line = first.start.line;
        if let Some(problem) = problems.iter_mut().find(|problem| of_round(problem)) {
            problem.message =
                "another object begins here, without a line --- before it; of both, Kubernetes \
                    reads the later lines alone"
                    .to_owned();
            problem.help = Some(format!("write --- on a line of its own before line {line}"));
        }
        let mut kept = false;
        problems.retain(|problem| !of_round(problem) || !std::mem::replace(&mut kept, true));
    }
}

/// The lines around an error.
struct Nearby<'a> {
    source: &'a str,
    error: &'a SyntaxError,
    /// Number and text of the lines that may have caused the error, the nearest first.
    lines: Vec<(usize, &'a str)>,
}

/// In the order in which they are tried.
const FINDERS: &[fn(&Nearby<'_>) -> Option<Slip>] = &[
    |nearby| foreign::find(nearby.source),
    separator,
    markdown,
    template,
    after_quote,
    lookalike,
    tab,
    block_text,
    open_quote,
    dash,
    no_space,
    placeholder,
    joined,
    json_comment,
];

impl<'a> Nearby<'a> {
    fn new(source: &'a str, error: &'a SyntaxError) -> Self {
        let (at, from) = (error.at.line, error.context.line.max(1));
        // Where the error was noticed, the line before it, where its value starts, the line after.
        let wanted = [at, at.saturating_sub(1), from, at + 1];
        let mut lines: Vec<(usize, &str)> = Vec::new();
        for (index, text) in source.lines().enumerate().skip(from.min(at).saturating_sub(2)) {
            if index > at {
                break;
            }
            if wanted.contains(&(index + 1)) {
                lines.push((index + 1, text));
            }
        }
        lines.sort_by_key(|(line, _)| wanted.iter().position(|w| w == line));
        Self { source, error, lines }
    }

    /// Returns where to report a fault without a better place: where the open collection begins,
    /// unless a string follows that only lacks a comma before it.
    fn place(&self) -> Position {
        let (at, context) = (self.error.at, self.error.context);
        let here = self.lines.iter().find(|(line, _)| *line == at.line);
        let next = here.and_then(|(_, text)| text.chars().nth(at.column.saturating_sub(1)));
        match self.error.fault {
            Fault::AnchorName | Fault::Tag | Fault::OpenQuote | Fault::QuoteAcrossDocuments => {
                context
            }
            Fault::OpenSequence | Fault::OpenMapping
                if at.line > context.line && next != Some('"') =>
            {
                context
            }
            _ => at,
        }
    }

    /// Suggests what to do if only the fault itself is known.
    fn help(&self) -> Option<String> {
        let from = self.error.context.line;
        let help = match self.error.fault {
            Fault::OpenQuote | Fault::QuoteAcrossDocuments => {
                format!("it opens in line {from}; close it")
            }
            Fault::OpenSequence => format!("[ opens in line {from}; add the comma or ]"),
            Fault::OpenMapping => format!("{{ opens in line {from}; add the comma or }}"),
            Fault::NoKey | Fault::NoDash | Fault::KeyNotAllowed | Fault::EntryNotAllowed => {
                "give the lines that belong together the same number of spaces".to_owned()
            }
            Fault::ValueNotAllowed => {
                "quote the value, or put the second key on a line of its own".to_owned()
            }
            Fault::NoColon => "write key: value".to_owned(),
            Fault::CannotStart('\t') => "remove the tab, or write spaces in its place".to_owned(),
            Fault::CannotStart(_) => "put the value in quotes".to_owned(),
            Fault::AnchorName | Fault::Tag => "quote the text, or name what is meant".to_owned(),
            Fault::UnknownEscape | Fault::EscapeDigits | Fault::EscapeRange => {
                "write the text in single quotes, or each backslash twice".to_owned()
            }
            Fault::Version
            | Fault::Directive
            | Fault::DirectiveWithoutDocument
            | Fault::DuplicateDirective => "remove this line".to_owned(),
            Fault::Character(_) => {
                "remove it, or write it as an escape in double quotes".to_owned()
            }
            Fault::BlockHeader => "put the text on the next line, indented".to_owned(),
            Fault::NoContent => "write the value, or quote it".to_owned(),
            Fault::Separator => "write --- alone on its line".to_owned(),
            _ => return None,
        };
        Some(help)
    }
}

/// Returns the first line, in file order, that `fits`.
pub(super) fn first_line(source: &str, fits: impl Fn(&str) -> bool) -> Option<(usize, &str)> {
    source.lines().enumerate().find(|(_, line)| fits(line)).map(|(i, line)| (i + 1, line))
}

pub(super) fn at_line(line: usize, text: &str, message: &str, help: &str) -> Slip {
    let indent = text.chars().take_while(|c| c.is_whitespace()).count();
    let length = text.trim().chars().count();
    let at = Position { line, column: indent + 1 };
    Slip { at, length, message: message.to_owned(), help: help.to_owned() }
}

pub(super) fn at_part(
    line: usize,
    text: &str,
    byte: usize,
    part: &str,
    message: String,
    help: &str,
) -> Slip {
    let column = text.get(..byte).unwrap_or_default().chars().count() + 1;
    let at = Position { line, column };
    Slip { at, length: part.chars().count(), message, help: help.to_owned() }
}

/// Finds `--`, or dashes that only look like ours, alone on a line: three of ours separate
/// documents.
fn separator(nearby: &Nearby<'_>) -> Option<Slip> {
    let is_dash =
        |c: char| "-\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{ff0d}".contains(c);
    let fits = |text: &str| {
        let text = text.trim_end();
        !text.is_empty() && text != "-" && text.chars().all(is_dash) && !text.starts_with("---")
    };
    let (line, text) = nearby.lines.iter().copied().find(|(_, text)| fits(text))?;
    let message = "documents are separated by three dashes alone on a line";
    Some(at_line(line, text, message, "write ---"))
}

fn markdown(nearby: &Nearby<'_>) -> Option<Slip> {
    let (line, text) = first_line(nearby.source, |line| {
        line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~")
    })?;
    // Inside a block scalar such a line is text, not a cause.
    if nearby.error.at.line < line && line > 1 && nearby.error.fault != Fault::NoColon {
        return None;
    }
    let message = "this is a fence of Markdown, not YAML";
    Some(at_line(line, text, message, "keep only the lines between the fences"))
}

/// Finds what should have been replaced in a line.
fn unfilled(text: &str) -> Option<Placeholder<'_>> {
    placeholder::find(before_comment(text)).filter(|found| found.certain)
}

/// Finds `{{ … }}` and `{% … %}`: the whole file is another tool's.
fn template(nearby: &Nearby<'_>) -> Option<Slip> {
    let of_template = |text: &'_ str| {
        let found = unfilled(text)?;
        let closed = found.text.starts_with("{{") && found.text.ends_with("}}");
        (closed || found.text.starts_with("{%")).then_some((found.at, found.text.len()))
    };
    let near = nearby.lines.iter().find(|(_, text)| of_template(text).is_some()).copied();
    let (line, text) =
        near.or_else(|| first_line(nearby.source, |text| of_template(text).is_some()))?;
    let (byte, length) = of_template(text)?;
    let part = text.get(byte..byte + length)?;
    let helm = [
        ".Values",
        ".Release",
        ".Chart",
        ".Capabilities",
        "include ",
        "toYaml",
        "{{-",
        "-}}",
        "define ",
    ];
    let (what, how) = if part.starts_with("{%") {
        ("a Jinja template", "render it first, and check what comes out")
    } else if helm.iter().any(|word| nearby.source.contains(word)) {
        ("a Helm template", "check what comes out of it: helm template CHART | eds validate -")
    } else {
        ("a template", "render it first, and check what comes out")
    };
    Some(at_part(line, text, byte, part, format!("this is {what}, not a manifest yet"), how))
}

/// Finds any other placeholder that breaks the YAML: `${NAME}`, `@IMAGE@`, `%TAG%`.
fn placeholder(nearby: &Nearby<'_>) -> Option<Slip> {
    let (line, text, found) =
        nearby.lines.iter().find_map(|(line, text)| Some((*line, *text, unfilled(text)?)))?;
    let (message, help) = match found.text.strip_prefix("${") {
        Some(rest) if !rest.starts_with('{') => (
            format!(
                "{} is a variable that was not replaced: this is a file for envsubst",
                found.text
            ),
            "check what comes out of it: envsubst < FILE | eds validate -",
        ),
        _ => (found.cause(), placeholder::FIX),
    };
    Some(at_part(line, text, found.at, found.text, message, help))
}

fn lookalike(nearby: &Nearby<'_>) -> Option<Slip> {
    nearby.lines.iter().find_map(|(line, text)| {
        let (byte, character) = characters::first_sign(before_comment(text))?;
        let (_, meant) = characters::sign(character)?;
        let message =
            format!("this is {}, which YAML takes for text", characters::named(character)?);
        let help = match meant {
            "" => "remove it".to_owned(),
            meant => format!("write {meant} in its place"),
        };
        Some(at_part(*line, text, byte, &String::from(character), message, &help))
    })
}

/// Finds a tab in the indentation, or where a value starts.
fn tab(nearby: &Nearby<'_>) -> Option<Slip> {
    let indents = |text: &str| {
        let blanks: String = text.chars().take_while(|c| matches!(c, ' ' | '\t' | '-')).collect();
        blanks.find('\t').filter(|_| !text.trim().is_empty())
    };
    let tabs =
        matches!(nearby.error.fault, Fault::PlainTab | Fault::BlockTab | Fault::CannotStart('\t'));
    let (line, text, byte) = nearby
        .lines
        .iter()
        .filter(|(line, _)| tabs || *line >= nearby.error.at.line.saturating_sub(1))
        .find_map(|(line, text)| Some((*line, *text, indents(text)?)))?;
    let message = "this line is indented with a tab; YAML allows only spaces".to_owned();
    Some(at_part(line, text, byte, "\t", message, "write spaces in its place"))
}

/// Finds lines after `|` or `>` that are not indented.
fn block_text(nearby: &Nearby<'_>) -> Option<Slip> {
    let (line, text) = nearby.lines.iter().min_by_key(|(line, _)| *line).copied()?;
    let at = nearby.error.at.line;
    let mut lines =
        nearby.source.lines().enumerate().skip(line.saturating_sub(2)).take(at + 2 - line.min(at));
    let (index, header) = lines.find(|(_, text)| {
        let code = before_comment(text).trim_end();
        let code = code.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
        [": |", ": >", "- |", "- >"].iter().any(|end| code.ends_with(end))
    })?;
    let (next, body) =
        nearby.source.lines().enumerate().skip(index + 1).find(|(_, t)| !t.trim().is_empty())?;
    let indent = |text: &str| text.chars().take_while(|c| matches!(c, ' ' | '-')).count();
    let plain = |text: &str| text.chars().take_while(|c| *c == ' ').count();
    if plain(body) > indent(header) || before_comment(body).contains(": ") || text.is_empty() {
        return None;
    }
    let message =
        format!("this text belongs to the | or > of line {}, but is not indented", index + 1);
    let help = format!("indent it by {} spaces", indent(header) + 2);
    Some(at_line(next + 1, body, &message, &help))
}

/// Finds a quote that is opened but not closed on its line.
fn open_quote(nearby: &Nearby<'_>) -> Option<Slip> {
    let quotes = matches!(
        nearby.error.fault,
        Fault::OpenQuote
            | Fault::QuoteAcrossDocuments
            | Fault::NoKey
            | Fault::NoColon
            | Fault::OpenMapping
            | Fault::OpenSequence
            | Fault::UnknownEscape
    );
    if !quotes {
        return None;
    }
    let from = nearby.error.context.line;
    let odd = |text: &str, quote: char| before_comment(text).matches(quote).count() % 2 == 1;
    let mut lines = nearby.source.lines().enumerate().skip(from.saturating_sub(1));
    let (index, text, quote) = lines.by_ref().take(200).find_map(|(index, text)| {
        let value = text.trim_start();
        let value = value.strip_prefix("- ").unwrap_or(value);
        let value = value.split_once(": ").map_or(value, |(_, value)| value.trim_start());
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        (index < nearby.error.at.line && odd(value, quote)).then_some((index, text, quote))
    })?;
    let byte = text.find(quote)?;
    let part = text.get(byte..).unwrap_or_default().trim_end();
    let message = format!("this {quote} is not closed");
    Some(at_part(index + 1, text, byte, part, message, &format!("close it: {part}{quote}")))
}

/// Finds text after a closing quote: `"a" b`.
fn after_quote(nearby: &Nearby<'_>) -> Option<Slip> {
    if !matches!(nearby.error.fault, Fault::NoKey | Fault::NoDash) {
        return None;
    }
    let (line, text) =
        nearby.lines.iter().find(|(line, _)| *line == nearby.error.at.line).copied()?;
    let (key, value) = text.split_once(": ")?;
    let quote = value.trim_start().chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = value.trim_start().get(1..)?;
    let rest = inner.get(inner.find(quote)? + 1..)?;
    let begins = text.chars().count() - rest.trim_start().chars().count() + 1;
    if nearby.error.at.column != begins || rest.contains(quote) {
        return None;
    }
    let byte = text.len() - value.trim_start().len();
    let whole = before_comment(value.trim_start()).trim_end();
    let message = format!("text stands after the {quote} that closes the value of {}", key.trim());
    let other = if quote == '"' { '\'' } else { '"' };
    let help = format!("put all of it in quotes: {other}{whole}{other}");
    Some(at_part(line, text, byte, whole, message, &help))
}

/// Finds `-key: value`, and a dash before another key of a mapping.
fn dash(nearby: &Nearby<'_>) -> Option<Slip> {
    let mut lines = nearby.lines.clone();
    lines.sort_unstable();
    let glued = lines.iter().find_map(|(line, text)| {
        let rest = text.trim_start().strip_prefix('-')?;
        let is_key = rest.starts_with(|c: char| c.is_ascii_alphabetic()) && rest.contains(": ");
        is_key.then_some((*line, *text, rest))
    });
    if let Some((line, text, rest)) = glued {
        let message = "there is no space after the dash, so YAML takes it for a part of the key";
        let byte = text.len() - rest.len() - 1;
        let help = format!("write - {}", rest.trim_end());
        return Some(at_part(line, text, byte, text.trim(), message.to_owned(), &help));
    }
    if nearby.error.fault != Fault::NoKey {
        return None;
    }
    let (line, text) =
        nearby.lines.iter().find(|(line, _)| *line == nearby.error.at.line).copied()?;
    let rest = text.trim_start().strip_prefix("- ")?;
    let byte = text.len() - rest.len() - 2;
    let indent = |text: &str| text.len() - text.trim_start().len();
    let above = nearby.source.lines().take(line.saturating_sub(1));
    let above = above.filter(|above| !before_comment(above).trim().is_empty()).last()?;
    if indent(above) != byte
        || above.trim_start().starts_with('-')
        || above.trim_end().ends_with(':')
    {
        return None;
    }
    let message =
        "a dash begins an entry of a list, and the lines before it are not a list".to_owned();
    Some(at_part(line, text, byte, "-", message, "remove the dash and the space after it"))
}

/// Finds `key:value`, or a key without a colon.
fn no_space(nearby: &Nearby<'_>) -> Option<Slip> {
    if !matches!(
        nearby.error.fault,
        Fault::NoColon | Fault::ValueNotAllowed | Fault::NoKey | Fault::OpenMapping
    ) {
        return None;
    }
    // Words at the end that are not a key: "Thanks!"
    let last = nearby.source.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).last();
    if let Some((index, text)) = last
        && nearby.error.fault == Fault::NoColon
        && nearby.error.at.line > index
        && !text.contains(':')
        && !text.starts_with([' ', '-'])
        && text.contains(|c: char| c == ' ' || "!.,?".contains(c))
    {
        let message = "this line is not a key and its value";
        return Some(at_line(index + 1, text, message, "remove it, or make it a comment with #"));
    }
    let first = nearby.error.context.line.min(nearby.error.at.line);
    let mut lines: Vec<_> =
        nearby.lines.iter().filter(|(line, _)| *line >= first.saturating_sub(1)).collect();
    lines.sort();
    lines.into_iter().find_map(|(line, text)| {
        let code = before_comment(text).trim_end();
        let word = code.trim_start().trim_start_matches("- ");
        let start = code.len() - word.len();
        let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        let length = word.find(|c| !is_key(c)).unwrap_or(word.len());
        let (key, rest) = word.split_at_checked(length)?;
        if key.is_empty() {
            return None;
        }
        let value =
            rest.strip_prefix(':').filter(|v| !v.is_empty() && !v.starts_with([' ', '\t', '/']));
        if let Some(value) = value {
            let value = value.trim();
            // A number after the colon may just as well be a port or a time.
            let message =
                "there is no space after the colon, so YAML takes all of it for text".to_owned();
            return Some(at_part(
                *line,
                text,
                start,
                word,
                message,
                &format!("write {key}: {value}"),
            ));
        }
        if let Some(value) = rest
            .strip_prefix(" :")
            .or_else(|| rest.strip_prefix('='))
            .or_else(|| rest.strip_prefix(" = "))
        {
            if value.is_empty() || value.starts_with(' ') && rest.starts_with(" :") {
                return None;
            }
            let message = "this is not how YAML writes a key and its value".to_owned();
            return Some(at_part(
                *line,
                text,
                start,
                word,
                message,
                &format!("write {key}: {}", value.trim()),
            ));
        }
        if rest.is_empty() && nearby.error.fault == Fault::NoColon {
            let message = format!("{key} has no colon");
            return Some(at_part(
                *line,
                text,
                start,
                word,
                message,
                &format!("write {key}: and its value"),
            ));
        }
        if let Some(value) = rest.strip_prefix(' ')
            && nearby.error.fault == Fault::NoColon
            && !value.contains(": ")
        {
            let message = format!("{key} has no colon");
            return Some(at_part(
                *line,
                text,
                start,
                word,
                message,
                &format!("write {key}: {value}"),
            ));
        }
        None
    })
}

/// Finds two keys on a line, or a value that contains a colon and a space.
fn joined(nearby: &Nearby<'_>) -> Option<Slip> {
    if nearby.error.fault != Fault::ValueNotAllowed {
        return None;
    }
    let (line, text) =
        nearby.lines.iter().find(|(line, _)| *line == nearby.error.at.line).copied()?;
    let column = nearby.error.at.column;
    let before: String = text.chars().take(column.saturating_sub(1)).collect();
    let (key, value) = before.split_once(": ").unwrap_or(("", &before));
    if key.trim().is_empty() {
        // The line before holds the key that this line is indented under.
        let (above, previous) = nearby.lines.iter().find(|(l, _)| l + 1 == line).copied()?;
        let (_, value) = previous.split_once(": ")?;
        if value.trim().is_empty() {
            return None;
        }
        let message = format!(
            "this line is indented deeper than line {above}, whose key has a value already"
        );
        return Some(at_line(line, text, &message, "give both lines the same number of spaces"));
    }
    let byte = before.len() - value.len();
    // An image and its tag have one colon between them, and no space.
    if key.trim().trim_start_matches("- ") == "image" {
        let whole = before_comment(text.get(byte..).unwrap_or_default()).trim_end();
        let joined: String = whole.split_whitespace().collect();
        let (message, help) = match joined.strip_suffix(':') {
            Some(_) => ("the tag is missing after the colon", format!("write {joined}TAG")),
            None => ("a space stands between the image and its tag", format!("write {joined}")),
        };
        return Some(at_part(line, text, byte, whole, message.to_owned(), &help));
    }
    let message =
        "a colon with a space after it stands in this value, which has no quotes".to_owned();
    let whole = text.get(byte..).unwrap_or_default().trim_end();
    // In double quotes, a backslash begins an escape.
    let quote = if whole.contains(['\\', '"']) && !whole.contains('\'') { '\'' } else { '"' };
    Some(at_part(line, text, byte, whole, message, &format!("quote it: {quote}{whole}{quote}")))
}

/// Finds JavaScript comments in JSON.
fn json_comment(nearby: &Nearby<'_>) -> Option<Slip> {
    if !nearby.source.trim_start().starts_with(['{', '[']) {
        return None;
    }
    nearby.lines.iter().find_map(|(line, text)| {
        let byte = text.find("//").or_else(|| text.find("/*"))?;
        let part = text.get(byte..).unwrap_or_default().trim_end();
        let message = "JSON and YAML have no comments like this".to_owned();
        Some(at_part(*line, text, byte, part, message, "write it with #, or remove it"))
    })
}

/// Returns a line without its comment, roughly: quotes may hide a `#`.
fn before_comment(text: &str) -> &str {
    let cut = text.find(" #").or_else(|| text.starts_with('#').then_some(0));
    cut.and_then(|at| text.get(..at)).unwrap_or(text)
}
