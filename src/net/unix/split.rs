//! The two halves of a stream.

use super::addr::SocketAddr;
use super::stream::UnixStream;
use crate::net::halves::halves;

halves! {
    stream: UnixStream,
    address: SocketAddr,
    ending: "ends what the peer reads, after what was written",
    errors: "\
        Both halves are one socket, and as on Linux a socket tells of a reset once. When the peer \
        closes without having read everything, writes fail with \
        [`BrokenPipe`](std::io::ErrorKind::BrokenPipe), each of them, and leave the error to the read \
        half: it reads what had arrived, then fails with \
        [`ConnectionReset`](std::io::ErrorKind::ConnectionReset) once, and from then on **reads a clean \
        end**, `Ok(0)`. `take_error` on either half takes the error, and then that clean end follows \
        what had arrived.",
}
