//! One delivery of one message, and the four things that can be said to the server about it.

use std::time::Duration;

use async_nats::client::Request;
use async_nats::header::{HeaderMap, NATS_MESSAGE_ID};
use async_nats::jetstream::{self, AckKind};
use async_nats::{Client, Message, Subject};
use bytes::Bytes;
use tokio::time::{Instant, sleep};

/// How long one question for a confirmation waits.
const CONFIRM: Duration = Duration::from_secs(2);

/// A message as it was delivered.
pub(crate) struct Delivery {
    client: Client,
    reply: Subject,
    pub(crate) subject: Subject,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
    pub(crate) stream: String,
    pub(crate) sequence: u64,
    /// Which delivery this is, from 1.
    pub(crate) count: i64,
    /// When it was stored in the stream, in nanoseconds since 1970.
    pub(crate) published: i128,
    /// The same for every delivery of a message, and for no other message of the stream.
    pub(crate) id: String,
}

impl Delivery {
    /// # Errors
    /// It is not a JetStream message.
    pub(crate) fn new(client: &Client, message: Message) -> Result<Self, String> {
        let message = jetstream::Message { message, context: jetstream::new(client.clone()) };
        let info = message.info().map_err(|error| format!("no JetStream message: {error}"))?;
        let (stream, sequence) = (info.stream.to_owned(), info.stream_sequence);
        let (count, published) = (info.delivered, info.published.unix_timestamp_nanos());
        let Message { subject, reply, payload, headers, .. } = message.message;
        let headers = headers.unwrap_or_default();
        let named = headers.get(NATS_MESSAGE_ID).map(|id| id.as_str().to_owned());
        // A stream that is deleted and made again counts from 1 again; the time tells them apart.
        let id = named
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| format!("{stream}/{sequence}@{published}"));
        let reply = reply.ok_or("no JetStream message: it cannot be answered")?;
        let client = client.clone();
        Ok(Self {
            client,
            reply,
            subject,
            headers,
            payload,
            stream,
            sequence,
            count,
            published,
            id,
        })
    }

    /// Say `kind` until the server confirms it, or until `patience` is over. Returns whether it did.
    pub(crate) async fn tell(&self, kind: AckKind, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            let request = Request::new().payload(kind.into()).timeout(Some(CONFIRM.min(patience)));
            match self.client.send_request(self.reply.clone(), request).await {
                Ok(_) => return true,
                Err(error) if Instant::now() >= until => {
                    tracing::warn!(
                        id = self.id, sequence = self.sequence, ?kind, %error,
                        "NATS did not confirm; the message will be delivered again"
                    );
                    return false;
                }
                Err(error) => tracing::debug!(id = self.id, ?kind, %error, "saying it again"),
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Say every `interval` that the work goes on, so that nobody else gets the message. Never ends.
    pub(crate) async fn keep(&self, interval: Duration) {
        loop {
            sleep(interval).await;
            // Unconfirmed: the next one comes soon.
            let _ = self.client.publish(self.reply.clone(), AckKind::Progress.into()).await;
        }
    }
}
