//! `IPPROTO_IP`, without groups: `ip(7)`. A socket of IPv6 has these options for the IPv4 packets
//! that it sends.

macro_rules! ip_option {
    (IP_TTL, $get:ident, $set:ident) => {
        /// `IP_TTL`: the time to live of IPv4 packets to one host. 64 by default.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            self.target().inet(|options| options.ttl().into(), |options| options.ttl.into())
        }

        #[doc = $crate::net::options::sets!("IP_TTL", $get)]
        /// Connections that a listener has accepted, or is about to, keep theirs.
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) outside 1 to 255.
        pub fn $set(&self, ttl: u32) -> ::std::io::Result<()> {
            self.target()
                .change_inet(|options| options.set_ttl(ttl), |options| options.set_ttl(ttl))
        }
    };

    (IP_TOS, $get:ident, $set:ident) => {
        /// `IP_TOS`: the type of service of IPv4 packets. 0 by default.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            self.target().inet(|options| options.tos().into(), |options| options.tos.into())
        }

        #[doc = $crate::net::options::sets!("IP_TOS", $get)]
        /// As on Linux only the lowest eight bits are taken, and of TCP not the lowest two, which
        /// are for congestion notification (RFC 3168).
        pub fn $set(&self, tos: u32) -> ::std::io::Result<()> {
            self.target().change_inet(
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
    };

    (IP_MTU_DISCOVER, $get:ident, $set:ident) => {
        /// `IP_MTU_DISCOVER`: what becomes of IPv4 datagrams that are larger than their path
        /// carries. Datagrams only.
        pub fn $get(&self) -> ::std::io::Result<$crate::host::MtuDiscovery> {
            Ok(self.target().datagram()?.options()?.mtu_discovery)
        }

        #[doc = $crate::net::options::sets!("IP_MTU_DISCOVER", $get)]
        pub fn $set(&self, discovery: $crate::host::MtuDiscovery) -> ::std::io::Result<()> {
            self.target().datagram()?.change_options(|options| {
                options.mtu_discovery = discovery;
                Ok(())
            })
        }
    };

    (IP_RECVERR, $get:ident, $set:ident) => {
        /// `IP_RECVERR` and `IPV6_RECVERR`: whether the socket is also given those errors of ICMP
        /// where trying again may help (an unreachable host or network), and those that come while
        /// it is not connected. There is no queue of errors. Off by default; datagrams only.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            Ok(self.target().datagram()?.options()?.recv_errors)
        }

        #[doc = $crate::net::options::sets!("IP_RECVERR", $get)]
        pub fn $set(&self, recv_errors: bool) -> ::std::io::Result<()> {
            self.target().datagram()?.change_options(|options| {
                options.recv_errors = recv_errors;
                Ok(())
            })
        }
    };
}

pub(in crate::net) use ip_option;
