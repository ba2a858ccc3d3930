//! The calls themselves.

use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use super::address::Address;
use super::wait::Direction;
use super::{End, SockAddr, Socket};
use crate::error::Errno;
use crate::net::failing::NoteFailure;
use crate::net::unix;
use crate::time::timeout;

impl Socket {
    /// `bind(2)`: gives the socket an address; port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse);
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address that is not the
    /// host's; [`InvalidInput`](io::ErrorKind::InvalidInput) (EINVAL) when it is bound already,
    /// for a link-local address without its scope, and for an IPv4 address when it is of IPv6;
    /// EAFNOSUPPORT for any other address of another domain.
    pub fn bind(&self, address: &SockAddr) -> io::Result<()> {
        match &self.end {
            End::Stream(endpoint) => endpoint.bind(to_inet(address)?),
            End::Datagram(datagram) => datagram.bind(to_inet(address)?),
            End::Local(local) => local.bind(to_unix(address)?),
        }
    }

    /// `listen(2)`. An unbound socket of an IP domain takes an ephemeral port; a second call
    /// changes the backlog. As on Linux, `backlog` + 1 connections may complete before one is
    /// accepted; a negative backlog stands for the largest, 4096.
    ///
    /// # Errors
    /// EOPNOTSUPP for a socket that is no stream, EINVAL for one that is connected,
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when another listens there.
    pub fn listen(&self, backlog: i32) -> io::Result<()> {
        let backlog = u32::try_from(backlog).unwrap_or(u32::MAX);
        match &self.end {
            End::Stream(endpoint) => endpoint.listen(backlog),
            End::Datagram(_) => Err(Errno::OperationNotSupported.into()),
            End::Local(local) => local.listen(backlog),
        }
    }

    /// `accept(2)`: waits for a connection, and returns it with the peer's address. Dropping the
    /// future loses no connection.
    ///
    /// # Errors
    /// EINVAL when it does not listen, or does no longer; EOPNOTSUPP when it is no stream;
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when it is nonblocking, or the
    /// [read timeout](Socket::set_read_timeout) ran out.
    pub async fn accept(&self) -> io::Result<(Socket, SockAddr)> {
        let modes = *self.modes();
        let (end, peer) = match &self.end {
            End::Stream(endpoint) => {
                let accepting = |waker: Option<&_>| endpoint.poll_accept(waker);
                let accepted = modes.wait(Direction::Read, Errno::TryAgain, accepting).await?;
                let peer = accepted.peer().into();
                (End::Stream(Box::new(endpoint.of_accepted(accepted))), peer)
            }
            End::Datagram(_) => return Err(Errno::OperationNotSupported.into()),
            End::Local(local) => {
                let accepting = |waker: Option<&_>| local.poll_accept(waker);
                let accepted = modes.wait(Direction::Read, Errno::TryAgain, accepting).await?;
                let peer = accepted.peer_addr().unwrap_or_else(|_| unix::SocketAddr::unnamed());
                (End::Local(accepted), peer.into())
            }
        };
        Ok((Socket::of(self.domain, self.kind, self.protocol, end), peer))
    }

    /// `connect(2)`: connects a stream, or sets the peer of a datagram socket. Dropping the
    /// future does not end the attempt: the next call goes on with it.
    ///
    /// # Errors
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) when nobody listens there, or for
    /// port 0; [`TimedOut`](io::ErrorKind::TimedOut) when nothing answers;
    /// [`HostUnreachable`](io::ErrorKind::HostUnreachable) when the host does not answer ARP or
    /// neighbour discovery, or a router says so;
    /// [`NetworkUnreachable`](io::ErrorKind::NetworkUnreachable) without a route; EISCONN when it
    /// is connected, or listens; EAFNOSUPPORT or EINVAL for an address of another domain. A
    /// nonblocking socket, or one whose [write timeout](Socket::set_write_timeout) ran out, gives
    /// EINPROGRESS, and EALREADY from the second call on, until the attempt is over.
    /// In the UNIX domain: [`NotFound`](io::ErrorKind::NotFound),
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) and EPROTOTYPE, as
    /// [`unix`] says.
    pub async fn connect(&self, address: &SockAddr) -> io::Result<()> {
        let modes = *self.modes();
        match &self.end {
            End::Stream(endpoint) => {
                let peer = to_inet(address)?;
                let mut begun = false;
                let connecting = |waker: Option<&_>| endpoint.poll_connect(peer, &mut begun, waker);
                modes.wait(Direction::Write, Errno::InProgress, connecting).await
            }
            End::Datagram(datagram) => datagram.connect(Some(to_inet(address)?)),
            End::Local(local) => {
                let address = to_unix(address)?;
                let connecting = |waker: Option<&_>| local.poll_connect(address, waker);
                modes.wait(Direction::Write, Errno::TryAgain, connecting).await
            }
        }
    }

    /// [`connect`](Socket::connect), for at most this long.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) when the time ran out,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for no time at all, and those of `connect`.
    pub async fn connect_timeout(&self, address: &SockAddr, limit: Duration) -> io::Result<()> {
        if limit.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "cannot set a 0 duration timeout",
            ));
        }
        match timeout(limit, self.connect(address)).await {
            Ok(connected) => connected,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "connection timed out")),
        }
    }

    /// `send(2)`: sends to the peer, and returns the number of bytes taken.
    ///
    /// # Errors
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) when a stream is not connected, or is so no
    /// longer; [`ConnectionReset`](io::ErrorKind::ConnectionReset), once, after the peer's
    /// reset; for a datagram socket EDESTADDRREQ without a peer, EMSGSIZE for too many bytes,
    /// and [`ConnectionRefused`](io::ErrorKind::ConnectionRefused), once, when the last was not
    /// delivered; [`WouldBlock`](io::ErrorKind::WouldBlock) without room, when it is nonblocking
    /// or the [write timeout](Socket::set_write_timeout) ran out.
    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        let modes = *self.modes();
        let sending = |waker: Option<&_>| match &self.end {
            End::Stream(endpoint) => endpoint.poll_send(data, waker),
            End::Datagram(datagram) => datagram.poll_send(data, None, waker),
            End::Local(local) => local.poll_send(data, None, waker),
        };
        modes.wait(Direction::Write, Errno::TryAgain, sending).await
    }

    /// `sendto(2)`: sends a datagram to an address. A stream ignores the address if it is
    /// connected, as Linux's TCP does.
    ///
    /// # Errors
    /// Those of [`send`](Socket::send); EINVAL for port 0;
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) (EACCES) for a broadcast address
    /// without [`set_broadcast`](Socket::set_broadcast);
    /// [`NetworkUnreachable`](io::ErrorKind::NetworkUnreachable) without a route; for a stream of
    /// the UNIX domain EISCONN, or EOPNOTSUPP without a peer.
    pub async fn send_to(&self, data: &[u8], address: &SockAddr) -> io::Result<usize> {
        let modes = *self.modes();
        match &self.end {
            End::Stream(_) => self.send(data).await,
            End::Datagram(datagram) => {
                let to = to_inet(address)?;
                let sending = |waker: Option<&_>| datagram.poll_send(data, Some(to), waker);
                modes.wait(Direction::Write, Errno::TryAgain, sending).await
            }
            End::Local(local) => {
                let to = to_unix(address)?;
                let sending = |waker: Option<&_>| local.poll_send(data, Some(to), waker);
                modes.wait(Direction::Write, Errno::TryAgain, sending).await
            }
        }
    }

    /// `recv(2)`: receives what has arrived, at most as much as fits `buffer`. For a stream 0 is its
    /// end; of a datagram the rest is lost.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) for a stream that is not;
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset), once, after the peer's reset, and 0
    /// from then on; [`TimedOut`](io::ErrorKind::TimedOut), once, when the peer answers no more;
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused), once, when a datagram was not
    /// delivered; [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing is there and it is
    /// nonblocking, or the [read timeout](Socket::set_read_timeout) ran out.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.receive(buffer, false).await?.0)
    }

    /// `recvfrom(2)`: [`recv`](Socket::recv), with the sender's address. That of a stream's peer
    /// is as [`peer_addr`](Socket::peer_addr) gives it.
    ///
    /// # Errors
    /// Those of [`recv`](Socket::recv).
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
        let (len, from) = self.receive(buffer, false).await?;
        Ok((len, from.map_or_else(|| self.peer_addr(), Ok)?))
    }

    /// `recv(2)` with `MSG_PEEK`: what is received stays in the queue.
    ///
    /// # Errors
    /// Those of [`recv`](Socket::recv).
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.receive(buffer, true).await?.0)
    }

    /// `recvfrom(2)` with `MSG_PEEK`.
    ///
    /// # Errors
    /// Those of [`recv`](Socket::recv).
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
        let (len, from) = self.receive(buffer, true).await?;
        Ok((len, from.map_or_else(|| self.peer_addr(), Ok)?))
    }

    async fn receive(
        &self,
        buffer: &mut [u8],
        peek: bool,
    ) -> io::Result<(usize, Option<SockAddr>)> {
        let received = self.receive_message(buffer, peek, false).await?;
        Ok((received.len, received.from))
    }

    /// `shutdown(2)`. After `Read` a read returns 0 at once, but what arrives later is readable
    /// still; after `Write` the peer reads the end of the stream. A listener listens no longer
    /// after `Read` or `Both`.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when it is not connected, or both sides have
    /// closed.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match &self.end {
            End::Stream(endpoint) => endpoint.shut_down(how),
            End::Datagram(datagram) => datagram.shutdown(how),
            End::Local(local) => local.shutdown(how),
        }
    }

    /// `close(2)`, which waits as [`set_linger`](Socket::set_linger) says: until everything that
    /// was written, and the FIN, is acknowledged, or the time has run out. Dropping a socket
    /// closes it as well, but cannot wait.
    pub async fn close(self) {
        if let End::Stream(endpoint) = &self.end {
            poll_fn(|cx| endpoint.poll_lingered(cx.waker())).await;
        }
    }

    /// `getsockname(2)`: the address the socket is bound to; `0.0.0.0:0` or `[::]:0` when it is
    /// not.
    ///
    /// # Errors
    /// When the host has crashed.
    pub fn local_addr(&self) -> io::Result<SockAddr> {
        match &self.end {
            End::Stream(endpoint) => Ok(endpoint.local_addr().into()),
            End::Datagram(datagram) => Ok(datagram.local_addr()?.into()),
            End::Local(local) => Ok(local.local_addr().into()),
        }
    }

    /// `getpeername(2)`.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected).
    pub fn peer_addr(&self) -> io::Result<SockAddr> {
        match &self.end {
            End::Stream(endpoint) => Ok(endpoint.peer_addr()?.into()),
            End::Datagram(datagram) => Ok(datagram.peer_addr()?.into()),
            End::Local(local) => Ok(local.peer_addr()?.into()),
        }
    }

    /// `SO_ERROR`: takes the error that the next call would return.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.end {
            End::Stream(endpoint) => Ok(endpoint.take_error()),
            End::Datagram(datagram) => Ok(datagram.take_error()),
            End::Local(local) => Ok(local.take_error()),
        }
    }
}

pub(super) fn to_inet(address: &SockAddr) -> io::Result<SocketAddr> {
    let inet = match &address.0 {
        Address::Inet(address) => Ok(*address),
        Address::Unix(_) => Err(Errno::AddressFamilyNotSupported.into()),
    };
    inet.note_failure(|| format!("a call with {address:?}"))
}

fn to_unix(address: &SockAddr) -> io::Result<&unix::SocketAddr> {
    match &address.0 {
        Address::Unix(address) => Ok(address),
        Address::Inet(_) => Err(Errno::Invalid.into()),
    }
}
