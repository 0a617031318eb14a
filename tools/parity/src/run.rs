//! Sends every case to both functions and keeps score.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::compare::{Part, explain, messages, parts, shape};
use crate::generate;

/// How many requests are in progress at a time.
const CONCURRENCY: usize = 16;

/// How often to ask the oracle again if the answers differ. Go visits maps in random order, so it
/// may give several answers to one request; any of them is right.
const AGAIN: usize = 12;

/// Both functions.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) ours: Client,
    pub(crate) oracle: Client,
}

/// One case, after both have answered.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) number: u64,
    pub(crate) case: Value,
    pub(crate) ours: Value,
    /// The oracle's answers: the first, and any others it gave when asked again.
    pub(crate) theirs: Vec<Value>,
}

impl Outcome {
    /// Returns the oracle's answer that is closest to ours, and the parts that differ.
    pub(crate) fn closest(&self) -> (&Value, Vec<Part>) {
        let answers = self.theirs.iter().map(|theirs| (theirs, parts(&self.ours, theirs)));
        // Fewer and later parts are closer; the list is ordered from the worst part down.
        let closest =
            answers.min_by_key(|(_, parts)| parts.iter().map(|it| weight(*it)).sum::<u32>());
        closest.unwrap_or((&Value::Null, Part::ALL.to_vec()))
    }
}

fn weight(part: Part) -> u32 {
    if part == Part::Messages { 1 } else { 100 }
}

/// Asks both, and the oracle again if they differ.
async fn outcome(pair: &Pair, number: u64, case: Value) -> Result<Outcome, String> {
    let name = |who: &'static str| move |error| format!("case {number}, {who}: {error}");
    let ours = pair.ours.ask(&case).await.map_err(name("ours"))?;
    let mut theirs = vec![pair.oracle.ask(&case).await.map_err(name("theirs"))?];
    if theirs.first() != Some(&ours) {
        for _ in 0..AGAIN {
            let answer = pair.oracle.ask(&case).await.map_err(name("theirs"))?;
            let found = answer == ours;
            if !theirs.contains(&answer) {
                theirs.push(answer);
            }
            if found {
                break;
            }
        }
    }
    Ok(Outcome { number, case, ours, theirs })
}

/// Runs cases and passes every outcome to `each`, in no particular order.
pub(crate) async fn run(
    pair: Arc<Pair>,
    seed: u64,
    numbers: impl Iterator<Item = u64>,
    only: Option<&str>,
    mut each: impl FnMut(Outcome),
) -> Result<(), String> {
    let mut tasks = JoinSet::new();
    for number in numbers {
        let case = generate::case(seed, number);
        if only.is_some_and(|word| !case.to_string().contains(word)) {
            continue;
        }
        if tasks.len() >= CONCURRENCY
            && let Some(done) = tasks.join_next().await
        {
            each(done.map_err(|error| error.to_string())??);
        }
        let pair = Arc::clone(&pair);
        tasks.spawn(async move { outcome(&pair, number, case).await });
    }
    while let Some(done) = tasks.join_next().await {
        each(done.map_err(|error| error.to_string())??);
    }
    Ok(())
}

/// The score of a run.
#[derive(Debug, Default)]
pub(crate) struct Score {
    pub(crate) requests: usize,
    /// Requests that passed the reading and validation of the input.
    valid: usize,
    /// Requests that the oracle did not answer, and the first of them: it died of a panic, or it
    /// refused to send its own answer because a text in it was not UTF-8. There is nothing to
    /// compare.
    unanswered: usize,
    unanswered_first: Option<u64>,
    /// Requests for which the oracle gave more than one answer.
    undecided: usize,
    equal: BTreeMap<Part, usize>,
    results: BTreeMap<String, usize>,
    /// API words (patch types, transforms, policies) and how many requests used them.
    words: BTreeMap<String, usize>,
    /// Differences, by the parts that differ and the shape of the difference.
    reasons: BTreeMap<(Vec<Part>, String), Reason>,
}

#[derive(Debug)]
struct Reason {
    count: usize,
    number: u64,
    example: Vec<String>,
}

impl Score {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        let (theirs, different) = outcome.closest();
        let answered = |answer: &Value| answer.get("crash").or(answer.get("status")).is_none();
        if !answered(theirs) && answered(&outcome.ours) {
            self.unanswered += 1;
            self.unanswered_first.get_or_insert(outcome.number);
            return;
        }
        self.requests += 1;
        let refused = |message: &&str| {
            message.starts_with("invalid Function input")
                || message.starts_with("cannot get Function input")
        };
        self.valid += usize::from(!messages(theirs).iter().any(refused));
        self.undecided += usize::from(outcome.theirs.len() > 1);
        for part in Part::ALL {
            *self.equal.entry(part).or_default() += usize::from(!different.contains(&part));
        }
        let severities = theirs.get("results").and_then(Value::as_array).into_iter().flatten();
        let worst =
            severities.filter_map(|it| it.get("severity")?.as_str()).min().unwrap_or("none");
        *self.results.entry(worst.to_owned()).or_default() += 1;
        let mut words = BTreeSet::new();
        collect_words(outcome.case.get("input").unwrap_or(&Value::Null), &mut words);
        for word in words {
            *self.words.entry(word).or_default() += 1;
        }
        if !different.is_empty() {
            let (ours, upstream) = (messages(&outcome.ours), messages(theirs));
            let pair = ours.iter().zip(&upstream).find(|(a, b)| a != b);
            let why = match pair {
                Some((ours, theirs)) => format!("{} <> {}", shape(ours), shape(theirs)),
                None => ours.get(upstream.len()).or(upstream.get(ours.len())).map_or_else(
                    || {
                        explain(&outcome.ours, theirs)
                            .first()
                            .map(|it| shape(it))
                            .unwrap_or_default()
                    },
                    |lone| shape(lone),
                ),
            };
            let example = explain(&outcome.ours, theirs);
            let number = outcome.number;
            let reason = self.reasons.entry((different, why)).or_insert(Reason {
                count: 0,
                number,
                example,
            });
            reason.count += 1;
        }
    }

    /// Reports whether state, context, severities and envelope are all equal, and 99% of the
    /// messages.
    pub(crate) fn passed(&self) -> bool {
        self.requests > 0
            && Part::ALL.into_iter().all(|part| {
                let equal = self.equal.get(&part).copied().unwrap_or_default();
                let needed =
                    if part == Part::Messages { self.requests * 99 } else { self.requests * 100 };
                equal * 100 >= needed
            })
    }

    pub(crate) fn to_json(&self, seed: u64) -> Value {
        let equal: BTreeMap<_, _> =
            self.equal.iter().map(|(part, count)| (part.name(), count)).collect();
        let reasons: Vec<Value> = self
            .sorted_reasons()
            .into_iter()
            .map(|((parts, why), reason)| {
                let parts: Vec<_> = parts.iter().map(|part| part.name()).collect();
                json!({ "parts": parts, "why": why, "count": reason.count, "case": reason.number,
                "example": reason.example })
            })
            .collect();
        json!({
            "seed": seed, "requests": self.requests, "valid": self.valid,
            "severalAnswers": self.undecided,
            "unansweredByOracle": self.unanswered, "unansweredFirstAt": self.unanswered_first,
            "equal": equal, "worstResult": self.results,
            "words": self.words, "differences": reasons, "passed": self.passed(),
        })
    }

    fn sorted_reasons(&self) -> Vec<(&(Vec<Part>, String), &Reason)> {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|((parts, _), reason)| {
            (parts.first().copied(), std::cmp::Reverse(reason.count))
        });
        reasons
    }

    pub(crate) fn to_text(&self, seed: u64, limit: usize) -> String {
        let share = |count: usize| {
            #[allow(clippy::cast_precision_loss, reason = "counts of requests")]
            let share = 100.0 * count as f64 / self.requests.max(1) as f64;
            format!("{share:.3}%")
        };
        let mut lines = vec![format!(
            "{} requests, seed {seed}; {} valid ({}), {} with several right answers",
            self.requests,
            self.valid,
            share(self.valid),
            self.undecided
        )];
        for (part, count) in &self.equal {
            lines.push(format!("{:>12} equal  {count:>7}  {}", part.name(), share(*count)));
        }
        for (worst, count) in &self.results {
            lines.push(format!("worst result {worst}: {count}"));
        }
        if let Some(number) = self.unanswered_first {
            lines.push(format!(
                "{} more requests got no answer from the Go function (case {number}), but one from \
                    ours",
                self.unanswered
            ));
        }
        let reasons = self.sorted_reasons();
        lines.push(format!("{} kinds of differences", reasons.len()));
        for ((parts, why), reason) in reasons.into_iter().take(limit) {
            let parts: Vec<_> = parts.iter().map(|part| part.name()).collect();
            lines.push(format!(
                "{:>6}x {} (case {}): {why}",
                reason.count,
                parts.join("+"),
                reason.number
            ));
            lines.extend(reason.example.iter().map(|line| format!("          {line}")));
        }
        lines.join("\n")
    }
}

/// Collects every value of a `type`-like field and every transform setting that an input uses.
pub(crate) fn collect_words(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, child) in object {
                let word = matches!(
                    key.as_str(),
                    "type"
                        | "toType"
                        | "format"
                        | "convert"
                        | "strategy"
                        | "fallbackTo"
                        | "toFieldPath"
                );
                if let (true, Some(text)) = (word, child.as_str())
                    && text.chars().all(|letter| letter.is_ascii_alphanumeric())
                {
                    out.insert(format!("{key}={text}"));
                }
                collect_words(child, out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_words(item, out)),
        _ => {}
    }
}
