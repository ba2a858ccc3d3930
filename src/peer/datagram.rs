//! UDP datagrams.

use std::fmt;
use std::net::SocketAddr;

use super::packet::{Checksum, IpPacket, ToFrame, setters};
use crate::wire::checksum::transport_checksum;
use crate::wire::ip::protocol;
use crate::wire::udp::UDP_HEADER;

/// A UDP datagram in an IP packet without options: to be sent, or read from a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// The bytes that it carries.
    pub payload: Vec<u8>,
    /// The checksum of UDP.
    pub checksum: Checksum,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
    /// Type of service, or traffic class: DSCP and ECN.
    pub traffic_class: u8,
}

impl Datagram {
    /// A datagram with these bytes.
    #[must_use]
    pub fn new(
        source: SocketAddr,
        destination: SocketAddr,
        payload: impl Into<Vec<u8>>,
    ) -> Datagram {
        Datagram {
            source,
            destination,
            payload: payload.into(),
            checksum: Checksum::Right,
            hop_limit: 64,
            traffic_class: 0,
        }
    }

    setters! {
        /// Makes the checksum of UDP right, wrong, or none.
        checksum: Checksum;
        /// Sets the time to live, or the hop limit.
        hop_limit: u8;
        /// Sets the type of service, or the traffic class.
        traffic_class: u8;
    }

    /// Reads an Ethernet frame; `None` when it holds no whole datagram. One with a wrong checksum
    /// is read, and says so.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Datagram> {
        IpPacket::parse(frame).and_then(|packet| Datagram::of_packet(&packet))
    }

    /// Reads an IP packet; `None` when it holds no whole datagram.
    #[must_use]
    pub fn of_packet(packet: &IpPacket) -> Option<Datagram> {
        if packet.protocol != protocol::UDP || packet.is_fragment() {
            return None;
        }
        let fixed: &[u8; UDP_HEADER] = packet.payload.first_chunk()?;
        let field = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let payload = packet.payload.get(UDP_HEADER..field(4).into())?;
        let checksum = match field(6) {
            0 => Checksum::Zero,
            _ => Checksum::found(packet.has_good_payload()),
        };
        Some(Datagram {
            source: SocketAddr::new(packet.source, field(0)),
            destination: SocketAddr::new(packet.destination, field(2)),
            payload: payload.to_vec(),
            checksum,
            hop_limit: packet.hop_limit,
            traffic_class: packet.traffic_class,
        })
    }

    /// The IP packet that carries it, to be changed or cut into fragments.
    #[must_use]
    pub fn packet(&self) -> IpPacket {
        let (source, destination) = (self.source.ip(), self.destination.ip());
        let len = (UDP_HEADER + self.payload.len()) as u16;
        let mut udp = Vec::with_capacity(UDP_HEADER + self.payload.len());
        for field in [self.source.port(), self.destination.port(), len, 0] {
            udp.extend(field.to_be_bytes());
        }
        udp.extend_from_slice(&self.payload);
        // RFC 768: 0 would say that there is none.
        let right = match transport_checksum(source, destination, protocol::UDP, &udp) {
            0 => u16::MAX,
            sum => sum,
        };
        udp[6..8].copy_from_slice(&self.checksum.value(right).to_be_bytes());
        IpPacket::new(source, destination, protocol::UDP, udp)
            .hop_limit(self.hop_limit)
            .traffic_class(self.traffic_class)
    }
}

impl ToFrame for Datagram {
    fn to_frame(&self, from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
        self.packet().to_frame(from, to)
    }
}

/// One line: addresses and length.
impl fmt::Display for Datagram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Datagram { source, destination, payload, .. } = self;
        write!(formatter, "{source} > {destination} UDP len={}", payload.len())
    }
}
