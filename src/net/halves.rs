//! Streams as tokio's are: their I/O traits and their halves, which are the same for TCP's and for
//! those of the UNIX domain.

// What the macros name: the module that calls them has it from here.
pub(crate) use std::error::Error;
pub(crate) use std::pin::Pin;
pub(crate) use std::sync::Arc;
pub(crate) use std::task::{Context, Poll};
pub(crate) use std::{fmt, io, mem};

pub(crate) use bytes::BufMut;
pub(crate) use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

/// Makes the halves of a stream, and gives them and the stream tokio's I/O traits. To be called
/// once in a module, as the names of the halves are always tokio's.
///
/// The halves forward to the stream's methods of the same names; the I/O traits to its
/// `poll_read_into`, `poll_send`, `poll_send_vectored` and `shut_down_sending`. `ending` says in
/// the documentation what the last of them does, `errors` which half is told of an error.
macro_rules! halves {
    (
        stream: $stream:ident,
        address: $address:ty,
        ending: $ending:literal,
        errors: $errors:literal $(,)?
    ) => {
        use $crate::net::halves::*;

        #[doc = concat!("The reading half of [`", stringify!($stream), "::split`].")]
        #[derive(Debug)]
        pub struct ReadHalf<'a>(&'a $stream);

        #[doc = concat!("The writing half of [`", stringify!($stream), "::split`].")]
        #[derive(Debug)]
        pub struct WriteHalf<'a>(&'a $stream);

        #[doc = concat!("The reading half of [`", stringify!($stream), "::into_split`].")]
        #[derive(Debug)]
        pub struct OwnedReadHalf(Arc<$stream>);

        #[doc = concat!("The writing half of [`", stringify!($stream), "::into_split`].")]
        #[doc = concat!("Dropping it ", $ending, ".")]
        #[derive(Debug)]
        pub struct OwnedWriteHalf {
            stream: Arc<$stream>,
            shut_down_on_drop: bool,
        }

        impl $stream {
            /// Splits into two halves that borrow the stream.
            ///
            /// An error is told to one of them: see [`into_split`](Self::into_split).
            pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
                (ReadHalf(self), WriteHalf(self))
            }

            /// Splits into two halves that can go to different tasks. Dropping the write half shuts
            /// the sending side down.
            ///
            /// # Errors of the halves
            #[doc = $errors]
            #[must_use]
            pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
                let stream = Arc::new(self);
                let write = OwnedWriteHalf { stream: stream.clone(), shut_down_on_drop: true };
                (OwnedReadHalf(stream), write)
            }
        }

        impl OwnedReadHalf {
            /// Puts two halves of one stream together again.
            ///
            /// # Errors
            /// When they are of different streams: both are given back.
            pub fn reunite(self, other: OwnedWriteHalf) -> Result<$stream, ReuniteError> {
                reunite(self, other)
            }
        }

        impl OwnedWriteHalf {
            /// Puts two halves of one stream together again.
            ///
            /// # Errors
            /// When they are of different streams: both are given back.
            pub fn reunite(self, other: OwnedReadHalf) -> Result<$stream, ReuniteError> {
                reunite(other, self)
            }

            /// Drops the half without shutting the sending side down.
            pub fn forget(mut self) {
                self.shut_down_on_drop = false;
            }
        }

        fn reunite(
            read: OwnedReadHalf,
            mut write: OwnedWriteHalf,
        ) -> Result<$stream, ReuniteError> {
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
                    // A connection that is over already, as on a host that crashed, needs no end.
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

        refers_to_stream!($stream, stream => stream, $stream);
        refers_to_stream!(ReadHalf<'_>, half => half.0, $stream);
        refers_to_stream!(WriteHalf<'_>, half => half.0, $stream);
        refers_to_stream!(OwnedReadHalf, half => &half.0, $stream);
        refers_to_stream!(OwnedWriteHalf, half => &half.stream, $stream);

        reads_from_stream!($stream, $stream);
        reads_from_stream!(ReadHalf<'_>, $stream);
        reads_from_stream!(OwnedReadHalf, $stream);

        writes_to_stream!($stream, $stream, $ending);
        writes_to_stream!(WriteHalf<'_>, $stream, $ending);
        writes_to_stream!(OwnedWriteHalf, $stream, $ending);

        reading_half!(ReadHalf<'_>, $stream, $address);
        reading_half!(OwnedReadHalf, $stream, $address);
        writing_half!(WriteHalf<'_>, $stream, $address);
        writing_half!(OwnedWriteHalf, $stream, $address);
    };
}

/// Gives the stream that a half is of, or that it is itself.
macro_rules! refers_to_stream {
    ($type:ty, $self:ident => $reference:expr, $stream:ident) => {
        impl AsRef<$stream> for $type {
            fn as_ref(&self) -> &$stream {
                let $self = self;
                $reference
            }
        }
    };
}

/// `AsyncRead` for the stream, or a half of it.
macro_rules! reads_from_stream {
    ($type:ty, $stream:ident) => {
        impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let stream: &$stream = (*self).as_ref();
                stream.poll_read_into(cx, buf)
            }
        }
    };
}

/// `AsyncWrite` for the stream, or a half of it.
macro_rules! writes_to_stream {
    ($type:ty, $stream:ident, $ending:literal) => {
        impl AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                let stream: &$stream = (*self).as_ref();
                stream.poll_send(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let stream: &$stream = (*self).as_ref();
                stream.poll_send_vectored(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            /// Nothing to do: what was written is sent without it.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            #[doc = concat!("Shuts the sending side down: ", $ending, ". Reading goes on.")]
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                let stream: &$stream = (*self).as_ref();
                Poll::Ready(stream.shut_down_sending())
            }
        }
    };
}

/// What both halves have.
macro_rules! either_half {
    ($half:ty, $stream:ident, $address:ty) => {
        impl $half {
            #[doc = concat!("As [`", stringify!($stream), "::ready`].")]
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().ready(interest).await
            }

            /// This end's address.
            pub fn local_addr(&self) -> io::Result<$address> {
                self.as_ref().local_addr()
            }

            /// The peer's address.
            ///
            /// # Errors
            #[doc = concat!("Those of [`", stringify!($stream), "::peer_addr`].")]
            pub fn peer_addr(&self) -> io::Result<$address> {
                self.as_ref().peer_addr()
            }
        }
    };
}

/// What the reading half has, whether it borrows or owns.
macro_rules! reading_half {
    ($half:ty, $stream:ident, $address:ty) => {
        either_half!($half, $stream, $address);

        impl $half {
            #[doc = concat!("As [`", stringify!($stream), "::readable`].")]
            pub async fn readable(&self) -> io::Result<()> {
                self.as_ref().readable().await
            }

            #[doc = concat!("As [`", stringify!($stream), "::try_read`].")]
            ///
            /// # Errors
            /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) when nothing is there, and those of
            /// reading.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buf)
            }

            #[doc = concat!("As [`", stringify!($stream), "::try_read_vectored`].")]
            ///
            /// # Errors
            #[doc = concat!("Those of [`", stringify!($stream), "::try_read`].")]
            pub fn try_read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().try_read_vectored(bufs)
            }

            #[doc = concat!("As [`", stringify!($stream), "::try_read_buf`].")]
            ///
            /// # Errors
            #[doc = concat!("Those of [`", stringify!($stream), "::try_read`].")]
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                self.as_ref().try_read_buf(buf)
            }
        }
    };
}

/// What the writing half has, whether it borrows or owns.
macro_rules! writing_half {
    ($half:ty, $stream:ident, $address:ty) => {
        either_half!($half, $stream, $address);

        impl $half {
            #[doc = concat!("As [`", stringify!($stream), "::writable`].")]
            pub async fn writable(&self) -> io::Result<()> {
                self.as_ref().writable().await
            }

            #[doc = concat!("As [`", stringify!($stream), "::try_write`].")]
            ///
            /// # Errors
            /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) when there is no room, and those of
            /// writing.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(buf)
            }

            #[doc = concat!("As [`", stringify!($stream), "::try_write_vectored`].")]
            ///
            /// # Errors
            #[doc = concat!("Those of [`", stringify!($stream), "::try_write`].")]
            pub fn try_write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_vectored(bufs)
            }
        }
    };
}

pub(crate) use {
    either_half, halves, reading_half, reads_from_stream, refers_to_stream, writes_to_stream,
    writing_half,
};
