//! The memory that runs of long patterns use together. A thread may wait at each instruction, so a
//! text that keeps thousands of them alive uses a megabyte on every OS thread that runs one.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs that use less are not counted.
const SMALL: usize = 64 << 10;

/// The bytes that runs may use together.
#[derive(Debug)]
pub(super) struct Room {
    free: AtomicUsize,
    all: usize,
}

/// Bytes reserved until this is dropped.
#[derive(Debug)]
pub(super) struct Place<'r> {
    room: &'r Room,
    bytes: usize,
}

impl Room {
    pub(super) const fn new(all: usize) -> Self {
        Self { free: AtomicUsize::new(all), all }
    }

    /// Reserves room for a run of this many bytes, or all of the room if it needs more. While
    /// waiting, asks `go_on` whether to continue, which may yield the processor to the other run.
    /// Returns `None` if it says no.
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
