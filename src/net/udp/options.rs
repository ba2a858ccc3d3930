//! The options of a socket, and the groups it is in.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::UdpSocket;
use crate::error::Errno;

impl UdpSocket {
    /// `SO_BROADCAST`: whether it may send to a broadcast address. Off at first.
    ///
    /// # Errors
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset) when the host has crashed; so do all
    /// that ask for an option.
    pub fn broadcast(&self) -> io::Result<bool> {
        Ok(self.0.options()?.broadcast)
    }

    /// Allows to send to a broadcast address, that of the network (10.0.255.255) or
    /// 255.255.255.255. Everybody hears them.
    ///
    /// # Errors
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset) when the host has crashed; so do all
    /// that set an option.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.0.change_options(|options| {
            options.broadcast = on;
            Ok(())
        })
    }

    /// `IP_MULTICAST_LOOP`: whether what is sent to an IPv4 group reaches its members on this host
    /// as well. On at first.
    ///
    /// # Errors
    /// Those of [`UdpSocket::broadcast`].
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        Ok(self.0.options()?.multicast_loop)
    }

    /// Sets `IP_MULTICAST_LOOP`. It is the sender's that counts.
    ///
    /// # Errors
    /// Those of [`UdpSocket::set_broadcast`].
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.0.change_options(|options| {
            options.multicast_loop = on;
            Ok(())
        })
    }

    /// `IP_MULTICAST_TTL`: how many routers what is sent to an IPv4 group may pass, and one more.
    /// 1 at first.
    ///
    /// # Errors
    /// Those of [`UdpSocket::broadcast`].
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        Ok(self.0.options()?.multicast_ttl.into())
    }

    /// Sets `IP_MULTICAST_TTL`; with 0 nothing leaves the host.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) above 255, and those of
    /// [`UdpSocket::set_broadcast`].
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.0.change_options(|options| options.set_multicast_ttl(ttl))
    }

    /// `IPV6_MULTICAST_LOOP`: as [`UdpSocket::multicast_loop_v4`], for IPv6 groups.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for an IPv4 socket, and those of [`UdpSocket::broadcast`].
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.check_v6(Errno::OperationNotSupported)?;
        Ok(self.0.options()?.multicast_loop_v6)
    }

    /// Sets `IPV6_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for an IPv4 socket, and those of [`UdpSocket::set_broadcast`].
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.check_v6(Errno::NoProtocolOption)?;
        self.0.change_options(|options| {
            options.multicast_loop_v6 = on;
            Ok(())
        })
    }

    /// `IPV6_TCLASS`: the traffic class of what is sent over IPv6. 0 at first.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for an IPv4 socket, and those of [`UdpSocket::broadcast`].
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.check_v6(Errno::OperationNotSupported)?;
        Ok(self.0.options()?.traffic_class.into())
    }

    /// Sets `IPV6_TCLASS`.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) above 255, `ENOPROTOOPT` for an IPv4 socket,
    /// and those of [`UdpSocket::set_broadcast`].
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        self.check_v6(Errno::NoProtocolOption)?;
        self.0.change_options(|options| options.set_traffic_class(tclass))
    }

    /// `IP_TTL`: the time to live of what is sent to one host over IPv4. 64 at first.
    ///
    /// # Errors
    /// Those of [`UdpSocket::broadcast`].
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.0.options()?.ttl.into())
    }

    /// Sets `IP_TTL`.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for 0 and above 255, and those of
    /// [`UdpSocket::set_broadcast`].
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.change_options(|options| options.set_ttl(ttl))
    }

    /// `IP_TOS`: the type of service of what is sent over IPv4. 0 at first.
    ///
    /// # Errors
    /// Those of [`UdpSocket::broadcast`].
    pub fn tos_v4(&self) -> io::Result<u32> {
        Ok(self.0.options()?.tos.into())
    }

    /// The former name of [`UdpSocket::tos_v4`].
    ///
    /// # Errors
    /// Those of [`UdpSocket::tos_v4`].
    #[deprecated(note = "`tos` related methods have been renamed `tos_v4` since they are \
                         IPv4-specific")]
    pub fn tos(&self) -> io::Result<u32> {
        self.tos_v4()
    }

    /// Sets `IP_TOS`, of which Linux takes the lowest eight bits.
    ///
    /// # Errors
    /// Those of [`UdpSocket::set_broadcast`].
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.0.change_options(|options| {
            options.set_tos(tos);
            Ok(())
        })
    }

    /// The former name of [`UdpSocket::set_tos_v4`].
    ///
    /// # Errors
    /// Those of [`UdpSocket::set_tos_v4`].
    #[deprecated(note = "`tos` related methods have been renamed `tos_v4` since they are \
                         IPv4-specific")]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.set_tos_v4(tos)
    }

    /// `SO_BINDTODEVICE`: always none.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// `SO_BINDTODEVICE`, of which a host with one interface has no use.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for anything but `None` and an empty name.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        match interface {
            None | Some([]) => Ok(()),
            Some(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// `IP_ADD_MEMBERSHIP`: hears what is sent to a group. `interface` is an address of the host,
    /// or 0.0.0.0 for any. As on Linux, sockets that are bound to any IPv4 address hear what the
    /// host hears for another one.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when `multiaddr` is no group's, `ENODEV`
    /// when the interface is not the host's, [`AddrInUse`](io::ErrorKind::AddrInUse) when it has
    /// joined, and `ENOBUFS` when it is in 20 groups.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.0.join_v4(multiaddr, interface)
    }

    /// `IPV6_ADD_MEMBERSHIP`: hears what is sent to a group. `interface` is 2, the number of the
    /// host's interface, or 0 for any.
    ///
    /// # Errors
    /// Those of [`UdpSocket::join_multicast_v4`], but `ENOMEM` when it is in 1,024 groups; and
    /// `ENOPROTOOPT` for an IPv4 socket.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.check_v6(Errno::NoProtocolOption)?;
        self.0.join_v6(*multiaddr, interface)
    }

    /// `IP_DROP_MEMBERSHIP`.
    ///
    /// # Errors
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) when it has not joined.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.0.leave_v4(multiaddr, interface)
    }

    /// `IPV6_DROP_MEMBERSHIP`.
    ///
    /// # Errors
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) when it has not joined,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when `multiaddr` is no group's, and
    /// `ENOPROTOOPT` for an IPv4 socket.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.check_v6(Errno::NoProtocolOption)?;
        self.0.leave_v6(*multiaddr, interface)
    }

    /// The options of IPv6 are those of its sockets. Linux has one error for those that ask and
    /// one for those that set.
    fn check_v6(&self, otherwise: Errno) -> io::Result<()> {
        if self.0.is_v6() { Ok(()) } else { Err(otherwise.into()) }
    }
}
