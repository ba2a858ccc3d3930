//! Sockets: the names, signatures and error kinds of `tokio::net`, over the calling task's host.
//!
//! Code written for `tokio::net` runs on a glassnet host after changing one import. A socket
//! belongs to the host whose task opened it, and implements tokio's [`AsyncRead`] and
//! [`AsyncWrite`], so `tokio::io`'s extension traits, codecs and protocol crates work on it.
//!
//! Sockets are `Send`. In a world on the wall clock another thread may use them: see
//! [`Live`](crate::Live). A world in virtual time is for its own tasks alone: it waits for no
//! thread, and what a thread does comes at another moment in each run. A task that waits for one is
//! reported as waiting for neither a socket nor a timer, and a thread that waits for a socket hears
//! of the end of the world.
//!
//! [`mod@socket`] has the calls of BSD sockets, one by one, for all of them.
//!
//! [`tcp`] goes over the network; [`mod@unix`] stays on the host, between its tasks.
//!
//! [`AsyncRead`]: tokio::io::AsyncRead
//! [`AsyncWrite`]: tokio::io::AsyncWrite

pub mod addr;
mod datagram;
mod dns;
mod failing;
mod halves;
mod host_handle;
pub mod names;
mod ping;
mod ready;
pub mod socket;
pub mod tcp;
mod udp;
pub mod unix;

pub use addr::{ToSocketAddrs, lookup_host};
pub(crate) use dns::serve as serve_dns;
pub(crate) use failing::NoteFailure;
pub(crate) use host_handle::{DirtyHosts, HostHandle, Turn};
pub(crate) use names::{NameService, Names};
pub use ping::{Echo, Ping, ping};
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixListener, UnixSocket, UnixStream};

use std::io;
use std::sync::Arc;

use crate::error::outside_a_host;
use crate::task::context;

/// What a host gives its sockets: its stack, and its way to names.
pub(crate) struct Attachment {
    pub(crate) host: Arc<HostHandle>,
    pub(crate) names: Arc<NameService>,
}

/// Whether a text is taken for an address, and so cannot be a name.
pub(crate) fn is_address(text: &str) -> bool {
    addr::Numeric::parse(text).is_some()
}

/// The attachment of the host of the task that is running.
fn attachment() -> io::Result<Arc<Attachment>> {
    let scope = context::scope().ok_or_else(outside_a_host)?;
    scope.stack.clone().downcast().map_err(|_| outside_a_host())
}
