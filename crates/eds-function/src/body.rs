//! A request's body, read only as fast as there is memory for its message.
//!
//! gRPC sends a message's length before the message. It is checked here, before any more is read: a
//! message that is too large is refused, and one that does not fit at the moment waits in the
//! client and in HTTP/2's window. A body that does not arrive in time is given up, sooner if others
//! are waiting for its memory.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::AcquireError;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use crate::arrivals::{Arrival, GRACE};
use crate::limits::{ORDINARY, Taken};
use crate::runner::Shared;

/// How long a client may take to send a message, not counting the wait for memory.
const ARRIVAL: Duration = Duration::from_secs(30);

/// Messages up to this size take memory only once they have arrived: the number of arrivals bounds
/// how much can be in transit. So they never wait for a slow sender.
const SMALL: usize = 8 << 10;

/// A compression flag and four bytes of length.
const PREFIX: usize = 5;

/// The memory of a message, from its first byte until the holder is done with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticket(Arc<Mutex<Option<Taken>>>);

impl Ticket {
    fn fill(&self, taken: Taken) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
    }

    /// Returns what was taken for the message.
    pub(crate) fn take(&self) -> Option<Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Taking = Pin<Box<dyn Future<Output = Result<Taken, AcquireError>> + Send>>;

/// A body that knows its message's length before it reads it.
pub(crate) struct Gated {
    inner: tonic::body::Body,
    shared: Shared,
    max_message: usize,
    ticket: Ticket,
    prefix: Vec<u8>,
    /// The length of the message, and how many of its bytes are still to come.
    length: usize,
    missing: usize,
    /// Present until the whole message has arrived.
    arrival: Option<Arrival>,
    /// Data that has been read, but not passed on until there is memory.
    held: Option<Bytes>,
    taking: Option<Taking>,
    overdue: Pin<Box<Sleep>>,
}

impl Gated {
    pub(crate) fn new(
        inner: tonic::body::Body,
        shared: Shared,
        max_message: usize,
        ticket: Ticket,
    ) -> Self {
        let (prefix, length, missing) = (Vec::new(), 0, 0);
        let (arrival, held, taking) = (Some(shared.arrivals.enter()), None, None);
        let overdue = Box::pin(sleep(ARRIVAL));
        Self {
            inner,
            shared,
            max_message,
            ticket,
            prefix,
            length,
            missing,
            arrival,
            held,
            taking,
            overdue,
        }
    }

    /// Inspects data before it is passed on.
    fn look(&mut self, data: &Bytes) -> Result<(), Status> {
        let mut rest = data.len();
        if self.prefix.len() < PREFIX {
            rest = rest.saturating_sub(PREFIX - self.prefix.len());
            self.begin(data)?;
            if self.prefix.len() < PREFIX {
                return Ok(());
            }
        }
        self.missing = self.missing.saturating_sub(rest);
        if self.missing == 0 && self.arrival.take().is_some() && self.length <= SMALL {
            self.take();
        }
        Ok(())
    }

    /// Takes the message's memory; whoever has held some for too long gives way.
    fn take(&mut self) {
        let (length, shared) = (self.length, self.shared.clone());
        let messages = shared.limits.lane(length).messages.clone();
        self.taking = Some(Box::pin(async move {
            let take = messages.take(length);
            tokio::pin!(take);
            loop {
                tokio::select! {
                    taken = &mut take => return taken,
                    () = sleep(GRACE) => {
                        shared.arrivals.give_way(length > ORDINARY);
                        shared.connections.close_stalled(GRACE);
                    }
                }
            }
        }));
    }

    /// Inspects the beginning of the message.
    fn begin(&mut self, data: &Bytes) -> Result<(), Status> {
        let missing = PREFIX - self.prefix.len();
        self.prefix.extend(data.iter().take(missing));
        let [_, a, b, c, d] = *self.prefix.as_slice() else { return Ok(()) };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.max_message {
            // In grpc-go's words, which people search for.
            return Err(Status::resource_exhausted(format!(
                "grpc: received message larger than max ({length} vs. {})",
                self.max_message
            )));
        }
        (self.length, self.missing) = (length, length);
        if length > SMALL {
            self.take();
        }
        Ok(())
    }
}

impl Body for Gated {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        loop {
            if let Some(arrival) = &mut this.arrival
                && Pin::new(&mut arrival.ended).poll(context).is_ready()
            {
                let slow = "too many requests are on their way, and this one for long; try again";
                return Poll::Ready(Some(Err(Status::unavailable(slow))));
            }
            if let Some(taking) = &mut this.taking {
                let taken = ready!(taking.as_mut().poll(context));
                this.taking = None;
                this.ticket.fill(taken.map_err(|_| Status::unavailable("the server is stopping"))?);
                this.overdue = Box::pin(sleep(ARRIVAL));
                if let Some(arrival) = &this.arrival {
                    arrival.holds(this.length > ORDINARY);
                }
            }
            if let Some(data) = this.held.take() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if this.arrival.is_some() && this.overdue.as_mut().poll(context).is_ready() {
                let late = Status::deadline_exceeded("the request did not arrive in time");
                return Poll::Ready(Some(Err(late)));
            }
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            let Some(data) = frame.data_ref().cloned() else {
                return Poll::Ready(Some(Ok(frame)));
            };
            this.look(&data)?;
            this.held = Some(data);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.taking.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // A size promised by the client would be believed without proof.
        SizeHint::default()
    }
}
