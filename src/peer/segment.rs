//! TCP segments.

use std::fmt;
use std::net::SocketAddr;

use super::packet::{Checksum, IpPacket, ToFrame, setters};
use super::tcp_option::TcpOption;
use crate::wire::checksum::transport_checksum;
use crate::wire::ip::protocol;
use crate::wire::tcp::TCP_HEADER;

/// Bytes of options that fit.
const MAX_OPTIONS: usize = 40;

/// A TCP segment in an IP packet without options: to be sent, or read from a frame.
///
/// Observers of a world, who only look at headers, have [`TcpSegment`](crate::TcpSegment) for that.
///
/// ```
/// use glassnet::peer::{Segment, TcpOption};
///
/// let [peer, host] = ["10.0.0.2:40000", "10.0.0.1:80"].map(|end| end.parse().unwrap());
/// let syn = Segment::new(peer, host).seq(5_000).syn().option(TcpOption::MaxSegmentSize(1460));
/// assert_eq!(syn.to_string(), "10.0.0.2:40000 > 10.0.0.1:80 SYN seq=5000 len=0 win=65535");
/// assert_eq!((syn.mss(), syn.end()), (Some(1460), 5_001));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number; without one the flag ACK is not set.
    pub ack: Option<u32>,
    /// The flag SYN.
    pub syn: bool,
    /// The flag FIN.
    pub fin: bool,
    /// The flag RST.
    pub rst: bool,
    /// The flag PSH.
    pub psh: bool,
    /// The flag URG.
    pub urg: bool,
    /// The flag ECE (RFC 3168).
    pub ece: bool,
    /// The flag CWR (RFC 3168).
    pub cwr: bool,
    /// Window as on the wire, not scaled.
    pub window: u16,
    /// The urgent pointer.
    pub urgent_pointer: u16,
    /// The options as on the wire, at most 40 bytes; filled up with zeros to a multiple of 4.
    pub options: Vec<u8>,
    /// The bytes that it carries.
    pub payload: Vec<u8>,
    /// The checksum of TCP.
    pub checksum: Checksum,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
    /// Type of service, or traffic class: DSCP and ECN.
    pub traffic_class: u8,
}

impl Segment {
    /// A segment without flags, options and payload, with sequence number 0 and a window of 65,535.
    #[must_use]
    pub fn new(source: SocketAddr, destination: SocketAddr) -> Segment {
        Segment {
            source,
            destination,
            seq: 0,
            ack: None,
            syn: false,
            fin: false,
            rst: false,
            psh: false,
            urg: false,
            ece: false,
            cwr: false,
            window: u16::MAX,
            urgent_pointer: 0,
            options: Vec::new(),
            payload: Vec::new(),
            checksum: Checksum::Right,
            hop_limit: 64,
            traffic_class: 0,
        }
    }

    setters! {
        /// Sets the sequence number.
        seq: u32;
        /// Sets the window, as on the wire.
        window: u16;
        /// Sets the urgent pointer.
        urgent_pointer: u16;
        /// Sets the options as on the wire: also some that make no sense.
        options: bytes;
        /// Sets the payload.
        payload: bytes;
        /// Makes the checksum of TCP right or wrong.
        checksum: Checksum;
        /// Sets the time to live, or the hop limit.
        hop_limit: u8;
        /// Sets the type of service, or the traffic class.
        traffic_class: u8;
    }

    /// Sets the acknowledgment number and the flag ACK.
    #[must_use]
    pub fn ack(mut self, ack: u32) -> Segment {
        self.ack = Some(ack);
        self
    }

    /// Clears the acknowledgment number and the flag ACK.
    #[must_use]
    pub fn without_ack(mut self) -> Segment {
        self.ack = None;
        self
    }

    /// Sets SYN.
    #[must_use]
    pub fn syn(mut self) -> Segment {
        self.syn = true;
        self
    }

    /// Sets FIN.
    #[must_use]
    pub fn fin(mut self) -> Segment {
        self.fin = true;
        self
    }

    /// Sets RST.
    #[must_use]
    pub fn rst(mut self) -> Segment {
        self.rst = true;
        self
    }

    /// Sets PSH.
    #[must_use]
    pub fn psh(mut self) -> Segment {
        self.psh = true;
        self
    }

    /// Sets URG.
    #[must_use]
    pub fn urg(mut self) -> Segment {
        self.urg = true;
        self
    }

    /// Sets ECE.
    #[must_use]
    pub fn ece(mut self) -> Segment {
        self.ece = true;
        self
    }

    /// Sets CWR.
    #[must_use]
    pub fn cwr(mut self) -> Segment {
        self.cwr = true;
        self
    }

    /// Appends an option. What is beyond 40 bytes is not sent.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "most are written in the call")]
    pub fn option(mut self, option: TcpOption) -> Segment {
        option.write(&mut self.options);
        self
    }

    /// Reads an Ethernet frame; `None` when it holds no whole segment. One with a wrong checksum is
    /// read, and says so.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Segment> {
        IpPacket::parse(frame).and_then(|packet| Segment::of_packet(&packet))
    }

    /// Reads an IP packet; `None` when it holds no whole segment.
    #[must_use]
    pub fn of_packet(packet: &IpPacket) -> Option<Segment> {
        if packet.protocol != protocol::TCP || packet.is_fragment() {
            return None;
        }
        let tcp = &packet.payload;
        let fixed: &[u8; TCP_HEADER] = tcp.first_chunk()?;
        let short = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let word = |at: usize| {
            u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        let flag = |bit: u8| fixed[13] & bit != 0;
        let (header, payload) = tcp.split_at_checked(usize::from(fixed[12] >> 4) * 4)?;
        Some(Segment {
            source: SocketAddr::new(packet.source, short(0)),
            destination: SocketAddr::new(packet.destination, short(2)),
            seq: word(4),
            ack: flag(0x10).then(|| word(8)),
            syn: flag(0x02),
            fin: flag(0x01),
            rst: flag(0x04),
            psh: flag(0x08),
            urg: flag(0x20),
            ece: flag(0x40),
            cwr: flag(0x80),
            window: short(14),
            urgent_pointer: short(18),
            options: header.get(TCP_HEADER..)?.to_vec(),
            payload: payload.to_vec(),
            checksum: Checksum::found(packet.has_good_payload()),
            hop_limit: packet.hop_limit,
            traffic_class: packet.traffic_class,
        })
    }

    /// The IP packet that carries it, to be changed or cut into fragments.
    #[must_use]
    pub fn packet(&self) -> IpPacket {
        let (source, destination) = (self.source.ip(), self.destination.ip());
        IpPacket::new(source, destination, protocol::TCP, self.tcp_bytes())
            .hop_limit(self.hop_limit)
            .traffic_class(self.traffic_class)
    }

    fn tcp_bytes(&self) -> Vec<u8> {
        let mut options = self.options[..self.options.len().min(MAX_OPTIONS)].to_vec();
        options.resize(options.len().next_multiple_of(4), 0);
        let flags = [
            self.fin,
            self.syn,
            self.rst,
            self.psh,
            self.ack.is_some(),
            self.urg,
            self.ece,
            self.cwr,
        ];
        let flags = flags.iter().rev().fold(0, |bits, set| bits << 1 | u8::from(*set));
        let mut tcp = Vec::with_capacity(TCP_HEADER + options.len() + self.payload.len());
        tcp.extend(self.source.port().to_be_bytes());
        tcp.extend(self.destination.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.unwrap_or(0).to_be_bytes());
        tcp.extend([(((TCP_HEADER + options.len()) / 4) << 4) as u8, flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0, 0]);
        tcp.extend(self.urgent_pointer.to_be_bytes());
        tcp.extend(options);
        tcp.extend_from_slice(&self.payload);
        let (source, destination) = (self.source.ip(), self.destination.ip());
        let right = transport_checksum(source, destination, protocol::TCP, &tcp);
        tcp[16..18].copy_from_slice(&self.checksum.value(right).to_be_bytes());
        tcp
    }

    /// The sequence number after it.
    #[must_use]
    pub fn end(&self) -> u32 {
        let control = u32::from(self.syn) + u32::from(self.fin);
        self.seq.wrapping_add(self.payload.len() as u32).wrapping_add(control)
    }

    /// `SYN`, `SYN ACK`, `FIN PSH ACK`, `RST`, …, in the order SYN, FIN, RST, PSH, ACK, URG, ECE, CWR.
    #[must_use]
    pub fn flags(&self) -> String {
        let flags = [
            (self.syn, "SYN"),
            (self.fin, "FIN"),
            (self.rst, "RST"),
            (self.psh, "PSH"),
            (self.ack.is_some(), "ACK"),
            (self.urg, "URG"),
            (self.ece, "ECE"),
            (self.cwr, "CWR"),
        ];
        let set: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        set.join(" ")
    }

    /// The options, as far as they can be read.
    #[must_use]
    pub fn tcp_options(&self) -> Vec<TcpOption> {
        TcpOption::parse_all(&self.options)
    }

    fn find<T>(&self, which: impl Fn(TcpOption) -> Option<T>) -> Option<T> {
        self.tcp_options().into_iter().find_map(which)
    }

    /// The maximum segment size that an option tells.
    #[must_use]
    pub fn mss(&self) -> Option<u16> {
        self.find(|option| match option {
            TcpOption::MaxSegmentSize(size) => Some(size),
            _ => None,
        })
    }

    /// The shift of the window scale option.
    #[must_use]
    pub fn window_scale(&self) -> Option<u8> {
        self.find(|option| match option {
            TcpOption::WindowScale(shift) => Some(shift),
            _ => None,
        })
    }

    /// Whether it permits selective acknowledgments.
    #[must_use]
    pub fn is_sack_permitted(&self) -> bool {
        self.find(|option| (option == TcpOption::SackPermitted).then_some(())).is_some()
    }

    /// The blocks that it acknowledges selectively.
    #[must_use]
    pub fn sack(&self) -> Vec<(u32, u32)> {
        let blocks = self.find(|option| match option {
            TcpOption::Sack(blocks) => Some(blocks),
            _ => None,
        });
        blocks.unwrap_or_default()
    }

    /// TSval and TSecr.
    #[must_use]
    pub fn timestamps(&self) -> Option<(u32, u32)> {
        self.find(|option| match option {
            TcpOption::Timestamps { value, echo } => Some((value, echo)),
            _ => None,
        })
    }
}

impl ToFrame for Segment {
    fn to_frame(&self, from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
        self.packet().to_frame(from, to)
    }
}

/// One line with the sequence numbers of the wire, which are not counted from the SYN.
impl fmt::Display for Segment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Segment { source, destination, seq, .. } = self;
        write!(formatter, "{source} > {destination} {} seq={seq}", self.flags())?;
        if let Some(ack) = self.ack {
            write!(formatter, " ack={ack}")?;
        }
        write!(formatter, " len={} win={}", self.payload.len(), self.window)?;
        for (start, end) in self.sack() {
            write!(formatter, " sack={start}-{end}")?;
        }
        if self.checksum != Checksum::Right {
            formatter.write_str(" [bad checksum]")?;
        }
        Ok(())
    }
}
