//! TCP sockets, with all that tokio's have, but for what exposes descriptors or sockets of the
//! operating system: `from_std`, `into_std`, `from_std_stream`, and the traits of `std::os`. A
//! socket of a glassnet host has neither, so `AsyncFd` cannot be had either.
//!
//! [`SockRef`] has the options that tokio leaves to `socket2::SockRef`, under the same names.

mod binding;
mod borrowed;
mod connection;
mod endpoint;
mod keepalive;
mod listener;
mod sock_ref;
mod socket;
mod split;
mod stream;

pub(super) use borrowed::TcpRef;
pub(super) use connection::Connection;
pub(super) use endpoint::Endpoint;
pub use keepalive::TcpKeepalive;
pub use listener::TcpListener;
pub use sock_ref::SockRef;
pub use socket::TcpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
