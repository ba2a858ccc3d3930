//! Unix domain sockets (`AF_UNIX`, `unix(7)`): streams and datagrams between the tasks of one
//! host.
//!
//! Data passes through the host's memory at once: no frame appears on any link, and no time passes.
//! Every host has its own names, of two kinds:
//!
//! - **Paths.** There is no file system behind them: a path is a name, compared byte by byte,
//!   whether it is absolute or not, and needs no directory. As with a real one, the file of a
//!   socket stays when the socket is closed; [`remove_file`] removes it, as `unlink(2)` does, and
//!   a crash of the host removes all.
//! - **Abstract names**, which are free again when the socket is closed. As with tokio on Linux,
//!   [`UnixListener::bind`], [`UnixStream::connect`] and [`UnixSocket`] take a path that begins
//!   with a NUL byte for an abstract name; [`UnixDatagram`]'s methods do not.
//!
//! Names, signatures and error kinds are those of `tokio::net`. Left out are the methods that give
//! or take descriptors of the operating system (`from_std`, `into_std`, `AsRawFd`, `AsFd`) and
//! `peer_cred`: tasks of a host are no processes, so there are no credentials (`UCred`) to give;
//! `tokio::net::unix::pipe` is no socket.
//!
//! # Limits
//! Those of Linux, where it has any:
//!
//! | of | limit | beyond it |
//! |---|---|---|
//! | a path; an abstract name | 107 bytes | [`InvalidInput`](std::io::ErrorKind::InvalidInput) |
//! | an accept queue | backlog + 1; backlog at most 4,096 | connecting: [`WouldBlock`](std::io::ErrorKind::WouldBlock) |
//! | bytes that a socket has sent and the peer has not read | 212,992 | sending waits |
//! | a datagram | 212,960 bytes | `EMSGSIZE` |
//! | datagrams that wait at a socket which is not connected to their sender | 11 | sending waits |
//! | sockets of a host | 65,536 | `EMFILE` |
//! | names of a host, those of closed sockets included | 65,536 | `ENOSPC` |
//!
//! A datagram counts as 576 bytes more than it has, and at least 768. Linux counts so for
//! streams as well, write by write; here a byte of a stream counts as one.

mod addr;
mod datagram;
mod listener;
mod local;
mod socket;
mod split;
mod stream;

pub use addr::SocketAddr;
pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub(crate) use local::LocalSocket;
pub use socket::UnixSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::UnixStream;

use std::io;
use std::path::Path;

use super::attachment::attachment;

/// Removes a path from the name space of the calling task's host, as `unlink(2)` does: it can be
/// bound again. A socket that is bound to it goes on, but nobody can connect to it any more.
///
/// # Errors
/// [`NotFound`](io::ErrorKind::NotFound) when no socket has been bound to the path, and when the
/// caller is not a task of a host.
pub fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().as_os_str();
    Ok(attachment()?.host.call(|host, _| host.unix.unlink(path))?)
}
