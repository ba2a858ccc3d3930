//! TCP sockets.

mod listener;
mod sock_ref;
mod socket;
mod split;
mod stream;

pub use listener::TcpListener;
pub use sock_ref::{SockRef, TcpKeepalive};
pub use socket::TcpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
