//! The forms of a host.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::numeric::{Numeric, interface_name};

/// A host, as the BSD calls are given one, in the forms of the sockets tutorials.
///
/// Made from a text or a number:
///
/// | form | stands for |
/// |---|---|
/// | `""` | any address of this host: 0.0.0.0, or `::` for IPv6 |
/// | `"<broadcast>"` | 255.255.255.255 |
/// | `"10.0.0.1"`, `"10.1"`, `"0x0a000001"`, `"167772161"` | an IPv4 address, as `inet_aton(3)` reads it |
/// | `"fe80::1%eth0"`, `"fe80::1%2"` | an IPv6 address, on one interface |
/// | `"server"` | what the name resolves to |
/// | `0x0a00_0001_u32` | an IPv4 address in host byte order |
///
/// A host has two interfaces: number 1 is `lo`, number 2 is `eth0`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostAddress {
    /// Any address of this host.
    Any,
    /// Every host of the network.
    Broadcast,
    /// An address, and the number of the interface it is on; 0 leaves that open.
    Ip(IpAddr, u32),
    /// A name, still to be resolved.
    Name(String),
}

impl From<&str> for HostAddress {
    fn from(text: &str) -> HostAddress {
        match text {
            "" => HostAddress::Any,
            "<broadcast>" => HostAddress::Broadcast,
            _ => match Numeric::parse(text) {
                Some(Numeric { address, scope_id }) => HostAddress::Ip(address, scope_id),
                None => HostAddress::Name(text.to_owned()),
            },
        }
    }
}

impl From<String> for HostAddress {
    fn from(text: String) -> HostAddress {
        text.as_str().into()
    }
}

impl From<&String> for HostAddress {
    fn from(text: &String) -> HostAddress {
        text.as_str().into()
    }
}

/// In host byte order: 0x7f000001 is 127.0.0.1.
impl From<u32> for HostAddress {
    fn from(bits: u32) -> HostAddress {
        Ipv4Addr::from_bits(bits).into()
    }
}

impl From<IpAddr> for HostAddress {
    fn from(address: IpAddr) -> HostAddress {
        HostAddress::Ip(address, 0)
    }
}

impl From<Ipv4Addr> for HostAddress {
    fn from(address: Ipv4Addr) -> HostAddress {
        HostAddress::Ip(address.into(), 0)
    }
}

impl From<Ipv6Addr> for HostAddress {
    fn from(address: Ipv6Addr) -> HostAddress {
        HostAddress::Ip(address.into(), 0)
    }
}

/// In a form that can be read back.
impl fmt::Display for HostAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostAddress::Any => Ok(()),
            HostAddress::Broadcast => formatter.write_str("<broadcast>"),
            HostAddress::Ip(IpAddr::V6(address), scope_id) if *scope_id != 0 => {
                write!(formatter, "{address}%{}", interface_name(*address, *scope_id))
            }
            HostAddress::Ip(address, _) => write!(formatter, "{address}"),
            HostAddress::Name(name) => formatter.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_any_everybody_an_address_or_a_name() {
        assert_eq!(HostAddress::from(""), HostAddress::Any);
        assert_eq!(HostAddress::from("<broadcast>"), HostAddress::Broadcast);
        assert_eq!(HostAddress::from("127.1"), Ipv4Addr::LOCALHOST.into());
        assert_eq!(HostAddress::from("2130706433"), Ipv4Addr::LOCALHOST.into());
        assert_eq!(HostAddress::from("::1"), Ipv6Addr::LOCALHOST.into());
        assert_eq!(HostAddress::from("server"), HostAddress::Name("server".to_owned()));
        assert_eq!(HostAddress::from("1.2.3.4.5"), HostAddress::Name("1.2.3.4.5".to_owned()));
    }

    #[test]
    fn an_integer_is_an_address_in_host_byte_order() {
        assert_eq!(HostAddress::from(0x7f00_0001), Ipv4Addr::LOCALHOST.into());
        assert_eq!(HostAddress::from(0), Ipv4Addr::UNSPECIFIED.into());
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        for text in ["", "<broadcast>", "10.0.0.1", "fe80::1%eth0", "fd00::1%2", "server"] {
            assert_eq!(HostAddress::from(text).to_string(), text);
        }
    }
}
