//! A request's body, read only as fast as its message may take memory.
//!
//! gRPC sends a message's length before the message. It is looked at here, before any more is read:
//! a message that is too large is refused, and one that does not fit at the moment waits in the
//! client and in HTTP/2's window. A body that does not arrive in time is given up.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::AcquireError;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use crate::limits::{Limits, Taken};

/// How long a client may take to send a message, the wait for memory not counted.
const ARRIVAL: Duration = Duration::from_secs(30);

/// A compression flag and four bytes of length.
const PREFIX: usize = 5;

/// The memory of a message, from its first byte until whoever holds this is done with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticket(Arc<Mutex<Option<Taken>>>);

impl Ticket {
    fn fill(&self, taken: Taken) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
    }

    /// What was taken for the message.
    pub(crate) fn take(&self) -> Option<Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Taking = Pin<Box<dyn Future<Output = Result<Taken, AcquireError>> + Send>>;

/// A body that knows its message's length before it reads it.
pub(crate) struct Gated {
    inner: tonic::body::Body,
    limits: Limits,
    max_message: usize,
    ticket: Ticket,
    prefix: Vec<u8>,
    /// Read, but not to be passed on before the memory is there.
    held: Option<Bytes>,
    taking: Option<Taking>,
    arrival: Pin<Box<Sleep>>,
}

impl Gated {
    pub(crate) fn new(
        inner: tonic::body::Body,
        limits: Limits,
        max_message: usize,
        ticket: Ticket,
    ) -> Self {
        let (prefix, held, taking) = (Vec::new(), None, None);
        let arrival = Box::pin(sleep(ARRIVAL));
        Self { inner, limits, max_message, ticket, prefix, held, taking, arrival }
    }

    /// Look at the beginning of the message.
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
        let messages = self.limits.lane(length).messages.clone();
        self.taking = Some(Box::pin(async move { messages.take(length).await }));
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
            if let Some(taking) = &mut this.taking {
                let taken = ready!(taking.as_mut().poll(context));
                this.taking = None;
                this.ticket.fill(taken.map_err(|_| Status::unavailable("the server is stopping"))?);
                this.arrival = Box::pin(sleep(ARRIVAL));
            }
            if let Some(data) = this.held.take() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if this.arrival.as_mut().poll(context).is_ready() {
                let late = Status::deadline_exceeded("the request did not arrive in time");
                return Poll::Ready(Some(Err(late)));
            }
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            let Some(data) = frame.data_ref().filter(|_| this.prefix.len() < PREFIX).cloned()
            else {
                return Poll::Ready(Some(Ok(frame)));
            };
            this.begin(&data)?;
            this.held = Some(data);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // A promise of the client's would only be believed.
        SizeHint::default()
    }
}
