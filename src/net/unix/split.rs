//! The two halves of a stream.

use std::error::Error;
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use super::addr::SocketAddr;
use super::stream::UnixStream;

/// The reading half of [`UnixStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a UnixStream);

/// The writing half of [`UnixStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a UnixStream);

/// The reading half of [`UnixStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<UnixStream>);

/// The writing half of [`UnixStream::into_split`]. Dropping it ends what the peer reads, after
/// what was written.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<UnixStream>,
    shut_down_on_drop: bool,
}

pub(super) fn split(stream: &mut UnixStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn into_split(stream: UnixStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    let write = OwnedWriteHalf { stream: stream.clone(), shut_down_on_drop: true };
    (OwnedReadHalf(stream), write)
}

impl OwnedReadHalf {
    /// Puts two halves of one stream together again.
    ///
    /// # Errors
    /// When they are of different streams: both are given back.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<UnixStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    /// Puts two halves of one stream together again.
    ///
    /// # Errors
    /// When they are of different streams: both are given back.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<UnixStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops the half without shutting the sending side down.
    pub fn forget(mut self) {
        self.shut_down_on_drop = false;
    }
}

fn reunite(read: OwnedReadHalf, mut write: OwnedWriteHalf) -> Result<UnixStream, ReuniteError> {
    if !Arc::ptr_eq(&read.0, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    write.shut_down_on_drop = false;
    drop(write);
    // Only the two halves held it.
    Arc::try_unwrap(read.0).map_err(|_| unreachable!("a half of a stream was cloned"))
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if mem::take(&mut self.shut_down_on_drop) {
            // A stream of a crashed host needs no end.
            let _ = self.stream.shut_down_sending();
        }
    }
}

/// The halves given to `reunite` are of different streams.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("tried to reunite halves that are not from the same socket")
    }
}

impl Error for ReuniteError {}

impl AsRef<UnixStream> for ReadHalf<'_> {
    fn as_ref(&self) -> &UnixStream {
        self.0
    }
}

impl AsRef<UnixStream> for WriteHalf<'_> {
    fn as_ref(&self) -> &UnixStream {
        self.0
    }
}

impl AsRef<UnixStream> for OwnedReadHalf {
    fn as_ref(&self) -> &UnixStream {
        &self.0
    }
}

impl AsRef<UnixStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &UnixStream {
        &self.stream
    }
}

macro_rules! either_half {
    ($half:ty) => {
        impl $half {
            /// As [`UnixStream::ready`].
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().ready(interest).await
            }

            /// This end's address.
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().local_addr()
            }

            /// The peer's address.
            ///
            /// # Errors
            /// Those of [`UnixStream::peer_addr`].
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().peer_addr()
            }
        }
    };
}

macro_rules! reading_half {
    ($half:ty) => {
        either_half!($half);

        impl $half {
            /// As [`UnixStream::readable`].
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub async fn readable(&self) -> io::Result<()> {
                self.as_ref().readable().await
            }

            /// As [`UnixStream::try_read`].
            ///
            /// # Errors
            /// Those of [`UnixStream::try_read`].
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buf)
            }

            /// As [`UnixStream::try_read_buf`].
            ///
            /// # Errors
            /// Those of [`UnixStream::try_read`].
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                self.as_ref().try_read_buf(buf)
            }

            /// As [`UnixStream::try_read_vectored`].
            ///
            /// # Errors
            /// Those of [`UnixStream::try_read`].
            pub fn try_read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().try_read_vectored(bufs)
            }
        }

        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                (*self).as_ref().poll_receive(cx, buf)
            }
        }
    };
}

macro_rules! writing_half {
    ($half:ty) => {
        either_half!($half);

        impl $half {
            /// As [`UnixStream::writable`].
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub async fn writable(&self) -> io::Result<()> {
                self.as_ref().writable().await
            }

            /// As [`UnixStream::try_write`].
            ///
            /// # Errors
            /// Those of [`UnixStream::try_write`].
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(buf)
            }

            /// As [`UnixStream::try_write_vectored`].
            ///
            /// # Errors
            /// Those of [`UnixStream::try_write`].
            pub fn try_write_vectored(&self, buf: &[io::IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_vectored(buf)
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                (*self).as_ref().poll_send(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                (*self).as_ref().poll_send_vectored(bufs, Some(cx.waker()))
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready((*self).as_ref().shut_down_sending())
            }
        }
    };
}

reading_half!(ReadHalf<'_>);
reading_half!(OwnedReadHalf);
writing_half!(WriteHalf<'_>);
writing_half!(OwnedWriteHalf);
