//! One delivery of a message, and the four things that can be said to the server about it.

use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::header::{HeaderMap, NATS_MESSAGE_ID};
use async_nats::jetstream::{self, AckKind};
use async_nats::{Client, Message, Subject};
use bytes::Bytes;
use tokio::time::{Instant, sleep};

use crate::task::Shared;

/// How long one request for a confirmation waits.
const CONFIRM: Duration = Duration::from_secs(2);

/// The most bytes in a message id. It goes into rows, logs and headers.
const LONGEST_ID: usize = 1024;

/// A message as it was delivered.
pub(crate) struct Delivery {
    client: Client,
    reply: Subject,
    pub(crate) subject: Subject,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
    pub(crate) stream: String,
    pub(crate) sequence: u64,
    /// Which delivery this is, counting from 1.
    pub(crate) count: i64,
    /// When it was stored in the stream, in nanoseconds since 1970.
    pub(crate) published: i128,
    /// What people call it: the publisher's `Nats-Msg-Id`, or else `key`.
    pub(crate) id: String,
    /// Identical for every delivery of a message, and different for any other message: publishers
    /// may reuse an id, and a stream that is deleted and recreated counts from 1 again, but at
    /// another time.
    pub(crate) key: String,
    /// Why nobody can work on it, however often it is tried.
    pub(crate) unusable: Option<String>,
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
        let key = format!("{stream}/{sequence}@{published}");
        let named = headers.get(NATS_MESSAGE_ID).map_or("", |id| id.as_str());
        let unusable = wrong_id(named);
        let id =
            if named.is_empty() || unusable.is_some() { key.clone() } else { named.to_owned() };
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
            key,
            unusable,
        })
    }

    /// Says `kind` until the server confirms it, or until our patience runs out. Returns whether it
    /// was confirmed.
    ///
    /// A server that was killed may not know about its last deliveries when it is back: it never
    /// answers what is said about them (`processAckMsg` in nats-server's consumer.go), and will
    /// redeliver them. Insisting would only occupy the places that they need.
    pub(crate) async fn tell(&self, kind: AckKind, shared: &Shared) -> bool {
        let patience = shared.patience();
        let until = Instant::now() + patience;
        loop {
            let request = Request::new().payload(kind.into()).timeout(Some(CONFIRM.min(patience)));
            let Err(error) = self.client.send_request(self.reply.clone(), request).await else {
                return true;
            };
            let unanswered = error.kind() == RequestErrorKind::TimedOut;
            let forgotten = unanswered && self.forgotten(shared).await;
            if forgotten || Instant::now() >= until {
                let cause = match forgotten {
                    true => "it does not know of this delivery: it was restarted".to_owned(),
                    false => error.to_string(),
                };
                tracing::warn!(
                    id = self.id,
                    sequence = self.sequence,
                    ?kind,
                    cause,
                    "NATS did not confirm; the message will be delivered again"
                );
                return false;
            }
            tracing::debug!(id = self.id, ?kind, %error, "saying it again");
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Reports whether the server thinks that it never delivered this message.
    async fn forgotten(&self, shared: &Shared) -> bool {
        let info = shared.consumer_info().await;
        info.is_ok_and(|info| info.delivered.stream_sequence < self.sequence)
    }

    /// Reports every `interval` that the work continues, so that nobody else gets the message.
    /// Never ends.
    pub(crate) async fn keep(&self, interval: Duration) {
        loop {
            sleep(interval).await;
            // Not confirmed: the next one follows soon.
            let _ = self.client.publish(self.reply.clone(), AckKind::Progress.into()).await;
        }
    }
}

/// Returns why `id` cannot be used.
fn wrong_id(id: &str) -> Option<String> {
    if id.len() > LONGEST_ID {
        return Some(format!("its Nats-Msg-Id has {} bytes, more than {LONGEST_ID}", id.len()));
    }
    let control = id.chars().find(|c| c.is_control())?;
    Some(format!("its Nats-Msg-Id holds the control character {control:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let (longest, longer) = ("x".repeat(1024), "\u{e9}".repeat(513));
        for (id, expect) in [
            ("", None),
            ("order-17", None),
            ("commande n\u{b0} 7", None),
            (longest.as_str(), None),
            (longer.as_str(), Some("its Nats-Msg-Id has 1026 bytes, more than 1024")),
            ("a\0b", Some("its Nats-Msg-Id holds the control character '\\0'")),
            ("a\u{1b}[2J", Some("its Nats-Msg-Id holds the control character '\\u{1b}'")),
        ] {
            assert_eq!(wrong_id(id).as_deref(), expect, "{id:?}");
        }
    }
}
