//! Groups of IPv4 and IPv6: `ip(7)`, `ipv6(7)`. Only datagram sockets have these options; the
//! errors for a socket of IPv4 are those of the rest of `IPPROTO_IPV6`.

macro_rules! multicast_option {
    (IP_MULTICAST_TTL, $get:ident, $set:ident) => {
        /// `IP_MULTICAST_TTL`: the time to live of packets to an IPv4 group. With 0 they stay on
        /// the host, with 1, the default, on the link.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            Ok(self.target().datagram()?.options()?.multicast_ttl.into())
        }

        #[doc = $crate::net::options::sets!("IP_MULTICAST_TTL", $get)]
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) above 255.
        pub fn $set(&self, ttl: u32) -> ::std::io::Result<()> {
            self.target().datagram()?.change_options(|options| options.set_multicast_ttl(ttl))
        }
    };

    (IPV6_MULTICAST_HOPS, $get:ident, $set:ident) => {
        /// `IPV6_MULTICAST_HOPS`: the hop limit of packets to an IPv6 group. 1 by default.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket of IPv4.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            let target = self.target().v6($crate::error::Errno::OperationNotSupported)?;
            Ok(target.datagram()?.options()?.multicast_hops.into())
        }

        #[doc = $crate::net::options::sets!("IPV6_MULTICAST_HOPS", $get)]
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) above 255; ENOPROTOOPT for a
        /// socket of IPv4.
        pub fn $set(&self, hops: u32) -> ::std::io::Result<()> {
            let target = self.target().v6($crate::error::Errno::NoProtocolOption)?;
            target.datagram()?.change_options(|options| options.set_multicast_hops(hops))
        }
    };

    (IP_MULTICAST_LOOP, $get:ident, $set:ident) => {
        /// `IP_MULTICAST_LOOP`: whether what this socket sends to an IPv4 group also reaches the
        /// group's members on this host. On by default.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            Ok(self.target().datagram()?.options()?.multicast_loop)
        }

        #[doc = $crate::net::options::sets!("IP_MULTICAST_LOOP", $get)]
        pub fn $set(&self, on: bool) -> ::std::io::Result<()> {
            self.target().datagram()?.change_options(|options| {
                options.multicast_loop = on;
                Ok(())
            })
        }
    };

    (IPV6_MULTICAST_LOOP, $get:ident, $set:ident) => {
        /// `IPV6_MULTICAST_LOOP`: whether what this socket sends to an IPv6 group also reaches the
        /// group's members on this host. On by default.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket of IPv4.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            let target = self.target().v6($crate::error::Errno::OperationNotSupported)?;
            Ok(target.datagram()?.options()?.multicast_loop_v6)
        }

        #[doc = $crate::net::options::sets!("IPV6_MULTICAST_LOOP", $get)]
        ///
        /// # Errors
        /// ENOPROTOOPT for a socket of IPv4.
        pub fn $set(&self, on: bool) -> ::std::io::Result<()> {
            let target = self.target().v6($crate::error::Errno::NoProtocolOption)?;
            target.datagram()?.change_options(|options| {
                options.multicast_loop_v6 = on;
                Ok(())
            })
        }
    };

    (IP_MULTICAST_ALL, $get:ident, $set:ident) => {
        /// `IP_MULTICAST_ALL`: whether a socket bound to the unspecified address receives what is
        /// for IPv4 groups that only other sockets of the host have joined. On by default, as on
        /// Linux.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            Ok(self.target().datagram()?.options()?.multicast_all)
        }

        #[doc = $crate::net::options::sets!("IP_MULTICAST_ALL", $get)]
        pub fn $set(&self, all: bool) -> ::std::io::Result<()> {
            self.target().datagram()?.change_options(|options| {
                options.multicast_all = all;
                Ok(())
            })
        }
    };

    (IPV6_MULTICAST_ALL, $get:ident, $set:ident) => {
        /// `IPV6_MULTICAST_ALL`: whether a socket bound to the unspecified address receives what
        /// is for IPv6 groups that only other sockets of the host have joined. On by default, as
        /// on Linux.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket of IPv4.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            let target = self.target().v6($crate::error::Errno::OperationNotSupported)?;
            Ok(target.datagram()?.options()?.multicast_all_v6)
        }

        #[doc = $crate::net::options::sets!("IPV6_MULTICAST_ALL", $get)]
        ///
        /// # Errors
        /// ENOPROTOOPT for a socket of IPv4.
        pub fn $set(&self, all: bool) -> ::std::io::Result<()> {
            let target = self.target().v6($crate::error::Errno::NoProtocolOption)?;
            target.datagram()?.change_options(|options| {
                options.multicast_all_v6 = all;
                Ok(())
            })
        }
    };

    (IP_MULTICAST_IF, $get:ident, $set:ident) => {
        /// `IP_MULTICAST_IF`: the address of the interface through which packets to an IPv4 group
        /// leave, and which they come from; 0.0.0.0, the default, for any.
        pub fn $get(&self) -> ::std::io::Result<::std::net::Ipv4Addr> {
            let interface = self.target().datagram()?.options()?.multicast_interface;
            Ok(interface.unwrap_or(::std::net::Ipv4Addr::UNSPECIFIED))
        }

        #[doc = $crate::net::options::sets!("IP_MULTICAST_IF", $get)]
        ///
        /// # Errors
        /// [`AddrNotAvailable`](::std::io::ErrorKind::AddrNotAvailable) for an address that no
        /// interface of the host has.
        pub fn $set(&self, interface: &::std::net::Ipv4Addr) -> ::std::io::Result<()> {
            let interface = (!interface.is_unspecified()).then_some(*interface);
            self.target().datagram()?.change_options(|options| {
                options.multicast_interface = interface;
                Ok(())
            })
        }
    };

    (IPV6_MULTICAST_IF, $get:ident, $set:ident) => {
        /// `IPV6_MULTICAST_IF`: the number of the interface through which packets to an IPv6 group
        /// leave: 2, or 0, the default, for any.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket of IPv4.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            let target = self.target().v6($crate::error::Errno::OperationNotSupported)?;
            Ok(target.datagram()?.options()?.multicast_interface_v6)
        }

        #[doc = $crate::net::options::sets!("IPV6_MULTICAST_IF", $get)]
        ///
        /// # Errors
        /// ENODEV for a number that no interface has; ENOPROTOOPT for a socket of IPv4.
        pub fn $set(&self, interface: u32) -> ::std::io::Result<()> {
            let target = self.target().v6($crate::error::Errno::NoProtocolOption)?;
            target.datagram()?.change_options(|options| {
                options.multicast_interface_v6 = interface;
                Ok(())
            })
        }
    };

    (IP_ADD_MEMBERSHIP, $join:ident, IP_DROP_MEMBERSHIP, $leave:ident: $address:ty) => {
        /// `IP_ADD_MEMBERSHIP`: joins an IPv4 group. `interface` is an address of the host, or
        /// 0.0.0.0 for any.
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) for an address that is not a
        /// group's; ENODEV for an interface that the host does not have;
        /// [`AddrInUse`](::std::io::ErrorKind::AddrInUse) for a group that the socket has joined;
        /// ENOBUFS when it is in 20 groups.
        pub fn $join(&self, group: $address, interface: $address) -> ::std::io::Result<()> {
            let group: &::std::net::Ipv4Addr = ::std::borrow::Borrow::borrow(&group);
            let interface: &::std::net::Ipv4Addr = ::std::borrow::Borrow::borrow(&interface);
            self.target().datagram()?.join($crate::host::Membership::V4(*group, *interface))
        }

        /// `IP_DROP_MEMBERSHIP`: leaves an IPv4 group.
        ///
        /// # Errors
        /// [`AddrNotAvailable`](::std::io::ErrorKind::AddrNotAvailable) for a group that the
        /// socket has not joined there.
        pub fn $leave(&self, group: $address, interface: $address) -> ::std::io::Result<()> {
            let group: &::std::net::Ipv4Addr = ::std::borrow::Borrow::borrow(&group);
            let interface: &::std::net::Ipv4Addr = ::std::borrow::Borrow::borrow(&interface);
            self.target().datagram()?.leave($crate::host::Membership::V4(*group, *interface))
        }
    };

    (IPV6_ADD_MEMBERSHIP, $join:ident, IPV6_DROP_MEMBERSHIP, $leave:ident) => {
        /// `IPV6_ADD_MEMBERSHIP`: joins an IPv6 group. `interface` is 2, the number of the host's
        /// interface, or 0 for any.
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) for an address that is not a
        /// group's; ENODEV for an interface that the host does not have;
        /// [`AddrInUse`](::std::io::ErrorKind::AddrInUse) for a group that the socket has joined;
        /// ENOMEM when it is in 1,024 groups; ENOPROTOOPT for a socket of IPv4.
        pub fn $join(&self, group: &::std::net::Ipv6Addr, interface: u32) -> ::std::io::Result<()> {
            let target = self.target().v6($crate::error::Errno::NoProtocolOption)?;
            target.datagram()?.join($crate::host::Membership::V6(*group, interface))
        }

        /// `IPV6_DROP_MEMBERSHIP`: leaves an IPv6 group.
        ///
        /// # Errors
        /// [`AddrNotAvailable`](::std::io::ErrorKind::AddrNotAvailable) for a group that the
        /// socket has not joined there; [`InvalidInput`](::std::io::ErrorKind::InvalidInput) for
        /// an address that is not a group's; ENOPROTOOPT for a socket of IPv4.
        pub fn $leave(
            &self,
            group: &::std::net::Ipv6Addr,
            interface: u32,
        ) -> ::std::io::Result<()> {
            let target = self.target().v6($crate::error::Errno::NoProtocolOption)?;
            target.datagram()?.leave($crate::host::Membership::V6(*group, interface))
        }
    };
}

pub(in crate::net) use multicast_option;
