//! `IPPROTO_IPV6`, without groups: `ipv6(7)`. On a socket of IPv4 these options cannot be asked for
//! (EOPNOTSUPP) nor set (ENOPROTOOPT).

macro_rules! ipv6_option {
    (IPV6_UNICAST_HOPS, $get:ident, $set:ident) => {
        /// `IPV6_UNICAST_HOPS`: the hop limit of IPv6 packets to one host. 64 by default.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket of IPv4.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            let target = self.target().v6($crate::error::Errno::OperationNotSupported)?;
            target.inet(|options| options.hop_limit().into(), |options| options.hop_limit.into())
        }

        #[doc = $crate::net::options::sets!("IPV6_UNICAST_HOPS", $get)]
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) above 255; ENOPROTOOPT for a
        /// socket of IPv4.
        pub fn $set(&self, hops: u32) -> ::std::io::Result<()> {
            let target = self.target().v6($crate::error::Errno::NoProtocolOption)?;
            target.change_inet(
                |options| options.set_hop_limit(hops),
                |options| options.set_hop_limit(hops),
            )
        }
    };

    (IPV6_MTU_DISCOVER, $get:ident, $set:ident) => {
        /// `IPV6_MTU_DISCOVER`: what becomes of IPv6 datagrams that are larger than their path
        /// carries. No router ever cuts them. Datagrams only.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket of IPv4.
        pub fn $get(&self) -> ::std::io::Result<$crate::host::MtuDiscovery> {
            let target = self.target().v6($crate::error::Errno::OperationNotSupported)?;
            Ok(target.datagram()?.options()?.mtu_discovery_v6)
        }

        #[doc = $crate::net::options::sets!("IPV6_MTU_DISCOVER", $get)]
        ///
        /// # Errors
        /// ENOPROTOOPT for a socket of IPv4.
        pub fn $set(&self, discovery: $crate::host::MtuDiscovery) -> ::std::io::Result<()> {
            let target = self.target().v6($crate::error::Errno::NoProtocolOption)?;
            target.datagram()?.change_options(|options| {
                options.mtu_discovery_v6 = discovery;
                Ok(())
            })
        }
    };

    (IPV6_TCLASS, $get:ident, $set:ident) => {
        /// `IPV6_TCLASS`: the traffic class of IPv6 packets. 0 by default.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket of IPv4.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            let target = self.target().v6($crate::error::Errno::OperationNotSupported)?;
            target.inet(
                |options| options.traffic_class().into(),
                |options| options.traffic_class.into(),
            )
        }

        #[doc = $crate::net::options::sets!("IPV6_TCLASS", $get)]
        /// Of TCP the lowest two bits are not taken, which are for congestion notification (RFC
        /// 3168).
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) above 255; ENOPROTOOPT for a
        /// socket of IPv4.
        pub fn $set(&self, class: u32) -> ::std::io::Result<()> {
            let target = self.target().v6($crate::error::Errno::NoProtocolOption)?;
            target.change_inet(
                |options| options.set_traffic_class(class),
                |options| options.set_traffic_class(class),
            )
        }
    };

    (IPV6_V6ONLY, $get:ident, $set:ident) => {
        /// `IPV6_V6ONLY`: whether a socket bound to `::` leaves IPv4 to others. Off by default.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket of IPv4.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            self.target().v6($crate::error::Errno::OperationNotSupported)?.only_v6()
        }

        #[doc = $crate::net::options::sets!("IPV6_V6ONLY", $get)]
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) once the socket is bound;
        /// ENOPROTOOPT for a socket of IPv4.
        pub fn $set(&self, only_v6: bool) -> ::std::io::Result<()> {
            self.target().v6($crate::error::Errno::NoProtocolOption)?.set_only_v6(only_v6)
        }
    };
}

pub(in crate::net) use ipv6_option;
