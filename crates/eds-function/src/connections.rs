//! All open connections: how many there may be, and which one is closed when there is one too many.
//!
//! A well-behaved client gets through in milliseconds. A client that fills the places with
//! connections that do nothing, above all half-open handshakes, loses the oldest of them, and
//! cannot push out one that was served and waits for its next request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// How many connections may be open, including TLS handshakes. Crossplane opens one or two.
pub(crate) const MAX: usize = 256;

/// A connection is closed if it has answers and none was read for this long: its client does not
/// read, or is gone.
pub(crate) const STALLED: Duration = Duration::from_secs(120);

/// What is known about a connection.
#[derive(Debug)]
pub(crate) struct Activity {
    opened: Instant,
    /// Requests in progress.
    requests: AtomicUsize,
    /// Bytes read and written.
    bytes: AtomicU64,
    /// Unread answers, and when one was last read or there were none, in seconds since the
    /// connection was opened.
    answers: AtomicUsize,
    taken: AtomicU64,
    /// Whether a request of it has been answered.
    served: AtomicBool,
}

impl Activity {
    fn new() -> Self {
        let opened = Instant::now();
        Self {
            opened,
            requests: 0.into(),
            bytes: 0.into(),
            answers: 0.into(),
            taken: 0.into(),
            served: false.into(),
        }
    }

    pub(crate) fn moved(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn now(&self) {
        self.taken.store(self.opened.elapsed().as_secs(), Ordering::Relaxed);
    }

    /// Returns how long no answer has been read.
    fn stalled(&self) -> Duration {
        if self.answers.load(Ordering::Relaxed) == 0 {
            return Duration::ZERO;
        }
        let taken = Duration::from_secs(self.taken.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(taken)
    }
}

/// One request of a connection, in progress while this lives.
#[derive(Debug)]
pub(crate) struct Request(Arc<Activity>);

/// A request that has its answer, until that is sent or given up.
#[derive(Debug)]
pub(crate) struct Answer(Request);

impl Request {
    pub(crate) fn new(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }

    pub(crate) fn answered(self) -> Answer {
        self.0.served.store(true, Ordering::Relaxed);
        if self.0.answers.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.now();
        }
        Answer(self)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let activity = &self.0.0;
        activity.answers.fetch_sub(1, Ordering::Relaxed);
        activity.now();
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Entry {
    activity: Arc<Activity>,
    /// Dropping it ends the connection.
    _close: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// Ordered by age.
    entries: BTreeMap<u64, Entry>,
}

impl Open {
    /// Returns which connection makes place for another.
    fn victim(&self) -> Option<u64> {
        let served = |entry: &Entry| entry.activity.served.load(Ordering::Relaxed);
        let idle = |entry: &Entry| entry.activity.requests.load(Ordering::Relaxed) == 0;
        let crowd = self.entries.values().filter(|entry| served(entry)).count() > MAX / 2;
        let mut oldest_idle = None;
        for (&number, entry) in &self.entries {
            if idle(entry) {
                if served(entry) == crowd {
                    return Some(number);
                }
                oldest_idle = oldest_idle.or(Some(number));
            }
        }
        oldest_idle.or_else(|| self.entries.first_key_value().map(|(&number, _)| number))
    }
}

/// The open connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Open>>);

/// A connection's place among them, until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Connections,
    number: u64,
    pub(crate) activity: Arc<Activity>,
    /// Resolves when the connection must end.
    pub(crate) closed: oneshot::Receiver<()>,
}

impl Connections {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a place for a new connection. If none is left, closes the oldest idle one of those
    /// that hold most places, the served or the not yet served; or, if none of them is idle, the
    /// oldest idle one, else the oldest.
    pub(crate) fn enter(&self) -> Place {
        let (close, closed) = oneshot::channel();
        let activity = Arc::new(Activity::new());
        let mut open = self.open();
        if open.entries.len() >= MAX
            && let Some(victim) = open.victim()
        {
            open.entries.remove(&victim);
        }
        let number = open.next;
        open.next += 1;
        let entry = Entry { activity: Arc::clone(&activity), _close: close };
        open.entries.insert(number, entry);
        drop(open);
        Place { connections: self.clone(), number, activity, closed }
    }

    /// Closes connections whose clients have read no answer for `limit`.
    pub(crate) fn close_stalled(&self, limit: Duration) {
        self.open().entries.retain(|_, entry| entry.activity.stalled() <= limit);
    }

    /// Returns how many requests are in progress, and how many bytes the open connections have
    /// transferred.
    pub(crate) fn under_way(&self) -> (usize, u64) {
        let open = self.open();
        let requests = |entry: &Entry| entry.activity.requests.load(Ordering::Relaxed);
        let bytes = |entry: &Entry| entry.activity.bytes.load(Ordering::Relaxed);
        (open.entries.values().map(requests).sum(), open.entries.values().map(bytes).sum())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().entries.remove(&self.number);
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn closed(place: &mut Place) -> bool {
        !matches!(place.closed.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    fn serve(place: &Place) {
        drop(Request::new(&place.activity).answered());
    }

    #[test]
    fn silent_connections_push_out_each_other() {
        let connections = Connections::default();
        let mut crossplane = connections.enter();
        serve(&crossplane);
        let mut silent: Vec<Place> = (0..3 * MAX).map(|_| connections.enter()).collect();
        assert!(!closed(&mut crossplane), "it was served and waits for its next request");
        let open = silent.iter_mut().map(closed).filter(|closed| !closed).count();
        assert_eq!(open, MAX - 1);
    }

    #[test]
    fn served_connections_push_out_each_other() {
        let connections = Connections::default();
        let served: Vec<Place> = (0..2 * MAX).map(|_| connections.enter()).collect();
        served.iter().for_each(serve);
        let mut new = connections.enter();
        let later: Vec<Place> = (0..MAX / 4).map(|_| connections.enter()).collect();
        assert!(!closed(&mut new), "a new client gets the time to ask");
        drop((served, later));
    }

    #[test]
    fn the_oldest_that_does_nothing_goes_first() {
        let connections = Connections::default();
        let mut places: Vec<Place> = (0..MAX).map(|_| connections.enter()).collect();
        let busy = Request::new(&places[0].activity);
        let newest = connections.enter();
        let gone: Vec<bool> = places.iter_mut().map(closed).collect();
        let expect: Vec<bool> = (0..MAX).map(|i| i == 1).collect();
        assert_eq!(gone, expect, "the first has a request under way");
        assert_eq!(connections.under_way().0, 1);
        drop((busy, newest, places));
        assert_eq!(connections.open().entries.len(), 0);
    }
}
