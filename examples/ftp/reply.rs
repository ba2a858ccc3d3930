//! Replies and addresses, as both sides write and read them.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A reply (RFC 959, section 4.2): a code, and a text for people.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Reply {
    /// Reads a line without its end.
    pub(crate) fn parse(line: &str) -> Option<Reply> {
        let (code, text) = line.split_at_checked(3)?;
        let text = text.strip_prefix(' ')?.to_owned();
        Some(Reply { code: code.parse().ok()?, text })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.code, self.text)
    }
}

/// The reply that was not the one asked for.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Reply);

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the server says {}", self.0)
    }
}

impl std::error::Error for Refused {}

/// An address as six numbers, four of the host and two of the port: the argument of PORT, and
/// what the reply to PASV has in parentheses.
pub(crate) fn address_as_numbers(address: SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

pub(crate) fn address_from_numbers(numbers: &str) -> Option<SocketAddrV4> {
    let numbers: Vec<u8> =
        numbers.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [a, b, c, d, high, low] = numbers[..] else { return None };
    Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])))
}
