//! Messages that are given up: published where somebody will look, then taken from the consumer.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishErrorKind;
use tokio::time::timeout;

use crate::config::Config;
use crate::consumer::{Consumer, matches};
use crate::delivery::Delivery;

/// One attempt to publish takes no longer.
const PUBLISH: Duration = Duration::from_secs(5);

/// Publish `delivery` as a dead letter. Returns the stream that took it.
///
/// # Errors
/// No stream has it, and why.
pub(crate) async fn publish(
    jetstream: &Context,
    config: &Config,
    consumer: &Consumer,
    delivery: &Delivery,
    reason: &str,
) -> Result<String, String> {
    let subject = config.dead_letter_subject.as_str();
    if comes_back(jetstream, config, consumer).await {
        return Err(format!(
            "the dead-letter subject {subject} belongs to stream {}, which this consumer reads: \
             set WORKER_DEAD_LETTER_SUBJECT to another stream's",
            config.stream
        ));
    }
    let headers = headers(config, delivery, reason);
    let published = async {
        let ack = jetstream
            .publish_with_headers(subject.to_owned(), headers, delivery.payload.clone())
            .await?;
        ack.await
    };
    match timeout(PUBLISH, published).await {
        Ok(Ok(ack)) => Ok(ack.stream),
        Ok(Err(error)) if error.kind() == PublishErrorKind::StreamNotFound => Err(format!(
            "no stream takes the dead-letter subject {subject}: create a stream for dead-letter.>"
        )),
        Ok(Err(error)) => Err(format!("cannot publish to {subject}: {error}")),
        Err(_) => {
            Err(format!("cannot publish to {subject}: no answer within {} s", PUBLISH.as_secs()))
        }
    }
}

/// Would the dead letter be delivered to this very consumer? Where NATS does not let us ask, no.
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

/// The original's headers, without those that tell the server what to do with it, and ours.
fn headers(config: &Config, delivery: &Delivery, reason: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in delivery.headers.iter() {
        if !name.to_string().starts_with("Nats-") {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    // A header's value is one line.
    let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // The same for every attempt to publish it, so that the stream keeps one.
    headers.insert(NATS_MESSAGE_ID, format!("dead-letter/{}/{}", config.consumer, delivery.key));
    headers.insert("Dead-Letter-Reason", reason);
    headers.insert("Dead-Letter-Message-Id", delivery.id.as_str());
    headers.insert("Dead-Letter-Subject", delivery.subject.as_str());
    headers.insert("Dead-Letter-Stream", delivery.stream.as_str());
    headers.insert("Dead-Letter-Consumer", config.consumer.as_str());
    headers.insert("Dead-Letter-Sequence", delivery.sequence.to_string());
    headers.insert("Dead-Letter-Deliveries", delivery.count.to_string());
    headers
}
