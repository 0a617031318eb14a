//! YAML is read as kubectl reads it: accepted or refused alike, with equal values.
//!
//! `corpus.jsonl` holds recorded questions and kubectl's answers (`tools/judge/yaml` says which
//! code path of kubectl answers), replayed on every run. `make yaml` asks new questions:
//! `EDS_YAML_JUDGE` names the judge's binary, `EDS_YAML_COUNT` and `EDS_YAML_SEED` say how many and
//! which. With `EDS_YAML_RECORD=FILE` it writes a corpus of the most diverse cases.

#![cfg(test)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a test reads files and the environment, and prints"
)]

mod generate;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use kube_schema::yaml::{self, Node, ProblemKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// kubectl's answer for a text.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Documents(Vec<Value>),
    Error(String),
}

/// A question and all answers to it.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Case {
    text: String,
    answers: Vec<Answer>,
}

/// Returns the word by which `disagreements.txt` lists an intended difference.
fn meant(kind: ProblemKind) -> Option<&'static str> {
    match kind {
        ProblemKind::DuplicateKey => Some("duplicate-key"),
        ProblemKind::Ignored => Some("ignored"),
        ProblemKind::Limit => Some("limit"),
        ProblemKind::Syntax | ProblemKind::Structure => None,
    }
}

/// Returns the words of the differences found, or how we differ from all of kubectl's answers.
fn compare(case: &Case) -> Result<BTreeSet<&'static str>, String> {
    let stream = yaml::parse(&case.text);
    let ours: Vec<Value> = stream.documents.iter().map(Node::to_json).collect();
    let mut words = BTreeSet::new();
    let mut refused = None;
    for problem in &stream.problems {
        match meant(problem.kind) {
            Some(word) => _ = words.insert(word),
            None => refused = refused.or(Some(problem)),
        }
    }
    let limit = words.contains("limit");
    for answer in &case.answers {
        match (answer, refused) {
            (Answer::Error(_), Some(_)) => return Ok(BTreeSet::new()),
            // What we refuse for a reason of our own might have been refused anyway.
            (Answer::Error(_), None) if limit => return Ok(BTreeSet::new()),
            (Answer::Documents(_), None) if limit => return Ok(words),
            (Answer::Documents(theirs), None) if *theirs == ours => return Ok(words),
            (Answer::Documents(_), Some(problem))
                if case.text.len() > 512 && problem.message.ends_with("is not allowed in YAML") =>
            {
                return Ok(BTreeSet::from(["unread-character"]));
            }
            _ => {}
        }
    }
    let said = match refused {
        Some(problem) => format!("refused: {problem:?}"),
        None => serde_json::to_string(&ours).unwrap(),
    };
    Err(format!(
        "{:?}\n  ours:   {said}\n  theirs: {}",
        case.text,
        serde_json::to_string(&case.answers).unwrap()
    ))
}

/// Compares all cases; the intended differences found must be exactly those listed.
fn check(cases: &[Case]) {
    let listed = include_str!("disagreements.txt");
    let listed: BTreeSet<&str> = listed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" | ").map(|(word, _)| word))
        .collect();
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in cases {
        match compare(case) {
            Ok(words) => words.into_iter().for_each(|word| *met.entry(word).or_default() += 1),
            Err(difference) => wrong.push(difference),
        }
    }
    let refused = cases
        .iter()
        .filter(|case| case.answers.iter().all(|a| matches!(a, Answer::Error(_))))
        .count();
    println!(
        "{} texts, {refused} of them refused by kubectl; meant differences: {met:?}",
        cases.len()
    );
    for difference in wrong.iter().take(40) {
        println!("{difference}");
    }
    assert!(wrong.is_empty(), "{} of {} differ", wrong.len(), cases.len());
    let (rare, listed): (BTreeSet<&str>, BTreeSet<&str>) =
        listed.into_iter().partition(|word| word.starts_with("rare: "));
    let rare = |word: &str| rare.contains(format!("rare: {word}").as_str());
    let met: BTreeSet<&str> = met.into_keys().filter(|word| !rare(word)).collect();
    assert_eq!(
        met, listed,
        "tests/yaml/disagreements.txt lists what is meant, no more and no less"
    );
}

const CORPUS: &str = include_str!("corpus.jsonl");

fn corpus() -> Vec<Case> {
    CORPUS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_recorded_answers_are_ours() {
    let cases = corpus();
    assert!(cases.len() >= 300, "{} cases", cases.len());
    check(&cases);
}

/// Typical mistakes, each a file in `slips/`: `slips.txt` says where the cursor belongs and what
/// the mistake is called.
#[test]
fn slips_are_named_where_they_are() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/yaml/slips");
    let mut wrong = Vec::new();
    let mut listed = BTreeSet::new();
    for line in include_str!("slips.txt").lines().filter(|line| !line.starts_with('#')) {
        let [file, place, words] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        listed.insert(file.to_owned());
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let problems = yaml::parse(&text).problems;
        let Some(first) = problems.first() else {
            wrong.push(format!("{file}: nothing is found"));
            continue;
        };
        let start = first.span.start;
        let said = format!("{}; {}", first.message, first.help.as_deref().unwrap_or("no help"));
        let found = format!("{}:{}", start.line, start.column);
        if found != place || !said.contains(words) || problems.len() > 1 || first.help.is_none() {
            wrong.push(format!(
                "{file}: {place} {words:?}, but {found} {said} ({} in all)",
                problems.len()
            ));
        }
    }
    let there: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, listed);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asks the judge; a single process answers everything.
fn ask(judge: &str, texts: Vec<String>) -> Vec<Case> {
    let mut child = Command::new(judge)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the judge runs");
    let mut stdin = child.stdin.take().unwrap();
    let lines: String =
        texts.iter().map(|text| serde_json::to_string(text).unwrap() + "\n").collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the judge failed");
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Vec<Answer>> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap_or_else(too_deep)).collect();
    assert_eq!(answers.len(), texts.len());
    texts.into_iter().zip(answers).map(|(text, answers)| Case { text, answers }).collect()
}

/// serde_json reads 128 levels, so a deeper document has no value here.
fn too_deep(error: serde_json::Error) -> Vec<Answer> {
    assert!(error.to_string().contains("recursion limit"), "{error}");
    vec![Answer::Documents(Vec::new())]
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

#[test]
fn new_questions_are_answered_alike() {
    let Ok(judge) = std::env::var("EDS_YAML_JUDGE") else {
        println!("not asked: EDS_YAML_JUDGE names no judge (make yaml)");
        return;
    };
    let (count, seed) = (setting("EDS_YAML_COUNT", 5000), setting("EDS_YAML_SEED", 1));
    println!("seed {seed}");
    let seeds = [
        include_str!("../../../../platform/04-apis/examples/minimal-claim.yaml"),
        include_str!("../../../../platform/04-apis/examples/full-claim.yaml"),
        "a: &x {b: 1, c: [1, 2]}\nd:\n  <<: *x\n  b: 2\ne: *x\n",
        "a: |\n  one\n\n  two\n   three\nb: >-\n  one\n  two\n\n  three\nc: 1\n",
        "? a\n: - b\n  - c\n? [d]\n: e\n",
        "a: 'it''s'\nb: \"x\\\n  y\\u00e9\"\nc: plain\n  goes on\n",
        "list:\n- a: 1\n  b: 2\n-\n  - c\n  -\n- - d\n",
        "{\"a\": [1, {\"b\": null}], \"c\": \"\\u00e9\"}\n",
        "# c\n--- # d\na: 1 # e\n...\n---\nb: [x, 'y', {z: \"w\"}]\n",
        "a: !!str 1\nb: !!int \"2\"\nc: !!binary aGk=\nd: !local x\n",
    ];
    let mut dice = generate::Dice::new(seed);
    let texts: BTreeSet<String> = std::iter::repeat_with(|| generate::text(&mut dice, &seeds))
        .take(count as usize * 2)
        .collect();
    // Sorted, they would all look alike at the start.
    let mut texts: Vec<String> = texts.into_iter().collect();
    for i in (1..texts.len()).rev() {
        texts.swap(i, dice.below(i + 1));
    }
    texts.truncate(count as usize);
    let cases = ask(&judge, texts);
    if let Ok(path) = std::env::var("EDS_YAML_RECORD") {
        record(&path, &cases);
    }
    check(&cases);
}

/// Keeps some cases for each message of kubectl and of ours, the shortest ones, and some of those
/// that are accepted.
fn record(path: &str, cases: &[Case]) {
    let mut groups: BTreeMap<String, Vec<&Case>> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.text.len() < 400) {
        let theirs = match case.answers.first() {
            Some(Answer::Error(message)) => {
                message.split(['`', '\'', ':']).nth(2).unwrap_or(message).trim().to_owned()
            }
            Some(Answer::Documents(documents)) => {
                format!("{} documents, {:?}", documents.len(), case.text.chars().next())
            }
            None => continue,
        };
        let ours =
            yaml::parse(&case.text).problems.first().map(|p| (p.kind as u8, p.message.len()));
        groups.entry(format!("{theirs} {ours:?} {}", case.answers.len())).or_default().push(case);
    }
    let mut kept: BTreeMap<&str, &Case> = BTreeMap::new();
    for group in groups.values_mut() {
        group.sort_by_key(|case| case.text.len());
        for case in group.iter().take(1) {
            kept.insert(&case.text, case);
        }
    }
    let lines: String =
        kept.values().map(|case| serde_json::to_string(case).unwrap() + "\n").collect();
    std::fs::write(path, lines).unwrap();
    println!("recorded {} cases in {path}", kept.len());
}
