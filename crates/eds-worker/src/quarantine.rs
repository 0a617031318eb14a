//! Messages that broke the connection they were delivered on: found, dead-lettered, and removed
//! from the consumer, without ever being delivered to us.
//!
//! The library does not say why a connection ended, nor which message caused it. But the consumer
//! knows what it delivered and what is unanswered, the stream returns any message as JSON, where
//! headers are just bytes, and an answer only needs the message's sequence number.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::client::Request;
use async_nats::jetstream::AckKind;
use data_encoding::BASE64;
use futures_util::StreamExt;
use futures_util::stream::iter;
use serde::Deserialize;
use serde_json::json;

use crate::consumer::{Consumer, matches};
use crate::dead_letter::{self, Headers, Letter};
use crate::metrics::count;
use crate::task::Shared;
use crate::unreadable::unreadable;

/// How long the server may take to answer one request.
const ANSWER: Duration = Duration::from_secs(3);

/// How many messages are examined after one broken connection, and how many at once.
const LOOK: (usize, usize) = (1000, 16);

/// How many examined messages are remembered.
const REMEMBER: usize = 100_000;

/// Messages that were examined and found harmless.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<(i128, BTreeSet<u64>)>);

impl Seen {
    /// Returns the sequence numbers above `low` and up to `high` that have not been seen, the
    /// highest first. A recreated consumer may belong to a recreated stream, which counts from 1
    /// again.
    fn unseen(&self, created: i128, low: u64, high: u64) -> Vec<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != created || seen.1.len() > REMEMBER {
            *seen = (created, BTreeSet::new());
        }
        seen.1 = seen.1.split_off(&low.saturating_add(1));
        let all = (low.saturating_add(1)..=high).rev();
        all.filter(|sequence| !seen.1.contains(sequence)).take(LOOK.0).collect()
    }

    fn add(&self, sequence: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.insert(sequence);
    }
}

/// A message as stored in the stream.
#[derive(Debug, Deserialize)]
struct Stored {
    subject: String,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    time: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    message: Option<Stored>,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    code: u64,
    #[serde(default)]
    description: String,
}

/// Examines what the consumer delivered and nobody answered, and removes what cannot be read.
/// Returns how many messages that was.
///
/// # Errors
/// NATS does not let us look.
pub(crate) async fn sweep(shared: &Shared, consumer: &Consumer) -> Result<usize, String> {
    let info = shared.consumer_info().await?;
    let (low, high) = (info.ack_floor.stream_sequence, info.delivered.stream_sequence);
    let unseen = shared.seen.unseen(consumer.created, low, high);
    let looked: Vec<_> = iter(unseen)
        .map(|sequence| look(shared, consumer, sequence))
        .buffered(LOOK.1)
        .collect()
        .await;
    let mut found = 0;
    for looked in looked {
        if let Some((letter, reason)) = looked? {
            found += 1;
            bury(shared, consumer, &letter, &reason, info.delivered.consumer_sequence).await;
        }
    }
    Ok(found)
}

/// Returns the message as a letter and why it cannot be read; `None` if it can be read, is gone, or
/// is another consumer's.
async fn look(
    shared: &Shared,
    consumer: &Consumer,
    sequence: u64,
) -> Result<Option<(Letter, String)>, String> {
    let stream = &shared.config.stream;
    let subject = shared.config.api(&format!("STREAM.MSG.GET.{stream}"));
    let request = Request::new().payload(json!({"seq": sequence}).to_string().into());
    let answer = shared.client.send_request(subject.clone(), request.timeout(Some(ANSWER))).await;
    let answer = answer.map_err(|error| {
        format!(
            "cannot look at messages: {error}: does this user have the permission to publish to \
                {subject}?"
        )
    })?;
    let answer: Answer = serde_json::from_slice(&answer.payload)
        .map_err(|error| format!("cannot look at messages: {error}"))?;
    let stored = match answer {
        Answer { message: Some(stored), .. } => stored,
        Answer { error: Some(error), .. } if error.code != 404 => {
            return Err(format!("cannot look at messages: {}", error.description));
        }
        Answer { .. } => {
            shared.seen.add(sequence);
            return Ok(None);
        }
    };
    let bytes = |text: &str| {
        BASE64.decode(text.as_bytes()).map_err(|error| format!("cannot look at messages: {error}"))
    };
    let headers = bytes(&stored.hdrs)?;
    let ours = consumer.filters.is_empty()
        || consumer.filters.iter().any(|filter| matches(filter, &stored.subject));
    let Some(reason) = unreadable(&stored.subject, &headers).filter(|_| ours) else {
        shared.seen.add(sequence);
        return Ok(None);
    };
    let key = format!("{stream}/{sequence}@{}", stored.time);
    let letter = Letter {
        id: key.clone(),
        key,
        subject: stored.subject,
        stream: stream.clone(),
        sequence,
        deliveries: None,
        headers: Headers::Raw(headers.into()),
        payload: bytes(&stored.data)?.into(),
    };
    Ok(Some((letter, reason)))
}

/// Publishes the letter, then ends it in the consumer; if it cannot be published, pauses.
async fn bury(shared: &Shared, consumer: &Consumer, letter: &Letter, reason: &str, delivered: u64) {
    let sequence = letter.sequence;
    let kind = match dead_letter::publish(shared, consumer, letter, reason).await {
        Ok(stream) => {
            count(&shared.state.metrics.dead_lettered);
            tracing::error!(sequence, reason, stream, "dead-lettered");
            AckKind::Term
        }
        Err(cause) => {
            tracing::error!(sequence, reason, cause, "kept in the consumer");
            AckKind::Nak(Some(shared.config.dead_letter_retry))
        }
    };
    // The server checks the stream's sequence number, and that the consumer's is one of those that
    // it assigned (`processAck` in nats-server's consumer.go).
    let (stream, name) = (&shared.config.stream, &shared.config.consumer);
    let reply = format!("$JS.ACK.{stream}.{name}.1.{sequence}.{delivered}.0.0");
    let request = Request::new().payload(kind.into()).timeout(Some(ANSWER));
    if let Err(error) = shared.client.send_request(reply, request).await {
        tracing::warn!(sequence, %error, "NATS did not confirm; the message will be delivered \
            again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_looked_at_once_the_newest_first() {
        let seen = Seen::default();
        assert_eq!(seen.unseen(1, 3, 6), [6, 5, 4]);
        seen.add(5);
        assert_eq!(seen.unseen(1, 3, 7), [7, 6, 4]);
        assert_eq!(seen.unseen(1, 0, 2000).len(), LOOK.0);
        assert_eq!(seen.unseen(2, 3, 6), [6, 5, 4], "another consumer");
        assert_eq!(seen.unseen(2, 6, 6), [0_u64; 0]);
    }
}
