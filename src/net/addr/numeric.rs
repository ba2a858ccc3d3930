//! Addresses written in numbers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::host::INTERFACE_INDEX;

/// The interfaces that every host has (`if_nameindex(3)`).
const INTERFACES: [(u32, &str); 2] = [(1, "lo"), (INTERFACE_INDEX, "eth0")];

/// An address that was written in numbers, with the interface it is on; 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numeric {
    pub(crate) address: IpAddr,
    pub(crate) scope_id: u32,
}

impl Numeric {
    /// Reads what `inet_aton(3)` reads, and IPv6 with a scope, as `getaddrinfo(3)` does.
    pub(crate) fn parse(text: &str) -> Option<Numeric> {
        if let Some(address) = parse_ipv4(text) {
            return Some(Numeric { address: address.into(), scope_id: 0 });
        }
        let (text, scope) = match text.split_once('%') {
            Some((text, scope)) => (text, Some(scope)),
            None => (text, None),
        };
        let address: Ipv6Addr = text.parse().ok()?;
        let scope_id = match scope {
            Some(scope) => parse_scope(address, scope)?,
            None => 0,
        };
        Some(Numeric { address: address.into(), scope_id })
    }

    pub(crate) fn with_port(self, port: u16) -> SocketAddr {
        match self.address {
            IpAddr::V4(address) => (address, port).into(),
            IpAddr::V6(address) => SocketAddrV6::new(address, port, 0, self.scope_id).into(),
        }
    }
}

impl From<IpAddr> for Numeric {
    fn from(address: IpAddr) -> Numeric {
        Numeric { address, scope_id: 0 }
    }
}

/// `inet_aton(3)`: one to four numbers, decimal, octal or hexadecimal, of which the last fills
/// the rest of the address.
fn parse_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = 0;
    let mut leading = 0;
    let mut parts = text.split('.');
    let mut last = parse_number(parts.next()?)?;
    for part in parts {
        if last > 255 || leading == 3 {
            return None;
        }
        octets = (octets << 8) | last;
        leading += 1;
        last = parse_number(part)?;
    }
    let rest = 32 - 8 * leading;
    if u64::from(last) >> rest != 0 {
        return None;
    }
    Some(Ipv4Addr::from_bits(octets.checked_shl(rest).unwrap_or(0) | last))
}

/// What `strtoul(3)` reads with base 0.
fn parse_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // The library takes a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// The number of an interface that an address is on: for what is local to a link also by name.
fn parse_scope(address: Ipv6Addr, scope: &str) -> Option<u32> {
    if is_local(address)
        && let Some((index, _)) = INTERFACES.iter().find(|(_, name)| *name == scope)
    {
        return Some(*index);
    }
    if !scope.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    scope.parse().ok()
}

/// Whether the address means something on one link, or one interface, alone.
fn is_local(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_unicast_link_local() || (first == 0xff && matches!(second & 0x0f, 1 | 2))
}

/// The name of the interface that a scope means, where an address has one.
pub(crate) fn interface_name(address: Ipv6Addr, scope_id: u32) -> String {
    match INTERFACES.iter().find(|(index, _)| is_local(address) && *index == scope_id) {
        Some((_, name)) => (*name).to_owned(),
        None => scope_id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_read_as_inet_aton_does() {
        for (text, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("10.1.2", "10.1.0.2"),
            ("10.1.258", "10.1.1.2"),
            ("0x7f.1", "127.0.0.1"),
            ("0X7F.0x1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0177.0.0.01", "127.0.0.1"),
            ("0127.1", "87.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("4294967295", "255.255.255.255"),
            ("0", "0.0.0.0"),
            ("1.16777215", "1.255.255.255"),
        ] {
            assert_eq!(parse_ipv4(text), Some(address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_inet_aton_refuses_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".1",
            "1..2",
            "1.2.3.4.5",
            "256.1",
            "1.16777216",
            "1.2.65536",
            "1.2.3.256",
            "4294967296",
            "08",
            "0x",
            "0xg",
            "1.2.3.4 ",
            " 1.2.3.4",
            "+1",
            "-1",
            "1.+2",
            "1e3",
            "ff",
            "server",
            "١",
        ] {
            assert_eq!(parse_ipv4(text), None, "{text}");
        }
    }

    #[test]
    fn a_scope_is_a_number_or_for_local_addresses_a_name() {
        let scope = |text| Numeric::parse(text).map(|numeric| numeric.scope_id);
        assert_eq!(scope("fe80::1"), Some(0));
        assert_eq!(scope("fe80::1%eth0"), Some(2));
        assert_eq!(scope("fe80::1%lo"), Some(1));
        assert_eq!(scope("fe80::1%7"), Some(7));
        assert_eq!(scope("ff02::1%eth0"), Some(2));
        assert_eq!(scope("fd00::1%2"), Some(2));
        for text in ["fd00::1%eth0", "fe80::1%eth1", "fe80::1%", "fe80::1%+2", "1.2.3.4%2"] {
            assert_eq!(scope(text), None, "{text}");
        }
        assert_eq!(interface_name("fe80::1".parse().unwrap(), 2), "eth0");
        assert_eq!(interface_name("fd00::1".parse().unwrap(), 2), "2");
    }

    #[test]
    fn every_address_is_read_back() {
        for address in ["::1", "::", "fd00::1", "::ffff:1.2.3.4", "1.2.3.4"] {
            let parsed = Numeric::parse(address).unwrap();
            assert_eq!(parsed.with_port(0).ip().to_string(), address);
        }
    }
}
