//! Keeps from a run what a ladder shows: each connection's segments and states, in order.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use glassnet::{ArpPacket, DropReason, Event, Fate, TcpSegment, TcpState};

/// Connections that are kept in full; the others are counted.
const CONNECTIONS: usize = 10;

/// What happened in a run.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    connections: Vec<Connection>,
    /// Every connection seen; those that are kept with their index.
    known: BTreeMap<(SocketAddr, SocketAddr), Option<usize>>,
    segments: u64,
}

/// One connection, from the host that sent first to the other.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) left: End,
    pub(crate) right: End,
    pub(crate) rows: Vec<Row>,
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) address: SocketAddr,
    /// Empty until the host is heard of.
    pub(crate) host: String,
    /// Where its sequence numbers begin.
    initial: Option<u32>,
    /// The number after the highest it has sent.
    next: Option<u32>,
}

/// The side of the ladder on which a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Something that a ladder shows.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Frame(Frame),
    State { time: Duration, side: Side, state: TcpState },
}

/// A frame on its way.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) time: Duration,
    pub(crate) sender: Side,
    pub(crate) label: String,
    pub(crate) remark: Option<Remark>,
    pub(crate) ending: Ending,
    /// Octets of payload.
    pub(crate) len: u32,
    /// It carries data or acknowledges some, and nothing else: many of these are all alike.
    pub(crate) routine: bool,
}

/// What is special about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    /// Its host has sent it, or a part of it, before.
    Retransmission,
    /// The link made it from the frame before.
    Duplicate,
}

/// How a frame's way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Arrives(Duration),
    Lost(DropReason),
}

impl Recording {
    /// Takes note of an event of the run.
    pub(crate) fn note(&mut self, event: &Event<'_>) {
        match *event {
            Event::Sent { time, from, to, frame, fate, .. } => {
                let sent = Sent { time: time.since_start(), from, to, fate };
                if let Some(segment) = TcpSegment::parse(frame) {
                    self.segments += 1;
                    if let Some(connection) =
                        self.connection(segment.source, segment.destination, from)
                    {
                        connection.segment(&sent, &segment);
                    }
                } else if let Some(arp) = ArpPacket::parse(frame)
                    && let Some(connection) = self.between(arp.sender.into(), arp.target.into())
                {
                    connection.arp(&sent, &arp);
                }
            }
            Event::State { time, host, local, remote, to, .. } => {
                if let Some(connection) = self.connection(local, remote, host) {
                    let side = connection.side_of(local);
                    connection.name(side, host);
                    connection.rows.push(Row::State { time: time.since_start(), side, state: to });
                }
            }
            _ => {}
        }
    }

    /// The connections that were kept, in the order in which they began.
    pub(crate) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// How many others there were.
    pub(crate) fn connections_not_kept(&self) -> usize {
        self.known.len().saturating_sub(self.connections.len())
    }

    /// TCP segments that hosts have sent.
    pub(crate) fn segments(&self) -> u64 {
        self.segments
    }

    /// The connection between two ends, made if there is room; `first` is the host that shows
    /// that there is one.
    fn connection(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        first: &str,
    ) -> Option<&mut Connection> {
        let connections = &mut self.connections;
        let key = (local.min(remote), local.max(remote));
        let index = *self.known.entry(key).or_insert_with(|| {
            let index = connections.len();
            (index < CONNECTIONS).then(|| {
                connections.push(Connection {
                    left: End::new(local, first),
                    right: End::new(remote, ""),
                    rows: Vec::new(),
                });
                index
            })
        });
        self.connections.get_mut(index?)
    }

    /// The first connection between two hosts, which is the one their ARP was for.
    fn between(&mut self, one: IpAddr, other: IpAddr) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| {
            let ends = [connection.left.address.ip(), connection.right.address.ip()];
            ends.contains(&one) && ends.contains(&other)
        })
    }
}

impl Connection {
    fn side_of(&self, address: SocketAddr) -> Side {
        if address == self.left.address { Side::Left } else { Side::Right }
    }

    fn name(&mut self, side: Side, host: &str) {
        let end = match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        };
        if end.host.is_empty() {
            host.clone_into(&mut end.host);
        }
    }

    fn segment(&mut self, sent: &Sent<'_>, segment: &TcpSegment) {
        let sender = self.side_of(segment.source);
        self.name(sender, sent.from);
        if let Some(to) = sent.to {
            self.name(sender.other(), to);
        }
        let (from, to) = match sender {
            Side::Left => (&mut self.left, &self.right),
            Side::Right => (&mut self.right, &self.left),
        };
        let again = from.sends(segment);
        let seq = from.relative(segment.seq);
        let ack = segment.ack.map(|ack| to.relative(ack));
        self.push(
            sent,
            Frame {
                time: sent.time,
                sender,
                label: label(segment, seq, ack),
                remark: again.then_some(Remark::Retransmission),
                ending: sent.ending(),
                len: segment.len,
                routine: !(again || segment.syn || segment.fin || segment.rst),
            },
        );
    }

    fn arp(&mut self, sent: &Sent<'_>, arp: &ArpPacket) {
        let is_of_left = IpAddr::V4(arp.sender) == self.left.address.ip();
        let sender = if is_of_left { Side::Left } else { Side::Right };
        let label = if arp.is_reply {
            let [a, b, c, d, e, f] = arp.sender_mac;
            format!("ARP reply {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
        } else {
            format!("ARP who has {}", arp.target)
        };
        let ending = sent.ending();
        let time = sent.time;
        self.push(
            sent,
            Frame { time, sender, label, remark: None, ending, len: 0, routine: false },
        );
    }

    fn push(&mut self, sent: &Sent<'_>, frame: Frame) {
        let copy = match sent.fate {
            Fate::Arrives { duplicate_at: Some(at), .. } => Some(Frame {
                remark: Some(Remark::Duplicate),
                ending: Ending::Arrives(at.since_start()),
                routine: false,
                ..frame.clone()
            }),
            _ => None,
        };
        self.rows.push(Row::Frame(frame));
        self.rows.extend(copy.map(Row::Frame));
    }
}

impl End {
    fn new(address: SocketAddr, host: &str) -> End {
        End { address, host: host.to_owned(), initial: None, next: None }
    }

    /// Follows the sequence numbers that this end sends; says whether these were sent before.
    fn sends(&mut self, segment: &TcpSegment) -> bool {
        if segment.syn {
            self.initial = Some(segment.seq);
        }
        let takes_room = segment.end() != segment.seq;
        match self.next {
            Some(next) if is_before(segment.seq, next) => {
                if is_before(next, segment.end()) {
                    self.next = Some(segment.end());
                }
                takes_room
            }
            _ => {
                self.next = Some(segment.end());
                false
            }
        }
    }

    /// The number as people read it: counted from the SYN.
    fn relative(&self, number: u32) -> u32 {
        number.wrapping_sub(self.initial.unwrap_or(0))
    }
}

impl Side {
    pub(crate) fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// What is known of a frame beside its octets.
struct Sent<'e> {
    time: Duration,
    from: &'e str,
    to: Option<&'e str>,
    fate: Fate,
}

impl Sent<'_> {
    fn ending(&self) -> Ending {
        match self.fate {
            Fate::Arrives { at, .. } => Ending::Arrives(at.since_start()),
            Fate::Dropped(reason) => Ending::Lost(reason),
        }
    }
}

fn label(segment: &TcpSegment, seq: u32, ack: Option<u32>) -> String {
    let mut label = format!("{} seq={seq}", segment.flags());
    if let Some(ack) = ack {
        label.push_str(&format!(" ack={ack}"));
    }
    if segment.len > 0 {
        label.push_str(&format!(" len={}", segment.len));
    }
    label
}

/// The order of sequence numbers (RFC 9293 3.4).
fn is_before(one: u32, other: u32) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 31
}
