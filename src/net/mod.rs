//! Sockets: the names, signatures and error kinds of `tokio::net`, over the calling task's host.
//!
//! Code written for `tokio::net` runs on a glassnet host after changing one import. A socket
//! belongs to the host whose task opened it, and streams implement tokio's [`AsyncRead`] and
//! [`AsyncWrite`], so `tokio::io`'s extension traits, codecs and protocol crates work on it.
//!
//! Sockets are `Send`. In a world on the wall clock other threads may use them: see
//! [`Live`](crate::Live). In a simulation only its own tasks should: a simulation does not wait for
//! threads, so what a thread does would happen at another virtual time in each run. A task that waits
//! for a thread is reported as waiting for neither a socket nor a timer. A thread that waits for a
//! socket is woken when the world ends.
//!
//! tokio's `poll_*` methods wake only the last task that polled; these wake all tasks that did. Many
//! methods return a `Result` only because tokio's do. Where a method names no errors, it has none,
//! except those of a crashed host, which its type names.
//!
//! [`mod@socket`] has the calls of BSD sockets, one by one, for all of them.
//!
//! [`tcp`] goes over the network; [`mod@unix`] stays on the host, between its tasks.
//!
//! [`AsyncRead`]: tokio::io::AsyncRead
//! [`AsyncWrite`]: tokio::io::AsyncWrite

pub mod addr;
mod attachment;
mod datagram;
mod dns;
mod failing;
mod halves;
mod host_handle;
pub mod names;
mod options;
mod ping;
mod ready;
pub mod socket;
mod status;
pub mod tcp;
mod udp;
pub mod unix;

pub use addr::{ToSocketAddrs, lookup_host};
pub(crate) use attachment::Attachment;
pub(crate) use dns::serve as serve_dns;
pub(crate) use host_handle::{DirtyHosts, HostHandle, Turn};
pub(crate) use names::{NameService, Names};
pub use ping::{Echo, Ping, ping};
#[cfg(feature = "tokio")]
pub(crate) use status::interface_addresses;
pub use status::{interfaces, netstat, nstat};
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixListener, UnixSocket, UnixStream};

/// Whether a text is read as an address, and so cannot be a name.
pub(crate) fn is_address(text: &str) -> bool {
    addr::Numeric::parse(text).is_some()
}
