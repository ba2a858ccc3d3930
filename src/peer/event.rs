//! What happens on the wire and in the host, and frames as they are seen there.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;

use super::datagram::Datagram;
use super::icmp::IcmpMessage;
use super::packet::IpPacket;
use super::segment::Segment;
use crate::clock::Instant;
use crate::host::TcpState;
use crate::network::DropReason;
use crate::wire::arp::ArpPacket;
use crate::wire::ethernet::{ETHERNET_HEADER, EthernetHeader};
use crate::wire::ndp::describe_ndp;

/// Events that wait to be taken, and the bytes of their frames; beyond them the oldest is forgotten.
const MAX_EVENTS: usize = 65_536;
const MAX_BYTES: usize = 64 << 20;

/// Something that happened to the host of a [`Wire`](super::Wire).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It sent a frame.
    Sent(Frame),
    /// A connection of it changed its state. The end of TIME-WAIT is none of them: it is noticed
    /// only when somebody asks.
    State {
        /// When.
        time: Instant,
        /// The host's end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
        /// The state before.
        from: TcpState,
        /// The state after.
        to: TcpState,
    },
    /// A packet that it wanted to send never left it.
    Dropped {
        /// The frame as it would have been; it has no destination's Ethernet address.
        frame: Frame,
        /// Why.
        reason: DropReason,
    },
    /// A timer fired, and nothing of the above came of it.
    Timer {
        /// When.
        time: Instant,
    },
}

impl Event {
    /// When it happened.
    #[must_use]
    pub fn time(&self) -> Instant {
        match self {
            Event::Sent(frame) | Event::Dropped { frame, .. } => frame.time,
            Event::State { time, .. } | Event::Timer { time } => *time,
        }
    }
}

impl Event {
    /// How many bytes its frame has.
    fn len(&self) -> usize {
        match self {
            Event::Sent(frame) | Event::Dropped { frame, .. } => frame.bytes.len(),
            Event::State { .. } | Event::Timer { .. } => 0,
        }
    }
}

/// One line, with the time.
impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Sent(frame) => write!(formatter, "{frame}"),
            Event::State { time, local, remote, from, to } => {
                write!(formatter, "{time} {local} > {remote} {from} -> {to}")
            }
            Event::Dropped { frame, reason } => write!(formatter, "{frame} [never left: {reason}]"),
            Event::Timer { time } => write!(formatter, "{time} a timer fired"),
        }
    }
}

/// An Ethernet frame that the host sent, without its check sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// When it left.
    pub time: Instant,
    /// Its bytes, from the destination's Ethernet address on.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// The TCP segment in it.
    #[must_use]
    pub fn segment(&self) -> Option<Sent<Segment>> {
        self.read(Segment::parse)
    }

    /// The UDP datagram in it.
    #[must_use]
    pub fn datagram(&self) -> Option<Sent<Datagram>> {
        self.read(Datagram::parse)
    }

    /// The ICMP or ICMPv6 message in it, neighbour discovery included.
    #[must_use]
    pub fn icmp(&self) -> Option<Sent<IcmpMessage>> {
        self.read(IcmpMessage::parse)
    }

    /// The ARP packet in it.
    #[must_use]
    pub fn arp(&self) -> Option<Sent<ArpPacket>> {
        self.read(ArpPacket::parse)
    }

    /// The IP packet in it, whatever it carries.
    #[must_use]
    pub fn packet(&self) -> Option<Sent<IpPacket>> {
        self.read(IpPacket::parse)
    }

    fn read<T>(&self, parse: impl FnOnce(&[u8]) -> Option<T>) -> Option<Sent<T>> {
        let (ethernet, _) = EthernetHeader::split_from(&self.bytes)?;
        Some(Sent {
            time: self.time,
            source_mac: ethernet.source,
            destination_mac: ethernet.destination,
            packet: parse(&self.bytes)?,
        })
    }
}

/// One line, with the time.
impl fmt::Display for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.time)?;
        let bytes = &self.bytes;
        if let Some(segment) = Segment::parse(bytes) {
            return write!(formatter, "{segment}");
        }
        if let Some(datagram) = Datagram::parse(bytes) {
            return write!(formatter, "{datagram}");
        }
        if let Some(arp) = ArpPacket::parse(bytes) {
            return write!(formatter, "{arp}");
        }
        if let Some(ndp) = bytes.get(ETHERNET_HEADER..).and_then(describe_ndp) {
            return formatter.write_str(&ndp);
        }
        if let Some(icmp) = IcmpMessage::parse(bytes) {
            return write!(formatter, "{icmp}");
        }
        if let Some(packet) = IpPacket::parse(bytes) {
            return write!(formatter, "{packet}");
        }
        write!(formatter, "a frame of {} bytes", bytes.len())
    }
}

/// A packet that the host sent, with what its frame says: it can be used as the packet itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent<T> {
    /// When it left.
    pub time: Instant,
    /// From which Ethernet address.
    pub source_mac: [u8; 6],
    /// To which Ethernet address.
    pub destination_mac: [u8; 6],
    /// The packet.
    pub packet: T,
}

impl<T> Deref for Sent<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.packet
    }
}

/// One line, with the time.
impl<T: fmt::Display> fmt::Display for Sent<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.time, self.packet)
    }
}

/// A host that does not come to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotIdle {
    pub(super) time: Instant,
    pub(super) why: Unrest,
}

/// Why a host does not come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unrest {
    /// There is always more to do at one moment.
    Spins,
    /// Timers fire again and again, and nothing comes of them.
    InVain,
    /// It still has something to do when the time is up; the next is due then.
    Late(Instant),
}

impl NotIdle {
    /// The moment of the wire at which this was noticed.
    #[must_use]
    pub fn time(&self) -> Instant {
        self.time
    }
}

impl fmt::Display for NotIdle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time;
        match self.why {
            Unrest::Spins => write!(
                formatter,
                "at {time} the host, or a call that was started on it, always has more to do"
            ),
            Unrest::InVain => {
                write!(formatter, "until {time} timers fired 10,000 times, and nothing came of it")
            }
            Unrest::Late(next) => {
                write!(formatter, "at {time} the host is not idle: a timer fires at {next}")
            }
        }
    }
}

impl Error for NotIdle {}

/// What happened, in order, until somebody takes it.
#[derive(Default)]
pub(super) struct Events {
    queue: VecDeque<Event>,
    /// The bytes of their frames.
    bytes: usize,
    /// How many there have been.
    total: u64,
}

impl Events {
    pub(super) fn push(&mut self, event: Event) {
        self.total += 1;
        self.bytes += event.len();
        self.queue.push_back(event);
        while self.queue.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            self.pop();
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        self.bytes -= event.len();
        Some(event)
    }

    pub(super) fn take_all(&mut self) -> Vec<Event> {
        self.bytes = 0;
        self.queue.drain(..).collect()
    }

    /// Takes the first frame of which `read` makes something.
    pub(super) fn take_first<T>(&mut self, read: impl Fn(&Frame) -> Option<T>) -> Option<T> {
        let found = self.queue.iter().enumerate().find_map(|(at, event)| match event {
            Event::Sent(frame) => read(frame).map(|read| (at, read)),
            _ => None,
        });
        let (at, read) = found?;
        self.bytes -= self.queue.remove(at).map_or(0, |event| event.len());
        Some(read)
    }

    /// The first frame that was sent.
    pub(super) fn first_frame(&self) -> Option<&Frame> {
        self.queue.iter().find_map(|event| match event {
            Event::Sent(frame) => Some(frame),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(time: u64) -> Event {
        let time = Instant::from_nanos(time);
        Event::Sent(Frame { time, bytes: vec![0; 1 << 20] })
    }

    #[test]
    fn the_oldest_frames_are_forgotten_when_their_bytes_are_too_many() {
        let mut events = Events::default();
        (0..100).for_each(|time| events.push(frame(time)));
        assert_eq!((events.queue.len(), events.total()), (64, 100));
        assert_eq!(events.pop(), Some(frame(36)));
        // What is taken makes room.
        events.take_first(|frame| Some(frame.clone()));
        (100..102).for_each(|time| events.push(frame(time)));
        assert_eq!(events.pop(), Some(frame(38)));
        assert_eq!((events.take_all().len(), events.bytes), (63, 0));
    }
}
