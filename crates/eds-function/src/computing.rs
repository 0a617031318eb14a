//! Where functions are computed: on threads of their own, so that whatever a request costs, the
//! threads that talk to clients stay free for health checks, signals and other connections.
//!
//! A request that cannot start at once waits its turn. One whose client has gone is never started, or
//! stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use eds_core::protocol::GoOn;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tonic::Status;

/// How many requests may wait for a thread. The next one is refused with UNAVAILABLE, which clients
/// take for "again, later".
const WAITING: usize = 1000;

/// The threads' places, shared by all clones.
#[derive(Debug, Clone)]
pub struct Computing {
    /// One permit for each request that is computed.
    places: Arc<Semaphore>,
    /// One permit for each request that is computed or waits.
    entrance: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Computing {
    /// As many at once as there are processors, two at least: one slow request leaves room.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(processors.max(2))
    }
}

/// Tells a computation that nobody waits for it any more.
struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
    /// As many computations at once as said.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            entrance: Arc::new(Semaphore::new(places + WAITING)),
            waiting: Arc::default(),
        }
    }

    /// How many requests wait for a place.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Compute on a thread that may block. Dropped while it waits, nothing is computed; dropped
    /// later, the work is told.
    ///
    /// # Errors
    /// UNAVAILABLE when too many wait already, or the server is going down.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(GoOn<'_>) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let busy = |_| Status::unavailable("too many requests are waiting; try again later");
        let entered = Arc::clone(&self.entrance).try_acquire_owned().map_err(busy)?;
        let place = {
            let _waiting = Waiting::new(&self.waiting);
            Arc::clone(&self.places).acquire_owned().await
        };
        let gone = Arc::new(AtomicBool::new(false));
        let leaving = Leaving(Arc::clone(&gone));
        let computed = spawn_blocking(move || {
            let held = (entered, place);
            // A client that has left since may have queued behind the runtime's own threads.
            let go_on = || !gone.load(Ordering::Relaxed);
            let computed = go_on().then(|| work(&go_on));
            drop(held);
            computed
        });
        let computed = computed.await;
        drop(leaving);
        computed.ok().flatten().ok_or_else(|| Status::unavailable("the server is stopping"))
    }
}
