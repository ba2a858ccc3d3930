//! UDP.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{Interest, ReadBuf, Ready};

use crate::host::DatagramKind;
use crate::net::addr::{ToSocketAddrs, resolve};
use crate::net::datagram::DatagramSocket;
use crate::net::options::{Target, ip_option, ipv6_option, multicast_option, socket_option};
use crate::net::ready::{io_when_ready, or_would_block, poll_ready, until_ready};

/// A UDP socket, with the methods of `tokio::net::UdpSocket`, of which `from_std`, `into_std` and
/// the descriptor are left out.
///
/// Datagrams may be lost, duplicated, delayed or reordered, as the link does. One of up to 65,507
/// bytes (65,527 over IPv6) is sent in fragments where it is larger than the path's MTU, and
/// arrives whole or not at all.
///
/// Received datagrams wait in a queue of 212,992 bytes, where each counts as its length and 576 bytes,
/// as on Linux. What arrives when the queue is full is lost. The send buffer has the same size, and
/// sending waits while it is full.
///
/// A socket bound to `[::]`, or to an address like `::ffff:10.0.0.1`, also sends to and receives
/// from IPv4. It shows IPv4 addresses in the form `::ffff:10.0.0.1`.
///
/// # Errors
/// Errors are Linux's. When ICMP reports that the peer's port is closed, the next call on a
/// connected socket, whatever it is, fails once with
/// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused). A socket that is not connected gets no
/// such errors, and a host that does not answer ARP is no error at all. On a host that has crashed
/// sending fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe), and all else, options too, with
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset).
pub struct UdpSocket(DatagramSocket);

impl UdpSocket {
    /// A socket bound to `addr`, or to the first of the addresses it stands for that can be bound;
    /// port 0 takes an ephemeral port.
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

    /// The address it is bound to. Once it is connected, the unspecified address is replaced by the
    /// one that it sends from.
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

    /// Makes `addr` the peer: [`send`](UdpSocket::send) sends to it, and only what it sends is
    /// received. Nothing is sent. Datagrams that wait in the queue stay, and so does a local address
    /// that an earlier connect has chosen.
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

    /// Waits until something of `interest` is ready, and returns what. As with tokio, a pending
    /// error does not make the socket readable: [`Interest::ERROR`] waits for it.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        until_ready(&self.0, interest).await
    }

    /// Waits until there is room to send.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for [`UdpSocket::writable`].
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::WRITABLE, cx).map(|_| Ok(()))
    }

    /// Sends a datagram to the peer. Dropping the future before it is ready sends nothing.
    ///
    /// # Errors
    /// `EDESTADDRREQ` without a peer; `EMSGSIZE` for more than 65,507 bytes, or 65,527 over
    /// IPv6; and what ICMP has reported of an earlier datagram, once:
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) above all, `EMSGSIZE` when a router
    /// could not forward it (the next one leaves in smaller fragments), and the fatal ones of
    /// `icmp(7)`.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, buf)).await
    }

    /// Polls for [`UdpSocket::send`].
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
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Polls for [`UdpSocket::readable`].
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::READABLE, cx).map(|_| Ok(()))
    }

    /// Receives a datagram. What does not fit is lost; 0 is an empty datagram. Dropping the future
    /// before it is ready loses nothing.
    ///
    /// # Errors
    /// What ICMP has reported of a datagram that was sent: see [`UdpSocket::send`].
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from(buf).await?.0)
    }

    /// Polls for [`UdpSocket::recv`].
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

    /// Receives a datagram into a buffer that advances, if there is one, and returns its sender.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        or_would_block(self.0.poll_recv_buf(buf, None))
    }

    /// Receives a datagram into a buffer that advances, and returns its sender.
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
    /// bound to an IPv4 one; `EMSGSIZE`; what ICMP has reported: see [`UdpSocket::send`];
    /// and what [`ToSocketAddrs`] says.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let target = addr.addresses().await?.next();
        let target = target.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to")
        })?;
        poll_fn(|cx| self.poll_send_to(cx, buf, target)).await
    }

    /// Polls for [`UdpSocket::send_to`].
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

    /// Receives a datagram, and returns its sender.
    ///
    /// # Errors
    /// Those of [`UdpSocket::recv`].
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.0.poll_recv(buf, false, Some(cx.waker()))).await
    }

    /// Polls for [`UdpSocket::recv_from`].
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.0.poll_recv_read_buf(buf, false, Some(cx.waker()))
    }

    /// Receives a datagram if there is one, and returns its sender.
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

    /// Polls for [`UdpSocket::peek`].
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_peek_from(cx, buf).map_ok(drop)
    }

    /// Receives a datagram if there is one, without taking it out of the queue.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.try_peek_from(buf)?.0)
    }

    /// Receives a datagram without taking it out of the queue, and returns its sender.
    ///
    /// # Errors
    /// Those of [`UdpSocket::recv`].
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.0.poll_recv(buf, true, Some(cx.waker()))).await
    }

    /// Polls for [`UdpSocket::peek_from`].
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.0.poll_recv_read_buf(buf, true, Some(cx.waker()))
    }

    /// Receives a datagram if there is one, without taking it out of the queue, and returns its
    /// sender.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        or_would_block(self.0.poll_recv(buf, true, None))
    }

    /// Waits for a datagram, which stays in the queue, and returns its sender.
    ///
    /// # Errors
    /// Those of [`UdpSocket::recv`].
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        Ok(self.peek_from(&mut []).await?.1)
    }

    /// Polls for [`UdpSocket::peek_sender`].
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_peek_from(cx, &mut ReadBuf::new(&mut []))
    }

    /// The sender of the first datagram in the queue, if there is one.
    ///
    /// # Errors
    /// Those of [`UdpSocket::try_recv`].
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        Ok(self.try_peek_from(&mut [])?.1)
    }

    fn target(&self) -> Target<'_> {
        Target::Datagram(&self.0)
    }

    socket_option!(SO_BROADCAST, broadcast, set_broadcast);
    multicast_option!(IP_MULTICAST_LOOP, multicast_loop_v4, set_multicast_loop_v4);
    multicast_option!(IP_MULTICAST_TTL, multicast_ttl_v4, set_multicast_ttl_v4);
    multicast_option!(IPV6_MULTICAST_LOOP, multicast_loop_v6, set_multicast_loop_v6);
    ipv6_option!(IPV6_TCLASS, tclass_v6, set_tclass_v6);
    ip_option!(IP_TTL, ttl, set_ttl);
    ip_option!(IP_TOS, tos_v4, set_tos_v4);

    /// The former name of [`UdpSocket::tos_v4`].
    #[deprecated(note = "`tos` related methods have been renamed `tos_v4` since they are \
                         IPv4-specific")]
    pub fn tos(&self) -> io::Result<u32> {
        self.tos_v4()
    }

    /// The former name of [`UdpSocket::set_tos_v4`].
    #[deprecated(note = "`tos` related methods have been renamed `tos_v4` since they are \
                         IPv4-specific")]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.set_tos_v4(tos)
    }

    socket_option!(SO_BINDTODEVICE, device, bind_device);
    multicast_option!(
        IP_ADD_MEMBERSHIP, join_multicast_v4,
        IP_DROP_MEMBERSHIP, leave_multicast_v4: std::net::Ipv4Addr
    );
    multicast_option!(
        IPV6_ADD_MEMBERSHIP,
        join_multicast_v6,
        IPV6_DROP_MEMBERSHIP,
        leave_multicast_v6
    );

    /// `SO_ERROR`: takes the error that the next call would return.
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
