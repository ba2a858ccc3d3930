//! The two halves of a connection.

use std::error::Error;
use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use super::stream::TcpStream;

/// The reading half of [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing half of [`TcpStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// The reading half of [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The writing half of [`TcpStream::into_split`]. Dropping it sends FIN after what was written.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    shut_down_on_drop: bool,
}

pub(super) fn split(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn into_split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    let write = OwnedWriteHalf { stream: stream.clone(), shut_down_on_drop: true };
    (OwnedReadHalf(stream), write)
}

impl OwnedReadHalf {
    /// Puts two halves of one stream together again.
    ///
    /// # Errors
    /// When they are of different streams: both are given back.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    /// Puts two halves of one stream together again.
    ///
    /// # Errors
    /// When they are of different streams: both are given back.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops the half without shutting the sending side down.
    pub fn forget(mut self) {
        self.shut_down_on_drop = false;
    }
}

fn reunite(read: OwnedReadHalf, mut write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
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
            // A connection that is over already needs no FIN.
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

macro_rules! reading_half {
    ($half:ty: $self:ident => $stream:expr) => {
        impl $half {
            /// As [`TcpStream::peek`].
            ///
            /// # Errors
            /// Those of reading.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let $self = self;
                $stream.peek(buf).await
            }

            /// As [`TcpStream::poll_peek`].
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                let $self = self;
                $stream.poll_peek(cx, buf)
            }

            /// As [`TcpStream::ready`].
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                let $self = self;
                $stream.ready(interest).await
            }

            /// As [`TcpStream::readable`].
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub async fn readable(&self) -> io::Result<()> {
                let $self = self;
                $stream.readable().await
            }

            /// As [`TcpStream::try_read`].
            ///
            /// # Errors
            /// `WouldBlock` when nothing is there, and those of reading.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                let $self = self;
                $stream.try_read(buf)
            }

            /// As [`TcpStream::try_read_vectored`].
            ///
            /// # Errors
            /// Those of [`TcpStream::try_read`].
            pub fn try_read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
                let $self = self;
                $stream.try_read_vectored(bufs)
            }

            /// As [`TcpStream::try_read_buf`].
            ///
            /// # Errors
            /// Those of [`TcpStream::try_read`].
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                let $self = self;
                $stream.try_read_buf(buf)
            }

            /// This end's address.
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                let $self = self;
                $stream.local_addr()
            }

            /// The peer's address.
            ///
            /// # Errors
            /// Those of [`TcpStream::peer_addr`].
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                let $self = self;
                $stream.peer_addr()
            }
        }

        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let $self = &*self;
                $stream.poll_read_into(cx, buf)
            }
        }
    };
}

macro_rules! writing_half {
    ($half:ty: $self:ident => $stream:expr) => {
        impl $half {
            /// As [`TcpStream::ready`].
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                let $self = self;
                $stream.ready(interest).await
            }

            /// As [`TcpStream::writable`].
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub async fn writable(&self) -> io::Result<()> {
                let $self = self;
                $stream.writable().await
            }

            /// As [`TcpStream::try_write`].
            ///
            /// # Errors
            /// `WouldBlock` when there is no room, and those of writing.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                let $self = self;
                $stream.try_write(buf)
            }

            /// As [`TcpStream::try_write_vectored`].
            ///
            /// # Errors
            /// Those of [`TcpStream::try_write`].
            pub fn try_write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
                let $self = self;
                $stream.try_write_vectored(bufs)
            }

            /// This end's address.
            ///
            /// # Errors
            /// None; the signature is tokio's.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                let $self = self;
                $stream.local_addr()
            }

            /// The peer's address.
            ///
            /// # Errors
            /// Those of [`TcpStream::peer_addr`].
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                let $self = self;
                $stream.peer_addr()
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                let $self = &*self;
                $stream.poll_send(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let $self = &*self;
                $stream.poll_send_vectored(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Sends FIN after what was written.
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $self = &*self;
                Poll::Ready($stream.shut_down_sending())
            }
        }
    };
}

reading_half!(ReadHalf<'_>: half => half.0);
reading_half!(OwnedReadHalf: half => half.0);
writing_half!(WriteHalf<'_>: half => half.0);
writing_half!(OwnedWriteHalf: half => half.stream);

impl AsRef<TcpStream> for ReadHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}

impl AsRef<TcpStream> for WriteHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}

impl AsRef<TcpStream> for OwnedReadHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.0
    }
}

impl AsRef<TcpStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}
