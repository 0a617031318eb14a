//! One accepted connection, encrypted or not, that is closed patiently.
//!
//! A socket that is closed while bytes from the peer are unread is reset, and a reset discards what
//! the peer has not read yet: the end of an answer. HTTP/2 clients send window updates while they
//! read, so this happens while draining. Therefore closing says that nothing more will be sent,
//! then reads until the peer closes too, for at most [`LINGER`].
//!
//! It ends by itself if its place is given to another, or if its client does not start to speak
//! HTTP/2 in time or floods it with unsolicited frames.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::connections::{Activity, Place};
use crate::frames::Frames;

/// How long a client may take to send its first frame.
const BEGINNING: Duration = Duration::from_secs(10);

/// How long a peer may take to close after us.
const LINGER: Duration = Duration::from_secs(2);

/// A connection of the server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    place: Place,
    frames: Frames,
    /// Present until the first frame.
    beginning: Option<Pin<Box<Sleep>>>,
    ended: bool,
    /// Set once our side is closed.
    linger: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    fn new(stream: Stream, place: Place) -> Self {
        let beginning = Some(Box::pin(sleep(BEGINNING)));
        let frames = Frames::new(Instant::now());
        Self { stream, place, frames, beginning, ended: false, linger: None }
    }

    pub(crate) fn plain(stream: TcpStream, place: Place) -> Self {
        Self::new(Stream::Plain(stream), place)
    }

    pub(crate) fn tls(stream: TlsStream<TcpStream>, place: Place) -> Self {
        Self::new(Stream::Tls(Box::new(stream)), place)
    }

    /// Returns why it must end now, if it must.
    fn must_end(&mut self, context: &mut Context<'_>) -> Option<io::Error> {
        self.ended = self.ended || Pin::new(&mut self.place.closed).poll(context).is_ready();
        if self.ended {
            return Some(io::Error::new(io::ErrorKind::ConnectionAborted, "closed by the server"));
        }
        if self.frames.begun {
            self.beginning = None;
        }
        let late = self.beginning.as_mut()?.as_mut().poll(context).is_ready();
        late.then(|| io::Error::new(io::ErrorKind::TimedOut, "the client did not begin to speak"))
    }
}

impl Connected for Connection {
    type ConnectInfo = Arc<Activity>;

    fn connect_info(&self) -> Self::ConnectInfo {
        Arc::clone(&self.place.activity)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none()
            && let Some(end) = this.must_end(context)
        {
            return Poll::Ready(Err(end));
        }
        let before = buffer.filled().len();
        ready!(match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        })?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        this.place.activity.moved(read.len());
        if this.linger.is_none() && !this.frames.read(read, Instant::now) {
            tracing::warn!("connection closed: too many frames without a request");
            let calm = "too many frames without a request";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, calm)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        })?;
        this.place.activity.moved(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(match &mut self.stream {
                Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
                Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            })?;
            self.linger = Some(Box::pin(sleep(LINGER)));
        }
        loop {
            if let Some(linger) = &mut self.linger
                && linger.as_mut().poll(context).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            let mut scratch = [0; 1024];
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(self.as_mut().poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        })?;
        this.place.activity.moved(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
