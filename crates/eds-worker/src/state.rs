//! What the probes need to know: one place that every task writes to.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::Metrics;

/// The fetch loop comes round at least every second; if it takes longer than this, it is stuck.
const LOOP_LIMIT: Duration = Duration::from_secs(30);

/// If a message is held this much longer than the handler's limit, the limit did not work.
const HELD_LIMIT: Duration = Duration::from_secs(30);

/// How many messages may wait until dead letters are accepted: they are kept in memory.
const PARKED: usize = 64;

/// Shared between the fetch loop, its tasks and the HTTP server.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) metrics: Metrics,
    handler_timeout: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    stopping: bool,
    /// Why there is no connection.
    nats: Option<String>,
    /// Why messages cannot be fetched.
    consumer: Option<String>,
    /// Why results cannot be stored.
    database: Option<String>,
    turned: Instant,
    next: u64,
    working: BTreeMap<u64, Working>,
    parked: usize,
}

#[derive(Debug)]
struct Working {
    message: String,
    since: Instant,
}

/// Means that a message is being worked on, for as long as this lives.
pub(crate) struct Held<'a> {
    state: &'a State,
    key: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.state.lock().working.remove(&self.key);
    }
}

/// A message that is only waiting to be dead-lettered: it occupies no place for as long as this
/// lives.
pub(crate) struct Parked<'a>(&'a State);

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.lock().parked -= 1;
    }
}

impl State {
    pub(crate) fn new(handler_timeout: Duration, database: bool) -> Self {
        let inner = Inner {
            stopping: false,
            nats: Some("not connected to NATS yet".to_owned()),
            consumer: Some("the consumer has not been looked up yet".to_owned()),
            database: database.then(|| "the database has not answered yet".to_owned()),
            turned: Instant::now(),
            next: 0,
            working: BTreeMap::new(),
            parked: 0,
        };
        Self { metrics: Metrics::default(), handler_timeout, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stopping(&self) {
        self.lock().stopping = true;
    }

    /// Each of these returns whether this is news, and so worth a log line.
    pub(crate) fn nats(&self, cause: Option<String>) -> bool {
        replace(&mut self.lock().nats, cause)
    }

    pub(crate) fn consumer(&self, cause: Option<String>) -> bool {
        replace(&mut self.lock().consumer, cause)
    }

    pub(crate) fn database(&self, cause: Option<String>) -> bool {
        replace(&mut self.lock().database, cause)
    }

    /// Reports whether there is no database, or it answers. Messages are only fetched then.
    pub(crate) fn database_answers(&self) -> bool {
        self.lock().database.is_none()
    }

    /// Records that the fetch loop came round.
    pub(crate) fn turn(&self) {
        self.lock().turned = Instant::now();
    }

    /// Records that work on `message` begins.
    pub(crate) fn hold(&self, message: &str) -> Held<'_> {
        let mut inner = self.lock();
        let key = inner.next;
        inner.next += 1;
        let working = Working { message: message.to_owned(), since: Instant::now() };
        inner.working.insert(key, working);
        Held { state: self, key }
    }

    /// Records that the actual work is over: from now on the message waits for the database or for
    /// NATS, which restarting this process would not fix.
    pub(crate) fn worked(&self, held: &Held<'_>) {
        self.lock().working.entry(held.key).and_modify(|working| working.message.clear());
    }

    /// Lets a message wait until dead letters are accepted; returns `None` if too many are waiting.
    pub(crate) fn park(&self) -> Option<Parked<'_>> {
        let mut inner = self.lock();
        (inner.parked < PARKED).then(|| {
            inner.parked += 1;
            Parked(self)
        })
    }

    pub(crate) fn parked(&self) -> usize {
        self.lock().parked
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.lock().working.len()
    }

    /// Returns why the worker is not ready, in one sentence; `None` if it is.
    pub(crate) fn unready(&self) -> Option<String> {
        let inner = self.lock();
        if inner.stopping {
            return Some("shutting down".to_owned());
        }
        inner.nats.clone().or_else(|| inner.consumer.clone()).or_else(|| inner.database.clone())
    }

    /// Returns why this process should be restarted, if it should. That NATS or the database is
    /// away is no reason: a restart would not bring them back.
    pub(crate) fn stuck(&self) -> Option<String> {
        let inner = self.lock();
        let idle = inner.turned.elapsed();
        if idle > LOOP_LIMIT && !inner.stopping {
            return Some(format!("the fetch loop has stood still for {} s", idle.as_secs()));
        }
        let limit = self.handler_timeout.saturating_add(HELD_LIMIT);
        let mut late = inner.working.values().filter(|one| !one.message.is_empty());
        late.find(|one| one.since.elapsed() > limit).map(|one| {
            let seconds = one.since.elapsed().as_secs();
            format!("message {} has been worked on for {seconds} s", one.message)
        })
    }
}

fn replace(slot: &mut Option<String>, value: Option<String>) -> bool {
    let news = *slot != value;
    *slot = value;
    news
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_names_the_first_cause() {
        let state = State::new(Duration::from_secs(1), true);
        for (cause, mend) in [
            ("not connected to NATS yet", State::nats as fn(&State, Option<String>) -> bool),
            ("the consumer has not been looked up yet", State::consumer),
            ("the database has not answered yet", State::database),
        ] {
            assert_eq!(state.unready().as_deref(), Some(cause));
            assert!(mend(&state, None));
            assert!(!mend(&state, None), "told twice");
        }
        assert_eq!(state.unready(), None);
        state.stopping();
        assert_eq!(state.unready().as_deref(), Some("shutting down"));
    }

    #[test]
    fn stuck_loop_and_stuck_handler() {
        let state = State::new(Duration::from_secs(1), false);
        let past = Instant::now().checked_sub(Duration::from_secs(60)).expect("an hour of uptime");
        let held = state.hold("ORDERS/7");
        assert_eq!(state.stuck(), None);
        state.lock().working.get_mut(&held.key).expect("held").since = past;
        assert_eq!(state.stuck().as_deref(), Some("message ORDERS/7 has been worked on for 60 s"));
        state.worked(&held);
        assert_eq!(state.stuck(), None, "it waits for the database");
        assert_eq!(state.in_flight(), 1);
        drop(held);
        assert_eq!(state.in_flight(), 0);
        state.lock().turned = past;
        assert_eq!(state.stuck().as_deref(), Some("the fetch loop has stood still for 60 s"));
    }
}
