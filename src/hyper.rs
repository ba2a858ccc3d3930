//! What [`hyper`](https://docs.rs/hyper) 1 wants of a runtime: an [`Executor`], a [`Timer`], and
//! [`Io`] around a socket. Feature `hyper`.
//!
//! ```
//! use glassnet::hyper::{Executor, Io, Timer};
//! use glassnet::{Sim, net::{TcpListener, TcpStream}};
//! use http_body_util::{BodyExt, Empty, Full};
//! use hyper::body::Bytes;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//!
//! let mut sim = Sim::new(7);
//! sim.host("server", || async {
//!     let listener = TcpListener::bind("0.0.0.0:80").await?;
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         let hello = service_fn(async |_| {
//!             Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from("hello"))))
//!         });
//!         // The date is the wall clock's: the same seed would not give the same bytes.
//!         let mut http = hyper::server::conn::http2::Builder::new(Executor);
//!         http.timer(Timer).auto_date_header(false);
//!         glassnet::spawn(http.serve_connection(Io::new(stream), hello));
//!     }
//! });
//! sim.client("client", async {
//!     let stream = TcpStream::connect("server:80").await?;
//!     let (mut sender, connection) =
//!         hyper::client::conn::http2::handshake(Executor, Io::new(stream)).await?;
//!     glassnet::spawn(connection);
//!     let request = Request::get("http://server/").body(Empty::<Bytes>::new())?;
//!     let body = sender.send_request(request).await?.into_body().collect().await?;
//!     assert_eq!(body.to_bytes(), "hello");
//!     Ok(())
//! });
//! sim.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `hyper_util::rt::TokioIo` works as it is in the place of [`Io`]: it needs nothing but tokio's
//! I/O traits. Its `TokioExecutor` and `TokioTimer` do not, because they need tokio's runtime.

use std::future::Future;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::hyper::rt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::time::{Instant, Sleep, sleep, sleep_until};

/// Runs hyper's tasks on the host of the calling task, as [`spawn`](crate::spawn) does. They need
/// not be `Send`.
///
/// # Panics
/// As [`spawn`](crate::spawn): when hyper spawns outside a task of a world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> rt::Executor<F> for Executor
where
    F: Future + 'static,
    F::Output: 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        // The task runs on without its handle.
        drop(crate::spawn(future));
    }
}

/// hyper's timeouts and keep-alives on the world's clock.
///
/// hyper counts in [`std::time::Instant`], which no program can make out of a number: the clock
/// of the machine is read once a process, for an instant that stands for the beginning of every
/// world, and only the distance to it is used.
///
/// # Panics
/// As [`Instant::now`]: when hyper asks for the time outside a task of a world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(sleep(duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(sleep_until(into_ours(deadline)))
    }

    fn now(&self) -> std::time::Instant {
        let since_start = Instant::now().since_start();
        // Some systems' instants end before the world's 584 years do.
        beginning().checked_add(since_start).unwrap_or_else(beginning)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, new_deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(ours) => ours.reset(into_ours(new_deadline)),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

impl rt::Sleep for Sleep {}

/// Stands for the instant at which every world begins.
fn beginning() -> std::time::Instant {
    static BEGINNING: OnceLock<std::time::Instant> = OnceLock::new();
    #[allow(clippy::disallowed_methods, reason = "any instant will do: only distances are used")]
    *BEGINNING.get_or_init(std::time::Instant::now)
}

fn into_ours(instant: std::time::Instant) -> Instant {
    Instant::from_nanos(0) + instant.saturating_duration_since(beginning())
}

/// How much of a message is read at once: hyper's own first buffer.
const CHUNK: usize = 8 * 1024;

/// Gives a socket, or anything with tokio's I/O traits, the I/O traits of hyper, and the other
/// way round: an upgraded connection of hyper's becomes one for tokio's traits.
///
/// Reading copies each byte once more, because hyper's buffers can be filled directly only with
/// `unsafe`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Io<T> {
    inner: T,
}

impl<T> Io<T> {
    /// Wraps a stream.
    pub fn new(inner: T) -> Io<T> {
        Io { inner }
    }

    /// The stream.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// The stream, to change it.
    pub fn inner_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Takes the stream out. Nothing is lost: there is no buffer here.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: AsyncRead + Unpin> rt::Read for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut chunk = [const { MaybeUninit::<u8>::uninit() }; CHUNK];
        let most = cursor.remaining().min(CHUNK);
        let mut read = ReadBuf::uninit(&mut chunk[..most]);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
        cursor.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: rt::Read + Unpin> AsyncRead for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut read = rt::ReadBuf::new(buffer.initialize_unfilled());
        ready!(Pin::new(&mut self.inner).poll_read(cx, read.unfilled()))?;
        let filled = read.filled().len();
        buffer.advance(filled);
        Poll::Ready(Ok(()))
    }
}

/// Writing, which both traits have in the same words.
macro_rules! write_through {
    ($inner:path => $outer:path) => {
        impl<T: $inner + Unpin> $outer for Io<T> {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.inner).poll_write(cx, bytes)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.inner).poll_flush(cx)
            }

            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.inner).poll_shutdown(cx)
            }

            fn is_write_vectored(&self) -> bool {
                self.inner.is_write_vectored()
            }

            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
            }
        }
    };
}

write_through!(AsyncWrite => rt::Write);
write_through!(rt::Write => AsyncWrite);
