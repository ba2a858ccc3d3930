//! What an ICMP error quotes: the beginning of the packet that it is about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{v4, v6};
use crate::wire::ip::protocol;
use crate::wire::tcp::{FourTuple, Seq};

/// The beginning of a packet that this host sent, or got.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) struct Quoted {
    pub(in crate::host) source: IpAddr,
    pub(in crate::host) destination: IpAddr,
    pub(in crate::host) protocol: u8,
    /// The ports of TCP and UDP.
    ports: [u16; 2],
    /// TCP's sequence number.
    pub(in crate::host) seq: Option<Seq>,
    /// ICMP's type.
    first: u8,
    /// An echo's identifier and sequence number.
    id: u16,
    pub(in crate::host) sequence: u16,
}

impl Quoted {
    /// Reads a packet of which at least 8 bytes follow the IP header; `None` for a fragment
    /// other than the first.
    pub(super) fn parse(packet: &[u8]) -> Option<Quoted> {
        let (source, destination, protocol, payload): (IpAddr, IpAddr, u8, &[u8]) =
            match packet.first()? >> 4 {
                4 => {
                    let fixed: &[u8; 20] = packet.first_chunk()?;
                    if fixed[6] & 0x1f != 0 || fixed[7] != 0 {
                        return None;
                    }
                    let address = |at: usize| {
                        Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3])
                    };
                    let header_len = usize::from(fixed[0] & 0x0f) * 4;
                    let payload = packet.get(header_len.max(20)..)?;
                    (address(12).into(), address(16).into(), fixed[9], payload)
                }
                6 => {
                    let fixed: &[u8; 40] = packet.first_chunk()?;
                    let address = |at: usize| {
                        let octets: [u8; 16] = std::array::from_fn(|octet| fixed[at + octet]);
                        Ipv6Addr::from(octets)
                    };
                    let (mut protocol, mut payload) = (fixed[6], &packet[40..]);
                    if protocol == protocol::FRAGMENT {
                        let header: &[u8; 8] = payload.first_chunk()?;
                        if header[2] != 0 || header[3] & 0xf8 != 0 {
                            return None;
                        }
                        (protocol, payload) = (header[0], &payload[8..]);
                    }
                    (address(8).into(), address(24).into(), protocol, payload)
                }
                _ => return None,
            };
        let start: &[u8; 8] = payload.first_chunk()?;
        let field = |at: usize| u16::from_be_bytes([start[at], start[at + 1]]);
        let seq = u32::from_be_bytes([start[4], start[5], start[6], start[7]]);
        Some(Quoted {
            source,
            destination,
            protocol,
            ports: [field(0), field(2)],
            seq: (protocol == protocol::TCP).then_some(Seq(seq)),
            first: start[0],
            id: field(4),
            sequence: field(6),
        })
    }

    /// Whether the packet is itself an ICMP error, or one that asks for none.
    pub(super) fn is_icmp_error(&self, packet: &[u8]) -> bool {
        match self.protocol {
            protocol::ICMP => !matches!(self.first, v4::ECHO_REPLY | v4::ECHO_REQUEST),
            protocol::ICMPV6 => self.first < 128,
            _ => packet.is_empty(),
        }
    }

    /// Whether it is an echo request.
    pub(in crate::host) fn is_echo_request(&self) -> bool {
        matches!(self.first, v4::ECHO_REQUEST | v6::ECHO_REQUEST)
    }

    pub(in crate::host) fn local(&self) -> SocketAddr {
        SocketAddr::new(self.source, self.ports[0])
    }

    pub(in crate::host) fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.destination, self.ports[1])
    }

    /// The socket that sent an echo request: its port is the identifier.
    pub(in crate::host) fn echo(&self) -> SocketAddr {
        SocketAddr::new(self.source, self.id)
    }

    pub(in crate::host) fn tuple(&self) -> FourTuple {
        FourTuple::new(self.local(), self.remote())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_that_are_cut_or_odd_are_not_read() {
        let mut packet =
            vec![0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0, 7, 0, 9, 0, 8, 0, 0]);
        let quoted = Quoted::parse(&packet).unwrap();
        assert_eq!((quoted.local().to_string(), quoted.ports), ("10.0.0.1:7".to_owned(), [7, 9]));
        for len in 0..packet.len() {
            assert!(Quoted::parse(&packet[..len]).is_none(), "of {len} bytes");
        }
        packet[7] = 1;
        assert!(Quoted::parse(&packet).is_none(), "not the first fragment");
    }
}
