//! Messages that are given up: published where somebody will look, then removed from the consumer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, Context, ErrorCode};
use bytes::Bytes;
use data_encoding::BASE64;
use tokio::time::{Instant, timeout};

use crate::config::Config;
use crate::consumer::{Consumer, matches};
use crate::delivery::Delivery;
use crate::task::Shared;

/// How long one attempt to publish may take.
const PUBLISH: Duration = Duration::from_secs(5);

/// How often to try while nothing accepts dead letters: each attempt may take as long as `PUBLISH`,
/// and messages that are not dead wait for it.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Header blocks up to this size fit in one header of ours, as base64, below NATS's limit of 64
/// KiB.
const ONE_HEADER: usize = 32 * 1024;

/// Room for the headers that we add.
const OURS: usize = 16 * 1024;

/// A stream that does not accept a piece this small accepts no message.
const SMALLEST: usize = 1024;

/// The maximum length of a reason.
const REASON: usize = 1024;

/// The headers of a message that is given up.
pub(crate) enum Headers {
    Read(HeaderMap),
    /// The raw bytes, which could not be read.
    Raw(Bytes),
}

/// A message that is given up.
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) subject: String,
    pub(crate) stream: String,
    pub(crate) sequence: u64,
    /// `None` if nobody counted.
    pub(crate) deliveries: Option<i64>,
    pub(crate) headers: Headers,
    pub(crate) payload: Bytes,
}

impl From<&Delivery> for Letter {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.clone(),
            key: delivery.key.clone(),
            subject: delivery.subject.to_string(),
            stream: delivery.stream.clone(),
            sequence: delivery.sequence,
            deliveries: Some(delivery.count),
            headers: Headers::Read(delivery.headers.clone()),
            payload: delivery.payload.clone(),
        }
    }
}

/// Why nothing accepts dead letters, and since when we have known.
#[derive(Debug, Default)]
pub(crate) struct Closed(Mutex<Option<(Instant, String)>>);

impl Closed {
    fn known(&self, retry: Duration) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, cause) = known.as_ref()?;
        (since.elapsed() < ASK_AGAIN.min(retry)).then(|| cause.clone())
    }

    fn note(&self, cause: Option<&str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            cause.map(|cause| (Instant::now(), cause.to_owned()));
    }
}

/// Why a part was not published.
enum Unpublished {
    /// This part is too large; smaller ones may work.
    TooLarge(String),
    /// No letter could be published.
    Closed(String),
}

/// Publishes `letter`, in parts if it is too large for one message. Returns the stream that took
/// it.
///
/// # Errors
/// No stream has it, and why.
pub(crate) async fn publish(
    shared: &Shared,
    consumer: &Consumer,
    letter: &Letter,
    reason: &str,
) -> Result<String, String> {
    if let Some(cause) = shared.closed.known(shared.config.dead_letter_retry) {
        return Err(cause);
    }
    let result = try_publish(shared, consumer, letter, reason).await;
    let (closed, result) = match result {
        Ok(stream) => (None, Ok(stream)),
        Err(Unpublished::TooLarge(cause)) => (None, Err(cause)),
        Err(Unpublished::Closed(cause)) => (Some(cause.clone()), Err(cause)),
    };
    shared.closed.note(closed.as_deref());
    result
}

async fn try_publish(
    shared: &Shared,
    consumer: &Consumer,
    letter: &Letter,
    reason: &str,
) -> Result<String, Unpublished> {
    let Shared { config, jetstream, client, .. } = shared;
    if comes_back(jetstream, config, consumer).await {
        return Err(Unpublished::Closed(format!(
            "the dead-letter subject {} belongs to stream {}, which this consumer reads: \
             set WORKER_DEAD_LETTER_SUBJECT to another stream's",
            config.dead_letter_subject, config.stream
        )));
    }
    let ours = ours(config, letter, reason);
    if let Some(headers) = whole(&letter.headers, &ours) {
        match send(jetstream, config, headers, letter.payload.clone()).await {
            Err(Unpublished::TooLarge(cause)) => {
                tracing::info!(sequence = letter.sequence, cause, "dead-lettered in parts");
            }
            other => return other,
        }
    }
    let mut size = client.max_payload().saturating_sub(OURS).max(SMALLEST);
    loop {
        match in_parts(jetstream, config, letter, &ours, size).await {
            Err(Unpublished::TooLarge(_)) if size > SMALLEST => size = (size / 2).max(SMALLEST),
            other => return other,
        }
    }
}

/// Publishes the header block first, then the payload, in pieces of at most `size`. A part that was
/// already stored is not stored again: its message id is the same.
async fn in_parts(
    jetstream: &Context,
    config: &Config,
    letter: &Letter,
    ours: &HeaderMap,
    size: usize,
) -> Result<String, Unpublished> {
    let block = match &letter.headers {
        Headers::Raw(bytes) => bytes.clone(),
        Headers::Read(headers) => block(headers).into(),
    };
    let pieces = |bytes: &Bytes, name: &str| {
        let count = bytes.len().div_ceil(size);
        (0..count)
            .map(|number| {
                let end = bytes.len().min((number + 1) * size);
                (format!("{name} {} of {count}", number + 1), bytes.slice(number * size..end))
            })
            .collect::<Vec<_>>()
    };
    let mut parts = pieces(&block, "headers");
    parts.extend(pieces(&letter.payload, "payload"));
    if parts.is_empty() {
        parts.push(("payload 0 of 0".to_owned(), Bytes::new()));
    }
    let mut stream = String::new();
    for (name, bytes) in parts {
        let mut headers = ours.clone();
        let id = ours.get(NATS_MESSAGE_ID).map_or("", |id| id.as_str());
        headers.insert(NATS_MESSAGE_ID, format!("{id}/{size}/{name}"));
        headers.insert("Dead-Letter-Part", name);
        stream = send(jetstream, config, headers, bytes).await?;
    }
    Ok(stream)
}

async fn send(
    jetstream: &Context,
    config: &Config,
    headers: HeaderMap,
    payload: Bytes,
) -> Result<String, Unpublished> {
    let subject = config.dead_letter_subject.as_str();
    let published = async {
        let sent = jetstream.publish_with_headers(subject.to_owned(), headers, payload).await?;
        sent.await
    };
    let error = match timeout(PUBLISH, published).await {
        Ok(Ok(ack)) => return Ok(ack.stream),
        Ok(Err(error)) => error,
        Err(_) => {
            let seconds = PUBLISH.as_secs();
            return Err(Unpublished::Closed(format!(
                "cannot publish to {subject}: no answer within {seconds} s"
            )));
        }
    };
    Err(match error.kind() {
        PublishErrorKind::StreamNotFound => Unpublished::Closed(format!(
            "no stream takes the dead-letter subject {subject}: create a stream for dead-letter.>"
        )),
        PublishErrorKind::TimedOut => Unpublished::Closed(format!(
            "cannot publish to {subject}: {error}: does this user have the permission?"
        )),
        _ if too_large(&error) => {
            Unpublished::TooLarge(format!("cannot publish to {subject}: {error}"))
        }
        _ => Unpublished::Closed(format!("cannot publish to {subject}: {error}")),
    })
}

fn too_large(error: &PublishError) -> bool {
    let refused = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<jetstream::Error>())
        .map(jetstream::Error::error_code);
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || matches!(
            refused,
            Some(
                ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
                    | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM
            )
        )
}

/// Reports whether the dead letter would be delivered to this very consumer. If NATS does not let
/// us ask, assumes not.
async fn comes_back(jetstream: &Context, config: &Config, consumer: &Consumer) -> bool {
    let subject = config.dead_letter_subject.as_str();
    if !consumer.filters.is_empty()
        && !consumer.filters.iter().any(|filter| matches(filter, subject))
    {
        return false;
    }
    let asked = timeout(PUBLISH, jetstream.stream_by_subject(subject)).await;
    matches!(asked, Ok(Ok(stream)) if stream == config.stream)
}

/// Returns the original's headers, without those that tell the server what to do with it, together
/// with ours; `None` if they do not fit in one message.
fn whole(original: &Headers, ours: &HeaderMap) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    match original {
        Headers::Read(original) => {
            for (name, values) in original.iter() {
                if !name.to_string().starts_with("Nats-") {
                    for value in values {
                        headers.append(name.clone(), value.clone());
                    }
                }
            }
        }
        Headers::Raw(bytes) if bytes.len() <= ONE_HEADER => {
            headers.insert("Dead-Letter-Headers", BASE64.encode(bytes));
        }
        Headers::Raw(_) => return None,
    }
    for (name, values) in ours.iter() {
        for value in values {
            headers.insert(name.clone(), value.clone());
        }
    }
    Some(headers)
}

/// Returns what we say about the message. Each header is one line of bounded length.
fn ours(config: &Config, letter: &Letter, reason: &str) -> HeaderMap {
    let line = |text: &str| -> String {
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    let mut headers = HeaderMap::new();
    // The same for every attempt to publish it, so that the stream keeps one.
    headers.insert(NATS_MESSAGE_ID, format!("dead-letter/{}/{}", config.consumer, letter.key));
    headers.insert("Dead-Letter-Reason", line(&reason.chars().take(REASON).collect::<String>()));
    headers.insert("Dead-Letter-Message-Id", line(&letter.id));
    headers.insert("Dead-Letter-Subject", line(&letter.subject));
    headers.insert("Dead-Letter-Stream", letter.stream.as_str());
    headers.insert("Dead-Letter-Consumer", config.consumer.as_str());
    headers.insert("Dead-Letter-Sequence", letter.sequence.to_string());
    if let Some(deliveries) = letter.deliveries {
        headers.insert("Dead-Letter-Deliveries", deliveries.to_string());
    }
    headers
}

/// Encodes headers as NATS does.
fn block(headers: &HeaderMap) -> Vec<u8> {
    if headers.is_empty() {
        return Vec::new();
    }
    let lines = headers.iter().flat_map(|(name, values)| {
        values.iter().map(move |value| format!("{name}: {}\r\n", value.as_str()))
    });
    format!("NATS/1.0\r\n{}\r\n", lines.collect::<String>()).into_bytes()
}
