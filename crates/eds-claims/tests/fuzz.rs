//! Fuzzes what strangers send: claims through YAML, validation and every output format; and XRDs
//! through YAML, compiling and publishing. It mutates a committed corpus: the examples, the
//! fixtures, the XRD, and `fuzz/`, which keeps past findings.
//!
//! proptest draws the mutations, so this runs on stable Rust, the same seed gives the same inputs,
//! and a finding is minimised and printed. It is blind: no coverage guides it. What does is the
//! corpus, which has a file for every rule, and splices of words that mean something here.
//!
//! ```text
//! cargo test -p eds-claims --test fuzz                        500 claims and 200 XRDs, seed 1
//! FUZZ_CASES=100000 FUZZ_SEED=7 make fuzz                   more
//! ```

#![cfg(test)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a test reads files and the environment, and prints"
)]

use std::path::Path;

use eds_claims::{self as claims, Options, rules};
use kube_schema::diagnostics::{self, FileFindings, Severity};
use kube_schema::schema::{ClaimApi, publish};
use kube_schema::yaml::{self, MAX_NODES, Node};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// Reads the files below `platform/04-apis` and in `fuzz/` that are text.
fn corpus(folders: &[&str]) -> Vec<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        let folder = match *folder {
            "fuzz" => here.join("tests/fuzz"),
            other => here.join("../../platform/04-apis").join(other),
        };
        let entries = std::fs::read_dir(&folder).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let texts: Vec<String> = files
        .iter()
        .filter(|file| file.is_file())
        .map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned())
        .collect();
    assert!(!texts.is_empty());
    texts
}

/// What a mutation does; positions are fractions of the text, so that they survive minimising.
#[derive(Debug, Clone)]
enum Mutation {
    Cut(f64, usize),
    Insert(f64, String),
    Replace(f64, char),
    Repeat(f64, usize, usize),
    SwapLines(f64, f64),
    /// The end of another text in the corpus.
    Splice(f64, usize, f64),
}

const WORDS: [&str; 44] = [
    "spec:",
    "size:",
    "nats:",
    "- ",
    "? ",
    ": ",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "!!binary ",
    "!!",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "\\u0000",
    "\\x",
    "{",
    "}",
    "[",
    "]",
    ",",
    "# ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\t",
    "\r\n",
    "\u{feff}",
    "\u{0}",
    "\u{2028}",
    "é",
    "日本",
    "null",
    "~",
    "yes",
    "0777",
    ".inf",
    "1e400",
    "-0",
    "9223372036854775808",
    "2001-01-01",
    "=",
];

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = 0.0..1.0_f64;
    prop_oneof![
        (at.clone(), 1..60_usize).prop_map(|(at, n)| Mutation::Cut(at, n)),
        (at.clone(), proptest::sample::select(&WORDS[..]))
            .prop_map(|(at, word)| Mutation::Insert(at, word.to_owned())),
        (at.clone(), "\\PC{0,6}").prop_map(|(at, text)| Mutation::Insert(at, text)),
        (at.clone(), any::<char>()).prop_map(|(at, c)| Mutation::Replace(at, c)),
        (at.clone(), 1..40_usize, 1..300_usize)
            .prop_map(|(at, n, times)| Mutation::Repeat(at, n, times)),
        (at.clone(), at.clone()).prop_map(|(a, b)| Mutation::SwapLines(a, b)),
        (at.clone(), any::<usize>(), at)
            .prop_map(|(at, other, from)| Mutation::Splice(at, other, from)),
    ]
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a short text"
)]
fn place(share: f64, length: usize) -> usize {
    ((share * length as f64) as usize).min(length.saturating_sub(1))
}

fn mutate(text: &str, mutations: &[Mutation], corpus: &[String]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for mutation in mutations {
        let length = text.len();
        match mutation {
            Mutation::Cut(at, n) => {
                let at = place(*at, length);
                text.drain(at..(at + n).min(length));
            }
            Mutation::Insert(at, word) => {
                let at = place(*at, length);
                text.splice(at..at, word.chars());
            }
            Mutation::Replace(at, c) => {
                if let Some(old) = text.get_mut(place(*at, length)) {
                    *old = *c;
                }
            }
            Mutation::Repeat(at, n, times) => {
                let at = place(*at, length);
                let part = text[at..(at + n).min(length)].repeat(*times);
                text.splice(at..at, part);
            }
            Mutation::SwapLines(a, b) => {
                let whole: String = text.iter().collect();
                let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
                let (a, b) = (place(*a, lines.len()), place(*b, lines.len()));
                if !lines.is_empty() {
                    lines.swap(a, b);
                }
                text = lines.concat().chars().collect();
            }
            Mutation::Splice(at, other, from) => {
                let other: Vec<char> = corpus[other % corpus.len()].chars().collect();
                let from = place(*from, other.len());
                text.truncate(place(*at, length));
                text.extend(other.get(from..).unwrap_or_default());
            }
        }
    }
    text.into_iter().collect()
}

/// An input from the corpus, mutated; printed whole when it fails.
fn input(corpus: &'static [String]) -> impl Strategy<Value = String> {
    (0..corpus.len(), proptest::collection::vec(mutation(), 0..6))
        .prop_map(move |(i, mutations)| mutate(&corpus[i], &mutations, corpus))
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn fuzz(folders: &[&str], cases: u64, test: impl Fn(&str) -> Result<(), TestCaseError>) {
    let corpus: &'static [String] = Box::leak(corpus(folders).into_boxed_slice());
    for text in corpus {
        test(text).unwrap();
    }
    let seed = number("FUZZ_SEED", 1);
    let config = Config {
        cases: u32::try_from(number("FUZZ_CASES", cases)).unwrap(),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    println!("{} texts, {} inputs, seed {seed}", corpus.len(), config.cases);
    if let Err(found) = TestRunner::new(config).run(&input(corpus), |text| test(&text)) {
        panic!("keep this input in crates/eds-claims/tests/fuzz once it is mended:\n{found}");
    }
}

fn api() -> ClaimApi {
    let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platform/04-apis/definitions");
    let read = |name: &str| yaml::parse(&std::fs::read_to_string(api.join(name)).unwrap());
    let xrd = read("xeventdrivenservices.yaml").documents[0].to_json();
    let policies = read("claim-names.yaml").documents;
    let api = ClaimApi::from_xrd(&xrd).unwrap();
    policies.iter().fold(api, |api, policy| api.with_policy(&policy.to_json()))
}

/// Checks what must hold for every text, however broken.
fn check_claims(text: &str, api: &ClaimApi) -> Result<(), TestCaseError> {
    let options = Options { strict: true, ..Options::default() };
    let outcome = claims::check(text, api, options);
    let again = claims::check(text, api, options);
    let file = FileFindings::new("f.yaml".to_owned(), text.to_owned(), outcome.findings);
    let second = FileFindings::new("f.yaml".to_owned(), text.to_owned(), again.findings);
    prop_assert_eq!(diagnostics::text(&file, false), diagnostics::text(&second, false));

    // YAML also ends lines at a lone carriage return.
    let lines = text.split(['\n', '\r']).count();
    for finding in &file.findings {
        let (start, end) = (finding.span.start, finding.span.end);
        prop_assert!(
            start.line <= lines + 1,
            "{} at line {} of {lines}",
            finding.rule.code,
            start.line
        );
        prop_assert!(
            start <= end,
            "{} ends before it begins: {start:?} {end:?}",
            finding.rule.code
        );
        prop_assert!(!finding.message.is_empty() && finding.message.len() < 4_096);
    }
    let mut summary = diagnostics::Summary { files: 1, ..Default::default() };
    summary.count(&file.findings);
    // A finding takes a bounded number of bytes in every format, whatever the file contains.
    let most = 16_384 * (1 + file.findings.len());
    let plain = diagnostics::text(&file, false);
    prop_assert!(plain.len() < most, "text of {} bytes", plain.len());
    // Escapes would write to the reader's terminal.
    prop_assert!(!plain.contains('\u{1b}'), "an escape in the text: {plain:?}");
    let github = diagnostics::github(&file);
    prop_assert!(github.len() < most, "annotations of {} bytes", github.len());
    prop_assert!(github.lines().all(|line| line.starts_with("::")), "{}", github);
    let files = std::slice::from_ref(&file);
    let json = diagnostics::json(files, &summary).to_string();
    prop_assert!(json.len() < most, "JSON of {} bytes", json.len());
    let sarif = diagnostics::sarif(files, &rules::all(), "0").to_string();
    prop_assert!(sarif.len() < most + 65_536, "SARIF of {} bytes", sarif.len());

    // The same object written as JSON gets the same verdict.
    let stream = yaml::parse(text);
    prop_assert!(stream.documents.iter().map(nodes).sum::<usize>() <= MAX_NODES);
    if let ([document], []) = (stream.documents.as_slice(), stream.problems.as_slice()) {
        let as_json = claims::check(&document.to_json().to_string(), api, options);
        let bad = as_json.findings.iter().any(|f| f.severity == Severity::Error);
        let expected = file.findings.iter().any(|f| f.severity == Severity::Error);
        prop_assert_eq!(bad, expected, "as JSON: {:?}", as_json.findings);
    }
    Ok(())
}

fn nodes(node: &Node) -> usize {
    let mut open = vec![node];
    let mut count = 0;
    while let Some(node) = open.pop() {
        count += 1;
        match &node.content {
            yaml::Content::Scalar(_) => {}
            yaml::Content::Sequence(items) => open.extend(items),
            yaml::Content::Mapping(entries) => open.extend(entries.iter().map(|e| &e.value)),
        }
    }
    count
}

#[test]
fn claims_from_strangers() {
    let api = api();
    let fixtures = ["valid", "invalid", "warning", "strict"].map(|g| format!("tests/fixtures/{g}"));
    let mut folders: Vec<&str> = fixtures.iter().map(String::as_str).collect();
    folders.extend(["examples", "fuzz"]);
    fuzz(&folders, 500, |text| check_claims(text, &api));
}

#[test]
fn definitions_from_strangers() {
    fuzz(&["definitions"], 200, |text| {
        for document in &yaml::parse(text).documents {
            let Ok(api) = ClaimApi::from_xrd(&document.to_json()) else { continue };
            let schema = publish::json_schema(&api.definition);
            prop_assert_eq!(&schema, &publish::json_schema(&api.definition));
            prop_assert!(schema.get("$schema").is_some());
        }
        Ok(())
    });
}
