//! One message from delivery to its end: acknowledged, retried later, handed back, or dead.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::jetstream::consumer::Info;
use async_nats::jetstream::{self, AckKind};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::backoff::exponential;
use crate::config::Config;
use crate::consumer::Consumer;
use crate::dead_letter::{self, Closed, Letter};
use crate::delivery::Delivery;
use crate::handler::{self, Done};
use crate::metrics::count;
use crate::quarantine::Seen;
use crate::results::{Results, Unstored};
use crate::state::{Held, State};

/// A result that the database leaves unanswered this many times in a row, while accepting another
/// row each time, has failed: it must not keep its place forever.
const UNANSWERED: u32 = 5;

/// How far the shutdown has progressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// Work that has begun may finish; nothing waits.
    Stopping,
    /// Time is up: whatever is not done goes to another pod.
    HandBack,
}

/// What every task knows.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) state: Arc<State>,
    pub(crate) results: Arc<Results>,
    /// The name of this process.
    pub(crate) worker: String,
    /// The connection for everything except the messages themselves.
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) seen: Seen,
    pub(crate) closed: Closed,
}

/// The outcome of one attempt.
enum Outcome {
    /// The effect has happened.
    Done,
    Failed(String),
    /// No further attempt would end differently.
    Hopeless(String),
    HandBack,
}

impl Shared {
    /// Returns the consumer as the server sees it now.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) async fn consumer_info(&self) -> Result<Info, String> {
        let stream = self.jetstream.get_stream_no_info(&self.config.stream).await;
        let stream = stream.map_err(|error| error.to_string())?;
        stream.consumer_info(&self.config.consumer).await.map_err(|error| error.to_string())
    }

    /// Returns how long to insist on a confirmation.
    pub(crate) fn patience(&self) -> Duration {
        match *self.phase.borrow() {
            Phase::Running => Duration::from_secs(30),
            Phase::Stopping | Phase::HandBack => Duration::from_secs(2),
        }
    }

    async fn reached(&self, phase: Phase) {
        // An error means that the fetch loop is gone, which is past every phase.
        let _ = self.phase.clone().wait_for(|now| *now >= phase).await;
    }

    /// Gives a message back so that another pod gets it immediately.
    pub(crate) async fn hand_back(&self, delivery: &Delivery, consumer: &Consumer) {
        if consumer.max_deliver.is_some_and(|max| delivery.count >= max) {
            // The server would not redeliver it.
            return bury(
                self,
                delivery,
                consumer,
                "the worker was shut down during the last delivery",
            )
            .await;
        }
        count(&self.state.metrics.handed_back);
        let told = delivery.tell(AckKind::Nak(None), self).await;
        tracing::info!(id = delivery.id, sequence = delivery.sequence, told, "handed back");
    }
}

/// Works on one message until there is nothing more to say about it.
pub(crate) async fn process(shared: Arc<Shared>, delivery: Box<Delivery>, consumer: Arc<Consumer>) {
    if delivery.count > 1 {
        count(&shared.state.metrics.redelivered);
    }
    let held = shared.state.hold(&format!("{}/{}", delivery.stream, delivery.sequence));
    tokio::select! {
        () = settle(&shared, &delivery, &consumer, &held) => {}
        () = delivery.keep(consumer.keep_alive) => {}
    }
}

async fn settle(shared: &Shared, delivery: &Delivery, consumer: &Consumer, held: &Held<'_>) {
    let limit = consumer.max_deliver.unwrap_or(shared.config.max_deliveries);
    let outcome = tokio::select! {
        biased;
        () = shared.reached(Phase::HandBack) => Outcome::HandBack,
        outcome = attempt(shared, delivery, limit, held) => outcome,
    };
    shared.state.worked(held);
    match outcome {
        Outcome::Done => {
            if delivery.tell(AckKind::Ack, shared).await {
                shared.state.metrics.succeeded();
            } else {
                count(&shared.state.metrics.acks_unconfirmed);
            }
        }
        Outcome::HandBack => shared.hand_back(delivery, consumer).await,
        Outcome::Hopeless(reason) => bury(shared, delivery, consumer, &reason).await,
        Outcome::Failed(reason) => {
            count(&shared.state.metrics.failed);
            if delivery.count >= limit {
                return bury(shared, delivery, consumer, &reason).await;
            }
            let attempt = u32::try_from(delivery.count).unwrap_or(u32::MAX);
            let wait = exponential(shared.config.backoff, shared.config.backoff_max, attempt);
            tracing::warn!(
                id = delivery.id,
                sequence = delivery.sequence,
                delivery = delivery.count,
                reason,
                wait_ms = wait.as_millis(),
                "failed; it will be tried again"
            );
            delivery.tell(AckKind::Nak(Some(wait)), shared).await;
        }
    }
}

async fn attempt(shared: &Shared, delivery: &Delivery, limit: i64, held: &Held<'_>) -> Outcome {
    if let Some(reason) = &delivery.unusable {
        return Outcome::Hopeless(reason.clone());
    }
    // A message that kills its pod never fails: nobody is left to report it. Twice the limit leaves
    // room for pods that were killed for other reasons.
    if delivery.count > limit.saturating_mul(2) {
        let tries = delivery.count - 1;
        return Outcome::Hopeless(format!("{tries} deliveries ended without a result"));
    }
    if delivery.count > 1 && shared.results.known(delivery).await.is_ok_and(|known| known) {
        count(&shared.state.metrics.duplicates);
        // The worker that recorded it may have died before it could report that.
        return match shared.results.print(delivery, &Done { task: None }, Duration::ZERO, false) {
            Ok(()) => Outcome::Done,
            Err(cause) => Outcome::Failed(cause),
        };
    }
    let begun = Instant::now();
    let work = AssertUnwindSafe(handler::execute(&delivery.payload, delivery.count)).catch_unwind();
    let worked = timeout(shared.config.handler_timeout, work).await;
    let duration = begun.elapsed();
    shared.state.metrics.handled(duration);
    shared.state.worked(held);
    let done = match worked {
        Ok(Ok(Ok(done))) => done,
        Ok(Ok(Err(reason))) => return Outcome::Failed(reason),
        Ok(Err(_)) => return Outcome::Failed("the handler panicked".to_owned()),
        Err(_) => {
            let seconds = shared.config.handler_timeout.as_secs_f64();
            return Outcome::Failed(format!("the handler took longer than {seconds} s"));
        }
    };
    record(shared, delivery, &done, duration).await
}

/// Stores the result, waiting for the database as long as necessary: the message is not to blame if
/// the database is away, so that must not use up its deliveries.
async fn record(shared: &Shared, delivery: &Delivery, done: &Done, duration: Duration) -> Outcome {
    let (mut tries, mut unanswered) = (0, 0);
    let new = loop {
        match shared.results.store(delivery, done, duration).await {
            Ok(new) => break new,
            Err(Unstored::Refused(cause)) => return Outcome::Hopeless(cause),
            Err(Unstored::Unanswered(cause)) => {
                unanswered += 1;
                if unanswered >= UNANSWERED {
                    return Outcome::Failed(format!(
                        "{cause}, {unanswered} times in a row, while it took another row"
                    ));
                }
            }
            Err(Unstored::Away(cause)) => {
                unanswered = 0;
                if shared.state.database(Some(cause.clone())) {
                    tracing::warn!(id = delivery.id, %cause, "the result waits for the database");
                }
            }
        }
        tries += 1;
        let wait = exponential(Duration::from_millis(250), Duration::from_secs(5), tries);
        tokio::select! {
            () = sleep(wait) => {}
            () = shared.reached(Phase::Stopping) => return Outcome::HandBack,
        }
    };
    if !new {
        count(&shared.state.metrics.duplicates);
    }
    match shared.results.print(delivery, done, duration, new) {
        Ok(()) => Outcome::Done,
        Err(cause) => Outcome::Failed(cause),
    }
}

/// Gives the message up, but never loses it: as long as no stream accepts the dead letter, it stays
/// in the consumer.
async fn bury(shared: &Shared, delivery: &Delivery, consumer: &Consumer, reason: &str) {
    let (id, sequence) = (delivery.id.as_str(), delivery.sequence);
    let letter = Letter::from(delivery);
    let mut tries = 0;
    let mut parked = None;
    loop {
        let cause = match dead_letter::publish(shared, consumer, &letter, reason).await {
            Ok(stream) => {
                count(&shared.state.metrics.dead_lettered);
                tracing::error!(
                    id,
                    sequence,
                    delivery = delivery.count,
                    reason,
                    stream,
                    "dead-lettered"
                );
                delivery.tell(AckKind::Term, shared).await;
                return;
            }
            Err(cause) => cause,
        };
        let wait = shared.config.dead_letter_retry;
        if consumer.max_deliver.is_none_or(|max| delivery.count < max) {
            tracing::error!(
                id,
                sequence,
                reason,
                cause,
                wait_s = wait.as_secs(),
                "kept in the consumer"
            );
            delivery.tell(AckKind::Nak(Some(wait)), shared).await;
            return;
        }
        // If handed back, the server would never redeliver it: hold it, but without occupying a
        // place.
        if parked.is_none() {
            parked = shared.state.park();
        }
        if parked.is_none() {
            tracing::error!(
                id,
                sequence,
                reason,
                cause,
                "left in the stream: too many wait already, and the consumer will not deliver it \
                    again"
            );
            return;
        }
        tries += 1;
        tracing::error!(id, sequence, reason, cause, "holding a message after its last delivery");
        let wait = exponential(Duration::from_secs(1), wait.max(Duration::from_secs(1)), tries);
        tokio::select! {
            () = sleep(wait) => {}
            () = shared.reached(Phase::HandBack) => {
                tracing::error!(id, sequence, "left in the stream: the consumer will not deliver \
                    it again");
                return;
            }
        }
    }
}
