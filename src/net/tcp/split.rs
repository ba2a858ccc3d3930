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
