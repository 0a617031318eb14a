//! What the runs of long patterns take together: each instruction may be waited at, so that a text that
//! keeps thousands of them alive takes a megabyte, on every thread that runs one.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs that take less do not count.
const SMALL: usize = 64 << 10;

/// Bytes that runs may take together.
#[derive(Debug)]
pub(super) struct Room {
    free: AtomicUsize,
    all: usize,
}

/// Bytes taken until this is dropped.
#[derive(Debug)]
pub(super) struct Place<'r> {
    room: &'r Room,
    bytes: usize,
}

impl Room {
    pub(super) const fn new(all: usize) -> Self {
        Self { free: AtomicUsize::new(all), all }
    }

    /// A place for a run of so many bytes, all that there are at most. Whoever waits for it is asked
    /// whether to go on, and may lend the processor to the run that it waits for; `None`: it said no.
    pub(super) fn enter(&self, bytes: usize, go_on: &dyn Fn() -> bool) -> Option<Place<'_>> {
        let bytes = if bytes < SMALL { 0 } else { bytes.min(self.all) };
        let take = |free: usize| free.checked_sub(bytes);
        while self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_err() {
            if !go_on() {
                return None;
            }
            std::thread::yield_now();
        }
        Some(Place { room: self, bytes })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.room.free.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn long_runs_wait_for_each_other_and_short_ones_for_nobody() {
        let room = Room::new(1 << 20);
        let enter = |bytes, patience: u32| {
            let asked = Cell::new(0);
            let place = room.enter(bytes, &|| asked.replace(asked.get() + 1) < patience);
            (place, asked.get())
        };
        let (first, asked) = enter(1 << 30, 0);
        assert!(first.is_some() && asked == 0, "all of it, although it would take more");
        let (second, asked) = enter(100 << 10, 5);
        assert!(second.is_none() && asked == 6, "asked {asked} times");
        assert!(enter(SMALL - 1, 0).0.is_some());
        drop(first);
        let both = (enter(512 << 10, 0).0, enter(512 << 10, 0).0);
        assert!(both.0.is_some() && both.1.is_some());
        assert!(enter(SMALL, 1).0.is_none());
        drop(both);
        assert_eq!(room.free.load(Ordering::Acquire), 1 << 20);
    }
}
