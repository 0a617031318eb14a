//! Where functions are computed: on threads of their own, so that whatever a request costs, the
//! threads that talk to clients stay free for health checks, signals and other connections. Only what
//! takes no more than a [`MOMENT`] is computed where it arrived, because to wake a thread would cost as
//! much again.
//!
//! A request that cannot start at once waits its turn. One whose client has gone is never started, or
//! stopped. One that is not done after a [`SLICE`] leaves its place to those who wait, and goes on among
//! its like, who take turns: what is quickly answered is quickly answered, whatever else is computed.

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
/// take for "again, later".
const WAITING: usize = 1000;

/// How long a request is computed before it takes turns with others. Most take a millisecond.
const SLICE: Duration = Duration::from_millis(50);

/// How long a request may keep the thread that talks to its client. One that takes longer is begun again
/// on another, and until it is done nothing is computed where it arrives.
const MOMENT: Duration = Duration::from_millis(4);

/// How many may be begun and wait for their next turn.
const BEGUN: usize = 64;

/// The places of one kind of requests, shared by all clones.
#[derive(Debug, Clone)]
pub struct Computing {
    /// One permit for each request that is computed or waits.
    entrance: Arc<Semaphore>,
    /// One permit for each thread.
    threads: Arc<Semaphore>,
    /// How many threads there are.
    places: usize,
    /// What a thread needs besides for each slice; `None`: the first slice is free, and the last.
    turns: Option<Arc<Semaphore>>,
    waiting: Arc<AtomicUsize>,
}

/// Where a request goes on that is not done after its first slice, and what it takes there.
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
    /// It would have to go on where there is no room at the moment; it must be begun again there.
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
    /// As many computations at once as said, a slice each.
    pub(crate) fn quick(places: usize) -> Self {
        Self::new(places, None)
    }

    /// Computations that take turns, all that are made with the same semaphore.
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

    /// How many requests wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Is nothing computed on a thread?
    pub(crate) fn idle(&self) -> bool {
        self.threads.available_permits() == self.places
    }

    /// Compute on this thread. `None`: it was stopped because it takes longer than a [`MOMENT`].
    pub(crate) fn at_once<T>(work: impl FnOnce(GoOn<'_>) -> T) -> Option<T> {
        let end = Instant::now() + MOMENT;
        let stopped = Cell::new(false);
        let computed = work(&|| {
            stopped.set(stopped.get() || Instant::now() >= end);
            !stopped.get()
        });
        (!stopped.get()).then_some(computed)
    }

    /// Compute on a thread that may block. Dropped while it waits, nothing is computed; dropped
    /// later, the work is told. `memory` is held until the end, or until other is taken `onward`.
    ///
    /// # Errors
    /// UNAVAILABLE when too many wait already, or the server is going down.
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
    /// The place in which it was begun, and its memory.
    held: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit, Taken)>,
    turns: Option<Arc<Semaphore>>,
    turn: Option<OwnedSemaphorePermit>,
    /// The slice's end.
    end: Instant,
    onward: Option<Onward>,
}

impl Slices {
    /// `None`: nobody wants the answer any more.
    fn compute<T>(mut self, work: impl FnOnce(GoOn<'_>) -> T) -> Option<Computed<T>> {
        let begun = if self.turns.is_none() {
            self.end = Instant::now() + SLICE;
            // A client that has left since may have queued behind the runtime's own threads.
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

    /// To the end of the queue; false when the client leaves it.
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
