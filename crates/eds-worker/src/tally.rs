//! `agent-executor results`: what the database holds for this consumer and stream, to verify that
//! nothing was lost or stored twice.

use std::io::Write;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::config::Secret;
use crate::migrate::connect;
use crate::results::{cause, options};

/// A single statement, so that it describes a single moment.
const TALLY: &str = "SELECT count(*), count(DISTINCT message_id), count(DISTINCT stream_sequence), \
    coalesce(min(stream_sequence), 0), coalesce(max(stream_sequence), 0), \
    coalesce(max(deliveries), 0) FROM agent_executions WHERE consumer = $1 AND stream = $2";

/// Prints one JSON line: rows, distinct message ids and sequence numbers, the lowest and highest of
/// the latter, and the latest delivery that produced a row. Waits at most `limit` for the database.
///
/// # Errors
/// One sentence that says why, with the fix if there is one.
pub(crate) async fn print(
    url: &Secret,
    stream: &str,
    consumer: &str,
    limit: Duration,
) -> Result<(), String> {
    let until = Instant::now() + limit;
    let mut connection = connect(&options(url)?, until, limit).await?;
    let asked = sqlx::query_as::<_, (i64, i64, i64, i64, i64, i64)>(TALLY)
        .bind(consumer)
        .bind(stream)
        .fetch_one(&mut connection);
    let (rows, messages, sequences, first, last, deliveries) = timeout(limit, asked)
        .await
        .map_err(|_| format!("the database did not answer within {} s", limit.as_secs()))?
        .map_err(|error| cause(&error))?;
    let line = json!({
        "event": "results", "consumer": consumer, "stream": stream,
        "rows": rows, "messages": messages, "sequences": sequences,
        "first_sequence": first, "last_sequence": last, "most_deliveries": deliveries,
    });
    writeln!(std::io::stdout().lock(), "{line}")
        .map_err(|error| format!("cannot write to standard output: {error}"))
}
