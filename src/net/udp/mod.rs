//! UDP.

mod options;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{Interest, ReadBuf, Ready};

use crate::host::DatagramKind;
use crate::net::ToSocketAddrs;
use crate::net::addr::resolve;
use crate::net::datagram::DatagramSocket;
use crate::net::ready::{io_when_ready, or_would_block, poll_ready, until_ready};

/// A UDP socket, with the methods of `tokio::net::UdpSocket`, of which `from_std`, `into_std` and
/// the descriptor are left out.
///
/// What is sent may be lost, come twice or come late: whatever the link does. A datagram of up to
/// 65,507 octets (65,527 over IPv6) is sent in fragments where it is larger than the path's MTU,
/// and arrives whole or not at all.
///
/// What arrives waits in a queue of 212,992 octets, each datagram counted with 576 more, as Linux
/// does; when it is full, what arrives is lost. Sending waits when as much has been sent and the
/// host has had no turn yet to put it on the link.
///
/// A socket bound to an IPv6 address sends to and hears IPv4 as well, whose addresses look like
/// `::ffff:10.0.0.1`, when it is bound to `[::]` or to such an address.
///
/// Errors are Linux's. ICMP tells a connected socket that nobody hears it: the next call, of
/// whatever kind, fails once with [`ConnectionRefused`](io::ErrorKind::ConnectionRefused). A
/// socket that is not connected is told nothing, and a host that does not answer ARP is no error
/// at all. On a host that has crashed receiving fails with
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset) and sending with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
pub struct UdpSocket(DatagramSocket);

impl UdpSocket {
    /// A socket bound to `addr`, or to the first of the addresses it stands for to which that is
    /// possible; port 0 takes an ephemeral port.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse);
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address of another host;
    /// `EMFILE` when the host has 65,536 of them; what [`ToSocketAddrs`] says; and when the
    /// caller is not a task of a host.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        resolve(&addr).await?.try_each(UdpSocket::bound_to)
    }

    fn bound_to(address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = DatagramSocket::new(DatagramKind::Udp, address.is_ipv6())?;
        socket.bind(address)?;
        Ok(UdpSocket(socket))
    }

    /// The address it is bound to. A socket that was bound to any address has that of its peer's
    /// side once it is connected.
    ///
    /// # Errors
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset) when the host has crashed.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The address it is connected to.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Makes `addr` the peer: [`send`](UdpSocket::send) sends to it, and nobody else is heard.
    /// Nothing is sent. What waits to be received stays, and so does a local address that was
    /// chosen by an earlier connect.
    ///
    /// # Errors
    /// [`NetworkUnreachable`](io::ErrorKind::NetworkUnreachable) for an address outside the
    /// network; [`PermissionDenied`](io::ErrorKind::PermissionDenied) for a broadcast address
    /// without [`set_broadcast`](UdpSocket::set_broadcast);
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a link-local address without a scope,
    /// and when the socket is bound to a loopback address and `addr` is another host's;
    /// `EAFNOSUPPORT` for an IPv6 address when it is bound to an IPv4 one; and what
    /// [`ToSocketAddrs`] says.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        resolve(&addr).await?.try_each(|address| self.0.connect(Some(address)))
    }

    /// Waits until something of `interest` is ready, and says what. As with tokio, an error that
    /// waits to be given is not readable: [`Interest::ERROR`] waits for it.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        until_ready(&self.0, interest).await
    }

    /// Waits until there is room to send.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for [`UdpSocket::writable`]. Unlike tokio's, every task that polls is remembered.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::WRITABLE, cx).map(|_| Ok(()))
    }

    /// Sends a datagram to the peer. Dropping the future before it is ready sends nothing.
    ///
    /// # Errors
    /// `EDESTADDRREQ` without a peer; `EMSGSIZE` for more than 65,507 octets, or 65,527 over
    /// IPv6; and what ICMP has told of an earlier datagram, once:
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) most of all, `EMSGSIZE` when a
    /// router could not pass it on (the next one leaves in smaller fragments), and those of
    /// `icmp(7)` that Linux calls fatal.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, buf)).await
    }

    /// Polls for [`UdpSocket::send`]. Unlike tokio's, every task that polls is remembered.
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(buf, None, Some(cx.waker()))
    }

    /// Sends a datagram to the peer if there is room.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of
    /// [`UdpSocket::send`].
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        or_would_block(self.0.poll_send(buf, None, None))
    }

    /// Waits until there is a datagram to receive.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Polls for [`UdpSocket::readable`]. Unlike tokio's, every task that polls is remembered.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::READABLE, cx).map(|_| Ok(()))
    }

    /// Receives a datagram. What does not fit is lost; 0 is an empty datagram. Dropping the future
    /// before it is ready loses nothing.
    ///
    /// # Errors
    /// What ICMP has told of a datagram that was sent: see [`UdpSocket::send`].
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from(buf).await?.0)
    }

    /// Polls for [`UdpSocket::recv`]. Unlike tokio's, every task that polls is remembered.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv_from(cx, buf).map_ok(drop)
    }

    /// Receives a datagram if there is one.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of
    /// [`UdpSocket::recv`].
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.try_recv_from(buf)?.0)
    }

    /// Receives a datagram into a buffer that advances, if there is one.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        Ok(self.try_recv_buf_from(buf)?.0)
    }

    /// Receives a datagram into a buffer that advances.
    ///
    /// # Errors
    /// Those of [`UdpSocket::recv`].
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        Ok(self.recv_buf_from(buf).await?.0)
    }

    /// Receives a datagram into a buffer that advances, if there is one, and says who sent it.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        or_would_block(self.0.poll_recv_buf(buf, None))
    }

    /// Receives a datagram into a buffer that advances, and says who sent it.
    ///
    /// # Errors
    /// Those of [`UdpSocket::recv`].
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.0.poll_recv_buf(buf, Some(cx.waker()))).await
    }

    /// Sends a datagram to the first address that `addr` stands for, which need not be the peer.
    /// Dropping the future before it is ready sends nothing.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for port 0, and when the socket is bound to
    /// a loopback address and `addr` is another host's;
    /// [`NetworkUnreachable`](io::ErrorKind::NetworkUnreachable) for an address outside the
    /// network, and for one of IPv4 when it is bound to one of IPv6;
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for a broadcast address without
    /// [`set_broadcast`](UdpSocket::set_broadcast); `EAFNOSUPPORT` for an IPv6 address when it is
    /// bound to an IPv4 one; `EMSGSIZE`; what ICMP has told the socket: see [`UdpSocket::send`];
    /// and what [`ToSocketAddrs`] says.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let target = addr.addresses().await?.next();
        let target = target.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to")
        })?;
        poll_fn(|cx| self.poll_send_to(cx, buf, target)).await
    }

    /// Polls for [`UdpSocket::send_to`]. Unlike tokio's, every task that polls is remembered.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send(buf, Some(target), Some(cx.waker()))
    }

    /// Sends a datagram to `target` if there is room.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of
    /// [`UdpSocket::send_to`].
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        or_would_block(self.0.poll_send(buf, Some(target), None))
    }

    /// Receives a datagram, and says who sent it.
    ///
    /// # Errors
    /// Those of [`UdpSocket::recv`].
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.0.poll_recv(buf, false, Some(cx.waker()))).await
    }

    /// Polls for [`UdpSocket::recv_from`]. Unlike tokio's, every task that polls is remembered.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.0.poll_recv_read_buf(buf, false, Some(cx.waker()))
    }

    /// Receives a datagram if there is one, and says who sent it.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        or_would_block(self.0.poll_recv(buf, false, None))
    }

    /// Receives a datagram without taking it out of the queue.
    ///
    /// # Errors
    /// Those of [`UdpSocket::recv`].
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.peek_from(buf).await?.0)
    }

    /// Polls for [`UdpSocket::peek`]. Unlike tokio's, every task that polls is remembered.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_peek_from(cx, buf).map_ok(drop)
    }

    /// Looks at a datagram if there is one.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.try_peek_from(buf)?.0)
    }

    /// Receives a datagram without taking it out of the queue, and says who sent it.
    ///
    /// # Errors
    /// Those of [`UdpSocket::recv`].
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.0.poll_recv(buf, true, Some(cx.waker()))).await
    }

    /// Polls for [`UdpSocket::peek_from`]. Unlike tokio's, every task that polls is remembered.
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.0.poll_recv_read_buf(buf, true, Some(cx.waker()))
    }

    /// Looks at a datagram if there is one, and says who sent it.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        or_would_block(self.0.poll_recv(buf, true, None))
    }

    /// Waits for a datagram, and says who sent it; it stays in the queue.
    ///
    /// # Errors
    /// Those of [`UdpSocket::recv`].
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        Ok(self.peek_from(&mut []).await?.1)
    }

    /// Polls for [`UdpSocket::peek_sender`]. Unlike tokio's, every task that polls is remembered.
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_peek_from(cx, &mut ReadBuf::new(&mut []))
    }

    /// Says who sent the datagram that comes next, if there is one.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        Ok(self.try_peek_from(&mut [])?.1)
    }

    /// `SO_ERROR`: takes the error that the next call would return.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take_error())
    }
}

io_when_ready!(UdpSocket, socket => &socket.0);

impl fmt::Debug for UdpSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug("UdpSocket", formatter)
    }
}
