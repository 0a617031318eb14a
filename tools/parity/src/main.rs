//! `eds-parity`: checks that our function answers as the Go function-patch-and-transform does.
//!
//! Starts both on free loopback ports, sends them the same seeded requests and compares the
//! answers. Progress goes to standard error, the score to standard output. Exit codes: 0 equal, 1
//! different, 2 the comparison could not be made, for example because the oracle is missing.

mod client;
mod compare;
mod generate;
mod record;
mod run;
mod shrink;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use serde_json::Value;

use eds_parity::tools;

use crate::client::Client;
use crate::compare::{Part, explain};
use crate::run::{Pair, Score, run};

/// Differential test of eds-function against function-patch-and-transform.
#[derive(Debug, Parser)]
#[command(name = "eds-parity", version)]
struct Flags {
    /// Seed of the requests.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many requests. A few of them get no answer from the Go function and are not compared.
    #[arg(long, default_value_t = 20_100)]
    count: u64,
    /// Only this request, or only requests whose JSON contains this text.
    #[arg(long, value_name = "NUMBER|TEXT")]
    only: Option<String>,
    /// Make the first failing request of every kind of difference as small as it gets.
    #[arg(long)]
    shrink: bool,
    /// Ask the oracle only, and write diverse requests and its answers here as JSON lines.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Record the requests in the JSON files of this directory too.
    #[arg(long, value_name = "DIR", requires = "record")]
    cases: Option<PathBuf>,
    /// Print the score as JSON.
    #[arg(long)]
    json: bool,
    /// How many kinds of differences to print.
    #[arg(long, default_value_t = 40)]
    limit: usize,
    /// The Go function; by default from EDS_TOOLS_DIR or PATH.
    #[arg(long, value_name = "FILE")]
    oracle: Option<PathBuf>,
    /// Our function; by default beside this program.
    #[arg(long, value_name = "FILE")]
    ours: Option<PathBuf>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(work(flags)));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("eds-parity: error: {message}");
            ExitCode::from(2)
        }
    }
}

async fn work(flags: Flags) -> Result<bool, String> {
    let oracle = flags
        .oracle
        .clone()
        .map_or_else(|| tools::find_oracle("function-patch-and-transform"), Ok)?;
    eprintln!("oracle: {}", oracle.display());
    let oracle = Client::start(&oracle).await?;
    if let Some(path) = &flags.record {
        record::record(&oracle, flags.seed, flags.count, flags.cases.as_deref(), path).await?;
        return Ok(true);
    }
    let ours = flags.ours.clone().map_or_else(|| tools::find_ours("eds-function"), Ok)?;
    eprintln!("ours: {}", ours.display());
    let ours = Client::start(&ours).await?;
    compare(&flags, Arc::new(Pair { ours, oracle })).await
}

async fn compare(flags: &Flags, pair: Arc<Pair>) -> Result<bool, String> {
    let number: Option<u64> = flags.only.as_ref().and_then(|only| only.parse().ok());
    let word = flags.only.as_deref().filter(|_| number.is_none());
    let numbers = number.map_or(0..flags.count, |number| number..number + 1);
    let mut score = Score::default();
    let mut failing: Vec<(Part, Value)> = Vec::new();
    let begin = Instant::now();
    run(Arc::clone(&pair), flags.seed, numbers, word, |outcome| {
        score.add(&outcome);
        if score.requests % 1000 == 0 {
            let rate = score.requests as u128 * 1000 / begin.elapsed().as_millis().max(1);
            eprintln!("{} of {} requests, {rate} a second", score.requests, flags.count);
        }
        let (theirs, different) = outcome.closest();
        if number.is_some() {
            print_case(&outcome.case, &outcome.ours, theirs);
        }
        if let Some(part) = different.first()
            && flags.shrink
            && failing.iter().filter(|(known, _)| known == part).count() < 5
        {
            failing.push((*part, outcome.case.clone()));
        }
    })
    .await?;
    if flags.json {
        println!("{:#}", score.to_json(flags.seed));
    } else {
        println!("{}", score.to_text(flags.seed, flags.limit));
    }
    for (part, case) in failing {
        let case = shrink::shrink(&pair, case, part).await;
        println!("\nsmallest request with different {}:", part.name());
        print_case(&case, &pair.ours.ask(&case).await?, &pair.oracle.ask(&case).await?);
    }
    Ok(score.passed())
}

fn print_case(case: &Value, ours: &Value, theirs: &Value) {
    println!("request: {case:#}");
    println!("theirs:  {theirs:#}");
    for line in explain(ours, theirs) {
        println!("{line}");
    }
}
