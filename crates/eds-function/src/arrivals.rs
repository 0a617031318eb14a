//! Requests whose messages are still arriving: how many there may be, and which one is ended when
//! there is one too many, or when others are waiting for the memory that it holds.
//!
//! A well-behaved client sends its message in milliseconds. A client that fills the places with
//! unfinished streams loses the oldest of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// On all connections together. A stream uses some 10 KiB.
pub(crate) const MAX: usize = 1000;

/// How long a message may keep arriving while others wait for its memory.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Entry {
    /// Whether it holds memory of the large lane or of the other one, and since when.
    holds: Option<(bool, Instant)>,
    /// Dropping it ends the request.
    _end: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// Ordered by age.
    entries: BTreeMap<u64, Entry>,
}

/// The arriving requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrivals(Arc<Mutex<Open>>);

/// One of them, until dropped.
#[derive(Debug)]
pub(crate) struct Arrival {
    arrivals: Arrivals,
    number: u64,
    /// Resolves when the request must end.
    pub(crate) ended: oneshot::Receiver<()>,
}

impl Arrivals {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a place for a new request, taking the oldest one's if necessary.
    pub(crate) fn enter(&self) -> Arrival {
        let (end, ended) = oneshot::channel();
        let mut open = self.open();
        if open.entries.len() >= MAX {
            open.entries.pop_first();
        }
        let number = open.next;
        open.next += 1;
        open.entries.insert(number, Entry { holds: None, _end: end });
        drop(open);
        Arrival { arrivals: self.clone(), number, ended }
    }

    /// Ends the oldest request that holds memory of a lane, if its time is up, because others are
    /// waiting for it.
    pub(crate) fn give_way(&self, large: bool) {
        let mut open = self.open();
        let slow = open.entries.iter().find(|(_, entry)| {
            entry.holds.is_some_and(|(lane, since)| lane == large && since.elapsed() > GRACE)
        });
        if let Some(number) = slow.map(|(number, _)| *number) {
            open.entries.remove(&number);
        }
    }
}

impl Arrival {
    /// Records that it now holds memory of this lane.
    pub(crate) fn holds(&self, large: bool) {
        if let Some(entry) = self.arrivals.open().entries.get_mut(&self.number) {
            entry.holds = Some((large, Instant::now()));
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.arrivals.open().entries.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let arrivals = Arrivals::default();
        let mut places: Vec<Arrival> = (0..MAX + 2).map(|_| arrivals.enter()).collect();
        let ended = |place: &mut Arrival| {
            !matches!(place.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        };
        let gone: Vec<usize> =
            (0..).zip(&mut places).filter_map(|(i, p)| ended(p).then_some(i)).collect();
        assert_eq!(gone, [0, 1]);
        drop(places);
        assert_eq!(arrivals.open().entries.len(), 0);
    }
}
