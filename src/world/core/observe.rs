//! What a run can be watched by.

use std::fmt;
use std::net::SocketAddr;

use crate::host::TcpState;
use crate::network::{DropReason, Fate};
use crate::time::Instant;
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::{ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ethertype};
use crate::wire::tcp::{self, Segment};
use crate::world::plan::Fault;

/// Something that happened in a run; see [`Sim::observe`](crate::Sim::observe).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A host sent a frame. One for everybody, or for a group, is told once for each host that
    /// listens, with the same `packet_id`.
    #[non_exhaustive]
    Sent {
        /// When.
        time: Instant,
        /// The sending host.
        from: &'a str,
        /// The host it is for, if there is one.
        to: Option<&'a str>,
        /// The number of the packet: the same wherever this frame is seen, captures included.
        packet_id: u64,
        /// The Ethernet frame, without FCS.
        frame: &'a [u8],
        /// What the network does with it.
        fate: Fate,
    },
    /// A frame reached a host.
    #[non_exhaustive]
    Arrived {
        /// When.
        time: Instant,
        /// The receiving host.
        host: &'a str,
        /// The number of the packet.
        packet_id: u64,
        /// The Ethernet frame, without FCS.
        frame: &'a [u8],
        /// Whether it is the copy that a link made.
        duplicate: bool,
    },
    /// A frame died elsewhere than on a link: it reached a host that had crashed while it was on
    /// its way ([`DropReason::HostDown`](crate::DropReason::HostDown)), or it never left its
    /// host, because of its neighbour or for want of a route.
    #[non_exhaustive]
    Dropped {
        /// When.
        time: Instant,
        /// The host where it died.
        host: &'a str,
        /// The number of the packet. One that never left has a number of its own.
        packet_id: u64,
        /// The Ethernet frame, without FCS. One that never left has no destination's Ethernet
        /// address: it is all zeros.
        frame: &'a [u8],
        /// Why.
        reason: DropReason,
    },
    /// A TCP connection changed its state. The end of TIME-WAIT is none of them: it is noticed
    /// only when somebody asks.
    #[non_exhaustive]
    State {
        /// When.
        time: Instant,
        /// The host.
        host: &'a str,
        /// That host's end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
        /// The state before.
        from: TcpState,
        /// The state after.
        to: TcpState,
    },
    /// Something is done on purpose, now.
    Fault {
        /// When.
        time: Instant,
        /// What.
        fault: &'a Fault,
    },
}

/// What is told of events.
pub(in crate::world) type Observer = Box<dyn FnMut(&Event<'_>)>;

/// The header of a TCP segment in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpSegment {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number, when the ACK flag is set.
    pub ack: Option<u32>,
    /// SYN flag.
    pub syn: bool,
    /// FIN flag.
    pub fin: bool,
    /// RST flag.
    pub rst: bool,
    /// PSH flag.
    pub psh: bool,
    /// Window as on the wire, not scaled.
    pub window: u16,
    /// Bytes of payload.
    pub len: u32,
}

impl TcpSegment {
    /// Reads an Ethernet frame; `None` when it holds no IP packet with a TCP segment.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<TcpSegment> {
        let (ETHERTYPE_IPV4 | ETHERTYPE_IPV6) = ethertype(frame)? else { return None };
        let packet = frame.get(ETHERNET_HEADER..)?;
        let (tuple, segment) = Segment::parse(packet, Checksum::Verified)?;
        Some(TcpSegment {
            source: SocketAddr::new(tuple.remote_addr, tuple.remote_port),
            destination: SocketAddr::new(tuple.local_addr, tuple.local_port),
            seq: segment.seq.0,
            ack: segment.ack.map(|ack| ack.0),
            syn: segment.syn,
            fin: segment.fin,
            rst: segment.rst,
            psh: tcp::flags(packet)? & tcp::PSH != 0,
            window: segment.window,
            len: segment.payload_len,
        })
    }

    /// The sequence number after this segment.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.seq
            .wrapping_add(self.len)
            .wrapping_add(u32::from(self.syn))
            .wrapping_add(u32::from(self.fin))
    }

    /// `SYN`, `SYN ACK`, `PSH ACK`, `FIN ACK`, `RST`, …
    #[must_use]
    pub fn flags(&self) -> String {
        let flags = [
            (self.syn, "SYN"),
            (self.fin, "FIN"),
            (self.rst, "RST"),
            (self.psh, "PSH"),
            (self.ack.is_some(), "ACK"),
        ];
        let set: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        set.join(" ")
    }
}

/// One line with the sequence numbers of the wire, which are not counted from the SYN.
impl fmt::Display for TcpSegment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} > {} {} seq={}",
            self.source,
            self.destination,
            self.flags(),
            self.seq
        )?;
        if let Some(ack) = self.ack {
            write!(formatter, " ack={ack}")?;
        }
        write!(formatter, " len={} win={}", self.len, self.window)
    }
}
