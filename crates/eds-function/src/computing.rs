//! Where functions are computed: on threads of their own, so that, whatever a request costs, the
//! threads that talk to clients stay free for health checks, signals and other connections. Only
//! what takes no more than a [`MOMENT`] is computed where it arrived, because waking a thread would
//! cost as much again.
//!
//! A request that cannot start at once waits its turn. If its client has gone, it is never started,
//! or stopped. One that is not done after a [`SLICE`] gives its place to those waiting, and
//! continues among others like it, which take turns: quick requests stay quick, whatever else is
//! being computed.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use patch_and_transform::protocol::GoOn;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tonic::Status;

use crate::limits::{Bytes, Taken};

/// How many requests may wait for a thread. The next one is refused with UNAVAILABLE, which clients
/// take to mean "try again later".
const WAITING: usize = 1000;

/// How long a request is computed before it takes turns with others. Most take a millisecond.
const SLICE: Duration = Duration::from_millis(50);

/// How long a request may occupy the thread that talks to its client. One that takes longer is
/// restarted on another thread, and until it is done nothing is computed where it arrives.
const MOMENT: Duration = Duration::from_millis(4);

/// How many requests may have been started and be waiting for their next turn.
const BEGUN: usize = 64;

/// The places for one kind of request, shared by all clones.
#[derive(Debug, Clone)]
pub struct Computing {
    /// One permit for each request that is being computed or waiting.
    entrance: Arc<Semaphore>,
    /// One permit for each thread.
    threads: Arc<Semaphore>,
    /// How many threads there are.
    places: usize,
    /// What a thread also needs for each slice; if `None`, there is only one slice, and it is free.
    turns: Option<Arc<Semaphore>>,
    waiting: Arc<AtomicUsize>,
}

/// Where a request continues if it is not done after its first slice, and what it takes there.
#[derive(Debug)]
pub(crate) struct Onward {
    pub(crate) computing: Computing,
    pub(crate) objects: Bytes,
    pub(crate) bytes: usize,
}

/// How a computation ended.
#[derive(Debug)]
pub(crate) enum Computed<T> {
    Done(T),
    /// It would have to continue where there is no room at the moment, and must be restarted there.
    NoRoom,
}

/// Counts itself while it lives.
struct Waiting<'c>(&'c AtomicUsize);

impl<'c> Waiting<'c> {
    fn new(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Computing {
    /// Runs up to `places` computations at once, for one slice each.
    pub(crate) fn quick(places: usize) -> Self {
        Self::new(places, None)
    }

    /// Runs computations that take turns with all others created with the same semaphore.
    pub(crate) fn in_turns(turns: &Arc<Semaphore>) -> Self {
        Self::new(BEGUN, Some(Arc::clone(turns)))
    }

    fn new(threads: usize, turns: Option<Arc<Semaphore>>) -> Self {
        Self {
            entrance: Arc::new(Semaphore::new(threads + WAITING)),
            threads: Arc::new(Semaphore::new(threads)),
            places: threads,
            turns,
            waiting: Arc::default(),
        }
    }

    /// Returns how many requests are waiting for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Reports whether nothing is being computed on a thread.
    pub(crate) fn idle(&self) -> bool {
        self.threads.available_permits() == self.places
    }

    /// Computes on this thread. Returns `None` if stopped because it takes longer than a
    /// [`MOMENT`].
    pub(crate) fn at_once<T>(work: impl FnOnce(GoOn<'_>) -> T) -> Option<T> {
        let end = Instant::now() + MOMENT;
        let stopped = Cell::new(false);
        let computed = work(&|| {
            stopped.set(stopped.get() || Instant::now() >= end);
            !stopped.get()
        });
        (!stopped.get()).then_some(computed)
    }

    /// Computes on a thread that may block. If dropped while waiting, nothing is computed; if
    /// dropped later, the work is told. `memory` is held until the end, or until other memory is
    /// taken `onward`.
    ///
    /// # Errors
    /// UNAVAILABLE if too many are already waiting, or the server is shutting down.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        memory: Taken,
        onward: Option<Onward>,
        work: impl FnOnce(GoOn<'_>) -> T + Send + 'static,
    ) -> Result<Computed<T>, Status> {
        let busy = |_| Status::unavailable("too many requests are waiting; try again later");
        let entered = Arc::clone(&self.entrance).try_acquire_owned().map_err(busy)?;
        let thread = {
            let _waiting = Waiting::new(&self.waiting);
            Arc::clone(&self.threads).acquire_owned().await
        };
        let stopping = |_| Status::unavailable("the server is stopping");
        let held = Some((entered, thread.map_err(stopping)?, memory));
        // Closed when this future is dropped: the client has gone.
        let (client, _waits) = oneshot::channel();
        let turns = self.turns.clone();
        let slices = Slices { client, held, turns, turn: None, end: Instant::now(), onward };
        let computed = spawn_blocking(move || slices.compute(work));
        let computed = computed.await.map_err(|_| "gone").and_then(|it| it.ok_or("gone"));
        computed.map_err(|_| Status::unavailable("the server is stopping"))
    }
}

/// A computation's way through its slices.
struct Slices {
    client: oneshot::Sender<()>,
    /// The place in which it was started, and its memory.
    held: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit, Taken)>,
    turns: Option<Arc<Semaphore>>,
    turn: Option<OwnedSemaphorePermit>,
    /// When the slice ends.
    end: Instant,
    onward: Option<Onward>,
}

impl Slices {
    /// Returns `None` if nobody wants the answer any more.
    fn compute<T>(mut self, work: impl FnOnce(GoOn<'_>) -> T) -> Option<Computed<T>> {
        let begun = if self.turns.is_none() {
            self.end = Instant::now() + SLICE;
            // A client that has since left may have been queued behind the runtime's own threads.
            !self.client.is_closed()
        } else {
            self.next_turn()
        };
        let slices = RefCell::new(self);
        let computed = begun.then(|| work(&|| slices.borrow_mut().goes_on()))?;
        let slices = slices.into_inner();
        let ended = slices.held.is_none();
        Some(if ended { Computed::NoRoom } else { Computed::Done(computed) })
    }

    fn goes_on(&mut self) -> bool {
        if self.held.is_none() || self.client.is_closed() {
            return false;
        }
        if Instant::now() < self.end {
            return true;
        }
        if let Some(onward) = self.onward.take() {
            self.held = onward.enter();
            self.turns = onward.computing.turns;
            if self.held.is_none() {
                return false;
            }
        }
        self.next_turn()
    }

    /// Goes to the end of the queue; returns false if the client leaves it.
    fn next_turn(&mut self) -> bool {
        self.turn = None;
        if let Some(turns) = &self.turns {
            let turn = Arc::clone(turns).acquire_owned();
            let client = &mut self.client;
            self.turn = Handle::current().block_on(async {
                tokio::select! {
                    biased;
                    () = client.closed() => None,
                    turn = turn => turn.ok(),
                }
            });
            if self.turn.is_none() {
                return false;
            }
        }
        self.end = Instant::now() + SLICE;
        true
    }
}

impl Onward {
    fn enter(&self) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit, Taken)> {
        let place = |of: &Arc<Semaphore>| Arc::clone(of).try_acquire_owned().ok();
        let Computing { entrance, threads, .. } = &self.computing;
        Some((place(entrance)?, place(threads)?, self.objects.try_take(self.bytes)?))
    }
}
