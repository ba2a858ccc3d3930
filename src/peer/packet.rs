//! IP packets, and what can be made a frame of.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::arp::ArpPacket;
use crate::wire::checksum::{internet_checksum, transport_checksum};
use crate::wire::ethernet::{
    BROADCAST, ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ethertype,
};
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER, to_v6};

/// What [`Wire::inject`](super::Wire::inject) can put on the wire: one Ethernet frame without its
/// check sequence.
///
/// A slice of bytes is a frame as it is; the packets of this module are given an Ethernet header.
pub trait ToFrame {
    /// The frame, from one Ethernet address to another. What knows its own addresses takes those.
    fn to_frame(&self, from: [u8; 6], to: [u8; 6]) -> Vec<u8>;
}

impl ToFrame for [u8] {
    fn to_frame(&self, _from: [u8; 6], _to: [u8; 6]) -> Vec<u8> {
        self.to_vec()
    }
}

impl<const N: usize> ToFrame for [u8; N] {
    fn to_frame(&self, _from: [u8; 6], _to: [u8; 6]) -> Vec<u8> {
        self.to_vec()
    }
}

impl ToFrame for Vec<u8> {
    fn to_frame(&self, _from: [u8; 6], _to: [u8; 6]) -> Vec<u8> {
        self.clone()
    }
}

/// A request goes to everybody, a reply to whom it names; each is sent by its `sender_mac`.
impl ToFrame for ArpPacket {
    fn to_frame(&self, _from: [u8; 6], _to: [u8; 6]) -> Vec<u8> {
        let to = if self.is_reply { self.target_mac } else { BROADCAST };
        ethernet(self.sender_mac, to, ETHERTYPE_ARP, &self.to_bytes())
    }
}

pub(super) fn ethernet(from: [u8; 6], to: [u8; 6], ethertype: [u8; 2], packet: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ETHERNET_HEADER + packet.len());
    frame.extend(to);
    frame.extend(from);
    frame.extend(ethertype);
    frame.extend_from_slice(packet);
    frame
}

/// Whether a checksum is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// It is.
    #[default]
    Right,
    /// It is not: written with some of its bits inverted.
    Wrong,
    /// It is zero, which for UDP over IPv4 says that there is none.
    Zero,
}

impl Checksum {
    /// What is written where `right` is right.
    pub(super) fn value(self, right: u16) -> u16 {
        match self {
            Checksum::Right => right,
            Checksum::Wrong => right ^ 0x5555,
            Checksum::Zero => 0,
        }
    }

    /// What is to be said of one that is there.
    pub(super) fn found(is_right: bool) -> Checksum {
        if is_right { Checksum::Right } else { Checksum::Wrong }
    }
}

/// Methods that set a field each, and give the whole back.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $kind:tt;)*) => {
        $(setters!(one $(#[$doc])* $name: $kind);)*
    };
    (one $(#[$doc:meta])* $name:ident: bytes) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: impl Into<Vec<u8>>) -> Self {
            self.$name = $name.into();
            self
        }
    };
    (one $(#[$doc:meta])* $name:ident: $kind:tt) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $kind) -> Self {
            self.$name = $name;
            self
        }
    };
}
pub(super) use setters;

/// An IP packet of either version: to be sent as it is, or read from a frame.
///
/// It says what its fields say, whether that makes sense or not. Lengths and checksums are
/// written by it; for wrong lengths change the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IpPacket {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes; the family of this address is the version of the packet.
    pub destination: IpAddr,
    /// What it carries, by IANA's number: 6 is TCP. In IPv6 it may be an extension header, which
    /// is then the beginning of the payload.
    pub protocol: u8,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
    /// Type of service, or traffic class: DSCP and ECN.
    pub traffic_class: u8,
    /// The flow label of IPv6, 20 bits.
    pub flow_label: u32,
    /// The identification of IPv4.
    pub id: u16,
    /// The flag DF of IPv4.
    pub dont_fragment: bool,
    /// The flag MF of IPv4.
    pub more_fragments: bool,
    /// Where a fragment of IPv4 belongs, in units of 8 bytes: 13 bits.
    pub fragment_offset: u16,
    /// The options of IPv4, at most 40 bytes; filled up with zeros to a multiple of 4.
    pub options: Vec<u8>,
    /// The checksum of IPv4's header.
    pub header_checksum: Checksum,
    /// What follows the header.
    pub payload: Vec<u8>,
}

impl IpPacket {
    /// A packet with hop limit 64 and DF set.
    #[must_use]
    pub fn new(
        source: impl Into<IpAddr>,
        destination: impl Into<IpAddr>,
        protocol: u8,
        payload: impl Into<Vec<u8>>,
    ) -> IpPacket {
        IpPacket {
            source: source.into(),
            destination: destination.into(),
            protocol,
            hop_limit: 64,
            traffic_class: 0,
            flow_label: 0,
            id: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            options: Vec::new(),
            header_checksum: Checksum::Right,
            payload: payload.into(),
        }
    }

    setters! {
        /// Sets the time to live, or the hop limit.
        hop_limit: u8;
        /// Sets the type of service, or the traffic class.
        traffic_class: u8;
        /// Sets IPv6's flow label.
        flow_label: u32;
        /// Sets IPv4's identification.
        id: u16;
        /// Sets or clears DF.
        dont_fragment: bool;
        /// Sets or clears MF.
        more_fragments: bool;
        /// Sets where a fragment belongs, in units of 8 bytes.
        fragment_offset: u16;
        /// Sets IPv4's options.
        options: bytes;
        /// Makes the checksum of IPv4's header right or wrong.
        header_checksum: Checksum;
        /// Sets what follows the header.
        payload: bytes;
    }

    /// Reads an Ethernet frame; `None` when it holds no IP packet, or one that is cut. Padding
    /// after the packet is left out.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<IpPacket> {
        let packet = frame.get(ETHERNET_HEADER..)?;
        match ethertype(frame)? {
            ETHERTYPE_IPV4 => IpPacket::parse_v4(packet),
            ETHERTYPE_IPV6 => IpPacket::parse_v6(packet),
            _ => None,
        }
    }

    fn parse_v4(packet: &[u8]) -> Option<IpPacket> {
        let fixed: &[u8; IPV4_HEADER] = packet.first_chunk()?;
        let field = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let address = |at: usize| {
            IpAddr::from(Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]))
        };
        let header_len = usize::from(fixed[0] & 0x0f) * 4;
        let packet = packet.get(..usize::from(field(2)))?;
        let (header, payload) = packet.split_at_checked(header_len)?;
        let fragment = field(6);
        (fixed[0] >> 4 == 4 && header_len >= IPV4_HEADER).then(|| IpPacket {
            traffic_class: fixed[1],
            id: field(4),
            dont_fragment: fragment & 0x4000 != 0,
            more_fragments: fragment & 0x2000 != 0,
            fragment_offset: fragment & 0x1fff,
            hop_limit: fixed[8],
            options: header[IPV4_HEADER..].to_vec(),
            header_checksum: Checksum::found(internet_checksum(header) == 0),
            ..IpPacket::new(address(12), address(16), fixed[9], payload)
        })
    }

    fn parse_v6(packet: &[u8]) -> Option<IpPacket> {
        let (fixed, rest) = packet.split_first_chunk::<IPV6_HEADER>()?;
        let address = |at: usize| {
            let bytes: [u8; 16] = std::array::from_fn(|byte| fixed[at + byte]);
            Ipv6Addr::from(bytes)
        };
        let first = u32::from_be_bytes([fixed[0], fixed[1], fixed[2], fixed[3]]);
        let payload = rest.get(..u16::from_be_bytes([fixed[4], fixed[5]]).into())?;
        (fixed[0] >> 4 == 6).then(|| IpPacket {
            traffic_class: (first >> 20) as u8,
            flow_label: first & 0x000f_ffff,
            hop_limit: fixed[7],
            ..IpPacket::new(address(8), address(24), fixed[6], payload)
        })
    }

    /// The packet as it stands on the wire. One that is longer than its length field can say has a
    /// wrong one.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.bytes_v4(source, destination),
            (source, destination) => self.bytes_v6(to_v6(source), to_v6(destination)),
        }
    }

    fn bytes_v4(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
        let mut options = self.options[..self.options.len().min(40)].to_vec();
        options.resize(options.len().next_multiple_of(4), 0);
        let header_len = IPV4_HEADER + options.len();
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more_fragments) << 13;
        let mut packet = vec![0x40 | (header_len / 4) as u8, self.traffic_class];
        packet.extend(((header_len + self.payload.len()) as u16).to_be_bytes());
        packet.extend(self.id.to_be_bytes());
        packet.extend((flags | (self.fragment_offset & 0x1fff)).to_be_bytes());
        packet.extend([self.hop_limit, self.protocol, 0, 0]);
        packet.extend(source.octets());
        packet.extend(destination.octets());
        packet.extend(options);
        let checksum = self.header_checksum.value(internet_checksum(&packet));
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet.extend_from_slice(&self.payload);
        packet
    }

    fn bytes_v6(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | (self.flow_label & 0x000f_ffff);
        let mut packet = first.to_be_bytes().to_vec();
        packet.extend((self.payload.len() as u16).to_be_bytes());
        packet.extend([self.protocol, self.hop_limit]);
        packet.extend(source.octets());
        packet.extend(destination.octets());
        packet.extend_from_slice(&self.payload);
        packet
    }

    /// Whether it is a fragment of IPv4.
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    /// Whether the checksum over pseudo header and payload comes out.
    pub(super) fn has_good_payload(&self) -> bool {
        transport_checksum(self.source, self.destination, self.protocol, &self.payload) == 0
    }
}

impl ToFrame for IpPacket {
    fn to_frame(&self, from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
        let is_v4 = self.source.is_ipv4() && self.destination.is_ipv4();
        let ethertype = if is_v4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
        ethernet(from, to, ethertype, &self.to_bytes())
    }
}

/// One line: addresses, protocol, length, and what is unusual.
impl fmt::Display for IpPacket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IpPacket { source, destination, protocol, .. } = self;
        write!(
            formatter,
            "{source} > {destination} protocol={protocol} len={}",
            self.payload.len()
        )?;
        if self.is_fragment() {
            let more = if self.more_fragments { "+" } else { "" };
            write!(formatter, " fragment={}{more}", u32::from(self.fragment_offset) * 8)?;
        }
        Ok(())
    }
}
