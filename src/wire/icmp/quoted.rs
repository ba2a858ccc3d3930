//! What an ICMP error quotes: the beginning of the packet that it is about.

use std::net::{IpAddr, SocketAddr};

use super::{IcmpHeader, v4, v6};
use crate::wire::ip::protocol;
use crate::wire::packet::{Carried, Excerpt};
use crate::wire::tcp::{self, FourTuple, Seq};
use crate::wire::udp::ports;

/// The beginning of a packet that this host sent, or got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    /// The ports of TCP and UDP.
    ports: [u16; 2],
    /// TCP's sequence number.
    pub(crate) seq: Option<Seq>,
    /// If it is ICMP.
    icmp: IcmpHeader,
}

impl Quoted {
    /// Reads a packet of which at least 8 bytes follow the IP header; `None` for a fragment
    /// other than the first.
    pub(crate) fn parse(packet: &[u8]) -> Option<Quoted> {
        let Excerpt { header, fragment_offset, payload } = Excerpt::parse(packet)?;
        if fragment_offset.is_some_and(|offset| offset != 0) {
            return None;
        }
        let (icmp, _) = IcmpHeader::split_from(payload)?;
        let (source_port, destination_port) = ports(payload)?;
        Some(Quoted {
            source: header.source,
            destination: header.destination,
            protocol: header.protocol,
            ports: [source_port, destination_port],
            seq: if header.protocol == protocol::TCP { tcp::seq(payload) } else { None },
            icmp,
        })
    }

    /// Whether it is an echo request.
    pub(crate) fn is_echo_request(&self) -> bool {
        matches!(self.icmp.kind, v4::ECHO_REQUEST | v6::ECHO_REQUEST)
    }

    pub(crate) fn local(&self) -> SocketAddr {
        SocketAddr::new(self.source, self.ports[0])
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.destination, self.ports[1])
    }

    /// The socket that sent an echo request: its port is the identifier.
    pub(crate) fn echo(&self) -> SocketAddr {
        SocketAddr::new(self.source, self.icmp.echo_id())
    }

    /// The sequence number of an echo.
    pub(crate) fn sequence(&self) -> u16 {
        self.icmp.echo_sequence()
    }

    pub(crate) fn tuple(&self) -> FourTuple {
        FourTuple::new(self.local(), self.remote())
    }
}

/// Whether a packet, whole or its beginning, is an ICMP error, or one that asks for none: nobody is
/// told of those (RFC 1122 3.2.2, RFC 4443 2.4 (e)).
pub(crate) fn is_icmp_error(packet: &[u8]) -> bool {
    let Some(Carried { protocol, fragment_offset: 0, payload }) = Carried::parse(packet) else {
        return false;
    };
    let kind = payload.first();
    match (packet[0] >> 4, protocol) {
        (4, protocol::ICMP) => {
            !kind.is_some_and(|kind| matches!(*kind, v4::ECHO_REPLY | v4::ECHO_REQUEST))
        }
        (6, protocol::ICMPV6) => kind.is_none_or(|kind| *kind < 128),
        _ => false,
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
