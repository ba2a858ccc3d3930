//! The two halves of a connection.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::stream::TcpStream;
use crate::net::halves::halves;

halves! {
    stream: TcpStream,
    address: SocketAddr,
    ending: "sends FIN after what was written",
    errors: "\
        Both halves are one socket, and as on Linux a socket tells of the end of its connection \
        once, to the call that asks first. If the peer resets the connection and a write meets \
        that first, it fails with [`ConnectionReset`](std::io::ErrorKind::ConnectionReset), and \
        **the read half reads a clean end**: `Ok(0)`, as after a FIN, though data of the peer may \
        be missing. If a read meets it first, the write half fails with \
        [`BrokenPipe`](std::io::ErrorKind::BrokenPipe). It is the same with \
        [`TimedOut`](std::io::ErrorKind::TimedOut) and every other error of a connection, and \
        `take_error` takes it from both.\n\n\
        So an end that the read half reads says that the stream is whole only while no write has \
        failed. A task that reads to the end and one that writes tell each other of errors, or the \
        protocol says where the stream ends.",
}

/// What the reading half has of TCP's streams only.
macro_rules! peeking_half {
    ($half:ty) => {
        impl $half {
            /// As [`TcpStream::peek`].
            ///
            /// # Errors
            /// Those of reading.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buf).await
            }

            /// As [`TcpStream::poll_peek`].
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(cx, buf)
            }
        }
    };
}

peeking_half!(ReadHalf<'_>);
peeking_half!(OwnedReadHalf);
