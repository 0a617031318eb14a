//! Pull requests: never asks for more messages than there are free places.
//!
//! The requests only live on the server for a short time. That makes a clean stop possible: once
//! the last of them has ended, which the server reports, nothing more can arrive, and whatever did
//! arrive has been handed back. (Unsubscribing instead could drop a message in transit, which would
//! only come back after ack_wait.)
//!
//! Messages come over a separate connection that nothing else uses. A message whose headers the
//! client library cannot read ends its connection (`unreadable`); acknowledgements, dead letters
//! and requests to the server must not end with it. After that, and at the start, messages are
//! requested one at a time, so that only the unreadable one is lost with the connection until
//! `ack_wait`.

use std::time::Duration;

use async_nats::header::HeaderMap;
use async_nats::{Client, Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::consumer::Consumer;
use crate::delivery::Delivery;
use crate::nats;
use crate::task::Shared;

/// How long the server keeps a request that it cannot fill, and so how long an idle worker takes to
/// stop.
const EXPIRES: Duration = Duration::from_secs(1);

/// How much later than promised a request can end; after that it never will.
const LATE: Duration = Duration::from_secs(3);

/// What a pull request yields.
pub(crate) enum Pulled {
    Message(Box<Delivery>),
    /// Requests ended, or something else happened that requires nothing except asking again.
    Nothing,
    /// A request ended because no more messages are waiting.
    Empty,
    /// The connection is gone, perhaps because of a message that was being delivered.
    Lost,
    /// These requests are over: check whether the consumer still exists, and start over.
    Broken(String),
}

/// The requests of one connection for one consumer.
pub(crate) struct Pull {
    /// The connection for acknowledgements.
    answers: Client,
    client: Client,
    lost: watch::Receiver<bool>,
    subscriber: Subscriber,
    inbox: String,
    subject: String,
    expires: Duration,
    max_batch: usize,
    /// How many requested messages have neither come nor been refused.
    outstanding: usize,
    /// When the last request must have ended.
    ends: Instant,
}

impl Pull {
    /// # Errors
    /// The connection cannot be made.
    pub(crate) async fn open(shared: &Shared, consumer: &Consumer) -> Result<Self, String> {
        let config = &shared.config;
        let (client, lost) = nats::fetching(config, &shared.worker).await?;
        let inbox = client.new_inbox();
        let subscriber =
            client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
        Ok(Self {
            answers: shared.client.clone(),
            client,
            lost,
            subscriber,
            inbox,
            subject: config
                .api(&format!("CONSUMER.MSG.NEXT.{}.{}", config.stream, config.consumer)),
            expires: consumer.max_expires.unwrap_or(EXPIRES).min(EXPIRES),
            max_batch: consumer.max_batch.unwrap_or(usize::MAX),
            outstanding: 0,
            ends: Instant::now(),
        })
    }

    /// Reports whether anything that was requested has not come.
    pub(crate) fn asked(&self) -> bool {
        self.outstanding > 0
    }

    /// Requests as many messages as bring the total to `free`.
    ///
    /// # Errors
    /// The client is closed.
    pub(crate) async fn ask(&mut self, free: usize) -> Result<(), String> {
        let batch = free.saturating_sub(self.outstanding).min(self.max_batch);
        if batch == 0 {
            return Ok(());
        }
        let expires = u64::try_from(self.expires.as_nanos()).unwrap_or(u64::MAX);
        let request = json!({"batch": batch, "expires": expires}).to_string();
        self.client
            .publish_with_reply(self.subject.clone(), self.inbox.clone(), request.into())
            .await
            .map_err(|error| error.to_string())?;
        self.outstanding += batch;
        self.ends = Instant::now() + self.expires + LATE;
        Ok(())
    }

    /// Returns the next thing that comes. Cancelling it loses nothing.
    pub(crate) async fn next(&mut self) -> Pulled {
        let ends = if self.outstanding > 0 {
            self.ends
        } else {
            Instant::now() + Duration::from_secs(3600)
        };
        tokio::select! {
            biased;
            // What came before the connection ended is as good as any other.
            message = self.subscriber.next() => match message {
                Some(message) => self.came(message),
                None => Pulled::Lost,
            },
            () = ended(&mut self.lost) => Pulled::Lost,
            () = sleep_until(ends) => {
                self.outstanding = 0;
                Pulled::Broken("the server did not answer the last pull request".to_owned())
            }
        }
    }

    fn came(&mut self, message: Message) -> Pulled {
        // The server's own status messages have no reply subject. Whatever has one is a message,
        // whatever status a publisher wrote into its headers.
        match message.status.filter(|_| message.reply.is_none()) {
            None => {
                self.outstanding = self.outstanding.saturating_sub(1);
                match Delivery::new(&self.answers, message) {
                    Ok(delivery) => Pulled::Message(Box::new(delivery)),
                    Err(cause) => Pulled::Broken(cause),
                }
            }
            Some(StatusCode::IDLE_HEARTBEAT) => Pulled::Nothing,
            Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => {
                // 408 says how much of its request is left; one request may end at a time.
                let left = message.headers.as_ref().and_then(pending).unwrap_or(self.outstanding);
                self.outstanding = self.outstanding.saturating_sub(left);
                Pulled::Empty
            }
            Some(status) => {
                let left = message.headers.as_ref().and_then(pending).unwrap_or(self.outstanding);
                self.outstanding = self.outstanding.saturating_sub(left);
                let why = message.description.unwrap_or_default();
                Pulled::Broken(format!("NATS ended the pull request: {status} {why}"))
            }
        }
    }

    /// Stops asking, waits until the requests have ended, and returns what they still yielded. If
    /// handed back any earlier, a message would go straight to the requests that are still waiting.
    pub(crate) async fn close(mut self) -> Vec<Delivery> {
        let mut came = Vec::new();
        let left = self.ends.saturating_duration_since(Instant::now());
        let _ = timeout(left, async {
            while self.outstanding > 0 {
                match self.next().await {
                    Pulled::Message(delivery) => came.push(*delivery),
                    Pulled::Lost => break,
                    _ => {}
                }
            }
        })
        .await;
        // There should be no messages beyond the count, but they would be lost for ack_wait if
        // there were.
        while let Ok(Some(message)) = timeout(Duration::ZERO, self.subscriber.next()).await {
            if let Pulled::Message(delivery) = self.came(message) {
                came.push(*delivery);
            }
        }
        came
    }
}

async fn ended(lost: &mut watch::Receiver<bool>) {
    // An error also means the end: the connection's task is gone.
    let _ = lost.wait_for(|lost| *lost).await;
}

fn pending(headers: &HeaderMap) -> Option<usize> {
    headers.get("Nats-Pending-Messages")?.as_str().parse().ok()
}
