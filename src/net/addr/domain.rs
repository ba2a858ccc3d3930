//! What `socket(2)` is asked for: family, type and protocol, by `socket2`'s names.

use std::fmt;
use std::net::SocketAddr;

macro_rules! numbers_with_names {
    ($(#[$about:meta])* $type:ident { $($(#[$meta:meta])* $constant:ident = $number:literal, $name:literal;)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(i32);

        impl $type {
            $($(#[$meta])* pub const $constant: $type = $type($number);)*
        }

        impl From<i32> for $type {
            fn from(number: i32) -> $type {
                $type(number)
            }
        }

        impl From<$type> for i32 {
            fn from(named: $type) -> i32 {
                named.0
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $($type::$constant => formatter.write_str($name),)*
                    $type(other) => write!(formatter, "{other}"),
                }
            }
        }
    };
}

numbers_with_names! {
    /// The family of a socket's addresses, with Linux's numbers (`address_families(7)`).
    Domain {
        /// Between the tasks of one host.
        UNIX = 1, "AF_UNIX";
        /// IPv4.
        IPV4 = 2, "AF_INET";
        /// IPv6.
        IPV6 = 10, "AF_INET6";
    }
}

numbers_with_names! {
    /// How a socket carries data, with Linux's numbers (`socket(2)`).
    Type {
        /// A stream of bytes.
        STREAM = 1, "SOCK_STREAM";
        /// Datagrams.
        DGRAM = 2, "SOCK_DGRAM";
        /// Packets of a protocol within IP.
        RAW = 3, "SOCK_RAW";
    }
}

numbers_with_names! {
    /// The protocol within IP, with IANA's numbers.
    Protocol {
        /// ICMP for IPv4.
        ICMPV4 = 1, "IPPROTO_ICMP";
        /// TCP.
        TCP = 6, "IPPROTO_TCP";
        /// UDP.
        UDP = 17, "IPPROTO_UDP";
        /// ICMP for IPv6.
        ICMPV6 = 58, "IPPROTO_ICMPV6";
    }
}

impl Domain {
    /// The family of an address.
    #[must_use]
    pub const fn for_address(address: SocketAddr) -> Domain {
        match address {
            SocketAddr::V4(_) => Domain::IPV4,
            SocketAddr::V6(_) => Domain::IPV6,
        }
    }
}

impl Protocol {
    /// The name that the table of services knows it by.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Protocol::TCP => Some("tcp"),
            Protocol::UDP => Some("udp"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_linux_s_and_names_are_the_headers() {
        assert_eq!(i32::from(Domain::IPV6), 10);
        assert_eq!(Type::from(2), Type::DGRAM);
        let shown = format!("{:?} {:?} {:?}", Domain::IPV4, Type::STREAM, Protocol::from(132));
        assert_eq!(shown, "AF_INET SOCK_STREAM 132");
    }
}
