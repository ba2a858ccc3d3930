//! ICMP and ICMPv6 messages.

use std::fmt;
use std::net::IpAddr;

use super::packet::{Checksum, IpPacket, ToFrame, setters};
use crate::wire::checksum::{internet_checksum, transport_checksum};
use crate::wire::icmp::{ICMP_HEADER, v4, v6};
use crate::wire::ip::protocol;

/// Bytes of a packet that an error quotes: its headers, and more than the eight that every host
/// must find there (RFC 792).
const MAX_QUOTE: usize = 500;

/// A message of ICMP, or of ICMPv6 between IPv6 addresses: to be sent, or read from a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IcmpMessage {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The four bytes after the checksum, whose meaning depends on the type.
    pub rest: [u8; 4],
    /// What follows the header of eight bytes.
    pub payload: Vec<u8>,
    /// The checksum of the message.
    pub checksum: Checksum,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
}

impl IcmpMessage {
    /// A message without payload, whose `rest` is zero.
    #[must_use]
    pub fn new(
        source: impl Into<IpAddr>,
        destination: impl Into<IpAddr>,
        kind: u8,
        code: u8,
    ) -> IcmpMessage {
        IcmpMessage {
            source: source.into(),
            destination: destination.into(),
            kind,
            code,
            rest: [0; 4],
            payload: Vec::new(),
            checksum: Checksum::Right,
            hop_limit: 64,
        }
    }

    /// An error that `from` tells the sender of `about`, of which it quotes the beginning.
    #[must_use]
    pub fn error(from: impl Into<IpAddr>, about: &IpPacket, kind: u8, code: u8) -> IcmpMessage {
        let mut quote = about.to_bytes();
        quote.truncate(MAX_QUOTE);
        IcmpMessage::new(from, about.source, kind, code).payload(quote)
    }

    /// "Fragmentation needed" or "packet too big": the next hop takes packets of `mtu` bytes
    /// (RFC 1191, RFC 8201). IPv4's field has 16 bits.
    #[must_use]
    pub fn too_big(from: impl Into<IpAddr>, about: &IpPacket, mtu: u32) -> IcmpMessage {
        if about.destination.is_ipv4() {
            let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
            IcmpMessage::error(from, about, v4::UNREACHABLE, 4).rest(u32::from(mtu).to_be_bytes())
        } else {
            IcmpMessage::error(from, about, v6::TOO_BIG, 0).rest(mtu.to_be_bytes())
        }
    }

    /// "Port unreachable".
    #[must_use]
    pub fn port_unreachable(from: impl Into<IpAddr>, about: &IpPacket) -> IcmpMessage {
        match about.destination.is_ipv4() {
            true => IcmpMessage::error(from, about, v4::UNREACHABLE, 3),
            false => IcmpMessage::error(from, about, v6::UNREACHABLE, 4),
        }
    }

    /// "Host unreachable" or "address unreachable".
    #[must_use]
    pub fn host_unreachable(from: impl Into<IpAddr>, about: &IpPacket) -> IcmpMessage {
        match about.destination.is_ipv4() {
            true => IcmpMessage::error(from, about, v4::UNREACHABLE, 1),
            false => IcmpMessage::error(from, about, v6::UNREACHABLE, 3),
        }
    }

    /// An echo request.
    #[must_use]
    pub fn echo_request(
        source: impl Into<IpAddr>,
        destination: impl Into<IpAddr>,
        id: u16,
        sequence: u16,
    ) -> IcmpMessage {
        let destination = destination.into();
        let kind = if destination.is_ipv4() { v4::ECHO_REQUEST } else { v6::ECHO_REQUEST };
        let ([a, b], [c, d]) = (id.to_be_bytes(), sequence.to_be_bytes());
        IcmpMessage::new(source, destination, kind, 0).rest([a, b, c, d])
    }

    setters! {
        /// Sets the four bytes after the checksum.
        rest: [u8; 4];
        /// Sets what follows the header.
        payload: bytes;
        /// Makes the checksum of the message right or wrong.
        checksum: Checksum;
        /// Sets the time to live, or the hop limit.
        hop_limit: u8;
    }

    /// Reads an Ethernet frame; `None` when it holds no whole message. One with a wrong checksum is
    /// read, and says so.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<IcmpMessage> {
        IpPacket::parse(frame).and_then(|packet| IcmpMessage::of_packet(&packet))
    }

    /// Reads an IP packet; `None` when it holds no whole message.
    #[must_use]
    pub fn of_packet(packet: &IpPacket) -> Option<IcmpMessage> {
        if packet.protocol != protocol_of(packet.destination) || packet.is_fragment() {
            return None;
        }
        let ([kind, code, _, _, rest @ ..], payload) =
            packet.payload.split_first_chunk::<ICMP_HEADER>()?;
        let is_right = match packet.destination {
            IpAddr::V4(_) => internet_checksum(&packet.payload) == 0,
            IpAddr::V6(_) => packet.has_good_payload(),
        };
        Some(IcmpMessage {
            rest: *rest,
            payload: payload.to_vec(),
            checksum: Checksum::found(is_right),
            hop_limit: packet.hop_limit,
            ..IcmpMessage::new(packet.source, packet.destination, *kind, *code)
        })
    }

    /// The IP packet that carries it.
    #[must_use]
    pub fn packet(&self) -> IpPacket {
        let IcmpMessage { source, destination, kind, code, .. } = *self;
        let mut message = vec![kind, code, 0, 0];
        message.extend(self.rest);
        message.extend_from_slice(&self.payload);
        let protocol = protocol_of(destination);
        let right = match destination {
            IpAddr::V4(_) => internet_checksum(&message),
            IpAddr::V6(_) => transport_checksum(source, destination, protocol, &message),
        };
        message[2..4].copy_from_slice(&self.checksum.value(right).to_be_bytes());
        IpPacket::new(source, destination, protocol, message).hop_limit(self.hop_limit)
    }
}

fn protocol_of(destination: IpAddr) -> u8 {
    if destination.is_ipv4() { protocol::ICMP } else { protocol::ICMPV6 }
}

impl ToFrame for IcmpMessage {
    fn to_frame(&self, from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
        self.packet().to_frame(from, to)
    }
}

/// One line: addresses, type, code and length.
impl fmt::Display for IcmpMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IcmpMessage { source, destination, kind, code, .. } = self;
        let name = if destination.is_ipv4() { "ICMP" } else { "ICMPv6" };
        write!(
            formatter,
            "{source} > {destination} {name} type={kind} code={code} len={}",
            self.payload.len()
        )
    }
}
