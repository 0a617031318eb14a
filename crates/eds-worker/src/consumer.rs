//! The durable consumer, which an operator creates: does it exist, and what does it promise?

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State as Connection;
use async_nats::jetstream::consumer::{AckPolicy, Config as ConsumerConfig, Info};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::{Context, ErrorCode};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::config::Config;
use crate::nats;
use crate::state::State;

/// How often to look while something is missing, and while all is well.
const LOOK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// What the fetch loop must know about the consumer. If it changes, fetching starts over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consumer {
    /// How many connections have been made so far: pull requests end with the connection.
    connects: u64,
    /// When it was created; one that was deleted and recreated is a different consumer.
    pub(crate) created: i128,
    /// How often to report that a message is still being worked on.
    pub(crate) keep_alive: Duration,
    /// The server gives up on a message after this many deliveries; `None` means never.
    pub(crate) max_deliver: Option<i64>,
    /// The server's limits on one pull request; `None` is unlimited.
    pub(crate) max_batch: Option<usize>,
    pub(crate) max_expires: Option<Duration>,
    /// The subjects that it delivers; if empty, all of the stream's.
    pub(crate) filters: Vec<String>,
}

/// The consumer as the fetch loop sees it; `None` while it cannot be used.
pub(crate) type Watched = watch::Receiver<Option<Arc<Consumer>>>;

/// Looks forever, and immediately when `poke` says so.
pub(crate) async fn watch(
    client: Client,
    config: Config,
    state: Arc<State>,
    poke: Arc<Notify>,
    found: watch::Sender<Option<Arc<Consumer>>>,
) {
    let jetstream = nats::jetstream(&config, client.clone());
    loop {
        let ok = if client.connection_state() == Connection::Connected {
            look(&client, &jetstream, &config, &state, &found).await
        } else {
            found.send_if_modified(|have| have.take().is_some());
            false
        };
        let _ = timeout(if ok { LOOK.1 } else { LOOK.0 }, poke.notified()).await;
    }
}

/// Returns whether the consumer can be used.
async fn look(
    client: &Client,
    jetstream: &Context,
    config: &Config,
    state: &State,
    found: &watch::Sender<Option<Arc<Consumer>>>,
) -> bool {
    let connects = client.statistics().connects.load(std::sync::atomic::Ordering::Relaxed);
    match info(jetstream, config).await {
        Ok(info) => {
            let consumer = Arc::new(describe(&info, connects));
            if state.consumer(None) {
                tracing::info!(
                    stream = config.stream,
                    consumer = config.consumer,
                    waiting = info.num_pending,
                    ack_wait_ms = info.config.ack_wait.as_millis(),
                    max_deliver = info.config.max_deliver,
                    "the consumer is there"
                );
                advise(&info.config);
            }
            found.send_if_modified(|have| {
                let news = have.as_ref() != Some(&consumer);
                *have = Some(consumer);
                news
            });
            true
        }
        Err((cause, gone)) => {
            if state.consumer(Some(cause.clone())) {
                tracing::warn!(%cause, "waiting for the consumer");
            }
            if gone {
                found.send_if_modified(|have| have.take().is_some());
            }
            false
        }
    }
}

/// Returns the cause, and whether the consumer certainly cannot be used: an unanswered request says
/// nothing about the consumer.
async fn info(jetstream: &Context, config: &Config) -> Result<Info, (String, bool)> {
    let Config { stream, consumer, .. } = config;
    let unnamed =
        |error: &dyn std::fmt::Display| (format!("NATS does not take the name: {error}"), true);
    let handle = jetstream.get_stream_no_info(stream).await.map_err(|error| unnamed(&error))?;
    let info = handle.consumer_info(consumer).await.map_err(|error| match error.kind() {
        ConsumerInfoErrorKind::StreamNotFound => (
            format!(
                "stream {stream} is missing in this NATS account: create it, or correct the \
                    claim's spec.nats.stream"
            ),
            true,
        ),
        ConsumerInfoErrorKind::NotFound => (
            format!(
                "consumer {consumer} is missing on stream {stream}: create a durable pull consumer \
                    of that name, or correct the claim's spec.nats.consumer"
            ),
            true,
        ),
        ConsumerInfoErrorKind::NoResponders => (no_responders(config), true),
        ConsumerInfoErrorKind::JetStream(error)
            if matches!(
                error.error_code(),
                ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
            ) =>
        {
            (
                "JetStream is not enabled for this NATS account; the system account never has it"
                    .to_owned(),
                true,
            )
        }
        ConsumerInfoErrorKind::TimedOut => (
            format!(
                "NATS does not answer a question about consumer {consumer}: does this user have \
                    the permission to ask?"
            ),
            false,
        ),
        other => (format!("NATS cannot tell of consumer {consumer}: {other}"), false),
    })?;
    let wrong = if info.config.deliver_subject.is_some() {
        "is a push consumer, and this worker pulls"
    } else if info.config.ack_policy != AckPolicy::Explicit {
        "does not ask for explicit acknowledgements, so messages would be lost"
    } else {
        return Ok(info);
    };
    Err((format!("consumer {consumer} on stream {stream} {wrong}: make it again"), true))
}

fn no_responders(config: &Config) -> String {
    match &config.domain {
        Some(domain) => format!(
            "no JetStream domain {domain} answers (NATS_DOMAIN): correct spec.nats.domain, or \
                leave it out if the stream is in the domain of the servers in spec.nats.url; a \
                domain behind a leaf node answers while that is connected"
        ),
        None => "JetStream does not answer: it is not enabled on this NATS server, or not for \
            this account; a stream in another JetStream domain needs spec.nats.domain"
            .to_owned(),
    }
}

fn describe(info: &Info, connects: u64) -> Consumer {
    let config = &info.config;
    // The shortest time after which the server redelivers an unanswered message. A backoff replaces
    // ack_wait.
    let patience = config.backoff.iter().min().copied().unwrap_or(config.ack_wait);
    let mut filters = config.filter_subjects.clone();
    filters.extend((!config.filter_subject.is_empty()).then(|| config.filter_subject.clone()));
    Consumer {
        connects,
        created: info.created.unix_timestamp_nanos(),
        keep_alive: (patience / 3).max(Duration::from_millis(50)),
        max_deliver: (config.max_deliver > 0).then_some(config.max_deliver),
        max_batch: usize::try_from(config.max_batch).ok().filter(|max| *max > 0),
        max_expires: Some(config.max_expires).filter(|max| !max.is_zero()),
        filters,
    }
}

fn advise(config: &ConsumerConfig) {
    if config.max_deliver > 0 {
        tracing::warn!(
            max_deliver = config.max_deliver,
            "the server stops delivering a message after max_deliver attempts, also when the last \
                one was cut short by a killed pod; leave it unlimited (-1), and this worker \
                dead-letters messages after WORKER_MAX_DELIVERIES"
        );
    }
}

/// Reports whether `subject` matches `filter` by NATS's rules.
pub(crate) fn matches(filter: &str, subject: &str) -> bool {
    let mut subject = subject.split('.');
    for token in filter.split('.') {
        match (token, subject.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (token, Some(have)) if token == have => {}
            _ => return false,
        }
    }
    subject.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_match_as_nats_matches_them() {
        for (filter, subject, expect) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a.b", "a.b.c", false),
            ("a.b.c", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            (">", "a", true),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
        ] {
            assert_eq!(matches(filter, subject), expect, "{filter} {subject}");
        }
    }
}
