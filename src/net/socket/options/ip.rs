//! The options of sockets of the two IP domains.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::Errno;
use crate::net::socket::{End, Socket};

/// Options of IPv4: `ip(7)`. A socket of the IPv6 domain has them for the IPv4 packets it sends.
impl Socket {
    /// `IP_TTL`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn ttl_v4(&self) -> io::Result<u32> {
        self.ip(|options| u32::from(options.ttl()), |options| u32::from(options.ttl))
    }

    /// `IP_TTL`: the time to live of packets to one host.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) outside 1 to 255;
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn set_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.set_ip(|options| options.set_ttl(ttl), |options| options.set_ttl(ttl))
    }

    /// `IP_TOS`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn tos_v4(&self) -> io::Result<u32> {
        self.ip(|options| u32::from(options.tos()), |options| u32::from(options.tos))
    }

    /// `IP_TOS`: the type of service; for TCP without the two bits of ECN, which are its own.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.set_ip(
            |options| {
                options.set_tos(tos);
                Ok(())
            },
            |options| {
                options.set_tos(tos);
                Ok(())
            },
        )
    }

    /// `IP_MULTICAST_TTL`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        Ok(self.datagrams()?.options()?.multicast_ttl.into())
    }

    /// `IP_MULTICAST_TTL`: the time to live of packets to a group. 0 stays within the host, 1
    /// (the default) within the link.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) above 255;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.datagrams()?.change_options(|options| options.set_multicast_ttl(ttl))
    }

    /// `IP_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        Ok(self.datagrams()?.options()?.multicast_loop)
    }

    /// `IP_MULTICAST_LOOP`: whether the host's own members hear what is sent to a group. On by
    /// default.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn set_multicast_loop_v4(&self, loops: bool) -> io::Result<()> {
        self.datagrams()?.change_options(|options| {
            options.multicast_loop = loops;
            Ok(())
        })
    }

    /// `IP_MULTICAST_ALL`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that receives no datagrams over
    /// IP.
    pub fn multicast_all_v4(&self) -> io::Result<bool> {
        Ok(self.datagrams()?.options()?.multicast_all)
    }

    /// `IP_MULTICAST_ALL`: whether a socket that is bound to any address hears the groups that
    /// others of the host have joined. On by default, as on Linux.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that receives no datagrams over
    /// IP.
    pub fn set_multicast_all_v4(&self, all: bool) -> io::Result<()> {
        self.datagrams()?.change_options(|options| {
            options.multicast_all = all;
            Ok(())
        })
    }

    /// `IP_MULTICAST_IF`; 0.0.0.0 when it was not set.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn multicast_if_v4(&self) -> io::Result<Ipv4Addr> {
        let interface = self.datagrams()?.options()?.multicast_interface;
        Ok(interface.unwrap_or(Ipv4Addr::UNSPECIFIED))
    }

    /// `IP_MULTICAST_IF`: the address from which groups are sent to; 0.0.0.0 for any.
    ///
    /// # Errors
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address that is not the
    /// interface's; [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no
    /// datagrams over IP.
    pub fn set_multicast_if_v4(&self, interface: &Ipv4Addr) -> io::Result<()> {
        let interface = (!interface.is_unspecified()).then_some(*interface);
        self.datagrams()?.change_options(|options| {
            options.multicast_interface = interface;
            Ok(())
        })
    }

    /// `IP_RECVERR` and `IPV6_RECVERR`: whether errors that ICMP reports are given also where
    /// trying again may help (an unreachable host or network), and to a socket that is not
    /// connected. There is no queue of them. Off by default.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn set_recv_errors(&self, recv_errors: bool) -> io::Result<()> {
        self.datagrams()?.change_options(|options| {
            options.recv_errors = recv_errors;
            Ok(())
        })
    }

    /// `IP_RECVERR` and `IPV6_RECVERR`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn recv_errors(&self) -> io::Result<bool> {
        Ok(self.datagrams()?.options()?.recv_errors)
    }

    /// `IP_ADD_MEMBERSHIP`: joins a group, on the interface that has an address, or the only one
    /// there is for 0.0.0.0.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an address that is no group's,
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) for one that was joined already, ENODEV for an
    /// interface that there is not, ENOBUFS for a twenty-first group;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that receives no datagrams over
    /// IP.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.datagrams()?.join_v4(*group, *interface)
    }

    /// `IP_DROP_MEMBERSHIP`.
    ///
    /// # Errors
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for a group that was not joined, and
    /// those of [`join_multicast_v4`](Socket::join_multicast_v4).
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.datagrams()?.leave_v4(*group, *interface)
    }
}

/// Options of IPv6: `ipv6(7)`. For a socket of the IPv4 domain they give ENOPROTOOPT, as on Linux.
impl Socket {
    /// `IPV6_V6ONLY`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket of the IPv4 domain; [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn only_v6(&self) -> io::Result<bool> {
        self.must_be_v6()?;
        match &self.end {
            End::Stream(stream) => Ok(stream.only_v6()),
            End::Datagram(datagram) => Ok(datagram.options()?.only_v6),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// `IPV6_V6ONLY`: whether `::` leaves IPv4 to others. Off by default, as on Linux.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) once it is bound.
    pub fn set_only_v6(&self, only_v6: bool) -> io::Result<()> {
        self.must_be_v6()?;
        match &self.end {
            End::Stream(stream) => stream.set_only_v6(only_v6),
            End::Datagram(datagram) => datagram.change_options(|options| {
                options.only_v6 = only_v6;
                Ok(())
            }),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// `IPV6_UNICAST_HOPS`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket of the IPv4 domain; [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn unicast_hops_v6(&self) -> io::Result<u32> {
        self.must_be_v6()?;
        self.ip(|options| u32::from(options.hop_limit()), |options| u32::from(options.hop_limit))
    }

    /// `IPV6_UNICAST_HOPS`: the hop limit of packets to one host.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) outside 1 to 255.
    pub fn set_unicast_hops_v6(&self, hop_limit: u32) -> io::Result<()> {
        self.must_be_v6()?;
        self.set_ip(
            |options| options.set_hop_limit(hop_limit),
            |options| options.set_hop_limit(hop_limit),
        )
    }

    /// `IPV6_TCLASS`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket of the IPv4 domain; [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.must_be_v6()?;
        self.ip(
            |options| u32::from(options.traffic_class()),
            |options| u32::from(options.traffic_class),
        )
    }

    /// `IPV6_TCLASS`: the traffic class; for TCP without the two bits of ECN, which are its own.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) above 255.
    pub fn set_tclass_v6(&self, class: u32) -> io::Result<()> {
        self.must_be_v6()?;
        self.set_ip(
            |options| options.set_traffic_class(class),
            |options| options.set_traffic_class(class),
        )
    }

    /// `IPV6_MULTICAST_HOPS`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket of the IPv4 domain; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn multicast_hops_v6(&self) -> io::Result<u32> {
        Ok(self.datagrams_v6()?.options()?.multicast_hops.into())
    }

    /// `IPV6_MULTICAST_HOPS`: the hop limit of packets to a group; 1 by default.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) above 255;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn set_multicast_hops_v6(&self, hop_limit: u32) -> io::Result<()> {
        self.datagrams_v6()?.change_options(|options| options.set_multicast_hops(hop_limit))
    }

    /// `IPV6_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket of the IPv4 domain; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        Ok(self.datagrams_v6()?.options()?.multicast_loop_v6)
    }

    /// `IPV6_MULTICAST_LOOP`: whether the host's own members hear what is sent to a group. On by
    /// default.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket of the IPv4 domain; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn set_multicast_loop_v6(&self, loops: bool) -> io::Result<()> {
        self.datagrams_v6()?.change_options(|options| {
            options.multicast_loop_v6 = loops;
            Ok(())
        })
    }

    /// `IPV6_MULTICAST_ALL`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket of the IPv4 domain; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn multicast_all_v6(&self) -> io::Result<bool> {
        Ok(self.datagrams_v6()?.options()?.multicast_all_v6)
    }

    /// `IPV6_MULTICAST_ALL`: as [`set_multicast_all_v4`](Socket::set_multicast_all_v4).
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket of the IPv4 domain; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn set_multicast_all_v6(&self, all: bool) -> io::Result<()> {
        self.datagrams_v6()?.change_options(|options| {
            options.multicast_all_v6 = all;
            Ok(())
        })
    }

    /// `IPV6_MULTICAST_IF`, by number; 0 when it was not set.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket of the IPv4 domain; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn multicast_if_v6(&self) -> io::Result<u32> {
        Ok(self.datagrams_v6()?.options()?.multicast_interface_v6)
    }

    /// `IPV6_MULTICAST_IF`, by number: 2, or 0 for any.
    ///
    /// # Errors
    /// ENODEV for an interface that there is not;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn set_multicast_if_v6(&self, interface: u32) -> io::Result<()> {
        self.datagrams_v6()?.change_options(|options| {
            options.multicast_interface_v6 = interface;
            Ok(())
        })
    }

    /// `IPV6_ADD_MEMBERSHIP`: joins a group on the interface of a number: 2, or 0 for any.
    ///
    /// # Errors
    /// Those of [`join_multicast_v4`](Socket::join_multicast_v4).
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.datagrams_v6()?.join_v6(*group, interface)
    }

    /// `IPV6_DROP_MEMBERSHIP`.
    ///
    /// # Errors
    /// Those of [`leave_multicast_v4`](Socket::leave_multicast_v4).
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.datagrams_v6()?.leave_v6(*group, interface)
    }
}
