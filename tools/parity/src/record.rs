//! Records the oracle's answers, so that ordinary tests can replay them without it.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::Client;
use crate::compare::{messages, shape};
use crate::generate;
use crate::run::collect_words;
use crate::shrink;

/// The maximum number of cases, and of bytes in the file.
const CASES: usize = 2000;
const BYTES: usize = 3_500_000;

/// How often to ask the oracle the same thing: it visits maps in random order.
const ASKS: usize = 6;

/// Asks the oracle and keeps the requests that show something new: a message, or a pair of API
/// words that no kept request had.
///
/// # Errors
/// The oracle is gone, or a file cannot be read or written.
pub(crate) async fn record(
    oracle: &Client,
    seed: u64,
    count: u64,
    cases: Option<&Path>,
    path: &Path,
) -> Result<(), String> {
    let mut lines = Vec::new();
    let mut size = 0;
    let mut keep = |line: Value, size: &mut usize| {
        let line = line.to_string();
        *size += line.len() + 1;
        lines.push(line);
        lines.len() < CASES && *size < BYTES
    };
    for (name, request) in hand_written(cases)? {
        let answers = ask(oracle, &request).await?;
        keep(json!({ "name": name, "request": request, "answers": answers }), &mut size);
    }
    let mut seen = BTreeSet::new();
    for number in 0..count {
        let request = generate::case(seed, number);
        let answer = oracle.ask(&request).await?;
        if answer.get("crash").is_some() || !is_new(&request, &answer, &mut seen) {
            continue;
        }
        let request = slim(oracle, request, &answer).await?;
        let answers = ask(oracle, &request).await?;
        let line = json!({ "name": format!("seed {seed} case {number}"), "request": request,
            "answers": answers });
        if !keep(line, &mut size) {
            break;
        }
        if number % 1000 == 0 {
            eprintln!("{number} of {count} requests asked, {size} bytes kept");
        }
    }
    eprintln!("{} cases, {size} bytes", lines.len());
    let text = lines.join("\n") + "\n";
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Returns all answers that the oracle gives to one request.
async fn ask(oracle: &Client, request: &Value) -> Result<Vec<Value>, String> {
    let mut answers = Vec::new();
    for _ in 0..ASKS {
        let answer = oracle.ask(request).await?;
        if !answers.contains(&answer) {
            answers.push(answer);
        }
    }
    Ok(answers)
}

/// Removes the observed and context fields that the answer does not depend on.
async fn slim(oracle: &Client, mut request: Value, answer: &Value) -> Result<Value, String> {
    let mut places = Vec::new();
    shrink::list(&request, &mut Vec::new(), &mut places);
    for place in places {
        let unused = matches!(place.first().map(String::as_str), Some("observed" | "context"));
        // Fields within fields are not worth a request each.
        if !unused || !(3..=6).contains(&place.len()) {
            continue;
        }
        if let Some(candidate) = shrink::without(&request, &place)
            && oracle.ask(&candidate).await? == *answer
        {
            request = candidate;
        }
    }
    Ok(request)
}

fn is_new(request: &Value, answer: &Value, seen: &mut BTreeSet<String>) -> bool {
    let mut words = BTreeSet::new();
    collect_words(request.get("input").unwrap_or(&Value::Null), &mut words);
    let mut signs: Vec<String> = messages(answer).into_iter().map(shape).collect();
    let words: Vec<&String> = words.iter().collect();
    for (index, word) in words.iter().enumerate() {
        for other in words.iter().skip(index) {
            signs.push(format!("{word} {other}"));
        }
    }
    // Every sign is inserted, not just the first new one.
    let before = seen.len();
    seen.extend(signs);
    seen.len() > before
}

/// Reads handwritten requests: the JSON files in a directory, by name.
fn hand_written(directory: Option<&Path>) -> Result<Vec<(String, Value)>, String> {
    let Some(directory) = directory else { return Ok(Vec::new()) };
    let failed = |error: &dyn Display| format!("cannot read {}: {error}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| failed(&error))? {
        paths.push(entry.map_err(|error| failed(&error))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|it| it == "json"));
    paths.sort();
    let mut out = Vec::new();
    for path in paths {
        let in_file = |error: &dyn Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| in_file(&error))?;
        let request = serde_json::from_str(&text).map_err(|error| in_file(&error))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        out.push((name, request));
    }
    Ok(out)
}
